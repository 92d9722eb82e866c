//! The settings of an optimizer's training.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Largest widths, steps, devices and queries per step, and pool.
const MAX_WIDTH: usize = 4096;
const MAX_STEPS: usize = 100_000_000;
const MAX_PER_STEP: usize = 100_000;
const MAX_POOL: usize = 10_000_000;

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
            pool: 4096,
        }
    }
}

impl OptimizerConfig {
    /// Refuses settings that cannot be trained with, and sizes beyond what fits: configurations and checkpoints come from
    /// outside.
    pub(super) fn check(&self) -> Result<()> {
        let counts = [
            ("anchors", self.anchors, MAX_WIDTH),
            ("hidden", self.hidden, MAX_WIDTH),
            ("state", self.state, MAX_WIDTH),
            ("steps", self.steps, MAX_STEPS),
            ("devices-per-step", self.devices_per_step, MAX_PER_STEP),
            ("queries-per-device", self.queries_per_device, MAX_PER_STEP),
            ("pool", self.pool, MAX_POOL),
        ];
        let outside = counts.iter().find(|(_, count, most)| !(1..=*most).contains(count));
        if let Some((name, count, most)) = outside {
            return Err(invalid(name, format!("1 to {most}"), count));
        }
        let values = [
            ("learning-rate", self.learning_rate),
            ("weight-decay", self.weight_decay),
            ("gradient-norm", self.gradient_norm),
            ("tolerance", self.tolerance),
        ];
        let bad = values
            .into_iter()
            .find(|(_, value)| !(value.is_finite() && *value >= 0.0));
        match bad {
            None => Ok(()),
            Some((name, found)) => Err(invalid(name, "0 or a positive number".into(), &found)),
        }
    }
}

fn invalid(name: &str, expected: String, found: &dyn Display) -> Error {
    Error::Invalid {
        what: format!("optimizer configuration, {name}"),
        expected,
        found: found.to_string(),
        hint: "Leave it out for the usual one.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_beyond_what_fits_are_refused_by_name() {
        assert!(OptimizerConfig::default().check().is_ok());
        let usual = OptimizerConfig::default;
        let refused = [
            (
                "hidden",
                OptimizerConfig {
                    hidden: 1 << 40,
                    ..usual()
                },
            ),
            ("state", OptimizerConfig { state: 0, ..usual() }),
            (
                "anchors",
                OptimizerConfig {
                    anchors: usize::MAX,
                    ..usual()
                },
            ),
            (
                "pool",
                OptimizerConfig {
                    pool: usize::MAX,
                    ..usual()
                },
            ),
            (
                "learning-rate",
                OptimizerConfig {
                    learning_rate: f64::NAN,
                    ..usual()
                },
            ),
        ];
        for (name, config) in refused {
            let message = config.check().unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}
