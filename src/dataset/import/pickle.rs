//! Lists of numbers and indices in PyTorch `.pt` files: a zip of a Python pickle.
//!
//! A pickle is a program for a stack machine. Only those operations are let through that push numbers and strings into
//! one list or dictionary; the rest, such as calling functions, is refused before the decoder sees it. The sizes are
//! bounded too: some bytes of a hostile file can otherwise ask for gigabytes (copies of copies, nested lists, a zip that
//! unpacks to far more than it is).

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::{Error, Result};

/// Most bytes of a `.pt` file, and of the pickle in it.
const LIMIT_BYTES: u64 = 64 << 20;
/// Most numbers and strings in one pickle.
const LIMIT_VALUES: usize = 4_000_000;
/// Longest string, in bytes.
const LIMIT_STRING_BYTES: usize = 4096;

/// A Python list of numbers.
pub(super) struct Numbers(pub(super) Vec<f64>);

/// A Python dictionary from strings to positions, in the order of the file.
pub(super) struct Positions(pub(super) Vec<(String, u64)>);

/// Reads the pickle of a `.pt` file.
pub(super) fn read_pt<T: DeserializeOwned>(path: &Path, expected: &'static str) -> Result<T> {
    let complain = |found: String, hint: &str| Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: None,
        expected: expected.into(),
        found,
        hint: hint.into(),
    };
    let again = "The file is damaged or not what its name says: get it again.";
    let bytes = read_entry(path).map_err(|fault| match fault {
        Fault::Io(error) => Error::io("read", path)(error),
        Fault::Content(found) => complain(found, again),
    })?;
    screen(&bytes).map_err(|found| complain(found, again))?;
    let options = serde_pickle::DeOptions::new();
    serde_pickle::from_slice(&bytes, options).map_err(|error| {
        // The decoder puts its own prefix before every message, also before ours inside of it.
        complain(error.to_string().replace("decoding error: ", ""), again)
    })
}

enum Fault {
    Io(std::io::Error),
    Content(String),
}

/// The bytes of `<archive>/data.pkl`.
fn read_entry(path: &Path) -> std::result::Result<Vec<u8>, Fault> {
    let file = File::open(path).map_err(Fault::Io)?;
    match file.metadata().map_err(Fault::Io)?.len() > LIMIT_BYTES {
        true => Err(Fault::Content(format!("a file of more than {LIMIT_BYTES} bytes"))),
        false => unpack(file),
    }
}

fn unpack(zipped: impl Read + Seek) -> std::result::Result<Vec<u8>, Fault> {
    let broken = |error: &dyn fmt::Display| Fault::Content(format!("a broken zip file ({error})"));
    let mut archive = zip::ZipArchive::new(zipped).map_err(|error| broken(&error))?;
    let is_pickle = |name: &str| name == "data.pkl" || name.ends_with("/data.pkl");
    let name = archive.file_names().find(|name| is_pickle(name)).map(str::to_string);
    let name = name.ok_or_else(|| Fault::Content("a zip file without data.pkl".into()))?;
    let entry = archive.by_name(&name).map_err(|error| broken(&error))?;
    let mut bytes = Vec::new();
    // The size in the zip's directory is only a claim: what is really unpacked is what counts.
    entry
        .take(LIMIT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| broken(&error))?;
    match bytes.len() as u64 > LIMIT_BYTES {
        true => Err(Fault::Content(format!("a pickle of more than {LIMIT_BYTES} bytes"))),
        false => Ok(bytes),
    }
}

/// Walks over the operations without carrying any out, and refuses what is not one flat list or dictionary.
///
/// Operations as in Python's `pickletools`.
fn screen(bytes: &[u8]) -> std::result::Result<(), String> {
    let mut rest = bytes;
    let (mut containers, mut values, mut marked, mut storable) = (0, 0, false, false);
    loop {
        let (&operation, arguments) = rest.split_first().ok_or("a truncated pickle")?;
        let skipped = match operation {
            b'.' => return Ok(()),
            0x80 => 1,                         // PROTO
            0x95 => 8,                         // FRAME
            b'K' => 1,                         // BININT1
            b'M' => 2,                         // BININT2
            b'J' => 4,                         // BININT
            b'G' => 8,                         // BINFLOAT
            0x8a => 1 + prefix(arguments, 1)?, // LONG1
            0x8c => 1 + prefix(arguments, 1)?, // SHORT_BINUNICODE
            b'X' => 4 + prefix(arguments, 4)?, // BINUNICODE
            // EMPTY_LIST, EMPTY_DICT; MARK; APPEND, APPENDS, SETITEM, SETITEMS.
            b']' | b'}' | b'(' | b'a' | b'e' | b's' | b'u' => 0,
            // MEMOIZE, BINPUT, LONG_BINPUT. Storing what was just stored would copy it.
            0x94 if storable => 0,
            b'q' if storable => 1,
            b'r' if storable => 4,
            b'c' | 0x93 | b'R' | b'i' | b'o' | b'b' | 0x81 | 0x92 | b'P' | b'Q' | 0x82..=0x84 => {
                return Err("code or objects, which are never run".into());
            }
            _ => return Err(format!("something else (pickle operation 0x{operation:02x})")),
        };
        match operation {
            b']' | b'}' if containers > 0 => return Err("lists in lists".into()),
            b']' | b'}' => containers += 1,
            b'(' if marked => return Err("lists in lists".into()),
            b'(' => marked = true,
            b'e' | b'u' => marked = false,
            b'K' | b'M' | b'J' | b'G' | b'X' | 0x8a | 0x8c => values += 1,
            _ => {}
        }
        if values > LIMIT_VALUES {
            return Err(format!("more than {LIMIT_VALUES} values"));
        }
        storable = matches!(operation, b']' | b'}' | b'X' | 0x8c);
        rest = arguments.get(skipped..).ok_or("a truncated pickle")?;
    }
}

/// The length that stands before a string, in little-endian order.
fn prefix(arguments: &[u8], width: usize) -> std::result::Result<usize, String> {
    let length = arguments.get(..width).ok_or("a truncated pickle")?;
    let length = length
        .iter()
        .rev()
        .fold(0, |length, &byte| length << 8 | usize::from(byte));
    match length > LIMIT_STRING_BYTES {
        true => Err(format!("a string of {length} bytes")),
        false => Ok(length),
    }
}

struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> std::result::Result<Number, E> {
                Ok(Number(value))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> std::result::Result<Number, E> {
                Ok(Number(value as f64))
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct NumbersVisitor;
        impl<'de> Visitor<'de> for NumbersVisitor {
            type Value = Numbers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Numbers, A::Error> {
                let mut numbers = Vec::new();
                let element = |position: usize, error| de::Error::custom(format!("element {position}: {error}"));
                while let Some(Number(number)) = list
                    .next_element()
                    .map_err(|error: A::Error| element(numbers.len(), error))?
                {
                    numbers.push(number);
                }
                Ok(Numbers(numbers))
            }
        }
        deserializer.deserialize_any(NumbersVisitor)
    }
}

impl<'de> Deserialize<'de> for Positions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct PositionsVisitor;
        impl<'de> Visitor<'de> for PositionsVisitor {
            type Value = Positions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a dictionary from names to positions")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Positions, A::Error> {
                let mut positions = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    positions.push(entry);
                }
                Ok(Positions(positions))
            }
        }
        deserializer.deserialize_any(PositionsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn refusal(pickle: &[u8]) -> String {
        screen(pickle).unwrap_err()
    }

    #[test]
    fn a_flat_list_and_a_flat_dictionary_pass() {
        // pickle.dumps([1, 300, 2.0, 10**6, 2**40], 2) and pickle.dumps({"a": 1}, 4), written by Python.
        let list =
            b"\x80\x02]q\x00(K\x01M,\x01G@\x00\x00\x00\x00\x00\x00\x00J@B\x0f\x00\x8a\x06\x00\x00\x00\x00\x00\x01e.";
        let dictionary = b"\x80\x04\x95\n\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s.";
        assert_eq!(screen(list), Ok(()));
        assert_eq!(screen(dictionary), Ok(()));
        let numbers: Numbers = serde_pickle::from_slice(list, serde_pickle::DeOptions::new()).unwrap();
        assert_eq!(numbers.0, [1.0, 300.0, 2.0, 1_000_000.0, 1_099_511_627_776.0]);
        let positions: Positions = serde_pickle::from_slice(dictionary, serde_pickle::DeOptions::new()).unwrap();
        assert_eq!(positions.0, [("a".to_string(), 1)]);
    }

    #[test]
    fn lists_in_lists_are_refused_before_they_fill_the_stack() {
        assert_eq!(refusal(&[b']'; 1_000_000]), "lists in lists");
        assert_eq!(refusal(&[b'('; 1_000_000]), "lists in lists");
        assert!(refusal(&[&[b']'][..], &[0x85; 1_000_000]].concat()).contains("0x85"));
    }

    #[test]
    fn copies_of_copies_are_refused() {
        // ] then, over and over, duplicate it and append the copy to the original: 2^n lists from 2 n bytes.
        assert!(refusal(&b"]222aaa.".repeat(20)).contains("0x32"));
        // ] stored, fetched, appended to itself; and stored under one number after another.
        assert!(refusal(b"]q\x00h\x00a.").contains("0x68"));
        assert!(refusal(b"]q\x00q\x01q\x02.").contains("0x71"));
    }

    #[test]
    fn code_is_refused_in_every_form() {
        for pickle in [
            &b"cos\nsystem\n"[..],
            b"\x93",
            b"R",
            b"(ios\nsystem\n",
            b"o",
            b"b",
            b"\x81",
            b"\x92",
            b"Q",
            b"\x82",
        ] {
            assert!(refusal(pickle).contains("never run") || pickle[0] == b'(', "{pickle:?}");
        }
    }

    #[test]
    fn lengths_are_claims_to_be_checked() {
        assert_eq!(refusal(b"]X\xff\xff\xff\xffabc"), "a string of 4294967295 bytes");
        assert_eq!(refusal(b"]X\x04\x00\x00\x00abc"), "a truncated pickle");
        assert_eq!(refusal(b"](K\x01"), "a truncated pickle");
        assert_eq!(refusal(b""), "a truncated pickle");
        assert!(refusal(&[&b"]("[..], &b"K\x01".repeat(LIMIT_VALUES + 1), b"e."].concat()).contains("values"));
    }

    /// A list of 200 numbers.
    fn pickled() -> Vec<u8> {
        let numbers: Vec<u8> = (0..200).flat_map(|number| [b'K', number]).collect();
        [&b"\x80\x02]q\x00("[..], &numbers, b"e."].concat()
    }

    fn zipped(pickle: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("archive/data.pkl", zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(pickle).unwrap();
        zip.finish().unwrap().into_inner()
    }

    /// Bytes at some places replaced.
    fn damaged(mut bytes: Vec<u8>, damage: &[(usize, u8)]) -> Vec<u8> {
        for &(place, byte) in damage {
            let length = bytes.len();
            bytes[place % length] = byte;
        }
        bytes
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(
            operations in vec(select(&b"]}()aeusKMJGXqrh20.\x80\x94\x95\x8a\x8c\x85"[..]), 0..60),
            damage in vec((any::<usize>(), any::<u8>()), 0..4),
        ) {
            for pickle in [damaged(pickled(), &damage), [b"]".to_vec(), operations].concat()] {
                if screen(&pickle).is_ok() {
                    let options = serde_pickle::DeOptions::new;
                    if let Ok(Numbers(numbers)) = serde_pickle::from_slice(&pickle, options()) {
                        prop_assert!(numbers.len() <= pickle.len());
                    }
                    let _ = serde_pickle::from_slice::<Positions>(&pickle, options());
                }
            }
        }

        #[test]
        fn no_damage_to_a_zip_file_makes_it_panic(damage in vec((any::<usize>(), any::<u8>()), 1..4)) {
            if let Ok(bytes) = unpack(std::io::Cursor::new(damaged(zipped(&pickled()), &damage))) {
                prop_assert!(bytes.len() <= 10_000);
            }
        }
    }
}
