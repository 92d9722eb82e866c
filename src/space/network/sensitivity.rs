//! What does quantization cost in accuracy? A prior of layer sensitivity, where no table of accuracies by quantization policy says it.
//! What it gives is simulated, and no claim about any one network.
//!
//! The drop in accuracy is a sum over layers, each with the power of the noise that rounding adds to its weights and to the
//! activations that it reads, as HAWQ sums perturbations (Dong et al., *HAWQ-V2*, NeurIPS 2020). Rounding to one bit more quarters it:
//!
//! ```text
//! drop = 10.42 sum of (s_w 4^(4 - weight bits) + s_a 4^(4 - activation bits)) / sum of (s_w + s_a)    percentage points
//! s_w  = place x (weights / 10,000)^(-1/4) x (8 if depthwise, else 1)
//! s_a  = place x (1/4 if depthwise, else 2)
//! place = 1.5 at the first layer down to 0.5 at the last
//! ```
//!
//! What it is fitted to, all ImageNet top-1 after training with quantization:
//! - The total, 10.42 points at 4 bits everywhere: HAQ (Wang et al., *HAQ: Hardware-Aware Automated Quantization with Mixed
//!   Precision*, CVPR 2019) gives MobileNet-V2 71.81 % at 8 bits and, by PACT, 61.39 %, 68.84 % and 71.25 % at 4, 5 and 6: drops of
//!   10.42, 2.97 and 0.56 points, where a quarter for every bit gives 10.42, 2.61 and 0.65.
//! - Who bears it: HAQ's policy for MobileNet-V2 at 0.6 of the latency (README of <https://github.com/mit-han-lab/haq>) has 6.7 bits for
//!   depthwise weights and 5.1 for others in the mean, but 5.2 for activations that depthwise convolutions read and 6.8 for others,
//!   and loses 0.82 points, 72.05 % to 71.23 %. The shares above make it 1.1; equal ones would make it 3.3.
//!
//! That small layers and early ones are more sensitive is assumed: few weights average little noise, and errors made early pass through
//! more layers.
//!
//! Those drops are from 8 bits. What 8 bits lose against floating point is more than the 0.04 points that quartering says, and depthwise
//! convolutions lose it: of the networks that NNCF trained at int8 (`docs/ModelZoo.md` of <https://github.com/openvinotoolkit/nncf>)
//! MobileNet-V2 loses 0.80 points and MobileNet-V3 small 0.68, where ResNet-50, Inception-V3 and SqueezeNet gain 0.31, 0.12 and 0.03. So a
//! policy of floating point and integers costs besides
//!
//! ```text
//! 0.70 sum of s_w over depthwise layers of 8 bits or fewer / sum of s_w over all depthwise layers
//! ```
//!
//! which makes 0.74 for MobileNets at int8, as published in the mean, and 0.04 for networks without depthwise convolutions. Floating
//! point of 16 bits is taken to cost nothing, as integers of 16 bits do to within 0.0001 points.

use super::super::QuantPolicy;
use super::{Layer, LayerBits, Network};

/// Percentage points that 4 bits everywhere cost.
const AT_FOUR_BITS: f64 = 10.42;
/// Bits that this is the drop at.
const REFERENCE_BITS: i32 = 4;
/// Weights of a layer whose size counts as 1.
const USUAL_WEIGHTS: f64 = 10_000.0;
/// Power of the number of weights.
const SIZE_POWER: f64 = -0.25;
/// Of weights of depthwise convolutions, where those of others have 1.
const DEPTHWISE_WEIGHTS: f64 = 8.0;
/// Of activations that depthwise convolutions read, and others.
const DEPTHWISE_ACTIVATIONS: f64 = 0.25;
const OTHER_ACTIVATIONS: f64 = 2.0;
/// Of the first layer and of the last.
const FIRST_PLACE: f64 = 1.5;
const LAST_PLACE: f64 = 0.5;

/// Percentage points that depthwise convolutions lose against floating point beside that, from this many bits down.
const DEPTHWISE_INTEGERS: f64 = 0.70;
const DEPTHWISE_BITS: u8 = 8;

/// A layer with weights.
#[derive(Debug, Clone, Copy)]
struct SensitiveLayer {
    is_depthwise: bool,
    weights: f64,
    /// `None` in floating point.
    bits: Option<LayerBits>,
}

impl SensitiveLayer {
    fn new(layer: &Layer, bits: Option<LayerBits>) -> SensitiveLayer {
        SensitiveLayer {
            is_depthwise: layer.is_depthwise(),
            weights: layer.weight_elements() as f64,
            bits,
        }
    }

    /// With the bits that the layer says itself.
    fn of_own_bits(layer: &Layer) -> Option<SensitiveLayer> {
        Some(SensitiveLayer::new(layer, Some(layer.bits?)))
    }

    /// Sensitivity of its weights and of the activations that it reads, wherever it stands.
    fn sensitivities(&self) -> [f64; 2] {
        let size = (self.weights.max(1.0) / USUAL_WEIGHTS).powf(SIZE_POWER);
        if self.is_depthwise {
            [DEPTHWISE_WEIGHTS * size, DEPTHWISE_ACTIVATIONS]
        } else {
            [size, OTHER_ACTIVATIONS]
        }
    }

    /// The power of the noise in its weights and activations, 1 at [`REFERENCE_BITS`].
    fn noise(&self) -> [f64; 2] {
        self.bits.map_or([0.0; 2], |bits| {
            [bits.weights, bits.activations].map(|bits| 4_f64.powi(REFERENCE_BITS - i32::from(bits)))
        })
    }
}

impl Network {
    /// What the bits that its layers say cost in accuracy, in percentage points: nothing where no layer says its bits.
    pub fn accuracy_drop_of_bits(&self) -> f64 {
        let layers: Vec<SensitiveLayer> = self.layers().filter_map(SensitiveLayer::of_own_bits).collect();
        drop_of(&layers)
    }

    /// What a policy costs in accuracy against floating point, in percentage points: at least 0, and 0 in floating point.
    pub fn accuracy_drop(&self, policy: QuantPolicy) -> f64 {
        let layers: Vec<SensitiveLayer> = (self.layers_with(&self.precisions(policy)))
            .filter(|(layer, _)| layer.factor_elements > 0)
            .map(|(layer, precision)| SensitiveLayer::new(layer, layer.bits.or(LayerBits::of_integers(precision))))
            .collect();
        drop_of(&layers) + drop_of_depthwise(&layers)
    }
}

/// The layers with their places, 1.5 at the first down to 0.5 at the last.
fn placed(layers: &[SensitiveLayer]) -> impl Iterator<Item = (f64, &SensitiveLayer)> {
    let last = layers.len().saturating_sub(1).max(1) as f64;
    let place = move |position: usize| FIRST_PLACE + (LAST_PLACE - FIRST_PLACE) * position as f64 / last;
    layers
        .iter()
        .enumerate()
        .map(move |(position, layer)| (place(position), layer))
}

fn drop_of(layers: &[SensitiveLayer]) -> f64 {
    let (mut noise, mut whole) = (0.0, 0.0);
    for (place, layer) in placed(layers) {
        for (sensitivity, power) in layer.sensitivities().into_iter().zip(layer.noise()) {
            noise += place * sensitivity * power;
            whole += place * sensitivity;
        }
    }
    if whole > 0.0 { AT_FOUR_BITS * noise / whole } else { 0.0 }
}

fn drop_of_depthwise(layers: &[SensitiveLayer]) -> f64 {
    let (mut integers, mut whole) = (0.0, 0.0);
    for (place, layer) in placed(layers).filter(|(_, layer)| layer.is_depthwise) {
        let [sensitivity, _] = layer.sensitivities();
        whole += place * sensitivity;
        if layer.bits.is_some_and(|bits| bits.weights <= DEPTHWISE_BITS) {
            integers += place * sensitivity;
        }
    }
    if whole > 0.0 {
        DEPTHWISE_INTEGERS * integers / whole
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::space::{
        Convolution, InputSize, MobileNetV2Bits, NetworkBuilder, PROXYLESS_NAS_MIXED, Precision, SearchSpace,
    };

    /// MobileNet-V2's layers behind the first convolution up to the classifier.
    fn mobilenet_v2(bits: impl Fn(usize) -> (u8, u8)) -> Vec<SensitiveLayer> {
        let layers = (0..51).map(bits);
        let text = layers.map(|(weights, activations)| format!("W{weights}A{activations}"));
        let policy = MobileNetV2Bits.parse(&text.collect::<Vec<String>>().join("-")).unwrap();
        let network = MobileNetV2Bits.lower(&policy, MobileNetV2Bits.default_input(), 1000);
        network.layers().filter_map(SensitiveLayer::of_own_bits).collect()
    }

    /// Top-1 of MobileNet-V2 at uniform bits in HAQ: 71.81 % at 8 bits, less 61.39 %, 68.84 % and 71.25 %.
    #[test]
    fn uniform_bits_cost_what_was_published() {
        for (bits, published, tolerance) in [(4, 10.42, 0.3), (5, 2.97, 0.5), (6, 0.56, 0.2), (8, 0.0, 0.1)] {
            let drop = drop_of(&mobilenet_v2(|_| (bits, bits)));
            assert!((drop - published).abs() < tolerance, "{bits} bits: {drop}");
        }
    }

    /// The policy of HAQ's README, which loses 72.05 - 71.23 points, without the first convolution and the classifier.
    #[test]
    fn a_published_policy_costs_little() {
        // Bits of the layers, one digit each.
        const WEIGHTS: &[u8; 51] = b"754555744754754754744664765765766656656747747747747";
        const ACTIVATIONS: &[u8; 51] = b"766676466766377377777477477477477477477777777777777";
        let policy = |position: usize| (WEIGHTS[position] - b'0', ACTIVATIONS[position] - b'0');
        let drop = drop_of(&mobilenet_v2(policy));
        assert!((drop - 0.82).abs() < 0.4, "{drop}");
    }

    #[test]
    fn depthwise_weights_are_more_sensitive_than_pointwise_ones() {
        let layers = mobilenet_v2(|_| (8, 8));
        let lowered = |position: usize| drop_of(&mobilenet_v2(|other| if other == position { (4, 8) } else { (8, 8) }));
        for (position, layer) in layers.iter().enumerate().skip(1) {
            if layer.is_depthwise {
                assert!(lowered(position) > 2.0 * lowered(position - 1), "{position}");
            }
        }
    }

    #[test]
    fn fewer_bits_never_gain_accuracy() {
        let mut rng = Seed(4).stream("designs");
        let input = PROXYLESS_NAS_MIXED.default_input();
        for _ in 0..5 {
            let design = PROXYLESS_NAS_MIXED.sample(&mut rng);
            let network = PROXYLESS_NAS_MIXED.lower(&design, input, 1000);
            let layers: Vec<SensitiveLayer> = network.layers().filter_map(SensitiveLayer::of_own_bits).collect();
            assert!((drop_of(&layers) - network.accuracy_drop_of_bits()).abs() < 1e-12);
            for position in 0..layers.len() {
                let mut fewer = layers.clone();
                let bits = layers[position].bits.unwrap();
                let with = |weights, activations| Some(LayerBits { weights, activations });
                fewer[position].bits = with(bits.weights - 1, bits.activations);
                let fewer_weight_bits = drop_of(&fewer);
                fewer[position].bits = with(bits.weights - 1, bits.activations - 1);
                assert!(drop_of(&layers) < fewer_weight_bits && fewer_weight_bits < drop_of(&fewer));
            }
        }
    }

    #[test]
    fn layers_without_bits_cost_nothing() {
        assert_eq!(drop_of(&[]), 0.0);
    }

    /// A 1x1 convolution from 9 to 1000 channels and a depthwise 3x3 of 1000, 10,000 weights each with their biases.
    fn small() -> Network {
        let (mut network, input) = NetworkBuilder::new(9, InputSize { width: 4, height: 4 });
        let map = network.convolve(input, Convolution::new(1000, 1));
        let depthwise = Convolution {
            groups: 1000,
            ..Convolution::new(1000, 3)
        };
        let map = network.convolve(map, depthwise);
        network.finish(map)
    }

    /// All layers have the same bits, so that sensitivities cancel: 10.42 / 256 and 0.70 at 8 bits.
    #[test]
    fn eight_bits_cost_what_depthwise_convolutions_lose() {
        let at = |precision: Precision| small().accuracy_drop(precision.into());
        assert!((at(Precision::Int8) - (10.42 / 256.0 + 0.70)).abs() < 1e-12);
        assert!((at(Precision::Int4) - (10.42 + 0.70)).abs() < 1e-12);
        assert!((at(Precision::Int16) - 10.42 / 4f64.powi(12)).abs() < 1e-12);
        assert_eq!([Precision::Fp32, Precision::Fp16, Precision::Bf16].map(at), [0.0; 3]);
        let (mut dense, input) = NetworkBuilder::new(16, InputSize { width: 4, height: 4 });
        let map = dense.convolve(input, Convolution::new(8, 3));
        let dense = dense.finish(map);
        assert!((dense.accuracy_drop(Precision::Int8.into()) - 10.42 / 256.0).abs() < 1e-12);
    }

    /// Shares of the first layer: 1.5 x (1 + 2) = 4.5, of the depthwise one 0.5 x (8 + 0.25) = 4.125.
    #[test]
    fn layers_in_floating_point_cost_nothing() {
        let at = |policy: &str| small().accuracy_drop(policy.parse().unwrap());
        for (policy, drop) in [
            ("int8-except-depthwise", 10.42 / 256.0 * 4.5 / 8.625),
            ("int8-except-last", 10.42 / 256.0 * 4.5 / 8.625),
            ("int8-except-first", 10.42 / 256.0 * 4.125 / 8.625 + 0.70),
            ("int8-except-depthwise-first", 0.0),
        ] {
            assert!((at(policy) - drop).abs() < 1e-12, "{policy}: {}", at(policy));
        }
    }

    /// ImageNet top-1 of MobileNet-V2 that NNCF publishes: 71.87 % in fp32, 71.07 % in int8.
    #[test]
    fn mobilenet_v2_at_eight_bits_loses_what_was_published() {
        let policy = MobileNetV2Bits.parse(&["W8A8"; 51].join("-")).unwrap();
        let network = MobileNetV2Bits.lower(&policy, MobileNetV2Bits.default_input(), 1000);
        let drop = network.accuracy_drop(Precision::Int8.into());
        assert!((drop - 0.80).abs() < 0.1, "{drop}");
    }
}
