//! `edgefit data import` of accuracies and costs at several precisions: small tables in their formats, and broken ones.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
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

const IMPORT_MP: &str = "data import mp-nas-bench {mp} --space nasbench201_mixed --out {made}";
const HEADER: &str = "nb201_idx,weight_bits_per_edge,test_acc\n";
/// Network 0 has two 1x1 convolutions, network 1 three 3x3 ones, on the edges 0->1, 0->2 and 1->3; both at 50 epochs, and one
/// failed.
const FEW_EPOCHS: &str = "0,0 4 0 8 0 0,0.75\n1,2 8 0 0 4 0,0.5\n1,2 2 0 0 2 0,0.09765625\n";

/// The bits of fifteen cells: the first ten one way, the others another.
fn cells(first: &str, last: &str) -> String {
    [vec![first; 10], vec![last; 5]].concat().join(" ")
}

pub(crate) fn write_mp(folder: &Path) {
    fs::create_dir_all(folder.join("mp")).unwrap();
    let write = |name: &str, rows: &str| fs::write(folder.join("mp").join(name), format!("{HEADER}{rows}")).unwrap();
    write("50ep_cell_uniform.csv", FEW_EPOCHS);
    write("150ep_cell_uniform.csv", "1,2 8 0 0 4 0,0.625\n");
    let (same, other) = ("2 8 0 0 4 0", "8 8 0 0 8 0");
    let rows = format!("1,{},0.75\n1,{},0.7\n", cells(same, same), cells(same, other));
    write("150ep_full_graph.csv", &rows);
}

#[test]
fn trainings_with_bits_of_edges() {
    let folder = tempdir().unwrap();
    write_mp(folder.path());
    let run = edgefit(folder.path(), IMPORT_MP).succeeded();
    for note in [
        "50ep_cell_uniform.csv: 1 of 3 trainings failed",
        "150ep_full_graph.csv: 1 of 2 networks have other bits in some cells",
        // 62.5 from 75 %.
        "(1 rows more), 1 of them with different accuracies, up to 16.7 % apart: averaged",
    ] {
        assert!(run.stderr.contains(note), "no `{note}` in {}", run.stderr);
    }
    let row = |epochs: u32, cell: &str, bits: &str, percent: &str| {
        format!("cifar10-{epochs}-epochs,{cell}@{bits},int8,{percent},measured")
    };
    let mut expected = [
        row(50, CELLS[0], "0-4-0-8-0-0", "75"),
        row(50, CELLS[1], "2-8-0-0-4-0", "50"),
        // (62.5 + 75) / 2.
        row(150, CELLS[1], "2-8-0-0-4-0", "68.75"),
    ];
    let accuracies = read(folder.path(), "made/accuracy.csv");
    let mut found: Vec<&str> = accuracies.lines().skip(1).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    edgefit(folder.path(), "data validate {made}").succeeded();
}

#[test]
fn broken_tables_of_bits_are_refused() {
    let bad = |table: &str, expected: &[&str]| {
        let folder = tempdir().unwrap();
        write_mp(folder.path());
        fs::write(folder.path().join("mp/50ep_cell_uniform.csv"), table).unwrap();
        edgefit(folder.path(), IMPORT_MP).failed(1, &[&["50ep_cell_uniform.csv"], expected].concat());
        assert!(!folder.path().join("made").exists(), "{table}");
    };
    let with = |from: &str, to: &str| format!("{HEADER}{}", FEW_EPOCHS.replacen(from, to, 1));
    bad(&with("0,0 4", "15625,0 4"), &["csv:2 (nb201_idx)", "from 0 to 15624"]);
    bad(
        &with("0,0 4", "0,4 4"),
        &["csv:2 (weight_bits_per_edge)", "edge 0->1: expected 0"],
    );
    bad(
        &with("0 4 0 8", "0 4 0 0"),
        &["csv:2 (weight_bits_per_edge)", "edge 0->3: expected 2, 4 or 8"],
    );
    bad(
        &with("0 4 0 8", "0 6 0 8"),
        &["csv:2 (weight_bits_per_edge)", "edge 0->2", "found `6`"],
    );
    bad(
        &with("0 4 0 8 0 0", "0 4 0 8 0"),
        &["csv:2 (weight_bits_per_edge)", "6 edges", "5 numbers"],
    );
    bad(&with("0 4 0 8", "0 x 0 8"), &["csv:2 (weight_bits_per_edge)", "`x`"]);
    bad(
        &with("0 4 0 8", "0 1e9 0 8"),
        &["csv:2 (weight_bits_per_edge)", "`1e9`"],
    );
    for wrong in ["nan", "-0.5", "101", "", "inf"] {
        bad(&with("0.75", wrong), &["csv:2 (test_acc)"]);
    }
    bad(
        &with("0.75", "75"),
        &[
            "csv:2",
            "75, but 0.5 in line 3: two scales",
            "Divide percentages by 100",
        ],
    );
    bad(
        &format!("{HEADER}1,2 8 0 0 4 0,50\n"),
        &["csv:2", "as fractions", "Divide percentages by 100"],
    );
    bad("index,bits,accuracy\n", &["no column `nb201_idx`"]);
}

/// The name says for how many epochs networks were trained.
#[test]
fn tables_of_other_names_and_spaces_are_refused() {
    let folder = tempdir().unwrap();
    write_mp(folder.path());
    let named = folder.path().join("mp/accuracies.csv");
    fs::rename(folder.path().join("mp/50ep_cell_uniform.csv"), &named).unwrap();
    edgefit(folder.path(), &IMPORT_MP.replace("{mp}", "{mp/accuracies.csv}"))
        .failed(1, &["<epochs>ep_<experiment>.csv"]);
    edgefit(folder.path(), &IMPORT_MP.replace("nasbench201_mixed", "nasbench201"))
        .failed(2, &["expected nasbench201_mixed", "found `nasbench201`"]);
}

pub(crate) const TABLE: &str = "apq/lut/BitFusion_new.b1.dict";

/// A table of every layer of the space: 1x1 convolutions take 1 ms, depthwise ones 10 ms, and both as many mJ as weights have
/// bits; before and after them, 0.5 and 0.25 ms, 2 and 1 mJ.
pub(crate) fn bitfusion_table() -> Value {
    let channels = [16, 24, 40, 80, 96, 192, 320];
    let edges = [112, 56, 28, 14, 14, 7, 7];
    let mut table = serde_json::Map::new();
    table.insert("head".into(), json!({"latency": 0.5, "energy": 2}));
    table.insert("tail".into(), json!({"latency": 0.25, "energy": 1}));
    for block in 0..21 {
        let (stage, begins) = (block / 4, block % 4 == 0);
        let place = if begins { stage } else { stage + 1 };
        let (input, edge) = (channels[place], edges[place]);
        let (output, output_edge) = (channels[stage + 1], edges[stage + 1]);
        for hidden in (4 * input..=6 * input).step_by(8) {
            for (weights, activations) in [4, 6, 8].into_iter().flat_map(|w| [4, 6, 8].map(|a| (w, a))) {
                let mut add = |shape: String, latency: f64| {
                    table.insert(
                        format!("({shape})-W{weights}A{activations}"),
                        json!({"latency": latency, "energy": weights}),
                    );
                };
                add(format!("{input}, {hidden}, {edge}, 1, 1, 0, 1"), 1.0);
                add(format!("{hidden}, {output}, {output_edge}, 1, 1, 0, 1"), 1.0);
                for kernel in [3, 5, 7] {
                    let (stride, padding) = (edge / output_edge, kernel / 2);
                    add(
                        format!("{hidden}, {hidden}, {edge}, {kernel}, {stride}, {padding}, {hidden}"),
                        10.0,
                    );
                }
            }
        }
    }
    table.into()
}

pub(crate) fn write_bitfusion(folder: &Path, table: &str) {
    let path = folder.join(TABLE);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, table).unwrap();
}

const IMPORT_BITFUSION: &str = "data import bitfusion-lut {apq} --space proxylessnas_mixed --out {made}";

/// Every row is checked against the numbers that its own design says.
#[test]
fn sums_of_layers_at_their_bits() {
    let folder = tempdir().unwrap();
    write_bitfusion(folder.path(), &bitfusion_table().to_string());
    let run = edgefit(folder.path(), IMPORT_BITFUSION).succeeded();
    assert!(run.stderr.contains("sums of simulated layers"), "{}", run.stderr);
    let measurements = read(folder.path(), "made/measurements.csv");
    let mut rows = csv::Reader::from_reader(measurements.as_bytes());
    let mut count = 0;
    for row in rows.records().map(Result::unwrap) {
        let cell = |column: usize| row.get(column).unwrap();
        assert_eq!(
            [cell(0), cell(2), cell(3), cell(6)],
            ["bitfusion", "int8", "224x224", "simulated"]
        );
        let design: Value = serde_json::from_str(cell(1)).unwrap();
        let bits = |key: &str, block: usize| design[key][block].as_f64().unwrap();
        let (mut latency, mut energy) = (0.75, 3.0);
        for block in (0..21).filter(|block| (block % 4) as f64 + 1.0 <= design["d"][block / 4].as_f64().unwrap()) {
            latency += 1.0 + 10.0 + 1.0;
            energy += 2.0 * bits("pw_w_bits_setting", block) + bits("dw_w_bits_setting", block);
        }
        assert_eq!((cell(4).parse(), cell(5).parse()), (Ok(latency), Ok(energy)), "{row:?}");
        count += 1;
    }
    assert_eq!(count, 5_000);
    assert!(read(folder.path(), "made/devices.csv").contains("\nbitfusion,bitfusion,asic,int8,"));
}

#[test]
fn broken_tables_of_layers_are_refused() {
    let bad = |change: &dyn Fn(&mut serde_json::Map<String, Value>), expected: &[&str]| {
        let folder = tempdir().unwrap();
        let mut table = bitfusion_table();
        change(table.as_object_mut().unwrap());
        write_bitfusion(folder.path(), &table.to_string());
        edgefit(folder.path(), IMPORT_BITFUSION).failed(1, &[&["BitFusion_new.b1.dict"], expected].concat());
        assert!(!folder.path().join("made").exists());
    };
    // The last block always runs.
    let key = "(1152, 320, 7, 1, 1, 0, 1)-W4A6";
    bad(
        &|table| drop(table.remove(key)),
        &[&format!("an entry `{key}`"), "found none"],
    );
    bad(&|table| drop(table.remove("head")), &["an entry `head`"]);
    bad(
        &|table| drop(table.insert(key.into(), json!({"latency": 1.0}))),
        &["missing field `energy`"],
    );
    for wrong in [json!(0), json!(-1), json!(1e300)] {
        bad(
            &|table| table[key]["latency"] = wrong.clone(),
            &[key, "above 0 ms and mJ"],
        );
    }
    bad(&|table| table[key]["energy"] = json!("3 mJ"), &["invalid type: string"]);
    for text in ["", "{", "[1]", "{\"head\": {\"latency\": NaN, \"energy\": 1}}"] {
        let folder = tempdir().unwrap();
        write_bitfusion(folder.path(), text);
        edgefit(folder.path(), IMPORT_BITFUSION)
            .failed(1, &["BitFusion_new.b1.dict", "objects with latency and energy"]);
    }
    let folder = tempdir().unwrap();
    write_bitfusion(folder.path(), "{}");
    edgefit(
        folder.path(),
        &IMPORT_BITFUSION.replace("proxylessnas_mixed", "proxylessnas"),
    )
    .failed(2, &["expected proxylessnas_mixed"]);
}
