use super::*;
use crate::proxy::fleet::ColumnKind;
use crate::space::{NasBench201, SearchSpace};

fn column(id: &str, values: Vec<Option<f64>>) -> Column {
    Column {
        id: id.into(),
        unit: id.into(),
        kind: ColumnKind::Device,
        values,
    }
}

/// 500 cells: a proxy, a target twice as slow, one that ranks differently, and one that was never measured.
fn fleet() -> Fleet {
    let mut rng = Seed(9).stream("cells");
    let cells: Vec<Architecture> = (0..500).map(|_| NasBench201.sample(&mut rng)).collect();
    let latency = |one: &Architecture, costs: [f64; 4]| {
        let cost = |operation: usize| {
            costs[operation - 1] * one.0.iter().filter(|&&gene| usize::from(gene) == operation).count() as f64
        };
        Some(1.0 + (1..=4).map(cost).sum::<f64>())
    };
    let values = |costs: [f64; 4]| cells.iter().map(|one| latency(one, costs)).collect();
    let columns = vec![
        column("proxy", values([0.1, 1.0, 3.0, 0.5])),
        column("twice", values([0.2, 2.0, 6.0, 1.0])),
        column("other", values([0.1, 4.0, 1.0, 2.0])),
        column("unmeasured", vec![None; 500]),
    ];
    Fleet {
        space: &NasBench201,
        architectures: cells,
        columns,
    }
}

fn options(budget: usize) -> FlowOptions {
    FlowOptions {
        norm: Norm::Two,
        sampling: Sampling {
            first: 10,
            step: 10,
            budget,
            threshold: 0.9,
        },
        always_adapt: false,
        layers: 1,
        seed: Seed(1),
    }
}

fn run(target: usize, budget: usize) -> Result<FlowReport> {
    let fleet = fleet();
    let model = linear_model(&fleet, &fleet.columns[0])?;
    let pairing = Pairing::new(&fleet, &fleet.columns[0], &model, &fleet.columns[target])?;
    // Accuracy rises with convolutions of either kind.
    let convolutions = |one: &Architecture| one.0.iter().filter(|&&gene| gene == 2 || gene == 3).count();
    let accuracies: Vec<Option<f64>> = fleet
        .architectures
        .iter()
        .enumerate()
        .map(|(row, one)| Some(50.0 + 5.0 * convolutions(one) as f64 + row as f64 / 1000.0))
        .collect();
    pairing.run(&accuracies, &options(budget))
}

#[test]
fn a_good_proxy_is_reused() {
    let report = run(1, 50).unwrap();
    assert_eq!((report.decision, report.samples), (Decision::Reused, 10));
    assert_eq!(report.spearman_after, Some(1.0));
    let fronts = report.fronts.unwrap();
    assert_eq!((fronts.dropped, fronts.hypervolume_ratio), (0, Some(1.0)));
    assert_eq!(fronts.kept, fronts.truth);
    assert!(
        fronts
            .kept
            .is_sorted_by(|a, b| a.latency_ms < b.latency_ms && a.accuracy_percent < b.accuracy_percent)
    );
}

#[test]
fn a_bad_proxy_is_adapted_and_what_is_not_optimal_dropped() {
    let report = run(2, 60).unwrap();
    assert_eq!(report.decision, Decision::Adapted);
    assert!(report.spearman_before < Some(0.6), "{report:?}");
    assert!(report.spearman_after > Some(0.85), "{report:?}");
    let fronts = report.fronts.unwrap();
    assert_eq!(fronts.returned, fronts.kept.len() + fronts.dropped);
    assert!(fronts.hypervolume_ratio > Some(0.9) && fronts.hypervolume_ratio <= Some(1.0));
    assert!(
        fronts
            .kept
            .is_sorted_by(|a, b| a.latency_ms < b.latency_ms && a.accuracy_percent < b.accuracy_percent)
    );
}

#[test]
fn no_budget_and_no_measurements_are_refused() {
    for target in [1, 2] {
        assert!(
            run(target, 0)
                .unwrap_err()
                .to_string()
                .contains("Measure some architectures")
        );
    }
    let message = run(3, 50).unwrap_err().to_string();
    assert!(
        message.contains("unmeasured") && message.contains("found none"),
        "{message}"
    );
}

#[test]
fn a_proxy_is_judged_by_samples_that_it_has_in_common_and_by_enough_of_them() {
    let mut fleet = fleet();
    let decision = |fleet: &Fleet| {
        let model = linear_model(fleet, &fleet.columns[0]).unwrap();
        let pairing = Pairing::new(fleet, &fleet.columns[0], &model, &fleet.columns[1]).unwrap();
        pairing.run(&[], &options(20)).unwrap().decision
    };
    fleet.columns[0].values[12..].fill(None);
    assert_eq!(decision(&fleet), Decision::Reused);
    fleet.columns[0].values[4..].fill(None);
    assert_eq!(decision(&fleet), Decision::Adapted);
}

#[test]
fn without_accuracies_there_is_no_front() {
    let fleet = fleet();
    let model = linear_model(&fleet, &fleet.columns[0]).unwrap();
    let pairing = Pairing::new(&fleet, &fleet.columns[0], &model, &fleet.columns[1]).unwrap();
    let report = pairing.run(&[], &options(20)).unwrap();
    assert_eq!((report.fronts, report.spearman_before), (None, Some(1.0)));
}
