//! The runtime in the binary.
//!
//! rten was chosen over tract-onnx 0.23.9 by measuring both on one core (AMD EPYC, Zen 5, shared with other programs; processor
//! time of a run in ms, with ONNX Runtime 1.31.1 for scale), and by what they add to a cold release build:
//!
//! | | rten 0.27.0 | tract-onnx 0.23.9 | ONNX Runtime |
//! |---|---|---|---|
//! | NAS-Bench-201, six 3x3 convolutions a cell | 7.2 | 6.0 | 2.8 |
//! | NAS-Bench-201, six 1x1 convolutions | 0.83 | 1.32 | 0.41 |
//! | NAS-Bench-201, five average poolings | 2.1 | 2.9 | 0.24 |
//! | like FBNet, 224x224 | 17 to 23 | 15 | 3.7 |
//! | fp16 with `Gemm` | runs, in 32 bits | refused | runs |
//! | processor time of the build | 92 s | 499 s | |

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rten::{Dimension, Model, ModelOptions, RunOptions, ThreadPool, Value, ValueView};

use super::{Round, Runtime, Samples, Session, input, refused, time};
use crate::error::Result;

/// The release of rten in `Cargo.toml`.
const DESCRIPTION: &str = "rten 0.27.0";

/// Runs models in this process with [rten](https://docs.rs/rten), a runtime in pure Rust that needs nothing installed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Embedded;

impl Embedded {
    /// Runs a model once on an input of as many values as its input has and returns its output `[batch, classes]`,
    /// row by row.
    ///
    /// # Errors
    /// [`Error::Run`](crate::error::Error::Run) of a model that is refused, or whose input or output have another
    /// shape.
    pub fn run_once(&self, model: &Path, input: Vec<f32>) -> Result<Vec<f32>> {
        let mut loaded = Loaded::new(model, 1)?;
        loaded.input = input;
        let output = loaded.run()?;
        let output = output.into_shape_vec::<f32, 2>();
        output.map(|(_, values)| values).map_err(|error| loaded.refused(error))
    }
}

impl Runtime for Embedded {
    fn describe(&self) -> String {
        DESCRIPTION.into()
    }

    fn load<'a>(&'a self, model: &Path, threads: usize) -> Result<Box<dyn Session + 'a>> {
        Ok(Box::new(Loaded::new(model, threads)?))
    }
}

/// A model with an input to run it on.
struct Loaded {
    path: PathBuf,
    model: Model,
    shape: Vec<usize>,
    input: Vec<f32>,
    options: RunOptions,
}

impl Loaded {
    fn new(path: &Path, threads: usize) -> Result<Loaded> {
        let refused = |error: &dyn Display| refused(DESCRIPTION, path, error);
        let mut options = ModelOptions::with_all_ops();
        options.prepack_weights(true);
        let model = options.load_file(path).map_err(|error| refused(&error))?;
        let shape = model.input_shape(0).and_then(fixed);
        let shape = shape.ok_or_else(|| refused(&"its input is missing or has a dimension of no fixed size"))?;
        let pool = ThreadPool::with_num_threads(threads.max(1));
        Ok(Loaded {
            path: path.into(),
            model,
            input: input(shape.iter().product()),
            shape,
            options: RunOptions::default().with_thread_pool(Some(Arc::new(pool))),
        })
    }

    fn run(&self) -> Result<Value> {
        let input = ValueView::from_shape(&self.shape, &self.input).map_err(|error| self.refused(error))?;
        let output = self.model.run_one(input.into(), Some(self.options.clone()));
        output.map_err(|error| self.refused(error))
    }

    fn refused(&self, error: impl Display) -> crate::error::Error {
        refused(DESCRIPTION, &self.path, &error)
    }
}

impl Session for Loaded {
    fn measure(&mut self, round: &Round) -> Result<Samples> {
        time(round, || self.run().map(drop))
    }
}

/// The sizes of all dimensions, if they are fixed.
fn fixed(dimensions: Vec<Dimension>) -> Option<Vec<usize>> {
    let sizes = dimensions.into_iter().map(|dimension| match dimension {
        Dimension::Fixed(size) => Some(size),
        Dimension::Symbolic(_) => None,
    });
    sizes.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::error::{Error, RunFailure};
    use crate::export::{Weights, onnx};
    use crate::space::{NasBench201, Precision, SearchSpace};

    const CELL: &str = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|";

    fn exported(folder: &Path) -> PathBuf {
        let cell = NasBench201.parse(CELL).unwrap();
        let network = NasBench201.lower(&cell, NasBench201.default_input(), 10);
        let file = folder.join("cell.onnx");
        fs::write(
            &file,
            onnx(&network, Precision::Fp32.into(), &Weights::seeded(0)).unwrap(),
        )
        .unwrap();
        file
    }

    #[test]
    fn an_exported_network_is_measured_with_any_number_of_threads() {
        let folder = tempfile::tempdir().unwrap();
        let file = exported(folder.path());
        let round = Round {
            warmup_runs: 1,
            warmup_seconds: 0.0,
            runs: 3,
            seconds: 0.0,
        };
        for threads in [1, 2] {
            let samples = Embedded.load(&file, threads).unwrap().measure(&round).unwrap();
            assert_eq!(samples.latency_ms.len(), 3);
            assert!(samples.latency_ms.iter().all(|&latency_ms| latency_ms > 0.0));
        }
    }

    #[test]
    fn outputs_are_one_number_a_class_and_those_of_the_input() {
        let folder = tempfile::tempdir().unwrap();
        let file = exported(folder.path());
        let [once, again, other] = [0.5, 0.5, -0.5].map(|value| Embedded.run_once(&file, vec![value; 3 * 32 * 32]));
        let once = once.unwrap();
        assert_eq!(once.len(), 10);
        assert_eq!(once, again.unwrap());
        assert_ne!(once, other.unwrap());
    }

    #[test]
    fn what_is_no_model_or_no_input_of_it_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = exported(folder.path());
        let short = Embedded.run_once(&file, vec![0.0; 7]).unwrap_err();
        assert!(
            matches!(
                short,
                Error::Run {
                    failure: RunFailure::Refused(_),
                    ..
                }
            ),
            "{short}"
        );

        let whole = fs::read(&file).unwrap();
        for (name, bytes) in [
            ("empty.onnx", &[][..]),
            ("cut.onnx", &whole[..whole.len() / 2]),
            ("text.onnx", b"not a model"),
        ] {
            let file = folder.path().join(name);
            fs::write(&file, bytes).unwrap();
            let error = Embedded.load(&file, 1).err().unwrap().to_string();
            assert!(error.contains(name) && error.contains("rten"), "{error}");
        }
        let missing = Embedded
            .load(&folder.path().join("missing.onnx"), 1)
            .err()
            .unwrap()
            .to_string();
        assert!(missing.contains("missing.onnx"), "{missing}");
    }

    #[test]
    fn the_release_is_that_of_the_lock_file() {
        let lock = include_str!("../../Cargo.lock");
        let (_, version) = DESCRIPTION.split_once(' ').unwrap();
        assert!(lock.contains(&format!("name = \"rten\"\nversion = \"{version}\"")));
    }
}
