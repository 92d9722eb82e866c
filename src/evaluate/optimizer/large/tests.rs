//! The figures of made designs, worked by hand.

use super::results::*;
use super::*;
use crate::dataset::Origin;
use crate::evaluate::devices::ScoredDevice;
use crate::evaluate::measured::limit_quantile;
use crate::evaluate::predictor::ProbeChoice;
use crate::predict::ScoreKind;
use crate::predict::fit::FitOptions;

fn scoring() -> OptimizerScoring {
    OptimizerScoring {
        devices: vec![0, 1],
        probes: 10,
        choice: ProbeChoice::Chosen,
        limits: 2,
        besides: Vec::new(),
        confidence: 0.9,
        repeats: 1,
        samples: 16,
        budget: 20_000,
        accuracy_labels: 0,
        accuracy_training: FitOptions::default(),
        with_predicted: false,
        seed: Seed(1),
    }
}

/// A design of this accuracy, feasible or not, that takes `latency` of a limit of 10 ms as the oracle sees it.
fn design(accuracy: f64, feasible: bool, latency_ms: f64) -> DesignScore {
    DesignScore {
        architecture: "a".into(),
        quantization: "fp32".into(),
        accuracy,
        latency_ms: 9.0,
        feasible_probability: if feasible { 0.95 } else { 0.5 },
        feasible,
        oracle: Some(OracleScore::new(accuracy - 1.0, latency_ms, 10.0)),
    }
}

fn row(device: &str, limit: usize, optimizer: DesignScore, nsga2: DesignScore) -> LargeSpaceRow {
    LargeSpaceRow {
        device: device.into(),
        repeat: 0,
        limit_ms: 10.0,
        limit_quantile: limit_quantile(limit, 2),
        policy: design(70.0, false, 9.0),
        random_refined: design(60.0, true, 9.0),
        design: optimizer,
        nsga2,
        eight_bits: None,
        sequential: None,
        optimizer_eight_bits: None,
    }
}

fn report(rows: Vec<LargeSpaceRow>) -> LargeSpaceReport {
    let device = |id: &str| ScoredDevice {
        id: id.into(),
        unit: id.into(),
        origin: Origin::Measured,
        duplicate_of: None,
        counted: true,
    };
    let batch = Batch {
        designs: 1000,
        microseconds_per_design: 500.0,
    };
    // Four rows: 4 ms in all make 1,000 us for a design of the optimizer, 400 ms 100,000 us for one of NSGA-II.
    let seconds = [0.004, 0.001, 0.003, 0.4, 0.0, 0.0, 0.0];
    LargeSpaceReport::new(
        ("id", ScoreKind::Accuracy),
        None,
        &scoring(),
        vec![device("a"), device("b")],
        rows,
        seconds,
        batch,
    )
}

#[test]
fn gaps_are_over_the_limits_that_both_keep() {
    let report = report(vec![
        // Behind by 0.5, ahead by 0.1; behind by 1.2; a limit that only NSGA-II keeps.
        row("a", 0, design(74.5, true, 9.0), design(75.0, true, 9.0)),
        row("a", 1, design(78.1, true, 12.0), design(78.0, true, 9.0)),
        row("b", 0, design(70.0, true, 9.0), design(71.2, true, 9.0)),
        row("b", 1, design(90.0, false, 15.0), design(72.0, true, 9.0)),
    ]);
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    let summary = &report.summary;
    // Device a: (0.5 - 0.1) / 2 = 0.2; device b: 1.2. The median of -0.1, 0.5 and 1.2.
    close(summary.mean_gap, 0.7);
    close(summary.median_gap, 0.5);
    assert!(summary.mean_gap_low <= 0.7 && 0.7 <= summary.mean_gap_high);
    // (0.5 + 1.2) / 2 at the first limit, device a alone at the second.
    close(summary.gap_by_limit[0].unwrap(), 0.85);
    close(summary.gap_by_limit[1].unwrap(), -0.1);
    // One of two limits of one of two devices.
    close(summary.missed, 0.25);
    close(summary.found_more, 0.0);
    // Of the designs that are predicted to keep their limit, one of two of device a is above it, by a fifth.
    let oracle = summary.oracle.as_ref().unwrap();
    close(oracle.violation_rate, 0.25);
    close(oracle.mean_overshoot, 0.2);
    // a: (73.5 + 77.1) / 2 = 75.3; b: 69.
    close(oracle.mean_accuracy, 72.15);
    close(summary.microseconds_per_design, 1_000.0);
    close(report.times_faster, 100.0);
    close(report.times_faster_in_batch, 200.0);
    // The reference is no way behind itself.
    close(report.nsga2.mean_gap, 0.0);
    close(
        report.random_refined.mean_gap,
        ((15.0 + 18.0) / 2.0 + (11.2 + 12.0) / 2.0) / 2.0,
    );
    // A method that keeps no limit has no gap.
    assert!(report.policy.mean_gap.is_nan() && report.policy.oracle.is_none());
    assert_eq!(report.policy.gap_by_limit, [None, None]);
    close(report.policy.missed, 1.0);
}

#[test]
fn a_limit_that_only_the_optimizer_keeps_is_found_more() {
    let report = report(vec![
        row("a", 0, design(70.0, true, 9.0), design(80.0, false, 9.0)),
        row("b", 0, design(70.0, true, 9.0), design(70.0, true, 9.0)),
    ]);
    assert_eq!((report.summary.found_more, report.summary.missed), (0.5, 0.0));
    assert_eq!(report.summary.mean_gap, 0.0);
}

#[test]
fn designs_of_eight_bits_are_compared_where_genes_say_bits() {
    let plain = report(vec![row("a", 0, design(74.5, true, 9.0), design(75.0, true, 9.0))]);
    assert_eq!(plain.methods().len(), 4);
    let with_bits = LargeSpaceRow {
        eight_bits: Some(design(73.0, true, 9.0)),
        sequential: Some(design(74.0, true, 9.0)),
        optimizer_eight_bits: Some(design(73.5, true, 9.0)),
        ..row("a", 0, design(74.5, true, 9.0), design(75.0, true, 9.0))
    };
    let report = report(vec![with_bits]);
    let gaps: Vec<f64> = report.methods().iter().map(|(_, summary)| summary.mean_gap).collect();
    assert_eq!(report.methods().len(), 7);
    assert_eq!(gaps[4..], [2.0, 1.0, 1.5]);
}

/// A row whose best design of eight bits everywhere is this.
fn beside(eight_bits: DesignScore, row: LargeSpaceRow) -> LargeSpaceRow {
    LargeSpaceRow {
        eight_bits: Some(eight_bits),
        ..row
    }
}

#[test]
fn policies_buy_points_where_both_designs_keep_the_limit() {
    let nsga2 = || design(80.0, true, 9.0);
    let rows = || {
        vec![
            // Ahead by 1.5 of NSGA-II's and by 1 of its own; above the limit as the oracle sees it; ahead by 0.5; a limit that eight bits do not keep.
            LargeSpaceRow {
                optimizer_eight_bits: Some(design(73.5, true, 9.0)),
                ..beside(design(73.0, true, 9.0), row("a", 0, design(74.5, true, 9.0), nsga2()))
            },
            beside(design(75.0, true, 9.0), row("a", 1, design(76.0, true, 12.0), nsga2())),
            beside(design(71.5, true, 9.0), row("b", 0, design(72.0, true, 9.0), nsga2())),
            beside(design(77.0, false, 9.0), row("b", 1, design(78.0, true, 9.0), nsga2())),
        ]
    };
    let gain = report(rows()).policy_gain.unwrap();
    // (1 + 0.5) / 2; device a keeps the second limit at eight bits alone, device b with policies alone.
    assert_eq!(
        (gain.mean_points, gain.points_by_limit.clone()),
        (0.75, vec![Some(0.75), None])
    );
    assert_eq!((gain.only_with_policies, gain.only_at_eight_bits), (0.25, 0.25));
    assert!(gain.mean_points_low <= 0.75 && 0.75 <= gain.mean_points_high);
    let sentence = gain.to_string();
    assert!(
        sentence.contains("buy 0.75 percentage points [0.50, 1.00]"),
        "{sentence}"
    );
    assert!(
        sentence.contains("25.0 % of the limits are kept with policies alone"),
        "{sentence}"
    );

    // Without an oracle what is predicted counts: 1 at both limits of device a.
    let mut predicted = rows();
    for row in &mut predicted {
        row.design.oracle = None;
        let at_eight_bits = row.eight_bits.iter_mut().chain(&mut row.optimizer_eight_bits);
        at_eight_bits.for_each(|one| one.oracle = None);
    }
    let gain = report(predicted).policy_gain.unwrap();
    assert_eq!((gain.mean_points, gain.only_at_eight_bits), ((1.0 + 0.5) / 2.0, 0.0));

    // No limit that both keep.
    let apart = beside(design(73.0, false, 9.0), row("a", 0, design(74.5, true, 9.0), nsga2()));
    let gain = report(vec![apart]).policy_gain.unwrap();
    assert!(gain.to_string().starts_with("No limit is kept both"), "{gain}");
    assert!(report(vec![row("a", 0, nsga2(), nsga2())]).policy_gain.is_none());
}
