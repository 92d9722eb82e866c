//! One value for each metric of a device. Latency is always among them: what is known of a device starts with it, and this is
//! the one place that says so.

use serde::{Deserialize, Serialize};

use crate::metric::{Metric, PerMetric, Source};

/// A value for latency, and for each other metric of devices that there is one for.
///
/// In JSON a map from the metric's identifier to the value, as [`PerMetric`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(
    try_from = "PerMetric<T>",
    into = "PerMetric<T>",
    bound(serialize = "T: Serialize + Clone", deserialize = "T: Deserialize<'de>")
)]
pub struct DeviceMetrics<T> {
    latency: T,
    others: PerMetric<T>,
}

impl<T> DeviceMetrics<T> {
    /// With latency alone.
    pub const fn new(latency: T) -> Self {
        DeviceMetrics {
            latency,
            others: PerMetric::new(),
        }
    }

    /// The value of latency.
    pub fn latency(&self) -> &T {
        &self.latency
    }

    /// The value of a metric.
    pub fn get(&self, metric: Metric) -> Option<&T> {
        if metric == Metric::Latency {
            Some(&self.latency)
        } else {
            self.others.get(metric)
        }
    }

    /// Whether there is a value of this metric.
    pub fn contains(&self, metric: Metric) -> bool {
        self.get(metric).is_some()
    }

    /// Sets the value of a metric.
    pub fn insert(&mut self, metric: Metric, value: T) {
        if metric == Metric::Latency {
            self.latency = value;
        } else {
            self.others.insert(metric, value);
        }
    }

    /// Every metric with its value, latency first.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, &T)> {
        std::iter::once((Metric::Latency, &self.latency)).chain(self.others.iter())
    }

    /// The metrics that there are values of, latency first.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> + '_ {
        self.iter().map(|(metric, _)| metric)
    }

    /// A value for every metric, made from the one here.
    pub fn map<U>(&self, mut make: impl FnMut(Metric, &T) -> U) -> DeviceMetrics<U> {
        DeviceMetrics {
            latency: make(Metric::Latency, &self.latency),
            others: self.others.map(make),
        }
    }

    /// The pairs of the metrics that both have a value of.
    pub fn zip<'a, U>(&'a self, other: &'a DeviceMetrics<U>) -> DeviceMetrics<(&'a T, &'a U)> {
        let both = |(metric, value)| Some((metric, (value, other.others.get(metric)?)));
        DeviceMetrics {
            latency: (&self.latency, &other.latency),
            others: self.others.iter().filter_map(both).collect(),
        }
    }
}

/// Values by metric that no device has, or that lack latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOfDevice {
    /// Latency is missing.
    #[error("expected a value of latency, found none")]
    NoLatency,
    /// There is a value of a metric that is not measured on devices.
    #[error("expected metrics measured on a device, found {0}")]
    Other(Metric),
}

impl<T> TryFrom<PerMetric<T>> for DeviceMetrics<T> {
    type Error = NotOfDevice;

    fn try_from(mut values: PerMetric<T>) -> Result<Self, NotOfDevice> {
        if let Some(other) = values.metrics().find(|metric| metric.source() != Source::Device) {
            return Err(NotOfDevice::Other(other));
        }
        let latency = values.remove(Metric::Latency).ok_or(NotOfDevice::NoLatency)?;
        Ok(DeviceMetrics {
            latency,
            others: values,
        })
    }
}

impl<T> From<DeviceMetrics<T>> for PerMetric<T> {
    fn from(metrics: DeviceMetrics<T>) -> Self {
        let mut values = metrics.others;
        values.insert(Metric::Latency, metrics.latency);
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_always_there() {
        let mut values = DeviceMetrics::new(1.0);
        assert_eq!((values.latency(), values.get(Metric::Energy)), (&1.0, None));
        values.insert(Metric::Energy, 2.0);
        values.insert(Metric::Latency, 3.0);
        let expected = [(Metric::Latency, &3.0), (Metric::Energy, &2.0)];
        assert_eq!(values.iter().collect::<Vec<_>>(), expected);
        assert_eq!(values.map(|_, value| value * 2.0).get(Metric::Energy), Some(&4.0));
        assert!(!values.zip(&DeviceMetrics::new("ms")).contains(Metric::Energy));
    }

    #[test]
    fn json_without_latency_or_with_other_metrics_is_refused() {
        let mut values = DeviceMetrics::new(1.5);
        values.insert(Metric::Energy, 2.5);
        let text = serde_json::to_string(&values).unwrap();
        assert_eq!(text, r#"{"latency":1.5,"energy":2.5}"#);
        assert_eq!(serde_json::from_str::<DeviceMetrics<f64>>(&text).unwrap(), values);
        for (wrong, part) in [
            (r#"{"energy":1.0}"#, "latency"),
            (r#"{"latency":1.0,"accuracy":50.0}"#, "found accuracy"),
        ] {
            let message = serde_json::from_str::<DeviceMetrics<f64>>(wrong)
                .unwrap_err()
                .to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
