//! What every searcher has to keep to, on a problem whose front is known.

mod broken;
mod toy;

use std::collections::HashSet;

use super::*;
use toy::{
    TOY, Toy, ToyEvaluator, accuracy, found_front, hypervolume_ratio, known_front, latency, latency_limit, search,
};

#[test]
fn budgets_are_kept_exactly_and_nothing_is_evaluated_twice() {
    for searcher in all(Seed(1)) {
        for budget in [0, 1, 2, 99, 100, 101, 250, 6_560, 6_561, 10_000] {
            let evaluator = ToyEvaluator::default();
            let problem = Problem::most_accurate(Limits::none());
            let outcome = searcher.search(&TOY, &evaluator, &problem, budget).unwrap();
            let evaluated = evaluator.evaluated.into_inner();
            assert_eq!(outcome.evaluations, budget.min(6_561), "{} of {budget}", searcher.id());
            assert_eq!(evaluated.len(), outcome.evaluations, "{}", searcher.id());
            let distinct: HashSet<&Architecture> = evaluated.iter().collect();
            assert_eq!(distinct.len(), evaluated.len(), "{}", searcher.id());
            let expected = match budget {
                ..6_561 => StopReason::BudgetSpent,
                _ => StopReason::SpaceExhausted,
            };
            assert_eq!(outcome.stopped, expected, "{} of {budget}", searcher.id());
            assert_eq!(outcome.answer == Answer::Nothing, budget == 0, "{}", searcher.id());
        }
    }
}

#[test]
fn with_the_whole_space_seen_the_answer_is_the_known_one() {
    for searcher in all(Seed(1)) {
        let outcome = search(&*searcher, Limits::none(), 6_561);
        let found = found_front(&outcome);
        let mut known = known_front();
        known.reverse();
        assert_eq!(found.len(), known.len(), "{}", searcher.id());
        for (found, known) in found.iter().zip(&known) {
            assert!((found[0] - known[0]).abs() < 1e-9 && (found[1] - known[1]).abs() < 1e-9);
        }
        let best = outcome.answer.feasible().unwrap();
        assert_eq!(best.architecture.0, [2, 2, 2, 2, 0, 0, 0, 0], "{}", searcher.id());
    }
}

#[test]
fn nothing_outside_the_domain_is_evaluated() {
    // The second gene is never 1, the third always 2.
    let seen = [
        [0, 0, 2, 0, 0, 0, 0, 0],
        [1, 2, 2, 1, 1, 1, 1, 1],
        [2, 0, 2, 2, 2, 2, 2, 2],
    ];
    let seen = seen.map(|genes| Architecture(genes.to_vec()));
    for searcher in all(Seed(3)) {
        let evaluator = ToyEvaluator::default();
        let problem = Problem {
            domain: Domain::of(&TOY, &seen),
            ..Problem::most_accurate(Limits::none())
        };
        searcher.search(&TOY, &evaluator, &problem, 300).unwrap();
        let evaluated = evaluator.evaluated.into_inner();
        assert!(evaluated.len() > 100, "{}: {}", searcher.id(), evaluated.len());
        let holds = |one: &Architecture| one.0[1] != 1 && one.0[2] == 2;
        assert!(evaluated.iter().all(holds), "{}", searcher.id());
    }
}

#[test]
fn every_answer_meets_the_limit_and_the_last_generation_counts() {
    for searcher in all(Seed(2)) {
        let evaluator = ToyEvaluator::default();
        let problem = Problem::most_accurate(latency_limit(1.5));
        let outcome = searcher.search(&TOY, &evaluator, &problem, 730).unwrap();
        let best = outcome.answer.feasible().unwrap().evaluation;
        // Everything evaluated, judged again.
        let evaluated = evaluator.evaluated.borrow().clone();
        let seen = evaluator.evaluate(&evaluated, &problem.limits).unwrap();
        let feasible = seen.iter().filter(|seen| latency(seen) <= 1.5);
        let most_accurate = feasible.map(accuracy).fold(f64::MIN, f64::max);
        assert_eq!(accuracy(&best), most_accurate, "{}", searcher.id());
        assert!(outcome.front.iter().all(|member| latency(&member.evaluation) <= 1.5));
        assert_eq!(outcome.front[0].evaluation, best, "{}", searcher.id());
    }
}

#[test]
fn no_member_of_a_front_beats_another() {
    for searcher in all(Seed(3)) {
        let outcome = search(&*searcher, latency_limit(1.8), 500);
        let costs: Vec<[f64; 2]> = found_front(&outcome)
            .iter()
            .map(|&[accuracy, latency]| [-accuracy, latency])
            .collect();
        assert!(!costs.is_empty(), "{}", searcher.id());
        for a in &costs {
            assert!(!costs.iter().any(|b| dominates(a, b)), "{}", searcher.id());
        }
    }
}

#[test]
fn an_unreachable_limit_gives_the_closest_design_and_its_miss() {
    for searcher in all(Seed(4)) {
        // The fastest design takes 1 ms: twice the limit, so 100 % too slow.
        let outcome = search(&*searcher, latency_limit(0.5), 6_561);
        assert!(outcome.front.is_empty() && outcome.answer.feasible().is_none());
        let Answer::Closest { candidate, misses } = outcome.answer else {
            panic!("{} found something feasible", searcher.id());
        };
        // 81 designs are as fast; the most accurate of them has g = 1.
        assert_eq!(candidate.architecture.0, [0; 8], "{}", searcher.id());
        assert_eq!(misses.len(), 1);
        assert!((misses[0].relative - 1.0).abs() < 1e-12);
    }
}

#[test]
fn evolution_finds_its_way_to_rare_feasible_designs() {
    // Within 1.02 ms only f1 = 0 and 1/80 remain, 2.5 % of the space, and all but the 2 best of those are below 90 %.
    let accuracy = Constraint::new(Metric::Accuracy, 90.0).unwrap();
    let latency = Constraint::new(Metric::Latency, 1.02).unwrap();
    let outcome = search(
        &Nsga2::usual(Seed(5)),
        Limits::new(vec![accuracy, latency], 0.9).unwrap(),
        2_000,
    );
    assert_eq!(
        outcome.answer.feasible().unwrap().architecture.0,
        [0, 0, 0, 1, 0, 0, 0, 0]
    );
    assert_eq!(outcome.front.len(), 2);
}

#[test]
fn the_same_seed_finds_the_same_and_another_evaluates_others() {
    for (first, second) in all(Seed(6)).iter().zip(all(Seed(6))) {
        let run = |searcher: &dyn Searcher| search(searcher, latency_limit(1.7), 350);
        assert_eq!(run(&**first), run(&*second), "{}", first.id());
    }
    for id in ["random", "nsga2"] {
        let evaluated = |seed| {
            let evaluator = ToyEvaluator::default();
            let searcher = by_id(id, Seed(seed)).unwrap();
            let problem = Problem::most_accurate(Limits::none());
            searcher.search(&TOY, &evaluator, &problem, 50).unwrap();
            evaluator.evaluated.into_inner()
        };
        assert_ne!(evaluated(6), evaluated(7), "{id}");
    }
}

#[test]
fn evolution_reaches_the_front_and_beats_chance() {
    let median = |id: &str, budget| {
        let mut ratios: Vec<f64> = (0..10)
            .map(|seed| hypervolume_ratio(&search(&*by_id(id, Seed(seed)).unwrap(), Limits::none(), budget)))
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        (ratios[4] + ratios[5]) / 2.0
    };
    assert!(median("nsga2", 2_000) >= 0.99, "{}", median("nsga2", 2_000));
    assert!(median("nsga2", 1_000) > median("random", 1_000));
}

#[test]
fn spaces_that_cannot_be_listed_are_searched_or_refused() {
    let space = Toy { listed: false, ..TOY };
    let problem = Problem::most_accurate(Limits::none());
    for searcher in all(Seed(8)) {
        let found = searcher.search(&space, &ToyEvaluator::default(), &problem, 300);
        match searcher.id() {
            "exhaustive" => assert!(found.unwrap_err().to_string().contains("`toy`")),
            _ => assert_eq!(found.unwrap().evaluations, 300),
        }
    }
    // More than there is: it ends by itself.
    let found = RandomSearch { seed: Seed(8) }.search(&space, &ToyEvaluator::default(), &problem, 100_000);
    assert_eq!(found.unwrap().stopped, StopReason::NothingNew);
}

#[test]
fn weights_trade_accuracy_for_latency() {
    // -accuracy + 10 f1 is -90 - 10 sqrt(f1) + 10 f1 on the front, least where 1 / (2 sqrt(f1)) = 1: f1 = 1/4 = 20/80,
    // which is 0202 in base three.
    let mut problem = Problem::most_accurate(Limits::none());
    problem.objective = Objective::new([(Metric::Latency, 10.0)]).unwrap();
    let outcome = ExhaustiveSearch
        .search(&TOY, &ToyEvaluator::default(), &problem, 6_561)
        .unwrap();
    assert_eq!(
        outcome.answer.feasible().unwrap().architecture.0,
        [0, 2, 0, 2, 0, 0, 0, 0]
    );
}

/// Every gene is worth so many of its own metric, so that no design beats another: a front of as many axes as genes.
struct SevenMetrics;

impl Evaluator for SevenMetrics {
    fn evaluate(&self, architectures: &[Architecture], limits: &Limits) -> Result<Vec<Evaluation>> {
        let judge = |Architecture(genes): &Architecture| {
            let total: u8 = genes[..6].iter().sum();
            let mut values: PerMetric<f64> = Metric::ALL[1..]
                .iter()
                .zip(genes)
                .map(|(&metric, &gene)| (metric, f64::from(1 + gene)))
                .collect();
            values.insert(Metric::Accuracy, f64::from(1 + total));
            Evaluation::certain(values, limits)
        };
        Ok(architectures.iter().map(judge).collect())
    }
}

#[test]
fn a_front_has_as_many_axes_as_there_are_metrics() {
    let problem = Problem {
        front: Metric::ALL.to_vec(),
        ..Problem::most_accurate(Limits::none())
    };
    // Six genes of three choices decide; the other two change nothing, and of equal designs the first stands.
    let outcome = ExhaustiveSearch.search(&TOY, &SevenMetrics, &problem, 6_561).unwrap();
    assert_eq!(outcome.front.len(), 729);
    let outcome = Nsga2::usual(Seed(11))
        .search(&TOY, &SevenMetrics, &problem, 500)
        .unwrap();
    assert!(outcome.front.len() > 200, "{}", outcome.front.len());
    // A hard limit on a computed metric holds in every member of the front.
    let limits = Limits::new(vec![Constraint::new(Metric::PeakMemory, 1.5).unwrap()], 0.9).unwrap();
    let problem = Problem { limits, ..problem };
    let outcome = ExhaustiveSearch.search(&TOY, &SevenMetrics, &problem, 6_561).unwrap();
    assert_eq!(outcome.front.len(), 243);
    assert!(outcome.front.iter().all(|member| member.architecture.0[5] == 0));
}

#[test]
fn degenerate_networks_are_searched_only_when_asked_for() {
    for listed in [true, false] {
        let space = Toy {
            listed,
            degenerate: true,
        };
        for searcher in all(Seed(12))
            .into_iter()
            .filter(|one| listed || one.id() != "exhaustive")
        {
            let problem = Problem::most_accurate(Limits::none());
            let evaluator = ToyEvaluator::default();
            let outcome = searcher.search(&space, &evaluator, &problem, 10_000).unwrap();
            let evaluated = evaluator.evaluated.into_inner();
            assert!(evaluated.iter().all(|one| one.0[7] != 2), "{}", searcher.id());
            if listed {
                // Two thirds of 6,561, and then there is nothing left.
                assert_eq!(outcome.evaluations, 4_374, "{}", searcher.id());
                assert_eq!(outcome.stopped, StopReason::SpaceExhausted, "{}", searcher.id());
            }
            let problem = Problem {
                degenerate: true,
                ..problem
            };
            let evaluator = ToyEvaluator::default();
            searcher.search(&space, &evaluator, &problem, 200).unwrap();
            let evaluated = evaluator.evaluated.into_inner();
            assert!(evaluated.iter().any(|one| one.0[7] == 2), "{}", searcher.id());
        }
    }
}

#[test]
fn ids_are_known_and_near_ones_are_named() {
    assert!(by_id("nsga2", Seed(0)).is_ok());
    let message = by_id("nsga3", Seed(0)).err().unwrap().to_string();
    assert!(message.contains("did you mean `nsga2`"), "{message}");
}
