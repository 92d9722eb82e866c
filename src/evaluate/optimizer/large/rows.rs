//! The answers for single limits, and means over them.

use serde::Serialize;

use super::super::OptimizerScoring;
use crate::evaluate::devices::{ScoredDevice, by_unit};
use crate::evaluate::measured::limit_quantile;
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
    pub(super) fn of(&self, method: Method) -> Option<&DesignScore> {
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
    pub(super) fn gap(&self, method: Method) -> Option<f64> {
        let one = self.of(method)?;
        (one.feasible && self.nsga2.feasible).then_some(self.nsga2.accuracy - one.accuracy)
    }
}

/// A value of a row, where it has one.
pub(super) type OfRow<'a> = dyn Fn(&LargeSpaceRow) -> Option<f64> + 'a;
/// What rows say, in groups.
pub(super) type Groups<'a> = dyn Fn(&OfRow) -> Vec<Vec<f64>> + 'a;

/// What rows say, where they say something: one group per hardware unit that counts and has any.
pub(super) fn groups(rows: &[LargeSpaceRow], devices: &[ScoredDevice], of: &OfRow) -> Vec<Vec<f64>> {
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
