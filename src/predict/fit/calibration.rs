//! How far off are predictions for devices that were never measured? Known devices stand in for them, left out in turn.

use std::collections::BTreeSet;

use nalgebra::DMatrix;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::metric::Metric;
use crate::predict::adapt::{self, Beliefs, Measured};
use crate::predict::calibrate::Calibration;
use crate::predict::prior::{KnownDevice, Prior, Reference};
use crate::predict::shortcoming::MIN_CALIBRATION_UNITS;
use crate::predict::{Ablation, DeviceMetrics, DeviceSimilarity, Encoded, MetricPrior};
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
    /// The architectures that were measured.
    pub(super) encoded: &'a Encoded,
    /// `[columns, architectures]`: logarithms of the values, NaN where nothing was measured.
    pub(super) logs: &'a DMatrix<f64>,
    pub(super) reference: &'a Reference,
    /// The device of each column.
    pub(super) known: &'a [(Metric, KnownDevice)],
    pub(super) ablations: &'a BTreeSet<Ablation>,
    pub(super) seed: Seed,
}

impl Rows<'_> {
    /// Of every metric that is known of any device.
    pub(super) fn metric_priors(&self, validation: &[usize]) -> DeviceMetrics<MetricPrior> {
        let mut priors = DeviceMetrics::new(self.metric_prior(Metric::Latency, validation));
        for metric in Metric::OF_DEVICE {
            if metric != Metric::Latency && self.known.iter().any(|one| one.0 == metric) {
                priors.insert(metric, self.metric_prior(metric, validation));
            }
        }
        priors
    }

    fn metric_prior(&self, metric: Metric, validation: &[usize]) -> MetricPrior {
        let prior = Prior::build(self.known, metric, self.reference, self.ablations);
        MetricPrior {
            calibrations: self.calibrations(&prior, metric),
            known_calibration: self.known_calibration(&prior, validation),
            prior,
        }
    }

    /// The logarithm of a device's value in a column; NaN where none was measured.
    fn log(&self, device: &KnownDevice, column: usize) -> f64 {
        device.output.map_or(f64::NAN, |output| self.logs[(output, column)])
    }

    /// Of the known devices themselves, on validation architectures.
    fn known_calibration(&self, prior: &Prior, validation: &[usize]) -> Calibration {
        let basis: DMatrix<f64> = prior.basis(self.encoded).select_columns(validation).cast();
        let functions = prior.known_functions(&basis);
        let errors = |index: usize, device: &KnownDevice| -> Vec<f64> {
            (validation.iter().zip(functions.row(index).iter()))
                .map(|(&column, predicted)| (self.log(device, column) - predicted) / device.noise)
                .filter(|error| !error.is_nan())
                .collect()
        };
        let devices = prior.known.iter().enumerate();
        Calibration::fit(&devices.map(|(index, device)| errors(index, device)).collect::<Vec<_>>())
    }

    /// Leaves every hardware unit out in turn; see [`crate::predict::calibrate`].
    fn calibrations(&self, prior: &Prior, metric: Metric) -> Vec<(usize, Calibration)> {
        let measured = || prior.known.iter().filter(|device| device.output.is_some());
        let units: BTreeSet<&str> = measured().map(|device| device.unit.as_str()).collect();
        if units.len() < MIN_CALIBRATION_UNITS {
            return Vec::new();
        }
        let mut errors: Vec<(usize, Vec<f64>)> = Vec::new();
        for unit in units {
            let others: Vec<(Metric, KnownDevice)> =
                self.known.iter().filter(|one| one.1.unit != unit).cloned().collect();
            let rest = Prior::build(&others, metric, self.reference, self.ablations);
            let basis: DMatrix<f64> = rest.basis(self.encoded).cast();
            let drawn: DMatrix<f64> = rest
                .basis(&self.reference.encoded)
                .columns(0, adapt::REFERENCE)
                .map(f64::from);
            let left_out: Vec<&KnownDevice> = measured().filter(|device| device.unit == unit).collect();
            for device in left_out {
                let found: Vec<(usize, Vec<f64>)> = CALIBRATED_PROBES
                    .par_iter()
                    .map(|&probes| {
                        (
                            probes,
                            self.standardised_errors(&rest, (&basis, &drawn), device, probes),
                        )
                    })
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

    /// Adapts to a device under a prior that does not know it. `bases` are those of the measured architectures and of architectures
    /// drawn from the space.
    fn standardised_errors(
        &self,
        prior: &Prior,
        (basis, drawn): (&DMatrix<f64>, &DMatrix<f64>),
        device: &KnownDevice,
        probes: usize,
    ) -> Vec<f64> {
        let mut measured: Vec<usize> = (0..self.logs.ncols())
            .filter(|&column| !self.log(device, column).is_nan())
            .collect();
        let beliefs = Beliefs {
            prior,
            similarity: &DeviceSimilarity::of(&device.datasheet, prior),
            like: None,
            setting: device.setting(),
            reference: drawn,
        };
        let mut errors = Vec::new();
        for repeat in 0..CALIBRATION_REPEATS {
            let seed = self.seed.child(&format!("calibration/{}/{probes}", device.id), repeat);
            measured.shuffle(&mut seed.stream("probes"));
            let (probed, scored) = measured.split_at(probes.min(measured.len() / 2));
            let logs: Vec<f64> = probed.iter().map(|&column| self.log(device, column)).collect();
            let posterior = adapt::adapt(&beliefs, &Measured::once(basis.select_columns(probed), &logs), seed);
            let scored = &scored[..scored.len().min(CALIBRATION_VALUES)];
            let predictions = posterior.predict(&basis.select_columns(scored).cast());
            errors.extend(scored.iter().zip(predictions).map(|(&column, prediction)| {
                (self.log(device, column) - f64::from(prediction.mean)) / f64::from(prediction.deviation)
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
