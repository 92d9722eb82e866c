//! Devices that are the same measurements twice, which would otherwise count twice wherever devices are averaged.

use std::cmp::Ordering;

use rayon::prelude::*;
use serde::Serialize;

use super::Dataset;
use crate::metric::Metric;

/// Two devices with this share of the same latencies are one device counted twice.
const SAME_SHARE: f64 = 0.99;
/// Latencies whose ratio is at most this are the same: a second run of the same measurements. Two GPUs of one generation
/// come as near as 1.029 (for 99 % of FBNet's architectures in the data of HELP).
const SAME_WITHIN: f64 = 1.025;
/// Fewer shared architectures say nothing about two devices being the same.
const MIN_SHARED: usize = 20;

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

/// Latencies of a device in the order of what they are about: (architecture, precision and input; ms).
pub(super) type Series = Vec<(u64, f64)>;

impl Dataset {
    /// Every two devices that are the same measurements, as far as their rows are about the same designs.
    pub fn duplicated_devices(&self) -> Vec<DuplicatedDevices> {
        duplicated_devices(self, &series(self))
    }
}

/// The latencies of every device.
pub(super) fn series(dataset: &Dataset) -> Vec<Series> {
    let mut series: Vec<Series> = vec![Vec::new(); dataset.devices.len()];
    for row in &dataset.measurements {
        if let Some(latency_ms) = row.value(Metric::Latency) {
            let about =
                u64::from(row.architecture) << 32 | u64::from(row.precision.number()) << 16 | u64::from(row.input);
            series[row.device as usize].push((about, latency_ms));
        }
    }
    series
        .par_iter_mut()
        .for_each(|series| series.sort_unstable_by_key(|&(about, _)| about));
    series
}

/// Every two devices that are the same measurements.
pub(super) fn duplicated_devices(dataset: &Dataset, series: &[Series]) -> Vec<DuplicatedDevices> {
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
    let same = shared >= MIN_SHARED && identical as f64 >= SAME_SHARE * shared as f64;
    same.then_some((shared, identical))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{DeviceValues, Measurement, Origin};
    use crate::device::Device;
    use crate::space::{NasBench201, Precision};

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

    /// Three devices, of which the last repeats the first but for 0.1 %.
    #[test]
    fn the_same_measurements_twice_are_found() {
        let mut dataset = Dataset::new(&NasBench201);
        dataset.devices = ["a", "b", "a_again"].map(Device::named).into();
        for architecture in 0..40 {
            let value = f64::from(architecture + 1);
            for (device, latency_ms) in [(0, value), (1, 100.0 / value), (2, value * 1.001)] {
                dataset.measurements.push(Measurement {
                    device,
                    architecture,
                    precision: Precision::Fp32.into(),
                    input: 0,
                    values: DeviceValues::of(Metric::Latency, latency_ms),
                    origin: Origin::Measured,
                });
            }
        }
        let found = dataset.duplicated_devices();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].first.as_str(), found[0].second.as_str()), ("a", "a_again"));
        assert_eq!((found[0].shared, found[0].identical), (40, 40));
    }
}
