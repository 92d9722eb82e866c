//! Where the weights of an exported network come from.

use std::path::Path;
use std::sync::Arc;

use super::parameters::{Parameters, by_node, learns, weight_dims};
use super::seeded;
use super::stored::{self, Stored};
use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::space::{Architecture, Network, SearchSpace};

/// The weights of a network.
#[derive(Debug, Clone)]
pub struct Weights {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Seeded(Seed),
    Stored(Arc<Stored>),
}

impl Weights {
    /// Random weights with which activations neither vanish nor explode: enough to measure how fast a network is, of no other
    /// use. The same seed gives the same weights.
    pub fn seeded(seed: u64) -> Weights {
        Weights {
            source: Source::Seeded(Seed(seed)),
        }
    }

    /// Trained weights from a file: safetensors, or what PyTorch's `torch.save` writes of a `state_dict`. `network` is that of
    /// the architecture. Tensors are called what [`SearchSpace::layer_names`] says; something may stand before all of them, as in
    /// `state_dict.module.stem.0.weight`. A pickle is read as data: nothing in it runs.
    ///
    /// In spaces with a [`crate::space::Supernet`] the file may hold that instead, of which the architecture's part is taken; see
    /// [`Weights::are_of_supernet`].
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Malformed`] naming the tensors that are missing, the first that does not fit, or those of layers
    /// that the architecture does not have.
    pub fn read(
        path: &Path,
        space: &dyn SearchSpace,
        architecture: &Architecture,
        network: &Network,
    ) -> Result<Weights> {
        let stored = stored::read(path, space, architecture, &network.without_dead_nodes())?;
        Ok(Weights::stored(stored))
    }

    pub(super) fn stored(stored: Stored) -> Weights {
        Weights {
            source: Source::Stored(Arc::new(stored)),
        }
    }

    /// Whether they are random.
    pub fn are_random(&self) -> bool {
        matches!(self.source, Source::Seeded(_))
    }

    /// Whether they are parts of a supernet's and have its statistics of batch normalisation. These are of other architectures,
    /// and accuracy suffers until they are taken anew from images: [`Weights::recalibrated`].
    pub fn are_of_supernet(&self) -> bool {
        matches!(&self.source, Source::Stored(stored) if stored.of_supernet)
    }

    /// Names of the tensors that the file holds beside those of the network.
    pub fn unused(&self) -> &[String] {
        match &self.source {
            Source::Seeded(_) => &[],
            Source::Stored(stored) => &stored.unused,
        }
    }

    /// The parameters of every node of a network without dead nodes, empty for those that learn nothing.
    pub(super) fn of(&self, network: &Network) -> Result<Vec<Parameters>> {
        match &self.source {
            Source::Seeded(seed) => Ok(seeded::parameters(network, *seed)),
            Source::Stored(stored) => {
                let parameters = &stored.parameters;
                let layers = network.nodes().filter(|node| learns(node.layer));
                let mut sizes = layers.map(|node| weight_dims(node.layer).iter().product::<usize>());
                let own = parameters.iter().map(|one| one.weight.len());
                // Normalisation on its own has no weights, and a product of no extents is 1.
                if sizes.by_ref().eq(own.map(|size| size.max(1))) {
                    Ok(by_node(network, parameters.clone()))
                } else {
                    Err(of_another_network())
                }
            }
        }
    }
}

fn of_another_network() -> Error {
    Error::Invalid {
        what: "weights".into(),
        expected: "those of the network".into(),
        found: "those of another one".into(),
        hint: "Read them for this network.".into(),
    }
}
