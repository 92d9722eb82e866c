//! Learns what accuracies under other conditions say of architectures, see [`Teacher`].

use std::collections::BTreeSet;

use nalgebra::DMatrix;

use super::accuracy::mean_and_deviation;
use super::{FitOptions, Parts, classes, input_size};
use crate::dataset::{Dataset, Task};
use crate::encode::Encoder;
use crate::error::{Error, Result};
use crate::predict::accuracy_scale::to_scale;
use crate::predict::teacher::{Teacher, TeacherTask, TeacherTowers};
use crate::predict::train::{self, Run, Table};
use crate::space::{Precision, QuantPolicy, SearchSpace};

/// A task of a teacher's dataset and its values, as (position of the architecture, accuracy in percent).
type Taught = (Task, Vec<(u32, f64)>);

/// One teacher from every dataset: all its accuracies at full precision, or at the only precision there is, but for those at the task
/// that is learned itself. `learned` is the task of the accuracies that they are for, `None` without accuracies.
///
/// # Errors
/// [`Error::Invalid`] for a dataset of another search space than the one learned in or its base, or without such accuracies, and where
/// there is nothing to learn; what
/// [`train::fit`] returns.
pub(super) fn fit_teachers(
    dataset: &Dataset,
    learned: Option<&Task>,
    datasets: &[Dataset],
    options: &FitOptions,
    run: &Run,
) -> Result<Vec<Teacher>> {
    if datasets.is_empty() {
        return Ok(Vec::new());
    }
    let learned = learned.ok_or_else(nothing_to_teach)?;
    let precision = dataset.precision_of_accuracies(learned, options.precision)?;
    let mut teachers = Vec::new();
    for (index, teaching) in datasets.iter().enumerate() {
        check_space(dataset.space, teaching)?;
        let is_learned = |task: &Task, at: Option<QuantPolicy>| {
            teaching.space.id() == dataset.space.id() && task.name == learned.name && at == precision
        };
        let taught = taught(teaching, is_learned)?;
        if taught.is_empty() {
            return Err(Error::Invalid {
                what: format!("dataset to start from for accuracies at {}", learned.name),
                expected: "accuracies at another task or precision".into(),
                found: "none".into(),
                hint: "Name a dataset with accuracies of the same architectures at full precision, say.".into(),
            });
        }
        teachers.push(fit_teacher(
            teaching,
            &taught,
            &format!("teacher-{index}"),
            options,
            run,
        )?);
    }
    Ok(teachers)
}

fn nothing_to_teach() -> Error {
    Error::Invalid {
        what: "datasets of accuracies to start from".into(),
        expected: "accuracies to learn in the dataset itself".into(),
        found: "none".into(),
        hint: "Add a dataset that has them, or leave out what to start from.".into(),
    }
}

fn check_space(space: &dyn SearchSpace, teaching: &Dataset) -> Result<()> {
    let base = space.base().map(SearchSpace::id);
    if teaching.space.id() == space.id() || Some(teaching.space.id()) == base {
        return Ok(());
    }
    Err(Error::Invalid {
        what: "search space of the accuracies to start from".into(),
        expected: base.map_or(space.id().into(), |base| format!("{} or {base}", space.id())),
        found: teaching.space.id().into(),
        hint: "Name a dataset of the same architectures.".into(),
    })
}

fn taught(teaching: &Dataset, is_learned: impl Fn(&Task, Option<QuantPolicy>) -> bool) -> Result<Vec<Taught>> {
    let mut taught = Vec::new();
    for name in &teaching.tasks {
        let Some(task) = teaching.resolve_task(Some(name))? else {
            continue;
        };
        let precision = teaching.precision_of_accuracies(&task, Some(Precision::Fp32.into()))?;
        let values = teaching.accuracies_of(&task, precision)?;
        if !values.is_empty() && !is_learned(&task, precision) {
            taught.push((task, values));
        }
    }
    Ok(taught)
}

fn fit_teacher(teaching: &Dataset, taught: &[Taught], name: &str, options: &FitOptions, run: &Run) -> Result<Teacher> {
    let used: BTreeSet<u32> = taught
        .iter()
        .flat_map(|(_, values)| values.iter().map(|one| one.0))
        .collect();
    let used: Vec<u32> = used.into_iter().collect();
    let percent = percent(taught, &used);
    let parts = Parts::of(
        teaching,
        &used,
        options.accuracy.validation,
        &mut run.seed.stream(&format!("{name}-split")),
    );
    let split = parts.columns(&used);
    let architectures = parts.architectures(teaching, &used);
    let tasks = tasks(taught, &percent, &split.training);
    let measured = architectures
        .iter()
        .cloned()
        .zip(percent.column_iter().map(|column| column.iter().copied().collect()));
    let mut teacher = Teacher {
        space: teaching.space,
        towers: None,
        measured: measured.filter(|_| !options.forget_accuracies).collect(),
        tasks,
    };
    if !teacher.is_exhaustive() {
        let shown = parts.architectures(teaching, &parts.training);
        let task = &taught[0].0;
        let encoder = Encoder::fit(
            teaching.space,
            &shown,
            input_size(teaching, Some(task)),
            classes(&task.name),
        );
        let table = Table {
            inputs: encoder.encode(teaching.space, &architectures),
            targets: DMatrix::from_fn(taught.len(), used.len(), |row, column| {
                teacher.tasks[row].standardised(percent[(row, column)].into())
            }),
        };
        let ensemble = train::fit(name, &table, &split, &options.accuracy, run)?;
        teacher.towers = Some(TeacherTowers { encoder, ensemble });
    }
    Ok(teacher)
}

/// Accuracies by task and architecture, NaN where not measured.
fn percent(taught: &[Taught], used: &[u32]) -> DMatrix<f32> {
    let mut percent = DMatrix::from_element(taught.len(), used.len(), f32::NAN);
    for (row, (_, values)) in taught.iter().enumerate() {
        for (position, value) in values {
            if let Ok(column) = used.binary_search(position) {
                percent[(row, column)] = *value as f32;
            }
        }
    }
    percent
}

fn tasks(taught: &[Taught], percent: &DMatrix<f32>, training: &[usize]) -> Vec<TeacherTask> {
    let task = |(row, (task, _)): (usize, &Taught)| {
        let known = training
            .iter()
            .map(|&column| percent[(row, column)])
            .filter(|value| !value.is_nan());
        let (mean, deviation) = mean_and_deviation(&known.map(|value| to_scale(value.into())).collect::<Vec<f64>>());
        TeacherTask {
            name: task.name.clone(),
            mean,
            deviation,
        }
    };
    taught.iter().enumerate().map(task).collect()
}
