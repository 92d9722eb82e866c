//! What holds for a trained optimizer as a whole, on a small predictor of the bundled fleet.

mod limits;
mod policy;
mod training;
mod whole_space;

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::compute::Backend;
use crate::dataset::Dataset;
use crate::metric::PerMetric;
use crate::predict::fit::FitOptions;
use crate::predict::train::{Run, TrainingConfig};
use crate::progress::Progress;
use crate::search::{Constraint, Limits};

fn compute() -> ComputeDevice {
    Backend::Flex.device().unwrap()
}

/// Stops a training after so many of its messages, one of which comes with every epoch.
struct StopAt {
    message: u64,
    messages: AtomicU64,
}

impl Progress for StopAt {
    fn message(&self, _text: &str) {
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.messages.load(Ordering::Relaxed) == self.message
    }
}

fn with_run<T>(state: Option<&Path>, resume: bool, stop_at: u64, work: impl FnOnce(&Run) -> T) -> T {
    work(&Run {
        device: &compute(),
        seed: Seed(4),
        state,
        resume,
        progress: &StopAt {
            message: stop_at,
            messages: AtomicU64::new(0),
        },
    })
}

fn predictor() -> &'static Predictor {
    static PREDICTOR: OnceLock<Predictor> = OnceLock::new();
    PREDICTOR.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/nasbench201-fleet");
        let training = TrainingConfig {
            members: 1,
            hidden: 32,
            epochs: 3,
            ..TrainingConfig::default()
        };
        let options = FitOptions {
            towers: training.clone(),
            // Accuracies that were given stand out from predicted ones unless these are good.
            accuracy: TrainingConfig { epochs: 40, ..training },
            ..FitOptions::default()
        };
        let dataset = Dataset::read(&folder).unwrap();
        with_run(None, false, u64::MAX, |run| {
            crate::predict::fit::fit(&dataset, &options, run)
        })
        .unwrap()
    })
}

fn config(steps: usize) -> OptimizerConfig {
    OptimizerConfig {
        steps,
        state: 32,
        hidden: 48,
        devices_per_step: 8,
        queries_per_device: 16,
        pool: 400,
        ..OptimizerConfig::default()
    }
}

fn optimizer() -> &'static Optimizer {
    static OPTIMIZER: OnceLock<Optimizer> = OnceLock::new();
    OPTIMIZER.get_or_init(|| with_run(None, false, u64::MAX, |run| fit(predictor(), &config(500), run)).unwrap())
}

fn device() -> DeviceModel {
    predictor().known(&predictor().known_devices()[3]).unwrap()
}

/// Share of the latencies and of the energies of the space, from 0 to 1, to limits on them.
fn limits(latency: Option<f64>, energy: Option<f64>, confidence: f64) -> Limits {
    let (table, device) = (predictor().table().unwrap(), device());
    let limit = |metric, model: &MetricModel, basis: &DMatrix<f32>, share| {
        let logs: Vec<f64> = model.predict(basis).iter().map(|one| f64::from(one.mean)).collect();
        Constraint::new(metric, crate::stats::quantile(&logs, share).unwrap().exp()).unwrap()
    };
    let mut constraints = Vec::new();
    constraints
        .extend(latency.map(|share| limit(Metric::Latency, device.metrics.latency(), table.bases.latency(), share)));
    if let (Some(model), Some(basis)) = (device.metrics.get(Metric::Energy), table.bases.get(Metric::Energy)) {
        constraints.extend(energy.map(|share| limit(Metric::Energy, model, basis, share)));
    }
    Limits::new(constraints, confidence).unwrap()
}

/// What the policy writes, refined, without a look at the whole space.
fn propose(request: &Request, seed: u64) -> Proposals {
    by_policy(optimizer(), &device(), request, Seed(seed))
}

fn by_policy(optimizer: &Optimizer, device: &DeviceModel, request: &Request, seed: Seed) -> Proposals {
    optimizer
        .propose_from(Start::Policy, predictor(), device, request, seed)
        .unwrap()
}

fn size(computed: &PerMetric<f64>) -> f64 {
    *computed.get(Metric::ModelSize).unwrap()
}

/// A maximum that this share of the connected architectures keeps.
fn size_limit(share: f64) -> Constraint {
    let table = predictor().table().unwrap();
    let computed = predictor().computed_of_table(table, device().precision);
    let all = computed.iter().zip(&table.architectures);
    let connected = all.filter(|(_, one)| predictor().space.output_depends_on_input(one));
    let sizes: Vec<f64> = connected.map(|(computed, _)| size(computed)).collect();
    Constraint::new(Metric::ModelSize, crate::stats::quantile(&sizes, share).unwrap()).unwrap()
}
