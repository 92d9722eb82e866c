//! The layers of a once-for-all network, as the reference implementation's active subnet has them.

use super::super::network::{Activation, Convolution, FeatureMap, Network, NetworkBuilder};
use super::super::{Architecture, InputSize};
use super::skeleton::multiple_of_eight;
use super::{Block, OnceForAll, Site};

const IMAGE_CHANNELS: u32 = 3;
/// Channels for each one that squeeze-and-excitation squeezes them to.
const SQUEEZE: u32 = 4;

/// The whole network, for images of the architecture's resolution.
pub(super) fn network(space: &OnceForAll, architecture: &Architecture, classes: u32) -> Network {
    let (skeleton, width) = (space.skeleton, space.width);
    let size = InputSize::square(space.resolution(architecture));
    let (mut network, image) = NetworkBuilder::new(IMAGE_CHANNELS, size);
    let outer = |channels, kernel| activated(width.of(channels), kernel, skeleton.outer_activation);
    let stem = Convolution {
        stride: 2,
        ..outer(skeleton.stem_channels, 3)
    };
    let map = network.convolve(image, stem);
    let mut map = append_first_block(&mut network, map, space);
    for (site, block) in space.active_blocks(architecture) {
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
fn append_first_block(network: &mut NetworkBuilder, input: FeatureMap, space: &OnceForAll) -> FeatureMap {
    let depthwise = Convolution {
        groups: input.shape.channels,
        ..activated(input.shape.channels, 3, space.skeleton.first_activation)
    };
    let map = network.convolve(input, depthwise);
    let map = network.convolve(map, Convolution::new(space.width.of(space.skeleton.first_channels), 1));
    if map.shape == input.shape {
        network.add(map, input)
    } else {
        map
    }
}

fn append_block(network: &mut NetworkBuilder, input: FeatureMap, block: Block, site: Site) -> FeatureMap {
    let channels = input.shape.channels * block.expansion;
    let map = network.convolve(input, activated(channels, 1, site.activation));
    let depthwise = Convolution {
        stride: site.stride,
        groups: channels,
        ..activated(channels, block.kernel, site.activation)
    };
    let mut map = network.convolve(map, depthwise);
    if site.squeeze_excite {
        map = network.squeeze_excite(map, multiple_of_eight(channels / SQUEEZE, 1));
    }
    let map = network.convolve(map, Convolution::new(site.output_channels, 1));
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
