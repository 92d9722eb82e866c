//! Rows that say the same thing twice become one; rows that contradict each other are found. Sorting keys of 16 bytes
//! instead of hashing rows keeps ten million of them well under a gigabyte.

use std::ops::Range;

use rayon::prelude::*;

use super::{AccuracyRow, Measurement};
use crate::metric::Metric;

/// A row that is about something, and may be joined with another row about the same thing.
pub(crate) trait Keyed: Send + Sync {
    /// What the row is about, as (mostly distinct, rest).
    fn key(&self) -> (u64, u64);

    /// Takes over what `other`, a row with the same key, adds; false when they contradict each other.
    fn absorb(&mut self, other: &Self) -> bool;

    /// What the row says, for messages.
    fn value(&self) -> String;
}

impl Keyed for Measurement {
    fn key(&self) -> (u64, u64) {
        (
            pair(self.device, self.architecture),
            pair(self.precision as u32, self.input.into()),
        )
    }

    fn absorb(&mut self, other: &Self) -> bool {
        let agreed = self.origin == other.origin
            && (other.values.iter()).all(|(metric, value)| self.value(metric).is_none_or(|known| known == value));
        if agreed {
            self.values = other.values.iter().chain(self.values.iter()).collect();
        }
        agreed
    }

    fn value(&self) -> String {
        let with_unit = |(metric, value): (Metric, f64)| format!("{value} {}", metric.unit());
        let values: Vec<String> = self.values.iter().map(with_unit).collect();
        format!("{} ({})", values.join(", "), self.origin.name())
    }
}

impl Keyed for AccuracyRow {
    fn key(&self) -> (u64, u64) {
        (pair(self.task.into(), self.architecture), self.precision as u64)
    }

    fn absorb(&mut self, other: &Self) -> bool {
        self.accuracy_percent == other.accuracy_percent && self.origin == other.origin
    }

    fn value(&self) -> String {
        format!("{} % ({})", self.accuracy_percent, self.origin.name())
    }
}

fn pair(high: u32, low: u32) -> u64 {
    (u64::from(high) << 32) | u64::from(low)
}

/// Rows that contradict each other.
#[derive(Debug, PartialEq)]
pub(crate) struct Contradictions {
    /// Positions of the first few pairs.
    pub(crate) shown: Vec<(usize, usize)>,
    /// Number of all pairs.
    pub(crate) count: usize,
}

/// Most contradictions shown in a message.
const SHOWN: usize = 5;

/// Joins rows about the same thing into the first of them and returns how many went away. Rows keep their order.
///
/// # Errors
/// The contradictions; the rows are then as they were, except that some may have been joined in place.
pub(crate) fn deduplicate<R: Keyed>(rows: &mut Vec<R>) -> Result<usize, Contradictions> {
    let mut keys: Vec<(u64, u32)> = rows
        .par_iter()
        .enumerate()
        .map(|(position, row)| (row.key().0, position as u32))
        .collect();
    keys.par_sort_unstable();
    let mut redundant: Vec<usize> = Vec::new();
    let mut contradictions = Contradictions {
        shown: Vec::new(),
        count: 0,
    };
    for group in groups(&keys, |key| key.0).filter(|group| group.len() > 1) {
        let mut same: Vec<(u64, usize)> = keys[group]
            .iter()
            .map(|&(_, position)| (rows[position as usize].key().1, position as usize))
            .collect();
        same.sort_unstable();
        for repeats in groups(&same, |key| key.0) {
            let first = same[repeats.start].1;
            for &(_, later) in &same[repeats.start + 1..repeats.end] {
                // Two rows of one vector: `later` is always behind `first`.
                let (head, tail) = rows.split_at_mut(later);
                if head[first].absorb(&tail[0]) {
                    redundant.push(later);
                } else {
                    contradictions.count += 1;
                    contradictions.shown.push((first, later));
                }
            }
        }
    }
    if contradictions.count > 0 {
        contradictions.shown.sort_unstable_by_key(|&(_, later)| later);
        contradictions.shown.truncate(SHOWN);
        return Err(contradictions);
    }
    drop(keys);
    remove(rows, &mut redundant);
    Ok(redundant.len())
}

/// Ranges of neighbours with the same key.
fn groups<T, K: PartialEq>(sorted: &[T], key: impl Fn(&T) -> K) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let first = key(sorted.get(start)?);
        let length = sorted[start..].iter().take_while(|item| key(item) == first).count();
        start += length;
        Some(start - length..start)
    })
}

fn remove<R>(rows: &mut Vec<R>, redundant: &mut [usize]) {
    redundant.sort_unstable();
    let mut next = redundant.iter().peekable();
    let mut position = 0;
    rows.retain(|_| {
        let gone = next.next_if(|&&gone| gone == position).is_some();
        position += 1;
        !gone
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Origin;
    use crate::space::Precision;

    fn row(device: u32, architecture: u32, latency_ms: Option<f64>, energy_mj: Option<f64>) -> Measurement {
        Measurement {
            device,
            architecture,
            precision: Precision::Fp32,
            input: 0,
            values: [(Metric::Latency, latency_ms), (Metric::Energy, energy_mj)]
                .into_iter()
                .filter_map(|(metric, value)| Some((metric, value?)))
                .collect(),
            origin: Origin::Measured,
        }
    }

    #[test]
    fn repeats_and_complements_become_one_row() {
        let mut rows = vec![
            row(1, 1, Some(2.0), None),
            row(0, 1, Some(3.0), None),
            row(1, 1, None, Some(5.0)),
            row(1, 1, Some(2.0), Some(5.0)),
            Measurement {
                input: 1,
                ..row(1, 1, Some(9.0), None)
            },
        ];
        assert_eq!(deduplicate(&mut rows), Ok(2));
        assert_eq!(
            rows,
            [
                row(1, 1, Some(2.0), Some(5.0)),
                row(0, 1, Some(3.0), None),
                Measurement {
                    input: 1,
                    ..row(1, 1, Some(9.0), None)
                },
            ]
        );
    }

    #[test]
    fn contradictions_are_counted_and_the_first_five_named() {
        let mut rows = vec![row(0, 0, Some(1.0), None); 2];
        rows.extend((0..7).map(|n| row(0, 0, Some(2.0 + f64::from(n)), None)));
        let contradictions = deduplicate(&mut rows).unwrap_err();
        assert_eq!(contradictions.count, 7);
        assert_eq!(contradictions.shown, [(0, 2), (0, 3), (0, 4), (0, 5), (0, 6)]);
        assert_eq!(rows.len(), 9);
    }

    #[test]
    fn the_same_value_measured_and_simulated_is_a_contradiction() {
        let simulated = Measurement {
            origin: Origin::Simulated,
            ..row(0, 0, Some(1.0), None)
        };
        assert!(deduplicate(&mut vec![row(0, 0, Some(1.0), None), simulated]).is_err());
    }
}
