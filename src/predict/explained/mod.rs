//! Where does the time of a network go on a device, by kind of work, and how surely is that known?
//!
//! Latency is a sum of prices times counts of work, see [`crate::profile`], so every kind of work has a share in it.
//! The shares are those of a typical network: of the mean work of architectures drawn from the search space. Their
//! intervals come from draws of the profile, each of which is added up exactly. What the residual adds is taken to
//! belong to all kinds alike.

#[cfg(test)]
mod tests;

use nalgebra::{DMatrix, DVector};
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};
use serde::Serialize;

use super::device_model::{Estimate, MetricModel, Posterior};
use super::{DeviceModel, Knowledge, Predictor};
use crate::error::Result;
use crate::metric::Metric;
use crate::profile::{
    COORDINATES, COUNTS, Coordinates, Covariance, KINDS, NAMES, Normal, Priced, SHARES, Setting, level_direction,
};
use crate::seed::Seed;
use crate::stats::{self, INTERVAL_SHARE};

/// Draws of the profile behind the intervals of shares.
const DRAWS: usize = 200;
/// Logarithms of prices are this far from 0 at most, so that sums of times are finite.
const LARGEST_LOG: f64 = 300.0;
/// A profile that is hardly known is held to the one that its posterior is around: standard deviations of the logarithm
/// of each price, and of the level of all.
const APART: f64 = 2.0;
const ANY_LEVEL: f64 = 10.0;
/// From ms to ns and from mJ to nJ, and to us and uJ.
const NANO: f64 = 1e6;
const MICRO: f64 = 1e3;

/// What each kind of work is called, what it is counted in, and how many of the units that its price is given in make a
/// ms (or mJ). In the order of [`NAMES`].
const WORK: [(&str, &str, f64); KINDS] = [
    ("what every run takes", "run", MICRO),
    ("convolutions larger than 1x1", "MAC", NANO),
    ("1x1 and linear layers", "MAC", NANO),
    ("grouped convolutions", "MAC", NANO),
    ("depthwise convolutions", "MAC", NANO),
    ("lanes idle at few channels", "MAC / channel", NANO),
    ("threads idle at few outputs", "MAC / output", NANO),
    ("feature maps of convolutions", "element", NANO),
    ("weights read", "element", NANO),
    ("pooling", "element", NANO),
    ("elementwise layers", "element", NANO),
    ("launches of dense layers", "launch", MICRO),
    ("launches of depthwise layers", "launch", MICRO),
    ("launches of pooling", "launch", MICRO),
    ("launches of other layers", "launch", MICRO),
    ("steps one after another", "step", MICRO),
    ("feature maps of zeros", "feature map", MICRO),
];

/// What each of the [`SHARES`] is a share of, and the parts of [`crate::profile::work`] that it is due in.
const DEAD_WORK: [(&str, [usize; 2]); SHARES] = [
    ("networks whose output is constant", [1, 4]),
    ("layers that zeros lead to", [2, 4]),
    ("layers that nothing reads", [3, 3]),
];

/// Prices and shares of the kinds of work on one device. Every interval holds 90 %.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// Where the knowledge of the device comes from.
    pub knowledge: Knowledge,
    /// Number of probes.
    pub probes: usize,
    /// Number of probes of other search spaces.
    pub probes_elsewhere: usize,
    /// Inputs computed at once: a batch has so many times the MACs and feature maps of one input, and the same weights,
    /// launches, steps and runs.
    pub batch_size: f64,
    /// Every metric of the device, latency first.
    pub metrics: Vec<ExplainedMetric>,
}

/// One metric of a device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedMetric {
    /// Latency or energy.
    pub metric: Metric,
    /// Unit of `typical`.
    pub unit: &'static str,
    /// How the prices came to be known.
    pub prices: PriceOrigin,
    /// One batch of a typical network: the means, over architectures drawn from the space, of the prediction and of the
    /// ends of its interval.
    pub typical: Estimate,
    /// The kinds of work that occur in the search space, the largest share first.
    pub kinds: Vec<ExplainedKind>,
    /// Share of what cannot affect the output, in percent, which is in the shares of its kinds too; `None` where the
    /// space has no such work.
    pub dead_percent: Option<Estimate>,
    /// How much of such work is run.
    pub dead: Vec<DeadWork>,
}

/// How the prices of a metric came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriceOrigin {
    /// Fitted to the measurements that were trained on.
    Fitted,
    /// Adapted from probes.
    Adapted,
    /// Predicted from the datasheet.
    Datasheet,
    /// Those of latency, times a power that the datasheet and devices like it say.
    Latency,
}

/// One kind of work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedKind {
    /// One of [`NAMES`].
    pub kind: &'static str,
    /// What that is.
    pub work: &'static str,
    /// Its expected share of the time (or energy) of a typical network, in percent. Those of all kinds add up to 100.
    pub share_percent: Estimate,
    /// Median price.
    pub price: Estimate,
    /// What the price is in, such as `ns per MAC`.
    pub price_unit: String,
}

/// Work that cannot affect the output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadWork {
    /// What it is.
    pub work: &'static str,
    /// How much of it the runtime runs, in percent.
    pub run_percent: Estimate,
}

impl Explained {
    /// A metric, where the device has it.
    pub fn metric(&self, metric: Metric) -> Option<&ExplainedMetric> {
        self.metrics.iter().find(|one| one.metric == metric)
    }

    /// How the prices of a metric came to be known, as it is said after "prices".
    pub fn origin(&self, prices: PriceOrigin) -> String {
        match prices {
            PriceOrigin::Fitted => "fitted to its measurements".into(),
            PriceOrigin::Adapted => format!("adapted from {}", self.probed()),
            PriceOrigin::Datasheet => "predicted from its datasheet".into(),
            PriceOrigin::Latency => "those of its latency times the power expected".into(),
        }
    }

    fn probed(&self) -> String {
        let probes = |count: usize| format!("{count} probe{}", if count == 1 { "" } else { "s" });
        match (self.probes, self.probes_elsewhere) {
            (own, 0) => probes(own),
            (0, elsewhere) => format!("{} of other search spaces", probes(elsewhere)),
            (own, elsewhere) => format!("{} and {elsewhere} of other search spaces", probes(own)),
        }
    }
}

impl Predictor {
    /// Prices and shares of the kinds of work on a device, of every metric. The same device always gives the same.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a device of another predictor.
    ///
    /// [`Error::Invalid`]: crate::error::Error::Invalid
    pub fn explain(&self, device: &DeviceModel) -> Result<Explained> {
        self.check_device(device)?;
        let reference = self.reference();
        let work = reference.rows(0, COUNTS).column_mean();
        let basis = reference.map(|value| value as f32);
        let explained = |(metric, model): (Metric, &MetricModel)| {
            let believed = self.believed(device, metric, &model.posterior);
            let (kinds, dead_percent) = believed.shares(metric, &work);
            ExplainedMetric {
                metric,
                unit: metric.unit(),
                prices: price_origin(device, metric),
                typical: typical(model, &basis),
                kinds,
                dead_percent,
                dead: believed.dead(&work),
            }
        };
        Ok(Explained {
            knowledge: device.knowledge,
            probes: device.probes,
            probes_elsewhere: device.measured.len().saturating_sub(device.probes),
            batch_size: device.metrics.latency().posterior.setting().batch,
            metrics: device.metrics.iter().map(explained).collect(),
        })
    }

    /// What is known of the profile.
    fn believed(&self, device: &DeviceModel, metric: Metric, posterior: &Posterior) -> Believed {
        let known = Normal {
            mean: posterior.profile().0,
            covariance: posterior.covariance(),
        };
        let profile = match self.fitted(device, metric) {
            Some(covariance) => Normal {
                covariance: known.covariance + covariance,
                ..known
            },
            None => held(known, &posterior.around()),
        };
        Believed::new(&profile, posterior.setting())
    }

    /// How well the profile of a device that was trained on is known, which its model leaves out: that predicts without
    /// uncertainty of prices.
    fn fitted(&self, device: &DeviceModel, metric: Metric) -> Option<&Covariance> {
        if device.knowledge != Knowledge::Known {
            return None;
        }
        let known = |metric| {
            let known = &self.metrics.get(metric)?.prior.known;
            known.iter().find(|one| one.id == device.id)
        };
        let known = known(metric).or_else(|| known(Metric::Latency))?;
        Some(&known.covariance)
    }
}

fn price_origin(device: &DeviceModel, metric: Metric) -> PriceOrigin {
    let prices = |metric| device.metrics.get(metric).map(|model| model.posterior.prices());
    // Where a metric follows from latency its prices are the same, and its level is apart from them.
    let follows = metric != Metric::Latency && prices(metric) == prices(Metric::Latency);
    match device.knowledge {
        Knowledge::Prior => PriceOrigin::Datasheet,
        Knowledge::Known | Knowledge::Probes if follows => PriceOrigin::Latency,
        Knowledge::Known => PriceOrigin::Fitted,
        Knowledge::Probes => PriceOrigin::Adapted,
    }
}

/// Means of the predictions at some architectures and of the ends of their intervals; `basis` is
/// `[COUNTS + rank, architectures]`.
fn typical(model: &MetricModel, basis: &DMatrix<f32>) -> Estimate {
    let predictions = model.predict(basis).into_iter();
    let estimates: Vec<Estimate> = predictions.map(|one| model.estimate(one, INTERVAL_SHARE)).collect();
    let mean = |of: fn(&Estimate) -> f64| estimates.iter().map(of).sum::<f64>() / estimates.len() as f64;
    Estimate {
        mean: mean(|one| one.mean),
        low: mean(|one| one.low),
        high: mean(|one| one.high),
    }
}

/// A Gaussian over the profile.
struct Believed {
    mean: Coordinates,
    /// `R` with `R R'` the covariance.
    root: Covariance,
    setting: Setting,
}

/// What a posterior says of a profile, held to the one that it is around, at any level. It is made to predict, and is
/// free where changes of prices cancel or hardly matter over the architectures of the space; there it may be far from
/// any device.
fn held(posterior: Normal, around: &Coordinates) -> Normal {
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
    fn new(profile: &Normal, setting: Setting) -> Believed {
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
    fn exponential(&self, index: usize) -> Estimate {
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
    fn shares(&self, metric: Metric, work: &DVector<f64>) -> (Vec<ExplainedKind>, Option<Estimate>) {
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
        let (work, unit, scale) = WORK[kind];
        let price = self.exponential(kind);
        let prefix = if scale == NANO { "n" } else { "u" };
        let base = if metric == Metric::Energy { "J" } else { "s" };
        ExplainedKind {
            kind: NAMES[kind],
            work,
            share_percent,
            price: scaled(price, scale),
            price_unit: format!("{prefix}{base} per {unit}"),
        }
    }

    /// How much of the work that cannot affect the output is run, of what occurs in `work`.
    fn dead(&self, work: &DVector<f64>) -> Vec<DeadWork> {
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
        let prices = Priced::new(profile, setting).prices;
        let mut kinds = [0.0; KINDS];
        let mut dead = 0.0;
        for (index, (price, count)) in prices.iter().zip(work.iter()).enumerate() {
            kinds[index % KINDS] += price * count;
            if index >= KINDS {
                dead += price * count;
            }
        }
        let total: f64 = kinds.iter().sum();
        Shares {
            kinds: kinds.map(|time| time / total),
            dead: dead / total,
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
