//! Arrays of numbers in NumPy's format NPY, version 1 to 3 (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).
//! They are read as data: arrays of objects, which are pickled, are refused like every other type that is not expected.

use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::files::read_bounded;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Most bytes of the header, and of one number.
const LIMIT_HEADER_BYTES: u64 = 1 << 16;
const LIMIT_NUMBER_BYTES: u64 = 8;
/// Characters of the header that a message shows.
const SHOWN_CHARACTERS: usize = 80;

/// What is wrong: what was expected, and what was found.
type Flaw = (String, String);

/// What a header says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

/// Reads an array of this shape, last index fastest, whose numbers are whole with 32 or 64 bits or real with 64, little-endian.
///
/// # Errors
/// [`Error::Io`], and [`Error::Malformed`] for whatever else the file is.
pub(super) fn read(path: &Path, shape: &[usize]) -> Result<Vec<f64>> {
    let count: usize = shape.iter().product();
    let bytes = read_bounded(path, LIMIT_HEADER_BYTES + LIMIT_NUMBER_BYTES * count as u64)?;
    numbers(&bytes, shape).map_err(|(expected, found)| Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: None,
        expected,
        found,
        hint: "Get the file again, from its publisher.".into(),
    })
}

fn numbers(bytes: &[u8], shape: &[usize]) -> std::result::Result<Vec<f64>, Flaw> {
    let (header, data) = split(bytes)?;
    let header = parse(header)?;
    if header.shape != shape {
        return Err((format!("an array of shape {shape:?}"), format!("{:?}", header.shape)));
    }
    if header.fortran_order {
        return Err(("`fortran_order` False".into(), "True".into()));
    }
    let count = shape.iter().product();
    match header.descr.as_str() {
        "<i8" => decoded(data, count, |bytes| i64::from_le_bytes(bytes) as f64),
        "<i4" => decoded(data, count, |bytes| i32::from_le_bytes(bytes).into()),
        "<f8" => decoded(data, count, f64::from_le_bytes),
        other => Err(("numbers of type <i8, <i4 or <f8".into(), quoted(other))),
    }
}

/// The text of the header, and the numbers behind it.
fn split(bytes: &[u8]) -> std::result::Result<(&[u8], &[u8]), Flaw> {
    let flaw = |found: String| ("an array in NumPy's format".to_string(), found);
    let Some((&[major, minor], rest)) = bytes.strip_prefix(MAGIC).and_then(|rest| rest.split_first_chunk()) else {
        return Err(flaw("a file that does not begin like one".into()));
    };
    let split = match (major, minor) {
        (1, 0) => rest
            .split_first_chunk()
            .map(|(&length, rest)| (u16::from_le_bytes(length).into(), rest)),
        (2 | 3, 0) => rest
            .split_first_chunk()
            .map(|(&length, rest)| (u32::from_le_bytes(length) as usize, rest)),
        _ => return Err(flaw(format!("version {major}.{minor}"))),
    };
    split
        .and_then(|(length, rest): (usize, &[u8])| rest.split_at_checked(length))
        .ok_or_else(|| flaw(format!("{} bytes, which end within the header", bytes.len())))
}

/// The header is a dictionary as Python writes it, of one string, one truth value and one tuple.
fn parse(header: &[u8]) -> std::result::Result<Header, Flaw> {
    let text = String::from_utf8_lossy(header);
    let json: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    let json = json
        .replace(",}", "}")
        .replace(",)", ")")
        .replace('(', "[")
        .replace(')', "]")
        .replace('\'', "\"")
        .replace("True", "true")
        .replace("False", "false");
    serde_json::from_str(&json).map_err(|_| {
        let expected = "a header {'descr': ..., 'fortran_order': ..., 'shape': (...)}";
        (expected.into(), quoted(text.trim()))
    })
}

/// Exactly so many numbers.
fn decoded<const BYTES: usize>(
    data: &[u8],
    count: usize,
    decode: impl Fn([u8; BYTES]) -> f64,
) -> std::result::Result<Vec<f64>, Flaw> {
    if data.len() != BYTES * count {
        let expected = format!("{} bytes behind the header", BYTES * count);
        return Err((expected, data.len().to_string()));
    }
    let (numbers, _) = data.as_chunks();
    Ok(numbers.iter().map(|&number| decode(number)).collect())
}

fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    format!("`{}`", shown.escape_debug())
}
