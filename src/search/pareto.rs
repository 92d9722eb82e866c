//! Which designs are not beaten on every count by another? Costs only: the lower the better on every axis.

use std::cmp::Ordering;

/// Whether `a` is nowhere worse than `b` and somewhere better.
pub fn dominates(a: &[f64], b: &[f64]) -> bool {
    let mut better = false;
    for (a, b) in a.iter().zip(b) {
        if a > b {
            return false;
        }
        better |= a < b;
    }
    better
}

/// Positions of the points that no other dominates, in lexicographic order of their costs (equal points by position).
///
/// Equal points do not dominate each other, so all of them stay. O(n log n) for two axes, O(n^2) in the worst case for
/// more. Points all have the same number of axes and no NaN.
pub fn non_dominated<P: AsRef<[f64]>>(costs: &[P]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by(|&a, &b| lexicographic(costs[a].as_ref(), costs[b].as_ref()));
    let mut front: Vec<usize> = Vec::new();
    for candidate in order {
        if !front_dominates(costs, &front, candidate) {
            front.push(candidate);
        }
    }
    front
}

/// Orders points so that none is dominated by a later one.
pub(super) fn lexicographic(a: &[f64], b: &[f64]) -> Ordering {
    a.partial_cmp(b).unwrap_or(Ordering::Equal)
}

/// Whether a member of `front` dominates the candidate, which comes after all of them in lexicographic order.
///
/// With two axes the last member is the lowest of the front on the second axis and no higher than the candidate on the
/// first, so it dominates the candidate if any member does.
pub(super) fn front_dominates<P: AsRef<[f64]>>(costs: &[P], front: &[usize], candidate: usize) -> bool {
    let candidate = costs[candidate].as_ref();
    let needed = if candidate.len() <= 2 { 1 } else { front.len() };
    front
        .iter()
        .rev()
        .take(needed)
        .any(|&member| dominates(costs[member].as_ref(), candidate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn domination_needs_one_better_axis() {
        assert!(dominates(&[1.0, 2.0], &[1.0, 3.0]));
        assert!(!dominates(&[1.0, 2.0], &[1.0, 2.0]));
        assert!(!dominates(&[1.0, 2.0], &[0.5, 3.0]));
    }

    #[test]
    fn keeps_equal_points_and_drops_ties_on_one_axis() {
        // (2, 1) twice stays; (3, 1) ties with it on the second axis and is worse on the first; (1, 4) beats (1, 5).
        let costs = [[2.0, 1.0], [3.0, 1.0], [1.0, 5.0], [2.0, 1.0], [1.0, 4.0]];
        assert_eq!(non_dominated(&costs), [4, 0, 3]);
    }

    #[test]
    fn nothing_and_one() {
        assert!(non_dominated::<[f64; 2]>(&[]).is_empty());
        assert_eq!(non_dominated(&[[1.0, 1.0]]), [0]);
    }

    fn by_definition<P: AsRef<[f64]>>(costs: &[P]) -> Vec<usize> {
        (0..costs.len())
            .filter(|&i| !costs.iter().any(|other| dominates(other.as_ref(), costs[i].as_ref())))
            .collect()
    }

    proptest! {
        #[test]
        fn follows_its_definition(costs in proptest::collection::vec(proptest::array::uniform3(0u8..6), 0..60)) {
            let three: Vec<[f64; 3]> = costs.iter().map(|cost| cost.map(f64::from)).collect();
            let two: Vec<[f64; 2]> = three.iter().map(|&[x, y, _]| [x, y]).collect();
            let mut found = non_dominated(&three);
            found.sort_unstable();
            prop_assert_eq!(found, by_definition(&three));
            let mut found = non_dominated(&two);
            found.sort_unstable();
            prop_assert_eq!(found, by_definition(&two));
        }
    }
}
