//! `edgefit proxy compare`: every way to designs at equal numbers of measurements.

use std::path::PathBuf;

use clap::Args;

use super::device::unseen;
use super::table::new_table;
use super::{DatasetArgs, Global, print, print_json};
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::evaluate::comparison::{ComparisonOptions, ComparisonReport, compare};
use crate::evaluate::devices::what_counts;
use crate::evaluate::predictor::ProbeChoice;
use crate::evaluate::task::task_with_accuracies;
use crate::proxy::adaproxy::Norm;
use crate::seed::Seed;

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Checkpoint with a predictor and an optimizer: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    checkpoint: PathBuf,
    #[command(flatten)]
    datasets: DatasetArgs,
    /// Targets, as ids or hardware units, separated by commas [default: all that the checkpoint was not trained on]
    #[arg(long, value_delimiter = ',')]
    devices: Vec<String>,
    /// Devices that may be proxies [default: all; those of the target's own unit are left out]
    #[arg(long, value_delimiter = ',')]
    proxies: Vec<String>,
    /// Numbers of measurements on a target
    #[arg(long, value_delimiter = ',', default_value = "5,10,20,50")]
    measurements: Vec<usize>,
    /// How the few-shot predictor's probes are picked
    #[arg(long, value_enum, default_value = "chosen")]
    probe_choice: ProbeChoice,
    /// Number of limits, at evenly spaced quantiles of the target's latencies from 5 % to 95 %
    #[arg(long, default_value_t = 10)]
    limits: usize,
    /// Probability with which limits have to hold, for methods that know one
    #[arg(long, default_value_t = 0.9)]
    confidence: f64,
    /// Repeats with other samples
    #[arg(long, default_value_t = 1)]
    repeats: usize,
    /// Designs sampled from the optimizer per limit, beside its first choice
    #[arg(long, default_value_t = 16)]
    samples: usize,
    /// Norm of AdaProxy's deviations
    #[arg(long, value_enum, default_value = "2")]
    norm: Norm,
    /// Count targets whose latencies are predicted (sums of block tables, say) in the means too
    #[arg(long)]
    with_predicted: bool,
    /// Compare on latencies that seem to be in another unit than ms, too
    #[arg(long)]
    trust_units: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &CompareArgs, global: &Global) -> Result<()> {
    let compute = global.backend.device()?;
    let checkpoint = Checkpoint::resolve(&args.checkpoint)?;
    let predictor = checkpoint.predictor(&compute)?;
    let optimizer = checkpoint.optimizer(&compute)?;
    let dataset = args.datasets.read(global)?;
    let task = task_with_accuracies(&predictor, &dataset)?;
    let options = ComparisonOptions {
        targets: unseen(&predictor, &dataset, &args.devices, args.trust_units, global)?,
        proxies: if args.proxies.is_empty() {
            (0..dataset.devices.len()).collect()
        } else {
            dataset.resolve_devices(&args.proxies)?
        },
        measurements: args.measurements.clone(),
        choice: args.probe_choice,
        limits: args.limits,
        confidence: args.confidence,
        repeats: args.repeats,
        samples: args.samples,
        norm: args.norm,
        with_predicted: args.with_predicted,
        seed: Seed(global.seed),
    };
    let report = compare(
        &predictor,
        Some(&optimizer),
        &dataset,
        &task,
        &options,
        &global.progress(),
    )?;
    if args.json {
        print_json(&report)
    } else {
        print(&table(&report))
    }
}

fn table(report: &ComparisonReport) -> String {
    let mut table = new_table([
        "method",
        "measurements",
        "mean regret",
        "90 % interval",
        "violations",
        "overshoot",
        "hypervolume",
        "seconds",
    ]);
    for mean in &report.means {
        table.add_row([
            mean.method.name().to_string(),
            mean.measurements.to_string(),
            format!("{:.2}", mean.regret),
            format!("{:.2} to {:.2}", mean.regret_low, mean.regret_high),
            format!("{:.3}", mean.violation_rate),
            format!("{:.3}", mean.overshoot),
            format!("{:.4}", mean.hypervolume_ratio),
            format!("{:.3}", mean.seconds),
        ]);
    }
    format!(
        "{table}\n{} Task {}, seed {}.",
        what_counts(&report.targets),
        report.task,
        report.seed
    )
}
