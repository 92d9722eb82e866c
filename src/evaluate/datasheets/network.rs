//! A network that reads a datasheet and says what profile the device has: the mean and the covariance of its log prices.
//!
//! It starts from the population of known devices and learns by how much a datasheet moves a device within it: its outputs are in
//! coordinates in which that population is standard normal. The loss is the negative log density of the known profiles, each as
//! uncertain as its fit left it (Nix and Weigend, *Estimating the mean and variance of the target probability distribution*, 1994),
//! and every hardware unit counts as one. Members that begin differently are one mixture (Lakshminarayanan et al., *Simple and
//! scalable predictive uncertainty estimation using deep ensembles*, 2017).

use std::ops::Range;

use burn::module::Module;
use burn::tensor::activation::tanh;
use burn::tensor::{Tensor, TensorData};

use crate::compute::ComputeDevice;
use crate::device::{Device, features};
use crate::predict::Prior;
use crate::predict::net::{Tower, TowerConfig};
use crate::profile::{COORDINATES, Coordinates, Covariance, Normal};
use crate::seed::Seed;
use crate::training::Descent;

/// Sizes and training: with few devices a small network that is stopped early is best.
const HIDDEN: usize = 16;
const FEATURES: usize = 8;
const MEMBERS: usize = 5;
const STEPS: usize = 150;
const LEARNING_RATE: f64 = 3e-3;
const WEIGHT_DECAY: f64 = 1e-2;
const GRADIENT_NORM: f64 = 1.0;
/// The logarithm of a standard deviation is at most so far from that of the population.
const MOST_LOG_SCALE: f64 = 2.0;

/// From datasheets to distributions of profiles.
pub(super) struct DatasheetNetwork {
    population: Normal,
    members: Vec<Tower>,
    compute: ComputeDevice,
}

impl DatasheetNetwork {
    /// Learns from the known devices of a prior.
    pub(super) fn fit(prior: &Prior, seed: Seed, compute: &ComputeDevice) -> DatasheetNetwork {
        let population = prior.population();
        let rows = Rows::of(prior, &population);
        let members = (0..MEMBERS).map(|index| rows.fitted(seed.child("datasheet-network", index), compute));
        DatasheetNetwork {
            members: members.collect(),
            population,
            compute: compute.clone(),
        }
    }

    /// What profile a device of this datasheet has.
    pub(super) fn profile(&self, device: &Device) -> Normal {
        let features = datasheet(device);
        let shape = [1, features.len()];
        let features: Tensor<2> = Tensor::from_data(TensorData::new(features, shape), &self.compute);
        let count = self.members.len() as f64;
        let (mut mean, mut square) = (Coordinates::zeros(), Coordinates::zeros());
        for member in &self.members {
            let outputs: Vec<f32> = member.forward(features.clone()).into_data().iter().collect();
            let (means, log_scales) = outputs.split_at(COORDINATES);
            for (index, (&at, &log_scale)) in means.iter().zip(log_scales).enumerate() {
                let scale = (MOST_LOG_SCALE * (f64::from(log_scale) / MOST_LOG_SCALE).tanh()).exp();
                mean[index] += f64::from(at) / count;
                square[index] += (f64::from(at).powi(2) + scale * scale) / count;
            }
        }
        let root = self.population.root();
        let variances = square - mean.component_mul(&mean);
        Normal {
            mean: self.population.mean + root * mean,
            covariance: root * Covariance::from_diagonal(&variances) * root.transpose(),
        }
    }
}

/// Its entries as a network reads them.
fn datasheet(device: &Device) -> Vec<f32> {
    features::features(device)
        .into_iter()
        .map(|value| value as f32)
        .collect()
}

/// What is learned from: one row per known device.
struct Rows {
    /// `[devices, features]`.
    features: Vec<f32>,
    /// `[devices, COORDINATES]`: profiles where the population is standard normal.
    profiles: Vec<f32>,
    /// `[devices, COORDINATES]`: how well those are known, as variances.
    variances: Vec<f32>,
    /// `[devices]`, adding up to one.
    weights: Vec<f32>,
}

impl Rows {
    fn of(prior: &Prior, population: &Normal) -> Rows {
        let inverse = population.root().try_inverse().unwrap_or_else(Covariance::identity);
        let mut rows = Rows {
            features: Vec::new(),
            profiles: Vec::new(),
            variances: Vec::new(),
            weights: prior.unit_weights().iter().map(|weight| *weight as f32).collect(),
        };
        for known in &prior.known {
            rows.features.extend(datasheet(&known.datasheet));
            let profile = inverse * (known.profile - population.mean);
            rows.profiles.extend(profile.iter().map(|value| *value as f32));
            let covariance = inverse * known.covariance * inverse.transpose();
            rows.variances
                .extend(covariance.diagonal().iter().map(|value| *value as f32));
        }
        rows
    }

    fn fitted(&self, seed: Seed, device: &ComputeDevice) -> Tower {
        let learning = device.clone().autodiff();
        let inputs = features::names().len();
        let config = TowerConfig::new(inputs, 2 * COORDINATES, HIDDEN, FEATURES);
        let mut tower = config.init(&mut seed.stream("init"), &learning);
        let mut descent = Descent::new(LEARNING_RATE, WEIGHT_DECAY, GRADIENT_NORM, STEPS);
        for step in 0..STEPS {
            let loss = |tower: &Tower, rows: Range<usize>| self.loss(tower, rows, &learning);
            (tower, _) = descent.step(step, tower, self.weights.len(), &learning, loss);
        }
        tower.valid()
    }

    /// Negative log density of some devices' profiles, up to a constant.
    fn loss(&self, tower: &Tower, rows: Range<usize>, device: &ComputeDevice) -> Tensor<1> {
        let part = |values: &[f32]| -> Tensor<2> {
            let width = values.len() / self.weights.len();
            let values = values[rows.start * width..rows.end * width].to_vec();
            Tensor::from_data(TensorData::new(values, [rows.len(), width]), device)
        };
        let outputs = tower.forward(part(&self.features));
        let mean = outputs.clone().slice([0..rows.len(), 0..COORDINATES]);
        let log_scale = outputs.slice([0..rows.len(), COORDINATES..2 * COORDINATES]);
        let scale = (tanh(log_scale / MOST_LOG_SCALE) * MOST_LOG_SCALE).exp();
        let variance = scale.clone() * scale + part(&self.variances);
        let away = part(&self.profiles) - mean;
        let densities = variance.clone().log() + away.clone() * away / variance;
        (densities * part(&self.weights)).sum() * 0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::compute::Backend;
    use crate::device::catalogue;

    /// Known devices of two classes with the same profile each, one with launches a hundred times as dear.
    #[test]
    fn a_class_moves_the_prices_that_it_has_in_common() {
        let compute = Backend::Flex.device().unwrap();
        let checkpoint = Checkpoint::resolve(std::path::Path::new("nasbench201")).unwrap();
        let mut prior = checkpoint.predictor(&compute).unwrap().metrics.latency().prior.clone();
        let usual = prior.population().mean;
        let launch = crate::profile::LAUNCH_DENSE;
        for known in &mut prior.known {
            let is_gpu = known.datasheet.class.as_deref() == Some("gpu");
            known.profile = usual;
            known.profile[launch] += if is_gpu { 100_f64.ln() } else { 0.0 };
            known.covariance = Covariance::identity() * 1e-4;
        }
        let network = DatasheetNetwork::fit(&prior, Seed(1), &compute);
        let [gpu, phone] = ["titan_rtx_1", "pixel2"].map(|id| network.profile(&catalogue::find(id).unwrap()));
        let apart = gpu.mean[launch] - phone.mean[launch];
        assert!((2.0..6.5).contains(&apart), "{apart}, where 4.6 is right");
        let other = crate::profile::SPATIAL;
        assert!((gpu.mean[other] - phone.mean[other]).abs() < 1.0);
        // Surer than the population, in which launches differ.
        let population = prior.population();
        assert!(phone.covariance[(launch, launch)] < population.covariance[(launch, launch)]);
    }
}
