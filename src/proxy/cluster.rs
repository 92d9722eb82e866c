//! Complete-linkage clusters (Sorensen, *A Method of Establishing Groups of Equal Amplitude in Plant Sociology*, 1948).

/// Joins members as long as the least similarity within the joined cluster is at least `threshold`, the most similar
/// clusters first.
///
/// Clusters come in an order that has similar ones next to each other: joining goes on beyond the threshold, and what is
/// joined is laid side by side, the larger part first. A similarity that is not known is lower than any other.
pub fn complete_linkage(
    members: usize,
    similarity: impl Fn(usize, usize) -> Option<f64>,
    threshold: f64,
) -> Vec<Vec<usize>> {
    let known = |a: usize, b: usize| similarity(a, b).unwrap_or(f64::NEG_INFINITY);
    // `linkage[a][b]`: least similarity between the groups at `a` and `b`, each a row of clusters.
    let mut linkage: Vec<Vec<f64>> = (0..members)
        .map(|a| (0..members).map(|b| known(a, b)).collect())
        .collect();
    let mut groups: Vec<Vec<Vec<usize>>> = (0..members).map(|member| vec![vec![member]]).collect();
    while groups.len() > 1 {
        let (mut one, mut other) = (0, 1);
        for a in 0..groups.len() {
            for b in a + 1..groups.len() {
                if linkage[a][b] > linkage[one][other] {
                    (one, other) = (a, b);
                }
            }
        }
        let joined = linkage[one][other] >= threshold;
        let removed = groups.remove(other);
        join(&mut groups[one], removed, joined);
        let row = linkage.remove(other);
        for (index, values) in linkage.iter_mut().enumerate() {
            values.remove(other);
            let from = row[if index < other { index } else { index + 1 }];
            values[one] = values[one].min(from);
        }
        let column: Vec<f64> = linkage.iter().map(|values| values[one]).collect();
        linkage[one] = column;
    }
    groups.into_iter().flatten().collect()
}

fn join(group: &mut Vec<Vec<usize>>, removed: Vec<Vec<usize>>, one_cluster: bool) {
    let size = |group: &[Vec<usize>]| group.iter().map(Vec::len).sum::<usize>();
    let mut joined = std::mem::take(group);
    if size(&removed) > size(&joined) {
        joined.splice(0..0, removed);
    } else {
        joined.extend(removed);
    }
    *group = if one_cluster { vec![joined.concat()] } else { joined };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Similarities of points on a line: one less their distance.
    fn clusters(points: &[f64], threshold: f64) -> Vec<Vec<usize>> {
        complete_linkage(
            points.len(),
            |a, b| Some(1.0 - (points[a] - points[b]).abs()),
            threshold,
        )
    }

    #[test]
    fn every_pair_of_a_cluster_agrees() {
        // A chain: 0.0 and 0.08, 0.08 and 0.16 are near, its ends 0.16 apart are not. Single linkage would join all three.
        // 0.0 and 0.08 are as near as 0.08 and 0.16 (0.07 makes the first pair the nearer one).
        assert_eq!(clusters(&[0.0, 0.07, 0.15], 0.9), [vec![0, 1], vec![2]]);
        assert_eq!(clusters(&[0.0, 0.07, 0.15], 0.85), [vec![0, 1, 2]]);
    }

    #[test]
    fn similar_clusters_stand_side_by_side() {
        // Pairs around 0, 5 and 0.5: those around 0 and 0.5 are neighbours.
        let points = [0.0, 5.0, 0.5, 0.01, 5.01, 0.51];
        assert_eq!(clusters(&points, 0.9), [vec![0, 3], vec![2, 5], vec![1, 4]]);
    }

    #[test]
    fn unknown_similarities_join_nothing() {
        assert_eq!(complete_linkage(3, |_, _| None, -1.0), [vec![0], vec![1], vec![2]]);
        assert!(complete_linkage(0, |_, _| None, 0.9).is_empty());
        assert_eq!(complete_linkage(1, |_, _| None, 0.9), [vec![0]]);
    }
}
