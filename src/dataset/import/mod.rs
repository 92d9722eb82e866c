//! Reads what other projects publish. One file per format; to add one, write it and name it in [`all`].

mod accel_nasbench;
mod archive;
mod bitfusion_lut;
mod csv;
mod dynast;
mod esp32_int8;
mod haq;
mod help;
mod hw_nas_bench;
mod hw_nas_bench_360;
mod latencies;
mod mp_nas_bench;
mod nas_bench_macro;
mod nats_bench;
mod npy;
mod ofa_lut;
mod oneproxy;
mod pickle;
mod scale;
mod wide;
mod zero_cost_proxies;

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::table::Row;
use super::{Dataset, Manifest};
use crate::device::{Device, catalogue};
use crate::error::{Error, Result};
use crate::files::read_bounded;
use crate::progress::Progress;
use crate::space::SearchSpace;

/// A format that can be imported.
pub trait Importer: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// What it reads, in a line.
    fn reads(&self) -> &'static str;

    /// Reads `path` into a dataset of its own. Nothing is written.
    ///
    /// # Errors
    /// [`Error::Malformed`] with the place of whatever is wrong, [`Error::Invalid`] for a space that it does not hold.
    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported>;
}

/// What an import gave.
pub struct Imported {
    /// Where it comes from.
    pub manifest: Manifest,
    /// The values.
    pub dataset: Dataset,
    /// What was noticed and left out, each in a sentence.
    pub notes: Vec<String>,
}

/// Every importer.
pub fn all() -> [&'static dyn Importer; 15] {
    [
        &accel_nasbench::AccelNasBench,
        &bitfusion_lut::BitFusionLut,
        &dynast::DynasT,
        &esp32_int8::Esp32Int8,
        &haq::Haq,
        &help::Help,
        &hw_nas_bench::HwNasBench,
        &hw_nas_bench_360::HwNasBench360,
        &mp_nas_bench::MpNasBench,
        &nas_bench_macro::NasBenchMacroFile,
        &nats_bench::NatsBench,
        &ofa_lut::OfaLut,
        &oneproxy::OneProxy,
        &zero_cost_proxies::ZeroCostProxies,
        &csv::OwnCsv,
    ]
}

/// The importer with this name.
///
/// # Errors
/// [`Error::Unknown`] with the nearest known name.
pub fn by_name(name: &str) -> Result<&'static dyn Importer> {
    all()
        .into_iter()
        .find(|importer| importer.name() == name)
        .ok_or_else(|| Error::Unknown {
            kind: "source",
            name: name.into(),
            known: all().iter().map(|importer| importer.name().into()).collect(),
        })
}

/// A device under the name that a source gives it, with what the catalogue knows of it, if it is there.
fn described_device(id: &str, unit: &str) -> Device {
    let described = catalogue::find(id).unwrap_or_else(|_| Device {
        unit: unit.into(),
        ..Device::default()
    });
    Device {
        id: id.into(),
        ..described
    }
}

/// Refuses a space of which the source holds nothing.
fn only_spaces(importer: &dyn Importer, held: &[&str], space: &dyn SearchSpace) -> Result<()> {
    if held.contains(&space.id()) {
        return Ok(());
    }
    Err(Error::Invalid {
        what: format!("search space of source `{}`", importer.name()),
        expected: held.join(" or "),
        found: format!("`{}`", space.id()),
        hint: format!("Import it as {}.", held.join(" or ")),
    })
}

/// The index by which publications name one of `networks` networks, in a column.
fn published_index(row: &Row<'_>, column: usize, networks: usize) -> Result<usize> {
    let text = row.required(column)?;
    let index = text.parse().ok().filter(|&index: &usize| index < networks);
    index.ok_or_else(|| {
        let expected = format!("an index from 0 to {}", networks - 1);
        row.malformed(column, expected, format!("`{text}`"), "Get the file again.")
    })
}

/// The first of these places below `path` that holds `file`.
fn locate(path: &Path, places: &[&str], file: &str) -> Result<PathBuf> {
    let found = places
        .iter()
        .map(|&place| match place {
            // Messages about files below read better without it.
            "." => path.to_path_buf(),
            place => path.join(place),
        })
        .find(|folder| folder.join(file).exists());
    found.ok_or_else(|| Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: None,
        expected: match places[0] {
            "." => format!("a folder with {file}"),
            place => format!("a folder with {place}/{file}"),
        },
        found: if path.exists() {
            "none".into()
        } else {
            "nothing at this path".into()
        },
        hint: "Give the path of a clone of the source's repository.".into(),
    })
}

/// The file itself, or `file` in the folder that `path` names.
fn file_at(path: &Path, file: &str) -> Result<PathBuf> {
    if path.is_file() {
        Ok(path.to_path_buf())
    } else {
        Ok(locate(path, &["."], file)?.join(file))
    }
}

/// Most bytes of a file in JSON.
const LIMIT_JSON_BYTES: u64 = 64 << 20;

/// Reads a file in JSON, which is expected to be so.
fn read_json<T: DeserializeOwned>(path: &Path, expected: &str) -> Result<T> {
    let bytes = read_bounded(path, LIMIT_JSON_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: None,
        expected: expected.into(),
        found: error.to_string(),
        hint: "Get the file again, from its publisher.".into(),
    })
}

/// The files of a folder with a file for every device, or whatever `each` is, sorted by name so that they come in the same order
/// everywhere.
fn files_with_extension(folder: &Path, extension: &str, each: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        Err(Error::Malformed {
            path: folder.to_path_buf(),
            line: None,
            column: None,
            expected: format!("a file <{each}>.{extension} for every {each}"),
            found: "none".into(),
            hint: "Check the path.".into(),
        })
    } else {
        Ok(files)
    }
}
