//! `edgefit data import` of networks of MobileNet blocks: Accel-NASBench's archive, NAS-Bench-Macro, and FBNet's zero-cost proxies.
//! Small files in their formats, and broken ones.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::driver::edgefit;

/// A network with so many blocks in its first stage.
fn architecture(layers: u32) -> Value {
    let mut object = serde_json::Map::new();
    for stage in 0..7 {
        object.insert(format!("block{stage}_e"), json!(4));
        object.insert(format!("block{stage}_k"), json!(5));
        object.insert(format!("block{stage}_l"), json!(if stage == 0 { layers } else { 1 }));
        object.insert(format!("block{stage}_se"), json!(stage == 6));
    }
    object.into()
}

fn record(layers: u32, top1: f64, a100: Value, zcu102_ms: Value) -> Value {
    json!({
        "architecture": architecture(layers),
        "metrics": {"val_top1": top1, "val_top5": 80.0, "train_time": 1.0},
        "model_info": {"macs": 1.0, "params": 1.0},
        "platform_perf": {
            "latency_zcu102": {"latency_mean": zcu102_ms, "latency_std": null},
            "throughput_a100": {"throughput_mean": a100, "throughput_std": 1.0},
            "throughput_zcu102": {"throughput_mean": 500.0, "throughput_std": null},
        },
    })
}

/// The bytes of a tar archive.
pub(crate) fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        // Names as they are given, hostile ones too.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn archive(records: &[Value]) -> Vec<u8> {
    let files: Vec<(String, String)> = (records.iter().enumerate())
        .map(|(number, record)| (format!("anb_dataset_jsons/result_{number}.json"), record.to_string()))
        .collect();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    tar_of(&files)
}

pub(crate) const ARCHIVE: &str = "anb/anb_dataset/anb_dataset_jsons.tar.gz";

/// The archive of a clone of Accel-NASBench, not compressed: one network twice, and one that was not measured everywhere.
pub(crate) fn accel_nasbench() -> Vec<u8> {
    archive(&[
        record(1, 60.0, json!(20_000.0), json!(2.5)),
        record(1, 61.0, json!(20_000.0), json!(3.5)),
        record(3, 62.5, json!(10_000.0), json!(null)),
    ])
}

pub(crate) fn write_archive(folder: &Path, tar: &[u8]) {
    let path = folder.join(ARCHIVE);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, gzip(tar)).unwrap();
}

pub(crate) const MACRO: &str = "nas-bench-macro_cifar10.json";
pub(crate) const PROXIES: &str = "zc_fbnet.json";

pub(crate) fn write_json_files(folder: &Path) {
    let networks = json!({
        "02012100": {"test_acc": [89.5, 89.0, 89.2], "mean_acc": 0.0, "std": 0.2, "params": 1, "flops": 1},
        "00001110": {"test_acc": [85.0], "mean_acc": 85.0},
    });
    fs::write(folder.join(MACRO), networks.to_string()).unwrap();
    let indices = |first: u32| format!("{first}{}", "_8".repeat(21));
    let proxies = json!({
        indices(0): {"synflow": 1e30, "nwot": 200.0, "zen": 60.0},
        indices(7): {"synflow": 1e34, "nwot": 220.0, "zen": 70.0},
    });
    fs::write(folder.join(PROXIES), proxies.to_string()).unwrap();
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

const IMPORT_ACCEL: &str = "data import accel-nasbench {anb} --space mobilenet_v2 --out {made}";

#[test]
fn networks_of_accel_nasbench() {
    let folder = tempdir().unwrap();
    write_archive(folder.path(), &accel_nasbench());
    let run = edgefit(folder.path(), IMPORT_ACCEL).succeeded();
    for note in [
        "1 architectures were trained and measured more than once",
        "zcu102: latency in ms of a batch of 1; 1 networks",
    ] {
        assert!(run.stderr.contains(note), "no `{note}` in {}", run.stderr);
    }
    edgefit(folder.path(), "data validate {made}").succeeded();
    let cell = |layers| format!("\"{}\"", architecture(layers).to_string().replace('"', "\"\""));
    let accuracies = read(folder.path(), "made/accuracy.csv");
    // Means of 60 and 61 %, and of 2.5 and 3.5 ms; 1000 / 20,000 ms.
    for (layers, percent) in [(1, "60.5"), (3, "62.5")] {
        let line = format!("imagenet,{},fp32,{percent},measured", cell(layers));
        assert!(
            accuracies.lines().any(|found| found == line),
            "no {line} in {accuracies}"
        );
    }
    let measurements = read(folder.path(), "made/measurements.csv");
    let expected = [
        format!("a100_throughput,{},fp16,224x224,0.05,,measured", cell(1)),
        format!("a100_throughput,{},fp16,224x224,0.1,,measured", cell(3)),
        format!("zcu102,{},int8,224x224,3,,measured", cell(1)),
    ];
    assert_eq!(measurements.lines().count(), 1 + expected.len());
    for line in expected {
        assert!(
            measurements.lines().any(|found| found == line),
            "no {line} in {measurements}"
        );
    }
}

#[test]
fn broken_archives_are_refused_by_name() {
    let sound = record(1, 60.0, json!(1.0), json!(1.0)).to_string();
    let with = |name: &str, content: &str| tar_of(&[("a/result_0.json", sound.as_bytes()), (name, content.as_bytes())]);
    let changed = |pointer: &str, value: Value| {
        let mut record = record(1, 60.0, json!(1.0), json!(1.0));
        *record.pointer_mut(pointer).unwrap() = value;
        with("a/result_1.json", &record.to_string())
    };
    let zeros = "0".repeat((1 << 20) + 1);
    let cases: [(Vec<u8>, &str); 11] = [
        (with("../result_1.json", &sound), "file `../result_1.json`"),
        (with("/etc/result_1.json", &sound), "a path that leads out of it"),
        (
            with("a/large.json", &zeros),
            "(file `a/large.json`): expected plain files of at most",
        ),
        (with("a/result_1.json", "{"), "file `a/result_1.json`"),
        (
            changed("/architecture/block3_e", json!(5)),
            "block3_e: expected one of 1, 4, 6, found `5`",
        ),
        (
            changed("/metrics/val_top1", json!(100.5)),
            "expected a val_top1 from 0 to 100 %, found 100.5",
        ),
        (changed("/metrics/val_top1", json!("60")), "invalid type: string"),
        (
            changed("/platform_perf/latency_zcu102/latency_mean", json!(-1)),
            "expected a latency_zcu102 above 0, found -1",
        ),
        (
            tar_of(&[("a/readme.txt", b"none")]),
            "expected a file result_<number>.json for every network, found none",
        ),
        (b"not a tar archive".repeat(100), "expected a gzipped tar archive"),
        (Vec::new(), "found none"),
    ];
    for (tar, message) in cases {
        let folder = tempdir().unwrap();
        write_archive(folder.path(), &tar);
        edgefit(folder.path(), IMPORT_ACCEL).failed(1, &[message, "anb_dataset_jsons.tar.gz"]);
        assert!(!folder.path().join("made").exists(), "{message}");
    }
}

#[test]
fn archives_cut_off_are_refused() {
    let folder = tempdir().unwrap();
    write_archive(folder.path(), &accel_nasbench());
    let path = folder.path().join(ARCHIVE);
    let bytes = fs::read(&path).unwrap();
    for length in [10, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        edgefit(folder.path(), IMPORT_ACCEL).failed(1, &["it is cut off"]);
    }
}

#[test]
fn networks_of_nas_bench_macro() {
    let folder = tempdir().unwrap();
    write_json_files(folder.path());
    let line = "data import nas-bench-macro {nas-bench-macro_cifar10.json} --space nasbench_macro --out {made}";
    let run = edgefit(folder.path(), line).succeeded();
    assert!(run.stderr.contains("1 architectures are others"), "{}", run.stderr);
    let accuracies = read(folder.path(), "made/accuracy.csv");
    assert!(
        accuracies.contains("\ncifar10,00001110,fp32,85,measured\n"),
        "{accuracies}"
    );
    for (content, message) in [
        (r#"{"0201210": {"test_acc": [89]}}"#, "expected 8 digits"),
        (r#"{"02012100": {"test_acc": []}}"#, "`02012100`"),
        (r#"{"02012100": {"test_acc": [0.89]}}"#, "look like fractions"),
        (r#"{"02012100": {}}"#, "missing field `test_acc`"),
        ("[]", "expected an object from architectures"),
    ] {
        fs::write(folder.path().join(MACRO), content).unwrap();
        edgefit(folder.path(), &line.replace("{made}", "{other}")).failed(1, &[message, MACRO]);
    }
}

#[test]
fn proxy_scores_are_no_accuracies() {
    let folder = tempdir().unwrap();
    write_json_files(folder.path());
    let line = "data import zero-cost-proxies {zc_fbnet.json} --space fbnet --out {made}";
    let run = edgefit(folder.path(), line).succeeded();
    assert!(
        run.stderr.contains("no accuracies, and no estimates of any"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("2 proxy scores"), "{}", run.stderr);
    // Of two networks the better by both proxies stands at 75 %.
    let scores = read(folder.path(), "made/accuracy.csv");
    let skips = "-skip".repeat(21);
    for (block, score) in [("k3_e1", 25), ("k5_e6", 75)] {
        let line = format!("proxy-score,{block}{skips},fp32,{score},proxy");
        assert!(scores.lines().any(|found| found == line), "no {line} in {scores}");
    }
    edgefit(folder.path(), "data validate {made}").succeeded();
    fs::write(folder.path().join(PROXIES), r#"{"1_2_3": {"synflow": 1, "nwot": 1}}"#).unwrap();
    edgefit(folder.path(), &line.replace("{made}", "{other}")).failed(1, &["`1_2_3`", "22 indices joined by `_`"]);
}

#[test]
fn other_spaces_are_refused() {
    let folder = tempdir().unwrap();
    write_archive(folder.path(), &accel_nasbench());
    write_json_files(folder.path());
    for (source, path, space) in [
        ("accel-nasbench", "anb", "mobilenet_v2"),
        ("nas-bench-macro", MACRO, "nasbench_macro"),
        ("zero-cost-proxies", PROXIES, "fbnet"),
    ] {
        let line = format!("data import {source} {{{path}}} --space nasbench201 --out {{made}}");
        edgefit(folder.path(), &line).failed(2, &[&format!("expected {space}")]);
    }
}
