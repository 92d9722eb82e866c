//! The values of several devices side by side, one row per architecture.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::space::{Architecture, InputSize, SearchSpace};

/// Classes that architectures are lowered for when they are counted; no other number changes their order.
const CLASSES: u32 = 10;

/// Where the values of a column come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnKind {
    /// Measured on a device.
    Device,
    /// Multiply-accumulate operations of the network as written; FLOPs are twice as many.
    Macs,
    /// Trainable parameters of the network as written.
    Parameters,
}

/// One value per architecture of a [`Fleet`].
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Device id, or `macs` or `parameters`.
    pub id: String,
    /// Hardware unit of a device, empty for counts.
    pub unit: String,
    /// Where the values come from.
    pub kind: ColumnKind,
    /// In the order of [`Fleet::architectures`], absent where not measured.
    pub values: Vec<Option<f64>>,
}

/// Devices with their values over the same architectures.
pub struct Fleet {
    /// The search space.
    pub space: &'static dyn SearchSpace,
    /// What was measured on any of the devices: an architecture stands once for every precision.
    pub architectures: Vec<Architecture>,
    /// One per device.
    pub columns: Vec<Column>,
}

impl Fleet {
    /// Latency or energy of devices, by their positions in the dataset, at one input size.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no device at all, and for measurements at several input sizes when none was chosen: they
    /// cannot be told apart by their architecture.
    pub fn of(dataset: &Dataset, devices: &[usize], metric: Metric, input: Option<InputSize>) -> Result<Fleet> {
        if devices.is_empty() {
            return Err(Error::Invalid {
                what: "fleet".into(),
                expected: "at least one device".into(),
                found: "none".into(),
                hint: "Name a dataset with measurements.".into(),
            });
        }
        check_inputs(dataset, input)?;
        let mut rows: HashMap<(u32, u16), usize> = HashMap::new();
        let mut architectures = Vec::new();
        let mut columns: Vec<Column> = devices
            .iter()
            .map(|&device| Column {
                id: dataset.devices[device].id.clone(),
                unit: dataset.devices[device].unit.clone(),
                kind: ColumnKind::Device,
                values: Vec::new(),
            })
            .collect();
        let column_of: HashMap<usize, usize> = devices
            .iter()
            .enumerate()
            .map(|(column, &device)| (device, column))
            .collect();
        for row in &dataset.measurements {
            let Some(&column) = column_of.get(&(row.device as usize)) else {
                continue;
            };
            let value = match metric {
                Metric::Energy => row.energy_mj,
                _ => row.latency_ms,
            };
            let at_input = input.is_none_or(|input| dataset.inputs[usize::from(row.input)] == input);
            let (Some(value), true) = (value, at_input) else {
                continue;
            };
            let place = *rows.entry((row.architecture, row.precision)).or_insert_with(|| {
                architectures.push(dataset.architectures[row.architecture as usize].clone());
                architectures.len() - 1
            });
            let values = &mut columns[column].values;
            if values.len() <= place {
                values.resize(place + 1, None);
            }
            values[place] = Some(value);
        }
        for column in &mut columns {
            column.values.resize(architectures.len(), None);
        }
        Ok(Fleet {
            space: dataset.space,
            architectures,
            columns,
        })
    }

    /// Adds multiply-accumulate operations and parameters as if they were devices, at an input size.
    pub fn with_counts(mut self, input: InputSize) -> Fleet {
        let counts: Vec<(f64, f64)> = self
            .architectures
            .par_iter()
            .map(|one| {
                let network = self.space.lower_as_written(one, input, CLASSES);
                (network.macs() as f64, network.parameters() as f64)
            })
            .collect();
        let column = |id: &str, kind: ColumnKind, values: Vec<Option<f64>>| Column {
            id: id.into(),
            unit: String::new(),
            kind,
            values,
        };
        let macs = counts.iter().map(|count| Some(count.0)).collect();
        let parameters = counts.iter().map(|count| Some(count.1)).collect();
        self.columns.push(column("macs", ColumnKind::Macs, macs));
        self.columns
            .push(column("parameters", ColumnKind::Parameters, parameters));
        self
    }
}

impl Column {
    /// Number of architectures with a value.
    pub fn measured(&self) -> usize {
        self.values.iter().flatten().count()
    }

    /// Whether there are values and all of them are equal, so that the column ranks nothing.
    pub fn constant(&self) -> bool {
        let mut values = self.values.iter().flatten();
        values.next().is_some_and(|first| values.all(|value| value == first))
    }

    /// The values of both columns where both have one.
    pub fn common(&self, other: &Column) -> (Vec<f64>, Vec<f64>) {
        self.values
            .iter()
            .zip(&other.values)
            .filter_map(|(a, b)| Some(((*a)?, (*b)?)))
            .unzip()
    }
}

fn check_inputs(dataset: &Dataset, input: Option<InputSize>) -> Result<()> {
    let names = || dataset.inputs.iter().map(InputSize::to_string).collect::<Vec<_>>();
    match input {
        Some(input) if !dataset.inputs.contains(&input) => Err(Error::Unknown {
            kind: "input size",
            name: input.to_string(),
            known: names(),
        }),
        None if dataset.inputs.len() > 1 => Err(Error::Invalid {
            what: "input size".into(),
            expected: format!("one of {}", names().join(", ")),
            found: "none named, and several in the dataset".into(),
            hint: "Choose one with `--input`.".into(),
        }),
        _ => Ok(()),
    }
}
