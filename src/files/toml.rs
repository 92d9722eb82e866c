//! TOML files: what is wrong with one is told with its line, and for a misspelt key with the nearest one.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::read_bounded;
use crate::error::{Error, Result, did_you_mean};

/// Longest TOML file read, in bytes.
const TOML_LIMIT_BYTES: u64 = 4 << 20;

/// Reads a TOML file.
///
/// # Errors
/// [`Error::Io`], or [`Error::Malformed`] with the line, and for an unknown key the nearest known one.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = String::from_utf8(read_bounded(path, TOML_LIMIT_BYTES)?).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        Error::Malformed {
            path: path.to_path_buf(),
            line: Some(line_after(before)),
            column: None,
            expected: "text in UTF-8".into(),
            found: "bytes of another encoding".into(),
            hint: "Save the file as UTF-8.".into(),
        }
    })?;
    parse_toml(&text, path)
}

/// Reads a TOML file that says what to do.
///
/// # Errors
/// As [`read_toml`], but [`Error::Configuration`] for what it holds.
pub fn read_configuration<T: DeserializeOwned>(path: &Path) -> Result<T> {
    read_toml(path).map_err(Error::in_configuration)
}

/// Parses the text of the TOML file at `path`.
///
/// # Errors
/// As [`read_toml`].
pub fn parse_toml<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T> {
    ::toml::from_str(text).map_err(|error| toml_error(path, text, &error))
}

/// The number of the line that follows on `before`, from 1.
fn line_after(before: &[u8]) -> u64 {
    1 + before.iter().filter(|&&byte| byte == b'\n').count() as u64
}

fn toml_error(path: &Path, text: &str, error: &::toml::de::Error) -> Error {
    let line = error.span().map(|span| line_after(&text.as_bytes()[..span.start]));
    let message = error.message().trim();
    // serde words this as: unknown field `x`, expected one of `a`, `b`; of values it says: unknown variant
    let names: Vec<String> = message.split('`').skip(1).step_by(2).map(str::to_string).collect();
    let (expected, found, hint) = match names.split_first() {
        Some((key, known)) if message.starts_with("unknown field") => (
            format!("one of the keys {}", known.join(", ")),
            format!("unknown key `{key}`{}", did_you_mean(key, known)),
            "Correct or remove it.".to_string(),
        ),
        Some((value, known)) if message.starts_with("unknown variant") => (
            format!("one of {}", known.join(", ")),
            format!("`{value}`{}", did_you_mean(value, known)),
            "Correct it.".to_string(),
        ),
        _ => (
            "valid TOML of this kind of file".into(),
            message.to_string(),
            "Correct this line.".into(),
        ),
    };
    Error::Malformed {
        path: path.to_path_buf(),
        line,
        column: None,
        expected,
        found,
        hint,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_unknown_toml_key_is_named_with_its_line_and_the_nearest() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Settings {
            #[allow(dead_code)]
            space: String,
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dataset.toml");
        fs::write(&path, "# one\nspcae = 1\n").unwrap();
        let message = read_toml::<Settings>(&path).unwrap_err().to_string();
        assert!(message.contains("dataset.toml:2"), "{message}");
        assert!(message.contains("`spcae` (did you mean `space`?)"), "{message}");
        fs::write(&path, b"# one\nspace = \"caf\xe9\"\n").unwrap();
        let message = read_toml::<Settings>(&path).unwrap_err().to_string();
        assert!(message.contains("dataset.toml:2: expected text in UTF-8"), "{message}");
    }
}
