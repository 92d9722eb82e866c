//! `edgefit train`: learn a predictor from datasets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{DatasetArgs, Global, interrupt};
use crate::checkpoint::Checkpoint;
use crate::compute::ComputeDevice;
use crate::error::{Error, Result};
use crate::files::{LockedFolder, read_configuration, write_bytes};
use crate::optimize::{self, OptimizerConfig};
use crate::predict::fit::{FitOptions, fit};
use crate::seed::Seed;
use crate::training::Run;

/// Folder, inside of the checkpoint, with the state of training that was stopped.
const STATE: &str = ".training";

#[derive(Debug, Subcommand)]
pub(crate) enum TrainVerb {
    /// Learn latency, energy and accuracy of architectures on known devices
    #[command(after_help = "\
Examples:
  edgefit train predictor --dataset nb201 --task cifar100 --out checkpoints/nb201
  edgefit train predictor --dataset nb201 --task cifar100 --devices 1080ti,pixel3 --samples-per-device 900 --out few

Ctrl-C keeps what was done; the same command with --resume continues.")]
    Predictor(PredictorArgs),
    /// Learn to answer at once what a search under the predictor would find
    #[command(after_help = "\
Example:
  edgefit train optimizer --predictor checkpoints/nb201 --out checkpoints/nb201

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

#[derive(Debug, Args)]
pub(crate) struct PredictorArgs {
    #[command(flatten)]
    datasets: DatasetArgs,
    /// Task whose accuracy is learned, and at whose input size latencies are taken [default: the dataset's only one]
    #[arg(long)]
    task: Option<String>,
    /// Known devices, as ids or hardware units, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    devices: Vec<String>,
    /// Maximum architectures used per device, drawn at random [default: all]
    #[arg(long)]
    samples_per_device: Option<usize>,
    /// Maximum architectures whose accuracy is used, drawn at random [default: all]
    #[arg(long)]
    accuracy_samples: Option<usize>,
    /// Leave the accuracies trained on out of the checkpoint, to publish it; all accuracies are then predicted
    #[arg(long)]
    forget_accuracies: bool,
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
    seed: u64,
    backend: String,
    datasets: Vec<String>,
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
    let dataset = args.datasets.read(global)?;
    let out = LockedFolder::open(&args.out)?;
    let state = args.out.join(STATE);
    let run_file = run_file(args, &options, global, &state)?;
    let at = (global, args.resume, args.out.as_path());
    let options_file = ("run.toml", run_file.as_str());
    let predictor = trained(at, options_file, &compute, |run| fit(&dataset, &options, run))?;
    let predictor = Checkpoint::save_predictor(&out, predictor, &[("run.toml", run_file.as_bytes())])?;
    fs::remove_dir_all(&state).map_err(Error::io("remove", &state))?;
    global.say(format!(
        "learned {} devices{}; checkpoint {} in {}",
        predictor.known_devices().len(),
        predictor.accuracy.as_ref().map_or(String::new(), |accuracy| format!(
            " and the accuracy at {} (rank correlation {:.3} on architectures held out)",
            accuracy.scale.task, accuracy.scale.validation_spearman
        )),
        predictor.id,
        args.out.display()
    ));
    Ok(ExitCode::SUCCESS)
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
    let state = args.out.join(STATE);
    let options = toml_of(
        &OptimizerRunFile {
            seed: global.seed,
            backend: backend(global),
            predictor: &predictor.id,
            options: &config,
        },
        &state,
    )?;
    let at = (global, args.resume, args.out.as_path());
    let options_file = ("optimizer.toml", options.as_str());
    let optimizer = trained(at, options_file, &compute, |run| {
        optimize::fit(&predictor, &config, run)
    })?;
    checkpoint.save_with_optimizer(&out, &optimizer)?;
    fs::remove_dir_all(&state).map_err(Error::io("remove", &state))?;
    global.say(format!(
        "learned to choose designs; checkpoint in {}",
        args.out.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// What `train` learns, with a state inside of the checkpoint folder, where the options are noted.
fn trained<T>(
    (global, resume, out): (&Global, bool, &Path),
    (name, options): (&str, &str),
    compute: &ComputeDevice,
    train: impl FnOnce(&Run) -> Result<T>,
) -> Result<T> {
    let state = out.join(STATE);
    begin(&state, name, options, resume)?;
    interrupt::state_is_kept();
    let run = Run {
        device: compute,
        seed: Seed(global.seed),
        state: Some(&state),
        resume,
        progress: &global.progress(),
    };
    train(&run).map_err(|error| discard(error, out))
}

/// Leaves nothing behind of training that ended before it kept anything to resume from.
fn discard(error: Error, out: &Path) -> Error {
    let state = out.join(STATE);
    let kept = fs::read_dir(&state).is_ok_and(|mut entries| {
        // The options are noted in a file; what can be resumed from is in folders.
        entries.any(|entry| entry.is_ok_and(|entry| entry.path().is_dir()))
    });
    if !kept {
        // The error that ended the training is the one to tell.
        let _ = fs::remove_dir_all(state);
        let _ = fs::remove_dir(out);
    }
    error
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
    options.samples_per_device = args.samples_per_device.or(options.samples_per_device);
    options.accuracy_samples = args.accuracy_samples.or(options.accuracy_samples);
    options.forget_accuracies |= args.forget_accuracies;
    options.check()?;
    Ok(options)
}

fn run_file(args: &PredictorArgs, options: &FitOptions, global: &Global, state: &Path) -> Result<String> {
    let name = |path: &PathBuf| {
        path.file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    let run = RunFile {
        edgefit: env!("CARGO_PKG_VERSION"),
        seed: global.seed,
        backend: backend(global),
        datasets: args.datasets.folders.iter().map(name).collect(),
        options: options.clone(),
    };
    toml_of(&run, state)
}

fn backend(global: &Global) -> String {
    format!("{:?}", global.backend).to_lowercase()
}

fn toml_of<T: Serialize>(run: &T, state: &Path) -> Result<String> {
    toml::to_string(run).map_err(|error| Error::Invalid {
        what: state.display().to_string(),
        expected: "options that TOML can hold".into(),
        found: error.to_string(),
        hint: "Shorten the options.".into(),
    })
}

/// Makes the folder for the state and notes the options in it, as `name`. A run is only continued with the options that it
/// began with; otherwise its parts would not fit together. For the same reason a run that starts over finds nothing there.
fn begin(state: &Path, name: &str, options: &str, resume: bool) -> Result<()> {
    let noted = state.join(name);
    if resume && noted.exists() {
        let found = fs::read_to_string(&noted).map_err(Error::io("read", &noted))?;
        return if found == options {
            Ok(())
        } else {
            Err(Error::Invalid {
                what: "--resume".into(),
                expected: format!("the options in {}", noted.display()),
                found: "others".into(),
                hint: "Repeat the first command, or leave --resume out to start over.".into(),
            })
        };
    }
    if state.exists() {
        fs::remove_dir_all(state).map_err(Error::io("remove", state))?;
    }
    fs::create_dir_all(state).map_err(Error::io("create", state))?;
    write_bytes(&noted, options.as_bytes())
}
