//! How far off are predictions for devices that were never measured? Known devices stand in for them, left out in turn.

use std::collections::BTreeSet;

use nalgebra::DMatrix;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::target;
use crate::device::Device;
use crate::metric::Metric;
use crate::predict::adapt::{self, Measured};
use crate::predict::calibrate::Calibration;
use crate::predict::prior::{KnownDevice, Prior, Reference, SyntheticDevices};
use crate::predict::shortcoming::MIN_CALIBRATION_UNITS;
use crate::predict::train::Table;
use crate::predict::{DeviceSimilarity, MetricPrior};
use crate::seed::Seed;
use crate::stats;

/// Numbers of probes for which intervals are calibrated, repeats of each, and values scored per repeat.
const CALIBRATED_PROBES: [usize; 7] = [0, 1, 3, 5, 10, 20, 50];
const CALIBRATION_REPEATS: usize = 4;
const CALIBRATION_VALUES: usize = 250;
/// The known devices are few, and the next one may err more than any of them: this many pseudo-observations are added, whose
/// errors are normal and this much larger than predicted.
const PSEUDO_OBSERVATIONS: usize = 2;
const PSEUDO_OBSERVATION_ERRORS: f64 = 1.5;

/// What priors are built from and calibrated on.
pub(super) struct Rows<'a> {
    pub(super) table: &'a Table,
    pub(super) predicted: &'a DMatrix<f32>,
    pub(super) reference: &'a Reference,
    pub(super) synthetic: &'a SyntheticDevices,
    pub(super) devices: &'a [Device],
    pub(super) known: &'a [(Metric, KnownDevice)],
    pub(super) seed: Seed,
}

impl Rows<'_> {
    pub(super) fn metric_prior(&self, metric: Metric, validation: &[usize]) -> MetricPrior {
        let prior = Prior::build(self.known, metric, self.reference, self.synthetic);
        MetricPrior {
            calibrations: self.calibrations(&prior, metric),
            known_calibration: self.known_calibration(&prior, validation),
            prior,
        }
    }

    /// Of the known devices themselves, on validation architectures.
    fn known_calibration(&self, prior: &Prior, validation: &[usize]) -> Calibration {
        let columns = |matrix: &DMatrix<f32>| matrix.select_columns(validation);
        let basis: DMatrix<f64> = prior
            .basis(&columns(self.predicted), &columns(&self.table.inputs))
            .cast();
        let functions = prior.known_centres.tr_mul(&basis);
        let errors = |index: usize, device: &KnownDevice| -> Vec<f64> {
            let target = |column: usize| target(self.table, device, column);
            (validation.iter().zip(functions.row(index).iter()))
                .map(|(&column, predicted)| (target(column) - predicted) / device.noise)
                .filter(|error| !error.is_nan())
                .collect()
        };
        let devices = prior.known.iter().enumerate();
        Calibration::fit(&devices.map(|(index, device)| errors(index, device)).collect::<Vec<_>>())
    }

    /// Leaves every hardware unit out in turn; see [`crate::predict::calibrate`].
    fn calibrations(&self, prior: &Prior, metric: Metric) -> Vec<(usize, Calibration)> {
        let units: BTreeSet<&str> = prior.known.iter().map(|device| device.unit.as_str()).collect();
        if units.len() < MIN_CALIBRATION_UNITS {
            return Vec::new();
        }
        let mut errors: Vec<(usize, Vec<f64>)> = Vec::new();
        for unit in units {
            let others: Vec<(Metric, KnownDevice)> =
                self.known.iter().filter(|one| one.1.unit != unit).cloned().collect();
            let rest = Prior::build(&others, metric, self.reference, self.synthetic);
            let basis: DMatrix<f64> = rest.basis(self.predicted, &self.table.inputs).cast();
            let left_out: Vec<&KnownDevice> = prior.known.iter().filter(|device| device.unit == unit).collect();
            for device in left_out {
                let found: Vec<(usize, Vec<f64>)> = CALIBRATED_PROBES
                    .par_iter()
                    .map(|&probes| (probes, self.standardised_errors(&rest, &basis, device, probes)))
                    .collect();
                errors.extend(found);
            }
        }
        CALIBRATED_PROBES
            .iter()
            .map(|&probes| {
                let groups = errors.iter().filter(|one| one.0 == probes).map(|one| one.1.clone());
                let pseudo_observations = std::iter::repeat_n(pseudo_observation_errors(), PSEUDO_OBSERVATIONS);
                (
                    probes,
                    Calibration::fit(&groups.chain(pseudo_observations).collect::<Vec<_>>()),
                )
            })
            .collect()
    }

    fn standardised_errors(
        &self,
        prior: &Prior,
        basis: &DMatrix<f64>,
        device: &KnownDevice,
        probes: usize,
    ) -> Vec<f64> {
        let log = |column: usize| device.level + device.scale * target(self.table, device, column);
        let mut measured: Vec<usize> = (0..self.table.targets.ncols())
            .filter(|&column| !target(self.table, device, column).is_nan())
            .collect();
        let named = Device::named(&device.id);
        let datasheet = self.devices.iter().find(|one| one.id == device.id).unwrap_or(&named);
        let similarity = DeviceSimilarity::of(datasheet, prior);
        let mut errors = Vec::new();
        for repeat in 0..CALIBRATION_REPEATS {
            let seed = self.seed.child(&format!("calibration/{}/{probes}", device.id), repeat);
            measured.shuffle(&mut seed.stream("probes"));
            let (probed, scored) = measured.split_at(probes.min(measured.len() / 2));
            let logs: Vec<f64> = probed.iter().map(|&column| log(column)).collect();
            let posterior = adapt::adapt(
                prior,
                &similarity,
                None,
                Measured::once(basis.select_columns(probed), &logs),
                seed,
            );
            let scored = &scored[..scored.len().min(CALIBRATION_VALUES)];
            let predictions = posterior.predict(&basis.select_columns(scored).cast());
            errors.extend(scored.iter().zip(predictions).map(|(&column, prediction)| {
                (log(column) - f64::from(prediction.mean)) / f64::from(prediction.deviation)
            }));
        }
        errors
    }
}

/// Normal scores at even probabilities: a sample without sampling error.
fn pseudo_observation_errors() -> Vec<f64> {
    let count = CALIBRATION_VALUES;
    (0..count)
        .map(|index| PSEUDO_OBSERVATION_ERRORS * stats::normal_quantile((index as f64 + 0.5) / count as f64))
        .collect()
}
