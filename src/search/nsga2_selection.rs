//! Who survives in NSGA-II: fronts under constrained domination, and the least crowded within a front
//! (Deb, Pratap, Agarwal & Meyarivan, *A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II*, IEEE TEC 6, 2002).

use super::pareto::{front_dominates, lexicographic};

/// How good a member of a population is: by front first, then by room around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fitness {
    /// Number of its front, from 0.
    pub(super) front: usize,
    /// Crowding distance within the front; infinite at its ends.
    pub(super) crowding: f64,
}

impl Fitness {
    /// Before the first selection: behind everything that went through one.
    pub(super) const UNKNOWN: Fitness = Fitness {
        front: usize::MAX,
        crowding: 0.0,
    };

    /// The crowded-comparison operator.
    pub(super) fn beats(&self, other: &Fitness) -> bool {
        self.front < other.front || (self.front == other.front && self.crowding > other.crowding)
    }
}

/// Positions of the `count` fittest of a population, with their fitness, front by front and least crowded first.
pub(super) fn fittest<P: AsRef<[f64]>>(costs: &[P], violations: &[f64], count: usize) -> Vec<(usize, Fitness)> {
    let mut survivors = Vec::with_capacity(count);
    for (front, members) in constrained_fronts(costs, violations).into_iter().enumerate() {
        let room = count - survivors.len();
        if room == 0 {
            break;
        }
        let distances = crowding_distances(costs, &members);
        let mut ranked: Vec<(usize, Fitness)> = members
            .into_iter()
            .zip(distances)
            .map(|(member, crowding)| (member, Fitness { front, crowding }))
            .collect();
        ranked.sort_by(|a, b| b.1.crowding.total_cmp(&a.1.crowding));
        survivors.extend(ranked.into_iter().take(room));
    }
    survivors
}

/// The population in fronts, best first, under constrained domination (section VI of the paper): a feasible member
/// dominates an infeasible one; of two infeasible ones the less violating dominates; of two feasible ones Pareto decides.
///
/// Feasible members are taken in lexicographic order, so that each joins the first front that does not dominate it, found by
/// bisection (Zhang, Tian, Cheng & Jin, *An Efficient Approach to Nondominated Sorting*, IEEE TEC 19, 2015).
fn constrained_fronts<P: AsRef<[f64]>>(costs: &[P], violations: &[f64]) -> Vec<Vec<usize>> {
    let (mut feasible, mut infeasible): (Vec<usize>, Vec<usize>) =
        (0..costs.len()).partition(|&member| violations[member] <= 0.0);
    feasible.sort_by(|&a, &b| lexicographic(costs[a].as_ref(), costs[b].as_ref()));
    let mut fronts: Vec<Vec<usize>> = Vec::new();
    for member in feasible {
        let place = fronts.partition_point(|front| front_dominates(costs, front, member));
        match fronts.get_mut(place) {
            Some(front) => front.push(member),
            None => fronts.push(vec![member]),
        }
    }
    infeasible.sort_by(|&a, &b| violations[a].total_cmp(&violations[b]));
    fronts.extend(
        infeasible
            .chunk_by(|&a, &b| violations[a] == violations[b])
            .map(<[usize]>::to_vec),
    );
    fronts
}

/// Sum over the axes of the distance between a member's two neighbours, in parts of the front's extent (section III-B).
fn crowding_distances<P: AsRef<[f64]>>(costs: &[P], members: &[usize]) -> Vec<f64> {
    let mut distances = vec![0.0; members.len()];
    let axes = members.first().map_or(0, |&member| costs[member].as_ref().len());
    let mut order: Vec<usize> = (0..members.len()).collect();
    for axis in 0..axes {
        let cost = |place: usize| costs[members[place]].as_ref()[axis];
        order.sort_by(|&a, &b| cost(a).total_cmp(&cost(b)));
        let (first, last) = (order[0], order[order.len() - 1]);
        let extent = cost(last) - cost(first);
        distances[first] = f64::INFINITY;
        distances[last] = f64::INFINITY;
        if extent > 0.0 {
            for neighbours in order.windows(3) {
                distances[neighbours[1]] += (cost(neighbours[2]) - cost(neighbours[0])) / extent;
            }
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::dominates;
    use proptest::prelude::*;

    #[test]
    fn the_three_rules_of_constrained_domination() {
        // Feasible (5, 5) is dominated by feasible (1, 1); infeasible ones follow by violation whatever their costs, and
        // two that violate as much share a front.
        let costs = [[0.0, 0.0], [5.0, 5.0], [1.0, 1.0], [0.0, 1.0], [9.0, 9.0]];
        let violations = [0.2, 0.0, 0.0, 0.1, 0.2];
        assert_eq!(
            constrained_fronts(&costs, &violations),
            [vec![2], vec![1], vec![3], vec![0, 4]]
        );
    }

    #[test]
    fn crowding_by_hand() {
        // Extents 4 and 4. (1, 2): (2 - 0) / 4 + (4 - 1) / 4 = 1.25; (2, 1): (4 - 1) / 4 + (2 - 0) / 4 = 1.25.
        let costs = [[0.0, 4.0], [1.0, 2.0], [2.0, 1.0], [4.0, 0.0]];
        let found = crowding_distances(&costs, &[0, 1, 2, 3]);
        assert_eq!(found, [f64::INFINITY, 1.25, 1.25, f64::INFINITY]);
        // All equal: no extent on any axis, and no division by it.
        let found = crowding_distances(&[[1.0, 1.0]; 3], &[0, 1, 2]);
        assert!(found.iter().all(|distance| !distance.is_nan()));
    }

    #[test]
    fn the_last_front_is_cut_by_crowding() {
        // One front; the ends stay, and of the middle (5, 5) with room around it before (1, 9) beside the end (0, 10).
        let costs = [[0.0, 10.0], [1.0, 9.0], [5.0, 5.0], [10.0, 0.0]];
        let mut kept: Vec<usize> = fittest(&costs, &[0.0; 4], 3).iter().map(|kept| kept.0).collect();
        kept.sort_unstable();
        assert_eq!(kept, [0, 2, 3]);
    }

    /// Fronts by peeling: again and again those that no other of the rest dominates.
    fn peeled(costs: &[[f64; 3]]) -> Vec<Vec<usize>> {
        let mut rest: Vec<usize> = (0..costs.len()).collect();
        let mut fronts = Vec::new();
        while !rest.is_empty() {
            let (front, behind) = rest
                .iter()
                .partition(|&&i| !rest.iter().any(|&j| dominates(&costs[j], &costs[i])));
            fronts.push(front);
            rest = behind;
        }
        fronts
    }

    proptest! {
        #[test]
        fn fronts_are_those_of_peeling(costs in proptest::collection::vec(proptest::array::uniform3(0u8..6), 0..50)) {
            let costs: Vec<[f64; 3]> = costs.iter().map(|cost| cost.map(f64::from)).collect();
            let mut found = constrained_fronts(&costs, &vec![0.0; costs.len()]);
            found.iter_mut().for_each(|front| front.sort_unstable());
            prop_assert_eq!(found, peeled(&costs));
        }
    }
}
