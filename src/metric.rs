//! What designs are judged by, in which unit, and which way is better. Nothing else in the crate knows the last.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    pub const ALL: [Metric; 3] = [Metric::Accuracy, Metric::Latency, Metric::Energy];

    /// The name in messages, such as `latency`.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::Latency => "latency",
            Metric::Energy => "energy",
        }
    }

    /// The unit of its values, such as `ms`.
    pub fn unit(self) -> &'static str {
        match self {
            Metric::Accuracy => "%",
            Metric::Latency => "ms",
            Metric::Energy => "mJ",
        }
    }

    /// The largest value that there can be, in its unit.
    pub fn most(self) -> f64 {
        match self {
            Metric::Accuracy => 100.0,
            Metric::Latency | Metric::Energy => f64::INFINITY,
        }
    }

    /// Which way it gets better.
    pub fn direction(self) -> Direction {
        match self {
            Metric::Accuracy => Direction::Maximize,
            Metric::Latency | Metric::Energy => Direction::Minimize,
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
    fn costs_turn_back_into_values() {
        for metric in Metric::ALL {
            assert_eq!(metric.cost(metric.cost(3.5)), 3.5);
        }
    }
}
