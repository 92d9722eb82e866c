//! Where the shared library of ONNX Runtime is, and what is wrong with it.
//!
//! The system's loader says little of a library for another processor ("no such file", in part), so the file is
//! looked at before.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::runtime::OnnxLibrary;

/// The variable that names the library, as other programs that load ONNX Runtime read it.
const VARIABLE: &str = "ORT_DYLIB_PATH";
/// What to do about a library that cannot be used.
pub(super) const REMEDY: &str = "`pip install onnxruntime` brings one; it lies in the package, as onnxruntime/capi/libonnxruntime.so.* on \
                                 Linux. Name it by its path or in ORT_DYLIB_PATH, or have it looked for in the Python package.";
/// The processors of libraries in the ELF format, by their number there and their name in Rust.
const PROCESSORS: [(u16, &str); 5] = [
    (3, "x86"),
    (40, "arm"),
    (62, "x86_64"),
    (183, "aarch64"),
    (243, "riscv64"),
];

/// The library, known to be a file for this machine.
pub(super) fn find(library: &OnnxLibrary) -> Result<PathBuf> {
    let path = match library {
        OnnxLibrary::File(path) => path.clone(),
        OnnxLibrary::Environment => std::env::var_os(VARIABLE)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
            .ok_or_else(|| {
                missing(
                    format!("the path of the library in {VARIABLE}"),
                    "no such variable".into(),
                )
            })?,
        OnnxLibrary::PythonPackage => in_python_package()?,
    };
    let path = path
        .canonicalize()
        .map_err(|error| missing(format!("a library at {}", path.display()), error.to_string()))?;
    check(&path)?;
    Ok(path)
}

fn missing(expected: String, found: String) -> Error {
    Error::Runtime {
        runtime: "ONNX Runtime".into(),
        expected,
        found,
        hint: REMEDY.into(),
    }
}

/// The library in the package `onnxruntime` of `python3`, which is asked where it is without importing it.
fn in_python_package() -> Result<PathBuf> {
    const ASK: &str = "import importlib.util as u; print(u.find_spec('onnxruntime').submodule_search_locations[0])";
    let expected = || "the package onnxruntime in python3".to_string();
    let answer = Command::new("python3").args(["-c", ASK]).output();
    let answer = answer.map_err(|error| missing(expected(), format!("python3 does not start: {error}")))?;
    if !answer.status.success() {
        return Err(missing(expected(), "no such package".into()));
    }
    let folder = PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim()).join("capi");
    let entries = folder.read_dir().map_err(Error::io("read", &folder))?;
    let mut libraries: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_library(path))
        .collect();
    libraries.sort();
    libraries
        .pop()
        .ok_or_else(|| missing(format!("a library in {}", folder.display()), "none".into()))
}

/// Whether the file has the library's name, which others beside it begin with.
fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("libonnxruntime.so")
        || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
        || name == "onnxruntime.dll"
}

/// Looks at the first bytes of a library in the ELF format; other systems have other formats, which their loader
/// tells of.
fn check(path: &Path) -> Result<()> {
    let expected = format!("a shared library for {}", std::env::consts::ARCH);
    let unfit = |found: &str| missing(expected.clone(), format!("{found} in {}", path.display()));
    if !path.is_file() {
        return Err(unfit("no file"));
    }
    if cfg!(not(target_os = "linux")) {
        return Ok(());
    }
    let mut start = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    if read.is_err() || !start.starts_with(b"\x7fELF") {
        return Err(unfit("no shared library"));
    }
    // The sixth byte tells the order of the others: 1 for the lowest first.
    let number = [start[18], start[19]];
    let number = if start[5] == 1 {
        u16::from_le_bytes(number)
    } else {
        u16::from_be_bytes(number)
    };
    let processor = PROCESSORS
        .iter()
        .find(|(known, _)| *known == number)
        .map(|(_, name)| *name);
    match processor {
        Some(name) if name == std::env::consts::ARCH => Ok(()),
        // A processor that we do not know may be this one.
        None if !PROCESSORS.iter().any(|(_, name)| *name == std::env::consts::ARCH) => Ok(()),
        Some(name) => Err(unfit(&format!("one for {name}"))),
        None => Err(unfit(&format!("one for the processor number {number}"))),
    }
}

/// What the loader of libraries has against this one.
pub(super) fn unusable(path: &Path, error: &ort::LoadDynamicError) -> Error {
    use ort::LoadDynamicError as Cause;
    use std::error::Error as _;
    let oldest = format!("release 1.{} or later", ort::MINOR_VERSION);
    let (expected, found) = match error {
        Cause::BadVersion { version_str, .. } => (oldest, format!("release {version_str}")),
        Cause::MissingApi { .. } => ("a library of ONNX Runtime".into(), "a library of something else".into()),
        Cause::InvalidVersionString => (oldest, "a release that cannot be read".into()),
        Cause::Dlopen { error, .. } => {
            // The error itself says no more than which call failed; the system's words lie behind it.
            let said = error.source().map(ToString::to_string);
            (
                "a library that can be loaded".into(),
                said.unwrap_or_else(|| error.to_string()),
            )
        }
    };
    let place = path.display().to_string();
    let found = if found.contains(&place) {
        found
    } else {
        format!("{found} in {place}")
    };
    missing(expected, found)
}

/// Name and release of the runtime. Its interface tells the commit alone, the file's name the release.
pub(super) fn description(path: &Path, build: &str) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_number = |part: &&str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_digit());
    let release: Vec<&str> = name.split('.').filter(is_number).collect();
    if release.len() >= 2 {
        return format!("onnxruntime {}", release.join("."));
    }
    let commit = build
        .split_once("git-commit-id=")
        .map(|(_, rest)| rest.split(',').next().unwrap_or_default());
    match commit {
        Some(commit) => format!("onnxruntime (commit {commit})"),
        None => "onnxruntime (release unknown)".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_release_stands_in_the_file_name_and_the_commit_in_the_build() {
        let build = "ORT Build Info: git-branch=HEAD, git-commit-id=6af1a93, build type=Release";
        for (name, expected) in [
            ("libonnxruntime.so.1.31.1", "onnxruntime 1.31.1"),
            ("libonnxruntime.1.20.0.dylib", "onnxruntime 1.20.0"),
            ("libonnxruntime.so.1", "onnxruntime (commit 6af1a93)"),
            ("onnxruntime.dll", "onnxruntime (commit 6af1a93)"),
        ] {
            assert_eq!(description(Path::new(name), build), expected);
        }
    }

    #[test]
    fn the_package_has_other_libraries_beside_the_right_one() {
        for (name, expected) in [
            ("libonnxruntime.so.1.31.1", true),
            ("libonnxruntime.1.20.0.dylib", true),
            ("onnxruntime.dll", true),
            ("libonnxruntime_providers_shared.so", false),
            ("onnxruntime_pybind11_state.so", false),
        ] {
            assert_eq!(is_library(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn files_that_are_missing_are_told_with_what_to_do() {
        let error = find(&OnnxLibrary::File("/nowhere/libonnxruntime.so".into()))
            .unwrap_err()
            .to_string();
        for part in [
            "/nowhere/libonnxruntime.so",
            "pip install onnxruntime",
            "capi/libonnxruntime.so",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn files_for_other_processors_and_what_is_no_library_are_told() {
        // An ELF header for 64 bits, lowest byte first: type 3 (shared), then the processor.
        let header = |processor: u16| {
            [
                b"\x7fELF\x02\x01\x01".as_slice(),
                &[0; 9],
                &[3, 0],
                &processor.to_le_bytes(),
            ]
            .concat()
        };
        let other = PROCESSORS
            .iter()
            .find(|(_, name)| *name != std::env::consts::ARCH)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (content, part) in [
            (header(other.0), other.1),
            (header(12_345), "12345"),
            (b"text, and long enough for a header".to_vec(), "no shared library"),
            (b"\x7fELF".to_vec(), "no shared library"),
            (Vec::new(), "no shared library"),
        ] {
            let path = folder.path().join("libonnxruntime.so");
            fs::write(&path, content).unwrap();
            let error = find(&OnnxLibrary::File(path.clone())).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("libonnxruntime.so"), "{error}");
        }
        let error = find(&OnnxLibrary::File(folder.path().into())).unwrap_err().to_string();
        assert!(error.contains("no file in"), "{error}");
    }
}
