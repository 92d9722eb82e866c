//! The tensors that the parameters of layers are read from, by name and shape.

use super::parameters::{Normalization, Parameters, has_bias, is_normalized, learns, weight_dims};
use crate::error::Result;
use crate::space::{Layer, LayerNames, Network};

/// One tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) dims: Vec<usize>,
}

/// Those of one layer.
#[derive(Debug)]
pub(super) struct WantedLayer {
    pub(super) weight: Option<Wanted>,
    bias: Option<Wanted>,
    /// Scale, shift, mean, variance.
    normalization: Option<[Wanted; 4]>,
}

impl WantedLayer {
    /// Those of the layers that learn, in order. `names` are theirs and may hold dead layers, which the network lacks.
    pub(super) fn all(network: &Network, names: &[LayerNames]) -> Vec<WantedLayer> {
        let layers = network.nodes().map(|node| node.layer).filter(|layer| learns(layer));
        let live = names.iter().filter(|names| !names.dead);
        layers
            .zip(live)
            .map(|(layer, names)| WantedLayer::new(layer, names))
            .collect()
    }

    fn new(layer: &Layer, names: &LayerNames) -> WantedLayer {
        let channels = vec![layer.output.channels as usize];
        let of_weights = |part: &str, dims: Vec<usize>| {
            let name = names.weights.as_ref().map(|module| format!("{module}.{part}"));
            name.map(|name| Wanted { name, dims })
        };
        let normalization = names.normalization.as_ref().filter(|_| is_normalized(layer));
        WantedLayer {
            weight: of_weights("weight", weight_dims(layer)),
            bias: of_weights("bias", channels.clone()).filter(|_| has_bias(layer)),
            normalization: normalization.map(|module| {
                LayerNames::NORMALIZATION.map(|part| Wanted {
                    name: format!("{module}.{part}"),
                    dims: channels.clone(),
                })
            }),
        }
    }

    /// All of the layer.
    pub(super) fn tensors(&self) -> impl Iterator<Item = &Wanted> {
        let normalization = self.normalization.iter().flatten();
        self.weight.iter().chain(&self.bias).chain(normalization)
    }

    /// The layer's parameters from what `read` gives for its tensors, in normalisation with this epsilon.
    ///
    /// # Errors
    /// Those of `read`.
    pub(super) fn parameters(&self, epsilon: f32, read: impl Fn(&Wanted) -> Result<Vec<f32>>) -> Result<Parameters> {
        // The weights come first: their shape says most about a network that does not fit.
        let weight = self.weight.as_ref().map(&read).transpose()?.unwrap_or_default();
        let bias = self.bias.as_ref().map(&read).transpose()?;
        let normalization = match &self.normalization {
            None => None,
            Some([scale, shift, mean, variance]) => Some(Normalization {
                scale: read(scale)?,
                shift: read(shift)?,
                mean: read(mean)?,
                variance: read(variance)?,
                epsilon,
            }),
        };
        Ok(Parameters {
            weight,
            bias,
            normalization,
        })
    }
}
