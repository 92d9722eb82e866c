//! The standard normal distribution: how likely is a limit to hold, and how far out does an interval reach?

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Probability that a standard normal variable is at most `z`, by the complementary error function.
///
/// The relative error is a few units in the last place around zero and grows with `z` squared into the lower tail
/// (about 1e-14 at -8, where the value is 6e-16), since `z` itself is rounded.
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// The `z` that a standard normal variable stays below with `probability`, the inverse of [`normal_cdf`].
///
/// Infinite at 0 and 1, NaN outside of them. Relative error below 1e-14 for probabilities from 1e-300 to 0.5; above, it is
/// that of `1 - probability`.
pub fn normal_quantile(probability: f64) -> f64 {
    match probability {
        0.0 => f64::NEG_INFINITY,
        p if p > 0.0 && p <= 0.5 => lower_quantile(p),
        // 1 - p is exact for p in 0.5..=1.
        p if p > 0.5 && p <= 1.0 => -normal_quantile(1.0 - p),
        _ => f64::NAN,
    }
}

fn lower_quantile(probability: f64) -> f64 {
    // Abramowitz & Stegun, Handbook of Mathematical Functions, 26.2.23: absolute error below 4.5e-4.
    let t = (-2.0 * probability.ln()).sqrt();
    let numerator = 2.515517 + t * (0.802853 + t * 0.010328);
    let denominator = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308));
    let mut z = numerator / denominator - t;
    // Halley's iteration converges cubically: 4.5e-4 becomes 1e-11, then nothing but rounding.
    for _ in 0..3 {
        let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
        let step = (normal_cdf(z) - probability) / density;
        z -= step / (1.0 + 0.5 * z * step);
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!(
            (found - expected).abs() <= relative * expected.abs(),
            "found {found}, expected {expected}"
        );
    }

    // python3 -c "from scipy.stats import norm; print([norm.cdf(z) for z in (-8, -3, -.5, 0, 1, 2.5, 6)],
    //             [norm.ppf(p) for p in (1e-300, 1e-15, 1e-4, .025, .1, .9, .975)])"   (scipy 1.17.1)
    #[test]
    fn cdf_agrees_with_scipy() {
        close(normal_cdf(-8.0), 6.22096057427174e-16, 1e-13);
        close(normal_cdf(-3.0), 0.0013498980316300933, 1e-14);
        close(normal_cdf(-0.5), 0.3085375387259869, 1e-14);
        close(normal_cdf(0.0), 0.5, 0.0);
        close(normal_cdf(1.0), 0.8413447460685429, 1e-14);
        close(normal_cdf(2.5), 0.9937903346742238, 1e-14);
        close(normal_cdf(6.0), 0.9999999990134123, 1e-14);
    }

    #[test]
    fn quantile_agrees_with_scipy() {
        close(normal_quantile(1e-300), -37.0470962993612, 1e-13);
        close(normal_quantile(1e-15), -7.941345326170998, 1e-13);
        close(normal_quantile(1e-4), -3.7190164854556804, 1e-13);
        close(normal_quantile(0.025), -1.9599639845400545, 1e-13);
        close(normal_quantile(0.1), -1.2815515655446004, 1e-13);
        close(normal_quantile(0.9), 1.2815515655446004, 1e-13);
        close(normal_quantile(0.975), 1.959963984540054, 1e-13);
    }

    #[test]
    fn quantile_inverts_the_cdf() {
        assert!(normal_quantile(0.5).abs() < 1e-15);
        for step in -70..=50 {
            let z = f64::from(step) / 10.0;
            let found = normal_quantile(normal_cdf(z));
            // Above zero the cdf rounds what is left to 1 to 1.1e-16, which the density divides (1.5e-6 at 5).
            assert!((found - z).abs() < 1e-9, "{z}: {found}");
        }
    }

    #[test]
    fn quantile_at_and_beyond_the_ends() {
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
        assert!(normal_quantile(-0.1).is_nan() && normal_quantile(1.1).is_nan() && normal_quantile(f64::NAN).is_nan());
    }
}
