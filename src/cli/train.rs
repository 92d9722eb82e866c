//! `edgefit train`: learn a predictor from datasets.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{DatasetArgs, Global, interrupt, unless_meant};
use crate::checkpoint::Checkpoint;
use crate::compute::ComputeDevice;
use crate::dataset::{Dataset, Reading};
use crate::error::{Error, Result};
use crate::files::{LockedFolder, read_configuration};
use crate::optimize::{self, OptimizerConfig};
use crate::predict::fit::{FitOptions, Others, extend, fit_with};
use crate::predict::{Ablation, Predictor};
use crate::seed::Seed;
use crate::training::{Run, Session, Start};

#[derive(Debug, Subcommand)]
pub(crate) enum TrainVerb {
    /// Learn latency, energy and accuracy of architectures on known devices
    #[command(after_help = "\
Examples:
  edgefit train predictor --dataset datasets/nasbench201-fleet --out fleet
  edgefit train predictor --dataset datasets/nasbench201-fleet --devices 1080ti,pixel3,edgetpu --samples-per-device 200 --out few
  edgefit train predictor --from few --dataset datasets/nasbench201-fleet --devices raspi4,jetson_nano --out more

Ctrl-C keeps what was done; the same command with --resume continues. --from adds devices to a checkpoint in seconds.")]
    Predictor(Box<PredictorArgs>),
    /// Learn to answer at once what a search under the predictor would find
    #[command(after_help = "\
Example:
  edgefit train optimizer --predictor few --out few

The checkpoint written holds the predictor too. Ctrl-C keeps what was done; --resume continues.")]
    Optimizer(OptimizerArgs),
}

#[derive(Debug, Args)]
pub(crate) struct OptimizerArgs {
    /// Checkpoint with a predictor: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    predictor: PathBuf,
    /// TOML file with options of the training, see configs/optimizer.toml
    #[arg(long)]
    config: Option<PathBuf>,
    /// Continue a run that was stopped
    #[arg(long)]
    resume: bool,
    /// Checkpoint folder to write; may be that of the predictor
    #[arg(long)]
    out: PathBuf,
}

/// Options of a training, which an extension does without.
const TRAINING: [&str; 10] = [
    "space",
    "profiles_from",
    "teacher",
    "task",
    "samples_per_device",
    "accuracy_samples",
    "forget_accuracies",
    "without",
    "config",
    "resume",
];

#[derive(Debug, Args)]
pub(crate) struct PredictorArgs {
    #[command(flatten)]
    datasets: DatasetArgs,
    /// Checkpoint to add the dataset's devices to, which keeps all else: a folder, or the name of a shipped one
    #[arg(long, conflicts_with_all = TRAINING)]
    from: Option<PathBuf>,
    /// Search space to learn, where the datasets are of several: those of the others give the devices profiles that hold in all
    /// spaces
    #[arg(long)]
    space: Option<String>,
    /// Further datasets, of other search spaces: devices that were measured there too get profiles that hold in all spaces
    #[arg(long)]
    profiles_from: Vec<PathBuf>,
    /// Datasets with accuracies of the same architectures under other conditions, such as at full precision or at other tasks, from
    /// which the accuracy is learned as a drop
    #[arg(long)]
    teacher: Vec<PathBuf>,
    /// Task whose accuracy is learned, and at whose input size latencies are taken [default: the dataset's only one]
    #[arg(long)]
    task: Option<String>,
    /// Known devices, as ids or hardware units, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    devices: Vec<String>,
    /// Learn from latencies that seem to be in another unit than ms, too
    #[arg(long)]
    trust_units: bool,
    /// Maximum architectures used per device, drawn at random [default: all]
    #[arg(long)]
    samples_per_device: Option<usize>,
    /// Maximum architectures whose accuracy is used, drawn at random [default: all]
    #[arg(long)]
    accuracy_samples: Option<usize>,
    /// Leave the accuracies trained on out of the checkpoint, to publish it; all accuracies are then predicted
    #[arg(long)]
    forget_accuracies: bool,
    /// Parts to train without, separated by commas, to see what they are worth
    #[arg(long, value_enum, value_delimiter = ',')]
    without: Vec<Ablation>,
    /// TOML file with the same options and those of the training, see configs/predictor.toml; flags win over it
    #[arg(long)]
    config: Option<PathBuf>,
    /// Continue a run that was stopped
    #[arg(long)]
    resume: bool,
    /// Checkpoint folder to write
    #[arg(long)]
    out: PathBuf,
}

/// What a checkpoint was trained with, written beside it.
#[derive(Serialize)]
struct RunFile {
    edgefit: &'static str,
    /// The predictor that was extended.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    seed: u64,
    backend: String,
    datasets: Vec<String>,
    /// Datasets of other search spaces that profiles were fitted to as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    profiles_from: Vec<String>,
    /// Datasets with accuracies under other conditions, and the SHA-256 of what was read from each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    teachers: Vec<(String, String)>,
    /// SHA-256 of what was read from the datasets.
    data: String,
    options: FitOptions,
}

/// What the training of an optimizer began with, kept with its state.
#[derive(Serialize)]
struct OptimizerRunFile<'a> {
    seed: u64,
    backend: String,
    predictor: &'a str,
    options: &'a OptimizerConfig,
}

pub(crate) fn run(verb: &TrainVerb, global: &Global) -> Result<ExitCode> {
    match verb {
        TrainVerb::Predictor(args) => predictor(args, global),
        TrainVerb::Optimizer(args) => optimizer(args, global),
    }
}

fn predictor(args: &PredictorArgs, global: &Global) -> Result<ExitCode> {
    let options = options(args)?;
    let compute = global.backend.device()?;
    if let Some(from) = &args.from {
        return extension(args, from, &options, &compute, global);
    }
    let (dataset, mut profiles) = (args.datasets).read_spaces(args.space.as_deref(), &Reading::default(), global)?;
    profiles.extend(read_each(&args.profiles_from)?);
    let others = Others {
        profiles,
        teachers: read_each(&args.teacher)?,
    };
    let out = LockedFolder::open(&args.out)?;
    if !global.force {
        Checkpoint::check_replaceable(&args.out, None)?;
    }
    let run_file = run_file(args, None, &dataset, &others.teachers, &options, global)?;
    let session = Session::begin(&args.out, "run.toml", &run_file, start(args.resume, global))?;
    let (predictor, session) = trained(session, &compute, global, |run| {
        fit_with(&dataset, &others, &options, run)
    })?;
    let predictor = Checkpoint::save_predictor(&out, predictor, &[("run.toml", run_file.as_bytes())])?;
    session.finish()?;
    global.say(format!(
        "learned {} devices{}; checkpoint {} in {}",
        predictor.known_devices().len(),
        predictor.accuracy.as_ref().map_or(String::new(), |accuracy| format!(
            " and the {} at {} (rank correlation {:.3} on architectures held out)",
            accuracy.kind().name(),
            accuracy.scale.task,
            accuracy.scale.validation_spearman
        )),
        predictor.id,
        args.out.display()
    ));
    say_shortcomings(&predictor, global);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn read_each(folders: &[PathBuf]) -> Result<Vec<Dataset>> {
    folders.iter().map(|folder| Dataset::read(folder)).collect()
}

/// Adds the devices of a dataset to a checkpoint.
fn extension(
    args: &PredictorArgs,
    from: &Path,
    options: &FitOptions,
    compute: &ComputeDevice,
    global: &Global,
) -> Result<ExitCode> {
    let checkpoint = Checkpoint::resolve(from)?;
    let before = checkpoint.predictor(compute)?;
    let optimizer = checkpoint
        .has_optimizer()
        .then(|| checkpoint.optimizer(compute))
        .transpose()?;
    let dataset = args.datasets.read_without_accuracies(global)?;
    let out = LockedFolder::open(&args.out)?;
    if !global.force {
        Checkpoint::check_replaceable(&args.out, Some(checkpoint.id()))?;
    }
    let run_file = run_file(args, Some(checkpoint.id()), &dataset, &[], options, global)?;
    let extended =
        extend(&before, &dataset, options, Seed(global.seed)).map_err(|error| unless_meant(error, "--trust-units"))?;
    let keeps_optimizer = optimizer.is_some();
    let after = Checkpoint::save_extended(&out, extended, optimizer, &[("run.toml", run_file.as_bytes())])?;
    let (known, earlier) = (after.known_devices(), before.known_devices().len());
    global.say(format!(
        "added {} to the {earlier} devices of {}; checkpoint {} in {}",
        known[earlier..].join(", "),
        from.display(),
        after.id,
        args.out.display()
    ));
    global.say(if keeps_optimizer {
        "towers, accuracies, calibrations and the optimizer are as they were; devices adapted before are to be adapted again"
    } else {
        "towers, accuracies and calibrations are as they were; devices adapted before are to be adapted again"
    });
    say_shortcomings(&after, global);
    Ok(ExitCode::SUCCESS)
}

/// What is missing for what comes later.
fn say_shortcomings(predictor: &Predictor, global: &Global) {
    for shortcoming in predictor.shortcomings() {
        global.say(format!("note: {shortcoming}"));
    }
}

fn optimizer(args: &OptimizerArgs, global: &Global) -> Result<ExitCode> {
    let config: OptimizerConfig = match &args.config {
        Some(path) => read_configuration(path)?,
        None => OptimizerConfig::default(),
    };
    let compute = global.backend.device()?;
    let checkpoint = Checkpoint::resolve(&args.predictor)?;
    let predictor = checkpoint.predictor(&compute)?;
    let out = LockedFolder::open(&args.out)?;
    if !global.force {
        Checkpoint::check_replaceable(&args.out, Some(checkpoint.id()))?;
    }
    let options = toml_of(&OptimizerRunFile {
        seed: global.seed,
        backend: backend(global),
        predictor: &predictor.id,
        options: &config,
    })?;
    let session = Session::begin(&args.out, "optimizer.toml", &options, start(args.resume, global))?;
    let (optimizer, session) = trained(session, &compute, global, |run| optimize::fit(&predictor, &config, run))?;
    checkpoint.save_with_optimizer(&out, &optimizer)?;
    session.finish()?;
    global.say(format!(
        "learned to choose designs; checkpoint in {}",
        args.out.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn start(resume: bool, global: &Global) -> Start {
    match (resume, global.force) {
        (true, _) => Start::Resumed,
        (false, true) => Start::Over,
        (false, false) => Start::New,
    }
}

/// What `train` learns, with the session that is to be finished when it is written.
fn trained<T>(
    session: Session,
    compute: &ComputeDevice,
    global: &Global,
    train: impl FnOnce(&Run) -> Result<T>,
) -> Result<(T, Session)> {
    interrupt::state_is_kept();
    let learned = train(&Run {
        device: compute,
        seed: Seed(global.seed),
        state: Some(session.state()),
        resume: session.resumes(),
        progress: &global.progress(),
    });
    match learned {
        Ok(learned) => Ok((learned, session)),
        Err(error) => {
            session.abandon();
            Err(error)
        }
    }
}

/// Defaults, then the file, then flags.
fn options(args: &PredictorArgs) -> Result<FitOptions> {
    let mut options: FitOptions = match &args.config {
        Some(path) => read_configuration(path)?,
        None => FitOptions::default(),
    };
    if args.task.is_some() {
        options.task = args.task.clone();
    }
    if !args.devices.is_empty() {
        options.devices = args.devices.clone();
    }
    options.precision = args.datasets.precision.or(options.precision);
    options.trust_units |= args.trust_units;
    options.samples_per_device = args.samples_per_device.or(options.samples_per_device);
    options.accuracy_samples = args.accuracy_samples.or(options.accuracy_samples);
    options.forget_accuracies |= args.forget_accuracies;
    options.without.extend(&args.without);
    options.check()?;
    Ok(options)
}

fn run_file(
    args: &PredictorArgs,
    from: Option<&str>,
    dataset: &Dataset,
    teachers: &[Dataset],
    options: &FitOptions,
    global: &Global,
) -> Result<String> {
    let name = |path: &PathBuf| {
        path.file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    let run = RunFile {
        edgefit: env!("CARGO_PKG_VERSION"),
        from: from.map(str::to_string),
        seed: global.seed,
        backend: backend(global),
        datasets: args.datasets.folders.iter().map(name).collect(),
        profiles_from: args.profiles_from.iter().map(name).collect(),
        teachers: args
            .teacher
            .iter()
            .map(name)
            .zip(teachers.iter().map(Dataset::digest))
            .collect(),
        data: dataset.digest(),
        options: options.clone(),
    };
    toml_of(&run)
}

fn backend(global: &Global) -> String {
    format!("{:?}", global.backend).to_lowercase()
}

fn toml_of<T: Serialize>(run: &T) -> Result<String> {
    toml::to_string(run).map_err(|error| Error::Invalid {
        what: "options of the training".into(),
        expected: "options that TOML can hold".into(),
        found: error.to_string(),
        hint: "Shorten the options.".into(),
    })
}
