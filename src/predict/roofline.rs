//! Devices that nobody has measured: latency functions drawn at random from a roofline-like cost model, which tell the
//! prior how a device may differ from all known ones.
//!
//! `time = fixed + sum over k of price_k * quantity_k`, over the MACs, traffic and kernel launches of a network (Williams
//! et al., *Roofline*, CACM 2009, with the maximum replaced by the sum, as for kernels that run one after another). A
//! drawn device runs either the network as written (eager execution) or the live one (compiled graphs). These functions
//! are simulated: they shape the prior and are never shown as measurements.

use nalgebra::DMatrix;
use rand::Rng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use crate::encode::Physics;
use crate::space::PHYSICAL_FEATURES;

/// Quantities that cost time: name, typical price of the average network's amount, and the spread of its logarithm.
///
/// The typical prices say that dense spatial convolutions take the most and pointwise ones a fourth of that; spreads of
/// about one let every quantity dominate on some device.
const QUANTITIES: &[(&str, f64, f64)] = &[
    ("spatial_macs", 4.8, 0.7),
    ("pointwise_macs", 1.2, 0.7),
    ("depthwise_macs", 1.2, 1.0),
    ("pooling_elements", 0.8, 1.0),
    ("add_elements", 0.7, 1.0),
    ("activation_elements", 0.8, 1.0),
    ("kernel_launches", 1.8, 1.0),
    ("critical_path_layers", 0.5, 1.2),
];

/// Median and spread of the logarithm of the fixed time, as a multiple of the average variable time.
const FIXED: (f64, f64) = (0.4, 1.0);

/// Latency functions of `count` drawn devices over the reference architectures, in log and standardised by median and
/// standard deviation, `[reference, count]`; and which of the devices run the network as written.
pub fn draw(reference: &[Physics], count: usize, rng: &mut StdRng) -> (DMatrix<f64>, Vec<bool>) {
    let written = quantities(reference.iter().map(|physics| &physics.written));
    let live = quantities(reference.iter().map(|physics| &physics.live));
    let mut functions = DMatrix::zeros(reference.len(), count);
    let mut eager = Vec::with_capacity(count);
    for mut column in functions.column_iter_mut() {
        eager.push(rng.random_bool(0.5));
        let amounts = if eager.last() == Some(&true) { &written } else { &live };
        let prices: Vec<f64> = QUANTITIES
            .iter()
            .map(|&(_, price, spread)| log_normal(price, spread, rng))
            .collect();
        let variable = amounts * nalgebra::DVector::from_vec(prices);
        let fixed = log_normal(FIXED.0, FIXED.1, rng) * variable.mean().max(f64::MIN_POSITIVE);
        let log_time: Vec<f64> = variable.iter().map(|time| (fixed + time).ln()).collect();
        for (value, standardised) in column.iter_mut().zip(standardise(&log_time)) {
            *value = standardised;
        }
    }
    (functions, eager)
}

/// Amounts above the smallest network's, in units of their average: `[reference, quantities]`.
fn quantities<'a>(reference: impl Iterator<Item = &'a Vec<f64>> + Clone) -> DMatrix<f64> {
    let count = reference.clone().count();
    let mut amounts = DMatrix::zeros(count, QUANTITIES.len());
    for (mut column, (name, ..)) in amounts.column_iter_mut().zip(QUANTITIES) {
        let Some(position) = PHYSICAL_FEATURES.iter().position(|feature| feature == name) else {
            continue;
        };
        for (amount, features) in column.iter_mut().zip(reference.clone()) {
            *amount = features[position];
        }
        let least = column.min();
        column.add_scalar_mut(-least);
        let mean = column.mean();
        if mean > 0.0 {
            column /= mean;
        }
    }
    amounts
}

/// A number whose logarithm is normal around `ln(median)`.
fn log_normal(median: f64, spread: f64, rng: &mut StdRng) -> f64 {
    let deviation: f64 = StandardNormal.sample(rng);
    median * (spread * deviation).exp()
}

/// Minus the median, over the standard deviation.
fn standardise(values: &[f64]) -> Vec<f64> {
    let median = crate::stats::quantile(values, 0.5).unwrap_or_default();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    let deviation = variance.sqrt().max(1e-9);
    values.iter().map(|value| (value - median) / deviation).collect()
}
