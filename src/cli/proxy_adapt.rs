//! `edgefit proxy adapt`: a proxy's Pareto set on other devices.

use clap::Args;

use super::table::new_table;
use super::{DatasetArgs, Global, print, print_json};
use crate::error::Result;
use crate::proxy::adaproxy::{Norm, Sampling};
use crate::proxy::flow::{Decision, FlowOptions, FlowReport};
use crate::proxy::transfer::{Transfer, transfer};
use crate::seed::Seed;
use crate::stats;

#[derive(Debug, Args)]
pub(crate) struct AdaptArgs {
    #[command(flatten)]
    datasets: DatasetArgs,
    /// The proxy device
    #[arg(long)]
    proxy: String,
    /// Target devices, as ids or hardware units, separated by commas [default: all others]
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
    /// Task of the accuracies, which also says the input size [default: the only one]
    #[arg(long)]
    task: Option<String>,
    /// Architectures measured on a target first
    #[arg(long, default_value_t = 10)]
    samples: usize,
    /// More are measured, as many again each time, until validation reaches the threshold or this number is reached
    /// [default: --samples]
    #[arg(long)]
    budget: Option<usize>,
    /// SRCC that is good enough, of the proxy over the first samples and of the adaptation in validation
    #[arg(long, default_value_t = 0.9, allow_negative_numbers = true)]
    threshold: f64,
    /// Norm of the deviations from the proxy
    #[arg(long, value_enum, default_value = "2")]
    norm: Norm,
    /// Adapt even a proxy that is good enough
    #[arg(long)]
    always: bool,
    /// Search for so many Pareto sets, each without the members of those before it; all are measured on the target
    #[arg(long, default_value_t = 1)]
    layers: usize,
    /// Repeats with other samples
    #[arg(long, default_value_t = 1)]
    repeats: usize,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &AdaptArgs, global: &Global) -> Result<()> {
    let dataset = args.datasets.read(global)?;
    let task = match (&args.task, dataset.tasks.len()) {
        // Several tasks and none named: no accuracies are needed.
        (None, 2..) => None,
        (task, _) => dataset.resolve_task(task.as_deref())?,
    };
    let request = Transfer {
        proxy: args.proxy.clone(),
        targets: args.targets.clone(),
        flow: FlowOptions {
            norm: args.norm,
            sampling: Sampling {
                first: args.samples,
                step: args.samples,
                budget: args.budget.unwrap_or(args.samples),
                threshold: args.threshold,
            },
            always_adapt: args.always,
            layers: args.layers,
            seed: Seed(global.seed),
        },
        repeats: args.repeats,
    };
    let reports = transfer(&dataset, task.as_ref(), &request, &global.progress())?;
    if args.json {
        print_json(&reports)
    } else {
        print(&adaptation_table(&reports, global.seed))
    }
}

fn adaptation_table(reports: &[FlowReport], seed: u64) -> String {
    let mut table = new_table([
        "target",
        "SRCC of samples",
        "proxy is",
        "samples",
        "SRCC before",
        "SRCC after",
        "returned",
        "dropped",
        "hypervolume",
    ]);
    let figure = |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.3}"));
    for report in reports {
        let fronts = report.fronts.as_ref();
        table.add_row([
            report.target.clone(),
            figure(report.sampled_spearman),
            match report.decision {
                Decision::Reused => "reused".into(),
                Decision::Adapted => "adapted".into(),
            },
            report.samples.to_string(),
            figure(report.spearman_before),
            figure(report.spearman_after),
            fronts.map_or("-".into(), |fronts| fronts.returned.to_string()),
            fronts.map_or("-".into(), |fronts| fronts.dropped.to_string()),
            fronts
                .and_then(|fronts| fronts.hypervolume_ratio)
                .map_or("-".into(), |ratio| format!("{ratio:.4}")),
        ]);
    }
    let mean = |value: fn(&FlowReport) -> Option<f64>| {
        let values: Vec<f64> = reports.iter().filter_map(value).collect();
        figure(stats::mean(&values))
    };
    format!(
        "{table}\nmean SRCC on unseen architectures {} before, {} after; seed {seed}",
        mean(|report| report.spearman_before),
        mean(|report| report.spearman_after)
    )
}
