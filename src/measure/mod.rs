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
mod subject;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod timer;
mod warning;
mod work;

use std::collections::BTreeMap;
use std::path::Path;

use crate::device::Device;
use crate::device::machine::System;
use crate::error::{Error, Result};
use crate::files::LockedFolder;
use crate::progress::Progress;
use crate::runtime::Runtime;
use crate::seed::Seed;
use crate::space::{Design, InputSize, QuantPolicy, SearchSpace};

use work::Work;

pub use energy::{EnergyMeter, EnergyReading};
pub use host::{Activity, Busy, HostState};
pub use log::{Entry, RoundEntry, RunEntry, SAMPLES_FILE, SampleLog};
pub use protocol::Protocol;
pub use summary::LatencySummary;
pub use timer::timer_resolution_ns;
pub use warning::MeasureWarning;

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
    pub devices: &'a BTreeMap<QuantPolicy, Device>,
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
pub fn setting(unit: &Device, runtime: &str, precision: QuantPolicy, threads: usize, batch: u32) -> Device {
    let batched = if batch > 1 { format!("_b{batch}") } else { String::new() };
    Device {
        id: format!("{}_{runtime}_{precision}_{threads}t{batched}", unit.unit),
        precision: Some(precision),
        batch_size: Some(f64::from(batch)),
        ..unit.clone()
    }
}

/// What the state of a machine says about anything that is measured on so many threads of it.
pub fn host_warnings(host: &HostState, threads: usize) -> Vec<MeasureWarning> {
    warning::of_host(host, threads)
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
    let present = subject::present(request, progress)?;
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
