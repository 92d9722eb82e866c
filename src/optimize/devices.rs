//! Devices to train the policy on, drawn around the known ones: mixtures of known devices, synthetic ones and the population,
//! moved as devices differ, and known as imprecisely as adapted devices are. Some are given their precision at random; the others
//! are adapted to, from a few probes, in the tangent space of what they are; see [`crate::predict::adapt`].

use nalgebra::{DMatrix, DVector};
use rand::Rng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Exp1, StandardNormal};

use crate::predict::prior::{Coordinate, KnownDevice};
use crate::predict::{Posterior, Prior};
use crate::profile::{
    COORDINATES, COUNTS, Coordinates, Covariance, KINDS, Normal, Priced, RUNTIMES, Setting, level_direction, synthetic,
};

/// Shares of the kinds of centres: mixtures of known devices, synthetic ones; the rest are around the population.
const MIXED_KNOWN: f64 = 0.65;
const SYNTHETIC: f64 = 0.2;
/// Most known devices in a mixture.
const MAX_MIXED: usize = 3;
/// Part of the covariance of the population by which a device differs from what it is mixed from.
const LIKE: f64 = 0.3;
/// Standard deviations of the residual's weights: as known devices differ, and of what no device shows.
const KNOWN_WIDTH: f64 = 1.0;
const FEATURE_WIDTH: f64 = 0.02;
/// Standard deviation of the level before anything is measured.
const LEVEL_WIDTH: f64 = 1.0;
/// Ranges, even in the logarithm: how far devices are from their centre, how uncertain their coordinates are, and their noise.
const MOVED: (f64, f64) = (0.05, 1.0);
const UNCERTAIN: (f64, f64) = (0.02, 0.6);
const NOISE: (f64, f64) = (0.005, 0.1);
/// Share of devices that are adapted to, the range of their numbers of probes, and that of their prior widths.
const ADAPTED: f64 = 0.6;
const PROBES: (f64, f64) = (2.0, 40.0);
const PRIOR_WIDTH: (f64, f64) = (0.3, 2.0);
/// Draws from the distribution of the coordinates that stand for it.
const DRAWS: usize = 10;
/// Standard deviations that upper bounds lie above the mean; 2.3 is a confidence of 99 %.
const MAX_MARGIN: f64 = 2.3;

/// A drawn device, for one metric.
pub(super) struct DrawnMetric {
    posterior: Posterior,
    /// Standard deviations between the mean and the bound that limits are held against.
    margin: f32,
}

/// What a device is drawn around; the same for its latency and its energy.
pub(super) enum Recipe {
    /// A mixture of known devices, with their shares.
    Known(Vec<(String, f64)>),
    /// One of the kinds of synthetic devices, and what of the dead work it runs.
    Synthetic(usize, usize),
    /// The known devices as a population, and what of the dead work it runs.
    Population(usize),
}

/// What a device is drawn around, in numbers.
struct Around {
    /// Mean of the known devices.
    population: Coordinates,
    profile: Coordinates,
    root: Covariance,
    residual: DVector<f64>,
    widths: DVector<f64>,
    setting: Setting,
}

impl Recipe {
    /// Draws a recipe over the devices known to `prior`.
    pub(super) fn draw(prior: &Prior, rng: &mut StdRng) -> Recipe {
        let kind: f64 = rng.random();
        let runtime = rng.random_range(0..RUNTIMES.len());
        if kind < MIXED_KNOWN {
            let count = rng.random_range(1..=MAX_MIXED);
            let shares: Vec<f64> = (0..count).map(|_| Exp1.sample(rng)).collect();
            let total: f64 = shares.iter().sum::<f64>().max(f64::MIN_POSITIVE);
            let mixed = shares.into_iter().map(|share| {
                let device = &prior.known[rng.random_range(0..prior.known.len())];
                (device.id.clone(), share / total)
            });
            Recipe::Known(mixed.collect())
        } else if kind < MIXED_KNOWN + SYNTHETIC {
            Recipe::Synthetic(rng.random_range(0..synthetic().len()), runtime)
        } else {
            Recipe::Population(runtime)
        }
    }

    fn around(&self, prior: &Prior, rng: &mut StdRng) -> Around {
        let population = prior.population();
        let any = &prior.known[rng.random_range(0..prior.known.len())];
        let mut around = Around {
            population: population.mean,
            profile: population.mean,
            root: Covariance::zeros(),
            residual: DVector::zeros(prior.rank()),
            widths: DVector::from_iterator(prior.rank(), prior.coordinates.iter().map(width)),
            setting: any.setting(),
        };
        let normal = match self {
            Recipe::Known(mixed) => {
                around.mix(prior, mixed);
                Normal {
                    mean: around.profile,
                    covariance: population.covariance * LIKE,
                }
            }
            Recipe::Synthetic(kind, runtime) => with_runtime(synthetic().swap_remove(*kind), *runtime),
            Recipe::Population(runtime) => with_runtime(population, *runtime),
        };
        around.profile = normal.mean;
        let mut covariance = normal.covariance;
        // What of the dead work is run is known from the runtime.
        for share in KINDS..COORDINATES {
            covariance.row_mut(share).fill(0.0);
            covariance.column_mut(share).fill(0.0);
        }
        let level = level_direction() * LEVEL_WIDTH;
        covariance += level * level.transpose();
        around.root = Normal {
            mean: normal.mean,
            covariance,
        }
        .root();
        around
    }

    /// Draws the rest: distance from the centre, and precision. `reference`, `[COUNTS + rank, architectures]`, is the basis where
    /// probes may be taken.
    pub(super) fn metric(&self, prior: &Prior, reference: &DMatrix<f32>, rng: &mut StdRng) -> DrawnMetric {
        let around = self.around(prior, rng);
        let size = COORDINATES + prior.rank();
        let truth = normals(size, rng) * log_uniform(MOVED, rng);
        let noise = log_uniform(NOISE, rng);
        let (profile, residual) = around.device(&truth);
        // Around what the device is, in standardised coordinates.
        let mut mean = DVector::zeros(size);
        let mut draws = DMatrix::zeros(size, DRAWS);
        if rng.random_bool(ADAPTED) {
            let adapted = Adaptation::draw(&around, &profile, reference, noise, rng);
            let measured = &adapted.slopes * &truth + adapted.errors(rng);
            mean = adapted.explain(&measured) - &truth;
            for column in 0..DRAWS {
                draws.set_column(column, &adapted.sample(rng));
            }
        } else {
            let uncertain = log_uniform(UNCERTAIN, rng);
            for column in 0..DRAWS {
                draws.set_column(column, &(normals(size, rng) * uncertain));
            }
        }
        let mut mean = around.in_units(&mean);
        for (weight, at) in mean.rows_mut(COORDINATES, prior.rank()).iter_mut().zip(residual.iter()) {
            *weight += at;
        }
        let mut root = DMatrix::zeros(DRAWS, size);
        for (mut row, draw) in root.row_iter_mut().zip(draws.column_iter()) {
            // The draws' mean square is the variance.
            row.copy_from(&(around.in_units(&draw.into_owned()) / (DRAWS as f64).sqrt()).transpose());
        }
        DrawnMetric {
            posterior: Posterior::with_root(&profile, &around.setting, &mean, &root, noise * noise),
            margin: (MAX_MARGIN * rng.random::<f64>()) as f32,
        }
    }
}

impl Around {
    /// Averages known devices: their log prices and their residuals. One of them gives the setting.
    fn mix(&mut self, prior: &Prior, mixed: &[(String, f64)]) {
        self.profile = Coordinates::zeros();
        for (id, share) in mixed {
            let Some(index) = prior.known.iter().position(|device| device.id == *id) else {
                // Only another metric of it is known.
                self.profile += self.population * *share;
                continue;
            };
            let device: &KnownDevice = &prior.known[index];
            self.profile += device.profile * *share;
            self.residual += prior.known_residual(index) * *share;
            self.setting = device.setting();
        }
    }

    /// The device at standardised coordinates.
    fn device(&self, standard: &DVector<f64>) -> (Coordinates, DVector<f64>) {
        let moved = self.in_units(standard);
        let profile = self.profile + Coordinates::from_fn(|row, _| moved[row]);
        (profile, &self.residual + moved.rows(COORDINATES, self.widths.len()))
    }

    /// From standardised coordinates to those of profile and residual.
    fn in_units(&self, standard: &DVector<f64>) -> DVector<f64> {
        let profile = self.root * Coordinates::from_fn(|row, _| standard[row]);
        let rank = self.widths.len();
        let mut moved = DVector::zeros(standard.len());
        moved.rows_mut(0, COORDINATES).copy_from(&profile);
        moved
            .rows_mut(COORDINATES, rank)
            .copy_from(&standard.rows(COORDINATES, rank).component_mul(&self.widths));
        moved
    }
}

/// Bayesian regression of probes on the standardised coordinates under one prior setting.
struct Adaptation {
    /// `[probes, coordinates]`.
    slopes: DMatrix<f64>,
    /// Standard deviations of the prior.
    width: f64,
    noise: f64,
    /// `[coordinates, probes]`: prior covariance times slopes, times the inverse covariance of the probes.
    gain: DMatrix<f64>,
}

impl Adaptation {
    fn draw(
        around: &Around,
        profile: &Coordinates,
        reference: &DMatrix<f32>,
        noise: f64,
        rng: &mut StdRng,
    ) -> Adaptation {
        let width = log_uniform(PRIOR_WIDTH, rng);
        let count = log_uniform(PROBES, rng) as usize;
        let priced = Priced::new(profile, &around.setting);
        let mut slopes = DMatrix::zeros(count, COORDINATES + around.widths.len());
        for mut row in slopes.row_iter_mut() {
            let at = reference.column(rng.random_range(0..reference.ncols()));
            let counts: Vec<f64> = at.iter().take(COUNTS).copied().map(f64::from).collect();
            let gradient = Coordinates::from(priced.log_and_gradient(&counts).1);
            for (to, from) in row.iter_mut().zip(around.root.tr_mul(&gradient).iter()) {
                *to = *from;
            }
            for (index, width) in around.widths.iter().enumerate() {
                row[COORDINATES + index] = width * f64::from(at[COUNTS + index]);
            }
        }
        let cross = slopes.transpose() * (width * width);
        let covariance = &slopes * &cross + DMatrix::identity(count, count) * (noise * noise);
        let gain = match covariance.cholesky() {
            Some(factor) => factor.solve(&cross.transpose()).transpose(),
            None => cross * 0.0,
        };
        Adaptation {
            slopes,
            width,
            noise,
            gain,
        }
    }

    /// Mean of the coordinates, given probes.
    fn explain(&self, probes: &DVector<f64>) -> DVector<f64> {
        &self.gain * probes
    }

    /// A draw from the distribution of the coordinates around their mean: a draw from the prior, less what probes of it explain
    /// (Matheron's rule).
    fn sample(&self, rng: &mut StdRng) -> DVector<f64> {
        let drawn = normals(self.slopes.ncols(), rng) * self.width;
        let measured = &self.slopes * &drawn + self.errors(rng);
        drawn - self.explain(&measured)
    }

    fn errors(&self, rng: &mut StdRng) -> DVector<f64> {
        normals(self.slopes.nrows(), rng) * self.noise
    }
}

fn with_runtime(mut normal: Normal, runtime: usize) -> Normal {
    for (share, log) in (KINDS..COORDINATES).zip(RUNTIMES[runtime]) {
        normal.mean[share] = log;
    }
    normal
}

impl DrawnMetric {
    /// Means and upper bounds of the logarithm at architectures whose basis is `[COUNTS + rank, architectures]`.
    pub(super) fn bounds(&self, basis: &DMatrix<f32>) -> Bounds {
        let predicted = self.posterior.predict(basis);
        Bounds {
            mean: predicted.iter().map(|one| one.mean).collect(),
            upper: predicted
                .iter()
                .map(|one| one.mean + self.margin * one.deviation)
                .collect(),
        }
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
        // The level is the profile's.
        Coordinate::Constant => 0.0,
        Coordinate::Known => KNOWN_WIDTH,
        Coordinate::Feature => FEATURE_WIDTH,
    }
}

fn normals(count: usize, rng: &mut StdRng) -> DVector<f64> {
    DVector::from_fn(count, |_, _| StandardNormal.sample(rng))
}

fn log_uniform((low, high): (f64, f64), rng: &mut StdRng) -> f64 {
    (low.ln() + rng.random::<f64>() * (high / low).ln()).exp()
}
