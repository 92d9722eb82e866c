//! The policy network: a query in, the genes of a design out, one after another.
//!
//! A small perceptron reads the query; a gated recurrent unit (Cho et al. 2014) then writes the genes, each given the ones
//! before it. So a design is chosen as a whole, which independent choices per gene cannot do.

use burn::module::{Module, Param, ParamId};
use burn::nn::Linear;
use burn::tensor::activation::{log_softmax, relu, sigmoid, tanh};
use burn::tensor::{Int, Tensor, TensorData};
use rand::Rng;
use rand::rngs::StdRng;

use crate::compute::ComputeDevice;
use crate::predict::net::{count_weights, linear};

/// Sizes of a [`Policy`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolicySizes {
    /// Width of a query.
    pub inputs: usize,
    /// Width of the two layers that read the query.
    pub hidden: usize,
    /// Width of the recurrent state.
    pub state: usize,
    /// Choices of all genes together.
    pub choices: usize,
}

/// See the module.
#[derive(Module, Debug)]
pub struct Policy {
    first: Linear,
    second: Linear,
    start: Linear,
    context: Linear,
    /// `[1 + choices, 3 * state]`: what the gates see of the gene before; row 0 stands for none.
    genes: Param<Tensor<2>>,
    recurrent: Linear,
    output: Linear,
}

/// What the policy carries from one gene to the next, one row per design in the making.
#[derive(Debug, Clone)]
pub struct State {
    /// `[rows, state]`.
    hidden: Tensor<2>,
    /// `[rows, 3 * state]`: what the gates see of the query.
    context: Tensor<2>,
}

impl PolicySizes {
    /// Number of weights of a policy; `None` where it is beyond counting.
    pub(crate) fn parameters(&self) -> Option<usize> {
        let gates = self.state.checked_mul(3)?;
        let linear = count_weights(&[
            (self.inputs, self.hidden),
            (self.hidden, self.hidden),
            (self.hidden, self.state),
            (self.hidden, gates),
            (self.state, gates),
            (self.state, self.choices),
        ])?;
        linear.checked_add(gates.checked_mul(1 + self.choices)?)
    }

    /// A policy with random weights.
    pub fn init(&self, rng: &mut StdRng, device: &ComputeDevice) -> Policy {
        let gates = 3 * self.state;
        // Every row is seen alone, so its variance is that of one input.
        let rows: Vec<f32> = (0..(1 + self.choices) * gates)
            .map(|_| rng.random_range(-0.5..=0.5_f32))
            .collect();
        let mut genes = Param::from_data(TensorData::new(rows, [1 + self.choices, gates]), device);
        // Saved with the weights; see `linear`.
        genes.id = ParamId::from(rng.random::<u64>());
        Policy {
            first: linear(self.inputs, self.hidden, 2.0, rng, device),
            second: linear(self.hidden, self.hidden, 2.0, rng, device),
            start: linear(self.hidden, self.state, 1.0, rng, device),
            context: linear(self.hidden, gates, 1.0, rng, device),
            genes,
            recurrent: linear(self.state, gates, 1.0, rng, device),
            output: linear(self.state, self.choices, 1.0, rng, device),
        }
    }
}

impl State {
    /// The rows at these positions, in this order; a row may be taken several times.
    pub fn select(&self, rows: &[usize], device: &ComputeDevice) -> State {
        let rows = integers(rows.iter().copied(), rows.len(), device);
        State {
            hidden: self.hidden.clone().select(0, rows.clone()),
            context: self.context.clone().select(0, rows),
        }
    }
}

impl Policy {
    /// Reads queries `[rows, inputs]`.
    pub fn read(&self, queries: Tensor<2>) -> State {
        let hidden = relu(self.first.forward(queries));
        let hidden = relu(self.second.forward(hidden));
        State {
            hidden: tanh(self.start.forward(hidden.clone())),
            context: self.context.forward(hidden),
        }
    }

    /// Takes in the genes before, as rows of the gene table (0 for none); returns the state after them and the logits of
    /// all choices, `[rows, choices]`, of which only those of the gene in turn mean anything.
    pub fn step(&self, state: State, before: Tensor<1, Int>) -> (State, Tensor<2>) {
        let State { hidden, context } = state;
        let width = hidden.dims()[1];
        let inputs = self.genes.val().select(0, before) + context.clone();
        let recurrent = self.recurrent.forward(hidden.clone());
        let gates = sigmoid(inputs.clone().narrow(1, 0, 2 * width) + recurrent.clone().narrow(1, 0, 2 * width));
        let reset = gates.clone().narrow(1, 0, width);
        let update = gates.narrow(1, width, width);
        let candidate = tanh(inputs.narrow(1, 2 * width, width) + reset * recurrent.narrow(1, 2 * width, width));
        let hidden = candidate.clone() + update * (hidden - candidate);
        let logits = self.output.forward(hidden.clone());
        (State { hidden, context }, logits)
    }

    /// Mean negative log-likelihood of one design per query: `queries` is `[rows, inputs]`, `designs` holds the genes of
    /// all rows behind each other.
    pub fn loss(&self, queries: Tensor<2>, designs: &[u8], choices: &[u8], device: &ComputeDevice) -> Tensor<1> {
        let rows = queries.dims()[0];
        let mut state = self.read(queries);
        let mut before = integers(std::iter::repeat_n(0, rows), rows, device);
        let mut likelihood: Option<Tensor<2>> = None;
        let mut offset = 0;
        for (position, &count) in choices.iter().enumerate() {
            let (next, logits) = self.step(state, before);
            let logits = log_softmax(logits.narrow(1, offset, usize::from(count)), 1);
            let genes = || {
                designs
                    .iter()
                    .skip(position)
                    .step_by(choices.len())
                    .map(|&gene| usize::from(gene))
            };
            let chosen = integers(genes(), rows, device).reshape([rows, 1]);
            let chosen = logits.gather(1, chosen);
            likelihood = Some(match likelihood {
                Some(sum) => sum + chosen,
                None => chosen,
            });
            before = integers(genes().map(|gene| 1 + offset + gene), rows, device);
            state = next;
            offset += usize::from(count);
        }
        match likelihood {
            Some(sum) => sum.mean().neg(),
            None => Tensor::zeros([1], device),
        }
    }
}

/// A tensor of integers.
pub(super) fn integers(values: impl Iterator<Item = usize>, count: usize, device: &ComputeDevice) -> Tensor<1, Int> {
    let values: Vec<i64> = values.map(|value| value as i64).collect();
    Tensor::from_data(TensorData::new(values, [count]), device)
}
