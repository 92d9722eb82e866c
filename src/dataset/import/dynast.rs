//! Logs of searches with DyNAS-T (Cummings et al., *A Hardware-Aware Framework for Accelerating Neural Architecture Search
//! Across Modalities*, 2022, <https://github.com/IntelLabs/DyNAS-T>): ImageNet accuracies of subnets of once-for-all's
//! MobileNet-V3, as CSV tables.
//!
//! A folder gives all of its logs as one dataset, a file a dataset of that log alone: to learn from some searches and to be
//! scored on another, keep their logs in folders of their own.

use std::path::{Path, PathBuf};

use super::{Imported, Importer, files_with_extension, only_spaces};
use crate::dataset::build::Builder;
use crate::dataset::deduplicate::average;
use crate::dataset::read::{percent, refuse_fractions};
use crate::dataset::table::{Columns, Row, Table};
use crate::dataset::{AccuracyRow, Manifest, Origin, Source};
use crate::error::Result;
use crate::progress::{Progress, Unit};
use crate::space::{Architecture, Precision, SearchSpace};

const TASK: &str = "imagenet";
/// Classes of ImageNet.
const CLASSES: u32 = 1000;

const NAMES: &[&str] = &[
    "Sub-network",
    "Model Parameters",
    "MACs",
    "Latency (ms)",
    "Top-1 Acc (%)",
];
const ARCHITECTURE: usize = 0;
const PARAMETERS: usize = 1;
const MACS: usize = 2;
const LATENCY: usize = 3;
const ACCURACY: usize = 4;
/// Logs of some searches lack what these did not look at. The date of a row is not needed.
const COLUMNS: Columns = Columns {
    known: NAMES,
    required: &[NAMES[ARCHITECTURE], NAMES[ACCURACY]],
    strict: false,
};

/// Logs of searches: one line per subnet evaluated.
pub(super) struct DynasT;

/// What was noticed in a log.
#[derive(Default)]
struct Noticed {
    rows: usize,
    /// Rows whose MACs or parameters are not those of the network.
    other_counts: usize,
    /// Rows with a latency.
    latencies: usize,
}

impl Importer for DynasT {
    fn name(&self) -> &'static str {
        "dynast"
    }

    fn reads(&self) -> &'static str {
        "a folder of search logs of IntelLabs/DyNAS-T, or one of them: ImageNet accuracies of mobilenet_v3"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        only_spaces(self, &["mobilenet_v3"], space)?;
        let logs = if path.is_file() {
            vec![path.to_path_buf()]
        } else {
            files_with_extension(path, "csv", "search")?
        };
        progress.start("importing dynast", Unit::Bytes, total_bytes(&logs));
        let mut builder = Builder::new(space);
        let mut notes = Vec::new();
        let mut names = Vec::new();
        for log in &logs {
            let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
            notes.extend(read(log, &mut builder, progress)?.notes(&name));
            names.push(name);
        }
        progress.finish();
        refuse_fractions(path, builder.dataset())?;
        notes.extend(average_repeats(&mut builder));
        Ok(Imported {
            manifest: manifest(space, &names),
            dataset: builder.finish(),
            notes,
        })
    }
}

fn total_bytes(files: &[PathBuf]) -> Option<u64> {
    files.iter().map(|file| Some(file.metadata().ok()?.len())).sum()
}

fn read(log: &Path, builder: &mut Builder, progress: &dyn Progress) -> Result<Noticed> {
    let task = builder.task(TASK)?;
    let space = builder.dataset().space;
    let mut noticed = Noticed::default();
    Table::open(log, &COLUMNS, progress)?.visit(|row| {
        let architecture = space.parse(row.required(ARCHITECTURE)?).map_err(|error| {
            let expected = format!("an architecture of {}", space.id());
            row.malformed(ARCHITECTURE, expected, error, "Get the file again.")
        })?;
        let architecture = space.canonical(&architecture);
        noticed.rows += 1;
        noticed.other_counts += usize::from(!has_counts(row, space, &architecture)?);
        noticed.latencies += usize::from(row.number(LATENCY)?.is_some_and(|latency_ms| latency_ms > 0.0));
        let accuracy_percent = percent(row, ACCURACY)?;
        let architecture = builder.parsed_architecture(architecture);
        builder.accuracy(AccuracyRow {
            task,
            architecture,
            precision: Precision::Fp32.into(),
            accuracy_percent,
            origin: Origin::Measured,
        });
        Ok(())
    })?;
    Ok(noticed)
}

/// Whether the network has the MACs and parameters that a row states.
fn has_counts(row: &Row<'_>, space: &dyn SearchSpace, architecture: &Architecture) -> Result<bool> {
    let input = space.input(architecture, space.default_input());
    let network = space.lower(architecture, input, CLASSES);
    let counts = [(MACS, network.macs()), (PARAMETERS, network.parameters())];
    for (column, count) in counts {
        if row.number(column)?.is_some_and(|stated| stated != count as f64) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Noticed {
    /// What is to be said of a log with this name.
    fn notes(&self, log: &str) -> Vec<String> {
        let mut notes = vec![format!(
            "{log}: {} networks that a search evaluated, no random sample: biased towards the Pareto front",
            self.rows
        )];
        if self.other_counts > 0 {
            notes.push(format!(
                "{log}: {} rows with other MACs or parameters than the network has here; kept",
                self.other_counts
            ));
        }
        if self.latencies > 0 {
            notes.push(format!(
                "{log}: {} latencies left out: it is not stated on which device they were measured",
                self.latencies
            ));
        }
        notes
    }
}

/// Networks that several rows are about, in one log or in several, get the mean of their accuracies.
fn average_repeats(builder: &mut Builder) -> Option<String> {
    let averaged = average(builder.accuracies_mut());
    (averaged.joined > 0).then(|| {
        format!(
            "{} networks stand in several rows ({} rows more), {} of them with different accuracies, up to {:.2} % apart: \
             averaged",
            averaged.repeated,
            averaged.joined,
            averaged.differing,
            100.0 * averaged.furthest
        )
    })
}

fn manifest(space: &dyn SearchSpace, logs: &[String]) -> Manifest {
    Manifest {
        space: space.id().into(),
        description: "ImageNet accuracies of networks that searches in once-for-all's MobileNet-V3 evaluated.".into(),
        tasks: [(
            TASK.into(),
            "Top-1 accuracy on ImageNet with the weights of the supernet, without further training.".into(),
        )]
        .into(),
        sources: vec![Source {
            name: "DyNAS-T".into(),
            url: "https://github.com/IntelLabs/DyNAS-T".into(),
            licence: "Apache-2.0".into(),
            measured: format!(
                "Accuracies, by the authors of DyNAS-T, of the networks that their searches evaluated. Search logs are no \
                 random sample: they are biased towards the Pareto front. Logs: {}.",
                logs.join(", ")
            ),
        }],
        ..Manifest::default()
    }
}
