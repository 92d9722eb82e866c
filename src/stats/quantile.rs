//! Which value does a given share of the values stay below?

/// The `probability`-quantile, interpolated linearly between order statistics: type 7 of Hyndman & Fan, *Sample Quantiles
/// in Statistical Packages*, The American Statistician 50 (1996); the default of NumPy and R.
///
/// `None` of nothing; probabilities outside of 0..=1 count as the nearer end.
pub fn quantile(values: &[f64], probability: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(&sorted, probability)
}

/// [`quantile`] of values that are sorted already, in ascending order; for several quantiles of the same values.
pub fn quantile_of_sorted(sorted: &[f64], probability: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = probability.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = sorted[(below + 1).min(last)];
    Some(sorted[below] + (place - below as f64) * (above - sorted[below]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolates_like_numpy() {
        // python3 -c "import numpy; print([numpy.quantile([7,1,3,10], q) for q in (0,.1,.25,.5,.9,1)])"
        // By hand for .1: place 0.3 between 1 and 3 is 1.6.
        let values = [7.0, 1.0, 3.0, 10.0];
        for (probability, expected) in [(0.0, 1.0), (0.1, 1.6), (0.25, 2.5), (0.5, 5.0), (0.9, 9.1), (1.0, 10.0)] {
            let found = quantile(&values, probability).unwrap();
            assert!((found - expected).abs() < 1e-12, "{probability}: {found}");
        }
    }

    #[test]
    fn ends_and_small_samples() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[4.0], 0.3), Some(4.0));
        assert_eq!(quantile(&[1.0, 2.0], 1.5), Some(2.0));
        assert_eq!(quantile(&[1.0, 2.0], -0.5), Some(1.0));
    }
}
