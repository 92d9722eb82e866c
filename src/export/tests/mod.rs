//! Files as they are written, taken apart again, and trained weights as they are read.

mod numbers;
mod policies;
mod structure;
mod supernet;
mod trained;

use burn::tensor::{Tensor, TensorData};
use prost::Message;

use super::message::{GraphProto, ModelProto, NodeProto, TensorProto};
use super::plan::Plan;
use super::{Weights, forward, onnx};
use crate::compute::Backend;
use crate::seed::Seed;
use crate::space::{FeatureMap, InputSize, Network, NetworkBuilder, Precision, all, by_id};

const SMALL: InputSize = InputSize { width: 8, height: 6 };

fn graph(bytes: &[u8]) -> GraphProto {
    ModelProto::decode(bytes).unwrap().graph.unwrap()
}

fn exported(network: &Network, precision: Precision) -> GraphProto {
    graph(&onnx(network, precision.into(), &Weights::seeded(3)).unwrap())
}

fn kinds(graph: &GraphProto) -> Vec<&str> {
    graph.node.iter().map(|node| node.op_type.as_str()).collect()
}

fn constant<'a>(graph: &'a GraphProto, name: &str) -> &'a TensorProto {
    graph.initializer.iter().find(|tensor| tensor.name == name).unwrap()
}

fn ints<'a>(node: &'a NodeProto, name: &str) -> &'a [i64] {
    &node
        .attribute
        .iter()
        .find(|attribute| attribute.name == name)
        .unwrap()
        .ints
}

fn start() -> (NetworkBuilder, FeatureMap) {
    NetworkBuilder::new(2, SMALL)
}

/// A plan whose layers all have the weights of one seed.
fn plan(network: &Network) -> Plan {
    Plan::new(network, &Weights::seeded(0).of(network).unwrap())
}

/// The power of activations behind every layer of random networks.
#[test]
fn random_weights_keep_activations_alive() {
    let mut rng = Seed(1).stream("power");
    for space in all() {
        for seed in 0..4 {
            let network = space.lower(&space.sample(&mut rng), InputSize::square(32), 10);
            let input = random_input(&network, 1);
            let logits = values(forward(&network, &Weights::seeded(seed), input).unwrap());
            let power = logits.iter().map(|value| value * value).sum::<f32>() / logits.len() as f32;
            assert!((1e-3..1e3).contains(&power), "{}: {power}", space.id());
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_file() {
    let space = by_id("nasbench201").unwrap();
    let network = space.lower(&space.sample(&mut Seed(0).stream("cell")), InputSize::square(16), 10);
    let write = |seed| onnx(&network, Precision::Fp32.into(), &Weights::seeded(seed)).unwrap();
    assert_eq!(write(1), write(1));
    assert_ne!(write(1), write(2));
}

fn random_input(network: &Network, batch: usize) -> Tensor<4> {
    use rand_distr::{Distribution, StandardNormal};
    let shape = network.nodes().next().unwrap().layer.output;
    let dims = [
        batch,
        shape.channels as usize,
        shape.height as usize,
        shape.width as usize,
    ];
    let drawn = StandardNormal
        .sample_iter(Seed(9).stream("input"))
        .take(dims.iter().product());
    let values: Vec<f32> = drawn.collect();
    Tensor::from_data(TensorData::new(values, dims), &Backend::Flex.device().unwrap())
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}
