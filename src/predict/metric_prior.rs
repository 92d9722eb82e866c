//! What is believed of one metric of devices before they are measured, and how far off that turned out to be.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::Encoded;
use super::adapt::OFFSET_ELSEWHERE;
use super::calibrate::Calibration;
use super::device_model::{MetricModel, Posterior};
use super::prior::{Coordinate, Prior};
use crate::profile::COORDINATES;

/// Prior and calibrations of one metric of devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricPrior {
    /// Basis and mixture.
    pub prior: Prior,
    /// Calibrations by number of probes, rising.
    pub calibrations: Vec<(usize, Calibration)>,
    /// Calibration of the known devices themselves.
    pub known_calibration: Calibration,
}

impl MetricPrior {
    /// Calibration for a number of probes, interpolated in its logarithm.
    pub(crate) fn calibration(&self, probes: usize) -> Calibration {
        let at = |count: usize| ((1 + count) as f64).ln();
        let above = self.calibrations.partition_point(|(count, _)| *count < probes);
        match (
            above.checked_sub(1).and_then(|below| self.calibrations.get(below)),
            self.calibrations.get(above),
        ) {
            (_, Some((count, calibration))) if *count == probes => calibration.clone(),
            (Some((low, a)), Some((high, b))) => a.between(b, (at(probes) - at(*low)) / (at(*high) - at(*low))),
            (Some((_, only)), None) | (None, Some((_, only))) => only.clone(),
            (None, None) => Calibration::default(),
        }
    }

    /// The basis at encoded architectures: `[COUNTS + rank, architectures]`.
    pub fn basis(&self, encoded: &Encoded) -> DMatrix<f32> {
        self.prior.basis(encoded)
    }

    /// A device that was trained on. Where its values are of other search spaces, or of another input size than that which networks run
    /// at, its profile is as uncertain as they leave it.
    pub(super) fn known(&self, id: &str) -> Option<MetricModel> {
        let index = self.prior.known.iter().position(|device| device.id == id)?;
        let device = &self.prior.known[index];
        let size = COORDINATES + self.prior.rank();
        let mut mean = DVector::zeros(size);
        mean.rows_mut(COORDINATES, self.prior.rank())
            .copy_from(&self.prior.known_centres.column(index));
        let (setting, noise_variance) = (device.setting(), device.noise.powi(2));
        let elsewhere = device.elsewhere || self.prior.learned_reference.is_some();
        let posterior = if elsewhere {
            let mut covariance = DMatrix::zeros(size, size);
            let profile = (0..COORDINATES, 0..COORDINATES);
            covariance
                .view_range_mut(profile.0, profile.1)
                .copy_from(&device.covariance);
            for (index, coordinate) in self.prior.coordinates.iter().enumerate() {
                if *coordinate == Coordinate::Constant {
                    covariance[(COORDINATES + index, COORDINATES + index)] = OFFSET_ELSEWHERE.powi(2);
                }
            }
            Posterior::new(&device.profile, &setting, &mean, covariance, noise_variance)
        } else {
            let certain = DMatrix::zeros(1, size);
            Posterior::with_root(&device.profile, &setting, &mean, &certain, noise_variance)
        };
        Some(MetricModel {
            posterior,
            calibration: if elsewhere {
                Calibration::default()
            } else {
                self.known_calibration.clone()
            },
        })
    }
}
