//! Latencies in the wrong unit: seconds or microseconds where milliseconds are meant are a thousand times off, and no later
//! step would notice.

use std::fmt;

use rayon::prelude::*;

use super::Dataset;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::stats;

/// Rows per device that are looked at, evenly spread over its rows.
const LOOKED_AT: usize = 200;
/// Classes that networks are lowered for; another number changes their arithmetic by next to nothing.
const CLASSES: u32 = 10;

/// A device most of whose latencies no device like it can have.
#[derive(Debug, Clone, PartialEq)]
pub struct ImplausibleDevice {
    /// Its id.
    pub id: String,
    /// Median of its latencies, in ms.
    pub median_ms: f64,
    /// Median of how far they lie out of the range that is possible, as a factor: below 1 they are too short, above 1 too long.
    pub factor: f64,
    /// The unit that the latencies are probably in.
    pub unit: Option<&'static str>,
}

impl fmt::Display for ImplausibleDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (far, direction) = if self.factor < 1.0 {
            (1.0 / self.factor, "shorter")
        } else {
            (self.factor, "longer")
        };
        write!(
            f,
            "device {}: latencies around {:.3e} ms, {far:.3} times {direction} than its hardware allows",
            self.id, self.median_ms
        )?;
        match self.unit {
            Some(unit) => write!(f, "; are they in {unit}?"),
            None => Ok(()),
        }
    }
}

/// The devices of a dataset most of whose latencies are impossible for the arithmetic of the networks, see
/// [`Device::possible_latencies_ms`](crate::device::Device::possible_latencies_ms).
pub fn implausible_devices(dataset: &Dataset) -> Vec<ImplausibleDevice> {
    implausible_among(dataset, &(0..dataset.devices.len()).collect::<Vec<usize>>())
}

fn implausible_among(dataset: &Dataset, devices: &[usize]) -> Vec<ImplausibleDevice> {
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); dataset.devices.len()];
    for (position, row) in dataset.measurements.iter().enumerate() {
        if row.value(Metric::Latency).is_some() {
            rows[row.device as usize].push(position);
        }
    }
    let found = devices.par_iter().filter_map(|&device| {
        let rows = &rows[device];
        let every = rows.len().div_ceil(LOOKED_AT).max(1);
        let chosen: Vec<usize> = rows.iter().copied().step_by(every).collect();
        looked_over(dataset, device, &chosen)
    });
    found.collect()
}

/// One device, from these rows of it.
fn looked_over(dataset: &Dataset, device: usize, rows: &[usize]) -> Option<ImplausibleDevice> {
    let mut latencies = Vec::new();
    let mut factors = Vec::new();
    let mut in_units = UNITS.map(|_| 0);
    for &row in rows {
        let row = &dataset.measurements[row];
        let latency_ms = row.value(Metric::Latency)?;
        let architecture = &dataset.architectures[row.architecture as usize];
        let input = dataset.inputs[usize::from(row.input)];
        let possible = dataset.devices[device].possible_latencies_ms(
            &dataset.space.lower(architecture, input, CLASSES),
            &dataset.space.lower_as_written(architecture, input, CLASSES),
        );
        factors.push((latency_ms / possible.start()).min(1.0) * (latency_ms / possible.end()).max(1.0));
        latencies.push(latency_ms);
        for ((_, in_ms), fits) in UNITS.iter().zip(&mut in_units) {
            *fits += usize::from(possible.contains(&(latency_ms * in_ms)));
        }
    }
    let factor = stats::quantile(&factors, 0.5)?;
    let unit = UNITS.iter().zip(in_units).find(|(_, fits)| 2 * fits > rows.len());
    (factor != 1.0).then_some(ImplausibleDevice {
        id: dataset.devices[device].id.clone(),
        median_ms: stats::quantile(&latencies, 0.5)?,
        factor,
        unit: unit.map(|((name, _), _)| *name),
    })
}

/// Units that latencies are mistaken in, with their length in ms.
const UNITS: [(&str, f64); 2] = [("seconds", 1_000.0), ("microseconds", 1e-3)];

impl Dataset {
    /// Refuses latencies in the wrong unit on any of these devices, before something is learned from them.
    ///
    /// # Errors
    /// [`Error::Insufficient`] naming the devices.
    pub fn check_units(&self, devices: &[usize]) -> Result<()> {
        let found = implausible_among(self, devices);
        if found.is_empty() {
            return Ok(());
        }
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        Err(Error::Insufficient {
            what: "latencies of the dataset".into(),
            expected: "milliseconds".into(),
            found: found.join("; "),
            hint: "Correct the unit, or leave these devices out; or say that the units are to be trusted.".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::dataset::DeviceValues;
    use crate::dataset::import::by_name;
    use crate::progress::Silent;
    use crate::space::by_id;

    fn scaled(factor: f64) -> Vec<ImplausibleDevice> {
        let mut dataset = Dataset::read(Path::new("datasets/nasbench201-fleet")).unwrap();
        for row in &mut dataset.measurements {
            if let Some(latency_ms) = row.value(Metric::Latency) {
                row.values.insert(Metric::Latency, factor * latency_ms);
            }
        }
        implausible_devices(&dataset)
    }

    /// The bundled fleet has datasheets for all of its devices.
    #[test]
    fn seconds_and_microseconds_are_noticed() {
        assert_eq!(scaled(1.0), []);
        let devices = Dataset::read(Path::new("datasets/nasbench201-fleet"))
            .unwrap()
            .devices
            .len();
        for (factor, unit) in [(1e-3, "seconds"), (1e3, "microseconds")] {
            let found = scaled(factor);
            assert!(
                found.len() * 10 >= devices * 9,
                "{} of {devices}: {found:#?}",
                found.len()
            );
            assert!(found.iter().all(|one| one.unit == Some(unit)), "{found:#?}");
        }
    }

    #[test]
    fn a_wrong_unit_is_refused_where_it_would_be_learned() {
        let mut dataset = Dataset::read(Path::new("datasets/nasbench201-fleet")).unwrap();
        assert!(dataset.check_units(&[0, 1]).is_ok());
        for row in dataset.measurements.iter_mut().filter(|row| row.device == 0) {
            row.values = DeviceValues::of(Metric::Latency, 1e-6);
        }
        assert!(dataset.check_units(&[1]).is_ok());
        let message = dataset.check_units(&[0, 1]).unwrap_err().to_string();
        assert!(
            message.contains(&dataset.devices[0].id) && message.contains("shorter"),
            "{message}"
        );
    }

    /// What others measured is in milliseconds; a thousandth and a thousandfold of it are noticed on most devices.
    #[test]
    fn published_latencies_are_plausible() {
        let Some(folder) = std::env::var_os("EDGEFIT_DATA_DIR") else {
            eprintln!("passed over: EDGEFIT_DATA_DIR is not set");
            return;
        };
        for (source, place, space) in [
            ("help", "HELP", "nasbench201"),
            ("help", "HELP", "fbnet"),
            ("help", "HELP", "mobilenet_v3_w1.2"),
            ("ofa-lut", "CompOFA", "mobilenet_v3_w1.2"),
            ("ofa-lut", "NSGANetV2", "mobilenet_v3"),
            ("hw-nas-bench", "HW-NAS-Bench", "nasbench201"),
            ("hw-nas-bench", "HW-NAS-Bench", "fbnet"),
            ("hw-nas-bench-360", "HW-NAS-Bench-360", "nasbench201"),
            ("oneproxy", "OneProxy", "nasbench201"),
        ] {
            let importer = by_name(source).unwrap();
            let imported = importer.import(&Path::new(&folder).join(place), by_id(space).unwrap(), &Silent);
            let dataset = imported.unwrap().dataset;
            assert_eq!(implausible_devices(&dataset), [], "{source} {space}");
            let devices = dataset.devices.len();
            for factor in [1e-3, 1e3] {
                let mut scaled = Dataset::new(dataset.space);
                scaled.devices = dataset.devices.clone();
                scaled.architectures = dataset.architectures.clone();
                scaled.inputs = dataset.inputs.clone();
                scaled.measurements = dataset.measurements.clone();
                for row in &mut scaled.measurements {
                    if let Some(latency_ms) = row.value(Metric::Latency) {
                        row.values.insert(Metric::Latency, factor * latency_ms);
                    }
                }
                let found = implausible_devices(&scaled).len();
                eprintln!("{source} {space} times {factor}: {found} of {devices} noticed");
                assert!(
                    2 * found > devices,
                    "{source} {space} times {factor}: {found} of {devices}"
                );
            }
        }
    }
}
