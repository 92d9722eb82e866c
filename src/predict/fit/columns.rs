//! Which rows of a dataset a predictor learns from: per known device and metric those of one precision.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use rand::seq::SliceRandom;

use super::{FitOptions, MIN_VALUES};
use crate::dataset::{Dataset, Selection, Task};
use crate::error::Result;
use crate::metric::Metric;
use crate::seed::Seed;
use crate::space::QuantPolicy;

/// Values of one metric on one device, all at one precision.
pub(super) struct Column {
    /// Position of the device in the dataset.
    pub(super) device: usize,
    pub(super) metric: Metric,
    pub(super) precision: QuantPolicy,
    /// (Position of the architecture in the dataset, value).
    pub(super) values: Vec<(u32, f64)>,
}

/// The columns of these devices, metric by metric, latency first; without devices that have too few values.
pub(super) fn columns(
    dataset: &Dataset,
    devices: &[usize],
    task: Option<&Task>,
    options: &FitOptions,
    seed: Seed,
) -> Result<Vec<Column>> {
    if !options.trust_units {
        dataset.check_units(devices)?;
    }
    let selection = Selection {
        precision: options.precision,
        ..dataset.selection(task)?
    };
    let precisions = (devices.iter())
        .map(|&device| dataset.resolve_precision(device, selection))
        .collect::<Result<Vec<Option<QuantPolicy>>>>()?;
    let shared = match options.samples_per_device {
        Some(most) if options.shared_architectures => {
            Some(shared_architectures(dataset, devices, selection, most, seed)?)
        }
        _ => None,
    };
    let mut columns = Vec::new();
    for metric in Metric::OF_DEVICE {
        for (&device, precision) in devices.iter().zip(&precisions) {
            let Some(precision) = *precision else { continue };
            let mut values = dataset.values(device, metric, selection)?;
            if let Some(shared) = &shared {
                values.retain(|value| shared.contains(&value.0));
            } else if let Some(most) = options.samples_per_device {
                // The same architectures for every metric of a device.
                values.shuffle(&mut seed.stream(&format!("samples/{}", dataset.devices[device].id)));
                values.truncate(most);
            }
            if values.len() >= MIN_VALUES {
                columns.push(Column {
                    device,
                    metric,
                    precision,
                    values,
                });
            }
        }
    }
    Ok(columns)
}

/// One set of architectures for all devices: those with a latency on the most of them, at random among equals.
fn shared_architectures(
    dataset: &Dataset,
    devices: &[usize],
    selection: Selection,
    most: usize,
    seed: Seed,
) -> Result<HashSet<u32>> {
    let mut devices_with: BTreeMap<u32, usize> = BTreeMap::new();
    for &device in devices {
        for (architecture, _) in dataset.values(device, Metric::Latency, selection)? {
            *devices_with.entry(architecture).or_default() += 1;
        }
    }
    let mut architectures: Vec<u32> = devices_with.keys().copied().collect();
    architectures.shuffle(&mut seed.stream("samples"));
    architectures.sort_by_key(|architecture| Reverse(devices_with[architecture]));
    architectures.truncate(most);
    Ok(architectures.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{DeviceValues, Measurement, Origin};
    use crate::device::Device;
    use crate::space::{Architecture, InputSize, NasBench201, Precision};

    /// One device with 40 rows in fp32 and, twice as fast, in int8.
    fn dataset() -> Dataset {
        let mut dataset = Dataset::new(&NasBench201);
        dataset.devices = vec![Device::named("board")];
        dataset.inputs = vec![InputSize { width: 32, height: 32 }];
        dataset.architectures = (0..40)
            .map(|one| Architecture(vec![one % 5, one / 5 % 5, 0, 0, 0, 1]))
            .collect();
        for (precision, factor) in [(Precision::Fp32, 1.0), (Precision::Int8, 0.5)] {
            dataset.measurements.extend((0..40).map(|architecture| Measurement {
                device: 0,
                architecture,
                precision: precision.into(),
                input: 0,
                values: DeviceValues::of(Metric::Latency, factor * f64::from(1 + architecture)),
                origin: Origin::Measured,
            }));
        }
        dataset
    }

    #[test]
    fn precisions_are_not_mixed() {
        let dataset = dataset();
        let chosen = |precision| {
            let options = FitOptions {
                precision,
                ..FitOptions::default()
            };
            columns(&dataset, &[0], None, &options, Seed(0))
        };
        let message = chosen(None).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("board") && message.contains("fp32, int8"), "{message}");
        assert!(chosen(Some(Precision::Fp16.into())).is_err());
        let column = chosen(Some(Precision::Int8.into())).unwrap().remove(0);
        assert_eq!(column.precision, Precision::Int8.into());
        assert_eq!(column.values[..2], [(0, 0.5), (1, 1.0)]);
        assert_eq!(column.values.len(), 40);
    }

    #[test]
    fn one_set_of_architectures_is_drawn_for_all_devices_where_asked_for() {
        let mut dataset = dataset();
        dataset
            .measurements
            .retain(|row| row.precision == Precision::Fp32.into());
        dataset.devices.push(Device::named("phone"));
        let phone = dataset
            .measurements
            .clone()
            .into_iter()
            .map(|row| Measurement { device: 1, ..row });
        // Five architectures were not measured on the phone: none of them is drawn as long as there are others.
        dataset.measurements.extend(phone.skip(5));
        let drawn = |shared_architectures: bool| -> Vec<HashSet<u32>> {
            let options = FitOptions {
                samples_per_device: Some(30),
                shared_architectures,
                ..FitOptions::default()
            };
            let columns = columns(&dataset, &[0, 1], None, &options, Seed(0)).unwrap();
            columns
                .iter()
                .map(|column| column.values.iter().map(|value| value.0).collect())
                .collect()
        };
        let shared = drawn(true);
        assert_eq!(shared[0].len(), 30);
        assert_eq!(shared[0], shared[1]);
        assert!((0..5).all(|architecture| !shared[0].contains(&architecture)));
        let separate = drawn(false);
        assert_ne!(separate[0], separate[1]);
    }

    #[test]
    fn the_only_precision_of_a_device_needs_no_choice() {
        let mut dataset = dataset();
        dataset
            .measurements
            .retain(|row| row.precision == Precision::Int8.into());
        let options = FitOptions::default();
        let column = columns(&dataset, &[0], None, &options, Seed(0)).unwrap().remove(0);
        assert_eq!(column.precision, Precision::Int8.into());
    }
}
