//! Learns the accuracy at one task.

use std::collections::{BTreeSet, HashMap};

use nalgebra::DMatrix;

use super::{FitOptions, Parts, errors};
use crate::dataset::{Dataset, Origin, Task};
use crate::encode::Encoder;
use crate::error::Result;
use crate::predict::accuracy::{AccuracyModel, AccuracyScale, chance_percent, to_scale};
use crate::predict::calibrate::Calibration;
use crate::predict::train::{self, Run, Table};
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
    let degenerate: Vec<f64> = (architectures.iter().zip(values))
        .filter(|(architecture, _)| !dataset.space.output_depends_on_input(architecture))
        .map(|(_, (_, accuracy))| *accuracy)
        .collect();
    let scale = AccuracyScale {
        task: task.name.clone(),
        mean,
        deviation,
        noise,
        calibration: Calibration::fit(&[errors.iter().map(|error| error / noise).collect()]),
        chance_percent: chance_percent(&degenerate, encoder.classes),
        validation_spearman: stats::spearman(&pick(&predicted), &pick(&table.targets)).unwrap_or(f64::NAN),
    };
    let measured = if options.forget_accuracies {
        HashMap::new()
    } else {
        architectures
            .into_iter()
            .zip(values.iter().map(|value| value.1 as f32))
            .collect()
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
