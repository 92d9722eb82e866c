//! The command line: one verb per file, each of which parses its arguments, calls the library, and prints.

mod adapt;
mod benchmark;
mod choices;
mod completions;
mod data;
mod describe;
mod design;
mod device;
mod devices;
mod evaluate;
mod evaluate_accuracy;
mod evaluate_datasheets;
mod evaluate_optimizer;
mod explain;
mod export;
mod interrupt;
mod measure;
mod measuring;
mod pareto;
mod predict;
mod printable;
mod progress;
mod proxy;
mod proxy_adapt;
mod proxy_compare;
mod quickstart;
mod report;
mod runtime;
mod search;
mod table;
mod train;
mod tune;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

pub use self::printable::printable;
use self::progress::Bars;
use crate::advisor::Advisor;
use crate::compute::Backend;
use crate::dataset::{Dataset, Reading};
use crate::error::{Error, Result};
use crate::files::{FileKind, check_replaceable, check_writable, write_bytes};
use crate::predict::DeviceModel;
use crate::report::Context;
use crate::seed::Seed;
use crate::space::QuantPolicy;

/// Exit status when no design meets the limits.
const NOTHING_FEASIBLE: u8 = 3;

/// Chooses a neural network for a device and limits, in milliseconds, with honest intervals.
#[derive(Debug, Parser)]
#[command(name = "edgefit", version, max_term_width = 120, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  edgefit design --checkpoint nasbench201 --device pixel3 --max-latency-ms 10
  edgefit data summary datasets/nasbench201-fleet

Examples run in a clone, after those of the commands before them: data, train, probes, adapt.

Results go to stdout, messages and progress to stderr.
Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 nothing feasible.";

/// Options of every verb.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// What computes: flex and ndarray run on the CPU, wgpu on a GPU
    #[arg(long, global = true, value_enum, default_value = "flex")]
    pub(crate) backend: Backend,
    /// Seed of every random choice
    #[arg(long, global = true, default_value_t = 0)]
    pub(crate) seed: u64,
    /// No messages and no progress bars
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    /// Replace what --out names even where it holds measurements, a stopped training or something else that would be lost
    #[arg(long, global = true)]
    pub(crate) force: bool,
}

/// The datasets that a verb works on.
#[derive(Debug, Clone, Args)]
pub(crate) struct DatasetArgs {
    /// Dataset folders, merged
    #[arg(long = "dataset", required = true, num_args = 1..)]
    pub(crate) folders: Vec<PathBuf>,
    /// Precision to take of devices measured at several, such as int8 [default: the only one]
    #[arg(long)]
    pub(crate) precision: Option<QuantPolicy>,
}

impl DatasetArgs {
    /// Reads them with their accuracies.
    pub(crate) fn read(&self, global: &Global) -> Result<Dataset> {
        self.read_as(&Reading::default(), global)
    }

    /// Reads them for work that looks at no accuracies.
    pub(crate) fn read_without_accuracies(&self, global: &Global) -> Result<Dataset> {
        let reading = Reading {
            without_accuracies: true,
            ..Reading::default()
        };
        self.read_as(&reading, global)
    }

    /// Reads those of a search space as one dataset, or of their only one, and those of each other space as another.
    pub(crate) fn read_spaces(
        &self,
        space: Option<&str>,
        reading: &Reading,
        global: &Global,
    ) -> Result<(Dataset, Vec<Dataset>)> {
        let reading = Reading {
            precision: self.precision,
            ..reading.clone()
        };
        Dataset::read_spaces(&self.folders, space, &reading, &global.progress())
    }

    /// Reads them at the precision chosen.
    pub(crate) fn read_as(&self, reading: &Reading, global: &Global) -> Result<Dataset> {
        let reading = Reading {
            precision: self.precision,
            ..reading.clone()
        };
        Dataset::read_all(&self.folders, &reading, &global.progress())
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Measure, adapt and design on this machine with what the binary carries: no network, no other data, about a minute
    Quickstart(quickstart::QuickstartArgs),
    /// Import, check and describe datasets
    #[command(subcommand)]
    Data(data::DataVerb),
    /// Learn from datasets
    #[command(subcommand)]
    Train(train::TrainVerb),
    /// Choose the architectures whose measurement on a new device tells most
    #[command(after_help = "Example:\n  edgefit probes --checkpoint nasbench201 --count 10 --out probes.csv")]
    Probes(adapt::ProbesArgs),
    /// Learn a new device from a few measurements
    #[command(
        after_help = "Example:\n  edgefit adapt --checkpoint nasbench201 --probes examples/probes.csv --device examples/phone.toml --out phone.json\n\nexamples/probes.csv shows the form; its latencies are simulated."
    )]
    Adapt(adapt::AdaptArgs),
    /// Predict accuracy, latency and energy of architectures on a device
    #[command(after_help = "\
Examples:
  edgefit predict --checkpoint nasbench201 --device pixel3 --architectures examples/cells.txt
  edgefit predict --checkpoint nasbench201 --device phone.json --architectures - --format json < examples/cells.txt")]
    Predict(predict::PredictArgs),
    /// Choose designs for a device and limits, at once
    #[command(after_help = "\
Examples:
  edgefit design --checkpoint nasbench201 --device pixel3 --max-latency-ms 10
  edgefit design --checkpoint nasbench201 --device phone.json --max-latency-ms 10 --min-accuracy 60 --format json
  edgefit design --checkpoint nasbench201 --device phone.json --latency-weight 0.5
  edgefit design --checkpoint nasbench201 --device pixel3 --precisions fp32,int8 --max-latency-ms 10

Without limits and weights the most accurate designs are chosen. Exit status 3: no design meets the limits; the closest is
printed.")]
    Design(design::DesignArgs),
    /// Search designs for one device under the predictor, which `design` replaces
    #[command(
        after_help = "Example:\n  edgefit search nsga2 --checkpoint nasbench201 --device pixel3 --max-latency-ms 10"
    )]
    Search(search::SearchArgs),
    /// Choose the design for each of many limits on latency at once
    #[command(after_help = "\
Examples:
  edgefit pareto --checkpoint nasbench201 --device pixel3
  edgefit pareto --checkpoint nasbench201 --device pixel3 --limits-ms 5,10,20 --format csv --svg pareto.svg
  edgefit pareto --checkpoint nasbench201 --device pixel3 --precisions fp32,int8")]
    Pareto(pareto::ParetoArgs),
    /// Write a design as an ONNX file, for any runtime
    #[command(after_help = "\
Examples:
  edgefit export --design '|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|' --out cell.onnx
  edgefit design --checkpoint nasbench201 --device pixel3 --max-latency-ms 10 --format json > designs.json
  edgefit export --from designs.json --precision int8 --out design.onnx

Weights are random, which is enough to measure latency.")]
    Export(export::ExportArgs),
    /// Train, adapt and score a named few-shot benchmark, beside published figures
    #[command(after_help = "\
Examples:
  edgefit benchmark examples/benchmark.toml --dataset datasets/nasbench201-fleet --by-device
  edgefit benchmark nd --dataset datasets/nasbench201-fleet --probes 0,10 --repeats 2 --json

A benchmark names known and unseen devices; examples/benchmark.toml is one to copy from. Published figures belong to measured
devices: import those first, as in `edgefit data import help HELP --space nasbench201 --out nb201`.")]
    Benchmark(benchmark::BenchmarkArgs),
    /// Measure architectures on this machine, or by any tool on another, as a dataset
    #[command(after_help = "\
Examples:
  edgefit measure --checkpoint nasbench201 --probes 10 --out measured
  edgefit adapt --checkpoint nasbench201 --probes measured --out machine.json
  edgefit measure --space nasbench201 --architectures examples/cells.txt --precision fp16 --threads 2 --out measured
  edgefit measure --space nasbench201 --architectures examples/cells.txt --precision int8-except-first-last --out measured

Ctrl-C keeps what was measured; the same command with --resume continues. docs/MEASURING.md says how it is measured, and how on
phones and other devices.")]
    Measure(measure::MeasureArgs),
    /// Describe this machine, or say where the time of networks goes on a device
    #[command(subcommand)]
    Device(describe::DeviceVerb),
    /// Measure, adapt, design, and measure the designs, until the best within every limit is found; then export it
    #[command(after_help = "\
Examples:
  edgefit tune --checkpoint nasbench201 --limits-ms 3,6 --probes 5 --budget 12 --out tuned
  edgefit tune --checkpoint nasbench201 --max-latency-ms 5 --runtime onnxruntime --library python --out tuned-ort
  edgefit tune --checkpoint nasbench201 --max-latency-ms 20 --precisions fp32,int8,int8-except-last --budget 60 --out tuned-int8

The folder gets a model (ONNX, random weights) for every limit, report.html, tuning.json, the adapted device for `edgefit design`, and
all measurements as datasets. Exit status 3: no design that was measured holds any limit.")]
    Tune(tune::TuneArgs),
    /// List the devices known by name, or show the datasheet of one
    #[command(after_help = "\
Examples:
  edgefit devices
  edgefit devices pytorch --class gpu
  edgefit devices --checkpoint nasbench201
  edgefit devices pixel3")]
    Devices(devices::DevicesArgs),
    /// Find out which devices stand for others, and adapt them (One Proxy Device Is Enough)
    #[command(subcommand)]
    Proxy(proxy::ProxyVerb),
    /// Score a checkpoint on devices that it has not seen
    #[command(subcommand)]
    Evaluate(evaluate::EvaluateVerb),
    /// Write what a checkpoint is worth as one HTML file with figures, for screens and for print
    #[command(subcommand)]
    Report(report::ReportVerb),
    /// Print what a shell needs to complete commands and options
    #[command(after_help = "Example:\n  edgefit completions bash > edgefit.bash")]
    Completions(completions::CompletionsArgs),
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Whatever went wrong, to be printed for the user; see [`Error::exit_code`].
    pub fn run(&self) -> Result<ExitCode> {
        interrupt::handle(self.verb.kept());
        match &self.verb {
            Verb::Quickstart(args) => quickstart::run(args, &self.global),
            Verb::Data(verb) => data::run(verb, &self.global),
            Verb::Train(verb) => train::run(verb, &self.global),
            Verb::Probes(args) => adapt::probes(args, &self.global),
            Verb::Adapt(args) => adapt::adapt(args, &self.global),
            Verb::Predict(args) => predict::run(args, &self.global),
            Verb::Design(args) => design::run(args, &self.global),
            Verb::Search(args) => search::run(args, &self.global),
            Verb::Pareto(args) => pareto::run(args, &self.global),
            Verb::Export(args) => export::run(args, &self.global),
            Verb::Benchmark(args) => benchmark::run(args, &self.global),
            Verb::Measure(args) => measure::run(args, &self.global),
            Verb::Device(verb) => describe::run(verb, &self.global),
            Verb::Tune(args) => tune::run(args, &self.global),
            Verb::Devices(args) => devices::run(args, &self.global),
            Verb::Proxy(verb) => proxy::run(verb, &self.global),
            Verb::Evaluate(verb) => evaluate::run(verb, &self.global),
            Verb::Report(verb) => report::run(verb, &self.global),
            Verb::Completions(args) => completions::run(args),
        }
    }
}

impl Verb {
    /// What is there after the command was interrupted, and how to go on, unless it keeps a state to resume from.
    fn kept(&self) -> &'static str {
        match self {
            Verb::Quickstart(_) => "quickstart keeps nothing; run it again",
            Verb::Benchmark(_) => "what was printed is complete; run the other benchmarks again by their names",
            Verb::Report(_) => "no report was written; run the command again",
            Verb::Data(_) => "datasets are as they were; run the command again",
            Verb::Measure(_) => "measuring had not begun; run the command again",
            Verb::Train(_) => "training had not begun; run the command again",
            _ => "files are as they were; run the command again",
        }
    }
}

impl Global {
    /// A message for the user on stderr.
    pub(crate) fn say(&self, message: impl AsRef<str>) {
        if !self.quiet {
            // Nobody is left to be told when stderr is gone.
            let _ = writeln!(io::stderr(), "{}", printable(message.as_ref()));
        }
    }

    /// What the rows of an answer about a device share.
    pub(crate) fn context(&self, device: &DeviceModel) -> Context {
        Context {
            device: device.id.clone(),
            checkpoint: device.predictor.clone(),
            seed: self.seed,
        }
    }

    /// A checkpoint with the options of every verb.
    pub(crate) fn advisor(&self, checkpoint: &Path) -> Result<Advisor> {
        Advisor::open_with(checkpoint, self.backend, Seed(self.seed))
    }

    /// Progress bars on stderr, hidden where nobody watches.
    pub(crate) fn progress(&self) -> Bars {
        Bars::new(!self.quiet && io::stderr().is_terminal())
    }
}

/// The name that stands for stdout where a file is written.
pub(crate) const STDOUT: &str = "-";

impl Global {
    /// Refuses, before the work, a file that cannot be written or whose content would be lost.
    pub(crate) fn check_out(&self, path: &Path, kind: FileKind) -> Result<()> {
        if path == Path::new(STDOUT) {
            return Ok(());
        }
        if !self.force {
            check_replaceable(path, kind)?;
        }
        check_writable(path)
    }

    /// Writes a file, and says so; or to stdout for `-`.
    pub(crate) fn write_out(&self, path: &Path, bytes: &[u8], written: &str) -> Result<()> {
        if path == Path::new(STDOUT) {
            let mut stdout = io::stdout().lock();
            let done = stdout.write_all(bytes).and_then(|()| stdout.flush());
            return done.map_err(Error::io("write", "stdout"));
        }
        write_bytes(path, bytes)?;
        self.say(written);
        Ok(())
    }
}

/// Adds to an error about values that are hardly possible which option says that they are meant.
pub(crate) fn unless_meant(error: Error, option: &str) -> Error {
    match error {
        Error::Implausible {
            what,
            expected,
            found,
            hint,
        } => Error::Implausible {
            what,
            expected,
            found,
            hint: format!("{hint} Repeat the command with {option} if they are meant."),
        },
        other => other,
    }
}

/// Writes a result to stdout.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", printable(text.trim_end()))
        .and_then(|()| stdout.flush())
        .map_err(Error::io("write", "stdout"))
}

/// Writes a result to stdout as JSON.
pub(crate) fn print_json<T: Serialize>(value: &T) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::io("write", "stdout")(error.into()))?;
    print(&text)
}
