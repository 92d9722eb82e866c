//! Where does the time of a network go on a device, by kind of work, and how surely is that known?
//!
//! Latency is a sum of prices times counts of work, see [`crate::profile`], so every kind of work has a share in it.
//! The shares are those of a typical network: of the mean work of architectures drawn from the search space. Their
//! intervals come from draws of the profile, each of which is added up exactly. What the residual adds is taken to
//! belong to all kinds alike.

mod shares;
#[cfg(test)]
mod tests;

use nalgebra::DMatrix;
use serde::Serialize;

use super::device_model::{Estimate, MetricModel, Posterior};
use super::price_names::PriceOrigin;
use super::{DeviceModel, Knowledge, Predictor, UnusualPrice};
use crate::error::Result;
use crate::metric::Metric;
use crate::profile::{COUNTS, Covariance, Normal};
use crate::stats::INTERVAL_SHARE;
use shares::{Believed, held};

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
    /// Prices like those of no known or synthetic device, what matters most first.
    pub unusual: Vec<UnusualPrice>,
}

/// One kind of work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedKind {
    /// One of [`crate::profile::NAMES`].
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
            PriceOrigin::Specifications => "predicted from another precision and specifications".into(),
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
                prices: device.price_origin(metric),
                typical: typical(model, &basis),
                kinds,
                dead_percent,
                dead: believed.dead(&work),
                unusual: self.unusual_prices(device, metric),
            }
        };
        let elsewhere = device.measured.iter().filter(|one| !self.is_own(one)).count();
        Ok(Explained {
            knowledge: device.knowledge,
            probes: device.probes.saturating_sub(elsewhere),
            probes_elsewhere: elsewhere,
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
