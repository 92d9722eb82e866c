//! The profile that explains what was measured on a device, in all search spaces at once.
//!
//! The most probable coordinates under a normal prior and errors of the logarithm that follow Student's t distribution, whose heavy
//! tails keep outliers from bending the profile: Levenberg's damped Gauss-Newton steps on iteratively reweighted squares. Every
//! space has an offset of its own, which no price explains. The covariance is that of the last quadratic approximation (Laplace).

use nalgebra::{DMatrix, DVector};

use super::{COORDINATES, COUNTS, Coordinates, Covariance, KINDS, Normal, Priced, Setting};
use crate::stats;

/// Degrees of freedom of the errors.
const FREEDOM: f64 = 6.0;
/// Standard deviation of an offset of a space, in log units, where several spaces were measured.
const OFFSET: f64 = 0.1;
/// Steps at most, those between two looks at the noise, and tries of a step.
const STEPS: usize = 60;
const STEPS_PER_NOISE: usize = 5;
const TRIES: usize = 8;
/// A coordinate moves by this much in a step at most, and a step that gains less ends the search.
const LONGEST: f64 = 2.0;
const LEAST_GAIN: f64 = 1e-7;
/// Least standard deviation of an error, in log units.
const LEAST_NOISE: f64 = 1e-3;

/// Values of one device in one search space.
#[derive(Debug, Clone)]
pub struct Observed {
    /// `[COUNTS, values]`: the work of each network.
    pub counts: DMatrix<f64>,
    /// Natural logarithms of the values.
    pub logs: Vec<f64>,
    /// What they were measured with.
    pub setting: Setting,
}

/// A profile with what is not known of it.
#[derive(Debug, Clone)]
pub struct Estimated {
    /// The most probable coordinates.
    pub profile: Coordinates,
    /// Their covariance.
    pub covariance: Covariance,
    /// Logarithms by which each search space is slower than the sum, in the order of what was observed.
    pub offsets: Vec<f64>,
    /// Standard deviation of the logarithms around it, one per search space.
    pub noise: Vec<f64>,
}

/// One point of the search.
struct Point {
    coordinates: DVector<f64>,
    objective: f64,
    /// Gauss-Newton matrix and the direction in which the density rises.
    information: DMatrix<f64>,
    ascent: DVector<f64>,
    residuals: Vec<Vec<f64>>,
}

struct Search<'a> {
    observed: &'a [Observed],
    mean: DVector<f64>,
    precision: DMatrix<f64>,
    noise: Vec<f64>,
}

/// The profile of one device; `start` is where the search begins, else the prior's mean at the level of the values.
pub fn estimate(observed: &[Observed], prior: &Normal, start: Option<&Coordinates>) -> Estimated {
    let mut search = Search::new(observed, prior);
    let mut coordinates = search.mean.clone();
    match start {
        Some(start) => coordinates.rows_mut(0, COORDINATES).copy_from(start),
        None => search.to_level(&mut coordinates),
    }
    let mut point = search.at(coordinates);
    let mut damping = 1.0;
    for step in 1..=STEPS {
        let Some(next) = search.step(&point, &mut damping) else {
            break;
        };
        let gain = point.objective - next.objective;
        point = next;
        if step % STEPS_PER_NOISE == 0 {
            search.noise = point.residuals.iter().map(|errors| spread(errors)).collect();
            point = search.at(point.coordinates);
        } else if gain < LEAST_GAIN * point.objective.abs() {
            break;
        }
    }
    let covariance = point.information.clone().try_inverse();
    let covariance =
        covariance.unwrap_or_else(|| DMatrix::identity(point.information.nrows(), point.information.nrows()));
    Estimated {
        profile: Coordinates::from_fn(|row, _| point.coordinates[row]),
        covariance: Covariance::from_fn(|row, column| covariance[(row, column)]),
        offsets: point.coordinates.iter().skip(COORDINATES).copied().collect(),
        noise: point.residuals.iter().map(|errors| spread(errors)).collect(),
    }
}

impl<'a> Search<'a> {
    fn new(observed: &'a [Observed], prior: &Normal) -> Self {
        let size = COORDINATES + observed.len();
        let mut mean = DVector::zeros(size);
        mean.rows_mut(0, COORDINATES).copy_from(&prior.mean);
        // A single space has no offset that its level would not have.
        let offset = if observed.len() > 1 { OFFSET } else { 1e-3 };
        let mut precision = DMatrix::identity(size, size) / (offset * offset);
        let inverse = prior.covariance.try_inverse().unwrap_or_else(Covariance::identity);
        precision
            .view_mut((0, 0), (COORDINATES, COORDINATES))
            .copy_from(&inverse);
        Search {
            noise: vec![0.05; observed.len()],
            observed,
            mean,
            precision,
        }
    }

    /// Moves all prices so that the median error is none.
    fn to_level(&self, coordinates: &mut DVector<f64>) {
        let errors: Vec<f64> = (0..self.observed.len())
            .flat_map(|space| self.errors(space, coordinates))
            .collect();
        let level = stats::quantile(&errors, 0.5).unwrap_or_default();
        coordinates.rows_mut(0, KINDS).add_scalar_mut(level);
    }

    fn errors(&self, space: usize, coordinates: &DVector<f64>) -> Vec<f64> {
        let observed = &self.observed[space];
        let priced = Priced::new(&Coordinates::from_fn(|row, _| coordinates[row]), &observed.setting);
        let offset = coordinates[COORDINATES + space];
        (observed.logs.iter().zip(observed.counts.column_iter()))
            .map(|(log, counts)| log - priced.log(counts.as_slice()) - offset)
            .collect()
    }

    fn at(&self, coordinates: DVector<f64>) -> Point {
        let away = &coordinates - &self.mean;
        let pulled = &self.precision * &away;
        let mut point = Point {
            objective: 0.5 * away.dot(&pulled),
            information: self.precision.clone(),
            ascent: -pulled,
            residuals: Vec::new(),
            coordinates,
        };
        for space in 0..self.observed.len() {
            self.add(space, &mut point);
        }
        point
    }

    /// Adds what the values of one space say.
    fn add(&self, space: usize, point: &mut Point) {
        let observed = &self.observed[space];
        let profile = Coordinates::from_fn(|row, _| point.coordinates[row]);
        let priced = Priced::new(&profile, &observed.setting);
        let at = COORDINATES + space;
        let variance = self.noise[space].powi(2);
        let mut information = Covariance::zeros();
        let (mut cross, mut ascent) = (Coordinates::zeros(), Coordinates::zeros());
        let (mut total, mut pull) = (0.0, 0.0);
        let mut residuals = Vec::with_capacity(observed.logs.len());
        debug_assert_eq!(observed.counts.nrows(), COUNTS);
        for (log, counts) in observed.logs.iter().zip(observed.counts.column_iter()) {
            let (predicted, gradient) = priced.log_and_gradient(counts.as_slice());
            let gradient = Coordinates::from(gradient);
            let error = log - predicted - point.coordinates[at];
            let weight = (FREEDOM + 1.0) / (FREEDOM * variance + error * error);
            point.objective += 0.5 * (FREEDOM + 1.0) * (error * error / (FREEDOM * variance)).ln_1p();
            information.ger(weight, &gradient, &gradient, 1.0);
            cross += gradient * weight;
            ascent += gradient * (weight * error);
            total += weight;
            pull += weight * error;
            residuals.push(error);
        }
        let mut shared = point.information.view_mut((0, 0), (COORDINATES, COORDINATES));
        shared += &information;
        for row in 0..COORDINATES {
            point.information[(row, at)] += cross[row];
            point.information[(at, row)] += cross[row];
            point.ascent[row] += ascent[row];
        }
        point.information[(at, at)] += total;
        point.ascent[at] += pull;
        point.residuals.push(residuals);
    }

    /// A step to a lower objective, with as much damping as that takes; `None` where no step is found.
    fn step(&self, point: &Point, damping: &mut f64) -> Option<Point> {
        for _ in 0..TRIES {
            let mut damped = point.information.clone();
            for index in 0..damped.nrows() {
                damped[(index, index)] *= 1.0 + *damping;
            }
            let step = damped.cholesky()?.solve(&point.ascent);
            let next = self.at(&point.coordinates + step.map(|value| value.clamp(-LONGEST, LONGEST)));
            if next.objective < point.objective {
                *damping = (*damping / 5.0).max(1e-6);
                return Some(next);
            }
            *damping *= 5.0;
        }
        None
    }
}

/// Spread of errors that outliers do not widen.
fn spread(errors: &[f64]) -> f64 {
    let sizes: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
    (1.4826 * stats::quantile(&sizes, 0.5).unwrap_or_default()).max(LEAST_NOISE)
}
