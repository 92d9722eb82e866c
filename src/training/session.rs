//! The state of a training inside of the folder that its result will be written to, from which a stopped one continues.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files::write_bytes;

/// Name of the state's folder inside of the result's.
const STATE: &str = ".training";

/// How a training begins where an earlier one may have been stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// From the beginning; refused where a stopped one would be lost.
    New,
    /// From where the earlier one was stopped, if there is one.
    Resumed,
    /// From the beginning, whatever is there.
    Over,
}

/// A training that keeps a state. It ends with [`Session::finish`], or with [`Session::abandon`].
#[derive(Debug)]
pub struct Session {
    result: PathBuf,
    state: PathBuf,
    resume: bool,
}

impl Session {
    /// Makes the folder for the state inside of `result` and notes the options in it, as a file called `name`. The options
    /// identify the data too.
    ///
    /// A training is only resumed with the options that it began with: otherwise its parts would not fit together. For the
    /// same reason one that starts over finds nothing of an earlier one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a training to be resumed that began with other options or data; [`Error::Occupied`] where one
    /// that was stopped would be lost; [`Error::Io`].
    pub fn begin(result: &Path, name: &str, options: &str, start: Start) -> Result<Session> {
        let session = Session {
            result: result.to_path_buf(),
            state: result.join(STATE),
            resume: start == Start::Resumed,
        };
        let noted = session.state.join(name);
        if session.resume && noted.exists() {
            let began_with = fs::read_to_string(&noted).map_err(Error::io("read", &noted))?;
            return match first_difference(&began_with, options) {
                None => Ok(session),
                Some((expected, found)) => Err(Error::Invalid {
                    what: "training to be resumed".into(),
                    expected: format!("`{expected}`, as in {}", noted.display()),
                    found: format!("`{found}`"),
                    hint: "Resume it with the options and the data that it began with, or start over.".into(),
                }),
            };
        }
        if start == Start::New && session.has_progress() {
            return Err(Error::Occupied {
                path: session.state,
                holds: "a training that was stopped and can be resumed".into(),
            });
        }
        if session.state.exists() {
            fs::remove_dir_all(&session.state).map_err(Error::io("remove", &session.state))?;
        }
        fs::create_dir_all(&session.state).map_err(Error::io("create", &session.state))?;
        write_bytes(&noted, options.as_bytes())?;
        Ok(session)
    }

    /// Where the state is kept.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Whether the training continues from what is in the state, if there is anything.
    pub fn resumes(&self) -> bool {
        self.resume
    }

    /// Removes the state, after the result was written.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self) -> Result<()> {
        fs::remove_dir_all(&self.state).map_err(Error::io("remove", &self.state))
    }

    /// Ends a training that failed: its state is kept if there is anything to resume from, and removed otherwise, together with
    /// a result folder that holds nothing else.
    pub fn abandon(self) {
        if !self.has_progress() {
            // The error that ended the training is the one to tell.
            let _ = fs::remove_dir_all(&self.state);
            let _ = fs::remove_dir(&self.result);
        }
    }

    fn has_progress(&self) -> bool {
        fs::read_dir(&self.state).is_ok_and(|mut entries| {
            // The options are noted in a file; what can be resumed from is in folders.
            entries.any(|entry| entry.is_ok_and(|entry| entry.path().is_dir()))
        })
    }
}

/// The first lines in which two texts differ.
fn first_difference<'a>(one: &'a str, other: &'a str) -> Option<(&'a str, &'a str)> {
    let lines = one.lines().count().max(other.lines().count());
    let padded = |text: &'a str| text.lines().chain(std::iter::repeat("nothing"));
    padded(one)
        .zip(padded(other))
        .take(lines)
        .find(|(one, other)| one != other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_resumed_with_its_own_options_only() {
        let folder = tempfile::tempdir().unwrap();
        let begin = |options: &str, start: Start| Session::begin(folder.path(), "run.toml", options, start);
        let session = begin("a = 1", Start::New).unwrap();
        fs::create_dir(session.state().join("latency-0")).unwrap();
        session.abandon();
        let message = begin("a = 2", Start::Resumed).unwrap_err().to_string();
        assert!(
            message.contains("expected `a = 1`") && message.contains("run.toml, found `a = 2`"),
            "{message}"
        );
        let longer = begin("a = 1\nb = 1", Start::Resumed).unwrap_err().to_string();
        assert!(
            longer.contains("expected `nothing`") && longer.contains("found `b = 1`"),
            "{longer}"
        );
        let lost = begin("a = 1", Start::New).unwrap_err();
        assert!(matches!(lost, Error::Occupied { .. }), "{lost}");
        let resumed = begin("a = 1", Start::Resumed).unwrap();
        assert!(resumed.state().join("latency-0").exists());
        // Starting over leaves nothing of what was there.
        let fresh = begin("a = 2", Start::Over).unwrap();
        assert!(!fresh.state().join("latency-0").exists());
        fresh.finish().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn without_anything_to_resume_from_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let result = folder.path().join("checkpoint");
        Session::begin(&result, "run.toml", "", Start::New).unwrap().abandon();
        assert!(!result.exists());
    }
}
