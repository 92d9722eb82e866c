//! Where the weights of an exported network come from.

use super::parameters::{Parameters, learns};
use super::seeded;
use crate::error::Result;
use crate::seed::Seed;
use crate::space::Network;

/// The weights of a network.
#[derive(Debug, Clone)]
pub struct Weights {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Seeded(Seed),
}

impl Weights {
    /// Random weights with which activations neither vanish nor explode: enough to measure how fast a network is, of no other
    /// use. The same seed gives the same weights.
    pub fn seeded(seed: u64) -> Weights {
        Weights {
            source: Source::Seeded(Seed(seed)),
        }
    }

    /// Whether they are random.
    pub fn are_random(&self) -> bool {
        matches!(self.source, Source::Seeded(_))
    }

    /// The parameters of every node of a network without dead nodes, empty for those that learn nothing.
    pub(super) fn of(&self, network: &Network) -> Result<Vec<Parameters>> {
        match &self.source {
            Source::Seeded(seed) => Ok(seeded::parameters(network, *seed)),
        }
    }
}

/// Parameters of the layers that learn, handed out to the nodes of a network in order.
pub(super) fn by_node(network: &Network, learned: Vec<Parameters>) -> Vec<Parameters> {
    let mut learned = learned.into_iter();
    let mut of_layer = |layer| learns(layer).then(|| learned.next()).flatten().unwrap_or_default();
    network.nodes().map(|node| of_layer(node.layer)).collect()
}
