use rand::Rng;

use super::*;
use crate::space::NasBench201;

/// The first of always the same random cells.
fn cells(count: usize) -> Vec<Architecture> {
    let mut rng = Seed(9).stream("cells");
    (0..count).map(|_| NasBench201.sample(&mut rng)).collect()
}

fn proxy() -> LinearModel {
    let cells = cells(3_000);
    let values: Vec<f64> = cells.iter().map(|one| latency(one, [1.0, 3.0])).collect();
    LinearModel::fit(&NasBench201, &cells, &values).unwrap()
}

/// So much for every 1x1 and 3x3 convolution, 0.5 for every pooling, 2 for the rest.
fn latency(one: &Architecture, costs: [f64; 2]) -> f64 {
    let count = |operation| one.0.iter().filter(|&&gene| gene == operation).count() as f64;
    2.0 + costs[0] * count(2) + costs[1] * count(3) + 0.5 * count(4)
}

fn unseen_spearman(adapted: &AdaptedProxy, seen: usize, truth: impl Fn(&Architecture) -> f64) -> f64 {
    let cells: Vec<Architecture> = cells(2_000).split_off(seen);
    let values: Vec<f64> = cells.iter().map(truth).collect();
    // Cells that are equally fast differ in the last digits of their predictions.
    let predicted = adapted.model.predict(&NasBench201, &cells);
    let rounded: Vec<f64> = predicted.iter().map(|value| (value * 1e6).round()).collect();
    stats::spearman(&rounded, &values).unwrap()
}

#[test]
fn a_scaled_proxy_needs_no_deviation() {
    // The target takes five times as long and 7 ms more, so a = 5, b = 0 whatever the norm.
    let proxy = proxy();
    let truth = |one: &Architecture| 5.0 * latency(one, [1.0, 3.0]) + 7.0;
    let samples = cells(8);
    let values: Vec<f64> = samples.iter().map(truth).collect();
    for norm in [Norm::One, Norm::Two, Norm::Infinity] {
        let adapted = adapt(&proxy, &NasBench201, &samples, &values, norm, Seed(1)).unwrap();
        assert!(
            (adapted.adaptation.scale - 5.0).abs() < 1e-3,
            "{:?}",
            adapted.adaptation
        );
        assert!(adapted.adaptation.deviation < 1e-2, "{:?}", adapted.adaptation);
        assert_eq!(unseen_spearman(&adapted, 8, truth), 1.0);
    }
}

#[test]
fn samples_repair_a_proxy_that_ranks_differently() {
    // On the target 1x1 convolutions are the slow ones.
    let proxy = proxy();
    let truth = |one: &Architecture| latency(one, [3.0, 1.0]);
    let cells = cells(60);
    let values: Vec<f64> = cells.iter().map(truth).collect();
    for norm in [Norm::One, Norm::Two, Norm::Infinity] {
        let at = |count: usize| {
            let adapted = adapt(&proxy, &NasBench201, &cells[..count], &values[..count], norm, Seed(1)).unwrap();
            unseen_spearman(&adapted, 60, truth)
        };
        let (scaled, adapted) = (at(3), at(60));
        assert!(scaled < 0.7 && adapted > 0.9, "{norm:?}: {scaled} to {adapted}");
    }
}

#[test]
fn one_sample_and_equal_samples_leave_the_ranking_of_the_proxy() {
    let proxy = proxy();
    let truth = |one: &Architecture| latency(one, [1.0, 3.0]);
    let one = adapt(&proxy, &NasBench201, &cells(1), &[9.0], Norm::Two, Seed(1)).unwrap();
    assert_eq!(unseen_spearman(&one, 1, truth), 1.0);
    assert_eq!(one.adaptation.validation_spearman, None);
    // The same cell again and again, measured differently.
    let again = vec![cells(1)[0].clone(); 6];
    let values = [9.0, 9.1, 8.9, 9.0, 9.2, 8.8];
    let again = adapt(&proxy, &NasBench201, &again, &values, Norm::Two, Seed(1)).unwrap();
    assert_eq!(unseen_spearman(&again, 1, truth), 1.0);
}

#[test]
fn samples_that_are_all_equal_validate_nothing() {
    let cells = cells(12);
    for norm in [Norm::One, Norm::Two, Norm::Infinity] {
        let adapted = adapt(&proxy(), &NasBench201, &cells, &[4.0; 12], norm, Seed(1)).unwrap();
        assert_eq!(adapted.adaptation.validation_spearman, None);
        assert!(
            adapted
                .model
                .predict(&NasBench201, &cells)
                .iter()
                .all(|value| (value - 4.0).abs() < 1e-9)
        );
    }
}

#[test]
fn samples_are_added_until_they_validate_or_run_out() {
    let proxy = proxy();
    let cells = cells(60);
    let good: Vec<f64> = cells.iter().map(|one| latency(one, [1.0, 3.0])).collect();
    let sampling = Sampling {
        first: 10,
        step: 10,
        budget: 45,
        threshold: 0.9,
    };
    let count = |values: &[f64], sampling: Sampling| {
        let adapted = adapt_until(&proxy, &NasBench201, &cells, values, (Norm::Two, sampling), Seed(1));
        adapted.unwrap().adaptation.samples
    };
    assert_eq!(count(&good, sampling), 10);
    // Latencies that have nothing to do with the architecture.
    let mut rng = Seed(5).stream("noise");
    let noise: Vec<f64> = (0..60).map(|_| rng.random_range(1.0..2.0)).collect();
    assert_eq!(count(&noise, sampling), 45);
    assert_eq!(
        count(
            &noise,
            Sampling {
                budget: 1000,
                ..sampling
            }
        ),
        60
    );
    let none = Sampling { budget: 0, ..sampling };
    assert!(adapt_until(&proxy, &NasBench201, &cells, &good, (Norm::Two, none), Seed(1)).is_err());
}

#[test]
fn lambda_is_the_mean_of_the_good_ones() {
    assert_eq!(mean_place(&[Some(0.0), Some(0.0), Some(0.9)]), 2);
    assert_eq!(mean_place(&[Some(0.8), Some(0.8), Some(0.8), None]), 1);
    // Weights 1 and exp(-1): place 2 * 0.368 / 1.368 = 0.54.
    assert_eq!(mean_place(&[Some(0.9), Some(-1.0), Some(0.85)]), 1);
    assert_eq!(mean_place(&[None, None]), 0);
}

#[test]
fn seeded() {
    let cells = cells(20);
    let values: Vec<f64> = cells.iter().map(|one| latency(one, [2.0, 1.0])).collect();
    let draw = |seed| adapt(&proxy(), &NasBench201, &cells, &values, Norm::One, Seed(seed)).unwrap();
    assert_eq!(draw(3), draw(3));
}
