//! From a few probes to a device: conjugate Bayesian linear regression on the basis of [`super::prior`], averaged over
//! the mixture's centres and over scale, prior widths and noise, each weighted by its marginal likelihood.
//!
//! For one setting `h` (centre `c`, scale `s`, widths `k`, noise `n`) the standardised probes are Gaussian,
//! `(log y - level) / s ~ N(c . phi, phi' K phi + n^2 I)`, so the posterior over the weights and the evidence have closed
//! forms (Rasmussen & Williams 2006, chapter 2). Settings are drawn from their hyperprior; the sum over them is importance
//! sampling of the exact hierarchical posterior. It needs no gradient and takes milliseconds for 20 probes.

#[cfg(test)]
mod tests;

use std::f64::consts::PI;

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};
use rand::Rng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::device_model::Posterior;
use super::prior::{Coordinate, Prior};
use super::similarity::DeviceSimilarity;
use crate::seed::Seed;

/// Settings drawn for up to this many probes; fewer for more, since the work grows with the square.
const SETTINGS: usize = 1500;
const MIN_SETTINGS: usize = 200;
const PROBES_AT_FULL_SETTINGS: usize = 24;
/// Share of the evidence that the settings kept for the posterior must hold, and how many are kept at most.
const KEPT_EVIDENCE: f64 = 0.995;
const MAX_KEPT: usize = 150;

/// Share of the mixture around the mean of the known devices; the rest is around known and synthetic ones.
const AROUND_MEAN: f64 = 0.1;
/// Share around the function that another one is like, where there is one.
const AROUND_LIKE: f64 = 0.5;
/// Prior standard deviation of the constant, in units of the scale.
pub(crate) const LEVEL_WIDTH: f64 = 3.0;
/// Median and log-spread of the prior widths along known and along synthetic directions.
const KNOWN_WIDTH: (f64, f64) = (0.2, 0.7);
const SYNTHETIC_WIDTH: (f64, f64) = (0.4, 0.8);
/// The same along the features, where the prior expects little and many probes may find something.
const FEATURE_WIDTH: (f64, f64) = (0.05, 1.0);
/// Prior standard deviations of degenerate networks on devices that run them like others, and on those that optimise them away;
/// and the share of the former.
const DEGENERATE_WIDTHS: (f64, f64) = (0.05, 2.0);
const DEGENERATE_ORDINARY: f64 = 0.7;
/// Log-spread of the scale around the known devices' typical scale, and of the noise around that of the known device in
/// the centre.
const SCALE_SPREAD: f64 = 0.4;
const LIKE_NOISE_SPREAD: f64 = 0.5;
/// Median and log-spread of the noise where no known device is in the centre: the known devices may all be quieter.
const NOISE: (f64, f64) = (0.25, 0.8);

/// One draw from the hyperprior.
#[derive(Debug, Clone, Copy)]
struct Setting {
    centre: Centre,
    scale: f64,
    known: f64,
    synthetic: f64,
    feature: f64,
    degenerate: f64,
    noise: f64,
}

#[derive(Debug, Clone, Copy)]
enum Centre {
    Mean,
    Known(usize),
    Synthetic(usize),
    Like,
}

impl Setting {
    fn draw(prior: &Prior, similarity: &DeviceSimilarity, like: bool, rng: &mut StdRng) -> Setting {
        let which: f64 = rng.random();
        let centre = match which {
            _ if like && rng.random_bool(AROUND_LIKE) => Centre::Like,
            which if which < AROUND_MEAN => Centre::Mean,
            which if which < AROUND_MEAN + similarity.around_synthetic() => {
                Centre::Synthetic(similarity.draw_synthetic(rng))
            }
            _ => Centre::Known(similarity.draw_known(rng)),
        };
        let degenerate = if rng.random::<f64>() < DEGENERATE_ORDINARY {
            DEGENERATE_WIDTHS.0
        } else {
            DEGENERATE_WIDTHS.1
        };
        let mut log_normal = |median: f64, spread: f64| {
            let deviation: f64 = StandardNormal.sample(rng);
            median * (spread * deviation).exp()
        };
        let noise = match centre {
            Centre::Known(index) => log_normal(prior.known[index].noise, LIKE_NOISE_SPREAD),
            Centre::Mean | Centre::Synthetic(_) | Centre::Like => log_normal(NOISE.0, NOISE.1),
        };
        Setting {
            centre,
            scale: log_normal(similarity.typical_scale(prior), SCALE_SPREAD),
            known: log_normal(KNOWN_WIDTH.0, KNOWN_WIDTH.1),
            synthetic: log_normal(SYNTHETIC_WIDTH.0, SYNTHETIC_WIDTH.1),
            feature: log_normal(FEATURE_WIDTH.0, FEATURE_WIDTH.1),
            degenerate,
            noise,
        }
    }

    /// Prior variance of each coordinate.
    fn variances(&self, prior: &Prior) -> DVector<f64> {
        DVector::from_iterator(
            prior.rank(),
            prior.coordinates.iter().map(|coordinate| match coordinate {
                Coordinate::Constant => LEVEL_WIDTH * LEVEL_WIDTH,
                Coordinate::Degenerate => self.degenerate * self.degenerate,
                Coordinate::Mean => 0.0,
                Coordinate::Known => self.known * self.known,
                Coordinate::Synthetic => self.synthetic * self.synthetic,
                Coordinate::Feature => self.feature * self.feature,
            }),
        )
    }
}

/// What devices may be around, as weights in standardised units.
struct Centres<'a> {
    prior: &'a Prior,
    mean: DVector<f64>,
    like: DVector<f64>,
}

impl<'a> Centres<'a> {
    fn new(prior: &'a Prior, similarity: &DeviceSimilarity, like: Option<&Posterior>) -> Self {
        let standardised = |like: &Posterior| {
            let mut weights = like.mean.map(f64::from) / similarity.typical_scale(prior);
            // The level is the probes' own.
            weights[0] = 0.0;
            weights
        };
        Centres {
            prior,
            mean: similarity.mean_centre(prior),
            like: like.map_or_else(|| DVector::zeros(prior.rank()), standardised),
        }
    }

    fn of(&self, setting: &Setting) -> DVector<f64> {
        match setting.centre {
            Centre::Mean => self.mean.clone(),
            Centre::Like => self.like.clone(),
            Centre::Known(index) => self.prior.known_centres.column(index).into_owned(),
            Centre::Synthetic(index) => self.prior.synthetic_centres.column(index).into_owned(),
        }
    }
}

/// Adapts the prior to probes: `basis` is `[rank, probes]`, `logs` the natural logarithms of what was measured.
///
/// `like` is a function on the same basis that this one may be a multiple of: that of a device's latency, for its energy.
///
/// With no probes the result is the prior itself, at the level and scale of the known devices that the new one is like. The same probes and seed give the
/// same result.
pub fn adapt(
    prior: &Prior,
    similarity: &DeviceSimilarity,
    like: Option<&Posterior>,
    basis: &DMatrix<f64>,
    logs: &[f64],
    seed: Seed,
) -> Posterior {
    let centres = Centres::new(prior, similarity, like);
    let mut rng = seed.stream("adapt");
    let crowd = (PROBES_AT_FULL_SETTINGS as f64 / logs.len().max(1) as f64)
        .powi(2)
        .min(1.0);
    let count = ((SETTINGS as f64 * crowd) as usize).max(MIN_SETTINGS);
    let settings: Vec<Setting> = (0..count)
        .map(|_| Setting::draw(prior, similarity, like.is_some(), &mut rng))
        .collect();
    if logs.is_empty() {
        return average(prior, &without_probes(&centres, similarity, &settings));
    }
    let level = logs.iter().sum::<f64>() / logs.len() as f64;
    let probes = Probes::new(&centres, basis, logs, level);
    let evidence: Vec<f64> = settings
        .par_iter()
        .map(|setting| probes.log_evidence(setting))
        .collect();
    let kept = heaviest(&evidence);
    let parts: Vec<Part> = kept
        .par_iter()
        .map(|&(index, weight)| probes.posterior(&settings[index], &centres, level, weight))
        .collect();
    average(prior, &parts)
}

/// The settings that hold most of the evidence, as (index, weight), weights adding up to one.
fn heaviest(log_evidence: &[f64]) -> Vec<(usize, f64)> {
    let largest = log_evidence.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = log_evidence.iter().map(|value| (value - largest).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(a.cmp(&b)));
    let mut kept = Vec::new();
    let mut held = 0.0;
    for index in order {
        if held >= KEPT_EVIDENCE * total || kept.len() == MAX_KEPT {
            break;
        }
        held += weights[index];
        kept.push((index, weights[index]));
    }
    kept.into_iter().map(|(index, weight)| (index, weight / held)).collect()
}

/// Weights over the basis in log units, for one setting.
struct Part {
    weight: f64,
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
    noise_variance: f64,
}

/// The probes with what is shared between settings: Gram matrices of the parts of the kernel, and centres at the probes.
struct Probes<'a> {
    basis: &'a DMatrix<f64>,
    logs: DVector<f64>,
    known: DMatrix<f64>,
    synthetic: DMatrix<f64>,
    feature: DMatrix<f64>,
    level: DMatrix<f64>,
    degenerate: DMatrix<f64>,
    mean_centre: DVector<f64>,
    known_centres: DMatrix<f64>,
    synthetic_centres: DMatrix<f64>,
    like_centre: DVector<f64>,
}

impl<'a> Probes<'a> {
    fn new(centres: &Centres, basis: &'a DMatrix<f64>, logs: &[f64], level: f64) -> Self {
        let prior = centres.prior;
        let gram = |wanted: &[Coordinate]| {
            let rows: Vec<usize> = (0..prior.rank())
                .filter(|&row| wanted.contains(&prior.coordinates[row]))
                .collect();
            let part = basis.select_rows(&rows);
            part.transpose() * part
        };
        let transposed = basis.transpose();
        Probes {
            known: gram(&[Coordinate::Known]),
            synthetic: gram(&[Coordinate::Synthetic]),
            feature: gram(&[Coordinate::Feature]),
            level: gram(&[Coordinate::Constant]) * (LEVEL_WIDTH * LEVEL_WIDTH),
            degenerate: gram(&[Coordinate::Degenerate]),
            mean_centre: &transposed * &centres.mean,
            like_centre: &transposed * &centres.like,
            known_centres: &transposed * &prior.known_centres,
            synthetic_centres: &transposed * &prior.synthetic_centres,
            logs: DVector::from_iterator(logs.len(), logs.iter().map(|log| log - level)),
            basis,
        }
    }

    /// Covariance of the standardised probes, factored, and their distance from the centre.
    fn standardised(&self, setting: &Setting) -> Option<(Cholesky<f64, Dyn>, DVector<f64>)> {
        let mut covariance = self.level.clone();
        for (width, gram) in [
            (setting.known, &self.known),
            (setting.synthetic, &self.synthetic),
            (setting.feature, &self.feature),
            (setting.degenerate, &self.degenerate),
        ] {
            covariance.zip_apply(gram, |value, part| *value += width * width * part);
        }
        for index in 0..covariance.nrows() {
            covariance[(index, index)] += setting.noise * setting.noise;
        }
        let centre = match setting.centre {
            Centre::Mean => self.mean_centre.as_view::<Dyn, nalgebra::U1, nalgebra::U1, Dyn>(),
            Centre::Like => self.like_centre.as_view::<Dyn, nalgebra::U1, nalgebra::U1, Dyn>(),
            Centre::Known(index) => self.known_centres.column(index),
            Centre::Synthetic(index) => self.synthetic_centres.column(index),
        };
        let distance = &self.logs / setting.scale - centre;
        Cholesky::new(covariance).map(|factor| (factor, distance))
    }

    fn log_evidence(&self, setting: &Setting) -> f64 {
        let Some((factor, mut distance)) = self.standardised(setting) else {
            return f64::NEG_INFINITY;
        };
        let count = distance.len() as f64;
        if !factor.l_dirty().solve_lower_triangular_mut(&mut distance) {
            return f64::NEG_INFINITY;
        }
        let log_determinant: f64 = factor.l_dirty().diagonal().iter().map(|value| value.ln()).sum();
        -0.5 * distance.norm_squared() - log_determinant - count * (setting.scale.ln() + 0.5 * (2.0 * PI).ln())
    }

    fn posterior(&self, setting: &Setting, centres: &Centres, level: f64, weight: f64) -> Part {
        let variances = setting.variances(centres.prior);
        let centre = centres.of(setting);
        let mut covariance = DMatrix::from_diagonal(&variances);
        let mut mean = centre;
        if let Some((factor, distance)) = self.standardised(setting) {
            let mut cross = self.basis.clone();
            for (mut row, variance) in cross.row_iter_mut().zip(variances.iter()) {
                row *= *variance;
            }
            mean += &cross * factor.solve(&distance);
            let half = factor
                .l_dirty()
                .solve_lower_triangular(&cross.transpose())
                .unwrap_or_else(|| cross.transpose() * 0.0);
            covariance -= half.transpose() * half;
        }
        scaled(setting, level, weight, mean, covariance)
    }
}

/// Turns weights in standardised units into weights in log units around a level. The constant is the first coordinate.
fn scaled(setting: &Setting, level: f64, weight: f64, mean: DVector<f64>, covariance: DMatrix<f64>) -> Part {
    let mut mean = mean * setting.scale;
    mean[0] += level;
    Part {
        weight,
        mean,
        covariance: covariance * (setting.scale * setting.scale),
        noise_variance: (setting.noise * setting.scale).powi(2),
    }
}

fn without_probes(centres: &Centres, similarity: &DeviceSimilarity, settings: &[Setting]) -> Vec<Part> {
    let prior = centres.prior;
    let (level, deviation) = similarity.level(prior);
    let settings = &settings[..settings.len().min(MAX_KEPT)];
    let weight = 1.0 / settings.len() as f64;
    settings
        .iter()
        .map(|setting| {
            let mut variances = setting.variances(prior);
            variances[0] = (deviation / setting.scale).powi(2);
            scaled(
                setting,
                level,
                weight,
                centres.of(setting),
                DMatrix::from_diagonal(&variances),
            )
        })
        .collect()
}

/// Mean and covariance of the mixture of the parts.
fn average(prior: &Prior, parts: &[Part]) -> Posterior {
    let rank = prior.rank();
    let mut mean = DVector::zeros(rank);
    let mut noise_variance = 0.0;
    for part in parts {
        mean += &part.mean * part.weight;
        noise_variance += part.noise_variance * part.weight;
    }
    let mut covariance = DMatrix::zeros(rank, rank);
    for part in parts {
        let away = &part.mean - &mean;
        covariance += &part.covariance * part.weight;
        covariance.ger(part.weight, &away, &away, 1.0);
    }
    Posterior::new(mean, covariance, noise_variance)
}
