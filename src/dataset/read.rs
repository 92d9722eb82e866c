//! Reads a dataset folder, or single tables in its form, one row at a time.

use std::path::{Path, PathBuf};

use super::build::Builder;
use super::deduplicate::{Contradiction, Contradictions, Keyed, deduplicate};
use super::devices::{DEVICES_FILE, read_devices, unknown_device};
use super::manifest::{MANIFEST_FILE, Manifest};
use super::table::{Columns, Row, Table};
use super::{AccuracyRow, Dataset, DeviceValues, Measurement, Origin};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::files::Committed;
use crate::metric::Metric;
use crate::progress::{Progress, Silent, Unit};
use crate::space::{InputSize, Precision, SearchSpace, by_id};

/// Name of the table of latencies and energies in a dataset folder.
pub const MEASUREMENTS_FILE: &str = "measurements.csv";
/// Name of the table of accuracies in a dataset folder.
pub const ACCURACY_FILE: &str = "accuracy.csv";

pub(super) const MEASUREMENT_COLUMNS: &[&str] = &[
    "device",
    "architecture",
    "precision",
    "input",
    "latency_ms",
    "energy_mj",
    "origin",
];
/// Where in [`MEASUREMENT_COLUMNS`] those of [`Metric::OF_DEVICE`] begin.
const FIRST_VALUE: usize = 4;
pub(super) const ACCURACY_COLUMNS: &[&str] = &["task", "architecture", "precision", "accuracy_percent", "origin"];

/// Precision of rows that state none, on devices of which none is known.
pub(super) const DEFAULT_PRECISION: Precision = Precision::Fp32;

/// A dataset as read, with what was noticed on the way.
pub struct Loaded {
    /// What the dataset says about itself.
    pub manifest: Manifest,
    /// Its content.
    pub dataset: Dataset,
    /// Rows that repeated an earlier one and were joined with it.
    pub repeated_rows: usize,
    /// That rows were taken to have an input size because nothing says it, in a sentence.
    pub assumed_input: Option<String>,
}

/// Values of rows that do not state them.
pub(super) struct Defaults {
    pub(super) origin: Origin,
    input: InputSize,
    input_is_stated: bool,
    /// Whether a device that was not described before is an error; otherwise it is added by its name alone.
    devices_are_known: bool,
}

impl Defaults {
    /// Those of a table without a `dataset.toml`.
    pub(super) fn of(space: &dyn SearchSpace) -> Self {
        Defaults {
            origin: Origin::Measured,
            input: space.default_input(),
            input_is_stated: false,
            devices_are_known: false,
        }
    }
}

impl Dataset {
    /// Reads a dataset folder.
    ///
    /// # Errors
    /// [`Error::Malformed`] with file, line and column; [`Error::Io`].
    pub fn read(folder: &Path) -> Result<Dataset> {
        Ok(load(folder, &Silent)?.dataset)
    }
}

/// Reads a dataset folder: what one writer left there, even where another process writes to it meanwhile.
///
/// # Errors
/// [`Error::Malformed`] with file, line and column; [`Error::Io`]; [`Error::Locked`] where it is written to all the time.
pub fn load(folder: &Path, progress: &dyn Progress) -> Result<Loaded> {
    const FILES: [&str; 4] = [MANIFEST_FILE, DEVICES_FILE, MEASUREMENTS_FILE, ACCURACY_FILE];
    Committed::read(folder, &FILES, || load_once(folder, progress))
}

fn load_once(folder: &Path, progress: &dyn Progress) -> Result<Loaded> {
    let manifest = Manifest::read(folder)?;
    let space = by_id(&manifest.space)?;
    let mut defaults = Defaults {
        origin: manifest.origin,
        ..Defaults::of(space)
    };
    if let Some(input) = &manifest.input {
        defaults.input = input.parse()?;
        defaults.input_is_stated = true;
    }
    let mut builder = Builder::new(space);
    let repeated_rows = read_tables(folder, defaults, &mut builder, progress)?;
    Ok(Loaded {
        manifest,
        assumed_input: builder.assumed_input(),
        dataset: builder.finish(),
        repeated_rows,
    })
}

/// Reads those tables of a folder that exist, of which there has to be one with values.
pub(super) fn read_tables(
    folder: &Path,
    mut defaults: Defaults,
    builder: &mut Builder,
    progress: &dyn Progress,
) -> Result<usize> {
    let files = Committed::of(folder)?;
    let [devices, measurements, accuracy] =
        [DEVICES_FILE, MEASUREMENTS_FILE, ACCURACY_FILE].map(|name| files.path(name));
    // What is there and no file, such as a folder, is refused where it is opened.
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    if !is_there(&measurements) && !is_there(&accuracy) {
        return Err(Error::Malformed {
            path: folder.to_path_buf(),
            line: None,
            column: None,
            expected: format!("{MEASUREMENTS_FILE} or {ACCURACY_FILE}"),
            found: "neither".into(),
            hint: "Check the path.".into(),
        });
    }
    let bytes = [&measurements, &accuracy].map(|path| path.metadata().map_or(0, |found| found.len()));
    let what = format!("reading {}", folder.display());
    progress.start(&what, Unit::Bytes, Some(bytes.iter().sum()));
    if is_there(&devices) {
        read_devices(&devices, builder)?;
        defaults.devices_are_known = true;
    }
    let mut repeated = 0;
    if is_there(&measurements) {
        repeated += read_measurements(&measurements, &defaults, builder, progress)?;
    }
    if is_there(&accuracy) {
        repeated += read_accuracies(&accuracy, &defaults, builder, progress)?;
    }
    progress.finish();
    Ok(repeated)
}

/// Adds the rows of a table of measurements and returns how many repeated another.
pub(super) fn read_measurements(
    path: &Path,
    defaults: &Defaults,
    builder: &mut Builder,
    progress: &dyn Progress,
) -> Result<usize> {
    const COLUMNS: Columns = Columns {
        known: MEASUREMENT_COLUMNS,
        required: &["device", "architecture"],
        strict: true,
    };
    let mut lines = Vec::new();
    Table::open(path, &COLUMNS, progress)?.visit(|row| {
        let measurement = measurement(row, defaults, builder)?;
        builder.measurement(measurement);
        lines.push(row.line() as u32);
        Ok(())
    })?;
    deduplicate_lines(builder.measurements_mut(), path, &lines)
}

fn measurement(row: &Row<'_>, defaults: &Defaults, builder: &mut Builder) -> Result<Measurement> {
    const DEVICE: usize = 0;
    let name = row.required(DEVICE)?;
    let device = match builder.device(name) {
        Some(device) => device,
        None if defaults.devices_are_known => {
            let found = unknown_device(name, builder.device_ids());
            let expected = format!("a device of {DEVICES_FILE}");
            return Err(row.malformed(
                DEVICE,
                expected,
                found,
                format!("Correct it or add it to {DEVICES_FILE}."),
            ));
        }
        None => builder.add_device(Device {
            id: name.into(),
            unit: name.into(),
            ..Device::default()
        }),
    };
    let mut values = DeviceValues::default();
    for (place, metric) in Metric::OF_DEVICE.into_iter().enumerate() {
        if let Some(value) = row.positive(FIRST_VALUE + place)? {
            values.insert(metric, value);
        }
    }
    let named = architecture(row, 1, builder)?;
    Ok(Measurement {
        device,
        architecture: named,
        precision: match row.precision(2)? {
            Some(precision) => precision,
            None => builder.device_mut(device).runs_at(),
        },
        input: input(row, 3, named, defaults, builder)?,
        values,
        origin: origin(row, FIRST_VALUE + Metric::OF_DEVICE.len(), defaults)?,
    })
}

/// The number of the architecture in a column.
pub(super) fn architecture(row: &Row<'_>, column: usize, builder: &mut Builder) -> Result<u32> {
    builder.architecture(row.required(column)?).map_err(|error| {
        let expected = format!("an architecture of {}", builder.dataset().space.id());
        row.malformed(column, expected, error, "Correct or remove this row.")
    })
}

/// The number of the input size in a column, for a row about an architecture.
pub(super) fn input(
    row: &Row<'_>,
    column: usize,
    architecture: u32,
    defaults: &Defaults,
    builder: &mut Builder,
) -> Result<u16> {
    let space = builder.dataset().space;
    let input = match row.text(column)? {
        Some(text) => text.parse().map_err(|_| {
            row.malformed(
                column,
                "WIDTHxHEIGHT in pixels",
                format!("`{text}`"),
                "Write it as in 32x32.",
            )
        })?,
        None => {
            builder.assumes_input |= !defaults.input_is_stated && !space.resolution_is_a_gene();
            return builder.input(defaults.input);
        }
    };
    let own = space.input(&builder.dataset().architectures[architecture as usize], input);
    if own != input {
        return Err(row.malformed(
            column,
            format!("the architecture's own resolution, {own}"),
            format!("`{input}`"),
            "Correct it or leave it empty: the architecture says it.",
        ));
    }
    builder.input(input)
}

fn origin(row: &Row<'_>, column: usize, defaults: &Defaults) -> Result<Origin> {
    let Some(text) = row.text(column)? else {
        return Ok(defaults.origin);
    };
    Origin::from_name(text).ok_or_else(|| {
        let names = Origin::ALL.map(Origin::name).join(", ");
        row.malformed(
            column,
            format!("one of {names}"),
            format!("`{text}`"),
            "Correct it or leave it empty.",
        )
    })
}

/// Adds the rows of a table of accuracies and returns how many repeated another.
pub(super) fn read_accuracies(
    path: &Path,
    defaults: &Defaults,
    builder: &mut Builder,
    progress: &dyn Progress,
) -> Result<usize> {
    const COLUMNS: Columns = Columns {
        known: ACCURACY_COLUMNS,
        required: &["task", "architecture", "accuracy_percent"],
        strict: true,
    };
    let mut lines = Vec::new();
    Table::open(path, &COLUMNS, progress)?.visit(|row| {
        let accuracy = AccuracyRow {
            task: builder.task(row.required(0)?)?,
            architecture: architecture(row, 1, builder)?,
            precision: row.precision(2)?.unwrap_or(DEFAULT_PRECISION.into()),
            accuracy_percent: percent(row, 3)?,
            origin: origin(row, 4, defaults)?,
        };
        builder.accuracy(accuracy);
        lines.push(row.line() as u32);
        Ok(())
    })?;
    refuse_fractions(path, builder.dataset())?;
    deduplicate_lines(builder.accuracies_mut(), path, &lines)
}

/// An accuracy in percent, which cannot be absent.
pub(super) fn percent(row: &Row<'_>, column: usize) -> Result<f64> {
    row.required(column)?;
    match row.number(column)? {
        Some(value) if (0.0..=100.0).contains(&value) => Ok(value),
        value => {
            let found = value.map(|value| value.to_string()).unwrap_or_default();
            Err(row.malformed(
                column,
                "a percentage from 0 to 100",
                found,
                "Remove the row where there is no accuracy.",
            ))
        }
    }
}

/// A whole task without a value above 1 is taken for fractions: some architecture always beats one percent.
pub(super) fn refuse_fractions(path: &Path, dataset: &Dataset) -> Result<()> {
    let mut highest = vec![f64::NAN; dataset.tasks.len()];
    for row in &dataset.accuracies {
        let highest = &mut highest[usize::from(row.task)];
        *highest = highest.max(row.accuracy_percent);
    }
    for (task, highest) in dataset.tasks.iter().zip(highest) {
        if highest <= 1.0 {
            return Err(Error::Malformed {
                path: path.to_path_buf(),
                line: None,
                column: Some("accuracy_percent".into()),
                expected: "accuracies in percent".into(),
                found: format!("no value of task `{task}` above {highest}"),
                hint: "They look like fractions: multiply them by 100.".into(),
            });
        }
    }
    Ok(())
}

fn deduplicate_lines<R: Keyed>(rows: &mut Vec<R>, path: &Path, lines: &[u32]) -> Result<usize> {
    // Rows that were there before this table have no line here: single tables are read into an empty builder.
    deduplicate(rows).map_err(|Contradictions { shown, count }| {
        let Contradiction { first, later, .. } = shown[0];
        let others = match count {
            1 => String::new(),
            _ => format!(" and {} more such rows, which differ less", count - 1),
        };
        Error::Malformed {
            path: PathBuf::from(path),
            line: lines.get(later).map(|&line| line.into()),
            column: None,
            expected: format!("the same values as in line {}, {}", lines[first], rows[first].value()),
            found: format!("{}{others}", rows[later].value()),
            hint: "Both lines name the same thing: remove the wrong one.".into(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_a_device_has_its_column() {
        let end = FIRST_VALUE + Metric::OF_DEVICE.len();
        assert_eq!(
            MEASUREMENT_COLUMNS[FIRST_VALUE..end],
            Metric::OF_DEVICE.map(Metric::key)
        );
        assert_eq!(MEASUREMENT_COLUMNS[end..], ["origin"]);
    }
}
