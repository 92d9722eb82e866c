//! Fits an ensemble of towers to a table with gaps: AdamW, smooth L1, cosine learning rate, early stopping.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Tensor, TensorData};
use nalgebra::DMatrix;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::net::{Ensemble, Tower, TowerConfig};
use crate::compute::ComputeDevice;
use crate::error::{Error, Result};
use crate::files::write_bytes;
use crate::seed::Seed;

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
            learning_rate: 3e-3,
            weight_decay: 1e-4,
            gradient_norm: 1.0,
            validation: 0.1,
        }
    }
}

impl TrainingConfig {
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
        match self.weight_decay >= 0.0 && self.weight_decay < 1.0 {
            true => Ok(()),
            false => Err(invalid("weight-decay", "0 to 1".into(), self.weight_decay.to_string())),
        }
    }
}

/// Inputs and targets, one column per architecture. A target that was not measured is NaN.
#[derive(Debug, Clone)]
pub struct Table {
    /// Encoded architectures, `[inputs, architectures]`.
    pub inputs: DMatrix<f32>,
    /// Standardised targets, `[outputs, architectures]`.
    pub targets: DMatrix<f32>,
}

/// Which columns of a [`Table`] train and which validate; no column is in both.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Columns that weights are fitted on.
    pub training: Vec<usize>,
    /// Columns that only stop the training.
    pub validation: Vec<usize>,
}

/// What long work needs beside its numbers: where it computes, where it keeps its state, whom it tells, when it stops.
pub struct Run<'a> {
    /// Where tensors are computed.
    pub device: &'a ComputeDevice,
    /// Where the random numbers come from.
    pub seed: Seed,
    /// Folder for the state that a resumed run continues from; without one nothing is kept.
    pub state: Option<&'a Path>,
    /// Continue from the state in `state`, if there is any.
    pub resume: bool,
    /// Told after every epoch: epochs done, epochs at most, and the latest losses in words.
    pub progress: &'a (dyn Fn(u64, u64, &str) + Sync),
    /// Set from outside, by Ctrl-C, to stop at the next epoch.
    pub stop: &'a AtomicBool,
}

/// State of a member's training between two epochs.
#[derive(Serialize, Deserialize)]
struct Progress {
    epoch: usize,
    best_epoch: usize,
    best_loss: f32,
    finished: bool,
}

/// How often the state is written at most.
const STATE_INTERVAL: Duration = Duration::from_secs(3);

/// Trains the ensemble called `name` on the training columns of `table`.
///
/// # Errors
/// [`Error::Interrupted`] after a stop was asked for, with the state kept; [`Error::Io`] when the state cannot be
/// written; [`Error::Invalid`] when the loss is no longer a number.
pub fn fit(name: &str, table: &Table, split: &Split, config: &TrainingConfig, run: &Run) -> Result<Ensemble> {
    let sizes = TowerConfig::new(
        table.inputs.nrows(),
        table.targets.nrows(),
        config.hidden,
        config.features,
    );
    let members = (0..config.members)
        .map(|index| Member::start(name, index, &sizes, config, run)?.train(table, split, config, run))
        .collect::<Result<Vec<_>>>()?;
    Ok(Ensemble { config: sizes, members })
}

struct Member {
    index: usize,
    seed: Seed,
    files: Option<PathBuf>,
    tower: Tower,
    best: Tower,
    optimizer: ModuleOptimizer,
    progress: Progress,
}

impl Member {
    fn start(name: &str, index: usize, sizes: &TowerConfig, config: &TrainingConfig, run: &Run) -> Result<Member> {
        let seed = run.seed.child(name, index);
        let device = run.device.clone().autodiff();
        let tower = sizes.init(&mut seed.stream("init"), &device);
        let optimizer = AdamWConfig::new()
            .with_weight_decay(config.weight_decay as f32)
            .with_grad_clipping(Some(GradientClippingConfig::Norm(config.gradient_norm as f32)))
            .init();
        let mut member = Member {
            index,
            seed,
            files: run.state.map(|folder| folder.join(format!("{name}-{index}"))),
            best: tower.clone(),
            tower,
            optimizer,
            progress: Progress {
                epoch: 0,
                best_epoch: 0,
                best_loss: f32::INFINITY,
                finished: false,
            },
        };
        if run.resume {
            member.restore()?;
        }
        Ok(member)
    }

    fn train(mut self, table: &Table, split: &Split, config: &TrainingConfig, run: &Run) -> Result<Tower> {
        let steps = split.training.len().div_ceil(config.batch) * config.epochs;
        let mut saved = Instant::now();
        while !self.progress.finished {
            self.epoch(table, split, config, steps, run.device);
            let loss = validation_loss(&self.tower.valid(), table, &split.validation, run.device);
            self.judge(loss, config)?;
            let done = self.index * config.epochs
                + if self.progress.finished {
                    config.epochs
                } else {
                    self.progress.epoch
                };
            (run.progress)(
                done as u64,
                (config.members * config.epochs) as u64,
                &format!("validation loss {:.4}", self.progress.best_loss),
            );
            let stop = run.stop.load(Ordering::Relaxed);
            if stop || self.progress.finished || saved.elapsed() > STATE_INTERVAL {
                self.save()?;
                saved = Instant::now();
            }
            if let (true, Some(state)) = (stop, run.state) {
                return Err(Error::Interrupted {
                    state: state.to_path_buf(),
                });
            }
        }
        Ok(self.best.valid())
    }

    fn epoch(&mut self, table: &Table, split: &Split, config: &TrainingConfig, steps: usize, device: &ComputeDevice) {
        let device = device.clone().autodiff();
        let mut order = split.training.clone();
        order.shuffle(&mut self.seed.stream(&format!("shuffle/{}", self.progress.epoch)));
        let first = self.progress.epoch * order.len().div_ceil(config.batch);
        let mut tower = self.tower.clone();
        for (step, columns) in (first..).zip(order.chunks(config.batch)) {
            let (inputs, targets, mask) = batch(table, columns, &device);
            let loss = smooth_l1(tower.forward(inputs), targets, mask);
            let gradients = GradientsParams::from_grads(loss.backward(), &tower);
            let rate = config.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos());
            tower = self.optimizer.step(rate, tower, gradients);
        }
        self.tower = tower;
    }

    /// Keeps the best weights and decides whether the member is done.
    fn judge(&mut self, loss: f32, config: &TrainingConfig) -> Result<()> {
        if !loss.is_finite() {
            return Err(Error::Invalid {
                what: format!("training loss in epoch {}", self.progress.epoch + 1),
                expected: "a finite number".into(),
                found: loss.to_string(),
                hint: "Lower the learning rate.".into(),
            });
        }
        if loss < self.progress.best_loss {
            self.progress.best_loss = loss;
            self.progress.best_epoch = self.progress.epoch;
            self.best = self.tower.clone();
        }
        self.progress.epoch += 1;
        let waited = self.progress.epoch - self.progress.best_epoch > config.patience;
        self.progress.finished = waited || self.progress.epoch >= config.epochs;
        Ok(())
    }

    fn save(&self) -> Result<()> {
        let Some(folder) = &self.files else { return Ok(()) };
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        write_bytes(&folder.join("tower.bpk"), &module_bytes(&self.tower, folder)?)?;
        write_bytes(&folder.join("best.bpk"), &module_bytes(&self.best, folder)?)?;
        let optimizer = self
            .optimizer
            .into_bytes()
            .map_err(|error| unusable(folder, &error.to_string()))?;
        write_bytes(&folder.join("optimizer.bpk"), &optimizer)?;
        let progress = serde_json::to_vec(&self.progress).map_err(|error| unusable(folder, &error.to_string()))?;
        write_bytes(&folder.join("progress.json"), &progress)
    }

    fn restore(&mut self) -> Result<()> {
        let Some(folder) = self.files.clone() else {
            return Ok(());
        };
        let progress = folder.join("progress.json");
        if !progress.exists() {
            return Ok(());
        }
        let bytes = fs::read(&progress).map_err(Error::io("read", &progress))?;
        self.progress = serde_json::from_slice(&bytes).map_err(|error| unusable(&progress, &error.to_string()))?;
        self.tower = load_module(self.tower.clone(), &folder.join("tower.bpk"))?;
        self.best = load_module(self.best.clone(), &folder.join("best.bpk"))?;
        let path = folder.join("optimizer.bpk");
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let optimizer = std::mem::replace(&mut self.optimizer, AdamWConfig::new().init());
        self.optimizer = optimizer
            .from_bytes(Bytes::from_bytes_vec(bytes))
            .map_err(|error| unusable(&path, &error.to_string()))?;
        Ok(())
    }
}

/// The weights of a module as burnpack bytes. `place` is named in the error.
pub fn module_bytes<M: Module>(module: &M, place: &Path) -> Result<Vec<u8>> {
    let bytes = module
        .clone()
        .into_record()
        .into_bytes()
        .map_err(|error| unusable(place, &error.to_string()))?;
    Ok(bytes.to_vec())
}

/// Reads burnpack weights into a module of the same shape.
///
/// # Errors
/// [`Error::Io`] and, for files that are not such weights, [`Error::Checkpoint`].
pub fn load_module<M: Module>(module: M, path: &Path) -> Result<M> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let record =
        ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(|error| unusable(path, &error.to_string()))?;
    module
        .try_load_record(record)
        .map_err(|error| unusable(path, &error.to_string()))
}

fn unusable(path: &Path, found: &str) -> Error {
    Error::Checkpoint {
        path: path.to_path_buf(),
        expected: "weights written by this version of edgefit".into(),
        found: found.into(),
        hint: "Train again without --resume, or restore the file from a copy.".into(),
    }
}

/// Mean of `0.5 e^2` below an error of one and `e - 0.5` above (smooth L1), over the targets that were measured.
fn smooth_l1(predicted: Tensor<2>, targets: Tensor<2>, mask: Tensor<2>) -> Tensor<1> {
    let error = ((predicted - targets) * mask.clone()).abs();
    let clipped = error.clone().clamp_max(1.0);
    let loss = clipped.clone() * (error - clipped * 0.5);
    loss.sum() / mask.sum().clamp_min(1.0)
}

fn validation_loss(tower: &Tower, table: &Table, columns: &[usize], device: &ComputeDevice) -> f32 {
    if columns.is_empty() {
        return 0.0;
    }
    let (inputs, targets, mask) = batch(table, columns, device);
    smooth_l1(tower.forward(inputs), targets, mask).into_scalar::<f32>()
}

/// Inputs, targets (0 where not measured) and mask (1 where measured) of some columns, one row each.
fn batch(table: &Table, columns: &[usize], device: &ComputeDevice) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    let gather = |matrix: &DMatrix<f32>, value: fn(f32) -> f32| {
        let rows = matrix.nrows();
        let mut data = Vec::with_capacity(rows * columns.len());
        for &column in columns {
            data.extend(
                matrix.as_slice()[column * rows..(column + 1) * rows]
                    .iter()
                    .map(|&one| value(one)),
            );
        }
        Tensor::<2>::from_data(TensorData::new(data, [columns.len(), rows]), device)
    };
    (
        gather(&table.inputs, |value| value),
        gather(&table.targets, |value| if value.is_nan() { 0.0 } else { value }),
        gather(&table.targets, |value| f32::from(!value.is_nan())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Backend;

    /// 16 points on two curved functions of three inputs, one target missing.
    fn table() -> Table {
        let inputs = DMatrix::from_fn(3, 16, |row, column| (0.9 * (row + 1) as f32 * column as f32).sin());
        let mut targets = DMatrix::from_fn(2, 16, |row, column| {
            let (a, b, c) = (inputs[(0, column)], inputs[(1, column)], inputs[(2, column)]);
            if row == 0 { a * b + c } else { (2.0 * a).cos() - b * c }
        });
        targets[(1, 3)] = f32::NAN;
        Table { inputs, targets }
    }

    fn config() -> TrainingConfig {
        TrainingConfig {
            members: 1,
            hidden: 32,
            features: 8,
            epochs: 300,
            patience: 300,
            batch: 8,
            learning_rate: 1e-2,
            weight_decay: 0.0,
            ..TrainingConfig::default()
        }
    }

    /// Trains until `stop_at` epochs are done over all members, or to the end.
    fn trained(config: &TrainingConfig, state: Option<&Path>, resume: bool, stop_at: Option<u64>) -> Result<Ensemble> {
        let (table, device, stop) = (table(), Backend::Flex.device()?, AtomicBool::new(false));
        let split = Split {
            training: (0..16).collect(),
            validation: (0..16).collect(),
        };
        let run = Run {
            device: &device,
            seed: Seed(11),
            state,
            resume,
            progress: &|done, _, _| stop.store(Some(done) == stop_at, Ordering::Relaxed),
            stop: &stop,
        };
        fit("latency", &table, &split, config, &run)
    }

    fn predictions(ensemble: &Ensemble) -> DMatrix<f32> {
        ensemble.predict(&table().inputs, &Backend::Flex.device().unwrap())
    }

    #[test]
    fn sixteen_points_are_learned_by_heart() {
        let ensemble = trained(&config(), None, false, None).unwrap();
        let errors: Vec<f32> = (predictions(&ensemble) - table().targets)
            .iter()
            .copied()
            .filter(|error| !error.is_nan())
            .collect();
        assert_eq!(errors.len(), 31);
        // Smooth L1 of errors below one is half their square.
        let loss = errors.iter().map(|error| 0.5 * error * error).sum::<f32>() / 31.0;
        assert!(loss < 1e-3, "{loss}");
    }

    #[test]
    fn a_resumed_run_ends_as_one_that_was_never_stopped() {
        let config = TrainingConfig {
            epochs: 12,
            members: 2,
            ..config()
        };
        let whole = predictions(&trained(&config, None, false, None).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let state = Some(folder.path());
        // Within the first member, at its end, and within the second.
        for (resume, stop_at) in [(false, 5), (true, 12), (true, 17)] {
            let stopped = trained(&config, state, resume, Some(stop_at));
            assert!(matches!(stopped, Err(Error::Interrupted { .. })), "{stop_at}");
        }
        let resumed = predictions(&trained(&config, state, true, None).unwrap());
        assert_eq!(whole, resumed);
        let other = TrainingConfig { epochs: 11, ..config };
        assert_ne!(whole, predictions(&trained(&other, None, false, None).unwrap()));
    }

    #[test]
    fn damaged_state_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let stopped = trained(&config(), Some(folder.path()), false, Some(2));
        assert!(stopped.is_err());
        let file = folder.path().join("latency-0/tower.bpk");
        fs::write(&file, "no weights").unwrap();
        let message = trained(&config(), Some(folder.path()), true, None)
            .err()
            .unwrap()
            .to_string();
        assert!(
            message.contains("tower.bpk") && message.contains("without --resume"),
            "{message}"
        );
    }

    #[test]
    fn numbers_that_cannot_be_trained_with_are_named() {
        for (bad, name) in [
            (TrainingConfig { epochs: 0, ..config() }, "towers.epochs"),
            (
                TrainingConfig {
                    learning_rate: f64::NAN,
                    ..config()
                },
                "towers.learning-rate",
            ),
            (
                TrainingConfig {
                    validation: 1.0,
                    ..config()
                },
                "towers.validation",
            ),
            (
                TrainingConfig {
                    weight_decay: -0.1,
                    ..config()
                },
                "towers.weight-decay",
            ),
        ] {
            let message = bad.check("towers").unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
        assert!(config().check("towers").is_ok());
    }
}
