//! How well do devices agree in the order of architectures (latency monotonicity), and which of them form clusters?

#[cfg(test)]
mod tests;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::cluster;
use super::fleet::{Column, ColumnKind, Fleet};
use crate::error::{Error, Result};
use crate::stats::{self, INTERVAL_SHARE, Interval};

/// Two devices whose values differ by one factor but for this part are one: less than repeated measurements of one device
/// differ from each other.
const DUPLICATE_SPREAD: f64 = 0.01;
/// Fewer common architectures say little about how devices agree, and nothing about their being the same.
pub const MIN_COMMON: usize = 20;

/// Rank correlations between all pairs of a fleet, its clusters and its duplicates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Monotonicity {
    /// Least SRCC between any two devices of a cluster.
    pub threshold: f64,
    /// Share of values that the intervals hold.
    pub level: f64,
    /// Pairs with fewer common architectures do not count as agreeing, whatever their correlation.
    pub least_common: usize,
    /// Devices cluster by cluster, similar clusters next to each other, then the counts.
    pub rows: Vec<MatrixRow>,
    /// Every pair of rows once, `first` before `second`, in order.
    pub pairs: Vec<Pair>,
    /// Positions in `rows` of the devices of each cluster, in order of rows. A device that agrees with none is one alone.
    pub clusters: Vec<Vec<usize>>,
    /// Pairs of devices that are the same measurements twice.
    pub duplicates: Vec<Duplicate>,
}

/// One device or count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatrixRow {
    /// Device id, or `macs` or `parameters`.
    pub id: String,
    /// What it is.
    pub kind: ColumnKind,
    /// Architectures with a value.
    pub measured: usize,
    /// Whether all of its values are equal: it ranks nothing, and nothing correlates with it.
    pub constant: bool,
    /// Position in [`Monotonicity::clusters`]; counts have none.
    pub cluster: Option<usize>,
}

/// Agreement of two rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Position in [`Monotonicity::rows`].
    pub first: usize,
    /// Position in [`Monotonicity::rows`], larger.
    pub second: usize,
    /// Architectures that both have values of.
    pub architectures: usize,
    /// Spearman's rank correlation (SRCC); absent with fewer than two common architectures or where a side is constant.
    pub spearman: Option<Interval>,
    /// Kendall's tau-b; absent likewise.
    pub kendall: Option<Interval>,
}

/// Two devices that are one: their values differ by one factor. [`DuplicatedDevices`](crate::dataset::DuplicatedDevices) are
/// those whose factor is 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Duplicate {
    /// Id of one.
    pub first: String,
    /// Id of the other.
    pub second: String,
    /// Architectures that both have values of.
    pub architectures: usize,
    /// Those of them with the same value.
    pub identical: usize,
    /// Standard deviation of the logarithm of the ratio of their values: 0.01 means that they differ by about 1 %.
    pub spread: f64,
}

/// Correlates all pairs of a fleet and groups its devices.
///
/// Clusters grow by complete linkage: two are joined if every device of one agrees with every device of the other, the
/// pair of clusters whose least agreement is highest first. So every pair within a cluster has an SRCC of at least
/// `threshold`, over at least `least_common` architectures. Intervals are those of [`stats::spearman_interval`].
///
/// # Errors
/// [`Error::Invalid`] for a threshold outside of -1..=1.
pub fn monotonicity(fleet: &Fleet, threshold: f64, least_common: usize) -> Result<Monotonicity> {
    check_threshold(threshold)?;
    let compared = AllPairs::of(&fleet.columns);
    let devices: Vec<usize> = positions(&fleet.columns, |kind| kind == ColumnKind::Device);
    let counts: Vec<usize> = positions(&fleet.columns, |kind| kind != ColumnKind::Device);
    let similarity = |a: usize, b: usize| {
        let one = compared.pair(devices[a], devices[b])?;
        one.spearman
            .filter(|_| one.architectures >= least_common)
            .map(|correlation| correlation.mean)
    };
    let clusters = cluster::complete_linkage(devices.len(), similarity, threshold);
    let order: Vec<usize> = clusters
        .iter()
        .flatten()
        .map(|&one| devices[one])
        .chain(counts)
        .collect();
    let mut rows: Vec<MatrixRow> = order.iter().map(|&column| row(&fleet.columns[column])).collect();
    let clusters = number_clusters(&mut rows, clusters.iter().map(Vec::len));
    Ok(Monotonicity {
        threshold,
        level: INTERVAL_SHARE,
        least_common,
        rows,
        pairs: compared.in_order(&order),
        clusters,
        duplicates: compared.duplicates(&fleet.columns),
    })
}

/// Refuses what cannot be a rank correlation.
///
/// # Errors
/// [`Error::Invalid`] outside of -1..=1.
pub fn check_threshold(threshold: f64) -> Result<()> {
    if (-1.0..=1.0).contains(&threshold) {
        Ok(())
    } else {
        Err(Error::Invalid {
            what: "threshold".into(),
            expected: "a rank correlation from -1 to 1".into(),
            found: threshold.to_string(),
            hint: "0.9 is usual.".into(),
        })
    }
}

impl Monotonicity {
    /// The agreement of two rows, by their positions in either order; `None` of a row with itself.
    pub fn pair(&self, one: usize, other: usize) -> Option<&Pair> {
        self.pairs.get(place_of_pair(one, other, self.rows.len())?)
    }

    /// SRCC of two rows, 1 of a row with itself; `None` where it is not defined or rests on too few architectures.
    pub fn agreement(&self, one: usize, other: usize) -> Option<f64> {
        if one == other {
            return Some(1.0);
        }
        let pair = self.pair(one, other)?;
        let enough = pair.architectures >= self.least_common;
        pair.spearman.filter(|_| enough).map(|correlation| correlation.mean)
    }
}

/// All pairs among so many, `first` before `second`, in order.
fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |first| (first + 1..count).map(move |second| (first, second)))
}

/// The place of a pair, in either order, in [`pairs`]; `None` of one with itself.
fn place_of_pair(one: usize, other: usize, count: usize) -> Option<usize> {
    let (first, second) = (one.min(other), one.max(other));
    // Those before `first` have one pair with each that follows on them.
    let before = || first * (2 * count - first - 1) / 2;
    (first < second && second < count).then(|| before() + second - first - 1)
}

/// Numbers the clusters of so many rows each, which the rows begin with, and gives the positions of their members.
fn number_clusters(rows: &mut [MatrixRow], sizes: impl Iterator<Item = usize>) -> Vec<Vec<usize>> {
    let mut next = 0;
    let members = sizes.enumerate().map(|(index, size)| {
        let members: Vec<usize> = (next..next + size).collect();
        next += size;
        members.iter().for_each(|&member| rows[member].cluster = Some(index));
        members
    });
    members.collect()
}

fn positions(columns: &[Column], wanted: impl Fn(ColumnKind) -> bool) -> Vec<usize> {
    (0..columns.len())
        .filter(|&column| wanted(columns[column].kind))
        .collect()
}

fn row(column: &Column) -> MatrixRow {
    MatrixRow {
        id: column.id.clone(),
        kind: column.kind,
        measured: column.measured(),
        constant: column.constant(),
        cluster: None,
    }
}

/// A column with its ranks, which are computed once where nothing is missing.
struct Ranked<'a> {
    column: &'a Column,
    whole: Option<(Vec<f64>, Vec<f64>)>,
}

/// What every two columns have in common, in the order of [`pairs`].
struct AllPairs {
    columns: usize,
    found: Vec<Compared>,
}

/// What two columns have in common.
struct Compared {
    architectures: usize,
    identical: usize,
    spread: Option<f64>,
    spearman: Option<Interval>,
    kendall: Option<Interval>,
}

impl<'a> Ranked<'a> {
    fn new(column: &'a Column) -> Self {
        let values: Option<Vec<f64>> = column.values.iter().copied().collect();
        Ranked {
            column,
            whole: values.map(|values| (stats::average_ranks(&values), values)),
        }
    }

    fn compare(&self, other: &Ranked<'_>) -> Compared {
        match (&self.whole, &other.whole) {
            (Some((ranks_a, a)), Some((ranks_b, b))) => {
                Compared::of(a, b, stats::correlation_of_ranks(ranks_a, ranks_b))
            }
            _ => {
                let (a, b) = self.column.common(other.column);
                let spearman = stats::spearman(&a, &b);
                Compared::of(&a, &b, spearman)
            }
        }
    }
}

impl AllPairs {
    fn of(columns: &[Column]) -> AllPairs {
        let ranked: Vec<Ranked<'_>> = columns.par_iter().map(Ranked::new).collect();
        let pairs: Vec<(usize, usize)> = pairs(columns.len()).collect();
        let found = pairs
            .par_iter()
            .map(|&(first, second)| ranked[first].compare(&ranked[second]))
            .collect();
        AllPairs {
            columns: columns.len(),
            found,
        }
    }

    fn pair(&self, one: usize, other: usize) -> Option<&Compared> {
        self.found.get(place_of_pair(one, other, self.columns)?)
    }

    /// Every pair once, numbered by the places of its columns in `order`.
    fn in_order(&self, order: &[usize]) -> Vec<Pair> {
        let pair = |(first, second)| {
            let one = self.pair(order[first], order[second])?;
            Some(Pair {
                first,
                second,
                architectures: one.architectures,
                spearman: one.spearman,
                kendall: one.kendall,
            })
        };
        pairs(order.len()).filter_map(pair).collect()
    }

    /// Devices that are the same measurements twice.
    fn duplicates(&self, columns: &[Column]) -> Vec<Duplicate> {
        let duplicate = |((first, second), one): ((usize, usize), &Compared)| {
            let (first, second) = (&columns[first], &columns[second]);
            let devices = [first, second].iter().all(|column| column.kind == ColumnKind::Device);
            let spread = one.spread.filter(|spread| *spread < DUPLICATE_SPREAD)?;
            (devices && one.architectures >= MIN_COMMON).then(|| Duplicate {
                first: first.id.clone(),
                second: second.id.clone(),
                architectures: one.architectures,
                identical: one.identical,
                spread,
            })
        };
        pairs(self.columns).zip(&self.found).filter_map(duplicate).collect()
    }
}

impl Compared {
    fn of(a: &[f64], b: &[f64], spearman: Option<f64>) -> Compared {
        let count = a.len();
        let correlation = |mean: f64, [low, high]: [f64; 2]| Interval { mean, low, high };
        Compared {
            architectures: count,
            identical: a.iter().zip(b).filter(|(a, b)| a == b).count(),
            spread: spearman.and_then(|_| spread(a, b)),
            spearman: spearman.map(|value| correlation(value, stats::spearman_interval(value, count, INTERVAL_SHARE))),
            kendall: stats::kendall(a, b)
                .map(|value| correlation(value, stats::kendall_interval(value, count, INTERVAL_SHARE))),
        }
    }
}

/// Standard deviation of the logarithm of the ratios.
fn spread(a: &[f64], b: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = a.iter().zip(b).map(|(a, b)| (a / b).ln()).collect();
    let mean = stats::mean(&ratios)?;
    let squares: Vec<f64> = ratios.iter().map(|ratio| (ratio - mean).powi(2)).collect();
    stats::mean(&squares).map(f64::sqrt)
}
