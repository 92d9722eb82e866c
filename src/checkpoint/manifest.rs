//! The manifest: what a checkpoint is of, and the hash of each of its files.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Files, broken, optimizer};
use crate::error::{Error, Result};
use crate::files::{hexadecimal, is_plain_name};

/// Version of the format; a checkpoint of another one is refused.
const FORMAT: u32 = 4;
pub(super) const MANIFEST: &str = "checkpoint.json";
/// Most files of a checkpoint.
const MAX_FILES: usize = 256;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    edgefit: String,
    pub(super) space: String,
    pub(super) predictor: String,
    /// SHA-256 of every other file, in hexadecimal.
    pub(super) files: BTreeMap<String, String>,
}

impl Manifest {
    /// That of these files.
    pub(super) fn of(space: &str, files: &Files) -> Manifest {
        Manifest {
            format: FORMAT,
            edgefit: env!("CARGO_PKG_VERSION").into(),
            space: space.into(),
            predictor: predictor_id(files),
            files: files
                .iter()
                .map(|(name, bytes)| (name.clone(), hexadecimal(&Sha256::digest(bytes))))
                .collect(),
        }
    }

    /// Parses the manifest at `path`.
    pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Manifest> {
        let version: Option<u64> = serde_json::from_slice::<serde_json::Value>(bytes)
            .ok()
            .and_then(|value| value.get("format")?.as_u64());
        if let Some(version) = version.filter(|&version| version != u64::from(FORMAT)) {
            return Err(Error::Checkpoint {
                path: path.to_path_buf(),
                expected: format!("format version {FORMAT}"),
                found: format!("version {version}"),
                hint: "Train it again with this edgefit, or use the edgefit that wrote it.".into(),
            });
        }
        let manifest: Manifest =
            serde_json::from_slice(bytes).map_err(|error| broken(path, "a manifest".into(), error.to_string()))?;
        if manifest.files.len() > MAX_FILES {
            let found = format!("{} files", manifest.files.len());
            return Err(broken(path, format!("at most {MAX_FILES} files"), found));
        }
        match manifest.files.keys().find(|name| !is_plain_name(name)) {
            Some(name) => Err(broken(path, "plain file names".into(), format!("`{name}`"))),
            None => Ok(manifest),
        }
    }

    /// Compares the hash of every file, and the id that all make up together. `folder` is where they come from.
    pub(super) fn verify(&self, files: &Files, folder: &Path) -> Result<()> {
        for (name, expected) in &self.files {
            let found = files.get(name).map(|bytes| hexadecimal(&Sha256::digest(bytes)));
            if found.as_ref() != Some(expected) {
                let found = found.unwrap_or_else(|| "none".into());
                return Err(broken(&folder.join(name), format!("SHA-256 {expected}"), found));
            }
        }
        let found = predictor_id(files);
        if found == self.predictor {
            Ok(())
        } else {
            Err(broken(
                &folder.join(MANIFEST),
                format!("predictor {found}, which the files make up"),
                format!("predictor {}", self.predictor),
            ))
        }
    }
}

/// The id of a predictor: a hash of its files, those of an optimizer left out.
fn predictor_id(files: &Files) -> String {
    let mut hash = Sha256::new();
    for (_, bytes) in files
        .iter()
        .filter(|(name, _)| !optimizer::FILES.contains(&name.as_str()))
    {
        // So that it matters where one ends and the next begins.
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    hexadecimal(&hash.finalize())[..16].to_string()
}
