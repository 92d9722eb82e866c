//! `edgefit data import haq`: a small table in NumPy's format, and broken ones.

use std::fs;
use std::path::Path;

use tempfile::tempdir;

use crate::driver::edgefit;

pub(crate) const TABLE: &str = "haq/lib/simulator/lookup_tables/qmobilenetv2_imagenet100_batch16_latency_table.npy";
const IMPORT: &str = "data import haq {haq} --space mobilenet_v2_bits --out {made}";
const LAYERS: i64 = 53;

/// The header that NumPy writes, padded to a multiple of 64 bytes.
fn header(descr: &str, fortran_order: &str, shape: &str) -> Vec<u8> {
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': {fortran_order}, 'shape': {shape}, }}");
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let length = u16::try_from(text.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, text.as_bytes()].concat()
}

/// Cycles of a layer at its bits: 200 make a thousandth of a millisecond.
fn cycles(layer: i64, weights: i64, activations: i64) -> i64 {
    200 * (100 * layer + 10 * weights + activations)
}

fn table() -> Vec<i64> {
    let bits = (1..=8).flat_map(|weights| (1..=8).map(move |activations| (weights, activations)));
    (0..LAYERS)
        .flat_map(|layer| {
            bits.clone()
                .map(move |(weights, activations)| cycles(layer, weights, activations))
        })
        .collect()
}

/// The table as 64-bit numbers, behind its header.
pub(crate) fn haq_table() -> Vec<u8> {
    with_header(header("<i8", "False", "(53, 8, 8)"), i64::to_le_bytes)
}

fn with_header<const BYTES: usize>(header: Vec<u8>, bytes: impl Fn(i64) -> [u8; BYTES]) -> Vec<u8> {
    [header, table().into_iter().flat_map(bytes).collect()].concat()
}

pub(crate) fn write_haq(folder: &Path, table: &[u8]) {
    let path = folder.join(TABLE);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, table).unwrap();
}

fn measurements(folder: &Path) -> String {
    fs::read_to_string(folder.join("made/measurements.csv")).unwrap()
}

/// Every row is checked against the numbers that its own policy says.
#[test]
fn sums_of_cycles_at_their_bits() {
    let folder = tempdir().unwrap();
    write_haq(folder.path(), &haq_table());
    let run = edgefit(folder.path(), IMPORT).succeeded();
    assert!(run.stderr.contains("cycles at 0.2 GHz"), "{}", run.stderr);
    let text = measurements(folder.path());
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let mut count = 0;
    for row in rows.records().map(Result::unwrap) {
        let cell = |column: usize| row.get(column).unwrap();
        assert_eq!(
            [cell(0), cell(2), cell(3), cell(5), cell(6)],
            ["bismo_vu9p", "int8", "224x224", "", "simulated"]
        );
        let layers = cell(1).split('-').map(|layer| {
            let (weights, activations) = layer.strip_prefix('W').unwrap().split_once('A').unwrap();
            [weights, activations].map(|bits| bits.parse::<i64>().unwrap())
        });
        // The first layer and the classifier have eight bits.
        let layers: Vec<[i64; 2]> = [[8, 8]].into_iter().chain(layers).chain([[8, 8]]).collect();
        assert_eq!(layers.len(), 53);
        let sum: i64 = (0..)
            .zip(&layers)
            .map(|(layer, bits)| cycles(layer, bits[0], bits[1]))
            .sum();
        assert_eq!(cell(4).parse(), Ok(sum as f64 / 200_000.0), "{row:?}");
        count += 1;
    }
    assert_eq!(count, 5_000);
    let devices = fs::read_to_string(folder.path().join("made/devices.csv")).unwrap();
    assert!(devices.contains("\nbismo_vu9p,bismo_vu9p,fpga,int8,"), "{devices}");
    edgefit(folder.path(), "data validate {made}").succeeded();
    // The file itself will do; a second import finds every row.
    let again = IMPORT.replace("{haq}", &format!("{{{TABLE}}}"));
    let run = edgefit(folder.path(), &again).succeeded();
    assert!(run.stderr.contains("(5000 rows were there already)"), "{}", run.stderr);
}

/// The same numbers in 32 bits, as real ones, and behind headers of other versions.
#[test]
fn other_types_and_versions_say_the_same() {
    let longer = |version: u8| {
        let bytes = haq_table();
        let (length, rest) = bytes[8..].split_at(2);
        [&[0x93], b"NUMPY".as_slice(), &[version, 0], length, &[0, 0], rest].concat()
    };
    let shape = "(53, 8, 8)";
    let mut made = Vec::new();
    for table in [
        haq_table(),
        with_header(header("<i4", "False", shape), |cycles| (cycles as i32).to_le_bytes()),
        with_header(header("<f8", "False", shape), |cycles| (cycles as f64).to_le_bytes()),
        longer(2),
        longer(3),
    ] {
        let folder = tempdir().unwrap();
        write_haq(folder.path(), &table);
        edgefit(folder.path(), IMPORT).succeeded();
        made.push(measurements(folder.path()));
    }
    assert!(made.iter().all(|one| *one == made[0]));
}

/// Such a table is refused, with what is told of it, and nothing is made.
#[track_caller]
fn bad(table: &[u8], expected: &[&str]) {
    let folder = tempdir().unwrap();
    write_haq(folder.path(), table);
    edgefit(folder.path(), IMPORT).failed(1, &[&["latency_table.npy", "Get the file again"], expected].concat());
    assert!(!folder.path().join("made").exists());
}

#[test]
fn broken_tables_of_cycles_are_refused() {
    let sound = haq_table();
    for start in [b"".as_slice(), b"\x93NUM", b"PK\x03\x04", &sound[1..]] {
        bad(start, &["an array in NumPy's format", "does not begin like one"]);
    }
    for (length, found) in [(8, "8 bytes"), (9, "9 bytes"), (60, "60 bytes")] {
        bad(&sound[..length], &[found, "end within the header"]);
    }
    let mut version = sound.clone();
    version[6] = 9;
    bad(&version, &["found version 9.0"]);
    let mut endless = sound.clone();
    endless[8..10].copy_from_slice(&[0xff, 0xff]);
    bad(&endless, &["end within the header"]);
    bad(
        &sound[..sound.len() - 1],
        &["27136 bytes behind the header, found 27135"],
    );
    bad(
        &[sound.as_slice(), &[0]].concat(),
        &["27136 bytes behind the header, found 27137"],
    );
    let folder = tempdir().unwrap();
    write_haq(folder.path(), &[sound.as_slice(), &vec![0; 1 << 20]].concat());
    edgefit(folder.path(), IMPORT).failed(1, &["latency_table.npy", "found a longer file"]);
}

#[test]
fn other_headers_are_refused() {
    let with = |descr: &str, fortran_order: &str, shape: &str| {
        with_header(header(descr, fortran_order, shape), i64::to_le_bytes)
    };
    for shape in [
        "(53, 8)",
        "(53, 8, 7)",
        "(8, 8, 53)",
        "()",
        "(53, 8, 8, 1)",
        "(99999999999, 8, 8)",
    ] {
        bad(&with("<i8", "False", shape), &["an array of shape [53, 8, 8]"]);
    }
    bad(
        &with("<i8", "True", "(53, 8, 8)"),
        &["`fortran_order` False, found True"],
    );
    // Objects are pickled; the others have another order of bytes, or too few of them.
    for descr in ["|O", ">i8", "<f4", "<U8"] {
        bad(&with(descr, "False", "(53, 8, 8)"), &["<i8, <i4 or <f8", descr]);
    }
    for (descr, order, shape) in [
        ("<i8', 'more': '1", "False", "(1,)"),
        ("<i8", "1", "(1,)"),
        ("<i8", "False", "(-1,)"),
    ] {
        bad(&with(descr, order, shape), &["a header {'descr': ..., 'fortran_order'"]);
    }
}

/// An entry is named by its layer and its bits.
#[test]
fn entries_that_are_no_cycles_are_named() {
    let named = |table: &[u8], found: &str| {
        let folder = tempdir().unwrap();
        write_haq(folder.path(), table);
        let place = "(layer 52 with 3 bits of weights and 8 of activations)";
        edgefit(folder.path(), IMPORT).failed(1, &[place, "cycles above 0", found]);
    };
    // The last of 53 layers, third row of bits of weights, last of activations.
    let at = (52 * 8 + 2) * 8 + 7;
    for wrong in [0_i64, -1, i64::MIN, i64::MAX] {
        let mut table = haq_table();
        let end = table.len() - 8 * (53 * 64 - at - 1);
        table[end - 8..end].copy_from_slice(&wrong.to_le_bytes());
        named(&table, "found ");
    }
    for wrong in [f64::NAN, f64::INFINITY, -0.5] {
        let header = header("<f8", "False", "(53, 8, 8)");
        let start = header.len() + 8 * at;
        let mut table = with_header(header, |cycles| (cycles as f64).to_le_bytes());
        table[start..start + 8].copy_from_slice(&wrong.to_le_bytes());
        named(&table, &format!("found {wrong}"));
    }
}

#[test]
fn other_spaces_and_places_are_refused() {
    let folder = tempdir().unwrap();
    write_haq(folder.path(), &haq_table());
    edgefit(folder.path(), &IMPORT.replace("mobilenet_v2_bits", "mobilenet_v2"))
        .failed(2, &["expected mobilenet_v2_bits", "found `mobilenet_v2`"]);
    fs::remove_file(folder.path().join(TABLE)).unwrap();
    edgefit(folder.path(), IMPORT).failed(1, &["a folder with lib/simulator/lookup_tables/qmobilenetv2"]);
}
