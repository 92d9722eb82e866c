//! The few-shot predictor with part of the measurements spent on its own designs, so that, as for the proxies' methods, every
//! answer is a measured one.

use super::case::{Answer, Case};
use crate::error::Result;
use crate::predict::{AdaptOptions, Probe};
use crate::search::most_improving;
use crate::seed::Seed;

/// Measurements for every one that is a probe; the others go to designs.
const MEASUREMENTS_PER_PROBE: usize = 3;
/// Most probes: more tell little of the device, and designs tell of it as well.
const MAX_PROBES: usize = 10;

impl Case<'_> {
    /// Adapts with a third of the measurements, and measures with each of the others the design with the largest expected
    /// improvement over all limits, which the device is then adapted with too.
    pub(super) fn verified(&self, measurements: usize, seed: Seed) -> Result<Answer> {
        let count = (measurements / MEASUREMENTS_PER_PROBE).clamp(1, MAX_PROBES);
        let mut measured = self.probe_positions(count, seed);
        let mut front = Vec::new();
        while measured.len() < measurements {
            let probes: Vec<Probe> = measured.iter().map(|&one| self.truth.probe(one)).collect();
            let options = AdaptOptions::measured_before(seed);
            let device = self.predictor.adapt_with(&self.truth.device, &probes, &options)?;
            let model = device.metrics.latency();
            let predictions = model.predict(&self.searched.basis);
            let incumbents = self.best_accuracies(&measured);
            // What a measured one can give is known already.
            let next = most_improving(&self.searched.accuracies, &incumbents, |candidate, limit| {
                if measured.contains(&candidate) {
                    0.0
                } else {
                    model.probability_below(predictions[candidate], self.limits[limit].ms)
                }
            });
            front = self.front(|position| Some(f64::from(predictions[position].mean)));
            let Some((next, _)) = next else { break };
            measured.push(next);
        }
        Ok(Answer {
            picks: self.best_measured(&measured),
            front,
        })
    }

    /// The best accuracy measured within each limit; nothing, 0 %, where none is.
    fn best_accuracies(&self, measured: &[usize]) -> Vec<f64> {
        let within = |ms: f64| measured.iter().filter(move |&&one| self.truth.latencies[one] <= ms);
        let best = |ms: f64| within(ms).map(|&one| self.searched.accuracies[one]).fold(0.0, f64::max);
        self.limits.iter().map(|limit| best(limit.ms)).collect()
    }
}
