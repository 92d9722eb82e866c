//! Nonsense, damaged files and malice, case by case: the program never panics, ends with the status that tells what kind of
//! failure it was, takes neither 1 GiB nor 10 s, and neither changes nor leaves anything that it was not asked for.
//!
//! Cases are combinations: a command and one of its files × a damage, a command and one of its numbers × a value, and so on.

mod cases;
mod content;
mod damage;
mod options;
mod watch;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use tempfile::tempdir;

use cases::{Case, all, prepare};
use watch::{contents, watch};

/// Runs every case and tells all that failed.
#[test]
fn nothing_hostile_does_any_harm() {
    let sound = tempdir().unwrap();
    prepare(sound.path());
    let before = contents(sound.path());
    let cases = all(sound.path());
    let began = Instant::now();
    let mut ran: Vec<(Duration, &Case, Vec<String>)> = (cases.par_iter())
        .map(|case| {
            let (cpu, faults) = run(case, sound.path());
            (cpu, case, faults)
        })
        .collect();
    ran.sort_by_key(|(cpu, ..)| *cpu);
    let slowest = ran
        .iter()
        .rev()
        .take(5)
        .map(|(cpu, case, _)| format!("{cpu:.1?} for {}", case.line));
    println!(
        "{} hostile cases in {:.0?}; the slowest took {}",
        ran.len(),
        began.elapsed(),
        slowest.collect::<Vec<String>>().join(", ")
    );
    let failed = ran.iter().filter(|(.., faults)| !faults.is_empty());
    let failures: Vec<String> = failed
        .map(|(_, case, faults)| format!("{} ({:.120}): {}", case.name, case.line, faults.join(", ")))
        .collect();
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
    assert!(ran.len() >= 300);
    assert!(contents(sound.path()) == before, "a sound file was changed");
}

/// How long the program took for a case, and what is wrong with how it took it.
fn run(case: &Case, sound: &Path) -> (Duration, Vec<String>) {
    let folder = tempdir().unwrap();
    std::os::unix::fs::symlink(sound, folder.path().join("sound")).unwrap();
    (case.write)(folder.path());
    let arguments: Vec<String> = (case.line.split_whitespace())
        .map(|argument| match argument.strip_prefix('{') {
            Some(name) => folder.path().join(name.replace('}', "")).to_string_lossy().into_owned(),
            None => argument.into(),
        })
        .collect();
    let watched = watch(folder.path(), &arguments);
    let mut faults = watched.faults;
    if !watched.status.code().is_some_and(|code| case.statuses.contains(&code)) {
        faults.push(format!("{} instead of {:?}", watched.status, case.statuses));
    }
    if !watched.status.success() && watched.stderr.trim().is_empty() {
        faults.push("no message".into());
    }
    if !faults.is_empty() {
        faults.push(format!("it said: {:.300}", watched.stderr));
    }
    (watched.cpu, faults)
}

/// Copies a file or a folder.
fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    let entries = fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path());
    entries.for_each(|path: PathBuf| copy(&path, &to.join(path.file_name().unwrap())));
}
