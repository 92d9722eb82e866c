//! A predictor as the files of a checkpoint.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Checkpoint, Files, broken};
use crate::compute::ComputeDevice;
use crate::dataset::Origin;
use crate::encode::Encoder;
use crate::error::{Error, Result};
use crate::predict::accuracy::{AccuracyModel, AccuracyScale};
use crate::predict::net::{Ensemble, Tower, TowerConfig};
use crate::predict::{DeviceMetrics, KnownPower, LayerSums, MetricPrior, Predictor};
use crate::space::{Architecture, Domain};
use crate::training::{fits, load_module, module_bytes};

const PREDICTOR: &str = "predictor.json";
const ACCURACIES: &str = "accuracies.csv";
/// Its first line.
const ACCURACY_COLUMNS: &str = "genes,accuracy_percent";
/// Most towers of an ensemble.
const MAX_MEMBERS: usize = 64;

#[derive(Serialize, Deserialize)]
struct SavedEnsemble {
    config: TowerConfig,
    members: usize,
}

#[derive(Serialize, Deserialize)]
struct SavedAccuracy {
    scale: AccuracyScale,
    ensemble: SavedEnsemble,
    origin: Origin,
    #[serde(default)]
    domain: Domain,
}

#[derive(Serialize, Deserialize)]
struct SavedPredictor {
    encoder: Encoder,
    ensemble: SavedEnsemble,
    #[serde(default)]
    layer_sums: LayerSums,
    metrics: DeviceMetrics<MetricPrior>,
    powers: Vec<KnownPower>,
    accuracy: Option<SavedAccuracy>,
}

impl Checkpoint {
    /// The predictor.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] and [`Error::Malformed`] for files that are whole but hold something else than a predictor.
    pub fn predictor(&self, compute: &ComputeDevice) -> Result<Predictor> {
        let saved: SavedPredictor = self.json(PREDICTOR)?;
        let accuracy = match saved.accuracy {
            Some(saved) => Some(AccuracyModel {
                ensemble: self.ensemble("accuracy", saved.ensemble, compute)?,
                measured: self.accuracies()?,
                scale: saved.scale,
                origin: saved.origin,
                domain: saved.domain,
            }),
            None => None,
        };
        let predictor = Predictor {
            space: self.space,
            id: self.id().into(),
            ensemble: self.ensemble("latency", saved.ensemble, compute)?,
            layer_sums: saved.layer_sums,
            encoder: saved.encoder,
            metrics: saved.metrics,
            powers: saved.powers,
            accuracy,
            compute: compute.clone(),
            table: OnceLock::new(),
            reference: OnceLock::new(),
        };
        predictor.check().map_err(|flaw| {
            let place = format!("{} ({})", self.place(PREDICTOR).display(), flaw.what);
            broken(Path::new(&place), flaw.expected, flaw.found)
        })?;
        Ok(predictor)
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        serde_json::from_slice(self.file(name)?)
            .map_err(|error| broken(&self.place(name), "a saved predictor".into(), error.to_string()))
    }

    fn ensemble(&self, name: &str, saved: SavedEnsemble, compute: &ComputeDevice) -> Result<Ensemble> {
        if saved.config.outputs == 0 && saved.members == 0 {
            return Ok(Ensemble {
                config: saved.config,
                members: Vec::new(),
            });
        }
        if !(1..=MAX_MEMBERS).contains(&saved.members) {
            let found = format!("{} members of the {name} towers", saved.members);
            return Err(broken(&self.place(PREDICTOR), format!("1 to {MAX_MEMBERS}"), found));
        }
        // Before room is made for them: no more weights than the file holds.
        let first = member_file(name, 0);
        fits(saved.config.parameters(), self.file(&first)?.len(), &self.place(&first))?;
        // The initial weights are overwritten.
        let mut rng = StdRng::seed_from_u64(0);
        let load = |index| -> Result<Tower> {
            let file = member_file(name, index);
            load_module(
                saved.config.init(&mut rng, compute),
                self.file(&file)?,
                &self.place(&file),
            )
        };
        let members = (0..saved.members).map(load).collect::<Result<Vec<Tower>>>()?;
        Ok(Ensemble {
            config: saved.config,
            members,
        })
    }

    fn accuracies(&self) -> Result<HashMap<Architecture, f32>> {
        let text = String::from_utf8_lossy(self.file(ACCURACIES)?);
        let mut measured = HashMap::new();
        let broken = |number: usize, expected: &str, line: &str| Error::Malformed {
            path: self.place(ACCURACIES),
            line: Some(number as u64 + 1),
            column: None,
            expected: expected.into(),
            found: format!("`{line}`"),
            hint: "Restore the checkpoint from a copy.".into(),
        };
        let mut lines = text.lines().enumerate();
        match lines.next() {
            Some((_, ACCURACY_COLUMNS)) => {}
            other => return Err(broken(0, ACCURACY_COLUMNS, other.map_or("", |(_, line)| line))),
        }
        for (number, line) in lines {
            let parsed = line.split_once(',').and_then(|(genes, accuracy)| {
                let genes: Option<Vec<u8>> = genes.split(' ').map(|gene| gene.parse().ok()).collect();
                let architecture = Architecture(genes?);
                let accuracy = accuracy
                    .parse::<f32>()
                    .ok()
                    .filter(|accuracy| (0.0..=100.0).contains(accuracy))?;
                self.space.contains(&architecture).then_some((architecture, accuracy))
            });
            let Some((architecture, accuracy)) = parsed else {
                return Err(broken(number, "genes separated by blanks, a comma, an accuracy", line));
            };
            measured.insert(architecture, accuracy);
        }
        Ok(measured)
    }
}

/// The files of a predictor. `folder` is named in errors.
pub(super) fn files(predictor: &Predictor, folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    let save = |files: &mut Files, name: &str, ensemble: &Ensemble| -> Result<SavedEnsemble> {
        for (index, member) in ensemble.members.iter().enumerate() {
            files.insert(member_file(name, index), module_bytes(member, folder)?);
        }
        Ok(SavedEnsemble {
            config: ensemble.config.clone(),
            members: ensemble.members.len(),
        })
    };
    let accuracy = match &predictor.accuracy {
        Some(model) => {
            files.insert(ACCURACIES.into(), accuracies_csv(&model.measured).into_bytes());
            let ensemble = save(&mut files, "accuracy", &model.ensemble)?;
            Some(SavedAccuracy {
                scale: model.scale.clone(),
                ensemble,
                origin: model.origin,
                domain: model.domain.clone(),
            })
        }
        None => None,
    };
    let saved = SavedPredictor {
        encoder: predictor.encoder.clone(),
        ensemble: save(&mut files, "latency", &predictor.ensemble)?,
        layer_sums: predictor.layer_sums.clone(),
        metrics: predictor.metrics.clone(),
        powers: predictor.powers.clone(),
        accuracy,
    };
    let text = serde_json::to_vec(&saved)
        .map_err(|error| broken(folder, "numbers that JSON can hold".into(), error.to_string()))?;
    files.insert(PREDICTOR.into(), text);
    Ok(files)
}

fn member_file(name: &str, index: usize) -> String {
    format!("{name}-{index}.bpk")
}

/// One line per architecture, sorted: its genes, separated by blanks, and its accuracy in percent.
fn accuracies_csv(measured: &HashMap<Architecture, f32>) -> String {
    let sorted: BTreeMap<&Architecture, f32> = measured.iter().map(|(key, &value)| (key, value)).collect();
    let mut text = format!("{ACCURACY_COLUMNS}\n");
    for (architecture, accuracy) in sorted {
        let genes: Vec<String> = architecture.0.iter().map(u8::to_string).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{},{accuracy}", genes.join(" "));
    }
    text
}
