//! `edgefit data import` of FBNet and of the sources besides HELP's NAS-Bench-201: small files in their formats, and
//! broken ones.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use crate::driver::edgefit;
use crate::help_fixture::{ARCHITECTURES, fbnet_genes, latencies, list, lists, pt, write_help_fbnet};

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn summary(folder: &Path, dataset: &str) -> Value {
    let run = edgefit(folder, &format!("data summary {{{dataset}}} --json")).succeeded();
    serde_json::from_str(&run.stdout).unwrap()
}

const IMPORT_FBNET: &str = "data import help {HELP} --space fbnet --out {fbnet}";

#[test]
fn fbnet_of_help_becomes_a_dataset() {
    let folder = tempdir().unwrap();
    write_help_fbnet(folder.path());
    let run = edgefit(folder.path(), IMPORT_FBNET).succeeded();
    assert!(run.stderr.contains("pixel3: sums of measured blocks"), "{}", run.stderr);
    let measurements = read(folder.path(), "fbnet/measurements.csv");
    let lines: Vec<&str> = measurements.lines().collect();
    assert_eq!(lines.len(), 21);
    // The third architecture has choice 8 - 2 in place 2.
    let names = ["k3_e1", "k3_e1", "k5_e3"].into_iter().chain(["k3_e1"; 19]);
    let third = names.collect::<Vec<&str>>().join("-");
    assert_eq!(lines[3], format!("2080ti_32,{third},fp32,32x32,3.5,,measured"));
    assert_eq!(lines[13], format!("pixel3,{third},fp32,32x32,3.5,,predicted"));
    let summary = summary(folder.path(), "fbnet");
    assert_eq!(
        (&summary["measurements"], &summary["architectures"]),
        (&20.into(), &10.into())
    );
    assert_eq!(summary["origins"]["predicted"], 10);
    assert!(read(folder.path(), "fbnet/dataset.toml").contains("not measured end to end"));
    edgefit(folder.path(), "data import help {HELP} --space nasbench201 --out {x}")
        .failed(1, &["data/nasbench201/latency", "found none"]);
}

#[test]
fn broken_fbnet_lists_are_refused() {
    let bad = |content: &[u8], expected: &[&str]| {
        let folder = tempdir().unwrap();
        write_help_fbnet(folder.path());
        fs::write(folder.path().join("HELP/data/fbnet/arch.pt"), content).unwrap();
        edgefit(folder.path(), IMPORT_FBNET).failed(1, &[&["arch.pt"], expected].concat());
        assert!(!folder.path().join("fbnet").exists());
    };
    let changed = |position: usize, genes: Vec<u8>| {
        let mut architectures: Vec<Vec<u8>> = (0..10).map(fbnet_genes).collect();
        architectures[position] = genes;
        pt(&lists(&architectures))
    };
    bad(&changed(3, vec![0; 21]), &["21 choices at position 3 instead of 22"]);
    bad(
        &changed(3, [vec![0; 21], vec![9]].concat()),
        &["choice 9 of 9 for gene 21 at position 3"],
    );
    bad(
        &changed(4, fbnet_genes(2)),
        &["an architecture at the positions 2 and 4"],
    );
    bad(
        &pt(&list(&latencies())),
        &["a list with a list of choices", "found a number at position 0"],
    );
    bad(&changed(3, vec![0; 22])[..300], &["a broken zip file"]);
    // Lists in lists without end.
    bad(
        &pt(&[vec![b']'; 1 << 20], vec![b'a'; 1 << 20]].concat()),
        &["lists nested too deep"],
    );
}

/// `pickle.dumps` of numpy numbers at protocol 4 is a call of `scalar` for each.
fn numpy(values: &[f64]) -> Vec<u8> {
    let mut pickle = b"\x80\x04]\x94(".to_vec();
    pickle.extend(b"\x8c\x15numpy.core.multiarray\x94\x8c\x06scalar\x94\x93\x94");
    pickle.extend(b"\x8c\x05numpy\x94\x8c\x05dtype\x94\x93\x94\x8c\x02f8\x94\x89\x88\x87\x94R\x94");
    pickle.extend(b"(K\x03\x8c\x01<\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94b");
    for (position, value) in values.iter().enumerate() {
        if position > 0 {
            pickle.extend(b"h\x03h\x09");
        }
        pickle.extend(b"C\x08");
        pickle.extend(value.to_le_bytes());
        pickle.extend(b"\x94\x86\x94R\x94");
    }
    pickle.extend(b"e.");
    pickle
}

/// One-hot rows of `encode.pickle`.
fn encoded(architectures: &[[usize; 6]]) -> Vec<u8> {
    let row = |architecture: &[usize; 6]| {
        let mut row = vec![0; 31];
        for (edge, operation) in architecture.iter().enumerate() {
            row[5 * edge + operation] = 1;
        }
        row[30] = 1;
        row
    };
    lists(&architectures.iter().map(row).collect::<Vec<Vec<u8>>>())
}

/// The first three architectures of the NAS-Bench-201 fixture, as operations by edge.
const OPERATIONS: [[usize; 6]; 3] = [[3, 0, 0, 0, 0, 1], [3, 3, 3, 3, 3, 3], [2, 3, 3, 3, 3, 3]];
const IMPORT_ONEPROXY: &str = "data import oneproxy {OneProxy} --space nasbench201 --out {nb201}";

fn write_oneproxy(folder: &Path) {
    let root = folder.join("OneProxy");
    fs::create_dir_all(root.join("latency_data")).unwrap();
    fs::write(root.join("encode.pickle"), encoded(&OPERATIONS)).unwrap();
    let write = |device: &str, pickle: &[u8]| fs::write(root.join(format!("latency_data/{device}.pickle")), pickle);
    write("eagle_dsp_855", &list(&[2.5, -1.0, 4.5])).unwrap();
    write("eagle_gtx", &numpy(&[6.0, 7.0, 9.0])).unwrap();
    write("eagle_i7", &numpy(&[6.03, 6.98, 9.01])).unwrap();
}

#[test]
fn one_proxy_becomes_a_dataset() {
    let folder = tempdir().unwrap();
    write_oneproxy(folder.path());
    let run = edgefit(folder.path(), IMPORT_ONEPROXY).succeeded();
    for note in [
        "eagle_dsp_855: 1 latencies of -1 left out",
        "eagle_gtx and eagle_i7: two runs of the same measurements",
    ] {
        assert!(run.stderr.contains(note), "{}", run.stderr);
    }
    let measurements = read(folder.path(), "nb201/measurements.csv");
    let lines: Vec<&str> = measurements.lines().collect();
    assert_eq!(lines.len(), 1 + 2 + 3 + 3);
    assert_eq!(
        lines[2],
        format!("eagle_dsp_855,{},int8,32x32,4.5,,measured", ARCHITECTURES[2])
    );
    assert_eq!(
        lines[4],
        format!("eagle_gtx,{},fp32,32x32,7,,measured", ARCHITECTURES[1])
    );
    // What the catalogue knows under the source's name comes along.
    let devices = read(folder.path(), "nb201/devices.csv");
    assert!(
        devices.contains("\neagle_dsp_855,hexagon690,dsp,int8,snpe,1,"),
        "{devices}"
    );
}

#[test]
fn broken_one_proxy_files_are_refused() {
    let bad = |file: &str, content: &[u8], expected: &[&str]| {
        let folder = tempdir().unwrap();
        write_oneproxy(folder.path());
        fs::write(folder.path().join("OneProxy").join(file), content).unwrap();
        let name = file.rsplit('/').next().unwrap();
        edgefit(folder.path(), IMPORT_ONEPROXY).failed(1, &[&[name], expected].concat());
        assert!(!folder.path().join("nb201").exists());
    };
    let column = "latency_data/eagle_gtx.pickle";
    bad(
        column,
        &numpy(&[1.0, 2.0]),
        &["expected 3 latencies", "encode.pickle", "found 2"],
    );
    for value in [f64::NAN, f64::INFINITY, 0.0, -0.5] {
        bad(
            column,
            &numpy(&[1.0, value, 2.0]),
            &["position 1", &format!("found {value}")],
        );
    }
    bad(column, &numpy(&[1.0, 2.0, 3.0])[..120], &["a truncated pickle"]);
    bad(
        column,
        b"cos\nsystem\n(X\x04\x00\x00\x00exittR.",
        &["code or objects, which are never run"],
    );
    bad(column, b"", &["a truncated pickle"]);
    let [first, second, third] = OPERATIONS;
    bad(
        "encode.pickle",
        &encoded(&[first, second, first]),
        &["position 2", "the architecture of position 0"],
    );
    let mut two_ones = encoded(&[first, second, third]);
    // The first number of the first row, after PROTO, the list, its mark and the row's own.
    two_ones[11] = 1;
    bad("encode.pickle", &two_ones, &["position 0", "found other values"]);
    bad("encode.pickle", &list(&[1.0]), &["found a number at position 0"]);
    let folder = tempdir().unwrap();
    write_oneproxy(folder.path());
    fs::remove_file(folder.path().join("OneProxy/encode.pickle")).unwrap();
    edgefit(folder.path(), IMPORT_ONEPROXY).failed(1, &["encode.pickle", "found none"]);
    edgefit(folder.path(), "data import oneproxy {OneProxy} --space fbnet --out {x}")
        .failed(2, &["expected nasbench201", "found `fbnet`"]);
}
