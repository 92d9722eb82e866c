//! What an optimizer is to find.

use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::search::{Constraint, DEFAULT_CONFIDENCE, Evaluation, Limits, Objective};
use crate::space::{Architecture, SearchSpace};

/// Largest numbers of designs, of samples and of designs judged in refinement.
const MAX_COUNT: usize = 10_000;
const MAX_SAMPLES: usize = 100_000;
const MAX_REFINEMENT: usize = 10_000_000;

/// The designs wanted for one device.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The limits and how surely they have to hold.
    pub limits: Limits,
    /// What makes a feasible design the best.
    pub objective: Objective,
    /// Designs wanted.
    pub count: usize,
    /// Designs sampled from the policy, beside its first choice, in spaces too large to look at all of it.
    pub samples: usize,
    /// Maximum designs judged in refining those.
    pub refinement: usize,
    /// Whether networks whose output does not depend on their input may be designs too.
    pub degenerate: bool,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            limits: Limits::none(),
            objective: Objective::default(),
            count: 1,
            samples: 16,
            refinement: 64,
            degenerate: false,
        }
    }
}

impl Request {
    /// The most accurate design within limits, with the usual effort.
    pub fn within(limits: Limits) -> Request {
        Request {
            limits,
            ..Request::default()
        }
    }

    /// The most accurate design with a metric of at most `limit` in its unit, which holds with a probability of 0.9; of
    /// accuracy, at least `limit`.
    ///
    /// # Errors
    /// [`crate::error::Error::Invalid`] for a limit that is not positive.
    pub fn at_most(metric: Metric, limit: f64) -> Result<Request> {
        let constraint = Constraint::new(metric, limit)?;
        Ok(Request::within(Limits::new(vec![constraint], DEFAULT_CONFIDENCE)?))
    }

    /// Refuses a request for no design, and efforts beyond what fits.
    pub(super) fn check(&self) -> Result<()> {
        let counts = [
            ("number of designs", self.count, 1..=MAX_COUNT, "Ask for 5."),
            ("number of samples", self.samples, 0..=MAX_SAMPLES, "16 are usual."),
            (
                "refinement",
                self.refinement,
                0..=MAX_REFINEMENT,
                "64 designs are usual.",
            ),
        ];
        match counts.into_iter().find(|(_, count, range, _)| !range.contains(count)) {
            None => Ok(()),
            Some((what, count, range, hint)) => Err(Error::Invalid {
                what: what.into(),
                expected: format!("{} to {}", range.start(), range.end()),
                found: count.to_string(),
                hint: hint.into(),
            }),
        }
    }

    /// By how much an evaluation misses the limits, then what it costs under the objective: the smaller the better, in this order.
    pub(super) fn merit(&self, evaluation: &Evaluation) -> [f64; 2] {
        [self.limits.violation(evaluation), self.objective.cost(evaluation)]
    }

    /// Whether an architecture may be a design.
    pub(super) fn admits(&self, space: &dyn SearchSpace, architecture: &Architecture) -> bool {
        self.degenerate || space.output_depends_on_input(architecture)
    }

    /// The tightest limit on a metric that is to be kept small.
    pub(super) fn limit(&self, metric: Metric) -> Option<f64> {
        let own = self.limits.constraints().iter().filter(|one| one.metric() == metric);
        own.map(|one| one.limit()).min_by(f64::total_cmp)
    }

    pub(super) fn weight(&self, metric: Metric) -> f64 {
        self.objective.weight(metric)
    }

    /// Whether a limit or a weight is about the metric.
    pub(super) fn concerns(&self, metric: Metric) -> bool {
        self.limit(metric).is_some() || self.weight(metric) > 0.0
    }
}
