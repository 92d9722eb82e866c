//! The layers of MobileNet-V2, and what torchvision calls them.

use super::super::super::network::{Activation, Convolution, InvertedResidual, LayerBits, Network, NetworkBuilder};
use super::super::super::{InputSize, LayerNames};

const IMAGE_CHANNELS: u32 = 3;
const STEM_CHANNELS: u32 = 32;
const LAST_CHANNELS: u32 = 1280;
/// Of the stages in table 2 of the paper: expansion, channels out, blocks, stride of the first block.
const STAGES: [(u32, u32, u32, u32); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

/// An inverted residual.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// Channels of the depthwise convolution for each channel in. With one it is the first.
    expansion: u32,
    output_channels: u32,
    stride: u32,
}

/// The seventeen blocks, in order.
fn blocks() -> impl Iterator<Item = Block> {
    STAGES
        .into_iter()
        .flat_map(|(expansion, output_channels, blocks, stride)| {
            (0..blocks).map(move |number| Block {
                expansion,
                output_channels,
                stride: if number == 0 { stride } else { 1 },
            })
        })
}

/// The network with these bits of the convolutions behind the first one, in order.
pub(super) fn network(mut bits: impl Iterator<Item = LayerBits>, input: InputSize, classes: u32) -> Network {
    let (mut network, image) = NetworkBuilder::new(IMAGE_CHANNELS, input);
    let stem = Convolution {
        stride: 2,
        ..Convolution::activated(STEM_CHANNELS, 3, Activation::Relu6)
    };
    let mut map = network.convolve(image, stem);
    for block in blocks() {
        let channels = map.shape.channels * block.expansion;
        let widening = (block.expansion > 1).then(|| bits.next()).flatten();
        let block = InvertedResidual {
            channels,
            kernel: 3,
            stride: block.stride,
            activation: Activation::Relu6,
            squeezed: None,
            output_channels: block.output_channels,
            bits: [widening, bits.next(), bits.next()],
        };
        map = network.inverted_residual(map, block);
    }
    let map = network.convolve_at(
        map,
        Convolution::activated(LAST_CHANNELS, 1, Activation::Relu6),
        bits.next(),
    );
    let map = network.pool_globally(map);
    let logits = network.linear(map, classes);
    network.finish(logits)
}

/// Names of the parameters in the order in which the network is lowered.
pub(super) fn layer_names() -> Vec<LayerNames> {
    let activated = |module: String| LayerNames::new(format!("{module}.0"), format!("{module}.1"));
    let mut names = vec![activated("features.0".into())];
    for (number, block) in (1..).zip(blocks()) {
        let before_last = if block.expansion > 1 { 2 } else { 1 };
        names.extend((0..before_last).map(|part| activated(format!("features.{number}.conv.{part}"))));
        let last = |part: u32| format!("features.{number}.conv.{part}");
        names.push(LayerNames::new(last(before_last), last(before_last + 1)));
    }
    names.push(activated(format!("features.{}", blocks().count() + 1)));
    names.push(LayerNames::new("classifier.1", ""));
    names
}
