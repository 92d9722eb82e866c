//! `edgefit data import` of accuracies and costs at several precisions: small tables in their formats, and broken ones.

use std::fs;
use std::path::Path;

use tempfile::tempdir;

use crate::driver::edgefit;

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

const IMPORT_ESP32: &str = "data import esp32-int8 {esp32} --space nasbench201 --out {made}";
/// Network 0 with two seeds, one of them twice, and network 1 with one.
const ESP32: &str = "0,777,cifar10,80.5,60\n1,888,cifar10,93.25,92.5\n0,888,cifar10,81.5,71\n0,777,cifar10,80.5,60\n";
/// The networks of the published indices 0 and 1.
const CELLS: [&str; 2] = [
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|",
];

pub(crate) fn write_esp32(folder: &Path, table: &str) {
    fs::create_dir_all(folder.join("esp32")).unwrap();
    fs::write(folder.join("esp32/result.csv"), table).unwrap();
}

pub(crate) fn write_esp32_sound(folder: &Path) {
    write_esp32(folder, ESP32);
}

#[test]
fn accuracies_before_and_after_quantization() {
    let folder = tempdir().unwrap();
    write_esp32_sound(folder.path());
    let run = edgefit(folder.path(), IMPORT_ESP32).succeeded();
    for note in [
        "means: 1 networks over 2 seeds, 1 networks over 1 seeds",
        "1 rows repeat another exactly",
        "15623 networks of the space have no row",
    ] {
        assert!(run.stderr.contains(note), "no `{note}` in {}", run.stderr);
    }
    // (80.5 + 81.5) / 2 and (60 + 71) / 2.
    let expected = [
        format!("cifar10,{},fp32,81,measured", CELLS[0]),
        format!("cifar10,{},int8,65.5,measured", CELLS[0]),
        format!("cifar10,{},fp32,93.25,measured", CELLS[1]),
        format!("cifar10,{},int8,92.5,measured", CELLS[1]),
    ];
    let accuracies = read(folder.path(), "made/accuracy.csv");
    assert_eq!(accuracies.lines().skip(1).collect::<Vec<&str>>(), expected);
    edgefit(folder.path(), "data validate {made}").succeeded();
    // The file itself will do, and a second import changes nothing.
    let again = IMPORT_ESP32.replace("{esp32}", "{esp32/result.csv}");
    let run = edgefit(folder.path(), &again).succeeded();
    assert!(run.stderr.contains("(4 rows were there already)"), "{}", run.stderr);
}

#[test]
fn broken_tables_of_quantized_accuracies_are_refused() {
    let bad = |table: &str, expected: &[&str]| {
        let folder = tempdir().unwrap();
        write_esp32(folder.path(), table);
        edgefit(folder.path(), IMPORT_ESP32).failed(1, &[&["result.csv"], expected].concat());
        assert!(!folder.path().join("made").exists(), "{table}");
    };
    let with = |from: &str, to: &str| ESP32.replacen(from, to, 1);
    bad("", &["a row for every network and seed", "found none"]);
    bad(
        "index,seed,task,fp32,int8\n",
        &["csv:1 (NAS-Bench-201 index)", "from 0 to 15624", "`index`"],
    );
    bad(&with("1,888", "15625,888"), &["csv:2 (NAS-Bench-201 index)", "`15625`"]);
    bad(&with("1,888", "-1,888"), &["csv:2 (NAS-Bench-201 index)", "`-1`"]);
    bad(&with("888", "1e3"), &["csv:2 (seed)", "`1e3`"]);
    bad(
        &with("cifar10", "cifar100"),
        &["csv:1 (task)", "expected cifar10", "`cifar100`"],
    );
    for wrong in ["nan", "inf", "-1", "100.5", "1e999", ""] {
        bad(&with("93.25", wrong), &["csv:2 (fp32 accuracy)"]);
    }
    bad(&with(",92.5", ""), &["csv:2", "expected 5 values", "found 4"]);
    bad(&with("92.5", "92.5,1"), &["csv:2", "expected 5 values", "found 6"]);
    bad(
        &with("777,cifar10,80.5,60\n0", "777,cifar10,80.5,61\n0").replacen("80.5,60", "80.5,62", 1),
        &["csv:4 (int8 accuracy)", "62 %, as in line 1", "found 60 %"],
    );
    // One value, one column, and the whole table on the other scale.
    bad(
        &with("92.5", "0.925"),
        &["csv:2", "0.925, but 80.5 in line 1", "multiply them by 100"],
    );
    bad(
        "0,777,cifar10,0.8,0.6\n",
        &["csv:1", "in percent", "multiply them by 100"],
    );
    bad(&"x".repeat(3 << 20), &["csv:1", "bytes"]);
    bad("\u{0}\u{ff}", &["csv:1"]);
    let folder = tempdir().unwrap();
    write_esp32_sound(folder.path());
    let other = IMPORT_ESP32.replace("nasbench201", "fbnet");
    edgefit(folder.path(), &other).failed(2, &["expected nasbench201", "found `fbnet`"]);
}
