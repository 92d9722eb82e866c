//! Reads the strings and lists that stand for an FBNet architecture.

use super::super::Architecture;
use super::super::excerpt::{SHOWN_CHARACTERS, quoted};
use super::{BLOCKS, CANDIDATES};
use crate::error::{Error, Result};

/// The forms of an architecture, for messages.
const FORMS: &str = "22 names joined by `-`, as in k3_e6-skip-..., or a list of 22 indices, as in [3, 8, ...]";

/// Reads one architecture.
pub(super) fn architecture(text: &str) -> Result<Architecture> {
    let bare = text.trim();
    let list = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let separator = if list.is_some() || bare.contains(',') { ',' } else { '-' };
    let mut genes = Vec::with_capacity(BLOCKS);
    for (place, word) in list.unwrap_or(bare).split(separator).enumerate() {
        if place == BLOCKS {
            return Err(malformed("text after block 22", "the end", word));
        }
        genes.push(gene(place, unquoted(word.trim()))?);
    }
    if genes.len() == BLOCKS {
        Ok(Architecture(genes))
    } else {
        Err(malformed(
            &format!("block {}", genes.len() + 1),
            &format!("{BLOCKS} blocks"),
            "",
        ))
    }
}

/// A name as in a list of Python or JSON.
fn unquoted(word: &str) -> &str {
    let between = |quote| word.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    between('\'').or(between('"')).unwrap_or(word)
}

/// The candidate that a name or an index stands for.
fn gene(place: usize, word: &str) -> Result<u8> {
    let named = CANDIDATES.iter().position(|candidate| candidate.name == word);
    let position = named.or_else(|| {
        let index = word.parse::<usize>().ok()?;
        // A plus sign or a leading zero is no index of anyone's.
        (index < CANDIDATES.len() && word.len() == 1).then_some(index)
    });
    position.map(|position| position as u8).ok_or_else(|| Error::Invalid {
        what: format!("FBNet architecture, block {}", place + 1),
        expected: format!("one of {} or an index below {}", names().join(", "), CANDIDATES.len()),
        found: quoted(word),
        hint: nearest(word),
    })
}

fn names() -> Vec<&'static str> {
    CANDIDATES.iter().map(|candidate| candidate.name).collect()
}

fn malformed(place: &str, expected: &str, found: &str) -> Error {
    Error::Invalid {
        what: format!("FBNet architecture, {place}"),
        expected: expected.into(),
        found: if found.is_empty() {
            "the end".into()
        } else {
            quoted(found)
        },
        hint: format!("The form is {FORMS}."),
    }
}

fn nearest(word: &str) -> String {
    let shown: String = word.chars().take(SHOWN_CHARACTERS).collect::<String>().to_lowercase();
    names()
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&shown, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity > 0.75)
        .map_or_else(
            || format!("The form is {FORMS}."),
            |(_, name)| format!("Did you mean `{name}`?"),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(first: &str, separator: &str) -> String {
        let mut words = vec!["skip"; BLOCKS];
        words[0] = first;
        words.join(separator)
    }

    #[test]
    fn names_and_indices_in_every_form() {
        let expected = Architecture([vec![3], vec![8; 21]].concat());
        let indices = joined("3", ", ").replace("skip", "8");
        let forms = [
            joined("k3_e6", "-"),
            joined("k3_e6", ","),
            indices.replace(", ", "-"),
            format!("[{indices}]"),
            format!(" [ {indices} ]\n"),
            format!("['{}']", joined("k3_e6", "', '")),
            format!("[\"{}\"]", joined("k3_e6", "\",\"")),
        ];
        for form in forms {
            assert_eq!(architecture(&form).unwrap(), expected, "{form}");
        }
    }

    #[test]
    fn faults_are_named_with_their_place() {
        let huge = "-".repeat(1 << 20);
        let cases = [
            (String::new(), "block 1: expected one of k3_e1, k3_e1_g2, "),
            (huge, "block 1: expected one of"),
            (
                "skip-skip".into(),
                "block 3: expected 22 blocks, found the end. The form is",
            ),
            (
                joined("k3_e6", "-") + "-k3_e1",
                "text after block 22: expected the end, found `k3_e1`",
            ),
            (joined("k3_e6", "-") + "-", "text after block 22"),
            (joined("k3e6", "-"), "block 1: expected one of"),
            (joined("k3e6", "-"), "Did you mean `k3_e6`?"),
            (joined("9", "-"), "found `9`"),
            (joined("+3", ","), "found `+3`"),
            (joined("03", ","), "found `03`"),
            (joined("-1", ","), "found `-1`"),
            (joined("3.0", ","), "found `3.0`"),
            (joined("K5_E6", "-"), "Did you mean `k5_e6`?"),
            (format!("[{}", joined("3", ",")), "block 1: expected one of"),
            (format!("[[{}]]", joined("3", ",")), "block 1: expected one of"),
        ];
        for (text, message) in cases {
            let found = architecture(&text).unwrap_err().to_string();
            assert!(found.contains(message), "no `{message}` in: {found}");
            assert!(found.len() < 500, "{} bytes", found.len());
        }
    }
}
