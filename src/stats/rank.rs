//! Do two devices, or a predictor and a device, put architectures in the same order?

use std::cmp::Ordering;

/// Rank of every value, counted from 1; equal values share the mean of the ranks they take up. O(n log n).
pub fn average_ranks(values: &[f64]) -> Vec<f64> {
    let order = ascending(values);
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for tied in order.chunk_by(|&a, &b| values[a as usize] == values[b as usize]) {
        // The ranks are start + 1 ..= start + tied.len().
        let rank = start as f64 + (tied.len() + 1) as f64 / 2.0;
        for &position in tied {
            ranks[position as usize] = rank;
        }
        start += tied.len();
    }
    ranks
}

/// Spearman's rank correlation: Pearson's correlation of the average ranks, in -1..=1. O(n log n).
///
/// `None` where it is not defined: fewer than two pairs, or all values of one side equal.
///
/// # Panics
/// If the lengths differ.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "rank correlation needs pairs");
    correlation_of_ranks(&average_ranks(a), &average_ranks(b))
}

/// [`spearman`] from the [`average_ranks`] of both sides, for sides that are compared with several others. O(n).
///
/// # Panics
/// If the lengths differ.
pub fn correlation_of_ranks(ranks_a: &[f64], ranks_b: &[f64]) -> Option<f64> {
    assert_eq!(ranks_a.len(), ranks_b.len(), "rank correlation needs pairs");
    // Average ranks always sum to n (n + 1) / 2.
    let center = (ranks_a.len() as f64 + 1.0) / 2.0;
    let (mut covariance, mut variance_a, mut variance_b) = (0.0, 0.0, 0.0);
    for (rank_a, rank_b) in ranks_a.iter().zip(ranks_b) {
        let (from_a, from_b) = (rank_a - center, rank_b - center);
        covariance += from_a * from_b;
        variance_a += from_a * from_a;
        variance_b += from_b * from_b;
    }
    correlation(covariance, variance_a, variance_b)
}

/// Kendall's tau-b, which corrects for ties, in -1..=1. O(n log n).
///
/// Knight, *A Computer Method for Calculating Kendall's Tau with Ungrouped Data*, JASA 61 (1966): sorted by the first
/// side, the exchanges that a merge sort of the second side makes are the discordant pairs.
///
/// `None` where it is not defined: fewer than two pairs, or all values of one side equal.
///
/// # Panics
/// If the lengths differ.
pub fn kendall(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "rank correlation needs pairs");
    let mut pairs: Vec<(f64, f64)> = a.iter().copied().zip(b.iter().copied()).collect();
    pairs.sort_unstable_by(|x, y| compare(x.0, y.0).then(compare(x.1, y.1)));
    let tied_a = tied_pairs(&pairs, |x, y| x.0 == y.0);
    let tied_both = tied_pairs(&pairs, |x, y| x == y);
    let mut second: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
    let discordant = sort_counting_exchanges(&mut second);
    let tied_b = tied_pairs(&second, |x, y| x == y);
    let all = pairs_among(pairs.len());
    // concordant = all - tied_a - tied_b + tied_both - discordant
    let concordant_less_discordant = (all + tied_both) as f64 - (tied_a + tied_b + 2 * discordant) as f64;
    correlation(concordant_less_discordant, (all - tied_a) as f64, (all - tied_b) as f64)
}

fn correlation(covariance: f64, variance_a: f64, variance_b: f64) -> Option<f64> {
    let scale = (variance_a * variance_b).sqrt();
    (scale > 0.0).then(|| (covariance / scale).clamp(-1.0, 1.0))
}

fn compare(a: f64, b: f64) -> Ordering {
    // Unlike `total_cmp`, this takes -0 and 0 for the tie that they are.
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

fn ascending(values: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| compare(values[a as usize], values[b as usize]));
    order
}

fn pairs_among(count: usize) -> u64 {
    let count = count as u64;
    count * count.saturating_sub(1) / 2
}

fn tied_pairs<T>(sorted: &[T], equal: impl Fn(&T, &T) -> bool) -> u64 {
    sorted.chunk_by(equal).map(|tied| pairs_among(tied.len())).sum()
}

/// Bottom-up merge sort; returns by how many places values moved past larger ones.
fn sort_counting_exchanges(values: &mut Vec<f64>) -> u64 {
    let mut merged = Vec::with_capacity(values.len());
    let mut exchanges = 0;
    let mut width = 1;
    while width < values.len() {
        merged.clear();
        for run in values.chunks(2 * width) {
            let (mut left, mut right) = run.split_at(width.min(run.len()));
            while let (Some(&first_left), Some(&first_right)) = (left.first(), right.first()) {
                if first_right < first_left {
                    exchanges += left.len() as u64;
                    merged.push(first_right);
                    right = &right[1..];
                } else {
                    merged.push(first_left);
                    left = &left[1..];
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(values, &mut merged);
        width *= 2;
    }
    exchanges
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(found: Option<f64>, expected: f64) {
        let found = found.expect("defined");
        assert!((found - expected).abs() < 1e-12, "found {found}, expected {expected}");
    }

    #[test]
    fn ties_share_their_mean_rank() {
        // Sorted: 1 2 2 3 -> ranks 1, (2 + 3) / 2, (2 + 3) / 2, 4.
        assert_eq!(average_ranks(&[2.0, 3.0, 1.0, 2.0]), [2.5, 4.0, 1.0, 2.5]);
        assert_eq!(average_ranks(&[0.0, -0.0]), [1.5, 1.5]);
        assert!(average_ranks(&[]).is_empty());
    }

    #[test]
    fn hand_worked_correlations() {
        // Squared rank differences 1 + 1 + 0 + 0: 1 - 6 * 2 / (4 * 15) = 0.8. One of six pairs is discordant: 4 / 6.
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [20.0, 10.0, 30.0, 40.0]);
        close(spearman(&a, &b), 0.8);
        close(kendall(&a, &b), 4.0 / 6.0);
    }

    #[test]
    fn ties_agree_with_scipy() {
        // python3 -c "from scipy.stats import *; a=[1,2,2,3,5,5,5,8]; b=[3,1,4,4,6,2,7,7];
        //             print(spearmanr(a,b).statistic, kendalltau(a,b).statistic)"   (scipy 1.17.1)
        let (a, b) = (
            [1.0, 2.0, 2.0, 3.0, 5.0, 5.0, 5.0, 8.0],
            [3.0, 1.0, 4.0, 4.0, 6.0, 2.0, 7.0, 7.0],
        );
        close(spearman(&a, &b), 0.639862645418174);
        close(kendall(&a, &b), 0.5604485383178051);
        // The same with a=[12,2,1,12,2]; b=[1,4,7,1,0], where a pair is tied on both sides.
        let (a, b) = ([12.0, 2.0, 1.0, 12.0, 2.0], [1.0, 4.0, 7.0, 1.0, 0.0]);
        close(spearman(&a, &b), -0.5407380704358752);
        close(kendall(&a, &b), -0.4714045207910316);
    }

    #[test]
    fn longer_lists_agree_with_scipy() {
        // As above with a=[i*37%101 for i in range(200)]; b=[i*i%29 for i in range(200)].
        let a: Vec<f64> = (0..200).map(|i| f64::from(i * 37 % 101)).collect();
        let b: Vec<f64> = (0..200).map(|i| f64::from(i * i % 29)).collect();
        close(spearman(&a, &b), 0.0012088675342985633);
        close(kendall(&a, &b), 0.0006245513292718646);
    }

    #[test]
    fn undefined_without_two_different_values() {
        for correlation in [spearman, kendall] {
            assert_eq!(correlation(&[], &[]), None);
            assert_eq!(correlation(&[1.0], &[2.0]), None);
            assert_eq!(correlation(&[1.0, 2.0, 3.0], &[4.0, 4.0, 4.0]), None);
            assert_eq!(correlation(&[4.0, 4.0], &[1.0, 2.0]), None);
        }
    }

    /// Tau-b by its definition, over all pairs.
    fn kendall_by_definition(a: &[f64], b: &[f64]) -> Option<f64> {
        let (mut score, mut untied_a, mut untied_b) = (0.0, 0.0, 0.0);
        for i in 0..a.len() {
            for j in 0..i {
                let sign = |x: f64, y: f64| f64::from(i8::from(x > y) - i8::from(x < y));
                let (in_a, in_b) = (sign(a[i], a[j]), sign(b[i], b[j]));
                score += in_a * in_b;
                untied_a += in_a * in_a;
                untied_b += in_b * in_b;
            }
        }
        correlation(score, untied_a, untied_b)
    }

    proptest! {
        #[test]
        fn kendall_follows_its_definition(pairs in proptest::collection::vec((0u8..9, 0u8..9), 0..60)) {
            let a: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.0)).collect();
            let b: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.1)).collect();
            match (kendall(&a, &b), kendall_by_definition(&a, &b)) {
                (Some(fast), Some(slow)) => prop_assert!((fast - slow).abs() < 1e-12),
                (fast, slow) => prop_assert_eq!(fast, slow),
            }
        }

        #[test]
        fn only_the_order_counts(values in proptest::collection::vec(-3.0f64..3.0, 2..40)) {
            let moved: Vec<f64> = values.iter().map(|value| value.exp()).collect();
            let turned: Vec<f64> = values.iter().map(|value| -value).collect();
            for correlation in [spearman, kendall] {
                if let Some(found) = correlation(&values, &moved) {
                    prop_assert!((found - 1.0).abs() < 1e-12);
                    prop_assert!((correlation(&values, &turned).unwrap() + 1.0).abs() < 1e-12);
                }
            }
        }
    }
}
