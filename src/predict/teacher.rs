//! What is known of the same architectures under other conditions, from which a model of accuracies starts: without their
//! quantization policy, at full precision, at other tasks, or after another number of epochs.
//!
//! Values of a teacher are inputs of the towers beside the features of an architecture. So the towers do not learn once more what
//! training at full precision says, but what a policy changes: the drop. A value is the one measured where there is one, else what
//! towers of the teacher's own predict.

use std::collections::HashMap;

use nalgebra::DMatrix;

use super::accuracy_scale::to_scale;
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

/// Number of values that teachers have of an architecture.
pub(super) fn tasks(teachers: &[Teacher]) -> usize {
    teachers.iter().map(|teacher| teacher.tasks.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Backend;
    use crate::predict::net::TowerConfig;
    use crate::seed::Seed;
    use crate::space::{Enumerable, InputSize, NasBench201, NasBench201Mixed};

    fn task(mean: f64, deviation: f64) -> TeacherTask {
        TeacherTask {
            name: "cifar10".into(),
            mean,
            deviation,
        }
    }

    /// Two tasks; what is predicted comes from towers without training.
    fn teacher(measured: &[(&str, [f32; 2])], with_towers: bool) -> Teacher {
        let device = Backend::Flex.device().unwrap();
        let encoder = Encoder::fit(
            &NasBench201,
            &NasBench201.architectures()[..500],
            InputSize::square(32),
            10,
        );
        let config = TowerConfig::new(encoder.width(), 2, 8, 4);
        let ensemble = Ensemble {
            members: vec![config.init(&mut Seed(1).stream("tower"), &device)],
            config,
        };
        let cell = |text: &str| NasBench201.parse(text).unwrap();
        Teacher {
            space: &NasBench201,
            tasks: vec![task(-2.0, 0.5), task(-4.0, 1.0)],
            towers: with_towers.then_some(TeacherTowers { encoder, ensemble }),
            measured: measured
                .iter()
                .map(|(text, percent)| (cell(text), percent.to_vec()))
                .collect(),
        }
    }

    const CELL: &str = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|";
    const OTHER: &str = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|";

    #[test]
    fn what_was_measured_of_a_cell_holds_at_all_its_bits_and_the_rest_is_predicted() {
        let device = Backend::Flex.device().unwrap();
        let teacher = teacher(&[(CELL, [90.0, f32::NAN])], true);
        let space = &NasBench201Mixed;
        let designs = ["@8-0-4-0-0-2", "@2-0-2-0-0-2"].map(|bits| space.parse(&format!("{CELL}{bits}")).unwrap());
        let other = space.parse(&format!("{OTHER}@8-0-0-0-8-0")).unwrap();
        let architectures = [designs[0].clone(), designs[1].clone(), other];
        let values = teacher.values(space, &architectures, &device);
        assert_eq!(values.shape(), (2, 3));
        // -ln(100.5 - 90) = -2.3513753, which is 0.3513753 / 0.5 below the mean.
        for column in [0, 1] {
            assert!((values[(0, column)] + 0.7027506).abs() < 1e-5, "{values}");
        }
        let cells: Vec<Architecture> = [CELL, OTHER]
            .iter()
            .map(|text| NasBench201.parse(text).unwrap())
            .collect();
        let towers = teacher.towers.as_ref().unwrap();
        let predicted = towers
            .ensemble
            .predict(&towers.encoder.encode(&NasBench201, &cells), &device);
        let close = |a: f32, b: f32| (a - b).abs() <= 1e-4 * (1.0 + b.abs());
        assert!(close(values[(1, 0)], predicted[(1, 0)]));
        assert!(close(values[(0, 2)], predicted[(0, 1)]) && close(values[(1, 2)], predicted[(1, 1)]));
        assert_eq!(teacher.percent(space, &designs[0], 0), Some(90.0));
        assert_eq!(teacher.percent(space, &designs[0], 1), None);
    }

    #[test]
    fn a_table_of_the_whole_space_is_exhaustive() {
        let mut whole = teacher(&[], false);
        whole.measured = NasBench201
            .architectures()
            .into_iter()
            .map(|one| (one, vec![50.0, 60.0]))
            .collect();
        assert!(whole.is_exhaustive());
        let mut gap = whole.clone();
        gap.measured.insert(NasBench201.at(5), vec![50.0, f32::NAN]);
        assert!(!gap.is_exhaustive());
        whole.measured.remove(&NasBench201.at(7));
        assert!(!whole.is_exhaustive());
    }
}
