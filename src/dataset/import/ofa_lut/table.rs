//! One table of blocks: names of blocks, and under each of them how long it takes on average, in YAML.
//!
//! ```yaml
//! Conv-input:224x224x3-output:112x112x24:
//!   count: 500
//!   mean: 0.994418
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use saphyr_parser::{Event, Parser, StrInput};

use crate::error::{Error, Result};
use crate::files::read_bounded;

/// Most bytes of a file.
const LIMIT_BYTES: u64 = 16 << 20;
/// Longest latency of a block in ms, more than a week: sums stay finite.
const LONGEST_MS: f64 = 1e9;
/// The entry of a block with its latency in ms.
const MEAN: &str = "mean";

/// Latencies of blocks.
pub(super) struct BlockTable {
    path: PathBuf,
    means_ms: HashMap<String, f64>,
}

impl BlockTable {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Malformed`] with the line of what is not as above. Aliases are refused, which could make a small
    /// file stand for a huge one.
    pub(super) fn read(path: &Path) -> Result<BlockTable> {
        let bytes = read_bounded(path, LIMIT_BYTES)?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()]
                .iter()
                .filter(|&&byte| byte == b'\n')
                .count() as u64
                + 1;
            malformed(path, Some(line), "UTF-8 text", "other bytes")
        })?;
        let mut reader = Reader {
            path,
            events: Parser::new_from_str(text),
            line: 1,
        };
        let means_ms = reader.table()?;
        Ok(BlockTable {
            path: path.to_path_buf(),
            means_ms,
        })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Latency of a block in ms.
    pub(super) fn mean_ms(&self, block: &str) -> Option<f64> {
        self.means_ms.get(block).copied()
    }
}

fn malformed(path: &Path, line: Option<u64>, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::Malformed {
        path: path.to_path_buf(),
        line,
        column: None,
        expected: expected.into(),
        found: found.into(),
        hint: "Get the file again.".into(),
    }
}

/// The pieces of a YAML file, in order.
struct Reader<'a> {
    path: &'a Path,
    events: Parser<'a, StrInput<'a>>,
    /// Line of the last piece.
    line: u64,
}

/// A piece that tables are made of.
enum Piece {
    Start,
    End,
    Text(String),
    /// Anything else, for messages.
    Other(&'static str),
}

impl Reader<'_> {
    fn table(&mut self) -> Result<HashMap<String, f64>> {
        let mut means_ms = HashMap::new();
        let expected = "a mapping from names of blocks to their latencies";
        self.start(expected)?;
        while let Some(block) = self.name(expected)? {
            let mean_ms = self.block(&block)?;
            if means_ms.insert(block.clone(), mean_ms).is_some() {
                return Err(self.malformed("each block once", format!("block {block} again")));
            }
        }
        match self.piece()? {
            Piece::Other(END_OF_FILE) => Ok(means_ms),
            piece => Err(self.malformed("the end of the file", piece.kind())),
        }
    }

    /// The latency of a block in ms, whatever else is known of it.
    fn block(&mut self, block: &str) -> Result<f64> {
        let expected = format!("the entry `{MEAN}` of block {block}");
        self.start(&expected)?;
        let mut mean_ms = None;
        while let Some(name) = self.name(&expected)? {
            let text = match self.piece()? {
                Piece::Text(text) => text,
                other => return Err(self.malformed(&format!("a number under `{name}` of block {block}"), other.kind())),
            };
            if name == MEAN {
                mean_ms = Some(self.milliseconds(block, &text)?);
            }
        }
        mean_ms.ok_or_else(|| self.malformed(&expected, "none"))
    }

    fn milliseconds(&self, block: &str, text: &str) -> Result<f64> {
        match text.parse() {
            Ok(value) if value > 0.0 && value <= LONGEST_MS => Ok(value),
            _ => Err(self.malformed(
                &format!("a latency of block {block} above 0 ms, and at most {LONGEST_MS:e} ms"),
                format!("`{text}`"),
            )),
        }
    }

    fn start(&mut self, expected: &str) -> Result<()> {
        match self.piece()? {
            Piece::Start => Ok(()),
            other => Err(self.malformed(expected, other.kind())),
        }
    }

    /// The next name of a mapping, `None` at its end.
    fn name(&mut self, expected: &str) -> Result<Option<String>> {
        match self.piece()? {
            Piece::Text(name) => Ok(Some(name)),
            Piece::End => Ok(None),
            other => Err(self.malformed(expected, other.kind())),
        }
    }

    fn piece(&mut self) -> Result<Piece> {
        loop {
            let event = self.events.next_event().transpose().map_err(|error| {
                let line = error.marker().line() as u64;
                malformed(self.path, Some(line), "YAML", error.info().trim_start_matches("found "))
            })?;
            let Some((event, span)) = event else {
                return Ok(Piece::Other(END_OF_FILE));
            };
            self.line = span.start.line() as u64;
            return Ok(match event {
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => continue,
                Event::MappingStart(..) => Piece::Start,
                Event::MappingEnd => Piece::End,
                Event::Scalar(text, ..) => Piece::Text(text.into_owned()),
                Event::SequenceStart(..) | Event::SequenceEnd => Piece::Other("a list"),
                Event::Alias(_) => Piece::Other("an alias"),
                Event::StreamEnd => Piece::Other(END_OF_FILE),
            });
        }
    }

    fn malformed(&self, expected: &str, found: impl Into<String>) -> Error {
        malformed(self.path, Some(self.line), expected, found)
    }
}

const END_OF_FILE: &str = "the end of the file";

impl Piece {
    /// What it is, for messages.
    fn kind(&self) -> String {
        match self {
            Piece::Start => "a mapping".into(),
            Piece::End => "the end of a mapping".into(),
            Piece::Text(text) => format!("`{text}`"),
            Piece::Other(other) => (*other).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const TABLE: &str = "Conv-input:224x224x3-output:112x112x24:\n  count: 500\n  mean: 0.994418\n  std: 0.017\n\
                         ? Logits-input:1x1x1536-output:1000\n: {mean: 7.5e-1}\n";

    fn read(content: &[u8]) -> Result<BlockTable> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("224_lookup_table.yaml");
        std::fs::write(&path, content).unwrap();
        BlockTable::read(&path)
    }

    #[test]
    fn names_keep_their_colons() {
        let table = read(TABLE.as_bytes()).unwrap();
        assert_eq!(table.mean_ms("Conv-input:224x224x3-output:112x112x24"), Some(0.994418));
        assert_eq!(table.mean_ms("Logits-input:1x1x1536-output:1000"), Some(0.75));
        assert_eq!(table.mean_ms("Logits-input:1x1x1536-output:10"), None);
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        let refused = |content: &[u8], parts: &[&str]| {
            let message = read(content).err().unwrap().to_string();
            for part in [&["224_lookup_table.yaml:"], parts].concat() {
                assert!(message.contains(part), "no `{part}` in: {message}");
            }
        };
        let changed = |from: &str, to: &str| TABLE.replace(from, to).into_bytes();
        refused(b"", &["a mapping from names of blocks", "found the end of the file"]);
        refused(b"- 1\n- 2\n", &["yaml:1", "found a list"]);
        refused(b"mean: 3\n", &["`mean` of block mean", "found `3`"]);
        refused(
            &changed("mean: 0.994418", "median: 1"),
            &["entry `mean` of block Conv-", "found none"],
        );
        for (mean, found) in [
            ("-1", "`-1`"),
            ("0", "`0`"),
            (".nan", "`.nan`"),
            ("inf", "`inf`"),
            ("1e300", "`1e300`"),
            ("1 ms", "`1 ms`"),
        ] {
            refused(&changed("0.994418", mean), &["yaml:3", "above 0 ms", found]);
        }
        refused(
            &changed("0.994418", "[1]"),
            &["yaml:3", "a number under `mean`", "found a list"],
        );
        refused(&changed("0.994418", "&a 1\n  std: *a"), &["yaml:4", "found an alias"]);
        refused(&[TABLE, TABLE].concat().into_bytes(), &["each block once"]);
        refused(&[TABLE, "---\n", TABLE].concat().into_bytes(), &["the end of the file"]);
        refused(&TABLE.as_bytes()[..45], &["yaml:"]);
        refused(&changed("0.994418", "\"0.99"), &["yaml:", "expected YAML"]);
        refused(
            &[TABLE.as_bytes(), b"\xff\xfe: 3\n"].concat(),
            &["yaml:7", "UTF-8 text"],
        );
        refused(&vec![b' '; 17 << 20], &["at most 16777216 bytes"]);
        refused(&[b'['; 1 << 20], &["yaml:1"]);
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_panic(damage in vec((any::<usize>(), any::<u8>()), 1..6)) {
            let mut bytes = TABLE.as_bytes().to_vec();
            for (place, byte) in damage {
                let length = bytes.len();
                bytes[place % length] = byte;
            }
            if let Ok(table) = read(&bytes) {
                prop_assert!(table.means_ms.values().all(|mean_ms| mean_ms.is_finite() && *mean_ms > 0.0));
            }
        }
    }
}
