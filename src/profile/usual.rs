//! Does a device pay what devices like it pay, or does its runtime behave like none?
//!
//! A price is held against what the device's other prices lead to expect of it: under a normal distribution of log prices with
//! precision `P`, the price `x_i` of a device that is `d` away from the mean is expected at `x_i - (P d)_i / P_ii` with a variance
//! of `1 / P_ii`. The level of all prices together is free. Of several distributions the one counts that the device is nearest to.
//! What is far from expected but takes hardly any time is no matter.

use nalgebra::{DMatrix, DVector};

use super::{Coordinates, KINDS, Normal, PARTS, Priced, SHARES, Setting};

/// Standard deviations from what is expected beyond which a price is like that of no device.
const FAR: f64 = 4.0;
/// Standard deviation of the level of all log prices together.
const ANY_LEVEL: f64 = 30.0;
/// More of the dead work than there is cannot be run: this much more, at most, where a dead layer takes longer than a live one.
const MOST_RUN: f64 = 2.0;
/// Least part of a network's time that an unusual price moves.
const LEAST_PART: f64 = 0.05;

/// A price, or a share of dead work that is run, far from what the other prices lead to expect. All are natural logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unusual {
    /// Its coordinate of the profile.
    pub coordinate: usize,
    /// The price or share.
    pub log: f64,
    /// The least and the largest that would be usual.
    pub usual: (f64, f64),
}

/// What in a profile is like in no device of any of the distributions, what matters most first; `work` is that of a typical
/// network, `[COUNTS]`.
pub fn unusual(profile: &Coordinates, setting: &Setting, work: &[f64], distributions: &[Normal]) -> Vec<Unusual> {
    let kinds: Vec<usize> = (0..KINDS)
        .filter(|&kind| (0..PARTS).any(|part| work[part * KINDS + kind] > 0.0))
        .collect();
    let found = distributions
        .iter()
        .filter_map(|normal| expected(profile, &kinds, normal));
    let nearest = found.min_by(|a, b| a.0.total_cmp(&b.0));
    let mut candidates = nearest.map(|(_, prices)| prices).unwrap_or_default();
    candidates.extend((KINDS..KINDS + SHARES).map(|share| Unusual {
        coordinate: share,
        log: profile[share],
        usual: (f64::NEG_INFINITY, MOST_RUN.ln()),
    }));
    let (_, parts) = Priced::new(profile, setting).log_and_gradient(work);
    let mut unusual: Vec<(f64, Unusual)> = (candidates.into_iter())
        .map(|one| (one.part_beyond(parts[one.coordinate]), one))
        .filter(|(part, _)| *part > LEAST_PART)
        .collect();
    unusual.sort_by(|a, b| b.0.total_cmp(&a.0));
    unusual.into_iter().map(|(_, one)| one).collect()
}

impl Unusual {
    /// By which part of the time of a network the price is beyond what is usual, where it is due for `part` of it.
    fn part_beyond(&self, part: f64) -> f64 {
        let nearest = self.log.clamp(self.usual.0, self.usual.1);
        part * ((nearest - self.log).exp() - 1.0).abs()
    }
}

/// The squared distance of a profile from the mean of a distribution, and every price with the range that is usual.
fn expected(profile: &Coordinates, kinds: &[usize], normal: &Normal) -> Option<(f64, Vec<Unusual>)> {
    let covariance = DMatrix::from_fn(kinds.len(), kinds.len(), |row, column| {
        normal.covariance[(kinds[row], kinds[column])] + ANY_LEVEL * ANY_LEVEL
    });
    let precision = covariance.cholesky()?.inverse();
    let away = DVector::from_iterator(kinds.len(), kinds.iter().map(|&kind| profile[kind] - normal.mean[kind]));
    let pulled = &precision * &away;
    let price = |(position, &kind): (usize, &usize)| {
        let variance = 1.0 / precision[(position, position)];
        let expected = profile[kind] - pulled[position] * variance;
        let far = FAR * variance.sqrt();
        Unusual {
            coordinate: kind,
            log: profile[kind],
            usual: (expected - far, expected + far),
        }
    };
    Some((away.dot(&pulled), kinds.iter().enumerate().map(price).collect()))
}
