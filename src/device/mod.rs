//! Devices: what their datasheets say, and the catalogue of those known by name.

pub mod catalogue;
pub mod features;
mod file;
mod latency;
pub mod machine;
mod plausible;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::space::{Precision, QuantPolicy};

pub use file::{read_toml, read_toml_at};

/// The classes of devices.
pub const CLASSES: &[&str] = &[
    "gpu",
    "edge-gpu",
    "mobile-gpu",
    "server-cpu",
    "desktop-cpu",
    "mobile-cpu",
    "board-cpu",
    "dsp",
    "npu",
    "tpu",
    "vpu",
    "fpga",
    "asic",
    "microcontroller",
];

/// A device in one setting (batch size, precision, runtime), with what its datasheet says. Absent values are unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Device {
    /// Name of the device in this setting, such as `1080ti_32`.
    pub id: String,
    /// Name of the hardware itself, shared by all its settings, such as `1080ti`. Devices of one unit are never split
    /// between known and unseen.
    pub unit: String,
    /// One of [`CLASSES`].
    #[serde(default)]
    pub class: Option<String>,
    /// Peak arithmetic throughput at `precision`, in GFLOP/s (GOP/s for integer precisions).
    #[serde(default)]
    pub peak_gflops: Option<f64>,
    /// Main-memory bandwidth, in GB/s (10^9 bytes).
    #[serde(default)]
    pub memory_bandwidth_gb_s: Option<f64>,
    /// Last-level on-chip memory, in MiB.
    #[serde(default)]
    pub on_chip_memory_mib: Option<f64>,
    /// Cores (CPU), multiprocessors (GPU) or processing elements (accelerator).
    #[serde(default)]
    pub cores: Option<f64>,
    /// Clock, in GHz.
    #[serde(default)]
    pub clock_ghz: Option<f64>,
    /// Thermal design power, in W.
    #[serde(default)]
    pub tdp_w: Option<f64>,
    /// Year of first availability.
    #[serde(default)]
    pub year: Option<f64>,
    /// Number format of weights and activations.
    #[serde(default)]
    pub precision: Option<QuantPolicy>,
    /// Number formats that it has arithmetic for, as far as its datasheet says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub precisions: Vec<Precision>,
    /// Inputs run at once. Latencies are per batch.
    #[serde(default)]
    pub batch_size: Option<f64>,
    /// Software that runs the network, such as `pytorch` or `tflite`.
    #[serde(default)]
    pub runtime: Option<String>,
}

impl Device {
    /// The key of the first value that both datasheets give, and differently; ids and hardware units are names, not values.
    pub fn contradiction(&self, other: &Device) -> Option<&'static str> {
        let differ = |one: Option<f64>, other: Option<f64>| {
            one.zip(other)
                .is_some_and(|(one, other)| (one - other).abs() > 1e-6 * other.abs())
        };
        let words = |one: &Option<String>, other: &Option<String>| one.is_some() && other.is_some() && one != other;
        let precisions = self.precision.is_some() && other.precision.is_some() && self.precision != other.precision;
        [
            ("class", words(&self.class, &other.class)),
            ("peak-gflops", differ(self.peak_gflops, other.peak_gflops)),
            (
                "memory-bandwidth-gb-s",
                differ(self.memory_bandwidth_gb_s, other.memory_bandwidth_gb_s),
            ),
            (
                "on-chip-memory-mib",
                differ(self.on_chip_memory_mib, other.on_chip_memory_mib),
            ),
            ("cores", differ(self.cores, other.cores)),
            ("clock-ghz", differ(self.clock_ghz, other.clock_ghz)),
            ("tdp-w", differ(self.tdp_w, other.tdp_w)),
            ("year", differ(self.year, other.year)),
            ("precision", precisions),
            ("batch-size", differ(self.batch_size, other.batch_size)),
            ("runtime", words(&self.runtime, &other.runtime)),
        ]
        .into_iter()
        .find_map(|(key, differs)| differs.then_some(key))
    }

    /// A device of which nothing but the name is known.
    pub fn named(id: &str) -> Device {
        Device {
            id: id.into(),
            unit: id.into(),
            ..Device::default()
        }
    }

    /// The precision that networks run at on it: the stated one, else fp32.
    pub fn runs_at(&self) -> QuantPolicy {
        self.precision.unwrap_or(Precision::Fp32.into())
    }

    /// Whether it has arithmetic for fewer than eight bits; taken to be so where its datasheet says nothing.
    pub fn computes_below_eight_bits(&self) -> bool {
        self.precisions.is_empty() || self.precisions.iter().any(|precision| precision.bits() < 8)
    }

    /// The device with the number formats of its hardware unit in the catalogue, where it has none itself.
    ///
    /// # Errors
    /// As [`catalogue::all`].
    pub fn with_precisions(mut self) -> Result<Device> {
        if self.precisions.is_empty() {
            self.precisions = catalogue::precisions(&self.unit)?;
        }
        Ok(self)
    }

    /// The device in another precision that its datasheet has, with the peak that the catalogue has for it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a precision that it does not have, naming those that it has; as [`catalogue::all`].
    pub fn at_precision(&self, precision: Precision) -> Result<Device> {
        let device = self.clone().with_precisions()?;
        if self.runs_at() == precision.into() {
            return Ok(device);
        }
        if !device.precisions.contains(&precision) {
            return Err(device.lacks(precision));
        }
        Ok(Device {
            id: format!("{}_{precision}", self.id),
            peak_gflops: catalogue::peak(&self.unit, precision)?,
            precision: Some(precision.into()),
            ..device
        })
    }

    fn lacks(&self, precision: Precision) -> Error {
        let known: Vec<&str> = self.precisions.iter().map(|one| one.name()).collect();
        let expected = match known.as_slice() {
            [] => format!("{}: its datasheet names no other", self.runs_at()),
            known => format!("{}, those that its datasheet has a peak for", known.join(", ")),
        };
        Error::Invalid {
            what: format!("precision of device `{}`", self.id),
            expected,
            found: precision.to_string(),
            hint: "Where the device has arithmetic for it, give its peak: [peak-gflops] in its datasheet has one for every precision."
                .into(),
        }
    }

    /// Whether nothing but names is known.
    pub fn is_unknown(&self) -> bool {
        let nothing = Device {
            id: self.id.clone(),
            unit: self.unit.clone(),
            ..Device::default()
        };
        *self == nothing
    }
}
