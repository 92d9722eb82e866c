//! What is in a dataset, and what is odd about it: devices that are the same measurements twice, architectures that
//! compute the same function, values that are missing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use super::duplicates::{DuplicatedDevices, Series, duplicated_devices, series};
use super::{Dataset, Origin};
use crate::metric::Metric;
use crate::space::{InputSize, QuantPolicy};

/// Figures of one dataset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Id of the search space.
    pub space: String,
    /// Rows with latency or energy.
    pub measurements: usize,
    /// Rows with an accuracy.
    pub accuracies: usize,
    /// Distinct architectures.
    pub architectures: usize,
    /// Distinct functions among them, that is, isomorphism keys.
    pub distinct_functions: usize,
    /// Precisions of rows of both tables.
    pub precisions: Vec<QuantPolicy>,
    /// Input sizes named, or of the architectures where the resolution is a gene.
    pub inputs: Vec<String>,
    /// Rows of both tables by origin.
    pub origins: BTreeMap<&'static str, usize>,
    /// One entry per device.
    pub devices: Vec<DeviceSummary>,
    /// Devices whose latencies are the same.
    pub duplicated_devices: Vec<DuplicatedDevices>,
    /// One entry per task.
    pub tasks: Vec<AccuracySummary>,
}

/// Figures of one device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceSummary {
    /// Its id.
    pub id: String,
    /// Its hardware unit.
    pub unit: String,
    /// Its rows.
    pub rows: usize,
    /// Smallest latency, in ms.
    pub min_latency_ms: Option<f64>,
    /// Median latency, in ms.
    pub median_latency_ms: Option<f64>,
    /// Largest latency, in ms.
    pub max_latency_ms: Option<f64>,
    /// Share of the architectures measured on any device that have no latency on this one, in percent.
    pub missing_percent: f64,
    /// Rows with an energy.
    pub energies: usize,
}

/// Figures of one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccuracySummary {
    /// Its name.
    pub task: String,
    /// Its rows.
    pub rows: usize,
    /// Lowest accuracy, in percent.
    pub min_percent: f64,
    /// Highest accuracy, in percent.
    pub max_percent: f64,
}

/// Sums a dataset up.
pub fn summarise(dataset: &Dataset) -> Summary {
    let series = series(dataset);
    let functions: HashSet<String> = dataset
        .architectures
        .iter()
        .map(|architecture| dataset.space.isomorphism_key(architecture))
        .collect();
    Summary {
        space: dataset.space.id().into(),
        measurements: dataset.measurements.len(),
        accuracies: dataset.accuracies.len(),
        architectures: dataset.architectures.len(),
        distinct_functions: functions.len(),
        precisions: precisions(dataset),
        inputs: inputs(dataset),
        origins: origins(dataset),
        devices: devices(dataset, &series),
        duplicated_devices: duplicated_devices(dataset, &series),
        tasks: tasks(dataset),
    }
}

fn inputs(dataset: &Dataset) -> Vec<String> {
    if dataset.space.resolution_is_a_gene() {
        let own = |one| dataset.space.input(one, dataset.space.default_input());
        let distinct: BTreeSet<InputSize> = dataset.architectures.iter().map(own).collect();
        return distinct.iter().map(ToString::to_string).collect();
    }
    dataset.inputs.iter().map(ToString::to_string).collect()
}

fn origins(dataset: &Dataset) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::from(Origin::ALL.map(|origin| (origin.name(), 0)));
    let measured = dataset.measurements.iter().map(|row| row.origin);
    let all = measured.chain(dataset.accuracies.iter().map(|row| row.origin));
    for (origin, count) in Origin::counts(all) {
        counts.insert(origin.name(), count);
    }
    counts
}

fn precisions(dataset: &Dataset) -> Vec<QuantPolicy> {
    let measured = dataset.measurements.iter().map(|row| row.precision);
    let all: BTreeSet<QuantPolicy> = measured
        .chain(dataset.accuracies.iter().map(|row| row.precision))
        .collect();
    all.into_iter().collect()
}

fn devices(dataset: &Dataset, series: &[Series]) -> Vec<DeviceSummary> {
    let mut rows = vec![0; dataset.devices.len()];
    let mut energies = vec![0; dataset.devices.len()];
    let mut measured = vec![false; dataset.architectures.len()];
    for row in &dataset.measurements {
        rows[row.device as usize] += 1;
        energies[row.device as usize] += usize::from(row.value(Metric::Energy).is_some());
        measured[row.architecture as usize] = true;
    }
    let measured = measured.into_iter().filter(|&measured| measured).count();
    let summarise = |(position, series): (usize, &Series)| {
        let mut latencies: Vec<f64> = series.iter().map(|&(_, latency_ms)| latency_ms).collect();
        latencies.sort_unstable_by(f64::total_cmp);
        let present = series.chunk_by(|a, b| a.0 >> 32 == b.0 >> 32).count();
        DeviceSummary {
            id: dataset.devices[position].id.clone(),
            unit: dataset.devices[position].unit.clone(),
            rows: rows[position],
            min_latency_ms: latencies.first().copied(),
            median_latency_ms: median(&latencies),
            max_latency_ms: latencies.last().copied(),
            missing_percent: 100.0 * (measured - present) as f64 / measured.max(1) as f64,
            energies: energies[position],
        }
    };
    series.iter().enumerate().map(summarise).collect()
}

fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    Some(match sorted.len() % 2 {
        0 => (sorted[sorted.len() / 2 - 1] + upper) / 2.0,
        _ => upper,
    })
}

fn tasks(dataset: &Dataset) -> Vec<AccuracySummary> {
    let mut tasks: Vec<AccuracySummary> = dataset
        .tasks
        .iter()
        .map(|task| AccuracySummary {
            task: task.clone(),
            rows: 0,
            min_percent: 100.0,
            max_percent: 0.0,
        })
        .collect();
    for row in &dataset.accuracies {
        let task = &mut tasks[usize::from(row.task)];
        task.rows += 1;
        task.min_percent = task.min_percent.min(row.accuracy_percent);
        task.max_percent = task.max_percent.max(row.accuracy_percent);
    }
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_the_middle_of_two() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), Some(3.0));
    }
}
