//! Weights of four bits that operators compute with in 32-bit floating point: a file an eighth as large, for where memory and
//! downloads are what counts.

use super::graph::{Attribute, Elements, Graph, Opset};
use super::parameters::Kernel;
use super::scheme::{Place, Scheme, Single};

/// Largest magnitude of a weight in 4 bits; -8 has no counterpart.
const LARGEST_WEIGHT: f32 = 7.0;

/// Weights in four bits, with a scale for every output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Int4;

impl Scheme for Int4 {
    /// The first with integers of four bits.
    fn opset(&self) -> Opset {
        Opset(21)
    }

    fn constants(&self, graph: &mut Graph, layer: Place<'_>, kernel: &Kernel) -> (String, Option<String>) {
        let name = layer.name;
        let (scales, rows) = kernel.quantized(LARGEST_WEIGHT, |_| 0.0);
        let weight = format!("{name}.weight");
        let integers = graph.constant(&format!("{weight}.integers"), &kernel.dims, Elements::nibbles(&rows));
        let scale = graph.constant(&format!("{weight}.scale"), &[scales.len()], Elements::floats(&scales));
        graph.operator(
            "DequantizeLinear",
            &[&integers, &scale],
            &weight,
            &[("axis", Attribute::Int(0))],
        );
        (weight, Single::bias(graph, name, kernel))
    }
}
