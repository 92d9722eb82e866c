//! The library in one place: open a checkpoint, know, describe or adapt to a device, predict, design.

mod settings;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::OnceLock;

pub use settings::SettingProposals;

use crate::checkpoint::Checkpoint;
use crate::compute::{Backend, ComputeDevice};
use crate::dataset::Dataset;
use crate::device::{self, Device, catalogue};
use crate::error::{Error, Result};
use crate::optimize::{Optimizer, Proposals, Request, best_of_listed, nothing_proposed};
use crate::predict::probes::CANDIDATES as PROBE_CANDIDATES;
use crate::predict::{DeviceModel, Prediction, Predictor, Probe};
use crate::search::Limits;
use crate::seed::Seed;
use crate::space::{Architecture, InputSize, SearchSpace};

/// Random architectures that the range of typical limits is taken from.
const TYPICAL_SAMPLES: usize = 500;
/// Most limits of one front.
const MAX_LIMITS: usize = 1000;

/// A checkpoint, ready to be asked about devices and designs. It may be shared between threads.
pub struct Advisor {
    checkpoint: Checkpoint,
    compute: ComputeDevice,
    seed: Seed,
    predictor: Predictor,
    /// Built when the first design is asked for.
    optimizer: OnceLock<Optimizer>,
}

/// The architectures to measure on a new device, with what they are expected to bring.
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenProbes {
    /// The architectures, the most telling first; fewer than asked for where no more are worth measuring.
    pub architectures: Vec<Architecture>,
    /// How far predictions are expected to be off beside noise, as a factor less one (0.1 is about 10 %): before the first
    /// probe, after each, and after one more than there are.
    pub expected_errors: Vec<f64>,
}

/// The design for one of many limits.
#[derive(Debug, Clone, PartialEq)]
pub struct ParetoPoint {
    /// The limit on latency, in ms.
    pub limit_ms: f64,
    /// All limits that it was chosen within.
    pub limits: Limits,
    /// Position of its setting, where several were asked about.
    pub setting: usize,
    /// The design, or the closest one.
    pub proposals: Proposals,
}

impl Advisor {
    /// Opens a checkpoint, a folder or one that the library carries by its name, such as `nasbench201`, to compute on the CPU,
    /// with seed 0.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for a folder that is no checkpoint or is damaged, [`Error::Io`].
    pub fn open(checkpoint: impl AsRef<Path>) -> Result<Advisor> {
        Advisor::open_with(checkpoint, Backend::default(), Seed(0))
    }

    /// Opens a checkpoint to compute on `backend`. Every random choice follows from `seed`.
    ///
    /// # Errors
    /// As [`Advisor::open`], and [`Error::Invalid`] for a backend that this build lacks.
    pub fn open_with(checkpoint: impl AsRef<Path>, backend: Backend, seed: Seed) -> Result<Advisor> {
        let compute = backend.device()?;
        let checkpoint = Checkpoint::resolve(checkpoint.as_ref())?;
        Ok(Advisor {
            predictor: checkpoint.predictor(&compute)?,
            checkpoint,
            compute,
            seed,
            optimizer: OnceLock::new(),
        })
    }

    /// The same checkpoint for networks that run at another input size than those that it learned from; see [`Predictor::at_input`].
    pub fn at_input(self, input: InputSize) -> Advisor {
        if self.space().resolution_is_a_gene() || input == self.predictor.encoder.input_size() {
            return self;
        }
        Advisor {
            predictor: self.predictor.at_input(input),
            ..self
        }
    }

    /// The search space of the checkpoint, which parses and prints architectures.
    pub fn space(&self) -> &'static dyn SearchSpace {
        self.predictor.space
    }

    /// The predictor of the checkpoint.
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// The optimizer of the checkpoint.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for a checkpoint without one.
    pub fn optimizer(&self) -> Result<&Optimizer> {
        if let Some(optimizer) = self.optimizer.get() {
            return Ok(optimizer);
        }
        let optimizer = self.checkpoint.optimizer(&self.compute)?;
        Ok(self.optimizer.get_or_init(|| optimizer))
    }

    /// A device by name: one that the checkpoint was trained on, one of the catalogue, a datasheet (a file ending in
    /// `.toml`), or one that was adapted to (a file ending in `.json`).
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest known name; whatever is wrong with the file; [`Error::Invalid`] for a datasheet
    /// that contradicts that of a known device of the same id, and for a device adapted with another checkpoint.
    pub fn device(&self, name: &str) -> Result<DeviceModel> {
        if name.ends_with(".json") {
            return DeviceModel::read(Path::new(name), &self.predictor);
        }
        match self.predictor.known(name) {
            Some(known) => Ok(known),
            None => self.describe(&self.datasheet(name)?),
        }
    }

    /// A device's datasheet: a file ending in `.toml`, or an id of the catalogue.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name among the devices of the checkpoint and the catalogue; whatever is wrong with
    /// the file.
    pub fn datasheet(&self, name: &str) -> Result<Device> {
        if name.ends_with(".toml") {
            return device::read_toml(Path::new(name));
        }
        catalogue::find(name).map_err(|error| self.with_known_devices(error))
    }

    /// A device of which the datasheet is known and nothing was measured. That of a device that the checkpoint was trained on
    /// gives that device.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a datasheet that contradicts that of a known device of the same id; [`Error::Unknown`] for a
    /// precision that does not exist.
    pub fn describe(&self, datasheet: &Device) -> Result<DeviceModel> {
        let Some(known) = self.predictor.known(&datasheet.id) else {
            return self.predictor.adapt(datasheet, &[], self.seed);
        };
        let trained_with = self.predictor.known_datasheet(&datasheet.id);
        match trained_with.and_then(|known| datasheet.contradiction(known)) {
            Some(key) => Err(Error::Invalid {
                what: format!("datasheet of device `{}`", datasheet.id),
                expected: "the values that the checkpoint knows it with, or an id of its own".into(),
                found: format!("another {key}"),
                hint: format!(
                    "Name the device `{}` to use what was measured on it, or give the datasheet another id.",
                    datasheet.id
                ),
            }),
            None => Ok(known),
        }
    }

    /// A device of which a few designs were measured; `datasheet` may name nothing but an id.
    ///
    /// # Errors
    /// As [`Predictor::adapt`].
    pub fn adapt(&self, datasheet: &Device, probes: &[Probe]) -> Result<DeviceModel> {
        self.predictor.adapt(datasheet, probes, self.seed)
    }

    /// A device of a dataset folder with what was measured on it, at the input of the checkpoint: the one called `device`, or the
    /// only one. A `device` that the dataset does not have is taken as a datasheet, see [`Advisor::datasheet`], of its only one.
    ///
    /// # Errors
    /// [`Error::Insufficient`] for a dataset without measurements at this input; [`Error::Invalid`] where several devices were
    /// measured and none of them is named, and for a dataset of another search space; whatever is wrong with the files.
    pub fn measured(&self, dataset: &Path, device: Option<&str>) -> Result<(Device, Vec<Probe>)> {
        let mut found = Dataset::read(dataset)?;
        let encoder = &self.predictor.encoder;
        if found.space.id() != self.space().id() {
            return Err(Error::Invalid {
                what: format!("dataset {}", dataset.display()),
                expected: format!("one of the search space {}", self.space().id()),
                found: found.space.id().into(),
                hint: "Name a checkpoint of that space.".into(),
            });
        }
        found = found.only_input(encoder.input_size())?;
        let on = |position: usize| {
            found
                .measurements
                .iter()
                .filter(move |row| row.device as usize == position)
        };
        let measured: Vec<usize> = (0..found.devices.len())
            .filter(|&position| on(position).next().is_some())
            .collect();
        let named = measured
            .iter()
            .find(|&&position| Some(found.devices[position].id.as_str()) == device);
        let (position, datasheet) = match (named, device, measured.as_slice()) {
            (Some(&position), ..) => (position, found.devices[position].clone()),
            (None, None, &[only]) => (only, found.devices[only].clone()),
            (None, Some(name), &[only]) => (only, self.datasheet(name)?),
            (None, _, several) => {
                let ids: Vec<&str> = several
                    .iter()
                    .map(|&position| found.devices[position].id.as_str())
                    .collect();
                return Err(Error::Invalid {
                    what: format!("device of dataset {}", dataset.display()),
                    expected: format!("one of those measured: {}", ids.join(", ")),
                    found: device.map_or("none named".into(), |name| format!("`{name}`")),
                    hint: "Name the one to adapt to.".into(),
                });
            }
        };
        let probes = on(position).map(|row| Probe {
            design: found.design(row.architecture, row.precision),
            values: row.values.iter().collect(),
        });
        Ok((datasheet, probes.collect()))
    }

    /// The architectures whose measurement on a new device tells most.
    ///
    /// # Errors
    /// [`Error::Invalid`] for none, or more than the search space has.
    pub fn choose_probes(&self, count: usize) -> Result<ChosenProbes> {
        let listed = self.space().enumerable();
        let usable = listed.map_or(PROBE_CANDIDATES, |listed| listed.size());
        if count == 0 || count > usable {
            let of = if listed.is_some() {
                "architectures"
            } else {
                "candidates drawn"
            };
            return Err(Error::Invalid {
                what: "number of probes".into(),
                expected: format!("1 to {usable}, the {of} of {}", self.space().id()),
                found: count.to_string(),
                hint: "5 to 20 are enough for most devices.".into(),
            });
        }
        // One more, to tell what it would bring.
        let mut architectures = self.predictor.choose_probes(count.saturating_add(1), None, self.seed);
        let expected_errors = self.predictor.expected_error(&architectures, self.seed);
        architectures.truncate(count);
        Ok(ChosenProbes {
            architectures,
            expected_errors,
        })
    }

    /// What is to be expected of architectures on a device, in their order.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a device of another checkpoint.
    pub fn predict(&self, device: &DeviceModel, architectures: &[Architecture]) -> Result<Vec<Prediction>> {
        self.predictor.predict(device, architectures)
    }

    /// The designs for a device and limits, in a millisecond or so.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for a checkpoint without an optimizer, of a space too large to list; as
    /// [`Predictor::check_limits`]; otherwise as
    /// [`Optimizer::propose`].
    pub fn design(&self, device: &DeviceModel, request: &Request) -> Result<Proposals> {
        let mut proposals = self.proposals(&[(device, request)])?;
        proposals.pop().ok_or_else(nothing_proposed)
    }

    /// The designs for many queries at once, for which an optimizer is needed only where the space cannot be listed.
    fn proposals(&self, queries: &[(&DeviceModel, &Request)]) -> Result<Vec<Proposals>> {
        for (_, request) in queries {
            self.predictor.check_limits(&request.limits)?;
        }
        match best_of_listed(&self.predictor, queries)? {
            Some(proposals) => Ok(proposals),
            None => self.optimizer()?.propose_batch(&self.predictor, queries, self.seed),
        }
    }

    /// The most accurate design for each of many limits on latency in ms, beside those of `request`, in the order of the limits
    /// and at the price of one batch.
    ///
    /// # Errors
    /// As [`Advisor::design`], and [`Error::Invalid`] for a limit that is not positive.
    pub fn pareto(&self, device: &DeviceModel, request: &Request, limits_ms: &[f64]) -> Result<Vec<ParetoPoint>> {
        self.pareto_among(std::slice::from_ref(device), request, limits_ms)
    }

    /// `count` limits on latency in ms that tell a device's designs apart: evenly spaced in their logarithm, from what one in
    /// twenty random architectures keeps to what nineteen in twenty keep, as predicted.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a device of another checkpoint, and for no limits or more than a thousand.
    pub fn typical_limits(&self, device: &DeviceModel, count: usize) -> Result<Vec<f64>> {
        self.typical_limits_among(std::slice::from_ref(device), count)
    }

    /// Adds the checkpoint's devices to those that would have worked.
    fn with_known_devices(&self, error: Error) -> Error {
        match error {
            Error::Unknown { kind, name, known } => {
                let mut all = self.predictor.known_devices();
                let others: Vec<String> = known.into_iter().filter(|id| !all.contains(id)).collect();
                all.extend(others);
                Error::Unknown { kind, name, known: all }
            }
            other => other,
        }
    }
}
