//! An optimizer as the files of a checkpoint.

use super::{Checkpoint, broken};
use crate::compute::ComputeDevice;
use crate::error::{Error, Result};
use crate::optimize::Optimizer;

const OPTIMIZER: &str = "optimizer.json";
const POLICY: &str = "policy.bpk";
/// The files of an optimizer; all others are the predictor's.
pub(super) const FILES: [&str; 2] = [OPTIMIZER, POLICY];

impl Checkpoint {
    /// Whether it holds an optimizer beside the predictor.
    pub fn has_optimizer(&self) -> bool {
        FILES.iter().all(|name| self.files.contains_key(*name))
    }

    /// The optimizer.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for a checkpoint without one, and for files that are whole but hold something else.
    pub fn optimizer(&self, compute: &ComputeDevice) -> Result<Optimizer> {
        if !self.has_optimizer() {
            return Err(Error::Checkpoint {
                path: self.folder.clone(),
                expected: "a checkpoint with an optimizer".into(),
                found: "one with a predictor only".into(),
                hint: "Run `edgefit train optimizer`, or use `edgefit search`, which needs none.".into(),
            });
        }
        let description = String::from_utf8_lossy(self.file(OPTIMIZER)?);
        let optimizer = Optimizer::from_parts(&description, self.file(POLICY)?, &self.place(POLICY), compute)?;
        if optimizer.predictor == self.id() {
            Ok(optimizer)
        } else {
            Err(broken(
                &self.place(OPTIMIZER),
                format!("an optimizer of predictor {}", self.id()),
                format!("one of {}", optimizer.predictor),
            ))
        }
    }
}

/// The files of an optimizer.
pub(super) fn files(optimizer: &Optimizer) -> Result<[(String, Vec<u8>); 2]> {
    let (description, weights) = optimizer.parts()?;
    Ok([(OPTIMIZER.into(), description.into_bytes()), (POLICY.into(), weights)])
}
