//! Learns a predictor from a dataset: which rows, which split, what is standardised how, and what is held back to find out
//! how far the result can be trusted.

mod accuracy;
mod calibration;
mod columns;
mod extend;
mod options;

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use nalgebra::{DMatrix, DVector};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::power::KnownPower;
use super::prior::{KnownDevice, Reference, SyntheticDevices};
use super::train::{self, Run, Split, Table};
use super::{AccuracyModel, DeviceMetrics, Predictor};
use crate::dataset::split::{Share, by_isomorphism};
use crate::dataset::{Dataset, Task};
use crate::encode::Encoder;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::seed::Seed;
use crate::space::{Architecture, InputSize, Network, SearchSpace};
use crate::stats;
use accuracy::fit_accuracy;
use calibration::Rows;
use columns::{Column, columns};

pub use extend::extend;
pub use options::FitOptions;

/// Architectures drawn from the space that inner products between functions are taken over.
const REFERENCE: usize = 1500;
/// Fewest values from which a device's function can be learned.
const MIN_VALUES: usize = 30;
/// Targets further than this many spreads from the median are winsorised: set to that bound.
const MAX_SPREADS: f64 = 5.0;

/// Learns a predictor.
///
/// # Errors
/// [`Error::Invalid`] when no device has enough values, or one has values at several precisions of which none was chosen,
/// [`Error::Unknown`] for devices and tasks that the dataset lacks,
/// and what [`train::fit`] returns.
pub fn fit(dataset: &Dataset, options: &FitOptions, run: &Run) -> Result<Predictor> {
    let task = dataset.resolve_task(options.task.as_deref())?;
    let columns = columns(dataset, task.as_ref(), options, run.seed)?;
    let used: BTreeSet<u32> = columns
        .iter()
        .flat_map(|column| column.values.iter().map(|value| value.0))
        .collect();
    let used: Vec<u32> = used.into_iter().collect();
    let accuracies = task
        .as_ref()
        .map(|task| accuracy_values(dataset, task, options, run.seed))
        .transpose()?
        .unwrap_or_default();
    let split = Parts::of(dataset, &used, options.towers.validation, &mut run.seed.stream("split"));
    let input = task
        .as_ref()
        .and_then(|task| task.input)
        .or(dataset.inputs.first().copied())
        .unwrap_or(dataset.space.default_input());
    let classes = task.as_ref().map_or(10, |task| classes(&task.name));
    let encoder = Encoder::fit(
        dataset.space,
        &split.architectures(dataset, &split.training),
        input,
        classes,
    );

    let known: Vec<(Metric, KnownDevice)> = columns
        .iter()
        .enumerate()
        .map(|(output, column)| (column.metric, standardisation(dataset, column, output, &split)))
        .collect();
    let table = table(dataset, &encoder, &used, &columns, &known);
    let ensemble = train::fit("latency", &table, &split.columns(&used), &options.towers, run)?;
    let predicted = ensemble.predict(&table.inputs, run.device);
    let accuracy = match (&task, accuracies.is_empty()) {
        (Some(task), false) => Some(fit_accuracy(dataset, task, &accuracies, &encoder, options, run)?),
        _ => None,
    };
    let reference = reference(dataset, &encoder, &ensemble, input, classes, run);
    let synthetic = SyntheticDevices::fit(&reference, &mut run.seed.stream("synthetic"));
    let known = with_physics(known, &table, &predicted, &synthetic, &split.columns(&used));
    let rows = Rows {
        table: &table,
        predicted: &predicted,
        reference: &reference,
        synthetic: &synthetic,
        devices: &dataset.devices,
        known: &known,
        seed: run.seed,
    };
    let validation = split.columns(&used).validation;
    let mut metrics = DeviceMetrics::new(rows.metric_prior(Metric::Latency, &validation));
    for metric in Metric::OF_DEVICE {
        if metric != Metric::Latency && known.iter().any(|one| one.0 == metric) {
            metrics.insert(metric, rows.metric_prior(metric, &validation));
        }
    }
    Ok(Predictor {
        space: dataset.space,
        id: String::new(),
        encoder,
        ensemble,
        powers: known_powers(&known, &table),
        metrics,
        accuracy,
        compute: run.device.clone(),
        table: OnceLock::new(),
    })
}

/// Learns the accuracy at one task alone, on the features of a predictor that stays as it is; see
/// [`Predictor::with_accuracy`]. Of the options, only those of accuracies are looked at.
///
/// # Errors
/// As [`fit`], and [`Error::Invalid`] for fewer than 30 accuracies.
pub fn accuracy_model(
    predictor: &Predictor,
    dataset: &Dataset,
    task: &Task,
    options: &FitOptions,
    run: &Run,
) -> Result<AccuracyModel> {
    let values = accuracy_values(dataset, task, options, run.seed)?;
    if values.len() < MIN_VALUES {
        return Err(Error::Invalid {
            what: format!("accuracies at {} to learn from", task.name),
            expected: format!("at least {MIN_VALUES}"),
            found: values.len().to_string(),
            hint: "Import more of them.".into(),
        });
    }
    fit_accuracy(dataset, task, &values, &predictor.encoder, options, run)
}

/// Power of every device with both a latency and an energy of the same architectures.
fn known_powers(known: &[(Metric, KnownDevice)], table: &Table) -> Vec<KnownPower> {
    let of = |metric| known.iter().filter(move |one| one.0 == metric).map(|one| &one.1);
    let both = of(Metric::Energy).enumerate().filter_map(|(position, energy)| {
        let latency = of(Metric::Latency).find(|device| device.id == energy.id)?;
        let log = |device: &KnownDevice, column: usize| device.level + device.scale * target(table, device, column);
        let logs: Vec<f64> = (0..table.targets.ncols())
            .map(|column| log(energy, column) - log(latency, column))
            .filter(|log| !log.is_nan())
            .collect();
        known_power(position, &logs)
    });
    both.collect()
}

/// Power of the device at `position` among those whose energy is known, from its logarithms; `None` without any.
fn known_power(position: usize, logs: &[f64]) -> Option<KnownPower> {
    let log_power = stats::quantile(logs, 0.5)?;
    let away: Vec<f64> = logs.iter().map(|log| log - log_power).collect();
    Some(KnownPower {
        device: position,
        log_power,
        spread: spread(&away),
    })
}

/// Number of classes of a well-known task.
fn classes(task: &str) -> u32 {
    match task {
        "cifar100" => 100,
        "ninapro" => 18,
        "darcy" => 1,
        "imagenet16-120" => 120,
        "imagenet" => 1000,
        _ => 10,
    }
}

fn accuracy_values(dataset: &Dataset, task: &Task, options: &FitOptions, seed: Seed) -> Result<Vec<(u32, f64)>> {
    let mut values = dataset.accuracies_of(task, options.precision)?;
    if let Some(most) = options.accuracy_samples {
        values.shuffle(&mut seed.stream("accuracy-samples"));
        values.truncate(most);
    }
    Ok(values)
}

/// Positions in the dataset of the architectures that weights are fitted on and of those that validate.
struct Parts {
    training: Vec<u32>,
    validation: BTreeSet<u32>,
}

impl Parts {
    fn of(dataset: &Dataset, used: &[u32], validation: f64, rng: &mut StdRng) -> Parts {
        let split = by_isomorphism(
            dataset.space,
            &dataset.architectures,
            used,
            Share::Fraction(1.0 - validation),
            rng,
        );
        Parts {
            training: split.train,
            validation: split.held_out.into_iter().collect(),
        }
    }

    fn architectures(&self, dataset: &Dataset, positions: &[u32]) -> Vec<Architecture> {
        positions
            .iter()
            .map(|&position| dataset.architectures[position as usize].clone())
            .collect()
    }

    /// The split as columns of a table over `used`.
    fn columns(&self, used: &[u32]) -> Split {
        let (validation, training) = (0..used.len()).partition(|&column| self.validation.contains(&used[column]));
        Split { training, validation }
    }
}

/// Level and scale of a device's values, from training architectures only.
fn standardisation(dataset: &Dataset, column: &Column, output: usize, split: &Parts) -> KnownDevice {
    let device = &dataset.devices[column.device];
    let logs: Vec<f64> = column
        .values
        .iter()
        .filter(|(architecture, _)| !split.validation.contains(architecture))
        .map(|(_, value)| value.ln())
        .collect();
    let (level, scale) = level_and_scale(&logs);
    KnownDevice {
        id: device.id.clone(),
        unit: device.unit.clone(),
        precision: column.precision,
        output: Some(output),
        level,
        scale,
        noise: 0.0,
        physics_share: 0.0,
        physics: DVector::zeros(0),
        datasheet: device.clone(),
    }
}

/// Median and spread of logarithms.
fn level_and_scale(logs: &[f64]) -> (f64, f64) {
    let level = stats::quantile(logs, 0.5).unwrap_or_default();
    let away: Vec<f64> = logs.iter().map(|log| (log - level).abs()).collect();
    // 1.4826 makes the median absolute deviation estimate a normal standard deviation. Values in whole ms can have most
    // of them equal, which the mean deviation survives.
    let median = 1.4826 * stats::quantile(&away, 0.5).unwrap_or_default();
    let mean = 1.2533 * stats::mean(&away).unwrap_or_default();
    (level, median.max(0.3 * mean).max(1e-4))
}

/// The standardised value of a device in a column of the table; NaN where none was measured.
fn target(table: &Table, device: &KnownDevice, column: usize) -> f64 {
    device
        .output
        .map_or(f64::NAN, |output| f64::from(table.targets[(output, column)]))
}

/// Encoded architectures and standardised targets, one column per used architecture.
fn table(
    dataset: &Dataset,
    encoder: &Encoder,
    used: &[u32],
    columns: &[Column],
    known: &[(Metric, KnownDevice)],
) -> Table {
    let architectures: Vec<Architecture> = used
        .iter()
        .map(|&position| dataset.architectures[position as usize].clone())
        .collect();
    let place: HashMap<u32, usize> = used
        .iter()
        .enumerate()
        .map(|(column, &position)| (position, column))
        .collect();
    let mut targets = DMatrix::from_element(columns.len(), used.len(), f32::NAN);
    for (row, (column, (_, device))) in columns.iter().zip(known).enumerate() {
        for (position, value) in &column.values {
            let standardised = (value.ln() - device.level) / device.scale;
            targets[(row, place[position])] = standardised.clamp(-MAX_SPREADS, MAX_SPREADS) as f32;
        }
    }
    Table {
        inputs: encoder.encode(dataset.space, &architectures),
        targets,
    }
}

/// Mixes each device's tower function with what synthetic devices say of it, as validation architectures ask for, and adds the
/// noise that is left there.
fn with_physics(
    known: Vec<(Metric, KnownDevice)>,
    table: &Table,
    towers: &DMatrix<f32>,
    synthetic: &SyntheticDevices,
    split: &Split,
) -> Vec<(Metric, KnownDevice)> {
    let basis = synthetic.basis(towers, &table.inputs);
    let mixed = |(output, (metric, mut device)): (usize, (Metric, KnownDevice))| {
        let target = |column: usize| f64::from(table.targets[(output, column)]);
        let measured = |columns: &[usize]| -> Vec<usize> {
            let has = |column: &usize| !target(*column).is_nan();
            columns.iter().copied().filter(has).collect()
        };
        let (training, validation) = (measured(&split.training), measured(&split.validation));
        let from_towers: Vec<f64> = (validation.iter())
            .map(|&column| target(column) - f64::from(towers[(output, column)]))
            .collect();
        let values = DVector::from_iterator(training.len(), training.iter().map(|&column| target(column)));
        device.physics = SyntheticDevices::explain(&basis.select_columns(&training), &values, spread(&from_towers));
        let explained = basis.select_columns(&validation).tr_mul(&device.physics);
        let from_physics: Vec<f64> = (validation.iter().zip(explained.iter()))
            .map(|(&column, explained)| target(column) - explained)
            .collect();
        device.physics_share = best_share(&from_towers, &from_physics);
        let left: Vec<f64> = (from_towers.iter().zip(&from_physics))
            .map(|(tower, physics)| tower + device.physics_share * (physics - tower))
            .collect();
        device.noise = spread(&left);
        (metric, device)
    };
    known.into_par_iter().enumerate().map(mixed).collect()
}

/// The share of the second predictor in the mixture whose squared error is least, between 0 and 1, from the errors of both.
fn best_share(first: &[f64], second: &[f64]) -> f64 {
    let pairs = || first.iter().zip(second).map(|(first, second)| (first, first - second));
    let apart: f64 = pairs().map(|(_, apart)| apart * apart).sum();
    let along: f64 = pairs().map(|(first, apart)| first * apart).sum();
    if apart > 0.0 {
        (along / apart).clamp(0.0, 1.0)
    } else {
        0.0
    }
}

/// Root mean square of errors, in which outliers count, but not by their square.
fn spread(errors: &[f64]) -> f64 {
    let sizes: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
    let median = 1.4826 * stats::quantile(&sizes, 0.5).unwrap_or(0.15);
    let limited: Vec<f64> = sizes.iter().map(|size| size.min(3.0 * median).powi(2)).collect();
    stats::mean(&limited).unwrap_or(0.02).sqrt().max(0.01)
}

/// Measured minus predicted, in the device's spreads, where measured.
fn errors<'a>(
    table: &'a Table,
    predicted: &'a DMatrix<f32>,
    output: usize,
    columns: &'a [usize],
) -> impl Iterator<Item = f64> + 'a {
    columns
        .iter()
        .map(move |&column| f64::from(table.targets[(output, column)] - predicted[(output, column)]))
        .filter(|error| !error.is_nan())
}

/// The network as written and the live one.
pub(super) fn both_networks(
    space: &dyn SearchSpace,
    architecture: &Architecture,
    input: InputSize,
    classes: u32,
) -> (Network, Network) {
    (
        space.lower_as_written(architecture, input, classes),
        space.lower(architecture, input, classes),
    )
}

fn reference(
    dataset: &Dataset,
    encoder: &Encoder,
    ensemble: &super::Ensemble,
    input: InputSize,
    classes: u32,
    run: &Run,
) -> Reference {
    let mut rng = run.seed.stream("reference");
    let architectures: Vec<Architecture> = (0..REFERENCE).map(|_| dataset.space.sample(&mut rng)).collect();
    let features = encoder.encode(dataset.space, &architectures);
    Reference {
        outputs: ensemble.predict(&features, run.device),
        features,
        networks: architectures
            .par_iter()
            .map(|one| both_networks(dataset.space, one, input, classes))
            .collect(),
        degenerate_features: encoder.positions_of_degenerate(dataset.space),
    }
}
