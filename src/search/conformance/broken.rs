//! Problems and evaluators that cannot be worked with.

use super::toy::values;
use super::*;

#[test]
fn a_metric_that_the_evaluator_does_not_know_is_refused() {
    let limit = |metric| Limits::new(vec![Constraint::new(metric, 3.0).unwrap()], 0.9).unwrap();
    let weighted = Objective::new([(Metric::Energy, 1.0)]).unwrap();
    let problems = [
        ("energy", Problem::most_accurate(limit(Metric::Energy))),
        ("peak memory", Problem::most_accurate(limit(Metric::PeakMemory))),
        (
            "energy",
            Problem {
                objective: weighted,
                ..Problem::most_accurate(Limits::none())
            },
        ),
        (
            "MACs",
            Problem {
                front: vec![Metric::Accuracy, Metric::Macs],
                ..Problem::most_accurate(Limits::none())
            },
        ),
        (
            "accuracy twice",
            Problem {
                front: vec![Metric::Accuracy, Metric::Latency, Metric::Accuracy],
                ..Problem::most_accurate(Limits::none())
            },
        ),
    ];
    for searcher in all(Seed(9)) {
        for (named, problem) in &problems {
            let error = searcher
                .search(&TOY, &ToyEvaluator::default(), problem, 10)
                .unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}

/// The same accuracy for everything, and so many evaluations too few.
struct Faulty(f64, usize);

impl Evaluator for Faulty {
    fn evaluate(&self, architectures: &[Architecture], limits: &Limits) -> Result<Vec<Evaluation>> {
        let evaluation = Evaluation::certain(values(self.0, 1.0), limits);
        Ok(vec![evaluation; architectures.len() - self.1])
    }
}

#[test]
fn broken_evaluators_are_refused() {
    let problem = Problem::most_accurate(Limits::none());
    for searcher in all(Seed(10)) {
        assert!(searcher.search(&TOY, &Faulty(f64::NAN, 0), &problem, 10).is_err());
        assert!(searcher.search(&TOY, &Faulty(50.0, 1), &problem, 10).is_err());
        // Equal designs: one of them stands for all.
        let outcome = searcher.search(&TOY, &Faulty(50.0, 0), &problem, 300).unwrap();
        assert_eq!(outcome.front.len(), 1, "{}", searcher.id());
    }
}
