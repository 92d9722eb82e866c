//! Which operators a network becomes, and of what shapes.

use super::*;
use crate::export::message::ValueInfoProto;
use crate::export::onnx_for_batch;
use crate::export::plan::Operator;
use crate::space::{Activation, Convolution, Pooling, PoolingKind};

#[test]
fn windows_reach_as_far_as_the_size_says() {
    let pooled = |kernel, stride, padding, ceil_mode| {
        let (mut builder, input) = start();
        let kind = PoolingKind::Average;
        let map = builder.pool(
            input,
            Pooling {
                kind,
                kernel,
                stride,
                padding,
                ceil_mode,
            },
        );
        let Operator::Pool(_, window) = plan(&builder.finish(map)).steps[1].operator else {
            panic!("no pooling")
        };
        (window.begin, window.end)
    };
    // 6 x 8 pixels, height first: windows of 3 with padding 1 end at the last pixel of padding.
    assert_eq!(pooled(3, 1, 1, false), (1, [1, 1]));
    // At stride 3 from 0: of 6 rows two windows end at the sixth. Rounded up, of 8 columns a third one ends at the ninth.
    assert_eq!(pooled(3, 3, 0, true), (0, [0, 1]));
    assert_eq!(pooled(3, 3, 0, false), (0, [0, 0]));
}

#[test]
fn zeros_and_repeated_activations_are_gone() {
    let (mut builder, input) = start();
    let zero = builder.zero(input);
    let zero = builder.activate(zero, Activation::Relu);
    let sum = builder.add(zero, input);
    let once = builder.activate(sum, Activation::Relu);
    let twice = builder.activate(sum, Activation::Relu);
    let sum = builder.add(once, twice);
    let graph = exported(&builder.finish(sum), Precision::Fp32);
    // Zero plus the input is the input.
    assert_eq!(kinds(&graph), ["Relu", "Add"]);
    assert_eq!(graph.node[0].input, ["input"]);
    assert_eq!(graph.node[1].input[0], graph.node[1].input[1]);
    assert_eq!(graph.node[1].output, ["output"]);
}

#[test]
fn a_network_that_reads_zeros_keeps_its_layers() {
    let space = by_id("nasbench201").unwrap();
    let none = space.parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|").unwrap();
    let network = space.lower(&none, InputSize::square(32), 10);
    let graph = exported(&network, Precision::Fp32);
    let count = |kind: &str| kinds(&graph).iter().filter(|one| **one == kind).count();
    // Stem, three convolutions in each of two blocks, the last normalisation; the first block reads zeros.
    assert_eq!(count("Conv"), 1 + 2 * 3 + 1);
    assert!(count("Mul") >= 1);
}

#[test]
fn a_network_without_layers_is_an_identity() {
    let (builder, input) = start();
    let network = builder.finish(input);
    for (precision, expected) in [
        (Precision::Fp32, vec!["Identity"]),
        (Precision::Fp16, vec!["Identity"]),
        (Precision::Int8, vec!["Identity"]),
    ] {
        assert_eq!(kinds(&exported(&network, precision)), expected, "{precision}");
    }
}

#[test]
fn a_file_says_what_it_holds() {
    let (mut builder, input) = start();
    let map = builder.convolve(
        input,
        Convolution {
            stride: 2,
            groups: 2,
            ..Convolution::new(4, 3)
        },
    );
    let logits = builder.linear(map, 3);
    let network = builder.finish(logits);
    let bytes = onnx_for_batch(&network, Precision::Fp32.into(), &Weights::seeded(0), 5).unwrap();
    let model = ModelProto::decode(bytes.as_slice()).unwrap();
    assert_eq!((model.ir_version, model.opset_import[0].version), (8, 17));
    let graph = model.graph.unwrap();
    assert_eq!(kinds(&graph), ["Conv", "Flatten", "Gemm"]);
    assert_eq!(ints(&graph.node[0], "strides"), [2, 2]);
    // 6 rows at stride 2 with padding 1: windows from -1, 1 and 3, the last of which ends at the last row, but the padding stays.
    assert_eq!(ints(&graph.node[0], "pads"), [1, 1, 1, 1]);
    let dims = |value: &ValueInfoProto| -> Vec<i64> {
        let shape = value.r#type.clone().unwrap().tensor_type.unwrap().shape.unwrap();
        shape.dim.iter().map(|dim| dim.dim_value.unwrap()).collect()
    };
    assert_eq!(
        (dims(&graph.input[0]), dims(&graph.output[0])),
        (vec![5, 2, 6, 8], vec![5, 3])
    );
    assert_eq!(constant(&graph, "conv.1.weight").dims, [4, 1, 3, 3]);
    assert_eq!(constant(&graph, "gemm.2.weight").dims, [3, 4 * 3 * 4]);
    assert_eq!(constant(&graph, "gemm.2.weight").raw_data.len(), 4 * 3 * 48);
}

#[test]
fn precisions_that_files_lack_are_named_with_those_that_they_have() {
    let (builder, input) = start();
    let message = onnx(&builder.finish(input), Precision::Bf16.into(), &Weights::seeded(0))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("bf16") && message.contains("fp32, fp16, int8, int4"),
        "{message}"
    );
}
