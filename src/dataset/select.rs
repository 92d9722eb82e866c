//! Picks what a stage works on out of a dataset: a task, devices, and their values.

use super::Dataset;
use super::devices::unknown_device;
use crate::error::{Error, Result};
use crate::space::InputSize;

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
    /// The task asked for, or the dataset's only one; `None` when the dataset has no accuracies and none was asked for.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a task that the dataset does not hold, [`Error::Invalid`] when it holds several and none
    /// was asked for.
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
                    hint: "Choose one with `--task`.".into(),
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

    /// The input size of the rows that belong to a task, `None` for rows of all sizes. Without a task there is nothing to
    /// choose a size by, so that the dataset has to have one only: latencies at two sizes are not of the same kind.
    ///
    /// # Errors
    /// [`Error::Invalid`] without a task where there are several sizes.
    pub fn input_of_rows(&self, task: Option<&Task>) -> Result<Option<InputSize>> {
        match (task, self.inputs.len()) {
            (Some(task), _) => Ok(task.input),
            (None, 0 | 1) => Ok(None),
            (None, _) => Err(Error::Invalid {
                what: "input size of the measurements".into(),
                expected: "one, since no task says which is meant".into(),
                found: self.sizes(),
                hint: "Import one of them with `--input` into a dataset of its own, or name a `--task`.".into(),
            }),
        }
    }

    /// The dataset with the measurements at one input size only, and all accuracies.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is none at this size.
    pub fn only_input(mut self, input: InputSize) -> Result<Dataset> {
        let Some(kept) = self.inputs.iter().position(|size| *size == input) else {
            return Err(Error::Invalid {
                what: "--input".into(),
                expected: format!("an input size of the source: {}", self.sizes()),
                found: input.to_string(),
                hint: "Leave it out to import all sizes.".into(),
            });
        };
        self.measurements.retain(|row| usize::from(row.input) == kept);
        self.measurements.iter_mut().for_each(|row| row.input = 0);
        self.inputs = vec![input];
        Ok(self)
    }

    fn sizes(&self) -> String {
        let sizes: Vec<String> = self.inputs.iter().map(ToString::to_string).collect();
        if sizes.is_empty() {
            "none".into()
        } else {
            sizes.join(", ")
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
    fn devices_named(&self, name: &str) -> Vec<usize> {
        match self.devices.iter().position(|device| device.id == name) {
            Some(position) => vec![position],
            None => (0..self.devices.len())
                .filter(|&position| self.devices[position].unit == name)
                .collect(),
        }
    }

    /// Latencies in ms of one device, as (position of the architecture, value), at one input size or at all, of every
    /// precision.
    pub fn latencies(&self, device: usize, input: Option<InputSize>) -> Vec<(u32, f64)> {
        self.values(device, input, |row| row.latency_ms)
    }

    /// Energies in mJ of one device, as [`Dataset::latencies`].
    pub fn energies(&self, device: usize, input: Option<InputSize>) -> Vec<(u32, f64)> {
        self.values(device, input, |row| row.energy_mj)
    }

    fn values(
        &self,
        device: usize,
        input: Option<InputSize>,
        value: impl Fn(&super::Measurement) -> Option<f64>,
    ) -> Vec<(u32, f64)> {
        self.measurements
            .iter()
            .filter(|row| row.device as usize == device)
            .filter(|row| input.is_none_or(|input| self.inputs[usize::from(row.input)] == input))
            .filter_map(|row| Some((row.architecture, value(row)?)))
            .collect()
    }

    /// The dataset without accuracies, and with the rows of one input size only, if one is given.
    pub fn latencies_only(mut self, input: Option<InputSize>) -> Dataset {
        self.accuracies.clear();
        self.tasks.clear();
        let inputs = &self.inputs;
        self.measurements
            .retain(|row| input.is_none_or(|input| inputs[usize::from(row.input)] == input));
        self
    }

    /// Accuracies in percent at one task, as (position of the architecture, value), of every precision.
    pub fn accuracies_of(&self, task: &Task) -> Vec<(u32, f64)> {
        self.accuracies
            .iter()
            .filter(|row| row.task == task.index)
            .map(|row| (row.architecture, row.accuracy_percent))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{AccuracyRow, Measurement, Origin};
    use crate::device::Device;
    use crate::space::{Architecture, NasBench201};

    fn size(edge: u32) -> InputSize {
        InputSize {
            width: edge,
            height: edge,
        }
    }

    fn device(id: &str, unit: &str) -> Device {
        Device {
            id: id.into(),
            unit: unit.into(),
            ..Device::default()
        }
    }

    /// Two batch sizes of a GPU and a phone; architecture n takes n + 1 ms at 32x32 and half of that at 16x16.
    fn dataset() -> Dataset {
        let mut dataset = Dataset::new(&NasBench201);
        dataset.devices = vec![
            device("gpu_1", "gpu"),
            device("gpu_32", "gpu"),
            device("phone", "phone"),
        ];
        dataset.architectures = (0..3).map(|gene| Architecture(vec![gene; 6])).collect();
        dataset.precisions = vec!["fp32".into()];
        dataset.inputs = vec![size(32), size(16)];
        dataset.tasks = vec!["cifar10".into(), "imagenet16-120".into()];
        for (input, scale) in [(0, 1.0), (1, 0.5)] {
            dataset.measurements.extend((0..3).map(|architecture| Measurement {
                device: 1,
                architecture,
                precision: 0,
                input,
                latency_ms: (architecture != 1).then(|| scale * f64::from(architecture + 1)),
                energy_mj: (architecture == 1).then_some(7.0),
                origin: Origin::Measured,
            }));
        }
        dataset.accuracies = vec![AccuracyRow {
            task: 1,
            architecture: 2,
            precision: 0,
            accuracy_percent: 40.0,
            origin: Origin::Measured,
        }];
        dataset
    }

    #[test]
    fn values_are_those_of_the_device_and_input() {
        let dataset = dataset();
        assert_eq!(dataset.latencies(1, Some(size(32))), [(0, 1.0), (2, 3.0)]);
        assert_eq!(dataset.latencies(1, Some(size(16))), [(0, 0.5), (2, 1.5)]);
        assert_eq!(dataset.latencies(1, None).len(), 4);
        assert!(dataset.latencies(0, None).is_empty());
        assert_eq!(dataset.energies(1, Some(size(32))), [(1, 7.0)]);
    }

    #[test]
    fn a_task_is_named_or_the_only_one() {
        let mut dataset = dataset();
        let task = dataset.resolve_task(Some("imagenet16-120")).unwrap().unwrap();
        assert_eq!((task.index, task.input), (1, Some(size(16))));
        assert_eq!(dataset.accuracies_of(&task), [(2, 40.0)]);
        let message = dataset.resolve_task(None).unwrap_err().to_string();
        assert!(message.contains("cifar10, imagenet16-120"), "{message}");
        assert!(matches!(
            dataset.resolve_task(Some("cifar")),
            Err(Error::Unknown { .. })
        ));
        dataset.tasks.truncate(1);
        assert_eq!(dataset.resolve_task(None).unwrap().unwrap().name, "cifar10");
        dataset.tasks.clear();
        assert_eq!(dataset.resolve_task(None).unwrap(), None);
    }

    #[test]
    fn an_unfamiliar_task_has_the_only_input_size() {
        let mut dataset = dataset();
        assert_eq!(dataset.input_of_task("mine"), None);
        dataset.inputs.truncate(1);
        assert_eq!(dataset.input_of_task("mine"), Some(size(32)));
    }

    #[test]
    fn without_a_task_there_has_to_be_one_input_size() {
        let dataset = dataset();
        let task = dataset.resolve_task(Some("cifar10")).unwrap().unwrap();
        assert_eq!(dataset.input_of_rows(Some(&task)).unwrap(), Some(size(32)));
        let message = dataset.input_of_rows(None).unwrap_err().to_string();
        assert!(message.contains("32x32, 16x16"), "{message}");
        let dataset = dataset.only_input(size(16)).unwrap();
        assert_eq!(dataset.input_of_rows(None).unwrap(), None);
        assert_eq!(dataset.latencies(1, Some(size(16))), [(0, 0.5), (2, 1.5)]);
        assert_eq!((dataset.latencies(1, None).len(), dataset.accuracies.len()), (2, 1));
        let message = dataset.only_input(size(32)).err().unwrap().to_string();
        assert!(message.contains("source: 16x16, found 32x32"), "{message}");
    }

    #[test]
    fn a_unit_stands_for_all_its_devices() {
        let dataset = dataset();
        let resolve = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            dataset.resolve_devices(&names)
        };
        assert_eq!(resolve(&["phone", "gpu"]).unwrap(), [2, 0, 1]);
        assert_eq!(resolve(&["gpu_32", "gpu"]).unwrap(), [1, 0]);
        let message = resolve(&["gpu_23"]).unwrap_err().to_string();
        assert!(message.contains("did you mean `gpu_32`"), "{message}");
    }
}
