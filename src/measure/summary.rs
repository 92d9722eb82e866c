//! What do the samples of one design say?

use rand::Rng;
use rand::rngs::StdRng;

use crate::seed::Seed;
use crate::stats::{INTERVAL_SHARE, quantile_of_sorted};

/// Resamples that the interval of a median is taken from.
const RESAMPLES: usize = 1_000;
/// Samples of a round that are resampled, evenly spread over it: a fast model has tens of thousands, whose median does not need
/// them all.
const RESAMPLED: usize = 500;
/// From the median absolute deviation to the standard deviation of a normal distribution: 1 / 0.6745 (Hampel, *The Influence
/// Curve and its Role in Robust Estimation*, JASA 69, 1974).
const MAD_TO_DEVIATION: f64 = 1.4826;
/// Interquartile ranges above the upper quartile beyond which a sample is "far out" (Tukey, *Exploratory Data Analysis*, 1977).
const FAR_OUT: f64 = 3.0;
/// Smallest interquartile range, relative to the median, that outliers are told by: a coarse clock may have none at all.
const LEAST_RANGE: f64 = 0.01;

/// The latency of one design, in ms.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencySummary {
    /// Runs that count, over all rounds.
    pub runs: usize,
    /// Median over the runs of all rounds.
    pub median_ms: f64,
    /// Lower end of the interval that the median of another such measurement on the same machine lies in with probability
    /// [`INTERVAL_SHARE`].
    pub low_ms: f64,
    /// Upper end of it.
    pub high_ms: f64,
    /// What nine runs in ten keep below.
    pub p90_ms: f64,
    /// Median absolute deviation from the median as a standard deviation, relative to the median, in percent.
    pub spread_percent: f64,
    /// Runs that took far longer than the others: beyond the upper quartile by three interquartile ranges.
    pub outliers: usize,
    /// The median of each round.
    pub rounds_ms: Vec<f64>,
}

impl LatencySummary {
    /// Sums up the latencies in ms of each round; `None` without a round, or with an empty one.
    ///
    /// The interval is a percentile bootstrap on two levels: rounds are drawn with replacement, and from each its runs (Davison
    /// and Hinkley, *Bootstrap Methods and their Application*, 1997, section 3.8). Runs of one round resemble each other more
    /// than those of several, so that an interval from the pooled runs would be too narrow (Kalibera and Jones, *Rigorous
    /// Benchmarking in Reasonable Time*, ISMM 2013).
    pub fn of(rounds: &[&[f64]], seed: Seed) -> Option<LatencySummary> {
        if rounds.is_empty() || rounds.iter().any(|round| round.is_empty()) {
            return None;
        }
        let sorted = sorted(rounds.concat());
        let at = |share| quantile_of_sorted(&sorted, share);
        let (median, lower, upper) = (at(0.5)?, at(0.25)?, at(0.75)?);
        let deviations = self::sorted(sorted.iter().map(|value| (value - median).abs()).collect());
        let fence = upper + FAR_OUT * (upper - lower).max(LEAST_RANGE * median);
        let (low, high) = interval(rounds, seed)?;
        Some(LatencySummary {
            runs: sorted.len(),
            median_ms: median,
            low_ms: low,
            high_ms: high,
            p90_ms: at(0.9)?,
            spread_percent: 100.0 * MAD_TO_DEVIATION * quantile_of_sorted(&deviations, 0.5)? / median,
            outliers: sorted.iter().filter(|&&value| value > fence).count(),
            rounds_ms: rounds.iter().filter_map(|round| median_of(round)).collect(),
        })
    }

    /// Half the width of the interval, relative to the median, in percent.
    pub fn uncertainty_percent(&self) -> f64 {
        50.0 * (self.high_ms - self.low_ms) / self.median_ms
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn median_of(values: &[f64]) -> Option<f64> {
    quantile_of_sorted(&sorted(values.to_vec()), 0.5)
}

fn interval(rounds: &[&[f64]], seed: Seed) -> Option<(f64, f64)> {
    let thinned: Vec<Vec<f64>> = rounds
        .iter()
        .map(|round| {
            let every = round.len().div_ceil(RESAMPLED);
            round.iter().copied().step_by(every).collect()
        })
        .collect();
    let mut rng = seed.stream("interval of the median");
    let mut drawn = Vec::new();
    let medians = (0..RESAMPLES).map(|_| resampled_median(&thinned, &mut rng, &mut drawn));
    let medians = sorted(medians.collect());
    let tail = (1.0 - INTERVAL_SHARE) / 2.0;
    Some((
        quantile_of_sorted(&medians, tail)?,
        quantile_of_sorted(&medians, 1.0 - tail)?,
    ))
}

/// The median of as many rounds as there are, drawn with replacement, and of their runs, drawn likewise into `drawn`. Of an even
/// number of runs it is the upper one of the two in the middle.
fn resampled_median(rounds: &[Vec<f64>], rng: &mut StdRng, drawn: &mut Vec<f64>) -> f64 {
    drawn.clear();
    for _ in 0..rounds.len() {
        let round = &rounds[rng.random_range(0..rounds.len())];
        drawn.extend((0..round.len()).map(|_| round[rng.random_range(0..round.len())]));
    }
    let middle = drawn.len() / 2;
    *drawn.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(rounds: &[&[f64]]) -> LatencySummary {
        LatencySummary::of(rounds, Seed(1)).unwrap()
    }

    /// Sorted: 1 2 3 4 5 6 7 8 9 10 100. Median 6; p90 is the tenth, 10; quartiles are the values in places 2.5 and 7.5, 3.5 and
    /// 8.5, so that the fence is at 8.5 + 3 x 5 = 23.5, beyond which 100 lies alone. Absolute deviations from 6 are 0 1 1 2 2 3 3 4
    /// 4 5 94, their median 3: a spread of 1.4826 x 3 / 6 = 74.13 %.
    #[test]
    fn statistics_worked_by_hand() {
        let found = summary(&[&[10.0, 1.0, 2.0, 3.0, 4.0], &[100.0, 9.0, 8.0, 5.0, 7.0, 6.0]]);
        assert_eq!(
            (found.runs, found.median_ms, found.p90_ms, found.outliers),
            (11, 6.0, 10.0, 1)
        );
        assert!((found.spread_percent - 74.13).abs() < 1e-9, "{found:?}");
        // 1 2 3 4 10, and 5 6 7 8 9 100: halfway between 7 and 8.
        assert_eq!(found.rounds_ms, [3.0, 7.5]);
    }

    /// The median of n draws from 0..1 has a standard deviation of 1 / (2 sqrt(n)) where the density is 1: with n = 400 that is
    /// 0.025, and a 90 % interval reaches 1.645 of it, 0.0411, to both sides.
    #[test]
    fn the_interval_of_a_median_has_the_textbook_width() {
        let values: Vec<f64> = (0..400).map(|i| (f64::from(i) + 0.5) / 400.0).collect();
        let found = summary(&[&values]);
        assert!((found.low_ms - 0.4589).abs() < 0.006, "{found:?}");
        assert!((found.high_ms - 0.5411).abs() < 0.006, "{found:?}");
    }

    /// Three rounds without noise inside, of which one is slower. All three draws are the slow one with probability 1/27, two or
    /// more are with 7/27: the upper end of a 90 % interval is the slow round, the lower one the fast rounds.
    #[test]
    fn rounds_that_differ_widen_the_interval() {
        let found = summary(&[&[1.0; 100], &[1.0; 100], &[1.5; 100]]);
        assert_eq!((found.median_ms, found.low_ms, found.high_ms), (1.0, 1.0, 1.5));
        assert!((found.uncertainty_percent() - 25.0).abs() < 1e-9);
        let steady = summary(&[&[1.0; 100][..]; 3]);
        assert_eq!((steady.low_ms, steady.high_ms, steady.outliers), (1.0, 1.0, 0));
    }

    #[test]
    fn nothing_measured_is_nothing() {
        assert_eq!(LatencySummary::of(&[], Seed(0)), None);
        assert_eq!(LatencySummary::of(&[&[1.0], &[]], Seed(0)), None);
        let single = summary(&[&[2.0]]);
        assert_eq!((single.median_ms, single.low_ms, single.high_ms), (2.0, 2.0, 2.0));
    }
}
