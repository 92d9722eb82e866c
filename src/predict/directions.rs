//! The directions in which a group of functions over architectures differ: their principal components.

use nalgebra::{DMatrix, DVector, RowDVector};

/// A group of functions as a mean and principal directions around it.
pub(super) struct Directions {
    /// Row of the map that gives the mean.
    pub(super) mean: RowDVector<f64>,
    /// Rows of the map that give the directions, scaled so that a unit-normal weight on each reproduces the group's spread.
    pub(super) rows: DMatrix<f64>,
    /// `[directions, functions]`: weights that give back each function.
    weights: DMatrix<f64>,
}

impl Directions {
    /// `functions` is `[functions, reference]`, `map` their rows `[functions, width]`, `weights` sums to one.
    pub(super) fn of(functions: &DMatrix<f64>, map: &DMatrix<f64>, weights: &DVector<f64>, most: usize) -> Directions {
        let count = functions.ncols() as f64;
        let mean_function: RowDVector<f64> = weights.transpose() * functions;
        let mean: RowDVector<f64> = weights.transpose() * map;
        let root = weights.map(f64::sqrt);
        let centred = |matrix: &DMatrix<f64>, mean: &RowDVector<f64>| {
            DMatrix::from_fn(matrix.nrows(), matrix.ncols(), |row, column| {
                root[row] * (matrix[(row, column)] - mean[column])
            })
        };
        let spread = centred(functions, &mean_function);
        let spread_map = centred(map, &mean);
        let eigen = (&spread * spread.transpose() / count).symmetric_eigen();
        let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        let largest = order.first().map_or(0.0, |&first| eigen.eigenvalues[first]);
        order.retain(|&index| eigen.eigenvalues[index] > 1e-6 * largest.max(1e-12));
        order.truncate(most);
        let basis = DMatrix::from_fn(functions.nrows(), order.len(), |row, column| {
            eigen.eigenvectors[(row, order[column])]
        });
        let weights = DMatrix::from_fn(order.len(), functions.nrows(), |row, column| {
            basis[(column, row)] / root[column].max(1e-12)
        });
        Directions {
            mean,
            rows: basis.transpose() * spread_map,
            weights,
        }
    }

    /// The functions as weights over the whole basis, with the mean at coordinate `at` and the directions behind it.
    pub(super) fn centres(&self, at: usize, rank: usize) -> DMatrix<f64> {
        let mut centres = DMatrix::zeros(rank, self.weights.ncols());
        centres.row_mut(at).fill(1.0);
        centres.rows_mut(at + 1, self.weights.nrows()).copy_from(&self.weights);
        centres
    }
}
