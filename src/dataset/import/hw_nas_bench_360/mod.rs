//! Latency, energy and accuracy published with HW-NAS-Bench-360 (<https://github.com/roldebijvank/HW-NAS-Bench-360>):
//! NAS-Bench-201 on a Raspberry Pi 5 in several runtimes, at tasks of NAS-Bench-360, as a Parquet table.
//!
//! Only architectures that represent themselves were measured; what stands behind the others are copies of the rows of one
//! that upstream's notion of equal functions puts beside them, with its accuracy.

mod table;

use std::path::Path;

use self::table::{Line, Lines};
use super::latencies::degenerate_note;
use super::{Imported, Importer, described_device, file_at, only_spaces};
use crate::dataset::build::Builder;
use crate::dataset::deduplicate::deduplicate;
use crate::dataset::{AccuracyRow, DeviceValues, Manifest, Measurement, Origin, Source};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::progress::{Progress, Unit};
use crate::space::{Architecture, InputSize, NasBench201, Precision, SearchSpace};

const FILE: &str = "results/dataset.parquet";

/// A task of the table.
struct TaskOf360 {
    name: &'static str,
    input: InputSize,
    /// What is known of the accuracy; `None` where the number is no share of right answers.
    accuracy: Option<&'static str>,
}

/// Shapes of the inputs as in upstream's `config/pipeline_config.py`.
const TASKS: [TaskOf360; 3] = [
    TaskOf360 {
        name: "cifar100",
        input: InputSize { width: 32, height: 32 },
        accuracy: Some(
            "Top-1 accuracy on the CIFAR-100 test set after 200 epochs of training, as NAS-Bench-201's program gives it.",
        ),
    },
    TaskOf360 {
        name: "ninapro",
        input: InputSize { width: 16, height: 52 },
        accuracy: Some(
            "Top-1 accuracy on the test set of NinaPro DB5 in NAS-Bench-360 (gestures from muscle currents, 18 classes, one \
             channel of 16x52) after 200 epochs of training.",
        ),
    },
    // Flow through a medium, a regression: its score is an error or one less it, and negative for some.
    TaskOf360 {
        name: "darcy",
        input: InputSize { width: 88, height: 88 },
        accuracy: None,
    },
];

/// `results/dataset.parquet`.
pub(super) struct HwNasBench360;

impl Importer for HwNasBench360 {
    fn name(&self) -> &'static str {
        "hw-nas-bench-360"
    }

    fn reads(&self) -> &'static str {
        "dataset.parquet or its repository: nasbench201 on a Raspberry Pi 5"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        only_spaces(self, &["nasbench201"], space)?;
        let file = file_at(path, FILE)?;
        let mut reading = Reading {
            file: &file,
            builder: Builder::new(space),
            order: NasBench201.published_order(),
            copies: 0,
            failed: 0,
        };
        let lines = Lines::open(&file)?;
        progress.start("importing hw-nas-bench-360", Unit::Count("rows"), Some(lines.count()));
        for line in lines.rows()? {
            reading.add(line?)?;
            progress.advance(1);
        }
        progress.finish();
        reading.finish(space)
    }
}

/// A table being read.
struct Reading<'a> {
    file: &'a Path,
    builder: Builder,
    /// The architecture at every index.
    order: Vec<Architecture>,
    copies: usize,
    failed: usize,
}

impl Reading<'_> {
    fn add(&mut self, line: Line) -> Result<()> {
        let architecture = self.architecture(&line, line.architecture)?;
        if self.architecture(&line, line.representative)? != architecture {
            self.copies += 1;
            return Ok(());
        }
        if line.status != "ok" {
            self.failed += 1;
            return Ok(());
        }
        let task = TASKS.iter().find(|task| task.name == line.task);
        let task = task.ok_or_else(|| {
            let names = TASKS.map(|task| task.name).join(", ");
            self.malformed(&line, "task", &format!("one of {names}"), &format!("`{}`", line.task))
        })?;
        let architecture = self.builder.parsed_architecture(architecture);
        self.add_measurement(&line, task, architecture)?;
        self.add_accuracy(&line, task, architecture)
    }

    /// Latency and energy, if there are any.
    fn add_measurement(&mut self, line: &Line, task: &TaskOf360, architecture: u32) -> Result<()> {
        let mut values = DeviceValues::default();
        for (metric, column, value) in [
            (Metric::Latency, "lat_ms_median", line.latency_ms),
            (Metric::Energy, "energy_mj", line.energy_mj),
        ] {
            if let Some(value) = self.positive(line, column, value)? {
                values.insert(metric, value);
            }
        }
        if !values.is_empty() {
            let device = self.device(line);
            let input = self.builder.input(task.input)?;
            self.builder.measurement(Measurement {
                device,
                architecture,
                precision: Precision::Fp32.into(),
                input,
                values,
                origin: Origin::Measured,
            });
        }
        Ok(())
    }

    /// The accuracy, where there is one and the task's is one.
    fn add_accuracy(&mut self, line: &Line, task: &TaskOf360, architecture: u32) -> Result<()> {
        let (Some(_), Some(accuracy_percent)) = (task.accuracy, line.accuracy.filter(|value| !value.is_nan())) else {
            return Ok(());
        };
        if !(0.0..=100.0).contains(&accuracy_percent) {
            let found = accuracy_percent.to_string();
            return Err(self.malformed(line, "accuracy", "a percentage from 0 to 100", &found));
        }
        let task = self.builder.task(task.name)?;
        self.builder.accuracy(AccuracyRow {
            task,
            architecture,
            precision: Precision::Fp32.into(),
            accuracy_percent,
            origin: Origin::Measured,
        });
        Ok(())
    }

    fn architecture(&self, line: &Line, index: i64) -> Result<Architecture> {
        let found = usize::try_from(index).ok().and_then(|index| self.order.get(index));
        found.cloned().ok_or_else(|| {
            let expected = format!("an index below {}", self.order.len());
            self.malformed(line, "arch_idx", &expected, &index.to_string())
        })
    }

    /// A value above zero, or none; -1 and NaN are none.
    fn positive(&self, line: &Line, column: &str, value: Option<f64>) -> Result<Option<f64>> {
        match value.filter(|value| !value.is_nan() && *value != -1.0) {
            Some(value) if value > 0.0 && value.is_finite() => Ok(Some(value)),
            None => Ok(None),
            Some(value) => Err(self.malformed(line, column, "a number above zero", &value.to_string())),
        }
    }

    /// The device in its runtime, added on first use.
    fn device(&mut self, line: &Line) -> u32 {
        let id = format!("{}_{}", line.device, line.framework);
        let known = self.builder.device(&id);
        known.unwrap_or_else(|| {
            let described = described_device(&id, &line.device);
            let runtime = described.runtime.clone().or(Some(line.framework.clone()));
            self.builder.add_device(Device { runtime, ..described })
        })
    }

    fn malformed(&self, line: &Line, column: &str, expected: &str, found: &str) -> Error {
        Error::Malformed {
            path: self.file.to_path_buf(),
            line: None,
            column: Some(format!("row {}, {column}", line.number)),
            expected: expected.into(),
            found: found.into(),
            hint: "Get the file again.".into(),
        }
    }

    fn finish(mut self, space: &dyn SearchSpace) -> Result<Imported> {
        let contradicted = |what: &str, count: usize| Error::Malformed {
            path: self.file.to_path_buf(),
            line: None,
            column: None,
            expected: format!("{what} of an architecture the same wherever it stands"),
            found: format!("{count} rows that contradict an earlier one"),
            hint: "Get the file again.".into(),
        };
        deduplicate(self.builder.measurements_mut()).map_err(|found| contradicted("the values", found.count))?;
        deduplicate(self.builder.accuracies_mut()).map_err(|found| contradicted("the accuracy", found.count))?;
        let mut notes = Vec::new();
        if self.copies > 0 {
            notes.push(format!(
                "{} rows left out: copies of the rows of another architecture, not measured themselves",
                self.copies
            ));
        }
        if self.failed > 0 {
            notes.push(format!("{} rows left out: their status is not ok", self.failed));
        }
        notes.push(
            "cifar100: for a fifth of the architectures the accuracies are not those of nats-bench, and the two do not merge; \
             import the measurements.csv made here with `csv` to have only the latencies"
                .into(),
        );
        notes.push("darcy: no accuracies, since its score is an error of a regression".into());
        notes.extend(self.degenerate_notes());
        Ok(Imported {
            manifest: manifest(space),
            dataset: self.builder.finish(),
            notes,
        })
    }

    fn degenerate_notes(&self) -> Vec<String> {
        let dataset = self.builder.dataset();
        let mut notes = Vec::new();
        for (position, device) in dataset.devices.iter().enumerate() {
            for (input, size) in dataset.inputs.iter().enumerate() {
                let rows = dataset.measurements.iter();
                let latencies: Vec<f64> = rows
                    .filter(|row| row.device as usize == position && usize::from(row.input) == input)
                    .filter_map(|row| row.value(Metric::Latency))
                    .collect();
                notes.extend(degenerate_note(&format!("{} at {size}", device.id), &latencies));
            }
        }
        notes
    }
}

fn manifest(space: &dyn SearchSpace) -> Manifest {
    let accuracies = TASKS
        .iter()
        .filter_map(|task| Some((task.name.into(), task.accuracy?.into())));
    Manifest {
        space: space.id().into(),
        description: "NAS-Bench-201 latencies and energies on a Raspberry Pi 5, and accuracies beyond images.".into(),
        tasks: accuracies.collect(),
        sources: vec![Source {
            name: "HW-NAS-Bench-360".into(),
            url: "https://github.com/roldebijvank/HW-NAS-Bench-360".into(),
            licence: "not stated".into(),
            measured:
                "Median latency and energy of one input, fp32, on one core, in LiteRT and ONNX Runtime, by the authors \
                       of HW-NAS-Bench-360: 32x32 CIFAR-100, 16x52 NinaPro and 88x88 Darcy Flow (one channel each)."
                    .into(),
        }],
        ..Manifest::default()
    }
}
