//! Plain CSV in the dataset's own form: a dataset folder, a folder of tables, or one table.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::{Imported, Importer};
use crate::dataset::build::Builder;
use crate::dataset::read::{Defaults, read_accuracies, read_measurements, read_tables};
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
        "a dataset folder, or a CSV file like its measurements.csv or accuracy.csv"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        let (manifest, dataset, repeated) = if path.join(MANIFEST_FILE).is_file() {
            let loaded = load(path, progress)?;
            check_space(path, &loaded.manifest.space, space)?;
            (loaded.manifest, loaded.dataset, loaded.repeated_rows)
        } else {
            let mut builder = Builder::new(space);
            let repeated = if path.is_dir() {
                read_tables(path, Defaults::of(space), &mut builder, progress)?
            } else {
                read_table(path, space, &mut builder, progress)?
            };
            (
                Manifest {
                    space: space.id().into(),
                    ..Manifest::default()
                },
                builder.finish(),
                repeated,
            )
        };
        let notes = (repeated > 0).then(|| format!("{repeated} repeated rows joined with their first"));
        Ok(Imported {
            manifest,
            dataset,
            notes: notes.into_iter().collect(),
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

/// A table with a column for tasks or accuracies holds accuracies, any other one measurements.
fn read_table(path: &Path, space: &dyn SearchSpace, builder: &mut Builder, progress: &dyn Progress) -> Result<usize> {
    let file = fs::File::open(path).map_err(Error::io("read", path))?;
    let bytes = file.metadata().map_or(0, |found| found.len());
    progress.start(&format!("reading {}", path.display()), Unit::Bytes, Some(bytes));
    let mut header = Vec::new();
    // A header is short: what comes without a line break is no table, and the reader of the table will say so.
    let mut start = BufReader::new(std::io::Read::take(file, 4096));
    start.read_until(b'\n', &mut header).map_err(Error::io("read", path))?;
    let header = String::from_utf8_lossy(&header);
    let holds = |name: &str| header.split(',').any(|column| column.trim() == name);
    let repeated = if holds("task") || holds("accuracy_percent") {
        read_accuracies(path, &Defaults::of(space), builder, progress)?
    } else {
        read_measurements(path, &Defaults::of(space), builder, progress)?
    };
    progress.finish();
    Ok(repeated)
}
