//! How good is a checkpoint, on devices that it has never seen? Probes and scored rows both come from the dataset handed in,
//! never from training.

pub mod comparison;
pub mod optimizer;
pub mod predictor;

mod per_device;
mod truth;
