//! What Accel-NASBench published (Ahmad et al., *Accel-NASBench: Sustainable Benchmarking for Accelerator-Aware NAS*, DAC 2024,
//! <https://github.com/afzalxo/Accel-NASBench>): networks of MobileNet-V2 blocks, trained shortly on ImageNet and measured on
//! accelerators. A tar archive with a JSON file for every network.

mod platform;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use self::platform::{Performance, Platform};
use super::archive::{shown, visit_files};
use super::{Imported, Importer, locate, only_spaces};
use crate::dataset::build::Builder;
use crate::dataset::deduplicate::average;
use crate::dataset::read::refuse_fractions;
use crate::dataset::{AccuracyRow, DeviceValues, Manifest, Measurement, Origin, Source};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::progress::{Progress, Unit};
use crate::space::{Precision, SearchSpace};

const FILE: &str = "anb_dataset_jsons.tar.gz";
const TASK: &str = "imagenet";

/// One file of the archive. It holds more: top-5 accuracy, training time, MACs, parameters.
#[derive(Deserialize)]
struct Record {
    architecture: Map<String, Value>,
    metrics: Metrics,
    #[serde(default)]
    platform_perf: BTreeMap<String, Performance>,
}

#[derive(Deserialize)]
struct Metrics {
    val_top1: f64,
}

/// `anb_dataset/anb_dataset_jsons.tar.gz`.
pub(super) struct AccelNasBench;

impl Importer for AccelNasBench {
    fn name(&self) -> &'static str {
        "accel-nasbench"
    }

    fn reads(&self) -> &'static str {
        "a clone of afzalxo/Accel-NASBench or its anb_dataset_jsons.tar.gz: accuracies and latencies of mobilenet_v2"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        only_spaces(self, &["mobilenet_v2"], space)?;
        let file = if path.is_file() {
            path.to_path_buf()
        } else {
            locate(path, &["anb_dataset", "."], FILE)?.join(FILE)
        };
        let mut reading = Reading::new(&file, space);
        progress.start("importing accel-nasbench", Unit::Count("networks"), None);
        visit_files(&file, |name, content| {
            if name.ends_with(".json") {
                reading.add(name, content)?;
                progress.advance(1);
            }
            Ok(())
        })?;
        progress.finish();
        reading.finish()
    }
}

/// An archive being read.
struct Reading<'a> {
    file: &'a Path,
    builder: Builder,
    /// Number of each platform's device, and how many networks it measured.
    measured: BTreeMap<Platform, (u32, usize)>,
}

impl<'a> Reading<'a> {
    fn new(file: &'a Path, space: &'static dyn SearchSpace) -> Self {
        Reading {
            file,
            builder: Builder::new(space),
            measured: BTreeMap::new(),
        }
    }

    /// Adds one file of the archive.
    fn add(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let record: Record = serde_json::from_slice(content)
            .map_err(|error| self.malformed(name, "an object with architecture and metrics", &error.to_string()))?;
        let text = Value::Object(record.architecture).to_string();
        let architecture = (self.builder.architecture(&text))
            .map_err(|error| self.malformed(name, "an architecture of mobilenet_v2", &error.to_string()))?;
        let accuracy_percent = record.metrics.val_top1;
        if !(0.0..=100.0).contains(&accuracy_percent) {
            return Err(self.malformed(name, "a val_top1 from 0 to 100 %", &accuracy_percent.to_string()));
        }
        let task = self.builder.task(TASK)?;
        self.builder.accuracy(AccuracyRow {
            task,
            architecture,
            precision: Precision::Fp32.into(),
            accuracy_percent,
            origin: Origin::Measured,
        });
        for (key, performance) in &record.platform_perf {
            let platform = Platform::of(key).ok_or_else(|| {
                self.malformed(name, "platforms named latency_* or throughput_*", &format!("`{key}`"))
            })?;
            if record.platform_perf.contains_key(&platform.latency_key()) == platform.is_throughput() {
                continue;
            }
            match performance.mean() {
                None => {}
                Some(value) if value.is_finite() && value > 0.0 => self.add_latency(platform, architecture, value)?,
                Some(value) => return Err(self.malformed(name, &format!("a {key} above 0"), &value.to_string())),
            }
        }
        Ok(())
    }

    /// Adds what a platform measured of a network.
    fn add_latency(&mut self, platform: Platform, architecture: u32, value: f64) -> Result<()> {
        let builder = &mut self.builder;
        let (device, count) = match self.measured.entry(platform.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let number = builder.add_device(platform.device());
                entry.insert((number, 0))
            }
        };
        *count += 1;
        let device = *device;
        let precision = builder.device_mut(device).runs_at();
        let input = builder.input(builder.dataset().space.default_input())?;
        builder.measurement(Measurement {
            device,
            architecture,
            precision,
            input,
            values: DeviceValues::of(Metric::Latency, platform.latency_ms(value)),
            origin: Origin::Measured,
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Imported> {
        let networks = self.builder.dataset().accuracies.len();
        if networks == 0 {
            return Err(Error::Malformed {
                path: self.file.to_path_buf(),
                line: None,
                column: None,
                expected: "a file result_<number>.json for every network".into(),
                found: "none".into(),
                hint: "Get the archive again from a clone of Accel-NASBench.".into(),
            });
        }
        refuse_fractions(self.file, self.builder.dataset())?;
        let repeats = average(self.builder.accuracies_mut());
        average(self.builder.measurements_mut());
        let mut notes = Vec::new();
        if repeats.repeated > 0 {
            notes.push(format!(
                "{} architectures were trained and measured more than once, with accuracies that differ by up to {:.1} %: their \
                 rows are the means",
                repeats.repeated,
                100.0 * repeats.furthest
            ));
        }
        for (platform, (_, measured)) in &self.measured {
            notes.push(platform.note(networks - measured));
        }
        Ok(Imported {
            manifest: manifest(self.builder.dataset().space),
            dataset: self.builder.finish(),
            notes,
        })
    }

    fn malformed(&self, name: &str, expected: &str, found: &str) -> Error {
        Error::Malformed {
            path: self.file.to_path_buf(),
            line: None,
            column: Some(shown(name)),
            expected: expected.into(),
            found: found.trim_end_matches('.').into(),
            hint: "Get the archive again from a clone of Accel-NASBench.".into(),
        }
    }
}

fn manifest(space: &dyn SearchSpace) -> Manifest {
    let recipe = "Top-1 accuracy on the ImageNet validation set after 16 epochs of training at 160, then 192 pixels, one seed: about \
                  10 points below full training. Rankings and differences count, not levels.";
    let measured = "A100: images per second at mixed precision; neither batch size nor image size is documented, latencies are those \
                    of one image and taken to be at 224x224. TPU v2: images per second on one core at batch 64, as the latency of a \
                    batch. ZCU102: latency of one image on one thread, int8. By the authors of Accel-NASBench.";
    Manifest {
        space: space.id().into(),
        description: "Networks of MobileNet-V2 blocks on accelerators, with ImageNet accuracies after short training."
            .into(),
        tasks: [(TASK.into(), recipe.into())].into(),
        sources: vec![Source {
            name: "Accel-NASBench".into(),
            url: "https://github.com/afzalxo/Accel-NASBench".into(),
            licence: "Apache-2.0".into(),
            measured: measured.into(),
        }],
        ..Manifest::default()
    }
}
