//! 8-bit integers as ONNX writes them: every operator stands between `DequantizeLinear` and `QuantizeLinear`, and a runtime
//! that knows the pattern computes with the integers themselves.
//!
//! Feature maps are unsigned, with the zero point 0 behind a ReLU; weights are signed, with a scale for every output; biases
//! have 32 bits and the scale of the products that they are added to. ONNX Runtime on x86 fuses this form; it does not where
//! feature maps are signed. Average pooling stays in floating point where no convolution reads it: ONNX Runtime's kernel
//! for bytes takes so much longer than the other that a cell with pooling would be slower than in fp32.
//!
//! Layers may have fewer bits than eight, or stay in floating point. Weights of b bits are the integers from -(2^(b-1) - 1) to
//! 2^(b-1) - 1, in bytes too: no runtime at hand has kernels for fewer, and neither the embedded one reads integers of four bits nor
//! does ONNX Runtime fuse them, while these it does. A layer that reads fewer bits than its feature map has reads it through another
//! pair of operators, with 2^b levels over the same range. A layer in floating point reads what the maps around it stand for; maps
//! that only such layers write and read stay in floating point.

use std::ops::RangeInclusive;

use super::float_layers::FloatLayers;
use super::graph::{Attribute, Elements, Graph};
use super::message::ElementType;
use super::parameters::Kernel;
use super::plan::{Operator, Plan, Step};
use super::scheme::{Place, Scheme, Single};
use crate::error::{Error, Result};
use crate::space::{Activation, LayerBits, Network, Node, PoolingKind};

/// Bits that integers in bytes can have.
const BITS: RangeInclusive<u8> = 2..=8;
/// Bits of layers that say none.
const BYTES: LayerBits = LayerBits {
    weights: 8,
    activations: 8,
};

/// Largest magnitude of a bias, with a bit to spare for the products that it is added to.
const LARGEST_BIAS: f32 = (1 << 30) as f32;
/// Scale of what is all zeros: small, as it is also that of biases.
const ZEROS_SCALE: f32 = 1.0 / 4096.0;

/// The numbers that an unsigned byte stands for: `scale * (byte - zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    pub(super) scale: f32,
    pub(super) zero_point: u8,
}

impl Affine {
    /// That of values between these two, and zero.
    pub(super) fn covering(least: f32, most: f32) -> Affine {
        let (least, most) = (least.min(0.0), most.max(0.0));
        let scale = (most - least) / 255.0;
        if scale < f32::MIN_POSITIVE {
            return Affine {
                scale: ZEROS_SCALE,
                zero_point: 0,
            };
        }
        Affine {
            scale,
            zero_point: (-least / scale).round() as u8,
        }
    }

    /// That of so many bits for the same values: 2^bits levels instead of 2^8.
    fn with_bits(self, bits: u8) -> Affine {
        let share = f32::from(levels(bits)) / f32::from(levels(8));
        Affine {
            scale: self.scale / share,
            zero_point: (f32::from(self.zero_point) * share).round() as u8,
        }
    }
}

/// The largest unsigned integer of so many bits, at most eight.
fn levels(bits: u8) -> u8 {
    u8::MAX >> (8 - bits)
}

/// What the numbers of a layer with weights are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Numbers {
    /// 32-bit floating point.
    Single,
    /// Integers of so many bits.
    Integers(LayerBits),
}

impl Numbers {
    /// Those of every node of a network without dead nodes.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the number of a layer that the network does not have, and for bits that integers of a file do not
    /// have.
    pub(super) fn of(network: &Network, float: &FloatLayers) -> Result<Vec<Numbers>> {
        let kept = float.nodes(network)?;
        let of_node = |node: Node<'_>| match node.layer.bits {
            _ if kept[node.id] => Ok(Numbers::Single),
            None => Ok(Numbers::Integers(BYTES)),
            Some(bits) if BITS.contains(&bits.weights) && BITS.contains(&bits.activations) => {
                Ok(Numbers::Integers(bits))
            }
            Some(bits) => Err(Error::Invalid {
                what: "bits of a layer of an exported network".into(),
                expected: format!("{} to {} for weights and for activations", BITS.start(), BITS.end()),
                found: format!("{} and {}", bits.weights, bits.activations),
                hint: "Export the design in a floating-point precision.".into(),
            }),
        };
        network.nodes().map(of_node).collect()
    }
}

/// How a plan is quantized.
#[derive(Debug)]
pub(super) struct Int8 {
    /// For every step, what its bytes stand for; `None` where there are none: its only reader is fused with it, or it stays in
    /// floating point.
    steps: Vec<Option<Affine>>,
    /// For every step that is a layer with weights, its numbers.
    layers: Vec<Option<Numbers>>,
}

impl Int8 {
    /// The quantization of a plan whose values lie in these ranges, least and most, for a network whose nodes have these numbers.
    pub(super) fn new(plan: &Plan, ranges: &[(f32, f32)], numbers: &[Numbers]) -> Int8 {
        let readers = plan.readers();
        let mut steps: Vec<Option<Affine>> = Vec::new();
        for (step, &(least, most)) in plan.steps.iter().zip(ranges) {
            // What only picks or moves numbers keeps what they stand for.
            let kept = match step.operator {
                Operator::Shuffle { .. } | Operator::Pool(PoolingKind::Maximum, _) => steps[step.inputs[0]],
                _ => None,
            };
            steps.push(Some(kept.unwrap_or_else(|| Affine::covering(least, most))));
        }
        let convolved = plan.convolved();
        for (step, content) in plan.steps.iter().enumerate() {
            if matches!(content.operator, Operator::Pool(PoolingKind::Average, _)) && !convolved[step] {
                steps[step] = None;
            }
        }
        for step in &plan.steps {
            let rectified = matches!(step.operator, Operator::Activate(Activation::Relu | Activation::Relu6));
            if let Some(&input) = step
                .inputs
                .first()
                .filter(|&&input| rectified && readers[input] == 1 && input > 0)
            {
                steps[input] = None;
            }
        }
        let layers = layers(plan, numbers);
        for (step, float) in only_float(plan, &layers).into_iter().enumerate() {
            if float {
                steps[step] = None;
            }
        }
        Int8 { steps, layers }
    }

    /// Appends the pair of operators that makes a value one of the numbers that bytes stand for; `label` names these numbers.
    fn quantized(&self, graph: &mut Graph, affine: Affine, label: &str, value: &str, read: &str) -> String {
        let scale = graph.constant(&format!("scale.{label}"), &[], Elements::floats(&[affine.scale]));
        let zero_point = graph.constant(
            &format!("zero_point.{label}"),
            &[],
            Elements::bytes(&[affine.zero_point]),
        );
        let bytes = format!("{read}.bytes");
        graph.operator("QuantizeLinear", &[value, &scale, &zero_point], &bytes, &[]);
        graph.operator("DequantizeLinear", &[&bytes, &scale, &zero_point], read, &[]);
        read.to_string()
    }

    /// The bits of the layer at a step; `None` where it stays in floating point.
    fn bits(&self, step: usize) -> Option<LayerBits> {
        match self.layers[step] {
            Some(Numbers::Single) => None,
            Some(Numbers::Integers(bits)) => Some(bits),
            None => Some(BYTES),
        }
    }

    /// What the layer at a step reads of the bytes of another.
    fn affine_read(&self, layer: Place<'_>) -> Option<Affine> {
        let affine = self.steps[layer.input]?;
        self.bits(layer.step).map(|bits| affine.with_bits(bits.activations))
    }
}

/// For every step that is a layer with weights, its numbers.
fn layers(plan: &Plan, numbers: &[Numbers]) -> Vec<Option<Numbers>> {
    let of_step = |step: &Step| match (&step.operator, step.value) {
        (Operator::Convolve { .. } | Operator::Connect(_), Some((node, _))) => Some(numbers[node]),
        _ => None,
    };
    plan.steps.iter().map(of_step).collect()
}

/// For every step, whether only layers in floating point write and read its output. The input is written by none.
fn only_float(plan: &Plan, layers: &[Option<Numbers>]) -> Vec<bool> {
    let mut float: Vec<bool> = Vec::new();
    for (step, content) in plan.steps.iter().enumerate() {
        float.push(match content.operator {
            Operator::Activate(_) => float[content.inputs[0]],
            _ => layers[step] == Some(Numbers::Single),
        });
    }
    let mut only = float.clone();
    only[0] = plan.steps.iter().any(|step| step.inputs.contains(&0));
    for (content, _) in plan.steps.iter().zip(&float).filter(|(_, float)| !**float) {
        content.inputs.iter().for_each(|&input| only[input] = false);
    }
    only
}

impl Scheme for Int8 {
    fn constants(&self, graph: &mut Graph, layer: Place<'_>, kernel: &Kernel) -> (String, Option<String>) {
        let Some(bits) = self.bits(layer.step) else {
            return Single.constants(graph, layer, kernel);
        };
        let name = layer.name;
        let outputs = kernel.dims[0];
        let input_scale = self.affine_read(layer).map_or(ZEROS_SCALE, |affine| affine.scale);
        // A bias that is large beside the weights of its output has to fit its 32 bits.
        let bias = |output: usize| kernel.bias.as_ref().map_or(0.0, |bias| bias[output].abs());
        let (scales, rows) = kernel.quantized(largest_weight(bits.weights), |output| {
            bias(output) / input_scale / LARGEST_BIAS
        });
        let bytes: Vec<u8> = rows.iter().map(|&weight| weight as u8).collect();
        let weight = dequantized(
            graph,
            &format!("{name}.weight"),
            &kernel.dims,
            Elements::signed_bytes(bytes),
            &scales,
        );
        let bias = kernel.bias.as_ref().map(|bias| {
            let scales: Vec<f32> = scales.iter().map(|scale| scale * input_scale).collect();
            // Conversion saturates.
            let sums: Vec<i32> = (bias.iter().zip(&scales))
                .map(|(bias, scale)| (bias / scale).round() as i32)
                .collect();
            dequantized(
                graph,
                &format!("{name}.bias"),
                &[outputs],
                Elements::words(&sums),
                &scales,
            )
        });
        (weight, bias)
    }

    fn read(&self, graph: &mut Graph, layer: Place<'_>, value: String) -> String {
        let fewer = self
            .bits(layer.step)
            .is_some_and(|bits| bits.activations < BYTES.activations);
        match self.affine_read(layer).filter(|_| fewer) {
            Some(affine) => {
                let read = format!("{value}.read.{}", layer.name);
                self.quantized(graph, affine, layer.name, &value, &read)
            }
            None => value,
        }
    }

    fn pass_on(&self, graph: &mut Graph, step: usize, value: String) -> String {
        match self.steps[step] {
            Some(affine) => self.quantized(graph, affine, &step.to_string(), &value, &format!("{value}.read")),
            None => value,
        }
    }

    fn pass_on_unchanged(&self, graph: &mut Graph, step: usize, value: String) -> String {
        self.pass_on(graph, step, value)
    }
}

/// Largest magnitude of a weight in so many bits; the least integer has no counterpart.
fn largest_weight(bits: u8) -> f32 {
    f32::from(levels(bits - 1))
}

/// Constants that stand for integers with a scale for every output.
fn dequantized(graph: &mut Graph, name: &str, dims: &[usize], integers: Elements, scales: &[f32]) -> String {
    let outputs = [scales.len()];
    let zero_points = Elements {
        kind: integers.kind,
        bytes: vec![0; scales.len() * if integers.kind == ElementType::Int32 { 4 } else { 1 }],
    };
    let integers = graph.constant(&format!("{name}.integers"), dims, integers);
    let scale = graph.constant(&format!("{name}.scale"), &outputs, Elements::floats(scales));
    let zero_point = graph.constant(&format!("{name}.zero_point"), &outputs, zero_points);
    graph.operator(
        "DequantizeLinear",
        &[&integers, &scale, &zero_point],
        name,
        &[("axis", Attribute::Int(0))],
    );
    name.to_string()
}
