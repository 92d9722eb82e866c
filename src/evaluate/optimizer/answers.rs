//! The answers of one method, and their figures.

use std::time::Instant;

use super::{OptimizerScoring, OptimizerSummary};
use crate::error::Result;
use crate::evaluate::devices::{ScoredDevice, by_unit};
use crate::evaluate::measured::Limit;
use crate::evaluate::truth::{Found, Truth};
use crate::stats::{self, Interval};

/// The answers of one method: for each device and repeat, one design per limit.
#[derive(Default)]
pub(super) struct Answers {
    runs: Vec<Run>,
    seconds: f64,
    designs: usize,
}

/// The answers to one device's limits in one repeat.
struct Run {
    /// Position among the scored devices.
    device: usize,
    found: Vec<Found>,
    hypervolume_ratios: [f64; 2],
}

impl Answers {
    /// Looks up what `answer` picks for the limits (positions in the truth), and keeps the time that it takes.
    pub(super) fn add(
        &mut self,
        device: usize,
        truth: &Truth,
        limits: &[Limit],
        answer: impl FnOnce() -> Result<Vec<usize>>,
    ) -> Result<()> {
        let started = Instant::now();
        let picks = answer()?;
        self.seconds += started.elapsed().as_secs_f64();
        self.designs += picks.len();
        self.runs.push(Run {
            device,
            found: truth.found_all(limits, &picks),
            hypervolume_ratios: truth.hypervolume_ratios(limits, &picks)?,
        });
        Ok(())
    }

    pub(super) fn summary(&self, devices: &[ScoredDevice], scoring: &OptimizerScoring) -> OptimizerSummary {
        let interval = |groups: &[Vec<f64>]| {
            stats::bootstrap_mean(groups, stats::INTERVAL_SHARE, scoring.seed).unwrap_or(Interval::NONE)
        };
        let groups = |of: &dyn Fn(&Found) -> Option<f64>| -> Vec<Vec<f64>> {
            let mut groups = self.by_unit(devices, |run| run.found.iter().filter_map(of).collect());
            groups.retain(|group| !group.is_empty());
            groups
        };
        let average = |of: &dyn Fn(&Found) -> Option<f64>| mean_of_means(&groups(of));
        let ratio = |which: usize| mean_of_means(&self.by_unit(devices, |run| vec![run.hypervolume_ratios[which]]));
        let regret = interval(&groups(&|found| Some(found.regret)));
        OptimizerSummary {
            mean_regret: regret.mean,
            mean_regret_low: regret.low,
            mean_regret_high: regret.high,
            mean_regret_within_limits: average(&|found| (!found.violated()).then_some(found.regret)),
            violation_rate: average(&|found| Some(f64::from(u8::from(found.violated())))),
            mean_overshoot: Some(average(&|found| found.violated().then_some(found.overshoot)))
                .filter(|mean| mean.is_finite())
                .unwrap_or(0.0),
            hypervolume_ratio: ratio(0),
            hypervolume_ratio_of_whole_front: ratio(1),
            microseconds_per_design: 1e6 * self.seconds / self.designs.max(1) as f64,
            regret_by_limit: (0..scoring.limits)
                .map(|limit| {
                    interval(&self.by_unit(devices, |run| {
                        run.found.get(limit).map(|one| one.regret).into_iter().collect()
                    }))
                })
                .collect(),
        }
    }

    /// Values of all runs, in one group per hardware unit that counts.
    fn by_unit(&self, devices: &[ScoredDevice], of: impl Fn(&Run) -> Vec<f64>) -> Vec<Vec<f64>> {
        let of_device = |device: usize| {
            self.runs
                .iter()
                .filter(move |run| run.device == device)
                .flat_map(&of)
                .collect()
        };
        by_unit(devices, (0..devices.len()).map(of_device))
    }
}

/// Every group weighs the same, however many values it has.
fn mean_of_means(groups: &[Vec<f64>]) -> f64 {
    let means: Vec<f64> = groups.iter().filter_map(|group| stats::mean(group)).collect();
    stats::mean(&means).unwrap_or(f64::NAN)
}
