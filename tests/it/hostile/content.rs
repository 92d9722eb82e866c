//! Content that is well-formed and has no meaning, or another than it seems to have.

use std::fs;
use std::path::Path;

use serde_json::Value;
use zip::CompressionMethod;

use super::cases::{Case, Target};
use super::damage::{DAMAGES, VALUES};
use crate::fuzz::seal;
use crate::help_fixture::{latencies, list, pt, zipped};

pub(super) fn all(sound: &Path) -> Vec<Case> {
    let mut cases = sealed(sound);
    cases.extend(numbers(sound));
    cases.extend(values(sound));
    cases.extend(pickles(sound));
    cases.extend(archives(sound));
    cases
}

/// Files of a checkpoint that were changed together with their hashes.
fn sealed(sound: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    let files = Target::all().filter(|target| target.file.starts_with("nb/") && target.file != "nb/checkpoint.json");
    for target in files {
        for (name, damage) in DAMAGES {
            let change = move |path: &Path| {
                fs::write(path, damage(&fs::read(path).unwrap())).unwrap();
                seal(path.parent().unwrap());
            };
            cases.push(target.case(&format!("{name}, with its hash"), sound, &[1], change));
        }
        if target.file.ends_with(".bpk") {
            // The last numbers of a file of weights are weights.
            let change = |path: &Path| {
                let mut bytes = fs::read(path).unwrap();
                let end = bytes.len();
                bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
                fs::write(path, bytes).unwrap();
                seal(path.parent().unwrap());
            };
            cases.push(target.case("NaN, with its hash", sound, &[1], change));
        }
    }
    cases
}

/// Numbers of JSON files that edgefit wrote, each replaced by what is no such number: the file, and the place in it.
const NUMBERS: [(&str, &str); 16] = [
    ("phone.json", "/format"),
    ("phone.json", "/device/probes"),
    ("phone.json", "/device/metrics/latency/posterior/mean"),
    ("phone.json", "/device/metrics/latency/posterior/root"),
    ("phone.json", "/device/metrics/latency/posterior/root/0"),
    ("phone.json", "/device/metrics/latency/posterior/noise_variance"),
    ("phone.json", "/device/metrics/latency/calibration/quantiles"),
    ("phone.json", "/device/metrics/latency/calibration/quantiles/0"),
    ("nb/predictor.json", "/ensemble/members"),
    ("nb/predictor.json", "/ensemble/config/hidden"),
    ("nb/predictor.json", "/encoder"),
    ("nb/predictor.json", "/metrics/latency/prior"),
    ("nb/predictor.json", "/accuracy/scale"),
    ("nb/optimizer.json", "/config/hidden"),
    ("nb/optimizer.json", "/config/anchors"),
    ("comparison.json", "/runs/0/designs"),
];

fn numbers(sound: &Path) -> Vec<Case> {
    let values = [
        "null",
        "-1",
        "1e308",
        "[]",
        "{}",
        "\"x\"",
        "[[1.0],1,1]",
        "18446744073709551615",
    ];
    let mut cases = Vec::new();
    for (file, place) in NUMBERS {
        for value in values {
            let change = move |path: &Path| {
                let mut whole: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
                let part = whole
                    .pointer_mut(place)
                    .unwrap_or_else(|| panic!("no {place} in {file}"));
                *part = serde_json::from_str(value).unwrap();
                fs::write(path, whole.to_string()).unwrap();
                if file.starts_with("nb/") {
                    seal(path.parent().unwrap());
                }
            };
            cases.push(Target::of(file).case(&format!("{place} = {value}"), sound, &[1], change));
        }
    }
    cases
}

/// Cells of tables and values of configurations: the file, and the text before the first such value.
const CELLS: [(&str, &str); 6] = [
    ("few/measurements.csv", "fp32,32x32,"),
    ("few/accuracy.csv", "fp32,"),
    ("probes.csv", "|,"),
    ("phone.toml", "peak-gflops = "),
    ("table.toml", "architectures = "),
    ("benchmark.toml", "samples-per-device = "),
];

fn values(sound: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for (file, before) in CELLS {
        for value in VALUES {
            let change = move |path: &Path| {
                let text = fs::read_to_string(path).unwrap();
                let place = text.find(before).unwrap_or_else(|| panic!("no `{before}` in {file}"));
                let (start, rest) = text.split_at(place + before.len());
                let end = rest.find([',', '\n', ' ']).unwrap();
                fs::write(path, format!("{start}{value}{}", &rest[end..])).unwrap();
            };
            let target = Target::of(file);
            cases.push(target.case(&format!("{before}{value}"), sound, &[target.broken], change));
        }
    }
    cases
}

/// Pickles that run code, point into themselves, nest without end or ask for room that they do not fill.
fn pickles(sound: &Path) -> Vec<Case> {
    let target = Target::of("OneProxy/latency_data/eagle_gtx.pickle");
    let laughs = || {
        // Ten lists of ten of the one before.
        let mut pickle = b"\x80\x02]q\x00".to_vec();
        for level in 1..=10_u8 {
            pickle.extend([b']', b'q', level, b'(']);
            pickle.extend([b'h', level - 1].repeat(10));
            pickle.push(b'e');
        }
        pickle.push(b'.');
        pickle
    };
    let hostile: Vec<(&str, Vec<u8>)> = vec![
        ("code", b"cos\nsystem\n(X\x04\x00\x00\x00exittR.".to_vec()),
        (
            "code of protocol 4",
            b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04exit\x85R.".to_vec(),
        ),
        ("itself", b"\x80\x02]q\x00h\x00a.".to_vec()),
        ("lists of lists of itself", laughs()),
        (
            "nested without end",
            [vec![b']'; 1 << 20], vec![b'a'; 1 << 20], b".".to_vec()].concat(),
        ),
        ("marks without end", vec![b'('; 1 << 20]),
        (
            "copies without end",
            [b"\x80\x02]".to_vec(), vec![b'2'; 1 << 20], b".".to_vec()].concat(),
        ),
        ("a text of 4 GB", b"\x80\x02X\xff\xff\xff\xffabc.".to_vec()),
        (
            "bytes of 16 EB",
            b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc.".to_vec(),
        ),
        (
            "a frame of 16 EB",
            b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff].".to_vec(),
        ),
        ("an integer of 4 GB", b"\x80\x02\x8b\xff\xff\xff\x7f\x01.".to_vec()),
        ("a negative length", b"\x80\x02T\xff\xff\xff\xffabc.".to_vec()),
        ("a place that nothing is at", b"\x80\x02j\xff\xff\xff\x7f.".to_vec()),
        ("a memory of 2^31 places", b"\x80\x02]r\xff\xff\xff\x7fe.".to_vec()),
        ("nothing left", b"\x80\x02.".to_vec()),
        ("nothing to append to", b"\x80\x02ae.".to_vec()),
        ("protocol 255", b"\x80\xff].".to_vec()),
        ("an object", b"\x80\x02cbuiltins\nobject\n)\x81}b.".to_vec()),
        ("a persistent id", b"\x80\x02X\x01\x00\x00\x00xQ.".to_vec()),
        ("NaN", list(&[f64::NAN, 1.0, 2.0])),
        ("infinity", list(&[1.0, f64::INFINITY, 2.0])),
        ("1e308", list(&[1e308, 1e308, 1e308])),
        ("too many", list(&vec![1.0; 100_000])),
        ("too few", list(&[1.0])),
        ("none", list(&[])),
    ];
    let cases = hostile
        .into_iter()
        .map(|(name, pickle)| target.case(name, sound, &[1], move |path| fs::write(path, &pickle).unwrap()));
    cases.collect()
}

/// Archives that claim, hide or point elsewhere.
fn archives(sound: &Path) -> Vec<Case> {
    let target = Target::of("HELP/data/nasbench201/latency/1080ti_32.pt");
    let stored = |entry: &str| zipped(entry, &list(&latencies()), CompressionMethod::Stored);
    let bomb = |megabytes: usize| {
        zipped(
            "archive/data.pkl",
            &vec![b'('; megabytes << 20],
            CompressionMethod::Deflated,
        )
    };
    // The sizes in the directory at the end, which claim 4 GB.
    let claim = || {
        let mut archive = pt(&list(&latencies()));
        let directory = archive.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
        archive[directory + 20..directory + 28].copy_from_slice(&[0xfe; 8]);
        archive
    };
    let changed = |signature: &'static [u8], place: usize, value: u8| {
        let mut archive = pt(&list(&latencies()));
        let start = archive.windows(4).position(|four| four == signature).unwrap();
        archive[start + place] = value;
        archive
    };
    let hostile: Vec<(&str, i32, Vec<u8>)> = vec![
        ("a bomb of 64 MB", 1, bomb(64)),
        ("a bomb of 600 MB", 1, bomb(600)),
        ("a claim of 4 GB", 1, claim()),
        ("an absolute path", 0, stored("/out-of-here/data.pkl")),
        ("a path to the parent", 0, stored("../../data.pkl")),
        ("another name", 1, stored("archive/other.pkl")),
        ("a path without end", 1, stored(&"a/".repeat(30_000))),
        (
            "no entry",
            1,
            b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
        ),
        (
            "65,535 entries that are not there",
            1,
            b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0".to_vec(),
        ),
        ("an unknown compression", 1, changed(b"PK\x01\x02", 10, 99)),
        ("an encrypted entry", 1, changed(b"PK\x01\x02", 8, 1)),
        ("another checksum", 1, changed(b"PK\x01\x02", 16, 77)),
        ("a directory elsewhere", 1, changed(b"PK\x05\x06", 16, 250)),
        ("an archive in an archive", 1, pt(&pt(&list(&latencies())))),
    ];
    let cases = hostile
        .into_iter()
        .map(|(name, status, bytes)| target.case(name, sound, &[status], move |path| fs::write(path, &bytes).unwrap()));
    cases.collect()
}
