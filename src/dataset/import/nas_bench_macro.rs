//! Test accuracies of NAS-Bench-Macro (Su et al., *Prioritized Architecture Sampling with Monto-Carlo Tree Search*, CVPR 2021,
//! <https://github.com/xiusu/NAS-Bench-Macro>), as a JSON file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::{Imported, Importer, locate, only_spaces, read_json};
use crate::dataset::build::Builder;
use crate::dataset::read::refuse_fractions;
use crate::dataset::{AccuracyRow, Manifest, Origin, Source};
use crate::error::{Error, Result};
use crate::progress::{Progress, Unit};
use crate::space::{Precision, SearchSpace};

const FILE: &str = "nas-bench-macro_cifar10.json";
const TASK: &str = "cifar10";

/// What the file says of an architecture. It holds more: parameters, MACs, and the mean, which is taken anew.
#[derive(Deserialize)]
struct Trained {
    /// In percent, one for every run.
    test_acc: Vec<f64>,
}

/// `data/nas-bench-macro_cifar10.json`.
pub(super) struct NasBenchMacroFile;

impl Importer for NasBenchMacroFile {
    fn name(&self) -> &'static str {
        "nas-bench-macro"
    }

    fn reads(&self) -> &'static str {
        "a clone of xiusu/NAS-Bench-Macro or its nas-bench-macro_cifar10.json: accuracies of nasbench_macro"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        only_spaces(self, &["nasbench_macro"], space)?;
        let file = if path.is_file() {
            path.to_path_buf()
        } else {
            locate(path, &["data", "."], FILE)?.join(FILE)
        };
        let expected = "an object from architectures to objects with test_acc";
        let trained: BTreeMap<String, Trained> = read_json(&file, expected)?;
        progress.start(
            "importing nas-bench-macro",
            Unit::Count("networks"),
            Some(trained.len() as u64),
        );
        let mut builder = Builder::new(space);
        let task = builder.task(TASK)?;
        let mut copies = 0;
        for (text, Trained { test_acc }) in &trained {
            let architecture = space
                .parse(text)
                .map_err(|error| malformed(&file, text, &error.to_string()))?;
            copies += usize::from(space.canonical(&architecture) != architecture);
            let architecture = builder.parsed_architecture(architecture);
            builder.accuracy(AccuracyRow {
                task,
                architecture,
                precision: Precision::Fp32.into(),
                accuracy_percent: mean(&file, text, test_acc)?,
                origin: Origin::Measured,
            });
            progress.advance(1);
        }
        progress.finish();
        refuse_fractions(&file, builder.dataset())?;
        let note = format!(
            "{copies} architectures are others with their identities elsewhere: they were not trained, their accuracies are copies"
        );
        Ok(Imported {
            manifest: manifest(space),
            dataset: builder.finish(),
            notes: (copies > 0).then_some(note).into_iter().collect(),
        })
    }
}

/// The mean accuracy over runs.
fn mean(file: &Path, text: &str, test_acc: &[f64]) -> Result<f64> {
    let sound = |accuracy: &f64| (0.0..=100.0).contains(accuracy);
    if test_acc.is_empty() || !test_acc.iter().all(sound) {
        return Err(malformed(file, text, &format!("a test_acc of {test_acc:.60?}")));
    }
    Ok(test_acc.iter().sum::<f64>() / test_acc.len() as f64)
}

fn malformed(file: &Path, text: &str, found: &str) -> Error {
    Error::Malformed {
        path: file.to_path_buf(),
        line: None,
        column: Some(format!("`{text}`")),
        expected: "an architecture with accuracies from 0 to 100 %".into(),
        found: found.trim_end_matches('.').into(),
        hint: "Get the file again from a clone of NAS-Bench-Macro.".into(),
    }
}

fn manifest(space: &dyn SearchSpace) -> Manifest {
    let note = "Top-1 accuracy on the CIFAR-10 test set: the best epoch of 50, mean over three runs.";
    Manifest {
        space: space.id().into(),
        description: "Test accuracies of all networks of NAS-Bench-Macro.".into(),
        tasks: [(TASK.into(), note.into())].into(),
        sources: vec![Source {
            name: "NAS-Bench-Macro".into(),
            url: "https://github.com/xiusu/NAS-Bench-Macro".into(),
            licence: "Apache-2.0".into(),
            measured: "Test accuracy of the trained networks, by the authors of NAS-Bench-Macro.".into(),
        }],
        ..Manifest::default()
    }
}
