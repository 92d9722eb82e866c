//! What the comparison of ways to designs found.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::evaluate::devices::ScoredDevice;
use crate::files::read_bounded;
use crate::proxy::adaproxy::Norm;
use crate::proxy::flow::FrontPoint;

/// A way to designs for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Bayesian regression on the architecture's features from the target's measurements alone, searched exhaustively.
    PerDevice,
    /// The Pareto front of a proxy: all measurements go to members of it.
    ProxyFront,
    /// Half of the measurements adapt the proxy, half go to members of the adapted front.
    AdaProxy,
    /// This crate's predictor adapted with all measurements, searched exhaustively.
    FewShot,
    /// The same predictor adapted with a third of the measurements, ten at most; the others go to its designs, and the answers
    /// are among what was measured.
    Verified,
    /// The predictor adapted with all measurements, and the amortized optimizer instead of the search: its policy's designs, refined.
    Amortized,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 6] = [
        Method::PerDevice,
        Method::ProxyFront,
        Method::AdaProxy,
        Method::FewShot,
        Method::Verified,
        Method::Amortized,
    ];

    /// The name in tables and figures.
    pub fn name(self) -> &'static str {
        match self {
            Method::PerDevice => "per-device search",
            Method::ProxyFront => "proxy front",
            Method::AdaProxy => "AdaProxy",
            Method::FewShot => "few-shot predictor",
            Method::Verified => "few-shot, verified",
            Method::Amortized => "amortized optimizer",
        }
    }
}

/// Everything that the comparison found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonReport {
    /// Identifies the checkpoint by the predictor in it.
    #[serde(default)]
    pub checkpoint: String,
    /// Search space.
    pub space: String,
    /// Task of the accuracies.
    pub task: String,
    /// Probability with which limits have to hold for the methods that know one.
    pub confidence: f64,
    /// Norm of AdaProxy.
    pub norm: Norm,
    /// Seed of the run.
    pub seed: u64,
    /// Numbers of measurements compared.
    pub measurements: Vec<usize>,
    /// The targets, and which of them count in the means.
    #[serde(default)]
    pub targets: Vec<ScoredDevice>,
    /// One row per target, method, number of measurements and repeat.
    pub runs: Vec<ComparisonRun>,
    /// Means over hardware units and repeats, per method and number of measurements: the curves of regret.
    pub means: Vec<ComparisonMean>,
    /// Fronts of every target, at the largest number of measurements and the first repeat.
    pub fronts: Vec<TargetFronts>,
    /// Rank correlation of every proxy with every target before and after adaptation.
    pub adaptation: AdaptationMatrix,
}

/// Longest comparison that is read, in bytes.
const MAX_BYTES: u64 = 256 << 20;
/// Most targets of a comparison that is read.
const MAX_TARGETS: usize = 400;

impl ComparisonReport {
    /// Reads a comparison that was written as JSON.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Malformed`] for anything else than a comparison of at most 400 targets.
    pub fn read(path: &Path) -> Result<ComparisonReport> {
        let bytes = read_bounded(path, MAX_BYTES)?;
        let malformed = |line: Option<u64>, found: String| Error::Malformed {
            path: path.to_path_buf(),
            line,
            column: None,
            expected: "a comparison as `edgefit proxy compare --json` prints it".into(),
            found,
            hint: "Write its output to this file again.".into(),
        };
        let report: ComparisonReport =
            serde_json::from_slice(&bytes).map_err(|error| malformed(Some(error.line() as u64), error.to_string()))?;
        let targets: BTreeSet<&str> = report.runs.iter().map(|run| run.target.as_str()).collect();
        match targets
            .len()
            .max(report.fronts.len())
            .max(report.adaptation.devices.len())
        {
            count if count > MAX_TARGETS => Err(malformed(None, format!("{count} targets, more than {MAX_TARGETS}"))),
            _ => Ok(report),
        }
    }
}

/// One method on one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRun {
    /// Target device.
    pub target: String,
    /// The proxy, for the methods that have one.
    pub proxy: Option<String>,
    /// The method.
    pub method: Method,
    /// Architectures measured on the target.
    pub measurements: usize,
    /// Which repeat.
    pub repeat: usize,
    /// Wall time of everything but measuring, in seconds.
    pub seconds: f64,
    /// Hypervolume of the limits and the accuracies attained within them, over that of the best accuracies there are; at most 1.
    pub hypervolume_ratio: Option<f64>,
    /// One design per limit.
    pub designs: Vec<ComparedDesign>,
}

/// The design for one limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedDesign {
    /// The limit, in ms.
    pub limit_ms: f64,
    /// The quantile of the target's latencies that it is at.
    pub limit_quantile: f64,
    /// The architecture, as its space prints it.
    pub architecture: String,
    /// Latency in the table, in ms.
    pub latency_ms: f64,
    /// Accuracy in the table, in percent.
    pub accuracy_percent: f64,
    /// Best accuracy in the table within the limit, less this one, in percentage points; zero where this one is higher, which
    /// only a design above its limit can be.
    pub regret: f64,
    /// Whether the latency is above the limit.
    pub violated: bool,
    /// Latency above the limit, as a share of it; 0 if it holds.
    pub overshoot: f64,
}

/// Means of one method at one number of measurements, over hardware units of the means over their devices and repeats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonMean {
    /// The method.
    pub method: Method,
    /// Architectures measured on the target.
    pub measurements: usize,
    /// Mean regret, in percentage points.
    pub regret: f64,
    /// Lower end of its 90 % bootstrap interval over hardware units.
    pub regret_low: f64,
    /// Upper end.
    pub regret_high: f64,
    /// Share of designs above their limit.
    pub violation_rate: f64,
    /// Mean overshoot of those.
    pub overshoot: f64,
    /// Mean hypervolume ratio.
    pub hypervolume_ratio: f64,
    /// Mean wall time per device, in seconds.
    pub seconds: f64,
}

/// Fronts of one target in true latency and accuracy, fastest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetFronts {
    /// Target device.
    pub target: String,
    /// The proxy.
    pub proxy: String,
    /// Architectures measured on the target.
    pub measurements: usize,
    /// The true front.
    pub truth: Vec<FrontPoint>,
    /// The proxy's front where it really lies on the target, without members that others of them beat.
    pub proxy_front: Vec<FrontPoint>,
    /// That of the adapted proxy.
    pub adapted: Vec<FrontPoint>,
    /// That under the few-shot predictor.
    pub few_shot: Vec<FrontPoint>,
}

/// SRCC of every proxy with every target, over architectures that are not samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdaptationMatrix {
    /// Device ids, of rows (proxies) and columns (targets).
    pub devices: Vec<String>,
    /// Samples measured on the target.
    pub samples: usize,
    /// `[proxy][target]`: latencies of the proxy against those of the target. Absent on the diagonal and where undefined.
    pub before: Vec<Vec<Option<f64>>>,
    /// `[proxy][target]`: predictions of the adapted proxy against latencies of the target.
    pub after: Vec<Vec<Option<f64>>>,
}
