//! Which accuracies are learned, and learning them alone.

use rand::seq::SliceRandom;

use super::accuracy::fit_accuracy;
use super::teacher::fit_teachers;
use super::{FitOptions, MIN_VALUES, encoder};
use crate::dataset::{Dataset, Task};
use crate::encode::Encoder;
use crate::error::{Error, Result};
use crate::predict::teacher::Teacher;
use crate::predict::train::Run;
use crate::predict::{AccuracyModel, Predictor};
use crate::seed::Seed;
use crate::space::Architecture;

/// What an accuracy is learned from.
pub(super) struct Labels<'a> {
    task: &'a Task,
    accuracies: Vec<(u32, f64)>,
    teachers: Vec<Teacher>,
}

impl<'a> Labels<'a> {
    /// `None` where there is no accuracy to learn.
    pub(super) fn of(
        dataset: &Dataset,
        task: Option<&'a Task>,
        teachers: &[Dataset],
        options: &FitOptions,
        run: &Run,
    ) -> Result<Option<Labels<'a>>> {
        let accuracies = accuracy_values(dataset, task, options, run.seed)?;
        let learned = task.filter(|_| !accuracies.is_empty());
        let teachers = fit_teachers(dataset, learned, teachers, options, run)?;
        Ok(learned.map(|task| Labels {
            task,
            accuracies,
            teachers,
        }))
    }

    pub(super) fn learned(
        self,
        dataset: &Dataset,
        encoder: &Encoder,
        options: &FitOptions,
        run: &Run,
    ) -> Result<AccuracyModel> {
        fit_accuracy(
            dataset,
            self.task,
            &self.accuracies,
            encoder,
            self.teachers,
            options,
            run,
        )
    }
}

/// Learns the accuracy at one task alone, on the features of a predictor that stays as it is; see
/// [`Predictor::with_accuracy`]. Of the options, only those of accuracies are looked at.
///
/// # Errors
/// As [`super::fit()`], and [`Error::Invalid`] for fewer than 30 accuracies.
pub fn accuracy_model(
    predictor: &Predictor,
    dataset: &Dataset,
    task: &Task,
    options: &FitOptions,
    run: &Run,
) -> Result<AccuracyModel> {
    let values = accuracy_values(dataset, Some(task), options, run.seed)?;
    check_count(task, &values)?;
    let teachers = predictor
        .accuracy
        .as_ref()
        .map_or_else(Vec::new, |model| model.teachers.clone());
    fit_accuracy(dataset, task, &values, &predictor.encoder, teachers, options, run)
}

/// Learns the accuracy at one task from some of its values in a dataset, without devices; with the features that it is read from.
///
/// # Errors
/// [`Error::Invalid`] for fewer than 30 values, and as [`super::fit_with`].
pub fn accuracy_alone(
    dataset: &Dataset,
    task: &Task,
    values: &[(u32, f64)],
    teachers: &[Dataset],
    options: &FitOptions,
    run: &Run,
) -> Result<(Encoder, AccuracyModel)> {
    check_count(task, values)?;
    let shown: Vec<Architecture> = values
        .iter()
        .map(|value| dataset.architectures[value.0 as usize].clone())
        .collect();
    let encoder = encoder(dataset, Some(task), &shown);
    let teachers = fit_teachers(dataset, Some(task), teachers, options, run)?;
    let model = fit_accuracy(dataset, task, values, &encoder, teachers, options, run)?;
    Ok((encoder, model))
}

fn check_count(task: &Task, values: &[(u32, f64)]) -> Result<()> {
    if values.len() >= MIN_VALUES {
        return Ok(());
    }
    Err(Error::Invalid {
        what: format!("accuracies at {} to learn from", task.name),
        expected: format!("at least {MIN_VALUES}"),
        found: values.len().to_string(),
        hint: "Import more of them.".into(),
    })
}

/// None without a task.
fn accuracy_values(
    dataset: &Dataset,
    task: Option<&Task>,
    options: &FitOptions,
    seed: Seed,
) -> Result<Vec<(u32, f64)>> {
    let Some(task) = task else { return Ok(Vec::new()) };
    let mut values = dataset.accuracies_of(task, options.precision)?;
    if let Some(most) = options.accuracy_samples {
        values.shuffle(&mut seed.stream("accuracy-samples"));
        values.truncate(most);
    }
    Ok(values)
}
