//! The command line: one verb per file, each of which parses its arguments, calls the library, and prints.

mod data;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::compute::Backend;
use crate::error::{Error, Result};

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
  edgefit data import help HELP --space nasbench201 --out nb201
  edgefit data import nats-bench nats_bench.csv --space nasbench201 --out nb201
  edgefit data summary nb201

Results go to stdout, messages and progress to stderr.
Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 nothing feasible.";

/// Options of every verb.
#[derive(Debug, Clone, Args)]
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
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Import, check and describe datasets
    #[command(subcommand)]
    Data(data::DataVerb),
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Whatever went wrong, to be printed for the user; see [`Error::exit_code`].
    pub fn run(&self) -> Result<ExitCode> {
        match &self.verb {
            Verb::Data(verb) => data::run(verb, &self.global),
        }
    }
}

impl Global {
    /// A message for the user on stderr.
    pub(crate) fn say(&self, message: impl AsRef<str>) {
        if !self.quiet {
            // Nobody is left to be told when stderr is gone.
            let _ = writeln!(io::stderr(), "{}", message.as_ref());
        }
    }

    /// A progress bar on stderr, hidden where nobody watches. `unit` is `bytes` or the plural of what is counted.
    pub(crate) fn progress(&self, what: &str, unit: &str) -> ProgressBar {
        let target = match self.quiet || !io::stderr().is_terminal() {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let counted = match unit {
            "bytes" => "{bytes}/{total_bytes}".to_string(),
            unit => format!("{{pos}}/{{len}} {unit}"),
        };
        let template = format!("{{prefix}} {{wide_bar}} {counted}, {{eta}} left {{msg}}");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(None, target)
            .with_style(style)
            .with_prefix(what.to_string())
    }
}

/// Writes a result to stdout.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", text.trim_end())
        .and_then(|()| stdout.flush())
        .map_err(Error::io("write", "stdout"))
}
