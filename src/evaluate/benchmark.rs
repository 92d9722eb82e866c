//! Named few-shot benchmarks: train on the known devices, adapt to the unseen ones, score, and set published figures beside.
//!
//! A benchmark is a TOML file of `configs/benchmarks/`, carried in the binary, or a user's own. Devices that the data at hand
//! lacks are named, never silently dropped from a mean.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::devices::ScoredDevice;
use super::predictor::{PredictorMean, PredictorReport, PredictorScoring, ProbeChoice, Protocol, score_predictor};
use crate::dataset::{Dataset, Reading};
use crate::error::{Error, Result};
use crate::files::{parse_toml, read_configuration};
use crate::metric::Metric;
use crate::predict::Ablation;
use crate::predict::fit::{FitOptions, fit};
use crate::predict::train::{Run, TrainingConfig};
use crate::progress::Progress;
use crate::seed::Seed;
use crate::space::{InputSize, QuantPolicy};

/// Path and text of every benchmark file, in order of path.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/benchmarks.rs"));

/// A figure that others published for a benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Published {
    /// Whose figure it is.
    pub method: String,
    /// Measurements taken on the unseen device.
    pub probes: usize,
    /// What was scored.
    pub protocol: Protocol,
    /// Mean rank correlation over the unseen devices.
    pub spearman: f64,
    /// Where it was published.
    pub source: String,
}

/// Which devices are known, which are unseen, and how much is measured on each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Benchmark {
    /// Its name, such as `ND`.
    pub name: String,
    /// What it tests, in a line.
    #[serde(default)]
    pub about: String,
    /// Search space.
    pub space: String,
    /// Input size at which latencies count, such as `32x32`; all by default.
    #[serde(default)]
    pub input: Option<String>,
    /// Devices to train on.
    pub known: Vec<String>,
    /// Devices to adapt to.
    pub unseen: Vec<String>,
    /// Architectures per known device.
    pub samples_per_device: usize,
    /// Draw one set of architectures for all known devices, as the published protocol does, instead of one for each.
    #[serde(default = "yes")]
    pub shared_architectures: bool,
    /// Numbers of probes.
    pub probes: Vec<usize>,
    /// Repeats with other random probes.
    pub repeats: usize,
    /// Training of the towers, as in `configs/predictor.toml`.
    #[serde(default)]
    pub towers: TrainingConfig,
    /// Parts to train without, see [`Ablation`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub without: BTreeSet<Ablation>,
    /// Published figures.
    #[serde(default)]
    pub published: Vec<Published>,
}

fn yes() -> bool {
    true
}

/// Which values count though there is something about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accepted {
    /// Unseen devices whose latencies are predicted count in the means.
    pub predicted: bool,
    /// Latencies that seem to be in another unit than ms are taken as they are.
    pub units: bool,
}

/// Scores of one benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct BenchmarkReport {
    /// What was run.
    pub benchmark: Benchmark,
    /// Known devices that the data lacks.
    pub absent_known: Vec<String>,
    /// Unseen devices that the data lacks; the means are over the others.
    pub absent_unseen: Vec<String>,
    /// Random and chosen probes under both protocols.
    pub reports: Vec<PredictorReport>,
    /// Seed of the run.
    pub seed: u64,
    /// Seconds for training.
    pub training_seconds: f64,
    /// Seconds for adapting to and scoring all devices, all numbers of probes and repeats.
    pub scoring_seconds: f64,
}

impl Benchmark {
    /// Names of the benchmarks in the binary, as on the command line.
    pub fn names() -> Vec<String> {
        FILES.iter().map(|(path, _)| stem(path)).collect()
    }

    /// The benchmark of this name in the binary.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn by_name(name: &str) -> Result<Benchmark> {
        let named = FILES.iter().find(|(path, _)| stem(path).eq_ignore_ascii_case(name));
        let (path, text) = named.ok_or_else(|| Error::Unknown {
            kind: "benchmark",
            name: name.into(),
            known: Benchmark::names(),
        })?;
        let benchmark: Benchmark = parse_toml(text, path.as_ref())?;
        benchmark.check().map(|()| benchmark)
    }

    /// The benchmark of this name in the binary, or that of a file whose name ends in `.toml`.
    ///
    /// # Errors
    /// As [`Benchmark::by_name`] and [`Benchmark::check`], and for a file that is no benchmark.
    pub fn find(name: &str) -> Result<Benchmark> {
        if !name.ends_with(".toml") {
            return Benchmark::by_name(name);
        }
        let benchmark: Benchmark = read_configuration(name.as_ref())?;
        benchmark.check().map(|()| benchmark)
    }

    /// The datasets of the benchmark's search space among these folders as one, without accuracies.
    ///
    /// # Errors
    /// What [`Dataset::read_all`] returns.
    pub fn dataset(
        &self,
        folders: &[PathBuf],
        precision: Option<QuantPolicy>,
        progress: &dyn Progress,
    ) -> Result<Dataset> {
        let reading = Reading {
            precision,
            space: Some(self.space.clone()),
            without_accuracies: true,
        };
        Dataset::read_all(folders, &reading, progress)
    }

    /// Checks what TOML cannot.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no devices, a device on both sides, an input that is no size, or training that cannot be.
    pub fn check(&self) -> Result<()> {
        let invalid = |what: &str, expected: &str, found: String| {
            Err(Error::Invalid {
                what: format!("{what} of benchmark {}", self.name),
                expected: expected.into(),
                found,
                hint: "Correct the benchmark's TOML file.".into(),
            })
        };
        if let Some(both) = self.known.iter().find(|device| self.unseen.contains(device)) {
            return invalid("devices", "none both known and unseen", format!("`{both}` in both"));
        }
        for (what, empty) in [
            ("known devices", self.known.is_empty()),
            ("unseen devices", self.unseen.is_empty()),
            ("probes", self.probes.is_empty()),
        ] {
            if empty {
                return invalid(what, "at least one", "none".into());
            }
        }
        self.input_size()?;
        self.options(Vec::new()).check()
    }

    fn input_size(&self) -> Result<Option<InputSize>> {
        self.input.as_deref().map(str::parse).transpose()
    }

    fn options(&self, devices: Vec<String>) -> FitOptions {
        FitOptions {
            devices,
            samples_per_device: Some(self.samples_per_device),
            shared_architectures: self.shared_architectures,
            towers: self.towers.clone(),
            without: self.without.clone(),
            ..FitOptions::default()
        }
    }

    /// Every choice of probes under every protocol.
    fn scorings(&self, devices: Vec<usize>, with_predicted: bool, seed: Seed) -> Vec<PredictorScoring> {
        let mut scorings = Vec::new();
        for choice in [ProbeChoice::Random, ProbeChoice::Chosen] {
            for protocol in [Protocol::Full, Protocol::Trimmed] {
                scorings.push(PredictorScoring {
                    metric: Metric::Latency,
                    devices: devices.clone(),
                    probes: self.probes.clone(),
                    repeats: self.repeats,
                    protocol,
                    choice,
                    with_predicted,
                    elsewhere: None,
                    like: None,
                    seed,
                });
            }
        }
        scorings
    }

    /// Trains, adapts and scores on what `dataset` holds of the devices; accuracies in it are not looked at.
    ///
    /// # Errors
    /// [`Error::Insufficient`] when all known or all unseen devices are absent, or latencies seem to be in another unit, and what
    /// [`fit`] and [`score_predictor`] return.
    pub fn run(&self, dataset: Dataset, accepted: Accepted, run: &Run) -> Result<BenchmarkReport> {
        let dataset = dataset.latencies_only(self.input_size()?);
        let present = |names: &[String]| -> (Vec<String>, Vec<String>) {
            names
                .iter()
                .cloned()
                .partition(|name| dataset.devices.iter().any(|device| device.id == *name))
        };
        let (known, absent_known) = present(&self.known);
        let (unseen, absent_unseen) = present(&self.unseen);
        if known.is_empty() || unseen.is_empty() {
            let absent = if known.is_empty() { &self.known } else { &self.unseen };
            return Err(Error::Insufficient {
                what: format!("devices of benchmark {}", self.name),
                expected: format!("at least one of {}", absent.join(", ")),
                found: "none of them in the dataset".into(),
                hint: "Import the source that measured them, and name that dataset.".into(),
            });
        }
        let devices = dataset.resolve_devices(&unseen)?;
        if !accepted.units {
            dataset.check_units(&devices)?;
        }
        let options = FitOptions {
            trust_units: accepted.units,
            ..self.options(known)
        };
        let scorings = self.scorings(devices, accepted.predicted, run.seed);
        // Before the training, which takes minutes.
        scorings.iter().try_for_each(PredictorScoring::check)?;
        let started = std::time::Instant::now();
        let predictor = fit(&dataset, &options, run)?;
        let training_seconds = started.elapsed().as_secs_f64();
        let started = std::time::Instant::now();
        let reports = (scorings.iter())
            .map(|scoring| score_predictor(&predictor, &dataset, None, scoring, run.progress))
            .collect::<Result<Vec<PredictorReport>>>()?;
        Ok(BenchmarkReport {
            benchmark: self.clone(),
            absent_known,
            absent_unseen,
            reports,
            seed: run.seed.0,
            training_seconds,
            scoring_seconds: started.elapsed().as_secs_f64(),
        })
    }
}

impl BenchmarkReport {
    /// The unseen devices, and which of them count in the means.
    pub fn devices(&self) -> &[ScoredDevice] {
        self.reports.first().map_or(&[], |report| &report.devices)
    }

    /// Means over the unseen hardware units for one choice of probes under one protocol, by number of probes.
    pub fn means(&self, choice: ProbeChoice, protocol: Protocol) -> &[PredictorMean] {
        let report = (self.reports.iter()).find(|report| report.probe_choice == choice && report.protocol == protocol);
        report.map_or(&[], |report| &report.mean)
    }
}

/// Name of a file without folders and extension.
fn stem(path: &str) -> String {
    let stem = std::path::Path::new(path).file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_benchmark_in_the_binary_can_be_run() {
        let names = Benchmark::names();
        for published in ["nd", "fd", "f1", "f2", "f3", "f4", "fa"] {
            assert!(names.iter().any(|name| name == published), "{published} is missing");
        }
        for name in names {
            let benchmark = Benchmark::by_name(&name).unwrap();
            assert!(benchmark.shared_architectures, "{name} is not drawn as published");
            assert!(name.eq_ignore_ascii_case(&benchmark.name));
            crate::space::by_id(&benchmark.space).unwrap();
            for device in benchmark.known.iter().chain(&benchmark.unseen) {
                crate::device::catalogue::find(device).unwrap();
            }
        }
    }

    #[test]
    fn a_device_on_both_sides_is_refused() {
        let mut benchmark = Benchmark::by_name("ND").unwrap();
        benchmark.unseen.push("pixel3".into());
        let message = benchmark.check().unwrap_err().to_string();
        assert!(message.contains("`pixel3` in both"), "{message}");
    }

    #[test]
    fn an_unknown_name_meets_the_nearest() {
        let message = Benchmark::by_name("gpu-knwon").unwrap_err().to_string();
        assert!(message.contains("gpu-known"), "{message}");
    }
}
