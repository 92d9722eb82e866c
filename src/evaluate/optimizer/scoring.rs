//! What an optimizer is scored on, and the requests that this comes to.

use crate::error::{Error, Result};
use crate::evaluate::counts;
use crate::evaluate::measured::Limit;
use crate::evaluate::predictor::ProbeChoice;
use crate::metric::Metric;
use crate::optimize::Request;
use crate::predict::fit::FitOptions;
use crate::search::{Constraint, Limits};
use crate::seed::Seed;

/// What to score.
#[derive(Debug, Clone)]
pub struct OptimizerScoring {
    /// Positions of the devices in the dataset.
    pub devices: Vec<usize>,
    /// Number of probes.
    pub probes: usize,
    /// How probes are picked.
    pub choice: ProbeChoice,
    /// Number of limits, at evenly spaced quantiles of the device's latencies from 5 % to 95 %.
    pub limits: usize,
    /// Limits on other metrics that hold beside each of these; only in search spaces too large to list.
    pub besides: Vec<Constraint>,
    /// Probability with which limits have to hold.
    pub confidence: f64,
    /// Repeats with other probes.
    pub repeats: usize,
    /// Designs sampled from the policy per limit.
    pub samples: usize,
    /// Evaluations of the random and the NSGA-II baseline per limit.
    pub budget: usize,
    /// Labelled architectures that accuracies are learned from anew, for figures without known accuracies; at most half of
    /// the dataset's. 0 leaves those figures out.
    pub accuracy_labels: usize,
    /// Training of those accuracies; labels and devices in it are not looked at.
    pub accuracy_training: FitOptions,
    /// Whether devices whose latencies are predicted count in the summaries.
    pub with_predicted: bool,
    /// Where the random numbers come from.
    pub seed: Seed,
}

impl OptimizerScoring {
    pub(super) fn check(&self) -> Result<()> {
        counts::check("number of limits", self.limits, 1, counts::LIMITS)?;
        counts::check("number of repeats", self.repeats, 1, counts::REPEATS)?;
        counts::check("samples of the policy", self.samples, 0, counts::SAMPLES)?;
        counts::check("evaluations of a search", self.budget, 1, counts::EVALUATIONS)?;
        if self.choice == ProbeChoice::Chosen {
            counts::check("number of chosen probes", self.probes, 0, counts::CHOSEN_PROBES)?;
        }
        Limits::new(Vec::new(), self.confidence).map(drop)
    }

    /// What is best within other limits no table of latencies and accuracies says.
    pub(super) fn check_latency_alone(&self) -> Result<()> {
        self.besides.first().map_or(Ok(()), |limit| {
            Err(Error::Invalid {
                what: "limits beside latency".into(),
                expected: "none in a search space that a table holds all of".into(),
                found: limit.to_string(),
                hint: "Leave them out.".into(),
            })
        })
    }
}

/// One request within each limit on latency.
pub(super) fn requests(limits: &[Limit], scoring: &OptimizerScoring) -> Result<Vec<Request>> {
    let request = |limit: &Limit| {
        let mut constraints = scoring.besides.clone();
        constraints.push(Constraint::new(Metric::Latency, limit.ms)?);
        Ok(Request {
            samples: scoring.samples,
            ..Request::within(Limits::new(constraints, scoring.confidence)?)
        })
    };
    limits.iter().map(request).collect()
}
