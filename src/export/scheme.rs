//! How numbers are stored in a file: what a precision means for weights, biases and what flows between operators.

use super::graph::{Attribute, Elements, Graph, Opset};
use super::message::ElementType;
use super::parameters::Kernel;

/// Where a layer with weights stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// How its constants are called.
    pub(super) name: &'a str,
    /// Its step.
    pub(super) step: usize,
    /// The step that it reads.
    pub(super) input: usize,
}

/// A way to store numbers.
pub(super) trait Scheme {
    /// The set of operators that it needs.
    fn opset(&self) -> Opset {
        Opset(17)
    }

    /// What operators compute with.
    fn computed(&self) -> ElementType {
        ElementType::Float
    }

    /// Adds the constants of a layer; gives the names of its weights and of its bias, if it has one.
    fn constants(&self, graph: &mut Graph, layer: Place<'_>, kernel: &Kernel) -> (String, Option<String>);

    /// Appends what stands between a value and the layer with weights that reads it; gives the name that the layer reads.
    fn read(&self, _graph: &mut Graph, _layer: Place<'_>, value: String) -> String {
        value
    }

    /// Appends what stands between the output of a step and those who read it; gives the name that they read. Step 0 is the
    /// graph's input.
    fn pass_on(&self, _graph: &mut Graph, _step: usize, value: String) -> String {
        value
    }

    /// As [`Scheme::pass_on`], for a value with the elements of a step's output in another order or shape.
    fn pass_on_unchanged(&self, _graph: &mut Graph, _step: usize, value: String) -> String {
        value
    }
}

/// 32-bit floating point throughout.
#[derive(Debug, Clone, Copy)]
pub(super) struct Single;

impl Single {
    /// Adds the bias of a layer, if it has one.
    pub(super) fn bias(graph: &mut Graph, name: &str, kernel: &Kernel) -> Option<String> {
        let bias = kernel.bias.as_ref()?;
        Some(graph.constant(&format!("{name}.bias"), &[bias.len()], Elements::floats(bias)))
    }
}

impl Scheme for Single {
    fn constants(&self, graph: &mut Graph, layer: Place<'_>, kernel: &Kernel) -> (String, Option<String>) {
        let weights = Elements::floats(&kernel.weight);
        let weight = graph.constant(&format!("{}.weight", layer.name), &kernel.dims, weights);
        (weight, Single::bias(graph, layer.name, kernel))
    }
}

/// 16-bit floating point between input and output, which stay 32-bit, so that the file takes the place of another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Half;

impl Scheme for Half {
    fn computed(&self) -> ElementType {
        ElementType::Float16
    }

    fn constants(&self, graph: &mut Graph, layer: Place<'_>, kernel: &Kernel) -> (String, Option<String>) {
        let name = layer.name;
        let bias = (kernel.bias.as_ref())
            .map(|bias| graph.constant(&format!("{name}.bias"), &[bias.len()], Elements::halves(bias)));
        let weight = graph.constant(
            &format!("{name}.weight"),
            &kernel.dims,
            Elements::halves(&kernel.weight),
        );
        (weight, bias)
    }

    fn pass_on(&self, graph: &mut Graph, step: usize, value: String) -> String {
        if step > 0 {
            return value;
        }
        let half = format!("{value}.half");
        let to = Attribute::Int(i32::from(ElementType::Float16).into());
        graph.operator("Cast", &[&value], &half, &[("to", to)]);
        half
    }
}
