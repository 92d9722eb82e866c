//! Who publishes tables of blocks, where they lie, and what they say of a network.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::names::Naming;
use super::table::BlockTable;
use crate::dataset;
use crate::dataset::Manifest;
use crate::error::{Error, Result};
use crate::space::once_for_all::OnceForAll;
use crate::space::{Architecture, SearchSpace};

/// Where CompOFA's programs look for tables of one resolution each.
const PLACES: [&str; 3] = ["latency_table@note10", "checkpoints/latency_table@note10", ""];
/// NSGANetV2's table, and where it lies.
const FILES: [&str; 2] = ["i7-8700K_lut.yaml", "data/i7-8700K_lut.yaml"];

/// A project that publishes tables of blocks.
pub(super) struct Source {
    name: &'static str,
    url: &'static str,
    /// The spaces whose blocks its tables hold.
    pub(super) spaces: &'static [&'static str],
    /// The catalogue's id of the device that blocks were measured on.
    pub(super) device: &'static str,
    /// What was measured, and how far that is known.
    measured: &'static str,
    naming: Naming,
    /// Its tables at or below a path, of resolutions that networks have.
    files: fn(&Path) -> Files,
}

static SOURCES: [Source; 2] = [
    Source {
        name: "CompOFA",
        url: "https://github.com/gatech-sysml/CompOFA",
        spaces: &["mobilenet_v3_w1.2"],
        device: "samsung_note10",
        measured: "Latency of single blocks on a Samsung Note 10, from the tables that once-for-all's and CompOFA's programs \
                   look up, 160x160 to 224x224. The values of networks are sums over their blocks and not measured end to \
                   end; their rows are called predicted.",
        naming: Naming::OnceForAll,
        files: files_of_resolutions,
    },
    Source {
        name: "NSGANetV2",
        url: "https://github.com/mikelzc1990/nsganetv2",
        spaces: &["mobilenet_v3", "mobilenet_v3_w1.2"],
        device: "i7_8700k",
        measured: "Latency of single blocks on an Intel Core i7-8700K, by the authors of NSGANetV2. The values of networks are \
                   sums over their blocks and not measured end to end; their rows are called predicted.",
        naming: Naming::NsgaNetV2,
        files: file_of_all,
    },
];

/// Files with tables, each with its resolution if it is of one.
pub(super) type Files = Vec<(Option<u32>, PathBuf)>;

/// Tables of one source.
pub(super) struct Tables {
    naming: Naming,
    /// The tables, each with its resolution if it is of one.
    of: Vec<(Option<u32>, BlockTable)>,
}

/// What is lacking to add up the blocks of a network.
#[derive(Debug, PartialEq)]
pub(super) enum Lacking {
    /// Everything at the network's resolution.
    Resolution(u32),
    /// A block.
    Block {
        /// Its name.
        name: String,
        /// The table that lacks it.
        path: PathBuf,
    },
}

impl Source {
    /// Whose tables lie at `path`, and which they are.
    pub(super) fn find(path: &Path) -> Result<(&'static Source, Files)> {
        let found = SOURCES
            .iter()
            .map(|source| (source, (source.files)(path)))
            .find(|(_, files)| !files.is_empty());
        found.ok_or_else(|| Error::Malformed {
            path: path.to_path_buf(),
            line: None,
            column: None,
            expected: "a folder latency_table@note10 with files <resolution>_lookup_table.yaml, or i7-8700K_lut.yaml"
                .into(),
            found: if path.exists() {
                "neither".into()
            } else {
                "nothing at this path".into()
            },
            hint: "Give the path of a clone of the source's repository.".into(),
        })
    }

    /// Reads the tables.
    pub(super) fn read(&self, files: &Files) -> Result<Tables> {
        let of = files.iter().map(|(edge, file)| Ok((*edge, BlockTable::read(file)?)));
        Ok(Tables {
            naming: self.naming,
            of: of.collect::<Result<_>>()?,
        })
    }

    pub(super) fn manifest(&self, space: &dyn SearchSpace) -> Manifest {
        Manifest {
            space: space.id().into(),
            description: "Latencies of once-for-all's MobileNet-V3 networks, added up from blocks.".into(),
            sources: vec![dataset::Source {
                name: self.name.into(),
                url: self.url.into(),
                licence: "Apache-2.0".into(),
                measured: self.measured.into(),
            }],
            ..Manifest::default()
        }
    }
}

/// Whether there is something with this name: what is no file is refused where it is opened.
fn is_there(file: &Path) -> bool {
    file.symlink_metadata().is_ok()
}

/// The tables of CompOFA: one of them, or those of a folder.
fn files_of_resolutions(path: &Path) -> Files {
    let name = |edge: u32| format!("{edge}_lookup_table.yaml");
    let edges = || OnceForAll::resolutions();
    let own_name = path.file_name().unwrap_or_default();
    if path.is_file() {
        let edge = edges().find(|&edge| own_name == OsStr::new(&name(edge)));
        return edge.map(|edge| (Some(edge), path.to_path_buf())).into_iter().collect();
    }
    let folders = PLACES.map(|place| path.join(place));
    let files = folders.iter().map(|folder| -> Files {
        let files = edges().map(|edge| (Some(edge), folder.join(name(edge))));
        files.filter(|(_, file)| is_there(file)).collect()
    });
    files.into_iter().find(|files| !files.is_empty()).unwrap_or_default()
}

/// The table of NSGANetV2.
fn file_of_all(path: &Path) -> Files {
    let at = |file: &str| match path.file_name() {
        Some(name) if path.is_file() && Path::new(file).file_name() == Some(name) => path.to_path_buf(),
        _ => path.join(file),
    };
    let found = FILES.into_iter().map(at).find(|file| is_there(file));
    found.map(|file| (None, file)).into_iter().collect()
}

impl Tables {
    /// The latency of a network in ms: the sum over its blocks, in the order in which they run.
    ///
    /// # Errors
    /// What the tables lack of it.
    pub(super) fn latency_ms(
        &self,
        space: &OnceForAll,
        architecture: &Architecture,
    ) -> std::result::Result<f64, Lacking> {
        let resolution = space.resolution(architecture);
        let table = self
            .of
            .iter()
            .find(|(edge, _)| edge.is_none_or(|edge| edge == resolution));
        let (_, table) = table.ok_or(Lacking::Resolution(resolution))?;
        let means = self.naming.blocks(space, architecture).into_iter().map(|name| {
            table.mean_ms(&name).ok_or_else(|| Lacking::Block {
                name,
                path: table.path().to_path_buf(),
            })
        });
        means.sum()
    }
}

impl Lacking {
    /// The resolution that there is nothing of.
    pub(super) fn resolution(&self) -> Option<u32> {
        match self {
            Lacking::Resolution(edge) => Some(*edge),
            Lacking::Block { .. } => None,
        }
    }

    /// The block lacking, and the table.
    pub(super) fn block(&self) -> Option<(&str, &Path)> {
        match self {
            Lacking::Resolution(_) => None,
            Lacking::Block { name, path } => Some((name, path)),
        }
    }

    /// The refusal of tables at `path` that no network can be added up from.
    pub(super) fn refused(&self, path: &Path) -> Error {
        let (path, expected) = match self {
            Lacking::Resolution(edge) => (path, format!("a table for networks of {edge}x{edge}")),
            Lacking::Block { name, path } => (path.as_path(), format!("block {name}")),
        };
        Error::Malformed {
            path: path.to_path_buf(),
            line: None,
            column: None,
            expected,
            found: "none".into(),
            hint: "Networks are sums over all their blocks: get the whole file.".into(),
        }
    }
}
