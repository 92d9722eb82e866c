//! `edgefit evaluate accuracy`: learn accuracies from a share of the architectures and score on the others.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::table::new_table;
use super::train::read_each;
use super::{DatasetArgs, Global, print, print_json};
use crate::error::Result;
use crate::evaluate::accuracy::{AccuracyReport, score_accuracies};
use crate::files::read_configuration;
use crate::predict::fit::FitOptions;
use crate::seed::Seed;
use crate::training::Run;

#[derive(Debug, Args)]
pub(crate) struct AccuracyArgs {
    #[command(flatten)]
    datasets: DatasetArgs,
    /// Task whose accuracy is learned and scored [default: the dataset's only one]
    #[arg(long)]
    task: Option<String>,
    /// Datasets with accuracies of the same architectures under other conditions, from which the accuracy is learned as a drop
    #[arg(long)]
    teacher: Vec<PathBuf>,
    /// Share of the architectures that is held out
    #[arg(long, default_value_t = 0.2)]
    held_out: f64,
    /// TOML file with options of the training, see configs/predictor.toml; flags win over it
    #[arg(long)]
    config: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &AccuracyArgs, global: &Global) -> Result<ExitCode> {
    let mut options: FitOptions = match &args.config {
        Some(path) => read_configuration(path)?,
        None => FitOptions::default(),
    };
    options.task = args.task.clone().or(options.task);
    options.precision = args.datasets.precision.or(options.precision);
    options.check()?;
    let dataset = args.datasets.read(global)?;
    let teachers = read_each(&args.teacher)?;
    let run = Run {
        device: &global.backend.device()?,
        seed: Seed(global.seed),
        state: None,
        resume: false,
        progress: &global.progress(),
    };
    let report = score_accuracies(&dataset, teachers, args.held_out, &options, &run)?;
    if args.json {
        print_json(&report)?
    } else {
        print(&table(&report))?
    }
    Ok(ExitCode::SUCCESS)
}

fn table(report: &AccuracyReport) -> String {
    let mut table = new_table(["", "designs", "SRCC", "R2", "mean error", "that of the mean"]);
    let [low, high] = report.spearman_interval;
    table.add_row([
        format!("accuracy at {} ({})", report.task, report.precision),
        report.scored.to_string(),
        format!("{:.4} ({low:.4} to {high:.4})", report.spearman),
        format!("{:.3}", report.r_squared),
        format!("{:.2}", report.mean_absolute_error),
        String::new(),
    ]);
    if let Some(drop) = &report.drop {
        table.add_row([
            format!("drop from {}, {:.2} in the mean", drop.from, drop.mean),
            drop.scored.to_string(),
            format!("{:.4}", drop.spearman),
            format!("{:.3}", drop.r_squared),
            format!("{:.2}", drop.mean_absolute_error),
            format!("{:.2}", drop.mean_absolute_error_of_mean),
        ]);
    }
    format!(
        "{table}\nLearned from {} designs of other architectures. Errors are in percentage points; {:.1} % of accuracies are within \
         their 90 % interval, whose median width is {:.2}. Seed {}.",
        report.trained_on,
        100.0 * report.coverage_90,
        report.median_width,
        report.seed
    )
}
