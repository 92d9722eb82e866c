//! Files that are either the old ones or the new ones, never something between: written under a temporary name in the
//! same folder, flushed to disk, then renamed. Several files of a folder change together by [`LockedFolder`].

mod folder;
mod occupied;
mod toml;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

pub(crate) use folder::is_plain_name;
pub use folder::{Committed, LockedFolder, Replacement};
pub use occupied::{FileKind, check_replaceable};
pub use toml::{parse_toml, read_configuration, read_toml};

/// Name and content of a file that the binary carries.
pub(crate) type CarriedFile = (&'static str, &'static [u8]);
/// Name and files of a folder that the binary carries.
pub(crate) type CarriedFolder = (&'static str, &'static [CarriedFile]);

/// How the name of a file begins that is not complete.
const TEMPORARY: &str = ".unfinished-";

/// Writes one file. On any failure the file that was there before is untouched. What is no regular file, such as
/// `/dev/stdout`, a terminal or a pipe, is written to and stays what it is; a link stays and its target is replaced.
///
/// # Errors
/// [`Error::Io`] naming the file: folder not writable, disk full, or whatever `write` returns.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    match target(path).map_err(Error::io("write", path))? {
        Target::Stream => write_through(path, write).map_err(Error::io("write", path)),
        Target::File(target) => replace(&target, write).map_err(Error::io("write", path)),
    }
}

/// Writes one file that is already in memory, as [`write_atomically`].
///
/// # Errors
/// As [`write_atomically`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, |out| out.write_all(bytes))
}

/// Whether a file can be written at `path`, asked before the long work whose result goes there.
///
/// # Errors
/// [`Error::Io`] naming the file.
pub fn check_writable(path: &Path) -> Result<()> {
    let written = match target(path) {
        Ok(Target::Stream) => Ok(()),
        Ok(Target::File(target)) => tempfile::tempfile_in(folder_of(&target)).map(drop),
        Err(error) => Err(error),
    };
    written.map_err(Error::io("write", path))
}

enum Target {
    /// A regular file, which may not exist yet.
    File(PathBuf),
    /// A device, a pipe or the like.
    Stream,
}

fn target(path: &Path) -> io::Result<Target> {
    // The standard streams stay what they are even where they lead to a regular file, which has a writer already.
    if cfg!(unix) && path.starts_with("/dev") && path.exists() {
        return Ok(Target::Stream);
    }
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if found.is_file() => fs::canonicalize(path).map(Target::File),
        Ok(_) => Ok(Target::Stream),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Target::File(path.into())),
        Err(error) => Err(error),
    }
}

fn write_through(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut writer = BufWriter::new(OpenOptions::new().append(true).open(path)?);
    write(&mut writer)?;
    writer.flush()
}

fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = folder_of(path);
    // What a killed process left of this file; not to be able to remove it is no reason to fail.
    let _ = folder::clear_temporaries(folder, &prefix(path));
    write_beside(path, write)?
        .persist(path)
        .map_err(|failure| failure.error)?;
    sync_folder(folder)
}

/// How the names of temporary files begin that become the file at `path`.
fn prefix(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A name may have 255 bytes, and random letters follow.
    let short: String = name.chars().take(32).collect();
    format!("{TEMPORARY}{short}-")
}

fn write_beside(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let prefix = prefix(path);
    builder.prefix(&prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Temporary files are private by default; what is renamed has to be as readable as any new file (less the umask).
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let temporary = builder.tempfile_in(folder_of(path))?;
    // Tells a file that is being written from one that a killed process left. Where nothing can be locked, nothing is cleared.
    let _ = temporary.as_file().try_lock();
    let mut writer = BufWriter::new(temporary);
    write(&mut writer)?;
    let temporary = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes the rename itself last through a power cut; only Unix can open a folder for that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// Reads a whole file of at most `limit_bytes`.
///
/// # Errors
/// [`Error::Io`], also for a folder, a device or a pipe, which may never end; [`Error::Malformed`] for a longer file.
pub fn read_bounded(path: &Path, limit_bytes: u64) -> Result<Vec<u8>> {
    let file = open_regular(path).map_err(Error::io("read", path))?;
    let mut bytes = Vec::new();
    let mut bounded = file.take(limit_bytes + 1);
    bounded.read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > limit_bytes {
        return Err(Error::Malformed {
            path: path.to_path_buf(),
            line: None,
            column: None,
            expected: format!("at most {limit_bytes} bytes"),
            found: "a longer file".into(),
            hint: "Check that this is the right file.".into(),
        });
    }
    Ok(bytes)
}

/// Opens a file, unless it is a folder or something that to open or to read may never end.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let found = fs::metadata(path)?;
    if found.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        let kind = io::ErrorKind::InvalidInput;
        return Err(io::Error::new(kind, "it is a device or a pipe, not a regular file"));
    }
    File::open(path)
}

/// Bytes, such as those of a hash, as text.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(super) fn names_in(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        fs::write(&path, "old").unwrap();
        let result = write_atomically(&path, |out| {
            out.write_all(b"half of the new")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        let message = result.unwrap_err().to_string();
        assert!(
            message.contains("cannot write") && message.contains("a.csv"),
            "{message}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names_in(folder.path()), ["a.csv"]);
    }

    #[test]
    fn what_cannot_be_written_is_known_before() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_writable(&folder.path().join("new.html")).is_ok());
        assert_eq!(names_in(folder.path()), [""; 0]);
        let absent = check_writable(&folder.path().join("absent/new.html")).unwrap_err();
        assert!(absent.to_string().contains("Check the path."), "{absent}");
        let taken = check_writable(folder.path()).unwrap_err();
        assert!(taken.to_string().contains("Name a file"), "{taken}");
    }

    #[test]
    fn a_long_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, [0; 11]).unwrap();
        assert!(read_bounded(&path, 11).is_ok());
        assert!(read_bounded(&path, 10).is_err());
    }

    #[test]
    fn a_killed_write_leaves_nothing_for_good() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".unfinished-a.csv-x"), "half").unwrap();
        fs::write(folder.path().join(".unfinished-b.csv-x"), "half").unwrap();
        write_bytes(&folder.path().join("a.csv"), b"whole").unwrap();
        assert_eq!(names_in(folder.path()), [".unfinished-b.csv-x", "a.csv"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_devices_stay_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_bytes(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        let null = folder.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        for path in [Path::new("/dev/null"), &null] {
            write_bytes(path, b"lost").unwrap();
            check_writable(path).unwrap();
        }
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        assert!(fs::symlink_metadata(&null).unwrap().is_symlink());
        let refused = read_bounded(Path::new("/dev/zero"), 100).unwrap_err().to_string();
        assert!(
            refused.contains("/dev/zero") && refused.contains("regular file"),
            "{refused}"
        );
    }
}
