//! ONNX Runtime, from a shared library that is found when it is opened: nothing is linked, and nothing fetched by the
//! build.

mod library;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session as OrtSession;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Tensor, TensorElementType};

use super::{OnnxLibrary, Round, Runtime, Samples, Session, input, refused, time};
use crate::error::{Error, Result};

/// The library that this process has opened: ONNX Runtime allows for one in a process, with one environment.
static OPENED: Mutex<Option<OnnxRuntime>> = Mutex::new(None);

/// Runs models in this process with [ONNX Runtime](https://onnxruntime.ai): all graph optimisations, the CPU, one
/// operator at a time on so many threads as are asked for.
#[derive(Debug, Clone)]
pub struct OnnxRuntime {
    library: PathBuf,
    description: String,
    environment: Environment,
}

impl OnnxRuntime {
    /// Opens the library. The first one that a process opens stays open until it ends.
    ///
    /// # Errors
    /// [`Error::Runtime`] if there is no library where it should be, if it is for another kind of processor, too old or
    /// something else, or if this process has opened another one.
    pub fn open(library: &OnnxLibrary) -> Result<OnnxRuntime> {
        let library = library::find(library)?;
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = opened.as_ref() {
            return if runtime.library == library {
                Ok(runtime.clone())
            } else {
                Err(second(&library, &runtime.library))
            };
        }
        let builder = ort::init_from(&library).map_err(|error| library::unusable(&library, &error))?;
        let environment = builder.with_name("edgefit").with_telemetry(false).build();
        let environment = environment.map_err(|error| Error::Runtime {
            runtime: "ONNX Runtime".into(),
            expected: format!("that {} can be set up", library.display()),
            found: error.to_string(),
            hint: library::REMEDY.into(),
        })?;
        // What goes wrong is told by our own errors; its log would go to standard error beside them.
        environment.set_log_level(LogLevel::Fatal);
        let runtime = OnnxRuntime {
            description: library::description(&library, ort::info()),
            library,
            environment,
        };
        *opened = Some(runtime.clone());
        Ok(runtime)
    }

    /// Runs a model once on an input of as many values as its input has and returns all values of its first output.
    ///
    /// # Errors
    /// [`Error::Run`] of a model that is refused, or whose input has another size.
    pub fn run_once(&self, model: &Path, input: Vec<f32>) -> Result<Vec<f32>> {
        let mut loaded = Loaded::new(self, model, 1)?;
        loaded.set_input(input)?;
        let refused = |error: &dyn Display| refused(&self.description, model, error);
        let outputs = loaded
            .session
            .run(ort::inputs![&loaded.input])
            .map_err(|error| refused(&error))?;
        let (_, values) = outputs[0]
            .try_extract_tensor::<f32>()
            .map_err(|error| refused(&error))?;
        Ok(values.to_vec())
    }
}

impl Runtime for OnnxRuntime {
    fn describe(&self) -> String {
        self.description.clone()
    }

    fn load<'a>(&'a self, model: &Path, threads: usize) -> Result<Box<dyn Session + 'a>> {
        Ok(Box::new(Loaded::new(self, model, threads)?))
    }
}

fn second(asked: &Path, opened: &Path) -> Error {
    Error::Runtime {
        runtime: "ONNX Runtime".into(),
        expected: format!("the library that this process has opened, {}", opened.display()),
        found: asked.display().to_string(),
        hint: "A process holds one: start another for the other library.".into(),
    }
}

/// A model with an input to run it on.
struct Loaded<'a> {
    runtime: &'a OnnxRuntime,
    path: PathBuf,
    session: OrtSession,
    shape: Vec<i64>,
    input: Tensor<f32>,
}

impl<'a> Loaded<'a> {
    fn new(runtime: &'a OnnxRuntime, path: &Path, threads: usize) -> Result<Loaded<'a>> {
        let refused = |error: &dyn Display| refused(&runtime.description, path, error);
        let session = session(&runtime.environment, path, threads.max(1)).map_err(|error| refused(&error))?;
        let shape = fixed_shape(&session)
            .ok_or_else(|| refused(&"its first input is not of 32-bit numbers in a fixed shape"))?;
        let values = input(elements(&shape));
        let input = Tensor::from_array((shape.clone(), values)).map_err(|error| refused(&error))?;
        Ok(Loaded {
            runtime,
            path: path.into(),
            session,
            shape,
            input,
        })
    }

    fn set_input(&mut self, values: Vec<f32>) -> Result<()> {
        let expected = elements(&self.shape);
        if values.len() != expected {
            return Err(self.refused(&format!("its input has {expected} values, not {}", values.len())));
        }
        self.input = Tensor::from_array((self.shape.clone(), values)).map_err(|error| self.refused(&error))?;
        Ok(())
    }

    fn refused(&self, error: &dyn Display) -> Error {
        refused(&self.runtime.description, &self.path, error)
    }
}

impl Session for Loaded<'_> {
    fn measure(&mut self, round: &Round) -> Result<Samples> {
        let Loaded {
            runtime,
            path,
            session,
            input,
            ..
        } = self;
        time(round, || {
            let outputs = session.run(ort::inputs![&*input]);
            outputs
                .map(drop)
                .map_err(|error| refused(&runtime.description, path, &error))
        })
    }
}

fn session(environment: &Environment, model: &Path, threads: usize) -> ort::Result<OrtSession> {
    OrtSession::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .commit_from_file(model)
}

/// The shape of the first input, if it is fixed and of 32-bit floating point numbers.
fn fixed_shape(session: &OrtSession) -> Option<Vec<i64>> {
    let kind = session.inputs().first()?.dtype();
    let shape: Vec<i64> = kind.tensor_shape()?.iter().copied().collect();
    let fixed = kind.tensor_type()? == TensorElementType::Float32 && shape.iter().all(|&size| size > 0);
    fixed.then_some(shape)
}

/// The number of values in a shape.
fn elements(shape: &[i64]) -> usize {
    shape
        .iter()
        .map(|&size| usize::try_from(size).unwrap_or_default())
        .product()
}
