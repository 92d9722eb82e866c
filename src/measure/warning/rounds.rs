//! What was noted in the rounds, and how they differ from each other.

use std::collections::BTreeMap;

use super::MeasureWarning;
use crate::measure::log::RoundEntry;

/// Share of the time that tasks may wait for a core, and that a hypervisor may take, in percent.
const MAX_WAITING_PERCENT: f64 = 5.0;
const MAX_STOLEN_PERCENT: f64 = 1.0;
const MAX_THROTTLED_PERCENT: f64 = 1.0;
/// How far a round may lie from the others in the mean over the designs, in percent.
const MAX_DRIFT_PERCENT: f64 = 3.0;
/// Fewest designs that show that the machine changed.
const DESIGNS_THAT_DRIFT: usize = 3;

/// What rounds of designs say about the machine: each is its number, the design's latency in it relative to its own in all, and
/// what was noted.
pub(in crate::measure) fn of_rounds(entries: &[&RoundEntry], relative: &[(usize, f64)]) -> Vec<MeasureWarning> {
    let mut warnings = Vec::new();
    let beyond = |share: fn(&RoundEntry) -> Option<f64>, most: f64| -> Option<(f64, usize)> {
        let found: Vec<f64> = entries
            .iter()
            .filter_map(|entry| share(entry))
            .filter(|&share| share > most)
            .collect();
        let worst = found.iter().copied().fold(0.0, f64::max);
        (!found.is_empty()).then_some((worst, found.len()))
    };
    let of = entries.len();
    if let Some((worst_percent, rounds)) = beyond(|entry| entry.busy.waiting_percent, MAX_WAITING_PERCENT) {
        warnings.push(MeasureWarning::Waiting {
            worst_percent,
            rounds,
            of,
        });
    }
    if let Some((worst_percent, rounds)) = beyond(|entry| entry.busy.stolen_percent, MAX_STOLEN_PERCENT) {
        warnings.push(MeasureWarning::Stolen {
            worst_percent,
            rounds,
            of,
        });
    }
    if let Some((worst_percent, rounds)) = beyond(|entry| entry.busy.throttled_percent, MAX_THROTTLED_PERCENT) {
        warnings.push(MeasureWarning::Throttled {
            worst_percent,
            rounds,
            of,
        });
    }
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    for text in entries.iter().flat_map(|entry| &entry.warnings) {
        *said.entry(text).or_default() += 1;
    }
    warnings.extend(said.into_iter().map(|(text, rounds)| MeasureWarning::Runtime {
        text: text.into(),
        rounds,
    }));
    warnings.extend(drift(relative));
    warnings
}

/// Rounds whose geometric mean over the designs differs from that of all rounds. Of a few designs it would say what each of them
/// did by itself.
pub(super) fn drift(relative: &[(usize, f64)]) -> Vec<MeasureWarning> {
    let mut logs: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (round, value) in relative {
        logs.entry(*round).or_default().push(value.ln());
    }
    logs.retain(|_, logs| logs.len() >= DESIGNS_THAT_DRIFT);
    let mean = |logs: &[f64]| logs.iter().sum::<f64>() / logs.len().max(1) as f64;
    let rounds: Vec<(usize, f64)> = logs.iter().map(|(round, logs)| (*round, mean(logs))).collect();
    let all = mean(&rounds.iter().map(|(_, log)| *log).collect::<Vec<f64>>());
    let percent = |log: f64| 100.0 * (log - all).exp_m1();
    rounds
        .iter()
        .map(|&(round, log)| (round, percent(log)))
        .filter(|(_, percent)| percent.abs() > MAX_DRIFT_PERCENT)
        .map(|(round, percent)| MeasureWarning::Drift {
            round: round + 1,
            percent,
        })
        .collect()
}
