//! The datasheet of this machine, with where each value comes from.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::System;
use super::facts::{Clock, Facts};
use crate::device::{Device, catalogue};
use crate::error::Result;
use crate::space::Precision;

/// Multiply-accumulate instructions that a core is taken to begin in one clock: two on x86 since 2013, one on Arm's smaller cores.
/// Larger Arm cores have two or more, and some processors with 512-bit registers one.
const UNITS_X86: f64 = 2.0;
const UNITS_OTHER: f64 = 1.0;
/// Words in the names of processors of servers.
const SERVERS: [&str; 5] = ["xeon", "epyc", "opteron", "graviton", "neoverse"];
/// Words that say nothing of which processor it is.
const EMPTY_WORDS: [&str; 5] = ["cpu", "processor", "r", "tm", "with"];

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The system says so.
    Read,
    /// The catalogue has a device of this name.
    Catalogue,
    /// It follows from other values.
    Derived,
    /// It was measured here.
    Measured,
    /// It is likely.
    Guessed,
}

impl Basis {
    /// The word in datasheets.
    pub fn name(self) -> &'static str {
        match self {
            Basis::Read => "read",
            Basis::Catalogue => "catalogue",
            Basis::Derived => "derived",
            Basis::Measured => "measured",
            Basis::Guessed => "guessed",
        }
    }
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub basis: Basis,
    /// How, in some words.
    pub how: String,
}

impl<T> Fact<T> {
    /// A value, where it comes from, and how.
    pub fn new(value: T, basis: Basis, how: impl Into<String>) -> Fact<T> {
        Fact {
            value,
            basis,
            how: how.into(),
        }
    }
}

/// The datasheet of the machine that this runs on, as a unit with a peak for every precision. Absent values are unknown.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineSheet {
    /// Name of the hardware in ids.
    pub unit: String,
    /// Name of the hardware for people.
    pub name: String,
    /// One of [`CLASSES`](crate::device::CLASSES).
    pub class: Option<Fact<String>>,
    /// Main-memory bandwidth, in GB/s.
    pub memory_bandwidth_gb_s: Option<Fact<f64>>,
    /// Last-level on-chip memory, in MiB.
    pub on_chip_memory_mib: Option<Fact<f64>>,
    /// Cores that models run on.
    pub cores: Option<Fact<f64>>,
    /// Clock, in GHz.
    pub clock_ghz: Option<Fact<f64>>,
    /// Thermal design power, in W.
    pub tdp_w: Option<Fact<f64>>,
    /// Year of first availability.
    pub year: Option<Fact<f64>>,
    /// Peak arithmetic throughput of these cores at each precision, in GFLOP/s.
    pub peak_gflops: BTreeMap<Precision, Fact<f64>>,
    /// What is good to know and no value of a datasheet: memory, instructions.
    pub notes: Vec<String>,
}

impl MachineSheet {
    /// Describes the machine, or so many cores of it.
    ///
    /// # Errors
    /// A catalogue that does not parse.
    pub fn of(system: &System, threads: Option<usize>) -> Result<MachineSheet> {
        let facts = Facts::of(system);
        let name = facts.name.clone().unwrap_or_else(|| "this machine".into());
        let known = catalogue::named(&name)?;
        let known_value = |value: fn(&Device) -> Option<f64>| {
            let device = known.as_ref()?;
            Some(Fact::new(
                value(device)?,
                Basis::Catalogue,
                format!("as {}", device.unit),
            ))
        };
        let cores = cores(&facts, threads);
        let clock = facts.clock.map(clock);
        Ok(MachineSheet {
            unit: unit(&name),
            class: match &known {
                Some(device) => device
                    .class
                    .clone()
                    .map(|class| Fact::new(class, Basis::Catalogue, format!("as {}", device.unit))),
                None => class(&facts)
                    .map(|class| Fact::new(class.into(), Basis::Guessed, "from the names of processor and board")),
            },
            memory_bandwidth_gb_s: known_value(|device| device.memory_bandwidth_gb_s),
            on_chip_memory_mib: match facts.last_cache {
                Some((mib, level)) => Some(Fact::new(mib, Basis::Read, format!("all caches of level {level}"))),
                None => known_value(|device| device.on_chip_memory_mib),
            },
            tdp_w: known_value(|device| device.tdp_w).or_else(|| {
                let watts = facts.power_limit_w?;
                Some(Fact::new(
                    watts,
                    Basis::Read,
                    "sustained power that the packages are limited to",
                ))
            }),
            year: known_value(|device| device.year),
            peak_gflops: peaks(&facts, cores.as_ref(), clock.as_ref()),
            notes: notes(&facts),
            name,
            cores,
            clock_ghz: clock,
        })
    }

    /// The machine at a precision, as a device with the id of its unit. A precision without a peak of its own has none.
    pub fn device(&self, precision: Precision) -> Device {
        let value = |fact: &Option<Fact<f64>>| fact.as_ref().map(|fact| fact.value);
        Device {
            id: self.unit.clone(),
            unit: self.unit.clone(),
            class: self.class.as_ref().map(|fact| fact.value.clone()),
            peak_gflops: self.peak_gflops.get(&precision).map(|fact| fact.value),
            memory_bandwidth_gb_s: value(&self.memory_bandwidth_gb_s),
            on_chip_memory_mib: value(&self.on_chip_memory_mib),
            cores: value(&self.cores),
            clock_ghz: value(&self.clock_ghz),
            tdp_w: value(&self.tdp_w),
            year: value(&self.year),
            precision: Some(precision.into()),
            precisions: self.peak_gflops.keys().copied().collect(),
            batch_size: Some(1.0),
            runtime: None,
        }
    }

    /// Takes a measured peak at fp32 over, and those of other precisions in proportion.
    pub fn set_measured_peak(&mut self, gflops: f64) {
        const HOW: &str = "product of two matrices, fp32";
        let derived = self.peak_gflops.get(&Precision::Fp32).map(|fact| fact.value);
        for fact in self.peak_gflops.values_mut() {
            // They were derived by whole factors, and rounded.
            let factor = derived.map_or(1.0, |derived| (fact.value / derived).round());
            *fact = Fact::new(
                rounded(gflops * factor),
                Basis::Derived,
                format!("{factor} x the measured fp32"),
            );
        }
        self.peak_gflops
            .insert(Precision::Fp32, Fact::new(rounded(gflops), Basis::Measured, HOW));
    }

    /// Takes a measured bandwidth over.
    pub fn set_measured_bandwidth(&mut self, gb_s: f64) {
        let how = "copy of a buffer larger than the caches, bytes read and written";
        self.memory_bandwidth_gb_s = Some(Fact::new(rounded(gb_s), Basis::Measured, how));
    }

    /// The datasheet as [`read_toml`](crate::device::read_toml) reads it, where each value came from beside it.
    pub fn to_toml(&self, precision: Precision) -> String {
        let mut text = format!("unit = {}\nname = {}\n", quoted(&self.unit), quoted(&self.name));
        let numbers = [
            ("memory-bandwidth-gb-s", &self.memory_bandwidth_gb_s),
            ("on-chip-memory-mib", &self.on_chip_memory_mib),
            ("cores", &self.cores),
            ("clock-ghz", &self.clock_ghz),
            ("tdp-w", &self.tdp_w),
            ("year", &self.year),
        ];
        let class = self
            .class
            .as_ref()
            .map(|fact| Fact::new(quoted(&fact.value), fact.basis, fact.how.as_str()));
        text += &line("class", class.as_ref());
        for (key, fact) in numbers {
            text += &line(key, fact.as_ref());
        }
        for note in &self.notes {
            text += &format!("# {note}\n");
        }
        if self.memory_bandwidth_gb_s.is_none() {
            text += "# The bandwidth can be measured too; so can the peak.\n";
        }
        text += "\n[peak-gflops]\n";
        for (precision, fact) in &self.peak_gflops {
            text += &line(precision.name(), Some(fact));
        }
        text + &format!(
            "\n[[setting]]\nid = {}\nbatch-size = 1\nprecision = \"{precision}\"\n# runtime = \"...\"  # such as onnxruntime\n",
            quoted(&self.unit)
        )
    }
}

fn line<T: std::fmt::Display>(key: &str, fact: Option<&Fact<T>>) -> String {
    match fact {
        Some(fact) => format!("{key} = {}  # {}: {}\n", fact.value, fact.basis.name(), fact.how),
        None => format!("# {key} is unknown: take it from the datasheet\n"),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Three digits are more than a short benchmark, or a derivation, knows.
fn rounded(value: f64) -> f64 {
    let scale = 10_f64.powf(2.0 - value.abs().max(f64::MIN_POSITIVE).log10().floor());
    (value * scale).round() / scale
}

/// Words of letters and digits in lower case, joined by underscores: `amd_epyc`.
fn unit(name: &str) -> String {
    let before_clock = name.split('@').next().unwrap_or_default().to_lowercase();
    let words = before_clock.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<&str> = words
        .filter(|word| !word.is_empty() && !EMPTY_WORDS.contains(word))
        .collect();
    if words.is_empty() {
        "this_machine".into()
    } else {
        words.join("_")
    }
}

fn class(facts: &Facts) -> Option<&'static str> {
    let name = facts.name.as_ref()?.to_lowercase();
    let class = match () {
        () if SERVERS.iter().any(|word| name.contains(word)) => "server-cpu",
        () if facts.is_android => "mobile-cpu",
        () if facts.is_x86 => "desktop-cpu",
        () if facts.is_board => "board-cpu",
        () => return None,
    };
    Some(class)
}

fn cores(facts: &Facts, threads: Option<usize>) -> Option<Fact<f64>> {
    match (facts.cores, threads) {
        (Some(cores), Some(threads)) if threads < cores => {
            let how = format!("{threads} threads on a machine with {cores} cores");
            Some(Fact::new(threads as f64, Basis::Derived, how))
        }
        (Some(cores), _) => Some(Fact::new(
            cores as f64,
            Basis::Read,
            "cores, each once however many threads it runs",
        )),
        (None, threads) => threads.map(|threads| Fact::new(threads as f64, Basis::Derived, "threads")),
    }
}

fn notes(facts: &Facts) -> Vec<String> {
    let memory = facts.memory_gib.map(|gib| format!("memory: {gib:.1} GiB"));
    let vectors = facts.vectors.map(|vectors| {
        let mut text = format!("vectors: {} bits", vectors.bits);
        let features = [
            (vectors.fused, "multiplication and addition in one"),
            (vectors.int8, "dot products of 8-bit integers"),
            (vectors.fp16, "half precision"),
        ];
        for (_, feature) in features.into_iter().filter(|(has, _)| *has) {
            text += &format!(", {feature}");
        }
        text
    });
    memory.into_iter().chain(vectors).collect()
}

fn clock(clock: Clock) -> Fact<f64> {
    match clock {
        Clock::Base(ghz) => Fact::new(ghz, Basis::Read, "base clock"),
        Clock::Highest(ghz) => Fact::new(ghz, Basis::Read, "highest clock of a core"),
        Clock::Named(ghz) => Fact::new(ghz, Basis::Read, "in the name of the processor"),
        Clock::Now(ghz) => Fact::new(ghz, Basis::Read, "as it was at this moment"),
    }
}

/// Cores x clock x operations in one clock. Fewer bits than a number of 32 only help where there are instructions for them.
fn peaks(facts: &Facts, cores: Option<&Fact<f64>>, clock: Option<&Fact<f64>>) -> BTreeMap<Precision, Fact<f64>> {
    let (Some(cores), Some(clock), Some(vectors)) = (cores, clock, facts.vectors) else {
        return BTreeMap::new();
    };
    let units = if facts.is_x86 { UNITS_X86 } else { UNITS_OTHER };
    let lanes = f64::from(vectors.bits / 32);
    let operations = units * lanes * if vectors.fused { 2.0 } else { 1.0 };
    let fp32 = cores.value * clock.value * operations;
    let how = format!(
        "{} cores x {} GHz x {operations} FLOP/cycle ({units} units of {} bits assumed)",
        cores.value, clock.value, vectors.bits
    );
    let other = |has: bool, factor: f64| {
        let (factor, how) = if has {
            (factor, "with")
        } else {
            (1.0, "as fp32, without")
        };
        Fact::new(
            rounded(fp32 * factor),
            Basis::Derived,
            format!("{how} instructions of its own"),
        )
    };
    BTreeMap::from([
        (Precision::Fp32, Fact::new(rounded(fp32), Basis::Derived, how)),
        (Precision::Fp16, other(vectors.fp16, 2.0)),
        (Precision::Int8, other(vectors.int8, 4.0)),
        (Precision::Int4, other(false, 1.0)),
    ])
}
