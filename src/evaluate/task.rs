//! Which of a dataset's tasks a checkpoint is scored at: the one that it has learned.

use crate::dataset::{Dataset, Task};
use crate::error::{Error, Result};
use crate::predict::Predictor;

/// The task whose accuracies the predictor has learned, so that latencies are taken at its input size; `None` where it has
/// learned none or the dataset does not hold it.
///
/// # Errors
/// As [`Dataset::resolve_task`].
pub fn learned_task(predictor: &Predictor, dataset: &Dataset) -> Result<Option<Task>> {
    match &predictor.accuracy {
        Some(model) if dataset.tasks.contains(&model.scale.task) => dataset.resolve_task(Some(&model.scale.task)),
        _ => Ok(None),
    }
}

/// The task whose accuracies designs are looked up in: the one that the predictor has learned, or the dataset's only one.
///
/// # Errors
/// [`Error::Invalid`] for a dataset without accuracies, [`Error::Unknown`] where it holds other tasks only.
pub fn task_with_accuracies(predictor: &Predictor, dataset: &Dataset) -> Result<Task> {
    let learned = predictor.accuracy.as_ref().map(|model| model.scale.task.as_str());
    dataset.resolve_task(learned)?.ok_or_else(|| Error::Invalid {
        what: "dataset".into(),
        expected: "accuracies to look designs up in".into(),
        found: "none".into(),
        hint: "Add a dataset that has them.".into(),
    })
}
