//! Accuracy of an architecture at one task: a tower where nothing was measured, the measurement where something was.

use std::collections::HashMap;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::accuracy_inputs::inputs;
use super::accuracy_scale::{from_scale, to_scale};
use super::calibrate::Calibration;
use super::device_model::Estimate;
use super::net::Ensemble;
use super::teacher::Teacher;
use crate::compute::ComputeDevice;
use crate::dataset::{Origin, PROXY_SCORE};
use crate::encode::PathEncoder;
use crate::space::{Architecture, Domain, Precision, QuantPolicy, SearchSpace};
use crate::stats;
use crate::stats::INTERVAL_SHARE;

/// What the numbers are that designs are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScoreKind {
    /// Top-1 accuracy, in percent.
    #[default]
    Accuracy,
    /// Percentile rank, from 0 to 100, of a score of untrained networks: no accuracy, and no estimate of one.
    Proxy,
}

impl ScoreKind {
    /// What the values of a task are.
    pub fn of_task(task: &str) -> ScoreKind {
        if task == PROXY_SCORE {
            ScoreKind::Proxy
        } else {
            ScoreKind::Accuracy
        }
    }

    /// Its name in sentences.
    pub fn name(self) -> &'static str {
        match self {
            ScoreKind::Accuracy => "accuracy",
            ScoreKind::Proxy => "proxy score",
        }
    }

    /// Several of them.
    pub fn plural(self) -> &'static str {
        match self {
            ScoreKind::Accuracy => "accuracies",
            ScoreKind::Proxy => "proxy scores",
        }
    }

    /// Its key in JSON.
    pub fn key(self) -> &'static str {
        match self {
            ScoreKind::Accuracy => "accuracy",
            ScoreKind::Proxy => "proxy_score",
        }
    }

    /// Its key where a number stands alone, as in CSV.
    pub fn number_key(self) -> &'static str {
        match self {
            ScoreKind::Accuracy => "accuracy_percent",
            ScoreKind::Proxy => "proxy_score",
        }
    }

    /// Above a column of a table.
    pub fn header(self) -> &'static str {
        match self {
            ScoreKind::Accuracy => "accuracy %",
            ScoreKind::Proxy => "proxy score",
        }
    }

    /// Beside the axis of a figure.
    pub fn axis(self) -> &'static str {
        match self {
            ScoreKind::Accuracy => "accuracy, %",
            ScoreKind::Proxy => "proxy score",
        }
    }
}

/// Inputs that a test set is taken to have.
const TEST_INPUTS: f64 = 10_000.0;

/// How the outputs of the accuracy tower are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccuracyScale {
    /// Task whose accuracy is predicted.
    pub task: String,
    /// Precision of the networks whose accuracies were learned.
    #[serde(default = "full_precision")]
    pub precision: QuantPolicy,
    /// Mean over the training architectures, on the tower's scale.
    pub mean: f64,
    /// Standard deviation over the training architectures, on the tower's scale.
    pub deviation: f64,
    /// Standard deviation of the error on validation architectures beyond what the members disagree by, in units of `deviation`.
    pub noise: f64,
    /// Quantiles of that error, in standard deviations of the sum of both.
    pub calibration: Calibration,
    /// Rank correlation on validation architectures.
    pub validation_spearman: f64,
    /// Accuracy of networks whose output does not depend on their input, in percent.
    pub chance_percent: f64,
}

fn full_precision() -> QuantPolicy {
    Precision::Fp32.into()
}

/// Accuracy in percent of a network whose output does not depend on its input: the median of those measured, else that of
/// guessing one of the classes.
pub(super) fn chance_percent(measured: &[f64], classes: u32) -> f64 {
    stats::quantile(measured, 0.5).unwrap_or(100.0 / f64::from(classes.max(1)))
}

/// Predicts the accuracy at one task.
#[derive(Clone)]
pub struct AccuracyModel {
    /// How outputs are read.
    pub scale: AccuracyScale,
    /// The towers, one output.
    pub ensemble: Ensemble,
    /// What towers read of the paths through cells.
    pub paths: PathEncoder,
    /// What is known under other conditions; the towers read it beside the features.
    pub teachers: Vec<Teacher>,
    /// What was measured (or simulated) in training, in percent.
    pub measured: HashMap<Architecture, f32>,
    /// Where those values come from.
    pub origin: Origin,
    /// Where it was learned.
    pub domain: Domain,
}

/// Accuracy of one architecture, or its proxy score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// In percent, with its 90 % interval; for a measured accuracy all three are the same.
    pub percent: Estimate,
    /// Measured (or simulated) in training, or predicted; simulated where a drop was subtracted.
    pub origin: Origin,
    /// Standard deviation of the error, in units of [`AccuracyScale::deviation`]; 0 where it was measured.
    pub error: f64,
    /// Percentage points that were subtracted for a precision below that learned at, see [`Predictor::accuracy_drop`].
    ///
    /// [`Predictor::accuracy_drop`]: super::Predictor::accuracy_drop
    pub drop: f64,
    /// What it is.
    pub kind: ScoreKind,
}

/// Mean of what the members of an ensemble predict, and the standard deviation between them: the further from what they were trained
/// on, the more they disagree (Lakshminarayanan, Pritzel & Blundell, *Simple and Scalable Predictive Uncertainty Estimation
/// using Deep Ensembles*, NeurIPS 2017).
pub(super) fn agreement<'a>(members: impl ExactSizeIterator<Item = &'a f32> + Clone) -> (f64, f64) {
    let count = members.len() as f64;
    let mean = members.clone().map(|&one| f64::from(one)).sum::<f64>() / count;
    let squares: f64 = members.map(|&one| (f64::from(one) - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}

impl AccuracyModel {
    /// What it predicts.
    pub fn kind(&self) -> ScoreKind {
        ScoreKind::of_task(&self.scale.task)
    }

    /// Accuracies of architectures, from their features `[features, architectures]`.
    pub fn predict(
        &self,
        space: &dyn SearchSpace,
        architectures: &[Architecture],
        features: &DMatrix<f32>,
        device: &ComputeDevice,
    ) -> Vec<Accuracy> {
        let inputs = inputs(features, (&self.paths, &self.teachers), space, architectures, device);
        let outputs = self.ensemble.predict_each(&inputs, device);
        let kind = self.kind();
        architectures
            .iter()
            .zip(outputs.column_iter())
            .map(|(architecture, members)| match self.measured.get(architecture) {
                Some(&accuracy) => {
                    let accuracy = f64::from(accuracy);
                    Accuracy {
                        percent: Estimate {
                            mean: accuracy,
                            low: accuracy,
                            high: accuracy,
                        },
                        origin: self.origin,
                        error: 0.0,
                        drop: 0.0,
                        kind,
                    }
                }
                None => {
                    let (output, disagreement) = agreement(members.iter());
                    let error = self.scale.noise.hypot(disagreement);
                    Accuracy {
                        percent: if !space.output_depends_on_input(architecture) {
                            self.scale.chance()
                        } else if self.domain.holds(space, architecture) {
                            self.scale.estimate(output, error)
                        } else {
                            self.scale.extrapolated(output, error)
                        },
                        origin: Origin::Predicted,
                        error,
                        drop: 0.0,
                        kind,
                    }
                }
            })
            .collect()
    }

    /// Probability that the accuracy is at least `limit`, in percent: 0 or 1 where it was measured.
    pub fn probability_at_least(&self, accuracy: &Accuracy, limit: f64) -> f64 {
        if accuracy.error > 0.0 {
            self.scale.probability_at_least(accuracy, limit)
        } else {
            f64::from(u8::from(accuracy.percent.mean >= limit))
        }
    }
}

impl AccuracyScale {
    /// From the tower's output and the standard deviation of its error.
    fn estimate(&self, output: f64, deviation: f64) -> Estimate {
        let at = |error: f64| from_scale(self.mean + self.deviation * (output + error));
        let quantile = |probability: f64| at(self.calibration.quantile(probability) * deviation);
        Estimate {
            mean: at(0.0),
            low: quantile(0.5 - INTERVAL_SHARE / 2.0),
            high: quantile(0.5 + INTERVAL_SHARE / 2.0),
        }
    }

    /// Outside the domain of what was learned: anything from guessing to a perfect score.
    fn extrapolated(&self, output: f64, deviation: f64) -> Estimate {
        let mean = self.estimate(output, deviation).mean;
        Estimate {
            mean,
            low: self.chance_percent.min(mean),
            high: 100.0,
        }
    }

    /// Of a network whose output does not depend on its input: as far from guessing as a finite test set makes it seem.
    fn chance(&self) -> Estimate {
        let share = self.chance_percent / 100.0;
        let deviation = (share * (1.0 - share) / TEST_INPUTS).sqrt();
        let margin = 100.0 * stats::normal_quantile(0.5 + INTERVAL_SHARE / 2.0) * deviation;
        Estimate {
            mean: self.chance_percent,
            low: (self.chance_percent - margin).max(0.0),
            high: (self.chance_percent + margin).min(100.0),
        }
    }

    /// Probability that a predicted accuracy is at least `limit`, in percent.
    pub(super) fn probability_at_least(&self, predicted: &Accuracy, limit: f64) -> f64 {
        let deviation = (self.deviation * predicted.error).max(f64::MIN_POSITIVE);
        let error = (to_scale(limit) - to_scale(predicted.percent.mean)) / deviation;
        1.0 - self.calibration.probability(error)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::predict) fn scale() -> AccuracyScale {
        AccuracyScale {
            task: "cifar100".into(),
            precision: Precision::Fp32.into(),
            mean: -3.0,
            deviation: 0.5,
            noise: 0.2,
            calibration: Calibration::default(),
            validation_spearman: 1.0,
            chance_percent: 1.0,
        }
    }

    #[test]
    fn a_predicted_accuracy_is_above_a_limit_with_the_probability_of_its_error() {
        // On the tower's scale one deviation of the error is 0.5 * 0.2 = 0.1. Accuracies of 90 % lie at -ln(10.5), so one
        // deviation below is 100.5 - 10.5 exp(0.1) = 88.895705 %, two above 100.5 - 10.5 exp(-0.2) = 91.903327 %. The normal
        // distribution has 0.8413447 above -1 and 0.0227501 above 2.
        let scale = scale();
        for (limit, expected) in [(90.0, 0.5), (88.895705, 0.8413447), (91.903327, 0.0227501)] {
            let predicted = Accuracy {
                percent: scale.estimate((to_scale(90.0) - scale.mean) / scale.deviation, 0.2),
                origin: Origin::Predicted,
                error: 0.2,
                drop: 0.0,
                kind: ScoreKind::Accuracy,
            };
            let found = scale.probability_at_least(&predicted, limit);
            assert!((found - expected).abs() < 1e-5, "{limit}: {found}");
        }
    }

    #[test]
    fn members_that_disagree_widen_the_interval() {
        // Mean 2, squares of 1 + 0 + 1 over two.
        assert_eq!(agreement([1.0, 2.0, 3.0].iter()), (2.0, 1.0));
        assert_eq!(agreement([2.5].iter()), (2.5, 0.0));
        let [near, far] = [0.2, 0.4].map(|deviation| scale().estimate(0.0, deviation));
        assert_eq!(near.mean, far.mean);
        // On the tower's scale both ends are twice as far away.
        let away = |estimate: &Estimate| to_scale(estimate.high) - to_scale(estimate.mean);
        assert!((away(&far) / away(&near) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn outside_of_what_was_learned_anything_is_possible() {
        let (inside, outside) = (scale().estimate(0.0, 0.2), scale().extrapolated(0.0, 0.2));
        assert_eq!((outside.mean, outside.low, outside.high), (inside.mean, 1.0, 100.0));
    }

    #[test]
    fn chance_is_what_was_measured_of_it_or_guessing() {
        assert_eq!(chance_percent(&[], 120), 100.0 / 120.0);
        assert_eq!(chance_percent(&[10.0, 9.8, 12.0], 100), 10.0);
        let scale = scale();
        // 1.644854 sqrt(0.01 x 0.99 / 10,000) = 0.1636607 %.
        let chance = scale.chance();
        assert!((chance.mean - chance.low - 0.1636607).abs() < 1e-6 && (chance.high - 1.1636607).abs() < 1e-6);
    }

    #[test]
    fn the_scale_has_an_inverse() {
        for accuracy in [0.0, 1.0, 50.0, 73.51, 99.9] {
            assert!((from_scale(to_scale(accuracy)) - accuracy).abs() < 1e-9);
        }
        assert_eq!(from_scale(1e3), 100.0);
    }
}
