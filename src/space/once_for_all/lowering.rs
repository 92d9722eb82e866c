//! The layers of a once-for-all network, as the reference implementation's active subnet has them.

use super::super::InputSize;
use super::super::network::{Activation, Convolution, FeatureMap, LayerBits, Network, NetworkBuilder};
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

/// The whole network, with these blocks behind the first one.
pub(in crate::space) fn network(
    (skeleton, width): (&Skeleton, Width),
    size: InputSize,
    classes: u32,
    blocks: impl Iterator<Item = (Site, Bottleneck)>,
) -> Network {
    let (mut network, image) = NetworkBuilder::new(IMAGE_CHANNELS, size);
    let outer = |channels, kernel| activated(width.of(channels), kernel, skeleton.outer_activation);
    let stem = Convolution {
        stride: 2,
        ..outer(skeleton.stem_channels, 3)
    };
    let map = network.convolve(image, stem);
    let mut map = append_first_block(&mut network, map, (skeleton, width));
    for (site, block) in blocks {
        map = append_block(&mut network, map, block, site);
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

/// Appends the block that all networks share: a depthwise convolution and one that mixes channels, with a shortcut where
/// there are as many channels out as in.
fn append_first_block(
    network: &mut NetworkBuilder,
    input: FeatureMap,
    (skeleton, width): (&Skeleton, Width),
) -> FeatureMap {
    let depthwise = Convolution {
        groups: input.shape.channels,
        ..activated(input.shape.channels, 3, skeleton.first_activation)
    };
    let map = network.convolve(input, depthwise);
    let map = network.convolve(map, Convolution::new(width.of(skeleton.first_channels), 1));
    if map.shape == input.shape {
        network.add(map, input)
    } else {
        map
    }
}

fn append_block(network: &mut NetworkBuilder, input: FeatureMap, block: Bottleneck, site: Site) -> FeatureMap {
    let widening = activated(block.channels, 1, site.activation);
    let map = network.convolve_at(input, widening, block.pointwise_bits);
    let depthwise = Convolution {
        stride: site.stride,
        groups: block.channels,
        ..activated(block.channels, block.kernel, site.activation)
    };
    let mut map = network.convolve_at(map, depthwise, block.depthwise_bits);
    if site.squeeze_excite {
        map = network.squeeze_excite(map, multiple_of_eight(block.channels / SQUEEZE, 1));
    }
    let narrowing = Convolution::new(site.output_channels, 1);
    let map = network.convolve_at(map, narrowing, block.pointwise_bits);
    if site.keeps_shape() {
        network.add(map, input)
    } else {
        map
    }
}

/// A normalised convolution with an activation behind it.
fn activated(output_channels: u32, kernel: u32, activation: Activation) -> Convolution {
    Convolution {
        activation: Some(activation),
        ..Convolution::new(output_channels, kernel)
    }
}
