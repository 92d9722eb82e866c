//! `edgefit predict`: accuracy, latency and energy of given architectures on a device.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};

use super::device::{read_architectures, resolve};
use super::{Global, print, print_json};
use crate::error::Result;
use crate::report::{PredictionRow, predictions_csv};

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

pub(crate) fn run(args: &PredictArgs, global: &Global) -> Result<ExitCode> {
    let advisor = global.advisor(&args.checkpoint)?;
    let device = resolve(&args.device, &advisor, global)?;
    let architectures = read_architectures(&args.architectures, advisor.space())?;
    let rows: Vec<PredictionRow> = advisor
        .predict(&device, &architectures)?
        .iter()
        .map(|prediction| PredictionRow::of(prediction, advisor.space()))
        .collect();
    match args.format {
        Format::Json => print_json(&rows)?,
        Format::Csv => print(&predictions_csv(&rows)?)?,
        Format::Table => print(&table(&rows))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[PredictionRow]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    table.set_header(PredictionRow::COLUMNS);
    for row in rows {
        table.add_row(row.cells(3));
    }
    format!("{table}")
}
