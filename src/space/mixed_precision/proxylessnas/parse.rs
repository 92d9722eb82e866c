//! Reads and writes configurations of ProxylessNAS with bits, as APQ has them.

use serde::Deserialize;
use serde_json::Value;

use super::super::super::Architecture;
use super::super::super::excerpt::quoted;
use super::super::super::once_for_all::skeleton::ELASTIC_STAGES;
use super::{
    BITS, BLOCKS, CHANNEL_STEP, DEPTHS, EXPANSION, FILTERS, INPUT_CHANNELS, ProxylessNasMixed, channel_choices,
};
use crate::error::{Error, Result};

/// Longest text that can be a configuration, in bytes.
const LONGEST: usize = 4_096;
/// How far a number of channels may be from whole: expansions are written as decimal fractions.
const WHOLE: f64 = 1e-6;

/// The keys of a configuration; what they hold is checked number by number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    wid: Value,
    ks: Vec<Value>,
    e: Vec<Value>,
    d: Vec<Value>,
    pw_w_bits_setting: Vec<Value>,
    pw_a_bits_setting: Vec<Value>,
    dw_w_bits_setting: Vec<Value>,
    dw_a_bits_setting: Vec<Value>,
}

/// Reads one design.
pub(super) fn architecture(text: &str) -> Result<Architecture> {
    let written = written(text)?;
    if !written.wid.is_null() {
        return Err(malformed("`wid`", "null", quoted(&written.wid.to_string())));
    }
    let kernels = of_blocks("ks", &written.ks, &[3, 5, 7])?;
    let channels = channels(&written.e)?;
    let bits = |key, written| of_blocks(key, written, &BITS);
    let pointwise_weights = bits("pw_w_bits_setting", &written.pw_w_bits_setting)?;
    let pointwise_activations = bits("pw_a_bits_setting", &written.pw_a_bits_setting)?;
    let depthwise_weights = bits("dw_w_bits_setting", &written.dw_w_bits_setting)?;
    let depthwise_activations = bits("dw_a_bits_setting", &written.dw_a_bits_setting)?;
    let mut genes = depths(&written.d)?;
    for block in 0..BLOCKS {
        let filter = filter(block, kernels[block], depthwise_activations[block])?;
        let choice = |bits: u8| BITS.iter().position(|&known| known == bits).unwrap_or(0) as u8;
        let [pw_w, pw_a, dw_w] =
            [&pointwise_weights, &pointwise_activations, &depthwise_weights].map(|bits| choice(bits[block]));
        genes.extend([filter, channels[block], pw_w, pw_a, dw_w]);
    }
    Ok(Architecture(genes))
}

/// Writes one design, with the numbers of choice 0 where no block runs.
pub(super) fn print(space: &ProxylessNasMixed, design: &Architecture) -> String {
    let mut lists = [const { Vec::new() }; 6];
    for (site, block, _) in space.blocks(design) {
        let (Some(pointwise), Some(depthwise)) = (block.pointwise_bits, block.depthwise_bits) else {
            continue;
        };
        let expansion = f64::from(block.channels) / f64::from(site.input_channels);
        let numbers = [
            pointwise.weights,
            pointwise.activations,
            depthwise.weights,
            depthwise.activations,
        ];
        let bits = numbers.map(|bits| bits.to_string());
        let texts = [block.kernel.to_string(), expansion.to_string()]
            .into_iter()
            .chain(bits);
        for (list, text) in lists.iter_mut().zip(texts) {
            list.push(text);
        }
    }
    let [ks, e, pw_w, pw_a, dw_w, dw_a] = lists.map(|list| list.join(","));
    let depths: Vec<String> = (0..=ELASTIC_STAGES)
        .map(|stage| space.depth(design, stage).to_string())
        .collect();
    let d = depths.join(",");
    format!(
        r#"{{"ks":[{ks}],"e":[{e}],"d":[{d}],"pw_w_bits_setting":[{pw_w}],"pw_a_bits_setting":[{pw_a}],"dw_w_bits_setting":[{dw_w}],"dw_a_bits_setting":[{dw_a}]}}"#
    )
}

/// The keys and what they hold. Of Python's literals, quotes and the name of nothing differ from JSON.
fn written(text: &str) -> Result<Written> {
    if text.len() > LONGEST {
        return Err(malformed("length", &format!("at most {LONGEST} bytes"), quoted(text)));
    }
    let json = text.replace('\'', "\"").replace("None", "null");
    serde_json::from_str(&json).map_err(|error| {
        let expected = "an object with the keys ks, e, d and those of the bits";
        malformed(
            &format!("column {}", error.column()),
            expected,
            format!("{}, {error}", quoted(text)),
        )
    })
}

/// The position among [`FILTERS`].
fn filter(block: usize, kernel: u8, activations: u8) -> Result<u8> {
    let wanted = (u32::from(kernel), activations);
    let position = FILTERS.iter().position(|&filter| filter == wanted);
    position.map(|position| position as u8).ok_or_else(|| {
        let place = format!("`dw_a_bits_setting`, block {}", block + 1);
        let found = format!("{activations} for a kernel of {kernel}x{kernel} pixels");
        malformed(&place, "6 or 8 bits for kernels of 7x7 pixels", found)
    })
}

/// The choices of the channels of depthwise convolutions, from their ratios to the channels in.
fn channels(written: &[Value]) -> Result<Vec<u8>> {
    check_length("e", written, BLOCKS)?;
    let one = |(place, value): (usize, &Value)| {
        let input = INPUT_CHANNELS[place];
        let eights = value
            .as_f64()
            .map(|ratio| (ratio - f64::from(*EXPANSION.start())) * f64::from(input) / f64::from(CHANNEL_STEP));
        let choice = eights.filter(|eights| {
            (eights - eights.round()).abs() < WHOLE
                && (0.0..f64::from(channel_choices(input))).contains(&eights.round())
        });
        choice.map(|choice| choice.round() as u8).ok_or_else(|| {
            let expected = format!(
                "a whole number of eights among {} to {} channels over {input}",
                4 * input,
                6 * input
            );
            malformed(
                &format!("`e`, entry {}", place + 1),
                &expected,
                quoted(&value.to_string()),
            )
        })
    };
    written.iter().enumerate().map(one).collect()
}

/// The choices of the stages' depths. The last stage has one block, whatever is written.
fn depths(written: &[Value]) -> Result<Vec<u8>> {
    check_length("d", written, ELASTIC_STAGES + 1)?;
    let allowed = DEPTHS.map(|depth| depth as u8);
    let depths = numbers("d", &written[..ELASTIC_STAGES], &allowed)?;
    let choice = |depth: &u8| allowed.iter().position(|known| known == depth).unwrap_or(0) as u8;
    Ok(depths.iter().map(choice).collect())
}

/// Numbers with one entry for every block.
fn of_blocks(key: &str, written: &[Value], allowed: &[u8]) -> Result<Vec<u8>> {
    check_length(key, written, BLOCKS)?;
    numbers(key, written, allowed)
}

fn check_length(key: &str, written: &[Value], expected: usize) -> Result<()> {
    if written.len() == expected {
        return Ok(());
    }
    Err(malformed(
        &format!("`{key}`"),
        &format!("{expected} entries"),
        written.len().to_string(),
    ))
}

fn numbers(key: &str, written: &[Value], allowed: &[u8]) -> Result<Vec<u8>> {
    let one = |(place, value): (usize, &Value)| {
        let number = allowed.iter().copied().find(|&one| value.as_f64() == Some(one.into()));
        number.ok_or_else(|| {
            let known = allowed.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
            let place = format!("`{key}`, entry {}", place + 1);
            malformed(&place, &format!("one of {known}"), quoted(&value.to_string()))
        })
    };
    written.iter().enumerate().map(one).collect()
}

fn malformed(place: &str, expected: &str, found: String) -> Error {
    Error::Invalid {
        what: format!("ProxylessNAS configuration with bits, {place}"),
        expected: expected.into(),
        found,
        hint: "The form is APQ's: {\"ks\": [...], \"e\": [...], \"d\": [...], \"pw_w_bits_setting\": [...], ...}."
            .into(),
    }
}
