//! The files of a gzipped tar archive, read one after the other and never written to disk. An archive is somebody else's: it may
//! be cut off, unpack to more than there is room for, or name files that an unpacker would put somewhere else.

use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use tar::{Entry, EntryType};

use crate::error::{Error, Result};
use crate::files::open_regular;

/// Most bytes that an archive may unpack to; what a reader looks at is a sixth of that.
const LIMIT_BYTES: u64 = 64 << 20;
/// Most files.
const LIMIT_FILES: usize = 1 << 16;
/// Most bytes of one file.
const LIMIT_FILE_BYTES: u64 = 1 << 20;

/// Passes the name and the content of every file to `visit`, in the order of the archive.
///
/// # Errors
/// [`Error::Malformed`] for what is no gzipped tar archive or is cut off, is larger than the limits, or holds a link, a device, or a
/// name that leads out of the folder that it would be unpacked in; those of `visit`.
pub(super) fn visit_files(path: &Path, mut visit: impl FnMut(&str, &[u8]) -> Result<()>) -> Result<()> {
    let file = open_regular(path).map_err(Error::io("read", path))?;
    let unpacked = Bounded {
        inner: GzDecoder::new(BufReader::new(file)),
        left: LIMIT_BYTES,
    };
    let broken = |error: io::Error| unreadable(path, &error);
    let mut archive = tar::Archive::new(unpacked);
    let mut files = 0;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let kind = entry.header().entry_type();
        // What git writes before the first file, about all of them.
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let name = checked_name(path, &entry)?;
        if kind == EntryType::Directory {
            continue;
        }
        check_file(path, &name, kind, entry.size())?;
        files += 1;
        if files > LIMIT_FILES {
            return Err(refused(
                path,
                None,
                format!("at most {LIMIT_FILES} files"),
                "more".into(),
            ));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(broken)?;
        visit(&name, &content)?;
    }
    // Up to the checksum, which stands behind everything else.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(broken)?;
    Ok(())
}

/// The name of an entry, if it stays in the folder that the archive is unpacked in.
fn checked_name<R: Read>(path: &Path, entry: &Entry<'_, R>) -> Result<String> {
    let bytes = entry.path_bytes();
    let name = String::from_utf8_lossy(&bytes).into_owned();
    // Either separator and a drive, whatever system this is.
    let absolute = name.starts_with(['/', '\\']) || name.as_bytes().get(1) == Some(&b':');
    if absolute || name.split(['/', '\\']).any(|part| part == "..") {
        let expected = "names within the folder of the archive".into();
        return Err(refused(
            path,
            Some(&name),
            expected,
            "a path that leads out of it".into(),
        ));
    }
    Ok(name)
}

fn check_file(path: &Path, name: &str, kind: EntryType, bytes: u64) -> Result<()> {
    let found = match kind {
        EntryType::Regular | EntryType::Continuous if bytes <= LIMIT_FILE_BYTES => return Ok(()),
        EntryType::Regular | EntryType::Continuous => format!("{bytes} bytes"),
        EntryType::Link | EntryType::Symlink => "a link".into(),
        _ => "neither a file nor a folder".into(),
    };
    let expected = format!("plain files of at most {LIMIT_FILE_BYTES} bytes");
    Err(refused(path, Some(name), expected, found))
}

/// How messages call a file of an archive.
pub(super) fn shown(name: &str) -> String {
    format!("file `{name}`")
}

fn refused(path: &Path, name: Option<&str>, expected: String, found: String) -> Error {
    Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: name.map(shown),
        expected,
        found,
        hint: "Nothing was unpacked. Get the archive again, from its publisher.".into(),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let found = match error.kind() {
        io::ErrorKind::UnexpectedEof => "its end in the middle of it: it is cut off".into(),
        io::ErrorKind::FileTooLarge => format!("more than {} MiB", LIMIT_BYTES >> 20),
        _ => error.to_string(),
    };
    let expected = format!("a gzipped tar archive of at most {} MiB unpacked", LIMIT_BYTES >> 20);
    refused(path, None, expected, found)
}

/// A reader that fails rather than giving more than so many bytes.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::Header;
    use tempfile::TempDir;

    use super::*;

    fn header(kind: EntryType, name: &[u8], size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        // Past the checks of `set_path`, which would refuse what is to be refused here.
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_cksum();
        header
    }

    /// An archive of entries: kind, name, content.
    fn archive(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (kind, name, content) in entries {
            let header = header(*kind, name.as_bytes(), content.len() as u64);
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn visited(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.tar.gz");
        fs::write(&path, bytes).unwrap();
        let mut files = Vec::new();
        visit_files(&path, |name, content| {
            files.push((name.to_string(), content.to_vec()));
            Ok(())
        })?;
        Ok(files)
    }

    #[track_caller]
    fn refusal(bytes: &[u8], message: &str) {
        let found = visited(bytes).unwrap_err().to_string();
        assert!(found.contains(message), "no `{message}` in: {found}");
        assert!(found.len() < 600, "{} bytes", found.len());
    }

    const FILE: EntryType = EntryType::Regular;

    #[test]
    fn files_in_order_without_folders() {
        let bytes = archive(&[
            (EntryType::Directory, "d/", b""),
            (FILE, "d/b.json", b"{}"),
            (FILE, "./d/a.json", b""),
        ]);
        let files = [
            ("d/b.json".to_string(), b"{}".to_vec()),
            ("./d/a.json".to_string(), Vec::new()),
        ];
        assert_eq!(visited(&bytes).unwrap(), files);
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        for name in [
            "/etc/passwd",
            "../a",
            "d/../../a",
            "d/..",
            "C:\\a",
            "\\\\host\\a",
            "d\\..\\a",
        ] {
            let bytes = archive(&[(FILE, "fine", b""), (FILE, name, b"x")]);
            refusal(&bytes, &format!("file `{name}`"));
            refusal(&bytes, "a path that leads out of it");
        }
    }

    #[test]
    fn links_and_devices_are_refused() {
        for kind in [EntryType::Symlink, EntryType::Link] {
            refusal(
                &archive(&[(kind, "to", b"")]),
                "(file `to`): expected plain files of at most 1048576 bytes, found a link",
            );
        }
        for kind in [EntryType::Fifo, EntryType::Block, EntryType::Char] {
            refusal(&archive(&[(kind, "dev", b"")]), "neither a file nor a folder");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let zeros = vec![0; (1 << 20) + 1];
        refusal(
            &archive(&[(FILE, "large", &zeros)]),
            "(file `large`): expected plain files of at most 1048576 bytes",
        );
        let many: Vec<(EntryType, &str, &[u8])> = (0..65).map(|_| (FILE, "each", &zeros[1..])).collect();
        refusal(&archive(&many), "found more than 64 MiB");
        // A gigabyte of zeros is the end of the archive again and again, then a name as long as all of it.
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        for _ in 0..1024 {
            gzip.write_all(&zeros[1..]).unwrap();
        }
        refusal(&gzip.finish().unwrap(), "found more than 64 MiB");
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(header(EntryType::GNULongName, b"long", 1 << 40).as_bytes())
            .unwrap();
        for _ in 0..128 {
            gzip.write_all(&zeros[1..]).unwrap();
        }
        refusal(&gzip.finish().unwrap(), "found more than 64 MiB");
        let empty: Vec<(EntryType, &str, &[u8])> = (0..LIMIT_FILES + 1).map(|_| (FILE, "e", &b""[..])).collect();
        refusal(&archive(&empty), "expected at most 65536 files, found more");
    }

    #[test]
    fn damage_is_refused() {
        let bytes = archive(&[(FILE, "a", b"some content of a file"), (FILE, "b", b"more")]);
        for length in [12, bytes.len() / 2, bytes.len() - 9, bytes.len() - 1] {
            refusal(&bytes[..length], "it is cut off");
        }
        // The checksum, and the first byte of a header.
        let mut changed = bytes.clone();
        let place = bytes.len() - 8;
        changed[place] ^= 1;
        assert!(visited(&changed).is_err());
        refusal(b"PK\x03\x04", "expected a gzipped tar archive");
        refusal(b"", "expected a gzipped tar archive");
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&[7; 1024]).unwrap();
        refusal(&gzip.finish().unwrap(), "expected a gzipped tar archive");
    }
}
