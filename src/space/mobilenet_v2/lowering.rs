//! The layers of an architecture: a stem, the inverted bottlenecks of the seven stages, a 1x1 convolution and a classifier.
//!
//! Source: `models/accelbenchnet.py` of <https://github.com/afzalxo/ANB-DatasetCollection>, with ReLU, as the networks were trained
//! and measured. The factors of squeeze-and-excitation come from a hard sigmoid, as on the FPGA; elsewhere the authors have a
//! sigmoid.

use super::super::network::{Activation, Convolution, InvertedResidual, Network, NetworkBuilder};
use super::super::{Architecture, InputSize};
use super::{MobileNetV2, STAGES};

const IMAGE_CHANNELS: u32 = 3;
const STEM_CHANNELS: u32 = 32;
/// Channels that every stage gives.
const CHANNELS: [u32; STAGES] = [16, 24, 40, 80, 112, 192, 320];
/// Stride of the first block of every stage; the others have 1.
const STRIDES: [u32; STAGES] = [1, 2, 2, 2, 1, 2, 1];
const HEADER_CHANNELS: u32 = 1280;
/// Channels that a block is given for each one that its squeeze-and-excitation narrows to.
const SQUEEZED: u32 = 4;

/// The whole network.
pub(super) fn network(architecture: &Architecture, input: InputSize, classes: u32) -> Network {
    let (mut network, image) = NetworkBuilder::new(IMAGE_CHANNELS, input);
    let stem = Convolution {
        stride: 2,
        ..Convolution::rectified(STEM_CHANNELS, 3)
    };
    let mut map = network.convolve(image, stem);
    for ((stage, channels), stride) in MobileNetV2::stages(architecture).zip(CHANNELS).zip(STRIDES) {
        for layer in 0..stage.layers {
            let stride = if layer == 0 { stride } else { 1 };
            let given = map.shape.channels;
            let block = InvertedResidual {
                channels: given * stage.expansion,
                kernel: stage.kernel,
                stride,
                activation: Activation::Relu,
                squeezed: stage.squeezes.then_some(given / SQUEEZED),
                output_channels: channels,
                bits: [None; 3],
            };
            map = network.inverted_residual(map, block);
        }
    }
    let map = network.convolve(map, Convolution::rectified(HEADER_CHANNELS, 1));
    let map = network.pool_globally(map);
    let logits = network.linear(map, classes);
    network.finish(logits)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Layer, SearchSpace};
    use super::*;

    /// The smallest architecture: one block without expansion in every stage.
    #[test]
    fn smallest_network_by_hand() {
        let architecture = Architecture(vec![0; 28]);
        let network = network(&architecture, InputSize::square(224), 1000);
        let macs: Vec<u64> = network.layers().map(Layer::macs).collect();
        let expected = [
            27 * 32 * 112 * 112, // stem
            9 * 32 * 112 * 112,  // stage 1: depthwise, then to 16 channels
            32 * 16 * 112 * 112,
            9 * 16 * 56 * 56, // stage 2 halves the map
            16 * 24 * 56 * 56,
            9 * 24 * 28 * 28,
            24 * 40 * 28 * 28,
            9 * 40 * 14 * 14,
            40 * 80 * 14 * 14,
            9 * 80 * 14 * 14, // stage 5 does not
            80 * 112 * 14 * 14,
            9 * 112 * 7 * 7,
            112 * 192 * 7 * 7,
            9 * 192 * 7 * 7,
            192 * 320 * 7 * 7,
            320 * 1280 * 7 * 7,
            0,
            1280 * 1000,
        ];
        assert_eq!(macs, expected);
        let kernels = 864 + 288 + 512 + 144 + 384 + 216 + 960 + 360 + 3_200 + 720 + 8_960 + 1_008 + 21_504 + 1_728;
        let kernels = kernels + 61_440 + 409_600 + 1_280_000;
        // The stem and both convolutions of every stage are normalised, and so is the last 1x1 convolution.
        let given = 32 + 16 + 24 + 40 + 80 + 112 + 192;
        let normalised = 2 * (32 + given + (given - 32) + 320 + 1280);
        assert_eq!(network.parameters(), kernels + normalised + 1000);
    }

    /// The first stage with everything on: two blocks of expansion 4, kernel 5, squeeze-and-excitation.
    #[test]
    fn blocks_by_hand() {
        let mut genes = vec![0; 28];
        genes[..4].copy_from_slice(&[1, 1, 1, 1]);
        let network = network(&Architecture(genes), InputSize::square(32), 10);
        let macs: Vec<u64> = network.layers().skip(1).take(15).map(Layer::macs).collect();
        // 16x16 pixels. 32 channels become 128; a fourth of the 32, not of the 128, is squeezed to. The second block has 16
        // channels, so 64 and 4, and a shortcut.
        let pixels = 16 * 16;
        let first = [
            32 * 128 * pixels,
            25 * 128 * pixels,
            0,
            128 * 8,
            8 * 128,
            0,
            128 * 16 * pixels,
        ];
        let second = [
            16 * 64 * pixels,
            25 * 64 * pixels,
            0,
            64 * 4,
            4 * 64,
            0,
            64 * 16 * pixels,
            0,
        ];
        assert_eq!(macs, [&first[..], &second[..]].concat());
    }

    /// EfficientNet-B0 (Tan and Le, ICML 2019) is the member with the blocks of its table 1; torchvision counts 5,288,548
    /// parameters of it.
    #[test]
    fn efficientnet_b0() {
        let text = "[[1,6,6,6,6,6,6],[3,3,5,3,5,5,3],[1,2,2,3,3,4,1],[true,true,true,true,true,true,true]]";
        let architecture = MobileNetV2.parse(text).unwrap();
        let network = MobileNetV2.lower(&architecture, InputSize::square(224), 1000);
        assert_eq!(network.parameters(), 5_288_548);
    }
}
