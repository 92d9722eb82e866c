//! What is known of the same architectures under other conditions, from which a model of accuracies starts: without their
//! quantization policy, at full precision, at other tasks, or after another number of epochs.
//!
//! Values of a teacher are inputs of the towers beside the features of an architecture. So the towers do not learn once more what
//! training at full precision says, but what a policy changes: the drop. A value is the one measured where there is one, else what
//! towers of the teacher's own predict.

use std::collections::HashMap;

use nalgebra::DMatrix;

use super::accuracy::to_scale;
use super::net::Ensemble;
use crate::compute::ComputeDevice;
use crate::encode::Encoder;
use crate::space::{Architecture, SearchSpace};

/// A task whose accuracies are known, and how they are standardised.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TeacherTask {
    /// Name of the task.
    pub name: String,
    /// Mean over the training architectures, on the scale of the towers.
    pub mean: f64,
    /// Standard deviation over the training architectures, on the scale of the towers.
    pub deviation: f64,
}

impl TeacherTask {
    /// Accuracy in percent to what the towers read and predict.
    pub(super) fn standardised(&self, accuracy_percent: f64) -> f32 {
        ((to_scale(accuracy_percent) - self.mean) / self.deviation) as f32
    }
}

/// Towers that predict what was not measured.
#[derive(Debug, Clone)]
pub struct TeacherTowers {
    /// Features of architectures of the teacher's space.
    pub encoder: Encoder,
    /// One output per task.
    pub ensemble: Ensemble,
}

/// Accuracies of architectures under other conditions than those of the model that reads them.
#[derive(Clone)]
pub struct Teacher {
    /// The search space of the model, or its base, see [`SearchSpace::base`].
    pub space: &'static dyn SearchSpace,
    /// What is known of an architecture, in order.
    pub tasks: Vec<TeacherTask>,
    /// `None` where all architectures of the space were measured at all tasks.
    pub towers: Option<TeacherTowers>,
    /// Accuracies in percent by task, NaN where not measured.
    pub measured: HashMap<Architecture, Vec<f32>>,
}

impl Teacher {
    /// What it says of architectures of `space`, standardised: `[tasks, architectures]`.
    pub fn values(
        &self,
        space: &dyn SearchSpace,
        architectures: &[Architecture],
        device: &ComputeDevice,
    ) -> DMatrix<f32> {
        let taught: Vec<Architecture> = architectures.iter().map(|one| self.taught(space, one)).collect();
        let mut values = DMatrix::from_element(self.tasks.len(), taught.len(), f32::NAN);
        for (mut column, one) in values.column_iter_mut().zip(&taught) {
            let Some(measured) = self.measured.get(one) else {
                continue;
            };
            for ((value, task), &percent) in column.iter_mut().zip(&self.tasks).zip(measured) {
                *value = task.standardised(percent.into());
            }
        }
        self.predict_missing(&mut values, &taught, device);
        values
    }

    /// The accuracy measured at one of its tasks of an architecture of `space`, in percent.
    pub fn percent(&self, space: &dyn SearchSpace, architecture: &Architecture, task: usize) -> Option<f64> {
        let measured = self.measured.get(&self.taught(space, architecture))?[task];
        (!measured.is_nan()).then(|| measured.into())
    }

    /// Whether everything it can be asked for was measured.
    pub(super) fn is_exhaustive(&self) -> bool {
        let whole = |measured: &Vec<f32>| measured.iter().all(|percent| !percent.is_nan());
        let listed = self.space.enumerable();
        listed.is_some_and(|listed| self.measured.len() >= listed.size()) && self.measured.values().all(whole)
    }

    /// The architecture of the teacher's space.
    fn taught(&self, space: &dyn SearchSpace, architecture: &Architecture) -> Architecture {
        if space.id() == self.space.id() {
            architecture.clone()
        } else {
            space.without_bits(architecture)
        }
    }

    fn predict_missing(&self, values: &mut DMatrix<f32>, taught: &[Architecture], device: &ComputeDevice) {
        let Some(towers) = &self.towers else { return };
        let lacking = |&column: &usize| values.column(column).iter().any(|value| value.is_nan());
        let missing: Vec<usize> = (0..taught.len()).filter(lacking).collect();
        if missing.is_empty() {
            return;
        }
        let asked: Vec<Architecture> = missing.iter().map(|&column| taught[column].clone()).collect();
        let predicted = (towers.ensemble).predict(&towers.encoder.encode(self.space, &asked), device);
        for (&column, predicted) in missing.iter().zip(predicted.column_iter()) {
            for (value, &predicted) in values.column_mut(column).iter_mut().zip(predicted.iter()) {
                if value.is_nan() {
                    *value = predicted;
                }
            }
        }
    }
}

/// Features of architectures with the values of all teachers below them: `[features + tasks of all, architectures]`.
pub(super) fn below(
    features: &DMatrix<f32>,
    teachers: &[Teacher],
    space: &dyn SearchSpace,
    architectures: &[Architecture],
    device: &ComputeDevice,
) -> DMatrix<f32> {
    let mut first = features.nrows();
    let mut whole = features.clone();
    whole.resize_vertically_mut(first + tasks(teachers), 0.0);
    for teacher in teachers {
        let values = teacher.values(space, architectures, device);
        whole.rows_mut(first, values.nrows()).copy_from(&values);
        first += values.nrows();
    }
    whole
}

/// Number of values that teachers have of an architecture.
pub(super) fn tasks(teachers: &[Teacher]) -> usize {
    teachers.iter().map(|teacher| teacher.tasks.len()).sum()
}
