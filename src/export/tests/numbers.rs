//! What weights and biases become in a file.

use super::*;
use crate::export::FloatLayers;
use crate::export::graph::Elements;
use crate::export::int8::{Affine, Int8, Numbers};
use crate::export::lower::file;
use crate::export::message::ElementType;
use crate::export::opset;
use crate::export::parameters::{Kernel, Normalization, Parameters};
use crate::export::scheme::Single;
use crate::space::{Activation, Convolution, FbNet, Layer, SearchSpace};

#[test]
fn normalisation_is_folded_by_hand() {
    let (mut builder, input) = start();
    let map = builder.convolve(
        input,
        Convolution {
            bias: true,
            ..Convolution::new(1, 1)
        },
    );
    let network = builder.finish(map);
    let layer: &Layer = network.layers().next().unwrap();
    let parameters = Parameters {
        weight: vec![1.0, -2.0],
        bias: Some(vec![3.0]),
        normalization: Some(Normalization {
            scale: vec![4.0],
            shift: vec![0.5],
            mean: vec![1.0],
            // With the epsilon that is added, the root is 2.
            variance: vec![4.0 - 1e-5],
            epsilon: 1e-5,
        }),
    };
    // (w x + 3 - 1) / 2 * 4 + 0.5 = 2 w x + 4.5.
    let kernel = Kernel::folded(layer, &parameters);
    assert_eq!(kernel.dims, [1, 2, 1, 1]);
    assert_eq!((kernel.weight, kernel.bias), (vec![2.0, -4.0], Some(vec![4.5])));
}

#[test]
fn bytes_cover_a_range_and_zero_exactly() {
    assert_eq!(
        Affine::covering(0.0, 51.0),
        Affine {
            scale: 0.2,
            zero_point: 0
        }
    );
    // A range that zero is not in is widened to it.
    assert_eq!(Affine::covering(10.0, 51.0), Affine::covering(0.0, 51.0));
    assert_eq!(
        Affine::covering(-25.5, 25.5),
        Affine {
            scale: 0.2,
            zero_point: 128
        }
    );
    assert_eq!(
        Affine::covering(-51.0, -1.0),
        Affine {
            scale: 0.2,
            zero_point: 255
        }
    );
    // What is all zeros needs some scale.
    assert!(Affine::covering(0.0, 0.0).scale > 0.0);
}

#[test]
fn weights_become_integers_with_a_scale_for_every_output() {
    let kernel = Kernel {
        dims: vec![3, 2],
        weight: vec![1.5, -2.0, 0.0, 0.0, 0.3, 0.1],
        bias: None,
    };
    let (scales, integers) = kernel.quantized(127.0, |_| 0.0);
    // 1.5 / 2 of 127 is 95.25, and a third of it 42.33; of 7 they are 5.25 and 2.33.
    assert_eq!(integers, [95, -127, 0, 0, 127, 42]);
    assert_eq!(scales, [2.0 / 127.0, 1.0, 0.3 / 127.0]);
    let (_, nibbles) = kernel.quantized(7.0, |_| 0.0);
    assert_eq!(nibbles, [5, -7, 0, 0, 7, 2]);
    // Two to a byte, the first in the lower half; -7 is 0b1001.
    assert_eq!(Elements::nibbles(&nibbles[..3]).bytes, [0x95, 0x00]);
}

/// Channels that training has switched off keep nothing but a bias, which must not be rounded to what weights would be.
#[test]
fn biases_survive_outputs_without_weights() {
    let (mut builder, input) = start();
    let map = builder.convolve(
        input,
        Convolution {
            bias: true,
            normalized: false,
            ..Convolution::new(2, 1)
        },
    );
    let network = builder.finish(map);
    let parameters = Parameters {
        weight: vec![0.0, 0.0, 1e-9, 0.0],
        bias: Some(vec![0.3, -0.7]),
        normalization: None,
    };
    let plan = Plan::new(&network, &[Parameters::default(), parameters]);
    let numbers = Numbers::of(&network, &FloatLayers::default()).unwrap();
    let graph = graph(&file(
        &plan,
        &Int8::new(&plan, &[(-1.0, 1.0), (-1.0, 1.0)], &numbers),
        1,
    ));
    let integers = constant(&graph, "conv.1.bias.integers").raw_data.as_chunks().0;
    let scales = constant(&graph, "conv.1.bias.scale").raw_data.as_chunks().0;
    let biases: Vec<f32> = (integers.iter().zip(scales))
        .map(|(&integer, &scale)| i32::from_le_bytes(integer) as f32 * f32::from_le_bytes(scale))
        .collect();
    assert!(
        (biases[0] - 0.3).abs() < 1e-5 && (biases[1] + 0.7).abs() < 1e-5,
        "{biases:?}"
    );
}

#[test]
fn every_precision_stores_weights_as_it_says() {
    let (mut builder, input) = start();
    let rectified = Convolution {
        activation: Some(Activation::Relu),
        ..Convolution::new(4, 3)
    };
    let map = builder.convolve(input, rectified);
    let map = builder.pool_globally(map);
    let logits = builder.linear(map, 3);
    let network = builder.finish(logits);
    let half = exported(&network, Precision::Fp16);
    assert_eq!(
        kinds(&half),
        ["Cast", "Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm", "Cast"]
    );
    assert_eq!(constant(&half, "conv.1.weight").data_type(), ElementType::Float16);
    let nibbles = exported(&network, Precision::Int4);
    let weight = constant(&nibbles, "conv.1.weight.integers");
    assert_eq!(
        (weight.data_type(), weight.raw_data.len()),
        (ElementType::Int4, 4 * 2 * 9 / 2)
    );
    assert_eq!(opset(Precision::Int4.into()), 21);
    let bytes = exported(&network, Precision::Int8);
    let types = |name: &str| constant(&bytes, name).data_type();
    assert_eq!(types("conv.1.weight.integers"), ElementType::Int8);
    assert_eq!(types("conv.1.bias.integers"), ElementType::Int32);
    // The input is signed and stands around 128; behind a ReLU zero is 0. Between convolution and ReLU nothing is quantized.
    assert!(constant(&bytes, "zero_point.0").raw_data[0] > 100);
    assert_eq!(constant(&bytes, "zero_point.2").raw_data, [0]);
    assert!(!bytes.initializer.iter().any(|tensor| tensor.name == "zero_point.1"));
    // A bias has the scale of the products that it is added to.
    let numbers = |name: &str| -> Vec<f32> {
        let data = &constant(&bytes, name).raw_data;
        data.as_chunks()
            .0
            .iter()
            .map(|&four| f32::from_le_bytes(four))
            .collect()
    };
    let (input, weights, biases) = (
        numbers("scale.0"),
        numbers("conv.1.weight.scale"),
        numbers("conv.1.bias.scale"),
    );
    for (weight, bias) in weights.iter().zip(biases) {
        assert_eq!(bias, weight * input[0]);
    }
}

/// The plan of a network computes what the network does: the file itself is compared in a runtime elsewhere.
#[test]
fn single_precision_has_a_constant_for_every_weight() {
    let network = FbNet.lower(&FbNet.sample(&mut Seed(4).stream("one")), InputSize::square(32), 10);
    let graph = graph(&file(&plan(&network), &Single, 1));
    let floats = graph
        .initializer
        .iter()
        .filter(|tensor| tensor.data_type() == ElementType::Float);
    let elements: i64 = floats.map(|tensor| tensor.dims.iter().product::<i64>()).sum();
    assert_eq!(elements as u64, network.weight_elements());
}
