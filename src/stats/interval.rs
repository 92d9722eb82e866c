//! How sure is a mean over devices and repeats, and do predicted intervals hold what they promise?

use rand::Rng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::{mean, quantile_of_sorted};
use crate::seed::Seed;

const RESAMPLES: usize = 2_000;

/// A mean, or another estimate, and the interval that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean, or the estimate.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Of nothing: not a number, all three.
    pub const NONE: Interval = Interval {
        mean: f64::NAN,
        low: f64::NAN,
        high: f64::NAN,
    };
}

/// The mean over groups (devices) of the means over their values (repeats), and its percentile bootstrap interval.
///
/// Each of 2,000 resamples draws as many groups as there are, with replacement, and from each as many values as it holds,
/// with replacement (Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13, at both levels), so that
/// the interval covers other devices and other repeats. `level` is the share it covers, such as 0.9. With one group it
/// covers repeats only, with one value it is a point.
///
/// `None` if there is no group, or one without values.
pub fn bootstrap_mean<G: AsRef<[f64]>>(groups: &[G], level: f64, seed: Seed) -> Option<Interval> {
    let group_means: Option<Vec<f64>> = groups.iter().map(|group| mean(group.as_ref())).collect();
    let center = mean(&group_means?)?;
    let mut rng = seed.stream("bootstrap");
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resampled_mean(groups, &mut rng)).collect();
    means.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Some(Interval {
        mean: center,
        low: quantile_of_sorted(&means, tail)?,
        high: quantile_of_sorted(&means, 1.0 - tail)?,
    })
}

fn resampled_mean<G: AsRef<[f64]>>(groups: &[G], rng: &mut StdRng) -> f64 {
    let mut total = 0.0;
    for _ in 0..groups.len() {
        let group = groups[rng.random_range(0..groups.len())].as_ref();
        let sum: f64 = (0..group.len()).map(|_| group[rng.random_range(0..group.len())]).sum();
        total += sum / group.len() as f64;
    }
    total / groups.len() as f64
}

/// Share of measured values that lie in their interval, ends included, in percent. `None` of nothing.
///
/// # Panics
/// If the lengths differ.
pub fn coverage_percent(low: &[f64], high: &[f64], measured: &[f64]) -> Option<f64> {
    assert!(
        low.len() == measured.len() && high.len() == measured.len(),
        "coverage needs an interval for every value"
    );
    let covered = (0..measured.len())
        .filter(|&i| low[i] <= measured[i] && measured[i] <= high[i])
        .count();
    (!measured.is_empty()).then(|| 100.0 * covered as f64 / measured.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_of_a_normal_mean_has_the_textbook_width() {
        // 400 values spread evenly over 0..1 have standard deviation sqrt(1/12) = 0.2887; the mean of a resample then has
        // 0.2887 / sqrt(400) = 0.01443, and a 90 % interval reaches 1.645 of that, 0.02374, to both sides of 0.5.
        let values: Vec<f64> = (0..400).map(|i| (f64::from(i) + 0.5) / 400.0).collect();
        let found = bootstrap_mean(&[values], 0.9, Seed(1)).unwrap();
        assert!((found.mean - 0.5).abs() < 1e-12);
        // The ends of a bootstrap of 2,000 waver by about 4 % of the half-width.
        assert!((found.high - 0.52374).abs() < 0.004, "{found:?}");
        assert!((found.low - 0.47626).abs() < 0.004, "{found:?}");
    }

    #[test]
    fn groups_weigh_the_same_and_are_resampled_too() {
        // Means 1 and 3, whatever the number of repeats. Both draws are the first group with probability 1/4, both the
        // second with 1/4, so a 90 % interval reaches from one mean to the other.
        let found = bootstrap_mean(&[vec![1.0; 9], vec![3.0]], 0.9, Seed(1)).unwrap();
        assert_eq!((found.mean, found.low, found.high), (2.0, 1.0, 3.0));
    }

    #[test]
    fn seeded() {
        let groups = [[1.0, 4.0, 2.0], [7.0, 3.0, 8.0]];
        let draw = |seed| bootstrap_mean(&groups, 0.9, Seed(seed));
        assert_eq!(draw(3), draw(3));
    }

    #[test]
    fn one_value_is_a_point_and_none_is_nothing() {
        let point = bootstrap_mean(&[[5.0]], 0.9, Seed(1)).unwrap();
        assert_eq!((point.low, point.high), (5.0, 5.0));
        assert_eq!(bootstrap_mean::<Vec<f64>>(&[], 0.9, Seed(1)), None);
        assert_eq!(bootstrap_mean(&[vec![1.0], vec![]], 0.9, Seed(1)), None);
    }

    #[test]
    fn coverage_counts_the_ends() {
        // In, on the lower end, above.
        let found = coverage_percent(&[0.0, 1.0, 0.0], &[2.0, 2.0, 2.0], &[1.0, 1.0, 2.5]).unwrap();
        assert!((found - 200.0 / 3.0).abs() < 1e-12);
        assert_eq!(coverage_percent(&[], &[], &[]), None);
    }
}
