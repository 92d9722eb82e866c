//! Predictions as rows of JSON and CSV.

use serde::Serialize;

use super::Context;
use super::score::{self, kind_of};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::predict::{Accuracy, Estimate, Prediction, ScoreKind};
use crate::space::SearchSpace;

/// A prediction with the keys that designs have too; every interval holds 90 %.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PredictionRow {
    /// The device, the checkpoint and the seed.
    #[serde(flatten)]
    pub context: Context,
    /// In the notation of the search space.
    pub architecture: String,
    /// Name of the quantization policy.
    pub quantization: String,
    /// Accuracy in percent, or proxy score, where it was learned, and whether it was measured, simulated or predicted.
    #[serde(flatten, serialize_with = "score::known_or_null")]
    pub accuracy: Option<Accuracy>,
    /// Latency of one batch, in ms.
    pub latency_ms: Estimate,
    /// Energy of one batch, in mJ, where it was learned.
    pub energy_mj: Option<Estimate>,
}

impl PredictionRow {
    /// The columns of [`PredictionRow::cells`], where what is learned is of this kind.
    pub fn columns(kind: ScoreKind) -> [&'static str; 12] {
        let [origin, number, low, high] = match kind {
            ScoreKind::Accuracy => [
                "accuracy_origin",
                "accuracy_percent",
                "accuracy_percent_low",
                "accuracy_percent_high",
            ],
            ScoreKind::Proxy => [
                "proxy_score_origin",
                "proxy_score",
                "proxy_score_low",
                "proxy_score_high",
            ],
        };
        [
            "architecture",
            "quantization",
            origin,
            number,
            low,
            high,
            "latency_ms",
            "latency_ms_low",
            "latency_ms_high",
            "energy_mj",
            "energy_mj_low",
            "energy_mj_high",
        ]
    }

    /// The row of a prediction.
    pub fn of(prediction: &Prediction, space: &dyn SearchSpace, context: &Context) -> PredictionRow {
        PredictionRow {
            context: context.clone(),
            architecture: space.print(&prediction.design.architecture),
            quantization: prediction.design.quantization(space),
            accuracy: prediction.accuracy,
            latency_ms: *prediction.metrics.latency(),
            energy_mj: prediction.metrics.get(Metric::Energy).copied(),
        }
    }

    /// The row as text, numbers with so many digits behind the point; empty where nothing is known.
    pub fn cells(&self, digits: usize) -> [String; 12] {
        let numbers = |estimate: Option<Estimate>| {
            let number = |value: f64| format!("{value:.digits$}");
            estimate.map_or_else(Default::default, |one| [one.mean, one.low, one.high].map(number))
        };
        let [accuracy, accuracy_low, accuracy_high] = numbers(self.accuracy.map(|accuracy| accuracy.percent));
        let [latency, latency_low, latency_high] = numbers(Some(self.latency_ms));
        let [energy, energy_low, energy_high] = numbers(self.energy_mj);
        [
            self.architecture.clone(),
            self.quantization.clone(),
            self.accuracy.map_or("", |accuracy| accuracy.origin.name()).into(),
            accuracy,
            accuracy_low,
            accuracy_high,
            latency,
            latency_low,
            latency_high,
            energy,
            energy_low,
            energy_high,
        ]
    }
}

/// Predictions as comma-separated values, with a header.
///
/// # Errors
/// [`Error::Io`].
pub fn predictions_csv(rows: &[PredictionRow]) -> Result<String> {
    csv_text(
        "predictions",
        PredictionRow::columns(kind_of(rows.iter().filter_map(|row| row.accuracy))),
        rows.iter().map(|row| row.cells(6)),
    )
}

/// Rows of cells as comma-separated values below a header; `what` they are, for messages.
pub(super) fn csv_text<R: IntoIterator<Item = String>>(
    what: &str,
    header: impl IntoIterator<Item = &'static str>,
    rows: impl Iterator<Item = R>,
) -> Result<String> {
    let failed = |error: csv::Error| Error::io("write", what)(error.into());
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).map_err(failed)?;
    for row in rows {
        writer.write_record(row).map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Error::io("write", what)(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
