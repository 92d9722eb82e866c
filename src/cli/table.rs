//! Tables for people: at most as wide as the terminal, and in plain ASCII where the locale knows nothing else.

use std::env;
use std::fmt::{self, Display, Formatter};
use std::io;

use comfy_table::{Cell, ContentArrangement, Row, Table, presets};

use crate::predict::Estimate;

/// Where a cell may be broken: takes no room, and is not printed. The delimiter of a line that is broken is lost, which no part
/// of an architecture may be.
const BREAK: char = '\u{200b}';

/// A table as it is printed.
pub(crate) struct TextTable(Table);

impl TextTable {
    /// Adds a row below the others.
    pub(crate) fn add_row<T: Into<Row>>(&mut self, row: T) {
        self.0.add_row(row);
    }
}

impl Display for TextTable {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.to_string().replace(BREAK, ""))
    }
}

/// An empty table with this header.
pub(crate) fn new_table<T: Into<Row>>(header: T) -> TextTable {
    let mut table = Table::new();
    table.load_preset(if is_utf8(|name| env::var(name).ok()) {
        presets::UTF8_BORDERS_ONLY
    } else {
        presets::ASCII_BORDERS_ONLY
    });
    table.set_header(header);
    if let Some(width) = width() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width);
    }
    TextTable(table)
}

/// A cell with an architecture, which breaks between its parts where it has to.
pub(crate) fn architecture(text: &str) -> Cell {
    let (start, parts) = text.split_at(text.len().min(1));
    let parts = parts
        .replace('|', &format!("{BREAK}|"))
        .replace('-', &format!("-{BREAK}"));
    Cell::new(format!("{start}{parts}")).set_delimiter(BREAK)
}

/// A value with its interval, if it has one.
pub(crate) fn interval(one: Estimate) -> String {
    if one.low == one.high {
        format!("{:.2}", one.mean)
    } else {
        format!("{:.2} [{:.2}, {:.2}]", one.mean, one.low, one.high)
    }
}

/// Whether a table of this width, in characters, fits where it is printed.
pub(crate) fn fits(table: usize) -> bool {
    width().is_none_or(|width| table <= usize::from(width))
}

/// Columns of the terminal that stdout is, or those that `COLUMNS` asks for; what goes to a file is never broken.
fn width() -> Option<u16> {
    let asked = || env::var("COLUMNS").ok()?.parse().ok();
    match terminal_size::terminal_size_of(io::stdout()) {
        Some((width, _)) => Some(width.0),
        None => asked(),
    }
}

/// Whether the locale of `variable`s writes UTF-8: the first of them that is set counts, and none means C.
pub(crate) fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(variable)
        .find(|locale| !locale.is_empty());
    cfg!(windows) || locale.is_some_and(|locale| locale.to_lowercase().replace('-', "").contains("utf8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(windows))]
    #[test]
    fn the_first_variable_that_is_set_is_the_locale() {
        let locale = |set: &'static [(&str, &str)]| {
            is_utf8(move |name| {
                set.iter()
                    .find(|(one, _)| *one == name)
                    .map(|(_, value)| value.to_string())
            })
        };
        assert!(locale(&[("LANG", "en_US.UTF-8")]));
        assert!(locale(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8"), ("LANG", "C")]));
        assert!(!locale(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]));
        assert!(!locale(&[("LANG", "de_DE.ISO-8859-1")]));
        assert!(!locale(&[]));
    }

    #[test]
    fn architectures_break_between_their_parts() {
        for (cell, parts) in [
            (
                "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|none~1|none~2|",
                ["nor_conv_3x3~0", "skip_connect~0", "nor_conv_1x1~1"],
            ),
            (
                "k3_e1-k5_e6-skip-k3_e1_g2-k3_e3-k5_e1_g2-k3_e6-k5_e3",
                ["k5_e6", "k3_e1_g2", "k5_e3"],
            ),
        ] {
            breaks_between(cell, &parts);
        }
    }

    fn breaks_between(cell: &str, parts: &[&str]) {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(40);
        table.add_row([architecture(cell)]);
        let lines: Vec<String> = TextTable(table)
            .to_string()
            .lines()
            .map(|line| line.trim().to_string())
            .collect();
        // Put together again they are what they were, so that it can be copied.
        assert_eq!(lines.concat(), cell);
        assert!(
            lines.len() > 1 && lines.iter().all(|line| line.len() <= 40),
            "{lines:?}"
        );
        for part in parts {
            assert!(
                lines.iter().any(|line| line.contains(*part)),
                "{part} is broken in {lines:?}"
            );
        }
    }
}
