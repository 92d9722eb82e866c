//! Do the answers hold when they are measured once more?
//!
//! The best of many measured designs is one whose measurement was lucky more often than not (the winner's curse), most of all
//! close to a limit.

use std::collections::HashMap;

use super::{Measure, Stage, Trial, Tuned};
use crate::error::Result;
use crate::measure::Measured;
use crate::metric::{Metric, PerMetric};
use crate::search::{Evaluation, Limits};
use crate::space::Design;

/// The answers, and what it took to be sure of them.
pub(super) struct Confirmed {
    pub(super) tuned: Vec<Tuned>,
    pub(super) measured: usize,
    pub(super) overturned: usize,
}

/// Whether a measured design holds limits: its latency with the upper end of the median's interval, computed metrics exactly.
pub(super) fn holds(trial: &Trial, limits: &Limits) -> bool {
    let latency = &trial.measured.latency;
    holds_with(trial, latency.high_ms.max(latency.median_ms), limits)
}

fn holds_with(trial: &Trial, latency_ms: f64, limits: &Limits) -> bool {
    let mut values: PerMetric<f64> = trial.computed;
    values.insert(Metric::Accuracy, trial.accuracy.percent.mean);
    values.insert(Metric::Latency, latency_ms);
    if let Some(energy_mj) = trial.measured.energy_mj {
        values.insert(Metric::Energy, energy_mj);
    }
    Evaluation::certain(values, limits).feasible_probability > 0.0
}

/// Measures the best design within each limit once more, and where it misses then, the next best, as long as `allowed`
/// measurements last.
pub(super) fn confirm(
    trials: &[Trial],
    limits_ms: &[f64],
    queries: &[Limits],
    allowed: usize,
    measure: &mut Measure,
) -> Result<Confirmed> {
    let mut confirmations: HashMap<usize, Measured> = HashMap::new();
    let mut overturned = vec![0; queries.len()];
    loop {
        let best: Vec<Option<usize>> = (queries.iter().zip(&mut overturned))
            .map(|(limits, overturned)| best_within(trials, limits, &confirmations, overturned))
            .collect();
        let mut open: Vec<usize> = best.iter().flatten().copied().collect();
        open.retain(|trial| !confirmations.contains_key(trial));
        open.sort_unstable();
        open.dedup();
        open.truncate(allowed - confirmations.len());
        let confirmed = if open.is_empty() {
            Vec::new()
        } else {
            let designs: Vec<Design> = open
                .iter()
                .map(|&trial| trials[trial].measured.design.clone())
                .collect();
            measure(Stage::Confirmation, &designs)?.measured
        };
        // Nothing left to measure, or nothing of it could be.
        if confirmed.is_empty() {
            let answers = limits_ms.iter().zip(best);
            return Ok(Confirmed {
                tuned: answers
                    .map(|(&limit_ms, best)| answer(trials, limit_ms, best, &confirmations))
                    .collect(),
                measured: confirmations.len(),
                overturned: overturned.iter().sum(),
            });
        }
        for measured in confirmed {
            if let Some(&trial) = open.iter().find(|&&one| trials[one].measured.design == measured.design) {
                confirmations.insert(trial, measured);
            }
        }
    }
}

/// The most accurate trial that holds the limits, and was not found to miss them later. Counts those that were.
fn best_within(
    trials: &[Trial],
    limits: &Limits,
    confirmations: &HashMap<usize, Measured>,
    overturned: &mut usize,
) -> Option<usize> {
    let mut holding: Vec<usize> = (0..trials.len()).filter(|&one| holds(&trials[one], limits)).collect();
    let accuracy = |trial: usize| trials[trial].accuracy.percent.mean;
    holding.sort_by(|&a, &b| accuracy(b).total_cmp(&accuracy(a)));
    let missed = |trial: usize| {
        let confirmation = confirmations.get(&trial);
        confirmation.is_some_and(|measured| !holds_with(&trials[trial], measured.latency.median_ms, limits))
    };
    let first = holding.iter().position(|&trial| !missed(trial));
    *overturned = first.unwrap_or(holding.len());
    first.map(|first| holding[first])
}

fn answer(trials: &[Trial], limit_ms: f64, best: Option<usize>, confirmations: &HashMap<usize, Measured>) -> Tuned {
    let median = |trial: usize| trials[trial].measured.latency.median_ms;
    let fastest = (0..trials.len()).min_by(|&a, &b| median(a).total_cmp(&median(b)));
    let trial = best.or(fastest);
    Tuned {
        limit_ms,
        trial,
        holds: best.is_some(),
        confirmation: trial.and_then(|trial| confirmations.get(&trial).cloned()),
    }
}
