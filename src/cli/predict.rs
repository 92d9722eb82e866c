//! `edgefit predict`: accuracy, latency and energy of given architectures on a device.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::device::{read_architectures, resolve};
use super::table::{architecture, interval, new_table};
use super::{Global, print, print_json};
use crate::error::Result;
use crate::predict::Estimate;
use crate::report::{PredictionRow, kind_of, predictions_csv};
use crate::stats::INTERVAL_SHARE;

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
    let (advisor, device) = resolve(&args.device, advisor, global)?;
    let architectures = read_architectures(&args.architectures, advisor.space())?;
    let (space, domain) = (advisor.space(), advisor.predictor().domain());
    let outside = architectures.iter().filter(|one| !domain.holds(space, one)).count();
    if outside > 0 {
        global.say(format!(
            "note: {outside} of {} architectures make choices that no accuracy was learned from, such as another resolution: what is \
             said of their accuracy is extrapolated",
            architectures.len()
        ));
    }
    let context = global.context(&device);
    let rows: Vec<PredictionRow> = advisor
        .predict(&device, &architectures)?
        .iter()
        .map(|prediction| PredictionRow::of(prediction, advisor.space(), &context))
        .collect();
    match args.format {
        Format::Json => print_json(&rows)?,
        Format::Csv => print(&predictions_csv(&rows)?)?,
        Format::Table => print(&table(&rows, global.seed))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[PredictionRow], seed: u64) -> String {
    let kind = kind_of(rows.iter().filter_map(|row| row.accuracy));
    let mut table = new_table([
        "architecture",
        "quantization",
        kind.header(),
        &format!("{} is", kind.name()),
        "latency ms",
        "energy mJ",
    ]);
    let known = |estimate: Option<Estimate>| estimate.map_or_else(|| "-".into(), interval);
    for row in rows {
        table.add_row([
            architecture(&row.architecture),
            row.quantization.clone().into(),
            known(row.accuracy.map(|accuracy| accuracy.percent)).into(),
            row.accuracy.map_or("-", |accuracy| accuracy.origin.name()).into(),
            interval(row.latency_ms).into(),
            known(row.energy_mj).into(),
        ]);
    }
    format!(
        "{table}\nlatency and energy are predicted; intervals in brackets hold {:.0} %; seed {seed}",
        100.0 * INTERVAL_SHARE
    )
}
