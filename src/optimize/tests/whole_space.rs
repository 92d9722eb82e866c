//! Spaces that can be listed are looked at as a whole.

use super::*;
use crate::search::{ExhaustiveSearch, Objective, Problem, Searcher};

#[test]
fn searchers_and_the_pass_over_the_table_agree() {
    let (device, limits) = (device(), limits(Some(0.3), None, 0.9));
    let evaluator = PredictorEvaluator::new(predictor(), &device).unwrap();
    let problem = Problem::most_accurate(limits.clone());
    let outcome = ExhaustiveSearch
        .search(predictor().space, &evaluator, &problem, usize::MAX)
        .unwrap();
    let best = exhaustive(predictor(), &device, &[Request::within(limits)])
        .unwrap()
        .unwrap();
    let searched = outcome.answer.feasible().unwrap().evaluation;
    assert_eq!(
        searched.value(Metric::Accuracy),
        Some(best[0].best().accuracy.percent.mean)
    );
}

/// A device that is known from a few probes, so that predictions differ in how sure they are.
fn adapted() -> DeviceModel {
    let space = predictor().space.enumerable().unwrap();
    let like = predictor().known(&predictor().known_devices()[12]).unwrap();
    let probes: Vec<Architecture> = [700, 3_000, 7_812, 11_000, 15_000]
        .map(|index| space.at(index))
        .to_vec();
    let measured = predictor().predict(&like, &probes).unwrap();
    let datasheet = crate::device::Device::named("new");
    let probes: Vec<crate::predict::Probe> = measured
        .into_iter()
        .map(|one| crate::predict::Probe {
            design: one.design,
            values: one.metrics.map(|_, estimate| 1.3 * estimate.mean).into(),
        })
        .collect();
    predictor().adapt(&datasheet, &probes, Seed(1)).unwrap()
}

fn designs(proposals: &Proposals) -> Vec<space::Design> {
    match proposals {
        Proposals::Feasible(proposals) => proposals.iter().map(|one| one.design.clone()).collect(),
        Proposals::Closest { proposal, .. } => vec![proposal.design.clone()],
    }
}

#[test]
fn where_a_space_can_be_listed_designs_are_those_of_an_exhaustive_search() {
    let accuracy = |percent| Constraint::new(Metric::Accuracy, percent).unwrap();
    let latency = |share| limits(Some(share), None, 0.9).constraints()[0];
    let energy = |share| limits(None, Some(share), 0.9).constraints()[0];
    let within = |constraints: Vec<Constraint>, confidence| Limits::new(constraints, confidence).unwrap();
    let mut limits: Vec<Limits> = [0.0, 0.003, 0.02, 0.1, 0.4, 0.7, 0.99]
        .map(|share| within(vec![latency(share)], 0.9))
        .to_vec();
    limits.extend([0.01, 0.2, 0.5, 0.99, 1.0].map(|confidence| within(vec![latency(0.3)], confidence)));
    limits.extend([
        Limits::none(),
        within(vec![energy(0.1)], 0.9),
        within(vec![latency(0.3), energy(0.2)], 0.95),
        within(vec![latency(0.1), size_limit(0.05)], 0.9),
        within(vec![size_limit(0.001)], 0.9),
        within(vec![latency(0.5), accuracy(60.0)], 0.9),
        within(vec![accuracy(99.9)], 0.9),
        within(
            vec![latency(0.5), Constraint::new(Metric::ModelSize, 1e-9).unwrap()],
            0.9,
        ),
    ]);
    let weights = [
        Objective::default(),
        Objective::new([(Metric::Latency, 0.3)]).unwrap(),
        Objective::new([(Metric::Energy, 0.05), (Metric::ModelSize, 2.0)]).unwrap(),
    ];
    for device in [device(), adapted()] {
        for (count, objective) in [1, 5, 40].into_iter().zip(weights) {
            let requests: Vec<Request> = limits
                .iter()
                .map(|limits| Request {
                    objective,
                    count,
                    ..Request::within(limits.clone())
                })
                .collect();
            let queries: Vec<(&DeviceModel, &Request)> = requests.iter().map(|request| (&device, request)).collect();
            let found = optimizer().propose_batch(predictor(), &queries, Seed(1)).unwrap();
            let exact = exhaustive(predictor(), &device, &requests).unwrap().unwrap();
            for ((request, found), exact) in requests.iter().zip(&found).zip(&exact) {
                assert_eq!(found.feasible(), exact.feasible(), "{request:?}");
                assert_eq!(designs(found), designs(exact), "{request:?}");
            }
        }
    }
}
