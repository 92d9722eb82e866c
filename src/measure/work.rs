//! Measures every design in every round, and sums up what came of it.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use super::energy::{EnergyMeter, mean_energy, with_energy};
use super::host::{Activity, Busy, HostState};
use super::log::{Entry, RoundEntry, RunEntry, SAMPLES_FILE, SampleLog};
use super::subject::{Subject, devices, settle_unfinished, subjects};
use super::summary::LatencySummary;
use super::warning::{self, MeasureWarning};
use super::{Measured, Outcome, Refused, Request, table};
use crate::dataset::{self, Dataset, ImplausibleDevice, Manifest, implausible_devices};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::files::LockedFolder;
use crate::metric::Metric;
use crate::progress::{Progress, Unit};
use crate::runtime::{Runtime, Samples};
use crate::space::{Design, QuantPolicy};

/// Designs measured once before it is judged whether their latencies can be milliseconds.
pub(super) const JUDGED_AFTER: usize = 3;
/// Failures in a row, without any success, after which the fault is taken to be that of the runtime and not of the designs.
const HOPELESS_AFTER: usize = 3;

/// One run of measuring.
pub(super) struct Work<'a> {
    request: &'a Request<'a>,
    runtime: &'a dyn Runtime,
    devices: BTreeMap<QuantPolicy, Device>,
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
    pub(super) fn begin(
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
        let judged = subjects.iter().any(|subject| !subject.rounds_in(&log).is_empty());
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
    pub(super) fn run(&mut self, progress: &dyn Progress) -> Result<()> {
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
        subject.rounds_in(&self.log)
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
            input: named.input.clone(),
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
    pub(super) fn judge(&mut self) -> Result<()> {
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
                let device = self.devices.get(&design.policy)?;
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

    pub(super) fn nothing_measured(&self) -> Error {
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
    pub(super) fn finish(
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
    pub(super) fn measured(&self) -> Vec<Measured> {
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
            energy_mj: mean_energy(&entries),
        })
    }

    pub(super) fn outcome(&self, measured: Vec<Measured>, added: usize) -> Outcome {
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
