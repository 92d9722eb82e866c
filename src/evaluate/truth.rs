//! What was measured on an unseen device, to look designs up in.

use std::collections::HashMap;

use rand::seq::SliceRandom;

use super::optimizer::{OptimizerRow, TrueFront};
use crate::dataset::{Dataset, Task};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::evaluate::predictor::ProbeChoice;
use crate::metric::{Metric, PerMetric};
use crate::optimize::Proposal;
use crate::predict::{Predictor, Probe};
use crate::search::Tradeoff;
use crate::seed::Seed;
use crate::space::Architecture;
use crate::stats;

/// The measured truth of one device: architectures with both latency and accuracy.
pub(super) struct Truth {
    pub(super) device: Device,
    pub(super) architectures: Vec<Architecture>,
    pub(super) latencies: Vec<f64>,
    pub(super) accuracies: Vec<f64>,
    pub(super) place: HashMap<Architecture, usize>,
}

/// One design against the truth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) regret: f64,
    pub(super) overshoot: f64,
}

impl Truth {
    pub(super) fn of(dataset: &Dataset, task: &Task, device: usize) -> Result<Truth> {
        let accuracies: HashMap<u32, f64> = dataset.accuracies_of(task)?.into_iter().collect();
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
                hint: "Import the accuracies into the same dataset, or name it as a second --dataset.".into(),
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
        match choice {
            ProbeChoice::Chosen => {
                let chosen = predictor.choose_probes(count, Some(&self.architectures), seed);
                chosen.iter().filter_map(|one| self.place.get(one).copied()).collect()
            }
            ProbeChoice::Random => {
                let mut order: Vec<usize> = (0..self.architectures.len()).collect();
                order.shuffle(&mut seed.stream("probes"));
                order.truncate(count);
                order
            }
        }
    }

    pub(super) fn probe(&self, index: usize) -> Result<Probe> {
        let values = PerMetric::from_iter([(Metric::Latency, self.latencies[index])]);
        Probe::new(self.architectures[index].clone(), &self.device, values)
    }

    /// Quantiles and the latencies there.
    pub(super) fn limits(&self, count: usize) -> Vec<(f64, f64)> {
        let step = 0.9 / (count.max(2) - 1) as f64;
        (0..count)
            .map(|index| 0.05 + step * index as f64)
            .map(|quantile| (quantile, stats::quantile(&self.latencies, quantile).unwrap_or(f64::NAN)))
            .collect()
    }

    pub(super) fn position(&self, architecture: &Architecture) -> Result<usize> {
        self.place.get(architecture).copied().ok_or_else(|| Error::Invalid {
            what: format!("measurements of {}", self.device.id),
            expected: "a table of the whole search space".into(),
            found: "no row for a proposed design".into(),
            hint: "Designs can only be looked up where all architectures were measured.".into(),
        })
    }

    pub(super) fn oracle(&self, limit: f64) -> f64 {
        let fits = self
            .latencies
            .iter()
            .zip(&self.accuracies)
            .filter(|(latency, _)| **latency <= limit);
        fits.map(|(_, accuracy)| *accuracy).fold(0.0, f64::max)
    }

    pub(super) fn found(&self, limit: f64, pick: usize) -> Found {
        Found {
            regret: self.oracle(limit) - self.accuracies[pick],
            overshoot: (self.latencies[pick] / limit - 1.0).max(0.0),
        }
    }

    pub(super) fn row(
        &self,
        repeat: usize,
        (limit_quantile, limit_ms): (f64, f64),
        answer: &Proposal,
        pick: usize,
        predictor: &Predictor,
    ) -> OptimizerRow {
        let found = self.found(limit_ms, pick);
        OptimizerRow {
            device: self.device.id.clone(),
            repeat,
            limit_ms,
            limit_quantile,
            architecture: predictor.space.print(&answer.design.architecture),
            quantization: answer.design.quantization.clone(),
            feasible_probability: answer.feasible_probability,
            true_latency_ms: self.latencies[pick],
            true_accuracy: self.accuracies[pick],
            oracle_accuracy: self.oracle(limit_ms),
            regret: found.regret,
            violated: found.overshoot > 0.0,
            overshoot: found.overshoot,
            latency_ms: answer.latency,
            accuracy: answer.accuracy.percent,
        }
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

    /// Hypervolume of some designs over that of the best ones within the same limits, and over that of the true front.
    pub(super) fn hypervolume_ratios(&self, limits: &[(f64, f64)], picks: &[usize]) -> Result<[f64; 2]> {
        let table = self.tradeoff();
        let front = table.front();
        let best = |&(_, limit): &(f64, f64)| {
            let fits = front.iter().copied().filter(|&index| self.latencies[index] <= limit);
            fits.max_by(|&a, &b| self.accuracies[a].total_cmp(&self.accuracies[b]))
        };
        let asked: Vec<usize> = limits.iter().filter_map(best).collect();
        let ratio = |truth: &[usize]| Ok(table.ratio(picks, truth)?.unwrap_or(f64::NAN));
        Ok([ratio(&asked)?, ratio(&front)?])
    }
}
