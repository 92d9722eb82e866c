//! Bits for the layers of one network: MobileNet-V2 of width 1 (Sandler et al., *MobileNetV2: Inverted Residuals and Linear
//! Bottlenecks*, CVPR 2018), as HAQ searches them (Wang et al., *HAQ: Hardware-Aware Automated Quantization with Mixed Precision*,
//! CVPR 2019, <https://github.com/mit-han-lab/haq>).
//!
//! Every convolution between the first one and the classifier has 2 to 8 bits for its weights and as many to choose from for the
//! activations that it reads; those two layers have eight, as in HAQ. The 102 genes are the bits of the weights and of the activations of
//! the 51 layers, in order. Every gene matters. There is no space of the architectures alone, as there is but one.

mod lowering;
mod parse;

use std::ops::RangeInclusive;

use super::super::network::LayerBits;
use super::super::{Architecture, BitsOfChoice, InputSize, LayerNames, Network, SearchSpace};
use crate::error::Result;

/// Layers with bits of their own.
const LAYERS: usize = 51;
/// Bits of a weight or an activation; a gene is the position among them.
const BITS: RangeInclusive<u8> = 2..=8;
const CHOICES: [u8; 2 * LAYERS] = [*BITS.end() - *BITS.start() + 1; 2 * LAYERS];

/// MobileNet-V2 with bits for every layer: 102 genes.
#[derive(Debug, Clone, Copy)]
pub struct MobileNetV2Bits;

impl SearchSpace for MobileNetV2Bits {
    fn id(&self) -> &'static str {
        "mobilenet_v2_bits"
    }

    fn choices(&self) -> &[u8] {
        &CHOICES
    }

    /// Reads `W7A7-W5A6-...`, the bits of weights and activations of the 51 layers, or the list of all 53 that HAQ writes,
    /// `[[8, -1], [7, 7], [5, 6], ..., [8, 8]]`.
    fn parse(&self, text: &str) -> Result<Architecture> {
        parse::architecture(text)
    }

    fn print(&self, architecture: &Architecture) -> String {
        parse::print(architecture)
    }

    fn bits_of_choice(&self, _gene: usize, choice: u8) -> Option<BitsOfChoice> {
        Some(BitsOfChoice {
            bits: BITS.start() + choice,
            besides: 0,
        })
    }

    fn lower(&self, architecture: &Architecture, input: InputSize, classes: u32) -> Network {
        let bits = architecture.0.chunks_exact(2).map(|genes| LayerBits {
            weights: BITS.start() + genes[0],
            activations: BITS.start() + genes[1],
        });
        lowering::network(bits, input, classes)
    }

    /// Those of torchvision's `mobilenet_v2`, which has the same layers and for which trained weights are at hand.
    fn layer_names(&self, _architecture: &Architecture) -> Vec<LayerNames> {
        lowering::layer_names()
    }

    /// Always: it is one network.
    fn output_depends_on_input(&self, _architecture: &Architecture) -> bool {
        true
    }

    /// That of ImageNet.
    fn default_input(&self) -> InputSize {
        InputSize::square(224)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Layer, Precision};
    use super::*;
    use crate::metric::Metric;

    /// The policy of HAQ's README at 0.6 of the latency, as it stands there.
    const PUBLISHED: &str = "[[8, -1], [7, 7], [5, 6], [4, 6], [5, 6], [5, 7], [5, 6], [7, 4], [4, 6], [4, 6], [7, 7], [5, 6], \
        [4, 6], [7, 3], [5, 7], [4, 7], [7, 3], [5, 7], [4, 7], [7, 7], [4, 7], [4, 7], [6, 4], [6, 7], [4, 7], [7, 4], [6, 7], \
        [5, 7], [7, 4], [6, 7], [5, 7], [7, 4], [6, 7], [6, 7], [6, 4], [5, 7], [6, 7], [6, 4], [5, 7], [6, 7], [7, 7], [4, 7], \
        [7, 7], [7, 7], [4, 7], [7, 7], [7, 7], [4, 7], [7, 7], [7, 7], [4, 7], [7, 7], [8, 8]]";

    fn uniform(bits: u8) -> Architecture {
        Architecture(vec![bits - 2; 2 * LAYERS])
    }

    fn lowered(architecture: &Architecture) -> Network {
        MobileNetV2Bits.lower(architecture, MobileNetV2Bits.default_input(), 1000)
    }

    /// torchvision's documentation of `mobilenet_v2`: 3,504,872 parameters and 0.30 GFLOPS, of one multiply-accumulate each.
    #[test]
    fn the_published_network() {
        let network = lowered(&uniform(8));
        assert_eq!(network.parameters(), 3_504_872);
        assert_eq!((network.macs() as f64 / 1e9 * 100.0).round(), 30.0);
        let layers: Vec<&Layer> = network.layers().filter(|layer| layer.macs() > 0).collect();
        assert_eq!(layers.len(), LAYERS + 2);
        let said: Vec<bool> = layers.iter().map(|layer| layer.bits.is_some()).collect();
        assert_eq!(said, [vec![false], vec![true; LAYERS], vec![false]].concat());
        // Ten blocks keep the shape: one of two, two of three, three of four, two of three twice.
        assert_eq!(
            network
                .layers()
                .filter(|layer| layer.input_elements > layer.input.elements())
                .count(),
            10
        );
    }

    #[test]
    fn policies_of_haq_read_back() {
        let policy = MobileNetV2Bits.parse(PUBLISHED).unwrap();
        let printed = MobileNetV2Bits.print(&policy);
        assert!(
            printed.starts_with("W7A7-W5A6-W4A6-W5A6-") && printed.ends_with("-W4A7-W7A7"),
            "{printed}"
        );
        assert_eq!(MobileNetV2Bits.parse(&printed).unwrap(), policy);
        assert_eq!(MobileNetV2Bits.parse(&PUBLISHED.replace("-1", "8")).unwrap(), policy);
        assert!(!printed.contains(','));
        // As the network runs them: the block without expansion, then the first two convolutions of the next.
        let network = lowered(&policy);
        let shape = |layer: &Layer| Some((layer.input.channels, layer.output.channels, layer.kernel(), layer.bits?));
        let layers: Vec<_> = network.layers().filter_map(shape).collect();
        let bits = |weights, activations| LayerBits { weights, activations };
        assert_eq!(
            layers[..4],
            [
                (32, 32, 3, bits(7, 7)),
                (32, 16, 1, bits(5, 6)),
                (16, 96, 1, bits(4, 6)),
                (96, 96, 3, bits(5, 6))
            ]
        );
        assert_eq!(layers[50], (320, 1280, 1, bits(7, 7)));
    }

    /// Four bits instead of eight save half a byte for every weight of the 51 layers: of 3,504,872 parameters neither the 864 of the
    /// first convolution, nor 1,281,000 of the classifier, nor two for each of 17,056 normalised channels.
    #[test]
    fn bits_are_saved_where_they_are_said() {
        let size = |bits| {
            let computed = lowered(&uniform(bits)).computed(Precision::Int8.into());
            *computed.get(Metric::ModelSize).unwrap() * 1_048_576.0
        };
        let weights = 3_504_872 - 864 - 1_281_000 - 2 * 17_056;
        assert_eq!(size(8) - size(4), f64::from(weights) / 2.0);
    }

    #[test]
    fn parameters_have_the_names_of_torchvision() {
        let names = MobileNetV2Bits.layer_names(&uniform(8));
        let named = |weights: &str, normalization: &str| LayerNames::new(weights, normalization);
        assert_eq!(
            names[..4],
            [
                named("features.0.0", "features.0.1"),
                named("features.1.conv.0.0", "features.1.conv.0.1"),
                named("features.1.conv.1", "features.1.conv.2"),
                named("features.2.conv.0.0", "features.2.conv.0.1"),
            ]
        );
        assert_eq!(
            names[50..],
            [
                named("features.17.conv.2", "features.17.conv.3"),
                named("features.18.0", "features.18.1"),
                named("classifier.1", ""),
            ]
        );
    }

    #[test]
    fn faults_are_named_with_their_layer() {
        let good = MobileNetV2Bits.print(&uniform(8));
        let cases = [
            (good.replacen("W8A8-", "", 1), "layers: expected 51, found 50"),
            (format!("{good}-W8A8"), "layers: expected 51, found 52"),
            (
                good.replacen("W8A8-W8A8", "W8A8-W1A8", 1),
                "layer 2, bits of weights: expected 2 to 8, found 1",
            ),
            (
                good.replacen("W8A8", "W8A9", 1),
                "layer 1, bits of activations: expected 2 to 8, found 9",
            ),
            (
                good.replacen("W8A8", "8/8", 1),
                "layer 1: expected bits as in W7A5, found `8/8`",
            ),
            (
                good.replacen("W8A8", "W8A", 1),
                "layer 1: expected bits as in W7A5, found `W8A`",
            ),
            (PUBLISHED.replace("[8, -1], ", ""), "layers: expected 53, found 52"),
            (
                PUBLISHED.replace("-1", "4"),
                "first convolution: expected [8, -1] or [8, 8], found [8, 4]",
            ),
            (
                PUBLISHED.replace("[8, 8]", "[8, 4]"),
                "classifier: expected [8, 8], found [8, 4]",
            ),
            (
                PUBLISHED.replacen("[7, 7]", "[7, 32]", 1),
                "layer 1, bits of activations: expected 2 to 8, found 32",
            ),
            (PUBLISHED.replacen("[7, 7]", "[7]", 1), "a list of pairs of bits"),
            ("x".repeat(5_000), "at most 4096 bytes"),
        ];
        for (text, message) in cases {
            let found = MobileNetV2Bits.parse(&text).unwrap_err().to_string();
            assert!(found.contains(message), "{found}\ndoes not say: {message}");
        }
    }
}
