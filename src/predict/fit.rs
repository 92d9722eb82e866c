//! Learns a predictor from a dataset: which rows, which split, what is standardised how, and what is held back to find out
//! how far the result can be trusted.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use nalgebra::DMatrix;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::accuracy::{AccuracyModel, AccuracyScale, to_scale};
use super::calibrate::Calibration;
use super::prior::{Drawn, KnownDevice, Prior, Reference};
use super::train::{self, Run, Split, Table, TrainingConfig};
use super::{MetricPrior, Predictor, adapt};
use crate::dataset::split::{Share, by_isomorphism};
use crate::dataset::{Dataset, Origin, Task};
use crate::encode::{Encoder, Physics};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::seed::Seed;
use crate::space::{Architecture, InputSize};
use crate::stats;

/// Architectures drawn from the space that inner products between functions are taken over.
const REFERENCE: usize = 1500;
/// Fewest values from which a device's function can be learned.
const FEWEST_VALUES: usize = 30;
/// Targets further than this many spreads from the median are outliers and are brought in to it.
const MOST_SPREADS: f64 = 5.0;
/// Numbers of probes for which intervals are calibrated, repeats of each, and values scored per repeat.
const CALIBRATED_PROBES: [usize; 7] = [0, 1, 3, 5, 10, 20, 50];
const CALIBRATION_REPEATS: usize = 4;
const CALIBRATION_VALUES: usize = 250;

/// What to learn from a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FitOptions {
    /// Accuracy task; the dataset's only one by default.
    pub task: Option<String>,
    /// Known devices, as ids or hardware units; all by default.
    pub devices: Vec<String>,
    /// Most architectures used per device, drawn at random; all by default.
    pub samples_per_device: Option<usize>,
    /// Most architectures whose accuracy is used, drawn at random; all by default.
    pub accuracy_samples: Option<usize>,
    /// Leave the accuracies trained on out of the checkpoint, so that it can be published where they cannot: every accuracy
    /// is then predicted, where otherwise the measured one is given if there is one.
    pub forget_accuracies: bool,
    /// Training of the latency and energy towers.
    pub towers: TrainingConfig,
    /// Training of the accuracy towers.
    #[serde(deserialize_with = "accuracy_section")]
    pub accuracy: TrainingConfig,
}

/// The usual training of accuracy towers: one output instead of one per device, but a harder function.
fn accuracy_training() -> TrainingConfig {
    TrainingConfig {
        hidden: 256,
        epochs: 100,
        patience: 40,
        batch: 128,
        learning_rate: 2e-3,
        weight_decay: 0.05,
        ..TrainingConfig::default()
    }
}

/// Reads a section that leaves out what is to stay as in [`accuracy_training`].
fn accuracy_section<'de, D: serde::Deserializer<'de>>(section: D) -> std::result::Result<TrainingConfig, D::Error> {
    let given = toml::Table::deserialize(section)?;
    let mut whole = toml::Table::try_from(accuracy_training()).map_err(serde::de::Error::custom)?;
    whole.extend(given);
    whole
        .try_into()
        .map_err(|error: toml::de::Error| serde::de::Error::custom(error.message()))
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions {
            task: None,
            devices: Vec::new(),
            samples_per_device: None,
            accuracy_samples: None,
            forget_accuracies: false,
            towers: TrainingConfig::default(),
            accuracy: accuracy_training(),
        }
    }
}

impl FitOptions {
    /// Checks every number.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the option.
    pub fn check(&self) -> Result<()> {
        for (what, value) in [
            ("samples-per-device", self.samples_per_device),
            ("accuracy-samples", self.accuracy_samples),
        ] {
            if value.is_some_and(|value| value < FEWEST_VALUES) {
                return Err(Error::Invalid {
                    what: what.into(),
                    expected: format!("at least {FEWEST_VALUES}"),
                    found: value.unwrap_or_default().to_string(),
                    hint: "Use more, or adapt to the device with probes instead of training on it.".into(),
                });
            }
        }
        self.towers.check("towers")?;
        self.accuracy.check("accuracy")
    }
}

/// Values of one metric on one device: (position of the architecture in the dataset, value).
struct Column {
    device: usize,
    metric: Metric,
    values: Vec<(u32, f64)>,
}

/// Learns a predictor.
///
/// # Errors
/// [`Error::Invalid`] when no device has enough values, [`Error::Unknown`] for devices and tasks that the dataset lacks,
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
        .unwrap_or_default();
    let split = Parts::of(dataset, &used, options.towers.validation, &mut run.seed.stream("split"));
    let input = task
        .as_ref()
        .and_then(|task| task.input)
        .or(dataset.inputs.first().copied())
        .unwrap_or(DEFAULT_INPUT);
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
    let known = with_noise(known, &table, &predicted, &split.columns(&used).validation);

    let accuracy = match (&task, accuracies.is_empty()) {
        (Some(task), false) => Some(fit_accuracy(dataset, task, &accuracies, &encoder, options, run)?),
        _ => None,
    };
    let reference = reference(dataset, &encoder, &ensemble, input, classes, run);
    let drawn = Drawn::fit(&reference, &mut run.seed.stream("drawn"));
    let rows = Rows {
        table: &table,
        predicted: &predicted,
        reference: &reference,
        drawn: &drawn,
        seed: run.seed,
    };
    let latency = rows.metric_prior(&known, Metric::Latency, &split.columns(&used).validation);
    let energy = rows.metric_prior(&known, Metric::Energy, &split.columns(&used).validation);
    let Some(latency) = latency else {
        return Err(too_few(dataset));
    };
    Ok(Predictor {
        space: dataset.space,
        id: String::new(),
        encoder,
        ensemble,
        latency,
        energy,
        accuracy,
        compute: run.device.clone(),
        table: OnceLock::new(),
    })
}

/// Input assumed where a dataset names none.
const DEFAULT_INPUT: InputSize = InputSize { width: 32, height: 32 };

/// Number of classes of a well-known task.
fn classes(task: &str) -> u32 {
    match task {
        "cifar100" => 100,
        "imagenet16-120" => 120,
        "imagenet" => 1000,
        _ => 10,
    }
}

fn too_few(dataset: &Dataset) -> Error {
    Error::Invalid {
        what: "latencies to learn from".into(),
        expected: format!("a device with at least {FEWEST_VALUES} of them at the task's input size"),
        found: format!("{} devices, none with as many", dataset.devices.len()),
        hint: "Import more measurements, or name another --task.".into(),
    }
}

/// Latency columns of the known devices, then energy columns.
fn columns(dataset: &Dataset, task: Option<&Task>, options: &FitOptions, seed: Seed) -> Result<Vec<Column>> {
    let devices = match options.devices.is_empty() {
        true => (0..dataset.devices.len()).collect(),
        false => dataset.resolve_devices(&options.devices)?,
    };
    let input = task.and_then(|task| task.input);
    let mut columns = Vec::new();
    for metric in [Metric::Latency, Metric::Energy] {
        for &device in &devices {
            let mut values = match metric {
                Metric::Latency => dataset.latencies(device, input),
                _ => dataset.energies(device, input),
            };
            if let Some(most) = options.samples_per_device {
                // The same architectures for both metrics of a device.
                values.shuffle(&mut seed.stream(&format!("samples/{}", dataset.devices[device].id)));
                values.truncate(most);
            }
            if values.len() >= FEWEST_VALUES {
                columns.push(Column { device, metric, values });
            }
        }
    }
    match columns.iter().any(|column| column.metric == Metric::Latency) {
        true => Ok(columns),
        false => Err(too_few(dataset)),
    }
}

fn accuracy_values(dataset: &Dataset, task: &Task, options: &FitOptions, seed: Seed) -> Vec<(u32, f64)> {
    let mut values = dataset.accuracies_of(task);
    if let Some(most) = options.accuracy_samples {
        values.shuffle(&mut seed.stream("accuracy-samples"));
        values.truncate(most);
    }
    values
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
    let level = stats::quantile(&logs, 0.5).unwrap_or_default();
    let away: Vec<f64> = logs.iter().map(|log| (log - level).abs()).collect();
    // 1.4826 makes the median absolute deviation estimate a normal standard deviation. Values in whole ms can have most
    // of them equal, which the mean deviation survives.
    let median = 1.4826 * stats::quantile(&away, 0.5).unwrap_or_default();
    let mean = 1.2533 * stats::mean(&away).unwrap_or_default();
    KnownDevice {
        id: device.id.clone(),
        unit: device.unit.clone(),
        output,
        level,
        scale: median.max(0.3 * mean).max(1e-4),
        noise: 0.0,
    }
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
            targets[(row, place[position])] = standardised.clamp(-MOST_SPREADS, MOST_SPREADS) as f32;
        }
    }
    Table {
        inputs: encoder.encode(dataset.space, &architectures),
        targets,
    }
}

/// Adds each device's noise: the typical error of the towers on validation architectures.
fn with_noise(
    known: Vec<(Metric, KnownDevice)>,
    table: &Table,
    predicted: &DMatrix<f32>,
    validation: &[usize],
) -> Vec<(Metric, KnownDevice)> {
    let noisy = |(metric, mut device): (Metric, KnownDevice)| {
        let errors: Vec<f64> = errors(table, predicted, device.output, validation)
            .map(f64::abs)
            .collect();
        let median = 1.4826 * stats::quantile(&errors, 0.5).unwrap_or(0.15);
        // Outliers count, but not by their square.
        let limited: Vec<f64> = errors.iter().map(|error| error.min(3.0 * median).powi(2)).collect();
        device.noise = stats::mean(&limited).unwrap_or(0.02).sqrt().max(0.01);
        (metric, device)
    };
    known.into_iter().map(noisy).collect()
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
        physics: architectures
            .par_iter()
            .map(|one| Physics::of(dataset.space, one, input, classes))
            .collect(),
        idle_features: encoder.positions_of_idle(dataset.space),
    }
}

/// What priors are built from and calibrated on.
struct Rows<'a> {
    table: &'a Table,
    predicted: &'a DMatrix<f32>,
    reference: &'a Reference,
    drawn: &'a Drawn,
    seed: Seed,
}

impl Rows<'_> {
    fn metric_prior(
        &self,
        known: &[(Metric, KnownDevice)],
        metric: Metric,
        validation: &[usize],
    ) -> Option<MetricPrior> {
        let known: Vec<KnownDevice> = known
            .iter()
            .filter(|one| one.0 == metric)
            .map(|one| one.1.clone())
            .collect();
        if known.is_empty() {
            return None;
        }
        let groups: Vec<Vec<f64>> = known
            .iter()
            .map(|device| {
                let errors = errors(self.table, self.predicted, device.output, validation);
                errors.map(|error| error / device.noise).collect()
            })
            .collect();
        let prior = Prior::build(known, self.reference, self.drawn);
        Some(MetricPrior {
            calibrations: self.calibrations(&prior),
            known_calibration: Calibration::fit(&groups),
            prior,
        })
    }

    /// Leaves every hardware unit out in turn; see [`super::calibrate`].
    fn calibrations(&self, prior: &Prior) -> Vec<(usize, Calibration)> {
        let units: BTreeSet<&str> = prior.known.iter().map(|device| device.unit.as_str()).collect();
        if units.len() < 3 {
            return Vec::new();
        }
        let mut errors: Vec<(usize, Vec<f64>)> = Vec::new();
        for unit in units {
            let rest = prior.without_unit(unit, self.reference, self.drawn);
            let basis: DMatrix<f64> = rest.basis(self.predicted, &self.table.inputs).cast();
            let left_out: Vec<&KnownDevice> = prior.known.iter().filter(|device| device.unit == unit).collect();
            for device in left_out {
                let found: Vec<(usize, Vec<f64>)> = CALIBRATED_PROBES
                    .par_iter()
                    .map(|&probes| (probes, self.standardised_errors(&rest, &basis, device, probes)))
                    .collect();
                errors.extend(found);
            }
        }
        CALIBRATED_PROBES
            .iter()
            .map(|&probes| {
                let groups: Vec<Vec<f64>> = errors
                    .iter()
                    .filter(|one| one.0 == probes)
                    .map(|one| one.1.clone())
                    .collect();
                (probes, Calibration::fit(&groups))
            })
            .collect()
    }

    fn standardised_errors(
        &self,
        prior: &Prior,
        basis: &DMatrix<f64>,
        device: &KnownDevice,
        probes: usize,
    ) -> Vec<f64> {
        let log = |column: usize| device.level + device.scale * f64::from(self.table.targets[(device.output, column)]);
        let mut measured: Vec<usize> = (0..self.table.targets.ncols())
            .filter(|&column| !self.table.targets[(device.output, column)].is_nan())
            .collect();
        let mut errors = Vec::new();
        for repeat in 0..CALIBRATION_REPEATS {
            let seed = self.seed.child(&format!("calibration/{}/{probes}", device.id), repeat);
            measured.shuffle(&mut seed.stream("probes"));
            let (probed, scored) = measured.split_at(probes.min(measured.len() / 2));
            let logs: Vec<f64> = probed.iter().map(|&column| log(column)).collect();
            let posterior = adapt::adapt(prior, &basis.select_columns(probed), &logs, seed);
            let scored = &scored[..scored.len().min(CALIBRATION_VALUES)];
            let predictions = posterior.predict(&basis.select_columns(scored).cast());
            errors.extend(scored.iter().zip(predictions).map(|(&column, prediction)| {
                (log(column) - f64::from(prediction.mean)) / f64::from(prediction.deviation)
            }));
        }
        errors
    }
}

/// The first column of every function: the many cells that compute nothing, say, would otherwise rank each other.
fn one_per_function(dataset: &Dataset, used: &[u32], columns: &[usize]) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let key = |column: usize| {
        dataset
            .space
            .isomorphism_key(&dataset.architectures[used[column] as usize])
    };
    columns
        .iter()
        .copied()
        .filter(|&column| seen.insert(key(column)))
        .collect()
}

fn fit_accuracy(
    dataset: &Dataset,
    task: &Task,
    values: &[(u32, f64)],
    encoder: &Encoder,
    options: &FitOptions,
    run: &Run,
) -> Result<AccuracyModel> {
    let used: Vec<u32> = values.iter().map(|value| value.0).collect();
    let parts = Parts::of(
        dataset,
        &used,
        options.accuracy.validation,
        &mut run.seed.stream("accuracy-split"),
    );
    let split = parts.columns(&used);
    let scaled: Vec<f64> = values.iter().map(|(_, accuracy)| to_scale(*accuracy)).collect();
    let training: Vec<f64> = split.training.iter().map(|&column| scaled[column]).collect();
    let mean = stats::mean(&training).unwrap_or_default();
    let squares: Vec<f64> = training.iter().map(|value| (value - mean).powi(2)).collect();
    let deviation = stats::mean(&squares).unwrap_or(1.0).sqrt().max(1e-6);
    let architectures = parts.architectures(dataset, &used);
    let targets = scaled.iter().map(|value| ((value - mean) / deviation) as f32);
    let table = Table {
        inputs: encoder.encode(dataset.space, &architectures),
        targets: DMatrix::from_iterator(1, used.len(), targets),
    };
    let ensemble = train::fit("accuracy", &table, &split, &options.accuracy, run)?;
    let predicted = ensemble.predict(&table.inputs, run.device);
    let held_out = one_per_function(dataset, &used, &split.validation);
    let errors: Vec<f64> = errors(&table, &predicted, 0, &held_out).collect();
    let noise = stats::mean(&errors.iter().map(|error| error * error).collect::<Vec<f64>>())
        .unwrap_or(0.0)
        .sqrt()
        .max(1e-3);
    let pick =
        |matrix: &DMatrix<f32>| -> Vec<f64> { held_out.iter().map(|&column| f64::from(matrix[(0, column)])).collect() };
    let scale = AccuracyScale {
        task: task.name.clone(),
        mean,
        deviation,
        noise,
        calibration: Calibration::fit(&[errors.iter().map(|error| error / noise).collect()]),
        validation_spearman: stats::spearman(&pick(&predicted), &pick(&table.targets)).unwrap_or(f64::NAN),
    };
    let measured = match options.forget_accuracies {
        true => HashMap::new(),
        false => architectures
            .into_iter()
            .zip(values.iter().map(|value| value.1 as f32))
            .collect(),
    };
    let simulated = dataset
        .accuracies
        .iter()
        .any(|row| row.task == task.index && row.origin == Origin::Simulated);
    let origin = if simulated { Origin::Simulated } else { Origin::Measured };
    Ok(AccuracyModel {
        scale,
        ensemble,
        measured,
        origin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::read_toml;
    use crate::optimize::OptimizerConfig;
    use std::path::Path;

    #[test]
    fn the_commented_configurations_show_the_defaults() {
        let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
        assert_eq!(
            read_toml::<FitOptions>(&configs.join("predictor.toml")).unwrap(),
            FitOptions::default()
        );
        assert_eq!(
            read_toml::<OptimizerConfig>(&configs.join("optimizer.toml")).unwrap(),
            OptimizerConfig::default()
        );
    }

    #[test]
    fn a_section_keeps_its_own_defaults_and_refuses_unknown_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        std::fs::write(&path, "[accuracy]\nepochs = 7\n").unwrap();
        let options: FitOptions = read_toml(&path).unwrap();
        assert_eq!(
            (options.accuracy.epochs, options.accuracy.hidden),
            (7, accuracy_training().hidden)
        );
        std::fs::write(&path, "[accuracy]\nepoch = 7\n").unwrap();
        let message = read_toml::<FitOptions>(&path).unwrap_err().to_string();
        assert!(message.contains("`epoch` (did you mean `epochs`?)"), "{message}");
    }
}
