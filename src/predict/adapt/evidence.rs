//! How well a setting explains the probes, and what the weights of the basis are under it.
//!
//! For one setting (centre `c`, scale `s`, prior covariance `V` of the weights, noise `n`) the standardised probes are Gaussian,
//! `log y / s ~ N(b + c . phi, phi' V phi + n^2 R)` with `R` the diagonal of [`Measured::noise`], so the posterior over the
//! weights and the evidence have closed forms (Rasmussen & Williams 2006, chapter 2, and its section 2.7 for the level `b`,
//! whose prior is flat in log units: `s b` has no preferred value at any scale, so that one probe says nothing but the level).
//!
//! The forms exist twice: over the probes, where they are few, and over the weights (the information form), whose cost per
//! setting does not depend on the number of probes. Both give the same.

use std::f64::consts::PI;

use nalgebra::{Cholesky, DMatrix, DVector, DVectorView, Dyn};

use super::super::prior::Coordinate;
use super::Measured;
use super::hyperprior::{Centre, Hyperprior, Setting};

/// Mean and covariance of the weights in standardised units, around the probes' mean logarithm.
pub(super) struct Weights {
    pub(super) mean: DVector<f64>,
    pub(super) covariance: DMatrix<f64>,
}

/// The probes, with everything computed that settings share.
pub(super) trait Evidence: Sync {
    /// Logarithm of the probability density of the probes, the level integrated out; minus infinity for a setting that
    /// rounding makes impossible.
    fn log_evidence(&self, setting: &Setting) -> f64;

    /// The weights given the probes; `None` as in [`Evidence::log_evidence`].
    fn weights(&self, setting: &Setting) -> Option<Weights>;
}

/// The form that costs less for as many probes.
pub(super) fn evidence<'a>(hyperprior: &'a Hyperprior, measured: &'a Measured) -> Box<dyn Evidence + 'a> {
    if measured.len() > hyperprior.prior.rank() {
        Box::new(OverWeights::new(hyperprior, measured))
    } else {
        Box::new(OverProbes::new(hyperprior, measured))
    }
}

/// Values of every centre, one column each.
struct PerCentre {
    mean: DVector<f64>,
    like: DVector<f64>,
    known: DMatrix<f64>,
    synthetic: DMatrix<f64>,
}

impl PerCentre {
    /// `map` times every centre.
    fn new(hyperprior: &Hyperprior, map: &DMatrix<f64>) -> PerCentre {
        PerCentre {
            mean: map * &hyperprior.mean,
            like: map * hyperprior.centre(Centre::Like),
            known: map * &hyperprior.prior.known_centres,
            synthetic: map * &hyperprior.prior.synthetic_centres,
        }
    }

    fn get(&self, centre: Centre) -> DVectorView<'_, f64> {
        match centre {
            Centre::Mean => self.mean.as_view(),
            Centre::Like => self.like.as_view(),
            Centre::Known(index) => self.known.column(index),
            Centre::Synthetic(index) => self.synthetic.column(index),
        }
    }
}

/// What is the same in both forms: constants of the density, and the change of units from standardised logarithms.
fn log_constant(probes: usize, scale: f64) -> f64 {
    (probes as f64 - 1.0) * (scale.ln() + 0.5 * (2.0 * PI).ln())
}

/// Sum of the logarithms of a factor's diagonal: half the logarithm of the determinant.
fn half_log_determinant(factor: &Cholesky<f64, Dyn>) -> f64 {
    factor.l_dirty().diagonal().iter().map(|value| value.ln()).sum()
}

/// Over the probes, by matrices `[probes, probes]`: Gram matrices of the parts of the kernel.
pub(super) struct OverProbes<'a> {
    hyperprior: &'a Hyperprior<'a>,
    measured: &'a Measured,
    known: DMatrix<f64>,
    synthetic: DMatrix<f64>,
    feature: DMatrix<f64>,
    degenerate: DMatrix<f64>,
    centres: PerCentre,
}

/// One setting over the probes: `L` of the covariance, and ones and distances from the centre solved by it.
struct Solved {
    factor: Cholesky<f64, Dyn>,
    ones: DVector<f64>,
    distance: DVector<f64>,
    /// The level, and the inverse of its variance.
    level: f64,
    level_precision: f64,
}

impl<'a> OverProbes<'a> {
    pub(super) fn new(hyperprior: &'a Hyperprior, measured: &'a Measured) -> Self {
        let coordinates = &hyperprior.prior.coordinates;
        let gram = |wanted: Coordinate| {
            let rows: Vec<usize> = (0..coordinates.len())
                .filter(|&row| coordinates[row] == wanted)
                .collect();
            let part = measured.basis.select_rows(&rows);
            part.tr_mul(&part)
        };
        OverProbes {
            known: gram(Coordinate::Known),
            synthetic: gram(Coordinate::Synthetic),
            feature: gram(Coordinate::Feature),
            degenerate: gram(Coordinate::Degenerate),
            centres: PerCentre::new(hyperprior, &measured.basis.transpose()),
            hyperprior,
            measured,
        }
    }

    fn solve(&self, setting: &Setting) -> Option<Solved> {
        let mut covariance = &self.known * setting.known.powi(2);
        for (width, gram) in [
            (setting.synthetic, &self.synthetic),
            (setting.feature, &self.feature),
            (setting.degenerate, &self.degenerate),
        ] {
            covariance.zip_apply(gram, |value, part| *value += width * width * part);
        }
        for (index, noise) in self.measured.noise.iter().enumerate() {
            covariance[(index, index)] += setting.noise.powi(2) * noise;
        }
        let factor = Cholesky::new(covariance)?;
        let mut ones = DVector::from_element(self.measured.len(), 1.0);
        let mut distance = &self.measured.logs / setting.scale - self.centres.get(setting.centre);
        let lower = factor.l_dirty();
        if !(lower.solve_lower_triangular_mut(&mut ones) && lower.solve_lower_triangular_mut(&mut distance)) {
            return None;
        }
        let level_precision = ones.norm_squared();
        Some(Solved {
            level: ones.dot(&distance) / level_precision,
            level_precision,
            factor,
            ones,
            distance,
        })
    }
}

impl Evidence for OverProbes<'_> {
    fn log_evidence(&self, setting: &Setting) -> f64 {
        let Some(solved) = self.solve(setting) else {
            return f64::NEG_INFINITY;
        };
        let squares = (&solved.distance - &solved.ones * solved.level).norm_squared();
        -0.5 * squares
            - half_log_determinant(&solved.factor)
            - 0.5 * solved.level_precision.ln()
            - log_constant(self.measured.len(), setting.scale)
    }

    fn weights(&self, setting: &Setting) -> Option<Weights> {
        let solved = self.solve(setting)?;
        let widths = setting.widths(self.hyperprior.prior);
        let mut cross = self.measured.basis.transpose();
        for (mut column, width) in cross.column_iter_mut().zip(widths.iter()) {
            column *= width * width;
        }
        // [probes, rank]: L^-1 times the covariance of probes and weights.
        let half = solved.factor.l_dirty().solve_lower_triangular(&cross)?;
        let level_share = half.tr_mul(&solved.ones);
        let mut mean = self.hyperprior.centre(setting.centre);
        mean += half.tr_mul(&(&solved.distance - &solved.ones * solved.level));
        mean[0] = solved.level;
        let mut covariance = DMatrix::from_diagonal(&widths.map(|width| width * width));
        covariance -= half.tr_mul(&half);
        // The level is uncertain, and the other weights make up for it.
        covariance.ger(1.0 / solved.level_precision, &level_share, &level_share, 1.0);
        covariance[(0, 0)] = 1.0 / solved.level_precision;
        for row in 1..widths.len() {
            covariance[(row, 0)] = -level_share[row] / solved.level_precision;
            covariance[(0, row)] = covariance[(row, 0)];
        }
        Some(Weights { mean, covariance })
    }
}

/// Over the weights, by matrices `[rank, rank]` of sums over the probes.
pub(super) struct OverWeights<'a> {
    hyperprior: &'a Hyperprior<'a>,
    probes: usize,
    /// Sums over the probes, each divided by its part of the noise variance: of products of the basis, of the basis times the
    /// logarithms, and of squares of the logarithms.
    gram: DMatrix<f64>,
    cross: DVector<f64>,
    squares: f64,
    log_noise: f64,
    /// `gram` times every centre.
    centres: PerCentre,
}

/// One setting over the weights.
struct Information {
    /// Standard deviations that the weights are in units of; one for the level.
    units: DVector<f64>,
    factor: Cholesky<f64, Dyn>,
    /// What the probes say of the weights.
    right: DVector<f64>,
    solution: DVector<f64>,
}

impl<'a> OverWeights<'a> {
    pub(super) fn new(hyperprior: &'a Hyperprior, measured: &Measured) -> Self {
        let mut weighted = measured.basis.clone();
        for (mut column, noise) in weighted.column_iter_mut().zip(measured.noise.iter()) {
            column /= *noise;
        }
        let gram = &weighted * measured.basis.transpose();
        let squares = measured.logs.iter().zip(measured.noise.iter());
        OverWeights {
            centres: PerCentre::new(hyperprior, &gram),
            gram,
            cross: &weighted * &measured.logs,
            squares: squares.map(|(log, noise)| log * log / noise).sum(),
            log_noise: measured.noise.iter().map(|noise| noise.ln()).sum(),
            probes: measured.len(),
            hyperprior,
        }
    }

    fn solve(&self, setting: &Setting) -> Option<Information> {
        let precision = setting.noise.powi(-2);
        let mut units = setting.widths(self.hyperprior.prior);
        units[0] = 1.0;
        let mut information = self.gram.clone();
        for (column, unit) in units.iter().enumerate() {
            for (row, other) in units.iter().enumerate() {
                information[(row, column)] *= precision * unit * other;
            }
            // The level, which comes first, has no prior.
            if column > 0 {
                information[(column, column)] += 1.0;
            }
        }
        let factor = Cholesky::new(information)?;
        let explained = &self.cross / setting.scale - self.centres.get(setting.centre);
        let right = explained.component_mul(&units) * precision;
        Some(Information {
            solution: factor.solve(&right),
            units,
            factor,
            right,
        })
    }

    /// Squared distance of the standardised probes from the centre.
    fn distance(&self, setting: &Setting) -> f64 {
        let centre = self.hyperprior.centre(setting.centre);
        self.squares / setting.scale.powi(2) - 2.0 * centre.dot(&self.cross) / setting.scale
            + centre.dot(&self.centres.get(setting.centre))
    }
}

impl Evidence for OverWeights<'_> {
    fn log_evidence(&self, setting: &Setting) -> f64 {
        let Some(information) = self.solve(setting) else {
            return f64::NEG_INFINITY;
        };
        let squares = self.distance(setting) / setting.noise.powi(2) - information.right.dot(&information.solution);
        let log_noise = 2.0 * self.probes as f64 * setting.noise.ln() + self.log_noise;
        -0.5 * squares
            - 0.5 * log_noise
            - half_log_determinant(&information.factor)
            - log_constant(self.probes, setting.scale)
    }

    fn weights(&self, setting: &Setting) -> Option<Weights> {
        let information = self.solve(setting)?;
        let units = &information.units;
        let mut covariance = information.factor.inverse();
        for (column, unit) in units.iter().enumerate() {
            for (row, other) in units.iter().enumerate() {
                covariance[(row, column)] *= unit * other;
            }
        }
        Some(Weights {
            mean: self.hyperprior.centre(setting.centre) + information.solution.component_mul(units),
            covariance,
        })
    }
}
