//! Energy from latency: `energy = latency * power`, and power differs far less between the architectures on one device than
//! either of them. So a device whose latency is known needs no measured energy for a first prediction: the power comes from
//! the known devices whose energies were measured, those with a like datasheet above all.

use nalgebra::DVector;
use serde::{Deserialize, Serialize};

use super::device_model::MetricModel;
use super::similarity::DeviceSimilarity;

/// What is believed of the logarithm of power before any is known: its standard deviation, and how many known devices weigh
/// as much. Meters differ too: some see the whole board, some the chip.
const DEVIATION: f64 = 1.2;
const WORTH: f64 = 2.0;

/// Power of a known device that both latency and energy were measured on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownPower {
    /// Position among the devices whose energy is known.
    pub device: usize,
    /// Median of the logarithm of power, in W (mJ per ms).
    pub log_power: f64,
    /// Standard deviation of that logarithm over architectures.
    pub spread: f64,
}

/// Energies that follow from latencies, by the power of known devices; `None` if that of no device is known.
pub(super) fn energy_from_latency(
    latency: &MetricModel,
    powers: &[KnownPower],
    similarity: &DeviceSimilarity,
) -> Option<MetricModel> {
    let weights = DVector::from_iterator(powers.len(), powers.iter().map(|one| similarity.of_known(one.device)));
    let total = weights.sum();
    if total <= 0.0 {
        return None;
    }
    let average = |value: fn(&KnownPower) -> f64| {
        let weighted = powers
            .iter()
            .zip(weights.iter())
            .map(|(one, weight)| weight * value(one));
        weighted.sum::<f64>() / total
    };
    let level = average(|one| one.log_power);
    let squares = powers.iter().zip(weights.iter());
    let variance = squares
        .map(|(one, weight)| weight * (one.log_power - level).powi(2))
        .sum::<f64>()
        / total;
    let count = powers.len() as f64;
    let variance = (count * variance + WORTH * DEVIATION.powi(2)) / (count + WORTH);
    let spread = average(|one| one.spread);
    Some(MetricModel {
        posterior: latency.posterior.shifted(level, variance, spread * spread),
        calibration: latency.calibration.clone(),
    })
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::super::calibrate::Calibration;
    use super::super::device_model::Posterior;
    use super::super::example::World;
    use super::*;
    use crate::device::Device;

    #[test]
    fn energy_is_latency_times_power() {
        let world = World::new();
        let similarity = DeviceSimilarity::of(&Device::named("new"), &world.prior);
        let rank = world.prior.rank();
        let mut mean = DVector::zeros(rank);
        mean[0] = 2.0_f64.ln();
        let latency = MetricModel {
            posterior: Posterior::new(mean, DMatrix::zeros(rank, rank), 0.01),
            calibration: Calibration::default(),
        };
        // 2 W and 8 W, equally like: 4 W in the geometric mean, each ln 2 away from it; two devices weigh as much as what is
        // believed beforehand.
        let powers = [(0, 2.0_f64), (1, 8.0)].map(|(device, watts)| KnownPower {
            device,
            log_power: watts.ln(),
            spread: 0.3,
        });
        let energy = energy_from_latency(&latency, &powers, &similarity).unwrap();
        let predicted = energy.predict(&world.basis.columns(0, 1).into_owned())[0];
        assert!((f64::from(predicted.mean) - 8.0_f64.ln()).abs() < 1e-5);
        let expected = (0.01 + 0.3_f64.powi(2) + (2.0_f64.ln().powi(2) + 1.2 * 1.2) / 2.0).sqrt();
        assert!((f64::from(predicted.deviation) - expected).abs() < 1e-5);
        assert!(energy_from_latency(&latency, &[], &similarity).is_none());
    }
}
