//! Energy, of the machine's counters and of the runtime.

use super::*;

/// The counters stand still but for one that each call raises by 2 J, warm-ups too: 10 runs of 200 mJ.
#[test]
fn energy_of_the_packages_is_taken_around_the_runs_that_count() {
    let bench = Bench::new(1);
    let zone = bench.system.path().join("sys/class/powercap/intel-rapl:0");
    fs::create_dir_all(&zone).unwrap();
    fs::write(zone.join("name"), "package-0").unwrap();
    fs::write(zone.join("max_energy_range_uj"), "1000000000").unwrap();
    fs::write(zone.join("energy_uj"), "0").unwrap();
    let counter = zone.join("energy_uj");
    let fake = Fake::that(move |call| {
        fs::write(&counter, format!("{}", 2_000_000 * (call + 1))).unwrap();
        Ok(())
    });
    let outcome = bench.run(&fake, &Silent).unwrap();
    let energy_mj = outcome.measured[0].energy_mj.unwrap();
    assert!((energy_mj - 200.0).abs() < 1e-9, "{energy_mj}");
    let calls = fake.calls();
    assert_eq!((calls.len(), calls[0].1.runs, calls[0].1.warmup_runs), (10, 1, 10));
    assert_eq!(
        (calls[1].1.runs, calls[1].1.warmup_runs, calls[1].1.warmup_seconds),
        (10, 0, 0.0)
    );
    let dataset = Dataset::read(&bench.path()).unwrap();
    assert_eq!(dataset.measurements[0].value(Metric::Energy), Some(energy_mj));
}

#[test]
fn energy_that_the_runtime_tells_is_kept() {
    let bench = Bench::new(1);
    let fake = Fake {
        energy_mj: Some(7.5),
        ..Fake::new()
    };
    assert_eq!(bench.run(&fake, &Silent).unwrap().measured[0].energy_mj, Some(7.5));
}
