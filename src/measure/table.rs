//! From samples to the rows of a dataset.

use super::{Measured, Request};
use crate::dataset::{Dataset, DeviceValues, Manifest, Measurement, Origin, Source};
use crate::device::Device;
use crate::error::Result;
use crate::files::LockedFolder;
use crate::metric::Metric;
use crate::space::{Design, InputSize, SearchSpace};

/// A dataset with these devices and a row for each design that was measured.
pub(super) fn dataset(
    space: &'static dyn SearchSpace,
    input: InputSize,
    devices: &[Device],
    rows: &[(&str, &Design, DeviceValues)],
) -> Dataset {
    let mut dataset = Dataset::new(space);
    dataset.devices = devices.to_vec();
    dataset.inputs = vec![input];
    for (device, design, values) in rows {
        let Some(device) = devices.iter().position(|one| one.id == *device) else {
            continue;
        };
        let architecture = number_of(&mut dataset, design);
        dataset.measurements.push(Measurement {
            device: device as u32,
            architecture,
            precision: design.policy,
            input: 0,
            values: *values,
            origin: Origin::Measured,
        });
    }
    dataset
}

fn number_of(dataset: &mut Dataset, design: &Design) -> u32 {
    let known = dataset.architectures.iter().position(|one| *one == design.architecture);
    known.unwrap_or_else(|| {
        dataset.architectures.push(design.architecture.clone());
        dataset.architectures.len() - 1
    }) as u32
}

impl Measured {
    /// What stands in the table.
    pub fn values(&self) -> DeviceValues {
        let values = [
            (Metric::Latency, Some(self.latency.median_ms)),
            (Metric::Energy, self.energy_mj),
        ];
        values
            .into_iter()
            .filter_map(|(metric, value)| Some((metric, value?)))
            .collect()
    }
}

/// What a new dataset, or what is added to one, says about itself.
pub(super) fn manifest(request: &Request<'_>, runtime: &str) -> Manifest {
    let protocol = request.protocol;
    Manifest {
        space: request.space.id().into(),
        description: "Measured by edgefit; the samples of every run are in samples.jsonl.".into(),
        origin: Origin::Measured,
        input: (!request.space.resolution_is_a_gene()).then(|| request.input.to_string()),
        sources: vec![Source {
            name: "edgefit measure".into(),
            measured: format!(
                "{runtime}, {}: median of at least {} runs and {} s over {} rounds, each after a warm-up of at least {} \
                 runs and {} s",
                threads(request.threads),
                protocol.runs,
                protocol.seconds,
                protocol.rounds,
                protocol.warmup_runs,
                protocol.warmup_seconds
            ),
            ..Source::default()
        }],
        ..Manifest::default()
    }
}

fn threads(count: usize) -> String {
    match count {
        1 => "1 thread".into(),
        _ => format!("{count} threads"),
    }
}

/// Adds rows to the dataset of a folder that was read before, and returns how many are new.
pub(super) fn write(
    folder: &LockedFolder,
    present: Option<(Manifest, Dataset)>,
    additional: (Manifest, Dataset),
) -> Result<usize> {
    let (manifest, found) = additional;
    let (manifest, target) = match present {
        Some((mut known, dataset)) => {
            known.add(manifest);
            (known, dataset)
        }
        None => (manifest, Dataset::new(found.space)),
    };
    let (dataset, added) = target.merged(found, folder.path())?;
    if added.measurements > 0 {
        dataset.write_to(folder, &manifest)?;
    }
    Ok(added.measurements)
}
