//! Reads and writes quantization policies of MobileNet-V2.

use super::super::super::Architecture;
use super::super::super::excerpt::quoted;
use super::{BITS, LAYERS};
use crate::error::{Error, Result};

/// Longest text that can be a policy, in bytes.
const LONGEST: usize = 4_096;
/// Between layers.
const SEPARATOR: char = '-';
/// Bits that the first convolution and the classifier have, wherever they are written.
const END_BITS: i64 = 8;
/// What HAQ writes for the activations of the first convolution: the image is not quantized again.
const IMAGE: i64 = -1;

/// Reads one policy.
pub(super) fn architecture(text: &str) -> Result<Architecture> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(malformed("length", &format!("at most {LONGEST} bytes"), quoted(text)));
    }
    let bits = if text.starts_with('[') {
        of_list(text)?
    } else {
        of_layers(text)?
    };
    let mut genes = Vec::with_capacity(2 * LAYERS);
    for (layer, [weights, activations]) in bits.into_iter().enumerate() {
        genes.extend([
            gene(layer, "weights", weights)?,
            gene(layer, "activations", activations)?,
        ]);
    }
    Ok(Architecture(genes))
}

/// Writes one policy.
pub(super) fn print(architecture: &Architecture) -> String {
    let layers = architecture.0.chunks_exact(2).map(|genes| {
        let [weights, activations] = [genes[0], genes[1]].map(|gene| BITS.start() + gene);
        format!("W{weights}A{activations}")
    });
    layers.collect::<Vec<String>>().join(&SEPARATOR.to_string())
}

/// The bits of `W7A7-W5A6-...`.
fn of_layers(text: &str) -> Result<Vec<[i64; 2]>> {
    let entries: Vec<&str> = text.split(SEPARATOR).collect();
    check_length(entries.len(), LAYERS)?;
    let bits = |(layer, entry): (usize, &&str)| {
        let parts = entry.strip_prefix('W').and_then(|rest| rest.split_once('A'));
        let bits = parts.and_then(|(weights, activations)| Some([weights.parse().ok()?, activations.parse().ok()?]));
        bits.ok_or_else(|| malformed(&place(layer), "bits as in W7A5", quoted(entry)))
    };
    entries.iter().enumerate().map(bits).collect()
}

/// The bits of HAQ's list of pairs, which begins with the first convolution and ends with the classifier.
fn of_list(text: &str) -> Result<Vec<[i64; 2]>> {
    let pairs: Vec<[i64; 2]> = serde_json::from_str(text).map_err(|error| {
        let place = format!("column {}", error.column());
        malformed(&place, "a list of pairs of bits", format!("{}, {error}", quoted(text)))
    })?;
    check_length(pairs.len(), LAYERS + 2)?;
    let shown = |pair: &[i64; 2]| format!("[{}, {}]", pair[0], pair[1]);
    let (first, last) = (pairs[0], pairs[LAYERS + 1]);
    if first != [END_BITS, IMAGE] && first != [END_BITS; 2] {
        return Err(malformed("first convolution", "[8, -1] or [8, 8]", shown(&first)));
    }
    if last != [END_BITS; 2] {
        return Err(malformed("classifier", "[8, 8]", shown(&last)));
    }
    Ok(pairs[1..=LAYERS].to_vec())
}

fn check_length(found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(malformed("layers", &expected.to_string(), found.to_string()))
}

fn gene(layer: usize, of: &str, bits: i64) -> Result<u8> {
    let known = u8::try_from(bits).ok().filter(|bits| BITS.contains(bits));
    known.map(|bits| bits - BITS.start()).ok_or_else(|| {
        let expected = format!("{} to {}", BITS.start(), BITS.end());
        malformed(&format!("{}, bits of {of}", place(layer)), &expected, bits.to_string())
    })
}

/// Layers are counted as in HAQ's list, whose first is the convolution without bits of its own.
fn place(layer: usize) -> String {
    format!("layer {}", layer + 1)
}

fn malformed(place: &str, expected: &str, found: String) -> Error {
    Error::Invalid {
        what: format!("bits of MobileNet-V2, {place}"),
        expected: expected.into(),
        found,
        hint: format!(
            "The form is W7A7-W5A6-..., bits of weights and activations of the {LAYERS} convolutions between the first and the \
             classifier, or HAQ's list [[8, -1], [7, 7], [5, 6], ..., [8, 8]] of all {}.",
            LAYERS + 2
        ),
    }
}
