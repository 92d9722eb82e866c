//! Measuring that was stopped goes on where it was.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::dataset::MANIFEST_FILE;

/// Stops when the work has been advanced so often.
struct StopsAfter(AtomicUsize);

impl Progress for StopsAfter {
    fn advance(&self, _by: u64) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

#[test]
fn what_was_stopped_goes_on_where_it_was() {
    let mut bench = Bench::new(4);
    let stopped = bench.run(&Fake::new(), &StopsAfter(AtomicUsize::new(7))).unwrap_err();
    assert!(
        matches!(&stopped, Error::Interrupted { state: Some(path) } if path.ends_with("measured/samples.jsonl")),
        "{stopped}"
    );
    // No design is complete, and the dataset is not there yet.
    assert!(!bench.path().join(MANIFEST_FILE).exists());
    let refused = bench.run(&Fake::new(), &Silent).unwrap_err().to_string();
    assert!(
        refused.contains("samples of 4 designs from a run that was stopped"),
        "{refused}"
    );
    bench.unfinished = Unfinished::Resume;
    let fake = Fake::new();
    let outcome = bench.run(&fake, &Silent).unwrap();
    assert_eq!((fake.calls().len(), outcome.added), (5 * 4 - 7, 4));
    // The same as without the stop.
    let whole = Bench::new(4).run(&Fake::new(), &Silent).unwrap();
    assert_eq!(outcome.measured, whole.measured);
    // What is there is not measured again, and more is added to it.
    bench.unfinished = Unfinished::Refuse;
    bench.designs = designs(6);
    let fake = Fake::new();
    let outcome = bench.run(&fake, &Silent).unwrap();
    assert_eq!((fake.calls().len(), outcome.added, outcome.known), (5 * 2, 2, 4));
    assert_eq!((bench.latencies().len(), outcome.measured.len()), (6, 6));
}

#[test]
fn what_was_stopped_can_be_started_over() {
    let mut bench = Bench::new(3);
    assert!(bench.run(&Fake::new(), &StopsAfter(AtomicUsize::new(4))).is_err());
    bench.unfinished = Unfinished::Discard;
    let fake = Fake::new();
    assert_eq!(bench.run(&fake, &Silent).unwrap().added, 3);
    assert_eq!(fake.calls().len(), 15);
}

/// The disk is full from the eighth call on: what is written goes to a device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing_that_was_measured() {
    let mut bench = Bench::new(4);
    let (path, aside) = (bench.path().join(SAMPLES_FILE), bench.folder.path().join("aside"));
    let (from, to) = (path.clone(), aside.clone());
    let fills = Fake::that(move |call| {
        if call == 7 {
            fs::rename(&from, &to).unwrap();
            std::os::unix::fs::symlink("/dev/full", &from).unwrap();
        }
        Ok(())
    });
    let full = bench.run(&fills, &Silent).unwrap_err();
    let told = full.to_string();
    assert!(
        told.contains("cannot write") && told.contains("samples.jsonl"),
        "{told}"
    );
    fs::rename(&aside, &path).unwrap();
    bench.unfinished = Unfinished::Resume;
    let fake = Fake::new();
    assert_eq!(bench.run(&fake, &Silent).unwrap().added, 4);
    assert_eq!(fake.calls().len(), 5 * 4 - 7);
}
