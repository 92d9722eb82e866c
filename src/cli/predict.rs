//! `edgefit predict`: accuracy, latency and energy of given architectures on a device.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use nalgebra::DMatrix;
use serde::Serialize;

use super::device::{read_architectures, resolve};
use super::{Global, print, print_json};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::predict::{Accuracy, Estimate, Knowledge, MetricModel};

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    /// Checkpoint: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    checkpoint: PathBuf,
    /// Device: an id, a datasheet (.toml), or a device adapted to (.json)
    #[arg(long)]
    device: String,
    /// File with one architecture per line, or CSV with a column architecture; - for stdin
    #[arg(long)]
    architectures: String,
    /// How to print
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For programs and spreadsheets.
    Csv,
}

/// Predictions for one architecture; intervals hold 90 %.
#[derive(Debug, Serialize)]
struct Row {
    architecture: String,
    accuracy: Option<Accuracy>,
    latency_ms: Estimate,
    energy_mj: Option<Estimate>,
}

pub(crate) fn run(args: &PredictArgs, global: &Global) -> Result<ExitCode> {
    let predictor = Checkpoint::resolve(&args.checkpoint)?.predictor(&global.backend.device()?)?;
    let device = resolve(&args.device, &predictor, global)?;
    let architectures = read_architectures(&args.architectures, predictor.space)?;
    let encoded = predictor.encode(&architectures);
    let accuracies = predictor.accuracies(&architectures, &encoded);
    let bases = predictor.bases(&encoded);
    let models = device.metrics.zip(&bases);
    let estimates = models.map(|_, (model, basis)| estimates(model, basis));
    let rows: Vec<Row> = architectures
        .iter()
        .enumerate()
        .map(|(index, architecture)| Row {
            architecture: predictor.space.print(architecture),
            accuracy: accuracies.get(index).copied(),
            latency_ms: estimates.latency()[index],
            energy_mj: estimates.get(Metric::Energy).map(|energies| energies[index]),
        })
        .collect();
    if device.knowledge == Knowledge::Prior {
        global.say("note: values are predicted without any measurement on this device");
    }
    match args.format {
        Format::Json => print_json(&rows)?,
        Format::Csv => print(&csv(&rows)?)?,
        Format::Table => print(&table(&rows))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Estimates with 90 % intervals, from the basis at the architectures.
fn estimates(model: &MetricModel, basis: &DMatrix<f32>) -> Vec<Estimate> {
    let predictions = model.predict(basis).into_iter();
    predictions.map(|one| model.estimate(one, 0.9)).collect()
}

const HEADER: [&str; 11] = [
    "architecture",
    "accuracy_percent",
    "accuracy_low",
    "accuracy_high",
    "accuracy_origin",
    "latency_ms",
    "latency_ms_low",
    "latency_ms_high",
    "energy_mj",
    "energy_mj_low",
    "energy_mj_high",
];

impl Row {
    fn cells(&self, digits: usize) -> [String; 11] {
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.digits$}"));
        let accuracy = self.accuracy.map(|accuracy| accuracy.percent);
        [
            self.architecture.clone(),
            number(accuracy.map(|one| one.mean)),
            number(accuracy.map(|one| one.low)),
            number(accuracy.map(|one| one.high)),
            self.accuracy
                .map_or_else(String::new, |accuracy| accuracy.origin.name().into()),
            number(Some(self.latency_ms.mean)),
            number(Some(self.latency_ms.low)),
            number(Some(self.latency_ms.high)),
            number(self.energy_mj.map(|one| one.mean)),
            number(self.energy_mj.map(|one| one.low)),
            number(self.energy_mj.map(|one| one.high)),
        ]
    }
}

fn csv(rows: &[Row]) -> Result<String> {
    let failed = |error: csv::Error| Error::io("write", "predictions")(error.into());
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER).map_err(failed)?;
    for row in rows {
        writer.write_record(row.cells(6)).map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Error::io("write", "predictions")(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    table.set_header(HEADER);
    for row in rows {
        table.add_row(row.cells(3));
    }
    format!("{table}")
}
