//! Measurements in a folder: `dataset.toml`, `devices.csv`, `measurements.csv`, `accuracy.csv`.

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::space::{Architecture, InputSize, SearchSpace};

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Measured on the device, or by training the network.
    #[default]
    Measured,
    /// Computed by a simulator.
    Simulated,
    /// Computed by a predictor.
    Predicted,
}

/// Latency and energy of one architecture on one device. Values are finite and positive, or absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// Position in [`Dataset::devices`].
    pub device: u32,
    /// Position in [`Dataset::architectures`].
    pub architecture: u32,
    /// Position in [`Dataset::precisions`].
    pub precision: u16,
    /// Position in [`Dataset::inputs`].
    pub input: u16,
    /// Latency of one batch, in ms.
    pub latency_ms: Option<f64>,
    /// Energy of one batch, in mJ.
    pub energy_mj: Option<f64>,
    /// Where the values come from.
    pub origin: Origin,
}

/// Accuracy of one architecture at one task.
#[derive(Debug, Clone, PartialEq)]
pub struct AccuracyRow {
    /// Position in [`Dataset::tasks`].
    pub task: u16,
    /// Position in [`Dataset::architectures`].
    pub architecture: u32,
    /// Position in [`Dataset::precisions`].
    pub precision: u16,
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
    /// Precisions named, such as `fp32`.
    pub precisions: Vec<String>,
    /// Input sizes named.
    pub inputs: Vec<InputSize>,
    /// Tasks named, such as `cifar100`.
    pub tasks: Vec<String>,
    /// Latency and energy.
    pub measurements: Vec<Measurement>,
    /// Accuracy.
    pub accuracies: Vec<AccuracyRow>,
}
