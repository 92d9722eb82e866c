//! The known devices: their profiles, which are fitted together, and what these leave over for the towers.

use std::collections::HashMap;

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::columns::Column;
use super::{MIN_VALUES, Parts, best_share, spread};
use crate::dataset::{Dataset, Selection};
use crate::device::Device;
use crate::encode::Physics;
use crate::error::Result;
use crate::metric::Metric;
use crate::predict::CLASSES_ELSEWHERE;
use crate::predict::prior::{KnownDevice, setting};
use crate::predict::train::{Split, Table};
use crate::profile::{COUNTS, Member, Observed, Population, Priced};
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

    /// What is left of a column's logarithms beyond its profile, `[used]`.
    fn residuals(&self, row: usize, device: &KnownDevice) -> Vec<f64> {
        let priced = Priced::new(&device.profile, &device.setting());
        (self.logs.row(row).iter().zip(self.counts.column_iter()))
            .map(|(log, counts)| log - priced.log(counts.as_slice()) - device.offset)
            .collect()
    }
}

/// What was measured of a device in datasets of other search spaces.
fn elsewhere(datasets: &[Dataset], device: &Device, metric: Metric) -> Result<Vec<Observed>> {
    let mut observed = Vec::new();
    for dataset in datasets {
        let Some(position) = dataset.devices.iter().position(|one| one.id == device.id) else {
            continue;
        };
        let Some(&input) = dataset.inputs.first() else { continue };
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
        observed.push(Observed {
            counts: DMatrix::from_vec(COUNTS, chosen.len(), counts.collect::<Vec<_>>().concat()),
            logs: chosen.iter().map(|(_, value)| value.ln()).collect(),
            setting: setting(device),
        });
    }
    Ok(observed)
}

/// The device of each column with its profile, which holds in the other datasets' search spaces too.
///
/// # Errors
/// For devices that were measured at several precisions there.
pub(super) fn known_devices(
    dataset: &Dataset,
    others: &[Dataset],
    columns: &[Column],
    values: &Values,
) -> Result<Vec<(Metric, KnownDevice)>> {
    let mut known = Vec::with_capacity(columns.len());
    // Columns come metric by metric.
    for of_metric in columns.chunk_by(|a, b| a.metric == b.metric) {
        let first = known.len();
        let device = |index: usize| &dataset.devices[of_metric[index].device];
        let settings_of = |unit: &str| (0..of_metric.len()).filter(|&other| device(other).unit == unit).count();
        let member = |index: usize| {
            let mut observed = vec![values.observed(first + index, device(index))];
            observed.extend(elsewhere(others, device(index), of_metric[index].metric)?);
            Ok(Member {
                observed,
                weight: 1.0 / settings_of(&device(index).unit) as f64,
            })
        };
        let members = (0..of_metric.len()).map(member).collect::<Result<Vec<Member>>>()?;
        let population = Population::fit(&members);
        for (index, estimated) in population.members.iter().enumerate() {
            let logs = values.logs.row(first + index);
            let logs: Vec<f64> = logs.iter().copied().filter(|log| !log.is_nan()).collect();
            let mut device = KnownDevice {
                id: device(index).id.clone(),
                unit: device(index).unit.clone(),
                precision: of_metric[index].precision,
                output: Some(first + index),
                level: stats::quantile(&logs, 0.5).unwrap_or_default(),
                profile: estimated.profile,
                covariance: estimated.covariance,
                offset: estimated.offsets.first().copied().unwrap_or_default(),
                scale: 1.0,
                residual_share: 0.0,
                noise: 0.0,
                datasheet: device(index).clone(),
            };
            let residuals = values.residuals(first + index, &device);
            device.scale = scale(values.training[first + index].iter().map(|&place| residuals[place]));
            known.push((of_metric[index].metric, device));
        }
    }
    Ok(known)
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

/// Takes as much of each device's tower as validation architectures bear out, and adds the noise that is left there.
pub(super) fn with_residuals(
    known: Vec<(Metric, KnownDevice)>,
    table: &Table,
    towers: &DMatrix<f32>,
    split: &Split,
) -> Vec<(Metric, KnownDevice)> {
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
        device.residual_share = best_share(&without, &with);
        let left: Vec<f64> = (without.iter().zip(&with))
            .map(|(without, with)| without + device.residual_share * (with - without))
            .collect();
        device.noise = spread(&left) * device.scale;
        (metric, device)
    };
    known.into_par_iter().enumerate().map(borne_out).collect()
}
