//! What prices of a profile are called, the units that they are shown in, and where they come from.

use serde::Serialize;

use super::{DeviceModel, Knowledge};
use crate::metric::Metric;
use crate::profile::{KINDS, SHARES};

/// Logarithms of prices are this far from 0 at most, so that sums of times are finite.
pub(super) const LARGEST_LOG: f64 = 300.0;
/// From ms to ns and from mJ to nJ, and to us and uJ.
const NANO: f64 = 1e6;
const MICRO: f64 = 1e3;

/// What each kind of work is called, what it is counted in, and how many of the units that its price is given in make a
/// ms (or mJ). In the order of [`NAMES`].
pub(super) const WORK: [(&str, &str, f64); KINDS] = [
    ("what every run takes", "run", MICRO),
    ("convolutions larger than 1x1", "MAC", NANO),
    ("1x1 and linear layers", "MAC", NANO),
    ("grouped convolutions", "MAC", NANO),
    ("depthwise convolutions", "MAC", NANO),
    ("lanes idle at few channels", "MAC / channel", NANO),
    ("threads idle at few outputs", "MAC / output", NANO),
    ("feature maps of convolutions", "element", NANO),
    ("weights read", "element", NANO),
    ("pooling", "element", NANO),
    ("elementwise layers", "element", NANO),
    ("launches of dense layers", "launch", MICRO),
    ("launches of depthwise layers", "launch", MICRO),
    ("launches of pooling", "launch", MICRO),
    ("launches of other layers", "launch", MICRO),
    ("steps one after another", "step", MICRO),
    ("feature maps of zeros", "feature map", MICRO),
];

/// What each of the [`SHARES`] is a share of, and the parts of [`crate::profile::work`] that it is due in.
pub(super) const DEAD_WORK: [(&str, [usize; 2]); SHARES] = [
    ("networks whose output is constant", [1, 4]),
    ("layers that zeros lead to", [2, 4]),
    ("layers that nothing reads", [3, 3]),
];

/// What the price or share at a coordinate of a profile is due for.
pub(super) fn work(coordinate: usize) -> &'static str {
    WORK.get(coordinate)
        .map_or_else(|| DEAD_WORK[coordinate - KINDS].0, |(work, ..)| work)
}

/// What it is in.
pub(super) fn price_unit(coordinate: usize, metric: Metric) -> String {
    let Some((_, unit, scale)) = WORK.get(coordinate) else {
        return "% run".into();
    };
    let prefix = if *scale == NANO { "n" } else { "u" };
    let base = if metric == Metric::Energy { "J" } else { "s" };
    format!("{prefix}{base} per {unit}")
}

/// The price or share in that unit, from its logarithm.
pub(super) fn priced(coordinate: usize, log: f64) -> f64 {
    let scale = WORK.get(coordinate).map_or(100.0, |(.., scale)| *scale);
    scale * log.min(LARGEST_LOG).exp()
}

/// How the prices of a metric came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriceOrigin {
    /// Fitted to the measurements that were trained on.
    Fitted,
    /// Adapted from probes.
    Adapted,
    /// Predicted from those in another precision and the specifications.
    Specifications,
    /// Predicted from the datasheet.
    Datasheet,
    /// Those of latency, times a power that the datasheet and devices like it say.
    Latency,
}

impl DeviceModel {
    /// How the prices of a metric came to be known.
    pub(super) fn price_origin(&self, metric: Metric) -> PriceOrigin {
        let prices = |metric| self.metrics.get(metric).map(|model| model.posterior.prices());
        // Where a metric follows from latency its prices are the same, and its level is apart from them.
        let follows = metric != Metric::Latency && prices(metric) == prices(Metric::Latency);
        match self.knowledge {
            Knowledge::Prior => PriceOrigin::Datasheet,
            Knowledge::Specifications => PriceOrigin::Specifications,
            Knowledge::Known | Knowledge::Probes if follows => PriceOrigin::Latency,
            Knowledge::Known => PriceOrigin::Fitted,
            Knowledge::Probes => PriceOrigin::Adapted,
        }
    }
}
