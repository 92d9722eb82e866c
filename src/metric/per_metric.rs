//! One value for each of some metrics.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Metric;

/// A value for each metric that there is one for. Iteration is in the order of [`Metric::ALL`].
///
/// In JSON a map from the metric's identifier, such as `latency`, to the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PerMetric<T> {
    values: [Option<T>; Metric::ALL.len()],
}

impl<T> PerMetric<T> {
    /// Without any value.
    pub const fn new() -> Self {
        PerMetric {
            values: [const { None }; Metric::ALL.len()],
        }
    }

    /// The value of a metric.
    pub fn get(&self, metric: Metric) -> Option<&T> {
        self.values[metric as usize].as_ref()
    }

    /// The value of a metric, to be changed.
    pub fn get_mut(&mut self, metric: Metric) -> Option<&mut T> {
        self.values[metric as usize].as_mut()
    }

    /// Sets the value of a metric and returns the one before.
    pub fn insert(&mut self, metric: Metric, value: T) -> Option<T> {
        self.values[metric as usize].replace(value)
    }

    /// Takes the value of a metric out.
    pub fn remove(&mut self, metric: Metric) -> Option<T> {
        self.values[metric as usize].take()
    }

    /// Whether there is a value of this metric.
    pub fn contains(&self, metric: Metric) -> bool {
        self.get(metric).is_some()
    }

    /// Whether there is no value at all.
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(Option::is_none)
    }

    /// The metrics that there are values of.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> + '_ {
        self.iter().map(|(metric, _)| metric)
    }

    /// Every metric with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, &T)> {
        Metric::ALL
            .into_iter()
            .zip(&self.values)
            .filter_map(|(metric, value)| Some((metric, value.as_ref()?)))
    }

    /// A value for every metric, made from the one here.
    pub fn map<U>(&self, mut make: impl FnMut(Metric, &T) -> U) -> PerMetric<U> {
        self.iter()
            .map(|(metric, value)| (metric, make(metric, value)))
            .collect()
    }
}

impl<T> Default for PerMetric<T> {
    fn default() -> Self {
        PerMetric::new()
    }
}

impl<T> FromIterator<(Metric, T)> for PerMetric<T> {
    fn from_iter<I: IntoIterator<Item = (Metric, T)>>(values: I) -> Self {
        let mut collected = PerMetric::new();
        for (metric, value) in values {
            collected.insert(metric, value);
        }
        collected
    }
}

impl<T, const N: usize> From<[(Metric, T); N]> for PerMetric<T> {
    fn from(values: [(Metric, T); N]) -> Self {
        values.into_iter().collect()
    }
}

impl<T: Serialize> Serialize for PerMetric<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.iter().count()))?;
        for (metric, value) in self.iter() {
            map.serialize_entry(&metric, value)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for PerMetric<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MapVisitor(PhantomData))
    }
}

struct MapVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MapVisitor<T> {
    type Value = PerMetric<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from metrics to values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = PerMetric::new();
        while let Some((metric, value)) = map.next_entry::<Metric, T>()? {
            if values.insert(metric, value).is_some() {
                return Err(A::Error::custom(format!("{metric} stands twice")));
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in_and_nothing_else() {
        let mut values: PerMetric<f64> = [(Metric::Energy, 2.0), (Metric::Latency, 1.0)].into_iter().collect();
        assert_eq!(values.metrics().collect::<Vec<_>>(), [Metric::Latency, Metric::Energy]);
        assert_eq!(values.get(Metric::Energy), Some(&2.0));
        assert_eq!(values.get(Metric::Macs), None);
        assert_eq!(values.insert(Metric::Latency, 3.0), Some(1.0));
        assert_eq!(values.remove(Metric::Energy), Some(2.0));
        assert_eq!(values.map(|_, value| value * 2.0).get(Metric::Latency), Some(&6.0));
        assert!(!values.is_empty() && PerMetric::<f64>::new().is_empty());
    }

    #[test]
    fn json_is_a_map_by_metric() {
        let values: PerMetric<f64> = [(Metric::ModelSize, 0.5), (Metric::Latency, 1.5)].into_iter().collect();
        let text = serde_json::to_string(&values).unwrap();
        assert_eq!(text, r#"{"latency":1.5,"model-size":0.5}"#);
        assert_eq!(serde_json::from_str::<PerMetric<f64>>(&text).unwrap(), values);
        for wrong in [r#"{"speed":1.0}"#, r#"{"latency":1.0,"latency":2.0}"#, "[1.0]"] {
            assert!(serde_json::from_str::<PerMetric<f64>>(wrong).is_err(), "{wrong}");
        }
    }
}
