//! Learns the accuracy at one task.

use std::collections::BTreeSet;

use nalgebra::DMatrix;

use super::{FitOptions, Parts};
use crate::dataset::{Dataset, Origin, Task};
use crate::encode::{Encoder, PathEncoder};
use crate::error::Result;
use crate::predict::accuracy::{AccuracyModel, AccuracyScale, agreement, chance_percent};
use crate::predict::accuracy_inputs::inputs;
use crate::predict::accuracy_scale::to_scale;
use crate::predict::calibrate::Calibration;
use crate::predict::net::Ensemble;
use crate::predict::teacher::Teacher;
use crate::predict::train::{self, Run, Split, Table};
use crate::space::{Architecture, Domain, Precision};
use crate::stats;

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

pub(super) fn fit_accuracy(
    dataset: &Dataset,
    task: &Task,
    values: &[(u32, f64)],
    encoder: &Encoder,
    teachers: Vec<Teacher>,
    options: &FitOptions,
    run: &Run,
) -> Result<AccuracyModel> {
    let precision = dataset.precision_of_accuracies(task, options.precision)?;
    let used: Vec<u32> = values.iter().map(|value| value.0).collect();
    let rng = &mut run.seed.stream("accuracy-split");
    let parts = Parts::of(dataset, &used, options.accuracy.validation, rng);
    let split = parts.columns(&used);
    let scaled: Vec<f64> = values.iter().map(|(_, accuracy)| to_scale(*accuracy)).collect();
    let training: Vec<f64> = split.training.iter().map(|&column| scaled[column]).collect();
    let (mean, deviation) = mean_and_deviation(&training);
    let architectures = parts.architectures(dataset, &used);
    let targets = scaled.iter().map(|value| ((value - mean) / deviation) as f32);
    let paths = paths(dataset, &architectures, &split);
    let table = Table {
        inputs: read(dataset, &architectures, encoder, (&paths, &teachers), run),
        targets: DMatrix::from_iterator(1, used.len(), targets),
    };
    let ensemble = train::fit("accuracy", &table, &split, &options.accuracy, run)?;
    let held_out = one_per_function(dataset, &used, &split.validation);
    let checked = checked(&ensemble, &table, &held_out, run);
    let noise = noise(&checked);
    let scale = AccuracyScale {
        task: task.name.clone(),
        precision: precision.unwrap_or(Precision::Fp32.into()),
        mean,
        deviation,
        noise,
        calibration: Calibration::fit(&[(1.0, checked.iter().map(|one| one.standardised(noise)).collect())]),
        chance_percent: chance_percent(&of_degenerate(dataset, values), encoder.classes),
        validation_spearman: rank_correlation(&checked),
    };
    let domain = Domain::of(dataset.space, &architectures);
    let measured = architectures.into_iter().zip(values.iter().map(|value| value.1 as f32));
    Ok(AccuracyModel {
        scale,
        ensemble,
        paths,
        teachers,
        measured: measured.filter(|_| !options.forget_accuracies).collect(),
        origin: origin(dataset, task),
        domain,
    })
}

/// What the towers read of architectures.
fn read(
    dataset: &Dataset,
    architectures: &[Architecture],
    encoder: &Encoder,
    below: (&PathEncoder, &[Teacher]),
    run: &Run,
) -> DMatrix<f32> {
    let features = encoder.encode(dataset.space, architectures);
    inputs(&features, below, dataset.space, architectures, run.device).into_owned()
}

/// The paths of the training part. None at one precision, where they say nothing that genes and features do not: 15,625 cells at int8
/// are predicted a little worse with them.
fn paths(dataset: &Dataset, architectures: &[Architecture], split: &Split) -> PathEncoder {
    if !dataset.space.has_bits() {
        return PathEncoder::default();
    }
    let shown: Vec<Architecture> = (split.training.iter())
        .map(|&column| architectures[column].clone())
        .collect();
    PathEncoder::fit(dataset.space, &shown)
}

/// A validation architecture.
struct Checked {
    measured: f64,
    predicted: f64,
    /// Standard deviation between the members.
    disagreement: f64,
}

/// Validation architectures, by their columns.
fn checked(ensemble: &Ensemble, table: &Table, columns: &[usize], run: &Run) -> Vec<Checked> {
    let predicted = ensemble.predict_each(&table.inputs, run.device);
    let check = |&column: &usize| Checked::of(predicted.column(column).as_slice(), table.targets[(0, column)]);
    columns.iter().map(check).collect()
}

impl Checked {
    fn of(members: &[f32], measured: f32) -> Checked {
        let (predicted, disagreement) = agreement(members.iter());
        Checked {
            measured: measured.into(),
            predicted,
            disagreement,
        }
    }

    fn error(&self) -> f64 {
        self.measured - self.predicted
    }

    fn standardised(&self, noise: f64) -> f64 {
        self.error() / noise.hypot(self.disagreement)
    }
}

/// Standard deviation of the errors beyond what the members disagree by.
fn noise(checked: &[Checked]) -> f64 {
    let errors: Vec<f64> = checked.iter().map(Checked::error).collect();
    let disagreements: Vec<f64> = checked.iter().map(|one| one.disagreement).collect();
    let beyond = root_mean_square(&errors).powi(2) - root_mean_square(&disagreements).powi(2);
    beyond.max(0.0).sqrt().max(1e-3)
}

fn rank_correlation(checked: &[Checked]) -> f64 {
    let predicted: Vec<f64> = checked.iter().map(|one| one.predicted).collect();
    let measured: Vec<f64> = checked.iter().map(|one| one.measured).collect();
    stats::spearman(&predicted, &measured).unwrap_or(f64::NAN)
}

/// The deviation is above 0 even of equal values.
pub(super) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let mean = stats::mean(values).unwrap_or_default();
    let away: Vec<f64> = values.iter().map(|value| value - mean).collect();
    (mean, root_mean_square(&away).max(1e-6))
}

fn root_mean_square(values: &[f64]) -> f64 {
    let squares: Vec<f64> = values.iter().map(|value| value * value).collect();
    stats::mean(&squares).unwrap_or(0.0).sqrt()
}

/// Accuracies of networks whose output does not depend on the input.
fn of_degenerate(dataset: &Dataset, values: &[(u32, f64)]) -> Vec<f64> {
    let is_degenerate = |position: u32| {
        let architecture = &dataset.architectures[position as usize];
        !dataset.space.output_depends_on_input(architecture)
    };
    let degenerate = values.iter().filter(|value| is_degenerate(value.0));
    degenerate.map(|value| value.1).collect()
}

/// Simulated, or a proxy, where any of the task's accuracies is.
fn origin(dataset: &Dataset, task: &Task) -> Origin {
    let rows = || dataset.accuracies.iter().filter(|row| row.task == task.index);
    let is_any = |origin: &Origin| rows().any(|row| row.origin == *origin);
    let known = [Origin::Proxy, Origin::Simulated].into_iter().find(is_any);
    known.unwrap_or(Origin::Measured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::space::{NasBench201, NasBench201Mixed, SearchSpace};

    #[test]
    fn paths_are_of_training_designs_whose_genes_say_bits() {
        let mut rng = Seed(5).stream("designs");
        let designs: Vec<Architecture> = (0..200).map(|_| NasBench201Mixed.sample(&mut rng)).collect();
        let cells: Vec<Architecture> = designs.iter().map(|one| NasBench201Mixed.without_bits(one)).collect();
        let split = Split {
            training: (0..100).collect(),
            validation: (100..200).collect(),
        };
        let found = paths(&Dataset::new(&NasBench201Mixed), &designs, &split);
        assert!(found.width() > 0);
        assert_eq!(found, PathEncoder::fit(&NasBench201Mixed, &designs[..100]));
        assert_ne!(found, PathEncoder::fit(&NasBench201Mixed, &designs));
        assert_eq!(paths(&Dataset::new(&NasBench201), &cells, &split).width(), 0);
    }
}
