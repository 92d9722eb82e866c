//! From a few probes to a device: conjugate Bayesian linear regression on the basis of [`super::prior`], see `evidence`,
//! averaged over the mixture's centres and over scale, prior widths and noise, see `hyperprior`, each as often as the probes
//! say, see `sample`. It needs no gradient, takes milliseconds for 20 probes, and seconds for ten thousands.

mod evidence;
mod hyperprior;
mod sample;
#[cfg(test)]
mod tests;

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::device_model::Posterior;
use super::prior::Prior;
use super::similarity::DeviceSimilarity;
use crate::seed::Seed;
use evidence::{Weights, evidence};
use hyperprior::{Hyperprior, Setting};

/// Settings drawn for up to this many probes; fewer for more, since the work grows with the square, and since the settings move
/// where probes are many.
const SETTINGS: usize = 1500;
const MIN_SETTINGS: usize = 300;
const PROBES_AT_FULL_SETTINGS: usize = 24;

/// What was measured, one entry per architecture.
#[derive(Debug, Clone)]
pub struct Measured {
    /// `[rank, architectures]`.
    basis: DMatrix<f64>,
    /// Natural logarithms of the values.
    logs: DVector<f64>,
    /// Variance of each logarithm around the device's function, relative to that of one measurement.
    noise: DVector<f64>,
}

impl Measured {
    /// Every architecture measured once: `basis` is `[rank, architectures]`, `logs` are natural logarithms.
    pub fn once(basis: DMatrix<f64>, logs: &[f64]) -> Measured {
        Measured::repeated(basis, logs, &vec![1; logs.len()])
    }

    /// As [`Measured::once`], with `logs` means over `times` independent measurements each. Half of the variance of a measurement
    /// is taken to be the architecture's own, which no repetition takes away: what the basis does not explain of it.
    pub fn repeated(basis: DMatrix<f64>, logs: &[f64], times: &[usize]) -> Measured {
        Measured {
            basis,
            logs: DVector::from_column_slice(logs),
            noise: DVector::from_iterator(times.len(), times.iter().map(|&times| 0.5 + 0.5 / times.max(1) as f64)),
        }
    }

    /// Number of architectures.
    pub fn len(&self) -> usize {
        self.logs.len()
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// The basis at the architectures: `[rank, architectures]`.
    pub(super) fn basis(&self) -> DMatrix<f32> {
        self.basis.map(|value| value as f32)
    }

    /// Natural logarithm of one value.
    pub(super) fn log(&self, index: usize) -> f64 {
        self.logs[index]
    }

    /// What was measured of all architectures but one.
    pub(super) fn without(&self, index: usize) -> Measured {
        Measured {
            basis: self.basis.clone().remove_column(index),
            logs: self.logs.clone().remove_row(index),
            noise: self.noise.clone().remove_row(index),
        }
    }
}

/// Weights over the basis in log units, for one setting.
struct Part {
    share: f64,
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
    noise_variance: f64,
}

/// Adapts the prior to what was measured.
///
/// `like` is a function on the same basis that this one may be a multiple of: that of a device's latency, for its energy.
///
/// Where nothing was measured the result is the prior itself, at the level and scale of the known devices that the new one is
/// like. The same measurements and seed give the same result.
pub fn adapt(
    prior: &Prior,
    similarity: &DeviceSimilarity,
    like: Option<&Posterior>,
    mut measured: Measured,
    seed: Seed,
) -> Posterior {
    let hyperprior = Hyperprior::new(prior, similarity, like);
    if measured.is_empty() {
        return hyperprior.moments();
    }
    let mut rng = seed.stream("adapt");
    let settings: Vec<Setting> = (0..settings_for(measured.len()))
        .map(|_| hyperprior.draw(&mut rng))
        .collect();
    // The level is found anyway; near zero the sums over the probes are exact.
    let level = measured.logs.mean();
    measured.logs.add_scalar_mut(-level);
    let evidence = evidence(&hyperprior, &measured);
    let kept = sample::posterior(&hyperprior, settings, &*evidence, &mut rng);
    let parts: Vec<Part> = kept
        .par_iter()
        .filter_map(|one| Some(scaled(&one.setting, level, one.share, evidence.weights(&one.setting)?)))
        .collect();
    average(prior, &parts)
}

fn settings_for(probes: usize) -> usize {
    let crowd = (PROBES_AT_FULL_SETTINGS as f64 / probes.max(1) as f64).powi(2).min(1.0);
    ((SETTINGS as f64 * crowd) as usize).max(MIN_SETTINGS)
}

/// Turns weights in standardised units into weights in log units around a level. The constant is the first coordinate.
fn scaled(setting: &Setting, level: f64, share: f64, weights: Weights) -> Part {
    let mut mean = weights.mean * setting.scale;
    mean[0] += level;
    Part {
        share,
        mean,
        covariance: weights.covariance * setting.scale.powi(2),
        noise_variance: (setting.noise * setting.scale).powi(2),
    }
}

/// Mean and covariance of the mixture of the parts.
fn average(prior: &Prior, parts: &[Part]) -> Posterior {
    let rank = prior.rank();
    let mut mean = DVector::zeros(rank);
    let mut noise_variance = 0.0;
    for part in parts {
        mean += &part.mean * part.share;
        noise_variance += part.noise_variance * part.share;
    }
    let mut covariance = DMatrix::zeros(rank, rank);
    for part in parts {
        let away = &part.mean - &mean;
        covariance += &part.covariance * part.share;
        covariance.ger(part.share, &away, &away, 1.0);
    }
    Posterior::new(mean, covariance, noise_variance)
}
