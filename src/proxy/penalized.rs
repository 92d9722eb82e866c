//! Least squares with a penalty on the norm of the weights: `min_b 1/n ||Z b - y||^2 + lambda ||b||_p`, a convex problem.
//!
//! Solved by the accelerated proximal gradient method (Beck & Teboulle, *A Fast Iterative Shrinkage-Thresholding Algorithm
//! for Linear Inverse Problems*, SIAM J. Imaging Sciences 2, 2009) with restarts (O'Donoghue & Candes, *Adaptive Restart for
//! Accelerated Gradient Schemes*, 2015), until the gap to the dual problem proves that the objective is that of the optimum.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Largest distance from the optimal objective, as a share of the mean square of `y`.
const GAP: f64 = 1e-7;
/// Far more steps than the designs of search spaces take.
const MAX_STEPS: usize = 20_000;
/// The gap is looked at once in so many steps.
const STEPS_PER_LOOK: usize = 10;

/// The norm of the penalty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Norm {
    /// Sum of magnitudes: few weights differ from zero.
    #[serde(rename = "1")]
    One,
    /// Euclidean length.
    #[serde(rename = "2")]
    Two,
    /// Largest magnitude: all weights may differ from zero, none by much.
    #[serde(rename = "inf")]
    Infinity,
}

impl Norm {
    /// The norm of a vector.
    pub fn of(self, vector: &DVector<f64>) -> f64 {
        match self {
            Norm::One => vector.lp_norm(1),
            Norm::Two => vector.norm(),
            Norm::Infinity => vector.amax(),
        }
    }

    /// The dual norm: the largest product with a vector of norm one.
    fn dual(self, vector: &DVector<f64>) -> f64 {
        match self {
            Norm::One => vector.amax(),
            Norm::Two => vector.norm(),
            Norm::Infinity => vector.lp_norm(1),
        }
    }

    /// The vector nearest to `vector` that its norm, weighed by `weight`, makes worthwhile: the proximal operator.
    fn shrink(self, mut vector: DVector<f64>, weight: f64) -> DVector<f64> {
        match self {
            Norm::One => vector.apply(|value| *value = value.signum() * (value.abs() - weight).max(0.0)),
            Norm::Two => vector *= (1.0 - weight / vector.norm()).max(0.0),
            Norm::Infinity => {
                // Moreau: what the projection on the ball of the dual norm leaves over.
                let height = ball_height(&vector, weight);
                vector.apply(|value| *value = value.clamp(-height, height));
            }
        }
        vector
    }
}

/// The height at which magnitudes have to be cut so that `radius` is cut off in all; zero if there is less than that.
fn ball_height(vector: &DVector<f64>, radius: f64) -> f64 {
    let mut magnitudes: Vec<f64> = vector.iter().map(|value| value.abs()).collect();
    magnitudes.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut sum = 0.0;
    for (position, magnitude) in magnitudes.iter().enumerate() {
        sum += magnitude;
        let height = (sum - radius) / (position + 1) as f64;
        if magnitudes.get(position + 1).is_none_or(|next| *next <= height) {
            return height.max(0.0);
        }
    }
    0.0
}

/// A design and what it is to explain, reduced to what the objective depends on.
pub struct LeastSquares {
    /// `2/n Z' Z`.
    gram: DMatrix<f64>,
    /// `2/n Z' y`.
    linear: DVector<f64>,
    /// `1/n y' y`.
    square: f64,
    /// Largest eigenvalue of `gram`.
    curvature: f64,
}

/// Weights and how near to the optimum they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// One per column of the design.
    pub weights: DVector<f64>,
    /// Objective less a lower bound of it.
    pub gap: f64,
    /// Whether the gap is small enough.
    pub converged: bool,
}

impl LeastSquares {
    /// `design` is `[rows, weights]`, `values` `[rows]`.
    pub fn new(design: &DMatrix<f64>, values: &DVector<f64>) -> LeastSquares {
        let share = 1.0 / design.nrows().max(1) as f64;
        let gram = design.tr_mul(design) * (2.0 * share);
        LeastSquares {
            curvature: gram.symmetric_eigenvalues().iter().copied().fold(0.0, f64::max),
            linear: design.tr_mul(values) * (2.0 * share),
            square: values.norm_squared() * share,
            gram,
        }
    }

    /// The smallest lambda for which all weights are zero.
    pub fn max_lambda(&self, norm: Norm) -> f64 {
        norm.dual(&self.linear)
    }

    /// The weights for one lambda, from a start such as the solution for another.
    pub fn solve(&self, norm: Norm, lambda: f64, start: &DVector<f64>) -> Solution {
        let mut weights = start.clone();
        let mut gap = self.gap(norm, lambda, &weights);
        if self.curvature <= 0.0 || lambda >= self.max_lambda(norm) {
            weights.fill(0.0);
            return Solution {
                weights,
                gap: 0.0,
                converged: true,
            };
        }
        let step = 1.0 / self.curvature;
        let (mut ahead, mut momentum) = (weights.clone(), 1.0_f64);
        for round in 0..MAX_STEPS {
            if round % STEPS_PER_LOOK == 0 {
                gap = self.gap(norm, lambda, &weights);
                if gap <= GAP * self.square {
                    break;
                }
            }
            let gradient = &self.gram * &ahead - &self.linear;
            let next = norm.shrink(&ahead - gradient * step, lambda * step);
            let moved = &next - &weights;
            // Momentum that points against the last step only overshoots.
            if (&ahead - &next).dot(&moved) > 0.0 {
                momentum = 1.0;
            }
            let later = (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt()) / 2.0;
            ahead = &next + &moved * ((momentum - 1.0) / later);
            (weights, momentum) = (next, later);
        }
        Solution {
            weights,
            gap,
            converged: gap <= GAP * self.square,
        }
    }

    /// Objective less that of the dual problem, `max theta' y - n/4 ||theta||^2` over `||Z' theta||_* <= lambda`, at the
    /// multiple of the residual that is allowed there.
    fn gap(&self, norm: Norm, lambda: f64, weights: &DVector<f64>) -> f64 {
        let product = &self.gram * weights;
        let (linear, quadratic) = (weights.dot(&self.linear), weights.dot(&product));
        let residual = (self.square - linear + quadratic / 2.0).max(0.0);
        let against_values = self.square - linear / 2.0;
        let allowed = lambda / norm.dual(&(&self.linear - product));
        let best = (against_values / residual).max(0.0);
        let multiple = if residual > 0.0 { best.min(allowed) } else { 0.0 };
        residual + lambda * norm.of(weights) - (2.0 * multiple * against_values - multiple * multiple * residual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NORMS: [Norm; 3] = [Norm::One, Norm::Two, Norm::Infinity];

    fn solve(design: &DMatrix<f64>, values: &[f64], norm: Norm, lambda: f64) -> Solution {
        let problem = LeastSquares::new(design, &DVector::from_column_slice(values));
        problem.solve(norm, lambda, &DVector::zeros(design.ncols()))
    }

    fn close(found: &Solution, expected: &[f64]) {
        assert!(found.converged, "{found:?}");
        let near = found.weights.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3);
        assert!(near, "found {found:?}, expected {expected:?}");
    }

    #[test]
    fn orthogonal_designs_have_closed_forms() {
        // Z = I, n = 2, y = (3, 1): 1/2 ||b - y||^2 + lambda ||b||, so b is the proximal point of y at lambda.
        let design = DMatrix::identity(2, 2);
        // Both shrink by 0.5, and by 2 the second is gone.
        close(&solve(&design, &[3.0, 1.0], Norm::One, 0.5), &[2.5, 0.5]);
        close(&solve(&design, &[3.0, 1.0], Norm::One, 2.0), &[1.0, 0.0]);
        // 1 - 1 / sqrt(10) of y.
        close(&solve(&design, &[3.0, 1.0], Norm::Two, 1.0), &[2.051317, 0.683772]);
        // 1 is cut off the largest; 3 takes both down to (3 + 1 - 3) / 2.
        close(&solve(&design, &[3.0, 1.0], Norm::Infinity, 1.0), &[2.0, 1.0]);
        close(&solve(&design, &[3.0, 1.0], Norm::Infinity, 3.0), &[0.5, 0.5]);
    }

    #[test]
    fn a_large_lambda_leaves_nothing_and_a_tiny_one_least_squares() {
        let design = DMatrix::from_row_slice(3, 2, &[1.0, 0.0, 1.0, 1.0, 0.0, 2.0]);
        // Normal equations: 2 u + v = 4, u + 5 v = 13 give u = 7/9, v = 22/9.
        let values = [1.0, 3.0, 5.0];
        let problem = LeastSquares::new(&design, &DVector::from_column_slice(&values));
        for norm in NORMS {
            close(&solve(&design, &values, norm, problem.max_lambda(norm)), &[0.0, 0.0]);
            close(&solve(&design, &values, norm, 1e-6), &[7.0 / 9.0, 22.0 / 9.0]);
        }
    }

    #[test]
    fn no_rows_and_columns_of_zeros_have_an_answer() {
        for norm in NORMS {
            close(&solve(&DMatrix::zeros(0, 2), &[], norm, 0.1), &[0.0, 0.0]);
            close(&solve(&DMatrix::zeros(2, 2), &[1.0, 2.0], norm, 0.1), &[0.0, 0.0]);
            close(&solve(&DMatrix::identity(2, 2), &[0.0, 0.0], norm, 0.1), &[0.0, 0.0]);
        }
    }

    proptest! {
        /// No small step in any direction makes the objective smaller.
        #[test]
        fn nothing_nearby_is_better(
            entries in proptest::collection::vec(-2.0..2.0f64, 24),
            values in proptest::collection::vec(-3.0..3.0f64, 6),
            directions in proptest::collection::vec(-1.0..1.0f64, 40),
            share in 0.01..1.0f64,
        ) {
            let design = DMatrix::from_row_slice(6, 4, &entries);
            let y = DVector::from_column_slice(&values);
            for norm in NORMS {
                let lambda = share * LeastSquares::new(&design, &y).max_lambda(norm);
                let found = solve(&design, &values, norm, lambda);
                prop_assert!(found.converged, "{:?}", found);
                let objective = |b: &DVector<f64>| (&design * b - &y).norm_squared() / 6.0 + lambda * norm.of(b);
                let best = objective(&found.weights);
                for direction in directions.chunks(4) {
                    for length in [1e-3, 1e-1, 1.0] {
                        let other = &found.weights + DVector::from_column_slice(direction) * length;
                        prop_assert!(objective(&other) > best - 2e-7 * y.norm_squared());
                    }
                }
            }
        }
    }
}
