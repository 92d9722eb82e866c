//! AdaProxy: a few measurements on a target repair a proxy's linear latency model.

use serde::{Deserialize, Serialize};

/// The norm that keeps the target's weights near the proxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Norm {
    /// Sum of magnitudes: few operations differ.
    #[serde(rename = "1")]
    #[value(name = "1")]
    One,
    /// Euclidean length.
    #[serde(rename = "2")]
    #[value(name = "2")]
    Two,
    /// Largest magnitude: all operations may differ, none by much.
    #[serde(rename = "inf")]
    #[value(name = "inf")]
    Infinity,
}

/// What an adaptation came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adaptation {
    /// The norm.
    pub norm: Norm,
    /// Samples measured on the target.
    pub samples: usize,
    /// Weight of the norm, chosen by validation.
    pub lambda: f64,
    /// SRCC of predicted and measured samples that were held out; absent where it is not defined.
    pub validation_spearman: Option<f64>,
    /// Common scale of the proxy's weights.
    pub scale: f64,
    /// Norm of what is added to it.
    pub deviation: f64,
}
