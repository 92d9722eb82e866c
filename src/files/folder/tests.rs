use super::super::tests::names_in;
use super::*;

const OLD: [(&str, &str); 3] = [("a", "old"), ("b", "old"), ("gone", "old")];

fn folder_with_old_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in OLD {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("README.md"), "of the user").unwrap();
    folder
}

/// Replaces `a` and `b`, removes `gone`, and stops before step number `stop`, leaving everything as a killed process
/// would.
fn stopped_before(folder: &Path, stop: usize) -> bool {
    let locked = LockedFolder::open(folder).unwrap();
    let mut replacement = locked.replacement();
    replacement.add("a", |out| out.write_all(b"new")).unwrap();
    replacement.add("b", |out| out.write_all(b"new")).unwrap();
    replacement.remove("gone");
    let mut steps = 0;
    let done = replacement.commit_by_steps(&mut || {
        steps += 1;
        if steps > stop {
            return Err(io::Error::other("killed"));
        }
        Ok(())
    });
    done.is_err()
}

fn read(folder: &Path) -> [String; 2] {
    let committed = Committed::of(folder).unwrap();
    ["a", "b"].map(|name| fs::read_to_string(committed.path(name)).unwrap())
}

#[test]
fn a_crash_at_any_step_leaves_the_old_files_or_the_new_ones() {
    let mut stop = 0;
    loop {
        let folder = folder_with_old_files();
        let crashed = stopped_before(folder.path(), stop);
        let expected = if stop == 0 { "old" } else { "new" };
        assert_eq!(read(folder.path()), [expected, expected], "before step {stop}");
        // Whoever writes next finishes the rest, and leaves the user's own files alone.
        drop(LockedFolder::open(folder.path()).unwrap());
        assert_eq!(read(folder.path()), [expected, expected], "after step {stop}");
        let names: &[&str] = match stop {
            0 => &["README.md", "a", "b", "gone"],
            _ => &["README.md", "a", "b"],
        };
        assert_eq!(names_in(folder.path()), names, "after step {stop}");
        if !crashed {
            break;
        }
        stop += 1;
    }
    // The journal, two renames, one removal, the removal of the journal.
    assert_eq!(stop, 5);
}

#[test]
fn files_replaced_while_they_are_read_are_read_again() {
    let folder = folder_with_old_files();
    let mut readings = 0;
    let found = Committed::read(folder.path(), &["a", "b"], || {
        readings += 1;
        let committed = Committed::of(folder.path())?;
        let text = |name: &str| fs::read_to_string(committed.path(name)).unwrap();
        let a = text("a");
        if readings == 1 {
            stopped_before(folder.path(), usize::MAX);
        }
        Ok([a, text("b")])
    });
    assert_eq!((found.unwrap(), readings), (["new", "new"].map(String::from), 2));
    // Renaming the very files that were read is no change.
    let mut readings = 0;
    let folder = folder_with_old_files();
    stopped_before(folder.path(), 1);
    let found = Committed::read(folder.path(), &["a", "b"], || {
        readings += 1;
        drop(LockedFolder::open(folder.path()).unwrap());
        Ok(read(folder.path()))
    });
    assert_eq!((found.unwrap(), readings), (["new", "new"].map(String::from), 1));
}

#[test]
fn temporary_files_of_a_killed_process_are_cleared_and_those_of_a_living_one_stay() {
    let folder = folder_with_old_files();
    fs::write(folder.path().join(".unfinished-a-x"), "half").unwrap();
    let living = write_beside(&folder.path().join("c"), |out| out.write_all(b"c")).unwrap();
    drop(LockedFolder::open(folder.path()).unwrap());
    assert!(living.path().exists());
    drop(living);
    assert_eq!(names_in(folder.path()), ["README.md", "a", "b", "gone"]);
}

#[test]
fn a_folder_in_use_is_refused_with_a_message() {
    let folder = folder_with_old_files();
    let first = LockedFolder::open(folder.path()).unwrap();
    let second = LockedFolder::open_within(folder.path(), Duration::from_millis(60)).unwrap_err();
    assert!(matches!(second, Error::Locked { .. }), "{second}");
    drop(first);
    assert!(LockedFolder::open(folder.path()).is_ok());
}

#[test]
fn a_folder_made_for_nothing_does_not_stay() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    drop(LockedFolder::open(&made).unwrap());
    assert!(!made.exists());
    let existing = folder.path().join("existing");
    fs::create_dir(&existing).unwrap();
    drop(LockedFolder::open(&existing).unwrap());
    assert!(existing.exists());
}

#[test]
fn a_journal_does_not_lead_out_of_the_folder() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("folder");
    fs::create_dir(&folder).unwrap();
    for (target, temporary) in [("../victim", ".unfinished-x"), ("a", "../victim"), ("a", "README.md")] {
        let text = format!("{{\"renamed\": {{\"{target}\": \"{temporary}\"}}, \"removed\": []}}");
        fs::write(folder.join(JOURNAL), text).unwrap();
        assert!(LockedFolder::open(&folder).is_err(), "{target} {temporary}");
        assert!(Committed::of(&folder).is_err(), "{target} {temporary}");
    }
    assert!(!is_plain_name("..") && !is_plain_name("/a") && !is_plain_name("a/b") && !is_plain_name("a/"));
    assert!(!is_plain_name("") && !is_plain_name(".") && is_plain_name("latency-0.bpk"));
}
