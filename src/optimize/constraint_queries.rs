//! The queries that the policy is trained on: limits on a metric of a drawn device, and what its units are worth.

use rand::Rng;
use rand::rngs::StdRng;

use super::devices::Bounds;
use super::pool::ConstraintQuery;
use super::query::{MetricQuery, mean_and_spread};
use crate::stats;

/// Share of limits drawn evenly over the range of costs and not over their quantiles, and how far below the least cost
/// that range reaches, in standard deviations: the nearly and the just unreachable.
const EVEN_LIMITS: f64 = 0.25;
const BELOW_LEAST: f64 = 0.1;
/// Range of weights, in percentage points per standard deviation of the logarithm, even in the logarithm.
const WEIGHTS: (f64, f64) = (0.02, 50.0);
/// Shares of metric queries that have only a weight, and that have a weight beside their limit.
const ONLY_WEIGHT: f64 = 0.15;
const BOTH: f64 = 0.05;

/// One metric of a drawn device, at the anchors, at the reference architectures and at the pool's designs.
pub(super) struct MetricOfDevice {
    anchors_mean: Vec<f64>,
    anchors_upper: Vec<f64>,
    /// Upper bounds at the reference architectures, rising.
    reference: Vec<f64>,
    designs: Bounds,
    log_typical: f64,
}

/// A limit or a weight on one metric of a drawn device.
pub(super) struct DrawnQuery<'a> {
    pub(super) of_metric: MetricQuery<'a>,
    designs: &'a Bounds,
}

impl MetricOfDevice {
    pub(super) fn new(anchors: Bounds, reference: Bounds, designs: Bounds) -> Self {
        let wide = |values: Vec<f32>| -> Vec<f64> { values.into_iter().map(f64::from).collect() };
        let mut reference = wide(reference.upper);
        reference.sort_unstable_by(f64::total_cmp);
        let anchors_mean = wide(anchors.mean);
        MetricOfDevice {
            log_typical: stats::mean(&anchors_mean).unwrap_or_default(),
            anchors_mean,
            anchors_upper: wide(anchors.upper),
            reference,
            designs,
        }
    }

    pub(super) fn draw(&self, rng: &mut StdRng) -> DrawnQuery<'_> {
        let kind: f64 = rng.random();
        let limited = kind >= ONLY_WEIGHT;
        // Without a limit there is no confidence, and the expected values count.
        let log_upper = if limited {
            &self.anchors_upper
        } else {
            &self.anchors_mean
        };
        let (_, spread) = mean_and_spread(log_upper);
        let log_limit = limited.then(|| self.limit(spread, rng));
        let weight = if kind < ONLY_WEIGHT + BOTH {
            let per_spread = (WEIGHTS.0.ln() + rng.random::<f64>() * (WEIGHTS.1 / WEIGHTS.0).ln()).exp();
            per_spread / (self.log_typical.exp() * spread)
        } else {
            0.0
        };
        DrawnQuery {
            of_metric: MetricQuery {
                log_upper,
                log_typical: self.log_typical,
                log_limit,
                weight,
            },
            designs: &self.designs,
        }
    }

    fn limit(&self, spread: f64, rng: &mut StdRng) -> f64 {
        let at = |share| stats::quantile_of_sorted(&self.reference, share).unwrap_or_default();
        if rng.random_bool(EVEN_LIMITS) {
            let least = at(0.0) - BELOW_LEAST * spread;
            return least + rng.random::<f64>() * (at(0.99) - least);
        }
        at(0.01 + 0.98 * rng.random::<f64>())
    }
}

impl<'a> DrawnQuery<'a> {
    /// Adds the limit and the weight to what an answer has to meet.
    pub(super) fn add_to(&self, query: &mut ConstraintQuery<'a>) {
        if let Some(limit) = self.of_metric.log_limit {
            query.limits.push((&self.designs.upper, limit as f32));
        }
        if self.of_metric.weight > 0.0 {
            let weight = self.of_metric.weight as f32;
            query
                .costs
                .push(self.designs.mean.iter().map(|mean| weight * mean.exp()).collect());
        }
    }
}
