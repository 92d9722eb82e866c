//! What every row of an answer shares: of which device and checkpoint it is, with which seed, within which limits.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::metric::Direction;
use crate::search::Limits;

/// Where the rows of an answer come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Context {
    /// Id of the device.
    pub device: String,
    /// Identifies the checkpoint by the predictor in it.
    pub checkpoint: String,
    /// Seed of the run.
    pub seed: u64,
}

/// Limits with their units in their names, such as `max_latency_ms`, and the probability with which they have to hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitsRow {
    #[serde(flatten)]
    limits: BTreeMap<String, f64>,
    confidence: f64,
}

impl LimitsRow {
    /// The row of these limits.
    pub fn new(limits: &Limits) -> LimitsRow {
        let named = limits.constraints().iter().map(|constraint| {
            let bound = match constraint.metric().direction() {
                Direction::Maximize => "min",
                Direction::Minimize => "max",
            };
            (format!("{bound}_{}", constraint.metric().key()), constraint.limit())
        });
        LimitsRow {
            limits: named.collect(),
            confidence: limits.confidence(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Metric;
    use crate::search::Constraint;

    #[test]
    fn limits_are_named_with_their_units() {
        let limit = |metric, value| Constraint::new(metric, value).unwrap();
        let limits = vec![limit(Metric::Latency, 10.0), limit(Metric::Accuracy, 70.0)];
        let row = LimitsRow::new(&Limits::new(limits, 0.9).unwrap());
        assert_eq!(
            serde_json::to_value(row).unwrap(),
            serde_json::json!({"max_latency_ms": 10.0, "min_accuracy_percent": 70.0, "confidence": 0.9})
        );
    }
}
