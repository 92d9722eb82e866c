//! How good is a whole front? The volume between it and a reference point that every design should beat
//! (Zitzler & Thiele, *Multiobjective Evolutionary Algorithms: A Comparative Case Study*, IEEE TEC 3, 1999).

use crate::error::{Error, Result};
use crate::metric::Metric;

/// The corner that hypervolume is measured from: a value that is bad on every axis, and the axes.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferencePoint {
    metrics: Vec<Metric>,
    costs: Vec<f64>,
}

impl ReferencePoint {
    /// One value per metric, in the metric's unit (or in its logarithm, if the points are too).
    ///
    /// # Errors
    /// [`Error::Invalid`] unless there are two or three different metrics with a finite value each.
    pub fn new(axes: &[(Metric, f64)]) -> Result<Self> {
        let metrics: Vec<Metric> = axes.iter().map(|axis| axis.0).collect();
        let repeated = (1..metrics.len()).any(|i| metrics[..i].contains(&metrics[i]));
        if !(2..=3).contains(&axes.len()) || repeated || axes.iter().any(|axis| !axis.1.is_finite()) {
            return Err(Error::Invalid {
                what: "reference point".into(),
                expected: "two or three different metrics, each with a finite value".into(),
                found: format!("{axes:?}"),
                hint: "Take a value that is worse than every design's, such as the worst in the table.".into(),
            });
        }
        let costs = axes.iter().map(|&(metric, value)| metric.cost(value)).collect();
        Ok(ReferencePoint { metrics, costs })
    }

    /// The exact volume that the points dominate, up to the reference point. O(n log n) comparisons.
    ///
    /// `points` hold one value per axis, in the axes' order and units. They need not be a front: dominated and repeated
    /// points add nothing, nor do points that do not beat the reference on every axis.
    pub fn hypervolume<P: AsRef<[f64]>>(&self, points: &[P]) -> f64 {
        let mut boxes: Vec<[f64; 3]> = points.iter().filter_map(|point| self.extents(point.as_ref())).collect();
        boxes.sort_unstable_by(|a, b| b[2].total_cmp(&a[2]).then(b[0].total_cmp(&a[0])));
        let mut outline = Outline::default();
        let mut volume = 0.0;
        // A layer at every height of the third axis, from the top down: the boxes at least that high, seen from above.
        for (position, extents) in boxes.iter().enumerate() {
            outline.add(extents[0], extents[1]);
            let below = boxes.get(position + 1).map_or(0.0, |next| next[2]);
            volume += outline.area * (extents[2] - below);
        }
        volume
    }

    /// Part of the hypervolume of `truth` that `found` reaches; `None` if `truth` has none.
    pub fn ratio<P: AsRef<[f64]>, Q: AsRef<[f64]>>(&self, found: &[P], truth: &[Q]) -> Option<f64> {
        let whole = self.hypervolume(truth);
        (whole > 0.0).then(|| self.hypervolume(found) / whole)
    }

    /// By how much a point beats the reference on each axis, if it does on all; a missing third axis has length one.
    fn extents(&self, point: &[f64]) -> Option<[f64; 3]> {
        let mut extents = [1.0; 3];
        for (axis, (&metric, reference)) in self.metrics.iter().zip(&self.costs).enumerate() {
            extents[axis] = reference - metric.cost(point[axis]);
        }
        extents.iter().all(|&extent| extent > 0.0).then_some(extents)
    }
}

/// The union of rectangles that all have one corner at zero: a staircase.
#[derive(Default)]
struct Outline {
    /// Width and height of every step, widths falling and heights rising.
    steps: Vec<[f64; 2]>,
    area: f64,
}

impl Outline {
    fn add(&mut self, width: f64, height: f64) {
        let start = self.steps.partition_point(|step| step[0] > width);
        let floor = if start > 0 { self.steps[start - 1][1] } else { 0.0 };
        let hidden = self
            .steps
            .get(start)
            .is_some_and(|step| step[0] == width && step[1] >= height);
        if height <= floor || hidden {
            return;
        }
        // What the new rectangle adds lies above the steps that it covers, from its right edge to the left.
        let (mut right, mut level, mut end) = (width, floor, start);
        while let Some(&[step_width, step_height]) = self.steps.get(end) {
            self.area += (right - step_width) * (height - level);
            (right, level) = (step_width, step_height);
            if step_height > height {
                break;
            }
            end += 1;
        }
        if end == self.steps.len() {
            self.area += right * (height - level);
        }
        self.steps.splice(start..end, [[width, height]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Both axes costs, so that the numbers below are what they look like.
    fn reference(latency: f64, energy: f64) -> ReferencePoint {
        ReferencePoint::new(&[(Metric::Latency, latency), (Metric::Energy, energy)]).unwrap()
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "found {found}, expected {expected}");
    }

    #[test]
    fn staircase_in_two_dimensions() {
        // From (4, 4): 3 x 1 for (1, 3), then 2 x 1 more for (2, 2), then 1 x 1 more for (3, 1).
        let front = [[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]];
        close(reference(4.0, 4.0).hypervolume(&front), 6.0);
        let reversed = [[3.0, 1.0], [2.0, 2.0], [1.0, 3.0]];
        close(reference(4.0, 4.0).hypervolume(&reversed), 6.0);
    }

    #[test]
    fn line_front_has_its_closed_form() {
        // Points (i / n, 1 - i / n), i = 0..=n, from (1, 1): steps of width 1 / n and height i / n: (n - 1) / (2 n).
        let n = 50;
        let share = |i: i32| f64::from(i) / f64::from(n);
        let front: Vec<[f64; 2]> = (0..=n).map(|i| [share(i), 1.0 - share(i)]).collect();
        close(reference(1.0, 1.0).hypervolume(&front), 49.0 / 100.0);
    }

    #[test]
    fn duplicates_ties_and_dominated_points_add_nothing() {
        let whole = reference(4.0, 4.0);
        close(
            whole.hypervolume(&[[1.0, 3.0], [1.0, 3.0], [2.0, 3.0], [1.0, 3.5]]),
            3.0,
        );
        close(whole.hypervolume(&[[2.0, 3.0], [1.0, 3.5], [1.0, 3.0]]), 3.0);
    }

    #[test]
    fn points_that_do_not_beat_the_reference_add_nothing() {
        let whole = reference(4.0, 4.0);
        close(whole.hypervolume::<[f64; 2]>(&[]), 0.0);
        close(
            whole.hypervolume(&[[4.0, 1.0], [1.0, 4.0], [5.0, 0.0], [4.0, 4.0]]),
            0.0,
        );
        close(whole.hypervolume(&[[5.0, 0.0], [3.0, 2.0]]), 2.0);
    }

    #[test]
    fn accuracy_counts_upwards() {
        // 20 points above 70 % and 4 ms below 10 ms.
        let axes = ReferencePoint::new(&[(Metric::Accuracy, 70.0), (Metric::Latency, 10.0)]).unwrap();
        close(axes.hypervolume(&[[90.0, 6.0]]), 80.0);
        close(axes.hypervolume(&[[60.0, 6.0]]), 0.0);
        assert_eq!(axes.ratio(&[[80.0, 6.0]], &[[90.0, 6.0]]), Some(0.5));
        assert_eq!(axes.ratio(&[[80.0, 6.0]], &[[60.0, 6.0]]), None);
    }

    fn cube(side: f64) -> ReferencePoint {
        ReferencePoint::new(&[
            (Metric::Latency, side),
            (Metric::Energy, side),
            (Metric::Accuracy, -side),
        ])
        .unwrap()
    }

    #[test]
    fn three_dimensions() {
        // Accuracy counts upwards from -side, so these are boxes of extents (3, 1, 1), (1, 3, 1) and (1, 1, 3) in a corner:
        // each pair and all three share the unit cube, 9 - 3 + 1 = 7.
        let points = [[1.0, 3.0, -3.0], [3.0, 1.0, -3.0], [3.0, 3.0, -1.0]];
        close(cube(4.0).hypervolume(&points), 7.0);
        // The same height twice, and a repeat.
        close(
            cube(4.0).hypervolume(&[[1.0, 3.0, -3.0], [3.0, 1.0, -3.0], [1.0, 3.0, -3.0]]),
            5.0,
        );
        close(cube(4.0).hypervolume(&[[1.0, 3.0, -4.0]]), 0.0);
    }

    #[test]
    fn refuses_other_numbers_of_axes() {
        assert!(ReferencePoint::new(&[(Metric::Latency, 1.0)]).is_err());
        assert!(ReferencePoint::new(&[(Metric::Latency, 1.0), (Metric::Latency, 2.0)]).is_err());
        assert!(ReferencePoint::new(&[(Metric::Latency, 1.0), (Metric::Energy, f64::NAN)]).is_err());
    }

    proptest! {
        /// Unit cells that a point dominates, counted one by one.
        #[test]
        fn counts_cells(points in proptest::collection::vec(proptest::array::uniform3(0u8..8), 0..25)) {
            let dominated = |cell: [u8; 3], point: &[u8; 3]| (0..3).all(|axis| point[axis] <= cell[axis]);
            let cells = (0..6u8).flat_map(|x| (0..6u8).flat_map(move |y| (0..6u8).map(move |z| [x, y, z])));
            let count = cells.filter(|&cell| points.iter().any(|point| dominated(cell, point))).count();
            let values: Vec<[f64; 3]> = points
                .iter()
                .map(|&[x, y, z]| [f64::from(x), f64::from(y), -f64::from(z)])
                .collect();
            prop_assert!((cube(6.0).hypervolume(&values) - count as f64).abs() < 1e-9);

            let cells = (0..6u8).flat_map(|x| (0..6u8).map(move |y| [x, y, 7]));
            let count = cells.filter(|&cell| points.iter().any(|point| dominated(cell, point))).count();
            let flat: Vec<[f64; 2]> = points.iter().map(|&[x, y, _]| [f64::from(x), f64::from(y)]).collect();
            prop_assert!((reference(6.0, 6.0).hypervolume(&flat) - count as f64).abs() < 1e-9);
        }
    }
}
