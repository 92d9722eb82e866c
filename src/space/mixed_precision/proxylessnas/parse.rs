//! Reads and writes configurations of ProxylessNAS with bits, as APQ has them.

use serde::Deserialize;
use serde_json::Value;

use super::super::super::Architecture;
use super::super::super::configuration::Form;
use super::super::super::excerpt::quoted;
use super::super::super::once_for_all::skeleton::ELASTIC_STAGES;
use super::{
    BITS, BLOCKS, CHANNEL_STEP, DEPTHS, EXPANSION, FILTERS, INPUT_CHANNELS, ProxylessNasMixed, channel_choices,
};
use crate::error::Result;

/// Edges of depthwise kernels.
const KERNELS: [u32; 3] = [3, 5, 7];
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
    let form = Form {
        name: "ProxylessNAS configuration with bits".into(),
        keys: "ks, e, d and those of the bits",
        hint: "The form is APQ's: {\"ks\": [...], \"e\": [...], \"d\": [...], \"pw_w_bits_setting\": [...], ...}."
            .into(),
        longest: 4_096,
    };
    let written: Written = form.read(text)?;
    if !written.wid.is_null() {
        return Err(form.malformed("`wid`", "null", quoted(&written.wid.to_string())));
    }
    let of_blocks = |key, written, allowed| form.of_blocks(key, written, BLOCKS, allowed);
    let kernels = of_blocks("ks", &written.ks, &KERNELS)?;
    let channels = channels(&form, &written.e)?;
    let known_bits = BITS.map(u32::from);
    let bits = |key, written| of_blocks(key, written, &known_bits);
    let pointwise_weights = bits("pw_w_bits_setting", &written.pw_w_bits_setting)?;
    let pointwise_activations = bits("pw_a_bits_setting", &written.pw_a_bits_setting)?;
    let depthwise_weights = bits("dw_w_bits_setting", &written.dw_w_bits_setting)?;
    let depthwise_activations = bits("dw_a_bits_setting", &written.dw_a_bits_setting)?;
    let mut genes = depths(&form, &written.d)?;
    for block in 0..BLOCKS {
        genes.extend([
            filter(&form, block, kernels[block], depthwise_activations[block])?,
            channels[block],
            pointwise_weights[block],
            pointwise_activations[block],
            depthwise_weights[block],
        ]);
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

/// The position among [`FILTERS`] of a choice of a kernel with one of bits.
fn filter(form: &Form, block: usize, kernel: u8, activations: u8) -> Result<u8> {
    let (kernel, activations) = (KERNELS[usize::from(kernel)], BITS[usize::from(activations)]);
    let position = FILTERS.iter().position(|&filter| filter == (kernel, activations));
    position.map(|position| position as u8).ok_or_else(|| {
        let place = format!("`dw_a_bits_setting`, block {}", block + 1);
        let found = format!("{activations} for a kernel of {kernel}x{kernel} pixels");
        form.malformed(&place, "6 or 8 bits for kernels of 7x7 pixels", found)
    })
}

/// The choices of the channels of depthwise convolutions, from their ratios to the channels in.
fn channels(form: &Form, written: &[Value]) -> Result<Vec<u8>> {
    form.check_blocks("e", written, BLOCKS)?;
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
            let (least, most) = (4 * input, 6 * input);
            let expected = format!("a whole number of eights among {least} to {most} channels over {input}");
            let place = format!("`e`, entry {}", place + 1);
            form.malformed(&place, &expected, quoted(&value.to_string()))
        })
    };
    written.iter().enumerate().map(one).collect()
}

/// The choices of the stages' depths. The last stage has one block, whatever is written.
fn depths(form: &Form, written: &[Value]) -> Result<Vec<u8>> {
    let stages = ELASTIC_STAGES + 1;
    if written.len() != stages {
        return Err(form.malformed("`d`", &format!("{stages} entries"), written.len().to_string()));
    }
    form.choices("d", &written[..ELASTIC_STAGES], &DEPTHS)
}
