//! Devices to train the policy on, drawn around the known ones: mixtures of known and drawn devices, moved along the
//! directions in which devices differ, and known as imprecisely as adapted devices are.

use nalgebra::{DMatrix, DVector};
use rand::Rng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Exp1, StandardNormal};

use crate::predict::Prior;
use crate::predict::prior::Coordinate;

/// Shares of the kinds of centres: mixtures of known devices, of known and drawn ones, drawn ones; the rest is around the
/// mean.
const MIXED_KNOWN: f64 = 0.55;
const MIXED_WITH_DRAWN: f64 = 0.2;
const DRAWN: f64 = 0.15;
/// Most centres in a mixture.
const MOST_MIXED: usize = 3;
/// Width of the idle networks' level, in units of the scale.
const IDLE_WIDTH: f64 = 1.0;
/// Drawn directions are this much narrower than known ones.
const DRAWN_WIDTH: f64 = 0.3;
/// Ranges, even in the logarithm: how far devices are from their centre along the directions, how uncertain their weights
/// are, and their noise, in units of the scale.
const MOVED: (f64, f64) = (0.02, 1.0);
const UNCERTAIN: (f64, f64) = (0.02, 0.6);
const NOISE: (f64, f64) = (0.03, 0.4);
/// Directions in which a device is uncertain.
const UNCERTAIN_DIRECTIONS: usize = 4;
/// Standard deviations that upper bounds lie above the mean; 2.3 is a confidence of 99 %.
const MOST_MARGIN: f64 = 2.3;
/// Log-spread of the scale around a known device's.
const SCALE_SPREAD: f64 = 0.2;

/// A drawn device, for one metric: `log y = mean . phi`, known up to `sqrt(noise^2 + |spread phi|^2)`.
pub(super) struct DrawnMetric {
    /// `[rank, 1 + directions]`: the mean, then the uncertain directions.
    pub(super) weights: DMatrix<f32>,
    /// Variance of a measurement around the function.
    pub(super) noise_variance: f32,
    /// Standard deviations between the mean and the bound that limits are held against.
    pub(super) margin: f32,
}

/// Which centres a device is mixed from; the same for its latency and its energy.
pub(super) struct Recipe {
    known: Vec<(String, f64)>,
    drawn: Vec<(f64, f64)>,
    mean: f64,
}

impl Recipe {
    /// Draws a recipe over the devices known to `prior`.
    pub(super) fn draw(prior: &Prior, rng: &mut StdRng) -> Recipe {
        let kind: f64 = rng.random();
        let count = |rng: &mut StdRng| rng.random_range(1..=MOST_MIXED);
        let (known, drawn) = match kind {
            kind if kind < MIXED_KNOWN => (count(rng), 0),
            kind if kind < MIXED_KNOWN + MIXED_WITH_DRAWN => (1, 1),
            kind if kind < MIXED_KNOWN + MIXED_WITH_DRAWN + DRAWN => (0, count(rng)),
            _ => (0, 0),
        };
        let shares: Vec<f64> = (0..known + drawn).map(|_| Exp1.sample(rng)).collect();
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
            // The position among the drawn centres, as a part of their number.
            drawn: (known..known + drawn)
                .map(|index| (rng.random(), share(index)))
                .collect(),
            mean: f64::from(u8::from(known + drawn == 0)),
        }
    }

    fn centre(&self, prior: &Prior) -> DVector<f64> {
        let mut centre = &prior.mean_centre * self.mean;
        for (id, share) in &self.known {
            match prior.known.iter().position(|device| device.id == *id) {
                Some(index) => centre += prior.known_centres.column(index) * *share,
                None => centre += &prior.mean_centre * *share,
            }
        }
        for (place, share) in &self.drawn {
            let index = (place * prior.drawn_centres.ncols() as f64) as usize;
            centre += prior.drawn_centres.column(index) * *share;
        }
        centre
    }

    /// Draws the rest: scale, distance from the centre, and precision.
    pub(super) fn metric(&self, prior: &Prior, rng: &mut StdRng) -> DrawnMetric {
        let scale = prior.known[rng.random_range(0..prior.known.len())].scale * (SCALE_SPREAD * normal(rng)).exp();
        let moved = log_uniform(MOVED, rng);
        let uncertain = log_uniform(UNCERTAIN, rng) / (UNCERTAIN_DIRECTIONS as f64).sqrt();
        let widths: Vec<f64> = prior.coordinates.iter().map(width).collect();
        let centre = self.centre(prior);
        let mut weights = DMatrix::zeros(prior.rank(), 1 + UNCERTAIN_DIRECTIONS);
        for (row, width) in widths.iter().enumerate() {
            weights[(row, 0)] = ((centre[row] + moved * width * normal(rng)) * scale) as f32;
            for column in 1..=UNCERTAIN_DIRECTIONS {
                weights[(row, column)] = (uncertain * width * normal(rng) * scale) as f32;
            }
        }
        DrawnMetric {
            weights,
            noise_variance: (log_uniform(NOISE, rng) * scale).powi(2) as f32,
            margin: (MOST_MARGIN * rng.random::<f64>()) as f32,
        }
    }
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
        Coordinate::Idle => IDLE_WIDTH,
        Coordinate::Known => 1.0,
        Coordinate::Drawn => DRAWN_WIDTH,
    }
}

fn normal(rng: &mut StdRng) -> f64 {
    StandardNormal.sample(rng)
}

fn log_uniform((low, high): (f64, f64), rng: &mut StdRng) -> f64 {
    (low.ln() + rng.random::<f64>() * (high / low).ln()).exp()
}
