//! One device as the predictor sees it: a Gaussian over the basis weights, and intervals calibrated on known devices.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::calibrate::Calibration;

/// Ends of intervals are this far from 1 at most, as a logarithm, so that they are numbers.
const LARGEST_LOG: f64 = 600.0;

/// Gaussian over the weights of the basis, in natural log units of the metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Posterior {
    /// `[rank]`.
    pub mean: DVector<f32>,
    /// `[parts, rank]`, `R` with `R' R` the covariance of the weights.
    root: DMatrix<f32>,
    /// Variance of a measurement around the function.
    pub noise_variance: f32,
}

/// Mean and standard deviation of the natural logarithm of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogPrediction {
    /// Mean of the logarithm.
    pub mean: f32,
    /// Standard deviation of the logarithm of one measurement.
    pub deviation: f32,
}

impl Posterior {
    /// From mean and covariance in double precision.
    pub fn new(mean: DVector<f64>, covariance: DMatrix<f64>, noise_variance: f64) -> Posterior {
        let eigen = covariance.symmetric_eigen();
        let mut root = eigen.eigenvectors.transpose();
        for (mut row, value) in root.row_iter_mut().zip(eigen.eigenvalues.iter()) {
            // Rounding leaves eigenvalues a hair below zero.
            row *= value.max(0.0).sqrt();
        }
        Posterior {
            mean: mean.cast(),
            root: root.cast(),
            noise_variance: noise_variance as f32,
        }
    }

    /// `[parts, rank]`.
    pub(super) fn root(&self) -> &DMatrix<f32> {
        &self.root
    }

    /// The same function moved by `level`, known up to `variance` more at every architecture together, and up to
    /// `noise_variance` more at each by itself.
    pub(super) fn shifted(&self, level: f64, variance: f64, noise_variance: f64) -> Posterior {
        // The first coordinate is the constant.
        let mut mean = self.mean.clone();
        mean[0] += level as f32;
        let mut root = self.root.clone().insert_row(self.root.nrows(), 0.0);
        root[(self.root.nrows(), 0)] = variance.sqrt() as f32;
        Posterior {
            mean,
            root,
            noise_variance: self.noise_variance + noise_variance as f32,
        }
    }

    /// Predictions at some architectures, from the basis there: `[rank, architectures]`.
    pub fn predict(&self, basis: &DMatrix<f32>) -> Vec<LogPrediction> {
        let means = basis.tr_mul(&self.mean);
        let spread = &self.root * basis;
        means
            .iter()
            .zip(spread.column_iter())
            .map(|(&mean, column)| LogPrediction {
                mean,
                deviation: (column.norm_squared() + self.noise_variance).sqrt(),
            })
            .collect()
    }
}

/// A value with the interval that it lies in with a stated probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Most likely value (the median for latency and energy).
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// One metric of one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricModel {
    /// What is known about the weights.
    pub posterior: Posterior,
    /// How far off predictions made from as many probes turned out to be.
    pub calibration: Calibration,
}

impl MetricModel {
    /// Predictions in log units; see [`Posterior::predict`].
    pub fn predict(&self, basis: &DMatrix<f32>) -> Vec<LogPrediction> {
        self.posterior.predict(basis)
    }

    /// The median and the central interval that holds `share` of measurements, in the metric's unit.
    pub fn estimate(&self, prediction: LogPrediction, share: f64) -> Estimate {
        let value = |log: f64| log.clamp(-LARGEST_LOG, LARGEST_LOG).exp();
        let at = |probability| {
            let beyond = self.calibration.quantile(probability) * f64::from(prediction.deviation);
            value(f64::from(prediction.mean) + beyond)
        };
        Estimate {
            mean: value(f64::from(prediction.mean)),
            low: at(0.5 - share / 2.0),
            high: at(0.5 + share / 2.0),
        }
    }

    /// Probability that a measurement is at most `limit`, in the metric's unit.
    pub fn probability_below(&self, prediction: LogPrediction, limit: f64) -> f64 {
        self.calibration
            .probability((limit.ln() - f64::from(prediction.mean)) / f64::from(prediction.deviation))
    }

    /// Logarithm of the value that a measurement stays below with `confidence`.
    pub fn log_upper(&self, prediction: LogPrediction, confidence: f64) -> f64 {
        f64::from(prediction.mean) + self.calibration.quantile(confidence) * f64::from(prediction.deviation)
    }
}
