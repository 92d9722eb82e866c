//! How well do devices agree in the order of architectures (latency monotonicity), and which of them form clusters?

use serde::{Deserialize, Serialize};

use super::fleet::ColumnKind;

/// Rank correlations between all pairs of a fleet, its clusters and its duplicates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Monotonicity {
    /// Least SRCC between any two devices of a cluster.
    pub threshold: f64,
    /// What intervals cover, such as 0.9.
    pub level: f64,
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
    pub spearman: Option<Correlation>,
    /// Kendall's tau-b; absent likewise.
    pub kendall: Option<Correlation>,
}

/// A rank correlation and its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// The correlation, -1 to 1.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Two devices that are one: their values differ by one factor.
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
