//! Once-for-all supernets: one trained network whose weights hold those of every architecture of a space.

use super::{Architecture, LayerNames, SearchSpace};

/// A search space with a supernet that its architectures take their weights from (Cai et al., *Once-for-All: Train One Network
/// and Specialize it for Efficient Deployment*, ICLR 2020, <https://arxiv.org/abs/1908.09791>): of every layer the first
/// channels, and of depthwise kernels what linear maps make of the centre of larger ones.
pub trait Supernet: SearchSpace {
    /// The architecture with every choice at its largest, whose layers are those of the supernet.
    fn largest(&self) -> Architecture;

    /// What the supernet calls the parameters of an architecture's layers, in the order of [`SearchSpace::lower`]. Blocks have
    /// the numbers that they have in the supernet, where every stage has all its blocks; [`SearchSpace::layer_names`] are those
    /// of the architecture as a network of its own.
    fn names_in_supernet(&self, architecture: &Architecture) -> Vec<LayerNames>;
}
