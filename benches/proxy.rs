//! Times of the matrix of a fleet and of hypervolumes.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

use divan::Bencher;
use edgefit::metric::Metric;
use edgefit::proxy::adaproxy::{Norm, adapt};
use edgefit::proxy::linear::LinearModel;
use edgefit::proxy::monotonicity::{MIN_COMMON, monotonicity};
use edgefit::proxy::{Column, ColumnKind, Fleet};
use edgefit::search::ReferencePoint;
use edgefit::seed::Seed;
use edgefit::space::{Architecture, Enumerable, NasBench201};
use rand::Rng;

/// Devices of the largest fleet that was published for the space.
const DEVICES: usize = 27;
const CELLS: usize = 15_625;

fn main() {
    divan::main();
}

/// Latencies that are additive in the operations, with noise; every tenth value absent if `gaps`.
fn fleet(gaps: bool) -> Fleet {
    let mut rng = Seed(1).stream("fleet");
    let architectures: Vec<Architecture> = (0..CELLS).map(|index| NasBench201.at(index)).collect();
    let columns = (0..DEVICES)
        .map(|device| {
            let costs: Vec<f64> = (0..5).map(|_| rng.random_range(0.0..1.0)).collect();
            let values = architectures.iter().enumerate().map(|(row, one)| {
                let sum: f64 = one.0.iter().map(|&gene| costs[usize::from(gene)]).sum();
                let value = 1.0 + sum + rng.random_range(0.0..0.2);
                (!gaps || row % 10 != device % 10).then_some(value)
            });
            Column {
                id: device.to_string(),
                unit: device.to_string(),
                kind: ColumnKind::Device,
                values: values.collect(),
            }
        })
        .collect();
    Fleet {
        space: &NasBench201,
        architectures,
        columns,
    }
}

#[divan::bench(args = [false, true], sample_count = 5)]
fn matrix(bencher: Bencher, gaps: bool) {
    let fleet = fleet(gaps);
    bencher.bench(|| monotonicity(&fleet, 0.9, MIN_COMMON).unwrap());
}

#[divan::bench(args = [Norm::One, Norm::Two, Norm::Infinity], sample_count = 10)]
fn adaproxy_of_50_samples(bencher: Bencher, norm: Norm) {
    let fleet = fleet(false);
    let values = |column: usize| -> Vec<f64> { fleet.columns[column].values.iter().copied().flatten().collect() };
    let proxy = LinearModel::fit(&NasBench201, &fleet.architectures, &values(0)).unwrap();
    let mut rng = Seed(2).stream("samples");
    let samples: Vec<usize> = (0..50).map(|_| rng.random_range(0..CELLS)).collect();
    let architectures: Vec<Architecture> = samples.iter().map(|&row| fleet.architectures[row].clone()).collect();
    let target = values(1);
    let latencies: Vec<f64> = samples.iter().map(|&row| target[row]).collect();
    bencher.bench(|| adapt(&proxy, &NasBench201, &architectures, &latencies, norm, Seed(1)).unwrap());
}

/// Points on a sphere around the reference, so that none beats another.
fn front<const AXES: usize>(count: usize) -> Vec<[f64; AXES]> {
    let mut rng = Seed(1).stream("front");
    (0..count)
        .map(|_| {
            let direction: [f64; AXES] = std::array::from_fn(|_| rng.random_range(0.0..1.0));
            let length = direction.iter().map(|value| value * value).sum::<f64>().sqrt();
            direction.map(|value| 1.0 - value / length)
        })
        .collect()
}

#[divan::bench(args = [10_000])]
fn hypervolume_2d(bencher: Bencher, points: usize) {
    let points = front::<2>(points);
    let reference = ReferencePoint::new(&[(Metric::Latency, 1.0), (Metric::Energy, 1.0)]).unwrap();
    bencher.bench(|| reference.hypervolume(&points));
}

#[divan::bench(args = [500])]
fn hypervolume_3d(bencher: Bencher, points: usize) {
    // Accuracy is the better the higher.
    let points: Vec<[f64; 3]> = front::<3>(points).into_iter().map(|[a, b, c]| [a, b, -c]).collect();
    let axes = [(Metric::Latency, 1.0), (Metric::Energy, 1.0), (Metric::Accuracy, -1.0)];
    let reference = ReferencePoint::new(&axes).unwrap();
    bencher.bench(|| reference.hypervolume(&points));
}
