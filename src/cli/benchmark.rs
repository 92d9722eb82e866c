//! `edgefit benchmark`: train, adapt and score a named few-shot benchmark, beside published figures.

use std::process::ExitCode;

use clap::Args;

use super::table::new_table;
use super::{DatasetArgs, Global, print, print_json};
use crate::compute::ComputeDevice;
use crate::error::{Error, Result};
use crate::evaluate::benchmark::{Accepted, Benchmark, BenchmarkReport, Published};
use crate::evaluate::devices::{plural, what_counts};
use crate::evaluate::predictor::{PredictorMean, ProbeChoice, Protocol};
use crate::predict::Ablation;
use crate::predict::train::Run;
use crate::seed::Seed;

#[derive(Debug, Args)]
pub(crate) struct BenchmarkArgs {
    /// Names (nd, fd, f1, f2, f3, f4, fa, gpu-known, gpu-unseen) or TOML files as in configs/benchmarks
    #[arg(required = true)]
    benchmarks: Vec<String>,
    #[command(flatten)]
    datasets: DatasetArgs,
    /// Numbers of probes, separated by commas [default: those of the benchmark]
    #[arg(long, value_delimiter = ',')]
    probes: Vec<usize>,
    /// Repeats with other random probes [default: that of the benchmark]
    #[arg(long)]
    repeats: Option<usize>,
    /// Draw other architectures for every known device, instead of one set for all as the published protocol does
    #[arg(long)]
    separate_architectures: bool,
    /// Parts to train without, separated by commas, to see what they are worth
    #[arg(long, value_enum, value_delimiter = ',')]
    without: Vec<Ablation>,
    /// Count unseen devices whose values are predicted (sums of block tables, say) in the means too
    #[arg(long)]
    with_predicted: bool,
    /// Learn from, and score on, latencies that seem to be in another unit than ms, too
    #[arg(long)]
    trust_units: bool,
    /// Show every unseen device too
    #[arg(long)]
    by_device: bool,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &BenchmarkArgs, global: &Global) -> Result<ExitCode> {
    // Every name is looked up before the first is run.
    let benchmarks: Vec<Benchmark> = args
        .benchmarks
        .iter()
        .map(|name| requested(name, args))
        .collect::<Result<_>>()?;
    let compute = global.backend.device()?;
    let mut reports = Vec::new();
    let mut failure = None;
    for benchmark in &benchmarks {
        // What the data at hand lacks for one benchmark does not keep the others from being run.
        match scored(benchmark, args, &compute, global) {
            Ok(report) => reports.push(report),
            Err(error @ Error::Interrupted { .. }) => return Err(error),
            Err(error) => {
                if let Some(earlier) = failure.replace(error) {
                    global.say(format!("error: {earlier}"));
                }
            }
        }
    }
    if args.json {
        print_json(&reports)?;
    }
    failure.map_or(Ok(ExitCode::SUCCESS), Err)
}

fn scored(
    benchmark: &Benchmark,
    args: &BenchmarkArgs,
    compute: &ComputeDevice,
    global: &Global,
) -> Result<BenchmarkReport> {
    let dataset = benchmark.dataset(&args.datasets.folders, args.datasets.precision, &global.progress())?;
    let run = Run {
        device: compute,
        seed: Seed(global.seed),
        state: None,
        resume: false,
        progress: &global.progress(),
    };
    let accepted = Accepted {
        predicted: args.with_predicted,
        units: args.trust_units,
    };
    let report = benchmark.run(dataset, accepted, &run)?;
    if !args.json {
        print(&described(&report, args.by_device))?;
    }
    Ok(report)
}

fn requested(name: &str, args: &BenchmarkArgs) -> Result<Benchmark> {
    let mut benchmark = Benchmark::find(name)?;
    if !args.probes.is_empty() {
        benchmark.probes = args.probes.clone();
    }
    benchmark.repeats = args.repeats.unwrap_or(benchmark.repeats);
    benchmark.shared_architectures &= !args.separate_architectures;
    benchmark.without.extend(&args.without);
    Ok(benchmark)
}

fn described(report: &BenchmarkReport, by_device: bool) -> String {
    let benchmark = &report.benchmark;
    let unseen = benchmark.unseen.len() - report.absent_unseen.len();
    let about = if benchmark.about.is_empty() {
        String::new()
    } else {
        format!("{}. ", benchmark.about)
    };
    let mut text = format!(
        "{} ({}): {about}{} with {} {}; {} of {}.",
        benchmark.name,
        benchmark.space,
        plural(benchmark.known.len() - report.absent_known.len(), "known device"),
        benchmark.samples_per_device,
        if benchmark.shared_architectures {
            "architectures, the same for all"
        } else {
            "architectures each"
        },
        unseen,
        plural(benchmark.unseen.len(), "unseen device")
    );
    for (what, absent) in [("known", &report.absent_known), ("unseen", &report.absent_unseen)] {
        if !absent.is_empty() {
            text += &format!(" Absent from the data, {what}: {}.", absent.join(", "));
        }
    }
    text += &format!("\n{}\n", means_table(report));
    if by_device {
        text += &format!("{}\n", device_table(report));
    }
    if !benchmark.published.is_empty() {
        text += "Published figures are means over all unseen devices of the benchmark, however many are of one hardware unit";
        text += if report.absent_unseen.is_empty() {
            ".\n"
        } else {
            ", the absent ones among them.\n"
        };
        text += &sources(report);
    }
    text + &format!(
        "{} SRCC with 90 % bootstrap intervals over hardware units and repeats. MAPE: that of the median unit, random probes. \
         Seed {}; training {:.0} s, scoring {:.0} s.\n",
        what_counts(report.devices()),
        report.seed,
        report.training_seconds,
        report.scoring_seconds
    )
}

/// One line per published figure: what it was, for how many probes, under which protocol, and where it stands.
fn sources(report: &BenchmarkReport) -> String {
    let line = |one: &Published| {
        format!(
            "  {}: {:.3} at {}, protocol {}: {}\n",
            one.method,
            one.spearman,
            plural(one.probes, "probe"),
            one.protocol.name(),
            one.source
        )
    };
    report.benchmark.published.iter().map(line).collect()
}

fn means_table(report: &BenchmarkReport) -> String {
    let mut table = new_table([
        "protocol",
        "probes",
        "SRCC, random probes",
        "SRCC, chosen probes",
        "over devices",
        "MAPE %",
        "coverage of 90 %",
        "published",
    ]);
    for protocol in [Protocol::Full, Protocol::Trimmed] {
        let (random, chosen) = (
            report.means(ProbeChoice::Random, protocol),
            report.means(ProbeChoice::Chosen, protocol),
        );
        for (random, chosen) in random.iter().zip(chosen) {
            let published = (report.benchmark.published.iter())
                .filter(|one| one.protocol == protocol && one.probes == random.probes)
                .map(|one| format!("{:.3} {}", one.spearman, one.method));
            table.add_row([
                protocol.name().to_string(),
                random.probes.to_string(),
                interval(random),
                interval(chosen),
                format!(
                    "{:.3} / {:.3}",
                    random.spearman_over_devices, chosen.spearman_over_devices
                ),
                format!("{:.1}", random.median_mape_percent),
                format!("{:.2}", random.coverage_90),
                published.collect::<Vec<_>>().join("; "),
            ]);
        }
    }
    table.to_string()
}

fn interval(mean: &PredictorMean) -> String {
    format!(
        "{:.3} [{:.3}, {:.3}]",
        mean.spearman, mean.spearman_low, mean.spearman_high
    )
}

/// SRCC and coverage of every unseen device, random probes, full protocol.
fn device_table(report: &BenchmarkReport) -> String {
    let mut table = new_table(["device", "probes", "SRCC, random probes", "MAPE %", "coverage of 90 %"]);
    let Some(report) = report.reports.first() else {
        return String::new();
    };
    for row in &report.rows {
        table.add_row([
            report.label(&row.device),
            row.probes.to_string(),
            format!(
                "{:.3} [{:.3}, {:.3}]",
                row.spearman.mean, row.spearman.low, row.spearman.high
            ),
            format!("{:.1}", row.mape_percent.mean),
            format!("{:.2}", row.coverage_90.mean),
        ]);
    }
    table.to_string()
}
