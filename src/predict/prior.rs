//! What is believed about a device before it is measured: `log y = level + scale * (w . phi(x))` with `phi` a small basis of
//! functions of the architecture, and a prior over `w` that the known devices and synthetic roofline devices set.
//!
//! The basis holds the mean of the known devices' functions, the principal directions in which known devices differ from
//! it, the same two for synthetic devices (see [`super::roofline`]), and the networks that compute next to nothing, which are
//! outliers on devices that optimise graphs. The prior over `w` is a mixture: around the known mean, around each known
//! device, and around each synthetic device, so that a few probes can tell which of them the new device resembles.

use nalgebra::{DMatrix, DVector, RowDVector};
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::datasheet::TypicalNetwork;
use super::directions::Directions;
use super::roofline;
use crate::device::Device;
use crate::metric::Metric;
use crate::space::{Network, Precision};

/// Synthetic roofline devices that are centres of the mixture.
const SYNTHETIC_CENTRES: usize = 384;
/// Directions kept of the known devices' differences, and of the synthetic devices'.
const KNOWN_DIRECTIONS: usize = 24;
const SYNTHETIC_DIRECTIONS: usize = 24;
/// Directions kept of the features themselves.
const FEATURE_DIRECTIONS: usize = 24;
/// Ridge of the fit of synthetic functions to the features, relative to one reference architecture.
const RIDGE: f64 = 0.1;

/// A device whose latency or energy function was learned in training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownDevice {
    /// Device id.
    pub id: String,
    /// Hardware unit.
    pub unit: String,
    /// The precision that its values were measured at.
    pub precision: Precision,
    /// Row of the towers' outputs; none for a device that was added when they were learned already.
    pub output: Option<usize>,
    /// Median of the logarithm over the training architectures.
    pub level: f64,
    /// Spread of the logarithm (1.4826 times the median absolute deviation); the unit of what the tower predicts.
    pub scale: f64,
    /// Standard deviation of what the tower does not explain on validation architectures, in units of `scale`.
    pub noise: f64,
    /// Share of the device's function that is `physics`; the rest is what the towers learned.
    pub physics_share: f64,
    /// The device's function as weights of the synthetic devices' mean, their directions, and one, see [`SyntheticDevices::explain`].
    pub physics: DVector<f64>,
    /// The datasheet.
    pub datasheet: Device,
}

/// What one coordinate of the basis stands for, which sets its prior variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coordinate {
    /// The level.
    Constant,
    /// Mean of the known, or of the synthetic devices: set by the centre, no variance of its own.
    Mean,
    /// A direction in which known devices differ.
    Known,
    /// A direction in which synthetic devices differ.
    Synthetic,
    /// A direction in which architectures differ, whatever the device: what many probes can still learn where no device,
    /// known or synthetic, shows the way.
    Feature,
    /// Networks that compute next to nothing.
    Degenerate,
}

/// A basis and the mixture prior over its weights, for one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// The metric that the known devices' functions are of.
    pub metric: Metric,
    /// The known devices.
    pub known: Vec<KnownDevice>,
    /// What the median network of the search space takes.
    pub typical: TypicalNetwork,
    /// What each coordinate is.
    pub coordinates: Vec<Coordinate>,
    /// `[coordinates, outputs + features + 1]`: from tower outputs, encoded features and one to the basis.
    pub(crate) map: DMatrix<f64>,
    /// `[coordinates, known]`: the known devices as weights.
    pub(crate) known_centres: DMatrix<f64>,
    /// `[coordinates, synthetic]`: the synthetic devices as weights.
    pub(crate) synthetic_centres: DMatrix<f64>,
    /// Which of the synthetic devices run networks as written.
    pub(crate) synthetic_eager: Vec<bool>,
}

/// Tower outputs and encoded features of the architectures that inner products between functions are taken over.
pub struct Reference {
    /// `[outputs, reference]`.
    pub outputs: DMatrix<f32>,
    /// `[features, reference]`.
    pub features: DMatrix<f32>,
    /// What the synthetic devices run: the networks as written, and the live ones.
    pub networks: Vec<(Network, Network)>,
    /// Rows of `features` that mark networks which compute next to nothing.
    pub degenerate_features: Vec<usize>,
}

/// The synthetic roofline devices; the same for every set of known devices.
pub struct SyntheticDevices {
    directions: Directions,
    eager: Vec<bool>,
}

impl SyntheticDevices {
    /// Draws the devices and fits their functions over the reference architectures to the features.
    pub fn fit(reference: &Reference, rng: &mut StdRng) -> SyntheticDevices {
        let (functions, eager) = roofline::draw(&reference.networks, SYNTHETIC_CENTRES, rng);
        let map = fit_to_features(&reference.features, &functions, reference.outputs.nrows());
        let equal = DVector::from_element(SYNTHETIC_CENTRES, 1.0 / SYNTHETIC_CENTRES as f64);
        SyntheticDevices {
            directions: Directions::of(&(&map * stacked(reference)), &map, &equal, SYNTHETIC_DIRECTIONS),
            eager,
        }
    }

    /// Rows of the map `[1 + directions + 1, width]` that give the mean of the synthetic devices, the directions in which they
    /// differ, and one.
    fn rows(&self, width: usize) -> DMatrix<f64> {
        let directions = &self.directions.rows;
        let mut rows = DMatrix::zeros(directions.nrows() + 2, width);
        rows.row_mut(0).copy_from(&self.directions.mean);
        rows.rows_mut(1, directions.nrows()).copy_from(directions);
        rows[(directions.nrows() + 1, width - 1)] = 1.0;
        rows
    }

    /// What [`SyntheticDevices::explain`] explains a device by: `[1 + directions + 1, architectures]`, from tower outputs and features.
    pub fn basis(&self, outputs: &DMatrix<f32>, features: &DMatrix<f32>) -> DMatrix<f64> {
        let stacked = stack(outputs, features);
        self.rows(stacked.nrows()) * stacked
    }

    /// Weights over `basis` `[1 + directions + 1, values]` that give back standardised values, by ridge regression with
    /// directions as wide as the synthetic devices differ: few weights, which noise cannot bend as it bends towers.
    pub fn explain(basis: &DMatrix<f64>, values: &DVector<f64>, noise: f64) -> DVector<f64> {
        let count = basis.nrows();
        let mut gram = basis * basis.transpose();
        for index in 0..count {
            gram[(index, index)] += noise * noise;
        }
        let right = basis * values;
        gram.cholesky()
            .map_or_else(|| DVector::zeros(count), |factor| factor.solve(&right))
    }
}

impl Prior {
    /// Builds basis and mixture from the known devices' functions over the reference architectures. The basis is that of all
    /// `known` functions, latencies and energies, so that weights over it mean the same for both; the mixture is `metric`'s.
    pub fn build(
        known: &[(Metric, KnownDevice)],
        metric: Metric,
        reference: &Reference,
        synthetic: &SyntheticDevices,
    ) -> Prior {
        let outputs = reference.outputs.nrows();
        let width = outputs + reference.features.nrows() + 1;

        // Known devices: rows of the map that mix their tower output with what synthetic devices say of them.
        let devices: Vec<&KnownDevice> = known.iter().map(|(_, device)| device).collect();
        let weights = unit_weights(&devices);
        let explained = synthetic.rows(width);
        let mut rows = DMatrix::zeros(known.len(), width);
        for (mut row, device) in rows.row_iter_mut().zip(&devices) {
            if device.physics_share > 0.0 {
                row += device.physics.transpose() * &explained * device.physics_share;
            }
            if let Some(output) = device.output {
                row[output] += 1.0 - device.physics_share;
            }
        }
        let functions = &rows * stacked(reference);
        let known_part = Directions::of(&functions, &rows, &weights, KNOWN_DIRECTIONS);

        let mut builder = Builder::new(width);
        let mut one = RowDVector::zeros(width);
        one[width - 1] = 1.0;
        builder.push(Coordinate::Constant, one);
        let known_at = builder.directions(&known_part, Coordinate::Known);
        let synthetic_at = builder.directions(&synthetic.directions, Coordinate::Synthetic);
        for row in feature_directions(reference).row_iter() {
            builder.push(Coordinate::Feature, row.into_owned());
        }
        for &feature in &reference.degenerate_features {
            builder.push(Coordinate::Degenerate, indicator(reference, feature, width));
        }
        let rank = builder.coordinates.len();
        let of_metric: Vec<usize> = (0..known.len()).filter(|&index| known[index].0 == metric).collect();
        Prior {
            known_centres: known_part.centres(known_at, rank).select_columns(&of_metric),
            synthetic_centres: synthetic.directions.centres(synthetic_at, rank),
            synthetic_eager: synthetic.eager.clone(),
            metric,
            map: builder.map(),
            typical: TypicalNetwork::of(reference.networks.iter().map(|(written, _)| written)),
            coordinates: builder.coordinates,
            known: of_metric.iter().map(|&index| known[index].1.clone()).collect(),
        }
    }

    /// Weights of the known devices that give every hardware unit the same total: five batch sizes of one GPU are not five
    /// opinions.
    pub fn unit_weights(&self) -> DVector<f64> {
        unit_weights(&self.known.iter().collect::<Vec<_>>())
    }

    /// The mean of the known devices as weights.
    pub fn mean_centre(&self) -> DVector<f64> {
        &self.known_centres * self.unit_weights()
    }

    /// Adds a device that the basis was not made for, as weights over it in standardised units. The basis stays.
    pub(super) fn add_known(&mut self, device: KnownDevice, centre: &DVector<f64>) {
        let column = self.known_centres.ncols();
        self.known_centres = std::mem::take(&mut self.known_centres).insert_column(column, 0.0);
        self.known_centres.set_column(column, centre);
        self.known.push(device);
    }

    /// Number of coordinates of the basis.
    pub fn rank(&self) -> usize {
        self.coordinates.len()
    }

    /// The basis at some architectures, one column each: `[rank, architectures]`, from their tower outputs
    /// `[outputs, architectures]` and features `[features, architectures]`.
    pub fn basis(&self, outputs: &DMatrix<f32>, features: &DMatrix<f32>) -> DMatrix<f32> {
        let map: DMatrix<f32> = self.map.map(|value| value as f32);
        let (from_outputs, rest) = (
            map.columns(0, outputs.nrows()),
            map.columns(outputs.nrows(), features.nrows()),
        );
        let mut basis = from_outputs * outputs + rest * features;
        let constant = map.column(map.ncols() - 1);
        for mut column in basis.column_iter_mut() {
            column += constant;
        }
        basis
    }
}

/// See [`Prior::unit_weights`].
fn unit_weights(known: &[&KnownDevice]) -> DVector<f64> {
    let settings = |unit: &str| known.iter().filter(|device| device.unit == unit).count() as f64;
    let weights = DVector::from_iterator(known.len(), known.iter().map(|device| 1.0 / settings(&device.unit)));
    let total = weights.sum().max(f64::MIN_POSITIVE);
    weights / total
}

fn stacked(reference: &Reference) -> DMatrix<f64> {
    stack(&reference.outputs, &reference.features)
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
/// architectures, each divided by the same number so that their variances add up to one.
fn feature_directions(reference: &Reference) -> DMatrix<f64> {
    let (outputs, features) = (reference.outputs.nrows(), reference.features.nrows());
    let values = reference.features.map(f64::from);
    let mean = values.column_mean();
    let centred = DMatrix::from_fn(features, values.ncols(), |row, column| {
        values[(row, column)] - mean[row]
    });
    let eigen = (&centred * centred.transpose() / values.ncols().max(1) as f64).symmetric_eigen();
    let total = eigen.eigenvalues.sum().max(f64::MIN_POSITIVE);
    let mut order: Vec<usize> = (0..features).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    order.truncate(FEATURE_DIRECTIONS);
    let mut rows = DMatrix::zeros(order.len(), outputs + features + 1);
    for (mut row, &index) in rows.row_iter_mut().zip(&order) {
        let direction = eigen.eigenvectors.column(index) / total.sqrt();
        row[outputs + features] = -direction.dot(&mean);
        row.columns_mut(outputs, features).copy_from(&direction.transpose());
    }
    rows
}

/// Row of the map that is one where a feature with two values has the larger one, and else zero.
fn indicator(reference: &Reference, feature: usize, width: usize) -> RowDVector<f64> {
    let values = reference.features.row(feature);
    let (low, high) = (f64::from(values.min()), f64::from(values.max()));
    let jump = if high > low { high - low } else { 1.0 };
    let mut row = RowDVector::zeros(width);
    row[reference.outputs.nrows() + feature] = 1.0 / jump;
    row[width - 1] = -low / jump;
    row
}

/// Ridge regression of functions `[reference, functions]` on the features and a constant, as rows of a map:
/// `[functions, outputs + features + 1]`, zero where it would use tower outputs.
fn fit_to_features(features: &DMatrix<f32>, functions: &DMatrix<f64>, outputs: usize) -> DMatrix<f64> {
    let count = features.ncols();
    let width = features.nrows() + 1;
    let design = DMatrix::from_fn(width, count, |row, column| {
        if row < width - 1 {
            f64::from(features[(row, column)])
        } else {
            1.0
        }
    });
    let gram = &design * design.transpose() + DMatrix::identity(width, width) * RIDGE;
    let right = &design * functions;
    let solution = match gram.clone().cholesky() {
        Some(factor) => factor.solve(&right),
        None => DMatrix::zeros(width, functions.ncols()),
    };
    let mut map = DMatrix::zeros(functions.ncols(), outputs + width);
    map.columns_mut(outputs, width).copy_from(&solution.transpose());
    map
}

/// Collects the rows of the map.
struct Builder {
    width: usize,
    coordinates: Vec<Coordinate>,
    rows: Vec<RowDVector<f64>>,
}

impl Builder {
    fn new(width: usize) -> Self {
        Builder {
            width,
            coordinates: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn push(&mut self, coordinate: Coordinate, row: RowDVector<f64>) {
        self.coordinates.push(coordinate);
        self.rows.push(row);
    }

    /// Adds a mean and its directions; returns the coordinate of the mean.
    fn directions(&mut self, part: &Directions, kind: Coordinate) -> usize {
        let at = self.rows.len();
        self.push(Coordinate::Mean, part.mean.clone());
        for row in part.rows.row_iter() {
            self.push(kind, row.into_owned());
        }
        at
    }

    fn map(&self) -> DMatrix<f64> {
        DMatrix::from_fn(self.rows.len(), self.width, |row, column| self.rows[row][column])
    }
}
