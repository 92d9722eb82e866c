//! Intervals that hold: how large errors on devices left out were, in units of the predicted standard deviation.
//!
//! Every hardware unit is left out in turn, its devices are predicted from a few of their own measurements, and the
//! quantiles of `(log measured - mean) / deviation` over the other measurements replace those of the normal distribution
//! (split conformal prediction with the device as the unit of exchange; Vovk et al. 2005; Lei et al. 2018).

use serde::{Deserialize, Serialize};

use crate::stats;

/// Probabilities at which the quantiles are kept.
const LEVELS: [f64; 15] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995,
];

/// What quantiles are rounded to.
const DECIMALS: f64 = 1e-6;

/// Quantiles of standardised errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Errors in predicted standard deviations at each of the fixed levels, strictly rising.
    quantiles: Vec<f64>,
}

impl Default for Calibration {
    /// The normal distribution: nothing is known about past errors.
    fn default() -> Self {
        Calibration {
            quantiles: LEVELS.iter().map(|&level| stats::normal_quantile(level)).collect(),
        }
    }
}

impl Calibration {
    /// From groups of standardised errors, each with what it counts, however large it is: several settings of one hardware unit are
    /// one observation.
    pub fn fit(groups: &[(f64, Vec<f64>)]) -> Calibration {
        let mut sorted: Vec<(f64, Vec<f64>)> = groups.iter().filter(|group| group.1.len() >= 20).cloned().collect();
        if sorted.is_empty() {
            return Calibration::default();
        }
        for (_, group) in &mut sorted {
            group.sort_unstable_by(f64::total_cmp);
        }
        Calibration::rising(LEVELS.iter().map(|&level| pooled_quantile(&sorted, level)))
    }

    /// Standardised errors at the fixed levels.
    pub(super) fn quantiles(&self) -> &[f64] {
        &self.quantiles
    }

    /// Between two calibrations: `share` of the way from `self` to `other`.
    pub fn between(&self, other: &Calibration, share: f64) -> Calibration {
        let blend = |(a, b): (&f64, &f64)| a + share * (b - a);
        Calibration::rising(self.quantiles.iter().zip(&other.quantiles).map(blend))
    }

    /// With six decimals, which read back from a file as they were written, and strictly rising.
    fn rising(quantiles: impl Iterator<Item = f64>) -> Calibration {
        let mut quantiles: Vec<i64> = quantiles.map(|quantile| (quantile / DECIMALS).round() as i64).collect();
        for index in 1..quantiles.len() {
            quantiles[index] = quantiles[index].max(quantiles[index - 1] + 1);
        }
        let steps = (1.0 / DECIMALS).round();
        Calibration {
            quantiles: quantiles.into_iter().map(|step| step as f64 / steps).collect(),
        }
    }

    /// The standardised error that is not exceeded with this probability. Interpolated in normal scores, and continued
    /// beyond the outermost levels by their ratio to the normal distribution.
    pub fn quantile(&self, probability: f64) -> f64 {
        let score = stats::normal_quantile(probability.clamp(1e-12, 1.0 - 1e-12));
        interpolate(&normal_scores(), &self.quantiles, score)
    }

    /// Probability that the standardised error is at most `error`; the inverse of [`Calibration::quantile`].
    pub fn probability(&self, error: f64) -> f64 {
        stats::normal_cdf(interpolate(&self.quantiles, &normal_scores(), error))
    }
}

fn normal_scores() -> [f64; LEVELS.len()] {
    // The levels are constants, so this is a table; computing it once keeps it next to them.
    static SCORES: std::sync::LazyLock<[f64; LEVELS.len()]> =
        std::sync::LazyLock::new(|| LEVELS.map(stats::normal_quantile));
    *SCORES
}

/// Piecewise linear, with the outermost slopes continued.
fn interpolate(from: &[f64], to: &[f64], at: f64) -> f64 {
    let upper = from.partition_point(|&value| value < at).clamp(1, from.len() - 1);
    let (x0, x1, y0, y1) = (from[upper - 1], from[upper], to[upper - 1], to[upper]);
    y0 + (at - x0) * (y1 - y0) / (x1 - x0)
}

/// Where the weighted average of the groups' distribution functions reaches `level`, by bisection.
fn pooled_quantile(sorted: &[(f64, Vec<f64>)], level: f64) -> f64 {
    let total: f64 = sorted.iter().map(|group| group.0).sum();
    let at = |value: f64| -> f64 {
        let share = |group: &Vec<f64>| group.partition_point(|&error| error <= value) as f64 / group.len() as f64;
        sorted.iter().map(|(weight, group)| weight * share(group)).sum::<f64>() / total
    };
    let (mut low, mut high) = (-100.0, 100.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if at(middle) < level {
            low = middle
        } else {
            high = middle
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_errors_it_is_the_normal_distribution() {
        let calibration = Calibration::default();
        // 1.959964 is the 97.5 % point of the normal distribution.
        assert!((calibration.quantile(0.975) - 1.959964).abs() < 1e-5);
        assert!((calibration.probability(-1.959964) - 0.025).abs() < 1e-6);
    }

    #[test]
    fn errors_twice_as_large_double_the_interval() {
        // Normal scores at 2,000 even probabilities, doubled, are a sample of N(0, 2^2) without sampling error.
        let errors: Vec<f64> = (0..2000)
            .map(|i| 2.0 * stats::normal_quantile((f64::from(i) + 0.5) / 2000.0))
            .collect();
        let calibration = Calibration::fit(&[(1.0, errors)]);
        for probability in [0.02, 0.05, 0.5, 0.9, 0.97] {
            let expected = 2.0 * stats::normal_quantile(probability);
            assert!(
                (calibration.quantile(probability) - expected).abs() < 0.02,
                "{probability}"
            );
            assert!(
                (calibration.probability(expected) - probability).abs() < 0.005,
                "{probability}"
            );
        }
    }

    #[test]
    fn a_large_device_counts_no_more_than_a_small_one() {
        let small: Vec<f64> = (0..100).map(|i| -1.0 - f64::from(i) * 1e-3).collect();
        let large: Vec<f64> = (0..10_000).map(|i| 1.0 + f64::from(i) * 1e-5).collect();
        let calibration = Calibration::fit(&[(1.0, small), (1.0, large)]);
        assert!(calibration.quantile(0.35) < 0.0 && calibration.quantile(0.65) > 0.0);
    }

    #[test]
    fn three_settings_of_one_unit_count_as_one() {
        let around = |middle: f64| -> Vec<f64> { (0..100).map(|i| middle + f64::from(i) * 1e-3).collect() };
        let settings = (0..3).map(|_| (1.0 / 3.0, around(-1.0)));
        let calibration = Calibration::fit(&settings.chain([(1.0, around(1.0))]).collect::<Vec<_>>());
        assert!(calibration.quantile(0.35) < 0.0 && calibration.quantile(0.65) > 0.0);
    }
}
