//! Plain CSV in the dataset's own form: a dataset folder, a folder of tables, or one table.

use std::path::Path;

use super::{Imported, Importer, wide};
use crate::dataset::build::Builder;
use crate::dataset::deduplicate::deduplicate;
use crate::dataset::read::{Defaults, read_accuracies, read_measurements, read_tables};
use crate::dataset::table::header;
use crate::dataset::{MANIFEST_FILE, Manifest, load};
use crate::error::{Error, Result};
use crate::progress::{Progress, Unit};
use crate::space::SearchSpace;

/// A dataset, or tables like those of one.
pub(super) struct OwnCsv;

impl Importer for OwnCsv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn reads(&self) -> &'static str {
        "a dataset folder, or a CSV file like its measurements.csv or accuracy.csv, or with a column for every device"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        let mut notes = Vec::new();
        let (manifest, dataset, repeated) = if path.join(MANIFEST_FILE).is_file() {
            let loaded = load(path, progress)?;
            check_space(path, &loaded.manifest.space, space)?;
            notes.extend(loaded.assumed_input);
            (loaded.manifest, loaded.dataset, loaded.repeated_rows)
        } else {
            let mut builder = Builder::new(space);
            let (repeated, note) = if path.is_dir() {
                (read_tables(path, Defaults::of(space), &mut builder, progress)?, None)
            } else {
                read_table(path, space, &mut builder, progress)?
            };
            notes.extend(note);
            notes.extend(builder.assumed_input());
            (
                Manifest {
                    space: space.id().into(),
                    ..Manifest::default()
                },
                builder.finish(),
                repeated,
            )
        };
        if repeated > 0 {
            notes.push(format!("{repeated} repeated rows joined with their first"));
        }
        Ok(Imported {
            manifest,
            dataset,
            notes,
        })
    }
}

fn check_space(path: &Path, found: &str, space: &dyn SearchSpace) -> Result<()> {
    if found == space.id() {
        return Ok(());
    }
    Err(Error::Malformed {
        path: path.join(MANIFEST_FILE),
        line: None,
        column: Some("space".into()),
        expected: format!("`{}`, the space of the import", space.id()),
        found: format!("`{found}`"),
        hint: "Import it into a dataset of its own space.".into(),
    })
}

/// A table with a column for tasks or accuracies holds accuracies, any other one measurements, in lines or in columns.
fn read_table(
    path: &Path,
    space: &dyn SearchSpace,
    builder: &mut Builder,
    progress: &dyn Progress,
) -> Result<(usize, Option<String>)> {
    let header = header(path)?;
    let bytes = path.metadata().map_or(0, |found| found.len());
    progress.start(&format!("reading {}", path.display()), Unit::Bytes, Some(bytes));
    let defaults = Defaults::of(space);
    let holds = |name: &str| header.iter().any(|column| column == name);
    let devices = wide::devices(&header);
    let found = if holds("task") || holds("accuracy_percent") {
        (read_accuracies(path, &defaults, builder, progress)?, None)
    } else if devices.is_empty() {
        (read_measurements(path, &defaults, builder, progress)?, None)
    } else {
        wide::read(path, &devices, &defaults, builder, progress)?;
        let repeated = deduplicate(builder.measurements_mut()).map_err(|found| contradicting(path, found.count))?;
        let note = format!("one column per device: latencies in ms of {}", devices.join(", "));
        (repeated, Some(note))
    };
    progress.finish();
    Ok(found)
}

fn contradicting(path: &Path, count: usize) -> Error {
    Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: Some("architecture".into()),
        expected: "each architecture once, or with the same latencies".into(),
        found: format!("{count} latencies that contradict an earlier line"),
        hint: "Remove the wrong lines.".into(),
    }
}
