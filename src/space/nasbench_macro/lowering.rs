//! The layers of an architecture. Source: `train/model.py` of <https://github.com/xiusu/NAS-Bench-Macro>.

use super::super::network::{Activation, Convolution, FeatureMap, InvertedResidual, Network, NetworkBuilder};
use super::super::{Architecture, InputSize};
use super::{Block, NasBenchMacro};

const IMAGE_CHANNELS: u32 = 3;
const STEM_CHANNELS: u32 = 32;
const HEADER_CHANNELS: u32 = 1280;

/// The whole network. Each stage halves the map and doubles the channels.
pub(super) fn network(architecture: &Architecture, input: InputSize, classes: u32) -> Network {
    let (mut network, image) = NetworkBuilder::new(IMAGE_CHANNELS, input);
    let mut map = network.convolve(image, Convolution::rectified(STEM_CHANNELS, 3));
    for (block, first) in NasBenchMacro::blocks(architecture) {
        map = append_block(&mut network, map, block, first);
    }
    let map = network.convolve(map, Convolution::rectified(HEADER_CHANNELS, 1));
    let map = network.pool_globally(map);
    let logits = network.linear(map, classes);
    network.finish(logits)
}

/// Appends a block, which `shrinks` the map where it is the first of its stage.
fn append_block(network: &mut NetworkBuilder, input: FeatureMap, block: Block, shrinks: bool) -> FeatureMap {
    let given = input.shape.channels;
    let (stride, output_channels) = if shrinks { (2, 2 * given) } else { (1, given) };
    let Block::Bottleneck { expansion, kernel } = block else {
        return append_identity(network, input, shrinks);
    };
    let block = InvertedResidual {
        channels: given * expansion,
        kernel,
        stride,
        activation: Activation::Relu,
        squeezed: None,
        output_channels,
        bits: [None; 3],
    };
    network.inverted_residual(input, block)
}

/// Appends no layer, or a 1x1 convolution without activation.
fn append_identity(network: &mut NetworkBuilder, input: FeatureMap, shrinks: bool) -> FeatureMap {
    if !shrinks {
        return input;
    }
    let convolution = Convolution {
        stride: 2,
        ..Convolution::new(2 * input.shape.channels, 1)
    };
    network.convolve(input, convolution)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Layer, Operation, SearchSpace};
    use super::*;

    fn lower(text: &str) -> Network {
        let architecture = NasBenchMacro.parse(text).unwrap();
        NasBenchMacro.lower(&architecture, InputSize::square(32), 10)
    }

    /// All identities: what remains is the skeleton.
    #[test]
    fn skeleton_by_hand() {
        let network = lower("00000000");
        let macs: Vec<u64> = network.layers().map(Layer::macs).collect();
        let expected = [
            27 * 32 * 1024, // stem at 32x32
            32 * 64 * 256,  // 16x16
            64 * 128 * 64,  // 8x8
            128 * 256 * 16, // 4x4
            256 * 1280 * 16,
            0,
            12_800,
        ];
        assert_eq!(macs, expected);
        let kernels = 864 + 2_048 + 8_192 + 32_768 + 327_680;
        let normalised = 2 * (32 + 64 + 128 + 256 + 1280);
        assert_eq!(network.parameters(), kernels + normalised + 12_800 + 10);
        // The 1x1 convolutions in the place of identities have no ReLU.
        let activations = network.layers().filter_map(|layer| match layer.operation {
            Operation::Convolution(convolution) => Some(convolution.activation.is_some()),
            _ => None,
        });
        assert_eq!(activations.collect::<Vec<bool>>(), [true, false, false, false, true]);
    }

    #[test]
    fn blocks_by_hand() {
        let network = lower("12000000");
        let macs: Vec<u64> = network.layers().skip(1).take(7).map(Layer::macs).collect();
        // 32 channels widened to 96 at 32x32 and filtered with a stride; then 64 widened to 384, with a shortcut.
        let first = [32 * 96 * 1024, 9 * 96 * 256, 96 * 64 * 256];
        let second = [64 * 384 * 256, 25 * 384 * 256, 384 * 64 * 256, 0];
        assert_eq!(macs, [&first[..], &second[..]].concat());
        let shortcuts = network.layers().filter(|layer| layer.operation == Operation::Add);
        assert_eq!(shortcuts.count(), 1);
    }
}
