//! Means over the hardware units of targets and over repeats.

use super::{ComparisonMean, ComparisonOptions, ComparisonRun, Method};
use crate::evaluate::devices::{ScoredDevice, by_unit};
use crate::stats;

pub(super) fn means(
    runs: &[ComparisonRun],
    targets: &[ScoredDevice],
    options: &ComparisonOptions,
) -> Vec<ComparisonMean> {
    let mut means = Vec::new();
    for method in Method::ALL {
        for &measurements in &options.measurements {
            let runs: Vec<&ComparisonRun> = (runs.iter())
                .filter(|run| run.method == method && run.measurements == measurements)
                .collect();
            // Values of the runs, in one group per hardware unit that counts.
            let units = |of: &dyn Fn(&ComparisonRun) -> Vec<f64>| -> Vec<Vec<f64>> {
                let of_target = |target: &ScoredDevice| {
                    let own = runs.iter().filter(|run| run.target == target.id);
                    own.flat_map(|run| of(run)).collect()
                };
                let mut units = by_unit(targets, targets.iter().map(of_target));
                units.retain(|unit| !unit.is_empty());
                units
            };
            let average = |of: &dyn Fn(&ComparisonRun) -> Vec<f64>| {
                let means: Vec<f64> = units(of).iter().filter_map(|unit| stats::mean(unit)).collect();
                stats::mean(&means).unwrap_or(0.0)
            };
            let regrets = units(&|run| run.designs.iter().map(|design| design.regret).collect());
            let Some(regret) = stats::bootstrap_mean(&regrets, stats::INTERVAL_SHARE, options.seed) else {
                continue;
            };
            let violated = |run: &ComparisonRun| -> Vec<f64> {
                let violated = run.designs.iter().map(|design| design.violated);
                violated.map(|violated| f64::from(u8::from(violated))).collect()
            };
            let overshoots = |run: &ComparisonRun| -> Vec<f64> {
                let over = run.designs.iter().filter(|design| design.violated);
                over.map(|design| design.overshoot).collect()
            };
            means.push(ComparisonMean {
                method,
                measurements,
                regret: regret.mean,
                regret_low: regret.low,
                regret_high: regret.high,
                violation_rate: average(&violated),
                overshoot: average(&overshoots),
                hypervolume_ratio: average(&|run| run.hypervolume_ratio.into_iter().collect()),
                seconds: average(&|run| vec![run.seconds]),
            });
        }
    }
    means
}
