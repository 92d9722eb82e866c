//! What runs a model and says how long it took: one trait, [`Runtime`], before everything that can do that.
//!
//! | Runtime | What it needs | Timed by |
//! |---|---|---|
//! | [`RuntimeOptions::Embedded`] | nothing: it is part of the binary | edgefit |
//! | [`RuntimeOptions::OnnxRuntime`] | the shared library of ONNX Runtime, found when it is opened | edgefit |
//! | [`RuntimeOptions::Command`] | a tool that runs a model, here or on another device | the tool |
//!
//! The first two run in this process and share one loop around a monotonic clock, [`time`]. How many rounds are
//! measured, in which order, and what is made of the samples is no matter of a runtime.

mod command;
mod embedded;
mod onnxruntime;
mod timing;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result, RunFailure};

pub use command::Command;
pub use embedded::Embedded;
pub use onnxruntime::OnnxRuntime;
pub use timing::time;

/// Something that runs models.
pub trait Runtime: Send + Sync {
    /// Name and version, as in `rten 0.27.0`.
    fn describe(&self) -> String;

    /// Makes a model ready to be run with so many threads: everything that happens once, so that [`Session::measure`]
    /// times inference alone.
    ///
    /// # Errors
    /// [`Error::Run`] of a model that this runtime refuses; others it may still run.
    fn load<'a>(&'a self, model: &Path, threads: usize) -> Result<Box<dyn Session + 'a>>;
}

/// A model that is ready to run.
pub trait Session {
    /// Runs the model again and again and says how long each run took.
    ///
    /// # Errors
    /// [`Error::Run`] if a run fails or what the runtime tells of it cannot be a measurement.
    fn measure(&mut self, round: &Round) -> Result<Samples>;
}

/// How long to run a model: runs and seconds are both lower bounds, so that fast models are run often enough and slow
/// ones long enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// Runs before the first one that counts, at least.
    pub warmup_runs: usize,
    /// Seconds of running before the first run that counts, at least.
    pub warmup_seconds: f64,
    /// Runs that count, at least. One is run in any case.
    pub runs: usize,
    /// Seconds of runs that count, at least.
    pub seconds: f64,
}

/// What one round measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// Milliseconds of every run that counts, in the order in which they ran; finite and above zero, at least one.
    pub latency_ms: Vec<f64>,
    /// Millijoules per run, where whoever ran the model measured them.
    pub energy_mj: Option<f64>,
    /// What whoever ran the model has to say of these samples.
    pub warnings: Vec<String>,
    /// What ran the model, where that is known only afterwards: what a tool says of itself.
    pub runtime: Option<String>,
}

/// Which runtime to open, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RuntimeOptions {
    /// The one in the binary.
    #[default]
    Embedded,
    /// ONNX Runtime, from a shared library.
    OnnxRuntime {
        /// Where the library is.
        library: OnnxLibrary,
    },
    /// Any tool.
    Command {
        /// The command with its arguments, in which `{model}`, `{threads}`, `{warmup}` and `{runs}` are replaced, and
        /// `{warmup_seconds}` and `{seconds}` for tools that can run that long. No shell sees it; quotes hold words together
        /// as in a shell.
        template: String,
        /// How long one call, that is, one round, may take before it is ended.
        time_limit: Duration,
    },
}

/// Where the shared library of ONNX Runtime is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OnnxLibrary {
    /// At the path in the environment variable `ORT_DYLIB_PATH`.
    #[default]
    Environment,
    /// In this file.
    File(PathBuf),
    /// In the package `onnxruntime` of the Python interpreter `python3` on the path.
    PythonPackage,
}

/// Opens a runtime.
///
/// # Errors
/// [`Error::Runtime`] if it cannot be used on this machine or with these options.
pub fn open(options: &RuntimeOptions) -> Result<Box<dyn Runtime>> {
    match options {
        RuntimeOptions::Embedded => Ok(Box::new(Embedded)),
        RuntimeOptions::OnnxRuntime { library } => Ok(Box::new(OnnxRuntime::open(library)?)),
        RuntimeOptions::Command { template, time_limit } => Ok(Box::new(Command::new(template, *time_limit)?)),
    }
}

/// The input that models are run on in this process: values over [-1, 1] that do not repeat soon, always the same.
fn input(elements: usize) -> Vec<f32> {
    (0..elements).map(|index| (index as f32).sin()).collect()
}

/// A model that a runtime in this process does not take, or does not get through.
fn refused(runtime: &str, model: &Path, error: &dyn Display) -> Error {
    Error::Run {
        runtime: runtime.into(),
        model: model.into(),
        failure: RunFailure::Refused(error.to_string()),
        stderr: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A runtime whose models take as long as their file name says, in milliseconds.
    struct Fake;

    impl Runtime for Fake {
        fn describe(&self) -> String {
            "fake 1.0".into()
        }

        fn load<'a>(&'a self, model: &Path, _threads: usize) -> Result<Box<dyn Session + 'a>> {
            let name = model.file_stem().unwrap().to_string_lossy();
            let milliseconds = name.parse().map_err(|error| Error::Run {
                runtime: self.describe(),
                model: model.into(),
                failure: RunFailure::Refused(format!("{error}")),
                stderr: String::new(),
            })?;
            Ok(Box::new(Sleeping(Duration::from_millis(milliseconds))))
        }
    }

    struct Sleeping(Duration);

    impl Session for Sleeping {
        fn measure(&mut self, round: &Round) -> Result<Samples> {
            timing::time(round, || {
                std::thread::sleep(self.0);
                Ok(())
            })
        }
    }

    const ROUND: Round = Round {
        warmup_runs: 1,
        warmup_seconds: 0.0,
        runs: 3,
        seconds: 0.0,
    };

    #[test]
    fn a_session_is_timed_in_milliseconds() {
        let samples = Fake.load(Path::new("5.onnx"), 1).unwrap().measure(&ROUND).unwrap();
        assert_eq!(samples.latency_ms.len(), 3);
        // Sleeping takes no less than asked for, and far less than a second more.
        assert!(
            samples
                .latency_ms
                .iter()
                .all(|&latency_ms| (5.0..1_000.0).contains(&latency_ms)),
            "{samples:?}"
        );
    }

    #[test]
    fn a_refused_model_is_named_with_its_runtime() {
        let error = Fake.load(Path::new("models/odd.onnx"), 1).err().unwrap();
        assert!(matches!(&error, Error::Run { .. }));
        let message = error.to_string();
        assert!(
            message.starts_with("fake 1.0 did not run models/odd.onnx: "),
            "{message}"
        );
        assert_eq!(error.exit_code(), 1);
    }
}
