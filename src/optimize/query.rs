//! What the policy sees: a device as its cost at fixed anchor architectures, and its limits and weights.
//!
//! A device is not described by its weights over a basis, which mean something only to one predictor's algebra, but by what
//! it does: the logarithm of the cost at a few anchors that it stays below with the required confidence, standardised. So
//! uncertainty and confidence are folded in, one policy serves every confidence, and limits are read on the same scale.

use serde::{Deserialize, Serialize};

use crate::metric::{Metric, PerMetric};

/// Numbers about a metric beside the anchors.
const EXTRAS: usize = 5;
/// Standardised limits and logarithms are kept within this.
const RANGE: f64 = 5.0;
/// Spreads below this are those of a metric that does not depend on the architecture.
const MIN_SPREAD: f64 = 1e-3;

/// One metric of a device, its limit and its weight.
#[derive(Debug, Clone, Copy)]
pub struct MetricQuery<'a> {
    /// Logarithm of the value at each anchor that is not exceeded with the required confidence.
    pub log_upper: &'a [f64],
    /// Mean over the anchors of the expected logarithm.
    pub log_typical: f64,
    /// Logarithm of the limit.
    pub log_limit: Option<f64>,
    /// Percentage points of accuracy that one unit of the metric is worth.
    pub weight: f64,
}

/// How long a query is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct QueryShape {
    /// Number of anchors.
    pub anchors: usize,
    /// The metrics of devices that can be limited or weighted, in the order in which they stand in a query.
    pub metrics: Vec<Metric>,
}

impl QueryShape {
    /// Whether its metrics are those of devices, latency first, each at most once.
    pub(super) fn is_sound(&self) -> bool {
        let known = |metric: &Metric| Metric::OF_DEVICE.contains(metric);
        let once = (1..self.metrics.len()).all(|index| !self.metrics[..index].contains(&self.metrics[index]));
        self.metrics.first() == Some(&Metric::Latency) && self.metrics.iter().all(known) && once
    }

    /// Numbers in a query.
    pub fn width(&self) -> usize {
        (self.anchors + EXTRAS) * self.metrics.len()
    }

    /// Appends a query. A metric without limit and weight is all zeros.
    pub fn push(&self, query: &mut Vec<f32>, metrics: &PerMetric<MetricQuery>) {
        for &metric in &self.metrics {
            match metrics.get(metric) {
                Some(of_metric) => of_metric.push(query),
                None => query.extend(std::iter::repeat_n(0.0, self.anchors + EXTRAS)),
            }
        }
    }
}

impl MetricQuery<'_> {
    fn push(&self, query: &mut Vec<f32>) {
        let (mean, spread) = mean_and_spread(self.log_upper);
        query.extend(self.log_upper.iter().map(|value| bounded((value - mean) / spread)));
        query.push(bounded(spread.ln()));
        query.push(f32::from(self.log_limit.is_some()));
        query.push(self.log_limit.map_or(0.0, |limit| bounded((limit - mean) / spread)));
        // What one spread costs at the typical value: the weight without the metric's unit.
        let weight = self.weight * self.log_typical.exp() * spread;
        query.push(f32::from(weight > 0.0));
        query.push(if weight > 0.0 { bounded(weight.ln()) } else { 0.0 });
    }
}

/// Mean and standard deviation, the latter never zero.
pub(super) fn mean_and_spread(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt().max(MIN_SPREAD))
}

fn bounded(value: f64) -> f32 {
    value.clamp(-RANGE, RANGE) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(metrics: &[(Metric, MetricQuery)]) -> Vec<f32> {
        let shape = QueryShape {
            anchors: 2,
            metrics: Metric::OF_DEVICE.to_vec(),
        };
        let mut query = Vec::new();
        shape.push(&mut query, &metrics.iter().copied().collect());
        assert_eq!(query.len(), shape.width());
        query
    }

    #[test]
    fn a_limit_is_counted_in_spreads_of_the_anchors() {
        // Anchors at logs 1 and 3: mean 2, deviation 1. The limit at log 3.5 is 1.5 above the mean; ln 1 = 0.
        let of_metric = MetricQuery {
            log_upper: &[1.0, 3.0],
            log_typical: 0.0,
            log_limit: Some(3.5),
            weight: 0.0,
        };
        let (expected, nothing) = ([-1.0, 1.0, 0.0, 1.0, 1.5, 0.0, 0.0], [0.0; 7]);
        assert_eq!(query(&[(Metric::Latency, of_metric)]), [expected, nothing].concat());
        assert_eq!(query(&[(Metric::Energy, of_metric)]), [nothing, expected].concat());
    }

    #[test]
    fn the_unit_of_a_metric_does_not_matter() {
        // The same device in microseconds: every log 6.9 higher, the weight a thousandth.
        let thousand = 1000.0_f64;
        let in_ms = MetricQuery {
            log_upper: &[1.0, 3.0],
            log_typical: 1.8,
            log_limit: Some(2.5),
            weight: 0.2,
        };
        let in_us = MetricQuery {
            log_upper: &[1.0 + thousand.ln(), 3.0 + thousand.ln()],
            log_typical: 1.8 + thousand.ln(),
            log_limit: Some(2.5 + thousand.ln()),
            weight: 0.2 / thousand,
        };
        let of_latency = |one| query(&[(Metric::Latency, one)]);
        for (a, b) in of_latency(in_ms).iter().zip(of_latency(in_us)) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        assert!(query(&[]).iter().all(|&value| value == 0.0));
    }
}
