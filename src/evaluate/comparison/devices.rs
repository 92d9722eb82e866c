//! Targets and proxies side by side, and which proxy a target gets.

use std::collections::HashMap;

use rayon::prelude::*;

use super::ComparisonOptions;
use crate::dataset::{Dataset, Task};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::proxy::Fleet;
use crate::proxy::flow::linear_model;
use crate::proxy::linear::LinearModel;
use crate::proxy::monotonicity::{MIN_COMMON, monotonicity};
use crate::space::Architecture;
use crate::stats;

/// Targets and proxies, each once.
pub(super) struct Devices {
    /// Positions in the dataset, rising.
    positions: Vec<usize>,
    /// Their latencies, one column each.
    pub(super) fleet: Fleet,
    /// A linear latency model of each.
    pub(super) models: Vec<LinearModel>,
    /// SRCC of every two columns; `None` where it is not defined or rests on too few architectures.
    agreement: Vec<Vec<Option<f64>>>,
}

impl Devices {
    pub(super) fn of(dataset: &Dataset, task: &Task, options: &ComparisonOptions) -> Result<Devices> {
        let positions = involved(options);
        let fleet = Fleet::of(dataset, &positions, Metric::Latency, task.input)?;
        let models = fleet
            .columns
            .par_iter()
            .map(|column| linear_model(&fleet, column))
            .collect::<Result<_>>()?;
        Ok(Devices {
            positions,
            models,
            agreement: agreement(&fleet)?,
            fleet,
        })
    }

    /// The column of the candidate that agrees best with the other candidates: chosen without a look at the target.
    pub(super) fn best_proxy(&self, dataset: &Dataset, options: &ComparisonOptions, target: usize) -> Result<usize> {
        let candidates: Vec<usize> = (0..self.positions.len())
            .filter(|&column| options.proxies.contains(&self.positions[column]))
            .filter(|&column| dataset.devices[self.positions[column]].unit != dataset.devices[target].unit)
            .collect();
        let mean = |column: usize| {
            let others = candidates.iter().filter(|&&other| other != column);
            let values: Vec<f64> = others.filter_map(|&other| self.agreement[column][other]).collect();
            stats::mean(&values).unwrap_or(-1.0)
        };
        candidates
            .iter()
            .copied()
            .max_by(|&a, &b| mean(a).total_cmp(&mean(b)).then(b.cmp(&a)))
            .ok_or_else(|| Error::Invalid {
                what: format!("proxies for {}", dataset.devices[target].id),
                expected: "at least one device of another hardware unit".into(),
                found: "none".into(),
                hint: "Name other proxies, or a dataset with more devices.".into(),
            })
    }

    /// The values of a column at these architectures, absent where not measured.
    pub(super) fn values(&self, column: usize, architectures: &[Architecture]) -> Vec<Option<f64>> {
        let values = self.fleet.columns[column].values.iter().copied();
        let at: HashMap<&Architecture, Option<f64>> = self.fleet.architectures.iter().zip(values).collect();
        architectures.iter().map(|one| at.get(one).copied().flatten()).collect()
    }
}

fn involved(options: &ComparisonOptions) -> Vec<usize> {
    let mut devices: Vec<usize> = options.targets.iter().chain(&options.proxies).copied().collect();
    devices.sort_unstable();
    devices.dedup();
    devices
}

fn agreement(fleet: &Fleet) -> Result<Vec<Vec<Option<f64>>>> {
    let found = monotonicity(fleet, 1.0, MIN_COMMON)?;
    let row_of: HashMap<&str, usize> = found
        .rows
        .iter()
        .enumerate()
        .map(|(row, one)| (one.id.as_str(), row))
        .collect();
    let rows: Vec<usize> = fleet.columns.iter().map(|column| row_of[column.id.as_str()]).collect();
    let of_row = |&row: &usize| rows.iter().map(|&other| found.agreement(row, other)).collect();
    Ok(rows.iter().map(of_row).collect())
}
