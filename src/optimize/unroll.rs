//! The policy as it is asked, without gradients: the recurrent unit of [`Policy::step`], its gates in one pass over memory.
//!
//! Tensor operations would each go through the states anew and take their exponentials one number at a time, which together took
//! longer than the matrix products.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};
use wide::f32x8;

use super::net::Policy;
use crate::compute::ComputeDevice;

/// Numbers computed with at once.
const LANES: usize = 8;

/// What a design in the making goes on from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Row of the states that holds what the policy knows after the genes before.
    pub(super) row: usize,
    /// Position of its query.
    pub(super) query: usize,
    /// Row of the gene table of the gene before; 0 for none.
    pub(super) before: usize,
}

/// The policy between two genes.
pub(super) struct Unrolled<'a> {
    policy: &'a Policy,
    device: &'a ComputeDevice,
    /// Width of a state.
    width: usize,
    /// `[rows, width]`: one state for each design in the making.
    hidden: Vec<f32>,
    /// `[queries, 3 * width]`: what the gates see of a query.
    context: Vec<f32>,
    /// `[1 + choices, 3 * width]`: what the gates see of the gene before.
    genes: Vec<f32>,
}

impl<'a> Unrolled<'a> {
    /// Reads queries `[queries, inputs]`: one state for each.
    pub(super) fn read(policy: &'a Policy, queries: Tensor<2>, device: &'a ComputeDevice) -> Unrolled<'a> {
        let state = policy.read(queries);
        Unrolled {
            policy,
            device,
            width: state.hidden.dims()[1],
            hidden: numbers(state.hidden),
            context: numbers(state.context),
            genes: numbers(policy.genes()),
        }
    }

    /// Takes in a gene for each of these; the states after them are in their order.
    pub(super) fn step(&mut self, steps: &[Step]) {
        let (width, gates) = (self.width, 3 * self.width);
        let row = |step: &Step| &self.hidden[step.row * width..][..width];
        let before: Vec<f32> = steps.iter().flat_map(row).copied().collect();
        let recurrent = numbers(self.policy.recur(self.tensor(before.clone())));
        let mut hidden = before;
        let rows = hidden.chunks_exact_mut(width).zip(recurrent.chunks_exact(gates));
        for ((hidden, recurrent), step) in rows.zip(steps) {
            let gene = &self.genes[step.before * gates..][..gates];
            let context = &self.context[step.query * gates..][..gates];
            pass_gates(hidden, gene, context, recurrent);
        }
        self.hidden = hidden;
    }

    /// The logits of the choices in this range of all genes' choices, `[rows, range]`.
    pub(super) fn logits(&self, choices: Range<usize>) -> Vec<f32> {
        numbers(self.policy.logits(self.tensor(self.hidden.clone()), choices))
    }

    fn tensor(&self, hidden: Vec<f32>) -> Tensor<2> {
        let rows = hidden.len() / self.width;
        Tensor::from_data(TensorData::new(hidden, [rows, self.width]), self.device)
    }
}

/// The numbers of a tensor, without a copy where nobody else holds them.
fn numbers(tensor: Tensor<2>) -> Vec<f32> {
    // Floats are read as floats, which cannot fail.
    tensor.into_data().try_into_vec_as().unwrap_or_default()
}

/// One state, of the width of `hidden`, behind a gene; the others have three parts of that width, see [`Policy::recur`].
fn pass_gates(hidden: &mut [f32], gene: &[f32], context: &[f32], recurrent: &[f32]) {
    let width = hidden.len();
    for at in (0..width).step_by(LANES) {
        let part = |values: &[f32], part: usize| lanes(&values[part * width + at..(part + 1) * width]);
        let inputs = |gate| part(gene, gate) + part(context, gate);
        let reset = sigmoid(inputs(0) + part(recurrent, 0));
        let update = sigmoid(inputs(1) + part(recurrent, 1));
        let candidate = tanh(inputs(2) + reset * part(recurrent, 2));
        let new = candidate + update * (lanes(&hidden[at..]) - candidate);
        let rest = &mut hidden[at..];
        let count = rest.len().min(LANES);
        rest[..count].copy_from_slice(&new.to_array()[..count]);
    }
}

/// The first numbers, with zeros behind the last.
fn lanes(values: &[f32]) -> f32x8 {
    f32x8::new(values.first_chunk().copied().unwrap_or_else(|| {
        let mut padded = [0.0; LANES];
        padded[..values.len()].copy_from_slice(values);
        padded
    }))
}

fn sigmoid(x: f32x8) -> f32x8 {
    f32x8::ONE / (f32x8::ONE + exponential(-x))
}

fn tanh(x: f32x8) -> f32x8 {
    f32x8::ONE - f32x8::splat(2.0) / (f32x8::ONE + exponential(x + x))
}

/// Within what a float can hold: beyond that the library's is zero.
fn exponential(x: f32x8) -> f32x8 {
    x.max(f32x8::splat(-80.0)).min(f32x8::splat(80.0)).exp()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Int;

    use super::*;
    use crate::compute::Backend;
    use crate::optimize::net::PolicySizes;
    use crate::seed::Seed;

    /// Two queries; behind them three designs, of which two share the first gene. The width is no multiple of the lanes.
    #[test]
    fn states_are_those_of_the_tensor_operations() {
        let device = Backend::Flex.device().unwrap();
        let sizes = PolicySizes {
            inputs: 3,
            hidden: 5,
            state: 11,
            choices: 6,
        };
        let policy = sizes.init(&mut Seed(1).stream("init"), &device);
        let queries = || Tensor::from_data([[0.5, -2.0, 1.0], [-1.0, 0.3, 4.0]], &device);
        let mut unrolled = Unrolled::read(&policy, queries(), &device);
        let mut state = policy.read(queries());
        let genes = [[(0, 0, 0), (1, 1, 0), (1, 1, 0)], [(2, 1, 3), (0, 0, 1), (1, 1, 2)]];
        for steps in genes {
            let steps = steps.map(|(row, query, before)| Step { row, query, before });
            unrolled.step(&steps);
            let select = |rows: [usize; 3]| Tensor::<1, Int>::from_data(rows.map(|row| row as i64), &device);
            state.hidden = state.hidden.select(0, select(steps.map(|step| step.row)));
            let context = policy.read(queries()).context;
            state.context = context.select(0, select(steps.map(|step| step.query)));
            state = policy.step(state, select(steps.map(|step| step.before)));
        }
        let expected: Vec<f32> = policy.logits(state.hidden, 2..6).into_data().iter().collect();
        let found = unrolled.logits(2..6);
        assert_eq!((found.len(), expected.len()), (12, 12));
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-6, "{found} and {expected}");
        }
    }

    #[test]
    fn gates_are_closed_or_open_far_from_zero() {
        let far = f32x8::new([-1e30, -200.0, -20.0, 0.0, 0.0, 20.0, 200.0, 1e30]);
        let close = |found: f32x8, expected: [f32; 8]| {
            for (found, expected) in found.to_array().into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
            }
        };
        close(sigmoid(far), [0.0, 0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 1.0]);
        close(tanh(far), [-1.0, -1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        let near = f32x8::new([-3.0, -1.0, -0.1, -1e-3, 1e-3, 0.1, 1.0, 3.0]);
        close(tanh(near), near.to_array().map(f32::tanh));
        close(sigmoid(near), near.to_array().map(|x| 1.0 / (1.0 + (-x).exp())));
    }
}
