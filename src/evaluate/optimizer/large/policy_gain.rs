//! What quantization policies buy, where genes say bits: designs whose layers have bits of their own beside the best
//! ones of eight bits everywhere, within the same limits.

use std::fmt;

use serde::Serialize;

use super::super::OptimizerScoring;
use super::rows::{DesignScore, Groups, LargeSpaceRow, at_limit, interval, mean_of_means};

/// What quantization policies buy: means over hardware units, of the means over their devices, repeats and limits.
/// Accuracies and whether limits hold are the oracle's where there is one, else predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyGain {
    /// Mean percentage points by which the optimizer's designs are more accurate than those of eight bits everywhere,
    /// over the limits that both keep; NaN where there is none.
    pub mean_points: f64,
    /// Lower end of its 90 % bootstrap interval over hardware units.
    pub mean_points_low: f64,
    /// Upper end.
    pub mean_points_high: f64,
    /// Mean of the same at each limit, from the strictest; none where no device has one.
    pub points_by_limit: Vec<Option<f64>>,
    /// Share of limits that only the designs with policies keep.
    pub only_with_policies: f64,
    /// Share of limits that only the designs of eight bits everywhere keep.
    pub only_at_eight_bits: f64,
}

impl PolicyGain {
    pub(super) fn new(groups: &Groups, scoring: &OptimizerScoring) -> PolicyGain {
        let points = interval(&groups(&LargeSpaceRow::bought_by_policies), scoring);
        let share = |of: &dyn Fn(bool, bool) -> bool| {
            let kept = |row: &LargeSpaceRow| {
                row.eight_bits.as_ref()?;
                Some((row.design.attained().is_some(), row.attained_at_eight_bits().is_some()))
            };
            let shares = groups(&|row| kept(row).map(|(with, without)| f64::from(u8::from(of(with, without)))));
            mean_of_means(&shares).unwrap_or(f64::NAN)
        };
        let by_limit = |index| mean_of_means(&groups(&|row| at_limit(row, index, scoring)?.bought_by_policies()));
        PolicyGain {
            mean_points: points.mean,
            mean_points_low: points.low,
            mean_points_high: points.high,
            points_by_limit: (0..scoring.limits).map(by_limit).collect(),
            only_with_policies: share(&|with, without| with && !without),
            only_at_eight_bits: share(&|with, without| without && !with),
        }
    }
}

/// In sentences.
impl fmt::Display for PolicyGain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mean_points.is_nan() {
            f.write_str("No limit is kept both with quantization policies and with eight bits everywhere.")?;
        } else {
            write!(
                f,
                "Within the same limits quantization policies buy {:.2} percentage points [{:.2}, {:.2}] against eight bits \
                 everywhere, in the mean over the limits that both keep.",
                self.mean_points, self.mean_points_low, self.mean_points_high
            )?;
        }
        write!(
            f,
            " {:.1} % of the limits are kept with policies alone, {:.1} % with eight bits alone.",
            100.0 * self.only_with_policies,
            100.0 * self.only_at_eight_bits
        )
    }
}

impl DesignScore {
    /// Its accuracy if it keeps its limit, both as the oracle sees them where there is one, else as predicted.
    pub fn attained(&self) -> Option<f64> {
        let (accuracy, holds) = match &self.oracle {
            Some(oracle) => (oracle.accuracy, !oracle.violated),
            None => (self.accuracy, true),
        };
        (self.feasible && holds).then_some(accuracy)
    }
}

impl LargeSpaceRow {
    /// Percentage points by which the optimizer's design is more accurate than the best of eight bits everywhere;
    /// `None` unless both keep the limit.
    pub fn bought_by_policies(&self) -> Option<f64> {
        Some(self.design.attained()? - self.attained_at_eight_bits()?)
    }

    /// Accuracy of the best design of eight bits everywhere that keeps the limit, NSGA-II's or the optimizer's: what the one
    /// searches worse than the other is not bought by policies.
    pub fn attained_at_eight_bits(&self) -> Option<f64> {
        let both = [&self.eight_bits, &self.optimizer_eight_bits].into_iter().flatten();
        both.filter_map(DesignScore::attained).max_by(f64::total_cmp)
    }
}
