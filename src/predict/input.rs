//! Networks at another input size than that of the measurements learned from.

use super::Predictor;
use crate::space::InputSize;

impl Predictor {
    /// The same predictor of networks that run at another input size than the measurements that it learned from: their work is
    /// another, the prices of work are the same, and what these leave over is taken to be the same too. Nothing changes where
    /// architectures say their resolution.
    pub fn at_input(&self, input: InputSize) -> Predictor {
        let mut other = self.with_accuracy(self.accuracy.clone());
        if self.space.resolution_is_a_gene() {
            return other;
        }
        other.encoder = self.encoder.at_input(input);
        let elsewhere = input != other.encoder.learned_input();
        other.metrics = self.metrics.map(|_, metric| {
            let mut metric = metric.clone();
            let learned = metric.prior.learned_reference.take();
            metric.prior.learned_reference = elsewhere.then(|| learned.unwrap_or_else(|| self.reference().clone()));
            metric
        });
        other
    }

    /// Width and height of the input that networks run at.
    pub(super) fn input(&self) -> (u32, u32) {
        let InputSize { width, height } = self.encoder.input_size();
        (width, height)
    }
}
