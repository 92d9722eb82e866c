//! The platforms of Accel-NASBench, and what their numbers are numbers of: `README.md` of
//! <https://github.com/afzalxo/ANB-DatasetCollection>.

use serde::Deserialize;

use super::super::described_device;
use crate::device::Device;

/// What is known of a platform.
struct Known {
    /// Its name in the archive.
    name: &'static str,
    /// Its hardware unit and its id in the catalogue.
    unit: &'static str,
    id: &'static str,
    /// Images at a time, where that is documented.
    batch: Option<u32>,
}

/// GPUs: a validation run, batch size not documented. TPUs: one core. FPGAs: one thread; the VCK190 takes six images at least.
const KNOWN: [Known; 6] = [
    known("3090", "rtx3090", "rtx3090_throughput", None),
    known("a100", "a100", "a100_throughput", None),
    known("tpuv2", "tpuv2", "tpuv2_64", Some(64)),
    known("tpuv3", "tpuv3", "tpuv3_128", Some(128)),
    known("vck190", "vck190", "vck190", Some(6)),
    known("zcu102", "zcu102", "zcu102", Some(1)),
];

const fn known(name: &'static str, unit: &'static str, id: &'static str, batch: Option<u32>) -> Known {
    Known { name, unit, id, batch }
}

/// A quantity of a platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Platform {
    throughput: bool,
    name: String,
}

/// Mean and standard deviation of a quantity.
#[derive(Deserialize)]
pub(super) struct Performance {
    latency_mean: Option<f64>,
    throughput_mean: Option<f64>,
}

impl Performance {
    /// The mean; `None` where nothing was measured.
    pub(super) fn mean(&self) -> Option<f64> {
        self.latency_mean.or(self.throughput_mean)
    }
}

impl Platform {
    /// The one that a file calls so, as in `throughput_a100`.
    pub(super) fn of(key: &str) -> Option<Platform> {
        let (quantity, name) = key.split_once('_').filter(|(_, name)| !name.is_empty())?;
        let throughput = match quantity {
            "latency" => false,
            "throughput" => true,
            _ => return None,
        };
        Some(Platform {
            throughput,
            name: name.into(),
        })
    }

    fn known(&self) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.name == self.name)
    }

    fn batch(&self) -> Option<u32> {
        self.known().and_then(|known| known.batch)
    }

    /// Whether its numbers are images per second, not ms.
    pub(super) fn is_throughput(&self) -> bool {
        self.throughput
    }

    /// The device that it is a setting of.
    pub(super) fn device(&self) -> Device {
        match self.known() {
            Some(known) => Device {
                batch_size: known.batch.map(f64::from),
                ..described_device(known.id, known.unit)
            },
            None => described_device(&self.name, &self.name),
        }
    }

    /// The latency of a batch in ms, of one image where the size of the batch is not documented.
    pub(super) fn latency_ms(&self, value: f64) -> f64 {
        if self.throughput {
            f64::from(self.batch().unwrap_or(1)) / value * 1000.0
        } else {
            value
        }
    }

    /// What a file calls its latency.
    pub(super) fn latency_key(&self) -> String {
        format!("latency_{}", self.name)
    }

    /// What the latencies are, and of how many networks there is none, for people.
    pub(super) fn note(&self, absent: usize) -> String {
        let id = self.device().id;
        let value = match (self.throughput, self.batch()) {
            (true, Some(batch)) => format!("images per second at batch {batch}, turned into the latency of a batch"),
            (true, None) => {
                "images per second at a batch size that is not documented, turned into the latency of one image".into()
            }
            (false, batch) => format!("latency in ms of a batch of {}", batch.unwrap_or(1)),
        };
        if absent > 0 {
            format!("{id}: {value}; {absent} networks not measured")
        } else {
            format!("{id}: {value}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_becomes_latency() {
        // 64 images at 640 images per second take 100 ms; one at 20,000 takes 0.05 ms.
        let platform = |key: &str| Platform::of(key).unwrap();
        assert_eq!(platform("throughput_tpuv2").latency_ms(640.0), 100.0);
        assert_eq!(platform("throughput_a100").latency_ms(20_000.0), 0.05);
        assert_eq!(platform("latency_zcu102").latency_ms(2.5), 2.5);
        assert_eq!(platform("throughput_new").latency_ms(1000.0), 1.0);
        for key in ["a100", "latency_", "energy_a100", ""] {
            assert_eq!(Platform::of(key), None, "{key}");
        }
    }

    #[test]
    fn devices_of_the_catalogue() {
        for (key, id, unit, batch) in [
            ("throughput_a100", "a100_throughput", "a100", None),
            ("throughput_tpuv2", "tpuv2_64", "tpuv2", Some(64.0)),
            ("latency_zcu102", "zcu102", "zcu102", Some(1.0)),
        ] {
            let device = Platform::of(key).unwrap().device();
            assert_eq!(
                (device.id.as_str(), device.unit.as_str(), device.batch_size),
                (id, unit, batch)
            );
            assert!(device.class.is_some() && device.precision.is_some(), "{id}");
        }
        let vck190 = Platform::of("latency_vck190").unwrap().device();
        assert_eq!((vck190.unit.as_str(), vck190.batch_size), ("vck190", Some(6.0)));
    }
}
