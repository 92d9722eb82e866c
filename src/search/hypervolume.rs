//! How good is a whole front? The volume between it and a reference point that every design should beat
//! (Zitzler & Thiele, *Multiobjective Evolutionary Algorithms: A Comparative Case Study*, IEEE TEC 3, 1999).

use super::pareto::non_dominated;
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
    /// [`Error::Invalid`] unless there are two or more different metrics with a finite value each.
    pub fn new(axes: &[(Metric, f64)]) -> Result<Self> {
        let metrics: Vec<Metric> = axes.iter().map(|axis| axis.0).collect();
        let repeated = (1..metrics.len()).any(|i| metrics[..i].contains(&metrics[i]));
        if axes.len() < 2 || repeated || axes.iter().any(|axis| !axis.1.is_finite()) {
            return Err(Error::Invalid {
                what: "reference point".into(),
                expected: "two or more different metrics, each with a finite value".into(),
                found: format!("{axes:?}"),
                hint: "Take a value that is worse than every design's, such as the worst in the table.".into(),
            });
        }
        let costs = axes.iter().map(|&(metric, value)| metric.cost(value)).collect();
        Ok(ReferencePoint { metrics, costs })
    }

    /// The exact volume that the points dominate, up to the reference point: O(n log n) comparisons for two and three axes,
    /// O(n^(axes - 2) log n) at worst for more.
    ///
    /// `points` hold one value per axis, in the axes' order and units. They need not be a front: dominated and repeated
    /// points add nothing, nor do points that do not beat the reference on every axis.
    pub fn hypervolume<P: AsRef<[f64]>>(&self, points: &[P]) -> f64 {
        volume(points.iter().filter_map(|point| self.extents(point.as_ref())).collect())
    }

    /// Part of the hypervolume of `truth` that `found` reaches; `None` if `truth` has none.
    pub fn ratio<P: AsRef<[f64]>, Q: AsRef<[f64]>>(&self, found: &[P], truth: &[Q]) -> Option<f64> {
        let whole = self.hypervolume(truth);
        (whole > 0.0).then(|| self.hypervolume(found) / whole)
    }

    /// By how much a point beats the reference on each axis, if it does on all.
    fn extents(&self, point: &[f64]) -> Option<Vec<f64>> {
        let axes = self.metrics.iter().zip(&self.costs).zip(point);
        let extents: Vec<f64> = axes
            .map(|((metric, reference), &value)| reference - metric.cost(value))
            .collect();
        extents.iter().all(|&extent| extent > 0.0).then_some(extents)
    }
}

/// Volume of the union of boxes that all have one corner at zero, from their extents: the WFG algorithm (While, Bradstreet
/// & Barone, *A Fast Way of Calculating Exact Hypervolumes*, IEEE TEC 16, 2012) down to three axes, where a sweep is faster.
///
/// From the lowest on the last axis upwards, each box adds what no later one covers. Every later box is at least as high,
/// so that part has the box's own height, and its base is a union with one axis less.
fn volume(mut boxes: Vec<Vec<f64>>) -> f64 {
    let axes = boxes.first().map_or(0, Vec::len);
    if axes <= 3 {
        return swept(&boxes);
    }
    boxes.sort_unstable_by(|a, b| a[axes - 1].total_cmp(&b[axes - 1]));
    let base = |extents: &[f64]| extents[..axes - 1].to_vec();
    let added = boxes.iter().enumerate().map(|(position, extents)| {
        let covered = boxes[position + 1..].iter().map(|later| {
            let shared = later.iter().zip(extents).map(|(later, own)| later.min(*own));
            base(&shared.collect::<Vec<f64>>())
        });
        let covered = volume(largest(covered.collect()));
        let whole: f64 = base(extents).iter().product();
        extents[axes - 1] * (whole - covered)
    });
    added.sum()
}

/// The boxes that no other holds.
fn largest(boxes: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let costs: Vec<Vec<f64>> = boxes
        .iter()
        .map(|extents| extents.iter().map(|extent| -extent).collect())
        .collect();
    let mut kept = non_dominated(&costs);
    // Equal boxes stand next to each other.
    kept.dedup_by(|later, first| costs[*later] == costs[*first]);
    kept.into_iter().map(|position| boxes[position].clone()).collect()
}

/// [`volume`] with up to three axes; missing ones have length one.
fn swept(boxes: &[Vec<f64>]) -> f64 {
    let padded = |extents: &Vec<f64>| {
        let mut padded = [1.0; 3];
        padded[..extents.len()].copy_from_slice(extents);
        padded
    };
    let mut boxes: Vec<[f64; 3]> = boxes.iter().map(padded).collect();
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

    /// Metrics that are all costs, up to `side` on so many axes.
    fn hypercube(axes: usize, side: f64) -> ReferencePoint {
        let axes: Vec<(Metric, f64)> = Metric::ALL[1..=axes].iter().map(|&metric| (metric, side)).collect();
        ReferencePoint::new(&axes).unwrap()
    }

    #[test]
    fn four_five_and_six_dimensions() {
        for axes in [4, 5, 6] {
            // Point i has extent 3 on axis i and 1 on the others: each box is 3, any two share the unit cube,
            // and so do all of them: 3 axes - (axes - 1) = 2 axes + 1.
            let mut points: Vec<Vec<f64>> = vec![vec![3.0; axes]; axes];
            for (axis, point) in points.iter_mut().enumerate() {
                point[axis] = 1.0;
            }
            let expected = (2 * axes + 1) as f64;
            close(hypercube(axes, 4.0).hypervolume(&points), expected);
            // Repeated and dominated points, and those that do not beat the reference, add nothing.
            points.push(points[0].clone());
            points.push(vec![3.5; axes]);
            points.push(vec![4.0; axes]);
            points.reverse();
            close(hypercube(axes, 4.0).hypervolume(&points), expected);
            close(hypercube(axes, 4.0).hypervolume::<Vec<f64>>(&[]), 0.0);
        }
    }

    #[test]
    fn a_staircase_stays_one_whatever_stands_on_it() {
        // The staircase of two axes, 6 in area, with two further axes on which every point has extent 2: 6 * 2 * 2.
        let points = [[1.0, 3.0, 2.0, 2.0], [2.0, 2.0, 2.0, 2.0], [3.0, 1.0, 2.0, 2.0]];
        close(hypercube(4, 4.0).hypervolume(&points), 24.0);
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

        #[test]
        fn counts_cells_in_five_dimensions(points in proptest::collection::vec(proptest::array::uniform5(0u8..4), 0..20)) {
            let cell = |index: u32| [0, 1, 2, 3, 4].map(|axis| (index / 3u32.pow(axis) % 3) as u8);
            let dominated = |cell: [u8; 5], point: &[u8; 5]| (0..5).all(|axis| point[axis] <= cell[axis]);
            let cells = (0..3u32.pow(5)).map(cell);
            let count = cells.filter(|&cell| points.iter().any(|point| dominated(cell, point))).count();
            let values: Vec<[f64; 5]> = points.iter().map(|point| point.map(f64::from)).collect();
            prop_assert!((hypercube(5, 3.0).hypervolume(&values) - count as f64).abs() < 1e-9);
        }
    }
}
