//! The architecture tower: features of an architecture in, one value per output (a device's latency, an accuracy) out.

use burn::config::Config;
use burn::module::{Module, Param, ParamId};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Tensor, TensorData};
use nalgebra::DMatrix;
use rand::Rng;
use rand::rngs::StdRng;

use crate::compute::{ComputeDevice, by_rows};

/// Sizes of a [`Tower`].
#[derive(Config, Debug)]
pub struct TowerConfig {
    /// Features of an encoded architecture.
    pub inputs: usize,
    /// Values predicted.
    pub outputs: usize,
    /// Width of the two hidden layers.
    pub hidden: usize,
    /// Learned features that the outputs share, K in the literature on device embeddings.
    pub features: usize,
}

/// Two hidden layers, K learned features, one vector per output over them, and a linear skip.
#[derive(Module, Debug)]
pub struct Tower {
    first: Linear,
    second: Linear,
    features: Linear,
    heads: Linear,
    skip: Linear,
}

impl TowerConfig {
    /// Number of weights of a tower; `None` where it is beyond counting.
    pub(crate) fn parameters(&self) -> Option<usize> {
        let layers = [
            (self.inputs, self.hidden),
            (self.hidden, self.hidden),
            (self.hidden, self.features),
            (self.features, self.outputs),
            (self.inputs, self.outputs),
        ];
        count_weights(&layers)
    }

    /// A tower with random weights; the skip starts at zero.
    pub fn init(&self, rng: &mut StdRng, device: &ComputeDevice) -> Tower {
        Tower {
            first: linear(self.inputs, self.hidden, 2.0, rng, device),
            second: linear(self.hidden, self.hidden, 2.0, rng, device),
            features: linear(self.hidden, self.features, 1.0, rng, device),
            heads: linear(self.features, self.outputs, 1.0, rng, device),
            skip: linear(self.inputs, self.outputs, 0.0, rng, device),
        }
    }
}

/// Number of weights of linear layers of these inputs and outputs; `None` where it is beyond counting.
pub(crate) fn count_weights(layers: &[(usize, usize)]) -> Option<usize> {
    layers.iter().try_fold(0_usize, |sum, &(inputs, outputs)| {
        sum.checked_add(inputs.checked_add(1)?.checked_mul(outputs)?)
    })
}

/// A linear layer with uniform weights of variance `gain / inputs` (2 before a ReLU: He et al. 2015) and no offset.
///
/// The weights come from `rng` and not from Burn's generator, which all threads of a process share: so the same seed
/// gives the same weights on every backend, whatever else runs.
pub fn linear(inputs: usize, outputs: usize, gain: f64, rng: &mut StdRng, device: &ComputeDevice) -> Linear {
    let bound = (3.0 * gain / inputs.max(1) as f64).sqrt() as f32;
    let weights: Vec<f32> = (0..inputs * outputs)
        .map(|_| bound * rng.random_range(-1.0..=1.0_f32))
        .collect();
    let mut weight = Param::from_data(TensorData::new(weights, [inputs, outputs]), device);
    let mut bias = Param::from_data(TensorData::zeros::<f32, _>([outputs]), device);
    // The ids are saved with the weights; Burn's own are random, and the same training would give other files.
    weight.id = ParamId::from(rng.random::<u64>());
    bias.id = ParamId::from(rng.random::<u64>());
    Linear {
        weight,
        bias: Some(bias),
    }
}

impl Tower {
    /// `[batch, inputs]` to `[batch, outputs]`, in the standardised units of the targets.
    pub fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
        let hidden = relu(self.first.forward(inputs.clone()));
        let hidden = relu(self.second.forward(hidden));
        self.heads.forward(self.features.forward(hidden)) + self.skip.forward(inputs)
    }
}

/// Several towers trained from different seeds; their mean is the prediction.
#[derive(Debug, Clone)]
pub struct Ensemble {
    /// Sizes shared by the members.
    pub config: TowerConfig,
    /// The members, without gradients; none where there is nothing to predict.
    pub members: Vec<Tower>,
}

impl Ensemble {
    /// Mean output of the members, `[inputs, architectures]` to `[outputs, architectures]`.
    pub fn predict(&self, encoded: &DMatrix<f32>, device: &ComputeDevice) -> DMatrix<f32> {
        let (width, count) = encoded.shape();
        if self.config.outputs == 0 {
            return DMatrix::zeros(0, count);
        }
        let outputs = by_rows(encoded.as_slice(), width, device, |inputs| {
            let outputs = self.members.iter().map(|member| member.forward(inputs.clone()));
            match outputs.reduce(|sum, output| sum + output) {
                Some(sum) => sum / self.members.len() as f32,
                None => Tensor::zeros([inputs.dims()[0], self.config.outputs], device),
            }
        });
        DMatrix::from_vec(self.config.outputs, count, outputs)
    }

    /// What each member of a single output predicts, from `[inputs, architectures]`: `[members, architectures]`.
    pub fn predict_each(&self, encoded: &DMatrix<f32>, device: &ComputeDevice) -> DMatrix<f32> {
        let (width, count) = encoded.shape();
        let outputs = by_rows(encoded.as_slice(), width, device, |inputs| {
            let outputs = self.members.iter().map(|member| member.forward(inputs.clone()));
            Tensor::cat(outputs.collect(), 1)
        });
        DMatrix::from_vec(self.members.len(), count, outputs)
    }
}
