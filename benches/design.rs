//! Times of designs from the shipped checkpoint: one verified design, a batch of them, one by the policy, and the exhaustive
//! search that they replace. The table of the space is filled before anything is timed.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

use std::path::Path;
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use edgefit::checkpoint::Checkpoint;
use edgefit::compute::Backend;
use edgefit::metric::Metric;
use edgefit::optimize::{Optimizer, Request, Start, exhaustive};
use edgefit::predict::{DeviceModel, Predictor};
use edgefit::search::{Constraint, Limits};
use edgefit::seed::Seed;

/// Queries answered together.
const BATCH: usize = 1000;

static MODELS: LazyLock<(Predictor, Optimizer, DeviceModel)> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("checkpoints/nasbench201");
    let compute = Backend::Flex.device().unwrap();
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let predictor = checkpoint.predictor(&compute).unwrap();
    predictor.table();
    let device = predictor.known("silver_4210r").unwrap();
    (predictor, checkpoint.optimizer(&compute).unwrap(), device)
});

fn main() {
    LazyLock::force(&MODELS);
    divan::main();
}

/// The most accurate design within a limit, 16 samples of the policy; `refinement` as given.
fn request(limit_ms: f64, refinement: usize) -> Request {
    let limits = Limits::new(vec![Constraint::new(Metric::Latency, limit_ms).unwrap()], 0.9).unwrap();
    Request {
        refinement,
        ..Request::within(limits)
    }
}

/// One design, the best of the whole space.
#[divan::bench(sample_count = 200)]
fn one_design(bencher: Bencher) {
    let (predictor, optimizer, device) = &*MODELS;
    let request = request(12.0, 0);
    bencher.bench(|| optimizer.propose(predictor, device, &request, Seed(1)).unwrap());
}

/// As above with a limit on the size beside it.
#[divan::bench(sample_count = 200)]
fn one_small_design(bencher: Bencher) {
    let (predictor, optimizer, device) = &*MODELS;
    let mut constraints = request(12.0, 0).limits.constraints().to_vec();
    constraints.push(Constraint::new(Metric::ModelSize, 1.5).unwrap());
    let request = Request::within(Limits::new(constraints, 0.9).unwrap());
    bencher.bench(|| optimizer.propose(predictor, device, &request, Seed(1)).unwrap());
}

/// One design by the policy and refinement, as in spaces too large to look at all of it.
#[divan::bench(args = [0, 200], sample_count = 200)]
fn one_design_by_policy(bencher: Bencher, refinement: usize) {
    let (predictor, optimizer, device) = &*MODELS;
    let request = request(12.0, refinement);
    let propose = || optimizer.propose_from(Start::Policy, predictor, device, &request, Seed(1));
    bencher.bench(|| propose().unwrap());
}

#[divan::bench(sample_count = 10)]
fn many_designs(bencher: Bencher) {
    let (predictor, optimizer, device) = &*MODELS;
    let requests: Vec<Request> = (0..BATCH)
        .map(|index| request(6.0 + 20.0 * index as f64 / BATCH as f64, 0))
        .collect();
    let queries: Vec<(&DeviceModel, &Request)> = requests.iter().map(|request| (device, request)).collect();
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench(|| optimizer.propose_batch(predictor, &queries, Seed(1)).unwrap());
}

/// Every architecture judged in full.
#[divan::bench(sample_count = 50)]
fn exhaustive_search(bencher: Bencher) {
    let (predictor, _, device) = &*MODELS;
    let requests = [request(12.0, 0)];
    bencher.bench(|| exhaustive(predictor, device, &requests).unwrap());
}
