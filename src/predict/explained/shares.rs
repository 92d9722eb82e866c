//! What is believed of a profile, and what follows from it for the shares of each kind of work.

use nalgebra::DVector;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::{DeadWork, ExplainedKind};
use crate::metric::Metric;
use crate::predict::Estimate;
use crate::predict::price_names::{DEAD_WORK, LARGEST_LOG, WORK, price_unit, work};
use crate::profile::{COORDINATES, Coordinates, Covariance, KINDS, NAMES, Normal, Priced, Setting, level_direction};
use crate::seed::Seed;
use crate::stats::{self, INTERVAL_SHARE};

/// Draws of the profile behind the intervals of shares.
const DRAWS: usize = 200;
/// A profile that is hardly known is held to the one that its posterior is around: standard deviations of the logarithm
/// of each price, and of the level of all.
const APART: f64 = 2.0;
const ANY_LEVEL: f64 = 10.0;
/// A Gaussian over the profile.
pub(super) struct Believed {
    pub(super) mean: Coordinates,
    /// `R` with `R R'` the covariance.
    root: Covariance,
    setting: Setting,
}

/// What a posterior says of a profile, held to the one that it is around, at any level. It is made to predict, and is
/// free where changes of prices cancel or hardly matter over the architectures of the space; there it may be far from
/// any device.
pub(super) fn held(posterior: Normal, around: &Coordinates) -> Normal {
    let Normal { mean, covariance } = posterior;
    let level = level_direction();
    let apart = Covariance::identity() * APART.powi(2) + level * level.transpose() * ANY_LEVEL.powi(2);
    let gain = (covariance + apart).try_inverse();
    let gain = gain.map_or_else(Covariance::zeros, |inverse| covariance * inverse);
    let covariance = covariance - gain * covariance;
    Normal {
        mean: mean + gain * (around - mean),
        covariance: (covariance + covariance.transpose()) * 0.5,
    }
}

impl Believed {
    pub(super) fn new(profile: &Normal, setting: Setting) -> Believed {
        let eigen = profile.covariance.symmetric_eigen();
        // Rounding leaves eigenvalues a hair below zero.
        let deviations = eigen.eigenvalues.map(|value| value.max(0.0).sqrt());
        Believed {
            mean: profile.mean,
            root: eigen.eigenvectors * Covariance::from_diagonal(&deviations),
            setting,
        }
    }

    fn draw(&self, rng: &mut StdRng) -> Coordinates {
        let standard = Coordinates::from_iterator(StandardNormal.sample_iter(rng).take(COORDINATES));
        (self.mean + self.root * standard).map(|log: f64| log.clamp(-LARGEST_LOG, LARGEST_LOG))
    }

    /// Median of the exponential of a coordinate, with its interval.
    pub(super) fn exponential(&self, index: usize) -> Estimate {
        let beyond = stats::normal_quantile(0.5 + INTERVAL_SHARE / 2.0) * self.root.row(index).norm();
        let value = |log: f64| log.clamp(-LARGEST_LOG, LARGEST_LOG).exp();
        let mean = self.mean[index];
        Estimate {
            mean: value(mean),
            low: value(mean - beyond),
            high: value(mean + beyond),
        }
    }

    /// The kinds that occur in `work` (`[COUNTS]`), the largest share first, and the share of what cannot affect the
    /// output.
    pub(super) fn shares(&self, metric: Metric, work: &DVector<f64>) -> (Vec<ExplainedKind>, Option<Estimate>) {
        let mut rng = Seed(0).stream("explain");
        let drawn: Vec<Shares> = (0..DRAWS)
            .map(|_| Shares::of(&self.draw(&mut rng), &self.setting, work))
            .collect();
        let percent = |of: &dyn Fn(&Shares) -> f64| expected(drawn.iter().map(|one| 100.0 * of(one)).collect());
        let occurs = |kind: &usize| work.iter().skip(*kind).step_by(KINDS).any(|&count| count > 0.0);
        let mut kinds: Vec<ExplainedKind> = (0..KINDS)
            .filter(occurs)
            .map(|kind| self.kind(metric, kind, percent(&|shares| shares.kinds[kind])))
            .collect();
        kinds.sort_by(|a, b| b.share_percent.mean.total_cmp(&a.share_percent.mean));
        let has_dead = work.iter().skip(KINDS).any(|&count| count > 0.0);
        (kinds, has_dead.then(|| percent(&|shares| shares.dead)))
    }

    fn kind(&self, metric: Metric, kind: usize, share_percent: Estimate) -> ExplainedKind {
        ExplainedKind {
            kind: NAMES[kind],
            work: work(kind),
            share_percent,
            price: scaled(self.exponential(kind), WORK[kind].2),
            price_unit: price_unit(kind, metric),
        }
    }

    /// How much of the work that cannot affect the output is run, of what occurs in `work`.
    pub(super) fn dead(&self, work: &DVector<f64>) -> Vec<DeadWork> {
        let occurs = |parts: &[usize; 2]| {
            let mut counts = parts.iter().flat_map(|part| &work.as_slice()[part * KINDS..][..KINDS]);
            counts.any(|&count| count > 0.0)
        };
        let one = |(share, (work, parts)): (usize, &(&'static str, [usize; 2]))| {
            let run = scaled(self.exponential(KINDS + share), 100.0);
            let at_most_all = |percent: f64| percent.min(100.0);
            occurs(parts).then_some(DeadWork {
                work,
                run_percent: Estimate {
                    mean: at_most_all(run.mean),
                    low: at_most_all(run.low),
                    high: at_most_all(run.high),
                },
            })
        };
        DEAD_WORK.iter().enumerate().filter_map(one).collect()
    }
}

/// Shares of a sum of work at prices, 0 to 1.
struct Shares {
    kinds: [f64; KINDS],
    /// Of what cannot affect the output.
    dead: f64,
}

impl Shares {
    fn of(profile: &Coordinates, setting: &Setting, work: &DVector<f64>) -> Shares {
        let priced = Priced::new(profile, setting);
        let (log, gradient) = priced.log_and_gradient(work.as_slice());
        let live = priced.prices.iter().zip(work.iter()).take(KINDS);
        let live: f64 = live.map(|(price, count)| price * count).sum();
        Shares {
            // The derivative of the logarithm by that of a price is the share of its kind.
            kinds: std::array::from_fn(|kind| gradient[kind]),
            dead: 1.0 - live / log.exp(),
        }
    }
}

/// The mean of draws and the interval between their quantiles, which a mean far out in a tail widens.
fn expected(draws: Vec<f64>) -> Estimate {
    let mean = stats::mean(&draws).unwrap_or(f64::NAN);
    let quantile = |probability| stats::quantile(&draws, probability).unwrap_or(f64::NAN);
    Estimate {
        mean,
        low: quantile(0.5 - INTERVAL_SHARE / 2.0).min(mean),
        high: quantile(0.5 + INTERVAL_SHARE / 2.0).max(mean),
    }
}

fn scaled(one: Estimate, factor: f64) -> Estimate {
    Estimate {
        mean: factor * one.mean,
        low: factor * one.low,
        high: factor * one.high,
    }
}
