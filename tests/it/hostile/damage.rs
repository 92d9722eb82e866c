//! What a hostile file may be instead of a sound one.

/// A kind of damage: its name, and what it makes of a sound file.
pub(super) type Damage = (&'static str, fn(&[u8]) -> Vec<u8>);

/// A line, or a file, of this length is longer than anything that has a meaning.
const LONG: usize = 3 << 20;
/// Nested deeper than any stack.
const DEEP: usize = 200_000;

/// Damage to files of every kind.
pub(super) const DAMAGES: [Damage; 14] = [
    ("empty", |_| Vec::new()),
    ("a line break", |_| b"\n".to_vec()),
    ("half", |sound| sound[..sound.len() / 2].to_vec()),
    ("without its end", |sound| {
        sound[..sound.len().saturating_sub(7)].to_vec()
    }),
    ("its last byte flipped", |sound| {
        let mut bytes = sound.to_vec();
        *bytes.last_mut().unwrap() ^= 0xff;
        bytes
    }),
    ("binary", |_| noise(5000)),
    ("zeros", |_| vec![0; 5000]),
    ("a line without end", |_| vec![b'a'; LONG]),
    ("a line without end after it", |sound| {
        [sound, &vec![b'a'; LONG]].concat()
    }),
    ("with a byte-order mark", |sound| [b"\xef\xbb\xbf", sound].concat()),
    ("with CRLF", |sound| {
        String::from_utf8_lossy(sound).replace('\n', "\r\n").into_bytes()
    }),
    ("no UTF-8", |sound| {
        [
            &sound[..sound.len() / 2],
            b"\xff\xfe\xc3\x28",
            &sound[sound.len() / 2..],
        ]
        .concat()
    }),
    ("deep brackets", |_| vec![b'['; DEEP]),
    ("deep objects", |_| "{\"a\":".repeat(DEEP).into_bytes()),
];

/// Bytes without a pattern, the same every time (a linear congruential generator, Knuth's MMIX).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Cells that are no measurement, nor anything else.
pub(super) const VALUES: [&str; 16] = [
    "NaN",
    "nan",
    "inf",
    "-inf",
    "-1",
    "0",
    "-0",
    "1e308",
    "1e-320",
    "1e400",
    "0x10",
    "1,5",
    "1 ms",
    "1_000",
    "\u{661}",
    "\u{1b}[31m",
];
