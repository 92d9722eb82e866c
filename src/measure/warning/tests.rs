use super::rounds::drift;
use super::*;
use crate::measure::host::{Busy, HostState};
use crate::measure::log::RoundEntry;
use crate::measure::summary::LatencySummary;
use crate::seed::Seed;

fn quiet() -> HostState {
    HostState {
        cores: Some(4),
        load: Some(0.2),
        governors: Some(vec!["performance".into()]),
        turbo: Some(false),
        is_virtual: Some(false),
        has_pressure: true,
        timer_resolution_ns: Some(30.0),
    }
}

#[test]
fn a_quiet_machine_gives_no_warning_and_each_fault_its_own() {
    assert_eq!(of_host(&quiet(), 4), []);
    // One busy core of four leaves three: enough for three threads, not for four.
    let loaded = HostState {
        load: Some(1.0),
        ..quiet()
    };
    assert_eq!(of_host(&loaded, 3), []);
    let said = of_host(&loaded, 4)[0].to_string();
    assert!(
        said.contains("load 1.0 on 4 cores") && said.contains("Stop other programs"),
        "{said}"
    );
    let scaled = HostState {
        governors: Some(vec!["performance".into(), "schedutil".into()]),
        turbo: Some(true),
        load: None,
        ..quiet()
    };
    let said: Vec<String> = of_host(&scaled, 1).iter().map(ToString::to_string).collect();
    assert!(
        said[0].contains("schedutil") && said[0].contains("cpupower"),
        "{said:?}"
    );
    assert!(
        said[1].contains("turbo off") && said[2].contains("unknown on this machine: the load"),
        "{said:?}"
    );
    assert_eq!(said.len(), 3);
}

fn noted(waiting: f64, stolen: f64, warnings: &[&str]) -> RoundEntry {
    RoundEntry {
        busy: Busy {
            waiting_percent: Some(waiting),
            stolen_percent: Some(stolen),
            throttled_percent: Some(10.0 * stolen),
        },
        warnings: warnings.iter().map(ToString::to_string).collect(),
        ..RoundEntry::default()
    }
}

#[test]
fn rounds_on_a_busy_machine_are_counted() {
    let entries = [
        noted(1.0, 0.0, &["slow"]),
        noted(30.0, 2.0, &[]),
        noted(12.0, 0.5, &["slow"]),
    ];
    let entries: Vec<&RoundEntry> = entries.iter().collect();
    let found = of_rounds(&entries, &[]);
    let expected = [
        MeasureWarning::Waiting {
            worst_percent: 30.0,
            rounds: 2,
            of: 3,
        },
        MeasureWarning::Stolen {
            worst_percent: 2.0,
            rounds: 1,
            of: 3,
        },
        MeasureWarning::Throttled {
            worst_percent: 20.0,
            rounds: 2,
            of: 3,
        },
        MeasureWarning::Runtime {
            text: "slow".into(),
            rounds: 2,
        },
    ];
    assert_eq!(found, expected);
}

/// Three designs in three rounds, all 10 % slower in the third: relative to the geometric mean of the rounds, 1.1^(1/3) =
/// 1.0323, it took 1.1 / 1.0323 = 1.0656, 6.6 % longer, and the others 1 / 1.0323 = 0.9687, 3.1 % less. What one design alone
/// does is no drift.
#[test]
fn a_round_in_which_all_are_slower_is_drift() {
    let relative = [(0, 1.0), (1, 1.0), (2, 1.1)];
    assert_eq!(drift(&relative), []);
    let found = drift(&relative.repeat(3));
    assert_eq!(found.len(), 3, "{found:?}");
    let MeasureWarning::Drift { round, percent } = found[2] else {
        panic!("{found:?}")
    };
    assert_eq!(round, 3);
    assert!((percent - 6.56).abs() < 0.01, "{percent}");
    assert!(
        found[2]
            .to_string()
            .contains("round 3 all designs together took 7 % longer")
    );
    assert!(found[0].to_string().contains("took 3 % less"), "{}", found[0]);
    let mut alone: Vec<(usize, f64)> = (0..30).map(|place| (place % 3, 1.0)).collect();
    alone[2].1 = 1.2;
    assert_eq!(drift(&alone), []);
}

#[test]
fn designs_are_told_by_name() {
    // Two rounds apart by a half, a tenth of the runs far out, of a microsecond each.
    let mut slow = vec![1.5e-3; 50];
    slow[..10].fill(0.1);
    let summary = LatencySummary::of(&[&[1e-3; 50], &slow], Seed(1)).unwrap();
    let steady = LatencySummary::of(&[&[1.0; 50], &[1.01; 50]], Seed(1)).unwrap();
    let found = of_designs(&[("good", &steady), ("a cell", &summary)], 120, Some(30.0));
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 4, "{said:?}");
    assert!(said[..3].iter().all(|one| one.starts_with("a cell: ")), "{said:?}");
    assert!(said[1].contains("10 of 100 runs"), "{said:?}");
    // Both have too few runs.
    assert!(
        said[3].contains("(and one more, less so): 100 runs of the 120"),
        "{said:?}"
    );
    assert_eq!(of_designs(&[("good", &steady); 2], 100, Some(30.0)), []);
}
