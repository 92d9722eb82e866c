//! How good is a checkpoint, on devices that it has never seen? Probes and scored rows both come from the dataset handed in,
//! never from training. [`accuracy`] asks the same of architectures,
//! [`datasheets`] of datasheets.

pub mod accuracy;
pub mod benchmark;
pub mod comparison;
pub mod datasheets;
pub mod devices;
pub mod optimizer;
pub mod predictor;
pub mod task;

mod counts;
mod measured;
mod per_device;
mod truth;
