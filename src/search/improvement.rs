//! Which design is worth measuring next, so that the best measured one within every limit gets better?
//!
//! Expected improvement (Močkus, *On Bayesian Methods for Seeking the Extremum*, 1975) under a constraint that is itself
//! uncertain (Gardner et al., *Bayesian Optimization with Inequality Constraints*, ICML 2014), summed over several limits,
//! since one measurement tells of all of them.

use rayon::prelude::*;

/// The candidate that improves most on what was measured, and by how much, in units of `scores`; `None` if nothing improves
/// on anything.
///
/// `scores` has one value per candidate, the larger the better; `incumbents` the best measured score within each limit.
/// `probability` says of a candidate and a limit how likely it is to hold. Of equals the first is taken.
pub fn most_improving(
    scores: &[f64],
    incumbents: &[f64],
    probability: impl Fn(usize, usize) -> f64 + Sync,
) -> Option<(usize, f64)> {
    let improvement = |candidate: usize| -> f64 {
        let gains = incumbents.iter().enumerate().map(|(limit, &incumbent)| {
            let gain = scores[candidate] - incumbent;
            if gain > 0.0 {
                gain * probability(candidate, limit)
            } else {
                0.0
            }
        });
        gains.sum()
    };
    let candidates = (0..scores.len()).into_par_iter();
    candidates
        .map(|candidate| (candidate, improvement(candidate)))
        .filter(|&(_, improvement)| improvement > 0.0)
        .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probable_gains_over_all_limits_count() {
        let scores = [60.0, 70.0, 72.0];
        let probabilities = [[1.0, 1.0], [0.5, 1.0], [0.1, 0.4]];
        let probability = |candidate: usize, limit: usize| probabilities[candidate][limit];
        // Nothing measured yet: 60 + 60, 35 + 70, 7.2 + 28.8.
        assert_eq!(most_improving(&scores, &[0.0, 0.0], probability), Some((0, 120.0)));
        // With 60 within both: 0, 0.5 x 10 + 10, 0.1 x 12 + 0.4 x 12.
        assert_eq!(most_improving(&scores, &[60.0, 60.0], probability), Some((1, 15.0)));
        // With 70 within the second limit alone: 5 against 1.2 + 0.8.
        assert_eq!(most_improving(&scores, &[60.0, 70.0], probability), Some((1, 5.0)));
    }

    #[test]
    fn nothing_to_gain_is_no_candidate() {
        assert_eq!(most_improving(&[50.0, 60.0], &[60.0], |_, _| 1.0), None);
        assert_eq!(most_improving(&[50.0, 60.0], &[40.0], |_, _| 0.0), None);
        assert_eq!(most_improving(&[], &[40.0], |_, _| 1.0), None);
        assert_eq!(most_improving(&[50.0, 50.0], &[40.0], |_, _| 1.0), Some((0, 10.0)));
    }
}
