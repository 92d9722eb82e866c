//! Picks what a stage works on out of a dataset: a task, devices, and their values.

#[cfg(test)]
mod tests;

use std::fmt::Display;

use super::devices::{DEVICES_FILE, unknown_device};
use super::{AccuracyRow, Dataset, Measurement, Origin};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::space::{InputSize, QuantPolicy};

/// Which rows of a device are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selection {
    /// Those at this input size; `None` for a device's only one.
    pub input: Option<InputSize>,
    /// Those at this precision, of a device with several; a device's only one needs no choice.
    pub precision: Option<QuantPolicy>,
}

impl Selection {
    /// The rows at an input size.
    pub fn at(input: InputSize) -> Selection {
        Selection {
            input: Some(input),
            precision: None,
        }
    }
}

/// A learning problem whose accuracies a dataset holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Position in [`Dataset::tasks`].
    pub index: u16,
    /// Its name, such as `cifar100`.
    pub name: String,
    /// The input size at which latencies belong to it; `None` when that is not known, and rows of all sizes count.
    pub input: Option<InputSize>,
}

impl Dataset {
    /// The requested task, or the dataset's only one; `None` when the dataset has no tasks and none was requested.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a task that the dataset does not hold, [`Error::Invalid`] when it holds several and none
    /// was requested.
    pub fn resolve_task(&self, requested: Option<&str>) -> Result<Option<Task>> {
        let index = match (requested, self.tasks.len()) {
            (Some(name), _) => self
                .tasks
                .iter()
                .position(|task| task == name)
                .ok_or_else(|| Error::Unknown {
                    kind: "task",
                    name: name.into(),
                    known: self.tasks.clone(),
                })?,
            (None, 0) => return Ok(None),
            (None, 1) => 0,
            (None, several) => {
                return Err(Error::Invalid {
                    what: "task".into(),
                    expected: format!("one of {}", self.tasks.join(", ")),
                    found: format!("none named, and {several} in the dataset"),
                    hint: "Choose a task.".into(),
                });
            }
        };
        let name = self.tasks[index].clone();
        Ok(Some(Task {
            index: index as u16,
            input: self.input_of_task(&name),
            name,
        }))
    }

    /// The input size of a task: as is customary for the well-known ones, else the dataset's only size, else unknown.
    pub fn input_of_task(&self, task: &str) -> Option<InputSize> {
        let edge = match task {
            "cifar10" | "cifar100" => 32,
            "imagenet16-120" => 16,
            "imagenet" => 224,
            "darcy" => 88,
            // Not square: 16 electrodes, 52 points in time.
            "ninapro" => return Some(InputSize { width: 16, height: 52 }),
            _ => {
                return match self.inputs[..] {
                    [only] => Some(only),
                    _ => None,
                };
            }
        };
        Some(InputSize {
            width: edge,
            height: edge,
        })
    }

    /// The rows that belong to a task. Where neither the task nor the dataset says which input size is meant there is no
    /// choosing: latencies at two sizes are not of the same kind.
    ///
    /// # Errors
    /// [`Error::Invalid`] where there are several sizes and no task with one.
    pub fn selection(&self, task: Option<&Task>) -> Result<Selection> {
        let input = task.and_then(|task| task.input);
        if input.is_none() && self.inputs.len() > 1 {
            return Err(Error::Invalid {
                what: "input size of the measurements".into(),
                expected: match task {
                    None => "one, since no task says which is meant".into(),
                    Some(task) => format!("one, since nothing is known of the input of task `{}`", task.name),
                },
                found: self.sizes(),
                hint: "Import one of them into a dataset of its own, or name a task whose input size is known.".into(),
            });
        }
        Ok(Selection { input, precision: None })
    }

    /// The input size of the measurements that a task selects; `None` where architectures say theirs, or nothing was measured.
    ///
    /// # Errors
    /// As [`Dataset::selection`].
    pub fn selected_input(&self, task: Option<&Task>) -> Result<Option<InputSize>> {
        if self.space.resolution_is_a_gene() {
            return Ok(None);
        }
        let selected = self.selection(task)?.input;
        Ok(selected.or(self.inputs.first().copied()))
    }

    /// The dataset with the measurements at one input size only, and all accuracies.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is none at this size.
    pub fn only_input(mut self, input: InputSize) -> Result<Dataset> {
        if !self.inputs.contains(&input) {
            return Err(Error::Invalid {
                what: "input size".into(),
                expected: format!("one of the source: {}", self.sizes()),
                found: input.to_string(),
                hint: "Choose one of these, or all of them.".into(),
            });
        }
        self.keep_input(input);
        Ok(self)
    }

    fn keep_input(&mut self, input: InputSize) {
        let inputs = std::mem::replace(&mut self.inputs, vec![input]);
        self.measurements.retain(|row| inputs[usize::from(row.input)] == input);
        self.measurements.iter_mut().for_each(|row| row.input = 0);
    }

    fn sizes(&self) -> String {
        if self.inputs.is_empty() {
            "none".into()
        } else {
            list(&self.inputs)
        }
    }

    /// Positions of the devices with these ids; the name of a hardware unit stands for all its devices. Each device
    /// once, in the order named.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest known name.
    pub fn resolve_devices(&self, names: &[String]) -> Result<Vec<usize>> {
        let mut chosen = Vec::new();
        for name in names {
            let found = self.devices_named(name);
            if found.is_empty() {
                let ids = self.devices.iter().map(|device| device.id.clone());
                return Err(unknown_device(name, ids.collect()));
            }
            chosen.extend(
                found
                    .into_iter()
                    .filter(|device| !chosen.contains(device))
                    .collect::<Vec<usize>>(),
            );
        }
        Ok(chosen)
    }

    /// An id wins over a unit of the same name, so that one setting of a device can be named even where both agree.
    pub(crate) fn devices_named(&self, name: &str) -> Vec<usize> {
        match self.devices.iter().position(|device| device.id == name) {
            Some(position) => vec![position],
            None => (0..self.devices.len())
                .filter(|&position| self.devices[position].unit == name)
                .collect(),
        }
    }

    /// Values of one metric on one device, as (position of the architecture, value in the metric's unit).
    ///
    /// # Errors
    /// As [`Dataset::resolve_precision`].
    pub fn values(&self, device: usize, metric: Metric, selection: Selection) -> Result<Vec<(u32, f64)>> {
        let precision = self.resolve_precision(device, selection)?;
        let values = self
            .rows(device, selection.input)
            .filter(|row| Some(row.precision) == precision)
            .filter_map(|row| Some((row.architecture, row.value(metric)?)));
        Ok(values.collect())
    }

    /// The precision of the selected rows of a device: its only one, or the one selected; `None` where there are no rows.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the selection leaves rows at several precisions or input sizes, with a list of them: they are
    /// values of different designs.
    pub fn resolve_precision(&self, device: usize, selection: Selection) -> Result<Option<QuantPolicy>> {
        let rows = || self.rows(device, selection.input);
        let precisions = distinct(rows().map(|row| row.precision));
        let precision = match selection.precision {
            Some(chosen) if precisions.contains(&chosen) => Some(chosen),
            _ => self.only_one(device, "precision", precisions)?,
        };
        let at_precision = rows().filter(|row| Some(row.precision) == precision);
        let inputs = distinct(at_precision.map(|row| self.inputs[usize::from(row.input)]));
        self.only_one(device, "input size", inputs)?;
        Ok(precision)
    }

    /// Where the values of a device come from, at one input size or at all: of several origins the one that is least direct, so
    /// that a device called measured is measured throughout. `None` for a device without rows.
    pub fn origin_of(&self, device: usize, input: Option<InputSize>) -> Option<Origin> {
        let rows = self.rows(device, input);
        rows.map(|row| row.origin).max()
    }

    fn rows(&self, device: usize, input: Option<InputSize>) -> impl Iterator<Item = &Measurement> {
        let of_device = move |row: &&Measurement| row.device as usize == device;
        let at_input = move |row: &&Measurement| input.is_none_or(|input| self.inputs[usize::from(row.input)] == input);
        self.measurements.iter().filter(of_device).filter(at_input)
    }

    fn only_one<T: Display>(&self, device: usize, what: &str, mut found: Vec<T>) -> Result<Option<T>> {
        if found.len() < 2 {
            return Ok(found.pop());
        }
        Err(Error::Invalid {
            what: format!("measurements of device {}", self.devices[device].id),
            expected: format!("one {what}"),
            found: list(&found),
            hint: format!("Choose the {what}, or give each an id of its own in {DEVICES_FILE}: it is another setting."),
        })
    }

    /// The dataset with a precision chosen: of every device with measurements at this precision, and of every
    /// task with accuracies at it, only those are kept. What is known at other precisions alone stays as it is.
    ///
    /// # Errors
    /// [`Error::Unknown`] when no row has this precision.
    pub fn at_precision(mut self, precision: QuantPolicy) -> Result<Dataset> {
        let measured = self.measurements.iter().map(|row| row.precision);
        let known = distinct(measured.chain(self.accuracies.iter().map(|row| row.precision)));
        if !known.contains(&precision) {
            return Err(Error::Unknown {
                kind: "precision of the dataset",
                name: precision.to_string(),
                known: known.iter().map(QuantPolicy::to_string).collect(),
            });
        }
        let mut devices = vec![false; self.devices.len()];
        for row in &self.measurements {
            devices[row.device as usize] |= row.precision == precision;
        }
        self.measurements
            .retain(|row| row.precision == precision || !devices[row.device as usize]);
        let mut tasks = vec![false; self.tasks.len()];
        for row in &self.accuracies {
            tasks[usize::from(row.task)] |= row.precision == precision;
        }
        self.accuracies
            .retain(|row| row.precision == precision || !tasks[usize::from(row.task)]);
        Ok(self)
    }

    /// The dataset without accuracies, and with the rows of one input size only, if one is given.
    pub fn latencies_only(mut self, input: Option<InputSize>) -> Dataset {
        self.accuracies.clear();
        self.tasks.clear();
        if let Some(input) = input {
            self.keep_input(input);
        }
        self
    }

    /// Accuracies in percent at one task, as (position of the architecture, value): those at the precision chosen where there
    /// are several, else those of the only one, which is commonly the precision that networks are trained at.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there are accuracies at several precisions and none at the one chosen, with a list of them.
    pub fn accuracies_of(&self, task: &Task, precision: Option<QuantPolicy>) -> Result<Vec<(u32, f64)>> {
        let precision = self.precision_of_accuracies(task, precision)?;
        let chosen = self.rows_at(task).filter(|row| Some(row.precision) == precision);
        Ok(chosen.map(|row| (row.architecture, row.accuracy_percent)).collect())
    }

    /// The precision of the accuracies at one task: the one chosen where there are several, else the only one; `None` without
    /// accuracies.
    ///
    /// # Errors
    /// As [`Dataset::accuracies_of`].
    pub fn precision_of_accuracies(&self, task: &Task, chosen: Option<QuantPolicy>) -> Result<Option<QuantPolicy>> {
        let precisions = distinct(self.rows_at(task).map(|row| row.precision));
        match (chosen, precisions.as_slice()) {
            (Some(chosen), known) if known.contains(&chosen) => Ok(Some(chosen)),
            (_, []) => Ok(None),
            (_, &[only]) => Ok(Some(only)),
            (_, several) => Err(Error::Invalid {
                what: format!("accuracies at task {}", task.name),
                expected: "one precision".into(),
                found: list(several),
                hint: "Choose the precision.".into(),
            }),
        }
    }

    fn rows_at(&self, task: &Task) -> impl Iterator<Item = &AccuracyRow> {
        let index = task.index;
        self.accuracies.iter().filter(move |row| row.task == index)
    }
}

/// Each value once, in order of first appearance.
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

fn list<T: Display>(values: &[T]) -> String {
    let names: Vec<String> = values.iter().map(T::to_string).collect();
    names.join(", ")
}
