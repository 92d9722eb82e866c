//! Latency as a sum of milliseconds, energy as a sum of millijoules: what a network does, times what a device takes for it.
//!
//! A device has a positive price for each [`KINDS`] of work, the same for every search space, input size and batch; a network
//! is counts of that work, see [`Work`]. The sum is exact where a runtime runs one layer after another. What it leaves over is
//! the predictor's to learn.
//!
//! | Kind | Unit | What it pays for |
//! |---|---|---|
//! | `fixed` | run | what every network takes |
//! | `spatial`, `pointwise`, `grouped`, `depthwise` | MAC | dense convolutions with a larger kernel; 1x1 and fully connected; grouped; depthwise |
//! | `channels` | MAC / channel | few channels that do not fill the machine's lanes: MACs over input channels plus over output channels |
//! | `outputs` | MAC / output | few outputs that do not fill its threads |
//! | `activations`, `weights` | element | feature maps that convolutions read and write; weights read |
//! | `pooled`, `elementwise` | element | windows of pooling; sums, concatenations, shuffles, normalisation |
//! | `launch_dense`, `launch_depthwise`, `launch_pooling`, `launch_other` | launch | kernels started, by kind |
//! | `step` | layer | layers on the longest chain, which cannot overlap |
//! | `zeros` | layer | feature maps of zeros that an eager runtime makes |
//!
//! Saturation is linear in such counts: a convolution whose arithmetic is slower by `(1 + C / inputs) (1 + C / outputs)` costs its MACs
//! times a price, plus that price times `C` for every MAC over a channel (the product of both terms is left out).
//!
//! Three [`SHARES`] say how much of what cannot affect the output a runtime still runs: networks whose output is constant, layers
//! that zeros lead to, layers that nothing reads.
//!
//! Where layers have bits of their own, prices are those at eight bits. MACs are counted by the product of the bits of both factors,
//! elements by their bits; what that saves counts as work that nothing reads, so that the share of it says how little a device
//! gains from fewer bits: bit-serial and bit-decomposed arithmetic runs none of it, a machine of eight bits all.

mod estimate;
mod latency;
mod normal;
mod population;
#[cfg(test)]
mod tests;
mod usual;
mod work;

use nalgebra::{SMatrix, SVector};
use serde::{Deserialize, Serialize};

pub use estimate::{Estimated, Observed, estimate};
pub use latency::Priced;
pub(crate) use latency::gradient_of;
pub use normal::Normal;
pub use population::{Member, Population, moments, synthetic, synthetic_launches};
pub use usual::{Unusual, unusual};
pub use work::Work;

/// Kinds of work that have a price, see the module.
pub const KINDS: usize = 17;
/// Shares of work that need not be done.
pub const SHARES: usize = 3;
/// Coordinates of a profile: logarithms of prices, then of shares.
pub const COORDINATES: usize = KINDS + SHARES;
/// Parts of the work of a network: see [`Work`].
pub const PARTS: usize = 5;
/// Counts of a network: [`KINDS`] in each of its [`PARTS`].
pub const COUNTS: usize = PARTS * KINDS;

/// Names of the kinds of work, in order.
pub const NAMES: [&str; KINDS] = [
    "fixed",
    "spatial",
    "pointwise",
    "grouped",
    "depthwise",
    "channels",
    "outputs",
    "activations",
    "weights",
    "pooled",
    "elementwise",
    "launch_dense",
    "launch_depthwise",
    "launch_pooling",
    "launch_other",
    "step",
    "zeros",
];

pub(crate) const FIXED: usize = 0;
pub(crate) const SPATIAL: usize = 1;
pub(crate) const POINTWISE: usize = 2;
pub(crate) const GROUPED: usize = 3;
pub(crate) const DEPTHWISE: usize = 4;
pub(crate) const CHANNELS: usize = 5;
pub(crate) const OUTPUTS: usize = 6;
pub(crate) const ACTIVATIONS: usize = 7;
pub(crate) const WEIGHTS: usize = 8;
pub(crate) const POOLED: usize = 9;
pub(crate) const ELEMENTWISE: usize = 10;
pub(crate) const LAUNCH_DENSE: usize = 11;
pub(crate) const LAUNCH_DEPTHWISE: usize = 12;
pub(crate) const LAUNCH_POOLING: usize = 13;
pub(crate) const LAUNCH_OTHER: usize = 14;
pub(crate) const STEP: usize = 15;
pub(crate) const ZEROS: usize = 16;

/// Kinds of which a batch takes as many times as much as it has inputs. Weights are read once, kernels started once, and a larger
/// batch fills more threads.
const PER_INPUT: [usize; 8] = [
    SPATIAL,
    POINTWISE,
    GROUPED,
    DEPTHWISE,
    CHANNELS,
    ACTIVATIONS,
    POOLED,
    ELEMENTWISE,
];

/// Logarithms of prices in ms (or mJ) per unit of work, and of shares.
pub type Coordinates = SVector<f64, COORDINATES>;
/// Covariance of [`Coordinates`].
pub type Covariance = SMatrix<f64, COORDINATES, COORDINATES>;

/// How much of each share a kind of runtime runs, as logarithms: of networks whose output is constant, of layers that zeros lead
/// to, of layers that nothing reads. Eager runtimes run all of it; converters keep convolutions of zeros; compiled graphs keep
/// nothing but what is needed, or what they do not know to be constant.
pub const RUNTIMES: [[f64; SHARES]; 3] = [[0.0, 0.0, 0.0], [NOTHING, 0.0, NOTHING], [0.0, NOTHING, NOTHING]];
/// Logarithm of a share that is next to nothing.
const NOTHING: f64 = -3.5;

/// What is measured with: scales the work of one input to that of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Inputs computed at once.
    pub batch: f64,
}

impl Setting {
    /// Factors of the kinds of work.
    pub fn factors(&self) -> [f64; KINDS] {
        let mut factors = [1.0; KINDS];
        for kind in PER_INPUT {
            factors[kind] = self.batch.max(1.0);
        }
        factors
    }
}

/// One for every price and zero for every share: the direction in which all times grow alike.
pub fn level_direction() -> Coordinates {
    Coordinates::from_fn(|index, _| if index < KINDS { 1.0 } else { 0.0 })
}
