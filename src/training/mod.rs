//! What all trainings share: how they are run and stopped, gradient descent, and the state on disk that a stopped run
//! continues from.

mod adamw;
mod session;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::grad_clipping::GradientClippingConfig;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Tensor};
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::adamw::FusedAdamW;
use crate::compute::{ComputeDevice, is_cpu};
use crate::error::{Error, Result};
use crate::files::{Committed, LockedFolder, read_bounded};
use crate::progress::Progress;
use crate::seed::Seed;

pub use session::{Session, Start};

/// How often a state is written at most, unless training ends.
const STATE_INTERVAL: Duration = Duration::from_secs(3);
const OPTIMIZER: &str = "optimizer.bpk";
const PROGRESS: &str = "progress.json";
/// Largest file of a state that is read.
const MAX_FILE_BYTES: u64 = 1 << 30;

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

/// AdamW with clipped gradients and a learning rate with cosine decay to zero.
pub struct Descent {
    optimizer: ModuleOptimizer,
    initial_rate: f64,
    steps: usize,
}

impl Descent {
    /// Over `steps` steps. `gradient_norm` is the maximum norm of the gradient of each weight tensor, infinite for no
    /// clipping.
    pub fn new(initial_rate: f64, weight_decay: f64, gradient_norm: f64, steps: usize) -> Descent {
        let mut optimizer = ModuleOptimizer::from(FusedAdamW::new(weight_decay as f32));
        if gradient_norm.is_finite() {
            optimizer = optimizer.with_grad_clipping(GradientClippingConfig::Norm(gradient_norm as f32).init());
        }
        Descent {
            optimizer,
            initial_rate,
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
        let rate = self.initial_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
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

    /// Writes modules under their file names, the optimizer and the progress, all together.
    pub(crate) fn save<M: Module>(
        &mut self,
        modules: &[(&str, &M)],
        descent: &Descent,
        progress: &impl Serialize,
    ) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let failed = |error: &dyn std::fmt::Display| unusable(folder, &error.to_string());
        let locked = LockedFolder::open(folder)?;
        let mut state = locked.replacement();
        for (file, module) in modules {
            let bytes = module_bytes(*module, folder)?;
            state.add(file, |out| out.write_all(&bytes))?;
        }
        let moments = descent.optimizer.into_bytes().map_err(|error| failed(&error))?;
        state.add(OPTIMIZER, |out| out.write_all(&moments))?;
        let progress = serde_json::to_vec(progress).map_err(|error| failed(&error))?;
        state.add(PROGRESS, |out| out.write_all(&progress))?;
        state.commit()?;
        self.saved = Instant::now();
        Ok(())
    }

    /// The progress of the run that this one resumes, if there was one; its modules and optimizer are then there too.
    pub(crate) fn progress<P: DeserializeOwned>(&self) -> Result<Option<P>> {
        let Some(folder) = self.folder.as_ref().filter(|folder| self.resume && folder.exists()) else {
            return Ok(None);
        };
        let path = Committed::of(folder)?.path(PROGRESS);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read_bounded(&path, MAX_FILE_BYTES)?;
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| unusable(&path, &error.to_string()))
    }

    /// The module as it was saved under this file name.
    pub(crate) fn module<M: Module>(&self, file: &str, module: M) -> Result<M> {
        match &self.folder {
            Some(folder) => {
                let path = Committed::of(folder)?.path(file);
                load_module(module, &read_bounded(&path, MAX_FILE_BYTES)?, &path)
            }
            None => Ok(module),
        }
    }

    /// The descent with the optimizer's moments as they were saved.
    pub(crate) fn descent(&self, descent: Descent) -> Result<Descent> {
        let Some(folder) = &self.folder else { return Ok(descent) };
        let path = Committed::of(folder)?.path(OPTIMIZER);
        let bytes = read_bounded(&path, MAX_FILE_BYTES)?;
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

/// Refuses a description that asks for more weights than the file at `place`, of so many bytes, holds: nothing that a file
/// says may ask for more memory than there is of the file.
pub(crate) fn fits(weights: Option<usize>, bytes: usize, place: &Path) -> Result<()> {
    let needed = weights.and_then(|weights| weights.checked_mul(size_of::<f32>()));
    if needed.is_some_and(|needed| needed <= bytes) {
        return Ok(());
    }
    let weights = weights.map_or_else(
        || "more weights than can be counted".into(),
        |count| format!("{count} weights"),
    );
    Err(unusable(
        place,
        &format!("a description of {weights} for {bytes} bytes"),
    ))
}

/// Reads burnpack weights into a module of the same shape. `place` is named in the error.
///
/// # Errors
/// [`Error::Checkpoint`] for bytes that are not such weights, and for weights that are not finite.
pub fn load_module<M: Module>(module: M, bytes: &[u8], place: &Path) -> Result<M> {
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes.to_vec()))
        .map_err(|error| unusable(place, &error.to_string()))?;
    let module = module
        .try_load_record(record)
        .map_err(|error| unusable(place, &error.to_string()))?;
    let mut check = FiniteWeights(true);
    module.visit(&mut check);
    if check.0 {
        Ok(module)
    } else {
        Err(unusable(place, "a weight that is no finite number"))
    }
}

/// Whether every weight seen so far is finite.
struct FiniteWeights(bool);

impl ModuleVisitor for FiniteWeights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0 &= param.val().into_data().iter::<f32>().all(f32::is_finite);
    }
}

fn unusable(path: &Path, found: &str) -> Error {
    Error::Checkpoint {
        path: path.to_path_buf(),
        expected: "weights written by this version of edgefit".into(),
        found: found.into(),
        hint: "Start the training over, or restore the file from a copy.".into(),
    }
}
