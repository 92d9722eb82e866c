//! Whether the header of a table names the columns that it has to.

use std::path::Path;

use super::{Columns, SHOWN, shortened};
use crate::error::{Error, Result, did_you_mean};

/// Where the known columns stand in the header.
pub(super) fn match_header(path: &Path, columns: &Columns<'_>, header: &[String]) -> Result<Vec<Option<usize>>> {
    check_separator(path, header)?;
    check_names(path, columns, header)?;
    check_required(path, columns, header)?;
    Ok(columns
        .known
        .iter()
        .map(|name| header.iter().position(|found| found == name))
        .collect())
}

fn malformed_header(path: &Path, column: Option<&str>, expected: String, found: String, hint: &str) -> Error {
    Error::Malformed {
        path: path.to_path_buf(),
        line: Some(1),
        column: column.map(str::to_string),
        expected,
        found,
        hint: hint.into(),
    }
}

fn check_separator(path: &Path, header: &[String]) -> Result<()> {
    if let [only] = header
        && let Some(separator) = [';', '\t'].into_iter().find(|&separator| only.contains(separator))
    {
        let expected = "columns separated by commas".into();
        let found = format!("columns separated by {separator:?}");
        let hint = "Save the file as comma-separated values.";
        return Err(malformed_header(path, None, expected, found, hint));
    }
    Ok(())
}

/// Refuses columns that are unknown, where those are an error, and known ones that stand there twice.
fn check_names(path: &Path, columns: &Columns<'_>, header: &[String]) -> Result<()> {
    let known: Vec<String> = columns.known.iter().map(|name| name.to_string()).collect();
    for (place, name) in header.iter().enumerate() {
        if columns.strict && !known.contains(name) {
            let expected = format!("columns among {}", known.join(", "));
            let shown = shortened(name);
            let found = format!("unknown column `{shown}`{}", did_you_mean(&shown, &known));
            let hint = "Rename or remove the column.";
            return Err(malformed_header(path, Some(&shown), expected, found, hint));
        }
        if known.contains(name) && header[..place].contains(name) {
            let (expected, found) = ("each column once".into(), "the column twice".into());
            return Err(malformed_header(
                path,
                Some(name),
                expected,
                found,
                "Remove one of them.",
            ));
        }
    }
    Ok(())
}

fn check_required(path: &Path, columns: &Columns<'_>, header: &[String]) -> Result<()> {
    let absent = (columns.required.iter()).find(|&&name| !header.iter().any(|found| found == name));
    let Some(&name) = absent else {
        return Ok(());
    };
    let near: Vec<String> = header.iter().filter(|name| name.len() <= SHOWN).cloned().collect();
    let expected = format!("the columns {}", columns.required.join(", "));
    let found = format!("no column `{name}`{}", did_you_mean(name, &near));
    let hint = "The first line has to name the columns.";
    Err(malformed_header(path, Some(name), expected, found, hint))
}
