//! What all trainings share: how they are run and stopped, gradient descent, and the state on disk that a stopped run
//! continues from.

mod adamw;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Tensor};
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::adamw::OnePass;
use crate::compute::{ComputeDevice, is_cpu};
use crate::error::{Error, Result};
use crate::files::write_bytes;
use crate::progress::Progress;
use crate::seed::Seed;

/// How often a state is written at most, unless training ends.
const STATE_INTERVAL: Duration = Duration::from_secs(3);
const OPTIMIZER: &str = "optimizer.bpk";
const PROGRESS: &str = "progress.json";

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
    /// Told after every epoch, and asked whether to stop.
    pub progress: &'a dyn Progress,
}

impl Run<'_> {
    /// Whether a stop was asked for.
    pub(crate) fn stopped(&self) -> bool {
        self.progress.stopped()
    }

    /// Ends training that was stopped.
    pub(crate) fn interrupt(&self) -> Result<()> {
        if self.stopped() {
            Err(Error::Interrupted {
                state: self.state.map(Path::to_path_buf),
            })
        } else {
            Ok(())
        }
    }
}

/// Parts that a batch is computed in, each by its own thread. Their number does not depend on the machine, so that the
/// same seed gives the same weights everywhere; more than two cost more than they save at these sizes.
const PARTS: usize = 2;
/// Fewer rows than this are not worth a part.
const MIN_ROWS: usize = 32;

/// AdamW with clipped gradients and a learning rate that falls to zero along a cosine.
pub struct Descent {
    optimizer: ModuleOptimizer,
    highest_rate: f64,
    steps: usize,
}

impl Descent {
    /// Over `steps` steps. `gradient_norm` is the largest norm of the gradient of each weight tensor, infinite for any.
    pub fn new(highest_rate: f64, weight_decay: f64, gradient_norm: f64, steps: usize) -> Descent {
        let mut optimizer = ModuleOptimizer::from(OnePass::new(weight_decay as f32));
        if gradient_norm.is_finite() {
            optimizer = optimizer.with_grad_clipping(GradientClippingConfig::Norm(gradient_norm as f32).init());
        }
        Descent {
            optimizer,
            highest_rate,
            steps,
        }
    }

    /// The module after step number `step`, counted from 0, down the gradient of the loss of a batch, and that loss.
    /// `loss` is asked for what a range of the batch's rows adds to it, by several threads on the CPU.
    pub fn step<M: Module + Sync>(
        &mut self,
        step: usize,
        module: M,
        rows: usize,
        device: &ComputeDevice,
        loss: impl Fn(&M, Range<usize>) -> Tensor<1> + Sync,
    ) -> (M, Tensor<1>) {
        let done = (step as f64 / self.steps as f64).min(1.0);
        let rate = self.highest_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        let parts = if is_cpu(device) {
            PARTS.min(rows / MIN_ROWS).max(1)
        } else {
            1
        };
        let plain = module.valid();
        let gradients = |part: usize| {
            // Modules that share their parameters share one graph, which one thread at a time may use.
            let module = plain.clone().train();
            let loss = loss(&module, rows * part / parts..rows * (part + 1) / parts);
            let gradients = GradientsParams::from_grads(loss.backward(), &module);
            (gradients, loss.inner())
        };
        let computed: Vec<_> = match parts {
            1 => vec![gradients(0)],
            _ => (0..parts).into_par_iter().map(gradients).collect(),
        };
        let mut sum = GradientsAccumulator::new();
        let mut total = Tensor::zeros([1], &device.clone().without_autodiff());
        for (gradients, loss) in computed {
            sum.accumulate(&module, gradients);
            total = total + loss;
        }
        (self.optimizer.step(rate, module, sum.grads()), total)
    }
}

/// Where a training keeps its state, if anywhere: weights, the optimizer's moments, and its own progress as JSON.
pub(crate) struct StateFolder {
    folder: Option<PathBuf>,
    resume: bool,
    saved: Instant,
}

impl StateFolder {
    /// The folder `name` in that of the run.
    pub(crate) fn new(run: &Run, name: &str) -> StateFolder {
        StateFolder {
            folder: run.state.map(|folder| folder.join(name)),
            resume: run.resume,
            saved: Instant::now(),
        }
    }

    /// Whether the last state is old enough for another to be written.
    pub(crate) fn is_due(&self) -> bool {
        self.saved.elapsed() > STATE_INTERVAL
    }

    /// Writes modules under their file names, the optimizer and the progress; the last makes the state complete.
    pub(crate) fn save<M: Module>(
        &mut self,
        modules: &[(&str, &M)],
        descent: &Descent,
        progress: &impl Serialize,
    ) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let failed = |error: &dyn std::fmt::Display| unusable(folder, &error.to_string());
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        for (file, module) in modules {
            write_bytes(&folder.join(file), &module_bytes(*module, folder)?)?;
        }
        let moments = descent.optimizer.into_bytes().map_err(|error| failed(&error))?;
        write_bytes(&folder.join(OPTIMIZER), &moments)?;
        let progress = serde_json::to_vec(progress).map_err(|error| failed(&error))?;
        write_bytes(&folder.join(PROGRESS), &progress)?;
        self.saved = Instant::now();
        Ok(())
    }

    /// The progress of the run that this one resumes, if there was one; its modules and optimizer are then there too.
    pub(crate) fn progress<P: DeserializeOwned>(&self) -> Result<Option<P>> {
        let path = self.folder.as_ref().map(|folder| folder.join(PROGRESS));
        let Some(path) = path.filter(|path| self.resume && path.exists()) else {
            return Ok(None);
        };
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| unusable(&path, &error.to_string()))
    }

    /// The module as it was saved under this file name.
    pub(crate) fn module<M: Module>(&self, file: &str, module: M) -> Result<M> {
        match &self.folder {
            Some(folder) => load_module(module, &folder.join(file)),
            None => Ok(module),
        }
    }

    /// The descent with the optimizer's moments as they were saved.
    pub(crate) fn descent(&self, descent: Descent) -> Result<Descent> {
        let Some(folder) = &self.folder else { return Ok(descent) };
        let path = folder.join(OPTIMIZER);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let optimizer = descent
            .optimizer
            .from_bytes(Bytes::from_bytes_vec(bytes))
            .map_err(|error| unusable(&path, &error.to_string()))?;
        Ok(Descent { optimizer, ..descent })
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
