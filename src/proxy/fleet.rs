//! The values of several devices side by side, one row per architecture.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::space::{Architecture, InputSize, QuantPolicy, SearchSpace};

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
    /// What was measured on any of the devices, each once.
    pub architectures: Vec<Architecture>,
    /// One per device.
    pub columns: Vec<Column>,
}

impl Fleet {
    /// Latency or energy of devices, by their positions in the dataset, at one input size. Devices may differ in precision,
    /// as they do in everything else.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no device at all, for measurements at several input sizes when none was chosen, and for one device
    /// at several precisions: they cannot be told apart by their architecture. [`Error::Insufficient`] where nothing was
    /// measured.
    pub fn of(dataset: &Dataset, devices: &[usize], metric: Metric, input: Option<InputSize>) -> Result<Fleet> {
        if devices.is_empty() {
            return Err(no_device());
        }
        check_inputs(dataset, input)?;
        let mut rows: HashMap<u32, usize> = HashMap::new();
        let mut precisions: Vec<Option<QuantPolicy>> = vec![None; devices.len()];
        let mut architectures = Vec::new();
        let mut columns: Vec<Column> = devices
            .iter()
            .map(|&device| Column::empty(&dataset.devices[device]))
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
            let at_input = input.is_none_or(|input| dataset.inputs[usize::from(row.input)] == input);
            let (Some(value), true) = (row.value(metric), at_input) else {
                continue;
            };
            if *precisions[column].get_or_insert(row.precision) != row.precision {
                return Err(several_precisions(&columns[column].id));
            }
            let place = *rows.entry(row.architecture).or_insert_with(|| {
                architectures.push(dataset.architectures[row.architecture as usize].clone());
                architectures.len() - 1
            });
            let values = &mut columns[column].values;
            if values.len() <= place {
                values.resize(place + 1, None);
            }
            values[place] = Some(value);
        }
        if architectures.is_empty() {
            return Err(nothing_measured(metric));
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
    fn empty(device: &Device) -> Column {
        Column {
            id: device.id.clone(),
            unit: device.unit.clone(),
            kind: ColumnKind::Device,
            values: Vec::new(),
        }
    }

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

fn no_device() -> Error {
    Error::Invalid {
        what: "fleet".into(),
        expected: "at least one device".into(),
        found: "none".into(),
        hint: "Name a dataset with measurements.".into(),
    }
}

fn nothing_measured(metric: Metric) -> Error {
    Error::Insufficient {
        what: format!("{metric} of these devices"),
        expected: "at least one value".into(),
        found: "none in the dataset".into(),
        hint: "Name a dataset that holds some, or compare another metric.".into(),
    }
}

fn several_precisions(device: &str) -> Error {
    Error::Invalid {
        what: format!("device {device}"),
        expected: "measurements at one precision".into(),
        found: "several".into(),
        hint: "Choose the precision, or give each an id of its own in devices.csv: it is another setting of the hardware unit.".into(),
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
            hint: "Choose one input size.".into(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{DeviceValues, Measurement, Origin};
    use crate::space::{NasBench201, Precision};
    use Precision::{Fp32, Int8};

    const EDGES: [u32; 2] = [32, 16];

    /// Rows of (device, architecture, precision, input, ms); devices `a` and `b`.
    fn dataset(rows: &[(u32, u32, QuantPolicy, u16, f64)]) -> Dataset {
        let mut dataset = Dataset::new(&NasBench201);
        dataset.devices = ["a", "b"]
            .map(|id| Device {
                id: id.into(),
                ..Device::default()
            })
            .into();
        dataset.architectures = (0..3).map(|gene| Architecture(vec![gene; 6])).collect();
        dataset.inputs = EDGES
            .map(|edge| InputSize {
                width: edge,
                height: edge,
            })
            .into();
        dataset.measurements = rows
            .iter()
            .map(|&(device, architecture, precision, input, latency_ms)| Measurement {
                device,
                architecture,
                precision,
                input,
                values: DeviceValues::of(Metric::Latency, latency_ms),
                origin: Origin::Measured,
            })
            .collect();
        dataset
    }

    fn at(dataset: &Dataset, devices: &[usize], edge: u32) -> Result<Fleet> {
        let size = InputSize {
            width: edge,
            height: edge,
        };
        Fleet::of(dataset, devices, Metric::Latency, Some(size))
    }

    #[test]
    fn devices_of_different_precision_stand_side_by_side() {
        let dataset = dataset(&[
            (0, 2, Fp32.into(), 0, 5.0),
            (1, 2, Int8.into(), 0, 7.0),
            (1, 0, Int8.into(), 0, 1.0),
            (0, 1, Fp32.into(), 1, 9.0),
        ]);
        let fleet = at(&dataset, &[0, 1], 32).unwrap();
        assert_eq!(fleet.architectures.len(), 2);
        assert_eq!(fleet.columns[0].values, [Some(5.0), None]);
        assert_eq!(fleet.columns[1].values, [Some(7.0), Some(1.0)]);
        assert_eq!(fleet.columns[0].common(&fleet.columns[1]), (vec![5.0], vec![7.0]));
        // The other input size is another fleet.
        assert_eq!(at(&dataset, &[0], 16).unwrap().columns[0].values, [Some(9.0)]);
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        let dataset = dataset(&[(0, 2, Fp32.into(), 0, 5.0), (0, 2, Int8.into(), 0, 3.0)]);
        let message = at(&dataset, &[0], 32).err().unwrap().to_string();
        assert!(
            message.contains("device a") && message.contains("one precision"),
            "{message}"
        );
        let message = Fleet::of(&dataset, &[0], Metric::Latency, None)
            .err()
            .unwrap()
            .to_string();
        assert!(message.contains("32x32, 16x16"), "{message}");
        assert!(at(&dataset, &[0], 64).is_err() && at(&dataset, &[], 32).is_err());
        // Latencies only, and none of them on the second device.
        let size = Some(InputSize { width: 32, height: 32 });
        for (device, metric, what) in [(0, Metric::Energy, "energy"), (1, Metric::Latency, "latency")] {
            let one = self::dataset(&[(0, 2, Fp32.into(), 0, 5.0)]);
            let message = Fleet::of(&one, &[device], metric, size).err().unwrap().to_string();
            assert!(
                message.contains(what) && message.contains("none in the dataset"),
                "{message}"
            );
        }
    }

    #[test]
    fn counts_grow_with_convolutions() {
        // All edges `none`, all `skip_connect`, all 1x1 convolutions.
        let dataset = dataset(&[
            (0, 0, Fp32.into(), 0, 1.0),
            (0, 1, Fp32.into(), 0, 1.0),
            (0, 2, Fp32.into(), 0, 1.0),
        ]);
        let fleet = at(&dataset, &[0], 32)
            .unwrap()
            .with_counts(InputSize { width: 32, height: 32 });
        for count in &fleet.columns[1..] {
            assert!(
                count.values[0] == count.values[1] && count.values[1] < count.values[2],
                "{count:?}"
            );
        }
    }
}
