//! Of the designs that meet the limits, which is the best?

use super::Evaluation;
use crate::error::{Error, Result};
use crate::metric::{Metric, PerMetric};

/// What makes a feasible design the best: the most accuracy, less what its other metrics are worth in accuracy.
///
/// The weights are the optimization parameters lambda of Lu, Yang & Ren, *Scaling Up Deep Neural Network Optimization for
/// Edge Inference* (2020). Without any, which is the default, accuracy alone decides.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Objective {
    weights: PerMetric<f64>,
}

impl Objective {
    /// An objective with these weights: the percentage points of accuracy that one unit of each metric is worth. Weights of
    /// zero are left out.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a weight that is negative or not finite, and for a weight on the accuracy, which is what the
    /// others are counted in.
    pub fn new(weights: impl IntoIterator<Item = (Metric, f64)>) -> Result<Self> {
        let weights: PerMetric<f64> = weights.into_iter().filter(|(_, weight)| *weight != 0.0).collect();
        let invalid = |metric: Metric, expected: &str, weight: f64, hint: &str| Error::Invalid {
            what: format!("{metric} weight"),
            expected: expected.into(),
            found: weight.to_string(),
            hint: hint.into(),
        };
        for (metric, &weight) in weights.iter() {
            if metric == Metric::Accuracy {
                return Err(invalid(
                    metric,
                    "none",
                    weight,
                    "Weights are percentage points of accuracy; weigh the other metrics.",
                ));
            }
            if !(weight.is_finite() && weight > 0.0) {
                return Err(invalid(
                    metric,
                    "0 or more",
                    weight,
                    "0.5 gives up half a percentage point of accuracy for one unit less.",
                ));
            }
        }
        Ok(Objective { weights })
    }

    /// The weights that are not zero, in percentage points of accuracy per unit of the metric.
    pub fn weights(&self) -> &PerMetric<f64> {
        &self.weights
    }

    /// Percentage points of accuracy that one unit of the metric is worth.
    pub fn weight(&self, metric: Metric) -> f64 {
        self.weights.get(metric).copied().unwrap_or(0.0)
    }

    /// What is to be made small, in percentage points of accuracy; infinite where a metric that counts is not known.
    pub fn cost(&self, evaluation: &Evaluation) -> f64 {
        let cost = |metric: Metric| {
            evaluation
                .value(metric)
                .map_or(f64::INFINITY, |value| metric.cost(value))
        };
        let weighted = self.weights.iter().map(|(metric, weight)| weight * cost(metric));
        cost(Metric::Accuracy) + weighted.sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_percentage_points_per_unit() {
        let values = [
            (Metric::Accuracy, 70.0),
            (Metric::Latency, 4.0),
            (Metric::ModelSize, 2.0),
        ];
        let evaluation = Evaluation {
            values: values.into_iter().collect(),
            feasible_probability: 1.0,
        };
        assert_eq!(Objective::default().cost(&evaluation), -70.0);
        // -70 + 0.5 * 4 + 3 * 2
        let objective = Objective::new([(Metric::Latency, 0.5), (Metric::ModelSize, 3.0)]).unwrap();
        assert_eq!(objective.cost(&evaluation), -62.0);
        // A weight of zero is none; one on a metric that nobody knows cannot be paid.
        let objective = Objective::new([(Metric::Energy, 0.0)]).unwrap();
        assert_eq!(objective, Objective::default());
        let objective = Objective::new([(Metric::Energy, 0.1)]).unwrap();
        assert_eq!(objective.cost(&evaluation), f64::INFINITY);
    }

    #[test]
    fn refuses_what_is_no_weight() {
        for weight in [-1.0, f64::NAN, f64::INFINITY] {
            let message = Objective::new([(Metric::Energy, weight)]).unwrap_err().to_string();
            assert!(message.contains("energy weight"), "{message}");
        }
        assert!(Objective::new([(Metric::Accuracy, 1.0)]).is_err());
    }
}
