//! What would be lost if a file were replaced? A command replaces what it wrote itself, and nothing that it did not.

use std::fmt;
use std::path::Path;

use serde::Deserialize;

use super::{Target, read_bounded, target};
use crate::error::{Error, Result};

/// Largest file that is looked into; one that is larger was not written by edgefit.
const MAX_BYTES: u64 = 64 << 20;
/// Columns whose values somebody measured.
const MEASURED: [&str; 3] = ["latency_ms", "energy_mj", "accuracy_percent"];

/// The first columns of a table of pairs.
const PAIR: [&str; 2] = ["first", "second"];

/// How the ONNX files that edgefit writes begin: version of the format, 8 or 10, and the name of the producer.
const NETWORK_STARTS: [&str; 2] = ["\x08\x08\x12\x07edgefit", "\x08\x0a\x12\x07edgefit"];

/// What a file that a command writes holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Architectures to be measured, without a single value yet.
    Probes,
    /// A device that was adapted to.
    Device,
    /// The datasheet of a device.
    Datasheet,
    /// A page of HTML.
    Report,
    /// A figure as SVG.
    Figure,
    /// Correlations between pairs of devices, as CSV.
    Correlations,
    /// A network as ONNX.
    Network,
}

/// What a file was found to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Nothing,
    Measurements,
    Known(FileKind),
    Other,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Content::Nothing => "nothing",
            Content::Measurements => "measurements",
            Content::Known(FileKind::Probes) => "architectures to be measured",
            Content::Known(FileKind::Device) => "a device that was adapted to",
            Content::Known(FileKind::Datasheet) => "the datasheet of a device",
            Content::Known(FileKind::Report) => "a report",
            Content::Known(FileKind::Figure) => "a figure",
            Content::Known(FileKind::Correlations) => "correlations between devices",
            Content::Known(FileKind::Network) => "a network",
            Content::Other => "something else",
        })
    }
}

/// Refuses to replace a file that holds anything else than what is to be written there. What is no regular file is written
/// through and loses nothing.
///
/// # Errors
/// [`Error::Occupied`]; [`Error::Io`].
pub fn check_replaceable(path: &Path, written: FileKind) -> Result<()> {
    if !path.exists() || matches!(target(path).map_err(Error::io("write", path))?, Target::Stream) {
        return Ok(());
    }
    let holds = match read_bounded(path, MAX_BYTES) {
        Ok(bytes) => content(&String::from_utf8_lossy(&bytes)),
        Err(Error::Malformed { .. }) => Content::Other,
        Err(error) => return Err(error),
    };
    if holds == Content::Nothing || holds == Content::Known(written) {
        return Ok(());
    }
    Err(Error::Occupied {
        path: path.to_path_buf(),
        holds: holds.to_string(),
    })
}

fn content(text: &str) -> Content {
    let start = text.trim_start();
    let starts_with = |tag: &str| {
        start
            .get(..tag.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(tag))
    };
    if start.is_empty() {
        Content::Nothing
    } else if NETWORK_STARTS.iter().any(|network| text.starts_with(network)) {
        Content::Known(FileKind::Network)
    } else if starts_with("<!doctype html") {
        Content::Known(FileKind::Report)
    } else if starts_with("<svg") {
        Content::Known(FileKind::Figure)
    } else if starts_with("unit = ") && text.contains("[[setting]]") {
        Content::Known(FileKind::Datasheet)
    } else if is_device(start) {
        Content::Known(FileKind::Device)
    } else if start.starts_with(['{', '[']) {
        // Other JSON, whose commas are no columns.
        Content::Other
    } else {
        table(start)
    }
}

fn is_device(text: &str) -> bool {
    #[derive(Deserialize)]
    struct DeviceFile {
        #[serde(rename = "format")]
        _format: u32,
        #[serde(rename = "device")]
        _device: serde::de::IgnoredAny,
    }
    serde_json::from_str::<DeviceFile>(text).is_ok()
}

fn table(text: &str) -> Content {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers().cloned().unwrap_or_default();
    let header: Vec<&str> = header.iter().collect();
    let measured: Vec<usize> = (0..header.len())
        .filter(|&column| MEASURED.contains(&header[column]))
        .collect();
    if measured.is_empty() {
        return if header.starts_with(&PAIR) && header.contains(&"spearman") {
            Content::Known(FileKind::Correlations)
        } else {
            Content::Other
        };
    }
    let filled = |record: csv::StringRecord| {
        let mut cells = measured.iter().map(|&column| record.get(column));
        cells.any(|cell| cell.is_some_and(|cell| !cell.is_empty()))
    };
    // What cannot be read may hold anything.
    if reader.records().any(|record| record.map_or(true, filled)) {
        Content::Measurements
    } else {
        Content::Known(FileKind::Probes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_a_file_holds_is_recognised() {
        let cases = [
            ("", Content::Nothing),
            (" \n", Content::Nothing),
            (
                "architecture,latency_ms,energy_mj\nx,,\n",
                Content::Known(FileKind::Probes),
            ),
            (
                "architecture,latency_ms,energy_mj\nx,,\ny,3.5,\n",
                Content::Measurements,
            ),
            ("architecture,latency_ms\nx,,,\ny, 3\n", Content::Measurements),
            ("task,architecture,accuracy_percent\nc,x,70\n", Content::Measurements),
            (
                "{\"format\": 1, \"device\": {\"id\": \"a\"}}",
                Content::Known(FileKind::Device),
            ),
            ("{\"format\": 3, \"files\": {}}", Content::Other),
            (
                "unit = \"a\"\ncores = 2\n[[setting]]\nid = \"a\"\n",
                Content::Known(FileKind::Datasheet),
            ),
            ("<!DOCTYPE html>\n<html>", Content::Known(FileKind::Report)),
            ("<svg width=\"1\">", Content::Known(FileKind::Figure)),
            (
                "first,second,spearman\na,b,0.9\n",
                Content::Known(FileKind::Correlations),
            ),
            ("id,unit,class\na,a,gpu\n", Content::Other),
            ("dear diary", Content::Other),
            ("é", Content::Other),
        ];
        for (text, expected) in cases {
            assert_eq!(content(text), expected, "{text}");
        }
    }

    #[test]
    fn a_file_is_replaced_by_its_own_kind_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("phone.csv");
        assert!(check_replaceable(&path, FileKind::Device).is_ok());
        fs::write(&path, "architecture,latency_ms\nx,\n").unwrap();
        assert!(check_replaceable(&path, FileKind::Probes).is_ok());
        assert!(check_replaceable(&path, FileKind::Device).is_err());
        fs::write(&path, "architecture,latency_ms\nx,3.5\n").unwrap();
        for kind in [
            FileKind::Probes,
            FileKind::Device,
            FileKind::Report,
            FileKind::Correlations,
        ] {
            let refused = check_replaceable(&path, kind).unwrap_err();
            assert_eq!(refused.exit_code(), 2);
            let message = refused.to_string();
            assert!(message.contains("phone.csv holds measurements"), "{message}");
        }
    }
}
