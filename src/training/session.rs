//! The state of a training inside of the folder that its result will be written to, from which a stopped one continues.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files::write_bytes;

/// Name of the state's folder inside of the result's.
const STATE: &str = ".training";

/// A training that keeps a state. It ends with [`Session::finish`], or with [`Session::abandon`].
#[derive(Debug)]
pub struct Session {
    result: PathBuf,
    state: PathBuf,
    resume: bool,
}

impl Session {
    /// Makes the folder for the state inside of `result` and notes the options in it, as a file called `name`.
    ///
    /// A training is only resumed with the options that it began with: otherwise its parts would not fit together. For the
    /// same reason one that starts over finds nothing of an earlier one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a training to be resumed that began with other options; [`Error::Io`].
    pub fn begin(result: &Path, name: &str, options: &str, resume: bool) -> Result<Session> {
        let session = Session {
            result: result.to_path_buf(),
            state: result.join(STATE),
            resume,
        };
        let noted = session.state.join(name);
        if resume && noted.exists() {
            let found = fs::read_to_string(&noted).map_err(Error::io("read", &noted))?;
            return if found == options {
                Ok(session)
            } else {
                Err(Error::Invalid {
                    what: "options of the training to be resumed".into(),
                    expected: format!("those in {}", noted.display()),
                    found: "others".into(),
                    hint: "Resume it with the options that it began with, or start over.".into(),
                })
            };
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
        let kept = fs::read_dir(&self.state).is_ok_and(|mut entries| {
            // The options are noted in a file; what can be resumed from is in folders.
            entries.any(|entry| entry.is_ok_and(|entry| entry.path().is_dir()))
        });
        if !kept {
            // The error that ended the training is the one to tell.
            let _ = fs::remove_dir_all(&self.state);
            let _ = fs::remove_dir(&self.result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_resumed_with_its_own_options_only() {
        let folder = tempfile::tempdir().unwrap();
        let begin = |options: &str, resume: bool| Session::begin(folder.path(), "run.toml", options, resume);
        let session = begin("a = 1", false).unwrap();
        fs::create_dir(session.state().join("latency-0")).unwrap();
        session.abandon();
        let message = begin("a = 2", true).unwrap_err().to_string();
        assert!(message.contains("run.toml"), "{message}");
        let resumed = begin("a = 1", true).unwrap();
        assert!(resumed.state().join("latency-0").exists());
        // Starting over leaves nothing of what was there.
        let fresh = begin("a = 2", false).unwrap();
        assert!(!fresh.state().join("latency-0").exists());
        fresh.finish().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn without_anything_to_resume_from_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let result = folder.path().join("checkpoint");
        Session::begin(&result, "run.toml", "", false).unwrap().abandon();
        assert!(!result.exists());
    }
}
