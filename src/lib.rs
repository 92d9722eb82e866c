//! edgefit chooses a neural network and its quantization for a device and limits.

pub mod cli;
pub mod dataset;
pub mod device;
pub mod error;
pub mod files;
pub mod seed;
pub mod space;
