//! What is measured, in which order, and what it becomes.

use super::*;
use crate::dataset;

/// 50 runs in 5 rounds are 10 a round: 1.00 to 1.09 times the base, the same in every round. The median lies between the runs of
/// 1.04 and 1.05, at 1.045. Sorted, with five of each, the 90th percentile is in place 44.1, a tenth of the way from 1.08 to 1.09.
#[test]
fn medians_of_all_rounds_become_rows_of_a_dataset() {
    let (bench, fake) = (Bench::new(4), Fake::new());
    let outcome = bench.run(&fake, &Silent).unwrap();
    assert_eq!((outcome.measured.len(), outcome.added, outcome.known), (4, 4, 0));
    for (position, measured) in outcome.measured.iter().enumerate() {
        let base = 10.0 + position as f64;
        assert_eq!(
            (&measured.design, measured.device.as_str()),
            (&bench.designs[position], "board_fake_fp32_1t")
        );
        assert_eq!((measured.latency.runs, measured.latency.rounds_ms.len()), (50, 5));
        assert!((measured.latency.median_ms / base - 1.045).abs() < 1e-9, "{measured:?}");
        assert!((measured.latency.p90_ms / base - 1.081).abs() < 1e-9, "{measured:?}");
        assert_eq!(measured.energy_mj, None);
    }
    let dataset = Dataset::read(&bench.path()).unwrap();
    let rows: Vec<_> = dataset
        .measurements
        .iter()
        .map(|row| (row.precision, row.origin))
        .collect();
    assert_eq!(rows, [(Precision::Fp32.into(), dataset::Origin::Measured); 4]);
    assert_eq!(bench.latencies()[2], outcome.measured[2].latency.median_ms);
    // Devices of which nothing was measured are not there.
    let device = &dataset.devices[0];
    assert_eq!(
        (dataset.devices.len(), device.unit.as_str(), device.peak_gflops),
        (1, "board", Some(100.0))
    );
    assert_eq!(
        (device.precision, device.batch_size),
        (Some(Precision::Fp32.into()), Some(1.0))
    );
}

#[test]
fn every_round_has_every_design_once_after_a_warm_up() {
    let (mut bench, fake) = (Bench::new(6), Fake::new());
    bench.protocol = Protocol {
        runs: 9,
        seconds: 3.0,
        rounds: 3,
        ..Protocol::default()
    };
    bench.run(&fake, &Silent).unwrap();
    let calls = fake.calls();
    let orders: Vec<Vec<f64>> = calls
        .chunks(6)
        .map(|round| round.iter().map(|call| call.0).collect())
        .collect();
    assert_eq!(orders.len(), 3);
    for order in &orders {
        let mut sorted = order.clone();
        sorted.sort_by(f64::total_cmp);
        assert_eq!(sorted, [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]);
    }
    assert!(orders[0] != orders[1] && orders[1] != orders[2], "{orders:?}");
    let expected = Round {
        warmup_runs: 10,
        warmup_seconds: 0.5,
        runs: 3,
        seconds: 1.0,
    };
    assert!(calls.iter().all(|call| call.1 == expected), "{calls:?}");
}

#[test]
fn designs_at_several_precisions_are_on_devices_of_one_unit() {
    let mut bench = Bench::new(2);
    let quantized = Design::uniform(bench.designs[0].architecture.clone(), Precision::Int8);
    bench.designs.extend([quantized.clone(), quantized]);
    let outcome = bench.run(&Fake::new(), &Silent).unwrap();
    assert_eq!(outcome.added, 3);
    let dataset = Dataset::read(&bench.path()).unwrap();
    let mut found: Vec<_> = dataset
        .devices
        .iter()
        .map(|one| (one.id.as_str(), one.unit.as_str()))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [("board_fake_fp32_1t", "board"), ("board_fake_int8_1t", "board")]
    );
    let error = Bench {
        devices: BTreeMap::new(),
        ..Bench::new(1)
    };
    assert!(
        error
            .run(&Fake::new(), &Silent)
            .unwrap_err()
            .to_string()
            .contains("precision")
    );
}

#[test]
fn a_steady_runtime_on_a_quiet_machine_gives_no_warnings_of_the_machine() {
    let outcome = Bench::new(4).run(&Fake::new(), &Silent).unwrap();
    // The fake takes up to 9 % longer in each round, which is spread and no drift.
    assert_eq!(outcome.warnings, []);
}
