//! `edgefit data`: import, simulate, check and describe datasets.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use comfy_table::{CellAlignment, Table, presets};

use super::{Global, print};
use crate::dataset::import::{all, by_name};
use crate::dataset::simulate::FleetConfig;
use crate::dataset::{
    self, Added, Dataset, ImportRequest, Manifest, Summary, import_into, load, simulate_into, summarise,
};
use crate::error::Result;
use crate::predict::ScoreKind;
use crate::space::{InputSize, QuantPolicy, by_id};

#[derive(Debug, Subcommand)]
pub(crate) enum DataVerb {
    /// Read what others publish into a dataset, or add it to one
    #[command(after_help = sources())]
    Import(ImportArgs),
    /// Compute the dataset of a fleet of devices from their datasheets
    #[command(after_help = "Example:\n  edgefit data simulate --config examples/table.toml --out table")]
    Simulate(SimulateArgs),
    /// Read a whole dataset and say whether everything in it is sound
    #[command(after_help = "Example:\n  edgefit data validate datasets/nasbench201-fleet")]
    Validate(ValidateArgs),
    /// Print what a dataset holds: devices, ranges, what is missing or there twice
    #[command(after_help = "Example:\n  edgefit data summary datasets/nasbench201-fleet --json")]
    Summary(SummaryArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Format of the source, see below
    source: String,
    /// Where the source lies
    path: PathBuf,
    /// Search space of the architectures
    #[arg(long)]
    space: String,
    /// Take measurements at this input size only, such as 32x32
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    input: Option<InputSize>,
    /// Dataset folder to make or to add to
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The fleet, as in configs/fleet.toml
    #[arg(long)]
    config: PathBuf,
    /// Dataset folder to make; a simulated dataset there is replaced
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Dataset folder
    dataset: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SummaryArgs {
    /// Dataset folder
    dataset: PathBuf,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

fn sources() -> String {
    let list: String = all()
        .iter()
        .map(|source| format!("  {:<18}{}\n", source.name(), source.reads()))
        .collect();
    format!(
        "Sources:\n{list}\nExample:\n  edgefit data import csv datasets/nasbench201-fleet --space nasbench201 --out mine\n\n\
         With a clone of HELP's repository in the folder HELP: `edgefit data import help HELP --space nasbench201 --out nb201`."
    )
}

pub(crate) fn run(verb: &DataVerb, global: &Global) -> Result<ExitCode> {
    match verb {
        DataVerb::Import(args) => import(args, global)?,
        DataVerb::Simulate(args) => simulate(args, global)?,
        DataVerb::Validate(args) => validate(args, global)?,
        DataVerb::Summary(args) => summary(args, global)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn import(args: &ImportArgs, global: &Global) -> Result<()> {
    let request = ImportRequest {
        importer: by_name(&args.source)?,
        path: &args.path,
        space: by_id(&args.space)?,
        input: args.input,
    };
    let outcome = import_into(&args.out, &request, &global.progress())?;
    for note in &outcome.notes {
        global.say(format!("note: {note}"));
    }
    for warning in &outcome.warnings {
        global.say(format!("warning: {warning}"));
    }
    report(outcome.added, &outcome.dataset, &args.out, global);
    Ok(())
}

fn simulate(args: &SimulateArgs, global: &Global) -> Result<()> {
    let dataset = simulate_into(&args.out, &FleetConfig::read(&args.config)?)?;
    global.say(format!("simulated {} in {}", size_of(&dataset), args.out.display()));
    Ok(())
}

fn report(added: Added, dataset: &Dataset, out: &Path, global: &Global) {
    let known = match added.known_rows {
        0 => String::new(),
        known => format!(" ({known} rows were there already)"),
    };
    global.say(format!(
        "added {} measurements and {} accuracies{known} to {}: now {}",
        added.measurements,
        added.accuracies,
        out.display(),
        size_of(dataset)
    ));
}

fn size_of(dataset: &Dataset) -> String {
    let is_proxy = |task: &str| ScoreKind::of_task(task) == ScoreKind::Proxy;
    let rows = dataset.accuracies.iter();
    let proxies = rows
        .filter(|row| is_proxy(&dataset.tasks[usize::from(row.task)]))
        .count();
    let mut scores = Vec::new();
    if proxies < dataset.accuracies.len() || proxies == 0 {
        let tasks = dataset.tasks.iter().filter(|task| !is_proxy(task)).count();
        scores.push(format!(
            "{} accuracies at {tasks} tasks",
            dataset.accuracies.len() - proxies
        ));
    }
    scores.extend((proxies > 0).then(|| format!("{proxies} proxy scores")));
    format!(
        "{} measurements of {} devices, {}, {} architectures",
        dataset.measurements.len(),
        dataset.devices.len(),
        scores.join(", "),
        dataset.architectures.len()
    )
}

fn validate(args: &ValidateArgs, global: &Global) -> Result<()> {
    let found = dataset::validate(&args.dataset, &global.progress())?;
    for note in &found.notes {
        global.say(format!("note: {note}"));
    }
    for warning in &found.warnings {
        global.say(format!("warning: {warning}"));
    }
    let size = size_of(&found.loaded.dataset);
    print(&format!("{}: sound, {size}", args.dataset.display()))
}

fn summary(args: &SummaryArgs, global: &Global) -> Result<()> {
    let loaded = load(&args.dataset, &global.progress())?;
    let summary = summarise(&loaded.dataset);
    if args.json {
        let text = serde_json::to_string_pretty(&summary);
        // A structure of strings and numbers always has a JSON form.
        return print(&text.unwrap_or_default());
    }
    print(&tables(&summary, &loaded.manifest))
}

fn tables(summary: &Summary, manifest: &Manifest) -> String {
    let mut text = format!("{}\n", general(summary, manifest));
    if !summary.devices.is_empty() {
        text += &format!("\n{}\n", device_table(summary));
    }
    if !summary.tasks.is_empty() {
        text += &format!("\n{}\n", task_table(summary));
    }
    for pair in &summary.duplicated_devices {
        text += &format!(
            "\nDuplicated devices: {} and {} ({} of {} latencies agree to 2.5 %)",
            pair.first, pair.second, pair.identical, pair.shared
        );
    }
    text
}

fn general(summary: &Summary, manifest: &Manifest) -> Table {
    let mut table = table(&[]);
    let origins = summary.origins.iter().filter(|&(_, &count)| count > 0);
    let origins: Vec<String> = origins.map(|(name, count)| format!("{count} {name}")).collect();
    let sources: Vec<String> = manifest
        .sources
        .iter()
        .map(|source| format!("{} ({})", source.name, source.licence))
        .collect();
    let repeats = summary.architectures - summary.distinct_functions;
    for (name, value) in [
        ("space", summary.space.clone()),
        ("sources", sources.join(", ")),
        ("measurements", summary.measurements.to_string()),
        ("accuracies", summary.accuracies.to_string()),
        (
            "architectures",
            format!("{} ({repeats} compute the same as another)", summary.architectures),
        ),
        ("origin of rows", origins.join(", ")),
        ("inputs", summary.inputs.join(", ")),
        (
            "precisions",
            (summary
                .precisions
                .iter()
                .map(QuantPolicy::to_string)
                .collect::<Vec<_>>())
            .join(", "),
        ),
    ] {
        table.add_row([name, value.as_str()]);
    }
    table
}

fn device_table(summary: &Summary) -> Table {
    let mut table = table(&[
        "device",
        "unit",
        "rows",
        "min ms",
        "median ms",
        "max ms",
        "missing %",
        "with energy",
    ]);
    for device in &summary.devices {
        table.add_row([
            device.id.clone(),
            device.unit.clone(),
            device.rows.to_string(),
            number(device.min_latency_ms),
            number(device.median_latency_ms),
            number(device.max_latency_ms),
            format!("{:.1}", device.missing_percent),
            device.energies.to_string(),
        ]);
    }
    align_numbers(table, 2)
}

fn task_table(summary: &Summary) -> Table {
    let mut table = table(&["task", "rows", "min %", "max %"]);
    for task in &summary.tasks {
        table.add_row([
            task.task.clone(),
            task.rows.to_string(),
            format!("{:.2}", task.min_percent),
            format!("{:.2}", task.max_percent),
        ]);
    }
    align_numbers(table, 1)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if !header.is_empty() {
        table.set_header(header);
    }
    table
}

fn align_numbers(mut table: Table, first: usize) -> Table {
    for column in table.column_iter_mut().skip(first) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Four significant digits, or a dash.
fn number(value: Option<f64>) -> String {
    let Some(value) = value else {
        return "-".into();
    };
    let digits = 3 - value.log10().floor() as i32;
    format!("{value:.*}", digits.clamp(0, 9) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_significant_digits() {
        assert_eq!(number(None), "-");
        assert_eq!(number(Some(12.3456)), "12.35");
        assert_eq!(number(Some(0.00327686)), "0.003277");
        assert_eq!(number(Some(12345.6)), "12346");
    }
}
