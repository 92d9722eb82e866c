//! Collects rows into a [`Dataset`], giving every name a number on its first appearance.

use std::collections::HashMap;
use std::hash::Hash;

use super::{AccuracyRow, Dataset, DeviceValues, MANIFEST_FILE, Measurement, Origin};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::space::{Architecture, InputSize, SearchSpace};

/// Most spellings of architectures remembered: parsing one again costs less than remembering millions.
const REMEMBERED_SPELLINGS: usize = 1 << 20;

/// A dataset being filled.
pub(crate) struct Builder {
    dataset: Dataset,
    spellings: HashMap<String, u32>,
    architectures: HashMap<Architecture, u32>,
    devices: HashMap<String, u32>,
    inputs: HashMap<InputSize, u16>,
    tasks: HashMap<String, u16>,
    /// Whether a row does not say its input size, nor does anything else.
    pub(crate) assumes_input: bool,
}

fn numbered<K: Eq + Hash + Clone, N: Copy>(values: &[K], number: impl Fn(usize) -> N) -> HashMap<K, N> {
    let entries = values.iter().enumerate();
    entries
        .map(|(position, value)| (value.clone(), number(position)))
        .collect()
}

impl Builder {
    /// An empty dataset of this space.
    pub(crate) fn new(space: &'static dyn SearchSpace) -> Self {
        Builder::extending(Dataset::new(space))
    }

    /// A dataset to which more is added.
    pub(crate) fn extending(dataset: Dataset) -> Self {
        let ids: Vec<String> = dataset.devices.iter().map(|device| device.id.clone()).collect();
        Builder {
            spellings: HashMap::new(),
            architectures: numbered(&dataset.architectures, |position| position as u32),
            devices: numbered(&ids, |position| position as u32),
            inputs: numbered(&dataset.inputs, |position| position as u16),
            tasks: numbered(&dataset.tasks, |position| position as u16),
            dataset,
            assumes_input: false,
        }
    }

    /// The input size that rows were taken to have because nothing says it, for people.
    pub(crate) fn assumed_input(&self) -> Option<String> {
        let input = self.dataset.space.default_input();
        self.assumes_input.then(|| {
            format!(
                "no input size is stated, so latencies are taken to be at {input}: write it in a column `input`, or as \
                 `input` in {MANIFEST_FILE}"
            )
        })
    }

    /// The number of the architecture that `text` spells.
    pub(crate) fn architecture(&mut self, text: &str) -> Result<u32> {
        if let Some(&number) = self.spellings.get(text) {
            return Ok(number);
        }
        let number = self.parsed_architecture(self.dataset.space.parse(text)?);
        if self.spellings.len() < REMEMBERED_SPELLINGS {
            self.spellings.insert(text.to_string(), number);
        }
        Ok(number)
    }

    /// The number of an architecture.
    pub(crate) fn parsed_architecture(&mut self, architecture: Architecture) -> u32 {
        if let Some(&number) = self.architectures.get(&architecture) {
            return number;
        }
        let number = self.dataset.architectures.len() as u32;
        self.dataset.architectures.push(architecture.clone());
        self.architectures.insert(architecture, number);
        number
    }

    /// The number of the device with this id, if it was added.
    pub(crate) fn device(&self, id: &str) -> Option<u32> {
        self.devices.get(id).copied()
    }

    /// Adds a device with an id not used yet.
    pub(crate) fn add_device(&mut self, device: Device) -> u32 {
        let number = self.dataset.devices.len() as u32;
        self.devices.insert(device.id.clone(), number);
        self.dataset.devices.push(device);
        number
    }

    /// Ids of the devices added.
    pub(crate) fn device_ids(&self) -> Vec<String> {
        self.dataset.devices.iter().map(|device| device.id.clone()).collect()
    }

    /// The device with this number, to complete it.
    pub(crate) fn device_mut(&mut self, number: u32) -> &mut Device {
        &mut self.dataset.devices[number as usize]
    }

    /// The number of an input size. Where the resolution is a gene, rows of all resolutions belong together, and the space's
    /// default stands for the sizes of all architectures.
    pub(crate) fn input(&mut self, input: InputSize) -> Result<u16> {
        let space = self.dataset.space;
        let input = if space.resolution_is_a_gene() {
            space.default_input()
        } else {
            input
        };
        match self.inputs.get(&input) {
            Some(&number) => Ok(number),
            None => number_of("input sizes", input, &mut self.inputs, &mut self.dataset.inputs),
        }
    }

    /// The number of a task.
    pub(crate) fn task(&mut self, name: &str) -> Result<u16> {
        match self.tasks.get(name) {
            Some(&number) => Ok(number),
            None => number_of("tasks", name.to_string(), &mut self.tasks, &mut self.dataset.tasks),
        }
    }

    /// Adds a row.
    pub(crate) fn measurement(&mut self, row: Measurement) {
        self.dataset.measurements.push(row);
    }

    /// Adds what a design takes at the input that its space is made for, and at the precision that the device runs at.
    pub(crate) fn values_of(
        &mut self,
        design: Architecture,
        device: u32,
        values: DeviceValues,
        origin: Origin,
    ) -> Result<()> {
        let input = self.dataset.space.default_input();
        let row = Measurement {
            device,
            architecture: self.parsed_architecture(design),
            precision: self.device_mut(device).runs_at(),
            input: self.input(input)?,
            values,
            origin,
        };
        self.measurement(row);
        Ok(())
    }

    /// Adds a row.
    pub(crate) fn accuracy(&mut self, row: AccuracyRow) {
        self.dataset.accuracies.push(row);
    }

    /// The rows collected so far.
    pub(crate) fn measurements_mut(&mut self) -> &mut Vec<Measurement> {
        &mut self.dataset.measurements
    }

    /// The rows collected so far.
    pub(crate) fn accuracies_mut(&mut self) -> &mut Vec<AccuracyRow> {
        &mut self.dataset.accuracies
    }

    /// What was collected so far.
    pub(crate) fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// What was collected.
    pub(crate) fn finish(self) -> Dataset {
        self.dataset
    }
}

fn number_of<K: Eq + Hash + Clone>(
    what: &'static str,
    value: K,
    numbers: &mut HashMap<K, u16>,
    values: &mut Vec<K>,
) -> Result<u16> {
    let number = u16::try_from(values.len()).map_err(|_| Error::Invalid {
        what: format!("number of {what}"),
        expected: format!("at most {}", u16::MAX),
        found: "more".into(),
        hint: "Check that the right column was given.".into(),
    })?;
    numbers.insert(value.clone(), number);
    values.push(value);
    Ok(number)
}
