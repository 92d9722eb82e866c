//! Fused AdamW (Loshchilov & Hutter 2019): one pass over the weights. Burn's own makes a pass, and a tensor, for every operation
//! of its formula, which on a CPU takes a quarter of a training step of the networks here; elsewhere it is what computes.

use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::compute::is_cpu;

/// Decay rates of the two moments, and what keeps the division from zero: Burn's defaults.
const BETAS: (f32, f32) = (0.9, 0.999);
const EPSILON: f32 = 1e-5;
/// Weights that a thread takes at a time.
const CHUNK: usize = 16_384;

/// AdamW for the weights of one tensor at a time.
#[derive(Clone)]
pub(super) struct FusedAdamW {
    weight_decay: f32,
    elsewhere: AdamW,
}

/// What is the same for all weights in a step.
struct Factors {
    rate: f32,
    kept_weight: f32,
    first_correction: f32,
    second_correction: f32,
}

impl FusedAdamW {
    pub(super) fn new(weight_decay: f32) -> FusedAdamW {
        let elsewhere = AdamWConfig::new()
            .with_beta_1(BETAS.0)
            .with_beta_2(BETAS.1)
            .with_epsilon(EPSILON)
            .with_weight_decay(weight_decay);
        FusedAdamW {
            weight_decay,
            elsewhere: elsewhere.build(),
        }
    }
}

impl Optimizer for FusedAdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let device = weights.device();
        if !is_cpu(&device) {
            return self.elsewhere.step(rate, weights, gradient, state);
        }
        let state = state.unwrap_or_else(|| {
            let zeros = Tensor::zeros(weights.dims(), &device);
            AdamWState::new(AdaptiveMomentumState::new(0, zeros.clone(), zeros))
        });
        let AdaptiveMomentumState {
            time,
            moment_1,
            moment_2,
            ..
        } = state.momentum;
        let factors = Factors {
            rate: rate as f32,
            kept_weight: (1.0 - rate * f64::from(self.weight_decay)) as f32,
            first_correction: 1.0 - BETAS.0.powi(time as i32 + 1),
            second_correction: 1.0 - BETAS.1.powi(time as i32 + 1),
        };
        let mut data = [weights, moment_1, moment_2].map(Tensor::into_data);
        let gradient = gradient.into_data();
        let done = factors.apply(&mut data, &gradient).is_some();
        let [weights, moment_1, moment_2] = data.map(|data| Tensor::from_data(data, &device));
        let state = |time| AdamWState::new(AdaptiveMomentumState::new(time, moment_1, moment_2));
        if done {
            (weights, Some(state(time + 1)))
        } else {
            // Of numbers other than f32, nothing was touched.
            let gradient = Tensor::from_data(gradient, &device);
            self.elsewhere.step(rate, weights, gradient, Some(state(time)))
        }
    }

    fn to_device<const D: usize>(state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        <AdamW as Optimizer>::to_device(state, device)
    }
}

impl Factors {
    /// Moves weights and both moments; `None` unless all are f32.
    fn apply(&self, [weights, first, second]: &mut [TensorData; 3], gradient: &TensorData) -> Option<()> {
        let (weights, gradient) = (weights.as_mut_slice::<f32>().ok()?, gradient.as_slice::<f32>().ok()?);
        let (first, second) = (first.as_mut_slice::<f32>().ok()?, second.as_mut_slice::<f32>().ok()?);
        if weights.len() <= CHUNK {
            self.chunk(weights, first, second, gradient);
            return Some(());
        }
        let moments = first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK));
        let chunks = weights
            .par_chunks_mut(CHUNK)
            .zip(moments)
            .zip(gradient.par_chunks(CHUNK));
        chunks.for_each(|((weights, (first, second)), gradient)| self.chunk(weights, first, second, gradient));
        Some(())
    }

    fn chunk(&self, weights: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]) {
        let moments = first.iter_mut().zip(second);
        for ((weight, (first, second)), gradient) in weights.iter_mut().zip(moments).zip(gradient) {
            *first = *first * BETAS.0 + gradient * (1.0 - BETAS.0);
            *second = *second * BETAS.1 + gradient * gradient * (1.0 - BETAS.1);
            let step = *first / self.first_correction / ((*second / self.second_correction).sqrt() + EPSILON);
            *weight = *weight * self.kept_weight - step * self.rate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Backend;

    /// Burn's AdamW is the independent tool: the same weights after five steps, up to rounding, and moments that go on from
    /// either.
    #[test]
    fn one_pass_moves_weights_as_burn_does() {
        let device = Backend::Flex.device().unwrap();
        let values = |count: usize, step: usize| -> Tensor<1> {
            let values: Vec<f32> = (0..count).map(|index| ((index * 7 + step * 3) as f32).sin()).collect();
            Tensor::from_data(TensorData::new(values, [count]), &device)
        };
        // More than one chunk, the last one not full.
        let count = CHUNK + 100;
        let ours = FusedAdamW::new(0.1);
        let burn = AdamWConfig::new().with_weight_decay(0.1).build();
        let (mut weights, mut expected) = (values(count, 0), values(count, 0));
        let (mut state, mut expected_state) = (None, None);
        for step in 1..=5 {
            let rate = 0.01 / step as f64;
            (weights, state) = ours.step(rate, weights, values(count, step), state);
            (expected, expected_state) = burn.step(rate, expected, values(count, step), expected_state);
        }
        let furthest = (weights - expected.clone()).abs().max().into_scalar::<f32>();
        assert!(furthest < 1e-6, "{furthest:e}");
        let moved = (expected - values(count, 0)).abs().max().into_scalar::<f32>();
        assert!(moved > 0.01, "{moved}");
        let (ours, burn) = (state.unwrap().momentum, expected_state.unwrap().momentum);
        assert_eq!((ours.time, burn.time), (5, 5));
        let furthest = (ours.moment_2 - burn.moment_2).abs().max().into_scalar::<f32>();
        assert!(furthest < 1e-6, "{furthest:e}");
    }
}
