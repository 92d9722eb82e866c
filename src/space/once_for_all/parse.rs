//! Reads the configurations that stand for a once-for-all architecture.

use serde::Deserialize;
use serde_json::Value;

use super::super::Architecture;
use super::super::excerpt::quoted;
use super::skeleton::ELASTIC_STAGES;
use super::{DEPTHS, EXPANSIONS, KERNELS, OnceForAll, RESOLUTIONS, resolution};
use crate::error::{Error, Result};

/// Longest text that can be a configuration, in bytes.
const LONGEST: usize = 2_048;

/// The keys of a configuration; what they hold is checked number by number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    wid: Value,
    ks: Vec<Value>,
    e: Vec<Value>,
    d: Vec<Value>,
    r: Option<Value>,
}

/// Reads one architecture.
pub(super) fn architecture(space: &OnceForAll, text: &str) -> Result<Architecture> {
    let reader = Reader { space };
    let written = reader.written(text)?;
    if !written.wid.is_null() {
        let expected = "null, since the width is that of the space";
        return Err(reader.malformed("`wid`", expected, quoted(&written.wid.to_string())));
    }
    let kernels = reader.of_blocks("ks", &written.ks, &KERNELS)?;
    let expansions = reader.of_blocks("e", &written.e, &EXPANSIONS)?;
    let mut genes = reader.depths(&written.d)?;
    for (kernel, expansion) in kernels.into_iter().zip(expansions) {
        genes.extend([kernel, expansion]);
    }
    genes.push(reader.resolution(written.r.as_ref())?);
    Ok(Architecture(genes))
}

struct Reader<'a> {
    space: &'a OnceForAll,
}

impl Reader<'_> {
    /// The keys and what they hold. Of Python's literals, quotes and the name of nothing differ from JSON.
    fn written(&self, text: &str) -> Result<Written> {
        if text.len() > LONGEST {
            return Err(self.malformed("length", &format!("at most {LONGEST} bytes"), quoted(text)));
        }
        let json = text.replace('\'', "\"").replace("None", "null");
        serde_json::from_str(&json).map_err(|error| {
            let expected = "an object with the keys ks, e, d and r";
            self.malformed(
                &format!("column {}", error.column()),
                expected,
                format!("{}, {error}", quoted(text)),
            )
        })
    }

    /// The choices of a list with one entry for every block.
    fn of_blocks(&self, key: &str, written: &[Value], allowed: &[u32]) -> Result<Vec<u8>> {
        let blocks = self.space.skeleton.blocks();
        if written.len() != blocks {
            let expected = format!("{blocks} entries, also for blocks that do not run");
            return Err(self.malformed(&format!("`{key}`"), &expected, written.len().to_string()));
        }
        self.choices(key, written, allowed)
    }

    /// The choices of the stages' depths. A last stage of one block may be left out.
    fn depths(&self, written: &[Value]) -> Result<Vec<u8>> {
        let (stages, fixed) = (self.space.skeleton.stages.len(), &[1][..]);
        if written.len() != stages && written.len() != ELASTIC_STAGES {
            let found = written.len().to_string();
            return Err(self.malformed("`d`", &format!("{stages} entries, one for every stage"), found));
        }
        for (stage, value) in written.iter().enumerate().skip(ELASTIC_STAGES) {
            self.choice(&format!("`d`, entry {}", stage + 1), value, fixed)?;
        }
        self.choices("d", &written[..ELASTIC_STAGES], &DEPTHS)
    }

    /// The choice of the resolution, a number or a list of one; that of 224 pixels where there is none.
    fn resolution(&self, written: Option<&Value>) -> Result<u8> {
        let Some(written) = written else {
            return Ok(RESOLUTIONS - 1);
        };
        let value = match written.as_array().map(Vec::as_slice) {
            Some([one]) => one,
            _ => written,
        };
        let resolutions: Vec<u32> = (0..RESOLUTIONS).map(resolution).collect();
        self.choice("`r`", value, &resolutions)
    }

    fn choices(&self, key: &str, written: &[Value], allowed: &[u32]) -> Result<Vec<u8>> {
        let values = written.iter().enumerate();
        values
            .map(|(place, value)| self.choice(&format!("`{key}`, entry {}", place + 1), value, allowed))
            .collect()
    }

    /// The position of a number among those that there are.
    fn choice(&self, place: &str, value: &Value, allowed: &[u32]) -> Result<u8> {
        let position = allowed.iter().position(|&one| value.as_u64() == Some(one.into()));
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

    fn malformed(&self, place: &str, expected: &str, found: String) -> Error {
        let skeleton = self.space.skeleton;
        Error::Invalid {
            what: format!("{} configuration, {place}", skeleton.name),
            expected: expected.into(),
            found,
            hint: format!(
                "The form is {{\"ks\": [{blocks} kernels], \"e\": [{blocks} expansions], \"d\": [{} depths], \"r\": 224}}.",
                skeleton.stages.len(),
                blocks = skeleton.blocks(),
            ),
        }
    }
}
