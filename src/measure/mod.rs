//! How long do designs really take on a device? A protocol that gives latencies which repeat, and a dataset of them that can be
//! learned from and added to.
//!
//! [`measure`] exports every design, has a [`Runtime`] run it, and writes medians into `measurements.csv` of a dataset folder and
//! every single sample into `samples.jsonl` beside it ([`SampleLog`]). What makes latencies comparable is the [`Protocol`]: enough
//! warm-up, enough runs, and rounds that have every design once, each in another order, so that heat, clocks and other programs
//! reach all designs alike (Georges, Buytaert and Eeckhout, *Statistically Rigorous Java Performance Evaluation*, OOPSLA 2007).
//! What may be wrong nevertheless is told as a [`MeasureWarning`]; nothing is dropped for it.

mod energy;
mod host;
mod log;
mod protocol;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod timer;
mod warning;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::dataset::{self, Dataset, ImplausibleDevice, MANIFEST_FILE, Manifest, implausible_devices};
use crate::device::Device;
use crate::device::machine::System;
use crate::error::{Error, Result};
use crate::files::LockedFolder;
use crate::metric::Metric;
use crate::progress::{Progress, Unit};
use crate::runtime::{Round, Runtime, Samples, Session};
use crate::seed::Seed;
use crate::space::{Design, InputSize, Precision, SearchSpace};

pub use energy::{EnergyMeter, EnergyReading};
pub use host::{Activity, Busy, HostState};
pub use log::{Entry, RoundEntry, RunEntry, SAMPLES_FILE, SampleLog};
pub use protocol::Protocol;
pub use summary::LatencySummary;
pub use timer::timer_resolution_ns;
pub use warning::MeasureWarning;

/// Designs measured once before it is judged whether their latencies can be milliseconds.
const JUDGED_AFTER: usize = 3;
/// Failures in a row, without any success, after which the fault is taken to be that of the runtime and not of the designs.
const HOPELESS_AFTER: usize = 3;

/// What to do about an earlier run that was stopped before it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unfinished {
    /// Say so, and do nothing.
    #[default]
    Refuse,
    /// Measure what is missing.
    Resume,
    /// Measure anew what it began.
    Discard,
}

/// Turns a design into the bytes of a model.
pub type Exporter<'a> = dyn Fn(&Design) -> Result<Vec<u8>> + 'a;
/// Looks at the first latencies, in ms, before anything is kept.
pub type Judge<'a> = dyn Fn(&[(Design, f64)]) -> Result<()> + 'a;

/// What is measured, how, and where it is kept.
pub struct Request<'a> {
    /// The dataset folder, which is made if there is none.
    pub folder: &'a Path,
    /// The search space of the designs.
    pub space: &'static dyn SearchSpace,
    /// The designs; repeated ones are measured once.
    pub designs: &'a [Design],
    /// The input that they are exported for.
    pub input: InputSize,
    /// What is measured on, for every precision of the designs: see [`setting`].
    pub devices: &'a BTreeMap<Precision, Device>,
    /// Threads that every model is run with.
    pub threads: usize,
    /// How models are made.
    pub export: &'a Exporter<'a>,
    /// How often and how long.
    pub protocol: Protocol,
    /// Orders the designs, and draws the resamples of intervals.
    pub seed: Seed,
    /// What to do about an earlier run.
    pub unfinished: Unfinished,
    /// What latencies the runtime gives are multiplied by to have milliseconds: 1,000 for one that gives seconds.
    pub unit_ms: f64,
    /// Take latencies that are hardly possible as they are.
    pub accept_implausible: bool,
    /// A further judge of the first latencies, such as a predictor.
    pub judge: Option<&'a Judge<'a>>,
    /// Whether models run in this process, so that this machine's counters are about them: clock, load, energy.
    pub is_local: bool,
    /// This machine.
    pub system: &'a System,
}

/// A design that was measured in every round.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Id of the device.
    pub device: String,
    /// The design.
    pub design: Design,
    /// Its latency.
    pub latency: LatencySummary,
    /// Energy of one run in mJ, where it was measured.
    pub energy_mj: Option<f64>,
}

/// A design that was kept out.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The design.
    pub design: Design,
    /// Why.
    pub reason: String,
}

/// What came of measuring.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// The designs that were measured, now or earlier, in the order asked for.
    pub measured: Vec<Measured>,
    /// Those that were kept out.
    pub refused: Vec<Refused>,
    /// Designs that the dataset had already, of which some may have no samples and do not stand in `measured`.
    pub known: usize,
    /// Rows that are new in the dataset.
    pub added: usize,
    /// What may be wrong, and what to do about it.
    pub warnings: Vec<MeasureWarning>,
}

/// One setting of a hardware unit as a device of its own: `runtime`, precision, threads, and a batch of several inputs are part of
/// its id, and it is of the same unit as the others.
pub fn setting(unit: &Device, runtime: &str, precision: Precision, threads: usize, batch: u32) -> Device {
    let batched = if batch > 1 { format!("_b{batch}") } else { String::new() };
    Device {
        id: format!("{}_{runtime}_{precision}_{threads}t{batched}", unit.unit),
        precision: Some(precision),
        batch_size: Some(f64::from(batch)),
        ..unit.clone()
    }
}

/// Measures designs and adds them to the dataset of a folder. A design that the dataset has already is not measured again. What
/// was measured is on disk after every round of every design, so that whatever ends the work, another call with
/// [`Unfinished::Resume`] goes on with it.
///
/// # Errors
/// [`Error::Interrupted`] when `progress` says so; [`Error::Implausible`] for latencies that are probably in another unit, of which
/// nothing is kept; [`Error::Invalid`] for a protocol that cannot be followed; [`Error::Occupied`] for what an earlier run left
/// unfinished; [`Error::Insufficient`] if the runtime refuses every design; whatever the dataset that is there, or writing it,
/// gives.
pub fn measure(request: &Request<'_>, runtime: &dyn Runtime, progress: &dyn Progress) -> Result<Outcome> {
    request.protocol.check()?;
    let locked = LockedFolder::open(request.folder)?;
    let present = present(request, progress)?;
    let mut work = Work::begin(request, runtime, &locked, present.as_ref())?;
    let ended = work.run(progress);
    if matches!(ended, Err(Error::Interrupted { .. })) {
        work.judge()?;
    }
    // Designs that are complete are kept however the work ended; of two failures the first is told.
    let measured = work.measured();
    let added = work.finish(&locked, present, &measured);
    ended?;
    let outcome = work.outcome(measured, added?);
    if outcome.measured.is_empty() && outcome.known == 0 {
        return Err(work.nothing_measured());
    }
    Ok(outcome)
}

/// The dataset to add to. Whether it can be added to is told before the work, not after.
fn present(request: &Request<'_>, progress: &dyn Progress) -> Result<Option<(Manifest, Dataset)>> {
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
fn devices(request: &Request<'_>, present: Option<&Dataset>) -> (BTreeMap<Precision, Device>, Vec<MeasureWarning>) {
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
struct Subject {
    design: Design,
    name: String,
    device: String,
    refused: Option<String>,
    /// Whether the dataset has it already.
    known: bool,
}

struct Work<'a> {
    request: &'a Request<'a>,
    runtime: &'a dyn Runtime,
    devices: BTreeMap<Precision, Device>,
    subjects: Vec<Subject>,
    log: SampleLog,
    host: HostState,
    meter: Option<EnergyMeter>,
    warnings: Vec<MeasureWarning>,
    /// Measured and not judged yet, thus not kept.
    waiting: Vec<RoundEntry>,
    judged: bool,
}

impl<'a> Work<'a> {
    fn begin(
        request: &'a Request<'a>,
        runtime: &'a dyn Runtime,
        folder: &LockedFolder,
        present: Option<&(Manifest, Dataset)>,
    ) -> Result<Work<'a>> {
        let present = present.map(|(_, dataset)| dataset);
        let (devices, mut warnings) = devices(request, present);
        let subjects = subjects(request, &devices, present)?;
        let mut log = SampleLog::open(folder)?;
        settle_unfinished(request, &subjects, &mut log, folder)?;
        let host = HostState::of(request.system);
        let mut meter = None;
        if request.is_local {
            warnings.extend(warning::of_host(&host, request.threads));
            match EnergyMeter::open(request.system) {
                Ok(found) => meter = found,
                Err(error) => warnings.push(MeasureWarning::EnergyUnreadable {
                    reason: error.to_string(),
                }),
            }
        }
        let judged =
            (subjects.iter()).any(|subject| !log.of(&subject.device, &subject.name, &input(request)).is_empty());
        Ok(Work {
            request,
            runtime,
            devices,
            subjects,
            log,
            host,
            meter,
            warnings,
            waiting: Vec::new(),
            judged,
        })
    }

    /// All rounds of all designs that are not there yet.
    fn run(&mut self, progress: &dyn Progress) -> Result<()> {
        let protocol = self.request.protocol;
        let open: Vec<(usize, usize)> = (0..protocol.rounds)
            .flat_map(|round| {
                let order = protocol.order(self.subjects.len(), round, self.request.seed);
                order.into_iter().map(move |subject| (round, subject))
            })
            .filter(|&(round, subject)| !self.is_done(subject, round))
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        self.log.append(Entry::Run(self.run_entry()))?;
        progress.start("measuring", Unit::Count("rounds of designs"), Some(open.len() as u64));
        for &(round, subject) in &open {
            if progress.stopped() {
                return Err(self.interrupted());
            }
            if self.subjects[subject].refused.is_none() {
                progress.message(&self.subjects[subject].name);
                self.round_of(subject, round, progress)?;
            }
            progress.advance(1);
        }
        self.judge()?;
        progress.finish();
        Ok(())
    }

    fn run_entry(&self) -> RunEntry {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        RunEntry {
            edgefit: env!("CARGO_PKG_VERSION").into(),
            started_unix_s: now.map_or(0, |since| since.as_secs()),
            runtime: self.runtime.describe(),
            threads: self.request.threads,
            seed: self.request.seed.0,
            protocol: self.request.protocol,
            host: self.host.clone(),
        }
    }

    fn is_done(&self, subject: usize, round: usize) -> bool {
        let subject = &self.subjects[subject];
        subject.known || self.rounds_of(subject).iter().any(|entry| entry.round == round)
    }

    fn rounds_of(&self, subject: &Subject) -> Vec<&RoundEntry> {
        self.log.of(&subject.device, &subject.name, &input(self.request))
    }

    /// One design in one round. What the runtime does not run is kept out from here on.
    fn round_of(&mut self, subject: usize, round: usize, progress: &dyn Progress) -> Result<()> {
        let before = Activity::of(self.request.system);
        let samples = match self.samples(&self.subjects[subject].design) {
            Ok(samples) => samples,
            // Ctrl-C reaches the programs that were started too.
            Err(_) if progress.stopped() => return Err(self.interrupted()),
            // Neither is the fault of this design.
            Err(error @ (Error::Io { .. } | Error::Runtime { .. })) => return Err(error),
            Err(Error::Interrupted { .. }) => return Err(self.interrupted()),
            Err(error) => {
                self.subjects[subject].refused = Some(reason(&error));
                return self.give_up_where_hopeless();
            }
        };
        let busy = if self.request.is_local {
            before.until(&Activity::of(self.request.system))
        } else {
            Busy::default()
        };
        let named = &self.subjects[subject];
        let entry = RoundEntry {
            device: named.device.clone(),
            design: named.name.clone(),
            input: input(self.request),
            round,
            latency_ms: samples.latency_ms.iter().map(|value| self.in_ms(*value)).collect(),
            energy_mj: samples.energy_mj,
            runtime: samples.runtime,
            busy,
            warnings: samples.warnings,
        };
        if self.judged {
            return self.log.append(Entry::Round(entry));
        }
        self.waiting.push(entry);
        if self.waiting.len() >= JUDGED_AFTER {
            self.judge()?;
        }
        Ok(())
    }

    /// In milliseconds, to the nanosecond: more digits would only be noise in the file.
    fn in_ms(&self, value: f64) -> f64 {
        let ms = value * self.request.unit_ms;
        let rounded = (ms * 1e6).round() / 1e6;
        if rounded > 0.0 { rounded } else { ms }
    }

    /// Exports a design, and has it run. The file is gone afterwards: hundreds of models need not fit on the disk or in memory.
    fn samples(&self, design: &Design) -> Result<Samples> {
        let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
        let path = folder.path().join("model.onnx");
        fs::write(&path, (self.request.export)(design)?).map_err(Error::io("write", &path))?;
        let mut session = self.runtime.load(&path, self.request.threads)?;
        let round = self.request.protocol.round();
        match &self.meter {
            Some(meter) => with_energy(meter, session.as_mut(), &round),
            None => session.measure(&round),
        }
    }

    /// Looks at the first latencies and keeps them, or ends the work.
    fn judge(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        if !self.request.accept_implausible {
            self.check(&waiting)?;
        }
        self.judged = true;
        waiting
            .into_iter()
            .try_for_each(|entry| self.log.append(Entry::Round(entry)))
    }

    fn check(&self, entries: &[RoundEntry]) -> Result<()> {
        let designs: Vec<(Design, f64)> = entries
            .iter()
            .filter_map(|entry| {
                let subject = self.subjects.iter().find(|subject| subject.name == entry.design)?;
                let summary = LatencySummary::of(&[&entry.latency_ms], self.request.seed)?;
                Some((subject.design.clone(), summary.median_ms))
            })
            .collect();
        let rows: Vec<_> = designs
            .iter()
            .filter_map(|(design, latency_ms)| {
                let device = self.devices.get(&table::precision(design))?;
                let values = dataset::DeviceValues::of(Metric::Latency, *latency_ms);
                Some((device.id.as_str(), design, values))
            })
            .collect();
        let devices: Vec<Device> = self.devices.values().cloned().collect();
        let measured = table::dataset(self.request.space, self.request.input, &devices, &rows);
        if let Some(found) = implausible_devices(&measured).first() {
            return Err(Error::Implausible {
                what: "latencies measured".into(),
                expected: "milliseconds".into(),
                found: ImplausibleDevice {
                    unit: None,
                    ..found.clone()
                }
                .to_string(),
                hint: format!(
                    "{}Nothing was kept. Give the unit that they are in, or say that they are meant.",
                    found
                        .unit
                        .map_or(String::new(), |unit| format!("They look like {unit}. "))
                ),
            });
        }
        match self.request.judge {
            Some(judge) => judge(&designs),
            None => Ok(()),
        }
    }

    fn give_up_where_hopeless(&self) -> Result<()> {
        let refused = self.subjects.iter().filter(|subject| subject.refused.is_some()).count();
        let succeeded = !self.waiting.is_empty() || self.judged;
        if succeeded || refused < HOPELESS_AFTER || refused == self.subjects.len() {
            return Ok(());
        }
        Err(self.nothing_measured())
    }

    fn nothing_measured(&self) -> Error {
        let refused: Vec<&Subject> = self.subjects.iter().filter(|one| one.refused.is_some()).collect();
        let first = refused
            .first()
            .and_then(|one| Some(format!("{}: {}", one.name, one.refused.as_ref()?)));
        Error::Insufficient {
            what: format!("designs that {} runs", self.runtime.describe()),
            expected: "at least one".into(),
            found: format!(
                "none of the first {}. The first: {}",
                refused.len(),
                first
                    .unwrap_or_else(|| "nothing to measure".into())
                    .trim_end_matches('.')
            ),
            hint: "Look at this one first.".into(),
        }
    }

    fn interrupted(&self) -> Error {
        Error::Interrupted {
            state: Some(self.request.folder.join(SAMPLES_FILE)).filter(|path| path.exists()),
        }
    }

    /// Writes the rows of the designs that are complete; `Ok` holds how many are new.
    fn finish(
        &self,
        folder: &LockedFolder,
        present: Option<(Manifest, Dataset)>,
        measured: &[Measured],
    ) -> Result<usize> {
        let rows: Vec<_> = measured
            .iter()
            .filter(|one| !self.is_known(one))
            .map(|one| (one.device.as_str(), &one.design, one.values()))
            .collect();
        if rows.is_empty() {
            return Ok(0);
        }
        let named: HashSet<&str> = rows.iter().map(|(device, ..)| *device).collect();
        let devices = self
            .devices
            .values()
            .filter(|device| named.contains(device.id.as_str()));
        let devices: Vec<Device> = devices.cloned().collect();
        let found = table::dataset(self.request.space, self.request.input, &devices, &rows);
        let manifest = table::manifest(self.request, &self.runtime.describe());
        table::write(folder, present, (manifest, found))
    }

    fn is_known(&self, measured: &Measured) -> bool {
        let same = |one: &&Subject| one.design == measured.design;
        self.subjects.iter().find(same).is_some_and(|subject| subject.known)
    }

    /// The designs with samples of every round.
    fn measured(&self) -> Vec<Measured> {
        self.subjects
            .iter()
            .filter_map(|subject| self.summed_up(subject))
            .collect()
    }

    fn summed_up(&self, subject: &Subject) -> Option<Measured> {
        let entries = self.rounds_of(subject);
        let is_complete = (0..self.request.protocol.rounds).all(|round| entries.iter().any(|one| one.round == round));
        if !subject.known && (!is_complete || subject.refused.is_some()) {
            return None;
        }
        let rounds: Vec<&[f64]> = entries.iter().map(|entry| entry.latency_ms.as_slice()).collect();
        Some(Measured {
            device: subject.device.clone(),
            design: subject.design.clone(),
            latency: LatencySummary::of(&rounds, self.request.seed)?,
            energy_mj: energy_of(&entries),
        })
    }

    fn outcome(&self, measured: Vec<Measured>, added: usize) -> Outcome {
        let mut warnings = self.warnings.clone();
        let (mut entries, mut relative, mut summaries) = (Vec::new(), Vec::new(), Vec::new());
        let resolution_ns = self.host.timer_resolution_ns.filter(|_| self.request.is_local);
        for one in measured.iter().filter(|one| !self.is_known(one)) {
            let Some(subject) = self.subjects.iter().find(|subject| subject.design == one.design) else {
                continue;
            };
            let rounds = self.rounds_of(subject);
            let medians = rounds.iter().zip(&one.latency.rounds_ms);
            relative.extend(medians.map(|(entry, median_ms)| (entry.round, median_ms / one.latency.median_ms)));
            entries.extend(rounds);
            summaries.push((subject.name.as_str(), &one.latency));
        }
        warnings.extend(warning::of_rounds(&entries, &relative));
        warnings.extend(warning::of_designs(
            &summaries,
            self.request.protocol.runs,
            resolution_ns,
        ));
        let refused = self.subjects.iter().filter_map(|subject| {
            Some(Refused {
                design: subject.design.clone(),
                reason: subject.refused.clone()?,
            })
        });
        Outcome {
            refused: refused.collect(),
            known: self.subjects.iter().filter(|subject| subject.known).count(),
            added,
            warnings,
            measured,
        }
    }
}

/// The designs, each once, with what the dataset has of them.
fn subjects(
    request: &Request<'_>,
    devices: &BTreeMap<Precision, Device>,
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
            let precision = table::precision(design);
            let device = devices.get(&precision).ok_or_else(|| Error::Unknown {
                kind: "precision of the devices measured on",
                name: precision.to_string(),
                known: devices.keys().map(Precision::to_string).collect(),
            })?;
            Ok(Subject {
                name: design.print(request.space),
                device: device.id.clone(),
                refused: None,
                known: known.contains(&(device.id.as_str(), design.clone(), request.input)),
                design: design.clone(),
            })
        })
        .collect()
}

/// What an earlier run began and did not complete is not mixed with this one unnoticed.
fn settle_unfinished(
    request: &Request<'_>,
    subjects: &[Subject],
    log: &mut SampleLog,
    folder: &LockedFolder,
) -> Result<()> {
    let input = input(request);
    let begun: Vec<&Subject> = subjects
        .iter()
        .filter(|one| !one.known && !log.of(&one.device, &one.name, &input).is_empty())
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
            let is_of = |one: &&Subject| one.device == entry.device && one.name == entry.design;
            entry.input == input && begun.iter().any(is_of)
        }),
    }
}

fn input(request: &Request<'_>) -> String {
    request.input.to_string()
}

/// Warms up first, so that the counters are read around nothing but the runs that count.
fn with_energy(meter: &EnergyMeter, session: &mut dyn Session, round: &Round) -> Result<Samples> {
    session.measure(&Round {
        runs: 1,
        seconds: 0.0,
        ..*round
    })?;
    let before = meter.read();
    let mut samples = session.measure(&Round {
        warmup_runs: 0,
        warmup_seconds: 0.0,
        ..*round
    })?;
    let after = meter.read();
    if samples.energy_mj.is_none() {
        let spent = before
            .zip(after)
            .map(|(before, after)| meter.between_mj(&before, &after));
        samples.energy_mj = spent
            .map(|spent| spent / samples.latency_ms.len() as f64)
            .filter(|each| *each > 0.0);
    }
    Ok(samples)
}

/// The mean over the runs of the rounds that have one.
fn energy_of(entries: &[&RoundEntry]) -> Option<f64> {
    let rounds = entries
        .iter()
        .filter_map(|entry| Some((entry.energy_mj?, entry.latency_ms.len() as f64)));
    let (sum, runs) = rounds.fold((0.0, 0.0), |(sum, all), (each, runs)| (sum + each * runs, all + runs));
    (runs > 0.0).then(|| sum / runs)
}

/// Why a design was refused, without the name of its passing file.
fn reason(error: &Error) -> String {
    match error {
        Error::Run {
            runtime,
            failure,
            stderr,
            ..
        } => match stderr.lines().last() {
            Some(line) => format!("{runtime}: {failure} (its last words: {line})"),
            None => format!("{runtime}: {failure}"),
        },
        other => other.to_string(),
    }
}
