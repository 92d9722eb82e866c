//! Work on whole dataset folders: reading several as one, adding a source to one, replacing a simulated one.

use std::path::{Path, PathBuf};

use super::import::{Imported, Importer};
use super::plausible::implausible_devices;
use super::simulate::{self, FleetConfig};
use super::{ACCURACY_FILE, Added, DEVICES_FILE, Dataset, MANIFEST_FILE, MEASUREMENTS_FILE, Manifest, Origin, load};
use crate::error::{Error, Result};
use crate::files::LockedFolder;
use crate::progress::Progress;
use crate::space::{InputSize, QuantPolicy, SearchSpace, by_id};

/// What is taken of the datasets read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The precision chosen, see [`Dataset::at_precision`].
    pub precision: Option<QuantPolicy>,
    /// Id of the search space, where datasets of others are to be skipped.
    pub space: Option<String>,
    /// Leave accuracies out: who does not look at them does not mind if those of two datasets contradict each other. The names
    /// of the tasks stay.
    pub without_accuracies: bool,
}

impl Reading {
    /// Reads a dataset folder; `None` where its search space is to be skipped.
    fn read(&self, folder: &Path, progress: &dyn Progress) -> Result<Option<Dataset>> {
        let mut dataset = load(folder, progress)?.dataset;
        if self.space.as_deref().is_some_and(|space| dataset.space.id() != space) {
            return Ok(None);
        }
        if self.without_accuracies {
            dataset.accuracies.clear();
        }
        Ok(Some(dataset))
    }

    fn at_precision(&self, dataset: Dataset) -> Result<Dataset> {
        match self.precision {
            Some(precision) => dataset.at_precision(precision),
            None => Ok(dataset),
        }
    }
}

/// No dataset, or none of a search space.
fn no_dataset(space: Option<&str>) -> Error {
    Error::Insufficient {
        what: "datasets".into(),
        expected: match space {
            Some(space) => format!("at least one of the search space {space}"),
            None => "at least one".into(),
        },
        found: "none".into(),
        hint: "Name one, or import one.".into(),
    }
}

impl Dataset {
    /// Reads dataset folders as one dataset.
    ///
    /// # Errors
    /// What [`load`], [`Dataset::merged`] and [`Dataset::at_precision`] return; [`Error::Insufficient`] when there is no folder,
    /// or none of the search space.
    pub fn read_all(folders: &[PathBuf], reading: &Reading, progress: &dyn Progress) -> Result<Dataset> {
        let mut merged: Option<Dataset> = None;
        for folder in folders {
            let Some(dataset) = reading.read(folder, progress)? else {
                continue;
            };
            merged = Some(match merged {
                Some(earlier) => earlier.merged(dataset, folder)?.0,
                None => dataset,
            });
        }
        reading.at_precision(merged.ok_or_else(|| no_dataset(reading.space.as_deref()))?)
    }

    /// Reads dataset folders as one dataset per search space: that of the space with this id, or of their only one, and those of
    /// the others. The precision of the reading is that of the first, its space is not looked at.
    ///
    /// # Errors
    /// As [`Dataset::read_all`]; [`Error::Unknown`] for a space that does not exist, and [`Error::Invalid`] for datasets of several
    /// spaces of which none was chosen.
    pub fn read_spaces(
        folders: &[PathBuf],
        space: Option<&str>,
        reading: &Reading,
        progress: &dyn Progress,
    ) -> Result<(Dataset, Vec<Dataset>)> {
        let reading = Reading {
            space: None,
            ..reading.clone()
        };
        let space = space.map(by_id).transpose()?.map(SearchSpace::id);
        let mut spaces: Vec<Dataset> = Vec::new();
        for folder in folders {
            let Some(dataset) = reading.read(folder, progress)? else {
                continue;
            };
            match spaces.iter().position(|one| one.space.id() == dataset.space.id()) {
                Some(place) => {
                    let earlier = spaces.remove(place);
                    spaces.insert(place, earlier.merged(dataset, folder)?.0);
                }
                None => spaces.push(dataset),
            }
        }
        let ids: Vec<&str> = spaces.iter().map(|one| one.space.id()).collect();
        let place = match (space, ids.as_slice()) {
            (Some(space), ids) => ids.iter().position(|id| *id == space),
            (None, []) => None,
            (None, [_]) => Some(0),
            (None, several) => {
                return Err(Error::Invalid {
                    what: "search space".into(),
                    expected: format!("one of those of the datasets: {}", several.join(", ")),
                    found: "none chosen".into(),
                    hint: "Name the one to learn; of the others only profiles of devices are.".into(),
                });
            }
        };
        let chosen = spaces.remove(place.ok_or_else(|| no_dataset(space))?);
        Ok((reading.at_precision(chosen)?, spaces))
    }
}

/// What is imported, from where.
pub struct ImportRequest<'a> {
    /// The format of the source.
    pub importer: &'a dyn Importer,
    /// Where the source is.
    pub path: &'a Path,
    /// The search space of its architectures.
    pub space: &'static dyn SearchSpace,
    /// The input size whose measurements are taken; all by default.
    pub input: Option<InputSize>,
}

/// What an import did to a dataset folder.
pub struct ImportOutcome {
    /// The dataset as it now is.
    pub dataset: Dataset,
    /// What is new in it.
    pub added: Added,
    /// What was noticed and left out, each in a sentence.
    pub notes: Vec<String>,
    /// What should be put right before anything is learned from the dataset, each in a sentence.
    pub warnings: Vec<String>,
}

/// Adds a source to the dataset in a folder, which is made if there is none.
///
/// # Errors
/// [`Error::Invalid`] for a folder that holds tables but no dataset, and what the importer, [`load`], [`Dataset::merged`] and
/// [`Dataset::write`] return. The dataset is then as it was.
pub fn import_into(folder: &Path, request: &ImportRequest<'_>, progress: &dyn Progress) -> Result<ImportOutcome> {
    // From reading the dataset to writing it, so that of two imports at once neither is lost.
    let locked = LockedFolder::open(folder)?;
    // Before the work of reading the source: the dataset to add to may be broken.
    let present = if folder.join(MANIFEST_FILE).exists() {
        Some(load(folder, progress)?)
    } else {
        refuse_stray_tables(folder)?;
        None
    };
    let Imported {
        manifest: additional,
        dataset: found,
        notes,
    } = request.importer.import(request.path, request.space, progress)?;
    let found = match request.input {
        Some(input) => found.only_input(input)?,
        None => found,
    };
    let (manifest, target) = match present {
        Some(present) => {
            let mut manifest = present.manifest;
            manifest.add(additional);
            (manifest, present.dataset)
        }
        None => (additional, Dataset::new(request.space)),
    };
    let (dataset, added) = target.merged(found, folder)?;
    dataset.write_to(&locked, &manifest)?;
    // No refusal: nothing is learned from the values yet.
    let implausible = implausible_devices(&dataset);
    Ok(ImportOutcome {
        dataset,
        added,
        notes,
        warnings: implausible.iter().map(ToString::to_string).collect(),
    })
}

/// Tables that stand in a folder without a manifest are somebody's work, not ours to replace.
pub(crate) fn refuse_stray_tables(folder: &Path) -> Result<()> {
    let tables = [DEVICES_FILE, MEASUREMENTS_FILE, ACCURACY_FILE];
    match tables.into_iter().find(|name| folder.join(name).exists()) {
        None => Ok(()),
        Some(name) => Err(Error::Invalid {
            what: format!("folder {}", folder.display()),
            expected: format!("a dataset with {MANIFEST_FILE}, or a folder without {name}"),
            found: format!("{name} alone"),
            hint: format!("Add {MANIFEST_FILE}, or name another folder."),
        }),
    }
}

/// Simulates a fleet into a folder, where a simulated dataset is replaced.
///
/// # Errors
/// [`Error::Invalid`] for a folder that holds tables or a dataset that is not simulated, and what [`simulate::run`] and
/// [`Dataset::write`] return.
pub fn simulate_into(folder: &Path, config: &FleetConfig) -> Result<Dataset> {
    let locked = LockedFolder::open(folder)?;
    if folder.join(MANIFEST_FILE).exists() {
        refuse_measured(folder)?;
    } else {
        refuse_stray_tables(folder)?;
    }
    let dataset = simulate::run(config)?;
    dataset.write_to(&locked, &config.manifest())?;
    Ok(dataset)
}

fn refuse_measured(folder: &Path) -> Result<()> {
    if Manifest::read(folder)?.origin == Origin::Simulated {
        return Ok(());
    }
    Err(Error::Invalid {
        what: format!("dataset folder {}", folder.display()),
        expected: "a new one, or a simulated one to replace".into(),
        found: "a dataset that is not simulated".into(),
        hint: "Name another folder.".into(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::dataset::import::by_name;
    use crate::progress::Silent;
    use crate::space::{NasBench201, Precision};

    const CELL: &str =
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|skip_connect~1|skip_connect~2|";

    fn dataset(folder: &Path, accuracy: &str) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(MANIFEST_FILE), "space = \"nasbench201\"\n").unwrap();
        let rows = format!("device,architecture,precision,latency_ms\na,{CELL},fp32,2\na,{CELL},int8,1\n");
        fs::write(folder.join(MEASUREMENTS_FILE), rows).unwrap();
        let rows = format!("task,architecture,accuracy_percent\nmine,{CELL},{accuracy}\n");
        fs::write(folder.join(ACCURACY_FILE), rows).unwrap();
    }

    /// Two datasets with the same measurements and different accuracies.
    #[test]
    fn accuracies_contradict_only_where_they_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let folders = ["one", "two"].map(|name| folder.path().join(name));
        dataset(&folders[0], "70");
        dataset(&folders[1], "71");
        let read = |reading: &Reading| Dataset::read_all(&folders, reading, &Silent);
        assert!(read(&Reading::default()).is_err());
        let without = read(&Reading {
            without_accuracies: true,
            ..Reading::default()
        })
        .unwrap();
        assert_eq!((without.measurements.len(), without.accuracies.len()), (2, 0));
        assert_eq!(without.tasks, ["mine"]);
    }

    #[test]
    fn a_precision_is_chosen_and_other_spaces_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        dataset(folder.path(), "70");
        let folders = [folder.path().to_path_buf()];
        let read = |reading: &Reading| Dataset::read_all(&folders, reading, &Silent);
        let int8 = read(&Reading {
            precision: Some(Precision::Int8.into()),
            ..Reading::default()
        })
        .unwrap();
        assert_eq!(int8.measurements.len(), 1);
        let reading = Reading {
            space: Some("fbnet".into()),
            ..Reading::default()
        };
        let message = read(&reading).err().unwrap().to_string();
        assert!(message.contains("fbnet") && message.contains("none"), "{message}");
        assert!(Dataset::read_all(&[], &Reading::default(), &Silent).is_err());
    }

    #[test]
    fn sources_are_added_to_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two, out) = (
            folder.path().join("one"),
            folder.path().join("two"),
            folder.path().join("out"),
        );
        dataset(&one, "70");
        dataset(&two, "71");
        let import = |path: &Path| {
            let request = ImportRequest {
                importer: by_name("csv").unwrap(),
                path,
                space: &NasBench201,
                input: None,
            };
            import_into(&out, &request, &Silent)
        };
        let first = import(&one).unwrap();
        assert_eq!((first.added.measurements, first.added.accuracies), (2, 1));
        assert!(import(&two).is_err());
        let again = import(&one).unwrap();
        assert_eq!((again.added.measurements, again.added.known_rows), (0, 3));
        assert_eq!(Dataset::read(&out).unwrap().measurements.len(), 2);
        // Tables without a manifest are not ours.
        fs::remove_file(out.join(MANIFEST_FILE)).unwrap();
        let message = import(&one).err().unwrap().to_string();
        assert!(
            message.contains(MANIFEST_FILE) && message.contains(DEVICES_FILE),
            "{message}"
        );
    }

    #[test]
    fn simulating_replaces_simulated_datasets_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.toml");
        let fleet = "space = \"nasbench201\"\ndevices = [\"raspi4\"]\narchitectures = 3\nseed = 1\n";
        fs::write(&path, fleet).unwrap();
        let config = FleetConfig::read(&path).unwrap();
        let out = folder.path().join("out");
        simulate_into(&out, &config).unwrap();
        simulate_into(&out, &config).unwrap();
        assert_eq!(Dataset::read(&out).unwrap().measurements.len(), 3);
        fs::write(out.join(MANIFEST_FILE), "space = \"nasbench201\"\n").unwrap();
        let refused = simulate_into(&out, &config).err().unwrap().to_string();
        assert!(refused.contains("not simulated"), "{refused}");
        fs::remove_file(out.join(MANIFEST_FILE)).unwrap();
        assert!(simulate_into(&out, &config).is_err());
    }
}
