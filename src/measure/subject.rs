//! What is to be measured, and what is there of it already?

use std::collections::{BTreeMap, HashSet};

use super::log::{RoundEntry, SAMPLES_FILE, SampleLog};
use super::warning::MeasureWarning;
use super::{Request, Unfinished};
use crate::dataset::{self, Dataset, MANIFEST_FILE, Manifest};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::files::LockedFolder;
use crate::metric::Metric;
use crate::progress::Progress;
use crate::space::{Design, InputSize, QuantPolicy};

/// The dataset to add to. Whether it can be added to is told before the work, not after.
pub(super) fn present(request: &Request<'_>, progress: &dyn Progress) -> Result<Option<(Manifest, Dataset)>> {
    if !request.folder.join(MANIFEST_FILE).exists() {
        dataset::refuse_stray_tables(request.folder)?;
        return Ok(None);
    }
    let loaded = dataset::load(request.folder, progress)?;
    if loaded.dataset.space.id() != request.space.id() {
        return Err(Error::Invalid {
            what: format!("dataset {}", request.folder.display()),
            expected: format!("one of the search space {}", request.space.id()),
            found: loaded.dataset.space.id().into(),
            hint: "Measure into a folder of its own.".into(),
        });
    }
    Ok(Some((loaded.manifest, loaded.dataset)))
}

/// The devices measured on, with the datasheets that the dataset has of them: those stay, and are told of where they differ.
pub(super) fn devices(
    request: &Request<'_>,
    present: Option<&Dataset>,
) -> (BTreeMap<QuantPolicy, Device>, Vec<MeasureWarning>) {
    let mut devices = request.devices.clone();
    let mut warnings = Vec::new();
    for device in devices.values_mut() {
        let known = present.and_then(|dataset| dataset.devices.iter().find(|known| known.id == device.id));
        if let Some(known) = known {
            if let Some(key) = device.contradiction(known) {
                warnings.push(MeasureWarning::DatasheetKept {
                    device: device.id.clone(),
                    key,
                });
            }
            *device = known.clone();
        }
    }
    (devices, warnings)
}

/// A design on its way.
pub(super) struct Subject {
    pub(super) design: Design,
    pub(super) name: String,
    pub(super) device: String,
    /// The input that it runs on.
    pub(super) input: String,
    pub(super) refused: Option<String>,
    /// Whether the dataset has it already.
    pub(super) known: bool,
}

impl Subject {
    /// What was logged of it.
    pub(super) fn rounds_in<'a>(&self, log: &'a SampleLog) -> Vec<&'a RoundEntry> {
        log.of(&self.device, &self.name, &self.input)
    }
}

/// The designs, each once, with what the dataset has of them.
pub(super) fn subjects(
    request: &Request<'_>,
    devices: &BTreeMap<QuantPolicy, Device>,
    present: Option<&Dataset>,
) -> Result<Vec<Subject>> {
    let known: HashSet<(&str, Design, InputSize)> = present
        .iter()
        .flat_map(|dataset| dataset.measurements.iter().map(move |row| (dataset, row)))
        .filter(|(_, row)| row.value(Metric::Latency).is_some())
        .map(|(dataset, row)| {
            let device = dataset.devices[row.device as usize].id.as_str();
            let input = dataset.inputs[usize::from(row.input)];
            (device, dataset.design(row.architecture, row.precision), input)
        })
        .collect();
    let mut seen = HashSet::new();
    let designs = request.designs.iter().filter(|design| seen.insert(*design));
    designs
        .map(|design| {
            let device = devices.get(&design.policy).ok_or_else(|| Error::Unknown {
                kind: "precision of the devices measured on",
                name: design.policy.to_string(),
                known: devices.keys().map(QuantPolicy::to_string).collect(),
            })?;
            Ok(Subject {
                name: design.print(request.space),
                device: device.id.clone(),
                input: request.space.input(&design.architecture, request.input).to_string(),
                refused: None,
                known: known.contains(&(device.id.as_str(), design.clone(), request.input)),
                design: design.clone(),
            })
        })
        .collect()
}

/// What an earlier run began and did not complete is not mixed with this one unnoticed.
pub(super) fn settle_unfinished(
    request: &Request<'_>,
    subjects: &[Subject],
    log: &mut SampleLog,
    folder: &LockedFolder,
) -> Result<()> {
    let begun: Vec<&Subject> = subjects
        .iter()
        .filter(|one| !one.known && !one.rounds_in(log).is_empty())
        .collect();
    match request.unfinished {
        _ if begun.is_empty() => Ok(()),
        Unfinished::Resume => Ok(()),
        Unfinished::Refuse => Err(Error::Occupied {
            path: request.folder.join(SAMPLES_FILE),
            holds: format!(
                "samples of {} from a run that was stopped and can be resumed",
                match begun.len() {
                    1 => "1 design".into(),
                    count => format!("{count} designs"),
                }
            ),
        }),
        Unfinished::Discard => log.discard(folder, |entry| {
            let is_of =
                |one: &&Subject| one.device == entry.device && one.name == entry.design && one.input == entry.input;
            begun.iter().any(is_of)
        }),
    }
}
