//! Numbers about a lowered network that drive its cost on any device, whatever search space it comes from.

use super::network::{Layer, Network, Operation};

/// Names of the values of [`Network::physical_features`], in order.
///
/// | Name | What it is |
/// |---|---|
/// | `macs` | multiply-accumulate operations of all layers |
/// | `depthwise_macs` | those of depthwise convolutions |
/// | `pointwise_macs` | those of convolutions with a 1x1 kernel |
/// | `spatial_macs` | those of convolutions with a larger kernel that are not depthwise |
/// | `parameters` | trainable parameters |
/// | `weight_elements` | weights read, normalisation fused |
/// | `activation_elements` | elements of feature maps read and written |
/// | `pooling_elements` | of these, by pooling layers |
/// | `add_elements` | of these, by element-wise sums |
/// | `peak_activation_elements` | the most that one layer reads and writes |
/// | `kernel_launches` | layers |
/// | `critical_path_layers` | layers on the longest chain |
/// | `convolution_layers`, `pooling_layers`, `add_layers` | layers of a kind |
/// | `convolutions_1x1`, `..._3x3`, `..._5x5`, `..._7x7` | convolutions with this kernel |
/// | `depthwise_convolutions`, `grouped_convolutions` | convolutions with as many groups as channels; with fewer, but several |
/// | `max_channels` | channels of the widest feature map |
/// | `convolution_output_channels` | output channels added up over convolutions, which grows with expansion |
pub const PHYSICAL_FEATURES: &[&str] = &[
    "macs",
    "depthwise_macs",
    "pointwise_macs",
    "spatial_macs",
    "parameters",
    "weight_elements",
    "activation_elements",
    "pooling_elements",
    "add_elements",
    "peak_activation_elements",
    "kernel_launches",
    "critical_path_layers",
    "convolution_layers",
    "pooling_layers",
    "add_layers",
    "convolutions_1x1",
    "convolutions_3x3",
    "convolutions_5x5",
    "convolutions_7x7",
    "depthwise_convolutions",
    "grouped_convolutions",
    "max_channels",
    "convolution_output_channels",
];

/// How MACs and elements are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// Each as one.
    Plainly,
    /// By their bits, see [`Layer::macs_at_bits`].
    AtBits,
}

/// Sums over the layers that have been seen.
#[derive(Default)]
struct Totals {
    macs: f64,
    depthwise_macs: f64,
    pointwise_macs: f64,
    spatial_macs: f64,
    parameters: u64,
    weight_elements: f64,
    activation_elements: f64,
    pooling_elements: f64,
    add_elements: f64,
    peak_activation_elements: f64,
    kernel_launches: u64,
    convolution_layers: u64,
    pooling_layers: u64,
    add_layers: u64,
    /// For kernels of 1, 3, 5 and 7 pixels.
    convolutions_by_kernel: [u64; 4],
    depthwise_convolutions: u64,
    grouped_convolutions: u64,
    max_channels: u64,
    convolution_output_channels: u64,
}

impl Totals {
    fn count(&mut self, layer: &Layer, counted: Counted) {
        let (macs, weight_elements, activation_elements) = match counted {
            Counted::Plainly => (
                layer.macs() as f64,
                layer.weight_elements() as f64,
                layer.activation_elements() as f64,
            ),
            Counted::AtBits => (
                layer.macs_at_bits(),
                layer.weight_elements_at_bits(),
                layer.activation_elements_at_bits(),
            ),
        };
        self.kernel_launches += 1;
        self.macs += macs;
        self.parameters += layer.parameters();
        self.weight_elements += weight_elements;
        self.activation_elements += activation_elements;
        self.peak_activation_elements = self.peak_activation_elements.max(activation_elements);
        self.max_channels = self
            .max_channels
            .max(layer.input.channels.max(layer.output.channels).into());
        match layer.operation {
            Operation::Convolution(_) => self.count_convolution(layer, macs),
            Operation::Pooling(_) | Operation::GlobalPooling => {
                self.pooling_layers += 1;
                self.pooling_elements += activation_elements;
            }
            Operation::Add => {
                self.add_layers += 1;
                self.add_elements += activation_elements;
            }
            _ => {}
        }
    }

    fn count_convolution(&mut self, layer: &Layer, macs: f64) {
        self.convolution_layers += 1;
        self.convolution_output_channels += u64::from(layer.output.channels);
        if let kernel @ (1 | 3 | 5 | 7) = layer.kernel() {
            self.convolutions_by_kernel[kernel as usize / 2] += 1;
        }
        let macs_of_kind = if layer.is_depthwise() {
            self.depthwise_convolutions += 1;
            &mut self.depthwise_macs
        } else {
            self.grouped_convolutions += u64::from(layer.groups() > 1);
            if layer.kernel() == 1 {
                &mut self.pointwise_macs
            } else {
                &mut self.spatial_macs
            }
        };
        *macs_of_kind += macs;
    }
}

impl Network {
    /// The quantities named in [`PHYSICAL_FEATURES`], all finite and at least 0; many are 0 in a given search space.
    pub fn physical_features(&self) -> Vec<f64> {
        self.features(Counted::Plainly)
    }

    /// The same with MACs, weights and feature maps counted by the bits of their layers, see [`Layer::macs_at_bits`].
    pub fn physical_features_at_bits(&self) -> Vec<f64> {
        self.features(Counted::AtBits)
    }

    fn features(&self, counted: Counted) -> Vec<f64> {
        let mut totals = Totals::default();
        for layer in self.layers() {
            totals.count(layer, counted);
        }
        let [kernel_1, kernel_3, kernel_5, kernel_7] = totals.convolutions_by_kernel;
        let count = |count: u64| count as f64;
        [
            totals.macs,
            totals.depthwise_macs,
            totals.pointwise_macs,
            totals.spatial_macs,
            count(totals.parameters),
            totals.weight_elements,
            totals.activation_elements,
            totals.pooling_elements,
            totals.add_elements,
            totals.peak_activation_elements,
            count(totals.kernel_launches),
            self.critical_path_layers().into(),
            count(totals.convolution_layers),
            count(totals.pooling_layers),
            count(totals.add_layers),
            count(kernel_1),
            count(kernel_3),
            count(kernel_5),
            count(kernel_7),
            count(totals.depthwise_convolutions),
            count(totals.grouped_convolutions),
            count(totals.max_channels),
            count(totals.convolution_output_channels),
        ]
        .to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Convolution, InputSize, NetworkBuilder};
    use super::*;

    /// An inverted bottleneck with a shortcut and a grouped 1x1 convolution, then a classifier, on 4x4 pixels.
    #[test]
    fn small_network_by_hand() {
        let (mut network, input) = NetworkBuilder::new(8, InputSize { width: 4, height: 4 });
        let convolution = |output_channels, kernel, groups| Convolution {
            groups,
            ..Convolution::new(output_channels, kernel)
        };
        let expanded = network.convolve(input, convolution(24, 1, 1));
        let filtered = network.convolve(expanded, convolution(24, 5, 24));
        let projected = network.convolve(filtered, convolution(8, 1, 2));
        let sum = network.add(projected, input);
        let dense = network.convolve(sum, convolution(8, 3, 1));
        let pooled = network.pool_globally(dense);
        let classified = network.linear(pooled, 10);

        let features = network.finish(classified).physical_features();
        assert_eq!(features.len(), PHYSICAL_FEATURES.len());
        let feature = |name: &str| features[PHYSICAL_FEATURES.iter().position(|known| *known == name).unwrap()];
        // 8 x 24 x 16 = 3072; 25 x 24 x 16 = 9600; 12 x 8 x 16 = 1536; 9 x 8 x 8 x 16 = 9216; 8 x 10 = 80.
        assert_eq!(feature("macs"), 23_504.0);
        assert_eq!(feature("depthwise_macs"), 9_600.0);
        assert_eq!(feature("pointwise_macs"), 4_608.0);
        assert_eq!(feature("spatial_macs"), 9_216.0);
        // Kernels 192 + 600 + 96 + 576 and the classifier's 90, plus 2 (1 when fused) for 24 + 24 + 8 + 8 channels.
        assert_eq!(feature("parameters"), 1_682.0);
        assert_eq!(feature("weight_elements"), 1_618.0);
        // In maps of 16 pixels: 8 + 24, 24 + 24, 24 + 8, 8 + 8 + 8, 8 + 8 channels; then 128 + 8 and 8 + 10 elements.
        assert_eq!(feature("activation_elements"), 152.0 * 16.0 + 136.0 + 18.0);
        assert_eq!(feature("pooling_elements"), 136.0);
        assert_eq!(feature("add_elements"), 384.0);
        assert_eq!(feature("peak_activation_elements"), 768.0);
        assert_eq!(feature("kernel_launches"), 7.0);
        assert_eq!(feature("critical_path_layers"), 7.0);
        assert_eq!(feature("convolution_layers"), 4.0);
        assert_eq!(feature("pooling_layers"), 1.0);
        assert_eq!(feature("add_layers"), 1.0);
        assert_eq!(feature("convolutions_1x1"), 2.0);
        assert_eq!(feature("convolutions_3x3"), 1.0);
        assert_eq!(feature("convolutions_5x5"), 1.0);
        assert_eq!(feature("convolutions_7x7"), 0.0);
        assert_eq!(feature("depthwise_convolutions"), 1.0);
        assert_eq!(feature("grouped_convolutions"), 1.0);
        assert_eq!(feature("max_channels"), 24.0);
        assert_eq!(feature("convolution_output_channels"), 64.0);
    }
}
