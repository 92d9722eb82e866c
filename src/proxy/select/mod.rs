//! Which devices stand for a whole fleet?
//!
//! A device covers those that it agrees with; the smallest set of devices that together cover a fleet is a set cover,
//! found by branch and bound, for which fleets of devices are small enough.

mod cover;

use serde::{Deserialize, Serialize};

use super::fleet::ColumnKind;
use super::monotonicity::{Monotonicity, check_threshold};
use crate::error::{Error, Result};
use cover::{Cover, smallest_cover};

/// Proxies that cover a fleet: every target agrees with one of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Least SRCC with which a proxy covers a target.
    pub threshold: f64,
    /// Whether no smaller set covers as much.
    pub exact: bool,
    /// No set smaller than this covers as much.
    pub at_least: usize,
    /// The proxies that are needed, the one that covers most first.
    pub proxies: Vec<ChosenProxy>,
    /// Targets that no candidate covers.
    pub uncovered: Vec<Uncovered>,
    /// Targets in all.
    pub targets: usize,
    /// What further proxies would add to the mean agreement, the best first.
    pub further: Vec<ChosenProxy>,
}

/// One proxy and what it adds to those before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChosenProxy {
    /// Device id.
    pub id: String,
    /// Targets that it covers and those before it did not.
    pub adds: Vec<Covered>,
    /// Targets covered so far, this one included.
    pub covered: usize,
    /// Mean over the targets of the highest SRCC with any proxy so far.
    pub mean_best_spearman: f64,
}

/// A target and the proxy's agreement with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Covered {
    /// Device id.
    pub id: String,
    /// SRCC with the proxy; 1 for the proxy itself.
    pub spearman: f64,
}

/// A target that no candidate covers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Uncovered {
    /// Device id.
    pub id: String,
    /// The candidate that agrees best, if any agreement is defined.
    pub nearest: Option<Covered>,
}

/// Chooses the fewest of the candidates that cover the targets, both given by device id; none given means all devices.
///
/// A device that is both candidate and target covers itself: chosen for itself alone, it is one that no other stands for.
/// Targets that no candidate reaches are listed, never an error. `max_further` says how many proxies beyond the cover are
/// described.
///
/// # Errors
/// [`Error::Unknown`] for an id that is not in the matrix, [`Error::Invalid`] for a threshold that is no correlation.
pub fn select(
    matrix: &Monotonicity,
    candidates: &[String],
    targets: &[String],
    threshold: f64,
    max_further: usize,
) -> Result<Selection> {
    check_threshold(threshold)?;
    let coverage = Coverage::of(matrix, rows(matrix, candidates)?, rows(matrix, targets)?, threshold);
    let Cover {
        chosen,
        exact,
        at_least,
    } = smallest_cover(&coverage.covers);
    let rest: Vec<usize> = (0..coverage.candidates.len())
        .filter(|one| !chosen.contains(one))
        .collect();
    let mut state = State::new(coverage.targets.len());
    Ok(Selection {
        threshold,
        exact,
        at_least,
        proxies: coverage.add_best(&mut state, chosen, usize::MAX),
        uncovered: coverage.uncovered(),
        targets: coverage.targets.len(),
        further: coverage.add_best(&mut state, rest, max_further),
    })
}

/// Which candidate stands for which target, `[candidate][target]`.
struct Coverage<'a> {
    matrix: &'a Monotonicity,
    /// Rows of the matrix.
    candidates: Vec<usize>,
    /// Rows of the matrix.
    targets: Vec<usize>,
    agreement: Vec<Vec<Option<f64>>>,
    covers: Vec<Vec<bool>>,
}

impl<'a> Coverage<'a> {
    fn of(matrix: &'a Monotonicity, candidates: Vec<usize>, targets: Vec<usize>, threshold: f64) -> Coverage<'a> {
        let with_targets = |&candidate: &usize| -> Vec<Option<f64>> {
            let agreement = targets.iter().map(|&target| matrix.agreement(candidate, target));
            agreement.collect()
        };
        let agreement: Vec<Vec<Option<f64>>> = candidates.iter().map(with_targets).collect();
        let covers = agreement
            .iter()
            .map(|row| row.iter().map(|one| one.is_some_and(|one| one >= threshold)).collect())
            .collect();
        Coverage {
            matrix,
            candidates,
            targets,
            agreement,
            covers,
        }
    }

    /// Adds at most so many of the candidates to the proxies so far, always the one that gains most.
    fn add_best(&self, state: &mut State, mut among: Vec<usize>, most: usize) -> Vec<ChosenProxy> {
        let mut steps = Vec::new();
        while steps.len() < most
            && let Some(next) = state.best(&among, &self.agreement, &self.covers)
        {
            among.retain(|&one| one != next);
            let adds = state.add(&self.agreement[next], &self.covers[next]);
            let adds = adds
                .iter()
                .map(|&target| covered(self.matrix, self.targets[target], self.agreement[next][target]));
            steps.push(ChosenProxy {
                id: self.matrix.rows[self.candidates[next]].id.clone(),
                adds: adds.collect(),
                covered: state.covered.iter().filter(|&&covered| covered).count(),
                mean_best_spearman: state.mean_best(),
            });
        }
        steps
    }

    fn uncovered(&self) -> Vec<Uncovered> {
        let uncovered = (0..self.targets.len()).filter(|&target| self.covers.iter().all(|row| !row[target]));
        uncovered
            .map(|target| {
                let nearest = (0..self.candidates.len())
                    .filter_map(|candidate| Some((candidate, self.agreement[candidate][target]?)))
                    .max_by(|a, b| a.1.total_cmp(&b.1));
                Uncovered {
                    id: self.matrix.rows[self.targets[target]].id.clone(),
                    nearest: nearest
                        .map(|(candidate, spearman)| covered(self.matrix, self.candidates[candidate], Some(spearman))),
                }
            })
            .collect()
    }
}

fn covered(matrix: &Monotonicity, row: usize, spearman: Option<f64>) -> Covered {
    Covered {
        id: matrix.rows[row].id.clone(),
        spearman: spearman.unwrap_or(f64::NAN),
    }
}

/// Rows of the devices with these ids, or of all.
fn rows(matrix: &Monotonicity, ids: &[String]) -> Result<Vec<usize>> {
    let devices: Vec<usize> = (0..matrix.rows.len())
        .filter(|&row| matrix.rows[row].kind == ColumnKind::Device)
        .collect();
    if ids.is_empty() {
        return Ok(devices);
    }
    let found = ids.iter().map(|id| {
        let row = devices.iter().copied().find(|&row| matrix.rows[row].id == *id);
        row.ok_or_else(|| Error::Unknown {
            kind: "device",
            name: id.clone(),
            known: devices.iter().map(|&row| matrix.rows[row].id.clone()).collect(),
        })
    });
    found.collect()
}

/// What the proxies so far reach.
struct State {
    covered: Vec<bool>,
    best: Vec<Option<f64>>,
}

impl State {
    fn new(targets: usize) -> State {
        State {
            covered: vec![false; targets],
            best: vec![None; targets],
        }
    }

    /// The candidate that covers most new targets; of equal ones that which raises the mean agreement most.
    fn best(&self, among: &[usize], agreement: &[Vec<Option<f64>>], covers: &[Vec<bool>]) -> Option<usize> {
        let gain = |candidate: usize| {
            let fresh = (0..self.covered.len()).filter(|&target| covers[candidate][target] && !self.covered[target]);
            let mean = self.joined(&agreement[candidate]);
            (fresh.count(), mean.into_iter().flatten().sum::<f64>())
        };
        let mut best: Option<(usize, (usize, f64))> = None;
        for &candidate in among {
            let gain = gain(candidate);
            if best.is_none_or(|(_, other)| gain.0 > other.0 || (gain.0 == other.0 && gain.1 > other.1)) {
                best = Some((candidate, gain));
            }
        }
        best.map(|(candidate, _)| candidate)
    }

    fn joined(&self, agreement: &[Option<f64>]) -> Vec<Option<f64>> {
        // `None` is less than any number.
        let larger = |a: Option<f64>, b: Option<f64>| if b > a { b } else { a };
        self.best.iter().zip(agreement).map(|(&a, &b)| larger(a, b)).collect()
    }

    /// Adds a proxy and says which targets are covered for the first time.
    fn add(&mut self, agreement: &[Option<f64>], covers: &[bool]) -> Vec<usize> {
        self.best = self.joined(agreement);
        let fresh: Vec<usize> = (0..covers.len())
            .filter(|&target| covers[target] && !self.covered[target])
            .collect();
        fresh.iter().for_each(|&target| self.covered[target] = true);
        fresh
    }

    /// Targets that agree with nothing count as zero.
    fn mean_best(&self) -> f64 {
        let total: f64 = self.best.iter().flatten().sum();
        total / self.best.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::monotonicity::{MatrixRow, Pair};
    use crate::stats::Interval;

    /// Five devices: a hub `c` that three agree with, who do not agree with each other, and `lone`.
    fn matrix() -> Monotonicity {
        let ids = ["a", "b", "c", "d", "lone"];
        let value = |first: usize, second: usize| match (ids[first], ids[second]) {
            ("a", "c") => 0.95,
            ("b", "c") => 0.94,
            ("c", "d") => 0.93,
            (_, "lone") => 0.2,
            _ => 0.5,
        };
        let pairs = (0..5).flat_map(|first| (first + 1..5).map(move |second| (first, second)));
        Monotonicity {
            threshold: 0.9,
            level: 0.9,
            least_common: 20,
            rows: ids
                .iter()
                .map(|id| MatrixRow {
                    id: id.to_string(),
                    kind: ColumnKind::Device,
                    measured: 100,
                    constant: false,
                    cluster: None,
                })
                .collect(),
            pairs: pairs
                .map(|(first, second)| Pair {
                    first,
                    second,
                    architectures: 100,
                    spearman: Some(Interval {
                        mean: value(first, second),
                        low: 0.0,
                        high: 1.0,
                    }),
                    kendall: None,
                })
                .collect(),
            clusters: Vec::new(),
            duplicates: Vec::new(),
        }
    }

    fn ids(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn the_hub_and_the_lone_one_cover_the_fleet() {
        let found = select(&matrix(), &[], &[], 0.9, 1).unwrap();
        assert_eq!((found.exact, found.at_least, found.targets), (true, 2, 5));
        let chosen: Vec<&str> = found.proxies.iter().map(|proxy| proxy.id.as_str()).collect();
        assert_eq!(chosen, ["c", "lone"]);
        assert_eq!(found.proxies[0].covered, 4);
        // 0.95 + 0.94 + 1 + 0.93 + 0.2, over five.
        assert!((found.proxies[0].mean_best_spearman - 0.804).abs() < 1e-12);
        assert_eq!(
            found.proxies[1].adds,
            [Covered {
                id: "lone".into(),
                spearman: 1.0
            }]
        );
        assert!(found.uncovered.is_empty());
        // d gains most from a proxy of its own: 0.07 against 0.05 for a and 0.06 for b, as none of them agree otherwise.
        assert_eq!(found.further.len(), 1);
        assert_eq!(found.further[0].id, "d");
        // 0.95 + 0.94 + 1 + 1 + 1, over five.
        assert!((found.further[0].mean_best_spearman - 0.978).abs() < 1e-12);
    }

    #[test]
    fn what_is_just_below_the_threshold_is_not_covered() {
        // c agrees with d at 0.93 and with b at 0.94: enough for both, for b only, and for b exactly.
        for (threshold, needed) in [(0.93, 2), (0.935, 3), (0.94, 3)] {
            let found = select(&matrix(), &[], &[], threshold, 0).unwrap();
            assert_eq!(found.proxies.len(), needed, "{threshold}");
            assert_eq!(found.proxies[0].covered, 6 - needed, "{threshold}");
        }
    }

    #[test]
    fn a_threshold_that_nobody_reaches_is_a_result() {
        let found = select(&matrix(), &ids(&["a", "b"]), &ids(&["d", "lone"]), 0.9, 3).unwrap();
        assert!(found.proxies.is_empty() && found.exact);
        let uncovered: Vec<&str> = found.uncovered.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(uncovered, ["d", "lone"]);
        assert_eq!(found.uncovered[0].nearest.as_ref().unwrap().spearman, 0.5);
        // Every device as its own proxy.
        let alone = select(&matrix(), &[], &[], 1.0, 0).unwrap();
        assert_eq!((alone.proxies.len(), alone.uncovered.len()), (5, 0));
    }

    #[test]
    fn agreement_that_is_not_known_covers_nothing() {
        let mut unknown = matrix();
        unknown.pairs.iter_mut().for_each(|pair| pair.architectures = 19);
        let found = select(&unknown, &ids(&["c"]), &ids(&["a"]), 0.9, 0).unwrap();
        assert_eq!(found.uncovered[0].nearest, None);
        unknown.pairs.iter_mut().for_each(|pair| pair.spearman = None);
        assert_eq!(select(&unknown, &[], &[], -1.0, 0).unwrap().proxies.len(), 5);
    }

    #[test]
    fn unknown_devices_and_thresholds_are_refused() {
        let message = select(&matrix(), &ids(&["lonf"]), &[], 0.9, 0).unwrap_err().to_string();
        assert!(message.contains("lone"), "{message}");
        assert!(select(&matrix(), &[], &[], 1.5, 0).is_err());
    }
}
