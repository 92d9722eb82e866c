//! What a target's own measurements tell without any other device: Gaussian-process regression of the log latency on the
//! encoder's features with a linear kernel, which is Bayesian linear regression (Rasmussen & Williams 2006, chapter 2).

use nalgebra::{DMatrix, DVector};

/// Ratios of noise to signal variance tried, as powers of ten.
const RATIOS: [i32; 9] = [-4, -3, -2, -1, 0, 1, 2, 3, 4];

/// Mean and standard deviation of log latencies.
pub(super) struct PerDevice {
    pub(super) means: Vec<f64>,
    pub(super) deviations: Vec<f64>,
}

/// Learns from the logarithms of latencies at some columns of `features` (`[width, architectures]`) and predicts all.
///
/// The signal variance has its closed form and the ratio of noise to it the most likely value, both by marginal likelihood.
pub(super) fn regress(features: &DMatrix<f64>, samples: &[usize], logs: &[f64]) -> PerDevice {
    let width = features.nrows().max(1) as f64;
    let count = samples.len();
    let level = logs.iter().sum::<f64>() / count.max(1) as f64;
    let centred = DVector::from_iterator(count, logs.iter().map(|log| log - level));
    let known = features.select_columns(samples);
    let eigen = (known.tr_mul(&known) / width).symmetric_eigen();
    let rotated = eigen.eigenvectors.tr_mul(&centred);
    let fit = |ratio: f64| {
        let spectrum = eigen.eigenvalues.map(|value| value.max(0.0) + ratio);
        let square: f64 = rotated.component_mul(&rotated).component_div(&spectrum).sum();
        let signal = (square / count.max(1) as f64).max(f64::MIN_POSITIVE);
        let evidence = -0.5 * (count as f64 * signal.ln() + spectrum.map(f64::ln).sum());
        (evidence, ratio, signal, spectrum)
    };
    let fits = RATIOS.iter().map(|&power| fit(10_f64.powi(power)));
    let Some((_, ratio, signal, spectrum)) = fits.max_by(|a, b| a.0.total_cmp(&b.0)) else {
        return PerDevice {
            means: vec![level; features.ncols()],
            deviations: vec![0.0; features.ncols()],
        };
    };
    // `[samples, architectures]`, in the basis of the eigenvectors.
    let cross = (known * &eigen.eigenvectors).tr_mul(features) / width;
    let weights = rotated.component_div(&spectrum);
    let means = cross.tr_mul(&weights);
    let deviations = features.column_iter().zip(cross.column_iter()).map(|(feature, row)| {
        let explained: f64 = row.component_mul(&row).component_div(&spectrum).sum();
        let left = (feature.norm_squared() / width - explained).max(0.0);
        (signal * (left + ratio)).sqrt()
    });
    PerDevice {
        deviations: deviations.collect(),
        means: means.iter().map(|mean| mean + level).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two features over 40 architectures, and a function that is linear in them.
    fn world() -> (DMatrix<f64>, Vec<f64>) {
        let features = DMatrix::from_fn(2, 40, |row, column| ((column * (3 + 4 * row) + row) % 11) as f64 - 5.0);
        let logs = features
            .column_iter()
            .map(|one| 1.0 + 0.3 * one[0] - 0.2 * one[1])
            .collect();
        (features, logs)
    }

    #[test]
    fn a_linear_function_is_learned_from_a_few_samples() {
        let (features, logs) = world();
        let samples = [0, 7, 13, 20, 31, 38];
        let known: Vec<f64> = samples.iter().map(|&sample| logs[sample]).collect();
        let found = regress(&features, &samples, &known);
        for (index, log) in logs.iter().enumerate() {
            // The level is that of the samples, not of all, which leaves a little over.
            assert!(
                (found.means[index] - log).abs() < 0.2,
                "{index}: {} for {log}",
                found.means[index]
            );
        }
    }

    #[test]
    fn one_sample_is_the_mean_of_all_and_sure_of_nothing() {
        let (features, _) = world();
        let found = regress(&features, &[3], &[2.0]);
        assert!(found.means.iter().all(|mean| (mean - 2.0).abs() < 1e-12));
        assert!(found.deviations.iter().all(|deviation| deviation.is_finite()));
    }
}
