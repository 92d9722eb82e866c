//! A network computed by Burn, node by node as the graph says: what files are checked against, and where the ranges of
//! quantized feature maps come from.

use burn::tensor::activation::{hard_sigmoid, relu, sigmoid};
use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Tensor, TensorData};

use super::parameters::{Normalization, Parameters, weight_dims};
use super::weights::Weights;
use crate::compute::ComputeDevice;
use crate::error::Result;
use crate::space::{Activation, Network, Node, Operation, Pooling, PoolingKind};

/// The output of a network, `[batch, channels, height, width]`, for an input `[batch, channels, height, width]` on a device.
/// Normalisation is computed as such and zeros as zeros: nothing is folded, unlike in a file.
///
/// # Errors
/// Where the weights are not those of this network.
pub fn forward(network: &Network, weights: &Weights, input: Tensor<4>) -> Result<Tensor<4>> {
    let network = network.without_dead_nodes();
    let parameters = weights.of(&network)?;
    Ok(run(&network, &parameters, input, |_, _, _| {}))
}

/// Where a value stands within a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// Before the activation that is fused into the node.
    Linear,
    /// What the node gives.
    Output,
}

/// Runs a network without dead nodes and shows every value to `visit`, with the number of its node.
pub(super) fn run(
    network: &Network,
    parameters: &[Parameters],
    input: Tensor<4>,
    visit: impl FnMut(usize, Stage, &Tensor<4>),
) -> Tensor<4> {
    let seen_in_training = |_, map, normalization: &Normalization| normalize(map, normalization);
    run_with(network, parameters, input, seen_in_training, visit)
}

/// As [`run`], with batch normalisation of a node's map done by `normalize`.
pub(super) fn run_with(
    network: &Network,
    parameters: &[Parameters],
    input: Tensor<4>,
    mut normalize: impl FnMut(usize, Tensor<4>, &Normalization) -> Tensor<4>,
    mut visit: impl FnMut(usize, Stage, &Tensor<4>),
) -> Tensor<4> {
    let mut last_reader = vec![0; network.nodes().len()];
    for node in network.nodes() {
        node.inputs
            .iter()
            .for_each(|&read| last_reader[read as usize] = node.id);
    }
    last_reader[network.output()] = usize::MAX;
    let mut values: Vec<Tensor<4>> = Vec::new();
    for (node, parameters) in network.nodes().zip(parameters) {
        let inputs: Vec<Tensor<4>> = node.inputs.iter().map(|&read| values[read as usize].clone()).collect();
        let (mut value, activation) = match node.layer.operation {
            Operation::Input => (input.clone(), None),
            _ => {
                let (sums, activation) = linear(&node, inputs, parameters);
                let normalization = parameters.normalization.as_ref();
                let value = match normalization {
                    Some(normalization) => normalize(node.id, sums, normalization),
                    None => sums,
                };
                (value, activation)
            }
        };
        if let Some(activation) = activation {
            visit(node.id, Stage::Linear, &value);
            value = activate(value, activation);
        }
        visit(node.id, Stage::Output, &value);
        values.push(value);
        for &read in node
            .inputs
            .iter()
            .filter(|&&read| last_reader[read as usize] == node.id)
        {
            // Large networks would hold gigabytes otherwise.
            values[read as usize] = Tensor::zeros([1, 1, 1, 1], &input.device());
        }
    }
    values.swap_remove(network.output())
}

/// What a node computes before normalisation and activation, and the latter.
fn linear(node: &Node<'_>, mut inputs: Vec<Tensor<4>>, parameters: &Parameters) -> (Tensor<4>, Option<Activation>) {
    let first = inputs[0].clone();
    let device = first.device();
    match node.layer.operation {
        Operation::Input => (first, None),
        Operation::Zero => (first.mul_scalar(0.0), None),
        Operation::Convolution(convolution) => {
            let [stride, padding] = [convolution.stride, convolution.padding].map(|pixels| [pixels as usize; 2]);
            let options = ConvOptions::new(stride, padding, [1, 1], convolution.groups as usize);
            let dims = weight_dims(node.layer);
            let weight = tensor(&parameters.weight, [dims[0], dims[1], dims[2], dims[3]], &device);
            let bias = parameters.bias.as_ref().map(|bias| tensor(bias, [bias.len()], &device));
            let sums = conv2d(first, weight, bias, options);
            (sums, convolution.activation)
        }
        Operation::Normalization(activation) => (first, activation),
        Operation::Activation(activation) => (activate(first, activation), None),
        Operation::Pooling(pooling) => (pool(first, pooling), None),
        Operation::GlobalPooling => (first.mean_dims(&[2, 3]), None),
        Operation::Add => (first + inputs.swap_remove(1), None),
        Operation::Multiply => (multiply(first, inputs.swap_remove(1)), None),
        Operation::Concatenation => (Tensor::cat(inputs, 1), None),
        Operation::Shuffle { groups } => {
            let [batch, channels, height, width] = first.dims();
            let groups = groups as usize;
            let split = first.reshape([batch, groups, channels / groups, height * width]);
            (split.swap_dims(1, 2).reshape([batch, channels, height, width]), None)
        }
        Operation::Linear => (connect(first, parameters), None),
    }
}

fn connect(input: Tensor<4>, parameters: &Parameters) -> Tensor<4> {
    let device = input.device();
    let [batch, channels, height, width] = input.dims();
    let inputs = channels * height * width;
    let outputs = parameters.weight.len() / inputs;
    let weight = tensor(&parameters.weight, [outputs, inputs], &device);
    let sums = input.reshape([batch, inputs]).matmul(weight.transpose());
    let bias: Tensor<1> = tensor(parameters.bias.as_deref().unwrap_or_default(), [outputs], &device);
    (sums + bias.unsqueeze()).reshape([batch, outputs, 1, 1])
}

fn multiply(map: Tensor<4>, factors: Tensor<4>) -> Tensor<4> {
    let [batch, channels, ..] = map.dims();
    if factors.dims() == map.dims() {
        map * factors
    } else {
        map * factors.reshape([batch, channels, 1, 1])
    }
}

/// Batch normalisation with fixed statistics.
pub(super) fn normalize(map: Tensor<4>, normalization: &Normalization) -> Tensor<4> {
    let device = map.device();
    let channels = |values: &[f32]| tensor(values, [1, values.len(), 1, 1], &device);
    let deviation = channels(&normalization.variance)
        .add_scalar(normalization.epsilon)
        .sqrt();
    (map - channels(&normalization.mean)) / deviation * channels(&normalization.scale) + channels(&normalization.shift)
}

fn activate(map: Tensor<4>, activation: Activation) -> Tensor<4> {
    match activation {
        Activation::Relu => relu(map),
        Activation::Relu6 => map.clamp(0.0, 6.0),
        Activation::HardSwish => map.clone() * hard_sigmoid(map, 1.0 / 6.0, 0.5),
        Activation::Sigmoid => sigmoid(map),
        Activation::HardSigmoid => hard_sigmoid(map, 1.0 / 6.0, 0.5),
    }
}

fn pool(map: Tensor<4>, pooling: Pooling) -> Tensor<4> {
    let [kernel, stride] = [pooling.kernel, pooling.stride].map(|pixels| [pixels as usize; 2]);
    let padding = [(pooling.padding as usize, pooling.padding as usize); 2];
    match pooling.kind {
        PoolingKind::Average => {
            let mut options = AvgPoolOptions::new(kernel);
            (options.stride, options.padding) = (stride, padding);
            (options.count_include_pad, options.ceil_mode) = (false, pooling.ceil_mode);
            avg_pool2d(map, options)
        }
        PoolingKind::Maximum => {
            let mut options = MaxPoolOptions::new(kernel);
            (options.stride, options.padding) = (stride, padding);
            options.ceil_mode = pooling.ceil_mode;
            max_pool2d(map, options)
        }
    }
}

fn tensor<const DIMS: usize>(values: &[f32], dims: [usize; DIMS], device: &ComputeDevice) -> Tensor<DIMS> {
    Tensor::from_data(TensorData::new(values.to_vec(), dims), device)
}
