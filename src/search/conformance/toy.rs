//! A search space, an evaluator and what is known of them.

use std::cell::RefCell;

use crate::error::Result;
use crate::metric::{Metric, PerMetric};
use crate::search::{Constraint, Evaluation, Evaluator, Limits, Outcome, Problem, ReferencePoint, Searcher};
use crate::space::{Architecture, Enumerable, InputSize, Network, SearchSpace};

/// Eight genes of three choices: 6,561 architectures. The numbers below are those of ZDT1 (Zitzler, Deb & Thiele,
/// *Comparison of Multiobjective Evolutionary Algorithms*, Evolutionary Computation 8, 2000) on a grid.
pub(super) struct Toy {
    pub(super) listed: bool,
    /// Whether the output of the networks with a two in the last gene does not depend on their input.
    pub(super) degenerate: bool,
}

impl SearchSpace for Toy {
    fn id(&self) -> &'static str {
        "toy"
    }

    fn choices(&self) -> &[u8] {
        &[3; 8]
    }

    fn parse(&self, _text: &str) -> Result<Architecture> {
        unreachable!("no search reads architectures")
    }

    fn print(&self, architecture: &Architecture) -> String {
        format!("{:?}", architecture.0)
    }

    fn isomorphism_key(&self, architecture: &Architecture) -> String {
        self.print(architecture)
    }

    fn lower(&self, _architecture: &Architecture, _input: InputSize, _classes: u32) -> Network {
        unreachable!("no search lowers architectures")
    }

    fn output_depends_on_input(&self, architecture: &Architecture) -> bool {
        !self.degenerate || architecture.0[7] != 2
    }

    fn default_input(&self) -> InputSize {
        unreachable!("no search lowers architectures")
    }

    fn canonical(&self, architecture: &Architecture) -> Architecture {
        architecture.clone()
    }

    fn active_genes(&self, architecture: &Architecture) -> Vec<bool> {
        vec![true; architecture.0.len()]
    }

    fn enumerable(&self) -> Option<&dyn Enumerable> {
        self.listed.then_some(self)
    }
}

impl Enumerable for Toy {}

pub(super) const TOY: Toy = Toy {
    listed: true,
    degenerate: false,
};

/// Latency 1 + f1 ms, accuracy 100 - 10 f2 %: the first four genes, read as a number in base three, are f1 in steps of
/// 1/80; the other four make g = 1 + how many of them are not zero; f2 = g (1 - sqrt(f1 / g)). For every f1 the best g is
/// 1, so the front is the 81 points f2 = 1 - sqrt(f1).
#[derive(Default)]
pub(super) struct ToyEvaluator {
    pub(super) evaluated: RefCell<Vec<Architecture>>,
}

impl Evaluator for ToyEvaluator {
    fn evaluate(&self, architectures: &[Architecture], limits: &Limits) -> Result<Vec<Evaluation>> {
        self.evaluated.borrow_mut().extend_from_slice(architectures);
        let judge = |Architecture(genes): &Architecture| {
            let number = genes[..4].iter().fold(0, |number, &gene| 3 * number + u32::from(gene));
            let f1 = f64::from(number) / 80.0;
            let g = 1.0 + genes[4..].iter().filter(|&&gene| gene != 0).count() as f64;
            let f2 = g * (1.0 - (f1 / g).sqrt());
            Evaluation::certain(values(100.0 - 10.0 * f2, 1.0 + f1), limits)
        };
        Ok(architectures.iter().map(judge).collect())
    }
}

pub(super) fn values(accuracy_percent: f64, latency_ms: f64) -> PerMetric<f64> {
    let values = [(Metric::Accuracy, accuracy_percent), (Metric::Latency, latency_ms)];
    values.into_iter().collect()
}

pub(super) fn accuracy(evaluation: &Evaluation) -> f64 {
    evaluation.value(Metric::Accuracy).unwrap()
}

pub(super) fn latency(evaluation: &Evaluation) -> f64 {
    evaluation.value(Metric::Latency).unwrap()
}

pub(super) fn known_front() -> Vec<[f64; 2]> {
    (0..=80)
        .map(|step| f64::from(step) / 80.0)
        .map(|f1| [90.0 + 10.0 * f1.sqrt(), 1.0 + f1])
        .collect()
}

pub(super) fn found_front(outcome: &Outcome) -> Vec<[f64; 2]> {
    let values = outcome.front.iter().map(|candidate| candidate.evaluation);
    values.map(|values| [accuracy(&values), latency(&values)]).collect()
}

/// Part of the known front's hypervolume, up to 80 % and 2.1 ms.
pub(super) fn hypervolume_ratio(outcome: &Outcome) -> f64 {
    let reference = ReferencePoint::new(&[(Metric::Accuracy, 80.0), (Metric::Latency, 2.1)]).unwrap();
    reference.ratio(&found_front(outcome), &known_front()).unwrap()
}

pub(super) fn search(searcher: &dyn Searcher, limits: Limits, budget: usize) -> Outcome {
    let problem = Problem::most_accurate(limits);
    searcher
        .search(&TOY, &ToyEvaluator::default(), &problem, budget)
        .unwrap()
}

pub(super) fn latency_limit(limit_ms: f64) -> Limits {
    Limits::new(vec![Constraint::new(Metric::Latency, limit_ms).unwrap()], 0.9).unwrap()
}
