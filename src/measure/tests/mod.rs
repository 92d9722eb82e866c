//! The protocol with a runtime that takes as long as it is told to.

mod energy;
mod refused;
mod rows;
mod stopped;

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use super::*;
use crate::dataset::Dataset;
use crate::device::machine::tests::tree;
use crate::error::RunFailure;
use crate::metric::Metric;
use crate::progress::Silent;
use crate::runtime::{Round, Samples, Session};
use crate::space::{NasBench201, Precision, QuantPolicy};

/// What is done before each call, which is given its number from 0.
type Before = Box<dyn Fn(usize) -> Result<()> + Send + Sync>;

/// A runtime of models that hold their latency in ms, in which every run takes 1 % longer than the one before. A model that holds
/// anything else is refused.
struct Fake {
    calls: Mutex<Vec<(f64, Round)>>,
    before: Before,
    energy_mj: Option<f64>,
}

impl Fake {
    fn new() -> Fake {
        Fake::that(|_| Ok(()))
    }

    fn that(before: impl Fn(usize) -> Result<()> + Send + Sync + 'static) -> Fake {
        Fake {
            calls: Mutex::default(),
            before: Box::new(before),
            energy_mj: None,
        }
    }

    fn calls(&self) -> Vec<(f64, Round)> {
        self.calls.lock().unwrap().clone()
    }
}

impl Runtime for Fake {
    fn describe(&self) -> String {
        "fake 1.0".into()
    }

    fn load<'a>(&'a self, model: &Path, _threads: usize) -> Result<Box<dyn Session + 'a>> {
        let text = fs::read_to_string(model).unwrap();
        let base_ms = text.parse().map_err(|_| Error::Run {
            runtime: self.describe(),
            model: model.into(),
            failure: RunFailure::Refused(format!("operator {text}")),
            stderr: String::new(),
        })?;
        Ok(Box::new(Running { runtime: self, base_ms }))
    }
}

struct Running<'a> {
    runtime: &'a Fake,
    base_ms: f64,
}

impl Session for Running<'_> {
    fn measure(&mut self, round: &Round) -> Result<Samples> {
        let mut calls = self.runtime.calls.lock().unwrap();
        (self.runtime.before)(calls.len())?;
        calls.push((self.base_ms, *round));
        Ok(Samples {
            latency_ms: (0..round.runs)
                .map(|run| self.base_ms * (1.0 + 0.01 * run as f64))
                .collect(),
            energy_mj: self.runtime.energy_mj,
            ..Samples::default()
        })
    }
}

fn designs(count: usize) -> Vec<Design> {
    let mut rng = Seed(3).stream("designs");
    let usable =
        std::iter::repeat_with(|| NasBench201.sample(&mut rng)).filter(|one| NasBench201.output_depends_on_input(one));
    usable
        .take(count)
        .map(|one| Design::uniform(one, Precision::Fp32))
        .collect()
}

/// A place to measure into, on a board with 100 GFLOP/s.
struct Bench {
    folder: tempfile::TempDir,
    system: tempfile::TempDir,
    designs: Vec<Design>,
    devices: BTreeMap<QuantPolicy, Device>,
    protocol: Protocol,
    unfinished: Unfinished,
    unit_ms: f64,
    accept_implausible: bool,
    /// What the model of the design at a position holds.
    model: fn(usize) -> String,
}

/// 10 ms for the first design, one more for each that follows.
fn latency_of(position: usize) -> String {
    format!("{}", 10 + position)
}

impl Bench {
    fn new(count: usize) -> Bench {
        let board = Device {
            peak_gflops: Some(100.0),
            ..Device::named("board")
        };
        let precisions = [Precision::Fp32, Precision::Int8].map(QuantPolicy::from);
        Bench {
            folder: tempfile::tempdir().unwrap(),
            system: tree(&[
                ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance"),
                ("sys/devices/system/cpu/cpufreq/boost", "0"),
                ("proc/loadavg", "0.00 0.00 0.00 1/1 1"),
                ("proc/pressure/cpu", "some avg10=0.00 total=0"),
            ]),
            designs: designs(count),
            devices: precisions.map(|one| (one, setting(&board, "fake", one, 1, 1))).into(),
            protocol: Protocol::default(),
            unfinished: Unfinished::Refuse,
            unit_ms: 1.0,
            accept_implausible: false,
            model: latency_of,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("measured")
    }

    fn run(&self, runtime: &dyn Runtime, progress: &dyn Progress) -> Result<Outcome> {
        let export = |design: &Design| {
            let same = |one: &Design| one.architecture == design.architecture;
            let position = self.designs.iter().position(same).unwrap();
            Ok((self.model)(position).into_bytes())
        };
        let request = Request {
            folder: &self.path(),
            space: &NasBench201,
            designs: &self.designs,
            input: NasBench201.default_input(),
            devices: &self.devices,
            threads: 1,
            export: &export,
            protocol: self.protocol,
            seed: Seed(5),
            unfinished: self.unfinished,
            unit_ms: self.unit_ms,
            accept_implausible: self.accept_implausible,
            judge: None,
            is_local: true,
            system: &System::at(self.system.path()),
        };
        measure(&request, runtime, progress)
    }

    fn latencies(&self) -> Vec<f64> {
        let dataset = Dataset::read(&self.path()).unwrap();
        let rows = dataset.measurements.iter();
        rows.filter_map(|row| row.value(Metric::Latency)).collect()
    }
}
