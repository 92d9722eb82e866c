//! Limits are held, and weights are heeded.

use std::collections::HashSet;

use super::*;
use crate::predict::DeviceMetrics;
use crate::search::{Objective, Problem};

#[test]
fn proposals_hold_the_limits_with_the_required_confidence() {
    for (latency, energy, confidence) in [
        (Some(0.5), None, 0.9),
        (None, Some(0.6), 0.8),
        (Some(0.6), Some(0.6), 0.95),
    ] {
        let limits = limits(latency, energy, confidence);
        let Proposals::Feasible(proposals) = propose(
            &Request {
                count: 5,
                ..Request::within(limits.clone())
            },
            1,
        ) else {
            panic!("{limits:?} can be met");
        };
        assert_eq!(proposals.len(), 5);
        let mut keys = HashSet::new();
        for proposal in &proposals {
            // From the predictor itself, by way of an encoding and not of the table.
            let design = [proposal.design.architecture.clone()];
            let encoded = predictor().encode(&design);
            let bases = predictor().bases(&encoded);
            let mut probability = 1.0;
            for constraint in limits.constraints() {
                let device = device();
                let model = device.metrics.get(constraint.metric()).unwrap();
                let basis = bases.get(constraint.metric()).unwrap();
                probability *= model.probability_below(model.predict(basis)[0], constraint.limit());
            }
            assert!((probability - proposal.feasible_probability).abs() < 1e-3);
            assert!(proposal.feasible_probability >= confidence);
            let latency = proposal.metrics.latency();
            assert!(latency.low < latency.mean && latency.mean < latency.high);
            assert_eq!(proposal.design, device().design(design[0].clone()));
            assert!(keys.insert(predictor().space.isomorphism_key(&design[0])));
        }
        let falling = |pair: &[Proposal]| pair[0].accuracy.percent.mean >= pair[1].accuracy.percent.mean;
        assert!(proposals.windows(2).all(falling));
    }
}

#[test]
fn an_unreachable_limit_gets_the_closest_design() {
    let least = limits(Some(0.0), None, 0.9).constraints()[0].limit();
    let limit = Constraint::new(Metric::Latency, least / 4.0).unwrap();
    let request = Request::within(Limits::new(vec![limit], 0.9).unwrap());
    let Proposals::Closest { proposal, misses } = propose(&request, 1) else {
        panic!("nothing is four times as fast as the fastest");
    };
    assert_eq!(misses.len(), 1);
    let relative = proposal.metrics.latency().mean / (least / 4.0) - 1.0;
    assert!((misses[0].relative - relative).abs() < 1e-9 && relative >= 3.0 - 1e-6);
    let exact = exhaustive(predictor(), &device(), &[request])
        .unwrap()
        .unwrap()
        .remove(0);
    // Within a quarter of the fastest design there is.
    assert!(proposal.metrics.latency().mean <= exact.best().metrics.latency().mean * 1.25);
}

#[test]
fn an_accuracy_out_of_reach_is_a_miss_too() {
    let accuracy = Constraint::new(Metric::Accuracy, 99.9).unwrap();
    let request = Request::within(Limits::new(vec![accuracy], 0.9).unwrap());
    match propose(&request, 1) {
        Proposals::Closest { misses, .. } => assert_eq!(misses[0].constraint.metric(), Metric::Accuracy),
        Proposals::Feasible(proposals) => panic!("{proposals:?}"),
    }
}

#[test]
fn a_heavier_weight_buys_latency_with_accuracy() {
    let typical = limits(Some(0.5), None, 0.9).constraints()[0].limit();
    let weighted = |points_per_typical: f64| Request {
        objective: Objective::new([(Metric::Latency, points_per_typical / typical)]).unwrap(),
        ..Request::default()
    };
    let requests = [0.0, 0.3, 3.0, 300.0].map(weighted);
    let exact = exhaustive(predictor(), &device(), &requests).unwrap().unwrap();
    // The optimum's latency and accuracy fall together as the weight grows, whatever the space.
    for pair in exact.windows(2) {
        assert!(pair[1].best().metrics.latency().mean <= pair[0].best().metrics.latency().mean);
        assert!(pair[1].best().accuracy.percent.mean <= pair[0].best().accuracy.percent.mean);
    }
    for (request, exact) in requests.iter().zip(&exact).take(3) {
        let found = propose(request, 1);
        let score = |one: &Proposal| {
            one.accuracy.percent.mean - request.objective.weight(Metric::Latency) * one.metrics.latency().mean
        };
        let regret = score(exact.best()) - score(found.best());
        assert!((-1e-9..2.0).contains(&regret), "{request:?}: {regret}");
    }
    let (free, dear) = (propose(&requests[0], 1), propose(&requests[3], 1));
    assert!(dear.best().metrics.latency().mean < 0.8 * free.best().metrics.latency().mean);
}

#[test]
fn a_metric_that_is_not_known_cannot_be_limited() {
    let mut device = device();
    device.metrics = DeviceMetrics::new(device.metrics.latency().clone());
    let request = Request::within(limits(None, Some(0.5), 0.9));
    let failure = optimizer()
        .propose(predictor(), &device, &request, Seed(1))
        .unwrap_err();
    assert!(failure.to_string().starts_with("energy: expected"), "{failure}");
    let mut stranger = device.clone();
    stranger.predictor = "another".into();
    let failure = optimizer()
        .propose(predictor(), &stranger, &Request::default(), Seed(1))
        .unwrap_err();
    assert!(failure.to_string().contains("Adapt the device again"), "{failure}");
}

#[test]
fn tight_limits_on_the_size_are_met_from_any_start() {
    for share in [0.3, 0.02, 0.002] {
        let limit = size_limit(share);
        let request = Request {
            count: 3,
            ..Request::within(Limits::new(vec![limit], 0.9).unwrap())
        };
        let whole = optimizer().propose(predictor(), &device(), &request, Seed(1)).unwrap();
        let starts = [Start::Policy, Start::Random].map(|start| {
            optimizer()
                .propose_from(start, predictor(), &device(), &request, Seed(1))
                .unwrap()
        });
        for found in starts.iter().chain([&whole]) {
            let Proposals::Feasible(proposals) = found else {
                panic!("{share} of the space is smaller than {limit:?}");
            };
            for proposal in proposals {
                assert!(size(&proposal.computed) <= limit.limit());
                // It holds or it does not; there is no probability in between.
                assert_eq!(proposal.feasible_probability, 1.0);
            }
        }
        assert!(starts[0].best().accuracy.percent.mean <= whole.best().accuracy.percent.mean);
    }
}

#[test]
fn every_searcher_keeps_a_limit_on_what_is_computed() {
    let (device, limit) = (device(), size_limit(0.1));
    let evaluator = PredictorEvaluator::new(predictor(), &device).unwrap().with_computed();
    let problem = Problem {
        front: vec![Metric::Accuracy, Metric::Latency, Metric::ModelSize, Metric::Macs],
        ..Problem::most_accurate(Limits::new(vec![limit], 0.9).unwrap())
    };
    for searcher in crate::search::all(Seed(1)) {
        let outcome = searcher.search(predictor().space, &evaluator, &problem, 1_000).unwrap();
        assert!(!outcome.front.is_empty(), "{}", searcher.id());
        for candidate in &outcome.front {
            let size = size(&predictor().computed(&device.design(candidate.architecture.clone())));
            assert!(size <= limit.limit(), "{}", searcher.id());
            assert_eq!(candidate.evaluation.value(Metric::ModelSize), Some(size));
        }
    }
}
