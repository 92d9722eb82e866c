//! What can go wrong, said so that the reader knows where, what was expected, what was found and what to do next.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure with its place, expectation, finding and remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {action} {path}: {source}{remedy}", path = path.display(), remedy = remedy(source.kind()))]
    Io {
        /// What was tried, as a verb: "read", "write", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what its format promises.
    #[error("{path}{place}: expected {}, found {}. {hint}", short(expected), short(found), path = path.display(), place = place(*line, column.as_deref()))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line number, counted from 1, for text files.
        line: Option<u64>,
        /// Column, key or entry.
        column: Option<String>,
        /// What the format asks for.
        expected: String,
        /// What stood there.
        found: String,
        /// What to do next.
        hint: String,
    },
    /// A configuration file that is malformed: not data that is broken, but a mistake in what was asked for.
    #[error(transparent)]
    Configuration(Box<Error>),
    /// A name that nothing is registered under.
    #[error("unknown {kind} `{}`{nearest}. Known: {known}", short(name), nearest = did_you_mean(name, known), known = abridged(known))]
    Unknown {
        /// What kind of thing was named: "device", "config key", "search space".
        kind: &'static str,
        /// The name given.
        name: String,
        /// The names that would have worked.
        known: Vec<String>,
    },
    /// A value, asked for or given, outside of what can be worked with.
    #[error(
        "{}: expected {}, found {}. {}",
        short(what),
        short(expected),
        short(found),
        short(hint)
    )]
    Invalid {
        /// The quantity, argument or key.
        what: String,
        /// What it has to be.
        expected: String,
        /// What it was.
        found: String,
        /// What to do next.
        hint: String,
    },
    /// Measured values that are hardly possible. They are taken once it is confirmed that they are meant.
    #[error(
        "{}: expected {}, found {}. {}",
        short(what),
        short(expected),
        short(found),
        short(hint)
    )]
    Implausible {
        /// What was measured.
        what: String,
        /// What it can be.
        expected: String,
        /// What it was.
        found: String,
        /// The unit that was probably meant, or what to check.
        hint: String,
    },
    /// The data or the models at hand lack what the request needs.
    #[error(
        "{}: expected {}, found {}. {}",
        short(what),
        short(expected),
        short(found),
        short(hint)
    )]
    Insufficient {
        /// What the request is about.
        what: String,
        /// What it needs.
        expected: String,
        /// What there is of it.
        found: String,
        /// What to do next.
        hint: String,
    },
    /// A training whose loss is no longer a number.
    #[error("training diverged: the loss of {what} is {loss}. Lower the learning rate.")]
    Diverged {
        /// Which loss: of what, and in which epoch or step.
        what: String,
        /// The loss, infinite or not a number.
        loss: f32,
    },
    /// A checkpoint that cannot be used.
    #[error("checkpoint {path}: expected {}, found {}. {hint}", short(expected), short(found), path = path.display())]
    Checkpoint {
        /// The checkpoint folder or the file in it.
        path: PathBuf,
        /// What it has to be.
        expected: String,
        /// What it was.
        found: String,
        /// What to do next.
        hint: String,
    },
    /// A place to write to that holds something else, which would be lost.
    #[error("{path} holds {holds}, which would be lost. Name another place.", path = path.display())]
    Occupied {
        /// The file or folder.
        path: PathBuf,
        /// What is there.
        holds: String,
    },
    /// A folder that another process is writing to.
    #[error("{path} is in use: another edgefit is writing to it. Try again when it is done.", path = path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// A runtime that cannot be used as it was asked for: its library or its program is missing or does not fit.
    #[error("{runtime}: expected {expected}, found {found}. {hint}")]
    Runtime {
        /// The runtime.
        runtime: String,
        /// What it needs.
        expected: String,
        /// What there is.
        found: String,
        /// What to do next.
        hint: String,
    },
    /// A model that a runtime did not run. Others it may run, so that this one can be left out.
    #[error("{runtime} did not run {model}: {failure}{stderr}", model = model.display(), stderr = last_words(stderr))]
    Run {
        /// The runtime, or the program that was to run the model.
        runtime: String,
        /// The model's file.
        model: PathBuf,
        /// What went wrong.
        failure: RunFailure,
        /// The last lines that a program wrote to its standard error; empty where there are none.
        stderr: String,
    },
    /// Long work was stopped from outside.
    #[error("interrupted; {}", kept(.state.as_deref()))]
    Interrupted {
        /// Where the state is kept that the work can be resumed from, if it is kept.
        state: Option<PathBuf>,
    },
}

/// Why a model was not run, or what was told of its runs is no measurement.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RunFailure {
    /// The runtime does not take the model, or failed while running it.
    #[error("{0}")]
    Refused(String),
    /// The program ended with a failure.
    #[error("it ended with {0}. Run it by hand on this model to see why.")]
    Exit(String),
    /// The program ended well and printed nothing.
    #[error("it printed nothing. Its standard output has to end with a line of results.")]
    NothingPrinted,
    /// The program printed something that is no result.
    #[error("expected {expected} at the end of its standard output, found `{found}`")]
    Unreadable {
        /// What can be read.
        expected: String,
        /// What stood there, abridged.
        found: String,
    },
    /// A latency or energy that nothing can have taken.
    #[error("expected {what} above 0, found {found}. Look at how the program computes it.")]
    NoMeasurement {
        /// The quantity.
        what: &'static str,
        /// The value.
        found: String,
    },
    /// The program did not end in time, and was ended.
    #[error("it had not ended after {seconds} s and was stopped. Raise the time limit, or see what it waits for.")]
    TimeLimit {
        /// The time limit.
        seconds: f64,
    },
}

impl Error {
    /// An [`Error::Io`] made from what the system said, for `map_err`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { action, path, source }
    }

    /// The same failure, of a file that says what to do.
    pub(crate) fn in_configuration(self) -> Error {
        match self {
            malformed @ Error::Malformed { .. } => Error::Configuration(Box::new(malformed)),
            other => other,
        }
    }

    /// The exit status of the program that ends with this failure:
    ///
    /// | Status | Meaning |
    /// |---|---|
    /// | 0 | done; also when whoever reads the results wants no more of them |
    /// | 1 | failed: a file that is missing, broken or in use, data that lack what is needed, a training that diverged or was stopped, a runtime that cannot be used or does not run a model |
    /// | 2 | the request or its configuration cannot be met as it stands: an unknown name, a value out of range, a result that would replace something else |
    /// | 3 | no design meets the limits; the closest one is printed. Not an error of this type |
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Unknown { .. }
            | Error::Invalid { .. }
            | Error::Implausible { .. }
            | Error::Configuration(_)
            | Error::Occupied { .. } => 2,
            Error::Io { .. }
            | Error::Malformed { .. }
            | Error::Insufficient { .. }
            | Error::Diverged { .. }
            | Error::Checkpoint { .. }
            | Error::Locked { .. }
            | Error::Runtime { .. }
            | Error::Run { .. }
            | Error::Interrupted { .. } => 1,
        }
    }
}

/// What helps against the commonest refusals of the system.
fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => ". Check the path.",
        io::ErrorKind::PermissionDenied => ". Check who may use it, or name another place.",
        io::ErrorKind::IsADirectory => ". Name a file, not a folder.",
        _ => "",
    }
}

/// What a program wrote last to its standard error, indented below the message.
fn last_words(stderr: &str) -> String {
    if stderr.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = stderr.lines().map(|line| format!("  {line}")).collect();
    format!("\nIts standard error ended with:\n{}", lines.join("\n"))
}

/// What is left of work that was interrupted, and how it goes on.
fn kept(state: Option<&Path>) -> String {
    match state {
        Some(state) => format!("the state to resume from is kept in {}", state.display()),
        None => "nothing of it is kept: run it again".into(),
    }
}

/// What files and users gave, as it stands in a message: its beginning and its end where it is long.
fn short(text: &str) -> Cow<'_, str> {
    const HALF: usize = 200;
    let length = text.chars().count();
    if length <= 2 * HALF {
        return text.into();
    }
    let start: String = text.chars().take(HALF).collect();
    let end: String = text.chars().skip(length - HALF).collect();
    format!("{start}...{end}").into()
}

fn place(line: Option<u64>, column: Option<&str>) -> String {
    let column = column.map(short);
    match (line, column) {
        (Some(line), Some(column)) => format!(":{line} ({column})"),
        (Some(line), None) => format!(":{line}"),
        (None, Some(column)) => format!(" ({column})"),
        (None, None) => String::new(),
    }
}

/// " (did you mean `x`?)" for the known name nearest to `name`, or nothing when none is near.
pub(crate) fn did_you_mean(name: &str, known: &[String]) -> String {
    known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| format!(" (did you mean `{}`?)", short(candidate)))
        .unwrap_or_default()
}

fn abridged(known: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<Cow<'_, str>> = known.iter().take(SHOWN).map(|name| short(name)).collect();
    match known.len() {
        0 => "none".into(),
        n if n <= SHOWN => shown.join(", "),
        n => format!("{} and {} more", shown.join(", "), n - SHOWN),
    }
}
