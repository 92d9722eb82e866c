//! What happens to files: each kind of damage as a value, so that a failure shrinks to the few that matter.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// A file does not grow beyond this by being damaged.
const MOST_BYTES: usize = 4 << 20;
/// Numbers of other widths and signs, of no use as a count.
const COUNTS: [u32; 8] = [0, 1, 255, 65_535, 0x7fff_fff0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
/// Values that are no measurement, and characters that formats give a meaning.
const WORDS: [&str; 42] = [
    "",
    "0",
    "-0",
    "-1",
    "1",
    "7",
    "1e308",
    "-1e308",
    "1e39",
    "1e-320",
    "1e400",
    "NaN",
    "inf",
    "-inf",
    "null",
    "true",
    "[]",
    "{}",
    "[[1.0],1,1]",
    "\"x\"",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775808",
    "4294967296",
    "1,5",
    "\u{661}",
    "\u{e9}\u{301}",
    "\u{feff}",
    "\0",
    "\u{1b}[31m",
    "../../x",
    "/dev/zero",
    ",",
    ";",
    "\"",
    "=",
    "[",
    "]]",
    "{",
    "\r\n",
    "\n\n",
    "\\u0000",
];

/// One kind of damage and where it happens.
#[derive(Debug, Clone)]
pub(super) enum Damage {
    Truncate(Index),
    Flip(Index, u8),
    Overwrite(Index, Index),
    Remove(Index, u16),
    Repeat(Index, u16, u16),
    Insert(Index, Index),
    ReplaceWord(Index, Index),
    SwapWords(Index, Index),
    RemoveLine(Index),
    RepeatLine(Index, u16),
    Nest(Index, u16),
    Lengthen(Index, u32),
}

/// A few damages at once.
pub(super) fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let at = any::<Index>;
    let one = prop_oneof![
        1 => at().prop_map(Damage::Truncate),
        2 => (at(), 1..=u8::MAX).prop_map(|(place, bits)| Damage::Flip(place, bits)),
        1 => (at(), at()).prop_map(|(place, count)| Damage::Overwrite(place, count)),
        1 => (at(), 1..200_u16).prop_map(|(place, length)| Damage::Remove(place, length)),
        1 => (at(), 1..60_u16, 1..300_u16).prop_map(|(place, length, times)| Damage::Repeat(place, length, times)),
        2 => (at(), at()).prop_map(|(place, word)| Damage::Insert(place, word)),
        8 => (at(), at()).prop_map(|(place, word)| Damage::ReplaceWord(place, word)),
        2 => (at(), at()).prop_map(|(one, other)| Damage::SwapWords(one, other)),
        1 => at().prop_map(Damage::RemoveLine),
        1 => (at(), 1..3000_u16).prop_map(|(line, times)| Damage::RepeatLine(line, times)),
        1 => (at(), 1..20_000_u16).prop_map(|(place, depth)| Damage::Nest(place, depth)),
        1 => (at(), 1..2_000_000_u32).prop_map(|(place, length)| Damage::Lengthen(place, length)),
    ];
    vec(one, 1..5)
}

impl Damage {
    /// Damages a file; `words` are those that mean something in its format.
    pub(super) fn apply(&self, bytes: &mut Vec<u8>, words: &[&str]) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        let word = |index: &Index| {
            let index = index.index(WORDS.len() + words.len());
            WORDS.get(index).unwrap_or_else(|| &words[index - WORDS.len()]).bytes()
        };
        match self {
            Damage::Truncate(place) => bytes.truncate(place.index(length)),
            Damage::Flip(place, bits) => bytes[place.index(length)] ^= bits,
            Damage::Overwrite(place, count) => {
                let place = place.index(length);
                let end = length.min(place + 4);
                let count = COUNTS[count.index(COUNTS.len())].to_le_bytes();
                bytes[place..end].copy_from_slice(&count[..end - place]);
            }
            Damage::Remove(place, count) => {
                let place = place.index(length);
                bytes.drain(place..length.min(place + usize::from(*count)));
            }
            Damage::Repeat(place, count, times) => {
                let place = place.index(length);
                let part = bytes[place..length.min(place + usize::from(*count))].to_vec();
                insert(bytes, place, &part, usize::from(*times));
            }
            Damage::Insert(place, index) => {
                let word: Vec<u8> = word(index).collect();
                insert(bytes, place.index(length), &word, 1);
            }
            Damage::ReplaceWord(place, index) => {
                let found = word_at(bytes, place.index(length));
                bytes.splice(found, word(index));
            }
            Damage::SwapWords(one, other) => {
                let [one, other] = [one, other].map(|place| word_at(bytes, place.index(length)));
                let (first, second) = if one.start <= other.start {
                    (one, other)
                } else {
                    (other, one)
                };
                if first.end <= second.start {
                    let [early, late] = [first.clone(), second.clone()].map(|part| bytes[part].to_vec());
                    bytes.splice(second, early);
                    bytes.splice(first, late);
                }
            }
            Damage::RemoveLine(place) => {
                bytes.drain(line_at(bytes, place.index(length)));
            }
            Damage::RepeatLine(place, times) => {
                let line = line_at(bytes, place.index(length));
                let part = bytes[line.clone()].to_vec();
                insert(bytes, line.start, &part, usize::from(*times));
            }
            Damage::Nest(place, depth) => {
                let bracket = if depth % 2 == 0 { "[" } else { "{\"a\":" };
                insert(bytes, place.index(length), bracket.as_bytes(), usize::from(*depth));
            }
            Damage::Lengthen(place, count) => insert(bytes, place.index(length), b"9", *count as usize),
        }
    }
}

/// Puts a part there so many times, unless the file grew too long.
fn insert(bytes: &mut Vec<u8>, place: usize, part: &[u8], times: usize) {
    if bytes.len() + part.len() * times <= MOST_BYTES {
        bytes.splice(place..place, part.repeat(times));
    }
}

/// The number or name around a place, or the one character there.
fn word_at(bytes: &[u8], place: usize) -> std::ops::Range<usize> {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._~|".contains(byte);
    let before = bytes[..place].iter().rev().take_while(|byte| part(byte)).count();
    let after = bytes[place..].iter().take_while(|byte| part(byte)).count();
    place - before..place + after.max(1)
}

/// The line around a place, with its end.
fn line_at(bytes: &[u8], place: usize) -> std::ops::Range<usize> {
    let start = bytes[..place]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |end| end + 1);
    let end = bytes[place..].iter().position(|&byte| byte == b'\n');
    start..end.map_or(bytes.len(), |end| place + end + 1)
}
