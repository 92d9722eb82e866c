//! edgefit chooses a neural network and its quantization for a device and limits, in milliseconds, with honest intervals.
//!
//! | To learn about | Read |
//! |---|---|
//! | search spaces, architectures, the layers they lower to | [`space`] |
//! | devices and the catalogue of those known by name | [`device`] |
//! | measurements on disk, importers, the simulator | [`dataset`] |
//! | what networks see of an architecture | [`encode`] |
//! | the predictor: training, adaptation from probes, calibrated intervals | [`predict`] |
//! | per-device search, fronts, hypervolume | [`search`] |
//! | agreement between devices, proxies and their adaptation | [`proxy`] |
//! | the amortized optimizer: limits to verified designs | [`optimize`] |
//! | trained models on disk | [`checkpoint`] |
//! | all of it in one place | [`advisor`] |
//! | scores on devices not seen in training | [`evaluate`] |
//! | figures and reports | [`report`] |
//! | the command line | `cli` |
//!
//! A module uses only those above it in this table, and the small ones: [`error`], [`files`], [`metric`], [`seed`],
//! [`stats`], [`training`], and [`compute`], the only one that names a Burn backend.

pub mod advisor;
pub mod checkpoint;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compute;
pub mod dataset;
pub mod device;
pub mod encode;
pub mod error;
pub mod evaluate;
pub mod files;
pub mod metric;
pub mod optimize;
pub mod predict;
pub mod progress;
pub mod proxy;
pub mod report;
pub mod search;
pub mod seed;
pub mod space;
pub mod stats;
pub mod training;

pub use advisor::Advisor;
pub use device::Device;
pub use metric::{Metric, PerMetric};
pub use optimize::Request;
pub use predict::Probe;
