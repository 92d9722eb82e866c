//! Accuracy of an architecture at one task: a tower where nothing was measured, the measurement where something was.

use std::collections::HashMap;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::calibrate::Calibration;
use super::device_model::{Estimate, LogPrediction};
use super::net::Ensemble;
use crate::compute::ComputeDevice;
use crate::dataset::Origin;
use crate::space::Architecture;
use crate::stats::INTERVAL_SHARE;

/// The tower predicts `-ln(CEILING - accuracy)`: errors near the top count for more, as they do in a choice between good
/// designs, and networks at chance do not stretch the scale.
const CEILING: f64 = 100.5;

/// Accuracy in percent to the scale of the tower.
pub(super) fn to_scale(accuracy_percent: f64) -> f64 {
    -(CEILING - accuracy_percent).ln()
}

/// The inverse of [`to_scale`], kept within 0..=100.
fn from_scale(value: f64) -> f64 {
    (CEILING - (-value).exp()).clamp(0.0, 100.0)
}

/// How the outputs of the accuracy tower are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccuracyScale {
    /// Task whose accuracy is predicted.
    pub task: String,
    /// Mean over the training architectures, on the tower's scale.
    pub mean: f64,
    /// Standard deviation over the training architectures, on the tower's scale.
    pub deviation: f64,
    /// Standard deviation of the error on validation architectures, in units of `deviation`.
    pub noise: f64,
    /// Quantiles of that error.
    pub calibration: Calibration,
    /// Rank correlation on validation architectures.
    pub validation_spearman: f64,
}

/// Predicts the accuracy at one task.
#[derive(Debug, Clone)]
pub struct AccuracyModel {
    /// How outputs are read.
    pub scale: AccuracyScale,
    /// The towers, one output.
    pub ensemble: Ensemble,
    /// What was measured (or simulated) in training, in percent.
    pub measured: HashMap<Architecture, f32>,
    /// Where those values come from.
    pub origin: Origin,
}

/// Accuracy of one architecture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// In percent, with its 90 % interval; for a measured accuracy all three are the same.
    pub percent: Estimate,
    /// Measured (or simulated) in training, or predicted.
    pub origin: Origin,
}

impl AccuracyModel {
    /// Accuracies of architectures, from their features `[features, architectures]`.
    pub fn predict(
        &self,
        architectures: &[Architecture],
        features: &DMatrix<f32>,
        device: &ComputeDevice,
    ) -> Vec<Accuracy> {
        let outputs = self.ensemble.predict(features, device);
        architectures
            .iter()
            .zip(outputs.iter())
            .map(|(architecture, &output)| match self.measured.get(architecture) {
                Some(&accuracy) => {
                    let accuracy = f64::from(accuracy);
                    Accuracy {
                        percent: Estimate {
                            mean: accuracy,
                            low: accuracy,
                            high: accuracy,
                        },
                        origin: self.origin,
                    }
                }
                None => Accuracy {
                    percent: self.estimate(output),
                    origin: Origin::Predicted,
                },
            })
            .collect()
    }

    fn estimate(&self, output: f32) -> Estimate {
        let prediction = LogPrediction {
            mean: output,
            deviation: self.scale.noise as f32,
        };
        let at = |probability: f64| {
            let error = self.scale.calibration.quantile(probability) * f64::from(prediction.deviation);
            from_scale(self.scale.mean + self.scale.deviation * (f64::from(prediction.mean) + error))
        };
        Estimate {
            mean: from_scale(self.scale.mean + self.scale.deviation * f64::from(output)),
            low: at(0.5 - INTERVAL_SHARE / 2.0),
            high: at(0.5 + INTERVAL_SHARE / 2.0),
        }
    }

    /// Probability that the accuracy is at least `limit`, in percent: 0 or 1 where it was measured.
    pub fn probability_at_least(&self, accuracy: &Accuracy, limit: f64) -> f64 {
        if accuracy.origin == Origin::Predicted {
            self.scale.probability_at_least(accuracy.percent.mean, limit)
        } else {
            f64::from(u8::from(accuracy.percent.mean >= limit))
        }
    }
}

impl AccuracyScale {
    /// Probability that an accuracy predicted as `expected` is at least `limit`, both in percent.
    fn probability_at_least(&self, expected: f64, limit: f64) -> f64 {
        let deviation = (self.deviation * self.noise).max(f64::MIN_POSITIVE);
        let error = (to_scale(limit) - to_scale(expected)) / deviation;
        1.0 - self.calibration.probability(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_predicted_accuracy_is_above_a_limit_with_the_probability_of_its_error() {
        // On the tower's scale one deviation of the error is 0.5 * 0.2 = 0.1. Accuracies of 90 % lie at -ln(10.5), so one
        // deviation below is 100.5 - 10.5 exp(0.1) = 88.895705 %, two above 100.5 - 10.5 exp(-0.2) = 91.903327 %. The normal
        // distribution has 0.8413447 above -1 and 0.0227501 above 2.
        let scale = AccuracyScale {
            task: "task".into(),
            mean: -3.0,
            deviation: 0.5,
            noise: 0.2,
            calibration: Calibration::default(),
            validation_spearman: 1.0,
        };
        for (limit, expected) in [(90.0, 0.5), (88.895705, 0.8413447), (91.903327, 0.0227501)] {
            let found = scale.probability_at_least(90.0, limit);
            assert!((found - expected).abs() < 1e-5, "{limit}: {found}");
        }
    }

    #[test]
    fn the_scale_has_an_inverse() {
        for accuracy in [0.0, 1.0, 50.0, 73.51, 99.9] {
            assert!((from_scale(to_scale(accuracy)) - accuracy).abs() < 1e-9);
        }
        assert_eq!(from_scale(1e3), 100.0);
    }
}
