//! One layer and what it costs on paper, for a batch of one.

/// A function of one number, applied to every element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// max(0, x).
    Relu,
    /// min(max(0, x), 6).
    Relu6,
    /// x times [`Activation::HardSigmoid`] (Howard et al., *Searching for MobileNetV3*, ICCV 2019).
    HardSwish,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// min(max(0, x + 3), 6) / 6.
    HardSigmoid,
}

/// What defines a convolution besides its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Convolution {
    /// Channels out.
    pub output_channels: u32,
    /// Kernel edge in pixels.
    pub kernel: u32,
    /// Stride in pixels.
    pub stride: u32,
    /// Zeros around the map, in pixels on each side.
    pub padding: u32,
    /// Groups; must divide the channels in and out. As many as channels in make it depthwise.
    pub groups: u32,
    /// Whether a bias is added.
    pub bias: bool,
    /// Whether batch normalisation follows, which is fused in when the network runs.
    pub normalized: bool,
    /// What follows last, fused in as well.
    pub activation: Option<Activation>,
}

impl Convolution {
    /// A dense convolution of stride 1, normalised, without bias or activation. Padding is half the kernel, so that an odd
    /// kernel keeps the size of the map.
    pub fn new(output_channels: u32, kernel: u32) -> Convolution {
        Convolution {
            output_channels,
            kernel,
            stride: 1,
            padding: kernel / 2,
            groups: 1,
            bias: false,
            normalized: true,
            activation: None,
        }
    }

    /// As [`Convolution::new`], with a ReLU behind it.
    pub fn rectified(output_channels: u32, kernel: u32) -> Convolution {
        Convolution::activated(output_channels, kernel, Activation::Relu)
    }

    /// As [`Convolution::new`], with an activation behind it.
    pub fn activated(output_channels: u32, kernel: u32, activation: Activation) -> Convolution {
        Convolution {
            activation: Some(activation),
            ..Convolution::new(output_channels, kernel)
        }
    }
}

/// What a window of pixels is pooled to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PoolingKind {
    /// The mean of the pixels that lie on the map: padding is not counted.
    Average,
    /// The maximum.
    Maximum,
}

/// What defines a pooling layer besides its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pooling {
    /// What a window is pooled to.
    pub kind: PoolingKind,
    /// Edge of the window in pixels.
    pub kernel: u32,
    /// Stride in pixels.
    pub stride: u32,
    /// Pixels that windows may reach beyond the map on each side.
    pub padding: u32,
    /// Whether a last window that lies only partly on the padded map counts, so that the size is rounded up.
    pub ceil_mode: bool,
}

/// What a node of a network computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Nothing: the network's input.
    Input,
    /// Zeros in the shape of its input, whatever that holds.
    Zero,
    /// Convolution.
    Convolution(Convolution),
    /// Batch normalisation on its own, where no convolution precedes that it could be fused into, with an activation.
    Normalization(Option<Activation>),
    /// An activation that is not fused into the layer before, as that layer's result is used without it too.
    Activation(Activation),
    /// Pooling.
    Pooling(Pooling),
    /// The mean of every channel, as a map of one pixel.
    GlobalPooling,
    /// Element-wise sum of two feature maps.
    Add,
    /// Product of a feature map with another of its shape, or with one number for every channel.
    Multiply,
    /// The channels of its inputs, one input after the other.
    Concatenation,
    /// Channels in another order, so that the next grouped convolution mixes what the last one kept apart: as a matrix
    /// `[groups, channels / groups]` they are transposed (Zhang et al., *ShuffleNet*, CVPR 2018).
    Shuffle {
        /// Groups of the convolution before.
        groups: u32,
    },
    /// Fully connected layer with a bias on all elements of its input.
    Linear,
}

/// Extent of a feature map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Channels.
    pub channels: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl Shape {
    /// Pixels of one channel.
    pub fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Elements of all channels.
    pub fn elements(self) -> u64 {
        u64::from(self.channels) * self.pixels()
    }
}

/// Bits that prices are of where layers say theirs: what has fewer counts for less.
const REFERENCE_BITS: f64 = 8.0;

/// Bits that the numbers of one layer have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LayerBits {
    /// Of a weight.
    pub weights: u8,
    /// Of an element of the feature maps that it reads.
    pub activations: u8,
}

/// A node of a network without its place: equal layers cost the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layer {
    /// What it computes.
    pub operation: Operation,
    /// Shape of its first input.
    pub input: Shape,
    /// Shape of its output.
    pub output: Shape,
    /// Elements of all feature maps that it reads.
    pub input_elements: u64,
    /// Of the weights read when it runs, those that inputs are multiplied with.
    pub factor_elements: u64,
    /// Its own bits where the design says them for this layer, else those of the design's precision.
    pub bits: Option<LayerBits>,
}

impl Layer {
    /// A layer that reads maps of these shapes.
    pub(super) fn new(operation: Operation, inputs: impl Iterator<Item = Shape> + Clone, output: Shape) -> Layer {
        let input = inputs.clone().next().unwrap_or(output);
        let outputs = u64::from(output.channels);
        Layer {
            operation,
            input,
            output,
            input_elements: inputs.map(Shape::elements).sum(),
            factor_elements: match operation {
                Operation::Convolution(Convolution { kernel, groups, .. }) => {
                    u64::from(kernel * kernel) * u64::from(input.channels / groups) * outputs
                }
                Operation::Linear => input.elements() * outputs,
                Operation::Normalization(_) => outputs,
                _ => 0,
            },
            bits: None,
        }
    }

    /// Whether a runtime starts a kernel for it. The input and zeros are at hand, and activations are computed by the kernel
    /// beside them.
    pub fn starts_kernel(&self) -> bool {
        !matches!(
            self.operation,
            Operation::Input | Operation::Zero | Operation::Activation(_)
        )
    }

    /// Multiply-accumulate operations. Only convolutions and fully connected layers have any; a bias counts as none.
    pub fn macs(&self) -> u64 {
        match self.operation {
            Operation::Convolution(_) => self.factor_elements * self.output.pixels(),
            Operation::Linear => self.factor_elements,
            _ => 0,
        }
    }

    /// Trainable parameters, with two for every normalised channel (scale and shift).
    pub fn parameters(&self) -> u64 {
        let channels = u64::from(self.output.channels);
        match self.operation {
            Operation::Convolution(Convolution { bias, normalized, .. }) => {
                self.factor_elements + (u64::from(bias) + 2 * u64::from(normalized)) * channels
            }
            Operation::Normalization(_) | Operation::Linear => self.factor_elements + channels,
            _ => 0,
        }
    }

    /// Elements of the weights read when the layer runs: fused normalisation leaves one bias per channel.
    pub fn weight_elements(&self) -> u64 {
        self.factor_elements + self.bias_elements()
    }

    /// Of the weights read, those that are added.
    pub fn bias_elements(&self) -> u64 {
        match self.operation {
            Operation::Convolution(Convolution {
                bias: false,
                normalized: false,
                ..
            }) => 0,
            Operation::Convolution(_) | Operation::Normalization(_) | Operation::Linear => self.output.channels.into(),
            _ => 0,
        }
    }

    /// Elements of feature maps read and written.
    pub fn activation_elements(&self) -> u64 {
        self.input_elements + self.output.elements()
    }

    /// [`Layer::macs`], counted by the product of the bits of both factors, rounded up to powers of two as arithmetic that is put
    /// together from small multipliers needs them (Sharma et al., *Bit Fusion*, ISCA 2018): one at 8 bits each, a quarter at 4 bits
    /// each. Where the layer says no bits, as they are.
    pub fn macs_at_bits(&self) -> f64 {
        let fused = |bits: u8| f64::from(bits.next_power_of_two()) / REFERENCE_BITS;
        let share = |bits: LayerBits| fused(bits.weights) * fused(bits.activations);
        self.macs() as f64 * self.bits.map_or(1.0, share)
    }

    /// [`Layer::weight_elements`], those multiplied with counted by their bits, one at 8 bits. Where the layer says no bits, as
    /// they are.
    pub fn weight_elements_at_bits(&self) -> f64 {
        let share = self.bits.map_or(1.0, |bits| f64::from(bits.weights) / REFERENCE_BITS);
        self.factor_elements as f64 * share + self.bias_elements() as f64
    }

    /// [`Layer::activation_elements`], those read counted by their bits, one at 8 bits. Where the layer says no bits, as they are.
    pub fn activation_elements_at_bits(&self) -> f64 {
        let share = self
            .bits
            .map_or(1.0, |bits| f64::from(bits.activations) / REFERENCE_BITS);
        self.input_elements as f64 * share + self.output.elements() as f64
    }

    /// Whether this is a convolution in which every channel is filtered on its own.
    pub fn is_depthwise(&self) -> bool {
        matches!(self.operation, Operation::Convolution(Convolution { groups, .. })
            if groups > 1 && groups == self.input.channels)
    }

    /// Edge of the kernel or window in pixels: of a whole map's mean the longer edge of that map, and 1 for what has no window.
    pub fn kernel(&self) -> u32 {
        match self.operation {
            Operation::Convolution(Convolution { kernel, .. }) | Operation::Pooling(Pooling { kernel, .. }) => kernel,
            Operation::GlobalPooling => self.input.width.max(self.input.height),
            _ => 1,
        }
    }

    /// Groups of a convolution, 1 for everything else.
    pub fn groups(&self) -> u32 {
        match self.operation {
            Operation::Convolution(Convolution { groups, .. }) => groups,
            _ => 1,
        }
    }
}
