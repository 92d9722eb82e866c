//! 8-bit integers as ONNX writes them: every operator stands between `DequantizeLinear` and `QuantizeLinear`, and a runtime
//! that knows the pattern computes with the integers themselves.
//!
//! Feature maps are unsigned, with the zero point 0 behind a ReLU; weights are signed, with a scale for every output; biases
//! have 32 bits and the scale of the products that they are added to. ONNX Runtime on x86 fuses this form; it does not where
//! feature maps are signed. Average pooling stays in floating point where no convolution reads it: ONNX Runtime's kernel
//! for bytes takes so much longer than the other that a cell with pooling would be slower than in fp32.

use super::graph::{Attribute, Elements, Graph};
use super::message::ElementType;
use super::parameters::Kernel;
use super::plan::{Operator, Plan};
use super::scheme::Scheme;
use crate::space::{Activation, PoolingKind};

/// Largest magnitude of a weight in 8 bits; -128 has no counterpart.
const LARGEST_WEIGHT: f32 = 127.0;

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
}

/// How a plan is quantized.
#[derive(Debug)]
pub(super) struct Int8 {
    /// For every step, what its bytes stand for; `None` where there are none: its only reader is fused with it, or it stays in
    /// floating point.
    steps: Vec<Option<Affine>>,
}

impl Int8 {
    /// The quantization of a plan whose values lie in these ranges, least and most.
    pub(super) fn new(plan: &Plan, ranges: &[(f32, f32)]) -> Int8 {
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
        Int8 { steps }
    }

    fn quantized(&self, graph: &mut Graph, affine: Affine, step: usize, value: &str) -> String {
        let scale = graph.constant(&format!("scale.{step}"), &[], Elements::floats(&[affine.scale]));
        let zero_point = graph.constant(
            &format!("zero_point.{step}"),
            &[],
            Elements::bytes(&[affine.zero_point]),
        );
        let (bytes, read) = (format!("{value}.bytes"), format!("{value}.read"));
        graph.operator("QuantizeLinear", &[value, &scale, &zero_point], &bytes, &[]);
        graph.operator("DequantizeLinear", &[&bytes, &scale, &zero_point], &read, &[]);
        read
    }
}

impl Scheme for Int8 {
    fn constants(&self, graph: &mut Graph, name: &str, kernel: &Kernel, input: usize) -> (String, Option<String>) {
        let outputs = kernel.dims[0];
        let input_scale = self.steps[input].map_or(ZEROS_SCALE, |affine| affine.scale);
        // A bias that is large beside the weights of its output has to fit its 32 bits.
        let bias = |output: usize| kernel.bias.as_ref().map_or(0.0, |bias| bias[output].abs());
        let (scales, rows) = kernel.quantized(LARGEST_WEIGHT, |output| bias(output) / input_scale / LARGEST_BIAS);
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

    fn pass_on(&self, graph: &mut Graph, step: usize, value: String) -> String {
        match self.steps[step] {
            Some(affine) => self.quantized(graph, affine, step, &value),
            None => value,
        }
    }

    fn pass_on_unchanged(&self, graph: &mut Graph, step: usize, value: String) -> String {
        self.pass_on(graph, step, value)
    }
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
