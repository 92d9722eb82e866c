//! The rows of the Parquet table, with its columns found by name and their types checked before anything is read.

use std::cell::Cell;
use std::fs::File;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Once;

use parquet::basic::Type as Physical;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::Type;

use crate::error::{Error, Result};
use crate::files::open_regular;

/// Most bytes of the file, and most rows it may claim.
const LIMIT_BYTES: u64 = 256 << 20;
const LIMIT_ROWS: i64 = 10_000_000;

/// Name and type of every column needed.
const COLUMNS: [(&str, Physical); 9] = [
    ("arch_idx", Physical::INT64),
    ("rep_arch_idx", Physical::INT64),
    ("device", Physical::BYTE_ARRAY),
    ("framework", Physical::BYTE_ARRAY),
    ("task", Physical::BYTE_ARRAY),
    ("lat_ms_median", Physical::DOUBLE),
    ("energy_mj", Physical::DOUBLE),
    ("accuracy", Physical::DOUBLE),
    ("status", Physical::BYTE_ARRAY),
];

/// One row.
pub(super) struct Line {
    /// From 1.
    pub(super) number: usize,
    pub(super) architecture: i64,
    pub(super) representative: i64,
    pub(super) device: String,
    pub(super) framework: String,
    pub(super) task: String,
    pub(super) latency_ms: Option<f64>,
    pub(super) energy_mj: Option<f64>,
    pub(super) accuracy: Option<f64>,
    pub(super) status: String,
}

/// The table.
pub(super) struct Lines<'a> {
    path: &'a Path,
    reader: SerializedFileReader<File>,
    /// Where the columns needed stand.
    places: [usize; COLUMNS.len()],
}

impl<'a> Lines<'a> {
    /// Opens the file and finds the columns.
    pub(super) fn open(path: &'a Path) -> Result<Lines<'a>> {
        let file = open_regular(path).map_err(Error::io("read", path))?;
        let size = file.metadata().map_err(Error::io("read", path))?.len();
        if size > LIMIT_BYTES {
            return Err(broken(path, &format!("a file of more than {LIMIT_BYTES} bytes")));
        }
        let reader = guarded(path, || SerializedFileReader::new(file))?.map_err(|error| unreadable(path, error))?;
        let rows = reader.metadata().file_metadata().num_rows();
        if !(0..=LIMIT_ROWS).contains(&rows) {
            return Err(broken(path, &format!("{rows} rows")));
        }
        let schema = reader.metadata().file_metadata().schema();
        let places = places(schema).ok_or_else(|| other_columns(path, schema))?;
        Ok(Lines { path, reader, places })
    }

    /// Number of rows.
    pub(super) fn count(&self) -> u64 {
        self.reader.metadata().file_metadata().num_rows().unsigned_abs()
    }

    /// The rows.
    pub(super) fn rows(&self) -> Result<impl Iterator<Item = Result<Line>> + '_> {
        let mut rows =
            guarded(self.path, || self.reader.get_row_iter(None))?.map_err(|error| unreadable(self.path, error))?;
        let next = move || match guarded(self.path, || rows.next()) {
            Ok(row) => row.map(|row| row.map_err(|error| unreadable(self.path, error))),
            Err(error) => Some(Err(error)),
        };
        Ok((1..).zip(std::iter::from_fn(next)).map(|(number, row)| {
            self.line(number, &row?)
                .ok_or_else(|| broken(self.path, &format!("an empty cell in row {number}")))
        }))
    }

    fn line(&self, number: usize, row: &Row) -> Option<Line> {
        let fields: Vec<&Field> = row.get_column_iter().map(|(_, field)| field).collect();
        let field = |column: usize| fields.get(self.places[column]).copied();
        let index = |column| match field(column)? {
            Field::Long(value) => Some(*value),
            _ => None,
        };
        let text = |column| match field(column)? {
            Field::Str(text) => Some(text.clone()),
            _ => None,
        };
        let double = |column| match field(column)? {
            Field::Double(value) => Some(*value),
            _ => None,
        };
        Some(Line {
            number,
            architecture: index(0)?,
            representative: index(1)?,
            device: text(2)?,
            framework: text(3)?,
            task: text(4)?,
            latency_ms: double(5),
            energy_mj: double(6),
            accuracy: double(7),
            status: text(8)?,
        })
    }
}

/// Where the columns stand, `None` when one is missing or of another type.
fn places(schema: &Type) -> Option<[usize; COLUMNS.len()]> {
    let mut places = [0; COLUMNS.len()];
    for (place, (name, physical)) in places.iter_mut().zip(COLUMNS) {
        let fits = |field: &Type| field.name() == name && field.is_primitive() && field.get_physical_type() == physical;
        *place = schema.get_fields().iter().position(|field| fits(field))?;
    }
    Some(places)
}

fn other_columns(path: &Path, schema: &Type) -> Error {
    let described = |name: &str, physical: Physical| format!("{name} ({physical})");
    let found = schema.get_fields().iter().map(|field| {
        if field.is_primitive() {
            described(field.name(), field.get_physical_type())
        } else {
            format!("{} (a group)", field.name())
        }
    });
    Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: None,
        expected: format!(
            "the columns {}",
            COLUMNS.map(|(name, physical)| described(name, physical)).join(", ")
        ),
        found: found.collect::<Vec<String>>().join(", "),
        hint: "Get the file that upstream calls results/dataset.parquet.".into(),
    }
}

thread_local! {
    /// Whether a panic of this thread is expected, and told as an error.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What `read` returns. The library that reads the format believes the sizes inside of a file, and panics where they
/// contradict each other (parquet 60.1, `ColumnChunkMetaData::byte_range` and `read_num_bytes`).
fn guarded<T>(path: &Path, read: impl FnOnce() -> T) -> Result<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                told(panic);
            }
        }));
    });
    GUARDED.set(true);
    let done = panic::catch_unwind(AssertUnwindSafe(read));
    GUARDED.set(false);
    done.map_err(|_| broken(path, "sizes that contradict each other"))
}

fn unreadable(path: &Path, error: ParquetError) -> Error {
    broken(path, &format!("a broken file ({error})"))
}

fn broken(path: &Path, found: &str) -> Error {
    Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: None,
        expected: "a Parquet table".into(),
        found: found.into(),
        hint: "The file is damaged or not what its name says: get it again.".into(),
    }
}
