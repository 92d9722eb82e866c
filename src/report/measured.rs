//! What was measured of designs as rows of JSON and CSV.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::measure::Measured;
use crate::space::SearchSpace;

/// One design measured on one device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeasuredRow {
    /// Id of the device.
    pub device: String,
    /// In the notation of the search space.
    pub architecture: String,
    /// Name of the quantization policy.
    pub quantization: String,
    /// Runs that count.
    pub runs: usize,
    /// Median latency of one batch.
    pub latency_ms: f64,
    /// Lower end of the interval of the median, which holds 90 %.
    pub latency_ms_low: f64,
    /// Upper end of it.
    pub latency_ms_high: f64,
    /// What nine runs in ten keep below.
    pub latency_ms_p90: f64,
    /// Median absolute deviation as a standard deviation, relative to the median.
    pub spread_percent: f64,
    /// Runs that took far longer than the others.
    pub outliers: usize,
    /// Energy of one batch, where it was measured.
    pub energy_mj: Option<f64>,
}

impl MeasuredRow {
    /// The row of a design.
    pub fn of(measured: &Measured, space: &dyn SearchSpace) -> MeasuredRow {
        let latency = &measured.latency;
        MeasuredRow {
            device: measured.device.clone(),
            architecture: space.print(&measured.design.architecture),
            quantization: measured.design.quantization(space),
            runs: latency.runs,
            latency_ms: latency.median_ms,
            latency_ms_low: latency.low_ms,
            latency_ms_high: latency.high_ms,
            latency_ms_p90: latency.p90_ms,
            spread_percent: latency.spread_percent,
            outliers: latency.outliers,
            energy_mj: measured.energy_mj,
        }
    }
}

/// Measured designs as comma-separated values, with a header; what was not measured is empty.
///
/// # Errors
/// [`Error::Io`] when the text cannot be made.
pub fn measured_csv(rows: &[MeasuredRow]) -> Result<String> {
    let failed = |error: csv::Error| Error::io("write", "measured designs")(error.into());
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row)).map_err(failed)?;
    let bytes = writer
        .into_inner()
        .map_err(|error| Error::io("write", "measured designs")(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
