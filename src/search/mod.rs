//! Which designs are best for one device and its limits? The searches here have a predictor judge many architectures;
//! they know no network and no device.
//!
//! A [`Searcher`] walks a search space and has an [`Evaluator`] judge what it finds, at most as often as its budget says.
//! It answers with the best architecture that meets the [`Limits`], or the one that comes closest to them, and with the
//! Pareto front of everything it saw.

mod archive;
mod exhaustive;
mod hypervolume;
mod improvement;
mod limits;
mod nsga2;
mod nsga2_selection;
mod objective;
mod pareto;
mod random;
mod tradeoff;
mod visited;

#[cfg(test)]
mod conformance;

use crate::error::{Error, Result};
use crate::metric::{Metric, PerMetric, Source};
use crate::seed::Seed;
use crate::space::{Architecture, Domain, SearchSpace};

pub use exhaustive::ExhaustiveSearch;
pub use hypervolume::ReferencePoint;
pub use improvement::most_improving;
pub use limits::{Constraint, DEFAULT_CONFIDENCE, Limits, Miss};
pub use nsga2::{Nsga2, Nsga2Parameters};
pub use objective::Objective;
pub use pareto::{dominates, non_dominated};
pub use random::RandomSearch;
pub use tradeoff::Tradeoff;

/// What an evaluator says about one architecture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Expected values of the metrics that the evaluator knows, each in its metric's unit.
    pub values: PerMetric<f64>,
    /// Probability that all limits hold, in 0..=1.
    pub feasible_probability: f64,
}

impl Evaluation {
    /// An evaluation without uncertainty, such as a measurement: the limits hold or they do not.
    pub fn certain(values: PerMetric<f64>, limits: &Limits) -> Self {
        let mut evaluation = Evaluation {
            values,
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

    /// The expected value of a metric; `None` where the evaluator does not know it.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        self.values.get(metric).copied()
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

/// What a search is to find: which design is best, which limits it has to meet, and which metrics the front trades.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What makes a feasible design the best.
    pub objective: Objective,
    /// What every answer has to meet.
    pub limits: Limits,
    /// The axes of the Pareto front, any number of them, each metric at most once.
    pub front: Vec<Metric>,
    /// Whether networks whose output does not depend on their input are candidates too. They are as accurate as chance, and
    /// next to nothing runs in them, so that they keep nearly every limit.
    pub degenerate: bool,
    /// Where candidates are looked for.
    pub domain: Domain,
}

impl Problem {
    /// The most accurate design within `limits`, and the front of accuracy against latency.
    pub fn most_accurate(limits: Limits) -> Self {
        Problem {
            objective: Objective::default(),
            limits,
            front: vec![Metric::Accuracy, Metric::Latency],
            degenerate: false,
            domain: Domain::default(),
        }
    }

    /// The form in which an architecture is looked at: within the domain, in the form of its space.
    fn searched_form(&self, space: &dyn SearchSpace, architecture: &Architecture) -> Architecture {
        space.searched_form(self.domain.nearest(architecture))
    }

    /// Whether an architecture is a candidate.
    fn admits(&self, space: &dyn SearchSpace, architecture: &Architecture) -> bool {
        self.domain.holds(space, architecture) && (self.degenerate || space.output_depends_on_input(architecture))
    }

    /// Refuses a front with the same axis twice.
    fn check_front(&self) -> Result<()> {
        let repeated = (1..self.front.len()).find(|&axis| self.front[..axis].contains(&self.front[axis]));
        let Some(repeated) = repeated else { return Ok(()) };
        Err(Error::Invalid {
            what: "axes of the front".into(),
            expected: "every metric once".into(),
            found: format!("{} twice", self.front[repeated]),
            hint: "Name other metrics.".into(),
        })
    }

    /// The metrics that a limit, a weight or the front is about.
    fn metrics(&self) -> impl Iterator<Item = Metric> + '_ {
        let limits = self.limits.constraints().iter().map(Constraint::metric);
        limits
            .chain(self.objective.weights().metrics())
            .chain(self.front.iter().copied())
    }

    /// Refuses an evaluation that leaves open what the problem is about.
    fn check(&self, evaluation: &Evaluation) -> Result<()> {
        if let Some(unknown) = self.metrics().find(|&metric| !evaluation.values.contains(metric)) {
            return Err(unknown_metric(unknown));
        }
        let values = evaluation.values.iter().map(|(_, value)| *value);
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

/// The evaluator does not know a metric that a limit, a weight or the front is about.
pub(crate) fn unknown_metric(metric: Metric) -> Error {
    Error::Invalid {
        what: metric.name().into(),
        expected: format!("an evaluator that knows the {metric}, since a limit, weight or front is about it"),
        found: "one that does not".into(),
        hint: match metric.source() {
            Source::Task => "Train the predictor on a dataset with accuracies.".into(),
            Source::Device => format!(
                "Train the predictor on a dataset with {}, or name other metrics.",
                metric.key()
            ),
            Source::Computed => "Name other metrics.".into(),
        },
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
            Answer::Closest { .. } | Answer::Nothing => None,
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
    /// Every candidate of the space was evaluated.
    SpaceExhausted,
    /// No candidate was found any more that was not evaluated before.
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

/// A way to search a space. The same searcher always finds the same for the same problem.
pub trait Searcher {
    /// The name used on the command line.
    fn id(&self) -> &'static str;

    /// Searches `space` with at most `budget` evaluations, no architecture evaluated twice.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the space cannot be searched this way, if the front names a metric twice, if an evaluation is
    /// not finite or lacks a metric that the problem is about; whatever the evaluator fails with.
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
