//! Folders whose files are replaced together. What was decided is noted in a journal before the first file is renamed, so
//! that a crash between any two steps leaves a folder that reads as the old one or as the new one, never as a mixture.
//!
//! The steps: every new file is written beside its old one and flushed to disk; the journal, which names them, is renamed
//! into place, and from then on the folder reads as the new one ([`Committed`]); the files are renamed, those that are no
//! longer needed are removed, last of all the journal. Whoever next writes to the folder finishes what was not.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{TEMPORARY, read_bounded, sync_folder, write_beside};
use crate::error::{Error, Result};

const JOURNAL: &str = ".replacing.json";
const MAX_JOURNAL_BYTES: u64 = 1 << 20;
/// How long a folder that another process writes to is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(50);
/// How often files are read that another process replaces meanwhile.
const READINGS: usize = 20;

/// What a replacement decided, by file name.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Journal {
    /// From the name of a file to the temporary one that holds its new content.
    renamed: BTreeMap<String, String>,
    removed: Vec<String>,
}

/// The files of a folder as the last replacement left them, finished or not.
#[derive(Debug)]
pub struct Committed {
    folder: PathBuf,
    journal: Journal,
}

impl Committed {
    /// Looks for a replacement that a crash left unfinished.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Malformed`] for a journal that edgefit did not write.
    pub fn of(folder: &Path) -> Result<Committed> {
        Ok(Committed {
            folder: folder.to_path_buf(),
            journal: Journal::read(folder)?.unwrap_or_default(),
        })
    }

    /// What `read` makes of the files of a folder that are called `names`. Where another process replaced one of them
    /// meanwhile it is asked again, so that the answer is of the old files or of the new ones.
    ///
    /// # Errors
    /// What `read` returns; [`Error::Locked`] where the files never stay as they are for as long as reading takes.
    pub fn read<T>(folder: &Path, names: &[&str], mut read: impl FnMut() -> Result<T>) -> Result<T> {
        for _ in 0..READINGS {
            let before = Committed::of(folder)?.versions(names);
            let answer = read();
            if Committed::of(folder)?.versions(names) == before {
                return answer;
            }
            sleep(RETRY);
        }
        Err(Error::Locked { path: folder.into() })
    }

    /// What tells the content of a file from another one that replaces it.
    fn versions(&self, names: &[&str]) -> Vec<Option<Version>> {
        let version = |name: &&str| Version::of(&fs::metadata(self.path(name)).ok()?);
        names.iter().map(version).collect()
    }

    /// Where the content of the file called `name` is.
    pub fn path(&self, name: &str) -> PathBuf {
        let temporary = self.journal.renamed.get(name).map(|name| self.folder.join(name));
        match temporary.filter(|temporary| temporary.exists()) {
            Some(temporary) => temporary,
            None => self.folder.join(name),
        }
    }
}

/// One content of a file: a replacement is another file, and writing into one changes its length or time.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    file: u64,
    length: u64,
    modified: SystemTime,
}

impl Version {
    fn of(found: &Metadata) -> Option<Version> {
        #[cfg(unix)]
        let file = std::os::unix::fs::MetadataExt::ino(found);
        #[cfg(not(unix))]
        let file = 0;
        Some(Version {
            file,
            length: found.len(),
            modified: found.modified().ok()?,
        })
    }
}

/// A folder that no other process writes to as long as this value lives.
#[derive(Debug)]
pub struct LockedFolder {
    path: PathBuf,
    /// Locked; the system unlocks it when the process ends, however it ends.
    _lock: File,
    created: bool,
}

impl LockedFolder {
    /// Makes the folder if there is none, locks it, and finishes or clears away what a process that was killed left there.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process keeps it for longer than ten seconds; [`Error::Io`].
    pub fn open(path: &Path) -> Result<LockedFolder> {
        LockedFolder::open_within(path, PATIENCE)
    }

    fn open_within(path: &Path, patience: Duration) -> Result<LockedFolder> {
        let created = !path.exists();
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        let folder = LockedFolder {
            path: path.to_path_buf(),
            _lock: lock(path, patience)?,
            created,
        };
        if let Some(journal) = Journal::read(path)? {
            journal.finish(path, &mut || Ok(()))?;
        }
        clear_temporaries(path, TEMPORARY).map_err(Error::io("clear", path))?;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins to replace files of this folder.
    pub fn replacement(&self) -> Replacement<'_> {
        Replacement {
            folder: self,
            written: Vec::new(),
            removed: Vec::new(),
        }
    }
}

impl Drop for LockedFolder {
    /// A folder that was made for nothing does not stay.
    fn drop(&mut self) {
        if self.created {
            // Fails for a folder that something was written to, which is what is wanted.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Several files that replace older ones together.
pub struct Replacement<'a> {
    folder: &'a LockedFolder,
    written: Vec<(NamedTempFile, String)>,
    removed: Vec<String>,
}

impl Replacement<'_> {
    /// Writes the new content of the file called `name` beside it. Dropping the replacement without
    /// [`Replacement::commit`] removes it.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    pub fn add(&mut self, name: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let path = self.folder.path.join(name);
        let temporary = write_beside(&path, write).map_err(Error::io("write", &path))?;
        self.written.push((temporary, name.into()));
        Ok(())
    }

    /// Removes the file called `name`, if there is one, together with the rest.
    pub fn remove(&mut self, name: &str) {
        self.removed.push(name.into());
    }

    /// Puts every file in its place.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file. Once the journal is written the folder reads as the new one even so, and the next
    /// [`LockedFolder::open`] tries the rest again.
    pub fn commit(self) -> Result<()> {
        self.commit_by_steps(&mut || Ok(()))
    }

    /// `before_step` is called before each step that changes the folder; the tests stop there, as a crash would.
    fn commit_by_steps(self, before_step: &mut dyn FnMut() -> io::Result<()>) -> Result<()> {
        let folder = &self.folder.path;
        let path = folder.join(JOURNAL);
        let failed = |error| Error::io("write", &path)(error);
        let mut journal = Journal {
            removed: self.removed,
            ..Journal::default()
        };
        for (temporary, name) in &self.written {
            let temporary = temporary.path().file_name().unwrap_or_default().to_string_lossy();
            journal.renamed.insert(name.clone(), temporary.into_owned());
        }
        let text = serde_json::to_vec(&journal).map_err(|error| failed(error.into()))?;
        before_step().map_err(failed)?;
        let written = write_beside(&path, |out| out.write_all(&text)).map_err(failed)?;
        written.persist(&path).map_err(|failure| failed(failure.error))?;
        // The journal counts on them now.
        for (temporary, _) in self.written {
            temporary.keep().map_err(|failure| failed(failure.error))?;
        }
        sync_folder(folder).map_err(failed)?;
        journal.finish(folder, before_step)
    }
}

impl Journal {
    fn read(folder: &Path) -> Result<Option<Journal>> {
        let path = folder.join(JOURNAL);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read_bounded(&path, MAX_JOURNAL_BYTES)?;
        let malformed = |found: String| Error::Malformed {
            path: path.clone(),
            line: None,
            column: None,
            expected: "files of this folder that edgefit was replacing".into(),
            found,
            hint: "Restore the folder from a copy.".into(),
        };
        let journal: Journal = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        let temporaries = journal.renamed.values();
        match (journal.renamed.keys().chain(&journal.removed))
            .find(|name| !is_plain_name(name))
            .or_else(|| {
                temporaries
                    .clone()
                    .find(|name| !is_plain_name(name) || !name.starts_with(TEMPORARY))
            }) {
            Some(name) => Err(malformed(format!("`{name}`"))),
            None => Ok(Some(journal)),
        }
    }

    fn finish(&self, folder: &Path, before_step: &mut dyn FnMut() -> io::Result<()>) -> Result<()> {
        for (name, temporary) in &self.renamed {
            let path = folder.join(name);
            before_step().map_err(Error::io("replace", &path))?;
            match fs::rename(folder.join(temporary), &path) {
                // It was renamed before the crash.
                Err(error) if error.kind() == io::ErrorKind::NotFound && path.exists() => {}
                renamed => renamed.map_err(Error::io("replace", &path))?,
            }
        }
        for name in &self.removed {
            before_step().map_err(Error::io("remove", folder.join(name)))?;
            remove_if_there(&folder.join(name))?;
        }
        let path = folder.join(JOURNAL);
        sync_folder(folder).map_err(Error::io("write", folder))?;
        before_step().map_err(Error::io("remove", &path))?;
        remove_if_there(&path)?;
        sync_folder(folder).map_err(Error::io("write", folder))
    }
}

/// Longest name that file systems take, in bytes.
const MAX_NAME: usize = 255;

/// Whether a name stands for a file of the folder itself and leads nowhere else.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let short = name.len() <= MAX_NAME;
    short && matches!(parts.next(), Some(std::path::Component::Normal(part)) if part == name) && parts.next().is_none()
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(Error::io("remove", path)),
    }
}

/// Locks the folder itself where the system can, else a file in it.
fn lock(folder: &Path, patience: Duration) -> Result<File> {
    let failed = |error| Error::io("lock", folder)(error);
    let file = if cfg!(unix) {
        File::open(folder)
    } else {
        File::create(folder.join(".lock"))
    };
    let file = file.map_err(failed)?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if started.elapsed() < patience => sleep(RETRY),
            Err(TryLockError::WouldBlock) => return Err(Error::Locked { path: folder.into() }),
            // Some network file systems know no locks; there the user has to take care.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

/// Removes temporary files whose names begin so and whose writers are gone.
pub(super) fn clear_temporaries(folder: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix));
        if ours && entry.file_type()?.is_file() && is_abandoned(&entry.path()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A temporary file is locked by the process that writes it.
fn is_abandoned(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}
