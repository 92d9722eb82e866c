//! What designs are judged by, in which unit, and which way is better. Nothing else in the crate knows the last.

mod per_metric;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use per_metric::PerMetric;

/// A property of a design on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Top-1 accuracy, in percent. The higher the better.
    Accuracy,
    /// Time of one batch, in ms. The lower the better.
    Latency,
    /// Energy of one batch, in mJ. The lower the better.
    Energy,
    /// Multiply-accumulate operations for one input, in millions. The lower the better.
    Macs,
    /// Trainable parameters, in millions. The lower the better.
    Parameters,
    /// Bytes of the weights at the design's precision, in MiB. The lower the better.
    ModelSize,
    /// Bytes of the feature maps that are alive at once, at their most, for one input at the design's precision, in KiB. The
    /// lower the better.
    PeakMemory,
}

/// How the value of a metric is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Measured by training the network; it belongs to the design and the learning task.
    Task,
    /// Measured on a device; it belongs to the design and the device.
    Device,
    /// Computed exactly from the network's graph; nothing has to be learned.
    Computed,
}

/// Which way a metric gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The higher the better.
    Maximize,
    /// The lower the better.
    Minimize,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Metric; 7] = [
        Metric::Accuracy,
        Metric::Latency,
        Metric::Energy,
        Metric::Macs,
        Metric::Parameters,
        Metric::ModelSize,
        Metric::PeakMemory,
    ];
    /// Those measured on a device.
    pub const OF_DEVICE: [Metric; 2] = [Metric::Latency, Metric::Energy];
    /// Those computed from the network's graph.
    pub const COMPUTED: [Metric; 4] = [Metric::Macs, Metric::Parameters, Metric::ModelSize, Metric::PeakMemory];

    /// The name in messages, such as `latency`.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::Latency => "latency",
            Metric::Energy => "energy",
            Metric::Macs => "MACs",
            Metric::Parameters => "parameters",
            Metric::ModelSize => "model size",
            Metric::PeakMemory => "peak memory",
        }
    }

    /// The name in tables and JSON, with the unit, such as `latency_ms`.
    pub fn key(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy_percent",
            Metric::Latency => "latency_ms",
            Metric::Energy => "energy_mj",
            Metric::Macs => "macs_m",
            Metric::Parameters => "parameters_m",
            Metric::ModelSize => "size_mib",
            Metric::PeakMemory => "memory_kib",
        }
    }

    /// How its value is found.
    pub fn source(self) -> Source {
        match self {
            Metric::Accuracy => Source::Task,
            Metric::Latency | Metric::Energy => Source::Device,
            Metric::Macs | Metric::Parameters | Metric::ModelSize | Metric::PeakMemory => Source::Computed,
        }
    }

    /// The unit of its values, such as `ms`.
    pub fn unit(self) -> &'static str {
        match self {
            Metric::Accuracy => "%",
            Metric::Latency => "ms",
            Metric::Energy => "mJ",
            Metric::Macs | Metric::Parameters => "million",
            Metric::ModelSize => "MiB",
            Metric::PeakMemory => "KiB",
        }
    }

    /// The largest value that there can be, in its unit.
    pub fn maximum(self) -> f64 {
        match self {
            Metric::Accuracy => 100.0,
            Metric::Latency
            | Metric::Energy
            | Metric::Macs
            | Metric::Parameters
            | Metric::ModelSize
            | Metric::PeakMemory => f64::INFINITY,
        }
    }

    /// Which way it gets better.
    pub fn direction(self) -> Direction {
        match self {
            Metric::Accuracy => Direction::Maximize,
            Metric::Latency
            | Metric::Energy
            | Metric::Macs
            | Metric::Parameters
            | Metric::ModelSize
            | Metric::PeakMemory => Direction::Minimize,
        }
    }

    /// The value as a cost: the lower the better for every metric. Applied twice it gives the value back.
    pub fn cost(self, value: f64) -> f64 {
        match self.direction() {
            Direction::Maximize => -value,
            Direction::Minimize => value,
        }
    }

    /// Whether `value` is on the good side of `limit`, or on it.
    pub fn holds(self, value: f64, limit: f64) -> bool {
        self.cost(value) <= self.cost(limit)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_better_value_costs_less() {
        assert!(Metric::Accuracy.cost(90.0) < Metric::Accuracy.cost(80.0));
        assert!(Metric::Latency.cost(1.0) < Metric::Latency.cost(2.0));
        assert!(Metric::Energy.cost(1.0) < Metric::Energy.cost(2.0));
    }

    #[test]
    fn a_limit_holds_on_its_good_side_and_on_it() {
        assert!(Metric::Accuracy.holds(70.0, 70.0) && Metric::Accuracy.holds(71.0, 70.0));
        assert!(!Metric::Accuracy.holds(69.9, 70.0));
        assert!(Metric::Latency.holds(5.0, 5.0) && Metric::Latency.holds(4.9, 5.0));
        assert!(!Metric::Latency.holds(5.1, 5.0));
    }

    #[test]
    fn every_metric_is_in_the_list_of_its_source() {
        let of = |source| {
            Metric::ALL
                .into_iter()
                .filter(|one| one.source() == source)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(Source::Task), [Metric::Accuracy]);
        assert_eq!(of(Source::Device), Metric::OF_DEVICE);
        assert_eq!(of(Source::Computed), Metric::COMPUTED);
    }

    #[test]
    fn costs_turn_back_into_values() {
        for metric in Metric::ALL {
            assert_eq!(metric.cost(metric.cost(3.5)), 3.5);
        }
    }
}
