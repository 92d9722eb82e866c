//! What the scoring of an optimizer in a large space found.

use serde::Serialize;

use super::super::OptimizerScoring;
use super::policy_gain::PolicyGain;
use crate::evaluate::devices::{ScoredDevice, by_unit};
use crate::evaluate::measured::limit_quantile;
use crate::evaluate::predictor::ProbeChoice;
use crate::predict::{Predictor, ScoreKind};
use crate::stats::{self, Interval};

/// The ways to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// What `design` answers: the policy's designs, refined.
    Optimizer,
    /// The best of the policy's designs, not refined.
    Policy,
    /// As many random designs, refined as much.
    RandomRefined,
    /// NSGA-II with the same predictor, the reference.
    Nsga2,
    /// NSGA-II among designs of eight bits everywhere, where genes say bits.
    EightBits,
    /// One after the other, where genes say bits: the best architectures at eight bits, then their bits.
    Sequential,
    /// The optimizer's design of eight bits everywhere, where genes say bits.
    OptimizerEightBits,
}

impl Method {
    /// Every way.
    pub const ALL: [Method; 7] = [
        Method::Optimizer,
        Method::Policy,
        Method::RandomRefined,
        Method::Nsga2,
        Method::EightBits,
        Method::Sequential,
        Method::OptimizerEightBits,
    ];

    /// Its name in tables.
    pub fn label(self) -> &'static str {
        match self {
            Method::Optimizer => "optimizer",
            Method::Policy => "policy alone",
            Method::RandomRefined => "random start, refined",
            Method::Nsga2 => "NSGA-II",
            Method::EightBits => "NSGA-II, 8 bits everywhere",
            Method::Sequential => "architecture, then bits",
            Method::OptimizerEightBits => "optimizer, 8 bits everywhere",
        }
    }
}

/// One design as the predictor sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DesignScore {
    /// Its architecture.
    pub architecture: String,
    /// Its quantization.
    pub quantization: String,
    /// Predicted accuracy, in percent.
    pub accuracy: f64,
    /// Predicted latency, in ms.
    pub latency_ms: f64,
    /// Probability that the limit holds, as predicted.
    pub feasible_probability: f64,
    /// Whether that is as much as was asked for.
    pub feasible: bool,
    /// As the oracle sees it.
    pub oracle: Option<OracleScore>,
}

/// One design as the oracle sees it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OracleScore {
    /// In percent.
    pub accuracy: f64,
    /// In ms.
    pub latency_ms: f64,
    /// Whether that is above the limit.
    pub violated: bool,
    /// Latency above the limit, as a share of the limit; 0 if it holds.
    pub overshoot: f64,
}

impl OracleScore {
    pub(super) fn new(accuracy: f64, latency_ms: f64, limit_ms: f64) -> OracleScore {
        OracleScore {
            accuracy,
            latency_ms,
            violated: latency_ms > limit_ms,
            overshoot: (latency_ms / limit_ms - 1.0).max(0.0),
        }
    }
}

/// The answers for one limit on one device.
#[derive(Debug, Clone, Serialize)]
pub struct LargeSpaceRow {
    /// Device id.
    pub device: String,
    /// Which repeat.
    pub repeat: usize,
    /// The limit, in ms.
    pub limit_ms: f64,
    /// The quantile of the device's measured latencies that the limit is at.
    pub limit_quantile: f64,
    /// The optimizer's design.
    #[serde(flatten)]
    pub design: DesignScore,
    /// The best of the policy's designs.
    pub policy: DesignScore,
    /// Where refinement got from random designs.
    pub random_refined: DesignScore,
    /// What NSGA-II found.
    pub nsga2: DesignScore,
    /// What it found among designs of eight bits everywhere, where genes say bits.
    pub eight_bits: Option<DesignScore>,
    /// The best architecture first, then its bits, where genes say bits.
    pub sequential: Option<DesignScore>,
    /// The optimizer's design of eight bits everywhere, where genes say bits.
    pub optimizer_eight_bits: Option<DesignScore>,
}

impl LargeSpaceRow {
    fn of(&self, method: Method) -> Option<&DesignScore> {
        match method {
            Method::Optimizer => Some(&self.design),
            Method::Policy => Some(&self.policy),
            Method::RandomRefined => Some(&self.random_refined),
            Method::Nsga2 => Some(&self.nsga2),
            Method::EightBits => self.eight_bits.as_ref(),
            Method::Sequential => self.sequential.as_ref(),
            Method::OptimizerEightBits => self.optimizer_eight_bits.as_ref(),
        }
    }

    /// Percentage points of predicted accuracy that a method stays behind NSGA-II, negative where it is ahead; `None` unless both
    /// found a design that keeps the limit.
    fn gap(&self, method: Method) -> Option<f64> {
        let one = self.of(method)?;
        (one.feasible && self.nsga2.feasible).then_some(self.nsga2.accuracy - one.accuracy)
    }
}

/// Figures of one method: means over hardware units, of the means over their devices, repeats and limits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LargeSpaceSummary {
    /// Mean percentage points of predicted accuracy behind NSGA-II, negative where it is behind; over the limits that both keep.
    pub mean_gap: f64,
    /// Lower end of its 90 % bootstrap interval over hardware units.
    pub mean_gap_low: f64,
    /// Upper end.
    pub mean_gap_high: f64,
    /// Median of the same, over all devices, repeats and limits.
    pub median_gap: f64,
    /// Mean of the same at each limit, from the strictest; none where no device has one.
    pub gap_by_limit: Vec<Option<f64>>,
    /// Share of limits that NSGA-II keeps and this method does not, as predicted.
    pub missed: f64,
    /// Share of limits that this method keeps and NSGA-II does not.
    pub found_more: f64,
    /// Mean wall time of one design, one after another, in microseconds; adaptation not included.
    pub microseconds_per_design: f64,
    /// Of the designs predicted to keep their limit, as the oracle sees them.
    pub oracle: Option<OracleSummary>,
}

/// Means of what the oracle says about the designs that are predicted to keep their limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OracleSummary {
    /// Mean accuracy, in percent.
    pub mean_accuracy: f64,
    /// Share of designs above their limit.
    pub violation_rate: f64,
    /// Mean overshoot of those; 0 if there are none.
    pub mean_overshoot: f64,
}

/// Many designs at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Batch {
    /// Designs chosen.
    pub designs: usize,
    /// Wall time of each.
    pub microseconds_per_design: f64,
}

/// All scores.
#[derive(Debug, Clone, Serialize)]
pub struct LargeSpaceReport {
    /// Identifies the checkpoint by the predictor in it.
    pub checkpoint: String,
    /// Identifies the predictor whose word counts for the truth.
    pub oracle: Option<String>,
    /// Number of probes.
    pub probes: usize,
    /// How probes are picked.
    pub probe_choice: ProbeChoice,
    /// Limits beside those on latency, in words.
    pub besides: Vec<String>,
    /// Probability with which limits had to hold.
    pub confidence: f64,
    /// Evaluations of NSGA-II per limit.
    pub budget: usize,
    /// Seed of the run.
    pub seed: u64,
    /// The devices, and which of them count in the summaries.
    pub devices: Vec<ScoredDevice>,
    /// One row per device, repeat and limit.
    pub rows: Vec<LargeSpaceRow>,
    /// Figures of the optimizer.
    pub summary: LargeSpaceSummary,
    /// Figures of its policy alone.
    pub policy: LargeSpaceSummary,
    /// Figures of refinement alone.
    pub random_refined: LargeSpaceSummary,
    /// Figures of NSGA-II.
    pub nsga2: LargeSpaceSummary,
    /// Figures of NSGA-II among designs of eight bits everywhere, where genes say bits.
    pub eight_bits: Option<LargeSpaceSummary>,
    /// Figures of choosing the architecture first and then its bits, where genes say bits.
    pub sequential: Option<LargeSpaceSummary>,
    /// Figures of the optimizer's designs of eight bits everywhere, where genes say bits.
    pub optimizer_eight_bits: Option<LargeSpaceSummary>,
    /// What quantization policies buy, where genes say bits.
    pub policy_gain: Option<PolicyGain>,
    /// Many designs of the optimizer at once.
    pub batch: Batch,
    /// How many times as long NSGA-II takes for a design as the optimizer does for one.
    pub times_faster: f64,
    /// How many times as long NSGA-II takes for a design as the optimizer does in the batch.
    pub times_faster_in_batch: f64,
    /// What designs are ranked by, which keys call accuracy; for reports.
    #[serde(skip)]
    pub score: ScoreKind,
}

impl LargeSpaceReport {
    /// Sums up rows; `seconds` is what each method took for all of them. A checkpoint's id comes with what it ranks
    /// designs by.
    pub(super) fn new(
        (checkpoint, score): (&str, ScoreKind),
        oracle: Option<&Predictor>,
        scoring: &OptimizerScoring,
        devices: Vec<ScoredDevice>,
        rows: Vec<LargeSpaceRow>,
        seconds: [f64; Method::ALL.len()],
        batch: Batch,
    ) -> LargeSpaceReport {
        let microseconds = seconds.map(|seconds| 1e6 * seconds / rows.len().max(1) as f64);
        let groups = |of: &OfRow| groups(&rows, &devices, of);
        let summaries = std::array::from_fn(|index| {
            let method = Method::ALL[index];
            LargeSpaceSummary::new(method, &groups, microseconds[index], scoring)
        });
        let [
            summary,
            policy,
            random_refined,
            nsga2,
            eight_bits,
            sequential,
            optimizer_eight_bits,
        ] = summaries;
        let has_bits = rows.iter().any(|row| row.eight_bits.is_some());
        let policy_gain = has_bits.then(|| PolicyGain::new(&groups, scoring));
        LargeSpaceReport {
            checkpoint: checkpoint.into(),
            oracle: oracle.map(|oracle| oracle.id.clone()),
            probes: scoring.probes,
            probe_choice: scoring.choice,
            besides: scoring.besides.iter().map(ToString::to_string).collect(),
            confidence: scoring.confidence,
            budget: scoring.budget,
            seed: scoring.seed.0,
            times_faster: nsga2.microseconds_per_design / summary.microseconds_per_design,
            times_faster_in_batch: nsga2.microseconds_per_design / batch.microseconds_per_design,
            devices,
            rows,
            summary,
            policy,
            random_refined,
            nsga2,
            eight_bits: has_bits.then_some(eight_bits),
            sequential: has_bits.then_some(sequential),
            optimizer_eight_bits: has_bits.then_some(optimizer_eight_bits),
            policy_gain,
            batch,
            score,
        }
    }

    /// Every way to answer with its figures, in order.
    pub fn methods(&self) -> Vec<(Method, &LargeSpaceSummary)> {
        let summary = |method: Method| match method {
            Method::Optimizer => Some(&self.summary),
            Method::Policy => Some(&self.policy),
            Method::RandomRefined => Some(&self.random_refined),
            Method::Nsga2 => Some(&self.nsga2),
            Method::EightBits => self.eight_bits.as_ref(),
            Method::Sequential => self.sequential.as_ref(),
            Method::OptimizerEightBits => self.optimizer_eight_bits.as_ref(),
        };
        let methods = Method::ALL.into_iter();
        methods.filter_map(|method| Some((method, summary(method)?))).collect()
    }
}

/// A value of a row, where it has one.
pub(super) type OfRow<'a> = dyn Fn(&LargeSpaceRow) -> Option<f64> + 'a;
/// What rows say, in groups.
pub(super) type Groups<'a> = dyn Fn(&OfRow) -> Vec<Vec<f64>> + 'a;

/// What rows say, where they say something: one group per hardware unit that counts and has any.
fn groups(rows: &[LargeSpaceRow], devices: &[ScoredDevice], of: &OfRow) -> Vec<Vec<f64>> {
    let of_device = |device: &ScoredDevice| {
        rows.iter()
            .filter(|row| row.device == device.id)
            .filter_map(of)
            .collect()
    };
    let mut groups = by_unit(devices, devices.iter().map(of_device));
    groups.retain(|group| !group.is_empty());
    groups
}

/// Every group weighs the same, however many values it has; none of no group.
pub(super) fn mean_of_means(groups: &[Vec<f64>]) -> Option<f64> {
    let means: Vec<f64> = groups.iter().filter_map(|group| stats::mean(group)).collect();
    stats::mean(&means)
}

/// The mean over groups with its 90 % bootstrap interval.
pub(super) fn interval(groups: &[Vec<f64>], scoring: &OptimizerScoring) -> Interval {
    stats::bootstrap_mean(groups, stats::INTERVAL_SHARE, scoring.seed).unwrap_or(Interval::NONE)
}

/// The row if it is about the limit with this index.
pub(super) fn at_limit<'a>(
    row: &'a LargeSpaceRow,
    index: usize,
    scoring: &OptimizerScoring,
) -> Option<&'a LargeSpaceRow> {
    ((row.limit_quantile - limit_quantile(index, scoring.limits)).abs() < 1e-9).then_some(row)
}

impl LargeSpaceSummary {
    fn new(
        method: Method,
        groups: &Groups,
        microseconds_per_design: f64,
        scoring: &OptimizerScoring,
    ) -> LargeSpaceSummary {
        let gaps = groups(&|row| row.gap(method));
        let gap = interval(&gaps, scoring);
        let by_limit = |index| mean_of_means(&groups(&|row| at_limit(row, index, scoring)?.gap(method)));
        let share = |of: &dyn Fn(&LargeSpaceRow) -> bool| {
            mean_of_means(&groups(&|row| Some(f64::from(u8::from(of(row)))))).unwrap_or(f64::NAN)
        };
        let keeps = |row: &LargeSpaceRow| row.of(method).is_some_and(|one| one.feasible);
        LargeSpaceSummary {
            mean_gap: gap.mean,
            mean_gap_low: gap.low,
            mean_gap_high: gap.high,
            median_gap: stats::quantile(&gaps.concat(), 0.5).unwrap_or(f64::NAN),
            gap_by_limit: (0..scoring.limits).map(by_limit).collect(),
            missed: share(&|row| row.nsga2.feasible && !keeps(row)),
            found_more: share(&|row| !row.nsga2.feasible && keeps(row)),
            microseconds_per_design,
            oracle: OracleSummary::new(method, groups),
        }
    }
}

impl OracleSummary {
    fn new(method: Method, groups: &Groups) -> Option<OracleSummary> {
        let seen = |row: &LargeSpaceRow| -> Option<OracleScore> { row.of(method).filter(|one| one.feasible)?.oracle };
        let mean = |of: &dyn Fn(OracleScore) -> Option<f64>| mean_of_means(&groups(&|row| seen(row).and_then(of)));
        Some(OracleSummary {
            mean_accuracy: mean(&|one| Some(one.accuracy))?,
            violation_rate: mean(&|one| Some(f64::from(u8::from(one.violated))))?,
            mean_overshoot: mean(&|one| one.violated.then_some(one.overshoot)).unwrap_or(0.0),
        })
    }
}
