//! edgefit chooses a neural network and its quantization for a device and limits, in milliseconds, with honest intervals.
//!
//! ```
//! use edgefit::{Advisor, Device, Metric, PerMetric, Probe, Request};
//!
//! let advisor = Advisor::open("nasbench201")?;
//! # let pixel = advisor.device("pixel3")?;
//! # let run_on_phone = |cell: &edgefit::space::Architecture| -> edgefit::error::Result<f64> {
//! #     Ok(advisor.predict(&pixel, std::slice::from_ref(cell))?[0].metrics.latency().mean)
//! # };
//! let phone = Device { class: Some("mobile-cpu".into()), ..Device::named("my-phone") };
//! let mut probes = Vec::new();
//! for cell in advisor.choose_probes(10)?.architectures {
//!     let latency_ms = run_on_phone(&cell)?;
//!     probes.push(Probe::new(cell, &phone, PerMetric::from([(Metric::Latency, latency_ms)])));
//! }
//! let phone = advisor.adapt(&phone, &probes)?;
//! let designs = advisor.design(&phone, &Request::at_most(Metric::Latency, 10.0)?)?;
//! println!("{}", designs.best().design.print(advisor.space()));
//! # assert!(designs.feasible());
//! # Ok::<(), edgefit::error::Error>(())
//! ```
//!
//! That needs none of the crate's features: `default-features = false` leaves the command line and its libraries out, and
//! `wgpu` adds GPUs. Nothing in the library prints or ends the process; long work tells a [`progress::Progress`] how far it is.
//!
//! | To learn about | Read |
//! |---|---|
//! | errors, files that are replaced as a whole, named random streams, progress | [`error`], [`files`], [`seed`], [`progress`] |
//! | what designs are judged by; ranks, intervals, quantiles | [`metric`], [`stats`] |
//! | where tensors are computed, the only place that names a Burn backend; what all trainings share | [`compute`], [`training`] |
//! | search spaces, architectures, the layers they lower to | [`space`] |
//! | latency as a sum of prices: what a network does, what a device takes for it | [`profile`] |
//! | what runs a model and times it: in this process, by ONNX Runtime, by any command | [`runtime`] |
//! | networks as ONNX files, with random or trained weights | [`export`] |
//! | devices and the catalogue of those known by name | [`device`] |
//! | measurements on disk, importers, the simulator | [`dataset`] |
//! | how designs are measured on a device | [`measure`] |
//! | per-device search, fronts, hypervolume | [`search`] |
//! | what networks see of an architecture | [`encode`] |
//! | agreement between devices, proxies and their adaptation | [`proxy`] |
//! | the predictor: training, adaptation from probes, calibrated intervals | [`predict`] |
//! | the amortized optimizer: limits to verified designs | [`optimize`] |
//! | trained models on disk | [`checkpoint`] |
//! | the library in one place, as above | [`advisor`] |
//! | measured designs within limits: measure, adapt, design, measure again | [`tune`] |
//! | scores on devices not seen in training | [`evaluate`] |
//! | figures, reports, rows of JSON and CSV | [`report`] |
//! | the command line, with the feature `cli` | `cli` |
//!
//! A module uses only those before it in this table.

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
pub mod export;
pub mod files;
pub mod measure;
pub mod metric;
pub mod optimize;
pub mod predict;
pub mod profile;
pub mod progress;
pub mod proxy;
pub mod report;
pub mod runtime;
pub mod search;
pub mod seed;
pub mod space;
pub mod stats;
pub mod training;
pub mod tune;

pub use advisor::Advisor;
pub use device::Device;
pub use metric::{Metric, PerMetric};
pub use optimize::Request;
pub use predict::Probe;
