//! What the scoring of a predictor found.

use serde::Serialize;

use super::{ProbeChoice, Protocol};
use crate::evaluate::devices::ScoredDevice;
use crate::metric::Metric;
use crate::stats::Interval;

/// Scores of one device at one number of probes; every figure with its 90 % bootstrap interval over the repeats.
#[derive(Debug, Clone, Serialize)]
pub struct PredictorRow {
    /// Device id.
    pub device: String,
    /// Probes.
    pub probes: usize,
    /// Repeats.
    pub repeats: usize,
    /// Rank correlation of predicted and measured values.
    pub spearman: Interval,
    /// Kendall's tau-b.
    pub kendall: Interval,
    /// Mean absolute percentage error. A few values near zero carry it away; the median does not follow them.
    pub mape_percent: Interval,
    /// Median absolute percentage error.
    pub median_error_percent: Interval,
    /// Share of predictions within 10 % of the measurement, 0 to 1.
    pub within_10_percent: Interval,
    /// Share of measurements inside of their 90 % interval, 0 to 1.
    pub coverage_90: Interval,
}

/// Means over the hardware units that count, of the means over their devices and repeats, with the ends of the 90 % bootstrap
/// interval of the rank correlation over units and repeats.
#[derive(Debug, Clone, Serialize)]
pub struct PredictorMean {
    /// Probes.
    pub probes: usize,
    /// Hardware units.
    pub units: usize,
    /// Rank correlation.
    pub spearman: f64,
    /// Lower end.
    pub spearman_low: f64,
    /// Upper end.
    pub spearman_high: f64,
    /// Mean rank correlation over all devices that count, however many are of one unit, as in published figures.
    pub spearman_over_devices: f64,
    /// Kendall's tau-b.
    pub kendall: f64,
    /// Mean absolute percentage error.
    pub mape_percent: f64,
    /// Median over the units of the mean absolute percentage error, which one odd device cannot carry away.
    pub median_mape_percent: f64,
    /// Median absolute percentage error.
    pub median_error_percent: f64,
    /// Share of predictions within 10 % of the measurement, 0 to 1.
    pub within_10_percent: f64,
    /// Share of measurements inside of their 90 % interval, 0 to 1.
    pub coverage_90: f64,
}

/// All scores.
#[derive(Debug, Clone, Serialize)]
pub struct PredictorReport {
    /// Identifies the checkpoint by the predictor in it; empty where the predictor was not saved, as in benchmarks.
    pub checkpoint: String,
    /// What was scored.
    pub protocol: Protocol,
    /// The metric of the values.
    pub metric: Metric,
    /// How probes were picked.
    pub probe_choice: ProbeChoice,
    /// Seed of the run.
    pub seed: u64,
    /// The devices, and which of them count in the means.
    pub devices: Vec<ScoredDevice>,
    /// One row per device and number of probes.
    pub rows: Vec<PredictorRow>,
    /// Means by number of probes; empty where no device counts.
    pub mean: Vec<PredictorMean>,
}

impl PredictorReport {
    /// The id of a device for tables, with the origin of its values where they are predicted.
    pub fn label(&self, device: &str) -> String {
        let scored = self.devices.iter().find(|one| one.id == device);
        scored.map_or_else(|| device.to_string(), ScoredDevice::label)
    }
}
