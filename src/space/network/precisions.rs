//! The precision of every layer of a network under a policy.

use super::super::{FloatGroup, Precision, QuantPolicy};
use super::{LayerBits, Network};

impl Network {
    /// For every node, whether it is in a group of layers. Layers are the nodes that multiply with weights, in the order in which they
    /// run.
    pub fn nodes_in(&self, group: FloatGroup) -> Vec<bool> {
        let has_weights = |id: &usize| self.node(*id).layer.macs() > 0;
        let count = self.nodes.len();
        let only = match group {
            FloatGroup::Depthwise => return self.nodes().map(|node| node.layer.is_depthwise()).collect(),
            FloatGroup::First => (0..count).find(has_weights),
            FloatGroup::Last => (0..count).rev().find(has_weights),
        };
        (0..count).map(|id| Some(id) == only).collect()
    }

    /// The precision of every node that says no bits of its own.
    pub(super) fn precisions(&self, policy: QuantPolicy) -> Vec<Precision> {
        let mut precisions = vec![policy.arithmetic(); self.nodes.len()];
        if let QuantPolicy::Int8Except(groups) = policy {
            for group in groups.groups() {
                for (precision, _) in precisions
                    .iter_mut()
                    .zip(self.nodes_in(group))
                    .filter(|(_, is_in)| *is_in)
                {
                    *precision = Precision::Fp32;
                }
            }
        }
        precisions
    }
}

impl LayerBits {
    /// Those of a precision for weights and activations; `None` in floating point.
    pub(super) fn of_integers(precision: Precision) -> Option<LayerBits> {
        let bits = precision.bits() as u8;
        (!precision.is_float()).then_some(LayerBits {
            weights: bits,
            activations: bits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::InputSize;
    use super::super::{Convolution, NetworkBuilder};
    use super::*;
    use crate::metric::Metric;

    /// On 4x4 pixels a 1x1 convolution from 2 to 8 channels, a depthwise 3x3, and a 1x1 to 4.
    #[test]
    fn layers_in_floating_point_take_four_bytes() {
        let (mut network, input) = NetworkBuilder::new(2, InputSize { width: 4, height: 4 });
        let map = network.convolve(input, Convolution::new(8, 1));
        let depthwise = Convolution {
            groups: 8,
            ..Convolution::new(8, 3)
        };
        let map = network.convolve(map, depthwise);
        let map = network.convolve(map, Convolution::new(4, 1));
        let network = network.finish(map);
        let check = |policy: &str, bytes: f64, held: f64, float_weights: f64, float_read: f64| {
            let policy: QuantPolicy = policy.parse().unwrap();
            let computed = network.computed(policy);
            let value = |metric| *computed.get(metric).unwrap();
            assert_eq!(value(Metric::ModelSize) * 1_048_576.0, bytes, "{policy}");
            assert_eq!(value(Metric::PeakMemory) * 1024.0, held, "{policy}");
            let (weights, read) = network.mean_bits(policy);
            let is_right = |bits: f64, float: f64, all: f64| (bits - 8.0 - 24.0 * float / all).abs() < 1e-9;
            assert!(
                is_right(weights, float_weights, 120.0) && is_right(read, float_read, 288.0),
                "{policy}: {weights} {read}"
            );
        };
        // Weights 16, 72 and 32, and 8 + 8 + 4 biases of four bytes; 8 + 8 channels of 16 elements are held at most; 32, 128 and 128
        // elements are read.
        check("int8", 120.0 + 80.0, 256.0, 0.0, 0.0);
        // The depthwise convolution reads and writes maps of four bytes.
        check(
            "int8-except-depthwise",
            120.0 + 3.0 * 72.0 + 80.0,
            4.0 * 256.0,
            72.0,
            128.0,
        );
        // The first writes 8 channels of four bytes, beside which 8 of a byte are held.
        check(
            "int8-except-first",
            120.0 + 3.0 * 16.0 + 80.0,
            16.0 * (4.0 * 8.0 + 8.0),
            16.0,
            32.0,
        );
        // The last reads 8 channels of four bytes and writes 4.
        check(
            "int8-except-last",
            120.0 + 3.0 * 32.0 + 80.0,
            16.0 * 4.0 * 12.0,
            32.0,
            128.0,
        );
    }
}
