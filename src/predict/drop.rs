//! What an accuracy is at another precision than it was learned at: lower by a simulated drop, see [`Network::accuracy_drop`], which is
//! known to within its own size.
//!
//! Where genes say bits, accuracies were learned with them, and nothing is left to lower. Nor is a proxy score, which says nothing of
//! precisions.
//!
//! [`Network::accuracy_drop`]: crate::space::Network::accuracy_drop

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::accuracy::{Accuracy, AccuracyScale, ScoreKind};
use super::accuracy_scale::slope;
use super::device_model::Estimate;
use super::{Predictor, Table};
use crate::dataset::Origin;
use crate::space::{Architecture, QuantPolicy};
use crate::stats::{INTERVAL_SHARE, normal_quantile};

/// Accuracies of every architecture of a table under a policy.
pub(crate) struct TableAccuracies {
    /// In the order of the table.
    pub(crate) accuracies: Vec<Accuracy>,
    /// Positions of the architectures, the most accurate first; of equally accurate ones in order.
    pub(crate) by_accuracy: Vec<usize>,
}

/// Accuracies of a table for each policy that was asked about.
#[derive(Default)]
pub(super) struct LoweredTables(Mutex<HashMap<QuantPolicy, Arc<TableAccuracies>>>);

impl TableAccuracies {
    fn new(accuracies: Vec<Accuracy>) -> TableAccuracies {
        let percent = |position: usize| accuracies[position].percent.mean;
        let mut by_accuracy: Vec<usize> = (0..accuracies.len()).collect();
        by_accuracy.sort_by(|&a, &b| percent(b).total_cmp(&percent(a)));
        TableAccuracies {
            accuracies,
            by_accuracy,
        }
    }
}

impl Predictor {
    /// Percentage points by which accuracies under a policy are below those learned: 0 where the policy costs nothing beside that
    /// learned at, where genes say bits, and of proxy scores.
    pub fn accuracy_drop(&self, architecture: &Architecture, policy: QuantPolicy) -> f64 {
        let Some(model) = self.accuracy.as_ref().filter(|_| self.may_drop(policy)) else {
            return 0.0;
        };
        let network = (self.space).lower(architecture, self.encoder.input_size(), self.encoder.classes);
        (network.accuracy_drop(policy) - network.accuracy_drop(model.scale.precision)).max(0.0)
    }

    fn may_drop(&self, policy: QuantPolicy) -> bool {
        !policy.arithmetic().is_float() && !self.space.has_bits() && self.score_kind() == ScoreKind::Accuracy
    }

    /// Accuracies of architectures under a policy, from those learned.
    pub(crate) fn lowered(
        &self,
        architectures: &[Architecture],
        accuracies: Vec<Accuracy>,
        policy: QuantPolicy,
    ) -> Vec<Accuracy> {
        let Some(model) = self.accuracy.as_ref().filter(|_| self.may_drop(policy)) else {
            return accuracies;
        };
        let lowered = accuracies.into_par_iter().zip(architectures);
        lowered
            .map(|(accuracy, architecture)| model.scale.lowered(accuracy, self.accuracy_drop(architecture, policy)))
            .collect()
    }

    /// [`Predictor::lowered`] of every architecture of its table, in the table's order. Computed once.
    pub(crate) fn accuracies_of_table(&self, table: &Table, policy: QuantPolicy) -> Arc<TableAccuracies> {
        // A panic elsewhere leaves whole entries or none.
        let known = || table.lowered.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lowered) = known().get(&policy) {
            return Arc::clone(lowered);
        }
        // Without the lock, since a thread that waits for others here may take up another query that needs the same.
        let lowered = TableAccuracies::new(self.lowered(&table.architectures, table.accuracies.clone(), policy));
        Arc::clone(known().entry(policy).or_insert_with(|| Arc::new(lowered)))
    }
}

impl AccuracyScale {
    /// An accuracy less a drop in percentage points, at least that of chance. The interval has the drop's whole size besides, to both
    /// sides.
    fn lowered(&self, accuracy: Accuracy, drop: f64) -> Accuracy {
        if drop <= 0.0 {
            return accuracy;
        }
        let Estimate { mean, low, high } = accuracy.percent;
        let lower = (mean - drop).max(self.chance_percent.min(mean));
        let deviation = drop / normal_quantile(0.5 + INTERVAL_SHARE / 2.0);
        Accuracy {
            percent: Estimate {
                mean: lower,
                low: (lower - drop.hypot(mean - low)).max(0.0),
                high: (lower + drop.hypot(high - mean)).min(100.0),
            },
            origin: Origin::Simulated,
            error: accuracy.error.hypot(deviation * slope(lower) / self.deviation),
            drop,
            ..accuracy
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::accuracy;
    use super::*;

    fn scale() -> AccuracyScale {
        AccuracyScale {
            chance_percent: 10.0,
            ..accuracy::tests::scale()
        }
    }

    fn accuracy(low: f64, mean: f64, high: f64, error: f64) -> Accuracy {
        Accuracy {
            percent: Estimate { mean, low, high },
            origin: Origin::Measured,
            error,
            drop: 0.0,
            kind: ScoreKind::Accuracy,
        }
    }

    #[test]
    fn a_drop_lowers_and_widens_by_its_size() {
        let lowered = scale().lowered(accuracy(70.0, 70.0, 70.0, 0.0), 1.0);
        let Estimate { mean, low, high } = lowered.percent;
        assert_eq!((mean, low, high, lowered.drop), (69.0, 68.0, 70.0, 1.0));
        assert_eq!(lowered.origin, Origin::Simulated);
        // Half-widths of 0.6 and 0.8 together make 1.
        let Estimate { mean, low, high } = scale().lowered(accuracy(69.4, 70.0, 70.6, 0.1), 0.8).percent;
        assert!((mean - 69.2).abs() < 1e-9 && (low - 68.2).abs() < 1e-9 && (high - 70.2).abs() < 1e-9);
        // Guessing is as good at any precision.
        assert_eq!(scale().lowered(accuracy(10.0, 10.0, 10.0, 0.0), 1.0).percent.mean, 10.0);
        let as_it_was = accuracy(69.4, 70.0, 70.6, 0.1);
        assert_eq!(scale().lowered(as_it_was, 0.0), as_it_was);
    }

    /// An error of one deviation of the drop, 1 / 1.644854 = 0.607957 points, is 0.607957 / 31.5 on the scale that 69 % lie on, in units of
    /// 0.5.
    #[test]
    fn a_limit_is_held_with_the_probability_of_the_drop() {
        let lowered = scale().lowered(accuracy(70.0, 70.0, 70.0, 0.0), 1.0);
        assert!(
            (lowered.error - 0.607957 / 31.5 / 0.5).abs() < 1e-7,
            "{}",
            lowered.error
        );
        let surely = |limit| scale().probability_at_least(&lowered, limit);
        assert!((surely(69.0) - 0.5).abs() < 1e-9);
        // The scale is a logarithm: 68 and 70 lie nearly a half-width away.
        assert!((surely(68.0) - 0.95).abs() < 0.01 && (surely(70.0) - 0.05).abs() < 0.01);
    }
}
