//! The policy network: a query in, the genes of a design out, one after another.
//!
//! A small perceptron reads the query; a gated recurrent unit (Cho et al. 2014) then writes the genes, each given the ones
//! before it. So a design is chosen as a whole, which independent choices per gene cannot do.

use std::ops::{Range, RangeInclusive};

use burn::module::{Module, Param, ParamId};
use burn::nn::Linear;
use burn::tensor::activation::{log_softmax, relu, sigmoid, tanh};
use burn::tensor::{Int, Tensor, TensorData};
use rand::Rng;
use rand::rngs::StdRng;

use crate::compute::ComputeDevice;
use crate::predict::net::{count_weights, linear};
use crate::space::SearchSpace;

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
pub(super) struct State {
    /// `[rows, state]`.
    pub(super) hidden: Tensor<2>,
    /// `[rows, 3 * state]`: what the gates see of the query.
    pub(super) context: Tensor<2>,
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

impl Policy {
    /// Reads queries `[rows, inputs]`.
    pub(super) fn read(&self, queries: Tensor<2>) -> State {
        let hidden = relu(self.first.forward(queries));
        let hidden = relu(self.second.forward(hidden));
        State {
            hidden: tanh(self.start.forward(hidden.clone())),
            context: self.context.forward(hidden),
        }
    }

    /// Takes in the genes before, as rows of the gene table (0 for none); returns the state after them.
    pub(super) fn step(&self, state: State, before: Tensor<1, Int>) -> State {
        let State { hidden, context } = state;
        let width = hidden.dims()[1];
        let inputs = self.genes.val().select(0, before) + context.clone();
        let recurrent = self.recur(hidden.clone());
        let gates = sigmoid(inputs.clone().narrow(1, 0, 2 * width) + recurrent.clone().narrow(1, 0, 2 * width));
        let reset = gates.clone().narrow(1, 0, width);
        let update = gates.narrow(1, width, width);
        let candidate = tanh(inputs.narrow(1, 2 * width, width) + reset * recurrent.narrow(1, 2 * width, width));
        let hidden = candidate.clone() + update * (hidden - candidate);
        State { hidden, context }
    }

    /// What the gates see of hidden states `[rows, state]`: `[rows, 3 * state]`, for the reset gate, the update gate and the
    /// candidate.
    pub(super) fn recur(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.recurrent.forward(hidden)
    }

    /// `[1 + choices, 3 * state]`: what the gates see of the gene before; row 0 stands for none.
    pub(super) fn genes(&self) -> Tensor<2> {
        self.genes.val()
    }

    /// The logits of the choices in this range of all genes' choices, `[rows, range]`, behind hidden states `[rows, state]`: those
    /// of the gene in turn.
    pub(super) fn logits(&self, hidden: Tensor<2>, choices: Range<usize>) -> Tensor<2> {
        let (start, count) = (choices.start, choices.len());
        let logits = hidden.matmul(self.output.weight.val().narrow(1, start, count));
        match &self.output.bias {
            Some(bias) => logits + bias.val().narrow(0, start, count).unsqueeze(),
            None => logits,
        }
    }

    /// Mean negative log-likelihood of one design per query, each in the form that the space's canonical choices allow: choices
    /// beyond them have no probability, so genes that do not matter have no part in the likelihood. `queries` is
    /// `[rows, inputs]`.
    pub fn loss(
        &self,
        queries: Tensor<2>,
        designs: &[&[u8]],
        space: &dyn SearchSpace,
        device: &ComputeDevice,
    ) -> Tensor<1> {
        let rows = designs.len();
        let mut state = self.read(queries);
        let mut before = integers(std::iter::repeat_n(0, rows), rows, device);
        let mut likelihood: Option<Tensor<2>> = None;
        let mut offset = 0;
        for (position, &count) in space.choices().iter().enumerate() {
            let count = usize::from(count);
            state = self.step(state, before);
            let mut logits = self.logits(state.hidden.clone(), offset..offset + count);
            if let Some(mask) = mask(designs, position, count, space) {
                logits = logits + Tensor::from_data(TensorData::new(mask, [rows, count]), device);
            }
            let genes = || designs.iter().map(|genes| usize::from(genes[position]));
            let chosen = integers(genes(), rows, device).reshape([rows, 1]);
            let chosen = log_softmax(logits, 1).gather(1, chosen);
            likelihood = Some(match likelihood {
                Some(sum) => sum + chosen,
                None => chosen,
            });
            before = integers(genes().map(|gene| 1 + offset + gene), rows, device);
            offset += count;
        }
        match likelihood {
            Some(sum) => sum.mean().neg(),
            None => Tensor::zeros([1], device),
        }
    }
}

/// What is added to the logits of a gene, `[rows, count]`: nothing to those of its canonical choices, [`IMPOSSIBLE`] to the others.
/// `None` where all of them are canonical in every row.
fn mask(designs: &[&[u8]], position: usize, count: usize, space: &dyn SearchSpace) -> Option<Vec<f32>> {
    let ranges: Vec<_> = designs
        .iter()
        .map(|genes| space.canonical_choices(&genes[..position]))
        .collect();
    if ranges.iter().all(|range| range.clone().count() == count) {
        return None;
    }
    let choices = 0..count as u8;
    let of_row = |range: &RangeInclusive<u8>| {
        let range = range.clone();
        choices
            .clone()
            .map(move |choice| if range.contains(&choice) { 0.0 } else { IMPOSSIBLE })
    };
    Some(ranges.iter().flat_map(of_row).collect())
}

/// Added to a logit, it leaves no probability that a float can hold.
const IMPOSSIBLE: f32 = -1e9;

/// A tensor of integers.
pub(super) fn integers(values: impl Iterator<Item = usize>, count: usize, device: &ComputeDevice) -> Tensor<1, Int> {
    let values: Vec<i64> = values.map(|value| value as i64).collect();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Backend;
    use crate::seed::Seed;
    use crate::space::FbNet;

    #[test]
    fn genes_without_a_choice_have_no_part_in_the_likelihood() {
        let device = Backend::Flex.device().unwrap();
        let sizes = PolicySizes {
            inputs: 2,
            hidden: 4,
            state: 4,
            choices: 9 * 22,
        };
        let policy = sizes.init(&mut Seed(1).stream("init"), &device);
        // Without weights in the last layer every choice of a gene is as likely as any other.
        let output = Linear {
            weight: policy.output.weight.clone().map(|weight| weight.zeros_like()),
            bias: policy
                .output
                .bias
                .clone()
                .map(|bias| bias.map(|bias| bias.zeros_like())),
        };
        let policy = Policy { output, ..policy };
        let loss = |designs: &[&[u8]]| -> f32 {
            let queries = Tensor::zeros([designs.len(), 2], &device);
            policy.loss(queries, designs, &FbNet, &device).into_scalar()
        };
        // 22 genes of nine choices each: 22 ln 9 = 48.33894.
        let without_skips = [0; 22];
        assert!((loss(&[&without_skips]) - 48.33894).abs() < 1e-3);
        // Places 2 to 4 keep their shape. Behind a skip at place 2 there is one choice for places 3 and 4: 20 ln 9 = 43.94449.
        let mut with_skips = [0; 22];
        with_skips[2..5].fill(8);
        assert!((loss(&[&with_skips]) - 43.94449).abs() < 1e-3);
        // Each row has its own choices: the mean of the two.
        assert!((loss(&[&without_skips, &with_skips]) - 46.14172).abs() < 1e-3);
    }
}
