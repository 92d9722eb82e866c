//! How far are predicted values from measured ones?

use super::mean;

/// Mean absolute percentage error, `100 / n sum |predicted - measured| / measured`, in percent. The lower the better.
///
/// Measured values are not zero. `None` of nothing.
///
/// # Panics
/// If the lengths differ.
pub fn mape_percent(predicted: &[f64], measured: &[f64]) -> Option<f64> {
    assert_eq!(predicted.len(), measured.len(), "an error needs pairs");
    let errors: Vec<f64> = predicted
        .iter()
        .zip(measured)
        .map(|(predicted, measured)| 100.0 * ((predicted - measured) / measured).abs())
        .collect();
    mean(&errors)
}

/// Mean absolute error, `1 / n sum |predicted - measured|`, in the unit of the values. The lower the better.
///
/// `None` of nothing.
///
/// # Panics
/// If the lengths differ.
pub fn mean_absolute_error(predicted: &[f64], measured: &[f64]) -> Option<f64> {
    assert_eq!(predicted.len(), measured.len(), "an error needs pairs");
    let pairs = predicted.iter().zip(measured);
    mean(
        &pairs
            .map(|(predicted, measured)| (predicted - measured).abs())
            .collect::<Vec<f64>>(),
    )
}

/// Share of the variance of what was measured that is predicted (coefficient of determination), `1 - sum (predicted - measured)^2 / sum
/// (measured - mean)^2`. 1 without errors, 0 where the mean would do as well, negative where it would do better.
///
/// `None` of nothing, and where nothing varies.
///
/// # Panics
/// If the lengths differ.
pub fn r_squared(predicted: &[f64], measured: &[f64]) -> Option<f64> {
    assert_eq!(predicted.len(), measured.len(), "an error needs pairs");
    let center = mean(measured)?;
    let errors: f64 = predicted
        .iter()
        .zip(measured)
        .map(|(predicted, measured)| (predicted - measured).powi(2))
        .sum();
    let variance: f64 = measured.iter().map(|measured| (measured - center).powi(2)).sum();
    (variance > 0.0).then(|| 1.0 - errors / variance)
}

/// Share of predictions within `percent` of what was measured (or exactly that far), in percent. The higher the better.
///
/// `None` of nothing.
///
/// # Panics
/// If the lengths differ.
pub fn within_percent(predicted: &[f64], measured: &[f64], percent: f64) -> Option<f64> {
    assert_eq!(predicted.len(), measured.len(), "an error needs pairs");
    let within = predicted
        .iter()
        .zip(measured)
        // Multiplied out, so that 110 is within 10 % of 100, which 0.1 in binary would deny.
        .filter(|(predicted, measured)| 100.0 * (**predicted - **measured).abs() <= percent * measured.abs())
        .count();
    (!measured.is_empty()).then(|| 100.0 * within as f64 / measured.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_relative_to_what_was_measured() {
        // |110 - 100| / 100 = 10 %, |10 - 20| / 20 = 50 %, 0 %: mean 20 %.
        let found = mape_percent(&[110.0, 10.0, 5.0], &[100.0, 20.0, 5.0]).unwrap();
        assert!((found - 20.0).abs() < 1e-12);
        // The other way round would be 10 / 110 and 10 / 10.
        let swapped = mape_percent(&[100.0, 20.0, 5.0], &[110.0, 10.0, 5.0]).unwrap();
        assert!((swapped - (100.0 / 11.0 + 100.0) / 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_boundary_counts_as_within() {
        // 10 % above, 10 % below, 11 % above, exact.
        let (predicted, measured) = ([110.0, 90.0, 111.0, 100.0], [100.0; 4]);
        assert_eq!(within_percent(&predicted, &measured, 10.0), Some(75.0));
        assert_eq!(within_percent(&predicted, &measured, 0.0), Some(25.0));
    }

    #[test]
    fn the_mean_predicts_none_of_the_variance() {
        // Mean 3, variance 4 + 0 + 4 = 8. Errors of 1, 1 and 2: 1 + 1 + 4 = 6, so 1 - 6 / 8; absolute ones 4 / 3.
        let measured = [1.0, 3.0, 5.0];
        assert_eq!(r_squared(&[2.0, 2.0, 3.0], &measured), Some(0.25));
        assert_eq!(mean_absolute_error(&[2.0, 2.0, 3.0], &measured), Some(4.0 / 3.0));
        assert_eq!(r_squared(&[3.0; 3], &measured), Some(0.0));
        // The other way round: 16 + 0 + 16.
        assert_eq!(r_squared(&[5.0, 3.0, 1.0], &measured), Some(-3.0));
        assert_eq!(r_squared(&[1.0, 1.0], &[2.0, 2.0]), None);
    }

    #[test]
    fn nothing_has_no_error() {
        assert_eq!(mape_percent(&[], &[]), None);
        assert_eq!(within_percent(&[], &[], 10.0), None);
    }
}
