//! A plan as an ONNX graph.

use super::graph::{Attribute, Elements, Graph, INPUT, OUTPUT};
use super::message::ElementType;
use super::parameters::Kernel;
use super::plan::{Operator, Plan, Window};
use super::scheme::{Place, Scheme};
use crate::space::{Activation, PoolingKind, Shape};

/// The file of a plan for batches of this size, its numbers stored in a scheme.
pub(super) fn file(plan: &Plan, scheme: &dyn Scheme, batch: u32) -> Vec<u8> {
    let mut lowering = Lowering {
        plan,
        scheme,
        batch: batch as usize,
        graph: Graph::default(),
        values: Vec::new(),
        flat: Vec::new(),
    };
    for step in 0..plan.steps.len() {
        lowering.append(step);
    }
    let (input, output) = (lowering.dims(0), lowering.dims(plan.output));
    lowering.graph.into_file(scheme.opset(), &input, &output)
}

struct Lowering<'a> {
    plan: &'a Plan,
    scheme: &'a dyn Scheme,
    batch: usize,
    graph: Graph,
    /// For every step, the name that those who read it read.
    values: Vec<String>,
    /// For every step, whether its output has no extents in pixels, as behind a fully connected layer.
    flat: Vec<bool>,
}

impl Lowering<'_> {
    /// Appends a step.
    fn append(&mut self, step: usize) {
        let is_output = step == self.plan.output;
        let half = self.scheme.computed() == ElementType::Float16;
        let inputs = &self.plan.steps[step].inputs;
        self.flat.push(match self.plan.steps[step].operator {
            Operator::Connect(_) => true,
            Operator::Activate(_) => self.flat[inputs[0]],
            _ => false,
        });
        let name = match &self.plan.steps[step].operator {
            Operator::Input => INPUT.to_string(),
            _ if is_output && !half => OUTPUT.to_string(),
            operator => format!("{}.{step}", kind(operator)),
        };
        self.compute(step, &name);
        if name != INPUT && name != OUTPUT {
            let dims = self.dims(step);
            self.graph.describe(&name, self.scheme.computed(), &dims);
        }
        if is_output && name != OUTPUT {
            self.leave(&name, half && name != INPUT);
        }
        let value = if is_output {
            name
        } else {
            self.scheme.pass_on(&mut self.graph, step, name)
        };
        self.values.push(value);
    }

    /// Appends what leads from the last step's value to the output.
    fn leave(&mut self, value: &str, cast: bool) {
        if cast {
            let to = Attribute::Int(i32::from(ElementType::Float).into());
            self.graph.operator("Cast", &[value], OUTPUT, &[("to", to)]);
        } else {
            self.graph.operator("Identity", &[value], OUTPUT, &[]);
        }
    }

    /// Appends the operators of a step, which give the value `name`.
    fn compute(&mut self, step: usize, name: &str) {
        let plan = self.plan;
        let inputs = &plan.steps[step].inputs;
        match &plan.steps[step].operator {
            Operator::Input => {}
            Operator::Zero => {
                let map = self.map(inputs[0]);
                let zero = self.number("zero", 0.0);
                self.graph.operator("Mul", &[&map, &zero], name, &[]);
            }
            Operator::Convolve { kernel, groups, window } => {
                let mut attributes = window_attributes(*window);
                attributes.push(("group", Attribute::Int((*groups).into())));
                let map = self.map(inputs[0]);
                self.apply("Conv", kernel, inputs[0], &map, name, &attributes);
            }
            Operator::Connect(kernel) => self.connect(kernel, inputs[0], name),
            Operator::Activate(activation) => self.activate(*activation, inputs[0], name),
            Operator::Pool(kind, window) => {
                let mut attributes = window_attributes(*window);
                let kind = match kind {
                    PoolingKind::Maximum => "MaxPool",
                    PoolingKind::Average => {
                        attributes.push(("count_include_pad", Attribute::Int(0)));
                        "AveragePool"
                    }
                };
                let map = self.map(inputs[0]);
                self.graph.operator(kind, &[&map], name, &attributes);
            }
            Operator::PoolGlobally => self.join("GlobalAveragePool", inputs, name, &[]),
            Operator::Add => self.join("Add", inputs, name, &[]),
            Operator::Multiply => self.join("Mul", inputs, name, &[]),
            Operator::Concatenate => self.join("Concat", inputs, name, &[("axis", Attribute::Int(1))]),
            Operator::Shuffle { groups } => self.shuffle(*groups, plan.steps[step].output, inputs[0], name),
        }
    }

    /// Appends an operator that reads maps and nothing else.
    fn join(&mut self, kind: &str, inputs: &[usize], name: &str, attributes: &[(&str, Attribute)]) {
        let maps: Vec<String> = inputs.iter().map(|&input| self.map(input)).collect();
        let maps: Vec<&str> = maps.iter().map(String::as_str).collect();
        self.graph.operator(kind, &maps, name, attributes);
    }

    /// Appends an operator with weights, which reads the value `read` of the step `input`.
    fn apply(
        &mut self,
        kind: &str,
        kernel: &Kernel,
        input: usize,
        read: &str,
        name: &str,
        attributes: &[(&str, Attribute)],
    ) {
        let step = self.values.len();
        let label = format!("{}.{step}", kind.to_lowercase());
        let layer = Place {
            name: &label,
            step,
            input,
        };
        let read = self.scheme.read(&mut self.graph, layer, read.to_string());
        let (weight, bias) = self.scheme.constants(&mut self.graph, layer, kernel);
        let inputs: Vec<&str> = [read.as_str(), &weight].into_iter().chain(bias.as_deref()).collect();
        self.graph.operator(kind, &inputs, name, attributes);
    }

    fn connect(&mut self, kernel: &Kernel, input: usize, name: &str) {
        let mut read = self.values[input].clone();
        if !self.flat[input] {
            let flat = format!("{name}.flat");
            self.graph
                .operator("Flatten", &[&read], &flat, &[("axis", Attribute::Int(1))]);
            read = self.scheme.pass_on_unchanged(&mut self.graph, input, flat);
        }
        self.apply("Gemm", kernel, input, &read, name, &[("transB", Attribute::Int(1))]);
    }

    fn activate(&mut self, activation: Activation, input: usize, name: &str) {
        let read = self.values[input].clone();
        match activation {
            Activation::Relu => self.graph.operator("Relu", &[&read], name, &[]),
            Activation::Relu6 => {
                let (least, most) = (self.number("zero", 0.0), self.number("six", 6.0));
                self.graph.operator("Clip", &[&read, &least, &most], name, &[]);
            }
            Activation::HardSwish => self.graph.operator("HardSwish", &[&read], name, &[]),
            Activation::Sigmoid => self.graph.operator("Sigmoid", &[&read], name, &[]),
            Activation::HardSigmoid => {
                let slope = [("alpha", Attribute::Float(1.0 / 6.0)), ("beta", Attribute::Float(0.5))];
                self.graph.operator("HardSigmoid", &[&read], name, &slope);
            }
        }
    }

    /// Appends a transposition of the channels as a matrix `[groups, channels / groups]`.
    fn shuffle(&mut self, groups: u32, shape: Shape, input: usize, name: &str) {
        let (groups, channels) = (groups as usize, shape.channels as usize);
        let matrix = [self.batch, groups, channels / groups, shape.pixels() as usize];
        let map = self.map(input);
        let (split, turned) = (format!("{name}.split"), format!("{name}.turned"));
        let dims = self.extents(&matrix);
        self.graph.operator("Reshape", &[&map, &dims], &split, &[]);
        let split = self.scheme.pass_on_unchanged(&mut self.graph, input, split);
        let order = Attribute::Ints(vec![0, 2, 1, 3]);
        self.graph.operator("Transpose", &[&split], &turned, &[("perm", order)]);
        let turned = self.scheme.pass_on_unchanged(&mut self.graph, input, turned);
        let dims = self.extents(&self.map_dims(shape));
        self.graph.operator("Reshape", &[&turned, &dims], name, &[]);
    }

    /// The name of a step's output as a map `[batch, channels, height, width]`.
    fn map(&mut self, step: usize) -> String {
        let value = self.values[step].clone();
        if !self.flat[step] {
            return value;
        }
        let map = format!("{value}.map.{}", self.values.len());
        let dims = self.extents(&self.map_dims(self.plan.steps[step].output));
        self.graph.operator("Reshape", &[&value, &dims], &map, &[]);
        self.scheme.pass_on_unchanged(&mut self.graph, step, map)
    }

    /// A constant of extents, for a `Reshape`.
    fn extents(&mut self, dims: &[usize]) -> String {
        let extents: Vec<i64> = dims.iter().map(|&extent| extent as i64).collect();
        let name: Vec<String> = dims.iter().map(ToString::to_string).collect();
        let name = format!("shape.{}", name.join("x"));
        self.graph.constant(&name, &[dims.len()], Elements::integers(&extents))
    }

    /// A constant of one number in the type that operators compute with.
    fn number(&mut self, name: &str, value: f32) -> String {
        let elements = match self.scheme.computed() {
            ElementType::Float16 => Elements::halves(&[value]),
            _ => Elements::floats(&[value]),
        };
        self.graph.constant(name, &[], elements)
    }

    fn map_dims(&self, shape: Shape) -> [usize; 4] {
        let [channels, height, width] = [shape.channels, shape.height, shape.width].map(|extent| extent as usize);
        [self.batch, channels, height, width]
    }

    /// Extents of a step's output.
    fn dims(&self, step: usize) -> Vec<usize> {
        let dims = self.map_dims(self.plan.steps[step].output);
        if self.flat[step] {
            dims[..2].to_vec()
        } else {
            dims.to_vec()
        }
    }
}

/// How values of an operator begin.
fn kind(operator: &Operator) -> &'static str {
    match operator {
        Operator::Input => INPUT,
        Operator::Zero => "zeros",
        Operator::Convolve { .. } => "conv",
        Operator::Connect(_) => "linear",
        Operator::Activate(_) => "activation",
        Operator::Pool(..) | Operator::PoolGlobally => "pool",
        Operator::Add => "sum",
        Operator::Multiply => "product",
        Operator::Concatenate => "concat",
        Operator::Shuffle { .. } => "shuffle",
    }
}

fn window_attributes(window: Window) -> Vec<(&'static str, Attribute)> {
    let square = |edge: u32| Attribute::Ints(vec![edge.into(); 2]);
    let begin = i64::from(window.begin);
    let [bottom, right] = window.end.map(i64::from);
    vec![
        ("kernel_shape", square(window.kernel)),
        ("strides", square(window.stride)),
        ("pads", Attribute::Ints(vec![begin, begin, bottom, right])),
    ]
}
