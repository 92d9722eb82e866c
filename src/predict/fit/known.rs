//! The known devices: their profiles, which are fitted together, and what these leave over for the towers.

use std::collections::HashMap;

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::chosen::Chosen;
use super::columns::Column;
use super::eight_bits::at_eight_bits;
use super::{FitOptions, MIN_VALUES, Parts, best_share, spread};
use crate::dataset::{Dataset, Selection};
use crate::device::Device;
use crate::encode::Physics;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::predict::adapt::ELSEWHERE;
use crate::predict::prior::{KnownDevice, Reference, setting};
use crate::predict::train::{Split, Table};
use crate::predict::{Ablation, CLASSES_ELSEWHERE};
use crate::profile::{COUNTS, Estimated, Member, Observed, Population, Priced};
use crate::space::QuantPolicy;
use crate::stats;

/// Values that a profile is fitted to: it has few numbers, which more values make no better.
const VALUES_PER_PROFILE: usize = 1000;
/// Residuals further than this many spreads from zero are winsorised: set to that bound.
const MAX_SPREADS: f64 = 5.0;

/// What was measured, as logarithms.
pub(super) struct Values {
    /// `[columns, used]`, NaN where nothing was measured.
    pub(super) logs: DMatrix<f64>,
    /// `[COUNTS, used]`.
    counts: DMatrix<f64>,
    /// Of each column, places of training architectures.
    training: Vec<Vec<usize>>,
}

impl Values {
    /// `used` are positions in the dataset, `counts` `[COUNTS, used]` the work of those architectures.
    pub(super) fn new(columns: &[Column], used: &[u32], split: &Parts, counts: &DMatrix<f32>) -> Values {
        let places = used.iter().enumerate().map(|(place, &position)| (position, place));
        let place: HashMap<u32, usize> = places.collect();
        let mut logs = DMatrix::from_element(columns.len(), used.len(), f64::NAN);
        let mut training = vec![Vec::new(); columns.len()];
        for (row, column) in columns.iter().enumerate() {
            for (position, value) in &column.values {
                logs[(row, place[position])] = value.ln();
                if !split.validation.contains(position) {
                    training[row].push(place[position]);
                }
            }
        }
        Values {
            logs,
            counts: counts.map(f64::from),
            training,
        }
    }

    /// What the training architectures of a column say of its profile.
    fn observed(&self, row: usize, device: &Device) -> Observed {
        let places = &self.training[row];
        let step = places.len().div_ceil(VALUES_PER_PROFILE).max(1);
        let chosen: Vec<usize> = places.iter().copied().step_by(step).collect();
        Observed {
            logs: chosen.iter().map(|&place| self.logs[(row, place)]).collect(),
            counts: self.counts.select_columns(&chosen),
            setting: setting(device),
        }
    }

    /// The device of a column.
    fn known_device(&self, row: usize, candidate: &Candidate, estimated: Estimated) -> KnownDevice {
        let logs: Vec<f64> = self.logs.row(row).iter().copied().filter(|log| !log.is_nan()).collect();
        let mut device = KnownDevice {
            id: candidate.device.id.clone(),
            unit: candidate.device.unit.clone(),
            precision: candidate.precision,
            output: Some(row),
            level: stats::quantile(&logs, 0.5).unwrap_or_default(),
            profile: estimated.profile,
            covariance: estimated.covariance,
            offset: estimated.offsets.first().copied().unwrap_or_default(),
            scale: 1.0,
            residual_share: 0.0,
            noise: 0.0,
            elsewhere: false,
            measured_at: None,
            datasheet: candidate.device.clone(),
        };
        let residuals = self.residuals(row, &device);
        device.scale = scale(self.training[row].iter().map(|&place| residuals[place]));
        device
    }

    /// What is left of a column's logarithms beyond its profile, `[used]`.
    fn residuals(&self, row: usize, device: &KnownDevice) -> Vec<f64> {
        let priced = Priced::new(&device.profile, &device.setting());
        (self.logs.row(row).iter().zip(self.counts.column_iter()))
            .map(|(log, counts)| log - priced.log(counts.as_slice()) - device.offset)
            .collect()
    }
}

/// All that was measured of the chosen devices.
struct Measured<'a> {
    dataset: &'a Dataset,
    /// Datasets of other search spaces.
    others: &'a [Dataset],
    chosen: &'a Chosen,
    columns: &'a [Column],
    values: &'a Values,
}

/// A device of one metric: that of a column, or one that was measured in other search spaces alone.
struct Candidate<'a> {
    /// Row of the values.
    column: Option<usize>,
    device: &'a Device,
    precision: QuantPolicy,
    observed: Vec<Observed>,
}

/// The devices of the columns, in order, and those that were measured in other search spaces alone.
pub(super) type Known = (Vec<(Metric, KnownDevice)>, Vec<(Metric, KnownDevice)>);

/// The devices with their profiles, which hold in all search spaces.
///
/// # Errors
/// [`Error::Invalid`] where no device has enough latencies, and for devices that were measured at several precisions in another
/// search space.
pub(super) fn known_devices(
    dataset: &Dataset,
    others: &[Dataset],
    chosen: &Chosen,
    columns: &[Column],
    values: &Values,
) -> Result<Known> {
    let measured = Measured {
        dataset,
        others,
        chosen,
        columns,
        values,
    };
    measured.known_devices()
}

impl Measured<'_> {
    fn known_devices(&self) -> Result<Known> {
        let (mut own, mut elsewhere) = (Vec::with_capacity(self.columns.len()), Vec::new());
        for metric in Metric::OF_DEVICE {
            let candidates = self.candidates(metric)?;
            if candidates.is_empty() {
                if metric == Metric::Latency {
                    return Err(too_few(self.dataset));
                }
                continue;
            }
            for (candidate, estimated) in profiles(candidates) {
                match candidate.column {
                    Some(row) => {
                        let known = self.values.known_device(row, &candidate, estimated);
                        own.push((metric, self.at_bits(known)?));
                    }
                    None => {
                        let known = self.at_bits(known_elsewhere(&candidate, &estimated))?;
                        let has_bits = self.dataset.space.has_bits();
                        elsewhere.push((metric, if has_bits { at_eight_bits(known)? } else { known }));
                    }
                }
            }
        }
        Ok((own, elsewhere))
    }

    /// The device with what its hardware has arithmetic for, where layers say bits.
    fn at_bits(&self, mut known: KnownDevice) -> Result<KnownDevice> {
        if self.dataset.space.has_bits() {
            known.datasheet = known.datasheet.with_precisions()?;
        }
        Ok(known)
    }

    /// The columns first, in order.
    fn candidates(&self, metric: Metric) -> Result<Vec<Candidate<'_>>> {
        let mut candidates = Vec::new();
        for (row, column) in self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.metric == metric)
        {
            let device = &self.dataset.devices[column.device];
            let mut observed = vec![self.values.observed(row, device)];
            observed.extend(self.elsewhere(&device.id, metric)?.into_iter().map(|one| one.1));
            candidates.push(Candidate {
                column: Some(row),
                device,
                precision: column.precision,
                observed,
            });
        }
        for id in &self.chosen.elsewhere {
            if candidates.iter().any(|candidate| candidate.device.id == *id) {
                continue;
            }
            let measured = self.elsewhere(id, metric)?;
            let described = self
                .others
                .iter()
                .flat_map(|other| &other.devices)
                .find(|device| device.id == *id);
            if let (Some(device), Some((precision, _))) = (described, measured.first()) {
                candidates.push(Candidate {
                    column: None,
                    device,
                    precision: *precision,
                    observed: measured.into_iter().map(|one| one.1).collect(),
                });
            }
        }
        Ok(candidates)
    }

    /// What was measured of a device in other search spaces, and at which precision.
    fn elsewhere(&self, id: &str, metric: Metric) -> Result<Vec<(QuantPolicy, Observed)>> {
        let mut observed = Vec::new();
        for dataset in self.others {
            let Some(position) = dataset.devices.iter().position(|one| one.id == *id) else {
                continue;
            };
            let Some(&input) = dataset.inputs.first() else { continue };
            let Some(precision) = dataset.resolve_precision(position, Selection::at(input))? else {
                continue;
            };
            let values = dataset.values(position, metric, Selection::at(input))?;
            let step = values.len().div_ceil(VALUES_PER_PROFILE).max(1);
            let chosen: Vec<(u32, f64)> = values.into_iter().step_by(step).collect();
            if chosen.len() < MIN_VALUES {
                continue;
            }
            let counts = chosen.par_iter().map(|(architecture, _)| {
                let architecture = &dataset.architectures[*architecture as usize];
                Physics::of(dataset.space, architecture, input, CLASSES_ELSEWHERE)
                    .work
                    .counts
            });
            let of_device = Observed {
                counts: DMatrix::from_vec(COUNTS, chosen.len(), counts.collect::<Vec<_>>().concat()),
                logs: chosen.iter().map(|(_, value)| value.ln()).collect(),
                setting: setting(&dataset.devices[position]),
            };
            observed.push((precision, of_device));
        }
        Ok(observed)
    }
}

fn too_few(dataset: &Dataset) -> Error {
    Error::Invalid {
        what: "latencies to learn from".into(),
        expected: format!("a device with at least {MIN_VALUES} of them at the task's input size"),
        found: format!("{} devices, none with as many", dataset.devices.len()),
        hint: "Import more measurements, name another task, or give datasets of other search spaces for the profiles."
            .into(),
    }
}

/// The profiles of all candidates, fitted together. Every hardware unit counts as one, however many settings of it there are.
fn profiles(mut candidates: Vec<Candidate>) -> Vec<(Candidate, Estimated)> {
    let units: Vec<String> = candidates.iter().map(|one| one.device.unit.clone()).collect();
    let settings_of = |unit: &str| units.iter().filter(|one| *one == unit).count();
    let members: Vec<Member> = (candidates.iter_mut())
        .map(|candidate| Member {
            observed: std::mem::take(&mut candidate.observed),
            weight: 1.0 / settings_of(&candidate.device.unit) as f64,
        })
        .collect();
    candidates.into_iter().zip(Population::fit(&members).members).collect()
}

/// A device that was measured in other search spaces alone. Its level is that of [`with_level`].
fn known_elsewhere(candidate: &Candidate, estimated: &Estimated) -> KnownDevice {
    let noise = estimated.noise.iter().copied().fold(0.0, f64::max);
    KnownDevice {
        id: candidate.device.id.clone(),
        unit: candidate.device.unit.clone(),
        precision: candidate.precision,
        output: None,
        level: 0.0,
        profile: estimated.profile,
        covariance: estimated.covariance,
        offset: 0.0,
        scale: 1.0,
        residual_share: 0.0,
        noise: noise.hypot(ELSEWHERE),
        elsewhere: true,
        measured_at: None,
        datasheet: candidate.device.clone(),
    }
}

/// With the level that its profile gives the reference architectures.
pub(super) fn with_level((metric, mut device): (Metric, KnownDevice), reference: &Reference) -> (Metric, KnownDevice) {
    let priced = Priced::new(&device.profile, &device.setting());
    let counts = reference.encoded.counts.map(f64::from);
    let logs: Vec<f64> = counts
        .column_iter()
        .map(|counts| priced.log(counts.as_slice()))
        .collect();
    device.level = stats::quantile(&logs, 0.5).unwrap_or_default();
    (metric, device)
}

/// Spread of residuals around zero.
fn scale(residuals: impl Iterator<Item = f64>) -> f64 {
    let away: Vec<f64> = residuals.map(f64::abs).collect();
    // 1.4826 makes the median absolute deviation estimate a normal standard deviation, 1.2533 the mean one.
    let median = 1.4826 * stats::quantile(&away, 0.5).unwrap_or_default();
    let mean = 1.2533 * stats::mean(&away).unwrap_or_default();
    median.max(0.3 * mean).max(1e-4)
}

/// Encoded architectures and standardised residuals, one column per used architecture.
pub(super) fn table(features: DMatrix<f32>, values: &Values, known: &[(Metric, KnownDevice)]) -> Table {
    let mut targets = DMatrix::from_element(known.len(), features.ncols(), f32::NAN);
    for (row, (_, device)) in known.iter().enumerate() {
        for (place, residual) in values.residuals(row, device).into_iter().enumerate() {
            targets[(row, place)] = (residual / device.scale).clamp(-MAX_SPREADS, MAX_SPREADS) as f32;
        }
    }
    Table {
        inputs: features,
        targets,
    }
}

/// Takes as much of each device's tower as validation architectures bear out, none where the residual is left out, and adds the
/// noise that is left there.
pub(super) fn with_residuals(
    known: Vec<(Metric, KnownDevice)>,
    table: &Table,
    towers: &DMatrix<f32>,
    split: &Split,
    options: &FitOptions,
) -> Vec<(Metric, KnownDevice)> {
    let most = if options.without.contains(&Ablation::Residual) {
        0.0
    } else {
        1.0
    };
    let borne_out = |(output, (metric, mut device)): (usize, (Metric, KnownDevice))| {
        let pairs = || {
            let pair = |&column: &usize| {
                let (target, tower) = (table.targets[(output, column)], towers[(output, column)]);
                (f64::from(target), f64::from(tower))
            };
            split.validation.iter().map(pair).filter(|pair| !pair.0.is_nan())
        };
        let without: Vec<f64> = pairs().map(|(target, _)| target).collect();
        let with: Vec<f64> = pairs().map(|(target, tower)| target - tower).collect();
        device.residual_share = best_share(&without, &with).min(most);
        let left: Vec<f64> = (without.iter().zip(&with))
            .map(|(without, with)| without + device.residual_share * (with - without))
            .collect();
        device.noise = spread(&left) * device.scale;
        (metric, device)
    };
    known.into_par_iter().enumerate().map(borne_out).collect()
}
