//! Test accuracies of all NAS-Bench-201 architectures (Dong et al., *NATS-Bench: Benchmarking NAS Algorithms for
//! Architecture Topology and Size*, TPAMI 2021, <https://github.com/D-X-Y/NATS-Bench>), as a CSV table.

use std::path::Path;

use super::{Imported, Importer, file_at, only_spaces};
use crate::dataset::build::Builder;
use crate::dataset::deduplicate::deduplicate;
use crate::dataset::read::{percent, refuse_fractions};
use crate::dataset::table::{Columns, Table};
use crate::dataset::{AccuracyRow, Manifest, Origin, Source};
use crate::error::{Error, Result};
use crate::progress::{Progress, Unit};
use crate::space::{Precision, SearchSpace};

const FILE: &str = "nats_bench.csv";
const NAMES: &[&str] = &[
    "ArchitectureString",
    "CIFAR10TestAccuracy200Epochs",
    "CIFAR100TestAccuracy200Epochs",
    "ImageNetTestAccuracy200Epochs",
];
const ARCHITECTURE: usize = 0;
/// Task and column. What the table calls ImageNet is ImageNet16-120.
const TASKS: [(&str, usize); 3] = [("cifar10", 1), ("cifar100", 2), ("imagenet16-120", 3)];
/// The table has more columns, such as the function that an architecture computes; they are not needed.
const COLUMNS: Columns = Columns {
    known: NAMES,
    required: NAMES,
    strict: false,
};

/// `nats_bench.csv`: one line per architecture, one column per task.
pub(super) struct NatsBench;

impl Importer for NatsBench {
    fn name(&self) -> &'static str {
        "nats-bench"
    }

    fn reads(&self) -> &'static str {
        "nats_bench.csv or its folder: accuracies of nasbench201 at three tasks"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        only_spaces(self, &["nasbench201"], space)?;
        let path = file_at(path, FILE)?;
        let bytes = path.metadata().map_or(0, |found| found.len());
        progress.start("importing nats-bench", Unit::Bytes, Some(bytes));
        let mut builder = Builder::new(space);
        read(&path, &mut builder, progress)?;
        progress.finish();
        refuse_fractions(&path, builder.dataset())?;
        let repeated = deduplicate(builder.accuracies_mut()).map_err(|contradictions| Error::Malformed {
            path: path.clone(),
            line: None,
            column: Some(NAMES[ARCHITECTURE].into()),
            expected: "each architecture once".into(),
            found: format!("{} accuracies that contradict an earlier line", contradictions.count),
            hint: "Get the file again.".into(),
        })?;
        let notes = (repeated > 0).then(|| format!("{repeated} repeated accuracies left out"));
        Ok(Imported {
            manifest: manifest(space),
            dataset: builder.finish(),
            notes: notes.into_iter().collect(),
        })
    }
}

fn read(path: &Path, builder: &mut Builder, progress: &dyn Progress) -> Result<()> {
    let tasks = TASKS.map(|(task, column)| Ok((builder.task(task)?, column)));
    let tasks = tasks.into_iter().collect::<Result<Vec<(u16, usize)>>>()?;
    Table::open(path, &COLUMNS, progress)?.visit(|row| {
        let architecture = builder.architecture(row.required(ARCHITECTURE)?).map_err(|error| {
            row.malformed(
                ARCHITECTURE,
                "an architecture of nasbench201",
                error,
                "Get the file again.",
            )
        })?;
        for &(task, column) in &tasks {
            let accuracy_percent = percent(row, column)?;
            builder.accuracy(AccuracyRow {
                task,
                architecture,
                precision: Precision::Fp32.into(),
                accuracy_percent,
                origin: Origin::Measured,
            });
        }
        Ok(())
    })
}

fn manifest(space: &dyn SearchSpace) -> Manifest {
    let note = |test: &str| format!("Top-1 accuracy on {test} after 200 epochs of training, mean over seeds.");
    Manifest {
        space: space.id().into(),
        description: "NAS-Bench-201 test accuracies at three image tasks.".into(),
        tasks: [
            ("cifar10".into(), note("the CIFAR-10 test set")),
            ("cifar100".into(), note("the CIFAR-100 test set")),
            (
                "imagenet16-120".into(),
                note("the ImageNet16-120 test set (16x16 pixels, 120 classes)"),
            ),
        ]
        .into(),
        sources: vec![Source {
            name: "NATS-Bench".into(),
            url: "https://github.com/D-X-Y/NATS-Bench".into(),
            licence: "MIT".into(),
            measured: "Test accuracy of the trained networks, by the authors of NATS-Bench.".into(),
        }],
        ..Manifest::default()
    }
}
