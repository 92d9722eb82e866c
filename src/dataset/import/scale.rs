//! Are the accuracies of a table fractions or percentages? Both in one column teach nonsense, and no later step would notice.

use std::path::Path;

use crate::dataset::table::Row;
use crate::error::{Error, Result};

/// How a source states accuracies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From 0 to 1.
    Fractions,
    /// From 0 to 100.
    Percentages,
}

/// The first fraction and the first percentage among the accuracies of a problem of few classes, where a network that is right
/// in at most 1 % of the cases is none: values above 0 and up to 1 are fractions. 0 may be either.
#[derive(Debug, Default)]
pub(super) struct Scales {
    fraction: Option<Seen>,
    percentage: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    line: u64,
    value: f64,
}

impl Scales {
    /// Reads an accuracy, whatever its scale.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything but a number from 0 to 100.
    pub(super) fn read(&mut self, row: &Row<'_>, column: usize) -> Result<f64> {
        let text = row.required(column)?;
        let value = row
            .number(column)?
            .filter(|value| (0.0..=100.0).contains(value))
            .ok_or_else(|| row.malformed(column, "an accuracy", format!("`{text}`"), "Get the file again."))?;
        let seen = Seen {
            line: row.line(),
            value,
        };
        if value > 1.0 {
            self.percentage.get_or_insert(seen);
        } else if value > 0.0 {
            self.fraction.get_or_insert(seen);
        }
        Ok(value)
    }

    /// Refuses a table whose accuracies are not all on the scale that its source uses.
    ///
    /// # Errors
    /// [`Error::Malformed`] with the first line of the other scale.
    pub(super) fn expect(&self, scale: Scale, path: &Path) -> Result<()> {
        let (usual, other, expected, hint) = match scale {
            Scale::Fractions => (
                &self.fraction,
                &self.percentage,
                "accuracies as fractions, from 0 to 1",
                "Divide percentages by 100",
            ),
            Scale::Percentages => (
                &self.percentage,
                &self.fraction,
                "accuracies in percent",
                "They look like fractions: multiply them by 100",
            ),
        };
        let Some(other) = other else {
            return Ok(());
        };
        let beside = match usual {
            Some(usual) => format!(", but {} in line {}: two scales in one table", usual.value, usual.line),
            None => ", and none on that scale".into(),
        };
        Err(Error::Malformed {
            path: path.to_path_buf(),
            line: Some(other.line),
            column: None,
            expected: expected.into(),
            found: format!("{}{beside}", other.value),
            hint: format!("{hint}, or get the file again."),
        })
    }
}
