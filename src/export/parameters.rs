//! What a layer has learned, as training leaves it, and folded for inference.

use crate::space::{Layer, Network, Operation};

/// The parameters of one layer; nothing for a layer that learns nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters {
    /// `[outputs, inputs / groups, kernel, kernel]` of a convolution, `[outputs, inputs]` of a fully connected layer, nothing
    /// for batch normalisation on its own.
    pub weight: Vec<f32>,
    /// `[outputs]`, where the layer has a bias.
    pub bias: Option<Vec<f32>>,
    /// Of the batch normalisation that follows, or that the layer is.
    pub normalization: Option<Normalization>,
}

/// The parameters and running statistics of batch normalisation, `[channels]` each: x becomes
/// `(x - mean) / sqrt(variance + epsilon) * scale + shift` (Ioffe & Szegedy, *Batch Normalization*, ICML 2015).
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    /// Factors after normalisation.
    pub scale: Vec<f32>,
    /// What is added last.
    pub shift: Vec<f32>,
    /// Means seen in training.
    pub mean: Vec<f32>,
    /// Variances seen in training.
    pub variance: Vec<f32>,
    /// What is added to the variances.
    pub epsilon: f32,
}

impl Normalization {
    /// The factor and the addend of every channel that normalisation amounts to once statistics are fixed.
    pub(super) fn affine(&self) -> (Vec<f32>, Vec<f32>) {
        let factors: Vec<f32> = (self.scale.iter().zip(&self.variance))
            .map(|(scale, variance)| scale / (variance + self.epsilon).sqrt())
            .collect();
        let addends = (self.shift.iter().zip(&self.mean).zip(&factors))
            .map(|((shift, mean), factor)| shift - mean * factor)
            .collect();
        (factors, addends)
    }
}

/// The weights of a layer that is a product and a sum.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kernel {
    /// `[outputs, inputs / groups, kernel, kernel]` or `[outputs, inputs]`.
    pub(super) dims: Vec<usize>,
    pub(super) weight: Vec<f32>,
    /// `[outputs]`.
    pub(super) bias: Option<Vec<f32>>,
}

impl Kernel {
    /// A layer's parameters with the normalisation folded in: `factor * (w x + b) + addend = (factor * w) x + (factor * b +
    /// addend)`. Normalisation on its own becomes a depthwise 1x1 convolution.
    pub(super) fn folded(layer: &Layer, parameters: &Parameters) -> Kernel {
        let mut kernel = Kernel {
            dims: weight_dims(layer),
            weight: parameters.weight.clone(),
            bias: parameters.bias.clone(),
        };
        if matches!(layer.operation, Operation::Normalization(_)) {
            kernel.dims = vec![layer.output.channels as usize, 1, 1, 1];
            kernel.weight = vec![1.0; layer.output.channels as usize];
        }
        if let Some(normalization) = &parameters.normalization {
            let (factors, mut addends) = normalization.affine();
            let each = kernel.weight.len() / factors.len().max(1);
            for (filter, factor) in kernel.weight.chunks_mut(each.max(1)).zip(&factors) {
                filter.iter_mut().for_each(|weight| *weight *= factor);
            }
            if let Some(bias) = &kernel.bias {
                for ((addend, bias), factor) in addends.iter_mut().zip(bias).zip(&factors) {
                    *addend += bias * factor;
                }
            }
            kernel.bias = Some(addends);
        }
        kernel
    }
}

impl Kernel {
    /// The weights as integers of at most this magnitude, and the scale of every output, by which they are multiplied. The
    /// largest weight of an output is `largest`, unless `least_scale` of the output asks for a coarser scale.
    pub(super) fn quantized(&self, largest: f32, least_scale: impl Fn(usize) -> f32) -> (Vec<f32>, Vec<i8>) {
        let each = self.weight.len() / self.dims[0].max(1);
        let filters = self.weight.chunks(each.max(1));
        let scale = |(output, filter): (usize, &[f32])| {
            let most = filter.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
            let scale = (most / largest).max(least_scale(output));
            // An output without weights has any scale.
            if scale < f32::MIN_POSITIVE { 1.0 } else { scale }
        };
        let scales: Vec<f32> = filters.clone().enumerate().map(scale).collect();
        let rounded = |(filter, scale): (&[f32], &f32)| -> Vec<i8> {
            filter.iter().map(|weight| (weight / scale).round() as i8).collect()
        };
        let integers = filters.zip(&scales).flat_map(rounded).collect();
        (scales, integers)
    }
}

/// The shape of a layer's weights, empty where it has none that inputs are summed with.
pub(super) fn weight_dims(layer: &Layer) -> Vec<usize> {
    let outputs = layer.output.channels as usize;
    match layer.operation {
        Operation::Convolution(convolution) => {
            let inputs = (layer.input.channels / convolution.groups) as usize;
            let edge = convolution.kernel as usize;
            vec![outputs, inputs, edge, edge]
        }
        Operation::Linear => vec![outputs, layer.input.elements() as usize],
        _ => Vec::new(),
    }
}

/// Parameters of the layers that learn, handed out to the nodes of a network in order.
pub(super) fn by_node(network: &Network, learned: Vec<Parameters>) -> Vec<Parameters> {
    let mut learned = learned.into_iter();
    let mut of_layer = |layer| learns(layer).then(|| learned.next()).flatten().unwrap_or_default();
    network.nodes().map(|node| of_layer(node.layer)).collect()
}

/// Whether a layer learns anything.
pub(super) fn learns(layer: &Layer) -> bool {
    layer.parameters() > 0
}

/// Whether a layer has a bias of its own.
pub(super) fn has_bias(layer: &Layer) -> bool {
    match layer.operation {
        Operation::Convolution(convolution) => convolution.bias,
        Operation::Linear => true,
        _ => false,
    }
}

/// Whether a layer is, or ends with, batch normalisation.
pub(super) fn is_normalized(layer: &Layer) -> bool {
    match layer.operation {
        Operation::Convolution(convolution) => convolution.normalized,
        Operation::Normalization(_) => true,
        _ => false,
    }
}
