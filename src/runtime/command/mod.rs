//! Any tool as a runtime: a command that runs a model, here or on another device, and prints how long each run took.
//!
//! `docs/MEASURING.md` has recipes for phones, boards and the tools of ONNX Runtime and TensorFlow Lite.

mod output;
mod process;
mod template;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::process::Ended;
use self::template::Template;
use super::{Round, Runtime, Samples, Session};
use crate::error::{Error, Result, RunFailure};

/// Lines of a program's standard error that a message shows.
const SHOWN_LINES: usize = 5;

/// A tool that is started anew for every round.
#[derive(Debug, Clone)]
pub struct Command {
    template: Template,
    time_limit: Duration,
}

impl Command {
    /// A tool, as a template of its command line; see [`RuntimeOptions::Command`](super::RuntimeOptions::Command).
    ///
    /// # Errors
    /// [`Error::Invalid`] for a template that cannot be split into words, that names no model, or that holds an unknown
    /// placeholder; [`Error::Runtime`] if there is no such program.
    pub fn new(template: &str, time_limit: Duration) -> Result<Command> {
        let template = Template::parse(template)?;
        process::find(template.program())?;
        Ok(Command { template, time_limit })
    }
}

impl Runtime for Command {
    fn describe(&self) -> String {
        self.template.to_string()
    }

    fn load<'a>(&'a self, model: &Path, threads: usize) -> Result<Box<dyn Session + 'a>> {
        Ok(Box::new(Call {
            command: self,
            model: model.into(),
            threads: threads.max(1),
        }))
    }
}

/// The tool on one model.
struct Call<'a> {
    command: &'a Command,
    model: PathBuf,
    threads: usize,
}

impl Call<'_> {
    fn failed(&self, failure: RunFailure, stderr: &str) -> Error {
        let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        Error::Run {
            runtime: format!("`{}`", self.command.template.program()),
            model: self.model.clone(),
            failure,
            stderr: lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n"),
        }
    }
}

impl Session for Call<'_> {
    fn measure(&mut self, round: &Round) -> Result<Samples> {
        let words = self.command.template.words(&self.model, self.threads, round);
        let (ended, stdout, stderr) = process::run(&words, self.command.time_limit)?;
        match ended {
            Ended::Well => output::parse(&stdout, &stderr).map_err(|failure| self.failed(failure, &stderr)),
            Ended::Badly(status) => Err(self.failed(RunFailure::Exit(status), &stderr)),
            Ended::TooLate => {
                let seconds = self.command.time_limit.as_secs_f64();
                Err(self.failed(RunFailure::TimeLimit { seconds }, &stderr))
            }
        }
    }
}
