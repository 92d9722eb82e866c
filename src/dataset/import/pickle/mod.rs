//! Lists of numbers and indices in Python pickles, alone or in PyTorch `.pt` files (a zip of a pickle).
//!
//! A pickle is a program for a stack machine, and loading one can run any code. The machine here knows data only and
//! refuses the rest. A library would do for lists of Python's numbers; numpy's are calls of functions in a pickle, which
//! none would read as data.

mod configurations;
mod machine;
mod operations;

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use crate::error::{Error, Result};
use crate::files::open_regular;

pub(super) use configurations::Configurations;

/// Most bytes of a file, and of the pickle in it.
const LIMIT_BYTES: u64 = 64 << 20;

/// What a pickle is made of. `depth` is the number of containers in one another.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// None, True, False.
    Nothing,
    Number(f64),
    Text(String),
    Bytes(Vec<u8>),
    List {
        items: Vec<Value>,
        depth: u8,
    },
    Tuple {
        items: Vec<Value>,
        depth: u8,
    },
    /// Keys and values in turn.
    Dictionary {
        items: Vec<Value>,
        depth: u8,
    },
    /// `numpy.dtype`.
    TypeName,
    /// numpy's type of double-precision numbers.
    Double,
    /// numpy's type of 64-bit whole numbers.
    Whole,
    /// `numpy.core.multiarray.scalar`.
    ScalarName,
    /// `_codecs.encode`.
    EncodeName,
}

impl Value {
    fn list() -> Value {
        Value::List {
            items: Vec::new(),
            depth: 1,
        }
    }

    fn dictionary() -> Value {
        Value::Dictionary {
            items: Vec::new(),
            depth: 1,
        }
    }

    fn depth(&self) -> u8 {
        match self {
            Value::List { depth, .. } | Value::Tuple { depth, .. } | Value::Dictionary { depth, .. } => *depth,
            _ => 0,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }

    /// What it is, for messages.
    fn kind(&self) -> &'static str {
        match self {
            Value::Nothing => "neither number nor text",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::List { .. } => "a list",
            Value::Tuple { .. } => "a tuple",
            Value::Dictionary { .. } => "a dictionary",
            Value::TypeName | Value::Double | Value::Whole | Value::ScalarName | Value::EncodeName => {
                "a name of Python's"
            }
        }
    }
}

/// A Python list of numbers.
pub(super) struct Numbers(pub(super) Vec<f64>);

/// A Python list of lists of small whole numbers.
pub(super) struct Rows(pub(super) Vec<Vec<u8>>);

/// A Python dictionary from strings to positions, in the order of the file.
pub(super) struct Positions(pub(super) Vec<(String, u64)>);

/// Reads the pickle of a `.pt` file.
pub(super) fn read_pt<T: TryFrom<Value, Error = String>>(path: &Path, expected: &str) -> Result<T> {
    read(path, expected, unpack)
}

/// Reads a pickle.
pub(super) fn read_pickle<T: TryFrom<Value, Error = String>>(path: &Path, expected: &str) -> Result<T> {
    read(path, expected, |file| limited(file, &|error| Fault::Io(error)))
}

fn read<T: TryFrom<Value, Error = String>>(
    path: &Path,
    expected: &str,
    bytes: impl FnOnce(File) -> std::result::Result<Vec<u8>, Fault>,
) -> Result<T> {
    let complain = |found: String| Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: None,
        expected: expected.into(),
        found,
        hint: "The file is damaged or not what its name says: get it again.".into(),
    };
    let file = open_regular(path).map_err(Error::io("read", path))?;
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    if size > LIMIT_BYTES {
        return Err(complain(format!("a file of more than {LIMIT_BYTES} bytes")));
    }
    let bytes = bytes(file).map_err(|fault| match fault {
        Fault::Io(error) => Error::io("read", path)(error),
        Fault::Content(found) => complain(found),
    })?;
    let value = machine::run(&bytes).map_err(|refusal| complain(refusal.0))?;
    T::try_from(value).map_err(complain)
}

enum Fault {
    Io(std::io::Error),
    Content(String),
}

/// The bytes of `<archive>/data.pkl`.
fn unpack(zipped: impl Read + Seek) -> std::result::Result<Vec<u8>, Fault> {
    let broken = |error: &dyn fmt::Display| Fault::Content(format!("a broken zip file ({error})"));
    let mut archive = zip::ZipArchive::new(zipped).map_err(|error| broken(&error))?;
    let is_pickle = |name: &str| name == "data.pkl" || name.ends_with("/data.pkl");
    let name = archive.file_names().find(|name| is_pickle(name)).map(str::to_string);
    let name = name.ok_or_else(|| Fault::Content("a zip file without data.pkl".into()))?;
    let entry = archive.by_name(&name).map_err(|error| broken(&error))?;
    limited(entry, &|error| broken(&error))
}

/// Reads to the end, or to the limit: the size in a zip's directory is only a claim.
fn limited(source: impl Read, fault: &dyn Fn(std::io::Error) -> Fault) -> std::result::Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    source.take(LIMIT_BYTES + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > LIMIT_BYTES {
        Err(Fault::Content(format!("a pickle of more than {LIMIT_BYTES} bytes")))
    } else {
        Ok(bytes)
    }
}

/// The items of a list, each read by `read`; a fault is named with its position.
fn listed<T>(
    value: Value,
    read: impl Fn(Value) -> std::result::Result<T, String>,
) -> std::result::Result<Vec<T>, String> {
    let Value::List { items, .. } = value else {
        return Err(value.kind().into());
    };
    let items = items.into_iter().enumerate();
    items
        .map(|(position, item)| read(item).map_err(|found| format!("{found} at position {position}")))
        .collect()
}

fn number(value: Value) -> std::result::Result<f64, String> {
    match value {
        Value::Number(number) => Ok(number),
        other => Err(other.kind().into()),
    }
}

/// A whole number up to `most`.
fn whole(value: Value, most: u64) -> std::result::Result<u64, String> {
    match number(value)? {
        number if number.fract() == 0.0 && (0.0..=most as f64).contains(&number) => Ok(number as u64),
        number => Err(number.to_string()),
    }
}

impl TryFrom<Value> for Numbers {
    type Error = String;

    fn try_from(value: Value) -> std::result::Result<Self, String> {
        listed(value, number).map(Numbers)
    }
}

impl TryFrom<Value> for Rows {
    type Error = String;

    fn try_from(value: Value) -> std::result::Result<Self, String> {
        let small = |value| Ok(whole(value, u8::MAX.into())? as u8);
        let rows = listed(value, |row| match row {
            Value::List { .. } => listed(row, small).map_err(|found| format!("{found} of the list")),
            other => Err(other.kind().into()),
        });
        rows.map(Rows)
    }
}

impl TryFrom<Value> for Positions {
    type Error = String;

    fn try_from(value: Value) -> std::result::Result<Self, String> {
        let Value::Dictionary { items, .. } = value else {
            return Err(value.kind().into());
        };
        let mut items = items.into_iter();
        let mut positions = Vec::new();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            let Value::Text(key) = key else {
                return Err(format!("{} as a key", key.kind()));
            };
            let position = whole(value, u32::MAX.into()).map_err(|found| format!("{found} under `{key}`"))?;
            positions.push((key, position));
        }
        Ok(Positions(positions))
    }
}

#[cfg(test)]
mod tests;
