//! Reads the objects and lists that stand for an architecture.

use serde_json::{Map, Value};

use super::super::Architecture;
use super::super::excerpt::quoted;
use super::{CHOICES, EXPANSIONS, GENES, KERNELS, STAGES};
use crate::error::{Error, Result};

/// What a stage's genes are called: expansion, kernel, layers, squeeze-and-excitation.
const SUFFIXES: [&str; GENES] = ["e", "k", "l", "se"];

/// The forms of an architecture, for messages.
const FORMS: &str = "{\"block0_e\":1,\"block0_k\":3,\"block0_l\":2,\"block0_se\":false,\"block1_e\":...}, or four lists of seven: \
                     expansions, kernels, layers, squeeze-and-excitation";

/// Reads one architecture.
pub(super) fn architecture(text: &str) -> Result<Architecture> {
    match serde_json::from_str(&as_json(text)) {
        Ok(Value::Object(object)) => of_object(&object),
        Ok(Value::Array(lists)) => of_lists(&lists),
        _ => Err(malformed("", "an object or four lists", &quoted(text))),
    }
}

/// Python's literals as JSON's. Names hold neither quotes nor capitals.
fn as_json(text: &str) -> String {
    text.replace('\'', "\"")
        .replace("True", "true")
        .replace("False", "false")
}

fn of_object(object: &Map<String, Value>) -> Result<Architecture> {
    let names: Vec<String> = (0..CHOICES.len()).map(name).collect();
    if let Some(unknown) = object.keys().find(|key| !names.contains(key)) {
        return Err(malformed("", &format!("{} and the like", names[0]), &quoted(unknown)));
    }
    let genes = names.iter().enumerate().map(|(place, name)| {
        let value = object.get(name);
        gene(place, value.ok_or_else(|| malformed(name, "a value", "none"))?)
    });
    genes.collect::<Result<Vec<u8>>>().map(Architecture)
}

fn of_lists(lists: &[Value]) -> Result<Architecture> {
    let rows: Vec<&Vec<Value>> = lists.iter().filter_map(Value::as_array).collect();
    if rows.len() != GENES || lists.len() != GENES {
        return Err(malformed(
            "",
            "four lists",
            &format!("{} of {} elements", rows.len(), lists.len()),
        ));
    }
    for (row, suffix) in rows.iter().zip(SUFFIXES) {
        if row.len() != STAGES {
            return Err(malformed(
                &format!("list of `{suffix}`"),
                &format!("{STAGES} values"),
                &row.len().to_string(),
            ));
        }
    }
    let genes = (0..CHOICES.len()).map(|place| gene(place, &rows[place % GENES][place / GENES]));
    genes.collect::<Result<Vec<u8>>>().map(Architecture)
}

/// What Accel-NASBench calls a gene.
fn name(place: usize) -> String {
    format!("block{}_{}", place / GENES, SUFFIXES[place % GENES])
}

/// The choice that a value stands for.
fn gene(place: usize, value: &Value) -> Result<u8> {
    let known: Vec<Value> = match place % GENES {
        0 => EXPANSIONS.map(Value::from).into(),
        1 => KERNELS.map(Value::from).into(),
        2 => (1..=CHOICES[place]).map(Value::from).collect(),
        _ => vec![Value::from(false), Value::from(true)],
    };
    let position = known.iter().position(|choice| choice == value);
    position.map(|position| position as u8).ok_or_else(|| {
        let known: Vec<String> = known.iter().map(Value::to_string).collect();
        malformed(
            &name(place),
            &format!("one of {}", known.join(", ")),
            &quoted(&value.to_string()),
        )
    })
}

fn malformed(place: &str, expected: &str, found: &str) -> Error {
    let place = if place.is_empty() {
        String::new()
    } else {
        format!(", {place}")
    };
    Error::Invalid {
        what: format!("MobileNet-V2 architecture{place}"),
        expected: expected.into(),
        found: found.into(),
        hint: format!("The form is {FORMS}."),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::SearchSpace;
    use super::super::MobileNetV2;
    use super::*;

    /// As in `result_945.json` of Accel-NASBench.
    const PUBLISHED: &str = r#"{"block0_e": 1, "block0_k": 3, "block0_l": 3, "block0_se": false, "block1_e": 4, "block1_k": 3,
        "block1_l": 1, "block1_se": false, "block2_e": 4, "block2_k": 5, "block2_l": 1, "block2_se": false, "block3_e": 6,
        "block3_k": 3, "block3_l": 3, "block3_se": false, "block4_e": 6, "block4_k": 3, "block4_l": 1, "block4_se": false,
        "block5_e": 1, "block5_k": 3, "block5_l": 4, "block5_se": true, "block6_e": 4, "block6_k": 3, "block6_l": 2,
        "block6_se": false}"#;

    #[test]
    fn objects_and_lists() {
        let expected = [
            [0, 0, 2, 0],
            [1, 0, 0, 0],
            [1, 1, 0, 0],
            [2, 0, 2, 0],
            [2, 0, 0, 0],
            [0, 0, 3, 1],
            [1, 0, 1, 0],
        ];
        let expected = Architecture(expected.concat());
        let python = PUBLISHED
            .replace('"', "'")
            .replace("false", "False")
            .replace("true", "True");
        let lists = "[[1, 4, 4, 6, 6, 1, 4], [3, 3, 5, 3, 3, 3, 3], [3, 1, 1, 3, 1, 4, 2], \
                     [False, False, False, False, False, True, False]]";
        for text in [PUBLISHED, &python, lists] {
            assert_eq!(architecture(text).unwrap(), expected, "{text}");
        }
        let printed = MobileNetV2.print(&expected);
        assert_eq!(printed, PUBLISHED.split_whitespace().collect::<String>());
    }

    #[test]
    fn faults_are_named_with_their_place() {
        let lists = "[[1,1,1,1,1,1,1],[3,3,3,3,3,3,3],[1,1,1,1,1,1,1],[true,true,true,true,true,true,true]]";
        let deep = "[".repeat(1 << 20);
        let cases = [
            (
                PUBLISHED.replace("\"block3_k\": 3", "\"block3_k\": 7"),
                "block3_k: expected one of 3, 5, found `7`",
            ),
            (
                PUBLISHED.replace("\"block6_l\": 2", "\"block6_l\": 4"),
                "block6_l: expected one of 1, 2, 3, found `4`",
            ),
            (
                PUBLISHED.replace("\"block0_e\": 1", "\"block0_e\": 1.0"),
                "block0_e: expected one of 1, 4, 6, found `1.0`",
            ),
            (
                PUBLISHED.replace("\"block5_se\": true", "\"block5_se\": 1"),
                "block5_se: expected one of false, true, found `1`",
            ),
            (
                PUBLISHED.replace("\"block0_e\": 1,", ""),
                "block0_e: expected a value, found none",
            ),
            (PUBLISHED.replace("block0_e", "block7_e"), "found `block7_e`"),
            (PUBLISHED.replace("}", ""), "expected an object or four lists"),
            (lists.replacen("1,", "", 1), "list of `e`: expected 7 values, found 6"),
            (
                lists.replacen("[1,1,1,1,1,1,1],", "", 1),
                "expected four lists, found 3 of 3 elements",
            ),
            (
                lists.replacen("1", "\"1\"", 1),
                "block0_e: expected one of 1, 4, 6, found `\\\"1\\\"`",
            ),
            (deep, "expected an object or four lists"),
        ];
        for (text, message) in cases {
            let found = architecture(&text).unwrap_err().to_string();
            assert!(found.contains(message), "no `{message}` in: {found}");
            assert!(found.len() < 500, "{} bytes", found.len());
        }
    }
}
