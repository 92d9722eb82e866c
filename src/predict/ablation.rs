//! What is each part of the predictor worth? It is trained and calibrated without the part, and scored beside the whole one:
//! docs/ABLATIONS.md has the figures.
//!
//! The residual alone is no such part: it is relative to the sum of work at prices, without which there is nothing to predict.

use serde::{Deserialize, Serialize};

/// A part that a predictor of latency and energy can be trained without. It is kept with the [`Prior`](super::Prior), so that
/// whatever is done with the predictor later is done without it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ablation {
    /// What is learned beyond the sum of work at prices: the towers, the directions in which known devices' residuals lie, and
    /// those in which architectures differ. What is left is physics.
    Residual,
    /// Synthetic devices, beside which no device is unlike all known ones.
    Synthetic,
    /// The components around each known device. The population that they make up stays.
    Known,
    /// What a datasheet says of the known devices that a new one is like, of its runtime and of its level.
    Datasheet,
}
