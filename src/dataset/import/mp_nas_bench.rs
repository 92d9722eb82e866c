//! Accuracies of MP-NAS-Bench201 (<https://github.com/Leannnnnnn/MP-NAS-Bench201>): NAS-Bench-201's networks trained with the
//! weights of their convolutions in 2, 4 or 8 bits, for 50 or 150 epochs, as CSV tables.

use std::path::{Path, PathBuf};

use super::scale::{Scale, Scales};
use super::{Imported, Importer, files_with_extension, only_spaces, published_index};
use crate::dataset::build::Builder;
use crate::dataset::deduplicate::average;
use crate::dataset::table::{Columns, Row, Table};
use crate::dataset::{AccuracyRow, Manifest, Origin, Source};
use crate::error::{Error, Result};
use crate::progress::{Progress, Unit};
use crate::space::{Architecture, NasBench201, NasBench201Mixed, Precision, SearchSpace};

const NAMES: &[&str] = &["nb201_idx", "weight_bits_per_edge", "test_acc"];
const INDEX: usize = 0;
const BITS: usize = 1;
const ACCURACY: usize = 2;
const COLUMNS: Columns = Columns {
    known: NAMES,
    required: NAMES,
    strict: false,
};

/// Edges of a cell.
const EDGES: usize = 6;
/// Cells of a network.
const CELLS: usize = 15;
/// Highest accuracy, in percent, of a training that failed: half a point above guessing one of CIFAR-10's ten classes.
const FAILED_PERCENT: f64 = 10.5;

/// Tables of a row for every network and policy: `50ep_cell_uniform.csv` and the like.
pub(super) struct MpNasBench;

/// A table, and how long its networks were trained.
struct Experiment {
    file: PathBuf,
    name: String,
    epochs: u32,
}

/// What was noticed in a table.
#[derive(Default)]
struct Noticed {
    rows: usize,
    /// Networks, with the same bits in all cells, that learned nothing.
    failed: usize,
    /// Networks whose cells differ in their bits.
    varied: usize,
}

impl Importer for MpNasBench {
    fn name(&self) -> &'static str {
        "mp-nas-bench"
    }

    fn reads(&self) -> &'static str {
        "a clone of MP-NAS-Bench201's tables <epochs>ep_*.csv, or one of them: accuracies of nasbench201_mixed"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        only_spaces(self, &["nasbench201_mixed"], space)?;
        let experiments = experiments(path)?;
        let cells = NasBench201.published_order();
        let mut builder = Builder::new(space);
        let mut notes = Vec::new();
        for experiment in &experiments {
            notes.extend(experiment.read(&cells, &mut builder, progress)?.notes(&experiment.name));
        }
        notes.extend(average_repeats(&mut builder));
        Ok(Imported {
            manifest: manifest(space, &experiments),
            dataset: builder.finish(),
            notes,
        })
    }
}

/// The tables at a path.
fn experiments(path: &Path) -> Result<Vec<Experiment>> {
    if path.is_file() {
        let experiment = Experiment::of(path.to_path_buf());
        return Ok(vec![experiment.ok_or_else(|| unnamed(path))?]);
    }
    let files = files_with_extension(path, "csv", "experiment")?;
    let experiments: Vec<Experiment> = files.into_iter().filter_map(Experiment::of).collect();
    if experiments.is_empty() {
        return Err(unnamed(path));
    }
    Ok(experiments)
}

/// A file's name has to say for how many epochs its networks were trained: nothing in it does.
fn unnamed(path: &Path) -> Error {
    Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: None,
        expected: "a file <epochs>ep_<experiment>.csv, such as 50ep_cell_uniform.csv".into(),
        found: "none".into(),
        hint: "Keep the names that the files are published under.".into(),
    }
}

impl Experiment {
    /// `None` where the file's name does not begin with a number of epochs.
    fn of(file: PathBuf) -> Option<Experiment> {
        let name = file.file_name()?.to_str()?.to_string();
        let epochs = name.split_once("ep_")?.0.parse().ok()?;
        Some(Experiment { file, name, epochs })
    }

    fn task(&self) -> String {
        format!("cifar10-{}-epochs", self.epochs)
    }

    fn read(&self, cells: &[Architecture], builder: &mut Builder, progress: &dyn Progress) -> Result<Noticed> {
        let bytes = self.file.metadata().map_or(0, |found| found.len());
        progress.start(&format!("importing {}", self.name), Unit::Bytes, Some(bytes));
        let task = builder.task(&self.task())?;
        let mut noticed = Noticed::default();
        let mut scales = Scales::default();
        Table::open(&self.file, &COLUMNS, progress)?.visit(|row| {
            noticed.rows += 1;
            let cell = &cells[published_index(row, INDEX, cells.len())?];
            let accuracy_percent = 100.0 * scales.read(row, ACCURACY)?;
            let Some(bits) = policy(row)? else {
                noticed.varied += 1;
                return Ok(());
            };
            if accuracy_percent <= FAILED_PERCENT {
                noticed.failed += 1;
                return Ok(());
            }
            let design = NasBench201Mixed
                .design(cell, bits)
                .map_err(|error| row.malformed(BITS, "bits of the edges with weights", error, "Get the file again."))?;
            let architecture = builder.parsed_architecture(design);
            builder.accuracy(AccuracyRow {
                task,
                architecture,
                precision: Precision::Int8.into(),
                accuracy_percent,
                origin: Origin::Measured,
            });
            Ok(())
        })?;
        progress.finish();
        scales.expect(Scale::Fractions, &self.file)?;
        Ok(noticed)
    }
}

/// The bits of a cell's edges, in the order of its string, where they are the same in all cells.
fn policy(row: &Row<'_>) -> Result<Option<[u8; EDGES]>> {
    let text = row.required(BITS)?;
    let malformed = |expected: String, found: &str| row.malformed(BITS, expected, found, "Get the file again.");
    let mut bits = Vec::new();
    for number in text.split_ascii_whitespace() {
        let parsed = number.parse();
        bits.push(parsed.map_err(|_| malformed("numbers of bits".into(), &format!("`{number}`")))?);
    }
    if bits.len() != EDGES && bits.len() != EDGES * CELLS {
        let expected = format!("bits of {EDGES} edges, or of those of {CELLS} cells");
        return Err(malformed(expected, &format!("{} numbers", bits.len())));
    }
    let (cells, _) = bits.as_chunks::<EDGES>();
    let same = |cell: &&[u8; EDGES]| cells.iter().all(|other| &other == cell);
    Ok(cells.first().filter(same).copied())
}

impl Noticed {
    /// What is to be said of a table with this name.
    fn notes(&self, name: &str) -> Vec<String> {
        let mut notes = Vec::new();
        if self.failed > 0 {
            notes.push(format!(
                "{name}: {} of {} trainings failed (accuracies up to {FAILED_PERCENT} %, no better than guessing): left out",
                self.failed,
                self.rows - self.varied
            ));
        }
        if self.varied > 0 {
            notes.push(format!(
                "{name}: {} of {} networks have other bits in some cells than in others, which the space does not hold: left out",
                self.varied, self.rows
            ));
        }
        notes
    }
}

/// Networks that stand in several rows, or differ in edges that do nothing, get the mean of their accuracies.
fn average_repeats(builder: &mut Builder) -> Option<String> {
    let averaged = average(builder.accuracies_mut());
    (averaged.joined > 0).then(|| {
        format!(
            "{} networks stand in several rows, or differ only in what has no effect ({} rows more), {} of them with different accuracies, up to {:.1} % apart: averaged",
            averaged.repeated,
            averaged.joined,
            averaged.differing,
            100.0 * averaged.furthest
        )
    })
}

fn manifest(space: &dyn SearchSpace, experiments: &[Experiment]) -> Manifest {
    let note = |epochs: u32| {
        format!(
            "Top-1 accuracy on the CIFAR-10 test set after {epochs} epochs on half of the training set, one run each."
        )
    };
    let names: Vec<&str> = experiments.iter().map(|experiment| experiment.name.as_str()).collect();
    Manifest {
        space: space.id().into(),
        description:
            "Accuracies of NAS-Bench-201's networks trained with weights of 2, 4 and 8 bits and activations of 8."
                .into(),
        tasks: (experiments.iter())
            .map(|experiment| (experiment.task(), note(experiment.epochs)))
            .collect(),
        sources: vec![Source {
            name: "MP-NAS-Bench201".into(),
            url: "https://github.com/Leannnnnnn/MP-NAS-Bench201".into(),
            licence: "none stated".into(),
            // `utils/model_utils.py`: `test_model(model, test_loader, len(test_loader) * H['batch_size'])`.
            measured: format!(
                "Test accuracy, by the authors of MP-NAS-Bench201. Their program divides the number of correct answers by \
                 10,240, whole batches, where the test set has 10,000 images: all accuracies are 2.3 % (of themselves) too \
                 low, and are kept as published. Tables: {}.",
                names.join(", ")
            ),
        }],
        ..Manifest::default()
    }
}
