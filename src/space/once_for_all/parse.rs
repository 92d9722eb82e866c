//! Reads the configurations that stand for a once-for-all architecture.

use serde::Deserialize;
use serde_json::Value;

use super::super::Architecture;
use super::super::configuration::Form;
use super::super::excerpt::quoted;
use super::skeleton::{ELASTIC_STAGES, Skeleton};
use super::{DEPTHS, EXPANSIONS, KERNELS, OnceForAll, RESOLUTIONS, resolution};
use crate::error::Result;

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
    let skeleton = space.skeleton;
    let form = form(skeleton);
    let written: Written = form.read(text)?;
    if !written.wid.is_null() {
        let expected = "null, since the width is that of the space";
        return Err(form.malformed("`wid`", expected, quoted(&written.wid.to_string())));
    }
    let of_blocks = |key, written, allowed| form.of_blocks(key, written, skeleton.blocks(), allowed);
    let kernels = of_blocks("ks", &written.ks, &KERNELS)?;
    let expansions = of_blocks("e", &written.e, &EXPANSIONS)?;
    let mut genes = depths(&form, &written.d, skeleton.stages.len())?;
    for (kernel, expansion) in kernels.into_iter().zip(expansions) {
        genes.extend([kernel, expansion]);
    }
    genes.push(resolution_choice(&form, written.r.as_ref())?);
    Ok(Architecture(genes))
}

fn form(skeleton: &Skeleton) -> Form {
    Form {
        name: format!("{} configuration", skeleton.name),
        keys: "ks, e, d and r",
        hint: format!(
            "The form is {{\"ks\": [{blocks} kernels], \"e\": [{blocks} expansions], \"d\": [{} depths], \"r\": 224}}.",
            skeleton.stages.len(),
            blocks = skeleton.blocks(),
        ),
        longest: 2_048,
    }
}

/// The choices of the stages' depths. A last stage of one block may be left out.
fn depths(form: &Form, written: &[Value], stages: usize) -> Result<Vec<u8>> {
    if written.len() != stages && written.len() != ELASTIC_STAGES {
        let found = written.len().to_string();
        return Err(form.malformed("`d`", &format!("{stages} entries, one for every stage"), found));
    }
    for (stage, value) in written.iter().enumerate().skip(ELASTIC_STAGES) {
        form.choice(&format!("`d`, entry {}", stage + 1), value, &[1])?;
    }
    form.choices("d", &written[..ELASTIC_STAGES], &DEPTHS)
}

/// The choice of the resolution, a number or a list of one; that of 224 pixels where there is none.
fn resolution_choice(form: &Form, written: Option<&Value>) -> Result<u8> {
    let Some(written) = written else {
        return Ok(RESOLUTIONS - 1);
    };
    let value = match written.as_array().map(Vec::as_slice) {
        Some([one]) => one,
        _ => written,
    };
    let resolutions: Vec<u32> = (0..RESOLUTIONS).map(resolution).collect();
    form.choice("`r`", value, &resolutions)
}
