//! The settings of an optimizer's training.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How an optimizer is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// Architectures that a device is described by.
    pub anchors: usize,
    /// Width of the layers that read a query.
    pub hidden: usize,
    /// Width of the recurrent state that writes the genes.
    pub state: usize,
    /// Training steps.
    pub steps: usize,
    /// Devices drawn per step.
    pub devices_per_step: usize,
    /// Queries per drawn device.
    pub queries_per_device: usize,
    /// Highest learning rate, which falls to zero along a cosine.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest norm of the gradient of each weight tensor.
    pub gradient_norm: f64,
    /// Percentage points below the best within which designs are also taught, so that samples differ.
    pub tolerance: f64,
    /// Designs that answers are looked for among in spaces too large to list.
    pub pool: usize,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        OptimizerConfig {
            anchors: 48,
            hidden: 128,
            state: 64,
            steps: 3000,
            devices_per_step: 16,
            queries_per_device: 24,
            learning_rate: 3e-3,
            weight_decay: 1e-4,
            gradient_norm: 1.0,
            tolerance: 0.2,
            pool: 8192,
        }
    }
}

impl OptimizerConfig {
    /// Refuses settings that cannot be trained with.
    pub(super) fn check(&self) -> Result<()> {
        let counts = [
            ("anchors", self.anchors),
            ("hidden", self.hidden),
            ("state", self.state),
            ("steps", self.steps),
            ("devices-per-step", self.devices_per_step),
            ("queries-per-device", self.queries_per_device),
            ("pool", self.pool),
        ];
        let zero = counts
            .iter()
            .find(|(_, count)| *count == 0)
            .map(|(name, _)| (*name, 0.0));
        let values = [
            ("learning-rate", self.learning_rate),
            ("weight-decay", self.weight_decay),
            ("gradient-norm", self.gradient_norm),
            ("tolerance", self.tolerance),
        ];
        let bad = values
            .into_iter()
            .find(|(_, value)| !(value.is_finite() && *value >= 0.0));
        match zero.or(bad) {
            None => Ok(()),
            Some((name, found)) => Err(Error::Invalid {
                what: format!("optimizer configuration, {name}"),
                expected: "a positive number".into(),
                found: found.to_string(),
                hint: "Leave it out for the usual one.".into(),
            }),
        }
    }
}
