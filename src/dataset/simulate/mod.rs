//! What would a fleet of devices measure? A dataset made from datasheets and an analytic cost model, for trying every step
//! without any measurement at hand. Every row says that it is simulated.
//!
//! The cost of a network on a device is in [`Simulator`], its figures in `configs/simulator.toml`. On top of it comes
//! log-normal noise, as repeated measuring shows it. A seed and a configuration give the same dataset, and a device's rows do
//! not depend on which other devices there are.

mod accuracy;
mod config;
mod cost;
mod parameters;
#[cfg(test)]
mod reality;

use std::collections::HashSet;

use rand::rngs::StdRng;
use rand::seq::index;
use rand_distr::{Distribution, LogNormal};

use super::{AccuracyRow, Dataset, Measurement, Origin};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::space::{Architecture, Precision, SearchSpace};

pub use config::{AccuracyConfig, FleetConfig};
pub use cost::{Cost, Simulator};

/// Draws per architecture wanted, in spaces too large to list, before giving up on finding distinct ones.
const MAX_DRAWS: usize = 100;

/// Simulates the fleet.
///
/// # Errors
/// [`Error::Invalid`] for a device whose datasheet does not say enough, or too few distinct architectures.
pub fn run(config: &FleetConfig) -> Result<Dataset> {
    let named = config.accuracy.as_ref().map_or(0, |accuracy| accuracy.architectures);
    let mut rng = config.seed.stream("architectures");
    let mut dataset = Dataset::new(config.space);
    dataset.architectures = draw(config.space, config.architectures.max(named), &mut rng)?;
    dataset.inputs = config.inputs.clone();
    for device in 0..config.devices.len() {
        measure(config, device, &mut dataset)?;
    }
    add_accuracies(config, &mut dataset);
    Ok(dataset)
}

/// Distinct architectures, in the order drawn.
fn draw(space: &dyn SearchSpace, count: usize, rng: &mut StdRng) -> Result<Vec<Architecture>> {
    let too_few = |found: usize| Error::Invalid {
        what: "architectures".into(),
        expected: format!("{count} distinct ones in `{}`", space.id()),
        found: found.to_string(),
        hint: "Simulate fewer.".into(),
    };
    if let Some(listed) = space.enumerable() {
        if count > listed.size() {
            return Err(too_few(listed.size()));
        }
        let indices = index::sample(rng, listed.size(), count);
        return Ok(indices.into_iter().map(|index| listed.at(index)).collect());
    }
    let mut seen = HashSet::new();
    let mut drawn = Vec::new();
    for _ in 0..count.saturating_mul(MAX_DRAWS) {
        let architecture = space.sample(rng);
        if drawn.len() < count && seen.insert(architecture.clone()) {
            drawn.push(architecture);
        }
        if drawn.len() == count {
            return Ok(drawn);
        }
    }
    Err(too_few(drawn.len()))
}

/// Adds a device and its rows.
fn measure(config: &FleetConfig, position: usize, dataset: &mut Dataset) -> Result<()> {
    let device = &config.devices[position];
    let simulator = Simulator::new(device)?;
    let mut rng = config.seed.stream(&format!("device {}", device.id));
    let mut chosen = index::sample(&mut rng, config.architectures, config.architectures_per_device).into_vec();
    chosen.sort_unstable();
    let precision = device.runs_at();
    for architecture in chosen {
        for (input, &size) in config.inputs.iter().enumerate() {
            let network = simulator.lower(config.space, &dataset.architectures[architecture], size, config.classes);
            let cost = simulator.cost(&network);
            let latency_ms = cost.latency_ms * factor(config.latency_noise, &mut rng);
            let energy_factor = factor(config.energy_noise, &mut rng);
            let energy_mj = cost.energy_mj.map(|energy_mj| energy_mj * energy_factor);
            dataset.measurements.push(Measurement {
                device: position as u32,
                architecture: architecture as u32,
                precision,
                input: input as u16,
                values: [(Metric::Latency, Some(latency_ms)), (Metric::Energy, energy_mj)]
                    .into_iter()
                    .filter_map(|(metric, value)| Some((metric, rounded(value?))))
                    .collect(),
                origin: Origin::Simulated,
            });
        }
    }
    dataset.devices.push(device.clone());
    Ok(())
}

fn add_accuracies(config: &FleetConfig, dataset: &mut Dataset) {
    let (Some(accuracy), Some(&input)) = (&config.accuracy, config.inputs.first()) else {
        return;
    };
    let model = accuracy::AccuracyModel::new(config.space, input, config.classes, accuracy.noise_percent);
    let mut rng = config.seed.stream("accuracy");
    let precision = if config.space.has_bits() {
        Precision::Int8
    } else {
        Precision::Fp32
    };
    dataset.tasks.push(accuracy.task.clone());
    for architecture in 0..accuracy.architectures {
        let accuracy_percent = model.accuracy_percent(&dataset.architectures[architecture], &mut rng);
        dataset.accuracies.push(AccuracyRow {
            task: 0,
            architecture: architecture as u32,
            precision: precision.into(),
            accuracy_percent: rounded(accuracy_percent),
            origin: Origin::Simulated,
        });
    }
}

/// A factor around 1 whose logarithm has this standard deviation.
fn factor(noise: f64, rng: &mut StdRng) -> f64 {
    LogNormal::new(0.0, noise).map_or(1.0, |distribution| distribution.sample(rng))
}

/// To four significant digits: more would be noise, and files stay small.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::device::{Device, catalogue};
    use crate::seed::Seed;
    use crate::space::{InputSize, NasBench201, QuantPolicy};

    fn fleet(devices: &[&str]) -> FleetConfig {
        FleetConfig {
            space: &NasBench201,
            devices: devices.iter().map(|id| catalogue::find(id).unwrap()).collect(),
            architectures: 60,
            architectures_per_device: 40,
            inputs: vec![InputSize { width: 32, height: 32 }],
            classes: 100,
            latency_noise: 0.02,
            energy_noise: 0.03,
            seed: Seed(5),
            accuracy: Some(AccuracyConfig {
                task: "simulated".into(),
                architectures: 80,
                noise_percent: 0.3,
            }),
        }
    }

    #[test]
    fn counts_and_labels() {
        let dataset = run(&fleet(&["raspi4", "edgetpu"])).unwrap();
        assert_eq!((dataset.devices.len(), dataset.architectures.len()), (2, 80));
        assert_eq!((dataset.measurements.len(), dataset.accuracies.len()), (80, 80));
        assert!(
            dataset
                .measurements
                .iter()
                .all(|row| row.origin == Origin::Simulated && row.architecture < 60)
        );
        assert!(dataset.accuracies.iter().all(|row| row.origin == Origin::Simulated));
        let precisions: HashSet<QuantPolicy> = dataset.measurements.iter().map(|row| row.precision).collect();
        assert_eq!(
            precisions,
            HashSet::from([Precision::Fp32.into(), Precision::Int8.into()])
        );
        let distinct: HashSet<_> = dataset.architectures.iter().collect();
        assert_eq!(distinct.len(), 80);
    }

    #[test]
    fn a_seed_repeats_and_other_devices_change_nothing() {
        let alone = run(&fleet(&["edgetpu"])).unwrap();
        let beside = run(&fleet(&["raspi4", "edgetpu"])).unwrap();
        let latencies = |dataset: &Dataset, device: u32| -> Vec<(u32, Option<f64>)> {
            let rows = dataset.measurements.iter().filter(|row| row.device == device);
            rows.map(|row| (row.architecture, row.value(Metric::Latency))).collect()
        };
        assert_eq!(latencies(&alone, 0), latencies(&beside, 1));
        let mut other = fleet(&["edgetpu"]);
        other.seed = Seed(6);
        assert_ne!(latencies(&alone, 0), latencies(&run(&other).unwrap(), 0));
    }

    /// Without noise the rows are the simulator's own; with 2 % noise the log-ratios have that standard deviation
    /// (40 draws: within a factor of 0.6 to 1.5 of it except with odds below 1 in 1,000).
    #[test]
    fn noise_has_the_stated_size() {
        let mut quiet = fleet(&["raspi4"]);
        quiet.latency_noise = 0.0;
        let (quiet, noisy) = (run(&quiet).unwrap(), run(&fleet(&["raspi4"])).unwrap());
        let logs: Vec<f64> = quiet
            .measurements
            .iter()
            .zip(&noisy.measurements)
            .map(|(quiet, noisy)| (noisy.value(Metric::Latency).unwrap() / quiet.value(Metric::Latency).unwrap()).ln())
            .collect();
        let deviation = (logs.iter().map(|log| log * log).sum::<f64>() / logs.len() as f64).sqrt();
        assert!((0.012..0.030).contains(&deviation), "{deviation}");
    }

    #[test]
    fn rounding_keeps_four_digits() {
        assert_eq!(rounded(0.000123456), 0.0001235);
        assert_eq!(rounded(98765.4), 98770.0);
    }

    /// There are 15,625 cells.
    #[test]
    fn too_many_architectures_are_refused() {
        let message = draw(&NasBench201, 15_626, &mut Seed(1).stream("x"))
            .unwrap_err()
            .to_string();
        assert!(message.contains("15626 distinct"), "{message}");
    }

    /// The bundled dataset is what its configuration gives, row by row. Other processors may round a power or a logarithm
    /// differently in the last bit, which four digits show as one unit at most.
    #[test]
    fn the_bundled_dataset_is_made_by_its_configuration() {
        let bundled = Dataset::read(Path::new("datasets/nasbench201-fleet")).unwrap();
        let made = run(&FleetConfig::read(Path::new("configs/fleet.toml")).unwrap()).unwrap();
        // Which number formats a device has arithmetic for is said by its datasheet alone.
        let tabled = |devices: &[Device]| -> Vec<Device> {
            let without = |device: &Device| Device {
                precisions: Vec::new(),
                ..device.clone()
            };
            devices.iter().map(without).collect()
        };
        assert_eq!(tabled(&bundled.devices), tabled(&made.devices));
        assert_eq!(bundled.measurements.len(), made.measurements.len());
        assert_eq!(bundled.accuracies.len(), made.accuracies.len());
        let close = |a: f64, b: f64| (a - b).abs() <= 1.1e-3 * a.abs();
        for (bundled_row, made_row) in bundled.measurements.iter().zip(&made.measurements) {
            assert_eq!(bundled_row.device, made_row.device);
            assert_eq!(
                bundled.architectures[bundled_row.architecture as usize],
                made.architectures[made_row.architecture as usize]
            );
            for metric in Metric::OF_DEVICE {
                assert!(
                    close(bundled_row.value(metric).unwrap(), made_row.value(metric).unwrap()),
                    "{bundled_row:?} {made_row:?}"
                );
            }
        }
        for (bundled_row, made_row) in bundled.accuracies.iter().zip(&made.accuracies) {
            assert_eq!(
                bundled.architectures[bundled_row.architecture as usize],
                made.architectures[made_row.architecture as usize]
            );
            assert!(close(bundled_row.accuracy_percent, made_row.accuracy_percent));
        }
    }

    #[test]
    fn the_shipped_configuration_is_read() {
        let config = FleetConfig::read(Path::new("configs/fleet.toml")).unwrap();
        assert!(config.devices.len() >= 24);
        let classes: HashSet<_> = config.devices.iter().map(|device| device.class.clone()).collect();
        assert_eq!(classes.len(), crate::device::CLASSES.len());
    }
}
