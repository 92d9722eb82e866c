//! The checkpoints that the binary carries: those of `checkpoints/`, by the name of their folder.

use std::path::Path;

use super::manifest::{MANIFEST, Manifest};
use super::{Checkpoint, Files};
use crate::error::{Error, Result};
use crate::files::{CarriedFile, CarriedFolder};

/// Name of every shipped checkpoint, with the names and contents of its files.
const SHIPPED: &[CarriedFolder] = include!(concat!(env!("OUT_DIR"), "/checkpoints.rs"));

impl Checkpoint {
    /// The checkpoint in the folder of this name, or else the shipped one that is called so.
    ///
    /// # Errors
    /// As [`Checkpoint::open`]; [`Error::Checkpoint`] with the names of the shipped ones where there is neither.
    pub fn resolve(name: impl AsRef<Path>) -> Result<Checkpoint> {
        let name = name.as_ref();
        let shipped = SHIPPED.iter().find(|(known, _)| Path::new(known) == name);
        match shipped {
            Some((name, files)) if !Path::new(name).join(MANIFEST).exists() => Checkpoint::carried(name, files),
            None if !name.exists() => Err(Error::Checkpoint {
                path: name.to_path_buf(),
                expected: format!("a folder, or one of the shipped {}", Checkpoint::shipped().join(", ")),
                found: "nothing of this name".into(),
                hint: "Check the path.".into(),
            }),
            _ => Checkpoint::open(name),
        }
    }

    /// Names of the shipped checkpoints.
    pub fn shipped() -> Vec<&'static str> {
        SHIPPED.iter().map(|(name, _)| *name).collect()
    }

    fn carried(name: &str, carried: &[CarriedFile]) -> Result<Checkpoint> {
        let folder = Path::new(name);
        let mut files: Files = carried
            .iter()
            .map(|(name, bytes)| (name.to_string(), bytes.to_vec()))
            .collect();
        let manifest = files.remove(MANIFEST).unwrap_or_default();
        Checkpoint::new(folder, Manifest::parse(&manifest, &folder.join(MANIFEST))?, files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nothing_has_is_told_with_the_names_that_are_shipped() {
        let error = Checkpoint::resolve("nasbench20").err().unwrap();
        assert_eq!(error.exit_code(), 1);
        let message = error.to_string();
        assert!(
            message.contains("nasbench20:") && message.contains("nasbench201"),
            "{message}"
        );
    }

    #[test]
    fn a_shipped_checkpoint_consists_of_the_files_of_its_manifest() {
        for (name, files) in SHIPPED {
            let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
            assert!(
                names.contains(&MANIFEST) && names.contains(&"predictor.json"),
                "{name}: {names:?}"
            );
            assert!(
                !names.contains(&"README.md") && !names.contains(&"figures.json"),
                "{name}: {names:?}"
            );
        }
    }
}
