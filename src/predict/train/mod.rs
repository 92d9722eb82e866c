//! Fits an ensemble of towers to a table with gaps: AdamW, smooth L1, cosine learning rate, early stopping.

mod config;
mod passes;

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::net::{Ensemble, Tower, TowerConfig};
use crate::compute::ComputeDevice;
use crate::error::{Error, Result};
use crate::progress::Unit;
use crate::seed::Seed;
use crate::training::{Descent, StateFolder};

pub use crate::training::Run;
pub use config::TrainingConfig;
use passes::passes;

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

/// State of a member's training between two epochs.
#[derive(Serialize, Deserialize)]
struct Progress {
    epoch: usize,
    best_epoch: usize,
    best_loss: f32,
    finished: bool,
}

/// Trains the ensemble called `name` on the training columns of `table`; without targets there is nothing to train.
///
/// # Errors
/// [`Error::Interrupted`] after a stop was asked for, with the state kept; [`Error::Io`] when the state cannot be
/// written; [`Error::Diverged`] when the loss is no longer a number.
pub fn fit(name: &str, table: &Table, split: &Split, config: &TrainingConfig, run: &Run) -> Result<Ensemble> {
    let sizes = TowerConfig::new(
        table.inputs.nrows(),
        table.targets.nrows(),
        config.hidden,
        config.features,
    );
    if sizes.outputs == 0 {
        return Ok(Ensemble {
            config: sizes,
            members: Vec::new(),
        });
    }
    let epochs = config.members * config.epochs;
    run.progress.start(
        &format!("training for {name}"),
        Unit::Count("epochs"),
        Some(epochs as u64),
    );
    let members = (0..config.members)
        .map(|index| {
            let member = Member::start(name, index, &sizes, split, config, run)?;
            member.train(table, split, config, run)
        })
        .collect::<Result<Vec<_>>>()?;
    run.progress.finish();
    Ok(Ensemble { config: sizes, members })
}

struct Member {
    seed: Seed,
    state: StateFolder,
    tower: Tower,
    best: Tower,
    descent: Descent,
    progress: Progress,
}

impl Member {
    fn start(
        name: &str,
        index: usize,
        sizes: &TowerConfig,
        split: &Split,
        config: &TrainingConfig,
        run: &Run,
    ) -> Result<Member> {
        let seed = run.seed.child(name, index);
        let tower = sizes.init(&mut seed.stream("init"), &run.device.clone().autodiff());
        let steps = config.steps(split.training.len()) * config.epochs;
        let mut member = Member {
            seed,
            state: StateFolder::new(run, &format!("{name}-{index}")),
            best: tower.clone(),
            tower,
            descent: Descent::new(config.learning_rate, config.weight_decay, config.gradient_norm, steps),
            progress: Progress {
                epoch: 0,
                best_epoch: 0,
                best_loss: f32::INFINITY,
                finished: false,
            },
        };
        if let Some(progress) = member.state.progress()? {
            member.progress = progress;
            member.tower = member.state.module("tower.bpk", member.tower)?;
            member.best = member.state.module("best.bpk", member.best)?;
            member.descent = member.state.descent(member.descent)?;
        }
        Ok(member)
    }

    fn train(mut self, table: &Table, split: &Split, config: &TrainingConfig, run: &Run) -> Result<Tower> {
        let mut told = self.done(config);
        run.progress.advance(told);
        while !self.progress.finished {
            self.epoch(table, split, config, run.device);
            let loss = validation_loss(&self.tower.valid(), table, &split.validation, run.device);
            self.judge(loss, config)?;
            let done = self.done(config);
            run.progress.advance(done - told);
            run.progress
                .message(&format!("validation loss {:.4}", self.progress.best_loss));
            told = done;
            if run.stopped() || self.progress.finished || self.state.is_due() {
                let modules = [("tower.bpk", &self.tower), ("best.bpk", &self.best)];
                self.state.save(&modules, &self.descent, &self.progress)?;
            }
            run.interrupt()?;
        }
        Ok(self.best.valid())
    }

    /// Epochs done, among which are those that an early stop saves.
    fn done(&self, config: &TrainingConfig) -> u64 {
        let epochs = if self.progress.finished {
            config.epochs
        } else {
            self.progress.epoch
        };
        epochs as u64
    }

    fn epoch(&mut self, table: &Table, split: &Split, config: &TrainingConfig, device: &ComputeDevice) {
        let device = device.clone().autodiff();
        let steps = config.steps(split.training.len());
        let first = self.progress.epoch * steps;
        let mut rng = self.seed.stream(&format!("shuffle/{}", self.progress.epoch));
        let order = passes(&split.training, steps, config.batch, &mut rng);
        let mut tower = self.tower.clone();
        for (step, columns) in (first..first + steps).zip(order.chunks(config.batch)) {
            let measured = measured(table, columns);
            let loss = |tower: &Tower, rows: Range<usize>| {
                let (inputs, targets, mask) = batch(table, &columns[rows], &device);
                smooth_l1(tower.forward(inputs), targets, mask) / measured
            };
            (tower, _) = self.descent.step(step, tower, columns.len(), &device, loss);
        }
        self.tower = tower;
    }

    /// Keeps the best weights and decides whether the member is done.
    fn judge(&mut self, loss: f32, config: &TrainingConfig) -> Result<()> {
        if !loss.is_finite() {
            return Err(Error::Diverged {
                what: format!("the towers in epoch {}", self.progress.epoch + 1),
                loss,
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
}

/// Sum of `0.5 e^2` below an error of one and `e - 0.5` above (smooth L1), over the targets that were measured.
fn smooth_l1(predicted: Tensor<2>, targets: Tensor<2>, mask: Tensor<2>) -> Tensor<1> {
    let error = ((predicted - targets) * mask).abs();
    let clipped = error.clone().clamp_max(1.0);
    (clipped.clone() * (error - clipped * 0.5)).sum()
}

/// Number of targets that were measured, at least one.
fn measured(table: &Table, columns: &[usize]) -> f32 {
    let targets = columns.iter().flat_map(|&column| column_of(&table.targets, column));
    targets.filter(|target| !target.is_nan()).count().max(1) as f32
}

fn validation_loss(tower: &Tower, table: &Table, columns: &[usize], device: &ComputeDevice) -> f32 {
    if columns.is_empty() {
        return 0.0;
    }
    let (inputs, targets, mask) = batch(table, columns, device);
    smooth_l1(tower.forward(inputs), targets, mask).into_scalar::<f32>() / measured(table, columns)
}

fn column_of(matrix: &DMatrix<f32>, column: usize) -> &[f32] {
    let rows = matrix.nrows();
    &matrix.as_slice()[column * rows..(column + 1) * rows]
}

/// Inputs, targets (0 where not measured) and mask (1 where measured) of some columns, one row each.
fn batch(table: &Table, columns: &[usize], device: &ComputeDevice) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    let gather = |matrix: &DMatrix<f32>, value: fn(f32) -> f32| {
        let rows = matrix.nrows();
        let mut data = Vec::with_capacity(rows * columns.len());
        for &column in columns {
            data.extend(column_of(matrix, column).iter().map(|&one| value(one)));
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
    use std::fs;
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::compute::Backend;
    use crate::progress::Progress;

    /// Stops training after so many epochs.
    struct StopAt {
        epochs: Option<u64>,
        done: AtomicU64,
    }

    impl Progress for StopAt {
        fn advance(&self, by: u64) {
            self.done.fetch_add(by, Ordering::Relaxed);
        }

        fn stopped(&self) -> bool {
            self.epochs == Some(self.done.load(Ordering::Relaxed))
        }
    }

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
        let (table, device) = (table(), Backend::Flex.device()?);
        let split = Split {
            training: (0..16).collect(),
            validation: (0..16).collect(),
        };
        let run = Run {
            device: &device,
            seed: Seed(11),
            state,
            resume,
            progress: &StopAt {
                epochs: stop_at,
                done: AtomicU64::new(0),
            },
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
            message.contains("tower.bpk") && message.contains("Start the training over"),
            "{message}"
        );
    }
}
