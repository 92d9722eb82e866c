//! The layers that an architecture lowers to, and what follows from them without any measurement: MACs, parameters,
//! elements moved, kernel launches.
//!
//! Amounts of data are in elements, not bytes: the precision of a design says how large an element is. A search space
//! lowers an architecture by passing a [`FeatureMap`] from one layer method of [`Network`] to the next.

use super::InputSize;

/// What a layer computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayerKind {
    /// Convolution (with batch normalisation and activation fused in); dense when `groups` is 1, depthwise when it equals
    /// the input channels.
    Convolution,
    /// Batch normalisation (and activation) on its own, where no convolution precedes that it could be fused into.
    Normalization,
    /// Average or maximum pooling.
    Pooling,
    /// Element-wise sum of two feature maps.
    Add,
    /// Channels put in another order between grouped convolutions.
    Shuffle,
    /// Fully connected layer with a bias.
    Linear,
}

/// One layer, for a batch of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// What it computes.
    pub kind: LayerKind,
    /// Channels in, of each input.
    pub input_channels: u32,
    /// Channels out.
    pub output_channels: u32,
    /// Kernel edge in pixels; 1 for everything but convolution and pooling.
    pub kernel: u32,
    /// Stride in pixels.
    pub stride: u32,
    /// Convolution groups.
    pub groups: u32,
    /// Whether a convolution is followed by batch normalisation, which is fused in when the network runs.
    pub normalized: bool,
    /// Input width in pixels.
    pub input_width: u32,
    /// Input height in pixels.
    pub input_height: u32,
    /// Output width in pixels.
    pub output_width: u32,
    /// Output height in pixels.
    pub output_height: u32,
}

impl Layer {
    /// Multiply-accumulate operations. Only convolutions and fully connected layers have any; a bias counts as none.
    pub fn macs(&self) -> u64 {
        match self.kind {
            LayerKind::Convolution => self.kernel_elements() * pixels(self.output_width, self.output_height),
            LayerKind::Linear => self.kernel_elements(),
            LayerKind::Normalization | LayerKind::Pooling | LayerKind::Add | LayerKind::Shuffle => 0,
        }
    }

    /// Trainable parameters, with two for every normalised channel (scale and shift).
    pub fn parameters(&self) -> u64 {
        let output_channels = u64::from(self.output_channels);
        match self.kind {
            LayerKind::Convolution if self.normalized => self.kernel_elements() + 2 * output_channels,
            LayerKind::Convolution => self.kernel_elements(),
            LayerKind::Normalization => 2 * output_channels,
            LayerKind::Linear => self.kernel_elements() + output_channels,
            LayerKind::Pooling | LayerKind::Add | LayerKind::Shuffle => 0,
        }
    }

    /// Elements of the weights read when the layer runs: fused normalisation leaves one bias per channel.
    pub fn weight_elements(&self) -> u64 {
        match self.kind {
            LayerKind::Convolution if self.normalized => self.kernel_elements() + u64::from(self.output_channels),
            _ => self.parameters(),
        }
    }

    /// Elements of the feature maps read.
    pub fn input_elements(&self) -> u64 {
        let inputs = if self.kind == LayerKind::Add { 2 } else { 1 };
        inputs * u64::from(self.input_channels) * pixels(self.input_width, self.input_height)
    }

    /// Elements of the feature map written.
    pub fn output_elements(&self) -> u64 {
        u64::from(self.output_channels) * pixels(self.output_width, self.output_height)
    }

    /// Elements of feature maps read and written.
    pub fn activation_elements(&self) -> u64 {
        self.input_elements() + self.output_elements()
    }

    /// Whether this is a convolution in which every channel is filtered on its own.
    pub fn is_depthwise(&self) -> bool {
        self.kind == LayerKind::Convolution && self.groups > 1 && self.groups == self.input_channels
    }

    /// Weights of the kernel alone.
    fn kernel_elements(&self) -> u64 {
        let inputs_per_group = u64::from(self.input_channels / self.groups);
        pixels(self.kernel, self.kernel) * inputs_per_group * u64::from(self.output_channels)
    }
}

fn pixels(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height)
}

/// A tensor that flows between layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureMap {
    /// Channels.
    pub channels: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Layers on the longest chain that leads to it.
    depth: u32,
}

impl FeatureMap {
    /// The input of a network.
    pub fn input(channels: u32, size: InputSize) -> FeatureMap {
        FeatureMap {
            channels,
            width: size.width,
            height: size.height,
            depth: 0,
        }
    }
}

/// What defines a convolution besides its input. Padding is half the kernel, so that a stride of 1 keeps the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// Channels out.
    pub output_channels: u32,
    /// Kernel edge in pixels, odd.
    pub kernel: u32,
    /// Stride in pixels.
    pub stride: u32,
    /// Groups; must divide the channels in and out.
    pub groups: u32,
    /// Whether batch normalisation follows.
    pub normalized: bool,
}

/// The layers of an architecture in the order in which they run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// The layers.
    pub layers: Vec<Layer>,
    /// Layers on the longest chain in which each needs the one before. What exceeds it could run in parallel.
    pub critical_path_layers: u32,
}

impl Network {
    /// Appends a convolution.
    pub fn convolve(&mut self, input: FeatureMap, convolution: Convolution) -> FeatureMap {
        let Convolution {
            output_channels,
            kernel,
            stride,
            groups,
            normalized,
        } = convolution;
        let output = FeatureMap {
            channels: output_channels,
            ..shrunk(input, stride)
        };
        self.push(
            input,
            output,
            Layer {
                kernel,
                stride,
                groups,
                normalized,
                ..plain(LayerKind::Convolution)
            },
        )
    }

    /// Appends batch normalisation that cannot be fused.
    pub fn normalize(&mut self, input: FeatureMap) -> FeatureMap {
        self.push(input, input, plain(LayerKind::Normalization))
    }

    /// Appends a pooling layer, padded so that a stride of 1 keeps the size.
    pub fn pool(&mut self, input: FeatureMap, kernel: u32, stride: u32) -> FeatureMap {
        let layer = Layer {
            kernel,
            stride,
            ..plain(LayerKind::Pooling)
        };
        self.push(input, shrunk(input, stride), layer)
    }

    /// Appends pooling of the whole map to one pixel. Its kernel and stride are the longer edge of the map.
    pub fn pool_globally(&mut self, input: FeatureMap) -> FeatureMap {
        let edge = input.width.max(input.height);
        self.pool(input, edge, edge)
    }

    /// Appends the element-wise sum of two maps of the same shape.
    pub fn add(&mut self, left: FeatureMap, right: FeatureMap) -> FeatureMap {
        let later = if left.depth >= right.depth { left } else { right };
        self.push(later, later, plain(LayerKind::Add))
    }

    /// Appends a shuffle of the channels.
    pub fn shuffle(&mut self, input: FeatureMap) -> FeatureMap {
        self.push(input, input, plain(LayerKind::Shuffle))
    }

    /// Appends a fully connected layer on the channels of a map of one pixel.
    pub fn linear(&mut self, input: FeatureMap, outputs: u32) -> FeatureMap {
        let output = FeatureMap {
            channels: outputs,
            ..input
        };
        self.push(input, output, plain(LayerKind::Linear))
    }

    /// Multiply-accumulate operations.
    pub fn macs(&self) -> u64 {
        self.layers.iter().map(Layer::macs).sum()
    }

    /// Multiply-accumulate operations of depthwise convolutions, which reuse their operands least.
    pub fn depthwise_macs(&self) -> u64 {
        let depthwise = self.layers.iter().filter(|layer| layer.is_depthwise());
        depthwise.map(Layer::macs).sum()
    }

    /// Trainable parameters.
    pub fn parameters(&self) -> u64 {
        self.layers.iter().map(Layer::parameters).sum()
    }

    /// Elements of the weights read.
    pub fn weight_elements(&self) -> u64 {
        self.layers.iter().map(Layer::weight_elements).sum()
    }

    /// Elements of feature maps read and written.
    pub fn activation_elements(&self) -> u64 {
        self.layers.iter().map(Layer::activation_elements).sum()
    }

    /// Kernels that a runtime starts, one for each layer.
    pub fn kernel_launches(&self) -> usize {
        self.layers.len()
    }

    /// Completes a layer with the shapes of what it reads and writes, and appends it.
    fn push(&mut self, input: FeatureMap, output: FeatureMap, layer: Layer) -> FeatureMap {
        self.layers.push(Layer {
            input_channels: input.channels,
            input_width: input.width,
            input_height: input.height,
            output_channels: output.channels,
            output_width: output.width,
            output_height: output.height,
            ..layer
        });
        let depth = input.depth + 1;
        self.critical_path_layers = self.critical_path_layers.max(depth);
        FeatureMap { depth, ..output }
    }
}

/// A layer of this kind whose shapes are still to be filled in.
fn plain(kind: LayerKind) -> Layer {
    Layer {
        kind,
        input_channels: 0,
        output_channels: 0,
        kernel: 1,
        stride: 1,
        groups: 1,
        normalized: false,
        input_width: 0,
        input_height: 0,
        output_width: 0,
        output_height: 0,
    }
}

/// The map after a stride. With half-kernel padding, floor((n + 2 (k - 1) / 2 - k) / s) + 1 is n / s rounded up.
fn shrunk(input: FeatureMap, stride: u32) -> FeatureMap {
    FeatureMap {
        width: input.width.div_ceil(stride),
        height: input.height.div_ceil(stride),
        ..input
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(channels: u32, width: u32, height: u32) -> FeatureMap {
        FeatureMap::input(channels, InputSize { width, height })
    }

    fn convolution(output_channels: u32, kernel: u32, stride: u32, groups: u32) -> Convolution {
        Convolution {
            output_channels,
            kernel,
            stride,
            groups,
            normalized: true,
        }
    }

    #[test]
    fn dense_convolution_by_hand() {
        let mut network = Network::default();
        // 7x5 at stride 2 with padding 1: floor((7 + 2 - 3) / 2) + 1 = 4 and floor((5 + 2 - 3) / 2) + 1 = 3.
        let output = network.convolve(map(3, 7, 5), convolution(16, 3, 2, 1));
        assert_eq!((output.channels, output.width, output.height), (16, 4, 3));
        // Kernel 3 x 3 x 3 x 16 = 432 at 12 positions; 2 x 16 normalisation parameters, 16 biases once fused.
        let layer = &network.layers[0];
        assert_eq!(layer.macs(), 5_184);
        assert_eq!((layer.parameters(), layer.weight_elements()), (464, 448));
        assert_eq!((layer.input_elements(), layer.output_elements()), (105, 192));
    }

    #[test]
    fn grouped_and_depthwise_convolutions_by_hand() {
        let mut network = Network::default();
        let hidden = network.convolve(map(8, 4, 4), convolution(8, 5, 1, 8));
        network.convolve(hidden, convolution(12, 1, 1, 2));
        // Depthwise: 5 x 5 x 1 x 8 x 16 = 3200. Grouped: 4 inputs per group x 12 x 16 = 768.
        assert_eq!(network.depthwise_macs(), 3_200);
        assert_eq!(network.macs(), 3_968);
        assert!(!network.layers[1].is_depthwise());
        // One input channel in one group is a dense convolution.
        assert_eq!(network.layers[1].parameters(), 4 * 12 + 24);
    }

    #[test]
    fn parallel_branches_share_the_critical_path() {
        let mut network = Network::default();
        let input = map(4, 8, 8);
        let long = network.convolve(input, convolution(4, 3, 1, 1));
        let long = network.convolve(long, convolution(4, 3, 1, 1));
        let short = network.pool(input, 3, 1);
        let sum = network.add(short, long);
        let pooled = network.pool_globally(sum);
        let logits = network.linear(pooled, 10);
        assert_eq!((logits.channels, logits.width, logits.height), (10, 1, 1));
        // Convolution, convolution, add, pooling, linear; the short branch's pooling runs beside them.
        assert_eq!((network.critical_path_layers, network.kernel_launches()), (5, 6));
        // The sum reads two maps of 4 x 8 x 8 and writes one; the classifier has 4 x 10 weights and 10 biases.
        assert_eq!(network.layers[3].activation_elements(), 3 * 256);
        assert_eq!((network.layers[5].macs(), network.layers[5].parameters()), (40, 50));
    }
}
