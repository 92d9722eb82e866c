//! What is in a dataset, and what is odd about it: devices that are the same measurements twice, architectures that
//! compute the same function, values that are missing.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use rayon::prelude::*;
use serde::Serialize;

use super::{Dataset, Origin};
use crate::metric::Metric;
use crate::space::Precision;

/// Two devices with this share of the same latencies are one device counted twice.
const SAME_SHARE: f64 = 0.99;
/// Latencies whose ratio is at most this are the same: a second run of the same measurements. Two GPUs of one generation
/// come as near as 1.029 (for 99 % of FBNet's architectures in the data of HELP).
const SAME_WITHIN: f64 = 1.025;
/// Fewer shared architectures say nothing about two devices being the same.
const LEAST_SHARED: usize = 20;

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
    pub precisions: Vec<Precision>,
    /// Input sizes named.
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

/// Two devices that are one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DuplicatedDevices {
    /// Id of one.
    pub first: String,
    /// Id of the other.
    pub second: String,
    /// Rows about the same architecture, precision and input.
    pub shared: usize,
    /// Those of them with the same latency, to 2.5 %.
    pub identical: usize,
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

/// Latencies of a device in the order of what they are about: (architecture, precision and input; ms).
type Series = Vec<(u64, f64)>;

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
        inputs: dataset.inputs.iter().map(ToString::to_string).collect(),
        origins: origins(dataset),
        devices: devices(dataset, &series),
        duplicated_devices: duplicated_devices(dataset, &series),
        tasks: tasks(dataset),
    }
}

fn series(dataset: &Dataset) -> Vec<Series> {
    let mut series: Vec<Series> = vec![Vec::new(); dataset.devices.len()];
    for row in &dataset.measurements {
        if let Some(latency_ms) = row.value(Metric::Latency) {
            let about = u64::from(row.architecture) << 32 | (row.precision as u64) << 16 | u64::from(row.input);
            series[row.device as usize].push((about, latency_ms));
        }
    }
    series
        .par_iter_mut()
        .for_each(|series| series.sort_unstable_by_key(|&(about, _)| about));
    series
}

fn origins(dataset: &Dataset) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::from(Origin::ALL.map(|origin| (origin.name(), 0)));
    let measured = dataset.measurements.iter().map(|row| row.origin);
    for origin in measured.chain(dataset.accuracies.iter().map(|row| row.origin)) {
        *counts.entry(origin.name()).or_default() += 1;
    }
    counts
}

fn precisions(dataset: &Dataset) -> Vec<Precision> {
    let measured = dataset.measurements.iter().map(|row| row.precision);
    let all: BTreeSet<Precision> = measured
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

fn duplicated_devices(dataset: &Dataset, series: &[Series]) -> Vec<DuplicatedDevices> {
    let pairs_of = |first: usize| (first + 1..series.len()).map(move |second| (first, second));
    let found = (0..series.len()).into_par_iter().flat_map_iter(|first| {
        pairs_of(first).filter_map(|(first, second)| {
            let (shared, identical) = agreement(&series[first], &series[second])?;
            Some(DuplicatedDevices {
                first: dataset.devices[first].id.clone(),
                second: dataset.devices[second].id.clone(),
                shared,
                identical,
            })
        })
    });
    found.collect()
}

/// Shared and identical rows of two devices that are the same, `None` for devices that are not.
fn agreement(first: &Series, second: &Series) -> Option<(usize, usize)> {
    // No more rows can be shared than the shorter series has: past this many differences the answer is known.
    let tolerated = (1.0 - SAME_SHARE) * first.len().min(second.len()) as f64;
    let (mut left, mut right) = (first.iter().peekable(), second.iter().peekable());
    let (mut shared, mut identical) = (0, 0);
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let order = a.0.cmp(&b.0);
        if order == Ordering::Equal {
            shared += 1;
            identical += usize::from(a.1.max(b.1) <= SAME_WITHIN * a.1.min(b.1));
            if (shared - identical) as f64 > tolerated {
                return None;
            }
        }
        if order != Ordering::Greater {
            left.next();
        }
        if order != Ordering::Less {
            right.next();
        }
    }
    let same = shared >= LEAST_SHARED && identical as f64 >= SAME_SHARE * shared as f64;
    same.then_some((shared, identical))
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

    fn row(about: u64, latency_ms: f64) -> (u64, f64) {
        (about, latency_ms)
    }

    #[test]
    fn devices_are_the_same_from_99_percent_of_20_shared_rows_on() {
        let first: Series = (0..200).map(|n| row(n, n as f64 + 1.0)).collect();
        let mut second: Series = first
            .iter()
            .map(|&(about, latency_ms)| row(about, 1.02 * latency_ms))
            .collect();
        assert_eq!(agreement(&first, &second), Some((200, 200)));
        (second[0].1, second[1].1) = (0.97, 2.1);
        assert_eq!(agreement(&first, &second), Some((200, 198)));
        second[2].1 = 0.5;
        assert_eq!(agreement(&first, &second), None);
        assert_eq!(agreement(&first, &first[..19].to_vec()), None);
        assert_eq!(agreement(&first, &first[180..].to_vec()), Some((20, 20)));
    }

    #[test]
    fn the_median_of_an_even_number_is_the_middle_of_two() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), Some(3.0));
    }
}
