//! Learns a predictor from a dataset: which rows, which split, what is standardised how, and what is held back to find out
//! how far the result can be trusted.

mod accuracy;
mod calibration;
mod chosen;
mod columns;
mod eight_bits;
mod extend;
mod known;
mod labels;
mod options;
mod teacher;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use nalgebra::DMatrix;
use rand::rngs::StdRng;
use rayon::prelude::*;

use super::layer_sums::Summed;
use super::power::KnownPower;
use super::prior::{KnownDevice, Reference};
use super::train::{self, Run, Split, Table};
use super::{Encoded, Ensemble, LayerSums, Predictor};
use crate::dataset::split::{Share, by_isomorphism};
use crate::dataset::{Dataset, Task};
use crate::encode::Encoder;
use crate::error::Result;
use crate::metric::Metric;
use crate::seed::Seed;
use crate::space::{Architecture, InputSize, SearchSpace};
use crate::stats;
use calibration::Rows;
use chosen::Chosen;
use columns::{Column, columns};
use known::{Values, known_devices, table, with_level, with_residuals};
use labels::Labels;

pub use extend::extend;
pub use labels::{accuracy_alone, accuracy_model};
pub use options::FitOptions;

/// Architectures drawn from the space that inner products between functions are taken over.
const REFERENCE: usize = 1500;
/// Fewest values from which a device's function can be learned.
const MIN_VALUES: usize = 30;

/// Learns a predictor.
///
/// # Errors
/// [`Error::Invalid`] when no device has enough values, or one has values at several precisions of which none was chosen,
/// [`Error::Unknown`] for devices and tasks that the dataset lacks,
/// and what [`train::fit`] returns.
///
/// [`Error::Invalid`]: crate::error::Error::Invalid
/// [`Error::Unknown`]: crate::error::Error::Unknown
pub fn fit(dataset: &Dataset, options: &FitOptions, run: &Run) -> Result<Predictor> {
    fit_with(dataset, &Others::default(), options, run)
}

/// What is learned from beside the dataset itself.
#[derive(Default)]
pub struct Others {
    /// Datasets of other search spaces in which profiles hold too. Devices that were measured there alone are known by their profiles.
    pub profiles: Vec<Dataset>,
    /// Datasets with accuracies under other conditions that the accuracy starts from, see [`super::teacher`].
    pub teachers: Vec<Dataset>,
}

/// As [`fit`], with other datasets.
///
/// # Errors
/// As [`fit`], and for teachers of other architectures or without an accuracy to learn.
pub fn fit_with(dataset: &Dataset, others: &Others, options: &FitOptions, run: &Run) -> Result<Predictor> {
    let task = dataset.resolve_task(options.task.as_deref())?;
    let chosen = Chosen::of(dataset, &others.profiles, &options.devices)?;
    let columns = columns(dataset, &chosen.own, task.as_ref(), options, run.seed)?;
    let labels = Labels::of(dataset, task.as_ref(), &others.teachers, options, run)?;
    let drawn = drawn(dataset, run.seed);
    let used = Used::of(dataset, &columns, options, run.seed);
    let Used { architectures, own, .. } = &used;
    let encoder = encoder(dataset, task.as_ref(), &used.shown(dataset, &drawn));
    let (features, counts) = encoder.encode_and_count(dataset.space, architectures);
    let values = Values::new(&columns, &used.positions, &used.parts, &counts);
    let (known, elsewhere) = known_devices(dataset, &others.profiles, &chosen, &columns, &values)?;
    let table = table(features, &values, &known);
    let lowered_by = (dataset.space, &encoder);
    let towers = used.towers(lowered_by, &table, (&counts, &values), &known, options, run)?;
    let (ensemble, layer_sums, predicted) = towers;
    let learn = |labels: Labels| labels.learned(dataset, &encoder, options, run);
    let accuracy = labels.map(learn).transpose()?;
    let reference = reference(dataset, &drawn, &encoder, (&ensemble, &layer_sums), run);
    let powers = known_powers(&known, &values.logs);
    let mut known = with_residuals(known, &table, &predicted, own, options);
    known.extend(elsewhere.into_iter().map(|one| with_level(one, &reference)));
    let depends_on_input = |one| dataset.space.output_depends_on_input(one);
    let rows = Rows {
        depends_on_input: architectures.par_iter().map(depends_on_input).collect(),
        encoded: &Encoded {
            features: table.inputs,
            outputs: predicted,
            counts,
        },
        logs: &values.logs,
        reference: &reference,
        known: &known,
        ablations: &options.without,
        seed: run.seed,
    };
    Ok(Predictor {
        space: dataset.space,
        id: String::new(),
        powers,
        metrics: rows.metric_priors(&own.validation),
        encoder,
        ensemble,
        layer_sums,
        accuracy,
        compute: run.device.clone(),
        table: OnceLock::new(),
        reference: OnceLock::new(),
    })
}

fn encoder(dataset: &Dataset, task: Option<&Task>, architectures: &[Architecture]) -> Encoder {
    let classes = task.map_or(10, |task| classes(&task.name));
    Encoder::fit(dataset.space, architectures, input_size(dataset, task), classes)
}

/// The architectures that any column has a value of, in order.
fn used(columns: &[Column]) -> Vec<u32> {
    let positions = columns
        .iter()
        .flat_map(|column| column.values.iter().map(|value| value.0));
    positions.collect::<BTreeSet<u32>>().into_iter().collect()
}

/// The task's, the dataset's first, or the space's own.
fn input_size(dataset: &Dataset, task: Option<&Task>) -> InputSize {
    task.and_then(|task| task.input)
        .or(dataset.inputs.first().copied())
        .unwrap_or(dataset.space.default_input())
}

/// Power of every device with both a latency and an energy of the same architectures.
fn known_powers(known: &[(Metric, KnownDevice)], logs: &DMatrix<f64>) -> Vec<KnownPower> {
    let of = |metric| known.iter().enumerate().filter(move |(_, one)| one.0 == metric);
    let both = of(Metric::Energy)
        .enumerate()
        .filter_map(|(position, (energy_row, (_, energy)))| {
            let (latency_row, _) = of(Metric::Latency).find(|(_, (_, device))| device.id == energy.id)?;
            let powers: Vec<f64> = (logs.row(energy_row).iter().zip(logs.row(latency_row).iter()))
                .map(|(energy, latency)| energy - latency)
                .filter(|log| !log.is_nan())
                .collect();
            known_power(position, &powers)
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
        "imagenet" | "simulated-imagenet" => 1000,
        _ => 10,
    }
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
        // Networks that compute nothing are all one function, which no other one tells of: it is trained on.
        let computes = |position: &u32| {
            let architecture = &dataset.architectures[*position as usize];
            dataset.space.output_depends_on_input(architecture)
        };
        let (validation, constant): (Vec<u32>, Vec<u32>) = split.held_out.into_iter().partition(computes);
        let mut training = split.train;
        training.extend(constant);
        Parts {
            training,
            validation: validation.into_iter().collect(),
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

/// The architectures that any column has a value of.
struct Used {
    /// Their positions in the dataset.
    positions: Vec<u32>,
    parts: Parts,
    /// The parts as columns of a table over the positions.
    own: Split,
    architectures: Vec<Architecture>,
}

impl Used {
    fn of(dataset: &Dataset, columns: &[Column], options: &FitOptions, seed: Seed) -> Used {
        let positions = used(columns);
        let rng = &mut seed.stream("split");
        let parts = Parts::of(dataset, &positions, options.towers.validation, rng);
        Used {
            own: parts.columns(&positions),
            architectures: parts.architectures(dataset, &positions),
            positions,
            parts,
        }
    }

    /// Towers that learn the table, sums over layers that take the place of some, and what both predict of its columns.
    fn towers(
        &self,
        lowered_by: (&dyn SearchSpace, &Encoder),
        table: &Table,
        (counts, values): (&DMatrix<f32>, &Values),
        known: &[(Metric, KnownDevice)],
        options: &FitOptions,
        run: &Run,
    ) -> Result<(Ensemble, LayerSums, DMatrix<f32>)> {
        let ensemble = train::fit("latency", table, &self.own, &options.latency_towers(), run)?;
        let summed = Summed {
            lowered_by,
            architectures: &self.architectures,
            counts,
            logs: &values.logs,
            towers: &ensemble.predict(&table.inputs, run.device),
            split: &self.own,
        };
        let (layer_sums, predicted) = LayerSums::learned(&summed, known.iter().map(|one| &one.1));
        Ok((ensemble, layer_sums, predicted))
    }

    /// The architectures that features are standardised over: the training ones, or those drawn where there are none.
    fn shown(&self, dataset: &Dataset, drawn: &[Architecture]) -> Vec<Architecture> {
        if self.parts.training.is_empty() {
            return drawn.to_vec();
        }
        self.parts.architectures(dataset, &self.parts.training)
    }
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

/// Architectures that inner products between functions are taken over.
fn drawn(dataset: &Dataset, seed: Seed) -> Vec<Architecture> {
    let mut rng = seed.stream("reference");
    (0..REFERENCE).map(|_| dataset.space.sample(&mut rng)).collect()
}

fn reference(
    dataset: &Dataset,
    architectures: &[Architecture],
    encoder: &Encoder,
    (ensemble, layer_sums): (&Ensemble, &LayerSums),
    run: &Run,
) -> Reference {
    let (features, counts) = encoder.encode_and_count(dataset.space, architectures);
    let (input, classes) = (encoder.input_size(), encoder.classes);
    let mut outputs = ensemble.predict(&features, run.device);
    layer_sums.replace((dataset.space, encoder), architectures, &counts, &mut outputs);
    let networks = architectures.par_iter();
    Reference {
        encoded: Encoded {
            outputs,
            features,
            counts,
        },
        networks: networks
            .map(|one| dataset.space.lower_as_written(one, input, classes))
            .collect(),
    }
}
