//! Architectures whose values are all known, such as a table of measurements: their front and its hypervolume.

use std::collections::HashSet;

use super::hypervolume::ReferencePoint;
use super::pareto::non_dominated;
use crate::error::Result;
use crate::metric::{Direction, Metric, PerMetric};

/// Values of several metrics side by side, one column per metric, one row per architecture.
#[derive(Debug, Clone, Copy)]
pub struct Tradeoff<'a> {
    columns: PerMetric<&'a [f64]>,
    rows: usize,
}

impl<'a> Tradeoff<'a> {
    /// These columns, each in its metric's unit. Rows that not all of them have are left out.
    pub fn new(columns: impl IntoIterator<Item = (Metric, &'a [f64])>) -> Self {
        let columns: PerMetric<&[f64]> = columns.into_iter().collect();
        let rows = columns.iter().map(|(_, column)| column.len()).min();
        Tradeoff {
            columns,
            rows: rows.unwrap_or(0),
        }
    }

    /// Positions of the architectures that no other beats, by increasing cost on the first metric of [`Metric::ALL`]: most
    /// accurate first.
    pub fn front(&self) -> Vec<usize> {
        let all: Vec<usize> = (0..self.rows).collect();
        self.front_among(&all)
    }

    /// Those of some positions that no other of them beats, in the same order.
    pub fn front_among(&self, positions: &[usize]) -> Vec<usize> {
        let costs: Vec<Vec<f64>> = positions
            .iter()
            .map(|&position| self.row(position, Metric::cost))
            .collect();
        non_dominated(&costs)
            .into_iter()
            .map(|place| positions[place])
            .collect()
    }

    /// The front, then the front of what is left, and so on, so many times or until nothing is left.
    pub fn layers(&self, count: usize) -> Vec<usize> {
        let mut rest: Vec<usize> = (0..self.rows).collect();
        let mut found = Vec::new();
        for _ in 0..count {
            if rest.is_empty() {
                break;
            }
            let layer = self.front_among(&rest);
            let members: HashSet<usize> = layer.iter().copied().collect();
            rest.retain(|position| !members.contains(position));
            found.extend(layer);
        }
        found
    }

    /// The architectures at these positions as points that hypervolume is measured of: the metrics in the order of
    /// [`Metric::ALL`].
    pub fn points(&self, positions: &[usize]) -> Vec<Vec<f64>> {
        let row = |&position: &usize| self.row(position, |_, value| value);
        positions.iter().map(row).collect()
    }

    /// The worst value of every metric.
    ///
    /// # Errors
    /// [`crate::error::Error::Invalid`] of nothing.
    pub fn reference(&self) -> Result<ReferencePoint> {
        let worst = |(metric, column): (Metric, &&[f64])| {
            let values = column[..self.rows].iter().copied();
            let worst = match metric.direction() {
                Direction::Maximize => values.fold(f64::INFINITY, f64::min),
                Direction::Minimize => values.fold(f64::NEG_INFINITY, f64::max),
            };
            (metric, worst)
        };
        let axes: Vec<(Metric, f64)> = self.columns.iter().map(worst).collect();
        ReferencePoint::new(&axes)
    }

    /// Hypervolume of the architectures at some positions over that of those at others, from [`Tradeoff::reference`];
    /// `None` if the others have none.
    ///
    /// # Errors
    /// As [`Tradeoff::reference`].
    pub fn ratio(&self, found: &[usize], truth: &[usize]) -> Result<Option<f64>> {
        Ok(self.reference()?.ratio(&self.points(found), &self.points(truth)))
    }

    fn row(&self, position: usize, read: impl Fn(Metric, f64) -> f64) -> Vec<f64> {
        self.columns
            .iter()
            .map(|(metric, column)| read(metric, column[position]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_and_hypervolume_worked_by_hand() {
        // (60 %, 1 ms), (70 %, 2 ms) and (80 %, 4 ms) beat (65 %, 3 ms) and (50 %, 5 ms), the corner of the two worst values.
        let table = Tradeoff::new([
            (Metric::Latency, &[1.0, 5.0, 4.0, 3.0, 2.0][..]),
            (Metric::Accuracy, &[60.0, 50.0, 80.0, 65.0, 70.0]),
        ]);
        assert_eq!(table.front(), [2, 4, 0]);
        assert_eq!(table.front_among(&[0, 3, 1]), [3, 0]);
        assert_eq!(table.layers(2), [2, 4, 0, 3]);
        assert_eq!(table.layers(usize::MAX), [2, 4, 0, 3, 1]);
        // Whole front: 30 x 1, then 20 x 2, then 10 x 1 make 80. (70, 2) alone: 20 x 3 = 60.
        assert_eq!(table.ratio(&[4], &[2, 4, 0]).unwrap(), Some(0.75));
        assert_eq!(table.ratio(&[4], &[1]).unwrap(), None);
    }

    #[test]
    fn a_third_metric_keeps_what_two_would_drop() {
        // The second is less accurate and slower than the first, but draws less energy.
        let (accuracies, latencies, energies) = ([70.0, 60.0], [1.0, 2.0], [9.0, 5.0]);
        let two = [(Metric::Accuracy, &accuracies[..]), (Metric::Latency, &latencies)];
        assert_eq!(Tradeoff::new(two).front(), [0]);
        let three = two.into_iter().chain([(Metric::Energy, &energies[..])]);
        assert_eq!(Tradeoff::new(three).front(), [0, 1]);
    }

    #[test]
    fn nothing_has_no_reference() {
        let table = Tradeoff::new([(Metric::Accuracy, &[][..]), (Metric::Latency, &[])]);
        assert!(table.front().is_empty());
        assert!(table.ratio(&[], &[]).is_err());
    }
}
