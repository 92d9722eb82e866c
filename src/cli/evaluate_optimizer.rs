//! `edgefit evaluate optimizer`: score the designs of a checkpoint on devices that it has not seen.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::device::unseen;
use super::table::new_table;
use super::{DatasetArgs, Global, print, print_json};
use crate::checkpoint::Checkpoint;
use crate::dataset::{Dataset, Task};
use crate::error::Result;
use crate::evaluate::devices::{plural, what_counts};
use crate::evaluate::optimizer::large::{LargeSpaceReport, LargeSpaceSummary, score_large_space};
use crate::evaluate::optimizer::{OptimizerReport, OptimizerScoring, OptimizerSummary, score_optimizer};
use crate::evaluate::predictor::ProbeChoice;
use crate::evaluate::task::{learned_task, task_with_accuracies};
use crate::metric::Metric;
use crate::optimize::Optimizer;
use crate::predict::Predictor;
use crate::predict::fit::FitOptions;
use crate::search::Constraint;
use crate::seed::Seed;

/// Usual evaluations of a search: where the whole space can be looked at, and where it cannot.
const BUDGET: usize = 1_000;
const LARGE_BUDGET: usize = 20_000;

#[derive(Debug, Args)]
pub(crate) struct OptimizerArgs {
    #[command(flatten)]
    choices: OptimizerChoices,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// What an optimizer is scored on.
#[derive(Debug, Args)]
pub(crate) struct OptimizerChoices {
    /// Checkpoint with a predictor and an optimizer: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    pub(crate) checkpoint: PathBuf,
    #[command(flatten)]
    pub(crate) datasets: DatasetArgs,
    /// Unseen devices, as ids or hardware units, separated by commas [default: all that the checkpoint was not trained on]
    #[arg(long, value_delimiter = ',')]
    devices: Vec<String>,
    /// Number of probes
    #[arg(long, default_value_t = 10)]
    probes: usize,
    /// How probes are picked among the device's measurements
    #[arg(long, value_enum, default_value = "chosen")]
    probe_choice: ProbeChoice,
    /// Number of limits, at evenly spaced quantiles of the device's latencies from 5 % to 95 %
    #[arg(long, default_value_t = 10)]
    limits: usize,
    /// In search spaces too large to list: maximum energy of one batch, in mJ, beside each limit on latency
    #[arg(long, allow_negative_numbers = true)]
    max_energy_mj: Option<f64>,
    /// In search spaces too large to list: maximum size of the weights at their precision, in MiB, beside each limit on
    /// latency
    #[arg(long, allow_negative_numbers = true)]
    max_size_mib: Option<f64>,
    /// Probability with which limits have to hold
    #[arg(long, default_value_t = 0.9)]
    confidence: f64,
    /// Repeats with other random probes
    #[arg(long, default_value_t = 1)]
    repeats: usize,
    /// Designs sampled from the optimizer per limit, beside its first choice
    #[arg(long, default_value_t = 16)]
    samples: usize,
    /// Evaluations of the NSGA-II and random baselines per limit [default: 1000, and 20000 in search spaces too large to list]
    #[arg(long)]
    budget: Option<usize>,
    /// Labelled architectures that accuracies are learned from anew, for regret without known accuracies; 0 leaves it out
    #[arg(long, default_value_t = 1000)]
    accuracy_labels: usize,
    /// In search spaces too large to list: a checkpoint with a predictor trained on all data, whose word counts for the
    /// truth
    #[arg(long)]
    oracle: Option<PathBuf>,
    /// In search spaces too large to list: designs chosen all at once, to see how long each takes then
    #[arg(long, default_value_t = 1000)]
    batch: usize,
    /// Count devices whose values are predicted (sums of block tables, say) in the means too
    #[arg(long)]
    with_predicted: bool,
    /// Score on latencies that seem to be in another unit than ms, too
    #[arg(long)]
    trust_units: bool,
}

pub(crate) fn run(args: &OptimizerArgs, global: &Global) -> Result<ExitCode> {
    match args.choices.scored(global)?.scores {
        OptimizerScores::Listed(report) if args.json => print_json(&report)?,
        OptimizerScores::Listed(report) => print(&summary_table(&report))?,
        OptimizerScores::Large(report) if args.json => print_json(&report)?,
        OptimizerScores::Large(report) => print(&large_space_table(&report))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A scored optimizer with all that it was scored on.
pub(crate) struct ScoredOptimizer {
    pub(crate) predictor: Predictor,
    pub(crate) dataset: Dataset,
    pub(crate) task: Option<Task>,
    pub(crate) scoring: OptimizerScoring,
    pub(crate) scores: OptimizerScores,
}

/// Scores by the size of the search space.
pub(crate) enum OptimizerScores {
    /// Against a table of the whole space.
    Listed(OptimizerReport),
    /// Against a long search, where no table holds all of the space.
    Large(LargeSpaceReport),
}

/// What is scored, and on what.
struct Read {
    predictor: Predictor,
    optimizer: Optimizer,
    dataset: Dataset,
}

impl OptimizerChoices {
    /// The scores that fit the search space.
    pub(crate) fn scored(&self, global: &Global) -> Result<ScoredOptimizer> {
        let read = self.read(global)?;
        let (task, scoring, scores) = if read.predictor.space.enumerable().is_some() {
            let scoring = self.scoring(&read, BUDGET, global)?;
            let (task, report) = listed(&read, &scoring, global)?;
            (Some(task), scoring, OptimizerScores::Listed(report))
        } else {
            let scoring = self.scoring(&read, LARGE_BUDGET, global)?;
            let (task, report) = self.large(&read, &scoring, global)?;
            (task, scoring, OptimizerScores::Large(report))
        };
        Ok(ScoredOptimizer {
            predictor: read.predictor,
            dataset: read.dataset,
            task,
            scoring,
            scores,
        })
    }

    /// The scores in a search space of which no table holds all.
    fn large(
        &self,
        read: &Read,
        scoring: &OptimizerScoring,
        global: &Global,
    ) -> Result<(Option<Task>, LargeSpaceReport)> {
        let compute = global.backend.device()?;
        let oracle = self
            .oracle
            .as_ref()
            .map(|oracle| Checkpoint::resolve(oracle)?.predictor(&compute));
        let oracle = oracle.transpose()?;
        let task = learned_task(&read.predictor, &read.dataset)?;
        let report = score_large_space(
            &read.predictor,
            &read.optimizer,
            oracle.as_ref(),
            (&read.dataset, task.as_ref()),
            self.batch,
            scoring,
            &global.progress(),
        )?;
        Ok((task, report))
    }

    fn read(&self, global: &Global) -> Result<Read> {
        let compute = global.backend.device()?;
        let checkpoint = Checkpoint::resolve(&self.checkpoint)?;
        Ok(Read {
            predictor: checkpoint.predictor(&compute)?,
            optimizer: checkpoint.optimizer(&compute)?,
            dataset: self.datasets.read(global)?,
        })
    }

    /// Limits on other metrics than latency.
    fn besides(&self) -> Result<Vec<Constraint>> {
        let limits = [
            (Metric::Energy, self.max_energy_mj),
            (Metric::ModelSize, self.max_size_mib),
        ];
        let given = limits.into_iter().filter_map(|(metric, limit)| Some((metric, limit?)));
        given.map(|(metric, limit)| Constraint::new(metric, limit)).collect()
    }

    fn scoring(&self, read: &Read, budget: usize, global: &Global) -> Result<OptimizerScoring> {
        let (predictor, dataset) = (&read.predictor, &read.dataset);
        Ok(OptimizerScoring {
            devices: unseen(predictor, dataset, &self.devices, self.trust_units, global)?,
            probes: self.probes,
            choice: self.probe_choice,
            limits: self.limits,
            besides: self.besides()?,
            confidence: self.confidence,
            repeats: self.repeats,
            samples: self.samples,
            budget: self.budget.unwrap_or(budget),
            accuracy_labels: self.accuracy_labels,
            accuracy_training: FitOptions::default(),
            with_predicted: self.with_predicted,
            seed: Seed(global.seed),
        })
    }
}

/// The scores against a table of the whole search space.
fn listed(read: &Read, scoring: &OptimizerScoring, global: &Global) -> Result<(Task, OptimizerReport)> {
    let task = task_with_accuracies(&read.predictor, &read.dataset)?;
    let report = score_optimizer(
        &read.predictor,
        &read.optimizer,
        &read.dataset,
        &task,
        scoring,
        &global.progress(),
    )?;
    Ok((task, report))
}

fn summary_table(report: &OptimizerReport) -> String {
    let mut table = new_table([
        "method",
        "mean regret",
        "90 % interval",
        "violations",
        "overshoot",
        "hypervolume",
        "us per design",
    ]);
    for (name, summary) in report.methods() {
        table.add_row(summary_row(name, summary));
    }
    format!(
        "{table}\n{} {} each, confidence {}, seed {}.\n{}",
        what_counts(&report.devices),
        plural(report.probes, "probe"),
        report.confidence,
        report.seed,
        report.accuracies
    )
}

fn summary_row(name: &str, summary: &OptimizerSummary) -> [String; 7] {
    [
        name.to_string(),
        format!("{:.2}", summary.mean_regret),
        format!("{:.2} to {:.2}", summary.mean_regret_low, summary.mean_regret_high),
        format!("{:.3}", summary.violation_rate),
        format!("{:.3}", summary.mean_overshoot),
        format!("{:.4}", summary.hypervolume_ratio),
        format!("{:.0}", summary.microseconds_per_design),
    ]
}

fn large_space_table(report: &LargeSpaceReport) -> String {
    let mut table = new_table([
        "method",
        "mean gap",
        "90 % interval",
        "median gap",
        "limits missed",
        "found more",
        "violations",
        "overshoot",
        "us per design",
    ]);
    for (method, summary) in report.methods() {
        table.add_row(large_space_row(method.label(), summary));
    }
    let bought = report.policy_gain.as_ref().map(|gain| format!("\n{gain}"));
    format!(
        "{table}\n{} {} each, confidence {}, {} evaluations of NSGA-II, seed {}.\n{} at once take {:.0} us each. NSGA-II takes \
         {:.0} times as long for one design, and {:.0} times as long as for one of those.{}",
        what_counts(&report.devices),
        plural(report.probes, "probe"),
        report.confidence,
        report.budget,
        report.seed,
        plural(report.batch.designs, "design"),
        report.batch.microseconds_per_design,
        report.times_faster,
        report.times_faster_in_batch,
        bought.unwrap_or_default(),
    )
}

fn large_space_row(method: &str, summary: &LargeSpaceSummary) -> [String; 9] {
    let of_oracle = |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.3}"));
    let oracle = summary.oracle.as_ref();
    [
        method.to_string(),
        format!("{:.3}", summary.mean_gap),
        format!("{:.3} to {:.3}", summary.mean_gap_low, summary.mean_gap_high),
        format!("{:.3}", summary.median_gap),
        format!("{:.3}", summary.missed),
        format!("{:.3}", summary.found_more),
        of_oracle(oracle.map(|oracle| oracle.violation_rate)),
        of_oracle(oracle.map(|oracle| oracle.mean_overshoot)),
        format!("{:.0}", summary.microseconds_per_design),
    ]
}
