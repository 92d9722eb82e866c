//! The policy as it is asked, without gradients: the recurrent unit of [`Policy::step`], its gates in one pass over memory.
//!
//! Tensor operations would each go through the states anew and take their exponentials one number at a time, which together took
//! longer than the matrix products.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};
use pulp::{Arch, Simd, WithSimd};

use super::net::Policy;
use crate::compute::ComputeDevice;

/// Numbers computed with at once, as many as the widest instructions take.
const LANES: usize = 16;

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
        let width = self.width;
        let row = |step: &Step| &self.hidden[step.row * width..][..width];
        let before: Vec<f32> = steps.iter().flat_map(row).copied().collect();
        let recurrent = numbers(self.policy.recur(self.tensor(before.clone())));
        let mut hidden = before;
        Arch::new().dispatch(Gates {
            hidden: &mut hidden,
            recurrent: &recurrent,
            policy: self,
            steps,
        });
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

/// The gates of all rows, which run on the widest instructions that the processor has.
struct Gates<'a> {
    /// `[rows, width]`: the states before, which become those after.
    hidden: &'a mut [f32],
    /// `[rows, 3 * width]`, see [`Policy::recur`].
    recurrent: &'a [f32],
    policy: &'a Unrolled<'a>,
    steps: &'a [Step],
}

impl WithSimd for Gates<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (width, gates) = (self.policy.width, 3 * self.policy.width);
        let rows = self
            .hidden
            .chunks_exact_mut(width)
            .zip(self.recurrent.chunks_exact(gates));
        for ((hidden, recurrent), step) in rows.zip(self.steps) {
            let gene = &self.policy.genes[step.before * gates..][..gates];
            let context = &self.policy.context[step.query * gates..][..gates];
            pass_gates(hidden, gene, context, recurrent);
        }
    }
}

/// One state, of the width of `hidden`, behind a gene; the others have three parts of that width, see [`Policy::recur`].
#[inline(always)]
fn pass_gates(hidden: &mut [f32], gene: &[f32], context: &[f32], recurrent: &[f32]) {
    let width = hidden.len();
    for at in (0..width).step_by(LANES) {
        let of_gates = |all: &[f32]| [0, 1, 2].map(|gate| lanes(&all[gate * width + at..(gate + 1) * width]));
        let (gene, context, recurrent) = (of_gates(gene), of_gates(context), of_gates(recurrent));
        let mut state = lanes(&hidden[at..]);
        for (lane, state) in state.iter_mut().enumerate() {
            let input = |gate: usize| gene[gate][lane] + context[gate][lane];
            let reset = sigmoid(input(0) + recurrent[0][lane]);
            let update = sigmoid(input(1) + recurrent[1][lane]);
            let candidate = tanh(input(2) + reset * recurrent[2][lane]);
            *state = candidate + update * (*state - candidate);
        }
        let rest = &mut hidden[at..];
        let count = rest.len().min(LANES);
        rest[..count].copy_from_slice(&state[..count]);
    }
}

/// The first numbers, with zeros behind the last.
#[inline(always)]
fn lanes(values: &[f32]) -> [f32; LANES] {
    values.first_chunk().copied().unwrap_or_else(|| {
        let mut padded = [0.0; LANES];
        padded[..values.len()].copy_from_slice(values);
        padded
    })
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exponential(-x))
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exponential(2.0 * x))
}

/// `exp(x)` to within rounding for `x` from -80 to 80, which it is taken to lie between: `2^whole` times a Taylor series of the
/// rest, without a branch or a call, so that many are computed at once.
#[inline(always)]
fn exponential(x: f32) -> f32 {
    // ln 2 in two parts, the first with zeros at its end, so that its product with a small whole number is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    // To add it leaves no bits for a fraction.
    const ROUNDS: f32 = 12_582_912.0;
    const SERIES: [f32; 6] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0];
    let x = x.clamp(-80.0, 80.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUNDS;
    let whole = rounded - ROUNDS;
    let rest = x - whole * LN_2[0] - whole * LN_2[1];
    let series = SERIES.iter().fold(0.0, |sum, coefficient| (sum + coefficient) * rest);
    // The last bits of what was rounded are the exponent.
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    (series + 1.0) * power
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
    fn exponentials_are_right_to_within_rounding() {
        for step in -8000..=8000 {
            let x = step as f32 / 100.0;
            let (found, expected) = (f64::from(exponential(x)), f64::from(x).exp());
            assert!(
                (found / expected - 1.0).abs() < 4e-7,
                "exp({x}) = {found}, not {expected}"
            );
        }
    }

    #[test]
    fn gates_are_closed_or_open_far_from_zero() {
        for far in [20.0, 100.0, 1e30, f32::INFINITY] {
            assert_eq!((sigmoid(far), tanh(far)), (1.0, 1.0));
            assert!(sigmoid(-far) < 1e-8 && tanh(-far) == -1.0);
        }
        assert_eq!((sigmoid(0.0), tanh(0.0)), (0.5, 0.0));
        assert!(sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
    }
}
