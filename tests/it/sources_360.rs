//! `edgefit data import hw-nas-bench-360`: a small table in its format, and broken ones.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use crate::driver::edgefit;
use crate::parquet_fixture::{Cells, write_parquet};

const IMPORT: &str = "data import hw-nas-bench-360 {360} --space nasbench201 --out {pi}";

/// Architectures 0 and 1 in two runtimes at three tasks, and architecture 7 as a copy of 1.
pub(crate) fn columns() -> Vec<(&'static str, Cells)> {
    use Cells::{Doubles, Integers, Texts};
    vec![
        ("arch_idx", Integers(vec![0, 0, 1, 1, 0, 1, 0, 7])),
        ("rep_arch_idx", Integers(vec![0, 0, 1, 1, 0, 1, 0, 1])),
        ("device", Texts(vec!["pi5"; 8])),
        (
            "framework",
            Texts(vec![
                "litert", "onnx", "litert", "onnx", "litert", "litert", "litert", "litert",
            ]),
        ),
        (
            "task",
            Texts(vec![
                "cifar100", "cifar100", "cifar100", "cifar100", "ninapro", "ninapro", "darcy", "cifar100",
            ]),
        ),
        ("lat_ms_median", Doubles(vec![1.5, 2.0, 3.5, 4.0, 1.25, 3.25, 9.5, 3.5])),
        ("lat_ms_var", Doubles(vec![0.1; 8])),
        (
            "energy_mj",
            Doubles(vec![2.5, 3.0, f64::NAN, 5.0, 2.0, -1.0, 11.0, 3.0]),
        ),
        (
            "accuracy",
            Doubles(vec![52.5, 52.5, 70.25, 70.25, 90.5, 91.5, -0.75, 70.25]),
        ),
        ("status", Texts(vec!["ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok"])),
    ]
}

pub(crate) fn write(folder: &Path, columns: &[(&str, Cells)]) {
    write_parquet(&folder.join("360/results/dataset.parquet"), columns);
}

#[test]
fn a_table_becomes_a_dataset() {
    let folder = tempdir().unwrap();
    write(folder.path(), &columns());
    let run = edgefit(folder.path(), IMPORT).succeeded();
    assert!(run.stderr.contains("1 rows left out: copies"), "{}", run.stderr);
    let measurements = fs::read_to_string(folder.path().join("pi/measurements.csv")).unwrap();
    assert_eq!(measurements.lines().count(), 8);
    let first = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|";
    let second = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|";
    for line in [
        format!("pi5_litert,{first},fp32,32x32,1.5,2.5,measured"),
        format!("pi5_onnx,{second},fp32,32x32,4,5,measured"),
        format!("pi5_litert,{second},fp32,32x32,3.5,,measured"),
        format!("pi5_litert,{second},fp32,16x52,3.25,,measured"),
        format!("pi5_litert,{first},fp32,88x88,9.5,11,measured"),
    ] {
        assert!(
            measurements.lines().any(|found| found == line),
            "no {line} in {measurements}"
        );
    }
    let accuracies = fs::read_to_string(folder.path().join("pi/accuracy.csv")).unwrap();
    assert_eq!(accuracies.lines().count(), 5);
    assert!(
        accuracies.contains(&format!("ninapro,{second},fp32,91.5,measured")),
        "{accuracies}"
    );
    assert!(!accuracies.contains("darcy"));
    // What the catalogue knows comes along, under both names.
    let devices = fs::read_to_string(folder.path().join("pi/devices.csv")).unwrap();
    assert!(
        devices.contains("\npi5_litert,raspi5,board-cpu,fp32,tflite,1,"),
        "{devices}"
    );
    assert!(
        devices.contains("\npi5_onnx,raspi5,board-cpu,fp32,onnxruntime,1,"),
        "{devices}"
    );
    let run = edgefit(folder.path(), "data summary {pi} --json").succeeded();
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(summary["inputs"], serde_json::json!(["32x32", "16x52", "88x88"]));
}

/// Replaces a column, or drops it.
fn with(name: &str, cells: Option<Cells>) -> Vec<(&'static str, Cells)> {
    let mut columns = columns();
    let place = columns.iter().position(|(column, _)| *column == name).unwrap();
    match cells {
        Some(cells) => columns[place].1 = cells,
        None => {
            columns.remove(place);
        }
    }
    columns
}

#[test]
fn broken_tables_are_refused() {
    use Cells::{Doubles, Integers, Texts};
    let bad = |columns: &[(&str, Cells)], expected: &[&str]| {
        let folder = tempdir().unwrap();
        write(folder.path(), columns);
        edgefit(folder.path(), IMPORT).failed(1, &[&["dataset.parquet"], expected].concat());
        assert!(!folder.path().join("pi").exists());
    };
    let columns_named = ["expected the columns arch_idx (INT64)", "lat_ms_median (DOUBLE)"];
    bad(
        &with("lat_ms_median", None),
        &[&columns_named[..], &["found arch_idx (INT64)"]].concat(),
    );
    bad(
        &with("lat_ms_median", Some(Texts(vec!["1.5"; 8]))),
        &[&columns_named[..], &["lat_ms_median (BYTE_ARRAY)"]].concat(),
    );
    bad(&with("arch_idx", Some(Doubles(vec![0.0; 8]))), &columns_named);
    bad(
        &with("arch_idx", Some(Integers(vec![15_625; 8]))),
        &["row 1, arch_idx", "below 15625", "found 15625"],
    );
    bad(
        &with("arch_idx", Some(Integers(vec![-1; 8]))),
        &["row 1, arch_idx", "found -1"],
    );
    bad(
        &with("task", Some(Texts(vec!["cifar10"; 8]))),
        &["row 1, task", "one of cifar100", "found `cifar10`"],
    );
    bad(
        &with("lat_ms_median", Some(Doubles(vec![-2.0; 8]))),
        &["row 1, lat_ms_median", "above zero", "found -2"],
    );
    bad(
        &with("lat_ms_median", Some(Doubles(vec![f64::INFINITY; 8]))),
        &["row 1, lat_ms_median", "found inf"],
    );
    bad(
        &with("accuracy", Some(Doubles(vec![101.0; 8]))),
        &["row 1, accuracy", "found 101"],
    );
    // The two runtimes of an architecture name two accuracies.
    bad(
        &with(
            "accuracy",
            Some(Doubles(vec![52.5, 53.5, 70.25, 70.25, 90.5, 91.5, 0.0, 0.0])),
        ),
        &["the accuracy of an architecture", "1 rows that contradict"],
    );
    let folder = tempdir().unwrap();
    write(folder.path(), &columns());
    let path = folder.path().join("360/results/dataset.parquet");
    let bytes = fs::read(&path).unwrap();
    for damaged in [
        &bytes[..bytes.len() / 2],
        &bytes[bytes.len() / 2..],
        b"",
        b"PAR1PAR1",
        b"net,latency\n",
    ] {
        fs::write(&path, damaged).unwrap();
        edgefit(folder.path(), IMPORT).failed(1, &["dataset.parquet", "a Parquet table", "get it again"]);
    }
    fs::remove_file(&path).unwrap();
    edgefit(folder.path(), IMPORT).failed(1, &["results/dataset.parquet", "found none"]);
}

/// Whatever bytes are damaged, the program says what is wrong or reads what is left, and does not break down.
#[test]
fn damage_anywhere_is_survived() {
    let folder = tempdir().unwrap();
    write(folder.path(), &columns());
    let path = folder.path().join("360/results/dataset.parquet");
    let bytes = fs::read(&path).unwrap();
    let mut state = 1_u64;
    for _ in 0..60 {
        let mut damaged = bytes.clone();
        for _ in 0..3 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let place = (state >> 33) as usize % damaged.len();
            damaged[place] = (state >> 24) as u8;
        }
        fs::write(&path, &damaged).unwrap();
        let run = edgefit(
            folder.path(),
            "data import hw-nas-bench-360 {360} --space nasbench201 --out {pi}",
        );
        assert!([0, 1, 2].contains(&run.status), "{run:?}");
        assert!(!run.stderr.contains("panicked"), "{run:?}");
        let _ = fs::remove_dir_all(folder.path().join("pi"));
    }
}
