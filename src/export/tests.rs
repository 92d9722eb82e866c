//! Files as they are written, taken apart again, and trained weights as they are read.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use prost::Message;
use safetensors::{Dtype, tensor::TensorView};

use super::int8::{Affine, Int8};
use super::lower::file;
use super::message::{ElementType, GraphProto, ModelProto, NodeProto, TensorProto};
use super::parameters::{Kernel, Normalization, Parameters, is_normalized, learns, weight_dims};
use super::plan::{Operator, Plan};
use super::scheme::Single;
use super::{Weights, forward, onnx, onnx_for_batch, opset};
use crate::compute::Backend;
use crate::seed::Seed;
use crate::space::{
    Activation, Convolution, FbNet, InputSize, Layer, Network, NetworkBuilder, Pooling, PoolingKind, Precision,
    SearchSpace, all, by_id,
};

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

fn start() -> (NetworkBuilder, crate::space::FeatureMap) {
    NetworkBuilder::new(2, SMALL)
}

/// A plan whose layers all have the weights of one seed.
fn plan(network: &Network) -> Plan {
    Plan::new(network, &Weights::seeded(0).of(network).unwrap())
}

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
            // With the 1e-5 that is added, the root is 2.
            variance: vec![4.0 - 1e-5],
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
    assert_eq!(super::graph::Elements::nibbles(&nibbles[..3]).bytes, [0x95, 0x00]);
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
    let graph = graph(&file(&plan, &Int8::new(&plan, &[(-1.0, 1.0), (-1.0, 1.0)]), 1));
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
    let dims = |value: &super::message::ValueInfoProto| -> Vec<i64> {
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

/// The tensors of a network with random weights, under the names of its space, with something before them.
fn named(space: &dyn SearchSpace, architecture: &crate::space::Architecture, prefix: &str) -> Tensors {
    let network = space.lower(architecture, InputSize::square(32), 10);
    let parameters = Weights::seeded(5).of(&network).unwrap();
    let learned = network.nodes().zip(parameters).filter(|(node, _)| learns(node.layer));
    let names = space.layer_names(architecture).into_iter().filter(|names| !names.dead);
    let mut tensors = Tensors::new();
    for ((node, parameters), names) in learned.zip(names) {
        let mut put = |module: &Option<String>, part: &str, dims: Vec<usize>, values: Vec<f32>| {
            let name = format!("{prefix}{}.{part}", module.as_ref().unwrap());
            tensors.insert(name, (dims, values));
        };
        let channels = vec![node.layer.output.channels as usize];
        let dims = weight_dims(node.layer);
        if !dims.is_empty() {
            put(&names.weights, "weight", dims, parameters.weight);
        }
        if let Some(bias) = parameters.bias {
            put(&names.weights, "bias", channels.clone(), bias);
        }
        assert_eq!(parameters.normalization.is_some(), is_normalized(node.layer));
        if let Some(normalization) = parameters.normalization {
            let module = &names.normalization;
            put(module, "weight", channels.clone(), normalization.scale);
            put(module, "bias", channels.clone(), normalization.shift);
            put(module, "running_mean", channels.clone(), normalization.mean);
            put(module, "running_var", channels, normalization.variance);
        }
    }
    tensors
}

/// Shape and elements by name.
type Tensors = HashMap<String, (Vec<usize>, Vec<f32>)>;

fn write(path: &Path, tensors: &Tensors) {
    let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (dims, values))| {
            (
                name,
                dims,
                values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            )
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, dims, bytes)| (*name, TensorView::new(Dtype::F32, (*dims).clone(), bytes).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn weights_read_back_from_a_file_give_the_same_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let mut rng = Seed(2).stream("designs");
    for (space, prefix) in all().into_iter().zip(["", "state_dict.module."]) {
        let architecture = space.sample(&mut rng);
        let network = space.lower(&architecture, InputSize::square(32), 10);
        write(&path, &named(space, &architecture, prefix));
        let weights = Weights::read(&path, &space.layer_names(&architecture), &network).unwrap();
        assert!(weights.unused().is_empty() && !weights.are_random());
        let file = |weights: &Weights| onnx(&network, Precision::Fp32.into(), weights).unwrap();
        assert!(file(&weights) == file(&Weights::seeded(5)), "{}", space.id());
    }
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let space = by_id("nasbench201").unwrap();
    let cell = space
        .parse("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|")
        .unwrap();
    let network = space.lower(&cell, InputSize::square(32), 10);
    let read = |tensors: &Tensors| {
        write(&path, tensors);
        Weights::read(&path, &space.layer_names(&cell), &network)
    };
    let good = named(space, &cell, "");
    let failure = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = good.clone();
        change(&mut tensors);
        read(&tensors).unwrap_err().to_string()
    };
    let missing = failure(&|tensors| {
        tensors.remove("cells.3.layers.0.op.2.running_mean");
    });
    assert!(missing.contains("cells.3.layers.0.op.2.running_mean"), "{missing}");
    let misshaped = failure(&|tensors| {
        tensors.insert("classifier.weight".into(), (vec![100, 64], vec![0.0; 6400]));
    });
    assert!(
        misshaped.contains("classifier.weight") && misshaped.contains("[10, 64]") && misshaped.contains("[100, 64]")
    );
    let not_a_number = failure(&|tensors| tensors.get_mut("stem.0.weight").unwrap().1[7] = f32::NAN);
    assert!(
        not_a_number.contains("stem.0.weight") && not_a_number.contains("NaN"),
        "{not_a_number}"
    );
    let negative = failure(&|tensors| tensors.get_mut("stem.1.running_var").unwrap().1[0] = -1.0);
    assert!(negative.contains("stem.1.running_var"), "{negative}");
    // A layer too many: another architecture was trained.
    let other = failure(&|tensors| {
        tensors.insert("cells.0.layers.5.op.1.weight".into(), (vec![1], vec![1.0]));
    });
    assert!(other.contains("cells.0.layers.5.op.1.weight"), "{other}");
    // What nothing asks for is reported; counters of normalisation are expected.
    let mut more = good.clone();
    more.insert("stem.1.num_batches_tracked".into(), (vec![], vec![1.0]));
    more.insert("auxiliary.weight".into(), (vec![1], vec![1.0]));
    assert_eq!(read(&more).unwrap().unused(), ["auxiliary.weight"]);
}

#[test]
fn what_holds_no_tensors_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pt");
    let architecture = FbNet.sample(&mut Seed(0).stream("one"));
    let network = FbNet.lower(&architecture, InputSize::square(32), 10);
    // A pickle that would run a program: os.system('true').
    let program = b"\x80\x02cos\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.".as_slice();
    for bytes in [
        b"".as_slice(),
        b"not tensors at all",
        b"\xff\x00\x00\x00\x00\x00\x00\x00{",
        program,
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = Weights::read(&path, &FbNet.layer_names(&architecture), &network).unwrap_err();
        assert!(
            error.to_string().contains("weights.pt") && error.exit_code() == 1,
            "{error}"
        );
    }
    assert!(Weights::read(folder.path(), &[], &network).is_err());
}

#[test]
fn weights_of_another_network_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let space = by_id("nasbench201").unwrap();
    let mut rng = Seed(3).stream("cells");
    let [one, other] = [(); 2].map(|()| space.sample(&mut rng));
    write(&path, &named(space, &one, ""));
    let lower = |cell| space.lower(cell, InputSize::square(32), 10);
    let weights = Weights::read(&path, &space.layer_names(&one), &lower(&one)).unwrap();
    assert!(onnx(&lower(&other), Precision::Fp32.into(), &weights).is_err());
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
