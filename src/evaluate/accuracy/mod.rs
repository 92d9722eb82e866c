//! How well are accuracies predicted of architectures of which none was learned? Trains on a share of the architectures and scores on
//! the others. Where genes say bits, an architecture is held out with all its policies.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::dataset::split::{Share, by_isomorphism, function_key};
use crate::dataset::{Dataset, Task};
use crate::error::{Error, Result};
use crate::predict::accuracy::Accuracy;
use crate::predict::fit::{FitOptions, accuracy_alone};
use crate::predict::teacher::Teacher;
use crate::predict::train::Run;
use crate::space::{Architecture, QuantPolicy};
use crate::stats::{self, INTERVAL_SHARE};

/// Scores of predicted accuracies.
#[derive(Debug, Clone, Serialize)]
pub struct AccuracyReport {
    /// Task whose accuracies were learned.
    pub task: String,
    /// Their precision.
    pub precision: QuantPolicy,
    /// Tasks of the teachers, see [`crate::predict::teacher`].
    pub teachers: Vec<String>,
    /// Designs learned from.
    pub trained_on: usize,
    /// Designs scored. Networks whose output does not depend on their input are not among them.
    pub scored: usize,
    /// Rank correlation of predicted and true accuracies.
    pub spearman: f64,
    /// Its 90 % interval.
    pub spearman_interval: [f64; 2],
    /// Kendall's tau-b.
    pub kendall: f64,
    /// Share of the variance that is predicted, see [`stats::r_squared`].
    pub r_squared: f64,
    /// Mean absolute error, in percentage points.
    pub mean_absolute_error: f64,
    /// Share of accuracies within their 90 % interval, 0 to 1.
    pub coverage_90: f64,
    /// Median width of that interval, in percentage points.
    pub median_width: f64,
    /// How well the drop from a teacher's accuracy is predicted, where there is one.
    pub drop: Option<DropReport>,
    /// Seed of the run.
    pub seed: u64,
}

/// Scores of predicted drops in accuracy, in percentage points.
#[derive(Debug, Clone, Serialize)]
pub struct DropReport {
    /// The teacher's task that accuracies drop from.
    pub from: String,
    /// Designs whose accuracy there was measured.
    pub scored: usize,
    /// Mean drop.
    pub mean: f64,
    /// Rank correlation of predicted and true drops.
    pub spearman: f64,
    /// Share of the variance that is predicted: 0 of a model that always says the mean.
    pub r_squared: f64,
    /// Mean absolute error.
    pub mean_absolute_error: f64,
    /// That of a model that always says the mean.
    pub mean_absolute_error_of_mean: f64,
}

/// A design that was not learned from.
struct Scored {
    truth: f64,
    predicted: Accuracy,
    /// What the teacher knows of it, in percent.
    teacher: Option<f64>,
}

/// Learns the task's accuracies from all but a share of `held_out` of the architectures, and scores those.
///
/// # Errors
/// [`Error::Invalid`] for a share that leaves nothing on either side, and what [`accuracy_alone`] returns.
pub fn score_accuracies(
    dataset: &Dataset,
    teachers: Vec<Dataset>,
    held_out: f64,
    options: &FitOptions,
    run: &Run,
) -> Result<AccuracyReport> {
    let task = dataset
        .resolve_task(options.task.as_deref())?
        .ok_or_else(no_accuracies)?;
    let precision = dataset
        .precision_of_accuracies(&task, options.precision)?
        .ok_or_else(no_accuracies)?;
    let mut values = dataset.accuracies_of(&task, Some(precision))?;
    let held_out = held_out_positions(dataset, &values, held_out, run)?;
    let scored: Vec<(u32, f64)> = values.iter().copied().filter(|one| held_out.contains(&one.0)).collect();
    values.retain(|one| !held_out.contains(&one.0));
    let teachers: Vec<Dataset> = teachers
        .into_iter()
        .map(|one| without_policies_of(one, dataset, &held_out))
        .collect();
    let (encoder, model) = accuracy_alone(dataset, &task, &values, &teachers, options, run)?;

    let computes = |one: &&(u32, f64)| {
        let architecture = &dataset.architectures[one.0 as usize];
        dataset.space.output_depends_on_input(architecture)
    };
    let scored: Vec<(u32, f64)> = scored.iter().filter(computes).copied().collect();
    let architectures: Vec<Architecture> = scored
        .iter()
        .map(|one| dataset.architectures[one.0 as usize].clone())
        .collect();
    let features = encoder.encode(dataset.space, &architectures);
    let predicted = model.predict(dataset.space, &architectures, &features, run.device);
    let teacher = drop_from(&model.teachers, &task);
    let scored: Vec<Scored> = (scored.iter().zip(predicted).zip(&architectures))
        .map(|((&(_, truth), predicted), architecture)| Scored {
            truth,
            predicted,
            teacher: teacher.and_then(|(teacher, task)| teacher.percent(dataset.space, architecture, task)),
        })
        .collect();
    let names = (model.teachers.iter()).flat_map(|teacher| teacher.tasks.iter().map(|task| task.name.clone()));
    Ok(AccuracyReport {
        teachers: names.collect(),
        trained_on: values.len(),
        drop: teacher.and_then(|(teacher, task)| DropReport::of(&teacher.tasks[task].name, &scored)),
        ..AccuracyReport::of(&task, precision, &scored, run.seed.0).ok_or_else(|| too_few(&scored))?
    })
}

impl AccuracyReport {
    /// `None` unless there are at least two different accuracies.
    fn of(task: &Task, precision: QuantPolicy, scored: &[Scored], seed: u64) -> Option<AccuracyReport> {
        let truth: Vec<f64> = scored.iter().map(|one| one.truth).collect();
        let predicted: Vec<f64> = scored.iter().map(|one| one.predicted.percent.mean).collect();
        let widths: Vec<f64> = (scored.iter().map(|one| one.predicted.percent))
            .map(|percent| percent.high - percent.low)
            .collect();
        let within = |one: &&Scored| {
            let percent = one.predicted.percent;
            percent.low <= one.truth && one.truth <= percent.high
        };
        let spearman = stats::spearman(&predicted, &truth)?;
        Some(AccuracyReport {
            task: task.name.clone(),
            precision,
            teachers: Vec::new(),
            trained_on: 0,
            scored: scored.len(),
            spearman,
            spearman_interval: stats::spearman_interval(spearman, scored.len(), INTERVAL_SHARE),
            kendall: stats::kendall(&predicted, &truth)?,
            r_squared: stats::r_squared(&predicted, &truth)?,
            mean_absolute_error: stats::mean_absolute_error(&predicted, &truth)?,
            coverage_90: scored.iter().filter(within).count() as f64 / scored.len() as f64,
            median_width: stats::quantile(&widths, 0.5)?,
            drop: None,
            seed,
        })
    }
}

impl DropReport {
    /// `None` unless there are at least two different drops.
    fn of(from: &str, scored: &[Scored]) -> Option<DropReport> {
        let known: Vec<(&Scored, f64)> = scored.iter().filter_map(|one| Some((one, one.teacher?))).collect();
        let truth: Vec<f64> = known.iter().map(|(one, teacher)| teacher - one.truth).collect();
        let predicted: Vec<f64> = (known.iter())
            .map(|(one, teacher)| teacher - one.predicted.percent.mean)
            .collect();
        let mean = stats::mean(&truth)?;
        Some(DropReport {
            from: from.into(),
            scored: known.len(),
            mean,
            spearman: stats::spearman(&predicted, &truth)?,
            r_squared: stats::r_squared(&predicted, &truth)?,
            mean_absolute_error: stats::mean_absolute_error(&predicted, &truth)?,
            mean_absolute_error_of_mean: stats::mean_absolute_error(&vec![mean; truth.len()], &truth)?,
        })
    }
}

/// Positions of the architectures that nothing is learned of.
fn held_out_positions(dataset: &Dataset, values: &[(u32, f64)], share: f64, run: &Run) -> Result<BTreeSet<u32>> {
    if !(share > 0.0 && share < 1.0) {
        return Err(Error::Invalid {
            what: "share of the architectures held out".into(),
            expected: "above 0, below 1".into(),
            found: share.to_string(),
            hint: "A fifth is usual.".into(),
        });
    }
    let among: Vec<u32> = values.iter().map(|one| one.0).collect();
    let mut rng = run.seed.stream("held-out");
    let split = by_isomorphism(
        dataset.space,
        &dataset.architectures,
        &among,
        Share::Fraction(1.0 - share),
        &mut rng,
    );
    Ok(split.held_out.into_iter().collect())
}

/// A teacher's dataset without accuracies of held-out architectures at whatever bits, which would no longer be unseen. What it says
/// of them without a policy, at full precision, is what a model may start from.
fn without_policies_of(mut teacher: Dataset, dataset: &Dataset, held_out: &BTreeSet<u32>) -> Dataset {
    let space = dataset.space;
    if space.base().is_none() || teacher.space.id() != space.id() {
        return teacher;
    }
    let key = |architecture: &Architecture| function_key(space, architecture);
    let keys: BTreeSet<String> = held_out
        .iter()
        .map(|&one| key(&dataset.architectures[one as usize]))
        .collect();
    let unseen: Vec<bool> = teacher
        .architectures
        .iter()
        .map(|one| keys.contains(&key(one)))
        .collect();
    teacher.accuracies.retain(|row| !unseen[row.architecture as usize]);
    teacher
}

/// The accuracy that drops: that of the first teacher at the task of the same name, else at its first.
fn drop_from<'a>(teachers: &'a [Teacher], task: &Task) -> Option<(&'a Teacher, usize)> {
    let teacher = teachers.first()?;
    let same = teacher.tasks.iter().position(|one| one.name == task.name);
    Some((teacher, same.unwrap_or(0)))
}

fn no_accuracies() -> Error {
    Error::Invalid {
        what: "dataset".into(),
        expected: "accuracies to learn and to score".into(),
        found: "none".into(),
        hint: "Add a dataset that has them.".into(),
    }
}

fn too_few(scored: &[Scored]) -> Error {
    Error::Invalid {
        what: "accuracies held out".into(),
        expected: "at least two different ones".into(),
        found: scored.len().to_string(),
        hint: "Hold out a larger share.".into(),
    }
}
