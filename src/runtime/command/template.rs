//! The words of a command line, with places for what changes from call to call.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::runtime::Round;

/// What can be put into a template, by name.
const PLACEHOLDERS: [&str; 6] = ["model", "threads", "warmup", "runs", "warmup_seconds", "seconds"];
/// The one that no template can do without.
const MODEL: &str = "{model}";

/// A command line in words, the first of which is the program.
#[derive(Debug, Clone)]
pub(super) struct Template {
    text: String,
    program: String,
    arguments: Vec<String>,
}

impl Template {
    /// Splits the text into words as a shell does, by blanks outside of quotes; nothing else of a shell is understood.
    pub(super) fn parse(text: &str) -> Result<Template> {
        let invalid = |expected: &str, found: String, hint: &str| Error::Invalid {
            what: "command to measure with".into(),
            expected: expected.into(),
            found,
            hint: hint.into(),
        };
        let words = shlex::split(text);
        let words = words.ok_or_else(|| invalid("quotes that are closed", text.into(), "Close every quote."))?;
        let [program, arguments @ ..] = words.as_slice() else {
            return Err(invalid(
                "a program and its arguments",
                "nothing".into(),
                "Name the program.",
            ));
        };
        if let Some(unknown) = arguments
            .iter()
            .flat_map(|word| placeholders(word))
            .find(|name| !PLACEHOLDERS.contains(name))
        {
            return Err(Error::Unknown {
                kind: "placeholder",
                name: format!("{{{unknown}}}"),
                known: PLACEHOLDERS.map(|name| format!("{{{name}}}")).to_vec(),
            });
        }
        if !arguments.iter().any(|word| word.contains(MODEL)) {
            let hint = "Write {model} where the file of the model belongs.";
            return Err(invalid("{model} among the arguments", format!("`{text}`"), hint));
        }
        Ok(Template {
            text: text.into(),
            program: program.clone(),
            arguments: arguments.to_vec(),
        })
    }

    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// The program and its arguments for one call.
    pub(super) fn words(&self, model: &Path, threads: usize, round: &Round) -> Vec<OsString> {
        let numbers = [
            ("{threads}", threads.to_string()),
            ("{warmup}", round.warmup_runs.to_string()),
            ("{runs}", round.runs.max(1).to_string()),
            ("{warmup_seconds}", round.warmup_seconds.to_string()),
            ("{seconds}", round.seconds.to_string()),
        ];
        let arguments = self.arguments.iter().map(|word| {
            let word = numbers
                .iter()
                .fold(word.clone(), |word, (name, value)| word.replace(name, value));
            // Last, and piece by piece: a path may hold braces, and need not be text.
            let mut pieces = word.split(MODEL);
            let mut filled = OsString::from(pieces.next().unwrap_or_default());
            for piece in pieces {
                filled.push(model);
                filled.push(piece);
            }
            filled
        });
        std::iter::once(OsString::from(&self.program))
            .chain(arguments)
            .collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The names between braces. Braces around anything but a name are the tool's own.
fn placeholders(word: &str) -> impl Iterator<Item = &str> {
    let candidates = word.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
    candidates.map(|(name, _)| name).filter(move |name| is_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Round = Round {
        warmup_runs: 10,
        warmup_seconds: 0.5,
        runs: 50,
        seconds: 1.0,
    };

    fn words(template: &str, model: &str) -> Vec<OsString> {
        Template::parse(template).unwrap().words(Path::new(model), 4, &ROUND)
    }

    #[test]
    fn words_are_split_at_blanks_outside_of_quotes_and_filled() {
        let expected = [
            "run",
            "--graph=a b.onnx",
            "4",
            "10 50",
            "0.5",
            "1",
            "two words",
            "{\"a\":1}",
        ];
        let template =
            r#"run --graph={model} {threads} "{warmup} {runs}" {warmup_seconds} {seconds} 'two words' '{"a":1}'"#;
        assert_eq!(words(template, "a b.onnx"), expected);
    }

    #[test]
    fn paths_stay_one_word_and_are_not_filled_themselves() {
        assert_eq!(words("run {model}", "{runs} 'x'.onnx"), ["run", "{runs} 'x'.onnx"]);
        assert_eq!(words("run {model}:{model}", "m"), ["run", "m:m"]);
    }

    #[test]
    fn templates_that_cannot_be_called_are_refused() {
        for (template, part) in [
            ("", "Name the program"),
            ("   ", "Name the program"),
            ("run", "{model}"),
            ("run --runs {runs}", "{model}"),
            ("run 'open {model}", "Close every quote"),
            ("run {model} {thread}", "did you mean `{threads}`?"),
        ] {
            let error = Template::parse(template).unwrap_err();
            assert!(error.to_string().contains(part), "{template}: {error}");
            assert_eq!(error.exit_code(), 2);
        }
    }
}
