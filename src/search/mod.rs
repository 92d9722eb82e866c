//! Which designs are best for one device and its limits? The searches here ask a predictor about many architectures;
//! they know no network and no device.
//!
//! A [`Searcher`] walks a search space and has an [`Evaluator`] judge what it finds, at most as often as its budget says.
//! It answers with the best architecture that meets the [`Limits`], or the one that comes closest to them, and with the
//! Pareto front of everything it saw.

mod archive;
mod exhaustive;
mod hypervolume;
mod limits;
mod nsga2;
mod nsga2_selection;
mod pareto;
mod random;
mod tradeoff;
mod visited;

#[cfg(test)]
mod conformance;

use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::seed::Seed;
use crate::space::{Architecture, SearchSpace};

pub use exhaustive::ExhaustiveSearch;
pub use hypervolume::ReferencePoint;
pub use limits::{Constraint, Limits, Miss};
pub use nsga2::{Nsga2, Nsga2Parameters};
pub use pareto::{dominates, non_dominated};
pub use random::RandomSearch;
pub use tradeoff::Tradeoff;

/// What an evaluator says about one architecture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Expected top-1 accuracy, in percent.
    pub accuracy_percent: f64,
    /// Expected latency of one batch, in ms.
    pub latency_ms: f64,
    /// Expected energy of one batch, in mJ, where the evaluator knows it.
    pub energy_mj: Option<f64>,
    /// Probability that all limits hold, in 0..=1.
    pub feasible_probability: f64,
}

impl Evaluation {
    /// An evaluation without uncertainty, such as a measurement: the limits hold or they do not.
    pub fn certain(accuracy_percent: f64, latency_ms: f64, energy_mj: Option<f64>, limits: &Limits) -> Self {
        let mut evaluation = Evaluation {
            accuracy_percent,
            latency_ms,
            energy_mj,
            feasible_probability: 1.0,
        };
        if limits
            .constraints()
            .iter()
            .any(|constraint| !constraint.holds(&evaluation))
        {
            evaluation.feasible_probability = 0.0;
        }
        evaluation
    }

    /// The expected value of a metric; `None` for energy where the evaluator does not know it.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Accuracy => Some(self.accuracy_percent),
            Metric::Latency => Some(self.latency_ms),
            Metric::Energy => self.energy_mj,
            Metric::Macs | Metric::Parameters | Metric::ModelSize | Metric::PeakMemory => None,
        }
    }
}

/// Judges architectures in batches: a predictor for a device, or a table of measurements.
pub trait Evaluator {
    /// One evaluation per architecture, in the same order, with the probability that `limits` hold.
    ///
    /// # Errors
    /// Whatever keeps the evaluator from judging; the search ends with it.
    fn evaluate(&self, architectures: &[Architecture], limits: &Limits) -> Result<Vec<Evaluation>>;
}

/// What makes a feasible design the best: the most accuracy, less what its latency and energy are worth in accuracy.
///
/// The weights are the optimization parameters lambda of Lu, Yang & Ren, *Scaling Up Deep Neural Network Optimization for
/// Edge Inference* (2020). With both zero, which is the default, accuracy alone decides.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Objective {
    /// Percentage points of accuracy that one ms is worth.
    pub latency_weight: f64,
    /// Percentage points of accuracy that one mJ is worth.
    pub energy_weight: f64,
}

impl Objective {
    /// What is to be made small, in percentage points of accuracy.
    pub fn cost(&self, evaluation: &Evaluation) -> f64 {
        Metric::Accuracy.cost(evaluation.accuracy_percent)
            + self.latency_weight * evaluation.latency_ms
            + self.energy_weight * evaluation.energy_mj.unwrap_or(0.0)
    }
}

/// What a search is asked: which design is best, which limits it has to meet, and which metrics the front trades.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What makes a feasible design the best.
    pub objective: Objective,
    /// What every answer has to meet.
    pub limits: Limits,
    /// The axes of the Pareto front, each metric at most once.
    pub front: Vec<Metric>,
}

impl Problem {
    /// The most accurate design within `limits`, and the front of accuracy against latency.
    pub fn most_accurate(limits: Limits) -> Self {
        Problem {
            objective: Objective::default(),
            limits,
            front: vec![Metric::Accuracy, Metric::Latency],
        }
    }

    /// Refuses an evaluation that leaves open what the problem asks about.
    fn check(&self, evaluation: &Evaluation) -> Result<()> {
        let asks_for_energy = self.objective.energy_weight != 0.0
            || self.front.contains(&Metric::Energy)
            || self.limits.constraints().iter().any(|c| c.metric() == Metric::Energy);
        if asks_for_energy && evaluation.energy_mj.is_none() {
            return Err(Error::Invalid {
                what: "energy".into(),
                expected: "an evaluator that knows the energy, since a limit, weight or front asks for it".into(),
                found: "one that does not".into(),
                hint: "Train the predictor on a dataset with energy_mj, or ask about latency only.".into(),
            });
        }
        let values = Metric::ALL.iter().filter_map(|&metric| evaluation.value(metric));
        if values
            .chain([evaluation.feasible_probability])
            .any(|value| !value.is_finite())
        {
            return Err(Error::Invalid {
                what: "evaluation".into(),
                expected: "finite values".into(),
                found: format!("{evaluation:?}"),
                hint: "The predictor does not fit this device; check its probes or its datasheet.".into(),
            });
        }
        Ok(())
    }
}

/// An architecture and what it is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The architecture.
    pub architecture: Architecture,
    /// What the evaluator said about it.
    pub evaluation: Evaluation,
}

/// The single answer of a search.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The best design found that meets the limits.
    Feasible(Candidate),
    /// Nothing met the limits; this design comes closest.
    Closest {
        /// The design.
        candidate: Candidate,
        /// The limits that it misses and by how much; empty if all hold in expectation, only not surely enough.
        misses: Vec<Miss>,
    },
    /// The budget was zero.
    Nothing,
}

impl Answer {
    /// The design that meets the limits, if there is one.
    pub fn feasible(&self) -> Option<&Candidate> {
        match self {
            Answer::Feasible(candidate) => Some(candidate),
            _ => None,
        }
    }

    /// The design that meets the limits or comes closest; `None` if nothing was evaluated.
    pub fn candidate(&self) -> Option<&Candidate> {
        match self {
            Answer::Feasible(candidate) | Answer::Closest { candidate, .. } => Some(candidate),
            Answer::Nothing => None,
        }
    }
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// As many architectures were evaluated as allowed.
    BudgetSpent,
    /// Every architecture of the space was evaluated.
    SpaceExhausted,
    /// No architecture was found any more that was not evaluated before.
    NothingNew,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The best design, or the closest one.
    pub answer: Answer,
    /// The designs that meet the limits and that no other such design seen is at least as good as on every axis, by
    /// increasing cost on the first axis (most accurate first). Of designs with equal values the first found stands.
    pub front: Vec<Candidate>,
    /// Architectures evaluated, each once.
    pub evaluations: usize,
    /// Why it ended.
    pub stopped: StopReason,
}

/// A way to search a space. The same searcher always finds the same for the same question.
pub trait Searcher {
    /// The name used on the command line.
    fn id(&self) -> &'static str;

    /// Searches `space` with at most `budget` evaluations, no architecture evaluated twice.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the space cannot be searched this way, if an evaluation is not finite or lacks the energy
    /// that the problem asks about; whatever the evaluator fails with.
    fn search(
        &self,
        space: &dyn SearchSpace,
        evaluator: &dyn Evaluator,
        problem: &Problem,
        budget: usize,
    ) -> Result<Outcome>;
}

/// Every searcher, with its usual settings.
pub fn all(seed: Seed) -> [Box<dyn Searcher>; 3] {
    [
        Box::new(ExhaustiveSearch),
        Box::new(RandomSearch { seed }),
        Box::new(Nsga2::usual(seed)),
    ]
}

/// The searcher with this id and its usual settings.
///
/// # Errors
/// [`Error::Unknown`] with the nearest known id.
pub fn by_id(id: &str, seed: Seed) -> Result<Box<dyn Searcher>> {
    let known = all(seed);
    let names = known.iter().map(|searcher| searcher.id().into()).collect();
    known
        .into_iter()
        .find(|searcher| searcher.id() == id)
        .ok_or_else(|| Error::Unknown {
            kind: "searcher",
            name: id.into(),
            known: names,
        })
}
