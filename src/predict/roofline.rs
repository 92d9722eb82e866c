//! Synthetic devices: latency functions drawn at random from a roofline-like cost model, which tell the prior how a device
//! may differ from all known ones.
//!
//! A synthetic device runs the layers of a network one after another. A layer takes the time of its arithmetic and of its
//! traffic, added up or the longer of both (Williams et al., *Roofline*, CACM 2009), and a launch. Arithmetic is slower
//! where a layer has few channels to fill the machine's lanes with, or too few outputs for its threads. Prices and
//! saturation points are log-normal around a typical device, with spreads wide enough for each to matter on some device
//! and for none on others. A synthetic device runs either the network as written (eager execution) or the live one (compiled
//! graphs). These functions are simulated: they shape the prior and are never shown as measurements.

use std::collections::HashMap;

use nalgebra::DMatrix;
use rand::Rng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::space::{Layer, Network, Operation};

/// A log-normal quantity: its median, and the standard deviation of its logarithm.
type LogNormal = (f64, f64);

/// Prices in units of one multiply-accumulate of a dense convolution on a full machine: by kind of convolution, per element
/// of activations and of weights moved, and per element pooled.
const SPATIAL: LogNormal = (1.0, 0.5);
const POINTWISE: LogNormal = (1.5, 0.7);
const DEPTHWISE: LogNormal = (2.7, 1.0);
const ACTIVATION: LogNormal = (4.0, 1.2);
const WEIGHT: LogNormal = (2.7, 1.0);
const POOLED: LogNormal = (20.0, 1.2);
/// Channels at which half of the lanes are filled, and outputs at which half of the threads are.
const CHANNELS: LogNormal = (12.0, 1.5);
const OUTPUTS: LogNormal = (3000.0, 2.0);
/// Spread of the factor, at least one, by which groups slow a convolution down.
const GROUPED: f64 = 0.5;
/// Launches of all layers, and of those on the critical path, relative to the average network's other time; and the spread
/// between the launches of convolutions, of pooling, and of the rest, which a runtime may fuse.
const LAUNCHES: LogNormal = (0.6, 1.3);
const LAUNCHES_BY_KIND: f64 = 0.8;
const CRITICAL_PATH: LogNormal = (0.15, 1.5);
/// Time that every network takes, relative to the average network's other time.
const FIXED: LogNormal = (0.4, 1.0);

/// A set of networks as counts of their distinct layers, so that each layer is priced once per synthetic device.
struct Counts<'a> {
    layers: Vec<&'a Layer>,
    /// For each network, (position in `layers`, count).
    rows: Vec<Vec<(usize, f64)>>,
    /// For each network, by [`launch_kind`].
    launches: Vec<[f64; 3]>,
    critical_path: Vec<f64>,
}

/// Convolutions and classifiers, pooling, or the rest.
fn launch_kind(layer: &Layer) -> usize {
    match layer.operation {
        Operation::Convolution(_) | Operation::Linear => 0,
        Operation::Pooling(_) | Operation::GlobalPooling => 1,
        _ => 2,
    }
}

impl<'a> Counts<'a> {
    fn of(networks: impl Iterator<Item = &'a Network>) -> Counts<'a> {
        let mut counts = Counts {
            layers: Vec::new(),
            rows: Vec::new(),
            launches: Vec::new(),
            critical_path: Vec::new(),
        };
        let mut places: HashMap<&Layer, usize> = HashMap::new();
        for network in networks {
            let mut row: HashMap<usize, f64> = HashMap::new();
            let mut launches = [0.0; 3];
            for layer in network.layers() {
                let place = *places.entry(layer).or_insert_with(|| {
                    counts.layers.push(layer);
                    counts.layers.len() - 1
                });
                *row.entry(place).or_default() += 1.0;
                launches[launch_kind(layer)] += 1.0;
            }
            let mut row: Vec<(usize, f64)> = row.into_iter().collect();
            // Sums of floats depend on their order, and that of a hash map is not always the same.
            row.sort_unstable_by_key(|entry| entry.0);
            counts.rows.push(row);
            counts.launches.push(launches);
            counts.critical_path.push(f64::from(network.critical_path_layers()));
        }
        counts
    }

    /// Time of every network on a device.
    fn times(&self, device: &SyntheticDevice) -> Vec<f64> {
        let prices: Vec<f64> = self.layers.iter().map(|layer| device.time(layer)).collect();
        let work: Vec<f64> = (self.rows.iter())
            .map(|row| row.iter().map(|&(place, count)| count * prices[place]).sum())
            .collect();
        let usual = mean(&work);
        let started: Vec<f64> = self.launches.iter().map(|kinds| kinds.iter().sum()).collect();
        let launch = device.launches.map(|price| price * usual / mean(&started).max(1.0));
        let step = device.critical_path * usual / mean(&self.critical_path).max(1.0);
        (work.iter().zip(&self.launches).zip(&self.critical_path))
            .map(|((work, kinds), steps)| {
                let launches: f64 = launch.iter().zip(kinds).map(|(price, count)| price * count).sum();
                work + launches + step * steps + device.fixed * usual
            })
            .collect()
    }
}

/// Prices and saturation points of one synthetic device.
struct SyntheticDevice {
    spatial: f64,
    pointwise: f64,
    depthwise: f64,
    activation: f64,
    weight: f64,
    pooled: f64,
    channels: f64,
    outputs: f64,
    grouped: f64,
    overlaps: bool,
    launches: [f64; 3],
    critical_path: f64,
    fixed: f64,
}

impl SyntheticDevice {
    fn draw(rng: &mut StdRng) -> SyntheticDevice {
        let launch = log_normal(LAUNCHES, rng);
        SyntheticDevice {
            spatial: log_normal(SPATIAL, rng),
            pointwise: log_normal(POINTWISE, rng),
            depthwise: log_normal(DEPTHWISE, rng),
            activation: log_normal(ACTIVATION, rng),
            weight: log_normal(WEIGHT, rng),
            pooled: log_normal(POOLED, rng),
            channels: log_normal(CHANNELS, rng),
            outputs: log_normal(OUTPUTS, rng),
            grouped: log_normal((1.0, GROUPED), rng).max(1.0),
            overlaps: rng.random_bool(0.5),
            launches: [0; 3].map(|_| launch * log_normal((1.0, LAUNCHES_BY_KIND), rng)),
            critical_path: log_normal(CRITICAL_PATH, rng),
            fixed: log_normal(FIXED, rng),
        }
    }

    /// Time of one layer without its launch.
    fn time(&self, layer: &Layer) -> f64 {
        let outputs = layer.output.elements() as f64;
        let filled = |channels: u32| f64::from(channels) / (f64::from(channels) + self.channels);
        let arithmetic = match layer.operation {
            Operation::Convolution(_) if layer.is_depthwise() => self.depthwise * layer.macs() as f64,
            Operation::Convolution(_) | Operation::Linear => {
                let price = if layer.kernel() == 1 {
                    self.pointwise
                } else {
                    self.spatial
                };
                let grouped = if layer.groups() > 1 { self.grouped } else { 1.0 };
                let lanes = filled(layer.input.channels) * filled(layer.output.channels);
                price * grouped * layer.macs() as f64 / lanes
            }
            Operation::Pooling(_) | Operation::GlobalPooling => self.pooled * outputs,
            _ => 0.0,
        };
        let arithmetic = arithmetic * (outputs + self.outputs) / outputs;
        let traffic =
            self.activation * layer.activation_elements() as f64 + self.weight * layer.weight_elements() as f64;
        if self.overlaps {
            arithmetic.max(traffic)
        } else {
            arithmetic + traffic
        }
    }
}

/// Latency functions of `count` synthetic devices over reference networks, given `(as written, live)`, in log and standardised
/// by median and standard deviation, `[reference, count]`; and which of the devices run networks as written.
pub fn draw(reference: &[(Network, Network)], count: usize, rng: &mut StdRng) -> (DMatrix<f64>, Vec<bool>) {
    let written = Counts::of(reference.iter().map(|pair| &pair.0));
    let live = Counts::of(reference.iter().map(|pair| &pair.1));
    let devices: Vec<(bool, SyntheticDevice)> = (0..count)
        .map(|_| (rng.random_bool(0.5), SyntheticDevice::draw(rng)))
        .collect();
    let functions: Vec<Vec<f64>> = devices
        .par_iter()
        .map(|(eager, device)| {
            let counts = if *eager { &written } else { &live };
            let logs: Vec<f64> = counts.times(device).iter().map(|time| time.ln()).collect();
            standardise(&logs)
        })
        .collect();
    (
        DMatrix::from_vec(reference.len(), count, functions.concat()),
        devices.iter().map(|device| device.0).collect(),
    )
}

/// A number whose logarithm is normal around that of the median.
fn log_normal((median, spread): LogNormal, rng: &mut StdRng) -> f64 {
    let deviation: f64 = StandardNormal.sample(rng);
    median * (spread * deviation).exp()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Minus the median, over the standard deviation.
fn standardise(values: &[f64]) -> Vec<f64> {
    let median = crate::stats::quantile(values, 0.5).unwrap_or_default();
    let mean = mean(values);
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    let deviation = variance.sqrt().max(1e-9);
    values.iter().map(|value| (value - median) / deviation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::space::{Convolution, InputSize, NasBench201, NetworkBuilder, SearchSpace};

    /// Every price zero but one; nothing saturates.
    fn device() -> SyntheticDevice {
        SyntheticDevice {
            spatial: 0.0,
            pointwise: 0.0,
            depthwise: 0.0,
            activation: 0.0,
            weight: 0.0,
            pooled: 0.0,
            channels: 0.0,
            outputs: 0.0,
            grouped: 2.0,
            overlaps: false,
            launches: [0.0; 3],
            critical_path: 0.0,
            fixed: 0.0,
        }
    }

    /// On 8 channels of 4x4 pixels.
    fn convolution(kernel: u32, groups: u32) -> Layer {
        let (mut network, input) = NetworkBuilder::new(8, InputSize { width: 4, height: 4 });
        let map = network.convolve(
            input,
            Convolution {
                groups,
                ..Convolution::new(8, kernel)
            },
        );
        *network.finish(map).layers().next().unwrap()
    }

    #[test]
    fn layers_priced_by_hand() {
        // 3x3 on 8 to 8 channels at 16 positions: 9 x 64 x 16 = 9,216 MACs; depthwise 9 x 8 x 16 = 1,152.
        let spatial = SyntheticDevice {
            spatial: 2.0,
            ..device()
        };
        assert_eq!(spatial.time(&convolution(3, 1)), 18_432.0);
        assert_eq!(spatial.time(&convolution(1, 1)), 0.0);
        let depthwise = SyntheticDevice {
            depthwise: 3.0,
            ..device()
        };
        assert_eq!(depthwise.time(&convolution(3, 8)), 3_456.0);
        // 1x1 in two groups: 4 x 8 x 16 = 512 MACs, twice as long for the groups; 8 of 16 lanes on either side.
        let lanes = SyntheticDevice {
            pointwise: 1.0,
            channels: 8.0,
            ..device()
        };
        assert_eq!(lanes.time(&convolution(1, 2)), 4_096.0);
        // 128 outputs of 256 that would fill half of the threads: three times as long.
        let threads = SyntheticDevice {
            pointwise: 1.0,
            outputs: 256.0,
            ..device()
        };
        assert_eq!(threads.time(&convolution(1, 1)), 3.0 * 1_024.0);
    }

    #[test]
    fn arithmetic_and_traffic_add_up_or_overlap() {
        // 1,024 MACs; 8 x 16 elements in and out; 64 weights and 8 biases.
        let added = SyntheticDevice {
            pointwise: 1.0,
            activation: 10.0,
            weight: 1.0,
            ..device()
        };
        assert_eq!(added.time(&convolution(1, 1)), 1_024.0 + 2_560.0 + 72.0);
        let overlapping = SyntheticDevice {
            overlaps: true,
            ..added
        };
        assert_eq!(overlapping.time(&convolution(1, 1)), 2_632.0);
    }

    /// One, or two, 1x1 convolutions side by side on 8 channels of 4x4 pixels: 1,024 MACs each.
    fn network(convolutions: usize) -> Network {
        let (mut network, input) = NetworkBuilder::new(8, InputSize { width: 4, height: 4 });
        let mut map = input;
        for _ in 0..convolutions {
            map = network.convolve(input, Convolution::new(8, 1));
        }
        network.finish(map)
    }

    #[test]
    fn launches_and_critical_path_are_paid_beside_the_work() {
        let networks = [network(1), network(2)];
        let counts = Counts::of(networks.iter());
        let work = SyntheticDevice {
            pointwise: 1.0,
            ..device()
        };
        assert_eq!(counts.times(&work), [1_024.0, 2_048.0]);
        // The average work is 1,536, the average of launches 1.5: half of that work's time is 512 for a launch.
        let launches = SyntheticDevice {
            launches: [0.5, 9.0, 9.0],
            ..work
        };
        assert_eq!(counts.times(&launches), [1_024.0 + 512.0, 2_048.0 + 1_024.0]);
        // Both have one layer on the critical path: a fourth of 1,536 for each.
        let steps = SyntheticDevice {
            launches: [0.0; 3],
            critical_path: 0.25,
            ..launches
        };
        assert_eq!(counts.times(&steps), [1_024.0 + 384.0, 2_048.0 + 384.0]);
    }

    #[test]
    fn eager_devices_run_the_network_as_written() {
        // Written and live networks rise in opposite orders, so a function's order tells which was priced.
        let networks: Vec<(Network, Network)> = (1..=4).map(|size| (network(size), network(5 - size))).collect();
        let (functions, eager) = draw(&networks, 30, &mut Seed(2).stream("test"));
        for (column, eager) in functions.column_iter().zip(eager) {
            assert_eq!(column[0] < column[3], eager, "{column}");
        }
    }

    #[test]
    fn drawn_functions_are_standardised_and_differ() {
        let mut rng = Seed(1).stream("test");
        let space = &NasBench201;
        let input = InputSize { width: 32, height: 32 };
        let networks: Vec<(Network, Network)> = (0..200)
            .map(|_| space.sample(&mut rng))
            .map(|one| (space.lower_as_written(&one, input, 10), space.lower(&one, input, 10)))
            .collect();
        let (functions, eager) = draw(&networks, 40, &mut rng);
        assert!(eager.contains(&true) && eager.contains(&false));
        for column in functions.column_iter() {
            assert!(column.iter().all(|value| value.is_finite()));
            assert!((column.variance() - 1.0).abs() < 1e-6);
        }
        let same = functions.column(0).dot(&functions.column(1)) / 200.0;
        assert!(same < 0.999, "{same}");
    }
}
