//! Which architecture stands where in HELP's lists of latencies?

use std::path::Path;

use super::super::pickle::{Configurations, Positions, Rows, read_pt};
use crate::dataset::build::Builder;
use crate::error::{Error, Result};
use crate::space::Architecture;

fn bad_index(path: &Path, found: String) -> Error {
    Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: None,
        expected: "every architecture once, at the positions 0, 1, 2, ...".into(),
        found,
        hint: "Get the file again from a clone of HELP.".into(),
    }
}

fn present(path: &Path) -> Result<()> {
    if path.is_file() {
        Ok(())
    } else {
        Err(bad_index(path, "no such file".into()))
    }
}

/// Numbers in the builder of the architectures of a dictionary from strings to positions, by position.
pub(super) fn read_positions(path: &Path, builder: &mut Builder) -> Result<Vec<u32>> {
    present(path)?;
    let complain = |found: String| bad_index(path, found);
    let Positions(entries) = read_pt(path, "a dictionary from architectures to positions")?;
    let mut architectures = vec![None; entries.len()];
    for (text, position) in &entries {
        let architecture = builder
            .architecture(text)
            .map_err(|error| complain(error.to_string()))?;
        match usize::try_from(*position)
            .ok()
            .and_then(|position| architectures.get_mut(position))
        {
            Some(free @ None) => *free = Some(architecture),
            Some(_) => return Err(complain(format!("two architectures at position {position}"))),
            None => {
                return Err(complain(format!(
                    "position {position} among {} architectures",
                    entries.len()
                )));
            }
        }
    }
    if builder.dataset().architectures.len() < entries.len() {
        return Err(complain("an architecture at two positions".into()));
    }
    Ok(architectures.into_iter().flatten().collect())
}

/// Numbers in the builder of the architectures of a list, each a list with the choice made for every gene.
pub(super) fn read_lists(path: &Path, builder: &mut Builder) -> Result<Vec<u32>> {
    present(path)?;
    let Rows(rows) = read_pt(path, "a list with a list of choices for every architecture")?;
    let choices = builder.dataset().space.choices();
    let mut architectures = Vec::with_capacity(rows.len());
    for (position, genes) in rows.into_iter().enumerate() {
        if genes.len() != choices.len() {
            let found = format!(
                "{} choices at position {position} instead of {}",
                genes.len(),
                choices.len()
            );
            return Err(bad_index(path, found));
        }
        let wrong = genes.iter().zip(choices).position(|(gene, choices)| gene >= choices);
        if let Some(gene) = wrong {
            let found = format!(
                "choice {} of {} for gene {gene} at position {position}",
                genes[gene], choices[gene]
            );
            return Err(bad_index(path, found));
        }
        let number = builder.parsed_architecture(Architecture(genes));
        if number as usize != position {
            return Err(bad_index(
                path,
                format!("an architecture at the positions {number} and {position}"),
            ));
        }
        architectures.push(number);
    }
    Ok(architectures)
}

/// Numbers in the builder of the architectures of a list of configurations, in canonical form. One network may stand at several
/// positions: configurations also name the blocks that do not run.
pub(super) fn read_configurations(path: &Path, builder: &mut Builder) -> Result<Vec<u32>> {
    present(path)?;
    let Configurations(configurations) = read_pt(
        path,
        "a dictionary with a list `arch` of dictionaries with ks, e, d and r",
    )?;
    let space = builder.dataset().space;
    let mut architectures = Vec::with_capacity(configurations.len());
    for (position, text) in configurations.iter().enumerate() {
        let architecture = space.parse(text).map_err(|error| Error::Malformed {
            path: path.to_path_buf(),
            line: None,
            column: Some(format!("position {position}")),
            expected: format!("an architecture of {}", space.id()),
            found: error.to_string().trim_end_matches('.').into(),
            hint: "Get the file again from a clone of HELP.".into(),
        })?;
        architectures.push(builder.parsed_architecture(space.canonical(&architecture)));
    }
    Ok(architectures)
}
