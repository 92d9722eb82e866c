//! A small world for the tests of adaptation: devices that run the layers of a network one after another, without noise.

use nalgebra::{DMatrix, DVector};

use super::fit::both_networks;
use super::prior::{KnownDevice, Prior, Reference, SyntheticDevices};
use crate::device::Device;
use crate::encode::Encoder;
use crate::metric::Metric;
use crate::seed::Seed;
use crate::space::{Architecture, InputSize, NasBench201, Precision, SearchSpace};
use crate::stats;

/// Milliseconds per 3x3 convolution, 1x1 convolution and pooling, and for the rest of the network.
const DEVICES: [[f64; 4]; 7] = [
    [4.0, 1.0, 0.5, 3.0],
    [3.0, 2.5, 0.2, 1.0],
    [9.0, 1.0, 4.0, 5.0],
    [0.2, 0.2, 0.3, 4.0],
    [6.0, 0.7, 0.1, 0.5],
    [1.0, 0.9, 0.8, 2.0],
    [30.0, 4.0, 9.0, 20.0],
];

/// Devices that are not known.
const STRANGERS: [[f64; 4]; 3] = [[2.0, 6.0, 1.0, 4.0], [0.5, 0.1, 3.0, 1.0], [12.0, 0.2, 0.2, 60.0]];

/// Architectures, what is known of devices there, and the prior that follows.
pub(super) struct World {
    /// Logarithms of the latencies, `[devices, architectures]`.
    pub(super) logs: DMatrix<f64>,
    /// The same of devices that are not among the known ones.
    pub(super) strangers: DMatrix<f64>,
    /// `[rank, architectures]`.
    pub(super) basis: DMatrix<f32>,
    /// Whether an architecture computes next to nothing.
    pub(super) degenerate: Vec<bool>,
    pub(super) prior: Prior,
}

impl World {
    pub(super) fn new() -> World {
        World::sized(500)
    }

    /// With so many architectures and the one that computes nothing.
    pub(super) fn sized(count: usize) -> World {
        let space = &NasBench201;
        let mut rng = Seed(3).stream("architectures");
        let mut architectures: Vec<Architecture> = (0..count).map(|_| space.sample(&mut rng)).collect();
        // The first operation is `none`: nothing runs, nothing is connected.
        architectures.push(Architecture(vec![0; 6]));
        let input = InputSize { width: 32, height: 32 };
        let encoder = Encoder::fit(space, &architectures, input, 10);
        let features = encoder.encode(space, &architectures);
        let names: Vec<String> = architectures.iter().map(|one| space.print(one)).collect();
        let logs_on = |devices: &[[f64; 4]]| {
            DMatrix::from_fn(devices.len(), names.len(), |device, architecture| {
                log_latency(&devices[device], &names[architecture])
            })
        };
        let logs = logs_on(&DEVICES);
        let known: Vec<(Metric, KnownDevice)> = (0..DEVICES.len())
            .map(|device| (Metric::Latency, known(device, &logs)))
            .collect();
        let outputs = DMatrix::from_fn(logs.nrows(), logs.ncols(), |device, architecture| {
            ((logs[(device, architecture)] - known[device].1.level) / known[device].1.scale) as f32
        });
        let networks = architectures.iter().map(|one| both_networks(space, one, input, 10));
        let reference = Reference {
            networks: networks.collect(),
            degenerate_features: encoder.positions_of_degenerate(space),
            outputs,
            features,
        };
        let synthetic = SyntheticDevices::fit(&reference, &mut Seed(3).stream("synthetic"));
        let prior = Prior::build(&known, Metric::Latency, &reference, &synthetic);
        let is_degenerate = |column| {
            reference
                .degenerate_features
                .iter()
                .any(|&row| reference.features[(row, column)] > 0.0)
        };
        World {
            basis: prior.basis(&reference.outputs, &reference.features),
            degenerate: (0..architectures.len()).map(is_degenerate).collect(),
            logs,
            strangers: logs_on(&STRANGERS),
            prior,
        }
    }
}

fn log_latency(device: &[f64; 4], architecture: &str) -> f64 {
    let count = |operation: &str| architecture.matches(operation).count() as f64;
    let layers = device[0] * count("nor_conv_3x3") + device[1] * count("nor_conv_1x1") + device[2] * count("avg_pool");
    (layers + device[3]).ln()
}

fn known(device: usize, logs: &DMatrix<f64>) -> KnownDevice {
    let logs: Vec<f64> = logs.row(device).iter().copied().collect();
    let level = stats::quantile(&logs, 0.5).unwrap();
    let away: Vec<f64> = logs.iter().map(|log| (log - level).abs()).collect();
    KnownDevice {
        id: format!("device-{device}"),
        unit: format!("unit-{device}"),
        precision: Precision::Fp32,
        output: Some(device),
        level,
        scale: 1.4826 * stats::quantile(&away, 0.5).unwrap(),
        noise: 0.05,
        physics_share: 0.0,
        physics: DVector::zeros(0),
        datasheet: Device::named(&format!("device-{device}")),
    }
}
