//! What follows from the network of a design without any measurement, and for small spaces all of it at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::{Predictor, Table};
use crate::metric::PerMetric;
use crate::space::{Design, QuantPolicy};

/// The computed metrics of every architecture of a table, for each policy that was asked about.
#[derive(Default)]
pub(super) struct ComputedMetrics(Mutex<HashMap<QuantPolicy, Arc<[PerMetric<f64>]>>>);

impl Predictor {
    /// The metrics that are computed from the design's network, in their units: of the layers that run, on the task's input.
    pub fn computed(&self, design: &Design) -> PerMetric<f64> {
        let network = self
            .space
            .lower(&design.architecture, self.encoder.input_size(), self.encoder.classes);
        network.computed(design.policy)
    }

    /// [`Predictor::computed`] of every architecture of its table at one policy, in the table's order. Computed once.
    pub fn computed_of_table(&self, table: &Table, policy: QuantPolicy) -> Arc<[PerMetric<f64>]> {
        // A panic elsewhere leaves whole entries or none.
        let known = || table.computed.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(computed) = known().get(&policy) {
            return Arc::clone(computed);
        }
        // Without the lock, since a thread that waits for others here may take up another design that needs the same.
        let designs = table.architectures.par_iter().map(|architecture| Design {
            architecture: architecture.clone(),
            policy,
        });
        let computed = designs.map(|design| self.computed(&design)).collect();
        Arc::clone(known().entry(policy).or_insert(computed))
    }
}
