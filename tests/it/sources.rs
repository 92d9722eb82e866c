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

pub(crate) fn write_oneproxy(folder: &Path) {
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

const IMPORT_CELLS: &str = "data import hw-nas-bench {HW} --space nasbench201 --out {hw}";

/// The tuples of the architectures 0, 1 and 5 of the NAS-Bench-201 fixture; the 1x1 of the last is on edge 1->2. Edges in the order 0->1, 0->2, 0->3, 1->2,
/// 1->3, 2->3; 0 skips, 1 is none, 2 the 3x3 and 3 the 1x1 convolution.
const TUPLES: [&str; 3] = ["(2, 1, 1, 1, 1, 0)", "(2, 2, 2, 2, 2, 2)", "(2, 2, 2, 3, 2, 2)"];

/// Tables of three tasks: the values are those of CIFAR-10 times `factor`.
pub(crate) fn write_cells(folder: &Path) {
    let root = folder.join("HW");
    fs::create_dir_all(&root).unwrap();
    for (task, factor) in [("cifar10", 1.0), ("cifar100", 3.0), ("ImageNet16-120", 0.5)] {
        let mut text = String::from("net,edgegpu_latency,edgegpu_energy,edgetpu_latency,pixel3_latency\n");
        for (tuple, edgetpu) in TUPLES.iter().zip([0.75, -1.0, 1.5]) {
            text += &format!(
                "\"{tuple}\",{},{},{edgetpu},{}\n",
                6.0 * factor,
                24.5 * factor,
                2.0 * factor
            );
        }
        fs::write(root.join(format!("hw_{task}.csv")), text).unwrap();
    }
}

#[test]
fn cells_of_hw_nas_bench_become_a_dataset() {
    let folder = tempdir().unwrap();
    write_cells(folder.path());
    let run = edgefit(folder.path(), IMPORT_CELLS).succeeded();
    for note in [
        "hw_cifar100.csv left out",
        "hw_cifar10.csv: 1 of edgetpu_latency are -1",
    ] {
        assert!(run.stderr.contains(note), "{}", run.stderr);
    }
    let measurements = read(folder.path(), "hw/measurements.csv");
    // Two tasks of three architectures on three devices, less what is missing.
    assert_eq!(measurements.lines().count(), 1 + 2 * (3 * 3 - 1));
    for line in [
        format!("edgegpu,{},fp16,32x32,6,24.5,measured", ARCHITECTURES[0]),
        format!("pixel3,{},fp32,32x32,2,,measured", ARCHITECTURES[1]),
        format!("edgetpu,{},int8,32x32,1.5,,measured", ARCHITECTURES[5]),
        format!("edgegpu,{},fp16,16x16,3,12.25,measured", ARCHITECTURES[5]),
    ] {
        assert!(
            measurements.lines().any(|found| found == line),
            "no {line} in {measurements}"
        );
    }
    // The table left out can be had on its own, but not where the other is.
    edgefit(
        folder.path(),
        "data import hw-nas-bench {HW/hw_cifar100.csv} --space nasbench201 --out {own}",
    )
    .succeeded();
    assert!(read(folder.path(), "own/measurements.csv").contains(",fp16,32x32,18,73.5,"));
    edgefit(
        folder.path(),
        "data import hw-nas-bench {HW/hw_cifar100.csv} --space nasbench201 --out {hw}",
    )
    .failed(
        1,
        &[
            "6 that contradict",
            "6 ms, 24.5 mJ (measured) there, 18 ms, 73.5 mJ (measured) here",
        ],
    );
    // One input size of several.
    edgefit(folder.path(), &IMPORT_CELLS.replace("{hw}", "{small} --input 16x16")).succeeded();
    assert_eq!(summary(folder.path(), "small")["inputs"], serde_json::json!(["16x16"]));
    edgefit(folder.path(), &IMPORT_CELLS.replace("{hw}", "{x} --input 224x224"))
        .failed(2, &["one of the source: 32x32, 16x16, found 224x224"]);
    // Nothing says at which of the two sizes to learn.
    edgefit(folder.path(), "train predictor --dataset {hw} --out {x}")
        .failed(2, &["found 32x32, 16x16", "name a task"]);
}

#[test]
fn broken_cells_are_refused() {
    let bad = |from: &str, to: &str, expected: &[&str]| {
        let folder = tempdir().unwrap();
        write_cells(folder.path());
        let path = folder.path().join("HW/hw_cifar10.csv");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        edgefit(folder.path(), IMPORT_CELLS).failed(1, expected);
        assert!(!folder.path().join("hw").exists());
    };
    bad(
        "edgegpu_energy",
        "edgegpu_power",
        &["hw_cifar10.csv:1", "unknown column `edgegpu_power`"],
    );
    bad("net,", "architecture,", &["hw_cifar10.csv:1", "architecture"]);
    bad(
        "6,24.5",
        "nan,24.5",
        &["hw_cifar10.csv:2 (edgegpu_latency)", "found `nan`"],
    );
    bad(
        "6,24.5",
        "6,-2",
        &["hw_cifar10.csv:2 (edgegpu_energy)", "above zero", "found -2"],
    );
    bad(
        "6,24.5",
        "0,24.5",
        &["hw_cifar10.csv:2 (edgegpu_latency)", "above zero"],
    );
    bad(
        "(2, 1, 1, 1, 1, 0)",
        "(2, 1, 1, 1, 0)",
        &["hw_cifar10.csv:2 (net)", "six operations"],
    );
    bad(
        "(2, 1, 1, 1, 1, 0)",
        "(5, 1, 1, 1, 1, 0)",
        &["hw_cifar10.csv:2 (net)", "found `(5, 1, 1, 1, 1, 0)`"],
    );
    bad("(2, 1, 1, 1, 1, 0)", "2 1 1 1 1 0", &["hw_cifar10.csv:2 (net)"]);
    bad(
        TUPLES[1],
        TUPLES[0],
        &["hw_cifar10.csv:3 (net)", "found an earlier one"],
    );
    bad("6,24.5,0.75,2", "6,24.5", &["hw_cifar10.csv", "expected 5 values"]);
    let folder = tempdir().unwrap();
    write_cells(folder.path());
    fs::rename(
        folder.path().join("HW/hw_cifar10.csv"),
        folder.path().join("HW/mine.csv"),
    )
    .unwrap();
    edgefit(folder.path(), IMPORT_CELLS).failed(1, &["HW", "hw_cifar10.csv", "found none"]);
    edgefit(
        folder.path(),
        "data import hw-nas-bench {HW/mine.csv} --space nasbench201 --out {x}",
    )
    .failed(2, &["expected one of hw_cifar10.csv", "found `mine.csv`"]);
}

const IMPORT_BLOCKS: &str = "data import hw-nas-bench {HW} --space fbnet --out {fbnet}";

/// Every block that a network can have at both sizes, worth 1 ms and 0.5 mJ; identities cost nothing.
pub(crate) fn block_tables() -> serde_json::Map<String, Value> {
    let mut latency = serde_json::Map::new();
    let mut add = |name: String, value: f64| latency.insert(name, value.into());
    for (image, stem_stride, second_stride, header, classes) in [(32, 1, 1, 1504, 100), (224, 2, 2, 1984, 1000)] {
        add(
            format!("ConvNorm_H{image}_W{image}_Cin3_Cout16_kernel3_stride{stem_stride}_group1"),
            1.0,
        );
        let mut edge = image / stem_stride;
        let strides = [1, second_stride, 2, 2, 1, 2, 1];
        let mut input = 16;
        for (channels, stride) in [16, 24, 32, 64, 112, 184, 352].into_iter().zip(strides) {
            for (from, stride) in [(input, stride), (channels, 1)] {
                let shape = format!("H{edge}_W{edge}_Cin{from}_Cout{channels}");
                for (expansion, kernel, group) in [
                    (1, 3, 1),
                    (1, 3, 2),
                    (3, 3, 1),
                    (6, 3, 1),
                    (1, 5, 1),
                    (1, 5, 2),
                    (3, 5, 1),
                    (6, 5, 1),
                ] {
                    add(
                        format!("ConvBlock_{shape}_exp{expansion}_kernel{kernel}_stride{stride}_group{group}"),
                        1.0,
                    );
                }
                add(
                    format!("Skip_{shape}_stride{stride}"),
                    if from == channels { 0.0 } else { 1.0 },
                );
                edge /= stride;
            }
            input = channels;
        }
        add(
            format!("ConvNorm_H{edge}_W{edge}_Cin352_Cout{header}_kernel1_stride1_group1"),
            1.0,
        );
        add(
            format!("AvgP_H{edge}_W{edge}_Cin{header}_Cout{header}_kernel{edge}_stride1"),
            1.0,
        );
        add(format!("FC_Cin{header}_Cout{classes}"), 1.0);
    }
    let energy = latency
        .iter()
        .map(|(name, value)| (name.clone(), (value.as_f64().unwrap() / 2.0).into()));
    let energy: serde_json::Map<String, Value> = energy.collect();
    [
        ("edgegpu_latency".into(), latency.into()),
        ("edgegpu_energy".into(), energy.into()),
    ]
    .into_iter()
    .collect()
}

pub(crate) fn write_blocks(folder: &Path, tables: &str) {
    fs::create_dir_all(folder.join("HW")).unwrap();
    fs::write(folder.join("HW/fbnet_cached_metrics.json"), tables).unwrap();
}

#[test]
fn blocks_are_added_up_to_networks() {
    let folder = tempdir().unwrap();
    write_blocks(folder.path(), &Value::from(block_tables()).to_string());
    let run = edgefit(folder.path(), IMPORT_BLOCKS).succeeded();
    assert!(
        run.stderr.contains("not end to end, for 5000 random networks (seed 0)"),
        "{}",
        run.stderr
    );
    let measurements = read(folder.path(), "fbnet/measurements.csv");
    assert_eq!(measurements.lines().count(), 1 + 2 * 5_000);
    for line in measurements.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        // Stem, header, pooling and classifier take 1 ms each, and every block but those that are the identity: `skip` is
        // no identity as the first of the six stages that widen the network.
        let firsts = [1, 5, 9, 13, 17, 21];
        let idle = |(place, name): (usize, &str)| name == "skip" && !firsts.contains(&place);
        let blocks = 26 - cells[1].split('-').enumerate().filter(|&block| idle(block)).count();
        assert_eq!(cells[4], blocks.to_string(), "{line}");
        assert_eq!(cells[5].parse::<f64>().unwrap(), blocks as f64 / 2.0, "{line}");
        assert_eq!((cells[0], cells[6]), ("edgegpu", "predicted"));
    }
    // The same networks every time.
    let again = edgefit(folder.path(), IMPORT_BLOCKS).succeeded();
    assert!(again.stderr.contains("added 0 measurements"), "{}", again.stderr);
    edgefit(
        folder.path(),
        &IMPORT_BLOCKS.replace("{fbnet}", "{small} --input 32x32"),
    )
    .succeeded();
    assert_eq!(summary(folder.path(), "small")["measurements"], 5_000);
}

#[test]
fn broken_block_tables_are_refused() {
    let bad = |tables: &str, expected: &[&str]| {
        let folder = tempdir().unwrap();
        write_blocks(folder.path(), tables);
        edgefit(folder.path(), IMPORT_BLOCKS).failed(1, &[&["fbnet_cached_metrics.json"], expected].concat());
        assert!(!folder.path().join("fbnet").exists());
    };
    let changed = |block: &str, value: Option<Value>| {
        let mut tables = block_tables();
        let table = tables["edgegpu_energy"].as_object_mut().unwrap();
        assert!(table.remove(block).is_some());
        table.extend(value.map(|value| (block.to_string(), value)));
        Value::from(tables).to_string()
    };
    let block = "ConvBlock_H8_W8_Cin64_Cout112_exp6_kernel5_stride1_group1";
    bad(
        &changed(block, None),
        &["(edgegpu_energy)", &format!("expected block {block}, found none")],
    );
    bad(&changed(block, Some((-1.0).into())), &["at least 0", block, "found -1"]);
    bad(
        &changed(block, Some("fast".into())),
        &["an object of tables", "invalid type: string"],
    );
    bad(
        &changed(block, Some(Value::Null)),
        &["an object of tables", "invalid type: null"],
    );
    let good = Value::from(block_tables()).to_string();
    bad(&good[..good.len() / 2], &["EOF"]);
    bad("", &["EOF"]);
    bad("{}", &["found no table"]);
    bad(
        &good.replace("edgegpu_energy", "edgegpu_power"),
        &["a table `edgegpu_power`", "edgegpu_energy"],
    );
    bad(&"[".repeat(1 << 20), &["an object of tables"]);
}
