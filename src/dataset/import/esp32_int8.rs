//! Accuracies of NAS-Bench-201's networks before and after post-training quantization to 8-bit integers for an ESP32: a table
//! without a header, with a line for every network and seed of its training (index, seed, task, fp32 and int8 accuracy in %).

use std::collections::BTreeMap;
use std::path::Path;

use super::scale::{Scale, Scales};
use super::{Imported, Importer, file_at, only_spaces, published_index};
use crate::dataset::build::Builder;
use crate::dataset::table::{Row, Table};
use crate::dataset::{AccuracyRow, Manifest, Origin, Source};
use crate::error::{Error, Result};
use crate::progress::{Progress, Unit};
use crate::space::{NasBench201, Precision, SearchSpace};
use crate::stats;

const FILE: &str = "result.csv";
const TASK: &str = "cifar10";

const NAMES: &[&str] = &["NAS-Bench-201 index", "seed", "task", "fp32 accuracy", "int8 accuracy"];
const INDEX: usize = 0;
const SEED: usize = 1;
const TASK_NAME: usize = 2;
/// Precisions, and the columns with the accuracies at them.
const ACCURACIES: [(Precision, usize); 2] = [(Precision::Fp32, 3), (Precision::Int8, 4)];

/// `result.csv`.
pub(super) struct Esp32Int8;

/// What the table says of one training of a network.
struct Run {
    line: u64,
    /// In percent, in the order of [`ACCURACIES`].
    percent: [f64; ACCURACIES.len()],
}

/// What the table holds.
#[derive(Default)]
struct Runs {
    /// The runs of every network, by its index and their seeds.
    of_networks: BTreeMap<usize, BTreeMap<u64, Run>>,
    /// Rows that say exactly what an earlier one says.
    repeated: usize,
}

impl Importer for Esp32Int8 {
    fn name(&self) -> &'static str {
        "esp32-int8"
    }

    fn reads(&self) -> &'static str {
        "result.csv (index, seed, task, fp32 and int8 accuracy) or its folder: accuracies of nasbench201 at fp32 and int8"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        only_spaces(self, &["nasbench201"], space)?;
        let file = file_at(path, FILE)?;
        let bytes = file.metadata().map_or(0, |found| found.len());
        progress.start("importing esp32-int8", Unit::Bytes, Some(bytes));
        let networks = NasBench201.published_order();
        let runs = Runs::read(&file, networks.len(), progress)?;
        progress.finish();
        let mut builder = Builder::new(space);
        let task = builder.task(TASK)?;
        for (&index, of_network) in &runs.of_networks {
            let architecture = builder.parsed_architecture(networks[index].clone());
            for (place, (precision, _)) in ACCURACIES.into_iter().enumerate() {
                let of_seeds: Vec<f64> = of_network.values().map(|run| run.percent[place]).collect();
                builder.accuracy(AccuracyRow {
                    task,
                    architecture,
                    precision: precision.into(),
                    accuracy_percent: stats::mean(&of_seeds).unwrap_or_default(),
                    origin: Origin::Measured,
                });
            }
        }
        Ok(Imported {
            manifest: manifest(space),
            dataset: builder.finish(),
            notes: runs.notes(networks.len()),
        })
    }
}

impl Runs {
    fn read(file: &Path, networks: usize, progress: &dyn Progress) -> Result<Runs> {
        let mut runs = Runs::default();
        let mut scales = Scales::default();
        Table::without_header(file, NAMES, progress)?.visit(|row| runs.add(row, networks, &mut scales))?;
        scales.expect(Scale::Percentages, file)?;
        if runs.of_networks.is_empty() {
            return Err(Error::Malformed {
                path: file.to_path_buf(),
                line: None,
                column: None,
                expected: "a row for every network and seed".into(),
                found: "none".into(),
                hint: "Get the file again.".into(),
            });
        }
        Ok(runs)
    }

    fn add(&mut self, row: &Row<'_>, networks: usize, scales: &mut Scales) -> Result<()> {
        let index = published_index(row, INDEX, networks)?;
        let text = row.required(SEED)?;
        let seed = text
            .parse()
            .map_err(|_| row.malformed(SEED, "a seed", format!("`{text}`"), "Get the file again."))?;
        let task = row.required(TASK_NAME)?;
        if task != TASK {
            return Err(row.malformed(TASK_NAME, TASK, format!("`{task}`"), "Remove rows of other tasks."));
        }
        let mut percent = [0.0; ACCURACIES.len()];
        for (percent, (_, column)) in percent.iter_mut().zip(ACCURACIES) {
            *percent = scales.read(row, column)?;
        }
        let run = Run {
            line: row.line(),
            percent,
        };
        let of_network = self.of_networks.entry(index).or_default();
        match of_network.get(&seed) {
            None => drop(of_network.insert(seed, run)),
            Some(earlier) if earlier.percent == run.percent => self.repeated += 1,
            Some(earlier) => return Err(contradiction(row, earlier, &run)),
        }
        Ok(())
    }

    fn notes(&self, networks: usize) -> Vec<String> {
        let mut by_seeds: BTreeMap<usize, usize> = BTreeMap::new();
        for of_network in self.of_networks.values() {
            *by_seeds.entry(of_network.len()).or_default() += 1;
        }
        let by_seeds: Vec<String> = (by_seeds.iter().rev())
            .map(|(seeds, networks)| format!("{networks} networks over {seeds} seeds"))
            .collect();
        let mut notes = vec![format!("accuracies are means: {}", by_seeds.join(", "))];
        if self.repeated > 0 {
            notes.push(format!("{} rows repeat another exactly: left out", self.repeated));
        }
        let absent = networks - self.of_networks.len();
        if absent > 0 {
            notes.push(format!("{absent} networks of the space have no row"));
        }
        notes
    }
}

fn contradiction(row: &Row<'_>, earlier: &Run, found: &Run) -> Error {
    let place = usize::from(earlier.percent[0] == found.percent[0]);
    row.malformed(
        ACCURACIES[place].1,
        format!("{} %, as in line {}", earlier.percent[place], earlier.line),
        format!("{} %", found.percent[place]),
        "Both lines name the same network and seed: remove the wrong one.",
    )
}

fn manifest(space: &dyn SearchSpace) -> Manifest {
    let note = "Top-1 accuracy on CIFAR-10, mean over the seeds at hand: fp32 as trained, int8 after post-training quantization.";
    Manifest {
        space: space.id().into(),
        description: "Accuracies of NAS-Bench-201's networks before and after quantization to 8 bits for an ESP32."
            .into(),
        tasks: [(TASK.into(), note.into())].into(),
        sources: vec![Source {
            name: "NAS-Bench-201 at int8 on an ESP32".into(),
            measured: "Accuracy of networks with NAS-Bench-201's trained weights, and of the same after post-training \
                       quantization to 8-bit integers for an ESP32."
                .into(),
            ..Source::default()
        }],
        ..Manifest::default()
    }
}
