//! What the scoring of an optimizer in a large space found.

use serde::Serialize;

use super::super::OptimizerScoring;
use super::policy_gain::PolicyGain;
use super::rows::{Groups, LargeSpaceRow, Method, OfRow, OracleScore, at_limit, groups, interval, mean_of_means};
use crate::evaluate::devices::ScoredDevice;
use crate::evaluate::predictor::ProbeChoice;
use crate::predict::{Predictor, ScoreKind};
use crate::stats;

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
        let summary = |index| LargeSpaceSummary::new(Method::ALL[index], &groups, microseconds[index], scoring);
        let [
            summary,
            policy,
            random_refined,
            nsga2,
            eight_bits,
            sequential,
            optimizer_eight_bits,
        ] = std::array::from_fn(summary);
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
