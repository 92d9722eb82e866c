//! The datasets that the binary carries: those of `datasets/`, by the name of their folder.

use std::fs;

use super::Dataset;
use crate::error::{Error, Result};
use crate::files::CarriedFolder;

/// Name of every bundled dataset, with the names and contents of its files.
const BUNDLED: &[CarriedFolder] = include!(concat!(env!("OUT_DIR"), "/datasets.rs"));

impl Dataset {
    /// The bundled dataset of this name.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a name that none has; [`Error::Io`] where no temporary files can be written.
    pub fn bundled(name: &str) -> Result<Dataset> {
        let Some((_, files)) = BUNDLED.iter().find(|(known, _)| *known == name) else {
            return Err(Error::Unknown {
                kind: "bundled dataset",
                name: name.into(),
                known: BUNDLED.iter().map(|(name, _)| name.to_string()).collect(),
            });
        };
        // Datasets are read from folders.
        let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
        for (name, bytes) in *files {
            let path = folder.path().join(name);
            fs::write(&path, bytes).map_err(Error::io("write", &path))?;
        }
        Dataset::read(folder.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundled_dataset_is_the_one_in_its_folder() {
        let bundled = Dataset::bundled("nasbench201-fleet").unwrap();
        let read = Dataset::read(std::path::Path::new("datasets/nasbench201-fleet")).unwrap();
        assert!(!read.measurements.is_empty());
        assert_eq!(bundled.measurements, read.measurements);
        let unknown = Dataset::bundled("nasbench201-flet").err().unwrap().to_string();
        assert!(unknown.contains("did you mean `nasbench201-fleet`?"), "{unknown}");
    }
}
