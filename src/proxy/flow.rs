//! From a proxy to the Pareto set of a target: reuse the proxy's set where it is good enough, else adapt, search once,
//! measure what was returned, and drop what is not optimal.

use serde::{Deserialize, Serialize};

use super::adaproxy::Adaptation;

/// How the Pareto set of a target came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The proxy ranks the samples as the target does: its own Pareto set was taken over.
    Reused,
    /// The proxy's latency model was adapted and searched.
    Adapted,
}

/// An architecture of a front as it turned out on the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrontPoint {
    /// The architecture, as its space prints it.
    pub architecture: String,
    /// Latency measured on the target, in ms.
    pub latency_ms: f64,
    /// Accuracy, in percent.
    pub accuracy_percent: f64,
}

/// The flow for one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowReport {
    /// Id of the proxy.
    pub proxy: String,
    /// Id of the target.
    pub target: String,
    /// SRCC that is good enough.
    pub threshold: f64,
    /// What was done.
    pub decision: Decision,
    /// SRCC of proxy and target over the first samples; absent where it is not defined.
    pub sampled_spearman: Option<f64>,
    /// Architectures measured on the target before the search.
    pub samples: usize,
    /// The adaptation, where there was one.
    pub adaptation: Option<Adaptation>,
    /// SRCC of the proxy's latencies with the target's over architectures that are not samples.
    pub spearman_before: Option<f64>,
    /// The same of the model that was searched.
    pub spearman_after: Option<f64>,
    /// The Pareto sets, where accuracies are known.
    pub fronts: Option<FlowFronts>,
}

/// What the search returned, and what of it is optimal on the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowFronts {
    /// Members of the returned set, all of which are measured on the target.
    pub returned: usize,
    /// Members that another one beats on the target.
    pub dropped: usize,
    /// The others, fastest first.
    pub kept: Vec<FrontPoint>,
    /// Members of the target's true front.
    pub truth: Vec<FrontPoint>,
    /// Hypervolume of the kept ones over that of the true front, from the slowest latency and the lowest accuracy.
    pub hypervolume_ratio: Option<f64>,
}
