//! Layers with bits of their own, and layers left in floating point.

use super::*;
use crate::export::calibrate::ranges;
use crate::export::message::ElementType;
use crate::export::parameters::{Kernel, Parameters};
use crate::export::{FloatLayers, onnx_keeping_float};
use crate::space::{Convolution, LayerBits};

const CHANNELS: usize = 4;
const CLASSES: usize = 3;

fn bits(weights: u8, activations: u8) -> Option<LayerBits> {
    Some(LayerBits { weights, activations })
}

/// A dense and a depthwise 3x3 convolution with these bits, both rectified, then the mean of every channel and a classifier.
fn network(dense: Option<LayerBits>, depthwise: Option<LayerBits>) -> Network {
    let (mut builder, image) = start();
    let rectified = Convolution::rectified(CHANNELS as u32, 3);
    let map = builder.convolve_at(image, rectified, dense);
    let filters = Convolution {
        groups: CHANNELS as u32,
        ..rectified
    };
    let map = builder.convolve_at(map, filters, depthwise);
    let map = builder.pool_globally(map);
    let logits = builder.linear(map, CLASSES as u32);
    builder.finish(logits)
}

fn export(network: &Network, float: &str) -> Vec<u8> {
    let float = if float.is_empty() {
        FloatLayers::default()
    } else {
        float.parse().unwrap()
    };
    onnx_keeping_float(network, Precision::Int8.into(), &Weights::seeded(3), 1, &float).unwrap()
}

fn integers(graph: &GraphProto, name: &str) -> Vec<i8> {
    let data = &constant(graph, name).raw_data;
    data.iter().map(|&byte| byte as i8).collect()
}

fn count(graph: &GraphProto, kind: &str) -> usize {
    kinds(graph).iter().filter(|one| **one == kind).count()
}

#[test]
fn weights_have_as_many_levels_as_their_bits_say() {
    for (width, largest) in [(2, 1), (4, 7), (6, 31), (8, 127)] {
        let graph = graph(&export(&network(bits(width, 8), None), ""));
        let weights = integers(&graph, "conv.1.weight.integers");
        // The largest weight of every output has the largest magnitude.
        for filter in weights.chunks(2 * 9) {
            assert_eq!(filter.iter().map(|weight| weight.abs()).max(), Some(largest), "{width}");
        }
        let other = integers(&graph, "conv.3.weight.integers");
        assert_eq!(other.iter().map(|weight| weight.abs()).max(), Some(127));
    }
}

#[test]
fn a_layer_of_fewer_bits_reads_its_map_through_another_pair() {
    let all = graph(&export(&network(bits(8, 8), bits(8, 8)), ""));
    let fewer = graph(&export(&network(bits(8, 8), bits(8, 4)), ""));
    assert_eq!(count(&fewer, "QuantizeLinear"), count(&all, "QuantizeLinear") + 1);
    let scale = |graph: &GraphProto, name: &str| {
        let bytes = constant(graph, name).raw_data.as_slice().try_into().unwrap();
        f32::from_le_bytes(bytes)
    };
    // The same range in 15 steps instead of 255, from 0 on.
    let (coarse, fine) = (scale(&fewer, "scale.conv.3"), scale(&fewer, "scale.2"));
    assert!((coarse / fine - 17.0).abs() < 1e-4, "{coarse} {fine}");
    assert_eq!(constant(&fewer, "zero_point.conv.3").raw_data, [0]);
}

#[test]
fn layers_are_left_in_floating_point() {
    let network = network(None, None);
    let all = graph(&export(&network, ""));
    let kept = graph(&export(&network, "first,depthwise"));
    for name in ["conv.1.weight", "conv.3.weight"] {
        assert_eq!(constant(&kept, name).data_type(), ElementType::Float);
        assert!(!all.initializer.iter().any(|tensor| tensor.name == name));
    }
    assert_eq!(constant(&kept, "gemm.6.weight.integers").data_type(), ElementType::Int8);
    // Neither the input nor what is between the two is quantized; what the pooling reads is.
    for (name, expected) in [
        ("scale.0", false),
        ("scale.2", false),
        ("scale.4", true),
        ("scale.5", true),
    ] {
        assert_eq!(
            kept.initializer.iter().any(|tensor| tensor.name == name),
            expected,
            "{name}"
        );
    }
    // A float layer between others reads what bytes stand for, and its output is bytes.
    let kept = graph(&export(&network, "2"));
    for name in ["scale.0", "scale.2", "scale.4"] {
        assert!(kept.initializer.iter().any(|tensor| tensor.name == name), "{name}");
    }
    let refused = |precision: Precision, float: &str| {
        let float = float.parse().unwrap();
        let file = onnx_keeping_float(&network, precision.into(), &Weights::seeded(3), 1, &float);
        file.unwrap_err().to_string()
    };
    assert!(refused(Precision::Fp16, "first").contains("int8"));
    assert!(refused(Precision::Int8, "4").contains("1 to 3"));
}

/// What a policy leaves in floating point is what names of layers leave there, and both together are all of it.
#[test]
fn policies_and_names_of_layers_give_the_same_file() {
    let network = network(None, None);
    let of = |policy: &str, float: &FloatLayers| {
        onnx_keeping_float(&network, policy.parse().unwrap(), &Weights::seeded(3), 1, float).unwrap()
    };
    assert!(of("int8-except-depthwise-last", &FloatLayers::default()) == export(&network, "depthwise,last"));
    assert!(of("int8-except-depthwise", &"last".parse().unwrap()) == export(&network, "last,depthwise"));
    assert!(of("int8-except-depthwise", &FloatLayers::default()) != export(&network, ""));
}

#[test]
fn bits_that_integers_of_files_do_not_have_are_refused() {
    for wrong in [bits(1, 8), bits(16, 8), bits(8, 0)] {
        let message = onnx(&network(wrong, None), Precision::Int8.into(), &Weights::seeded(3)).unwrap_err();
        assert!(message.to_string().contains("2 to 8"), "{message}");
    }
}

/// Bits that leave the weights of a layer as they are.
const FLOAT: u8 = 32;

/// The step between numbers of so many bits that are stored of a map with this range.
fn step((least, most): (f32, f32), width: u8) -> f64 {
    f64::from(most.max(0.0) - least.min(0.0)) / (f64::from(1_u32 << width) - 1.0)
}

/// What numbers become that are stored with so many bits.
fn stored_map(values: &[f64], range: (f32, f32), width: u8) -> Vec<f64> {
    let (byte, coarse) = (step(range, 8), step(range, width));
    let zero = (f64::from(-range.0.min(0.0)) / byte).round();
    // As bytes first, which saturate.
    let bytes = values
        .iter()
        .map(|value| ((value / byte).round() + zero).clamp(0.0, 255.0) - zero);
    bytes.map(|bytes| (bytes * byte / coarse).round() * coarse).collect()
}

/// What the weights and biases of a layer become that are stored with so many bits: biases are sums of products of the steps of
/// weights and of what the layer reads.
fn stored_layer(kernel: &Kernel, width: u8, read: f64) -> (Vec<f64>, Vec<f64>) {
    let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|&value| value.into()).collect() };
    let (weights, biases) = (wide(&kernel.weight), wide(kernel.bias.as_ref().unwrap()));
    if width == FLOAT {
        return (weights, biases);
    }
    let largest = f64::from(1_u32 << (width - 1)) - 1.0;
    let rounded = |value: f64, step: f64| (value / step).round() * step;
    let rows = weights.chunks(weights.len() / biases.len()).zip(&biases);
    let stored = rows.map(|(row, &bias)| {
        let step = row.iter().fold(0.0_f64, |most, weight| most.max(weight.abs())) / largest;
        let row: Vec<f64> = row.iter().map(|&weight| rounded(weight, step)).collect();
        (row, rounded(bias, step * read))
    });
    let (rows, biases): (Vec<Vec<f64>>, Vec<f64>) = stored.unzip();
    (rows.concat(), biases)
}

/// A rectified 3x3 convolution with padding 1 on maps of 6 rows and 8 columns, in plain loops.
fn convolve(map: &[f64], (weights, bias): (Vec<f64>, Vec<f64>), groups: usize) -> Vec<f64> {
    let (rows, columns) = (SMALL.height as usize, SMALL.width as usize);
    let each = map.len() / (rows * columns) / groups;
    let outputs = bias.len();
    let mut sums = Vec::new();
    for output in 0..outputs {
        let group = output * groups / outputs;
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let mut sum = bias[output];
            for (input, tap) in (0..each).flat_map(|input| (0..9).map(move |tap| (input, tap))) {
                let (above, left) = (row + tap / 3, column + tap % 3);
                if (1..=rows).contains(&above) && (1..=columns).contains(&left) {
                    let pixel = ((group * each + input) * rows + above - 1) * columns + left - 1;
                    sum += map[pixel] * weights[(output * each + input) * 9 + tap];
                }
            }
            sums.push(sum.max(0.0));
        }
    }
    sums
}

/// The network at these bits of weights and of what the depthwise convolution reads, in plain loops.
fn reference(network: &Network, image: &[f64], [dense, depthwise, read]: [u8; 3]) -> Vec<f64> {
    let parameters: Vec<Parameters> = Weights::seeded(3).of(network).unwrap();
    let plan = Plan::new(network, &parameters);
    let ranges = ranges(network, &parameters, &plan).unwrap();
    let kernel = |node: usize| {
        let node = network.nodes().nth(node).unwrap();
        Kernel::folded(node.layer, &parameters[node.id])
    };
    let map = stored_map(image, ranges[0], 8);
    let map = convolve(&map, stored_layer(&kernel(1), dense, step(ranges[0], 8)), 1);
    let map = stored_map(&map, ranges[2], read);
    let map = convolve(
        &map,
        stored_layer(&kernel(2), depthwise, step(ranges[2], read)),
        CHANNELS,
    );
    let map = stored_map(&map, ranges[4], 8);
    let pixels = map.len() / CHANNELS;
    let means: Vec<f64> = map
        .chunks(pixels)
        .map(|channel| channel.iter().sum::<f64>() / pixels as f64)
        .collect();
    let means = stored_map(&means, ranges[5], 8);
    let (weights, biases) = stored_layer(&kernel(4), 8, step(ranges[5], 8));
    let rows = weights.chunks(CHANNELS).zip(biases);
    rows.map(|(row, bias)| bias + row.iter().zip(&means).map(|(a, b)| a * b).sum::<f64>())
        .collect()
}

/// What the embedded runtime computes with a file.
fn run(file: Vec<u8>, image: &[f64]) -> Vec<f32> {
    let image: Vec<f32> = image.iter().map(|&value| value as f32).collect();
    let dims = [1, 2, SMALL.height as usize, SMALL.width as usize];
    let image = rten::Value::from_shape(dims, image).unwrap();
    let logits = rten::Model::load(file).unwrap().run_one(image.into(), None).unwrap();
    logits.into_shape_vec::<f32, 2>().unwrap().1
}

fn difference(found: &[f32], expected: &[f64]) -> f64 {
    let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let apart = found
        .iter()
        .zip(expected)
        .map(|(&found, expected)| (f64::from(found) - expected).abs());
    apart.fold(0.0, f64::max) / largest
}

/// Against the network computed in plain loops from rounded weights and maps; with other bits it is off by more.
#[test]
fn files_compute_with_the_numbers_that_their_bits_can_say() {
    let networks = [
        (network(bits(4, 8), bits(6, 4)), "", [4, 6, 4]),
        (network(bits(2, 8), bits(8, 6)), "", [2, 8, 6]),
        (network(bits(4, 8), bits(6, 4)), "depthwise", [4, FLOAT, 8]),
        (network(None, None), "2", [8, FLOAT, 8]),
    ];
    for (network, float, stored) in networks {
        let image: Vec<f64> = values(random_input(&network, 1)).into_iter().map(f64::from).collect();
        let found = run(export(&network, float), &image);
        let off = difference(&found, &reference(&network, &image, stored));
        assert!(off < 1e-3, "{stored:?}: {off}");
        let mut others = stored.map(|bits| if bits == 8 { 4 } else { 8 });
        others[2] = stored[2];
        let off = difference(&found, &reference(&network, &image, others));
        assert!(off > 2e-3, "{stored:?} is not told from {others:?}: {off}");
    }
}
