//! What is known about which architecture on which device? Measurements in a folder of plain files that can be written
//! by hand:
//!
//! - `dataset.toml`: the search space and where the values come from, see [`Manifest`].
//! - `devices.csv`: the fields of [`Device`] in snake_case; only `id` is required. Without this file the devices are
//!   those that the measurements name.
//! - `measurements.csv`: `device,architecture,precision,input,latency_ms,energy_mj,origin`; only the first two and one
//!   of the values are required.
//! - `accuracy.csv`: `task,architecture,precision,accuracy_percent,origin`; `precision` and `origin` may be absent.
//!   At the task [`PROXY_SCORE`] the values are no accuracies but percentile ranks of a score of untrained networks.
//!
//! Columns stand in any order. An empty cell means not measured; in `precision` that of the device, or fp32 where none is known
//! and in `accuracy.csv`; in `input` and `origin` what `dataset.toml` says. Past this module every value is finite and positive,
//! or absent. Tables are regular files with rows of at most 1 MiB and cells of at most 16 KiB.

pub mod import;
pub mod simulate;
pub mod split;

mod build;
mod bundled;
mod deduplicate;
mod devices;
mod duplicates;
mod folder;
mod manifest;
mod merge;
mod plausible;
mod read;
mod select;
mod summary;
mod table;
mod validate;
mod values;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::metric::Metric;
use crate::space::{Architecture, Design, InputSize, QuantPolicy, SearchSpace};

pub use devices::DEVICES_FILE;
pub(crate) use devices::unknown_device;
pub use duplicates::DuplicatedDevices;
pub(crate) use folder::refuse_stray_tables;
pub use folder::{ImportOutcome, ImportRequest, Reading, import_into, simulate_into};
pub use manifest::{MANIFEST_FILE, Manifest, Source};
pub use merge::Added;
pub use plausible::{ImplausibleDevice, implausible_devices};
pub use read::{ACCURACY_FILE, Loaded, MEASUREMENTS_FILE, load};
pub use select::{Selection, Task};
pub use summary::{AccuracySummary, DeviceSummary, Summary, summarise};
pub use validate::{Validation, validate};
pub use values::DeviceValues;

/// The task whose values are proxy scores: percentile ranks, from 0 to 100, of a score that needs no training. They are kept where
/// accuracies are, so that designs can be ranked by them, and are shown as what they are.
pub const PROXY_SCORE: &str = "proxy-score";

/// Where a value comes from, in order of distance from a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Measured on the device, or by training the network.
    #[default]
    Measured,
    /// Computed by a simulator.
    Simulated,
    /// Computed by a predictor.
    Predicted,
    /// Computed from an untrained network: a score to rank by, and no accuracy.
    Proxy,
}

impl Origin {
    /// Every origin.
    pub const ALL: [Origin; 4] = [Origin::Measured, Origin::Simulated, Origin::Predicted, Origin::Proxy];

    /// The word used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Measured => "measured",
            Origin::Simulated => "simulated",
            Origin::Predicted => "predicted",
            Origin::Proxy => "proxy",
        }
    }

    /// How often each comes, from the most direct.
    pub fn counts(origins: impl Iterator<Item = Origin>) -> BTreeMap<Origin, usize> {
        let mut counts = BTreeMap::new();
        origins.for_each(|origin| *counts.entry(origin).or_default() += 1);
        counts
    }

    /// The origin that a table calls so.
    pub fn from_name(name: &str) -> Option<Origin> {
        Origin::ALL.into_iter().find(|origin| origin.name() == name)
    }
}

/// What was measured of one design on one device. Values are finite and positive, or absent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// Position in [`Dataset::devices`].
    pub device: u32,
    /// Position in [`Dataset::architectures`].
    pub architecture: u32,
    /// Precision of the design's weights and activations.
    pub precision: QuantPolicy,
    /// Position in [`Dataset::inputs`].
    pub input: u16,
    /// Latency and energy of one batch.
    pub values: DeviceValues,
    /// Where the values come from.
    pub origin: Origin,
}

impl Measurement {
    /// The value of a metric, in its unit; `None` where it was not measured.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        self.values.get(metric)
    }
}

/// Accuracy of one design at one task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccuracyRow {
    /// Position in [`Dataset::tasks`].
    pub task: u16,
    /// Position in [`Dataset::architectures`].
    pub architecture: u32,
    /// Precision of the design's weights and activations.
    pub precision: QuantPolicy,
    /// Top-1 accuracy, in percent.
    pub accuracy_percent: f64,
    /// Where the value comes from.
    pub origin: Origin,
}

/// One dataset in memory; see the module documentation for its form on disk.
pub struct Dataset {
    /// The search space of every architecture.
    pub space: &'static dyn SearchSpace,
    /// The devices measured.
    pub devices: Vec<Device>,
    /// The architectures that any table names, each once, in order of first appearance.
    pub architectures: Vec<Architecture>,
    /// Input sizes named. Where the resolution is a gene, the space's default stands for those of all architectures.
    pub inputs: Vec<InputSize>,
    /// Tasks named, such as `cifar100`.
    pub tasks: Vec<String>,
    /// Latency and energy.
    pub measurements: Vec<Measurement>,
    /// Accuracy.
    pub accuracies: Vec<AccuracyRow>,
}

impl Dataset {
    /// The design that a row is about.
    pub fn design(&self, architecture: u32, policy: QuantPolicy) -> Design {
        Design::new(self.architectures[architecture as usize].clone(), policy)
    }

    /// A dataset without rows.
    pub fn new(space: &'static dyn SearchSpace) -> Dataset {
        Dataset {
            space,
            devices: Vec::new(),
            architectures: Vec::new(),
            inputs: Vec::new(),
            tasks: Vec::new(),
            measurements: Vec::new(),
            accuracies: Vec::new(),
        }
    }
}
