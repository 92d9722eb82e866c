//! Designs with what is to be known of them while training.

use nalgebra::DMatrix;

use crate::predict::{DeviceMetrics, Predictor};
use crate::space::Architecture;

/// The bases at some designs, `[COUNTS + rank, designs]`, fixed over the training.
pub(super) type Points = DeviceMetrics<DMatrix<f32>>;

/// Designs with what queries need to know about them.
pub(super) struct Judged {
    pub(super) designs: Vec<Architecture>,
    /// Per metric `[COUNTS + rank, designs]`.
    pub(super) bases: Points,
    /// In percent.
    pub(super) accuracy: Vec<f32>,
}

impl Judged {
    /// Encodes designs, by far the longest part of a refresh.
    pub(super) fn of(predictor: &Predictor, designs: Vec<Architecture>) -> Judged {
        let encoded = predictor.encode(&designs);
        let accuracies = predictor.accuracies(&designs, &encoded);
        Judged {
            bases: predictor.bases(&encoded),
            accuracy: accuracies.iter().map(|accuracy| accuracy.percent.mean as f32).collect(),
            designs,
        }
    }

    /// Those at these positions, in this order.
    pub(super) fn select(&self, positions: &[usize]) -> Judged {
        Judged {
            designs: positions
                .iter()
                .map(|&position| self.designs[position].clone())
                .collect(),
            bases: self.bases.map(|_, basis| basis.select_columns(positions)),
            accuracy: positions.iter().map(|&position| self.accuracy[position]).collect(),
        }
    }

    pub(super) fn append(&mut self, other: Judged) {
        self.bases = self.bases.zip(&other.bases).map(|_, (one, other)| {
            let columns: Vec<f32> = one.iter().chain(other.iter()).copied().collect();
            DMatrix::from_vec(one.nrows(), one.ncols() + other.ncols(), columns)
        });
        self.designs.extend(other.designs);
        self.accuracy.extend(other.accuracy);
    }
}
