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
use crate::predict::{Ablation, DeviceMetrics, DeviceSimilarity, Encoded, MetricPrior, probes};
use crate::seed::Seed;
use crate::stats;

/// Numbers of probes for which intervals are calibrated, repeats of each, and values scored per repeat.
const CALIBRATED_PROBES: [usize; 7] = [0, 1, 3, 5, 10, 20, 50];
const CALIBRATION_REPEATS: usize = 4;
const CALIBRATION_VALUES: usize = 250;
/// Measurements that probes are chosen among as `edgefit probes` chooses, and the most of them.
const CANDIDATES: usize = 1000;
const MOST_CHOSEN: usize = 20;
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
    /// Whether the output of each architecture depends on its input.
    pub(super) depends_on_input: Vec<bool>,
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
        let weights = prior.unit_weights();
        let errors = |index: usize, device: &KnownDevice| -> (f64, Vec<f64>) {
            let logs = functions.row(index);
            let errors = (validation.iter().zip(logs.iter()))
                .map(|(&column, predicted)| (self.log(device, column) - predicted) / device.noise)
                .filter(|error| !error.is_nan());
            (weights[index], errors.collect())
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
        let mut errors: Vec<(usize, (f64, Vec<f64>))> = Vec::new();
        for unit in units {
            let others: Vec<(Metric, KnownDevice)> =
                self.known.iter().filter(|one| one.1.unit != unit).cloned().collect();
            let rest = Prior::build(&others, metric, self.reference, self.ablations);
            let basis: DMatrix<f64> = rest.basis(self.encoded).cast();
            let drawn: DMatrix<f64> = rest
                .basis(&self.reference.encoded)
                .columns(0, adapt::REFERENCE)
                .map(f64::from);
            let settings: Vec<&KnownDevice> = measured().filter(|device| device.unit == unit).collect();
            for device in &settings {
                let left_out = LeftOut::of(self, &rest, (&basis, &drawn), device);
                let found = CALIBRATED_PROBES
                    .par_iter()
                    .flat_map_iter(|&probes| left_out.errors(probes).into_iter().map(move |group| (probes, group)));
                let weighted = |(probes, (share, group))| (probes, (share / settings.len() as f64, group));
                errors.extend(found.map(weighted).collect::<Vec<_>>());
            }
        }
        CALIBRATED_PROBES
            .iter()
            .map(|&probes| {
                let groups = errors.iter().filter(|one| one.0 == probes).map(|one| one.1.clone());
                let pseudo_observations = std::iter::repeat_n((1.0, pseudo_observation_errors()), PSEUDO_OBSERVATIONS);
                (
                    probes,
                    Calibration::fit(&groups.chain(pseudo_observations).collect::<Vec<_>>()),
                )
            })
            .collect()
    }
}

/// A device and a prior that does not know it.
struct LeftOut<'a> {
    rows: &'a Rows<'a>,
    prior: &'a Prior,
    /// The bases of the measured architectures and of architectures drawn from the space.
    basis: &'a DMatrix<f64>,
    drawn: &'a DMatrix<f64>,
    device: &'a KnownDevice,
    /// Columns of what was measured of it.
    measured: Vec<usize>,
    /// Those that `edgefit probes` would choose of some of them, the best first.
    chosen: Vec<usize>,
}

impl<'a> LeftOut<'a> {
    fn of(
        rows: &'a Rows<'a>,
        prior: &'a Prior,
        (basis, drawn): (&'a DMatrix<f64>, &'a DMatrix<f64>),
        device: &'a KnownDevice,
    ) -> LeftOut<'a> {
        let is_measured = |column: &usize| !rows.log(device, *column).is_nan();
        let mut measured: Vec<usize> = (0..rows.logs.ncols()).filter(is_measured).collect();
        measured.shuffle(&mut rows.seed.stream(&format!("calibration/{}", device.id)));
        let candidates = &measured[..measured.len().min(CANDIDATES)];
        let usable = (0..candidates.len()).filter(|&one| rows.depends_on_input[candidates[one]]);
        let at: DMatrix<f32> = basis.select_columns(candidates).cast();
        let chosen = probes::choose(
            prior,
            &at,
            usable.collect(),
            &drawn.map(|value| value as f32),
            MOST_CHOSEN,
        );
        LeftOut {
            rows,
            prior,
            basis,
            drawn,
            device,
            chosen: chosen.into_iter().map(|position| candidates[position]).collect(),
            measured,
        }
    }

    /// Standardised errors after so many probes, drawn at random and as users get them, with the share that each counts.
    fn errors(&self, probes: usize) -> Vec<(f64, Vec<f64>)> {
        let mut rng = self
            .rows
            .seed
            .stream(&format!("calibration/{}/{probes}", self.device.id));
        let random = (0..CALIBRATION_REPEATS).flat_map(|_| {
            let mut shuffled = self.measured.clone();
            shuffled.shuffle(&mut rng);
            let (probed, scored) = shuffled.split_at(probes.min(shuffled.len() / 2));
            self.errors_after(probed, scored)
        });
        let random: Vec<f64> = random.collect();
        if !(1..=self.chosen.len()).contains(&probes) {
            return vec![(1.0, random)];
        }
        let probed = &self.chosen[..probes];
        let scored: Vec<usize> = (self.measured.iter().copied())
            .filter(|column| !probed.contains(column))
            .collect();
        vec![(0.5, random), (0.5, self.errors_after(probed, &scored))]
    }

    fn errors_after(&self, probed: &[usize], scored: &[usize]) -> Vec<f64> {
        let log = |column: &usize| self.rows.log(self.device, *column);
        let beliefs = Beliefs {
            prior: self.prior,
            similarity: &DeviceSimilarity::of(&self.device.datasheet, self.prior),
            like: None,
            setting: self.device.setting(),
            reference: self.drawn,
        };
        let logs: Vec<f64> = probed.iter().map(log).collect();
        let seed = self
            .rows
            .seed
            .child(&format!("calibration/{}", self.device.id), probed.len());
        let posterior = adapt::adapt(
            &beliefs,
            &Measured::once(self.basis.select_columns(probed), &logs),
            seed,
        );
        let scored = &scored[..scored.len().min(CALIBRATION_VALUES)];
        let predictions = posterior.predict(&self.basis.select_columns(scored).cast());
        (scored.iter().zip(predictions))
            .map(|(column, prediction)| (log(column) - f64::from(prediction.mean)) / f64::from(prediction.deviation))
            .collect()
    }
}

/// Normal scores at even probabilities: a sample without sampling error.
fn pseudo_observation_errors() -> Vec<f64> {
    let count = CALIBRATION_VALUES;
    (0..count)
        .map(|index| PSEUDO_OBSERVATION_ERRORS * stats::normal_quantile((index as f64 + 0.5) / count as f64))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::example::World;

    /// The last architecture of the world computes nothing.
    #[test]
    fn errors_are_of_random_probes_and_of_those_that_users_get() {
        let world = World::new();
        let count = world.logs.ncols();
        let rows = Rows {
            encoded: &world.architectures.encoded,
            logs: &world.logs,
            depends_on_input: (0..count).map(|column| column + 1 < count).collect(),
            reference: &world.architectures,
            known: &world.known,
            ablations: &BTreeSet::new(),
            seed: Seed(1),
        };
        let basis: DMatrix<f64> = world.basis.cast();
        let left_out = LeftOut::of(&rows, &world.prior, (&basis, &world.reference), &world.known[0].1);
        let chosen: BTreeSet<usize> = left_out.chosen.iter().copied().collect();
        assert!(
            chosen.len() == MOST_CHOSEN && !chosen.contains(&(count - 1)),
            "{chosen:?}"
        );
        let groups = |probes| -> Vec<(f64, usize)> {
            let groups = left_out.errors(probes).into_iter();
            groups.map(|(share, errors)| (share, errors.len())).collect()
        };
        // Four repeats of 250 values; one of chosen probes.
        assert_eq!(groups(0), [(1.0, 1000)]);
        assert_eq!(groups(5), [(0.5, 1000), (0.5, 250)]);
        assert_eq!(groups(50), [(1.0, 1000)]);
        let [(_, random), (_, of_chosen)] = &left_out.errors(5)[..] else {
            unreachable!("two groups")
        };
        assert!(!random.windows(250).any(|part| part == of_chosen));
    }
}
