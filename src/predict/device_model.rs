//! One device as the predictor sees it: a profile with a residual around it, and intervals calibrated on known devices.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::calibrate::Calibration;
use crate::profile::{COORDINATES, COUNTS, Coordinates, Covariance, KINDS, Priced, Setting, gradient_of};

/// Ends of intervals are this far from 1 at most, as a logarithm, so that they are numbers.
const LARGEST_LOG: f64 = 600.0;

/// The logarithm of a metric at an architecture: that of the sum of its work at prices, plus what follows a Gaussian over the
/// coordinates of the profile (along the derivatives of that logarithm) and over the weights of the residual's basis.
///
/// The basis of an architecture is its counts of work, `[COUNTS]`, followed by the functions of the residual, `[rank]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Posterior {
    /// `[COUNTS]`: ms (or mJ) per unit of work in this setting.
    pub(super) prices: DVector<f32>,
    /// Inputs computed at once.
    batch: f32,
    /// `[COORDINATES + rank]`: how far the profile is from the prices, and weights of the residual.
    mean: DVector<f32>,
    /// `[parts, COORDINATES + rank]`, `R` with `R' R` the covariance.
    pub(super) root: DMatrix<f32>,
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
    /// Around a profile in a setting: `mean` `[COORDINATES + rank]` with its covariance, in double precision.
    pub fn new(
        profile: &Coordinates,
        setting: &Setting,
        mean: &DVector<f64>,
        covariance: DMatrix<f64>,
        noise_variance: f64,
    ) -> Posterior {
        let eigen = covariance.symmetric_eigen();
        let mut root = eigen.eigenvectors.transpose();
        for (mut row, value) in root.row_iter_mut().zip(eigen.eigenvalues.iter()) {
            // Rounding leaves eigenvalues a hair below zero.
            row *= value.max(0.0).sqrt();
        }
        Posterior::with_root(profile, setting, mean, &root, noise_variance)
    }

    /// As [`Posterior::new`] with `root` `[parts, COORDINATES + rank]`, whose square is the covariance.
    pub fn with_root(
        profile: &Coordinates,
        setting: &Setting,
        mean: &DVector<f64>,
        root: &DMatrix<f64>,
        noise_variance: f64,
    ) -> Posterior {
        let prices = Priced::new(profile, setting).prices;
        Posterior {
            prices: DVector::from_iterator(COUNTS, prices.into_iter().map(|price| price as f32)),
            batch: setting.batch as f32,
            mean: mean.clone().cast(),
            root: root.clone().cast(),
            noise_variance: noise_variance as f32,
        }
    }

    /// `[COUNTS]`.
    pub(super) fn prices(&self) -> &DVector<f32> {
        &self.prices
    }

    /// `[COORDINATES + rank]`.
    pub(super) fn mean(&self) -> &DVector<f32> {
        &self.mean
    }

    /// `[parts, COORDINATES + rank]`.
    pub(super) fn root(&self) -> &DMatrix<f32> {
        &self.root
    }

    /// The setting that the prices are of.
    pub fn setting(&self) -> Setting {
        Setting {
            batch: f64::from(self.batch),
        }
    }

    /// The device's profile, and the standard deviations of its coordinates.
    pub fn profile(&self) -> (Coordinates, Coordinates) {
        let factors = self.setting().factors();
        let price = |index: usize| f64::from(self.prices[index]).max(f64::MIN_POSITIVE).ln();
        let profile = Coordinates::from_fn(|index, _| {
            let at = if index < KINDS {
                price(index) - factors[index].ln()
            } else {
                // The first kind has a price in every part.
                price((index - KINDS + 1) * KINDS) - price(0)
            };
            at + f64::from(self.mean[index])
        });
        let deviation = |index: usize| f64::from(self.root.column(index).norm());
        (profile, Coordinates::from_fn(|index, _| deviation(index)))
    }

    /// The profile that the Gaussian is around.
    pub(super) fn around(&self) -> Coordinates {
        let (profile, _) = self.profile();
        Coordinates::from_fn(|index, _| profile[index] - f64::from(self.mean[index]))
    }

    /// Covariance of the coordinates of the profile.
    pub(super) fn covariance(&self) -> Covariance {
        let root = self.root.columns(0, COORDINATES).map(f64::from);
        let covariance = root.tr_mul(&root);
        Covariance::from_fn(|row, column| covariance[(row, column)])
    }

    /// Weights of the residual, `[rank]`.
    pub(super) fn residual(&self) -> DVector<f64> {
        self.mean
            .rows(COORDINATES, self.mean.len() - COORDINATES)
            .map(f64::from)
    }

    /// The same function moved by `level`, known up to `variance` more at every architecture together, and up to
    /// `noise_variance` more at each by itself.
    pub(super) fn shifted(&self, level: f64, variance: f64, noise_variance: f64) -> Posterior {
        // All prices together are the level.
        let mut moved = self.clone();
        moved.mean.rows_mut(0, KINDS).add_scalar_mut(level as f32);
        let parts = self.root.nrows();
        moved.root = self.root.clone().insert_row(parts, 0.0);
        moved.root.view_mut((parts, 0), (1, KINDS)).fill(variance.sqrt() as f32);
        moved.noise_variance += noise_variance as f32;
        moved
    }

    /// The same function known `factor` times less well: so many times the standard deviations.
    pub(super) fn widened(mut self, factor: f64) -> Posterior {
        self.root *= factor as f32;
        self.noise_variance *= (factor * factor) as f32;
        self
    }

    /// Predictions at some architectures, from the basis there: `[COUNTS + rank, architectures]`.
    pub fn predict(&self, basis: &DMatrix<f32>) -> Vec<LogPrediction> {
        let (logs, tangent) = self.tangent(basis);
        let means = logs + tangent.tr_mul(&self.mean);
        let spread = &self.root * tangent;
        means
            .iter()
            .zip(spread.column_iter())
            .map(|(&mean, column)| LogPrediction {
                mean,
                deviation: (column.norm_squared() + self.noise_variance).sqrt(),
            })
            .collect()
    }

    /// Mean of the logarithm at one architecture, from its basis `[COUNTS + rank]`.
    pub fn log_mean(&self, basis: &[f32]) -> f32 {
        let (counts, functions) = basis.split_at(COUNTS);
        let mut gradient = [0.0; COORDINATES];
        let log = gradient_of(self.prices.as_slice(), counts, &mut gradient).ln();
        let along = gradient.iter().chain(functions).zip(self.mean.iter());
        log + along.map(|(value, weight)| value * weight).sum::<f32>()
    }

    /// Logarithms of the sums at the prices, `[architectures]`, and the derivatives by all that is uncertain,
    /// `[COORDINATES + rank, architectures]`.
    fn tangent(&self, basis: &DMatrix<f32>) -> (DVector<f32>, DMatrix<f32>) {
        let rank = self.mean.len() - COORDINATES;
        let mut tangent = DMatrix::zeros(COORDINATES + rank, basis.ncols());
        let mut logs = DVector::zeros(basis.ncols());
        for (index, mut column) in tangent.column_iter_mut().enumerate() {
            let at = basis.column(index);
            let (counts, functions) = at.as_slice().split_at(COUNTS);
            let (gradient, residual) = column.as_mut_slice().split_at_mut(COORDINATES);
            logs[index] = gradient_of(self.prices.as_slice(), counts, gradient).ln();
            residual.copy_from_slice(&functions[..rank]);
        }
        (logs, tangent)
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
