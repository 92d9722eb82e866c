//! What the scoring of an optimizer found.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::super::truth::TrueFront;
use crate::dataset::Origin;
use crate::evaluate::devices::ScoredDevice;
use crate::evaluate::predictor::ProbeChoice;
use crate::predict::{Estimate, ScoreKind};
use crate::stats::Interval;

/// One design.
#[derive(Debug, Clone, Serialize)]
pub struct OptimizerRow {
    /// Device id.
    pub device: String,
    /// Which repeat.
    pub repeat: usize,
    /// The limit, in ms.
    pub limit_ms: f64,
    /// The quantile of the device's latencies that the limit is at.
    pub limit_quantile: f64,
    /// The design's architecture.
    pub architecture: String,
    /// The design's quantization.
    pub quantization: String,
    /// Probability that the limit holds, as predicted.
    pub feasible_probability: f64,
    /// Where the accuracy comes from that the design was chosen by.
    pub accuracy_origin: Origin,
    /// Latency in the table, in ms.
    pub true_latency_ms: f64,
    /// Accuracy in the table, in percent.
    pub true_accuracy: f64,
    /// Best accuracy in the table within the limit.
    pub oracle_accuracy: f64,
    /// Oracle minus true accuracy, in percentage points, and never below zero: accuracy bought by exceeding the limit is no
    /// gain.
    pub regret: f64,
    /// Whether the latency in the table is above the limit.
    pub violated: bool,
    /// Latency above the limit, as a share of the limit; 0 if it holds.
    pub overshoot: f64,
    /// Latency as predicted, in ms; for reports.
    #[serde(skip)]
    pub latency_ms: Estimate,
    /// Accuracy as the optimizer knew it, in percent; for reports.
    #[serde(skip)]
    pub accuracy: Estimate,
}

/// Figures of one method: means over hardware units, of the means over their devices, repeats and limits.
#[derive(Debug, Clone, Serialize)]
pub struct OptimizerSummary {
    /// Mean regret, in percentage points; see [`OptimizerRow::regret`].
    pub mean_regret: f64,
    /// Lower end of its 90 % bootstrap interval over hardware units.
    pub mean_regret_low: f64,
    /// Upper end.
    pub mean_regret_high: f64,
    /// Mean regret of the designs that hold their limit; NaN where none does.
    pub mean_regret_within_limits: f64,
    /// Share of designs above their limit.
    pub violation_rate: f64,
    /// Mean overshoot of those.
    pub mean_overshoot: f64,
    /// Hypervolume of the limits and the accuracies attained within them, over that of the limits and the best accuracies
    /// there are: 1 for perfect answers, and never more. Designs that exceed their limit attain nothing. The reference point
    /// is the slowest latency and the lowest accuracy of the table.
    pub hypervolume_ratio: f64,
    /// Hypervolume of the latencies and accuracies of the designs that hold their limit, over that of the whole true front;
    /// with few limits far below 1 even for perfect answers.
    pub hypervolume_ratio_of_whole_front: f64,
    /// Mean wall time of one design, one after another, in microseconds; adaptation not included.
    pub microseconds_per_design: f64,
    /// Mean regret at each limit, from the strictest, with its 90 % bootstrap interval over hardware units; for reports.
    #[serde(skip)]
    pub regret_by_limit: Vec<Interval>,
}

/// What the parts of the optimizer bring, each by itself: without a look at the whole space, which `design` takes where a
/// space is small.
#[derive(Debug, Clone, Serialize)]
pub struct Parts {
    /// The best of the policy's designs, not refined.
    pub policy: OptimizerSummary,
    /// As many random designs, refined. What the policy adds to refinement is the next less this.
    pub random_refined: OptimizerSummary,
    /// The policy's designs, refined.
    pub policy_refined: OptimizerSummary,
}

/// The same limits answered in other ways.
#[derive(Debug, Clone, Serialize)]
pub struct Baselines {
    /// The best of all architectures under the same predictor: what amortization gives away.
    pub exhaustive: OptimizerSummary,
    /// NSGA-II with the same predictor.
    pub nsga2: OptimizerSummary,
    /// Random search with the same predictor.
    pub random: OptimizerSummary,
    /// The front of the known device that ranks the probes best, its latencies scaled to the probes by least squares in log.
    pub one_proxy: OptimizerSummary,
}

/// How many accuracies come from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccuracyOrigins {
    /// Of all architectures, those that designs were chosen by.
    pub chosen_by: BTreeMap<&'static str, usize>,
    /// Those in the dataset, that designs were scored with.
    pub scored_with: BTreeMap<&'static str, usize>,
    /// Labelled architectures that the accuracies of `predicted_accuracies` were learned from; 0 where that was left out.
    pub labels: usize,
}

/// All scores.
#[derive(Debug, Clone, Serialize)]
pub struct OptimizerReport {
    /// Identifies the checkpoint by the predictor in it.
    pub checkpoint: String,
    /// Number of probes.
    pub probes: usize,
    /// How probes were picked.
    pub probe_choice: ProbeChoice,
    /// Probability with which limits had to hold.
    pub confidence: f64,
    /// Seed of the run.
    pub seed: u64,
    /// The devices, and which of them count in the summaries.
    pub devices: Vec<ScoredDevice>,
    /// Where accuracies come from.
    pub accuracies: AccuracyOrigins,
    /// One row per device, repeat and limit.
    pub rows: Vec<OptimizerRow>,
    /// Figures of the optimizer.
    pub summary: OptimizerSummary,
    /// Figures of the best designs under the same latencies and accuracies learned from few labels, looked for in the whole
    /// space, since the policy has learned from the checkpoint's accuracies.
    pub predicted_accuracies: Option<OptimizerSummary>,
    /// Figures of the optimizer's parts.
    pub parts: Parts,
    /// Figures of other ways to answer.
    pub baselines: Baselines,
    /// What designs are ranked by, which keys call accuracy; for reports.
    #[serde(skip)]
    pub score: ScoreKind,
    /// What could have been found on each device; for reports.
    #[serde(skip)]
    pub fronts: Vec<TrueFront>,
}

impl OptimizerReport {
    /// Every way to answer with its name, the optimizer first, then its parts.
    pub fn methods(&self) -> Vec<(&'static str, &OptimizerSummary)> {
        let (parts, others) = (&self.parts, &self.baselines);
        let mut methods = vec![("optimizer", &self.summary)];
        if let Some(summary) = &self.predicted_accuracies {
            methods.push(("accuracies predicted", summary));
        }
        methods.extend([
            ("policy alone", &parts.policy),
            ("random start, refined", &parts.random_refined),
            ("policy, refined", &parts.policy_refined),
            ("exhaustive search", &others.exhaustive),
            ("NSGA-II", &others.nsga2),
            ("random search", &others.random),
            ("one proxy", &others.one_proxy),
        ]);
        methods
    }
}

/// In sentences, for tables.
impl fmt::Display for AccuracyOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |counts: &BTreeMap<&str, usize>| {
            let some = counts.iter().filter(|(_, count)| **count > 0);
            let parts: Vec<String> = some.map(|(origin, count)| format!("{count} {origin}")).collect();
            parts.join(" and ")
        };
        write!(
            f,
            "Designs are chosen by {} accuracies and scored with {}",
            listed(&self.chosen_by),
            listed(&self.scored_with)
        )?;
        if self.labels > 0 {
            write!(f, "; \"accuracies predicted\" are learned from {} labels", self.labels)?;
        }
        f.write_str(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_of_accuracies_are_told_apart() {
        let origins = AccuracyOrigins {
            chosen_by: BTreeMap::from([("measured", 1000), ("predicted", 14625), ("simulated", 0)]),
            scored_with: BTreeMap::from([("measured", 15625)]),
            labels: 1000,
        };
        assert_eq!(
            origins.to_string(),
            "Designs are chosen by 1000 measured and 14625 predicted accuracies and scored with 15625 measured; \
             \"accuracies predicted\" are learned from 1000 labels."
        );
    }
}
