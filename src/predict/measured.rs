//! What was measured on a new device: probes as they come, and what they say of each architecture.

use std::collections::{BTreeSet, HashMap};

use nalgebra::DMatrix;

use super::adapt::Measured;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::metric::{Metric, PerMetric};
use crate::space::{Architecture, Design, QuantPolicy, SearchSpace};
use crate::stats;

/// Measurements of one architecture that differ by more than this factor contradict each other: no timer is so noisy over a
/// whole batch, so one of them was not what it says.
const CONTRADICTION: f64 = 1.5;

/// One design measured on a new device. Several probes of one architecture are independent measurements of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// What was measured.
    pub design: Design,
    /// What was found, in the units of the metrics, for one batch.
    pub values: PerMetric<f64>,
}

impl Probe {
    /// An architecture measured at the precision that the device's datasheet names, see [`Device::runs_at`].
    pub fn new(architecture: Architecture, device: &Device, values: PerMetric<f64>) -> Probe {
        Probe {
            design: Design::new(architecture, device.runs_at()),
            values,
        }
    }
}

/// The one precision of a device's probes, else that of its datasheet.
pub(super) fn precision(device: &Device, probes: &[Probe]) -> Result<QuantPolicy> {
    let found: BTreeSet<QuantPolicy> = probes.iter().map(|probe| probe.design.policy).collect();
    let mut precisions = found.iter().copied();
    match (precisions.next(), precisions.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Ok(device.runs_at()),
        (Some(_), Some(_)) => Err(Error::Invalid {
            what: format!("probes of {}", device.id),
            expected: "all at one precision".into(),
            found: found
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<String>>()
                .join(", "),
            hint: "A device in another precision is another device: adapt to each by itself.".into(),
        }),
    }
}

/// Probes by architecture, in order of first appearance.
pub(super) struct Probed {
    pub(super) architectures: Vec<Architecture>,
    values: PerMetric<Vec<Vec<f64>>>,
}

impl Probed {
    /// # Errors
    /// [`Error::Invalid`] for values that are not positive numbers, for several architectures that all have the same value, and
    /// for values of one architecture that contradict each other.
    pub(super) fn of(probes: &[Probe], space: &dyn SearchSpace) -> Result<Probed> {
        let mut places: HashMap<&Architecture, usize> = HashMap::new();
        let mut architectures = Vec::new();
        for probe in probes {
            places.entry(&probe.design.architecture).or_insert_with(|| {
                architectures.push(probe.design.architecture.clone());
                architectures.len() - 1
            });
        }
        let mut values = PerMetric::new();
        for metric in Metric::OF_DEVICE {
            let mut of_metric = vec![Vec::new(); architectures.len()];
            for probe in probes {
                if let Some(&value) = probe.values.get(metric) {
                    of_metric[places[&probe.design.architecture]].push(value);
                }
            }
            check(&of_metric, &architectures, metric, space)?;
            values.insert(metric, of_metric);
        }
        Ok(Probed { architectures, values })
    }

    /// Every measured value of a metric: per architecture the logarithm of the geometric mean, and how often it was measured.
    pub(super) fn logs(&self, metric: Metric) -> impl Iterator<Item = (usize, f64, usize)> {
        let values = self.values.get(metric).map(Vec::as_slice).unwrap_or_default();
        values.iter().enumerate().filter_map(|(position, values)| {
            let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
            Some((position, stats::mean(&logs)?, logs.len()))
        })
    }

    /// Whether anything was measured of a metric.
    pub(super) fn has(&self, metric: Metric) -> bool {
        self.logs(metric).next().is_some()
    }

    /// What was measured of a metric, from the basis at the architectures: `[COUNTS + rank, architectures]`.
    pub(super) fn measured(&self, metric: Metric, basis: &DMatrix<f32>) -> Measured {
        let rows: Vec<(usize, f64, usize)> = self.logs(metric).collect();
        let positions: Vec<usize> = rows.iter().map(|row| row.0).collect();
        let logs: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let times: Vec<usize> = rows.iter().map(|row| row.2).collect();
        Measured::repeated(basis.select_columns(&positions).cast(), &logs, &times)
    }
}

fn check(values: &[Vec<f64>], architectures: &[Architecture], metric: Metric, space: &dyn SearchSpace) -> Result<()> {
    let (name, unit) = (metric.name(), metric.unit());
    let all = || values.iter().flatten().copied();
    if let Some(bad) = all().find(|value| !(value.is_finite() && *value > 0.0)) {
        return Err(Error::Invalid {
            what: format!("{name} of the probes"),
            expected: format!("positive numbers in {unit}"),
            found: bad.to_string(),
            hint: "Leave a value that was not measured empty.".into(),
        });
    }
    for (values, architecture) in values.iter().zip(architectures) {
        let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = values.iter().copied().fold(0.0, f64::max);
        if highest > CONTRADICTION * lowest {
            return Err(Error::Invalid {
                what: format!("{name} of {}", space.print(architecture)),
                expected: format!("measurements of one architecture within a factor of {CONTRADICTION}"),
                found: format!("{lowest} and {highest} {unit}"),
                hint: "Measure it again and leave the wrong value out.".into(),
            });
        }
    }
    let several = values.iter().filter(|values| !values.is_empty()).count() > 1;
    if several
        && let Some(first) = all().next()
        && all().all(|value| value == first)
    {
        return Err(Error::Invalid {
            what: format!("{name} of the probes"),
            expected: "values that differ between architectures".into(),
            found: format!("{} times {first}", all().count()),
            hint: "Measure with a finer timer or a larger batch, and check that each row ran its own architecture."
                .into(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{NasBench201, Precision};

    fn probe(gene: u8, latency_ms: f64) -> Probe {
        Probe {
            design: Design::uniform(Architecture(vec![gene; 6]), Precision::Int8),
            values: PerMetric::from_iter([(Metric::Latency, latency_ms)]),
        }
    }

    #[test]
    fn repeated_probes_are_measurements_of_one_architecture() {
        let probes = [probe(3, 8.0), probe(2, 3.0), probe(3, 9.0), probe(3, 10.0)];
        let probed = Probed::of(&probes, &NasBench201).unwrap();
        assert_eq!(probed.architectures.len(), 2);
        let logs: Vec<(usize, f64, usize)> = probed.logs(Metric::Latency).collect();
        // The cube root of 720.
        assert!((logs[0].1.exp() - 8.96281).abs() < 1e-5);
        assert_eq!((logs[0].0, logs[0].2, logs[1].0, logs[1].2), (0, 3, 1, 1));
        assert!(!probed.has(Metric::Energy));
    }

    #[test]
    fn contradicting_values_of_one_architecture_are_named() {
        let message = |probes: &[Probe]| match Probed::of(probes, &NasBench201) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        let contradicting = message(&[probe(3, 8.0), probe(2, 3.0), probe(3, 12.5)]);
        let cell = NasBench201.print(&Architecture(vec![3; 6]));
        for part in [cell.as_str(), "8 and 12.5 ms", "factor of 1.5", "Measure it again"] {
            assert!(contradicting.contains(part), "{contradicting}");
        }
        // As far apart as that, but of different architectures; and as near as that.
        assert_eq!(message(&[probe(3, 8.0), probe(2, 80.0), probe(3, 11.9)]), "");
        // One architecture may give the same value twice, two may not all do so.
        assert_eq!(message(&[probe(3, 8.0), probe(3, 8.0)]), "");
        assert!(message(&[probe(3, 8.0), probe(2, 8.0)]).contains("2 times 8"));
        assert!(message(&[probe(3, f64::NAN)]).contains("positive numbers in ms"));
    }

    #[test]
    fn a_device_has_the_precision_of_its_probes() {
        let device = |precision: Option<QuantPolicy>| Device {
            precision,
            ..Device::named("board")
        };
        assert_eq!(precision(&device(None), &[]).unwrap(), Precision::Fp32.into());
        assert_eq!(
            precision(&device(Some(Precision::Fp16.into())), &[]).unwrap(),
            Precision::Fp16.into()
        );
        assert_eq!(
            precision(&device(Some(Precision::Fp16.into())), &[probe(3, 1.0)]).unwrap(),
            Precision::Int8.into()
        );
        let mut mixed = [probe(3, 1.0), probe(2, 2.0)];
        mixed[1].design.policy = Precision::Fp16.into();
        let message = precision(&device(None), &mixed).unwrap_err().to_string();
        assert!(message.contains("fp16, int8"), "{message}");
    }
}
