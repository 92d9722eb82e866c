//! Training, adaptation and designs on the bundled simulated fleet.

use std::time::Instant;

use super::super::table::new_table;
use super::super::{Global, print};
use super::{PROBES, cells, within};
use crate::checkpoint::Checkpoint;
use crate::compute::ComputeDevice;
use crate::dataset::simulate::{Cost, Simulator};
use crate::dataset::{Dataset, Selection};
use crate::device::{Device, catalogue};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::optimize::{self, Optimizer, OptimizerConfig, Request};
use crate::predict::fit::{FitOptions, fit};
use crate::predict::{DeviceModel, Predictor, Probe};
use crate::progress::Progress;
use crate::seed::Seed;
use crate::space::Architecture;
use crate::stats;
use crate::training::Run;

const FLEET: &str = "nasbench201-fleet";
/// Hardware unit of the fleet that is left out of training and then met as a new device.
const NEW_DEVICE: &str = "raspi4";
/// Device of the catalogue that the shipped checkpoint is asked about, and the limit.
/// The checkpoint that is shown last.
const SHIPPED: &str = "nasbench201";
const SHIPPED_DEVICE: &str = "pixel3";
const SHIPPED_LIMIT_MS: f64 = 10.0;
/// Steps of the optimizer's training, fewer than usual: the fleet is small and the reader is waiting.
const OPTIMIZER_STEPS: usize = 800;
/// Shares of the new device's architectures that are within each of the three limits.
const LIMIT_QUANTILES: [f64; 3] = [0.2, 0.5, 0.8];

pub(super) fn run(global: &Global) -> Result<()> {
    let compute = global.backend.device()?;
    let dataset = Dataset::bundled(FLEET)?;
    print(&format!(
        "1. The bundled fleet: {} simulated devices, {} simulated measurements. Nothing in it was measured.",
        dataset.devices.len(),
        dataset.measurements.len()
    ))?;
    let predictor = train(&dataset, &compute, global)?;
    let device = adapt(&predictor, &dataset, global)?;
    let optimizer = train_optimizer(&predictor, &compute, global)?;
    designs(&predictor, &optimizer, &device, &dataset, global)?;
    shipped(&compute, global)
}

fn train(dataset: &Dataset, compute: &ComputeDevice, global: &Global) -> Result<Predictor> {
    let known: Vec<String> = dataset
        .devices
        .iter()
        .filter(|device| device.unit != NEW_DEVICE)
        .map(|device| device.id.clone())
        .collect();
    let options = FitOptions {
        devices: known,
        ..FitOptions::default()
    };
    let started = Instant::now();
    let mut predictor = fit(dataset, &options, &training(compute, global, &global.progress()))?;
    predictor.id = "quickstart".into();
    print(&format!(
        "2. A predictor of latency, energy and accuracy, trained on {} of them in {:.0} s; {NEW_DEVICE} is left out.",
        predictor.known_devices().len(),
        started.elapsed().as_secs_f64()
    ))?;
    Ok(predictor)
}

fn training<'a>(compute: &'a ComputeDevice, global: &Global, progress: &'a dyn Progress) -> Run<'a> {
    Run {
        device: compute,
        seed: Seed(global.seed),
        state: None,
        resume: false,
        progress,
    }
}

/// "Measures" a few architectures with the simulator and adapts to them.
fn adapt(predictor: &Predictor, dataset: &Dataset, global: &Global) -> Result<DeviceModel> {
    let simulated = catalogue::find(NEW_DEVICE)?;
    let chosen = predictor.choose_probes(PROBES, None, Seed(global.seed));
    let probes: Vec<Probe> = chosen
        .iter()
        .map(|architecture| {
            let cost = simulate(&simulated, predictor, architecture)?;
            let values = [
                (Metric::Latency, Some(cost.latency_ms)),
                (Metric::Energy, cost.energy_mj),
            ];
            let values = values.into_iter().filter_map(|(metric, value)| Some((metric, value?)));
            Ok(Probe::new(architecture.clone(), &simulated, values.collect()))
        })
        .collect::<Result<_>>()?;
    let started = Instant::now();
    let device = predictor.adapt(&simulated, &probes, Seed(global.seed))?;
    let milliseconds = 1e3 * started.elapsed().as_secs_f64();
    let (architectures, latencies) = rows(dataset)?;
    let encoded = predictor.encode(&architectures);
    let predicted: Vec<f64> = device
        .metrics
        .latency()
        .predict(&predictor.metrics.latency().basis(&encoded))
        .iter()
        .map(|one| f64::from(one.mean))
        .collect();
    print(&format!(
        "3. {NEW_DEVICE} is new: {PROBES} architectures chosen, run on the simulator, adapted to in {milliseconds:.0} ms. \
         Rank correlation of\n   predicted and simulated latency on its {} rows of the fleet: {:.3}.",
        latencies.len(),
        stats::spearman(&predicted, &latencies).unwrap_or(f64::NAN)
    ))?;
    Ok(device)
}

/// Latency and energy of one architecture, as simulated.
fn simulate(device: &Device, predictor: &Predictor, architecture: &Architecture) -> Result<Cost> {
    let simulator = Simulator::new(device)?;
    let encoder = &predictor.encoder;
    let network = simulator.lower(predictor.space, architecture, encoder.input_size(), encoder.classes);
    Ok(simulator.cost(&network))
}

/// The new device's rows of the fleet.
fn rows(dataset: &Dataset) -> Result<(Vec<Architecture>, Vec<f64>)> {
    let device = dataset.resolve_devices(&[NEW_DEVICE.to_string()])?;
    let mut rows = Vec::new();
    for device in device {
        rows.extend(dataset.values(device, Metric::Latency, Selection::default())?);
    }
    Ok(rows
        .iter()
        .map(|row| (dataset.architectures[row.0 as usize].clone(), row.1))
        .unzip())
}

fn train_optimizer(predictor: &Predictor, compute: &ComputeDevice, global: &Global) -> Result<Optimizer> {
    let config = OptimizerConfig {
        steps: OPTIMIZER_STEPS,
        ..OptimizerConfig::default()
    };
    let started = Instant::now();
    let optimizer = optimize::fit(predictor, &config, &training(compute, global, &global.progress()))?;
    print(&format!(
        "4. An optimizer that answers for any device and limits without a search, trained in {:.0} s.",
        started.elapsed().as_secs_f64()
    ))?;
    Ok(optimizer)
}

fn designs(
    predictor: &Predictor,
    optimizer: &Optimizer,
    device: &DeviceModel,
    dataset: &Dataset,
    global: &Global,
) -> Result<()> {
    let simulated = catalogue::find(NEW_DEVICE)?;
    let (_, latencies) = rows(dataset)?;
    let mut table = new_table([
        "limit ms",
        "architecture",
        "accuracy % [90 %]",
        "latency ms [90 %]",
        "P(holds)",
        "simulated ms",
    ]);
    // The first question also fills caches; it is not timed.
    optimizer.propose(predictor, device, &Request::default(), Seed(global.seed))?;
    let mut milliseconds = 0.0;
    for quantile in LIMIT_QUANTILES {
        let limit = stats::quantile(&latencies, quantile).unwrap_or(f64::NAN);
        let request = within(limit)?;
        let started = Instant::now();
        let proposals = optimizer.propose(predictor, device, &request, Seed(global.seed))?;
        milliseconds += 1e3 * started.elapsed().as_secs_f64() / LIMIT_QUANTILES.len() as f64;
        let best = proposals.best();
        let truth = simulate(&simulated, predictor, &best.design.architecture)?;
        let mut cells = cells(limit, &proposals, predictor);
        cells.push(format!("{:.2}", truth.latency_ms).into());
        table.add_row(cells);
    }
    print(&format!(
        "5. The best designs for three limits, {milliseconds:.2} ms each (accuracies are simulated, and predicted from \
         simulated ones):\n{table}"
    ))
}

/// The instant thing, with what was learned from real measurements.
fn shipped(compute: &ComputeDevice, global: &Global) -> Result<()> {
    let started = Instant::now();
    let checkpoint = Checkpoint::resolve(SHIPPED)?;
    let predictor = checkpoint.predictor(compute)?;
    let optimizer = checkpoint.optimizer(compute)?;
    let loaded = 1e3 * started.elapsed().as_secs_f64();
    let device = predictor.known(SHIPPED_DEVICE).ok_or_else(|| Error::Unknown {
        kind: "device",
        name: SHIPPED_DEVICE.into(),
        known: predictor.known_devices(),
    })?;
    let request = within(SHIPPED_LIMIT_MS)?;
    optimizer.propose(&predictor, &device, &request, Seed(global.seed))?;
    let started = Instant::now();
    let proposals = optimizer.propose(&predictor, &device, &request, Seed(global.seed))?;
    let milliseconds = 1e3 * started.elapsed().as_secs_f64();
    let mut table = new_table([
        "limit ms",
        "architecture",
        "accuracy % [90 %]",
        "latency ms [90 %]",
        "P(holds)",
    ]);
    table.add_row(cells(SHIPPED_LIMIT_MS, &proposals, &predictor));
    let task = predictor
        .accuracy
        .as_ref()
        .map_or("", |model| model.scale.task.as_str());
    print(&format!(
        "6. The shipped checkpoint, learned from real measurements of {} devices (loaded in {loaded:.0} ms): the best design \
         for\n   {SHIPPED_DEVICE} within {SHIPPED_LIMIT_MS} ms on {task}, in {milliseconds:.2} ms (accuracy {}, latency predicted):\n{table}",
        predictor.known_devices().len(),
        proposals.best().accuracy.origin.name(),
    ))
}
