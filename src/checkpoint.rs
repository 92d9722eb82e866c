//! Trained models on disk: a folder with everything needed to use them and to notice that it is damaged.
//!
//! - `checkpoint.json`: format version, search space, and the SHA-256 of every other file; written last.
//! - `predictor.json`, `latency-N.bpk`, `accuracy-N.bpk`, `accuracies.csv`: the predictor.
//! - `optimizer.json`, `policy.bpk`: the optimizer, if one was trained.
//!
//! A model is always rebuilt from its saved configuration, never from defaults.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::compute::ComputeDevice;
use crate::dataset::Origin;
use crate::encode::Encoder;
use crate::error::{Error, Result};
use crate::files::{Replacement, read_bounded};
use crate::optimize::Optimizer;
use crate::predict::accuracy::{AccuracyModel, AccuracyScale};
use crate::predict::net::{Ensemble, Tower, TowerConfig};
use crate::predict::{DeviceMetrics, KnownPower, MetricPrior, Predictor};
use crate::space::{self, Architecture, SearchSpace};
use crate::training::{load_module, module_bytes};

/// Version of the format; a checkpoint of another one is refused.
const FORMAT: u32 = 3;
const MANIFEST: &str = "checkpoint.json";
const PREDICTOR: &str = "predictor.json";
const ACCURACIES: &str = "accuracies.csv";
const OPTIMIZER: &str = "optimizer.json";
const POLICY: &str = "policy.bpk";
/// Largest file of a checkpoint that is read.
const MAX_FILE_BYTES: u64 = 256 << 20;

#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    edgefit: String,
    space: String,
    predictor: String,
    /// SHA-256 of every other file, in hexadecimal.
    files: BTreeMap<String, String>,
}

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
}

#[derive(Serialize, Deserialize)]
struct SavedPredictor {
    encoder: Encoder,
    ensemble: SavedEnsemble,
    metrics: DeviceMetrics<MetricPrior>,
    powers: Vec<KnownPower>,
    accuracy: Option<SavedAccuracy>,
}

/// The files of a checkpoint in memory, by name.
type Files = BTreeMap<String, Vec<u8>>;

/// Writes a predictor, and returns it with its final id. An optimizer that the folder held is no longer part of it.
///
/// # Errors
/// [`Error::Io`]; the checkpoint that was there before is then untouched.
pub fn save_predictor(folder: &Path, mut predictor: Predictor) -> Result<Predictor> {
    let files = predictor_files(&predictor, folder)?;
    predictor.id = predictor_id(&files);
    write(folder, predictor.space.id(), &predictor.id, files)?;
    Ok(predictor)
}

/// Reads a predictor.
///
/// # Errors
/// [`Error::Checkpoint`] for a folder that is not a checkpoint, is of another format version or of a search space that
/// this build lacks, or has a damaged file; [`Error::Io`].
pub fn load_predictor(folder: &Path, compute: &ComputeDevice) -> Result<Predictor> {
    let manifest = read_manifest(folder)?;
    let space = space::by_id(&manifest.space).map_err(|_| {
        let known: Vec<&str> = space::all().iter().map(|space| space.id()).collect();
        broken(
            folder,
            format!("a search space among {}", known.join(", ")),
            format!("`{}`", manifest.space),
        )
    })?;
    let files = read_files(folder, &manifest)?;
    let saved: SavedPredictor = json(folder, &files, PREDICTOR)?;
    let accuracy = match saved.accuracy {
        Some(saved) => Some(AccuracyModel {
            ensemble: load_ensemble(folder, "accuracy", saved.ensemble, compute)?,
            measured: read_accuracies(folder, &files, space)?,
            scale: saved.scale,
            origin: saved.origin,
        }),
        None => None,
    };
    let predictor = Predictor {
        space,
        id: manifest.predictor,
        ensemble: load_ensemble(folder, "latency", saved.ensemble, compute)?,
        encoder: saved.encoder,
        metrics: saved.metrics,
        powers: saved.powers,
        accuracy,
        compute: compute.clone(),
        table: OnceLock::new(),
    };
    if predictor.encoder.width() == predictor.ensemble.config.inputs {
        Ok(predictor)
    } else {
        Err(broken(
            &folder.join(PREDICTOR),
            format!("towers for {} features", predictor.encoder.width()),
            format!("towers for {}", predictor.ensemble.config.inputs),
        ))
    }
}

/// Writes an optimizer together with the predictor in `from` that it was trained under. The two folders may be the same.
///
/// # Errors
/// As [`load_predictor`] for `from`, [`Error::Io`] for `to`.
pub fn save_optimizer(from: &Path, to: &Path, optimizer: &Optimizer) -> Result<()> {
    let manifest = read_manifest(from)?;
    let mut files = read_files(from, &manifest)?;
    let (description, weights) = optimizer.parts()?;
    files.insert(OPTIMIZER.into(), description.into_bytes());
    files.insert(POLICY.into(), weights);
    write(to, &manifest.space, &manifest.predictor, files)
}

/// Reads the optimizer of a checkpoint.
///
/// # Errors
/// As [`load_predictor`]; a checkpoint without an optimizer is among them.
pub fn load_optimizer(folder: &Path, compute: &ComputeDevice) -> Result<Optimizer> {
    let manifest = read_manifest(folder)?;
    let files = read_files(folder, &manifest)?;
    let (Some(description), Some(weights)) = (files.get(OPTIMIZER), files.get(POLICY)) else {
        return Err(Error::Checkpoint {
            path: folder.to_path_buf(),
            expected: "a checkpoint with an optimizer".into(),
            found: "one with a predictor only".into(),
            hint: "Run `edgefit train optimizer`, or use `edgefit search`, which needs none.".into(),
        });
    };
    let optimizer = Optimizer::from_parts(
        &String::from_utf8_lossy(description),
        weights,
        &folder.join(POLICY),
        compute,
    )?;
    if optimizer.predictor == manifest.predictor {
        Ok(optimizer)
    } else {
        Err(broken(
            &folder.join(OPTIMIZER),
            format!("an optimizer of predictor {}", manifest.predictor),
            format!("one of {}", optimizer.predictor),
        ))
    }
}

fn predictor_files(predictor: &Predictor, folder: &Path) -> Result<Files> {
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
            })
        }
        None => None,
    };
    let saved = SavedPredictor {
        encoder: predictor.encoder.clone(),
        ensemble: save(&mut files, "latency", &predictor.ensemble)?,
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

fn load_ensemble(folder: &Path, name: &str, saved: SavedEnsemble, compute: &ComputeDevice) -> Result<Ensemble> {
    // The initial weights are overwritten.
    let mut rng = StdRng::seed_from_u64(0);
    let load = |index| -> Result<Tower> {
        load_module(
            saved.config.init(&mut rng, compute),
            &folder.join(member_file(name, index)),
        )
    };
    let members = (0..saved.members).map(load).collect::<Result<Vec<Tower>>>()?;
    Ok(Ensemble {
        config: saved.config,
        members,
    })
}

/// One line per architecture, sorted: its genes, separated by blanks, and its accuracy in percent.
fn accuracies_csv(measured: &HashMap<Architecture, f32>) -> String {
    let sorted: BTreeMap<&Architecture, f32> = measured.iter().map(|(key, &value)| (key, value)).collect();
    let mut text = String::from("genes,accuracy_percent\n");
    for (architecture, accuracy) in sorted {
        let genes: Vec<String> = architecture.0.iter().map(u8::to_string).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{},{accuracy}", genes.join(" "));
    }
    text
}

fn read_accuracies(folder: &Path, files: &Files, space: &dyn SearchSpace) -> Result<HashMap<Architecture, f32>> {
    let bytes = files.get(ACCURACIES).map(Vec::as_slice).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes);
    let mut measured = HashMap::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let parsed = line.split_once(',').and_then(|(genes, accuracy)| {
            let genes: Option<Vec<u8>> = genes.split(' ').map(|gene| gene.parse().ok()).collect();
            let architecture = Architecture(genes?);
            let accuracy = accuracy.parse::<f32>().ok()?;
            space.contains(&architecture).then_some((architecture, accuracy))
        });
        let Some((architecture, accuracy)) = parsed else {
            return Err(Error::Malformed {
                path: folder.join(ACCURACIES),
                line: Some(number as u64 + 1),
                column: None,
                expected: "genes separated by blanks, a comma, an accuracy".into(),
                found: format!("`{line}`"),
                hint: "Restore the checkpoint from a copy.".into(),
            });
        };
        measured.insert(architecture, accuracy);
    }
    Ok(measured)
}

fn write(folder: &Path, space: &str, predictor: &str, files: Files) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let manifest = Manifest {
        format: FORMAT,
        edgefit: env!("CARGO_PKG_VERSION").into(),
        space: space.into(),
        predictor: predictor.into(),
        files: files
            .iter()
            .map(|(name, bytes)| (name.clone(), hexadecimal(&Sha256::digest(bytes))))
            .collect(),
    };
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| broken(folder, "a manifest that JSON can hold".into(), error.to_string()))?;
    let mut replacement = Replacement::new();
    for (name, bytes) in &files {
        replacement.add(&folder.join(name), |out| out.write_all(bytes))?;
    }
    replacement.add(&folder.join(MANIFEST), |out| out.write_all(&text))?;
    replacement.commit()
}

fn read_manifest(folder: &Path) -> Result<Manifest> {
    let path = folder.join(MANIFEST);
    if !path.exists() {
        return Err(broken(folder, format!("a folder with {MANIFEST}"), "none".into()));
    }
    let bytes = read_bounded(&path, MAX_FILE_BYTES)?;
    let version: Option<u64> = serde_json::from_slice::<serde_json::Value>(&bytes)
        .ok()
        .and_then(|value| value.get("format")?.as_u64());
    match version {
        Some(version) if version != u64::from(FORMAT) => Err(Error::Checkpoint {
            path,
            expected: format!("format version {FORMAT}"),
            found: format!("version {version}"),
            hint: "Train it again with this edgefit, or use the edgefit that wrote it.".into(),
        }),
        _ => serde_json::from_slice(&bytes).map_err(|error| broken(&path, "a manifest".into(), error.to_string())),
    }
}

/// Reads every file that the manifest names and compares its hash.
fn read_files(folder: &Path, manifest: &Manifest) -> Result<Files> {
    let mut files = Files::new();
    for (name, expected) in &manifest.files {
        let path = folder.join(name);
        if Path::new(name).components().count() != 1 || name.contains("..") {
            return Err(broken(
                &folder.join(MANIFEST),
                "plain file names".into(),
                format!("`{name}`"),
            ));
        }
        if !path.exists() {
            return Err(broken(&path, "a file that the manifest names".into(), "none".into()));
        }
        let bytes = read_bounded(&path, MAX_FILE_BYTES)?;
        let found = hexadecimal(&Sha256::digest(&bytes));
        if found != *expected {
            return Err(broken(&path, format!("SHA-256 {expected}"), found));
        }
        files.insert(name.clone(), bytes);
    }
    let found = predictor_id(&files);
    if found == manifest.predictor {
        Ok(files)
    } else {
        Err(broken(
            &folder.join(MANIFEST),
            format!("predictor {found}, which the files make up"),
            format!("predictor {}", manifest.predictor),
        ))
    }
}

/// The id of a predictor: a hash of its files, those of an optimizer left out.
fn predictor_id(files: &Files) -> String {
    let own = files
        .iter()
        .filter(|(name, _)| ![OPTIMIZER, POLICY].contains(&name.as_str()));
    digest(own.map(|(_, bytes)| bytes.as_slice()))[..16].to_string()
}

fn json<T: DeserializeOwned>(folder: &Path, files: &Files, name: &str) -> Result<T> {
    let path = folder.join(name);
    let bytes = files
        .get(name)
        .ok_or_else(|| broken(folder, format!("a file {name}"), "none".into()))?;
    serde_json::from_slice(bytes).map_err(|error| broken(&path, "a saved predictor".into(), error.to_string()))
}

/// A hash of several files, in which it matters where one ends and the next begins.
fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hexadecimal(&hash.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn broken(path: &Path, expected: String, found: String) -> Error {
    Error::Checkpoint {
        path: path.to_path_buf(),
        expected,
        found,
        hint: "Restore the checkpoint from a copy or train it again.".into(),
    }
}
