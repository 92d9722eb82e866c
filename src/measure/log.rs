//! The raw samples beside the summary: `samples.jsonl` in a dataset folder, to which a line is added and flushed to disk after
//! every round of every design. It is what an interrupted run continues from. Readers of datasets pass it over.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Protocol;
use super::host::{Busy, HostState};
use crate::error::{Error, Result};
use crate::files::{LockedFolder, read_bounded};

/// Name of the file in a dataset folder.
pub const SAMPLES_FILE: &str = "samples.jsonl";
/// Longest file of samples that is read.
const MAX_BYTES: u64 = 4 << 30;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Measuring began, or went on.
    Run(RunEntry),
    /// One design was measured in one round.
    Round(RoundEntry),
}

/// How and in which state of the machine the lines that follow were measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEntry {
    /// Version of edgefit.
    pub edgefit: String,
    /// Seconds since 1970.
    pub started_unix_s: u64,
    /// The runtime, as it describes itself.
    pub runtime: String,
    /// Threads that it was given.
    pub threads: usize,
    /// Orders the designs in each round.
    pub seed: u64,
    /// How often and how long.
    pub protocol: Protocol,
    /// The machine that edgefit ran on, which with a remote device is not the one measured.
    pub host: HostState,
}

/// Samples of one design in one round.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RoundEntry {
    /// Id of the device.
    pub device: String,
    /// The design, `architecture@policy`.
    pub design: String,
    /// Input size, such as `32x32`.
    pub input: String,
    /// Number of the round, from 0.
    pub round: usize,
    /// Milliseconds of every run, in the order in which they ran.
    pub latency_ms: Vec<f64>,
    /// Millijoules of one run, in the mean.
    pub energy_mj: Option<f64>,
    /// What ran the model, as a tool says it of itself.
    pub runtime: Option<String>,
    /// How busy the machine was meanwhile.
    pub busy: Busy,
    /// What the runtime had to say.
    pub warnings: Vec<String>,
}

/// The samples of a dataset folder.
#[derive(Debug)]
pub struct SampleLog {
    path: PathBuf,
    rounds: Vec<RoundEntry>,
}

impl SampleLog {
    /// Reads what is there, if anything. A line that a crash or a full disk left unfinished at the end is dropped.
    ///
    /// # Errors
    /// [`Error::Malformed`] with the line; [`Error::Io`].
    pub fn read(folder: &Path) -> Result<SampleLog> {
        let path = folder.join(SAMPLES_FILE);
        let mut rounds = Vec::new();
        if path.exists() {
            let bytes = read_bounded(&path, MAX_BYTES)?;
            for (number, line) in whole_lines(&bytes).split(|byte| *byte == b'\n').enumerate() {
                if line.trim_ascii().is_empty() {
                    continue;
                }
                match serde_json::from_slice(line).map_err(|error| malformed(&path, number, &error))? {
                    Entry::Round(round) => rounds.push(round.checked(&path, number)?),
                    Entry::Run(_) => {}
                }
            }
        }
        Ok(SampleLog { path, rounds })
    }

    /// As [`SampleLog::read`], to add to it: what is unfinished at the end is cut off.
    pub(super) fn open(folder: &LockedFolder) -> Result<SampleLog> {
        let log = SampleLog::read(folder.path())?;
        if log.path.exists() {
            let bytes = read_bounded(&log.path, MAX_BYTES)?;
            let whole = whole_lines(&bytes).len();
            if whole < bytes.len() {
                truncate(&log.path, whole as u64).map_err(Error::io("write", &log.path))?;
            }
        }
        Ok(log)
    }

    /// The rounds of a design on a device, in the order in which they were measured.
    pub fn of<'a>(&'a self, device: &str, design: &str, input: &str) -> Vec<&'a RoundEntry> {
        let about = |entry: &&RoundEntry| entry.device == device && entry.design == design && entry.input == input;
        self.rounds.iter().filter(about).collect()
    }

    /// Adds a line and flushes it to disk. What cannot be written whole is not there at all.
    pub(super) fn append(&mut self, entry: Entry) -> Result<()> {
        let failed = |error| Error::io("write", &self.path)(error);
        let mut line = serde_json::to_vec(&entry).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        append(&self.path, &line).map_err(failed)?;
        if let Entry::Round(round) = entry {
            self.rounds.push(round);
        }
        Ok(())
    }

    /// Drops the rounds that `unwanted` says so of.
    pub(super) fn discard(&mut self, folder: &LockedFolder, unwanted: impl Fn(&RoundEntry) -> bool) -> Result<()> {
        let bytes = read_bounded(&self.path, MAX_BYTES)?;
        let mut replacement = folder.replacement();
        replacement.add(SAMPLES_FILE, |out| {
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                let entry = serde_json::from_slice::<Entry>(line);
                if !matches!(entry, Ok(Entry::Round(round)) if unwanted(&round)) {
                    out.write_all(line)?;
                }
            }
            Ok(())
        })?;
        replacement.commit()?;
        self.rounds.retain(|round| !unwanted(round));
        Ok(())
    }
}

impl RoundEntry {
    fn checked(self, path: &Path, number: usize) -> Result<RoundEntry> {
        let is_time = |value: &f64| value.is_finite() && *value > 0.0;
        if self.latency_ms.is_empty() || !self.latency_ms.iter().chain(&self.energy_mj).all(is_time) {
            return Err(malformed(path, number, &"a value that is not above 0, or none"));
        }
        Ok(self)
    }
}

/// The part of a file that ends with the end of a line.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte == b'\n');
    &bytes[..end.map_or(0, |end| end + 1)]
}

fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let before = file.metadata()?.len();
    let written = file.write_all(line).and_then(|()| file.sync_data());
    if written.is_err() {
        // The next reader would cut it off too; if this fails, there is nothing more to do.
        let _ = file.set_len(before);
    }
    written
}

fn truncate(path: &Path, length: u64) -> io::Result<()> {
    let file = fs::File::options().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_data()
}

fn malformed(path: &Path, number: usize, found: &dyn std::fmt::Display) -> Error {
    Error::Malformed {
        path: path.to_path_buf(),
        line: Some(number as u64 + 1),
        column: None,
        expected: "samples that edgefit measured, as one JSON object a line".into(),
        found: found.to_string(),
        hint: "Remove this line, or measure into another folder.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(design: &str, round: usize, latency_ms: f64) -> Entry {
        Entry::Round(RoundEntry {
            device: "d".into(),
            design: design.into(),
            input: "32x32".into(),
            round,
            latency_ms: vec![latency_ms, 2.5],
            ..RoundEntry::default()
        })
    }

    #[test]
    fn lines_are_added_and_read_back_and_half_a_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let locked = LockedFolder::open(folder.path()).unwrap();
        let mut log = SampleLog::open(&locked).unwrap();
        log.append(round("a", 0, 1.5)).unwrap();
        log.append(round("b", 0, 3.5)).unwrap();
        let path = folder.path().join(SAMPLES_FILE);
        append(&path, b"{\"round\": {\"device\": \"d\", \"desi").unwrap();
        let mut log = SampleLog::open(&locked).unwrap();
        log.append(round("a", 1, 1.25)).unwrap();
        let log = SampleLog::read(folder.path()).unwrap();
        let found: Vec<_> = log
            .of("d", "a", "32x32")
            .iter()
            .map(|one| (one.round, one.latency_ms[0]))
            .collect();
        assert_eq!(found, [(0, 1.5), (1, 1.25)]);
        assert!(log.of("e", "a", "32x32").is_empty() && log.of("d", "a", "16x16").is_empty());
    }

    #[test]
    fn unwanted_rounds_are_dropped_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let locked = LockedFolder::open(folder.path()).unwrap();
        let mut log = SampleLog::open(&locked).unwrap();
        for entry in [round("a", 0, 1.0), round("b", 0, 2.0), round("a", 1, 3.0)] {
            log.append(entry).unwrap();
        }
        log.discard(&locked, |one| one.design == "a").unwrap();
        let read = SampleLog::read(folder.path()).unwrap();
        assert_eq!(read.rounds, log.rounds);
        assert_eq!((read.rounds.len(), read.rounds[0].design.as_str()), (1, "b"));
    }

    #[test]
    fn what_is_no_sample_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SAMPLES_FILE);
        let good = serde_json::to_string(&round("a", 0, 1.0)).unwrap();
        for bad in [
            "{\"other\": 1}",
            "\u{1}",
            &good.replace("2.5", "-2.5"),
            &good.replace("1.0,2.5", ""),
        ] {
            fs::write(&path, format!("{good}\n{bad}\n")).unwrap();
            let message = SampleLog::read(folder.path()).unwrap_err().to_string();
            assert!(
                message.contains("samples.jsonl:2: expected samples"),
                "{bad}: {message}"
            );
        }
    }
}
