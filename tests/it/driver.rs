//! Runs `edgefit` and looks at what it says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Run {
        Run {
            status: output.status.code().expect("edgefit was killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Fails the test unless the run succeeded.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Run {
        assert_eq!(self.status, 0, "{self:?}");
        self
    }

    /// Fails the test unless the run failed with this status and a message that holds all of `parts`.
    #[track_caller]
    pub(crate) fn failed(self, status: i32, parts: &[&str]) -> Run {
        assert_eq!(self.status, status, "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "no `{part}` in: {}", self.stderr);
        }
        self
    }
}

/// The program under test.
pub(crate) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_edgefit"))
}

/// Runs the program with arguments separated by blanks; `{name}` stands for a file of `folder`.
pub(crate) fn edgefit(folder: &Path, arguments: &str) -> Run {
    let arguments = arguments
        .split_whitespace()
        .map(|argument| match argument.strip_prefix('{') {
            Some(name) => folder.join(name.trim_end_matches('}')).into_os_string(),
            None => argument.into(),
        });
    Run::of(std::process::Command::new(program()).args(arguments).output().unwrap())
}

/// A folder with these files, after these runs, none of which may fail.
pub(crate) fn prepared(files: &[(&str, &str)], lines: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    for line in lines {
        edgefit(folder.path(), line).succeeded();
    }
    folder
}

/// The folder with real measurements, or `None` after saying that the test is passed over.
pub(crate) fn real_data() -> Option<PathBuf> {
    let folder = std::env::var_os("EDGEFIT_DATA_DIR").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("passed over: EDGEFIT_DATA_DIR is not set");
    }
    folder
}
