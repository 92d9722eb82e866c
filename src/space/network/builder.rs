//! Building networks, by passing a [`FeatureMap`] from one method of [`NetworkBuilder`] to the next.

use super::{Activation, Convolution, InputSize, Layer, LayerBits, Network, Operation, Pooling, Shape};

/// What a node of a network under construction gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureMap {
    /// Its extent.
    pub shape: Shape,
    node: usize,
}

/// A network under construction.
///
/// ```
/// use edgefit::metric::Metric;
/// use edgefit::space::{Convolution, InputSize, NetworkBuilder, Precision};
///
/// let (mut network, image) = NetworkBuilder::new(3, InputSize::square(32));
/// let map = network.convolve(image, Convolution::new(16, 3));
/// let branch = network.convolve(map, Convolution::new(16, 3));
/// let sum = network.add(map, branch);
/// let pooled = network.pool_globally(sum);
/// let logits = network.linear(pooled, 10);
/// let network = network.finish(logits);
///
/// // While the sum is computed, three maps of 16 x 32 x 32 bytes are held.
/// let computed = network.computed(Precision::Int8.into());
/// assert_eq!(computed.get(Metric::PeakMemory), Some(&48.0));
/// ```
#[derive(Debug, Clone)]
pub struct NetworkBuilder {
    network: Network,
}

impl NetworkBuilder {
    /// A network of an input only, and that input.
    pub fn new(channels: u32, size: InputSize) -> (NetworkBuilder, FeatureMap) {
        let mut builder = NetworkBuilder {
            network: Network::empty(),
        };
        let shape = Shape {
            channels,
            width: size.width,
            height: size.height,
        };
        let input = builder.push(Operation::Input, [], shape);
        (builder, input)
    }

    /// The network, which gives `output`.
    pub fn finish(mut self, output: FeatureMap) -> Network {
        self.network.output = output.node;
        self.network
    }

    /// Appends zeros in the shape of a map.
    pub fn zero(&mut self, input: FeatureMap) -> FeatureMap {
        self.push(Operation::Zero, [input], input.shape)
    }

    /// Appends a convolution.
    pub fn convolve(&mut self, input: FeatureMap, convolution: Convolution) -> FeatureMap {
        let Convolution {
            output_channels,
            kernel,
            stride,
            padding,
            groups,
            ..
        } = convolution;
        debug_assert!(input.shape.channels.is_multiple_of(groups) && output_channels.is_multiple_of(groups));
        let edge = |pixels: u32| (pixels + 2 * padding).saturating_sub(kernel) / stride + 1;
        let output = Shape {
            channels: output_channels,
            width: edge(input.shape.width),
            height: edge(input.shape.height),
        };
        self.push(Operation::Convolution(convolution), [input], output)
    }

    /// Appends a convolution whose numbers have bits of their own, unless these are `None`.
    pub fn convolve_at(&mut self, input: FeatureMap, convolution: Convolution, bits: Option<LayerBits>) -> FeatureMap {
        let map = self.convolve(input, convolution);
        self.network.nodes[map.node].layer.bits = bits;
        map
    }

    /// Appends batch normalisation that cannot be fused, with what follows it.
    pub fn normalize(&mut self, input: FeatureMap, activation: Option<Activation>) -> FeatureMap {
        self.push(Operation::Normalization(activation), [input], input.shape)
    }

    /// Appends an activation on its own.
    pub fn activate(&mut self, input: FeatureMap, activation: Activation) -> FeatureMap {
        self.push(Operation::Activation(activation), [input], input.shape)
    }

    /// Appends a pooling layer.
    pub fn pool(&mut self, input: FeatureMap, pooling: Pooling) -> FeatureMap {
        let Pooling {
            kernel,
            stride,
            padding,
            ceil_mode,
            ..
        } = pooling;
        let edge = |pixels: u32| {
            let steps = (pixels + 2 * padding).saturating_sub(kernel);
            1 + if ceil_mode {
                steps.div_ceil(stride)
            } else {
                steps / stride
            }
        };
        let output = Shape {
            width: edge(input.shape.width),
            height: edge(input.shape.height),
            ..input.shape
        };
        self.push(Operation::Pooling(pooling), [input], output)
    }

    /// Appends the mean of every channel.
    pub fn pool_globally(&mut self, input: FeatureMap) -> FeatureMap {
        let output = Shape {
            width: 1,
            height: 1,
            ..input.shape
        };
        self.push(Operation::GlobalPooling, [input], output)
    }

    /// Appends the element-wise sum of two maps of the same shape.
    pub fn add(&mut self, left: FeatureMap, right: FeatureMap) -> FeatureMap {
        debug_assert_eq!(left.shape, right.shape);
        self.push(Operation::Add, [left, right], left.shape)
    }

    /// Appends the product of a map with another of its shape, or with a map of one pixel and as many channels.
    pub fn multiply(&mut self, map: FeatureMap, factors: FeatureMap) -> FeatureMap {
        debug_assert!(map.shape == factors.shape || factors.shape.elements() == u64::from(map.shape.channels));
        self.push(Operation::Multiply, [map, factors], map.shape)
    }

    /// Appends the channels of maps of the same size, one map after the other. There has to be one at least.
    pub fn concatenate(&mut self, maps: &[FeatureMap]) -> FeatureMap {
        debug_assert!(
            maps.windows(2)
                .all(|pair| pair[0].shape.width == pair[1].shape.width && pair[0].shape.height == pair[1].shape.height)
        );
        let output = Shape {
            channels: maps.iter().map(|map| map.shape.channels).sum(),
            ..maps[0].shape
        };
        self.push_all(Operation::Concatenation, maps, output)
    }

    /// Appends a shuffle of the channels of so many groups.
    pub fn shuffle(&mut self, input: FeatureMap, groups: u32) -> FeatureMap {
        debug_assert!(input.shape.channels.is_multiple_of(groups));
        self.push(Operation::Shuffle { groups }, [input], input.shape)
    }

    /// Appends a fully connected layer on all elements of a map.
    pub fn linear(&mut self, input: FeatureMap, outputs: u32) -> FeatureMap {
        let output = Shape {
            channels: outputs,
            width: 1,
            height: 1,
        };
        self.push(Operation::Linear, [input], output)
    }

    /// Appends squeeze-and-excitation (Hu et al., *Squeeze-and-Excitation Networks*, CVPR 2018) as MobileNetV3 has it: the
    /// channels' means, narrowed to `squeezed_channels` with a ReLU and widened again with a hard sigmoid, scale the channels.
    pub fn squeeze_excite(&mut self, input: FeatureMap, squeezed_channels: u32) -> FeatureMap {
        let pointwise = |output_channels, activation| Convolution {
            bias: true,
            normalized: false,
            activation: Some(activation),
            ..Convolution::new(output_channels, 1)
        };
        let means = self.pool_globally(input);
        let squeezed = self.convolve(means, pointwise(squeezed_channels, Activation::Relu));
        let factors = self.convolve(squeezed, pointwise(input.shape.channels, Activation::HardSigmoid));
        self.multiply(input, factors)
    }

    fn push<const INPUTS: usize>(
        &mut self,
        operation: Operation,
        inputs: [FeatureMap; INPUTS],
        output: Shape,
    ) -> FeatureMap {
        self.push_all(operation, &inputs, output)
    }

    /// Inlined, so that the loops over the inputs unroll: every encoded architecture is lowered.
    #[inline(always)]
    fn push_all(&mut self, operation: Operation, inputs: &[FeatureMap], output: Shape) -> FeatureMap {
        let layer = Layer::new(operation, inputs.iter().map(|input| input.shape), output);
        let node = self.network.push(layer, inputs.iter().map(|input| input.node));
        FeatureMap { shape: output, node }
    }
}
