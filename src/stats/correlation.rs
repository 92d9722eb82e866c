//! How sure is a rank correlation over so many pairs?

use super::normal_quantile;

/// The interval that holds the rank correlation of the whole population with probability `level`, given Spearman's
/// correlation of `pairs` drawn from it.
///
/// Fisher's transformation with the variance (1 + r^2 / 2) / (n - 3) of Bonett & Wright, *Sample Size Requirements for
/// Estimating Pearson, Kendall and Spearman Correlations*, Psychometrika 65 (2000). A perfect correlation counts as one
/// exchange of neighbours away from it, so that a handful of pairs proves nothing. All of -1..=1 with three pairs or fewer.
pub fn spearman_interval(correlation: f64, pairs: usize, level: f64) -> [f64; 2] {
    let n = pairs as f64;
    let one_exchange = 12.0 / (n * n * n - n);
    let capped = cap(correlation, one_exchange);
    fisher(correlation, capped, (1.0 + capped * capped / 2.0) / (n - 3.0), level)
}

/// The same for Kendall's tau, with the variance 0.437 / (n - 4) of the same source. All of -1..=1 with four pairs or fewer.
pub fn kendall_interval(correlation: f64, pairs: usize, level: f64) -> [f64; 2] {
    let n = pairs as f64;
    let one_exchange = 4.0 / (n * n - n);
    fisher(correlation, cap(correlation, one_exchange), 0.437 / (n - 4.0), level)
}

fn cap(correlation: f64, one_exchange: f64) -> f64 {
    let most = (1.0 - one_exchange).max(0.0);
    correlation.clamp(-most, most)
}

fn fisher(correlation: f64, capped: f64, variance: f64, level: f64) -> [f64; 2] {
    if !(variance > 0.0 && variance.is_finite()) {
        return [-1.0, 1.0];
    }
    let reach = normal_quantile(0.5 + level / 2.0) * variance.sqrt();
    let low = (capped.atanh() - reach).tanh();
    let high = (capped.atanh() + reach).tanh();
    [low.min(correlation), high.max(correlation)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: [f64; 2], expected: [f64; 2]) {
        let near = (0..2).all(|end| (found[end] - expected[end]).abs() < 1e-4);
        assert!(near, "found {found:?}, expected {expected:?}");
    }

    // Values by python3: math.tanh(math.atanh(r) - scipy.stats.norm.ppf(.95) * math.sqrt(variance)), and so on.
    #[test]
    fn intervals_follow_their_formulas() {
        // Variance (1 + 0.125) / 100.
        close(spearman_interval(0.5, 103, 0.9), [0.358221, 0.619239]);
        // Variance 0.437 / 100.
        close(kendall_interval(0.5, 104, 0.95), [0.396712, 0.590785]);
    }

    #[test]
    fn few_pairs_prove_nothing() {
        // One exchange among four: 1 - 12 / 60 = 0.8, with variance 1.32 around atanh(0.8).
        close(spearman_interval(1.0, 4, 0.9), [-0.659077, 1.0]);
        for pairs in 0..4 {
            assert_eq!(spearman_interval(1.0, pairs, 0.9), [-1.0, 1.0]);
            assert_eq!(kendall_interval(-1.0, pairs + 1, 0.9), [-1.0, 1.0]);
        }
    }

    #[test]
    fn the_correlation_lies_in_its_interval() {
        for pairs in [4, 5, 20, 15_625] {
            for step in -10..=10 {
                let correlation = f64::from(step) / 10.0;
                for [low, high] in [
                    spearman_interval(correlation, pairs, 0.9),
                    kendall_interval(correlation, pairs, 0.9),
                ] {
                    assert!((-1.0..=correlation).contains(&low) && (correlation..=1.0).contains(&high));
                }
            }
        }
    }
}
