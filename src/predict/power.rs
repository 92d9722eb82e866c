//! Energy from latency: `energy = latency * power`, and power differs far less between the architectures on one device than
//! either of them. So a device whose latency is known needs no measured energy for a first prediction: the power comes from
//! the known devices whose energies were measured, those with a like datasheet above all.

use nalgebra::DVector;
use serde::{Deserialize, Serialize};

use super::datasheet;
use super::device_model::MetricModel;
use super::prior::Prior;
use super::similarity::DeviceSimilarity;
use crate::device::Device;

/// What is believed of the logarithm of power, relative to what the datasheet says, before any is known: its standard deviation,
/// and how many known devices weigh as much. Meters differ too: some see the whole board, some the chip.
const DEVIATION: f64 = 1.0;
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

/// Energies that follow from latencies, by the power that the device's datasheet says, corrected as that of known devices
/// has to be, the more alike the more so; `None` if the power of no device is known. `prior` is that of energy.
pub(super) fn energy_from_latency(
    latency: &MetricModel,
    powers: &[KnownPower],
    prior: &Prior,
    device: &Device,
    similarity: &DeviceSimilarity,
) -> Option<MetricModel> {
    let weights = DVector::from_iterator(powers.len(), powers.iter().map(|one| similarity.of_known(one.device)));
    let total = weights.sum();
    if total <= 0.0 {
        return None;
    }
    let average = |value: &dyn Fn(&KnownPower) -> f64| {
        let weighted = powers.iter().zip(weights.iter());
        weighted.map(|(one, weight)| weight * value(one)).sum::<f64>() / total
    };
    let beyond_datasheet = |one: &KnownPower| one.log_power - datasheet::power(&prior.known[one.device].datasheet).log;
    let mean = average(&beyond_datasheet);
    let variance = average(&|one| (beyond_datasheet(one) - mean).powi(2));
    let count = powers.len() as f64;
    let expected = datasheet::power(device);
    let level = expected.log + count * mean / (count + WORTH);
    let variance = (count * variance + WORTH * DEVIATION.powi(2)) / (count + WORTH) + expected.deviation.powi(2);
    let spread = average(&|one| one.spread);
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
    use crate::profile::{COORDINATES, Coordinates, Setting};

    #[test]
    fn energy_is_latency_times_power() {
        let mut world = World::new();
        let similarity = DeviceSimilarity::of(&Device::named("new"), &world.prior);
        let size = COORDINATES + world.prior.rank();
        // 2 ms for every network: the fixed price alone.
        let mut profile = Coordinates::repeat(-60.0);
        profile[0] = 2.0_f64.ln();
        let (mean, certain) = (DVector::zeros(size), DMatrix::zeros(size, size));
        let latency = MetricModel {
            posterior: Posterior::new(&profile, &Setting { batch: 1.0 }, &mean, certain, 0.01),
            calibration: Calibration::default(),
        };
        // Datasheets of 10 W, of which 2 W would be drawn. The known ones draw 2 W and 8 W, equally like: twice as much in the
        // geometric mean, each ln 2 away from it. Two devices weigh as much as what is believed beforehand, nothing beyond the
        // datasheet, so of the factor 2 the root is left.
        let with_power = |device: &Device| Device {
            tdp_w: Some(10.0),
            ..device.clone()
        };
        for known in &mut world.prior.known {
            known.datasheet = with_power(&known.datasheet);
        }
        let powers = [(0, 2.0_f64), (1, 8.0)].map(|(device, watts)| KnownPower {
            device,
            log_power: watts.ln(),
            spread: 0.3,
        });
        let device = with_power(&Device::named("new"));
        let energy = energy_from_latency(&latency, &powers, &world.prior, &device, &similarity).unwrap();
        let predict = |model: &MetricModel| model.predict(&world.basis.columns(0, 1).into_owned())[0];
        assert!((f64::from(predict(&energy).mean) - (2.0 * 2.0 * 2.0_f64.sqrt()).ln()).abs() < 1e-5);
        let expected = (0.01 + 0.3_f64.powi(2) + (2.0_f64.ln().powi(2) + 1.0) / 2.0).sqrt();
        assert!((f64::from(predict(&energy).deviation) - expected).abs() < 1e-5);
        // A device that draws ten times as much takes ten times the energy; one of which that is not known may take any.
        let hungry = Device {
            tdp_w: Some(100.0),
            ..device.clone()
        };
        let more = energy_from_latency(&latency, &powers, &world.prior, &hungry, &similarity).unwrap();
        assert!((predict(&more).mean - predict(&energy).mean - 10.0_f32.ln()).abs() < 1e-5);
        let unknown = Device::named("new");
        let unsure = energy_from_latency(&latency, &powers, &world.prior, &unknown, &similarity).unwrap();
        assert!(predict(&unsure).deviation > predict(&energy).deviation + 0.5);
        assert!(energy_from_latency(&latency, &[], &world.prior, &device, &similarity).is_none());
    }
}
