//! Files that are either the old ones or the new ones, never something between: written under a temporary name in the
//! same folder, flushed to disk, then renamed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

use crate::error::{Error, Result, did_you_mean};

/// Writes one file. On any failure the file that was there before is untouched.
///
/// # Errors
/// [`Error::Io`] naming the file: folder not writable, disk full, or whatever `write` returns.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut replacement = Replacement::new();
    replacement.add(path, write)?;
    replacement.commit()
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
    let written = if path.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else {
        tempfile::tempfile_in(folder_of(path)).map(drop)
    };
    written.map_err(Error::io("write", path))
}

/// Several files that replace older ones together: all are complete on disk before the first is renamed.
#[derive(Default)]
pub struct Replacement {
    written: Vec<(NamedTempFile, PathBuf)>,
}

impl Replacement {
    /// With no file yet.
    pub fn new() -> Self {
        Replacement::default()
    }

    /// Writes the new content of `path` beside it. Dropping the replacement without [`Replacement::commit`] removes it.
    ///
    /// # Errors
    /// [`Error::Io`] naming `path`.
    pub fn add(&mut self, path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let temporary = write_beside(path, write).map_err(Error::io("write", path))?;
        self.written.push((temporary, path.to_path_buf()));
        Ok(())
    }

    /// Renames every file to its final name.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file that could not be renamed.
    pub fn commit(self) -> Result<()> {
        for (temporary, path) in self.written {
            temporary
                .persist(&path)
                .map_err(|failure| Error::io("replace", &path)(failure.error))?;
            sync_folder(folder_of(&path)).map_err(Error::io("write", &path))?;
        }
        Ok(())
    }
}

fn write_beside(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".unfinished-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Temporary files are private by default; what is renamed has to be as readable as any new file (less the umask).
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut writer = BufWriter::new(builder.tempfile_in(folder_of(path))?);
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
/// [`Error::Io`], or [`Error::Malformed`] for a longer file.
pub fn read_bounded(path: &Path, limit_bytes: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io("read", path))?;
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

/// Longest TOML file read, in bytes.
const TOML_LIMIT_BYTES: u64 = 4 << 20;

/// Reads a TOML file.
///
/// # Errors
/// [`Error::Io`], or [`Error::Malformed`] with the line, and for an unknown key the nearest known one.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = read_bounded(path, TOML_LIMIT_BYTES)?;
    parse_toml(&String::from_utf8_lossy(&bytes), path)
}

/// Reads a TOML file that says what to do.
///
/// # Errors
/// As [`read_toml`], but [`Error::Configuration`] for what it holds.
pub fn read_configuration<T: DeserializeOwned>(path: &Path) -> Result<T> {
    read_toml(path).map_err(Error::in_configuration)
}

/// Parses the text of the TOML file at `path`.
///
/// # Errors
/// As [`read_toml`].
pub fn parse_toml<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T> {
    toml::from_str(text).map_err(|error| toml_error(path, text, &error))
}

fn toml_error(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let line = error.span().map(|span| {
        1 + text.as_bytes()[..span.start]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count() as u64
    });
    let message = error.message().trim();
    // serde words this as: unknown field `x`, expected one of `a`, `b`
    let names: Vec<String> = message.split('`').skip(1).step_by(2).map(str::to_string).collect();
    let (expected, found, hint) = match names.split_first() {
        Some((key, known)) if message.starts_with("unknown field") => (
            format!("one of the keys {}", known.join(", ")),
            format!("unknown key `{key}`{}", did_you_mean(key, known)),
            "Correct or remove it.".to_string(),
        ),
        _ => (
            "valid TOML of this kind of file".into(),
            message.to_string(),
            "Correct this line.".into(),
        ),
    };
    Error::Malformed {
        path: path.to_path_buf(),
        line,
        column: None,
        expected,
        found,
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(folder: &Path) -> Vec<String> {
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
    fn files_of_one_replacement_change_together() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("1"), folder.path().join("2"));
        fs::write(&first, "old").unwrap();
        let mut replacement = Replacement::new();
        replacement.add(&first, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&first).unwrap(), "old");
        replacement.add(&second, |out| out.write_all(b"new")).unwrap();
        replacement.commit().unwrap();
        assert_eq!(fs::read_to_string(&first).unwrap(), "new");
        assert_eq!(fs::read_to_string(&second).unwrap(), "new");
        assert_eq!(names_in(folder.path()), ["1", "2"]);
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
    fn an_unknown_toml_key_is_named_with_its_line_and_the_nearest() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Settings {
            #[allow(dead_code)]
            space: String,
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dataset.toml");
        fs::write(&path, "# one\nspcae = 1\n").unwrap();
        let message = read_toml::<Settings>(&path).unwrap_err().to_string();
        assert!(message.contains("dataset.toml:2"), "{message}");
        assert!(message.contains("`spcae` (did you mean `space`?)"), "{message}");
    }
}
