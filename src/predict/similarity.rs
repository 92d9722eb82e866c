//! Which known devices is a new one like, before anything is measured on it? Its datasheet says: a Gaussian kernel on
//! [`crate::device::features::coordinates`] weighs the known devices, and the runtime says which dead layers run.
//!
//! Without a datasheet all known devices are alike likely. With one that resembles none of them the weights are nearly
//! equal as well, and synthetic devices count more.

use nalgebra::DVector;

use super::prior::{KnownDevice, Prior};
use super::{Ablation, datasheet};
use crate::device::{Device, features};
use crate::profile::{RUNTIMES, SHARES, synthetic_launches};

/// Share of the mixture that is not around known devices: without a datasheet, with that of a device unlike all known ones, and with
/// that of one just like a known one.
const APART: (f64, f64, f64) = (0.4, 0.95, 0.1);
/// Distance at which the kernel has fallen to 1/sqrt(e).
const BANDWIDTH: f64 = 1.0;
/// Weight of a known device that is unlike the new one, relative to one just like it.
const LEAST: f64 = 0.005;
/// Probabilities of what of the dead work a device runs, in the order of [`RUNTIMES`]: with an eager runtime, with another one, and
/// with an unknown one.
const EAGER: [f64; 3] = [0.9, 0.05, 0.05];
const NOT_EAGER: [f64; 3] = [0.1, 0.3, 0.6];
const UNKNOWN: [f64; 3] = [0.34, 0.33, 0.33];
/// Standard deviation of the logarithm of the price of a launch over that of arithmetic around what the datasheet says.
const LAUNCH_DEVIATION: f64 = 1.5;
/// How much a known device of the same class, of the same family of classes, and of another one says of how far the level is
/// from what the datasheet says. Nothing else of the datasheet counts here, so that the level is monotone in it.
const SAME_CLASS: f64 = 1.0;
const SAME_FAMILY: f64 = 0.3;
const OTHER_CLASS: f64 = 0.03;
/// By how much the logarithm of the level rises with what the datasheet says: the least and the most, how much the belief in one
/// to one weighs against the known devices, as a variance of what their datasheets say, and the standard deviation that is left.
const SLOPES: (f64, f64) = (0.3, 1.5);
const SLOPE_WORTH: f64 = 0.05;
const SLOPE_DEVIATION: f64 = 0.15;
/// Least standard deviation of the logarithm of the level, and what is added to it where no known device is of the same class.
const MIN_LEVEL_DEVIATION: f64 = 0.25;
const UNLIKE_LEVEL_DEVIATION: f64 = 1.0;
/// Its standard deviation where the datasheet says nothing, and the most that it can be.
const UNKNOWN_LEVEL_DEVIATION: f64 = 2.0;

/// How likely a new device resembles each known one, and each synthetic one.
#[derive(Debug, Clone)]
pub struct DeviceSimilarity {
    known: DVector<f64>,
    /// Share of the mixture that is not around known devices.
    apart: f64,
    /// Probabilities of what of the dead work it runs, in the order of [`RUNTIMES`].
    runtimes: [f64; 3],
    /// Probabilities of the kinds of synthetic devices.
    synthetic: [f64; 4],
    /// Mean and standard deviation of the logarithm of the level.
    level: (f64, f64),
}

impl DeviceSimilarity {
    /// What a device's datasheet says; of which device it is like, nothing at all when it has no class.
    pub fn of(device: &Device, prior: &Prior) -> DeviceSimilarity {
        let unknown = Device::named(&device.id);
        let device = if prior.lacks(Ablation::Datasheet) {
            &unknown
        } else {
            device
        };
        let coordinates = features::coordinates(device);
        let kernel = |known: &Device| match (&coordinates, features::coordinates(known)) {
            (Some(new), Some(known)) => (-0.5 * squared_distance(new, &known) / BANDWIDTH.powi(2)).exp(),
            _ => 0.0,
        };
        let similar = DVector::from_iterator(
            prior.known.len(),
            prior.known.iter().map(|device| kernel(&device.datasheet)),
        );
        let nearest = similar.max();
        let known = prior
            .unit_weights()
            .zip_map(&similar, |unit, like| unit * (like + LEAST));
        DeviceSimilarity {
            known: normalised(known),
            apart: match &coordinates {
                Some(_) => APART.1 + nearest * (APART.2 - APART.1),
                None => APART.0,
            },
            runtimes: match features::is_eager(device) {
                Some(true) => EAGER,
                Some(false) => NOT_EAGER,
                None => UNKNOWN,
            },
            synthetic: synthetic_shares(device),
            level: level(device, prior),
        }
    }

    /// How likely the new device resembles a known one.
    pub(super) fn of_known(&self, position: usize) -> f64 {
        self.known[position]
    }

    /// Share of the mixture that is not around known devices.
    pub(super) fn apart(&self) -> f64 {
        self.apart
    }

    /// How likely the new device is of each kind of synthetic devices, in the order of [`crate::profile::synthetic`].
    pub(super) fn synthetic(&self) -> [f64; 4] {
        self.synthetic
    }

    /// What of the dead work it may run, as logarithms of shares, each with its probability.
    pub(super) fn runtimes(&self) -> [(f64, [f64; SHARES]); 3] {
        [0, 1, 2].map(|index| (self.runtimes[index], RUNTIMES[index]))
    }

    /// Mean and standard deviation of the logarithm of the level, before anything is measured.
    pub(crate) fn level(&self) -> (f64, f64) {
        self.level
    }
}

/// The kinds of synthetic devices differ in what a launch costs relative to arithmetic, of which the datasheet says something.
fn synthetic_shares(device: &Device) -> [f64; 4] {
    let Some(said) = datasheet::launch_over_mac(device) else {
        return [0.25; 4];
    };
    let weights = synthetic_launches().map(|log| (-0.5 * ((log - said) / LAUNCH_DEVIATION).powi(2)).exp() + LEAST);
    let total: f64 = weights.iter().sum();
    weights.map(|weight| weight / total)
}

/// The level as the datasheet says, corrected as those of the known devices have to be: a line through their levels, which rises,
/// so that the level is monotone in what the datasheet says.
fn level(device: &Device, prior: &Prior) -> (f64, f64) {
    let units = prior.unit_weights();
    let average = |weights: &DVector<f64>, values: &DVector<f64>| weights.dot(values) / weights.sum();
    let over_known =
        |value: &dyn Fn(&KnownDevice) -> f64| DVector::from_iterator(prior.known.len(), prior.known.iter().map(value));
    if device.is_unknown() {
        let levels = over_known(&|known| known.level);
        let mean = average(&units, &levels);
        let variance = average(&units, &levels.map(|level| (level - mean).powi(2)));
        return (mean, variance.sqrt().max(UNKNOWN_LEVEL_DEVIATION));
    }
    let expected = datasheet::expected(prior.metric, device, &prior.typical);
    let alike = over_known(&|known| alike(device, &known.datasheet));
    let levels = over_known(&|known| known.level);
    let said = over_known(&|known| datasheet::expected(prior.metric, &known.datasheet, &prior.typical).log);
    let weights = units.component_mul(&alike);
    let (level, centre) = (average(&weights, &levels), average(&weights, &said));
    let products = levels.zip_map(&said, |known, log| (known - level) * (log - centre));
    let variance = average(&weights, &said.map(|log| (log - centre).powi(2)));
    let slope = (average(&weights, &products) + SLOPE_WORTH) / (variance + SLOPE_WORTH);
    let slope = slope.clamp(SLOPES.0, SLOPES.1);
    let missed = levels.zip_map(&said, |known, log| (known - level - slope * (log - centre)).powi(2));
    let away = expected.log - centre;
    let unlike = UNLIKE_LEVEL_DEVIATION * (1.0 - alike.max());
    let variance =
        average(&weights, &missed) + unlike * unlike + expected.deviation.powi(2) + (SLOPE_DEVIATION * away).powi(2);
    (
        level + slope * away,
        variance.sqrt().clamp(MIN_LEVEL_DEVIATION, UNKNOWN_LEVEL_DEVIATION),
    )
}

/// What the class of a known device says of a new one.
fn alike(device: &Device, known: &Device) -> f64 {
    let (Some(class), Some(other)) = (&device.class, &known.class) else {
        return OTHER_CLASS;
    };
    if class == other {
        SAME_CLASS
    } else if features::class_family(class) == features::class_family(other) {
        SAME_FAMILY
    } else {
        OTHER_CLASS
    }
}

fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

fn normalised(weights: DVector<f64>) -> DVector<f64> {
    let total = weights.sum().max(f64::MIN_POSITIVE);
    weights / total
}

#[cfg(test)]
mod tests {
    use super::super::example::World;
    use super::*;
    use crate::device::catalogue;
    use crate::metric::Metric;

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
            known.datasheet = catalogue::find(name).unwrap();
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
        assert!(share("titan_rtx_1", 0..2) > 0.9, "{}", share("titan_rtx_1", 0..2));
        assert!(share("gold_6226", 2..4) > 0.6, "{}", share("gold_6226", 2..4));
        assert!(share("pixel2", 4..7) > 0.6, "{}", share("pixel2", 4..7));
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
        assert_eq!(similarity.apart(), APART.0);
    }

    #[test]
    fn dead_work_runs_as_the_runtime_says() {
        let prior = prior();
        let all = |name: &str| DeviceSimilarity::of(&catalogue::find(name).unwrap(), &prior).runtimes()[0].0;
        assert!(all("titan_rtx_1") > 0.8);
        assert!(all("edgetpu") < 0.3);
    }

    #[test]
    fn weights_add_up() {
        let prior = prior();
        for name in ["titan_rtx_1", "gold_6226", "pixel2", "edgetpu", "esp32"] {
            let similarity = DeviceSimilarity::of(&catalogue::find(name).unwrap(), &prior);
            assert!((similarity.known.sum() - 1.0).abs() < 1e-12);
            assert!((similarity.runtimes.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    fn level(device: &Device, prior: &Prior) -> (f64, f64) {
        DeviceSimilarity::of(device, prior).level()
    }

    #[test]
    fn levels_are_as_far_from_the_datasheet_as_those_of_the_class() {
        let mut prior = prior();
        // Twice, four and eight times what the datasheet says: GPUs, server CPUs and phones.
        for (known, factor) in prior.known.iter_mut().zip([2.0_f64, 2.0, 4.0, 4.0, 8.0, 8.0, 8.0]) {
            known.level = datasheet::expected(Metric::Latency, &known.datasheet, &prior.typical).log + factor.ln();
        }
        for (name, factor) in [("titan_rtx_1", 2.0_f64), ("gold_6226", 4.0), ("pixel2", 8.0)] {
            let device = catalogue::find(name).unwrap();
            let said = datasheet::expected(Metric::Latency, &device, &prior.typical).log;
            let (level, deviation) = level(&device, &prior);
            assert!((level - said - factor.ln()).abs() < 0.2, "{name}: {level} {said}");
            assert!(deviation < 0.6, "{name}: {deviation}");
        }
        // An accelerator is like none of them.
        assert!(level(&catalogue::find("edgetpu").unwrap(), &prior).1 > 1.0);
    }

    #[test]
    fn levels_are_monotone_where_physics_is() {
        let prior = prior();
        for name in ["pixel2", "titan_rtx_1", "esp32", "edgetpu"] {
            let device = catalogue::find(name).unwrap();
            let levels = |change: fn(&mut Device, f64)| {
                [0.1, 1.0, 10.0, 100.0].map(|factor| {
                    let mut device = device.clone();
                    change(&mut device, factor);
                    level(&device, &prior).0
                })
            };
            let by_peak = levels(|device, factor| device.peak_gflops = device.peak_gflops.map(|peak| peak * factor));
            assert!(by_peak.is_sorted_by(|less, more| more < less), "{name}: {by_peak:?}");
            let by_bandwidth = levels(|device, factor| {
                device.memory_bandwidth_gb_s = device.memory_bandwidth_gb_s.map(|rate| rate * factor);
            });
            assert!(
                by_bandwidth.is_sorted_by(|less, more| more < less),
                "{name}: {by_bandwidth:?}"
            );
            let by_batch = levels(|device, factor| device.batch_size = Some(10.0 * factor));
            assert!(by_batch.is_sorted_by(|less, more| less < more), "{name}: {by_batch:?}");
        }
    }

    #[test]
    fn the_less_is_said_the_less_is_known() {
        let prior = prior();
        let whole = catalogue::find("pixel2").unwrap();
        let class_only = Device {
            class: whole.class.clone(),
            ..Device::named("board")
        };
        let values_only = Device {
            class: None,
            ..whole.clone()
        };
        let nothing = Device::named("board");
        let deviation = |device: &Device| level(device, &prior).1;
        for more in [&whole, &class_only, &values_only] {
            assert!(deviation(more) <= deviation(&nothing));
        }
        assert!(deviation(&whole) < deviation(&class_only) && deviation(&whole) < deviation(&values_only));
    }
}
