//! Layers that stay in floating point where the rest of a network is quantized.

use std::str::FromStr;

use crate::error::{Error, Result};
use crate::space::{FloatGroup, FloatGroups, Network};

/// Layers with weights that keep 32-bit floating point in an int8 file, as tools for deployment leave those out that lose most or
/// gain least: by what they are, or by their number.
///
/// ```
/// use edgefit::export::FloatLayers;
///
/// let layers: FloatLayers = "depthwise,last,3".parse()?;
/// assert!(!layers.is_empty());
/// assert!("widest".parse::<FloatLayers>().is_err());
/// # Ok::<(), edgefit::error::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FloatLayers {
    groups: Vec<FloatGroup>,
    /// From 1, among the layers with weights.
    numbers: Vec<usize>,
}

impl FromStr for FloatLayers {
    type Err = Error;

    /// Reads `depthwise`, `first`, `last` and numbers of layers, separated by commas.
    fn from_str(text: &str) -> Result<Self> {
        let mut layers = FloatLayers::default();
        for one in text.split(',').map(str::trim) {
            match (one.parse(), one.parse()) {
                (Ok(group), _) => layers.groups.push(group),
                (Err(_), Ok(number)) if number > 0 => layers.numbers.push(number),
                _ => {
                    return Err(Error::Unknown {
                        kind: "layer to keep in floating point",
                        name: one.chars().take(80).collect(),
                        known: (FloatGroup::ALL.map(|group| group.name().to_string()).into_iter())
                            .chain(["the number of a layer with weights, from 1".into()])
                            .collect(),
                    });
                }
            }
        }
        Ok(layers)
    }
}

impl FloatLayers {
    /// Whether it names none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.numbers.is_empty()
    }

    /// These and whole groups.
    pub fn with(&self, groups: FloatGroups) -> FloatLayers {
        let mut layers = self.clone();
        layers.groups.extend(groups.groups());
        layers
    }

    /// How many layers of a network these are, and how many layers with weights it has.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the number of a layer that the network does not have.
    pub fn count(&self, network: &Network) -> Result<(usize, usize)> {
        let network = network.without_dead_nodes();
        let kept = self.nodes(&network)?.into_iter().filter(|&kept| kept).count();
        Ok((kept, with_weights(&network).len()))
    }

    /// For every node of a network without dead nodes, whether it is one of these.
    pub(super) fn nodes(&self, network: &Network) -> Result<Vec<bool>> {
        let mut kept = vec![false; network.nodes().len()];
        if self.is_empty() {
            return Ok(kept);
        }
        let layers = with_weights(network);
        for &number in &self.numbers {
            match layers.get(number - 1) {
                Some(&node) => kept[node] = true,
                None => return Err(beyond(number, layers.len())),
            }
        }
        for group in &self.groups {
            for (kept, of_group) in kept.iter_mut().zip(network.nodes_in(*group)) {
                *kept |= of_group;
            }
        }
        Ok(kept)
    }
}

/// The nodes that multiply with weights, in the order in which they run.
fn with_weights(network: &Network) -> Vec<usize> {
    let nodes = network.nodes().filter(|node| node.layer.macs() > 0);
    nodes.map(|node| node.id).collect()
}

fn beyond(number: usize, layers: usize) -> Error {
    Error::Invalid {
        what: "number of a layer to keep in floating point".into(),
        expected: format!("1 to {layers}, the convolutions and fully connected layers in the order in which they run"),
        found: number.to_string(),
        hint: "Count the layers of this design.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{Convolution, InputSize, NetworkBuilder};

    #[test]
    fn layers_are_found_by_kind_and_number() {
        let (mut builder, image) = NetworkBuilder::new(3, InputSize { width: 8, height: 8 });
        let map = builder.convolve(image, Convolution::new(4, 3));
        let depthwise = Convolution {
            groups: 4,
            ..Convolution::new(4, 3)
        };
        let map = builder.convolve(map, depthwise);
        let map = builder.pool_globally(map);
        let logits = builder.linear(map, 2);
        let network = builder.finish(logits);
        // The input, two convolutions, a pooling, and the classifier: layer 3 of those with weights is node 4.
        let kept = |text: &str| {
            let nodes = text.parse::<FloatLayers>().unwrap().nodes(&network).unwrap();
            (0..nodes.len()).filter(|&node| nodes[node]).collect::<Vec<usize>>()
        };
        assert_eq!(kept("depthwise"), [2]);
        assert_eq!(kept("first, last"), [1, 4]);
        assert_eq!(kept("3,1"), [1, 4]);
        assert_eq!(FloatLayers::default().count(&network).unwrap(), (0, 3));
        assert_eq!(
            "first,1,2".parse::<FloatLayers>().unwrap().count(&network).unwrap(),
            (2, 3)
        );
        let message = "4".parse::<FloatLayers>().unwrap().nodes(&network).unwrap_err();
        assert!(message.to_string().contains("1 to 3"), "{message}");
        for wrong in ["", "0", "-1", "depthwsie", "first;last", "99999999999999999999"] {
            assert!(wrong.parse::<FloatLayers>().is_err(), "{wrong}");
        }
    }
}
