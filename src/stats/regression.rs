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
    fn nothing_has_no_error() {
        assert_eq!(mape_percent(&[], &[]), None);
        assert_eq!(within_percent(&[], &[], 10.0), None);
    }
}
