//! One component of the mixture given the probes: the most probable profile and residual, how well the probes fit, and what is
//! still unknown.
//!
//! Coordinates are standardised, so that the prior is a standard normal distribution in [`COORDINATES`] plus rank dimensions. Errors
//! of the logarithm follow Student's t distribution. Damped Gauss-Newton steps on iteratively reweighted squares find the mode; the
//! noise falls towards its own size from one step to the next, so that values far from where the search starts are not taken for
//! outliers. The evidence is Laplace's approximation at the mode (MacKay, *Information Theory, Inference, and Learning
//! Algorithms*, chapter 27).

use nalgebra::{Cholesky, DMatrix, DVector, DVectorView};

use super::Measured;
use super::components::Component;
use crate::profile::{COORDINATES, COUNTS, Coordinates, Priced, Setting};

/// Degrees of freedom of the errors.
const FREEDOM: f64 = 4.0;
/// Standard deviation that errors have at least in the first step, and by how much that falls from step to step.
const FIRST_NOISE: f64 = 0.3;
const NOISE_FALLS: f64 = 0.4;
/// Shares of a step that are tried.
const LENGTHS: [f64; 3] = [1.0, 0.4, 0.12];
/// A step that gains less log probability than this is the last one.
const LEAST_GAIN: f64 = 0.01;
/// A log price moves by this much in a step at most.
const LONGEST: f64 = 3.0;

/// A component at its mode.
#[derive(Clone)]
pub(super) struct Mode {
    /// Standardised coordinates of the profile, then of the residual.
    pub(super) standard: DVector<f64>,
    /// Logarithm of the component's weight times the evidence.
    pub(super) log_weight: f64,
}

/// What the probes are around one point.
struct Tangent {
    /// Logarithms that are not explained, `[probes]`.
    errors: DVector<f64>,
    /// Derivatives by the standardised coordinates, `[probes, coordinates]`.
    slopes: DMatrix<f64>,
}

/// A component with the probes.
pub(super) struct Problem<'a> {
    pub(super) component: &'a Component,
    pub(super) measured: &'a Measured,
    pub(super) setting: &'a Setting,
}

impl Problem<'_> {
    /// Searches from `start` for so many steps at most. `settled` says that the start is near the mode, so that errors have their own
    /// size from the first step on.
    pub(super) fn mode(&self, start: DVector<f64>, steps: usize, settled: bool) -> Option<Mode> {
        let own = self.variances(0.0);
        let mut at = start;
        for step in 0..steps {
            let least = (FIRST_NOISE * NOISE_FALLS.powi(step as i32)).powi(2);
            let own_size = settled || step + 2 >= steps || own.iter().all(|&variance| variance >= least);
            let variances = if own_size { own.clone() } else { self.variances(least) };
            let tangent = self.tangent(&at);
            let here = objective(&tangent.errors, &at, &variances);
            let weighted = reweighted(&tangent.errors, &variances);
            let to = solve(&tangent, &at, &weighted)?;
            let mut move_by = to - &at;
            self.shorten(&mut move_by);
            let tried = LENGTHS.iter().map(|length| {
                let next = &at + &move_by * *length;
                (objective(&self.errors(&next), &next, &variances), next)
            });
            let better = tried.into_iter().find(|(there, _)| *there < here);
            let gain = better.as_ref().map_or(0.0, |(there, _)| here - there);
            if let Some((_, next)) = better {
                at = next;
            }
            if own_size && gain < LEAST_GAIN {
                break;
            }
        }
        self.weigh(at)
    }

    /// Covariance of profile and residual in their own units around a mode: `[COORDINATES + rank, COORDINATES + rank]`.
    pub(super) fn covariance(&self, mode: &Mode) -> Option<DMatrix<f64>> {
        let size = mode.standard.len();
        let mut covariance = DMatrix::identity(size, size);
        if !self.measured.is_empty() {
            let tangent = self.tangent(&mode.standard);
            let variances = reweighted(&tangent.errors, &self.variances(0.0));
            if variances.len() <= size {
                let gram = covariance_of_probes(&tangent.slopes, &variances);
                let half = Cholesky::new(gram)?.l_dirty().solve_lower_triangular(&tangent.slopes)?;
                covariance -= half.tr_mul(&half);
            } else {
                covariance = Cholesky::new(information(&tangent.slopes, &variances))?.inverse();
            }
        }
        let root = self.component.scales();
        Some(&root * covariance * root.transpose())
    }

    fn variances(&self, least: f64) -> DVector<f64> {
        let noise = self.component.noise.powi(2);
        let measured = self.measured;
        (measured
            .noise
            .zip_map(&measured.resolution, |share, resolution| noise * share + resolution))
        .map(|variance| variance.max(least))
    }

    fn priced(&self, at: &DVector<f64>) -> Priced {
        Priced::new(&self.component.profile(at), self.setting)
    }

    fn errors(&self, at: &DVector<f64>) -> DVector<f64> {
        self.unexplained(&self.priced(at), at)
    }

    /// Logarithms less those of the sums of work at these prices and the residual.
    fn unexplained(&self, priced: &Priced, at: &DVector<f64>) -> DVector<f64> {
        let basis = &self.measured.basis;
        let prices = DVectorView::from_slice(&priced.prices, COUNTS);
        let sums = basis.rows(0, COUNTS).tr_mul(&prices);
        let residual = self.component.residual(at);
        let residuals = basis.rows(COUNTS, residual.len()).tr_mul(&residual);
        DVector::from_fn(sums.len(), |index, _| {
            self.measured.logs[index] - sums[index].ln() - residuals[index]
        })
    }

    fn tangent(&self, at: &DVector<f64>) -> Tangent {
        let component = self.component;
        let priced = self.priced(at);
        let probes = self.measured.len();
        let mut gradients = DMatrix::zeros(COORDINATES, probes);
        for (mut gradient, basis) in gradients.column_iter_mut().zip(self.measured.basis.column_iter()) {
            gradient.copy_from_slice(&priced.log_and_gradient(&basis.as_slice()[..COUNTS]).1);
        }
        let mut slopes = DMatrix::zeros(probes, at.len());
        slopes
            .columns_mut(0, COORDINATES)
            .copy_from(&gradients.tr_mul(&component.root));
        let functions = self.measured.basis.row_iter().skip(COUNTS);
        for ((mut column, values), width) in slopes
            .column_iter_mut()
            .skip(COORDINATES)
            .zip(functions)
            .zip(component.widths.iter())
        {
            column.tr_copy_from(&values);
            column *= *width;
        }
        Tangent {
            errors: self.unexplained(&priced, at),
            slopes,
        }
    }

    /// No log price may move further than is sensible in one step.
    fn shorten(&self, move_by: &mut DVector<f64>) {
        let standard = Coordinates::from_fn(|row, _| move_by[row]);
        let furthest = (self.component.root * standard).amax();
        if furthest > LONGEST {
            *move_by *= LONGEST / furthest;
        }
    }

    fn weigh(&self, at: DVector<f64>) -> Option<Mode> {
        let variances = self.variances(0.0);
        let tangent = self.tangent(&at);
        let weighted = reweighted(&tangent.errors, &variances);
        let scale: f64 = variances.iter().map(|variance| variance.ln()).sum();
        let log_weight = self.component.log_weight
            - objective(&tangent.errors, &at, &variances)
            - 0.5 * scale
            - half_log_determinant(&tangent.slopes, &weighted)?;
        log_weight.is_finite().then_some(Mode {
            standard: at,
            log_weight,
        })
    }
}

/// Minus the logarithm of prior times likelihood of these errors, but for constants.
fn objective(errors: &DVector<f64>, at: &DVector<f64>, variances: &DVector<f64>) -> f64 {
    let misfit: f64 = (errors.iter().zip(variances.iter()))
        .map(|(error, variance)| (error * error / (FREEDOM * variance)).ln_1p())
        .sum();
    0.5 * (FREEDOM + 1.0) * misfit + 0.5 * at.norm_squared()
}

/// Variances of the normal errors that weigh as much as these do.
fn reweighted(errors: &DVector<f64>, variances: &DVector<f64>) -> DVector<f64> {
    errors.zip_map(variances, |error, variance| {
        (FREEDOM * variance + error * error) / (FREEDOM + 1.0)
    })
}

/// `I + S' V^-1 S` for slopes `S` and variances `V`.
fn information(slopes: &DMatrix<f64>, variances: &DVector<f64>) -> DMatrix<f64> {
    let mut weighted = slopes.clone();
    for (mut row, variance) in weighted.row_iter_mut().zip(variances.iter()) {
        row /= *variance;
    }
    let mut information = slopes.tr_mul(&weighted);
    for index in 0..information.nrows() {
        information[(index, index)] += 1.0;
    }
    information
}

/// `S S' + V`.
fn covariance_of_probes(slopes: &DMatrix<f64>, variances: &DVector<f64>) -> DMatrix<f64> {
    let mut covariance = slopes * slopes.transpose();
    for (index, variance) in variances.iter().enumerate() {
        covariance[(index, index)] += variance;
    }
    covariance
}

/// Where the squares are least: over the probes or over the coordinates, whichever are fewer.
fn solve(tangent: &Tangent, at: &DVector<f64>, variances: &DVector<f64>) -> Option<DVector<f64>> {
    let slopes = &tangent.slopes;
    let explained = &tangent.errors + slopes * at;
    if slopes.nrows() <= slopes.ncols() {
        let factor = Cholesky::new(covariance_of_probes(slopes, variances))?;
        return Some(slopes.tr_mul(&factor.solve(&explained)));
    }
    let factor = Cholesky::new(information(slopes, variances))?;
    Some(factor.solve(&slopes.tr_mul(&explained.component_div(variances))))
}

/// Half the logarithm of the determinant of `I + S' V^-1 S`.
fn half_log_determinant(slopes: &DMatrix<f64>, variances: &DVector<f64>) -> Option<f64> {
    let half = |factor: Cholesky<f64, nalgebra::Dyn>| -> f64 {
        factor.l_dirty().diagonal().iter().map(|value| value.ln()).sum()
    };
    if slopes.nrows() <= slopes.ncols() {
        let noise: f64 = variances.iter().map(|variance| 0.5 * variance.ln()).sum();
        return Some(half(Cholesky::new(covariance_of_probes(slopes, variances))?) - noise);
    }
    Some(half(Cholesky::new(information(slopes, variances))?))
}
