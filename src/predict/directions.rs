//! The directions in which a group of functions over architectures lie: their principal components around zero.

use nalgebra::{DMatrix, DVector};

/// A group of functions as weights of principal directions.
pub(super) struct Directions {
    /// Rows of the map that give the directions, scaled so that a unit-normal weight on each reproduces the group's spread.
    pub(super) rows: DMatrix<f64>,
    /// `[directions, functions]`: weights that give back each function.
    pub(super) weights: DMatrix<f64>,
}

impl Directions {
    /// `functions` is `[functions, reference]`, `map` their rows `[functions, width]`, `weights` sums to one.
    pub(super) fn of(functions: &DMatrix<f64>, map: &DMatrix<f64>, weights: &DVector<f64>, most: usize) -> Directions {
        let count = functions.ncols() as f64;
        let root = weights.map(f64::sqrt);
        let weighted = |matrix: &DMatrix<f64>| {
            DMatrix::from_fn(matrix.nrows(), matrix.ncols(), |row, column| {
                root[row] * matrix[(row, column)]
            })
        };
        let spread = weighted(functions);
        let eigen = (&spread * spread.transpose() / count).symmetric_eigen();
        let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        let largest = order.first().map_or(0.0, |&first| eigen.eigenvalues[first]);
        order.retain(|&index| eigen.eigenvalues[index] > 1e-6 * largest.max(1e-12));
        order.truncate(most);
        let basis = DMatrix::from_fn(functions.nrows(), order.len(), |row, column| {
            eigen.eigenvectors[(row, order[column])]
        });
        Directions {
            rows: basis.tr_mul(&weighted(map)),
            weights: DMatrix::from_fn(order.len(), functions.nrows(), |row, column| {
                basis[(column, row)] / root[column].max(1e-12)
            }),
        }
    }
}
