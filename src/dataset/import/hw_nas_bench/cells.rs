//! `hw_<task>.csv`: one line per NAS-Bench-201 architecture.
//!
//! Architectures are tuples with an operation for every edge, in the order of the nodes that the edges leave (0->1, 0->2,
//! 0->3, 1->2, 1->3, 2->3); the operations are counted in another order too.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::super::latencies::degenerate_note;
use super::super::{Imported, locate};
use super::{QUANTITIES, device, manifest, origin};
use crate::dataset::build::Builder;
use crate::dataset::table::{Columns, Row, Table};
use crate::dataset::{DeviceValues, Measurement};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::progress::{Progress, Unit};
use crate::space::{Architecture, InputSize, SearchSpace};

const NET: usize = 0;
const COLUMNS: Columns = Columns {
    known: &[
        "net",
        QUANTITIES[0].2,
        QUANTITIES[1].2,
        QUANTITIES[2].2,
        QUANTITIES[3].2,
        QUANTITIES[4].2,
        QUANTITIES[5].2,
        QUANTITIES[6].2,
        QUANTITIES[7].2,
        QUANTITIES[8].2,
        // Published with the others, and neither latency nor energy.
        "eyeriss_arithmetic_intensity",
    ],
    required: &["net"],
    strict: true,
};

/// Tasks with their tables and the edge of their images.
const TASKS: [(&str, &str, u32); 3] = [
    ("cifar10", "hw_cifar10.csv", 32),
    ("cifar100", "hw_cifar100.csv", 32),
    ("imagenet16-120", "hw_ImageNet16-120.csv", 16),
];
/// Those read of a folder. The networks of CIFAR-100 run on images of the same size as those of CIFAR-10, with ten times
/// the classes, and were measured apart: on some devices with values far from the others. A row cannot say which it is.
const READ_TOGETHER: [usize; 2] = [0, 2];

/// Position in the tuple of every gene, and choice of every number in it.
const GENE_PLACES: [usize; 6] = [0, 1, 3, 2, 4, 5];
const OPERATIONS: [u8; 5] = [1, 0, 3, 2, 4];

pub(super) fn import(path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
    let mut builder = Builder::new(space);
    let mut notes = Vec::new();
    let mut tasks = Vec::new();
    for (file, task) in tables(path, &mut notes)? {
        let bytes = file.metadata().map_or(0, |found| found.len());
        progress.start(&format!("importing {}", TASKS[task].1), Unit::Bytes, Some(bytes));
        notes.extend(read(&file, TASKS[task].2, &mut builder, progress)?);
        progress.finish();
        tasks.push(TASKS[task].0);
    }
    let measured = format!(
        "Latency and energy of the networks for {}, one image at a time, by the authors of HW-NAS-Bench; Eyeriss is \
         simulated.",
        tasks.join(" and ")
    );
    Ok(Imported {
        manifest: manifest(
            space,
            "NAS-Bench-201 latencies and energies on edge devices.",
            &measured,
        ),
        dataset: builder.finish(),
        notes,
    })
}

/// The tables to read, with the positions of their tasks: the one named, or those of the folder that agree.
fn tables(path: &Path, notes: &mut Vec<String>) -> Result<Vec<(PathBuf, usize)>> {
    if path.is_file() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let task = TASKS.iter().position(|(_, file, _)| *file == name);
        let task = task.ok_or_else(|| Error::Invalid {
            what: format!("table {}", path.display()),
            expected: format!("one of {}", TASKS.map(|(_, file, _)| file).join(", ")),
            found: format!("`{name}`"),
            hint: "The name says of which task the networks are.".into(),
        })?;
        return Ok(vec![(path.to_path_buf(), task)]);
    }
    let folder = locate(path, &["."], TASKS[READ_TOGETHER[0]].1)?;
    if folder.join(TASKS[1].1).exists() {
        notes.push(format!(
            "{} left out: measured apart from {} at the same input size; import it by its path into a dataset of its own",
            TASKS[1].1, TASKS[0].1
        ));
    }
    let present = READ_TOGETHER.map(|task| (folder.join(TASKS[task].1), task));
    Ok(present.into_iter().filter(|(file, _)| file.exists()).collect())
}

/// Adds the rows of a table and returns what was noticed.
fn read(file: &Path, edge: u32, builder: &mut Builder, progress: &dyn Progress) -> Result<Vec<String>> {
    let input = builder.input(InputSize {
        width: edge,
        height: edge,
    })?;
    let first = builder.measurements_mut().len();
    let mut missing = [0; QUANTITIES.len()];
    let mut seen = HashSet::new();
    Table::open(file, &COLUMNS, progress)?.visit(|row| {
        let architecture = architecture(row, builder)?;
        if !seen.insert(architecture) {
            return Err(row.malformed(NET, "each architecture once", "an earlier one", "Get the file again."));
        }
        for (place, &(id, metric, _)) in QUANTITIES.iter().enumerate() {
            let Some(value) = value(row, 1 + place, &mut missing[place])? else {
                continue;
            };
            let device = device(id, builder);
            let row_about = (device, architecture, input);
            match builder.measurements_mut().last_mut() {
                // The energy of a device stands right behind its latency.
                Some(last) if (last.device, last.architecture, last.input) == row_about => {
                    last.values.insert(metric, value);
                }
                _ => {
                    let precision = builder.device_mut(device).runs_at();
                    builder.measurement(Measurement {
                        device,
                        architecture,
                        precision,
                        input,
                        values: DeviceValues::of(metric, value),
                        origin: origin(id),
                    });
                }
            }
        }
        Ok(())
    })?;
    Ok(noticed(file, &missing, builder, first))
}

/// A value above zero; `None` where it is empty or -1, which is counted.
fn value(row: &Row<'_>, column: usize, missing: &mut usize) -> Result<Option<f64>> {
    match row.number(column)? {
        Some(-1.0) => {
            *missing += 1;
            Ok(None)
        }
        _ => row.positive(column),
    }
}

/// Reads `(3, 0, 1, 2, 4, 1)`.
fn architecture(row: &Row<'_>, builder: &mut Builder) -> Result<u32> {
    let text = row.required(NET)?;
    let numbers = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let numbers: Option<Vec<u8>> = numbers.and_then(|numbers| {
        let operation = |number: &str| OPERATIONS.get(number.trim().parse::<usize>().ok()?).copied();
        numbers.split(',').map(operation).collect()
    });
    match numbers {
        Some(operations) if operations.len() == GENE_PLACES.len() => {
            let genes = GENE_PLACES.map(|place| operations[place]).to_vec();
            Ok(builder.parsed_architecture(Architecture(genes)))
        }
        _ => Err(row.malformed(
            NET,
            "six operations from 0 to 4, as in (4, 3, 3, 0, 0, 0)",
            format!("`{}`", text.chars().take(40).collect::<String>()),
            "Get the file again.",
        )),
    }
}

fn noticed(file: &Path, missing: &[usize; QUANTITIES.len()], builder: &mut Builder, first: usize) -> Vec<String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut notes = Vec::new();
    for (&missing, &(_, _, column)) in missing.iter().zip(&QUANTITIES) {
        if missing > 0 {
            notes.push(format!(
                "{name}: {missing} of {column} are -1 and left out as not measured"
            ));
        }
    }
    for (position, id) in builder.device_ids().into_iter().enumerate() {
        let rows = builder.measurements_mut()[first..].iter();
        let latencies: Vec<f64> = rows
            .filter(|row| row.device as usize == position)
            .filter_map(|row| row.value(Metric::Latency))
            .collect();
        notes.extend(degenerate_note(&format!("{name}, {id}"), &latencies));
    }
    notes
}
