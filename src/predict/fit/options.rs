//! What to learn from a dataset, and how long.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::MIN_VALUES;
use crate::error::{Error, Result};
use crate::predict::Ablation;
use crate::predict::train::TrainingConfig;
use crate::space::QuantPolicy;

/// What to learn from a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FitOptions {
    /// Accuracy task; the dataset's only one by default.
    pub task: Option<String>,
    /// Known devices, as ids or hardware units; all by default.
    pub devices: Vec<String>,
    /// The precision that counts on devices measured at several; a device measured at one is known at that one.
    pub precision: Option<QuantPolicy>,
    /// Learn from latencies that no device like theirs can have, too; otherwise they are taken for a mistaken unit and refused.
    pub trust_units: bool,
    /// Maximum architectures used per device, drawn at random; all by default.
    pub samples_per_device: Option<usize>,
    /// Draw one set of `samples_per_device` architectures for all known devices, as few-shot benchmarks do, instead of one for
    /// each: those that the most of them have measured, at random among equals.
    pub shared_architectures: bool,
    /// Maximum architectures whose accuracy is used, drawn at random; all by default.
    pub accuracy_samples: Option<usize>,
    /// Leave the accuracies trained on out of the checkpoint, so that it can be published where they cannot: every accuracy
    /// is then predicted, where otherwise the measured one is given if there is one.
    pub forget_accuracies: bool,
    /// Parts that latency and energy are predicted without; none by default.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub without: BTreeSet<Ablation>,
    /// Training of the latency and energy towers.
    pub towers: TrainingConfig,
    /// Training of the accuracy towers.
    #[serde(deserialize_with = "accuracy_section")]
    pub accuracy: TrainingConfig,
}

/// The usual training of accuracy towers: one output instead of one per device, but a harder function.
fn accuracy_training() -> TrainingConfig {
    TrainingConfig {
        members: 5,
        hidden: 256,
        epochs: 100,
        patience: 40,
        batch: 128,
        steps_per_epoch: 60,
        learning_rate: 2e-3,
        weight_decay: 0.2,
        ..TrainingConfig::default()
    }
}

/// Reads a section that leaves out what is to stay as in [`accuracy_training`].
fn accuracy_section<'de, D: serde::Deserializer<'de>>(section: D) -> std::result::Result<TrainingConfig, D::Error> {
    let given = toml::Table::deserialize(section)?;
    let mut whole = toml::Table::try_from(accuracy_training()).map_err(serde::de::Error::custom)?;
    whole.extend(given);
    whole
        .try_into()
        .map_err(|error: toml::de::Error| serde::de::Error::custom(error.message()))
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions {
            task: None,
            devices: Vec::new(),
            precision: None,
            trust_units: false,
            samples_per_device: None,
            shared_architectures: false,
            accuracy_samples: None,
            forget_accuracies: false,
            without: BTreeSet::new(),
            towers: TrainingConfig::default(),
            accuracy: accuracy_training(),
        }
    }
}

impl FitOptions {
    /// How the latency and energy towers are trained: as little as can be where nothing looks at them.
    pub(super) fn latency_towers(&self) -> TrainingConfig {
        let towers = self.towers.clone();
        if self.without.contains(&Ablation::Residual) {
            return TrainingConfig {
                members: 1,
                epochs: 1,
                ..towers
            };
        }
        towers
    }

    /// Checks every number.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the option.
    pub fn check(&self) -> Result<()> {
        for (what, value) in [
            ("samples-per-device", self.samples_per_device),
            ("accuracy-samples", self.accuracy_samples),
        ] {
            if value.is_some_and(|value| value < MIN_VALUES) {
                return Err(Error::Invalid {
                    what: what.into(),
                    expected: format!("at least {MIN_VALUES}"),
                    found: value.unwrap_or_default().to_string(),
                    hint: "Use more, or adapt to the device with probes instead of training on it.".into(),
                });
            }
        }
        self.towers.check("towers")?;
        self.accuracy.check("accuracy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::read_toml;
    use crate::optimize::OptimizerConfig;
    use std::path::Path;

    #[test]
    fn the_commented_configurations_show_the_defaults() {
        let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
        assert_eq!(
            read_toml::<FitOptions>(&configs.join("predictor.toml")).unwrap(),
            FitOptions::default()
        );
        assert_eq!(
            read_toml::<OptimizerConfig>(&configs.join("optimizer.toml")).unwrap(),
            OptimizerConfig::default()
        );
    }

    #[test]
    fn a_section_keeps_its_own_defaults_and_refuses_unknown_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        std::fs::write(&path, "[accuracy]\nepochs = 7\n").unwrap();
        let options: FitOptions = read_toml(&path).unwrap();
        assert_eq!(
            (options.accuracy.epochs, options.accuracy.hidden),
            (7, accuracy_training().hidden)
        );
        std::fs::write(&path, "[accuracy]\nepoch = 7\n").unwrap();
        let message = read_toml::<FitOptions>(&path).unwrap_err().to_string();
        assert!(message.contains("`epoch` (did you mean `epochs`?)"), "{message}");
    }
}
