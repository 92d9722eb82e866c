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
use crate::encode::{Encoder, PathEncoder};
use crate::error::{Error, Result};
use crate::predict::accuracy::{AccuracyModel, AccuracyScale};
use crate::predict::net::{Ensemble, Tower, TowerConfig};
use crate::predict::teacher::{Teacher, TeacherTask, TeacherTowers};
use crate::predict::{DeviceMetrics, KnownPower, LayerSums, MetricPrior, Predictor};
use crate::space::{Architecture, Domain, SearchSpace, by_id};
use crate::training::{fits, load_module, module_bytes};

const PREDICTOR: &str = "predictor.json";
const ACCURACIES: &str = "accuracies.csv";
/// Its first line.
const ACCURACY_COLUMNS: &str = "genes,accuracy_percent";
/// Most towers of an ensemble.
const MAX_MEMBERS: usize = 64;
/// Most teachers of an accuracy.
const MAX_TEACHERS: usize = 16;
/// An accuracy of a teacher that was not measured.
const NOT_MEASURED: &str = "-";

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
    #[serde(default)]
    paths: PathEncoder,
    #[serde(default)]
    teachers: Vec<SavedTeacher>,
}

#[derive(Serialize, Deserialize)]
struct SavedTeacher {
    space: String,
    tasks: Vec<TeacherTask>,
    towers: Option<SavedTeacherTowers>,
}

#[derive(Serialize, Deserialize)]
struct SavedTeacherTowers {
    encoder: Encoder,
    ensemble: SavedEnsemble,
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
                teachers: self.teachers(saved.teachers, compute)?,
                scale: saved.scale,
                origin: saved.origin,
                domain: saved.domain,
                paths: saved.paths,
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

    fn teachers(&self, saved: Vec<SavedTeacher>, compute: &ComputeDevice) -> Result<Vec<Teacher>> {
        if saved.len() > MAX_TEACHERS {
            let found = format!("{} teachers of the accuracy", saved.len());
            return Err(broken(&self.place(PREDICTOR), format!("at most {MAX_TEACHERS}"), found));
        }
        let read = |(index, saved): (usize, SavedTeacher)| {
            let space = by_id(&saved.space)?;
            let towers = match saved.towers {
                Some(towers) => Some(TeacherTowers {
                    encoder: towers.encoder,
                    ensemble: self.ensemble(&teacher_name(index), towers.ensemble, compute)?,
                }),
                None => None,
            };
            Ok(Teacher {
                space,
                measured: self.accuracy_table(&teacher_file(index), space, saved.tasks.len())?,
                tasks: saved.tasks,
                towers,
            })
        };
        saved.into_iter().enumerate().map(read).collect()
    }

    fn accuracies(&self) -> Result<HashMap<Architecture, f32>> {
        let table = self.accuracy_table(ACCURACIES, self.space, 1)?;
        let known = table
            .into_iter()
            .map(|(architecture, accuracies)| (architecture, accuracies[0]));
        Ok(known.filter(|(_, accuracy)| !accuracy.is_nan()).collect())
    }

    /// Accuracies at so many tasks, NaN where not measured.
    fn accuracy_table(
        &self,
        name: &str,
        space: &dyn SearchSpace,
        tasks: usize,
    ) -> Result<HashMap<Architecture, Vec<f32>>> {
        let text = String::from_utf8_lossy(self.file(name)?);
        let mut measured = HashMap::new();
        let broken = |number: usize, expected: &str, line: &str| Error::Malformed {
            path: self.place(name),
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
            let parsed = line.split_once(',').and_then(|(genes, accuracies)| {
                let genes: Option<Vec<u8>> = genes.split(' ').map(|gene| gene.parse().ok()).collect();
                let architecture = Architecture(genes?);
                let accuracies: Vec<f32> = accuracies.split(' ').map(parse_accuracy).collect::<Option<_>>()?;
                let fits = accuracies.len() == tasks && space.contains(&architecture);
                fits.then_some((architecture, accuracies))
            });
            let Some((architecture, accuracies)) = parsed else {
                let expected = match tasks {
                    1 => "genes separated by blanks, a comma, an accuracy".into(),
                    several => format!("genes separated by blanks, a comma, {several} accuracies"),
                };
                return Err(broken(number, &expected, line));
            };
            measured.insert(architecture, accuracies);
        }
        Ok(measured)
    }
}

/// The files of a predictor. `folder` is named in errors.
pub(super) fn files(predictor: &Predictor, folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    let accuracy = match &predictor.accuracy {
        Some(model) => {
            let accuracies = model.measured.iter().map(|(one, &accuracy)| (one, vec![accuracy]));
            files.insert(ACCURACIES.into(), accuracies_csv(accuracies).into_bytes());
            let teachers = save_teachers(&mut files, &model.teachers, folder)?;
            let ensemble = save_ensemble(&mut files, "accuracy", &model.ensemble, folder)?;
            Some(SavedAccuracy {
                scale: model.scale.clone(),
                ensemble,
                origin: model.origin,
                domain: model.domain.clone(),
                paths: model.paths.clone(),
                teachers,
            })
        }
        None => None,
    };
    let saved = SavedPredictor {
        encoder: predictor.encoder.clone(),
        ensemble: save_ensemble(&mut files, "latency", &predictor.ensemble, folder)?,
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

fn save_ensemble(files: &mut Files, name: &str, ensemble: &Ensemble, folder: &Path) -> Result<SavedEnsemble> {
    for (index, member) in ensemble.members.iter().enumerate() {
        files.insert(member_file(name, index), module_bytes(member, folder)?);
    }
    Ok(SavedEnsemble {
        config: ensemble.config.clone(),
        members: ensemble.members.len(),
    })
}

fn save_teachers(files: &mut Files, teachers: &[Teacher], folder: &Path) -> Result<Vec<SavedTeacher>> {
    let save = |(index, teacher): (usize, &Teacher)| {
        let known = teacher.measured.iter();
        let table = accuracies_csv(known.map(|(one, accuracies)| (one, accuracies.clone())));
        files.insert(teacher_file(index), table.into_bytes());
        let towers = match &teacher.towers {
            Some(towers) => Some(SavedTeacherTowers {
                encoder: towers.encoder.clone(),
                ensemble: save_ensemble(files, &teacher_name(index), &towers.ensemble, folder)?,
            }),
            None => None,
        };
        Ok(SavedTeacher {
            space: teacher.space.id().into(),
            tasks: teacher.tasks.clone(),
            towers,
        })
    };
    teachers.iter().enumerate().map(save).collect()
}

fn member_file(name: &str, index: usize) -> String {
    format!("{name}-{index}.bpk")
}

fn teacher_name(index: usize) -> String {
    format!("teacher-{index}")
}

fn teacher_file(index: usize) -> String {
    format!("{}.csv", teacher_name(index))
}

/// NaN for one that was not measured.
fn parse_accuracy(text: &str) -> Option<f32> {
    if text == NOT_MEASURED {
        return Some(f32::NAN);
    }
    text.parse::<f32>()
        .ok()
        .filter(|accuracy| (0.0..=100.0).contains(accuracy))
}

fn print_accuracy(accuracy: &f32) -> String {
    if accuracy.is_nan() {
        NOT_MEASURED.into()
    } else {
        accuracy.to_string()
    }
}

/// One line per architecture, sorted: its genes, separated by blanks, and its accuracies in percent.
fn accuracies_csv<'a>(measured: impl Iterator<Item = (&'a Architecture, Vec<f32>)>) -> String {
    let sorted: BTreeMap<&Architecture, Vec<f32>> = measured.collect();
    let mut text = format!("{ACCURACY_COLUMNS}\n");
    for (architecture, accuracies) in sorted {
        let genes: Vec<String> = architecture.0.iter().map(u8::to_string).collect();
        let printed: Vec<String> = accuracies.iter().map(print_accuracy).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{},{}", genes.join(" "), printed.join(" "));
    }
    text
}
