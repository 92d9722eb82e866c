//! What was measured of the latency of an unseen device: probes are picked among it, and limits are its quantiles.

use std::collections::HashMap;

use rand::seq::SliceRandom;

use super::predictor::ProbeChoice;
use crate::dataset::{Dataset, Task};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::metric::{Metric, PerMetric};
use crate::predict::{Predictor, Probe};
use crate::seed::Seed;
use crate::space::Architecture;
use crate::stats;

/// A limit on the latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limit {
    /// The quantile of the device's latencies that it is at.
    pub(super) quantile: f64,
    pub(super) ms: f64,
}

/// The measured latencies of one device.
pub(super) struct Measured {
    pub(super) device: Device,
    pub(super) architectures: Vec<Architecture>,
    /// In ms.
    pub(super) latencies: Vec<f64>,
}

impl Measured {
    /// At the task's input size, where a task is given.
    pub(super) fn of(dataset: &Dataset, task: Option<&Task>, device: usize) -> Result<Measured> {
        let values = dataset.values(device, Metric::Latency, dataset.selection(task)?)?;
        let device = dataset.devices[device].clone();
        if values.len() < 2 {
            return Err(Error::Invalid {
                what: format!("device {}", device.id),
                expected: "at least two architectures with a measured latency, to take limits from".into(),
                found: values.len().to_string(),
                hint: "Name other devices.".into(),
            });
        }
        Ok(Measured {
            architectures: (values.iter())
                .map(|value| dataset.architectures[value.0 as usize].clone())
                .collect(),
            latencies: values.iter().map(|value| value.1).collect(),
            device,
        })
    }

    pub(super) fn probes(&self, predictor: &Predictor, choice: ProbeChoice, count: usize, seed: Seed) -> Vec<Probe> {
        let positions = probe_positions(&self.architectures, predictor, choice, count, seed);
        let probe = |position: usize| probe(&self.device, &self.architectures[position], self.latencies[position]);
        positions.into_iter().map(probe).collect()
    }

    pub(super) fn limits(&self, count: usize) -> Vec<Limit> {
        limits(&self.latencies, count)
    }
}

/// Positions of the architectures to measure first.
pub(super) fn probe_positions(
    architectures: &[Architecture],
    predictor: &Predictor,
    choice: ProbeChoice,
    count: usize,
    seed: Seed,
) -> Vec<usize> {
    match choice {
        ProbeChoice::Chosen => {
            let chosen = predictor.choose_probes(count, Some(architectures), seed);
            let places: HashMap<&Architecture, usize> = architectures.iter().zip(0..).collect();
            chosen.iter().filter_map(|one| places.get(one).copied()).collect()
        }
        ProbeChoice::Random => {
            let mut order: Vec<usize> = (0..architectures.len()).collect();
            order.shuffle(&mut seed.stream("probes"));
            order.truncate(count);
            order
        }
    }
}

/// One measurement as a probe.
pub(super) fn probe(device: &Device, architecture: &Architecture, latency_ms: f64) -> Probe {
    let values = PerMetric::from_iter([(Metric::Latency, latency_ms)]);
    Probe::new(architecture.clone(), device, values)
}

/// Limits at evenly spaced quantiles of latencies, from 5 % to 95 %.
pub(super) fn limits(latencies: &[f64], count: usize) -> Vec<Limit> {
    let quantiles = (0..count).map(|index| limit_quantile(index, count));
    let limit = |quantile| Limit {
        quantile,
        ms: stats::quantile(latencies, quantile).unwrap_or(f64::NAN),
    };
    quantiles.map(limit).collect()
}

/// The quantile that one of so many limits is at.
pub(super) fn limit_quantile(index: usize, count: usize) -> f64 {
    0.05 + 0.9 / (count.max(2) - 1) as f64 * index as f64
}
