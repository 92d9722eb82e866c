//! Adds one dataset to another: what both say is kept once, what they contradict each other about is reported.

use std::path::Path;

use super::build::Builder;
use super::deduplicate::{Contradictions, Keyed, deduplicate};
use super::devices::complete;
use super::{AccuracyRow, Dataset, Measurement};
use crate::device::Device;
use crate::error::{Error, Result};

/// What adding a dataset did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// Measurements that are new.
    pub measurements: usize,
    /// Accuracies that are new.
    pub accuracies: usize,
    /// Rows that were there already.
    pub known_rows: usize,
}

impl Dataset {
    /// This dataset with `other` added. `path` names this one in errors.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the spaces differ, or with the values that contradict each other.
    pub fn merged(self, other: Dataset, path: &Path) -> Result<(Dataset, Added)> {
        if self.space.id() != other.space.id() {
            return Err(Error::Malformed {
                path: path.to_path_buf(),
                line: None,
                column: Some("space".into()),
                expected: format!("more of `{}`, the space of this dataset", self.space.id()),
                found: format!("`{}`", other.space.id()),
                hint: "Import it into a dataset of its own.".into(),
            });
        }
        let before = (self.measurements.len(), self.accuracies.len());
        let mut merged = append(self, other, path)?;
        let known_measurements = deduplicate_merged(&mut merged, path, |dataset| &mut dataset.measurements)?;
        let known_accuracies = deduplicate_merged(&mut merged, path, |dataset| &mut dataset.accuracies)?;
        let added = Added {
            measurements: merged.measurements.len() - before.0,
            accuracies: merged.accuracies.len() - before.1,
            known_rows: known_measurements + known_accuracies,
        };
        Ok((merged, added))
    }
}

fn append(dataset: Dataset, other: Dataset, path: &Path) -> Result<Dataset> {
    let mut builder = Builder::extending(dataset);
    let devices = append_devices(&mut builder, other.devices, path)?;
    let architectures: Vec<u32> = other
        .architectures
        .into_iter()
        .map(|architecture| builder.parsed_architecture(architecture))
        .collect();
    let inputs = other
        .inputs
        .iter()
        .map(|&input| builder.input(input))
        .collect::<Result<Vec<u16>>>()?;
    let tasks = other
        .tasks
        .iter()
        .map(|name| builder.task(name))
        .collect::<Result<Vec<u16>>>()?;
    for row in other.measurements {
        builder.measurement(Measurement {
            device: devices[row.device as usize],
            architecture: architectures[row.architecture as usize],
            input: inputs[usize::from(row.input)],
            ..row
        });
    }
    for row in other.accuracies {
        builder.accuracy(AccuracyRow {
            task: tasks[usize::from(row.task)],
            architecture: architectures[row.architecture as usize],
            ..row
        });
    }
    Ok(builder.finish())
}

/// Adds the devices that are new and completes the datasheets of the others; gives the position of each.
fn append_devices(builder: &mut Builder, devices: Vec<Device>, path: &Path) -> Result<Vec<u32>> {
    let mut positions = Vec::new();
    let mut conflicts = Vec::new();
    for device in devices {
        positions.push(match builder.device(&device.id) {
            None => builder.add_device(device),
            Some(known) => {
                if let Err(conflict) = complete(builder.device_mut(known), &device) {
                    conflicts.push(format!("device {}, {conflict}", device.id));
                }
                known
            }
        });
    }
    if conflicts.is_empty() {
        return Ok(positions);
    }
    let count = conflicts.len();
    conflicts.truncate(5);
    Err(contradiction(path, &conflicts, count))
}

fn contradiction(path: &Path, shown: &[String], count: usize) -> Error {
    let more = match count - shown.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: None,
        expected: "values that agree with those already there".into(),
        found: format!("{count} that contradict them: {}{more}", shown.join("; ")),
        hint: "Nothing was written. Import into a new dataset, or remove the wrong values.".into(),
    }
}

/// A row that can say what it is about, for messages.
trait Described: Keyed + Sized {
    fn subject(&self, dataset: &Dataset) -> String;
}

impl Described for Measurement {
    fn subject(&self, dataset: &Dataset) -> String {
        let design = dataset.design(self.architecture, self.precision);
        let input = dataset.inputs[usize::from(self.input)];
        format!(
            "{} {} {}",
            dataset.devices[self.device as usize].id,
            design.print(dataset.space),
            dataset.space.input(&design.architecture, input),
        )
    }
}

impl Described for AccuracyRow {
    fn subject(&self, dataset: &Dataset) -> String {
        let design = dataset.design(self.architecture, self.precision);
        format!(
            "{} {}",
            dataset.tasks[usize::from(self.task)],
            design.print(dataset.space)
        )
    }
}

fn deduplicate_merged<R: Described>(
    dataset: &mut Dataset,
    path: &Path,
    rows_of: impl Fn(&mut Dataset) -> &mut Vec<R>,
) -> Result<usize> {
    let mut rows = std::mem::take(rows_of(dataset));
    let deduplicated = deduplicate(&mut rows).map_err(|Contradictions { shown, count }| {
        let shown: Vec<String> = shown
            .iter()
            .map(|one| {
                let (known, new) = (&rows[one.first], &rows[one.later]);
                let apart = if one.difference.is_finite() {
                    format!(", {:.3} % apart", 100.0 * one.difference)
                } else {
                    String::new()
                };
                format!(
                    "{}: {} there, {} here{apart}",
                    known.subject(dataset),
                    known.value(),
                    new.value()
                )
            })
            .collect();
        contradiction(path, &shown, count)
    })?;
    *rows_of(dataset) = rows;
    Ok(deduplicated)
}
