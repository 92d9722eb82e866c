//! What the policy sees: a device as its cost at fixed anchor architectures, and what is asked of it.
//!
//! A device is not described by its weights over a basis, which mean something only to one predictor's algebra, but by what
//! it does: the logarithm of the cost at a few anchors that it stays below with the confidence asked for, standardised. So
//! uncertainty and confidence are folded in, one policy serves every confidence, and limits are read on the same scale.

use serde::{Deserialize, Serialize};

/// Numbers about a metric beside the anchors.
const EXTRAS: usize = 5;
/// Standardised limits and logarithms are kept within this.
const RANGE: f64 = 5.0;
/// Spreads below this are those of a metric that does not depend on the architecture.
const MIN_SPREAD: f64 = 1e-3;

/// One metric of a device and what is asked of it.
#[derive(Debug, Clone, Copy)]
pub struct MetricQuery<'a> {
    /// Logarithm of the value at each anchor that is not exceeded with the confidence asked for.
    pub log_upper: &'a [f64],
    /// Mean over the anchors of the expected logarithm.
    pub log_typical: f64,
    /// Logarithm of the limit.
    pub log_limit: Option<f64>,
    /// Percentage points of accuracy that one unit of the metric is worth.
    pub weight: f64,
}

/// How long a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct QueryShape {
    /// Number of anchors.
    pub anchors: usize,
    /// Whether energy can be asked about.
    pub energy: bool,
}

impl QueryShape {
    /// Numbers in a query.
    pub fn width(self) -> usize {
        (self.anchors + EXTRAS) * (1 + usize::from(self.energy))
    }

    /// Appends a query. A metric that nothing is asked about (`None`) is all zeros.
    pub fn push(self, query: &mut Vec<f32>, latency: Option<MetricQuery>, energy: Option<MetricQuery>) {
        self.push_metric(query, latency);
        if self.energy {
            self.push_metric(query, energy);
        }
    }

    fn push_metric(self, query: &mut Vec<f32>, ask: Option<MetricQuery>) {
        let Some(ask) = ask else {
            query.extend(std::iter::repeat_n(0.0, self.anchors + EXTRAS));
            return;
        };
        let (mean, spread) = mean_and_spread(ask.log_upper);
        query.extend(ask.log_upper.iter().map(|value| bounded((value - mean) / spread)));
        query.push(bounded(spread.ln()));
        query.push(f32::from(ask.log_limit.is_some()));
        query.push(ask.log_limit.map_or(0.0, |limit| bounded((limit - mean) / spread)));
        // What one spread costs at the typical value: the weight without the metric's unit.
        let weight = ask.weight * ask.log_typical.exp() * spread;
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

    fn query(ask: Option<MetricQuery>) -> Vec<f32> {
        let shape = QueryShape {
            anchors: 2,
            energy: false,
        };
        let mut query = Vec::new();
        shape.push(&mut query, ask, None);
        assert_eq!(query.len(), shape.width());
        query
    }

    #[test]
    fn a_limit_is_counted_in_spreads_of_the_anchors() {
        // Anchors at logs 1 and 3: mean 2, deviation 1. The limit at log 3.5 is 1.5 above the mean; ln 1 = 0.
        let ask = MetricQuery {
            log_upper: &[1.0, 3.0],
            log_typical: 0.0,
            log_limit: Some(3.5),
            weight: 0.0,
        };
        assert_eq!(query(Some(ask)), [-1.0, 1.0, 0.0, 1.0, 1.5, 0.0, 0.0]);
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
        for (a, b) in query(Some(in_ms)).iter().zip(query(Some(in_us))) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        assert!(query(None).iter().all(|&value| value == 0.0));
    }
}
