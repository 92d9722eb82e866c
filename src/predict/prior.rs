//! What is believed about a device before it is measured: a profile, see [`crate::profile`], and a residual
//! `log y = log(sum of work at prices) + w . phi(x)` with `phi` a small basis of functions of the architecture.
//!
//! The profile comes from a mixture: around each known device, from the known devices as a population, and from synthetic
//! devices. The basis of the residual holds a constant, by which a search space as a whole is slower than the sum, the directions in
//! which the known devices' residuals lie, as the towers learned them, and the directions in which architectures differ.

use std::collections::BTreeSet;

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::datasheet::TypicalNetwork;
use super::directions::Directions;
use super::{Ablation, Encoded};
use crate::device::Device;
use crate::metric::Metric;
use crate::profile::{COUNTS, Coordinates, Covariance, Normal, Priced, Setting, moments};
use crate::space::{Network, QuantPolicy};

/// Directions kept of the known devices' residuals.
const KNOWN_DIRECTIONS: usize = 48;
/// Directions kept of the features themselves.
const FEATURE_DIRECTIONS: usize = 24;

/// A device whose latency or energy function was learned in training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownDevice {
    /// Device id.
    pub id: String,
    /// Hardware unit.
    pub unit: String,
    /// The precision that its values were measured at.
    pub precision: QuantPolicy,
    /// Row of the towers' outputs; none for a device that was added when they were learned already.
    pub output: Option<usize>,
    /// Median of the logarithm over the training architectures.
    pub level: f64,
    /// Its profile.
    pub profile: Coordinates,
    /// How well that is known.
    pub covariance: Covariance,
    /// By how much the search space is slower than the sum, in log units.
    pub offset: f64,
    /// Spread of what the profile leaves over, in log units; the unit of what the tower predicts.
    pub scale: f64,
    /// Share of the tower's prediction that validation architectures bear out.
    pub residual_share: f64,
    /// Standard deviation of what is left on validation architectures, in log units.
    pub noise: f64,
    /// Whether all its values are of other search spaces than this one, so that only its profile is known.
    #[serde(default)]
    pub elsewhere: bool,
    /// The precision that it was measured at, where its prices at `precision` are predicted from that and from specifications.
    #[serde(default)]
    pub measured_at: Option<QuantPolicy>,
    /// The datasheet.
    pub datasheet: Device,
}

impl KnownDevice {
    /// What it was measured with.
    pub fn setting(&self) -> Setting {
        setting(&self.datasheet)
    }
}

/// What a device is measured with.
pub(super) fn setting(device: &Device) -> Setting {
    Setting {
        batch: device.batch_size.unwrap_or(1.0),
    }
}

/// What one coordinate of the basis stands for, which sets its prior variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coordinate {
    /// The search space as a whole.
    Constant,
    /// A direction in which known devices' residuals lie.
    Known,
    /// A direction in which architectures differ, whatever the device: what many probes can still learn where no device shows
    /// the way.
    Feature,
}

/// The basis of the residual and the mixture of profiles, for one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// The metric that the known devices' functions are of.
    pub metric: Metric,
    /// The known devices.
    pub known: Vec<KnownDevice>,
    /// What the median network of the search space takes.
    pub typical: TypicalNetwork,
    /// Where networks run at another input size than that of the measurements learned from: the basis at architectures drawn from the
    /// space at the latter, of which levels are, `[COUNTS + rank, reference]`.
    #[serde(skip)]
    pub learned_reference: Option<DMatrix<f64>>,
    /// What each coordinate of the residual is.
    pub coordinates: Vec<Coordinate>,
    /// Parts that it does without.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ablations: BTreeSet<Ablation>,
    /// `[coordinates, outputs + features + 1]`: from tower outputs, encoded features and one to the basis.
    pub(crate) map: DMatrix<f64>,
    /// `[coordinates, known]`: the known devices' residuals as weights.
    pub(crate) known_centres: DMatrix<f64>,
}

/// Tower outputs and encoded features of the architectures that inner products between functions are taken over.
pub struct Reference {
    /// The architectures after the towers.
    pub encoded: Encoded,
    /// The networks as written.
    pub networks: Vec<Network>,
}

impl Prior {
    /// Builds the basis from the known devices' residuals over the reference architectures. The basis is that of all
    /// `known` functions, latencies and energies, so that weights over it mean the same for both; the mixture is `metric`'s.
    pub fn build(
        known: &[(Metric, KnownDevice)],
        metric: Metric,
        reference: &Reference,
        ablations: &BTreeSet<Ablation>,
    ) -> Prior {
        let (outputs, features) = (&reference.encoded.outputs, &reference.encoded.features);
        let width = outputs.nrows() + features.nrows() + 1;
        let devices: Vec<&KnownDevice> = known.iter().map(|(_, device)| device).collect();
        let mut rows = DMatrix::zeros(known.len(), width);
        for (mut row, device) in rows.row_iter_mut().zip(&devices) {
            if let Some(output) = device.output {
                row[output] = device.scale * device.residual_share;
            }
        }
        let functions = &rows * stack(outputs, features);
        let directions = Directions::of(&functions, &rows, &unit_weights(&devices), KNOWN_DIRECTIONS);
        let most = if ablations.contains(&Ablation::Residual) {
            0
        } else {
            FEATURE_DIRECTIONS
        };
        let by_feature = feature_directions(outputs.nrows(), features, most);

        let count = directions.rows.nrows();
        let rank = 1 + count + by_feature.nrows();
        let mut map = DMatrix::zeros(rank, width);
        map[(0, width - 1)] = 1.0;
        map.rows_mut(1, count).copy_from(&directions.rows);
        map.rows_mut(1 + count, by_feature.nrows()).copy_from(&by_feature);
        let of_metric: Vec<usize> = (0..known.len()).filter(|&index| known[index].0 == metric).collect();
        let mut known_centres = DMatrix::zeros(rank, of_metric.len());
        for (mut centre, &index) in known_centres.column_iter_mut().zip(&of_metric) {
            centre[0] = known[index].1.offset;
            centre.rows_mut(1, count).copy_from(&directions.weights.column(index));
        }
        let kinds = std::iter::once(Coordinate::Constant)
            .chain(std::iter::repeat_n(Coordinate::Known, count))
            .chain(std::iter::repeat_n(Coordinate::Feature, by_feature.nrows()));
        Prior {
            known_centres,
            metric,
            map,
            typical: TypicalNetwork::of(reference.networks.iter()),
            learned_reference: None,
            coordinates: kinds.collect(),
            ablations: ablations.clone(),
            known: of_metric.iter().map(|&index| known[index].1.clone()).collect(),
        }
    }

    /// Whether it does without a part.
    pub fn lacks(&self, part: Ablation) -> bool {
        self.ablations.contains(&part)
    }

    /// Weights of the known devices that give every hardware unit the same total: five batch sizes of one GPU are not five
    /// opinions.
    pub fn unit_weights(&self) -> DVector<f64> {
        unit_weights(&self.known.iter().collect::<Vec<_>>())
    }

    /// The distribution that the known devices' profiles come from.
    pub fn population(&self) -> Normal {
        let units: std::collections::BTreeSet<&str> = self.known.iter().map(|device| device.unit.as_str()).collect();
        let weights = self.unit_weights() * units.len() as f64;
        let devices = self.known.iter().zip(weights.iter());
        moments(
            devices
                .map(|(device, weight)| (*weight, &device.profile, &device.covariance))
                .collect(),
        )
    }

    /// What remains where only some devices are known. The basis stays.
    pub(crate) fn of_known(&self, is_kept: impl Fn(&KnownDevice) -> bool) -> Prior {
        let kept: Vec<usize> = (0..self.known.len())
            .filter(|&index| is_kept(&self.known[index]))
            .collect();
        Prior {
            known: kept.iter().map(|&index| self.known[index].clone()).collect(),
            known_centres: self.known_centres.select_columns(&kept),
            ..self.clone()
        }
    }

    /// Adds a device that the basis was not made for, with its residual as weights over it. The basis stays.
    pub(super) fn add_known(&mut self, device: KnownDevice, centre: &DVector<f64>) {
        let column = self.known_centres.ncols();
        self.known_centres = std::mem::take(&mut self.known_centres).insert_column(column, 0.0);
        self.known_centres.set_column(column, centre);
        self.known.push(device);
    }

    /// The residual of a known device as weights, `[rank]`.
    pub fn known_residual(&self, index: usize) -> DVector<f64> {
        self.known_centres.column(index).into_owned()
    }

    /// Number of coordinates of the residual's basis.
    pub fn rank(&self) -> usize {
        self.coordinates.len()
    }

    /// The basis at encoded architectures, one column each: counts of work and the functions of the residual,
    /// `[COUNTS + rank, architectures]`.
    pub fn basis(&self, encoded: &Encoded) -> DMatrix<f32> {
        let map: DMatrix<f32> = self.map.map(|value| value as f32);
        let (outputs, features) = (&encoded.outputs, &encoded.features);
        let (from_outputs, rest) = (
            map.columns(0, outputs.nrows()),
            map.columns(outputs.nrows(), features.nrows()),
        );
        let residual = from_outputs * outputs + rest * features;
        let constant = map.column(map.ncols() - 1);
        let mut basis = DMatrix::zeros(COUNTS + self.rank(), outputs.ncols());
        basis.rows_mut(0, COUNTS).copy_from(&encoded.counts);
        for (mut to, from) in basis.column_iter_mut().zip(residual.column_iter()) {
            to.rows_mut(COUNTS, constant.len()).copy_from(&(from + constant));
        }
        basis
    }

    /// Functions of the known devices in log units, from the basis `[COUNTS + rank, architectures]`: `[known, architectures]`.
    pub(crate) fn known_functions(&self, basis: &DMatrix<f64>) -> DMatrix<f64> {
        let mut functions = self.known_centres.tr_mul(&basis.rows(COUNTS, self.rank()));
        for (mut row, device) in functions.row_iter_mut().zip(&self.known) {
            let priced = Priced::new(&device.profile, &device.setting());
            for (value, at) in row.iter_mut().zip(basis.column_iter()) {
                *value += priced.log(&at.as_slice()[..COUNTS]);
            }
        }
        functions
    }
}

/// See [`Prior::unit_weights`].
fn unit_weights(known: &[&KnownDevice]) -> DVector<f64> {
    let settings = |unit: &str| known.iter().filter(|device| device.unit == unit).count() as f64;
    let weights = DVector::from_iterator(known.len(), known.iter().map(|device| 1.0 / settings(&device.unit)));
    let total = weights.sum().max(f64::MIN_POSITIVE);
    weights / total
}

/// `[outputs + features + 1, architectures]`.
fn stack(outputs: &DMatrix<f32>, features: &DMatrix<f32>) -> DMatrix<f64> {
    let (first, second) = (outputs.nrows(), features.nrows());
    DMatrix::from_fn(first + second + 1, outputs.ncols(), |row, column| match row {
        row if row < first => f64::from(outputs[(row, column)]),
        row if row < first + second => f64::from(features[(row - first, column)]),
        _ => 1.0,
    })
}

/// Rows of the map `[directions, width]` that give the principal components of the features over the reference
/// architectures, each divided by the same number so that all of their variances add up to one; those of `most` at most.
fn feature_directions(outputs: usize, features: &DMatrix<f32>, most: usize) -> DMatrix<f64> {
    let values = features.map(f64::from);
    let features = values.nrows();
    let mean = values.column_mean();
    let centred = DMatrix::from_fn(features, values.ncols(), |row, column| {
        values[(row, column)] - mean[row]
    });
    let eigen = (&centred * centred.transpose() / values.ncols().max(1) as f64).symmetric_eigen();
    let total = eigen.eigenvalues.sum().max(f64::MIN_POSITIVE);
    let mut order: Vec<usize> = (0..features).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    order.truncate(most);
    let mut rows = DMatrix::zeros(order.len(), outputs + features + 1);
    for (mut row, &index) in rows.row_iter_mut().zip(&order) {
        let direction = eigen.eigenvectors.column(index) / total.sqrt();
        row[outputs + features] = -direction.dot(&mean);
        row.columns_mut(outputs, features).copy_from(&direction.transpose());
    }
    rows
}
