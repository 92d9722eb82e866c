//! A network as it is written to a file: every step one operator, normalisation folded, zeros and repeated activations gone.

use std::collections::HashMap;

use super::parameters::{Kernel, Parameters};
use super::reference::Stage;
use crate::space::{Activation, Layer, Network, Node, Operation, PoolingKind, Shape};

/// Steps in an order in which they can run. The first is the input.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// The step that gives the output.
    pub(super) output: usize,
}

/// One operator.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) operator: Operator,
    /// The steps that it reads.
    pub(super) inputs: Vec<usize>,
    pub(super) output: Shape,
    /// Where the network has the same value; nowhere for zeros.
    pub(super) value: Option<(usize, Stage)>,
}

#[derive(Debug)]
pub(super) enum Operator {
    Input,
    /// Its input times zero.
    Zero,
    Convolve {
        kernel: Kernel,
        groups: u32,
        window: Window,
    },
    Connect(Kernel),
    Activate(Activation),
    Pool(PoolingKind, Window),
    PoolGlobally,
    Add,
    Multiply,
    Concatenate,
    Shuffle {
        groups: u32,
    },
}

/// A window that moves over a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) kernel: u32,
    pub(super) stride: u32,
    /// Pixels added above and on the left.
    pub(super) begin: u32,
    /// Pixels added below and on the right. They may be more than at the beginning: where the number of windows is rounded up,
    /// the last ones reach further. That says the same as ONNX's `ceil_mode`, about which runtimes disagree.
    pub(super) end: [u32; 2],
}

impl Window {
    fn new(kernel: u32, stride: u32, padding: u32, layer: &Layer) -> Window {
        let end = |input: u32, output: u32| {
            let reach = (output - 1) * stride + kernel;
            reach.saturating_sub(input + padding).max(padding)
        };
        Window {
            kernel,
            stride,
            begin: padding,
            end: [
                end(layer.input.height, layer.output.height),
                end(layer.input.width, layer.output.width),
            ],
        }
    }
}

/// What is known of a node's output while the plan is made.
#[derive(Debug, Clone, Copy)]
enum Value {
    /// The output of a step.
    Step(usize),
    /// Zeros in the shape of a step's output.
    Zero(usize),
}

impl Plan {
    /// The plan of a network without dead nodes with the parameters of its nodes.
    ///
    /// Zeros are carried through sums, products, activations and what else keeps them and their shape. A layer that still
    /// reads zeros reads another map times zero, so that it runs, as it does where the network is run as written.
    pub(super) fn new(network: &Network, parameters: &[Parameters]) -> Plan {
        let mut builder = Builder::default();
        let mut values: Vec<Value> = Vec::new();
        for (node, parameters) in network.nodes().zip(parameters) {
            let inputs: Vec<Value> = node.inputs.iter().map(|&input| values[input as usize]).collect();
            let value = match builder.simplified(node.layer, &inputs) {
                Some(value) => value,
                None => Value::Step(builder.append(&node, parameters, &inputs)),
            };
            values.push(value);
        }
        let output = builder.step(values[network.output()]);
        let plan = Plan {
            steps: builder.steps,
            output,
        };
        plan.without_dead_steps()
    }

    /// How many steps read each step; the network's output counts as one.
    pub(super) fn readers(&self) -> Vec<usize> {
        let mut readers = vec![0; self.steps.len()];
        readers[self.output] += 1;
        for &input in self.steps.iter().flat_map(|step| &step.inputs) {
            readers[input] += 1;
        }
        readers
    }

    /// For every step, whether a layer with weights reads it.
    pub(super) fn convolved(&self) -> Vec<bool> {
        let mut convolved = vec![false; self.steps.len()];
        for step in &self.steps {
            if let Operator::Convolve { .. } | Operator::Connect(_) = step.operator {
                step.inputs.iter().for_each(|&input| convolved[input] = true);
            }
        }
        convolved
    }

    /// The plan without what nothing reads since zeros went. The input stays.
    fn without_dead_steps(self) -> Plan {
        let mut live = vec![false; self.steps.len()];
        live[0] = true;
        live[self.output] = true;
        for (step, content) in self.steps.iter().enumerate().rev() {
            if live[step] {
                content.inputs.iter().for_each(|&input| live[input] = true);
            }
        }
        let mut numbers = vec![0; self.steps.len()];
        let mut steps = Vec::new();
        for (step, mut content) in self.steps.into_iter().enumerate() {
            if live[step] {
                numbers[step] = steps.len();
                content.inputs.iter_mut().for_each(|input| *input = numbers[*input]);
                steps.push(content);
            }
        }
        Plan {
            steps,
            output: numbers[self.output],
        }
    }
}

#[derive(Debug, Default)]
struct Builder {
    steps: Vec<Step>,
    activations: HashMap<(usize, Activation), usize>,
    zeros: HashMap<usize, usize>,
}

impl Builder {
    /// The output of a layer that needs no step of its own.
    fn simplified(&self, layer: &Layer, inputs: &[Value]) -> Option<Value> {
        match (layer.operation, inputs) {
            (Operation::Zero, &[Value::Step(like) | Value::Zero(like)]) => Some(Value::Zero(like)),
            (Operation::Add, &[Value::Zero(_), other] | &[other, Value::Zero(_)]) => Some(other),
            (Operation::Multiply, &[zero @ Value::Zero(_), _]) => Some(zero),
            (Operation::Multiply, &[Value::Step(like), Value::Zero(_)]) => Some(Value::Zero(like)),
            (
                Operation::Activation(Activation::Relu | Activation::Relu6 | Activation::HardSwish)
                | Operation::Pooling(_)
                | Operation::Shuffle { .. },
                &[zero @ Value::Zero(_)],
            ) if layer.input == layer.output => Some(zero),
            _ => None,
        }
    }

    /// Appends a layer and gives the step of its output.
    fn append(&mut self, node: &Node<'_>, parameters: &Parameters, inputs: &[Value]) -> usize {
        let layer = node.layer;
        let given = (node.id, Stage::Output);
        let inputs: Vec<usize> = inputs.iter().map(|&input| self.step(input)).collect();
        let kernel = || Kernel::folded(layer, parameters);
        let (operator, activation) = match layer.operation {
            Operation::Input => (Operator::Input, None),
            Operation::Zero => (Operator::Zero, None),
            Operation::Convolution(convolution) => {
                let convolve = Operator::Convolve {
                    kernel: kernel(),
                    groups: convolution.groups,
                    window: Window::new(convolution.kernel, convolution.stride, convolution.padding, layer),
                };
                (convolve, convolution.activation)
            }
            Operation::Normalization(activation) => {
                let convolve = Operator::Convolve {
                    kernel: kernel(),
                    groups: layer.output.channels,
                    window: Window::new(1, 1, 0, layer),
                };
                (convolve, activation)
            }
            Operation::Linear => (Operator::Connect(kernel()), None),
            Operation::Activation(activation) => return self.activate(inputs[0], activation, given),
            Operation::Pooling(pooling) => {
                let window = Window::new(pooling.kernel, pooling.stride, pooling.padding, layer);
                (Operator::Pool(pooling.kind, window), None)
            }
            Operation::GlobalPooling => (Operator::PoolGlobally, None),
            Operation::Add => (Operator::Add, None),
            Operation::Multiply => (Operator::Multiply, None),
            Operation::Concatenation => (Operator::Concatenate, None),
            Operation::Shuffle { groups } => (Operator::Shuffle { groups }, None),
        };
        let value = activation.map_or(given, |_| (node.id, Stage::Linear));
        let step = self.push(operator, inputs, layer.output, Some(value));
        activation.map_or(step, |activation| self.activate(step, activation, given))
    }

    /// The activation of a step's output, computed once however often it is read.
    fn activate(&mut self, input: usize, activation: Activation, value: (usize, Stage)) -> usize {
        if let Some(&step) = self.activations.get(&(input, activation)) {
            return step;
        }
        let output = self.steps[input].output;
        let step = self.push(Operator::Activate(activation), vec![input], output, Some(value));
        self.activations.insert((input, activation), step);
        step
    }

    /// The step that gives a value.
    fn step(&mut self, value: Value) -> usize {
        match value {
            Value::Step(step) => step,
            Value::Zero(like) => {
                if let Some(&step) = self.zeros.get(&like) {
                    return step;
                }
                let output = self.steps[like].output;
                let step = self.push(Operator::Zero, vec![like], output, None);
                self.zeros.insert(like, step);
                step
            }
        }
    }

    fn push(&mut self, operator: Operator, inputs: Vec<usize>, output: Shape, value: Option<(usize, Stage)>) -> usize {
        self.steps.push(Step {
            operator,
            inputs,
            output,
            value,
        });
        self.steps.len() - 1
    }
}
