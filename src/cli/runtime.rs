//! The runtime that a command measures with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::error::{Error, Result};
use crate::runtime::{OnnxLibrary, RuntimeOptions};

/// What stands for the package of Python in place of a library.
const PYTHON: &str = "python";

/// Which runtime, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct RuntimeArgs {
    /// What runs the models
    #[arg(long, value_enum, default_value = "embedded")]
    runtime: RuntimeKind,
    /// Library of ONNX Runtime, or `python` for the one in Python's package onnxruntime [default: $ORT_DYLIB_PATH]
    #[arg(long)]
    library: Option<PathBuf>,
    /// Command of `--runtime command`, in which {model}, {threads}, {warmup} and {runs} are replaced; see docs/MEASURING.md
    #[arg(long)]
    command: Option<String>,
    /// Seconds after which one call of the command is ended
    #[arg(long, default_value_t = 120)]
    time_limit: u64,
    /// Threads that every model is run with
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
}

/// The runtimes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RuntimeKind {
    /// The one in this program
    Embedded,
    /// ONNX Runtime, from a library that is installed
    Onnxruntime,
    /// Any tool, here or on another device
    Command,
}

impl RuntimeArgs {
    /// The runtime in the library's terms.
    pub(crate) fn options(&self) -> Result<RuntimeOptions> {
        let is_command = self.runtime == RuntimeKind::Command;
        let misplaced = [
            ("--command", self.command.is_some() && !is_command, "--runtime command"),
            (
                "--library",
                self.library.is_some() && self.runtime != RuntimeKind::Onnxruntime,
                "--runtime onnxruntime",
            ),
        ];
        if let Some((option, _, wanted)) = misplaced.into_iter().find(|(_, is, _)| *is) {
            return Err(invalid(option, wanted, "another runtime", "Leave one of them out."));
        }
        Ok(match (self.runtime, &self.command) {
            (RuntimeKind::Embedded, _) => RuntimeOptions::Embedded,
            (RuntimeKind::Onnxruntime, _) => RuntimeOptions::OnnxRuntime {
                library: match &self.library {
                    None => OnnxLibrary::Environment,
                    Some(path) if path == Path::new(PYTHON) => OnnxLibrary::PythonPackage,
                    Some(path) => OnnxLibrary::File(path.clone()),
                },
            },
            (RuntimeKind::Command, Some(template)) => RuntimeOptions::Command {
                template: template.clone(),
                time_limit: Duration::from_secs(self.time_limit),
            },
            (RuntimeKind::Command, None) => {
                return Err(invalid(
                    "--runtime command",
                    "--command '...' with the tool to call",
                    "none",
                    "docs/MEASURING.md has some to copy.",
                ));
            }
        })
    }

    /// Threads.
    pub(crate) fn threads(&self) -> usize {
        usize::from(self.threads)
    }

    /// Whether models run in this process.
    pub(crate) fn is_local(&self) -> bool {
        self.runtime != RuntimeKind::Command
    }

    /// The runtime's name in datasheets, where it is known beforehand.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self.runtime {
            RuntimeKind::Embedded => Some("rten"),
            RuntimeKind::Onnxruntime => Some("onnxruntime"),
            RuntimeKind::Command => None,
        }
    }
}

fn invalid(what: &str, expected: &str, found: &str, hint: &str) -> Error {
    Error::Invalid {
        what: what.into(),
        expected: expected.into(),
        found: found.into(),
        hint: hint.into(),
    }
}
