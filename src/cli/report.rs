//! `edgefit report`: scores as one HTML file with figures, for screens and for print.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Global;
use super::evaluate::{OptimizerChoices, PredictorChoices, ScoredOptimizer, ScoredPredictor};
use crate::dataset::{Dataset, Manifest, Origin};
use crate::error::{Error, Result};
use crate::evaluate::comparison::ComparisonReport;
use crate::evaluate::predictor::{ProbeChoice, Protocol, predict_devices};
use crate::files::{check_writable, read_bounded, write_bytes};
use crate::predict::Predictor;
use crate::report::{Page, optimizer_page, predictor_page, proxy_page};

/// Longest comparison that is read, in bytes.
const MAX_COMPARISON: u64 = 256 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum ReportVerb {
    /// Predicted against measured values, calibration of the intervals, and errors by device
    #[command(after_help = "\
Example:
  edgefit report predictor --checkpoint nb201 --dataset unseen --devices fpga,raspi4 --probes 0,5,10 --out predictor.html

Scores are those of `edgefit evaluate predictor`. Figures of single devices are about the last number of probes.")]
    Predictor(PredictorArgs),
    /// The designs chosen for a grid of limits, beside the best there are and other ways to answer
    #[command(after_help = "\
Example:
  edgefit report optimizer --checkpoint nb201 --dataset unseen --devices fpga,raspi4 --probes 10 --out optimizer.html

Scores are those of `edgefit evaluate optimizer`.")]
    Optimizer(OptimizerArgs),
    /// A comparison of per-device search, proxies, the predictor and the optimizer
    #[command(after_help = "\
Example:
  edgefit proxy compare --checkpoint nb201 --dataset unseen --json > comparison.json
  edgefit report proxy --from comparison.json --out proxy.html")]
    Proxy(ProxyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PredictorArgs {
    #[command(flatten)]
    choices: PredictorChoices,
    /// HTML file to write
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct OptimizerArgs {
    #[command(flatten)]
    choices: OptimizerChoices,
    /// HTML file to write
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    /// What `edgefit proxy compare --json` printed
    #[arg(long)]
    from: PathBuf,
    /// HTML file to write
    #[arg(long)]
    out: PathBuf,
}

pub(crate) fn run(verb: &ReportVerb, global: &Global) -> Result<ExitCode> {
    // Before the scoring, which may take minutes.
    check_writable(match verb {
        ReportVerb::Predictor(PredictorArgs { out, .. })
        | ReportVerb::Optimizer(OptimizerArgs { out, .. })
        | ReportVerb::Proxy(ProxyArgs { out, .. }) => out,
    })?;
    match verb {
        ReportVerb::Predictor(args) => predictor(args, global)?,
        ReportVerb::Optimizer(args) => optimizer(args, global)?,
        ReportVerb::Proxy(args) => proxy(args, global)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn predictor(args: &PredictorArgs, global: &Global) -> Result<()> {
    let scored = args.choices.scored(global)?;
    let ScoredPredictor {
        predictor,
        dataset,
        task,
        scoring,
        report,
    } = &scored;
    // The parser takes at least one.
    let probes = scoring.probes.last().copied().unwrap_or_default();
    let predictions = predict_devices(predictor, dataset, task.as_ref(), scoring, probes, &global.progress())?;
    let mut provenance = sources(predictor, &args.choices.checkpoint, &args.choices.datasets.folders)?;
    provenance.push(entry("Devices", ids(dataset, &scoring.devices)));
    provenance.push(entry("Values", origins(dataset, &scoring.devices, None)));
    provenance.push(entry(
        "Scored",
        match scoring.protocol {
            Protocol::Full => "all measurements that are not probes (protocol full)",
            Protocol::Trimmed => "the middle 80 % by measured value (protocol trimmed)",
        },
    ));
    provenance.push(entry("Probes", choice(scoring.choice)));
    provenance.push(entry("Repeats", scoring.repeats));
    provenance.extend(run_of(global));
    write(
        &predictor_page(report, &predictions, probes, provenance)?,
        &args.out,
        global,
    )
}

fn optimizer(args: &OptimizerArgs, global: &Global) -> Result<()> {
    let scored = args.choices.scored(global)?;
    let ScoredOptimizer {
        predictor,
        dataset,
        task,
        scoring,
        report,
    } = &scored;
    let mut provenance = sources(predictor, &args.choices.checkpoint, &args.choices.datasets.folders)?;
    provenance.push(entry("Task", &task.name));
    provenance.push(entry("Devices", ids(dataset, &scoring.devices)));
    provenance.push(entry("Values", origins(dataset, &scoring.devices, Some(&task.name))));
    provenance.push(entry("Probes", choice(scoring.choice)));
    provenance.push(entry("Confidence", scoring.confidence));
    provenance.push(entry("Repeats", scoring.repeats));
    provenance.push(entry(
        "Evaluations of NSGA-II and random search per limit",
        scoring.budget,
    ));
    provenance.extend(run_of(global));
    write(&optimizer_page(report, provenance)?, &args.out, global)
}

fn proxy(args: &ProxyArgs, global: &Global) -> Result<()> {
    let bytes = read_bounded(&args.from, MAX_COMPARISON)?;
    let report: ComparisonReport = serde_json::from_slice(&bytes).map_err(|error| Error::Malformed {
        path: args.from.clone(),
        line: Some(error.line() as u64),
        column: None,
        expected: "what `edgefit proxy compare --json` prints".into(),
        found: error.to_string(),
        hint: "Write its output to this file again.".into(),
    })?;
    let provenance = vec![
        entry("Comparison", args.from.display()),
        entry("Search space", &report.space),
        entry("Task", &report.task),
        entry("Confidence", report.confidence),
        entry("Seed of the comparison", report.seed),
        entry(
            "Values",
            "regret, hypervolume and fronts are looked up in the dataset that the comparison was made with; what chose the \
             designs is predicted",
        ),
        entry("Program", program()),
    ];
    write(&proxy_page(&report, provenance)?, &args.out, global)
}

fn write(page: &Page, out: &Path, global: &Global) -> Result<()> {
    let html = page.html();
    write_bytes(out, html.as_bytes())?;
    global.say(format!("{}: {} kB", out.display(), html.len().div_ceil(1000)));
    Ok(())
}

fn entry(name: &str, value: impl ToString) -> (String, String) {
    (name.into(), value.to_string())
}

fn program() -> String {
    format!("edgefit {}", env!("CARGO_PKG_VERSION"))
}

/// What was asked of which program.
fn run_of(global: &Global) -> Vec<(String, String)> {
    let command: Vec<String> = std::env::args().collect();
    vec![
        entry("Seed", global.seed),
        entry("Program", program()),
        entry("Command", command.join(" ")),
    ]
}

/// Checkpoint and datasets, with what these say of their sources.
fn sources(predictor: &Predictor, checkpoint: &Path, datasets: &[PathBuf]) -> Result<Vec<(String, String)>> {
    let mut entries = vec![
        entry(
            "Checkpoint",
            format!("{} (predictor {})", checkpoint.display(), predictor.id),
        ),
        entry("Search space", predictor.space.id()),
    ];
    for folder in datasets {
        let manifest = Manifest::read(folder)?;
        let sources: Vec<String> = manifest.sources.iter().map(|source| source.name.clone()).collect();
        let from = if sources.is_empty() {
            String::new()
        } else {
            format!(" (from {})", sources.join(", "))
        };
        entries.push(entry("Dataset", format!("{}{from}", folder.display())));
    }
    Ok(entries)
}

fn ids(dataset: &Dataset, devices: &[usize]) -> String {
    let ids: Vec<&str> = devices
        .iter()
        .map(|&device| dataset.devices[device].id.as_str())
        .collect();
    ids.join(", ")
}

/// How many values are measured, simulated and predicted.
fn origins(dataset: &Dataset, devices: &[usize], task: Option<&str>) -> String {
    let on_device = |device: u32| devices.contains(&(device as usize));
    let rows = dataset.measurements.iter().filter(|row| on_device(row.device));
    let mut parts = vec![counted("latencies and energies", rows.map(|row| row.origin))];
    if let Some(task) = task {
        let rows = dataset
            .accuracies
            .iter()
            .filter(|row| dataset.tasks[usize::from(row.task)] == task);
        parts.push(counted("accuracies", rows.map(|row| row.origin)));
    }
    parts.push("what is called predicted comes from the checkpoint".into());
    parts.join("; ")
}

fn counted(what: &str, origins: impl Iterator<Item = Origin>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    origins.for_each(|origin| *counts.entry(origin.name()).or_default() += 1);
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    format!("{what}: {}", counts.join(", "))
}

fn choice(choice: ProbeChoice) -> &'static str {
    match choice {
        ProbeChoice::Random => "drawn at random among the device's measurements",
        ProbeChoice::Chosen => "chosen as by `edgefit probes` among the device's measurements",
    }
}
