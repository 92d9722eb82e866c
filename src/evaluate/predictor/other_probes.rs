//! Probes besides those of the device in the search space that is scored: of another search space, and of the same hardware in another
//! setting.

use std::collections::BTreeMap;

use crate::dataset::{Dataset, Selection, Task};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::metric::{Metric, PerMetric};
use crate::predict::{CLASSES_ELSEWHERE, MeasuredOnce, Probe};

/// Probes of the same hardware in another setting, in the predictor's own search space.
#[derive(Debug, Clone)]
pub struct LikeProbes {
    /// The first device of every hardware unit, with what was measured on it.
    measured: BTreeMap<String, (Device, Vec<Probe>)>,
    /// How many of them are probes, drawn at random.
    pub(super) count: usize,
}

/// Probes of another search space.
#[derive(Debug, Clone)]
pub struct ElsewhereProbes {
    /// What was measured there, by device.
    measured: BTreeMap<String, Vec<MeasuredOnce>>,
    /// How many of them are probes, drawn at random.
    pub(super) count: usize,
}

impl LikeProbes {
    /// `count` probes of the first device of every hardware unit of a dataset.
    ///
    /// # Errors
    /// For devices that were measured at several precisions.
    pub fn new(dataset: &Dataset, metric: Metric, task: Option<&Task>, count: usize) -> Result<LikeProbes> {
        let mut measured = BTreeMap::new();
        for (position, device) in dataset.devices.iter().enumerate() {
            let probe = |(architecture, value): (u32, f64)| {
                let architecture = dataset.architectures[architecture as usize].clone();
                Probe::new(architecture, device, PerMetric::from([(metric, value)]))
            };
            let values = dataset.values(position, metric, dataset.selection(task)?)?;
            let probes: Vec<Probe> = values.into_iter().map(probe).collect();
            measured.entry(device.unit.clone()).or_insert((device.clone(), probes));
        }
        Ok(LikeProbes { measured, count })
    }

    /// The device of the same hardware unit, with all that was measured on it.
    pub(super) fn of(&self, device: &Device) -> Result<(Device, Vec<Probe>)> {
        self.measured.get(&device.unit).cloned().ok_or_else(|| Error::Invalid {
            what: "dataset of the same hardware in another setting".into(),
            expected: format!("measurements of hardware unit `{}`", device.unit),
            found: "none".into(),
            hint: "Leave the device out, or take probes of its own setting alone.".into(),
        })
    }
}

impl ElsewhereProbes {
    /// `count` probes of each device of a dataset.
    ///
    /// # Errors
    /// For devices that were measured at several precisions.
    pub fn new(dataset: &Dataset, metric: Metric, count: usize) -> Result<ElsewhereProbes> {
        let mut measured = BTreeMap::new();
        let Some(&input) = dataset.inputs.first() else {
            return Ok(ElsewhereProbes { measured, count });
        };
        for (position, device) in dataset.devices.iter().enumerate() {
            let one = |(architecture, value): (u32, f64)| {
                let probe = Probe::new(
                    dataset.architectures[architecture as usize].clone(),
                    device,
                    PerMetric::from([(metric, value)]),
                );
                MeasuredOnce::new(&probe, dataset.space, input, CLASSES_ELSEWHERE)
            };
            let values = dataset.values(position, metric, Selection::at(input))?;
            measured.insert(device.id.clone(), values.into_iter().map(one).collect());
        }
        Ok(ElsewhereProbes { measured, count })
    }

    /// What was measured of a device.
    pub(super) fn of(&self, device: &Device) -> Result<Vec<MeasuredOnce>> {
        match self.measured.get(&device.id) {
            Some(measured) if !measured.is_empty() => Ok(measured.clone()),
            _ => Err(Error::Invalid {
                what: "dataset of another search space".into(),
                expected: format!("measurements of device `{}`", device.id),
                found: "none".into(),
                hint: "Leave the device out, or take probes of its own space alone.".into(),
            }),
        }
    }
}
