//! Whether a dataset folder is what its owner takes it for: read in whole, and looked over for what reading lets pass.

use std::fs;
use std::path::Path;

use super::plausible::implausible_devices;
use super::{ACCURACY_FILE, DEVICES_FILE, Loaded, MEASUREMENTS_FILE, Summary, load, summarise};
use crate::error::{Error, Result, did_you_mean};
use crate::progress::Progress;

/// A sound dataset, and what is odd about it.
pub struct Validation {
    /// The dataset.
    pub loaded: Loaded,
    /// Its figures.
    pub summary: Summary,
    /// What was noticed and does no harm, each in a sentence.
    pub notes: Vec<String>,
    /// What should be put right before anything is learned from the dataset, each in a sentence.
    pub warnings: Vec<String>,
}

/// Reads a dataset folder and looks it over.
///
/// # Errors
/// What [`load`] returns; [`Error::Malformed`] without measurements.csv, for a table that is none of a dataset's, and without a
/// single row.
pub fn validate(folder: &Path, progress: &dyn Progress) -> Result<Validation> {
    let loaded = load(folder, progress)?;
    refuse_strays(folder)?;
    if folder.join(MEASUREMENTS_FILE).symlink_metadata().is_err() {
        return Err(malformed(
            folder,
            format!("a table {MEASUREMENTS_FILE}"),
            "none".into(),
            "Of accuracies alone it holds nothing but the line with the names of the columns.",
        ));
    }
    if loaded.dataset.measurements.is_empty() && loaded.dataset.accuracies.is_empty() {
        let expected = "at least one measurement or accuracy".to_string();
        return Err(malformed(folder, expected, "none".into(), "Import some."));
    }
    let summary = summarise(&loaded.dataset);
    let mut notes = Vec::new();
    if loaded.repeated_rows > 0 {
        notes.push(format!(
            "{} rows repeat an earlier one with the same values",
            loaded.repeated_rows
        ));
    }
    notes.extend(loaded.assumed_input.clone());
    for device in summary.devices.iter().filter(|device| device.rows == 0) {
        notes.push(format!("device {} has no measurements", device.id));
    }
    let duplicates = summary.duplicated_devices.iter().map(|pair| {
        format!(
            "devices {} and {} are the same measurements twice ({} of {} latencies agree to 2.5 %): use one of them",
            pair.first, pair.second, pair.identical, pair.shared
        )
    });
    let implausible = implausible_devices(&loaded.dataset);
    let warnings = duplicates.chain(implausible.iter().map(ToString::to_string)).collect();
    Ok(Validation {
        loaded,
        summary,
        notes,
        warnings,
    })
}

/// A table whose name is misspelt is read by nobody.
fn refuse_strays(folder: &Path) -> Result<()> {
    let known = [DEVICES_FILE, MEASUREMENTS_FILE, ACCURACY_FILE].map(str::to_string);
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let name = entry.map_err(Error::io("read", folder))?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".csv") && !known.contains(&name.to_string()) {
            return Err(malformed(
                folder,
                format!("no tables but {}", known.join(", ")),
                format!("`{name}`{}", did_you_mean(&name, &known)),
                "Rename it, or keep it elsewhere.",
            ));
        }
    }
    Ok(())
}

fn malformed(folder: &Path, expected: String, found: String, hint: &str) -> Error {
    Error::Malformed {
        path: folder.to_path_buf(),
        line: None,
        column: None,
        expected,
        found,
        hint: hint.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::MANIFEST_FILE;
    use crate::progress::Silent;

    const CELL: &str =
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|skip_connect~1|skip_connect~2|";

    /// A dataset of these tables.
    fn refused(tables: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(MANIFEST_FILE), "space = \"nasbench201\"\n").unwrap();
        for (name, content) in tables {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let validated = validate(folder.path(), &Silent);
        validated.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn tables_that_nobody_would_read_are_refused() {
        let measurements = format!("device,architecture,latency_ms\nboard,{CELL},5\n");
        let accuracy = format!("task,architecture,accuracy_percent\nmine,{CELL},70\n");
        assert_eq!(refused(&[("measurements.csv", &measurements)]), "");
        for (tables, expected) in [
            (vec![("accuracy.csv", accuracy.as_str())], "measurements.csv"),
            (
                vec![("accuracy.csv", &accuracy), ("measurement.csv", &measurements)],
                "did you mean `measurements.csv`?",
            ),
            (
                vec![("measurements.csv", "device,architecture,latency_ms\n")],
                "at least one",
            ),
        ] {
            let message = refused(&tables);
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_folder_in_place_of_a_table_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(MANIFEST_FILE), "space = \"nasbench201\"\n").unwrap();
        fs::create_dir(folder.path().join(MEASUREMENTS_FILE)).unwrap();
        let error = load(folder.path(), &Silent).err().unwrap();
        assert!(matches!(error, Error::Io { .. }), "{error}");
        assert!(error.to_string().contains("Name a file, not a folder"), "{error}");
    }

    #[test]
    fn unknown_classes_and_precisions_are_named_with_line_and_column() {
        let measurements = format!("device,architecture,latency_ms\nboard,{CELL},5\n");
        let with = |devices| refused(&[("measurements.csv", measurements.as_str()), ("devices.csv", devices)]);
        for (devices, column) in [
            ("id,precision\nboard,int9\n", "devices.csv:2 (precision)"),
            ("id,class\nboard,mobile-cpy\n", "devices.csv:2 (class)"),
        ] {
            let message = with(devices);
            assert!(
                message.contains(column) && message.contains("did you mean"),
                "{message}"
            );
        }
        let rows = format!("device,architecture,precision,latency_ms\nboard,{CELL},int9,5\n");
        let message = refused(&[("measurements.csv", &rows)]);
        assert!(
            message.contains("measurements.csv:2 (precision)") && message.contains("int9"),
            "{message}"
        );
        // Rows that state no precision have that of their device.
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(MANIFEST_FILE), "space = \"nasbench201\"\n").unwrap();
        fs::write(folder.path().join(DEVICES_FILE), "id,precision\nboard,int8\n").unwrap();
        fs::write(folder.path().join(MEASUREMENTS_FILE), &measurements).unwrap();
        let found = validate(folder.path(), &Silent).unwrap();
        assert_eq!(found.loaded.dataset.measurements[0].precision.to_string(), "int8");
    }
}
