//! edgefit chooses a neural network and its quantization for a device and limits.

pub mod checkpoint;
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
pub mod search;
pub mod seed;
pub mod space;
pub mod stats;
