//! `edgefit evaluate`: score a checkpoint on devices that it has not seen.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::device::unseen;
use super::evaluate_accuracy::{self, AccuracyArgs};
use super::evaluate_datasheets::{self, DatasheetsArgs};
use super::evaluate_optimizer::{self, OptimizerArgs};
use super::table::new_table;
use super::{DatasetArgs, Global, print, print_json};
use crate::checkpoint::Checkpoint;
use crate::dataset::{Dataset, Reading, Task};
use crate::error::{Error, Result};
use crate::evaluate::devices::what_counts;
use crate::evaluate::predictor::{
    ElsewhereProbes, LikeProbes, PredictorReport, PredictorScoring, ProbeChoice, Protocol, score_predictor,
};
use crate::evaluate::task::learned_task;
use crate::metric::Metric;
use crate::predict::Predictor;
use crate::seed::Seed;

#[derive(Debug, Subcommand)]
pub(crate) enum EvaluateVerb {
    /// Adapt to each device with a few of its measurements and score the predictions of the others
    #[command(after_help = "\
Examples:
  edgefit evaluate predictor --checkpoint few --dataset datasets/nasbench201-fleet --devices fpga,raspi4 --probes 0,5,10,20
  edgefit evaluate predictor --checkpoint few --dataset datasets/nasbench201-fleet --probe-choice chosen --json

Shares (coverage, within 10 %) lie between 0 and 1. Intervals are 90 % bootstrap intervals.")]
    Predictor(PredictorArgs),
    /// Adapt to each device and look up how good the designs chosen for a grid of limits really are
    #[command(after_help = "\
Example:
  edgefit evaluate optimizer --checkpoint few --dataset table --devices raspi4 --probes 10 --confidence 0.9

Regret is in percentage points of accuracy against the best architecture in the table within the limit, and zero where a
better one exceeds the limit: exceeding it is counted as a violation, not as a gain. Overshoot is the share of the limit by
which a latency is above it, averaged over the designs that are. The hypervolume ratio is 1 for the best designs there are.

No table holds all of a large search space. There designs are compared with those of a long NSGA-II under the same predictor:
the gap is in percentage points of predicted accuracy, over the limits that both keep. Violations and overshoot are then those
that the oracle sees, if there is one.")]
    Optimizer(OptimizerArgs),
    /// Learn accuracies from a share of the architectures and score the predictions of the others; no checkpoint is needed
    #[command(after_help = "\
Example:
  edgefit evaluate accuracy --dataset datasets/nasbench201-fleet --task simulated-cifar100

Where architectures come with bits, one is held out with all its bits. The drop is that from the teacher's accuracy at the task of the
same name, else at its first.")]
    Accuracy(AccuracyArgs),
    /// Predict known devices from their datasheets alone, without what is known of them; no dataset is needed
    #[command(after_help = "\
Examples:
  edgefit evaluate datasheets --checkpoint nasbench201
  edgefit evaluate datasheets --checkpoint nasbench201 --leave-out class

Scores are of the latencies that the checkpoint gives the devices. Beside the predictor stands a network that learns from the devices
not left out what profile a datasheet speaks of.")]
    Datasheets(DatasheetsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PredictorArgs {
    #[command(flatten)]
    choices: PredictorChoices,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// What a predictor is scored on.
#[derive(Debug, Args)]
pub(crate) struct PredictorChoices {
    /// Checkpoint: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    pub(crate) checkpoint: PathBuf,
    #[command(flatten)]
    pub(crate) datasets: DatasetArgs,
    /// Unseen devices, as ids or hardware units, separated by commas [default: all that the checkpoint was not trained on]
    #[arg(long, value_delimiter = ',')]
    devices: Vec<String>,
    /// Numbers of probes
    #[arg(long, value_delimiter = ',', default_value = "0,5,10,20")]
    probes: Vec<usize>,
    /// Repeats with other random probes
    #[arg(long, default_value_t = 10)]
    repeats: usize,
    /// Which measurements are scored
    #[arg(long, value_enum, default_value = "full")]
    protocol: Protocol,
    /// How probes are picked among the device's measurements
    #[arg(long, value_enum, default_value = "random")]
    probe_choice: ProbeChoice,
    /// Dataset of another search space with measurements of the same devices, of which some are probes as well
    #[arg(long)]
    probes_from: Option<PathBuf>,
    /// Search space among those of the datasets, other than the checkpoint's, whose measurements are probes as well
    #[arg(long, conflicts_with = "probes_from")]
    probe_space: Option<String>,
    /// Number of probes of that other search space, drawn at random
    #[arg(long, default_value_t = 10)]
    other_probes: usize,
    /// Dataset with measurements of the same hardware at another precision, batch size or number of threads, which are adapted to first
    #[arg(long)]
    like: Option<PathBuf>,
    /// Number of probes of that other setting, drawn at random
    #[arg(long, default_value_t = 10)]
    like_probes: usize,
    /// Score energy instead of latency
    #[arg(long)]
    energy: bool,
    /// Count devices whose values are predicted (sums of block tables, say) in the means too
    #[arg(long)]
    with_predicted: bool,
    /// Score on latencies that seem to be in another unit than ms, too
    #[arg(long)]
    trust_units: bool,
}

pub(crate) fn run(verb: &EvaluateVerb, global: &Global) -> Result<ExitCode> {
    match verb {
        EvaluateVerb::Predictor(args) => predictor(args, global),
        EvaluateVerb::Optimizer(args) => evaluate_optimizer::run(args, global),
        EvaluateVerb::Accuracy(args) => evaluate_accuracy::run(args, global),
        EvaluateVerb::Datasheets(args) => evaluate_datasheets::run(args, global),
    }
}

fn predictor(args: &PredictorArgs, global: &Global) -> Result<ExitCode> {
    let report = args.choices.scored(global)?.report;
    if args.json {
        print_json(&report)?
    } else {
        print(&table(&report))?
    }
    Ok(ExitCode::SUCCESS)
}

/// A scored predictor with all that it was scored on.
pub(crate) struct ScoredPredictor {
    pub(crate) predictor: Predictor,
    pub(crate) dataset: Dataset,
    pub(crate) task: Option<Task>,
    pub(crate) scoring: PredictorScoring,
    pub(crate) report: PredictorReport,
}

impl PredictorChoices {
    /// What the predictor is scored on, and the dataset of another search space that some probes are of.
    fn datasets_for(&self, predictor: &Predictor, global: &Global) -> Result<(Dataset, Option<Dataset>)> {
        let Some(probe_space) = &self.probe_space else {
            let dataset = self.datasets.read_without_accuracies(global)?;
            return Ok((dataset, self.probes_from.as_deref().map(Dataset::read).transpose()?));
        };
        let reading = Reading {
            without_accuracies: true,
            ..Reading::default()
        };
        let (dataset, mut others) = (self.datasets).read_spaces(Some(predictor.space.id()), &reading, global)?;
        let known = others.iter().map(|other| other.space.id().to_string()).collect();
        let place = others.iter().position(|other| other.space.id() == probe_space);
        let place = place.ok_or_else(|| Error::Unknown {
            kind: "search space of the datasets beside the checkpoint's",
            name: probe_space.clone(),
            known,
        })?;
        Ok((dataset, Some(others.swap_remove(place))))
    }

    pub(crate) fn scored(&self, global: &Global) -> Result<ScoredPredictor> {
        let compute = global.backend.device()?;
        let mut predictor = Checkpoint::resolve(&self.checkpoint)?.predictor(&compute)?;
        let (dataset, others) = self.datasets_for(&predictor, global)?;
        let task = learned_task(&predictor, &dataset)?;
        let learned = predictor.encoder.input_size();
        if let Some(input) = dataset.selected_input(task.as_ref())?.filter(|input| *input != learned) {
            global.say(format!(
                "note: the dataset was measured at {input}, the checkpoint learned from {learned}; work is counted at {input}"
            ));
            predictor = predictor.at_input(input);
        }
        let metric = if self.energy { Metric::Energy } else { Metric::Latency };
        let scoring = PredictorScoring {
            metric,
            devices: unseen(&predictor, &dataset, &self.devices, self.trust_units, global)?,
            probes: self.probes.clone(),
            repeats: self.repeats,
            protocol: self.protocol,
            choice: self.probe_choice,
            with_predicted: self.with_predicted,
            elsewhere: others
                .map(|others| ElsewhereProbes::new(&others, metric, self.other_probes))
                .transpose()?,
            like: match &self.like {
                Some(folder) => Some(LikeProbes::new(
                    &Dataset::read(folder)?,
                    metric,
                    task.as_ref(),
                    self.like_probes,
                )?),
                None => None,
            },
            seed: Seed(global.seed),
        };
        let report = score_predictor(&predictor, &dataset, task.as_ref(), &scoring, &global.progress())?;
        Ok(ScoredPredictor {
            predictor,
            dataset,
            task,
            scoring,
            report,
        })
    }
}

fn table(report: &PredictorReport) -> String {
    let mut table = new_table([
        "device",
        "probes",
        "SRCC",
        "90 % interval",
        "Kendall",
        "MAPE %",
        "median error %",
        "within 10 %",
        "coverage of 90 %",
    ]);
    for row in &report.rows {
        table.add_row([
            report.label(&row.device),
            row.probes.to_string(),
            format!("{:.3}", row.spearman.mean),
            format!("{:.3} to {:.3}", row.spearman.low, row.spearman.high),
            format!("{:.3}", row.kendall.mean),
            format!("{:.1}", row.mape_percent.mean),
            format!("{:.1}", row.median_error_percent.mean),
            format!("{:.2}", row.within_10_percent.mean),
            format!("{:.2}", row.coverage_90.mean),
        ]);
    }
    for mean in &report.mean {
        table.add_row([
            "mean".to_string(),
            mean.probes.to_string(),
            format!("{:.3}", mean.spearman),
            format!("{:.3} to {:.3}", mean.spearman_low, mean.spearman_high),
            format!("{:.3}", mean.kendall),
            format!("{:.1} (median)", mean.median_mape_percent),
            format!("{:.1}", mean.median_error_percent),
            format!("{:.2}", mean.within_10_percent),
            format!("{:.2}", mean.coverage_90),
        ]);
    }
    format!(
        "{table}\n{} Their MAPE is that of the median unit. Protocol {}, seed {}.",
        what_counts(&report.devices),
        report.protocol.name(),
        report.seed
    )
}
