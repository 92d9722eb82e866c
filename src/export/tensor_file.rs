//! Tensors by name from a file: safetensors (<https://huggingface.co/docs/safetensors>) or what PyTorch's `torch.save` writes.
//!
//! A PyTorch file holds a pickle, which in Python is a program. The reader here (that of Burn's importer) knows the few
//! constructions that tensors are written with and runs nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use pytorch_reader::{DType, PytorchError, PytorchReader};
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};
use crate::files::{open_regular, read_bounded};

/// Largest file that is read. Networks of the spaces have some ten million parameters.
const MAX_BYTES: u64 = 1 << 30;

/// What to do about a file that is none of tensors.
const HINT: &str = "Give a safetensors file, or what torch.save wrote of named tensors, as a state_dict is.";

/// What to do about tensors that do not fit.
const OTHER_NETWORK: &str = "Check that the weights are those of this architecture, input size and number of classes.";

/// The tensors of a file.
pub(super) struct TensorFile {
    path: PathBuf,
    /// What to do about tensors that do not fit.
    hint: &'static str,
    tensors: BTreeMap<String, Stored>,
}

/// A tensor in a file.
struct Stored {
    shape: Vec<usize>,
    content: Content,
}

enum Content {
    /// Its elements, little-endian, and their type.
    Safetensors(Dtype, Vec<u8>),
    PyTorch(Box<pytorch_reader::Tensor>),
}

impl TensorFile {
    /// Opens a file, whose form is told by how it begins.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Malformed`].
    pub(super) fn open(path: &Path) -> Result<TensorFile> {
        let length = open_regular(path)
            .and_then(|file| file.metadata())
            .map_err(Error::io("read", path))?
            .len();
        let malformed = |found: String| Error::Malformed {
            path: path.to_path_buf(),
            line: None,
            column: None,
            expected: format!("tensors in a file of at most {} MiB", MAX_BYTES >> 20),
            found,
            hint: HINT.into(),
        };
        if length > MAX_BYTES {
            return Err(malformed(format!("{} MiB", length >> 20)));
        }
        let tensors = if is_safetensors(path)? {
            let bytes = read_bounded(path, MAX_BYTES)?;
            let file = SafeTensors::deserialize(&bytes).map_err(|error| malformed(error.to_string()))?;
            let stored = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
                let content = Content::Safetensors(view.dtype(), view.data().to_vec());
                let shape = view.shape().to_vec();
                (name, Stored { shape, content })
            };
            file.tensors().into_iter().map(stored).collect()
        } else {
            let file = PytorchReader::new(path).map_err(|error| match error {
                PytorchError::Io(source) if source.kind() != std::io::ErrorKind::InvalidData => {
                    Error::io("read", path)(source)
                }
                error => malformed(error.to_string()),
            })?;
            let stored = |(name, tensor): (String, pytorch_reader::Tensor)| {
                let shape = tensor.shape().to_vec();
                let content = Content::PyTorch(Box::new(tensor));
                (name, Stored { shape, content })
            };
            file.into_tensors().into_iter().map(stored).collect()
        };
        Ok(TensorFile {
            path: path.to_path_buf(),
            hint: OTHER_NETWORK,
            tensors,
        })
    }

    /// The same file, whose errors say what to do in these words.
    pub(super) fn with_hint(self, hint: &'static str) -> TensorFile {
        TensorFile { hint, ..self }
    }

    /// The names of all tensors.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor, if there is one of this name.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|stored| stored.shape.as_slice())
    }

    /// The elements of a tensor as 32-bit floating point.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a tensor that is missing, of integers, or that holds what is no finite number.
    pub(super) fn values(&self, name: &str) -> Result<Vec<f32>> {
        let stored = (self.tensors.get(name)).ok_or_else(|| self.wrong(name, "a tensor of this name", "none"))?;
        let (width, bytes) = match &stored.content {
            Content::Safetensors(kind, bytes) => (Width::of_safetensors(*kind), bytes.clone()),
            Content::PyTorch(tensor) => {
                let bytes = (tensor.read()).map_err(|error| self.wrong(name, "its elements", &error.to_string()))?;
                (Width::of_pytorch(tensor.dtype()), bytes)
            }
        };
        let width = width.ok_or_else(|| self.wrong(name, "floating-point numbers", "other ones"))?;
        let values = width.values(&bytes);
        let elements = (stored.shape.iter()).try_fold(1_usize, |product, &extent| product.checked_mul(extent));
        if elements != Some(values.len()) {
            return Err(self.wrong(name, "as many elements as its shape says", &values.len().to_string()));
        }
        if values.iter().all(|value| value.is_finite()) {
            Ok(values)
        } else {
            Err(self.wrong(name, "finite numbers", "NaN or infinity"))
        }
    }

    /// The error of a tensor, or of the whole file for an empty name.
    pub(super) fn wrong(&self, name: &str, expected: &str, found: &str) -> Error {
        Error::Malformed {
            path: self.path.clone(),
            line: None,
            column: (!name.is_empty()).then(|| name.to_string()),
            expected: expected.into(),
            found: found.into(),
            hint: self.hint.into(),
        }
    }
}

/// Whether a file begins as safetensors does: the length of a header in JSON, then its brace.
fn is_safetensors(path: &Path) -> Result<bool> {
    use std::io::Read;
    let mut start = Vec::new();
    let read = open_regular(path).and_then(|file| file.take(9).read_to_end(&mut start));
    read.map_err(Error::io("read", path))?;
    Ok(start.get(8) == Some(&b'{') && start[6..8] == [0, 0])
}

/// The types of floating-point numbers that weights are stored in.
#[derive(Debug, Clone, Copy)]
enum Width {
    Half,
    Brain,
    Single,
    Double,
}

impl Width {
    fn of_safetensors(kind: Dtype) -> Option<Width> {
        match kind {
            Dtype::F16 => Some(Width::Half),
            Dtype::BF16 => Some(Width::Brain),
            Dtype::F32 => Some(Width::Single),
            Dtype::F64 => Some(Width::Double),
            _ => None,
        }
    }

    fn of_pytorch(kind: DType) -> Option<Width> {
        match kind {
            DType::F16 => Some(Width::Half),
            DType::BF16 => Some(Width::Brain),
            DType::F32 => Some(Width::Single),
            DType::F64 => Some(Width::Double),
            _ => None,
        }
    }

    /// The numbers that little-endian bytes stand for.
    fn values(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Width::Half => (bytes.as_chunks().0.iter())
                .map(|&bytes| f16::from_le_bytes(bytes).to_f32())
                .collect(),
            Width::Brain => (bytes.as_chunks().0.iter())
                .map(|&bytes| bf16::from_le_bytes(bytes).to_f32())
                .collect(),
            Width::Single => bytes
                .as_chunks()
                .0
                .iter()
                .map(|&bytes| f32::from_le_bytes(bytes))
                .collect(),
            Width::Double => (bytes.as_chunks().0.iter())
                .map(|&bytes| f64::from_le_bytes(bytes) as f32)
                .collect(),
        }
    }
}
