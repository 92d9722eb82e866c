//! Which known devices is a new one like, before anything is measured on it? Its datasheet says: a Gaussian kernel on
//! [`crate::device::features::coordinates`] weighs the known devices, and the runtime says whether dead layers run.
//!
//! Without a datasheet all known devices are alike likely. With one that resembles none of them the weights are nearly
//! equal as well, and synthetic devices count more.

use nalgebra::DVector;
use rand::Rng;
use rand::rngs::StdRng;

use super::prior::Prior;
use crate::device::{Device, features};

/// Share of the mixture around synthetic devices: without a datasheet, with that of a device unlike all known ones, and with
/// that of one just like a known one.
const AROUND_SYNTHETIC: (f64, f64, f64) = (0.35, 0.6, 0.15);
/// Distance at which the kernel has fallen to 1/sqrt(e).
const BANDWIDTH: f64 = 1.0;
/// Weight of a known device that is unlike the new one, relative to one just like it.
const LEAST: f64 = 0.02;
/// Probability that a device runs dead layers if its runtime is eager, and if it is not.
const EAGER: (f64, f64) = (0.9, 0.2);
/// Least standard deviation of the logarithm of the level, and what is added to it for a device unlike all known ones,
/// which may all be fast.
const LEAST_LEVEL_DEVIATION: f64 = 0.1;
const UNLIKE_LEVEL_DEVIATION: f64 = 1.0;

/// How likely a new device resembles each known one, and each synthetic one.
#[derive(Debug, Clone)]
pub struct DeviceSimilarity {
    known: DVector<f64>,
    synthetic: DVector<f64>,
    around_synthetic: f64,
    /// Kernel of the most similar known device; 1 without a datasheet, when any of them may be alike.
    nearest: f64,
}

impl DeviceSimilarity {
    /// What a device's datasheet says; nothing at all when it has no class.
    pub fn of(device: &Device, prior: &Prior) -> DeviceSimilarity {
        DeviceSimilarity::at(
            features::coordinates(device).as_deref(),
            features::is_eager(device),
            prior,
        )
    }

    /// What is said by a datasheet as a point, and by whether the runtime is eager.
    pub(super) fn at(coordinates: Option<&[f64]>, eager: Option<bool>, prior: &Prior) -> DeviceSimilarity {
        let kernel = |known: &Option<Vec<f64>>| match (coordinates, known) {
            (Some(new), Some(known)) => (-0.5 * squared_distance(new, known) / BANDWIDTH.powi(2)).exp(),
            _ => 0.0,
        };
        let similar = DVector::from_iterator(
            prior.known.len(),
            prior.known.iter().map(|device| kernel(&device.datasheet)),
        );
        let nearest = if coordinates.is_some() { similar.max() } else { 1.0 };
        let known = prior
            .unit_weights()
            .zip_map(&similar, |unit, like| unit * (like + LEAST));
        let eager = match eager {
            Some(true) => EAGER.0,
            Some(false) => EAGER.1,
            None => 0.5,
        };
        let synthetic = prior
            .synthetic_eager
            .iter()
            .map(|&one| if one { eager } else { 1.0 - eager });
        DeviceSimilarity {
            known: normalised(known),
            synthetic: normalised(DVector::from_iterator(prior.synthetic_eager.len(), synthetic)),
            around_synthetic: match coordinates {
                Some(_) => AROUND_SYNTHETIC.1 + nearest * (AROUND_SYNTHETIC.2 - AROUND_SYNTHETIC.1),
                None => AROUND_SYNTHETIC.0,
            },
            nearest,
        }
    }

    /// How likely the new device resembles a known one.
    pub(super) fn of_known(&self, position: usize) -> f64 {
        self.known[position]
    }

    /// Share of the mixture that is around synthetic devices.
    pub(super) fn around_synthetic(&self) -> f64 {
        self.around_synthetic
    }

    /// Position of a known device.
    pub(super) fn draw_known(&self, rng: &mut StdRng) -> usize {
        draw(&self.known, rng)
    }

    /// Position of a synthetic device.
    pub(super) fn draw_synthetic(&self, rng: &mut StdRng) -> usize {
        draw(&self.synthetic, rng)
    }

    /// Weights of the mean of the known devices.
    pub(super) fn mean_centre(&self, prior: &Prior) -> DVector<f64> {
        &prior.known_centres * &self.known
    }

    /// Geometric mean of the known devices' scales.
    pub(super) fn typical_scale(&self, prior: &Prior) -> f64 {
        let logs = prior.known.iter().map(|device| device.scale.ln());
        logs.zip(self.known.iter())
            .map(|(log, weight)| log * weight)
            .sum::<f64>()
            .exp()
    }

    /// Mean and standard deviation of the known devices' levels.
    pub(super) fn level(&self, prior: &Prior) -> (f64, f64) {
        let levels = DVector::from_iterator(prior.known.len(), prior.known.iter().map(|device| device.level));
        let mean = levels.dot(&self.known);
        let variance = levels.map(|level| (level - mean).powi(2)).dot(&self.known);
        let unlike = (1.0 - self.nearest) * UNLIKE_LEVEL_DEVIATION;
        (mean, (variance + unlike * unlike).sqrt().max(LEAST_LEVEL_DEVIATION))
    }
}

fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

fn normalised(weights: DVector<f64>) -> DVector<f64> {
    let total = weights.sum().max(f64::MIN_POSITIVE);
    weights / total
}

/// A position, each as likely as its weight says.
fn draw(weights: &DVector<f64>, rng: &mut StdRng) -> usize {
    let mut left: f64 = rng.random();
    let synthetic = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    // Rounding can leave a hair of probability beyond the last.
    synthetic.unwrap_or(weights.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::super::example::World;
    use super::*;
    use crate::device::catalogue;

    /// The example's seven devices with the datasheets of two GPUs, two server CPUs and three phones.
    fn prior() -> Prior {
        let mut prior = World::new().prior;
        let names = [
            "1080ti_1",
            "2080ti_1",
            "gold_6240",
            "silver_4114",
            "samsung_a50",
            "samsung_s7",
            "essential_ph_1",
        ];
        for (known, name) in prior.known.iter_mut().zip(names) {
            known.datasheet = features::coordinates(&catalogue::find(name).unwrap());
        }
        prior
    }

    #[test]
    fn a_device_is_like_those_of_its_class() {
        let prior = prior();
        let share = |name: &str, positions: std::ops::Range<usize>| {
            let similarity = DeviceSimilarity::of(&catalogue::find(name).unwrap(), &prior);
            similarity.known.rows(positions.start, positions.len()).sum()
        };
        assert!(share("titan_rtx_1", 0..2) > 0.9);
        assert!(share("gold_6226", 2..4) > 0.8);
        assert!(share("pixel2", 4..7) > 0.9);
    }

    #[test]
    fn without_a_datasheet_every_unit_is_as_likely() {
        let mut prior = prior();
        prior.known[1].unit = prior.known[0].unit.clone();
        let similarity = DeviceSimilarity::of(&Device::named("new"), &prior);
        // Six units: two settings share one of the six parts.
        let expected = [
            1.0 / 12.0,
            1.0 / 12.0,
            1.0 / 6.0,
            1.0 / 6.0,
            1.0 / 6.0,
            1.0 / 6.0,
            1.0 / 6.0,
        ];
        for (weight, expected) in similarity.known.iter().zip(expected) {
            assert!((weight - expected).abs() < 1e-12);
        }
        assert_eq!(similarity.around_synthetic(), AROUND_SYNTHETIC.0);
    }

    #[test]
    fn drawn_devices_run_as_the_runtime_does() {
        let prior = prior();
        let eager = |name: &str| -> f64 {
            let similarity = DeviceSimilarity::of(&catalogue::find(name).unwrap(), &prior);
            let synthetic = similarity.synthetic.iter().zip(&prior.synthetic_eager);
            synthetic.filter(|(_, eager)| **eager).map(|(weight, _)| weight).sum()
        };
        assert!(eager("titan_rtx_1") > 0.8);
        assert!(eager("edgetpu") < 0.3);
    }

    #[test]
    fn weights_add_up_and_levels_come_from_like_devices() {
        let mut prior = prior();
        for (known, level) in prior.known.iter_mut().zip([1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0]) {
            known.level = level;
        }
        for name in ["titan_rtx_1", "gold_6226", "pixel2", "edgetpu", "esp32"] {
            let similarity = DeviceSimilarity::of(&catalogue::find(name).unwrap(), &prior);
            assert!((similarity.known.sum() - 1.0).abs() < 1e-12 && (similarity.synthetic.sum() - 1.0).abs() < 1e-12);
        }
        let level = |name: &str| DeviceSimilarity::of(&catalogue::find(name).unwrap(), &prior).level(&prior);
        assert!((level("titan_rtx_1").0 - 1.0).abs() < 0.2 && (level("pixel2").0 - 3.0).abs() < 0.2);
        // An accelerator is like none of them: its level may be any of theirs.
        assert!(level("edgetpu").1 > 0.7, "{:?}", level("edgetpu"));
    }
}
