//! Which devices stand for a whole fleet?

use serde::{Deserialize, Serialize};

/// Proxies that cover a fleet: every target agrees with one of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Least SRCC with which a proxy covers a target.
    pub threshold: f64,
    /// Whether no smaller set covers as much.
    pub exact: bool,
    /// No set smaller than this covers as much.
    pub at_least: usize,
    /// The proxies, the one that covers most first.
    pub proxies: Vec<ChosenProxy>,
    /// Targets that no candidate covers.
    pub uncovered: Vec<Uncovered>,
    /// Targets in all.
    pub targets: usize,
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
