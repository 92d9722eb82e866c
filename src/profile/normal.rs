//! A normal distribution of profiles.

use nalgebra::Cholesky;
use serde::{Deserialize, Serialize};

use super::{Coordinates, Covariance};

/// Mean and covariance of a normal distribution of profiles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normal {
    /// Mean.
    pub mean: Coordinates,
    /// Covariance.
    pub covariance: Covariance,
}

impl Normal {
    /// `R` with `R R'` the covariance, lower triangular.
    pub fn root(&self) -> Covariance {
        let padded = self.covariance + Covariance::identity() * 1e-9;
        Cholesky::new(padded).map_or_else(Covariance::identity, |factor| factor.l())
    }
}
