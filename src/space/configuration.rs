//! Reads configurations of networks as programs in Python write them: JSON or Python's literals, with a list of numbers
//! for every key.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::excerpt::quoted;
use crate::error::{Error, Result};

/// A form of configurations, as errors tell of it.
pub(super) struct Form {
    /// What a configuration is called.
    pub(super) name: String,
    /// Its keys, in words.
    pub(super) keys: &'static str,
    /// What it looks like.
    pub(super) hint: String,
    /// Longest text that can be one, in bytes.
    pub(super) longest: usize,
}

impl Form {
    /// The keys and what they hold. Of Python's literals, quotes and the name of nothing differ from JSON.
    pub(super) fn read<T: DeserializeOwned>(&self, text: &str) -> Result<T> {
        if text.len() > self.longest {
            let expected = format!("at most {} bytes", self.longest);
            return Err(self.malformed("length", &expected, quoted(text)));
        }
        let json = text.replace('\'', "\"").replace("None", "null");
        serde_json::from_str(&json).map_err(|error| {
            let place = format!("column {}", error.column());
            let expected = format!("an object with the keys {}", self.keys);
            self.malformed(&place, &expected, format!("{}, {error}", quoted(text)))
        })
    }

    /// The choices of a list with one entry for every block.
    pub(super) fn of_blocks(&self, key: &str, written: &[Value], blocks: usize, allowed: &[u32]) -> Result<Vec<u8>> {
        self.check_blocks(key, written, blocks)?;
        self.choices(key, written, allowed)
    }

    /// Refuses a list without one entry for every block.
    pub(super) fn check_blocks(&self, key: &str, written: &[Value], blocks: usize) -> Result<()> {
        if written.len() == blocks {
            return Ok(());
        }
        let expected = format!("{blocks} entries, also for blocks that do not run");
        Err(self.malformed(&format!("`{key}`"), &expected, written.len().to_string()))
    }

    /// The positions of numbers among those that there are.
    pub(super) fn choices(&self, key: &str, written: &[Value], allowed: &[u32]) -> Result<Vec<u8>> {
        let values = written.iter().enumerate();
        values
            .map(|(place, value)| self.choice(&format!("`{key}`, entry {}", place + 1), value, allowed))
            .collect()
    }

    /// The position of a number among those that there are.
    pub(super) fn choice(&self, place: &str, value: &Value, allowed: &[u32]) -> Result<u8> {
        let position = allowed.iter().position(|&one| value.as_f64() == Some(one.into()));
        position.map(|position| position as u8).ok_or_else(|| {
            let expected = match allowed {
                [one] => one.to_string(),
                [first, second, .., last] if allowed.len() > 3 => format!("one of {first}, {second}, ..., {last}"),
                _ => format!(
                    "one of {}",
                    allowed.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
                ),
            };
            self.malformed(place, &expected, quoted(&value.to_string()))
        })
    }

    /// What is wrong, and where.
    pub(super) fn malformed(&self, place: &str, expected: &str, found: String) -> Error {
        Error::Invalid {
            what: format!("{}, {place}", self.name),
            expected: expected.into(),
            found,
            hint: self.hint.clone(),
        }
    }
}
