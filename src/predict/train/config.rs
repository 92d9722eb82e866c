//! The settings of a training of towers.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How towers are trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Towers in the ensemble.
    pub members: usize,
    /// Width of the hidden layers.
    pub hidden: usize,
    /// Learned features, K.
    pub features: usize,
    /// Most passes over the training architectures.
    pub epochs: usize,
    /// Passes without a better validation loss after which a member stops.
    pub patience: usize,
    /// Architectures per step.
    pub batch: usize,
    /// Fewest steps of an epoch: few architectures are gone over several times.
    pub steps_per_epoch: usize,
    /// Highest learning rate, which falls to zero along a cosine.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest norm of the gradient of each weight tensor.
    pub gradient_norm: f64,
    /// Share of the training architectures held out for validation and for the noise of each output.
    pub validation: f64,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        TrainingConfig {
            members: 3,
            hidden: 128,
            features: 16,
            epochs: 60,
            patience: 15,
            batch: 256,
            steps_per_epoch: 1,
            learning_rate: 3e-3,
            weight_decay: 1e-4,
            gradient_norm: 1.0,
            validation: 0.1,
        }
    }
}

impl TrainingConfig {
    /// Steps of an epoch over so many architectures.
    pub(super) fn steps(&self, architectures: usize) -> usize {
        architectures.div_ceil(self.batch).max(self.steps_per_epoch)
    }

    /// Checks every number; `section` is named in the error.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the first that cannot be used.
    pub fn check(&self, section: &str) -> Result<()> {
        let counts = [
            ("members", self.members, 64),
            ("hidden", self.hidden, 4096),
            ("features", self.features, 4096),
            ("epochs", self.epochs, 1_000_000),
            ("batch", self.batch, 1_000_000),
            ("steps-per-epoch", self.steps_per_epoch, 1_000_000),
        ];
        let invalid = |name: &str, expected: String, found: String| Error::Invalid {
            what: format!("{section}.{name}"),
            expected,
            found,
            hint: "Correct it, or leave it out for the default.".into(),
        };
        for (name, value, most) in counts {
            if value == 0 || value > most {
                return Err(invalid(name, format!("1 to {most}"), value.to_string()));
            }
        }
        let numbers = [
            ("learning-rate", self.learning_rate, 1.0),
            ("gradient-norm", self.gradient_norm, 1e6),
            ("validation", self.validation, 0.9),
        ];
        for (name, value, most) in numbers {
            if !(value > 0.0 && value <= most) {
                return Err(invalid(name, format!("above 0, at most {most}"), value.to_string()));
            }
        }
        if self.weight_decay >= 0.0 && self.weight_decay < 1.0 {
            Ok(())
        } else {
            Err(invalid("weight-decay", "0 to 1".into(), self.weight_decay.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_cannot_be_trained_with_are_named() {
        for (bad, name) in [
            (
                TrainingConfig {
                    epochs: 0,
                    ..TrainingConfig::default()
                },
                "towers.epochs",
            ),
            (
                TrainingConfig {
                    learning_rate: f64::NAN,
                    ..TrainingConfig::default()
                },
                "towers.learning-rate",
            ),
            (
                TrainingConfig {
                    validation: 1.0,
                    ..TrainingConfig::default()
                },
                "towers.validation",
            ),
            (
                TrainingConfig {
                    weight_decay: -0.1,
                    ..TrainingConfig::default()
                },
                "towers.weight-decay",
            ),
        ] {
            let message = bad.check("towers").unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
        assert!(TrainingConfig::default().check("towers").is_ok());
    }
}
