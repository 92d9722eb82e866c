//! Devices to train the policy on, drawn around the known ones: mixtures of known and synthetic devices, moved along the
//! directions in which devices differ, and known as imprecisely as adapted devices are. Some are given their precision at
//! random; the others are really adapted to, from a few probes under one setting of [`crate::predict::adapt`].

use nalgebra::{DMatrix, DVector};
use rand::Rng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Exp1, StandardNormal};

use crate::predict::Prior;
use crate::predict::prior::Coordinate;
use crate::predict::probes::LEVEL_WIDTH;

/// Shares of the kinds of centres: mixtures of known devices, of known and synthetic ones, synthetic ones; the rest is around the
/// mean.
const MIXED_KNOWN: f64 = 0.55;
const MIXED_WITH_SYNTHETIC: f64 = 0.2;
const SYNTHETIC: f64 = 0.15;
/// Most centres in a mixture.
const MAX_MIXED: usize = 3;
/// Width of the degenerate networks' level, in units of the scale.
const DEGENERATE_WIDTH: f64 = 1.0;
/// Synthetic directions are this much narrower than known ones.
const SYNTHETIC_WIDTH: f64 = 0.3;
/// Features beyond what devices show are as good as still.
const FEATURE_WIDTH: f64 = 0.05;
/// Ranges, even in the logarithm: how far devices are from their centre along the directions, how uncertain their weights
/// are, and their noise, in units of the scale.
const MOVED: (f64, f64) = (0.02, 1.0);
const UNCERTAIN: (f64, f64) = (0.02, 0.6);
const NOISE: (f64, f64) = (0.03, 0.4);
/// Share of devices that are adapted to, the range of their numbers of probes, and that of their prior widths.
const ADAPTED: f64 = 0.6;
const PROBES: (f64, f64) = (2.0, 40.0);
const PRIOR_WIDTH: (f64, f64) = (0.3, 2.0);
/// Draws from the distribution of the weights that stand for it.
const DRAWS: usize = 10;
/// Standard deviations that upper bounds lie above the mean; 2.3 is a confidence of 99 %.
const MAX_MARGIN: f64 = 2.3;
/// Log-spread of the scale around a known device's.
const SCALE_SPREAD: f64 = 0.2;

/// A synthetic device, for one metric: `log y = mean . phi`, known up to `sqrt(noise^2 + |spread phi|^2)`.
pub(super) struct DrawnMetric {
    /// `[rank, 1 + draws]`: the mean, then uncertain directions.
    pub(super) weights: DMatrix<f32>,
    /// Variance of a measurement around the function.
    pub(super) noise_variance: f32,
    /// Standard deviations between the mean and the bound that limits are held against.
    pub(super) margin: f32,
}

/// Which centres a device is mixed from; the same for its latency and its energy.
pub(super) struct Recipe {
    known: Vec<(String, f64)>,
    synthetic: Vec<(f64, f64)>,
    mean: f64,
}

impl Recipe {
    /// Draws a recipe over the devices known to `prior`.
    pub(super) fn draw(prior: &Prior, rng: &mut StdRng) -> Recipe {
        let kind: f64 = rng.random();
        let count = |rng: &mut StdRng| rng.random_range(1..=MAX_MIXED);
        let (known, synthetic) = match kind {
            kind if kind < MIXED_KNOWN => (count(rng), 0),
            kind if kind < MIXED_KNOWN + MIXED_WITH_SYNTHETIC => (1, 1),
            kind if kind < MIXED_KNOWN + MIXED_WITH_SYNTHETIC + SYNTHETIC => (0, count(rng)),
            _ => (0, 0),
        };
        let shares: Vec<f64> = (0..known + synthetic).map(|_| Exp1.sample(rng)).collect();
        let total: f64 = shares.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let share = |index: usize| shares[index] / total;
        Recipe {
            known: (0..known)
                .map(|index| {
                    (
                        prior.known[rng.random_range(0..prior.known.len())].id.clone(),
                        share(index),
                    )
                })
                .collect(),
            // The position among the synthetic centres, as a part of their number.
            synthetic: (known..known + synthetic)
                .map(|index| (rng.random(), share(index)))
                .collect(),
            mean: f64::from(u8::from(known + synthetic == 0)),
        }
    }

    fn centre(&self, prior: &Prior) -> DVector<f64> {
        let mut centre = prior.mean_centre() * self.mean;
        for (id, share) in &self.known {
            match prior.known.iter().position(|device| device.id == *id) {
                Some(index) => centre += prior.known_centres.column(index) * *share,
                None => centre += prior.mean_centre() * *share,
            }
        }
        for (place, share) in &self.synthetic {
            let index = (place * prior.synthetic_centres.ncols() as f64) as usize;
            centre += prior.synthetic_centres.column(index) * *share;
        }
        centre
    }

    /// Draws the rest: scale, distance from the centre, and precision. `reference`, `[architectures, rank]`, is the basis
    /// where probes may be taken.
    pub(super) fn metric(&self, prior: &Prior, reference: &DMatrix<f32>, rng: &mut StdRng) -> DrawnMetric {
        let scale = prior.known[rng.random_range(0..prior.known.len())].scale * (SCALE_SPREAD * normal(rng)).exp();
        let widths = DVector::from_iterator(prior.rank(), prior.coordinates.iter().map(width));
        let centre = self.centre(prior);
        let truth = &centre + draw(&widths, rng) * log_uniform(MOVED, rng);
        let noise = log_uniform(NOISE, rng);
        let mut weights = DMatrix::zeros(prior.rank(), 1 + DRAWS);
        if rng.random_bool(ADAPTED) {
            let adapted = Adaptation::draw(prior, reference, noise, rng);
            let measured = adapted.probes.tr_mul(&truth) + adapted.errors(rng);
            let from_centre = measured - adapted.probes.tr_mul(&centre);
            weights.set_column(0, &(&centre + adapted.explain(&from_centre)));
            for column in 1..=DRAWS {
                weights.set_column(column, &adapted.sample(rng));
            }
        } else {
            weights.set_column(0, &truth);
            let uncertain = log_uniform(UNCERTAIN, rng);
            for column in 1..=DRAWS {
                weights.set_column(column, &(draw(&widths, rng) * uncertain));
            }
        }
        // The draws' mean square is the variance.
        weights.columns_mut(1, DRAWS).scale_mut(1.0 / (DRAWS as f64).sqrt());
        DrawnMetric {
            weights: (weights * scale).cast(),
            noise_variance: (noise * scale).powi(2) as f32,
            margin: (MAX_MARGIN * rng.random::<f64>()) as f32,
        }
    }
}

/// Bayesian regression of probes on the basis under one prior setting.
struct Adaptation {
    /// `[rank, probes]`.
    probes: DMatrix<f64>,
    /// Prior standard deviations of the weights.
    widths: DVector<f64>,
    noise: f64,
    /// `[rank, probes]`: prior covariance times probes, times the inverse covariance of the probes.
    gain: DMatrix<f64>,
}

impl Adaptation {
    fn draw(prior: &Prior, reference: &DMatrix<f32>, noise: f64, rng: &mut StdRng) -> Adaptation {
        let (known, synthetic) = (log_uniform(PRIOR_WIDTH, rng), log_uniform(PRIOR_WIDTH, rng));
        let widths = prior.coordinates.iter().map(|coordinate| match coordinate {
            Coordinate::Constant | Coordinate::Degenerate => LEVEL_WIDTH,
            Coordinate::Mean => 0.0,
            Coordinate::Known => known,
            Coordinate::Synthetic => synthetic * SYNTHETIC_WIDTH,
            Coordinate::Feature => FEATURE_WIDTH,
        });
        let widths = DVector::from_iterator(prior.rank(), widths);
        let count = log_uniform(PROBES, rng) as usize;
        let rows: Vec<usize> = (0..count).map(|_| rng.random_range(0..reference.nrows())).collect();
        let probes: DMatrix<f64> = reference.select_rows(&rows).transpose().cast();
        let mut cross = probes.clone();
        for (mut row, width) in cross.row_iter_mut().zip(widths.iter()) {
            row *= width * width;
        }
        let covariance = probes.tr_mul(&cross) + DMatrix::identity(count, count) * (noise * noise);
        let gain = match covariance.cholesky() {
            Some(factor) => factor.solve(&cross.transpose()).transpose(),
            None => cross * 0.0,
        };
        Adaptation {
            probes,
            widths,
            noise,
            gain,
        }
    }

    /// Mean of the weights, given probes.
    fn explain(&self, probes: &DVector<f64>) -> DVector<f64> {
        &self.gain * probes
    }

    /// A draw from the distribution of the weights around their mean: a draw from the prior, less what probes of it explain
    /// (Matheron's rule).
    fn sample(&self, rng: &mut StdRng) -> DVector<f64> {
        let synthetic = draw(&self.widths, rng);
        let measured = self.probes.tr_mul(&synthetic) + self.errors(rng);
        synthetic - self.explain(&measured)
    }

    fn errors(&self, rng: &mut StdRng) -> DVector<f64> {
        DVector::from_fn(self.probes.ncols(), |_, _| self.noise * normal(rng))
    }
}

fn draw(widths: &DVector<f64>, rng: &mut StdRng) -> DVector<f64> {
    widths.map(|width| width * normal(rng))
}

impl DrawnMetric {
    /// Means and upper bounds of the logarithm at architectures whose basis is `[architectures, rank]`.
    pub(super) fn bounds(&self, basis: &DMatrix<f32>) -> Bounds {
        let values = basis * &self.weights;
        let mean: Vec<f32> = values.column(0).iter().copied().collect();
        let mut variance = vec![self.noise_variance; mean.len()];
        for column in 1..values.ncols() {
            for (variance, value) in variance.iter_mut().zip(values.column(column).iter()) {
                *variance += value * value;
            }
        }
        let upper = mean
            .iter()
            .zip(variance)
            .map(|(mean, variance)| mean + self.margin * variance.sqrt())
            .collect();
        Bounds { mean, upper }
    }
}

/// Logarithms of one metric at some architectures.
pub(super) struct Bounds {
    /// Expected.
    pub(super) mean: Vec<f32>,
    /// Not exceeded with some confidence.
    pub(super) upper: Vec<f32>,
}

fn width(coordinate: &Coordinate) -> f64 {
    match coordinate {
        // The level cancels in a query.
        Coordinate::Constant | Coordinate::Mean => 0.0,
        Coordinate::Degenerate => DEGENERATE_WIDTH,
        Coordinate::Known => 1.0,
        Coordinate::Synthetic => SYNTHETIC_WIDTH,
        Coordinate::Feature => FEATURE_WIDTH,
    }
}

fn normal(rng: &mut StdRng) -> f64 {
    StandardNormal.sample(rng)
}

fn log_uniform((low, high): (f64, f64), rng: &mut StdRng) -> f64 {
    (low.ln() + rng.random::<f64>() * (high / low).ln()).exp()
}
