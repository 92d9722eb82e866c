//! Trained models on disk: a folder with everything needed to use them and to notice that it is damaged.
//!
//! - `checkpoint.json`: format version, search space, and the SHA-256 of every other file.
//! - `predictor.json`, `latency-N.bpk`, `accuracy-N.bpk`, `accuracies.csv`: the predictor.
//! - `optimizer.json`, `policy.bpk`: the optimizer, if one was trained.
//!
//! A model is always rebuilt from its saved configuration, never from defaults, and from the very bytes whose hashes were
//! compared. The files change together ([`LockedFolder`]); other files in the folder, such as a README, are left alone.

mod manifest;
mod optimizer;
mod predictor;
mod shipped;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use manifest::{MANIFEST, Manifest};

use crate::error::{Error, Result};
use crate::files::{Committed, LockedFolder, read_bounded};
use crate::optimize::Optimizer;
use crate::predict::Predictor;
use crate::space::{self, SearchSpace};

/// Largest file of a checkpoint that is read.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// The files of a checkpoint in memory, by name, without the manifest.
type Files = BTreeMap<String, Vec<u8>>;

/// A checkpoint whose files were read and found whole.
#[derive(Clone)]
pub struct Checkpoint {
    /// Where it comes from, for messages.
    folder: PathBuf,
    manifest: Manifest,
    space: &'static dyn SearchSpace,
    files: Files,
}

impl Checkpoint {
    /// Reads every file of a checkpoint, once, and compares its hash; again where another process replaces it meanwhile.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for a folder that is not a checkpoint, is of another format version or of a search space that
    /// this build lacks, or has a damaged file; [`Error::Io`].
    pub fn open(folder: &Path) -> Result<Checkpoint> {
        Committed::read(folder, &[MANIFEST], || Checkpoint::open_once(folder))
    }

    fn open_once(folder: &Path) -> Result<Checkpoint> {
        let committed = Committed::of(folder)?;
        let path = committed.path(MANIFEST);
        if !path.exists() {
            return Err(broken(folder, format!("a folder with {MANIFEST}"), "none".into()));
        }
        let manifest = Manifest::parse(&read_bounded(&path, MAX_FILE_BYTES)?, &path)?;
        let mut files = Files::new();
        for name in manifest.files.keys() {
            let path = committed.path(name);
            if !path.exists() {
                return Err(broken(&path, "a file that the manifest names".into(), "none".into()));
            }
            files.insert(name.clone(), read_bounded(&path, MAX_FILE_BYTES)?);
        }
        Checkpoint::new(folder, manifest, files)
    }

    fn new(folder: &Path, manifest: Manifest, files: Files) -> Result<Checkpoint> {
        let space = space::by_id(&manifest.space).map_err(|_| {
            let known: Vec<&str> = space::all().iter().map(|space| space.id()).collect();
            broken(
                folder,
                format!("a search space among {}", known.join(", ")),
                format!("`{}`", manifest.space),
            )
        })?;
        manifest.verify(&files, folder)?;
        Ok(Checkpoint {
            folder: folder.to_path_buf(),
            manifest,
            space,
            files,
        })
    }

    /// Identifies the predictor, and everything that is derived from it, such as an adapted device.
    pub fn id(&self) -> &str {
        &self.manifest.predictor
    }

    /// The search space that its models know.
    pub fn space(&self) -> &'static dyn SearchSpace {
        self.space
    }

    fn file(&self, name: &str) -> Result<&[u8]> {
        match self.files.get(name) {
            Some(bytes) => Ok(bytes),
            None => Err(broken(&self.folder, format!("a file {name}"), "none".into())),
        }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Refuses a folder whose checkpoint would lose what a training made: an optimizer that a new predictor makes useless, or,
    /// where an optimizer of `predictor` is to be written, another predictor.
    ///
    /// # Errors
    /// [`Error::Occupied`].
    pub fn check_replaceable(folder: &Path, predictor: Option<&str>) -> Result<()> {
        // A checkpoint that cannot be read is of no use to anybody.
        let Some(manifest) = manifest_in(folder) else {
            return Ok(());
        };
        let has_optimizer = optimizer::FILES.iter().all(|name| manifest.files.contains_key(*name));
        let holds = match predictor {
            None if has_optimizer => "a checkpoint with an optimizer",
            Some(id) if id != manifest.predictor => "a checkpoint with another predictor",
            _ => return Ok(()),
        };
        Err(Error::Occupied {
            path: folder.to_path_buf(),
            holds: holds.into(),
        })
    }

    /// Writes a predictor, and returns it with its final id. An optimizer that the folder held is no longer part of it.
    /// `notes` are files for people, by name, that are written together with it.
    ///
    /// # Errors
    /// [`Error::Io`]; the checkpoint that was there before is then untouched.
    pub fn save_predictor(folder: &LockedFolder, predictor: Predictor, notes: &[(&str, &[u8])]) -> Result<Predictor> {
        Checkpoint::save_extended(folder, predictor, None, notes)
    }

    /// As [`Checkpoint::save_predictor`], with the optimizer of the predictor that this one extends, see
    /// [`crate::predict::fit::extend`]: it depends on basis and accuracies, which are the same.
    ///
    /// # Errors
    /// As [`Checkpoint::save_predictor`].
    pub fn save_extended(
        folder: &LockedFolder,
        mut predictor: Predictor,
        optimizer: Option<Optimizer>,
        notes: &[(&str, &[u8])],
    ) -> Result<Predictor> {
        let mut files = predictor::files(&predictor, folder.path())?;
        let mut manifest = Manifest::of(predictor.space.id(), &files);
        predictor.id.clone_from(&manifest.predictor);
        if let Some(mut optimizer) = optimizer {
            optimizer.predictor.clone_from(&predictor.id);
            files.extend(optimizer::files(&optimizer)?);
            manifest = Manifest::of(predictor.space.id(), &files);
        }
        write(folder, &manifest, &files, notes)?;
        Ok(predictor)
    }

    /// Writes this checkpoint with another optimizer to a folder, which may be the one that it was read from.
    ///
    /// # Errors
    /// [`Error::Io`]; the checkpoint that was there before is then untouched.
    pub fn save_with_optimizer(&self, folder: &LockedFolder, optimizer: &Optimizer) -> Result<()> {
        let mut files = self.files.clone();
        files.extend(optimizer::files(optimizer)?);
        write(folder, &Manifest::of(self.space.id(), &files), &files, &[])
    }
}

fn write(folder: &LockedFolder, manifest: &Manifest, files: &Files, notes: &[(&str, &[u8])]) -> Result<()> {
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|error| Error::io("write", folder.path().join(MANIFEST))(error.into()))?;
    let mut replacement = folder.replacement();
    for (name, bytes) in files {
        replacement.add(name, |out| out.write_all(bytes))?;
    }
    for (name, bytes) in notes {
        replacement.add(name, |out| out.write_all(bytes))?;
    }
    replacement.add(MANIFEST, |out| out.write_all(&text))?;
    let earlier = manifest_in(folder.path()).map_or_else(BTreeMap::new, |manifest| manifest.files);
    for name in earlier.keys().filter(|name| !files.contains_key(*name)) {
        replacement.remove(name);
    }
    replacement.commit()
}

/// The manifest in a folder, if there is one that can be read.
fn manifest_in(folder: &Path) -> Option<Manifest> {
    let path = Committed::of(folder).ok()?.path(MANIFEST);
    let bytes = read_bounded(&path, MAX_FILE_BYTES).ok()?;
    Manifest::parse(&bytes, &path).ok()
}

fn broken(path: &Path, expected: String, found: String) -> Error {
    Error::Checkpoint {
        path: path.to_path_buf(),
        expected,
        found,
        hint: "Restore the checkpoint from a copy or train it again.".into(),
    }
}
