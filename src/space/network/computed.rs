//! The metrics that follow from the graph and the policy alone.

use super::super::QuantPolicy;
use super::{Layer, Network};
use crate::metric::{Metric, PerMetric};

const MILLION: f64 = 1e6;
const BITS_PER_KIB: f64 = 8.0 * 1024.0;
const BITS_PER_MIB: f64 = 8.0 * 1024.0 * 1024.0;
/// Bits of a bias beside integer weights: it is added to sums of products, which integer kernels keep in 32 bits.
const INTEGER_BIAS_BITS: u32 = 32;

impl Network {
    /// The metrics of [`Metric::COMPUTED`], in their units, for a batch of one: MACs and parameters in millions, model size in
    /// MiB, peak memory in KiB.
    ///
    /// The model holds the weights that are read when it runs, normalisation fused: those that are multiplied with at the bits of
    /// their layer, else the policy's, biases too where these are floating point, else at 32 bits. Scales and zero points, the
    /// graph itself and a file format's overhead are not counted. Memory is that of the feature maps at the policy's bits, see
    /// [`Network::peak_memory_elements`], without what a runtime needs for itself: a layer that reads fewer bits of them unpacks
    /// nothing, one that reads integers as floating point unpacks all.
    pub fn computed(&self, policy: QuantPolicy) -> PerMetric<f64> {
        let precisions = self.precisions(policy);
        let weight_bits: u64 = (self.layers_with(&precisions))
            .map(|(layer, precision)| {
                let bits = layer.bits.map_or(precision.bits(), |bits| bits.weights.into());
                let bias_bits = if precision.is_float() {
                    precision.bits()
                } else {
                    INTEGER_BIAS_BITS
                };
                layer.factor_elements * u64::from(bits) + layer.bias_elements() * u64::from(bias_bits)
            })
            .sum();
        [
            (Metric::Macs, self.macs() as f64 / MILLION),
            (Metric::Parameters, self.parameters() as f64 / MILLION),
            (Metric::ModelSize, weight_bits as f64 / BITS_PER_MIB),
            (
                Metric::PeakMemory,
                self.peak_memory_bits(&precisions) as f64 / BITS_PER_KIB,
            ),
        ]
        .into_iter()
        .collect()
    }

    /// Mean bits of a weight, and of an element that a layer with weights reads, where the policy holds for layers without bits of
    /// their own.
    pub fn mean_bits(&self, policy: QuantPolicy) -> (f64, f64) {
        let precisions = self.precisions(policy);
        let (mut weights, mut read) = ([0.0; 2], [0.0; 2]);
        for (layer, precision) in self
            .layers_with(&precisions)
            .filter(|(layer, _)| layer.factor_elements > 0)
        {
            let bits = layer.bits.map_or((precision.bits(), precision.bits()), |bits| {
                (bits.weights.into(), bits.activations.into())
            });
            let add = |sums: &mut [f64; 2], elements: u64, bits: u32| {
                sums[0] += elements as f64 * f64::from(bits);
                sums[1] += elements as f64;
            };
            add(&mut weights, layer.factor_elements, bits.0);
            add(&mut read, layer.input_elements, bits.1);
        }
        (weights[0] / weights[1], read[0] / read[1])
    }

    /// The layers, see [`Network::layers`], with what each has of a list that has something for every node.
    pub(super) fn layers_with<T: Copy>(&self, of_nodes: &[T]) -> impl Iterator<Item = (&Layer, T)> {
        let nodes = self.nodes.iter().zip(of_nodes);
        nodes
            .map(|(node, &own)| (&node.layer, own))
            .filter(|(layer, _)| layer.starts_kernel())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{FbNet, InputSize, NasBench201, Precision, SearchSpace};
    use super::super::{Convolution, LayerBits, NetworkBuilder};
    use super::*;

    fn values(network: &Network, precision: Precision) -> [f64; 4] {
        let computed = network.computed(precision.into());
        Metric::COMPUTED.map(|metric| *computed.get(metric).unwrap())
    }

    /// On 8x8 pixels: 3x3 from 2 to 16 channels, and 10 classes.
    #[test]
    fn small_network_by_hand() {
        let (mut network, input) = NetworkBuilder::new(2, InputSize { width: 8, height: 8 });
        let map = network.convolve(input, Convolution::new(16, 3));
        let map = network.pool_globally(map);
        let logits = network.linear(map, 10);
        let network = network.finish(logits);
        // Kernels 288 and 160; 288 x 64 + 160 MACs; 2 x 16 for normalisation and 10 biases, of which 16 + 10 are left. The
        // convolution holds 2 + 16 channels of 64 elements.
        let [macs, parameters, size, memory] = values(&network, Precision::Fp32);
        assert_eq!((macs, parameters), (0.018_592, 0.000_490));
        assert_eq!((size * 1_048_576.0, memory * 1024.0), (474.0 * 4.0, 1_152.0 * 4.0));
        // Biases stay at four bytes.
        let [.., size, memory] = values(&network, Precision::Int8);
        assert_eq!((size * 1_048_576.0, memory * 1024.0), (448.0 + 26.0 * 4.0, 1_152.0));
        let [.., size, memory] = values(&network, Precision::Int4);
        assert_eq!((size * 1_048_576.0, memory * 1024.0), (224.0 + 26.0 * 4.0, 576.0));
        let [.., size, memory] = values(&network, Precision::Fp16);
        assert_eq!((size * 1_048_576.0, memory * 1024.0), (474.0 * 2.0, 1_152.0 * 2.0));
    }

    #[test]
    fn layers_with_bits_of_their_own_by_hand() {
        let bits = |weights| {
            Some(LayerBits {
                weights,
                activations: 8,
            })
        };
        let (mut network, input) = NetworkBuilder::new(2, InputSize { width: 8, height: 8 });
        let map = network.convolve_at(input, Convolution::new(16, 3), bits(2));
        let map = network.convolve_at(map, Convolution::new(4, 1), bits(4));
        let map = network.convolve(map, Convolution::new(4, 1));
        let network = network.finish(map);
        // 288 weights of a quarter of a byte, 64 of half a byte, 16 of the policy's byte; 24 biases of four bytes.
        let [.., size, memory] = values(&network, Precision::Int8);
        assert_eq!(
            (size * 1_048_576.0, memory * 1024.0),
            (72.0 + 32.0 + 16.0 + 96.0, 1_280.0)
        );
    }

    /// At 4 and 8 bits a product counts for half, 3,200 of them of a depthwise 5x5 as 1,600.
    #[test]
    fn what_has_fewer_bits_counts_for_less() {
        let bits = LayerBits {
            weights: 4,
            activations: 8,
        };
        let (mut network, input) = NetworkBuilder::new(8, InputSize { width: 4, height: 4 });
        let depthwise = Convolution {
            groups: 8,
            ..Convolution::new(8, 5)
        };
        let map = network.convolve_at(input, depthwise, Some(bits));
        let network = network.finish(map);
        let layer = network.layers().next().unwrap();
        assert_eq!((layer.macs(), layer.macs_at_bits()), (3_200, 1_600.0));
        // 200 weights of half a byte and 8 biases; 128 elements read and as many written, of a byte each.
        assert_eq!(layer.weight_elements_at_bits(), 108.0);
        assert_eq!(layer.activation_elements_at_bits(), 256.0);
        assert_eq!(network.mean_bits(Precision::Int8.into()), (4.0, 8.0));
    }

    #[test]
    fn squeeze_excite_by_hand() {
        let (mut network, input) = NetworkBuilder::new(8, InputSize { width: 4, height: 4 });
        let map = network.squeeze_excite(input, 2);
        let network = network.finish(map);
        // 8 x 2 + 2 x 8 products for the whole map, as many weights, 2 + 8 biases. Pooling, two convolutions, the product.
        assert_eq!(
            (network.macs(), network.parameters(), network.kernel_launches()),
            (32, 42, 4)
        );
        let [.., size, memory] = values(&network, Precision::Int8);
        assert_eq!((size * 1_048_576.0, memory * 1024.0), (32.0 + 40.0, 264.0));
    }

    /// Blocks `k3_e6` at 224x224. The first, of stride 1 with a shortcut, widens 16 channels to 96 on 112x112 pixels.
    #[test]
    fn fbnet_holds_most_in_its_widest_depthwise_convolution() {
        let architecture = FbNet.parse(&["k3_e6"; 22].join("-")).unwrap();
        let network = FbNet.lower(&architecture, FbNet.default_input(), 1000);
        // Its depthwise convolution reads and writes 96 channels while the input is held.
        assert_eq!(network.peak_memory_elements(), (16 + 96 + 96) * 112 * 112);
        let [.., memory] = values(&network, Precision::Int8);
        assert_eq!(memory, 2_548.0);
    }

    /// A NAS-Bench-201 cell of one 3x3 convolution: 16 channels of 32x32. Most is held where the convolution reads what the ReLU
    /// wrote, in place, since nothing else reads the input: two maps. With a shortcut the input is held as well, and at the sum
    /// the result, the rectified input having been released.
    #[test]
    fn cells_hold_what_later_edges_read() {
        let map = 16 * 32 * 32;
        let peak = |text: &str| {
            let architecture = NasBench201.parse(text).unwrap();
            let network = NasBench201.lower(&architecture, NasBench201.default_input(), 10);
            network.peak_memory_elements()
        };
        let chain = peak("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|");
        // Between stages the pooled shortcut needs the input too, while the convolution reads a rectified copy: 16 channels of
        // 32x32 twice, and 32 of 16x16, which are half a map.
        assert_eq!(chain, 2 * map + map / 2);
        let residual = peak("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|");
        assert_eq!(residual, 3 * map);
    }
}
