//! Means over targets and repeats.

use super::{ComparisonMean, ComparisonOptions, ComparisonRun, Method};
use crate::stats;

pub(super) fn means(runs: &[ComparisonRun], options: &ComparisonOptions) -> Vec<ComparisonMean> {
    let mut means = Vec::new();
    for method in Method::ALL {
        for &measurements in &options.measurements {
            let of = |run: &&ComparisonRun| run.method == method && run.measurements == measurements;
            let runs: Vec<&ComparisonRun> = runs.iter().filter(of).collect();
            let groups: Vec<Vec<f64>> = runs
                .chunk_by(|a, b| a.target == b.target)
                .map(|runs| {
                    runs.iter()
                        .flat_map(|run| &run.designs)
                        .map(|design| design.regret)
                        .collect()
                })
                .collect();
            let Some(regret) = stats::bootstrap_mean(&groups, stats::INTERVAL_SHARE, options.seed) else {
                continue;
            };
            let overshoots: Vec<f64> = runs
                .iter()
                .flat_map(|run| &run.designs)
                .map(|design| design.overshoot)
                .collect();
            let over: Vec<f64> = overshoots
                .iter()
                .copied()
                .filter(|overshoot| *overshoot > 0.0)
                .collect();
            let ratios: Vec<f64> = runs.iter().filter_map(|run| run.hypervolume_ratio).collect();
            let seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
            means.push(ComparisonMean {
                method,
                measurements,
                regret: regret.mean,
                regret_low: regret.low,
                regret_high: regret.high,
                violation_rate: over.len() as f64 / overshoots.len() as f64,
                overshoot: stats::mean(&over).unwrap_or(0.0),
                hypervolume_ratio: stats::mean(&ratios).unwrap_or(0.0),
                seconds: stats::mean(&seconds).unwrap_or(0.0),
            });
        }
    }
    means
}
