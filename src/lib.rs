//! edgefit chooses a neural network and its quantization for a device and limits.

pub mod dataset;
pub mod device;
pub mod error;
pub mod metric;
pub mod search;
pub mod seed;
pub mod space;
pub mod stats;
