//! Numbers as people read them.

/// A positive number with three significant digits, and no zeros that stand for digits.
pub fn significant(value: f64) -> String {
    let magnitude = if value > 0.0 { value.log10().floor() as i32 } else { 0 };
    if (-6..6).contains(&magnitude) {
        format!("{value:.*}", (2 - magnitude).max(0) as usize)
    } else {
        format!("{value:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let cases = [
            (12.345, "12.3"),
            (0.000_123_4, "0.000123"),
            (123_456.0, "123456"),
            (1.5e-9, "1.50e-9"),
            (2.5e8, "2.50e8"),
            (0.0, "0.00"),
        ];
        for (value, text) in cases {
            assert_eq!(significant(value), text);
        }
    }
}
