//! The layers of a once-for-all network, as the reference implementation's active subnet has them.

use super::super::InputSize;
use super::super::network::{Convolution, InvertedResidual, LayerBits, Network, NetworkBuilder};
use super::Site;
use super::skeleton::{Skeleton, Width, multiple_of_eight};

const IMAGE_CHANNELS: u32 = 3;
/// Channels for each one that squeeze-and-excitation squeezes them to.
const SQUEEZE: u32 = 4;

/// A block as it is built.
#[derive(Debug, Clone, Copy)]
pub(in crate::space) struct Bottleneck {
    /// Edge of the depthwise kernel.
    pub(in crate::space) kernel: u32,
    /// Channels of the depthwise convolution.
    pub(in crate::space) channels: u32,
    /// Bits of the two 1x1 convolutions, where these are not the design's.
    pub(in crate::space) pointwise_bits: Option<LayerBits>,
    /// Bits of the depthwise convolution.
    pub(in crate::space) depthwise_bits: Option<LayerBits>,
}

impl Bottleneck {
    fn at(self, site: Site) -> InvertedResidual {
        let squeezed = multiple_of_eight(self.channels / SQUEEZE, 1);
        InvertedResidual {
            channels: self.channels,
            kernel: self.kernel,
            stride: site.stride,
            activation: site.activation,
            squeezed: site.squeeze_excite.then_some(squeezed),
            output_channels: site.output_channels,
            bits: [self.pointwise_bits, self.depthwise_bits, self.pointwise_bits],
        }
    }
}

/// The whole network, with these blocks behind the first one.
pub(in crate::space) fn network(
    (skeleton, width): (&Skeleton, Width),
    size: InputSize,
    classes: u32,
    blocks: impl Iterator<Item = (Site, Bottleneck)>,
) -> Network {
    let (mut network, image) = NetworkBuilder::new(IMAGE_CHANNELS, size);
    let outer = |channels, kernel| Convolution::activated(width.of(channels), kernel, skeleton.outer_activation);
    let stem = Convolution {
        stride: 2,
        ..outer(skeleton.stem_channels, 3)
    };
    let map = network.convolve(image, stem);
    // All networks share the first block.
    let first = InvertedResidual {
        channels: map.shape.channels,
        kernel: 3,
        stride: 1,
        activation: skeleton.first_activation,
        squeezed: None,
        output_channels: width.of(skeleton.first_channels),
        bits: [None; 3],
    };
    let mut map = network.inverted_residual(map, first);
    for (site, block) in blocks {
        map = network.inverted_residual(map, block.at(site));
    }
    let mixing = outer(skeleton.mixed_channels, 1);
    let map = if let Some(channels) = skeleton.expanded_channels {
        let map = network.convolve(map, outer(channels, 1));
        let map = network.pool_globally(map);
        let mixing = Convolution {
            normalized: false,
            ..mixing
        };
        network.convolve(map, mixing)
    } else {
        let map = network.convolve(map, mixing);
        network.pool_globally(map)
    };
    let logits = network.linear(map, classes);
    network.finish(logits)
}
