//! `edgefit report`: scores as one HTML file with figures, for screens and for print.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Global;
use super::evaluate::{PredictorChoices, ScoredPredictor};
use super::evaluate_optimizer::{OptimizerChoices, OptimizerScores, ScoredOptimizer};
use crate::error::Result;
use crate::evaluate::comparison::ComparisonReport;
use crate::evaluate::predictor::predict_devices;
use crate::files::FileKind;
use crate::report::{Page, Provenance, large_space_page, optimizer_page, predictor_page, proxy_page};

#[derive(Debug, Subcommand)]
pub(crate) enum ReportVerb {
    /// Predicted against measured values, calibration of the intervals, and errors by device
    #[command(after_help = "\
Example:
  edgefit report predictor --checkpoint few --dataset datasets/nasbench201-fleet --devices fpga,raspi4 --probes 0,5,10 --out predictor.html

Scores are those of `edgefit evaluate predictor`. Figures of single devices are about the last number of probes.")]
    Predictor(PredictorArgs),
    /// The designs chosen for a grid of limits, beside the best there are and other ways to answer
    #[command(after_help = "\
Example:
  edgefit report optimizer --checkpoint few --dataset table --devices raspi4 --probes 10 --out optimizer.html

Scores are those of `edgefit evaluate optimizer`. Where genes say bits, a figure shows what quantization policies buy within
each limit.")]
    Optimizer(OptimizerArgs),
    /// A comparison of per-device search, proxies, the predictor and the optimizer
    #[command(after_help = "\
Example:
  edgefit proxy compare --checkpoint few --dataset table --json > comparison.json
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
    let (ReportVerb::Predictor(PredictorArgs { out, .. })
    | ReportVerb::Optimizer(OptimizerArgs { out, .. })
    | ReportVerb::Proxy(ProxyArgs { out, .. })) = verb;
    global.check_out(out, FileKind::Report)?;
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
    let provenance = Provenance::of(predictor, &args.choices.checkpoint, &args.choices.datasets.folders)?
        .with_predictor_scoring(dataset, scoring);
    let page = predictor_page(report, &predictions, probes, &with_command(provenance))?;
    write(&page, &args.out, global)
}

fn optimizer(args: &OptimizerArgs, global: &Global) -> Result<()> {
    let scored = args.choices.scored(global)?;
    let ScoredOptimizer {
        predictor,
        dataset,
        task,
        scoring,
        scores,
    } = &scored;
    let provenance = Provenance::of(predictor, &args.choices.checkpoint, &args.choices.datasets.folders)?
        .with_optimizer_scoring(dataset, task.as_ref(), scoring);
    let provenance = with_command(provenance);
    let page = match scores {
        OptimizerScores::Listed(report) => optimizer_page(report, &provenance)?,
        OptimizerScores::Large(report) => large_space_page(report, &provenance)?,
    };
    write(&page, &args.out, global)
}

fn proxy(args: &ProxyArgs, global: &Global) -> Result<()> {
    let report = ComparisonReport::read(&args.from)?;
    let provenance = Provenance::of_comparison(&report, &args.from).with_program();
    write(&proxy_page(&report, &provenance)?, &args.out, global)
}

fn write(page: &Page, out: &Path, global: &Global) -> Result<()> {
    let html = page.html();
    let written = format!("{}: {} kB", out.display(), html.len().div_ceil(1000));
    global.write_out(out, html.as_bytes(), &written)
}

/// Which program, and how it was called.
fn with_command(provenance: Provenance) -> Provenance {
    let command: Vec<String> = std::env::args().collect();
    provenance.with_program().with("Command", command.join(" "))
}
