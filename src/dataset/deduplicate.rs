//! Rows that say the same thing twice become one; rows that contradict each other are found. Sorting keys of 16 bytes
//! instead of hashing rows keeps ten million of them well under a gigabyte.

use std::ops::Range;

use rayon::prelude::*;

use super::{AccuracyRow, Measurement};
use crate::metric::Metric;
use crate::stats;

/// A row that is about something, and may be joined with another row about the same thing.
pub(crate) trait Keyed: Send + Sync {
    /// What the row is about, as (mostly distinct, rest).
    fn key(&self) -> (u64, u64);

    /// How far apart the rows are, relative to the larger value: 0 where they say the same, infinity where they differ in more
    /// than values.
    fn difference(&self, other: &Self) -> f64;

    /// Takes over what `other`, a row with the same key that says the same, adds.
    fn absorb(&mut self, other: &Self);

    /// A row that says the mean of what these say, all about the same thing as this one, which is among them.
    fn mean(&self, repeats: &[&Self]) -> Self;

    /// What the row says, for messages.
    fn value(&self) -> String;
}

impl Keyed for Measurement {
    fn key(&self) -> (u64, u64) {
        (
            pair(self.device, self.architecture),
            pair(self.precision.number().into(), self.input.into()),
        )
    }

    fn difference(&self, other: &Self) -> f64 {
        if self.origin != other.origin {
            return f64::INFINITY;
        }
        let common = (other.values.iter()).filter_map(|(metric, value)| Some((self.value(metric)?, value)));
        common.map(|(one, other)| apart(one, other)).fold(0.0, f64::max)
    }

    fn absorb(&mut self, other: &Self) {
        self.values = other.values.iter().chain(self.values.iter()).collect();
    }

    fn mean(&self, repeats: &[&Self]) -> Self {
        let mean_of = |metric| {
            let values: Vec<f64> = repeats.iter().filter_map(|row| row.value(metric)).collect();
            Some((metric, stats::mean(&values)?))
        };
        Measurement {
            values: Metric::OF_DEVICE.into_iter().filter_map(mean_of).collect(),
            ..*self
        }
    }

    fn value(&self) -> String {
        let with_unit = |(metric, value): (Metric, f64)| format!("{value} {}", metric.unit());
        let values: Vec<String> = self.values.iter().map(with_unit).collect();
        format!("{} ({})", values.join(", "), self.origin.name())
    }
}

impl Keyed for AccuracyRow {
    fn key(&self) -> (u64, u64) {
        (
            pair(self.task.into(), self.architecture),
            self.precision.number().into(),
        )
    }

    fn difference(&self, other: &Self) -> f64 {
        if self.origin == other.origin {
            apart(self.accuracy_percent, other.accuracy_percent)
        } else {
            f64::INFINITY
        }
    }

    fn absorb(&mut self, _other: &Self) {}

    fn mean(&self, repeats: &[&Self]) -> Self {
        let sum: f64 = repeats.iter().map(|row| row.accuracy_percent).sum();
        AccuracyRow {
            accuracy_percent: sum / repeats.len() as f64,
            ..*self
        }
    }

    fn value(&self) -> String {
        format!("{} % ({})", self.accuracy_percent, self.origin.name())
    }
}

/// Difference of two values relative to the larger.
fn apart(one: f64, other: f64) -> f64 {
    let larger = one.abs().max(other.abs());
    if larger > 0.0 {
        (one - other).abs() / larger
    } else {
        0.0
    }
}

fn pair(high: u32, low: u32) -> u64 {
    (u64::from(high) << 32) | u64::from(low)
}

/// Two rows that contradict each other.
#[derive(Debug, PartialEq)]
pub(crate) struct Contradiction {
    /// Position of the first row about this thing.
    pub(crate) first: usize,
    /// Position of the other.
    pub(crate) later: usize,
    /// How far apart they are.
    pub(crate) difference: f64,
}

/// Rows that contradict each other.
#[derive(Debug, PartialEq)]
pub(crate) struct Contradictions {
    /// Positions of the few pairs that are furthest apart, those first, with their [`Keyed::difference`].
    pub(crate) shown: Vec<Contradiction>,
    /// Number of all pairs.
    pub(crate) count: usize,
}

/// Most contradictions shown in a message.
const SHOWN: usize = 5;
/// Values this near, relative to the larger, are the same value: printed with fewer digits, or computed elsewhere.
const SAME: f64 = 1e-4;

/// Joins rows about the same thing into the first of them and returns how many went away. Rows keep their order.
///
/// # Errors
/// The contradictions; the rows are then as they were, except that some may have been joined in place.
pub(crate) fn deduplicate<R: Keyed>(rows: &mut Vec<R>) -> Result<usize, Contradictions> {
    let mut redundant: Vec<usize> = Vec::new();
    let mut contradictions = Contradictions {
        shown: Vec::new(),
        count: 0,
    };
    visit_repeats(rows, |rows, repeats| {
        let first = repeats[0].1;
        for &(_, later) in &repeats[1..] {
            // Two rows of one vector: `later` is always behind `first`.
            let (head, tail) = rows.split_at_mut(later);
            let difference = head[first].difference(&tail[0]);
            if difference <= SAME {
                head[first].absorb(&tail[0]);
                redundant.push(later);
            } else {
                contradictions.count += 1;
                contradictions.shown.push(Contradiction {
                    first,
                    later,
                    difference,
                });
            }
        }
    });
    if contradictions.count > 0 {
        contradictions.shown.sort_unstable_by(|a, b| {
            let further = b.difference.total_cmp(&a.difference);
            further.then(a.later.cmp(&b.later))
        });
        contradictions.shown.truncate(SHOWN);
        return Err(contradictions);
    }
    remove(rows, &mut redundant);
    Ok(redundant.len())
}

/// What [`average`] did.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Averaged {
    /// Things that several rows were about.
    pub(crate) repeated: usize,
    /// Those of them whose rows said different things.
    pub(crate) differing: usize,
    /// How far a row is at most from the first one about the same thing, as [`Keyed::difference`].
    pub(crate) furthest: f64,
    /// Rows that went away.
    pub(crate) joined: usize,
}

/// Joins rows about the same thing into the first of them, which then says the mean of what they said. Rows keep their order.
pub(crate) fn average<R: Keyed>(rows: &mut Vec<R>) -> Averaged {
    let mut redundant: Vec<usize> = Vec::new();
    let mut averaged = Averaged::default();
    visit_repeats(rows, |rows, repeats| {
        let first = repeats[0].1;
        let all: Vec<&R> = repeats.iter().map(|&(_, position)| &rows[position]).collect();
        averaged.repeated += 1;
        let differences = all.iter().map(|row| row.difference(&rows[first]));
        let furthest = differences.fold(0.0, f64::max);
        averaged.differing += usize::from(furthest > 0.0);
        averaged.furthest = averaged.furthest.max(furthest);
        let mean = rows[first].mean(&all);
        rows[first] = mean;
        redundant.extend(repeats[1..].iter().map(|&(_, position)| position));
    });
    remove(rows, &mut redundant);
    averaged.joined = redundant.len();
    averaged
}

/// Calls `visit` with the rest of the key and the positions of every several rows about the same thing, in order of position.
fn visit_repeats<R: Keyed>(rows: &mut [R], mut visit: impl FnMut(&mut [R], &[(u64, usize)])) {
    let mut keys: Vec<(u64, u32)> = rows
        .par_iter()
        .enumerate()
        .map(|(position, row)| (row.key().0, position as u32))
        .collect();
    keys.par_sort_unstable();
    for group in groups(&keys, |key| key.0).filter(|group| group.len() > 1) {
        let mut same: Vec<(u64, usize)> = keys[group]
            .iter()
            .map(|&(_, position)| (rows[position as usize].key().1, position as usize))
            .collect();
        same.sort_unstable();
        for repeats in groups(&same, |key| key.0).filter(|repeats| repeats.len() > 1) {
            visit(rows, &same[repeats]);
        }
    }
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
            precision: Precision::Fp32.into(),
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
    fn contradictions_are_counted_and_the_five_furthest_apart_named() {
        let mut rows = vec![row(0, 0, Some(1.0), None); 2];
        rows.extend((0..7).map(|n| row(0, 0, Some(2.0 + f64::from(n)), None)));
        let contradictions = deduplicate(&mut rows).unwrap_err();
        assert_eq!(contradictions.count, 7);
        // Against 1 ms, 8 ms is 7/8 apart and 2 ms half: the largest first.
        let shown: Vec<usize> = contradictions.shown.iter().map(|one| one.later).collect();
        assert_eq!(shown, [8, 7, 6, 5, 4]);
        assert_eq!(contradictions.shown[0].difference, 0.875);
        assert_eq!(rows.len(), 9);
    }

    /// 70 % and 69.995 % are 7e-5 apart, 70 % and 69.99 % 1.4e-4.
    #[test]
    fn values_are_the_same_but_for_rounding() {
        let accuracy = |accuracy_percent| AccuracyRow {
            task: 0,
            architecture: 0,
            precision: Precision::Fp32.into(),
            accuracy_percent,
            origin: Origin::Measured,
        };
        let mut rows = vec![accuracy(70.0), accuracy(69.995)];
        assert_eq!((deduplicate(&mut rows), rows), (Ok(1), vec![accuracy(70.0)]));
        assert!(deduplicate(&mut vec![accuracy(70.0), accuracy(69.99)]).is_err());
        assert_eq!(deduplicate(&mut vec![accuracy(0.0), accuracy(0.0)]), Ok(1));
        let mut rows = vec![row(0, 0, Some(3.33333), None), row(0, 0, Some(3.3333), Some(2.0))];
        assert_eq!(deduplicate(&mut rows), Ok(1));
        assert_eq!(rows, [row(0, 0, Some(3.33333), Some(2.0))]);
    }

    /// (2 + 4 + 3) / 3 = 3 and (5 + 6) / 2 = 5.5.
    #[test]
    fn repeats_are_averaged() {
        let other = row(0, 1, Some(9.0), None);
        let mut rows = vec![
            row(1, 1, Some(2.0), None),
            other,
            row(1, 1, Some(4.0), Some(5.0)),
            row(1, 1, Some(3.0), Some(6.0)),
            other,
        ];
        let averaged = Averaged {
            repeated: 2,
            differing: 1,
            // 4 from 2.
            furthest: 0.5,
            joined: 3,
        };
        assert_eq!(average(&mut rows), averaged);
        assert_eq!(rows, [row(1, 1, Some(3.0), Some(5.5)), other]);
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
