//! Settings drawn in proportion to how well they explain the probes.
//!
//! Settings are drawn from the hyperprior, weighted by their evidence, and resampled systematically (Kitagawa, *Monte Carlo
//! filter and smoother for non-Gaussian nonlinear state space models*, 1996), so that each is kept as often as its weight
//! says. Where probes are many, few settings of the hyperprior explain them, and the evidence enters by powers of it rising
//! to one, with moves between (Del Moral, Doucet & Jasra, *Sequential Monte Carlo samplers*, 2006).

use rand::Rng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::evidence::Evidence;
use super::hyperprior::{CONTINUOUS, Hyperprior, Setting};

/// Settings kept after resampling.
const KEPT: usize = 150;
/// Settings that the evidence has to be spread over at least (effective sample size), else it enters by a power.
const MIN_EFFECTIVE: f64 = 20.0;
/// The same among the settings kept, once they move.
const MIN_EFFECTIVE_KEPT: f64 = 0.3 * KEPT as f64;
/// Powers at most; a device that needs more is unlike all that was believed of devices.
const MAX_POWERS: usize = 20;

/// A setting and its share of the posterior.
pub(super) struct Weighted {
    pub(super) setting: Setting,
    pub(super) share: f64,
}

/// Settings from the posterior, each once, from settings drawn from the hyperprior.
pub(super) fn posterior(
    hyperprior: &Hyperprior,
    drawn: Vec<Setting>,
    evidence: &dyn Evidence,
    rng: &mut StdRng,
) -> Vec<Weighted> {
    let mut logs = log_evidence(&drawn, evidence);
    let mut settings = drawn;
    let mut power = 0.0;
    let mut least = MIN_EFFECTIVE;
    for round in 1.. {
        let next = if round == MAX_POWERS {
            1.0
        } else {
            next_power(&logs, power, least)
        };
        let kept = systematic(&weights(&logs, next - power), KEPT, rng);
        if next >= 1.0 {
            return once_each(&settings, &kept);
        }
        settings = kept.iter().map(|&index| settings[index]).collect();
        logs = kept.iter().map(|&index| logs[index]).collect();
        power = next;
        least = MIN_EFFECTIVE_KEPT;
        let steps = step_sizes(&settings);
        step(&mut settings, &mut logs, evidence, power, rng, |setting, rng| {
            let mut deviations = setting.deviations;
            for (deviation, step) in deviations.iter_mut().zip(steps) {
                let normal: f64 = StandardNormal.sample(rng);
                *deviation += step * normal;
            }
            hyperprior.moved(setting, deviations)
        });
        step(&mut settings, &mut logs, evidence, power, rng, |setting, rng| {
            hyperprior.recentred(setting, rng)
        });
    }
    Vec::new()
}

fn log_evidence(settings: &[Setting], evidence: &dyn Evidence) -> Vec<f64> {
    settings
        .par_iter()
        .map(|setting| evidence.log_evidence(setting))
        .collect()
}

/// Evidence to a power, the largest one.
fn weights(logs: &[f64], power: f64) -> Vec<f64> {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return vec![1.0; logs.len()];
    }
    logs.iter().map(|log| (power * (log - largest)).exp()).collect()
}

/// As many equally weighted settings would be as precise (Kong 1992).
fn effective(weights: &[f64]) -> f64 {
    let sum: f64 = weights.iter().sum();
    let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
    sum * sum / squares
}

/// The largest power, at most one, at which the evidence stays spread over `least` settings, by bisection.
fn next_power(logs: &[f64], power: f64, least: f64) -> f64 {
    let spread = |next: f64| effective(&weights(logs, next - power)) >= least;
    if spread(1.0) {
        return 1.0;
    }
    let (mut low, mut high) = (power, 1.0);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if spread(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Positions, `count` of them in rising order, each as often as its weight says, within one.
fn systematic(weights: &[f64], count: usize, rng: &mut StdRng) -> Vec<usize> {
    let step = weights.iter().sum::<f64>() / count as f64;
    let first = step * rng.random::<f64>();
    let mut positions = Vec::with_capacity(count);
    let (mut index, mut reached) = (0, weights[0]);
    for number in 0..count {
        let at = first + step * number as f64;
        // Rounding can leave the last one beyond the sum.
        while reached < at && index + 1 < weights.len() {
            index += 1;
            reached += weights[index];
        }
        positions.push(index);
    }
    positions
}

/// Settings at rising positions, those at the same one together.
fn once_each(settings: &[Setting], positions: &[usize]) -> Vec<Weighted> {
    let part = 1.0 / positions.len() as f64;
    positions
        .chunk_by(|a, b| a == b)
        .map(|same| Weighted {
            setting: settings[same[0]],
            share: part * same.len() as f64,
        })
        .collect()
}

/// Steps of a random walk in proportion to how much the settings differ (Roberts, Gelman & Gilks 1997).
fn step_sizes(settings: &[Setting]) -> [f64; CONTINUOUS] {
    let count = settings.len() as f64;
    std::array::from_fn(|number| {
        let values = || settings.iter().map(|setting| setting.deviations[number]);
        let mean = values().sum::<f64>() / count;
        let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        2.38 * (variance / CONTINUOUS as f64).sqrt()
    })
}

/// One Metropolis step of every setting, towards the hyperprior times the evidence to a power. What is proposed has to be as
/// likely from either side, or drawn from the hyperprior where it differs in what is not a deviation.
fn step(
    settings: &mut [Setting],
    logs: &mut [f64],
    evidence: &dyn Evidence,
    power: f64,
    rng: &mut StdRng,
    propose: impl Fn(&Setting, &mut StdRng) -> Setting,
) {
    let proposed: Vec<Setting> = settings.iter().map(|setting| propose(setting, rng)).collect();
    let log_prior = |setting: &Setting| -> f64 {
        setting
            .deviations
            .iter()
            .map(|deviation| -0.5 * deviation * deviation)
            .sum()
    };
    for (index, (new, log)) in proposed.iter().zip(log_evidence(&proposed, evidence)).enumerate() {
        let gain = power * (log - logs[index]) + log_prior(new) - log_prior(&settings[index]);
        if rng.random::<f64>().ln() < gain {
            settings[index] = *new;
            logs[index] = log;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn every_setting_is_kept_as_often_as_its_weight_says() {
        let weights = [0.5, 3.0, 0.0, 1.5];
        for seed in 0..20 {
            let kept = systematic(&weights, 10, &mut Seed(seed).stream("test"));
            let times = |index| kept.iter().filter(|&&one| one == index).count();
            // 10 x 0.5 / 5 = 1, 6, 0 and 3 times, without chance since these are whole.
            assert_eq!([0, 1, 2, 3].map(times), [1, 6, 0, 3]);
        }
        // 0.25 of two: not at all or once, and once in a fourth of the draws.
        let mut rng = Seed(1).stream("test");
        let drawn: Vec<usize> = (0..4000).map(|_| systematic(&[1.0, 7.0], 2, &mut rng)[0]).collect();
        let share = drawn.iter().filter(|&&index| index == 0).count() as f64 / 4000.0;
        assert!((share - 0.25).abs() < 0.03, "{share}");
    }

    #[test]
    fn powers_keep_the_evidence_spread() {
        assert_eq!(effective(&[1.0, 1.0, 1.0, 0.0]), 3.0);
        let logs: Vec<f64> = (0..100).map(|index| -f64::from(index)).collect();
        // Weights e^(-p i) are spread over coth(p / 2) settings: 5 at p = 2 artanh(1 / 5) = 0.405465.
        assert!((next_power(&logs, 0.0, 5.0) - 0.405465).abs() < 1e-4);
        assert_eq!(next_power(&logs, 0.0, 2.0), 1.0);
    }
}
