//! Predictor.

pub mod net;
pub mod train;
