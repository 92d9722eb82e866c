//! Inverted residuals with linear bottlenecks (Sandler et al., *MobileNetV2*, CVPR 2018), of which most networks for devices are made.

use super::{Activation, Convolution, FeatureMap, LayerBits, NetworkBuilder};

/// A 1x1 convolution that widens, a depthwise one, and a 1x1 one without activation that narrows, all normalised; with a shortcut where
/// the shape stays the same.
#[derive(Debug, Clone, Copy)]
pub struct InvertedResidual {
    /// Channels of the depthwise convolution. With as many as are given nothing widens.
    pub channels: u32,
    /// Edge of the depthwise kernel.
    pub kernel: u32,
    /// Of the depthwise convolution.
    pub stride: u32,
    /// Behind the first two convolutions.
    pub activation: Activation,
    /// Channels that squeeze-and-excitation narrows to, where it stands behind the depthwise convolution.
    pub squeezed: Option<u32>,
    /// Channels out.
    pub output_channels: u32,
    /// Bits of the three convolutions, where these are not the design's.
    pub bits: [Option<LayerBits>; 3],
}

impl NetworkBuilder {
    /// Appends a block.
    pub fn inverted_residual(&mut self, input: FeatureMap, block: InvertedResidual) -> FeatureMap {
        let [widening_bits, depthwise_bits, narrowing_bits] = block.bits;
        let given = input.shape.channels;
        let mut map = input;
        if block.channels != given {
            let widening = Convolution::activated(block.channels, 1, block.activation);
            map = self.convolve_at(map, widening, widening_bits);
        }
        let depthwise = Convolution {
            stride: block.stride,
            groups: block.channels,
            ..Convolution::activated(block.channels, block.kernel, block.activation)
        };
        map = self.convolve_at(map, depthwise, depthwise_bits);
        if let Some(squeezed) = block.squeezed {
            map = self.squeeze_excite(map, squeezed);
        }
        map = self.convolve_at(map, Convolution::new(block.output_channels, 1), narrowing_bits);
        if block.stride == 1 && given == block.output_channels {
            self.add(map, input)
        } else {
            map
        }
    }
}
