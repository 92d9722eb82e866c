//! What was measured of one design on one device, small enough for millions of rows.

use crate::metric::Metric;

/// A value for each metric of [`Metric::OF_DEVICE`] that was measured. A [`PerMetric`](crate::metric::PerMetric) has room for
/// every metric there is: 112 bytes a row instead of 32, which ten million rows would feel.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DeviceValues([Option<f64>; Metric::OF_DEVICE.len()]);

impl DeviceValues {
    /// With the value of one metric.
    pub fn of(metric: Metric, value: f64) -> DeviceValues {
        DeviceValues::from_iter([(metric, value)])
    }

    /// The value of a metric, in its unit; `None` where it was not measured, and for metrics that no device has.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        slot(metric).and_then(|slot| self.0[slot])
    }

    /// Sets the value of a metric of [`Metric::OF_DEVICE`]; other metrics are not kept.
    pub fn insert(&mut self, metric: Metric, value: f64) {
        if let Some(slot) = slot(metric) {
            self.0[slot] = Some(value);
        }
    }

    /// Every metric measured, with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, f64)> {
        let values = Metric::OF_DEVICE.into_iter().zip(self.0);
        values.filter_map(|(metric, value)| Some((metric, value?)))
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

impl FromIterator<(Metric, f64)> for DeviceValues {
    fn from_iter<I: IntoIterator<Item = (Metric, f64)>>(values: I) -> Self {
        let mut collected = DeviceValues::default();
        for (metric, value) in values {
            collected.insert(metric, value);
        }
        collected
    }
}

fn slot(metric: Metric) -> Option<usize> {
    Metric::OF_DEVICE.into_iter().position(|one| one == metric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Measurement;

    #[test]
    fn metrics_of_devices_are_kept_and_no_others() {
        let mut values = DeviceValues::of(Metric::Energy, 2.0);
        values.insert(Metric::Macs, 5.0);
        assert_eq!(
            (values.get(Metric::Energy), values.get(Metric::Latency)),
            (Some(2.0), None)
        );
        assert_eq!(values.get(Metric::Macs), None);
        values.insert(Metric::Latency, 1.0);
        assert_eq!(
            values.iter().collect::<Vec<_>>(),
            [(Metric::Latency, 1.0), (Metric::Energy, 2.0)]
        );
        assert!(!values.is_empty() && DeviceValues::of(Metric::Accuracy, 1.0).is_empty());
    }

    /// Two optional values (32 bytes), two numbers of four bytes, one of two, precision and origin: 44, rounded up to 48.
    #[test]
    fn a_row_is_small() {
        assert!(size_of::<Measurement>() <= 48);
    }
}
