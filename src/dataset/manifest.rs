//! What a dataset says about itself: `dataset.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Origin;
use crate::error::{Error, Result};
use crate::files::{Committed, read_toml};

/// Name of the file in a dataset folder.
pub const MANIFEST_FILE: &str = "dataset.toml";

/// The content of `dataset.toml`. Only `space` is required.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// Id of the search space of every architecture.
    pub space: String,
    /// What the dataset is, in a sentence or two.
    #[serde(default)]
    pub description: String,
    /// Origin of the rows that do not state one.
    #[serde(default)]
    pub origin: Origin,
    /// Input size, such as `32x32`, of the measurements that do not state one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// A note on every task: what was trained how long, on which split the accuracy was taken.
    #[serde(default)]
    pub tasks: BTreeMap<String, String>,
    /// Where the values come from.
    #[serde(default, rename = "source")]
    pub sources: Vec<Source>,
}

/// One origin of a dataset's values.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Where it is published.
    #[serde(default)]
    pub url: String,
    /// Its licence.
    #[serde(default)]
    pub licence: String,
    /// What was measured, and how.
    #[serde(default)]
    pub measured: String,
}

impl Manifest {
    /// Reads `dataset.toml` of a dataset folder.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is missing, or with the line of what is wrong.
    pub fn read(folder: &Path) -> Result<Manifest> {
        let path = Committed::of(folder)?.path(MANIFEST_FILE);
        if !path.is_file() {
            return Err(Error::Malformed {
                path: folder.to_path_buf(),
                line: None,
                column: None,
                expected: format!("a dataset folder with a {MANIFEST_FILE}"),
                found: "none".into(),
                hint: "Import a source into it, or write the file: the line `space = \"nasbench201\"` is enough."
                    .into(),
            });
        }
        read_toml(&path)
    }

    /// Takes over what `other` adds: its tasks, its sources, and its description where there was none.
    pub fn add(&mut self, other: Manifest) {
        if self.description.is_empty() {
            self.description = other.description;
        }
        for (task, note) in other.tasks {
            self.tasks.entry(task).or_insert(note);
        }
        for source in other.sources {
            if !self.sources.contains(&source) {
                self.sources.push(source);
            }
        }
    }
}
