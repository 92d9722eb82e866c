//! A linear latency model of a device: every choice of every gene costs so much, whatever the others are.

use nalgebra::{DMatrix, DVector};

use crate::encode::one_hot;
use crate::error::{Error, Result};
use crate::space::{Architecture, SearchSpace};

/// Singular values below this share of the largest one are rounding: one-hot columns of a gene always add up to one.
const RCOND: f64 = 1e-8;

/// Latency as the sum of what the choices cost.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearModel {
    /// One per choice of every gene.
    pub weights: DVector<f64>,
    /// What every architecture costs.
    pub intercept: f64,
}

impl LinearModel {
    /// Least squares with the smallest weights of all that fit equally well (pseudo-inverse): one-hot columns are
    /// linearly dependent, and other solutions are arbitrarily large.
    ///
    /// # Errors
    /// [`Error::Invalid`] without a single value.
    pub fn fit(space: &dyn SearchSpace, architectures: &[Architecture], values: &[f64]) -> Result<LinearModel> {
        if values.is_empty() || values.len() != architectures.len() {
            return Err(Error::Invalid {
                what: "linear latency model".into(),
                expected: "one latency for each of one or more architectures".into(),
                found: format!("{} for {}", values.len(), architectures.len()),
                hint: "Choose a device that was measured.".into(),
            });
        }
        let design = one_hot(space, architectures).insert_column(0, 1.0);
        let values = DVector::from_column_slice(values);
        // The triangular factor has the singular values of the design, and is small.
        let factored = design.qr();
        let projected = factored.q().tr_mul(&values);
        let singular = factored.r().svd(true, true);
        let cut = RCOND * singular.singular_values.max();
        let solved = singular.solve(&projected, cut).map_err(|found| Error::Invalid {
            what: "linear latency model".into(),
            expected: "a singular value decomposition".into(),
            found: found.into(),
            hint: "Check the latencies for outliers.".into(),
        })?;
        Ok(LinearModel {
            intercept: solved[0],
            weights: solved.rows(1, solved.len() - 1).into_owned(),
        })
    }

    /// Predicted latency of each architecture.
    pub fn predict(&self, space: &dyn SearchSpace, architectures: &[Architecture]) -> Vec<f64> {
        let costs = one_hot(space, architectures) * &self.weights;
        costs.iter().map(|cost| cost + self.intercept).collect()
    }

    /// What each choice that an architecture makes costs it: `[architectures, choices]`.
    pub fn contributions(&self, space: &dyn SearchSpace, architectures: &[Architecture]) -> DMatrix<f64> {
        let mut encoded = one_hot(space, architectures);
        for (mut column, weight) in encoded.column_iter_mut().zip(self.weights.iter()) {
            column *= *weight;
        }
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{Enumerable, NasBench201};

    fn architectures() -> Vec<Architecture> {
        (0..15_625).step_by(7).map(|index| NasBench201.at(index)).collect()
    }

    /// 2 ms, and 3 ms for operation 3 on the first edge, 1 ms for operation 2 on the last.
    fn latency(one: &Architecture) -> f64 {
        2.0 + 3.0 * f64::from(u8::from(one.0[0] == 3)) + f64::from(u8::from(one.0[5] == 2))
    }

    #[test]
    fn additive_latencies_are_met_with_small_weights() {
        let architectures = architectures();
        let values: Vec<f64> = architectures.iter().map(latency).collect();
        let model = LinearModel::fit(&NasBench201, &architectures, &values).unwrap();
        for (predicted, value) in model.predict(&NasBench201, &architectures).iter().zip(&values) {
            assert!((predicted - value).abs() < 1e-9);
        }
        assert!(model.weights.amax() < 3.0, "{}", model.weights);
        // Edges that do not matter cost the same for every operation.
        let second = model.weights.rows(5, 5);
        assert!(second.max() - second.min() < 1e-9);
    }

    #[test]
    fn fewer_architectures_than_choices_do_not_explode() {
        let architectures: Vec<Architecture> = architectures().into_iter().take(4).collect();
        let values = [1.0, 2.0, 3.0, 4.0];
        let model = LinearModel::fit(&NasBench201, &architectures, &values).unwrap();
        for (predicted, value) in model.predict(&NasBench201, &architectures).iter().zip(&values) {
            assert!((predicted - value).abs() < 1e-9);
        }
        assert!(model.weights.amax() < 4.0, "{}", model.weights);
        assert!(LinearModel::fit(&NasBench201, &[], &[]).is_err());
    }

    #[test]
    fn contributions_add_up_to_predictions() {
        let architectures = architectures();
        let values: Vec<f64> = architectures.iter().map(latency).collect();
        let model = LinearModel::fit(&NasBench201, &architectures, &values).unwrap();
        let contributions = model.contributions(&NasBench201, &architectures[..3]);
        for (row, predicted) in model.predict(&NasBench201, &architectures[..3]).iter().enumerate() {
            assert!((contributions.row(row).sum() + model.intercept - predicted).abs() < 1e-9);
        }
    }
}
