//! Means over the hardware units of targets and over repeats.

use super::{ComparisonMean, ComparisonOptions, ComparisonRun, Method};
use crate::evaluate::devices::{ScoredDevice, by_unit};
use crate::seed::Seed;
use crate::stats;

/// The means of every method at every number of measurements that any target counts for.
pub(super) fn means(
    runs: &[ComparisonRun],
    targets: &[ScoredDevice],
    options: &ComparisonOptions,
) -> Vec<ComparisonMean> {
    let mut means = Vec::new();
    for method in Method::ALL {
        for &measurements in &options.measurements {
            let of_both = |run: &&ComparisonRun| run.method == method && run.measurements == measurements;
            let runs = Runs {
                targets,
                runs: runs.iter().filter(of_both).collect(),
            };
            means.extend(runs.mean(method, measurements, options.seed));
        }
    }
    means
}

/// The runs of one method at one number of measurements.
struct Runs<'a> {
    targets: &'a [ScoredDevice],
    runs: Vec<&'a ComparisonRun>,
}

impl Runs<'_> {
    fn mean(&self, method: Method, measurements: usize, seed: Seed) -> Option<ComparisonMean> {
        let regrets = self.by_unit(&|run| run.designs.iter().map(|design| design.regret).collect());
        let regret = stats::bootstrap_mean(&regrets, stats::INTERVAL_SHARE, seed)?;
        let violated = |run: &ComparisonRun| -> Vec<f64> {
            let violated = run.designs.iter().map(|design| design.violated);
            violated.map(|violated| f64::from(u8::from(violated))).collect()
        };
        let overshoots = |run: &ComparisonRun| -> Vec<f64> {
            let over = run.designs.iter().filter(|design| design.violated);
            over.map(|design| design.overshoot).collect()
        };
        Some(ComparisonMean {
            method,
            measurements,
            regret: regret.mean,
            regret_low: regret.low,
            regret_high: regret.high,
            violation_rate: self.average(&violated),
            overshoot: self.average(&overshoots),
            hypervolume_ratio: self.average(&|run| run.hypervolume_ratio.into_iter().collect()),
            seconds: self.average(&|run| vec![run.seconds]),
        })
    }

    /// Values of the runs, in one group per hardware unit that counts and has any.
    fn by_unit(&self, of: &dyn Fn(&ComparisonRun) -> Vec<f64>) -> Vec<Vec<f64>> {
        let of_target = |target: &ScoredDevice| {
            let own = self.runs.iter().filter(|run| run.target == target.id);
            own.flat_map(|run| of(run)).collect()
        };
        let mut units = by_unit(self.targets, self.targets.iter().map(of_target));
        units.retain(|unit| !unit.is_empty());
        units
    }

    /// Mean over the units of their means.
    fn average(&self, of: &dyn Fn(&ComparisonRun) -> Vec<f64>) -> f64 {
        let means: Vec<f64> = (self.by_unit(of).iter()).filter_map(|unit| stats::mean(unit)).collect();
        stats::mean(&means).unwrap_or(0.0)
    }
}
