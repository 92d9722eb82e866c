//! What cannot be measured, or cannot be right.

use super::*;
use crate::dataset::{DEVICES_FILE, MANIFEST_FILE};
use crate::measure::work::JUDGED_AFTER;

#[test]
fn a_design_that_is_refused_is_kept_out_by_name_and_the_rest_goes_on() {
    let mut bench = Bench::new(4);
    bench.model = |position| match position {
        1 => "Einsum".into(),
        _ => latency_of(position),
    };
    let fake = Fake::new();
    let outcome = bench.run(&fake, &Silent).unwrap();
    assert_eq!((outcome.added, outcome.refused.len(), fake.calls().len()), (3, 1, 15));
    assert_eq!(outcome.refused[0].design, bench.designs[1]);
    assert_eq!(outcome.refused[0].reason, "fake 1.0: operator Einsum");
}

#[test]
fn a_runtime_that_refuses_all_is_told_soon() {
    let mut bench = Bench::new(6);
    bench.model = |_| "Einsum".into();
    let error = bench.run(&Fake::new(), &Silent).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    let told = error.to_string();
    assert!(
        told.contains("none of the first 3") && told.contains("operator Einsum"),
        "{told}"
    );
    // A runtime that cannot be used at all is no fault of the designs.
    let unusable = Fake::that(|_| {
        Err(Error::Runtime {
            runtime: "fake".into(),
            expected: "a library".into(),
            found: "none".into(),
            hint: "Install it.".into(),
        })
    });
    assert!(matches!(
        Bench::new(6).run(&unusable, &Silent),
        Err(Error::Runtime { .. })
    ));
}

/// Cells at 100 GFLOP/s take between about a tenth of a millisecond and seconds: 0.01 ms and less are seconds.
#[test]
fn seconds_in_place_of_milliseconds_are_asked_about() {
    let mut bench = Bench::new(5);
    bench.model = |position| format!("{}", 0.010 + 0.001 * position as f64);
    let fake = Fake::new();
    let error = bench.run(&fake, &Silent).unwrap_err();
    assert_eq!((error.exit_code(), fake.calls().len()), (2, JUDGED_AFTER));
    let told = error.to_string();
    assert!(
        told.contains("board_fake_fp32_1t") && told.contains("They look like seconds. Nothing was kept."),
        "{told}"
    );
    // Nothing in the wrong unit was kept, so that the same command with the right one just works.
    bench.unit_ms = 1_000.0;
    assert_eq!(bench.run(&Fake::new(), &Silent).unwrap().added, 5);
    assert!((bench.latencies()[0] - 10.45).abs() < 1e-9);
    let mut taken = Bench::new(5);
    (taken.model, taken.accept_implausible) = (bench.model, true);
    assert_eq!(taken.run(&Fake::new(), &Silent).unwrap().added, 5);
}

#[test]
fn a_datasheet_of_the_dataset_stays_and_other_spaces_are_refused() {
    let mut bench = Bench::new(2);
    bench.run(&Fake::new(), &Silent).unwrap();
    bench.designs = designs(3);
    for device in bench.devices.values_mut() {
        device.peak_gflops = Some(120.0);
    }
    let outcome = bench.run(&Fake::new(), &Silent).unwrap();
    assert_eq!(outcome.added, 1);
    let told = outcome
        .warnings
        .iter()
        .map(ToString::to_string)
        .find(|one| one.contains("peak-gflops"));
    assert!(told.is_some(), "{:?}", outcome.warnings);
    assert_eq!(
        Dataset::read(&bench.path()).unwrap().devices[0].peak_gflops,
        Some(100.0)
    );
    let other = fs::read_to_string(bench.path().join(MANIFEST_FILE))
        .unwrap()
        .replace("nasbench201", "fbnet");
    fs::write(bench.path().join(MANIFEST_FILE), other).unwrap();
    assert!(bench.run(&Fake::new(), &Silent).is_err());
    // Tables without a manifest are somebody's work.
    fs::remove_file(bench.path().join(MANIFEST_FILE)).unwrap();
    assert!(
        bench
            .run(&Fake::new(), &Silent)
            .unwrap_err()
            .to_string()
            .contains(DEVICES_FILE)
    );
}
