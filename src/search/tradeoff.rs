//! Accuracy against latency of architectures whose values are all known: their front and its hypervolume.

use std::collections::HashSet;

use super::hypervolume::ReferencePoint;
use super::pareto::non_dominated;
use crate::error::Result;
use crate::metric::Metric;

/// Accuracies and latencies side by side, such as a table of measurements.
#[derive(Debug, Clone, Copy)]
pub struct Tradeoff<'a> {
    /// Top-1 accuracies, in percent.
    pub accuracies: &'a [f64],
    /// Latencies, in ms.
    pub latencies: &'a [f64],
}

impl Tradeoff<'_> {
    /// Positions of the architectures that no other beats, most accurate first.
    pub fn front(&self) -> Vec<usize> {
        let all: Vec<usize> = (0..self.latencies.len()).collect();
        self.front_among(&all)
    }

    /// Those of some positions that no other of them beats, most accurate first.
    pub fn front_among(&self, positions: &[usize]) -> Vec<usize> {
        let costs: Vec<[f64; 2]> = positions
            .iter()
            .map(|&position| {
                [
                    Metric::Accuracy.cost(self.accuracies[position]),
                    Metric::Latency.cost(self.latencies[position]),
                ]
            })
            .collect();
        non_dominated(&costs)
            .into_iter()
            .map(|place| positions[place])
            .collect()
    }

    /// The front, then the front of what is left, and so on, so many times.
    pub fn layers(&self, count: usize) -> Vec<usize> {
        let mut rest: Vec<usize> = (0..self.latencies.len()).collect();
        let mut found = Vec::new();
        for _ in 0..count {
            let layer = self.front_among(&rest);
            let members: HashSet<usize> = layer.iter().copied().collect();
            rest.retain(|position| !members.contains(position));
            found.extend(layer);
        }
        found
    }

    /// The architectures at these positions as points that hypervolume is measured of.
    pub fn points(&self, positions: &[usize]) -> Vec<[f64; 2]> {
        positions
            .iter()
            .map(|&position| [self.accuracies[position], self.latencies[position]])
            .collect()
    }

    /// The lowest accuracy and the slowest latency of all.
    ///
    /// # Errors
    /// [`crate::error::Error::Invalid`] of nothing.
    pub fn reference(&self) -> Result<ReferencePoint> {
        let slowest = self.latencies.iter().copied().fold(0.0, f64::max);
        let lowest = self.accuracies.iter().copied().fold(f64::INFINITY, f64::min);
        ReferencePoint::new(&[(Metric::Accuracy, lowest), (Metric::Latency, slowest)])
    }

    /// Hypervolume of the architectures at some positions over that of those at others, from [`Tradeoff::reference`];
    /// `None` if the others have none.
    ///
    /// # Errors
    /// As [`Tradeoff::reference`].
    pub fn ratio(&self, found: &[usize], truth: &[usize]) -> Result<Option<f64>> {
        Ok(self.reference()?.ratio(&self.points(found), &self.points(truth)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_and_hypervolume_worked_by_hand() {
        // (60 %, 1 ms), (70 %, 2 ms) and (80 %, 4 ms) beat (65 %, 3 ms) and (50 %, 5 ms), the corner of the two worst values.
        let table = Tradeoff {
            accuracies: &[60.0, 50.0, 80.0, 65.0, 70.0],
            latencies: &[1.0, 5.0, 4.0, 3.0, 2.0],
        };
        assert_eq!(table.front(), [2, 4, 0]);
        assert_eq!(table.front_among(&[0, 3, 1]), [3, 0]);
        assert_eq!(table.layers(2), [2, 4, 0, 3]);
        assert_eq!(table.layers(9), [2, 4, 0, 3, 1]);
        // Whole front: 30 x 1, then 20 x 2, then 10 x 1 make 80. (70, 2) alone: 20 x 3 = 60.
        assert_eq!(table.ratio(&[4], &[2, 4, 0]).unwrap(), Some(0.75));
        assert_eq!(table.ratio(&[4], &[1]).unwrap(), None);
    }

    #[test]
    fn nothing_has_no_reference() {
        let table = Tradeoff {
            accuracies: &[],
            latencies: &[],
        };
        assert!(table.front().is_empty());
        assert!(table.ratio(&[], &[]).is_err());
    }
}
