//! What was measured on an unseen device, to look designs up in.

use std::collections::HashMap;

use crate::dataset::{Dataset, Task};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::evaluate::measured::{self, Limit};
use crate::evaluate::predictor::ProbeChoice;
use crate::metric::Metric;
use crate::predict::{Predictor, Probe};
use crate::search::Tradeoff;
use crate::seed::Seed;
use crate::space::Architecture;

/// The Pareto front of a device's table.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueFront {
    /// Device id.
    pub device: String,
    /// Latency in ms and accuracy in percent, fastest first.
    pub points: Vec<[f64; 2]>,
}

/// The measured truth of one device: architectures with both latency and accuracy.
pub(super) struct Truth {
    pub(super) device: Device,
    pub(super) architectures: Vec<Architecture>,
    pub(super) latencies: Vec<f64>,
    pub(super) accuracies: Vec<f64>,
    pub(super) place: HashMap<Architecture, usize>,
}

/// One design against the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    /// Accuracy lost against the best design within the limit, in percentage points. Not below zero: what a design gains by
    /// exceeding its limit must not make up for what others lose.
    pub(super) regret: f64,
    /// Latency above the limit, as a share of the limit; 0 if it holds.
    pub(super) overshoot: f64,
}

impl Found {
    pub(super) fn violated(&self) -> bool {
        self.overshoot > 0.0
    }
}

impl Truth {
    pub(super) fn of(dataset: &Dataset, task: &Task, device: usize) -> Result<Truth> {
        let accuracies: HashMap<u32, f64> = dataset.accuracies_of(task, None)?.into_iter().collect();
        let both: Vec<(u32, f64, f64)> = dataset
            .values(device, Metric::Latency, dataset.selection(Some(task))?)?
            .into_iter()
            .filter_map(|(architecture, latency)| Some((architecture, latency, *accuracies.get(&architecture)?)))
            .collect();
        let device = dataset.devices[device].clone();
        if both.len() < 2 {
            return Err(Error::Invalid {
                what: format!("device {}", device.id),
                expected: format!("architectures with both a latency and an accuracy at {}", task.name),
                found: both.len().to_string(),
                hint: "Import the accuracies into the same dataset, or merge the dataset that has them.".into(),
            });
        }
        let architectures: Vec<Architecture> = both
            .iter()
            .map(|row| dataset.architectures[row.0 as usize].clone())
            .collect();
        Ok(Truth {
            device,
            place: architectures
                .iter()
                .cloned()
                .enumerate()
                .map(|(index, one)| (one, index))
                .collect(),
            architectures,
            latencies: both.iter().map(|row| row.1).collect(),
            accuracies: both.iter().map(|row| row.2).collect(),
        })
    }

    /// Positions of the architectures to measure first.
    pub(super) fn probes(&self, predictor: &Predictor, choice: ProbeChoice, count: usize, seed: Seed) -> Vec<usize> {
        measured::probe_positions(&self.architectures, predictor, choice, count, seed)
    }

    pub(super) fn probe(&self, index: usize) -> Probe {
        measured::probe(&self.device, &self.architectures[index], self.latencies[index])
    }

    /// Limits at evenly spaced quantiles of the latencies, from 5 % to 95 %.
    pub(super) fn limits(&self, count: usize) -> Vec<Limit> {
        measured::limits(&self.latencies, count)
    }

    pub(super) fn position(&self, architecture: &Architecture) -> Result<usize> {
        self.place.get(architecture).copied().ok_or_else(|| Error::Invalid {
            what: format!("measurements of {}", self.device.id),
            expected: "a table of the whole search space".into(),
            found: "no row for a proposed design".into(),
            hint: "Designs can only be looked up where all architectures were measured.".into(),
        })
    }

    /// The best accuracy within a limit.
    pub(super) fn oracle(&self, limit_ms: f64) -> f64 {
        let fits = self
            .latencies
            .iter()
            .zip(&self.accuracies)
            .filter(|(latency, _)| **latency <= limit_ms);
        fits.map(|(_, accuracy)| *accuracy).fold(0.0, f64::max)
    }

    pub(super) fn found(&self, limit: &Limit, pick: usize) -> Found {
        Found {
            regret: (self.oracle(limit.ms) - self.accuracies[pick]).max(0.0),
            overshoot: (self.latencies[pick] / limit.ms - 1.0).max(0.0),
        }
    }

    pub(super) fn found_all(&self, limits: &[Limit], picks: &[usize]) -> Vec<Found> {
        let both = limits.iter().zip(picks);
        both.map(|(limit, &pick)| self.found(limit, pick)).collect()
    }

    pub(super) fn front(&self) -> TrueFront {
        let front = self.tradeoff().front();
        let mut points: Vec<[f64; 2]> = front
            .into_iter()
            .map(|index| [self.latencies[index], self.accuracies[index]])
            .collect();
        points.sort_by(|a, b| a[0].total_cmp(&b[0]));
        TrueFront {
            device: self.device.id.clone(),
            points,
        }
    }

    pub(super) fn tradeoff(&self) -> Tradeoff<'_> {
        Tradeoff::new([
            (Metric::Accuracy, &self.accuracies[..]),
            (Metric::Latency, &self.latencies),
        ])
    }

    /// Hypervolume of (limit, accuracy) of the designs that hold their limit over that of (limit, best accuracy within it),
    /// and hypervolume of (latency, accuracy) of those designs over that of the true front. Neither can exceed 1: every
    /// numerator lies within its denominator.
    pub(super) fn hypervolume_ratios(&self, limits: &[Limit], picks: &[usize]) -> Result<[f64; 2]> {
        let both = limits.iter().zip(picks.iter().copied());
        let held: Vec<(&Limit, usize)> = both.filter(|&(limit, pick)| self.latencies[pick] <= limit.ms).collect();
        let attained: Vec<[f64; 2]> = held
            .iter()
            .map(|&(limit, pick)| [self.accuracies[pick], limit.ms])
            .collect();
        let attainable: Vec<[f64; 2]> = limits.iter().map(|limit| [self.oracle(limit.ms), limit.ms]).collect();
        let table = self.tradeoff();
        let of_limits = table.reference()?.ratio(&attained, &attainable);
        let picks: Vec<usize> = held.iter().map(|&(_, pick)| pick).collect();
        let of_front = table.ratio(&picks, &table.front())?;
        Ok([of_limits, of_front].map(|ratio| ratio.unwrap_or(f64::NAN)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (60 %, 1 ms), (70 %, 2 ms), (80 %, 4 ms), and (50 %, 5 ms), the corner of the two worst values.
    fn truth() -> Truth {
        Truth {
            device: Device::named("device"),
            architectures: Vec::new(),
            latencies: vec![1.0, 2.0, 4.0, 5.0],
            accuracies: vec![60.0, 70.0, 80.0, 50.0],
            place: HashMap::new(),
        }
    }

    fn limits(ms: &[f64]) -> Vec<Limit> {
        ms.iter().map(|&ms| Limit { quantile: 0.5, ms }).collect()
    }

    #[test]
    fn exceeding_a_limit_is_a_violation_and_no_gain() {
        let truth = truth();
        // Within 2.5 ms the best has 70 %; the pick has 80 % at 4 ms, 0.6 of the limit above it.
        let found = truth.found_all(&limits(&[2.5, 4.5]), &[2, 1]);
        assert!(found[0].violated());
        assert_eq!(found[0].regret, 0.0);
        assert!((found[0].overshoot - 0.6).abs() < 1e-12);
        // Within 4.5 ms the best has 80 %; the pick has 70 %.
        assert_eq!(
            found[1],
            Found {
                regret: 10.0,
                overshoot: 0.0
            }
        );
        assert!(!found[1].violated());
    }

    #[test]
    fn hypervolume_ratios_worked_by_hand() {
        let truth = truth();
        let limits = limits(&[2.5, 4.5]);
        // From (50 %, 5 ms): 20 x 2.5, and 10 x 0.5 more from the second limit, make 55. The front: 10 x 4, 10 x 3 and 10 x 1
        // make 80, of which the two best designs leave the first 10 x 1 between 1 and 2 ms out.
        let close = |found: [f64; 2], expected: [f64; 2]| {
            let near = |place: usize| (found[place] - expected[place]).abs() < 1e-12;
            assert!(near(0) && near(1), "found {found:?}, expected {expected:?}");
        };
        close(truth.hypervolume_ratios(&limits, &[1, 2]).unwrap(), [1.0, 70.0 / 80.0]);
        // The second pick is 70 %: the part of it that the first has not reached is nothing.
        close(
            truth.hypervolume_ratios(&limits, &[1, 1]).unwrap(),
            [50.0 / 55.0, 60.0 / 80.0],
        );
        // The first pick exceeds its limit: 30 x 0.5 is left of the second.
        close(
            truth.hypervolume_ratios(&limits, &[2, 2]).unwrap(),
            [15.0 / 55.0, 30.0 / 80.0],
        );
        // A faster design than the best within the limits once made a ratio above 1.
        close(
            truth.hypervolume_ratios(&limits[1..], &[0]).unwrap(),
            [5.0 / 15.0, 40.0 / 80.0],
        );
        close(truth.hypervolume_ratios(&limits, &[3, 3]).unwrap(), [0.0, 0.0]);
    }
}
