//! CSV tables with named columns in any order, visited row by row; every complaint names file, line and column.

mod header;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use csv::ByteRecord;

use crate::error::{Error, Result};
use crate::files::open_regular;
use crate::progress::{Counted, Progress, Silent};
use crate::space::QuantPolicy;

/// Longest row read, with its line breaks in quotes, in bytes.
const MAX_ROW_BYTES: u64 = 1 << 20;
/// Longest cell read, in bytes.
const MAX_CELL_BYTES: usize = 1 << 14;
/// Most characters of a cell that a message repeats.
const SHOWN: usize = 360;

/// Which columns a table has.
pub(crate) struct Columns<'a> {
    /// Every column that is read. Cells are accessed by the position of their column in this list.
    pub(crate) known: &'a [&'a str],
    /// Those that cannot be absent.
    pub(crate) required: &'a [&'a str],
    /// Whether other columns are an error (our own format) or ignored (another project's).
    pub(crate) strict: bool,
}

/// A CSV file opened at its first row.
pub(crate) struct Table<'a> {
    path: PathBuf,
    names: &'a [&'a str],
    places: Vec<Option<usize>>,
    reader: csv::Reader<Bounded<'a>>,
    /// Where the row being read begins.
    row: Rc<Cell<u64>>,
    /// Whether a header names the columns; otherwise every row has one cell for each of `names`, in their order.
    has_header: bool,
}

/// A file of which no more than [`MAX_ROW_BYTES`] and a buffer are read without a row coming to its end.
struct Bounded<'a> {
    file: Counted<'a, File>,
    read: u64,
    row: Rc<Cell<u64>>,
}

/// A row is longer than any table has.
#[derive(Debug, thiserror::Error)]
#[error("more than {MAX_ROW_BYTES} bytes")]
struct LongRow;

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read - self.row.get() > MAX_ROW_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, LongRow));
        }
        let read = self.file.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

/// One row of a [`Table`].
pub(crate) struct Row<'a> {
    table: &'a TableHead<'a>,
    record: &'a ByteRecord,
}

struct TableHead<'a> {
    path: &'a Path,
    names: &'a [&'a str],
    places: &'a [Option<usize>],
}

impl<'a> Table<'a> {
    /// Opens the file and matches its header; `progress` advances by the bytes read.
    pub(crate) fn open(path: &Path, columns: &Columns<'a>, progress: &'a dyn Progress) -> Result<Table<'a>> {
        let (header, reader, row) = opened(path, progress)?;
        let places = header::match_header(path, columns, &header)?;
        Ok(Table {
            path: path.to_path_buf(),
            names: columns.known,
            places,
            reader,
            row,
            has_header: true,
        })
    }

    /// Opens a file without a header: every row has exactly these columns, in this order.
    pub(crate) fn without_header(path: &Path, names: &'a [&'a str], progress: &'a dyn Progress) -> Result<Table<'a>> {
        let (reader, row) = reader(path, false, progress)?;
        Ok(Table {
            path: path.to_path_buf(),
            names,
            places: (0..names.len()).map(Some).collect(),
            reader,
            row,
            has_header: false,
        })
    }

    /// Calls `visit` with every row, in order, until one fails.
    pub(crate) fn visit(mut self, mut visit: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
        let head = TableHead {
            path: &self.path,
            names: self.names,
            places: &self.places,
        };
        let mut record = ByteRecord::new();
        loop {
            self.row.set(self.reader.position().byte());
            let line = self.reader.position().line();
            if !(self.reader.read_byte_record(&mut record)).map_err(|error| csv_error(&self.path, line, error))? {
                return Ok(());
            }
            check_cells(&self.path, line, &record)?;
            if !self.has_header && record.len() != self.names.len() {
                return Err(other_columns(&self.path, line, self.names, record.len()));
            }
            visit(&Row {
                table: &head,
                record: &record,
            })?;
        }
    }
}

/// The names of a file's columns, trimmed.
pub(crate) fn header(path: &Path) -> Result<Vec<String>> {
    Ok(opened(path, &Silent)?.0)
}

type Opened<'a> = (Vec<String>, csv::Reader<Bounded<'a>>, Rc<Cell<u64>>);

/// A reader of a file's rows, and where the one being read begins. Without a header rows may differ in length: who reads them
/// knows how many cells they have.
fn reader<'a>(
    path: &Path,
    has_header: bool,
    progress: &'a dyn Progress,
) -> Result<(csv::Reader<Bounded<'a>>, Rc<Cell<u64>>)> {
    let file = open_regular(path).map_err(Error::io("read", path))?;
    let row = Rc::new(Cell::new(0));
    let mut builder = csv::ReaderBuilder::new();
    builder
        .buffer_capacity(1 << 18)
        .has_headers(has_header)
        .flexible(!has_header);
    let reader = builder.from_reader(Bounded {
        file: Counted::new(file, progress),
        read: 0,
        row: row.clone(),
    });
    Ok((reader, row))
}

/// The header of a file, and the rest of it.
fn opened<'a>(path: &Path, progress: &'a dyn Progress) -> Result<Opened<'a>> {
    let (mut reader, row) = reader(path, true, progress)?;
    let header = reader.byte_headers().map_err(|error| csv_error(path, 1, error))?;
    check_cells(path, 1, header)?;
    let names = header
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim().to_string())
        .collect();
    Ok((names, reader, row))
}

fn check_cells(path: &Path, line: u64, record: &ByteRecord) -> Result<()> {
    match record.iter().find(|cell| cell.len() > MAX_CELL_BYTES) {
        None => Ok(()),
        Some(cell) => Err(too_long(
            path,
            line,
            "cells",
            MAX_CELL_BYTES as u64,
            cell.len().to_string(),
        )),
    }
}

/// A row of a table without a header has another number of cells than the table has columns.
fn other_columns(path: &Path, line: u64, names: &[&str], found: usize) -> Error {
    Error::Malformed {
        path: path.to_path_buf(),
        line: Some(line),
        column: None,
        expected: format!("{} values: {}", names.len(), names.join(", ")),
        found: found.to_string(),
        hint: "Check that this is the right file, and that it is whole.".into(),
    }
}

fn too_long(path: &Path, line: u64, what: &str, most: u64, found: String) -> Error {
    Error::Malformed {
        path: path.to_path_buf(),
        line: Some(line),
        column: None,
        expected: format!("{what} of at most {most} bytes"),
        found,
        hint: "Check that this is the right file, and that every quote is closed.".into(),
    }
}

/// `line` is where the row began that could not be read.
fn csv_error(path: &Path, line: u64, error: csv::Error) -> Error {
    let line = error.position().map_or(line, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(source) if source.get_ref().is_some_and(|inner| inner.is::<LongRow>()) => {
            too_long(path, line, "rows", MAX_ROW_BYTES, "more".into())
        }
        csv::ErrorKind::Io(source) => Error::io("read", path)(source),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => Error::Malformed {
            path: path.to_path_buf(),
            line: Some(line),
            column: None,
            expected: format!("{expected_len} values, as in the header"),
            found: len.to_string(),
            hint: "Leave absent values empty between their commas; put values that contain a comma in double quotes."
                .into(),
        },
        other => Error::Malformed {
            path: path.to_path_buf(),
            line: Some(line),
            column: None,
            expected: "comma-separated values".into(),
            found: format!("{other:?}"),
            hint: "Correct this line.".into(),
        },
    }
}

impl Row<'_> {
    /// The precision in a column, `None` where it is empty.
    pub(crate) fn precision(&self, column: usize) -> Result<Option<QuantPolicy>> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|error| self.malformed(column, "a precision", error, "Correct it or leave it empty."))
        };
        self.text(column)?.map(parse).transpose()
    }

    /// Line number of the row, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    /// The trimmed text of a column; `None` where it is empty or the table has no such column.
    pub(crate) fn text(&self, column: usize) -> Result<Option<&str>> {
        let Some(bytes) = self.table.places[column].and_then(|place| self.record.get(place)) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(bytes).map_err(|_| {
            let found = String::from_utf8_lossy(bytes);
            self.malformed(column, "UTF-8 text", format!("`{found}`"), "Save the file as UTF-8.")
        })?;
        let text = text.trim();
        Ok((!text.is_empty()).then_some(text))
    }

    /// The text of a column that cannot be empty.
    pub(crate) fn required(&self, column: usize) -> Result<&str> {
        self.text(column)?
            .ok_or_else(|| self.malformed(column, "a value", "an empty cell", "Fill it in or remove the row."))
    }

    /// A finite number in a column, `None` where it is empty.
    pub(crate) fn number(&self, column: usize) -> Result<Option<f64>> {
        let Some(text) = self.text(column)? else {
            return Ok(None);
        };
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => Err(self.malformed(
                column,
                "a finite number with a decimal point and without a unit",
                format!("`{text}`"),
                "Leave the cell empty where nothing was measured.",
            )),
        }
    }

    /// A number above zero, `None` where it is empty.
    pub(crate) fn positive(&self, column: usize) -> Result<Option<f64>> {
        let value = self.number(column)?;
        match value {
            Some(value) if value <= 0.0 => {
                let hint = if value == -1.0 {
                    "-1 often means not measured: leave the cell empty then."
                } else {
                    "Leave the cell empty where nothing was measured."
                };
                Err(self.malformed(column, "a number above zero", value, hint))
            }
            _ => Ok(value),
        }
    }

    /// An error at this row.
    pub(crate) fn malformed(
        &self,
        column: usize,
        expected: impl ToString,
        found: impl ToString,
        hint: impl ToString,
    ) -> Error {
        Error::Malformed {
            path: self.table.path.to_path_buf(),
            line: Some(self.line()),
            column: Some(self.table.names[column].into()),
            expected: expected.to_string(),
            // What was found may be another error, a sentence of its own.
            found: shortened(found.to_string().trim_end_matches('.')),
            hint: hint.to_string(),
        }
    }
}

/// A text as messages show it.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_string(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
