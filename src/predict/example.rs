//! A small world for the tests of adaptation: devices that run the layers of a network one after another, without noise.

use std::collections::BTreeSet;

use nalgebra::DMatrix;

use super::adapt::{Beliefs, Measured};
use super::prior::{KnownDevice, Prior, Reference};
use super::{DeviceSimilarity, Encoded, Posterior};
use crate::device::Device;
use crate::encode::Encoder;
use crate::metric::Metric;
use crate::profile::{Coordinates, Covariance, Member, Observed, Population, Setting};
use crate::seed::Seed;
use crate::space::{Architecture, InputSize, NasBench201, Precision, QuantPolicy, SearchSpace};
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

/// A known device with the same price for all kinds of work.
pub(super) fn known_device(unit: &str, precision: QuantPolicy) -> KnownDevice {
    KnownDevice {
        id: unit.into(),
        unit: unit.into(),
        precision,
        output: Some(0),
        level: 0.0,
        profile: Coordinates::repeat(-15.0),
        covariance: Covariance::identity() * 0.01,
        offset: 0.0,
        scale: 0.2,
        residual_share: 1.0,
        noise: 0.0,
        elsewhere: false,
        measured_at: None,
        datasheet: Device::named(unit),
    }
}

/// Architectures, what is known of devices there, and the prior that follows.
pub(super) struct World {
    /// Logarithms of the latencies, `[devices, architectures]`.
    pub(super) logs: DMatrix<f64>,
    /// The same of devices that are not among the known ones.
    pub(super) strangers: DMatrix<f64>,
    /// `[COUNTS + rank, architectures]`.
    pub(super) basis: DMatrix<f32>,
    /// The same at some of them.
    pub(super) reference: DMatrix<f64>,
    pub(super) prior: Prior,
    /// What the prior was built from.
    pub(super) known: Vec<(Metric, KnownDevice)>,
    pub(super) architectures: Reference,
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
        let (features, counts) = encoder.encode_and_count(space, &architectures);
        let names: Vec<String> = architectures.iter().map(|one| space.print(one)).collect();
        let logs_on = |devices: &[[f64; 4]]| {
            DMatrix::from_fn(devices.len(), names.len(), |device, architecture| {
                log_latency(&devices[device], &names[architecture])
            })
        };
        let logs = logs_on(&DEVICES);
        let known = known(&logs, &counts);
        let reference = Reference {
            networks: architectures
                .iter()
                .map(|one| space.lower_as_written(one, input, 10))
                .collect(),
            encoded: Encoded {
                // No tower has anything to add.
                outputs: DMatrix::zeros(known.len(), names.len()),
                features,
                counts,
            },
        };
        let prior = Prior::build(&known, Metric::Latency, &reference, &BTreeSet::new());
        let basis = prior.basis(&reference.encoded);
        World {
            reference: basis.columns(0, names.len().min(256)).map(f64::from),
            basis,
            logs,
            strangers: logs_on(&STRANGERS),
            prior,
            known,
            architectures: reference,
        }
    }

    /// What a device is adapted from.
    pub(super) fn beliefs<'a>(&'a self, similarity: &'a DeviceSimilarity) -> Beliefs<'a> {
        Beliefs {
            prior: &self.prior,
            similarity,
            like: None,
            setting: ONE_INPUT,
            reference: &self.reference,
        }
    }

    /// Adapts to what was measured of a device of which nothing else is said.
    pub(super) fn adapt(&self, measured: &Measured, seed: Seed) -> Posterior {
        let similarity = DeviceSimilarity::of(&Device::named("new"), &self.prior);
        super::adapt::adapt(&self.beliefs(&similarity), measured, seed)
    }
}

/// Devices of the world run one input at once.
pub(super) const ONE_INPUT: Setting = Setting { batch: 1.0 };

fn log_latency(device: &[f64; 4], architecture: &str) -> f64 {
    let count = |operation: &str| architecture.matches(operation).count() as f64;
    let layers = device[0] * count("nor_conv_3x3") + device[1] * count("nor_conv_1x1") + device[2] * count("avg_pool");
    (layers + device[3]).ln()
}

fn known(logs: &DMatrix<f64>, counts: &DMatrix<f32>) -> Vec<(Metric, KnownDevice)> {
    let of = |device: usize| -> Vec<f64> { logs.row(device).iter().copied().collect() };
    let members: Vec<Member> = (0..logs.nrows())
        .map(|device| Member {
            observed: vec![Observed {
                counts: counts.map(f64::from),
                logs: of(device),
                setting: ONE_INPUT,
            }],
            weight: 1.0,
        })
        .collect();
    let population = Population::fit(&members);
    let device = |(device, estimated): (usize, &crate::profile::Estimated)| KnownDevice {
        id: format!("device-{device}"),
        unit: format!("unit-{device}"),
        precision: Precision::Fp32.into(),
        output: Some(device),
        level: stats::quantile(&of(device), 0.5).unwrap(),
        profile: estimated.profile,
        covariance: estimated.covariance,
        offset: 0.0,
        scale: 0.01,
        residual_share: 0.0,
        noise: estimated.noise[0],
        elsewhere: false,
        measured_at: None,
        datasheet: Device::named(&format!("device-{device}")),
    };
    population
        .members
        .iter()
        .enumerate()
        .map(|one| (Metric::Latency, device(one)))
        .collect()
}
