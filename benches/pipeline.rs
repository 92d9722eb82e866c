//! Times of the steps between a trained predictor and a prediction for a new device: adaptation, probe choice, and
//! batches of (architecture, device) pairs. The predictor is a small one, trained on the bundled fleet.
//!
//! The work does not depend on how well the towers were trained, only on their sizes and the basis' rank.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

use std::path::Path;
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use edgefit::compute::Backend;
use edgefit::dataset::{self, Selection};
use edgefit::device::Device;
use edgefit::metric::Metric;
use edgefit::predict::fit::{FitOptions, fit};
use edgefit::predict::train::{Run, TrainingConfig};
use edgefit::predict::{DeviceModel, Predictor, Probe};
use edgefit::progress::Silent;
use edgefit::seed::Seed;
use rayon::prelude::*;

/// The device that the predictor does not know.
const UNSEEN: &str = "raspi4";
/// Devices predicted for side by side, as many as there are cores in the stated goal.
const DEVICES: usize = 2;

static LOADED: LazyLock<dataset::Loaded> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/nasbench201-fleet");
    dataset::load(&folder, &Silent).unwrap()
});

static PREDICTOR: LazyLock<Predictor> = LazyLock::new(|| {
    let short = TrainingConfig {
        epochs: 3,
        ..TrainingConfig::default()
    };
    let dataset = &LOADED.dataset;
    let devices = dataset.devices.iter().map(|device| device.id.clone());
    let options = FitOptions {
        devices: devices.filter(|id| id != UNSEEN).collect(),
        towers: short.clone(),
        accuracy: short,
        ..FitOptions::default()
    };
    let run = Run {
        device: &Backend::Flex.device().unwrap(),
        seed: Seed(1),
        state: None,
        resume: false,
        progress: &Silent,
    };
    fit(dataset, &options, &run).unwrap()
});

fn main() {
    let table = PREDICTOR.table().unwrap();
    eprintln!(
        "{} architectures, rank {}, {} rayon threads",
        table.architectures.len(),
        table.bases.latency().nrows(),
        rayon::current_num_threads()
    );
    divan::main();
}

fn probes(count: usize) -> Vec<Probe> {
    let dataset = &LOADED.dataset;
    let device = dataset.devices.iter().position(|device| device.id == UNSEEN).unwrap();
    let measured = dataset.values(device, Metric::Latency, Selection::default()).unwrap();
    let probe = |&(position, latency): &(u32, f64)| {
        let architecture = dataset.architectures[position as usize].clone();
        Probe::new(
            architecture,
            unseen(),
            [(Metric::Latency, latency)].into_iter().collect(),
        )
    };
    measured.iter().take(count).map(probe).collect()
}

fn unseen() -> &'static Device {
    let mut devices = LOADED.dataset.devices.iter();
    devices.find(|device| device.id == UNSEEN).unwrap()
}

fn adapted() -> DeviceModel {
    PREDICTOR.adapt(unseen(), &probes(10), Seed(2)).unwrap()
}

#[divan::bench(args = [0, 10, 20, 200], sample_count = 30)]
fn adapt(bencher: Bencher, count: usize) {
    let probes = probes(count);
    bencher.bench(|| PREDICTOR.adapt(unseen(), &probes, Seed(2)).unwrap());
}

#[divan::bench(args = [10, 20], sample_count = 5)]
fn choose_probes(count: usize) -> usize {
    PREDICTOR.choose_probes(count, None, Seed(2)).len()
}

/// Pairs of every architecture of the space with one device, on one core.
#[divan::bench(sample_count = 30)]
fn predict_pairs_one_core(bencher: Bencher) {
    let (model, basis) = (adapted(), PREDICTOR.table().unwrap().bases.latency());
    bencher
        .counter(ItemsCount::new(basis.ncols()))
        .bench(|| model.metrics.latency().predict(basis));
}

/// Pairs of every architecture with several devices, one device per core.
#[divan::bench(sample_count = 30)]
fn predict_pairs_two_cores(bencher: Bencher) {
    let (model, basis) = (adapted(), PREDICTOR.table().unwrap().bases.latency());
    bencher.counter(ItemsCount::new(DEVICES * basis.ncols())).bench(|| {
        let one = |_| model.metrics.latency().predict(basis);
        (0..DEVICES).into_par_iter().map(one).collect::<Vec<_>>()
    });
}

/// Architectures through lowering, towers and basis, which the table saves.
#[divan::bench(sample_count = 5)]
fn encode(bencher: Bencher) {
    let architectures = &PREDICTOR.table().unwrap().architectures;
    bencher
        .counter(ItemsCount::new(architectures.len()))
        .bench(|| PREDICTOR.bases(&PREDICTOR.encode(architectures)));
}
