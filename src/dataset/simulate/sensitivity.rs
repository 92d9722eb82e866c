//! What do the bits of layers cost in accuracy? A prior of layer sensitivity, for search spaces without a table of accuracies by
//! quantization policy. What it gives is simulated, and no claim about any one network.
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

use crate::space::{Layer, LayerBits, Network};

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

/// A layer with bits of its own.
#[derive(Debug, Clone, Copy)]
struct QuantizedLayer {
    is_depthwise: bool,
    weights: f64,
    bits: LayerBits,
}

impl QuantizedLayer {
    fn of(layer: &Layer) -> Option<QuantizedLayer> {
        Some(QuantizedLayer {
            is_depthwise: layer.is_depthwise(),
            weights: layer.weight_elements() as f64,
            bits: layer.bits?,
        })
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
        [self.bits.weights, self.bits.activations].map(|bits| 4_f64.powi(REFERENCE_BITS - i32::from(bits)))
    }
}

/// What the bits of a network's layers cost in accuracy, in percentage points: nothing where no layer says its bits.
pub(super) fn drop_percent(network: &Network) -> f64 {
    let layers: Vec<QuantizedLayer> = network.layers().filter_map(QuantizedLayer::of).collect();
    drop_of(&layers)
}

fn drop_of(layers: &[QuantizedLayer]) -> f64 {
    let (mut noise, mut whole) = (0.0, 0.0);
    let last = layers.len().saturating_sub(1).max(1) as f64;
    for (position, layer) in layers.iter().enumerate() {
        let place = FIRST_PLACE + (LAST_PLACE - FIRST_PLACE) * position as f64 / last;
        for (sensitivity, power) in layer.sensitivities().into_iter().zip(layer.noise()) {
            noise += place * sensitivity * power;
            whole += place * sensitivity;
        }
    }
    if whole > 0.0 { AT_FOUR_BITS * noise / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::space::{MobileNetV2Bits, PROXYLESS_NAS_MIXED, SearchSpace};

    /// MobileNet-V2's layers behind the first convolution up to the classifier.
    fn mobilenet_v2(bits: impl Fn(usize) -> (u8, u8)) -> Vec<QuantizedLayer> {
        let layers = (0..51).map(bits);
        let text = layers.map(|(weights, activations)| format!("W{weights}A{activations}"));
        let policy = MobileNetV2Bits.parse(&text.collect::<Vec<String>>().join("-")).unwrap();
        let network = MobileNetV2Bits.lower(&policy, MobileNetV2Bits.default_input(), 1000);
        network.layers().filter_map(QuantizedLayer::of).collect()
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
            let layers: Vec<QuantizedLayer> = network.layers().filter_map(QuantizedLayer::of).collect();
            assert!((drop_of(&layers) - drop_percent(&network)).abs() < 1e-12);
            for position in 0..layers.len() {
                let mut fewer = layers.clone();
                fewer[position].bits.weights -= 1;
                let fewer_weight_bits = drop_of(&fewer);
                fewer[position].bits.activations -= 1;
                assert!(drop_of(&layers) < fewer_weight_bits && fewer_weight_bits < drop_of(&fewer));
            }
        }
    }

    #[test]
    fn layers_without_bits_cost_nothing() {
        assert_eq!(drop_of(&[]), 0.0);
    }
}
