//! `edgefit data`: what is imported, what is refused, and that nothing is half-written.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use zip::CompressionMethod;

use crate::driver::{Run, edgefit, program, real_data};
use crate::help_fixture::{
    ARCHITECTURES, dictionary, latencies, list, pt, write_help, write_latencies, write_nats_bench, zipped,
};

const IMPORT_HELP: &str = "data import help {HELP} --space nasbench201 --out {nb201}";

/// A folder with the fixtures of both sources.
fn sources() -> TempDir {
    let folder = tempdir().unwrap();
    write_help(folder.path());
    write_nats_bench(folder.path());
    folder
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn summary(folder: &Path, dataset: &str) -> Value {
    let run = edgefit(folder, &format!("data summary {{{dataset}}} --json")).succeeded();
    serde_json::from_str(&run.stdout).unwrap()
}

/// Imports a CSV table with this content.
fn import_csv(folder: &Path, content: &str) -> Run {
    fs::write(folder.join("table.csv"), content).unwrap();
    edgefit(folder, "data import csv {table.csv} --space nasbench201 --out {mine}")
}

#[test]
fn help_becomes_a_dataset() {
    let folder = sources();
    let run = edgefit(folder.path(), IMPORT_HELP).succeeded();
    assert_eq!(run.stdout, "");
    assert!(
        run.stderr.contains("essential_ph_1: 1 latencies of -1 left out"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("essential_ph_1: whole ms only"), "{}", run.stderr);
    assert!(!run.stderr.contains("1080ti_32: "), "{}", run.stderr);
    let dataset = folder.path().join("nb201");
    assert_eq!(
        names_in(&dataset),
        ["accuracy.csv", "dataset.toml", "devices.csv", "measurements.csv"]
    );
    let measurements = read(&dataset, "measurements.csv");
    let lines: Vec<&str> = measurements.lines().collect();
    // 10 values of one device, 9 of the other, and the header.
    assert_eq!(lines.len(), 20);
    assert_eq!(
        lines[0],
        "device,architecture,precision,input,latency_ms,energy_mj,origin"
    );
    assert_eq!(
        lines[2],
        format!("1080ti_32,{},fp32,32x32,2.5,,measured", ARCHITECTURES[1])
    );
    let devices = read(&dataset, "devices.csv");
    // What the catalogue knows comes along: class and runtime.
    assert!(devices.contains("\n1080ti_32,1080ti,gpu,fp32,pytorch,32,"), "{devices}");
    assert!(
        devices.contains("\nessential_ph_1,essential_ph_1,mobile-cpu,"),
        "{devices}"
    );
    assert!(read(&dataset, "dataset.toml").contains("licence = \"MIT\""));
    let run = edgefit(folder.path(), "data validate {nb201}").succeeded();
    assert!(run.stdout.contains("19 measurements of 2 devices"), "{}", run.stdout);
}

#[test]
fn any_folder_of_a_help_clone_will_do() {
    let folder = sources();
    for path in ["HELP", "HELP/data", "HELP/data/nasbench201"] {
        let run = edgefit(
            folder.path(),
            &format!("data import help {{{path}}} --space nasbench201 --out {{nb201}}"),
        );
        run.succeeded();
    }
    edgefit(
        folder.path(),
        "data import help {nothing} --space nasbench201 --out {nb201}",
    )
    .failed(1, &["nothing", "data/nasbench201/latency", "nothing at this path"]);
}

#[test]
fn sources_merge_and_repeating_an_import_adds_nothing() {
    let folder = sources();
    let nats_bench = "data import nats-bench {nats_bench.csv} --space nasbench201 --out {nb201}";
    edgefit(folder.path(), IMPORT_HELP).succeeded();
    edgefit(folder.path(), nats_bench).succeeded();
    let dataset = folder.path().join("nb201");
    let before = names_in(&dataset)
        .iter()
        .map(|name| read(&dataset, name))
        .collect::<Vec<String>>();
    let run = edgefit(folder.path(), nats_bench).succeeded();
    assert!(
        run.stderr
            .contains("added 0 measurements and 0 accuracies (30 rows were there already)"),
        "{}",
        run.stderr
    );
    let after = names_in(&dataset)
        .iter()
        .map(|name| read(&dataset, name))
        .collect::<Vec<String>>();
    assert_eq!(before, after);
    let summary = summary(folder.path(), "nb201");
    assert_eq!(summary["measurements"], 19);
    assert_eq!(summary["architectures"], 10);
    assert_eq!(summary["distinct_functions"], 9);
    assert_eq!(summary["tasks"][1]["task"], "cifar100");
    assert_eq!(summary["tasks"][1]["rows"], 10);
    assert_eq!(summary["tasks"][1]["min_percent"], 60.25);
    assert_eq!(summary["tasks"][1]["max_percent"], 69.25);
    assert_eq!(summary["devices"][1]["median_latency_ms"], 8.0);
    // 9 of 10 architectures were measured on the phone.
    assert_eq!(summary["devices"][1]["missing_percent"], 10.0);
    assert_eq!(summary["origins"]["measured"], 49);
}

#[test]
fn a_contradicting_import_names_both_values_and_writes_nothing() {
    let folder = sources();
    edgefit(folder.path(), IMPORT_HELP).succeeded();
    let dataset = folder.path().join("nb201");
    let before = read(&dataset, "measurements.csv");
    let doubled: Vec<f64> = latencies().iter().map(|latency_ms| 2.0 * latency_ms).collect();
    write_latencies(folder.path(), "1080ti_32", &list(&doubled));
    let run = edgefit(folder.path(), IMPORT_HELP);
    let run = run.failed(
        1,
        &[
            "10 that contradict",
            "1080ti_32",
            "1.5 ms (measured) there, 3 ms (measured) here",
        ],
    );
    assert!(run.stderr.contains("and 5 more"), "{}", run.stderr);
    assert_eq!(read(&dataset, "measurements.csv"), before);
    assert_eq!(names_in(&dataset).len(), 4);
}

#[test]
fn impossible_latencies_are_named_with_device_and_position() {
    for value in [f64::NAN, f64::INFINITY, -2.0, 0.0] {
        let folder = sources();
        let mut values = latencies();
        values[7] = value;
        write_latencies(folder.path(), "2080ti_1", &list(&values));
        edgefit(folder.path(), IMPORT_HELP).failed(1, &["2080ti_1.pt", "position 7", &format!("found {value}")]);
        assert!(!folder.path().join("nb201").exists());
    }
}

#[test]
fn broken_help_files_are_refused() {
    let bad_index = |content: &[u8], expected: &[&str]| {
        let folder = sources();
        fs::write(folder.path().join("HELP/data/nasbench201/str_arch2idx.pt"), content).unwrap();
        edgefit(folder.path(), IMPORT_HELP).failed(1, &[&["str_arch2idx.pt"], expected].concat());
        assert!(!folder.path().join("nb201").exists());
    };
    let [first, second] = [ARCHITECTURES[0], ARCHITECTURES[1]];
    bad_index(
        &pt(&dictionary(&[(first, 0), (second, 0)])),
        &["two architectures at position 0"],
    );
    bad_index(
        &pt(&dictionary(&[(first, 0), (second, 2)])),
        &["position 2 among 2 architectures"],
    );
    bad_index(
        &pt(&dictionary(&[(first, 0), (first, 1)])),
        &["an architecture at two positions"],
    );
    bad_index(&pt(&dictionary(&[("|conv~0|", 0)])), &["found `conv`"]);
    bad_index(
        &pt(&list(&[1.0])),
        &["expected a dictionary from architectures to positions, found a list"],
    );

    let bad_latencies = |content: &[u8], expected: &[&str]| {
        let folder = sources();
        fs::write(folder.path().join("HELP/data/nasbench201/latency/bad.pt"), content).unwrap();
        edgefit(folder.path(), IMPORT_HELP).failed(1, &[&["bad.pt"], expected].concat());
        assert!(!folder.path().join("nb201").exists());
    };
    let good = pt(&list(&latencies()));
    bad_latencies(&pt(&list(&latencies()[1..])), &["expected 10 latencies", "found 9"]);
    bad_latencies(&good[..good.len() / 2], &["a broken zip file"]);
    bad_latencies(b"", &["a broken zip file"]);
    bad_latencies(&list(&latencies()), &["a broken zip file"]);
    bad_latencies(
        &zipped("archive/version", b"3", CompressionMethod::Stored),
        &["a zip file without data.pkl"],
    );
    bad_latencies(
        &pt(&dictionary(&[(first, 0)])),
        &["expected a list of latencies in ms, found a dictionary"],
    );
    bad_latencies(
        &pt(b"\x80\x02](K\x01X\x01\x00\x00\x00ae."),
        &["found text at position 1"],
    );
    bad_latencies(&pt(&list(&latencies())[..40]), &["a truncated pickle"]);
    // 65 MiB of zeros are 65 KiB of zip.
    bad_latencies(
        &zipped("archive/data.pkl", &vec![0; 65 << 20], CompressionMethod::Deflated),
        &["a pickle of more than 67108864 bytes"],
    );
}

#[test]
fn a_pickle_that_would_run_code_is_refused() {
    let folder = sources();
    // What `pickle.dumps` makes of an object whose __reduce__ returns (os.system, ("touch <file>",)), at protocol 0.
    let proof = folder.path().join("proof");
    let pickle = format!("cos\nsystem\n(S'touch {}'\ntR.", proof.display());
    write_latencies(folder.path(), "evil", pickle.as_bytes());
    edgefit(folder.path(), IMPORT_HELP).failed(1, &["evil.pt", "code or objects, which are never run"]);
    assert!(!proof.exists());
    assert!(!folder.path().join("nb201").exists());
}

#[test]
fn a_missing_index_is_named() {
    let folder = sources();
    fs::remove_file(folder.path().join("HELP/data/nasbench201/str_arch2idx.pt")).unwrap();
    edgefit(folder.path(), IMPORT_HELP).failed(1, &["str_arch2idx.pt", "no such file"]);
}

#[test]
fn a_table_written_by_hand_needs_three_columns() {
    let folder = tempdir().unwrap();
    // As a spreadsheet saves it: byte-order mark, carriage returns, blanks; columns in another order.
    let content = format!(
        "\u{feff}latency_ms, device ,architecture\r\n 1.5 ,board,{}\r\n\r\n2.25,board,{}\r\n",
        ARCHITECTURES[0], ARCHITECTURES[1]
    );
    import_csv(folder.path(), &content).succeeded();
    let measurements = read(&folder.path().join("mine"), "measurements.csv");
    assert!(
        measurements.contains(&format!("board,{},fp32,32x32,2.25,,measured", ARCHITECTURES[1])),
        "{measurements}"
    );
    edgefit(folder.path(), "data validate {mine}").succeeded();
}

#[test]
fn a_folder_written_by_hand_uses_the_defaults_of_its_manifest() {
    let folder = tempdir().unwrap();
    let dataset = folder.path().join("hand");
    fs::create_dir(&dataset).unwrap();
    fs::write(
        dataset.join("dataset.toml"),
        "space = \"nasbench201\"\norigin = \"simulated\"\ninput = \"16x16\"\n[tasks]\nmine = \"my own\"\n",
    )
    .unwrap();
    fs::write(dataset.join("devices.csv"), "id,cores\nboard,4\n").unwrap();
    let row = |architecture, rest| format!("board,{architecture},{rest}\n");
    fs::write(
        dataset.join("measurements.csv"),
        format!(
            "device,architecture,energy_mj,origin\n{}{}",
            row(ARCHITECTURES[0], "3,"),
            row(ARCHITECTURES[1], "4,measured")
        ),
    )
    .unwrap();
    let summary = summary(folder.path(), "hand");
    assert_eq!(summary["inputs"], serde_json::json!(["16x16"]));
    assert_eq!(summary["origins"]["simulated"], 1);
    assert_eq!(summary["origins"]["measured"], 1);
    assert_eq!(summary["devices"][0]["energies"], 2);
    assert_eq!(summary["devices"][0]["min_latency_ms"], Value::Null);
    edgefit(folder.path(), "data import csv {hand} --space nasbench201 --out {copy}").succeeded();
    let copy = read(&folder.path().join("copy"), "measurements.csv");
    assert!(
        copy.contains(&format!("board,{},fp32,16x16,,3,simulated", ARCHITECTURES[0])),
        "{copy}"
    );
    assert!(read(&folder.path().join("copy"), "dataset.toml").contains("mine = \"my own\""));
}

#[test]
fn a_wrong_row_is_named_with_line_and_column() {
    let folder = tempdir().unwrap();
    let [first, second] = [ARCHITECTURES[0], ARCHITECTURES[1]];
    let bad_row = |row: String, expected: &[&str]| {
        let content = format!("device,architecture,input,latency_ms\nboard,{first},32x32,1.5\n{row}\n");
        import_csv(folder.path(), &content).failed(1, &[&["table.csv:3"], expected].concat());
        assert!(!folder.path().join("mine").exists());
    };
    bad_row(format!("board,{second},,nan"), &["(latency_ms)", "found `nan`"]);
    bad_row(format!("board,{second},,inf"), &["(latency_ms)", "found `inf`"]);
    bad_row(format!("board,{second},,1e999"), &["(latency_ms)"]);
    bad_row(
        format!("board,{second},,3 ms"),
        &["(latency_ms)", "without a unit", "found `3 ms`"],
    );
    bad_row(
        format!("board,{second},,-1"),
        &["(latency_ms)", "-1 often means not measured: leave the cell empty"],
    );
    bad_row(
        format!("board,{second},,-3.5"),
        &["(latency_ms)", "above zero", "found -3.5"],
    );
    bad_row(format!("board,{second},,0"), &["(latency_ms)", "above zero"]);
    bad_row(
        format!("board,{second},32,2"),
        &["(input)", "WIDTHxHEIGHT", "found `32`"],
    );
    bad_row("board,|conv_9x9~0|,,2".into(), &["(architecture)", "conv_9x9"]);
    bad_row(format!(",{second},,2"), &["(device)", "an empty cell"]);
    bad_row(format!("board,{second},2"), &["expected 4 values", "found 3"]);
    bad_row(
        format!("board,{first},,1.75"),
        &[
            "the same values as in line 2, 1.5 ms (measured)",
            "found 1.75 ms (measured)",
        ],
    );
}

#[test]
fn a_wrong_header_names_the_nearest_column() {
    let folder = tempdir().unwrap();
    import_csv(folder.path(), "device,architecture,latency\n").failed(
        1,
        &["table.csv:1", "unknown column `latency` (did you mean `latency_ms`?)"],
    );
    import_csv(folder.path(), "device,latency_ms\n").failed(1, &["table.csv:1", "no column `architecture`"]);
    import_csv(folder.path(), "device,architecture,device\n").failed(1, &["table.csv:1", "twice"]);
    import_csv(folder.path(), "device;architecture;latency_ms\n").failed(1, &["table.csv:1", "';'", "commas"]);
    import_csv(folder.path(), "").failed(1, &["table.csv:1", "no column"]);
}

#[test]
fn agreeing_repeats_are_joined_and_counted() {
    let folder = tempdir().unwrap();
    let row = format!("board,{},fp32,32x32", ARCHITECTURES[0]);
    let header = "device,architecture,precision,input,latency_ms,energy_mj";
    // The third row adds the energy, the fourth is of another input.
    let content = format!(
        "{header}\n{row},1.5,\n{row},1.50,\n{row},,7\nboard,{},,16x16,9,\n",
        ARCHITECTURES[0]
    );
    let run = import_csv(folder.path(), &content).succeeded();
    assert!(run.stderr.contains("2 repeated rows"), "{}", run.stderr);
    let measurements = read(&folder.path().join("mine"), "measurements.csv");
    assert_eq!(measurements.lines().count(), 3);
    assert!(
        measurements.contains(&format!("{row},1.5,7,measured")),
        "{measurements}"
    );
}

#[test]
fn broken_accuracy_tables_are_refused() {
    let folder = sources();
    let text = read(folder.path(), "nats_bench.csv");
    let bad = |from: &str, to: &str, expected: &[&str]| {
        fs::write(folder.path().join("bad.csv"), text.replacen(from, to, 1)).unwrap();
        edgefit(
            folder.path(),
            "data import nats-bench {bad.csv} --space nasbench201 --out {x}",
        )
        .failed(1, expected);
        assert!(!folder.path().join("x").exists());
    };
    bad(
        "ArchitectureString",
        "Architecture",
        &["bad.csv:1", "no column `ArchitectureString` (did you mean"],
    );
    bad(
        "95.5",
        "nan",
        &["bad.csv:7 (CIFAR10TestAccuracy200Epochs)", "found `nan`"],
    );
    bad(
        "95.5",
        "",
        &["bad.csv:7 (CIFAR10TestAccuracy200Epochs)", "an empty cell"],
    );
    bad(
        "|none~0|+|none~0|nor",
        "|none~1|+|none~0|nor",
        &["bad.csv:10 (ArchitectureString)"],
    );
    bad(
        ARCHITECTURES[1],
        ARCHITECTURES[0],
        &["3 accuracies that contradict an earlier line"],
    );
    edgefit(
        folder.path(),
        "data import nats-bench {HELP} --space nasbench201 --out {x}",
    )
    .failed(1, &["nats_bench.csv"]);
}

#[test]
fn tables_that_are_no_dataset_are_not_replaced() {
    let folder = sources();
    fs::create_dir(folder.path().join("nb201")).unwrap();
    fs::write(folder.path().join("nb201/measurements.csv"), "mine").unwrap();
    edgefit(folder.path(), IMPORT_HELP).failed(2, &["measurements.csv alone"]);
    assert_eq!(read(folder.path(), "nb201/measurements.csv"), "mine");
}

#[test]
fn accuracies_are_percentages() {
    let folder = tempdir().unwrap();
    let table = |values: &[&str]| {
        let rows = values
            .iter()
            .zip(ARCHITECTURES)
            .map(|(value, name)| format!("cifar10,{name},{value}\n"));
        import_csv(
            folder.path(),
            &format!("task,architecture,accuracy_percent\n{}", rows.collect::<String>()),
        )
    };
    table(&["93.5", "101"]).failed(1, &["table.csv:3 (accuracy_percent)", "from 0 to 100", "found 101"]);
    table(&["93.5", "-1"]).failed(1, &["table.csv:3 (accuracy_percent)", "found -1"]);
    table(&["93.5", ""]).failed(1, &["table.csv:3 (accuracy_percent)", "an empty cell"]);
    table(&["0.935", "0.81"]).failed(1, &["accuracy_percent", "look like fractions: multiply them by 100"]);
    table(&["93.5", "0.81"]).succeeded();
}

#[test]
fn a_device_that_is_not_described_is_an_error_where_others_are() {
    let folder = sources();
    edgefit(folder.path(), IMPORT_HELP).succeeded();
    let path = folder.path().join("nb201/measurements.csv");
    let changed = fs::read_to_string(&path)
        .unwrap()
        .replacen("1080ti_32,", "1080ti_23,", 1);
    fs::write(&path, changed).unwrap();
    edgefit(folder.path(), "data validate {nb201}")
        .failed(1, &["measurements.csv:2 (device)", "did you mean `1080ti_32`?"]);
}

#[test]
fn an_unknown_key_of_the_manifest_is_named_with_the_nearest() {
    let folder = sources();
    edgefit(folder.path(), IMPORT_HELP).succeeded();
    let path = folder.path().join("nb201/dataset.toml");
    fs::write(&path, "space = \"nasbench201\"\ndescripton = \"x\"\n").unwrap();
    edgefit(folder.path(), "data summary {nb201}")
        .failed(1, &["dataset.toml:2", "`descripton` (did you mean `description`?)"]);
    fs::write(&path, "space = \"nasbench102\"\n").unwrap();
    edgefit(folder.path(), "data summary {nb201}").failed(2, &["did you mean `nasbench201`?"]);
    edgefit(folder.path(), "data summary {HELP}").failed(1, &["HELP", "dataset.toml"]);
}

#[test]
fn wrong_usage_is_status_2() {
    let folder = sources();
    edgefit(folder.path(), "data import halp {HELP} --space nasbench201 --out {x}")
        .failed(2, &["unknown source `halp` (did you mean `help`?)"]);
    edgefit(folder.path(), "data import help {HELP} --space nasbench --out {x}").failed(2, &["nasbench201"]);
    edgefit(folder.path(), "data import help {HELP} --out {x}").failed(2, &["--space"]);
    edgefit(folder.path(), "data frobnicate").failed(2, &[]);
    let help = edgefit(folder.path(), "data import --help").succeeded();
    assert!(
        help.stdout.contains("nats-bench") && help.stdout.contains("Example:"),
        "{}",
        help.stdout
    );
}

#[test]
fn quiet_says_nothing() {
    let folder = sources();
    let run = edgefit(folder.path(), &format!("{IMPORT_HELP} --quiet")).succeeded();
    assert_eq!((run.stdout, run.stderr), (String::new(), String::new()));
}

#[test]
fn an_unwritable_place_is_named() {
    let folder = sources();
    fs::write(folder.path().join("file"), "").unwrap();
    edgefit(
        folder.path(),
        "data import help {HELP} --space nasbench201 --out {file/nb201}",
    )
    .failed(1, &["cannot create", "file/nb201"]);
}

/// A limit on the size of files stands in for a full disk: both fail in the middle of a write.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_dataset() {
    let folder = sources();
    edgefit(folder.path(), IMPORT_HELP).succeeded();
    let dataset = folder.path().join("nb201");
    let before = names_in(&dataset)
        .iter()
        .map(|name| read(&dataset, name))
        .collect::<Vec<String>>();
    let script = "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .current_dir(folder.path())
        .args(["-c", script])
        .arg(program())
        .args("data import nats-bench nats_bench.csv --space nasbench201 --out nb201".split(' '))
        .output()
        .unwrap();
    Run::of(output).failed(1, &["cannot write nb201/"]);
    let after = names_in(&dataset)
        .iter()
        .map(|name| read(&dataset, name))
        .collect::<Vec<String>>();
    assert_eq!(before, after);
}

#[test]
fn a_reader_that_stops_early_is_no_failure() {
    let folder = sources();
    edgefit(folder.path(), IMPORT_HELP).succeeded();
    let mut child = Command::new(program())
        .current_dir(folder.path())
        .args(["data", "summary", "nb201"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn devices_that_are_one_are_found_and_named() {
    let folder = tempdir().unwrap();
    // 25 architectures, all other edges 3x3 convolutions, on two equal devices and one that is not.
    let operations = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];
    let mut content = String::from("device,architecture,latency_ms\n");
    for (position, (a, b)) in operations.iter().flat_map(|a| operations.map(|b| (a, b))).enumerate() {
        let name = format!("|{a}~0|+|{b}~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|");
        for (device, latency_ms) in [("gtx", position + 1), ("i7", position + 1), ("phone", position + 2)] {
            content += &format!("{device},{name},{latency_ms}\n");
        }
    }
    import_csv(folder.path(), &content).succeeded();
    let expected = serde_json::json!([{"first": "gtx", "second": "i7", "shared": 25, "identical": 25}]);
    assert_eq!(summary(folder.path(), "mine")["duplicated_devices"], expected);
    let run = edgefit(folder.path(), "data summary {mine}").succeeded();
    assert!(run.stdout.contains("Duplicated devices: gtx and i7"), "{}", run.stdout);
    let run = edgefit(folder.path(), "data validate {mine}").succeeded();
    assert!(
        run.stderr.contains("gtx and i7 are the same measurements twice"),
        "{}",
        run.stderr
    );
}

/// Values read with Python's `pickle.load` of the same files, and `csv.DictReader` for the accuracies.
#[test]
fn real_measurements_are_read_as_python_reads_them() {
    let Some(data) = real_data() else {
        return;
    };
    let folder = tempdir().unwrap();
    let import = |source: &str, path: &str| {
        let path = data.join(path);
        let run = format!(
            "data import {source} {} --space nasbench201 --out {{nb201}}",
            path.display()
        );
        edgefit(folder.path(), &run).succeeded()
    };
    let run = import("help", "HELP");
    for phone in ["essential_ph_1", "samsung_a50", "samsung_s7"] {
        assert!(
            run.stderr.contains(&format!("{phone}: whole ms only")),
            "{}",
            run.stderr
        );
    }
    // Counted in Python: 203 values below 0.1068 ms, one percent of the median of 10.68 ms.
    assert!(
        run.stderr.contains("pixel3: 203 latencies below 1 % of the median"),
        "{}",
        run.stderr
    );
    import("nats-bench", "nats-bench");
    let measurements = read(&folder.path().join("nb201"), "measurements.csv");
    // 19 devices, 15,625 architectures, and the header.
    assert_eq!(measurements.lines().count(), 19 * 15_625 + 1);
    let seventh = "|none~0|+|skip_connect~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|";
    let late = "|skip_connect~0|+|avg_pool_3x3~0|none~1|+|nor_conv_1x1~0|skip_connect~1|avg_pool_3x3~2|";
    // Positions 7 and 12,345 of the index.
    for (device, architecture, latency_ms) in [
        ("1080ti_256", seventh, "21.602463722229004"),
        ("pixel3", seventh, "12.2209"),
        ("samsung_s7", late, "14"),
        ("titanx_32", late, "6.418304443359375"),
    ] {
        let row = format!("\n{device},{architecture},fp32,32x32,{latency_ms},,measured\n");
        assert!(measurements.contains(&row), "no {row}");
    }
    let accuracies = read(&folder.path().join("nb201"), "accuracy.csv");
    assert_eq!(accuracies.lines().count(), 3 * 15_625 + 1);
    let row = format!("\ncifar100,{late},fp32,52.75333328857422,measured\n");
    assert!(accuracies.contains(&row), "no {row}");
    let summary = summary(folder.path(), "nb201");
    assert_eq!(summary["architectures"], 15_625);
    assert_eq!(summary["devices"].as_array().unwrap().len(), 19);
    assert_eq!(summary["duplicated_devices"], serde_json::json!([]));
    let pixel3 = summary["devices"]
        .as_array()
        .unwrap()
        .iter()
        .find(|device| device["id"] == "pixel3")
        .unwrap();
    assert_eq!(pixel3["min_latency_ms"], 0.00327686);
    assert_eq!(pixel3["max_latency_ms"], 36.7665);
}

/// Ten million rows, 640 devices of 15,625 architectures. Takes a minute and 1.3 GB of temporary files:
/// `cargo test --release --test it ten_million -- --ignored --nocapture`.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "writes 1.3 GB"]
fn ten_million_rows_need_less_than_a_gibibyte() {
    let folder = tempdir().unwrap();
    write_ten_million(&folder.path().join("large"));
    for verb in ["validate", "summary"] {
        let start = std::time::Instant::now();
        let mut child = Command::new(program())
            .args(["data", verb])
            .arg(folder.path().join("large"))
            .spawn()
            .unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut peak_kib = 0;
        while child.try_wait().unwrap().is_none() {
            let peak = fs::read_to_string(&status).ok().and_then(|text| {
                let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
                line.trim().trim_end_matches(" kB").parse::<u64>().ok()
            });
            peak_kib = peak.unwrap_or(peak_kib).max(peak_kib);
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(child.wait().unwrap().success());
        eprintln!(
            "{verb}: {:.1} s, {} MiB",
            start.elapsed().as_secs_f64(),
            peak_kib / 1024
        );
        assert!(
            peak_kib > 100 * 1024 && peak_kib < 1024 * 1024,
            "{verb} needs {peak_kib} KiB"
        );
    }
}

fn write_ten_million(folder: &Path) {
    use std::io::Write;
    const OPERATIONS: [&str; 5] = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];
    fs::create_dir(folder).unwrap();
    fs::write(folder.join("dataset.toml"), "space = \"nasbench201\"\n").unwrap();
    let mut out = std::io::BufWriter::new(fs::File::create(folder.join("measurements.csv")).unwrap());
    writeln!(out, "device,architecture,precision,input,latency_ms,energy_mj,origin").unwrap();
    for device in 0_u64..640 {
        for index in 0..15_625_usize {
            let [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map(|place| OPERATIONS[index / 5_usize.pow(place) % 5]);
            // Some arithmetic that gives every row its own 15 digits.
            let latency_ms = 1.0 + (index as u64 * 640 + device).wrapping_mul(2_654_435_761) as f64 / 1e14;
            let name = format!("|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|");
            writeln!(out, "device_{device},{name},fp32,32x32,{latency_ms},,measured").unwrap();
        }
    }
}

/// A line for every architecture and a column for every device becomes the dataset's own form.
#[test]
fn a_table_with_a_column_for_every_device_is_imported() {
    let folder = tempdir().unwrap();
    let content = format!(
        "architecture,pixel3,raspi4\n{},2.5,40\n{},,44\n",
        ARCHITECTURES[0], ARCHITECTURES[1]
    );
    let run = import_csv(folder.path(), &content).succeeded();
    assert!(
        run.stderr.contains("latencies in ms of pixel3, raspi4"),
        "{}",
        run.stderr
    );
    let measurements = read(&folder.path().join("mine"), "measurements.csv");
    assert_eq!(measurements.lines().count(), 4);
    for line in [
        format!("pixel3,{},fp32,32x32,2.5,,measured", ARCHITECTURES[0]),
        format!("raspi4,{},fp32,32x32,44,,measured", ARCHITECTURES[1]),
    ] {
        assert!(measurements.contains(&line), "{measurements}");
    }
    // Nothing says at which input size.
    assert!(run.stderr.contains("taken to be at 32x32"), "{}", run.stderr);
    edgefit(folder.path(), "data validate {mine}").succeeded();
    let stated = format!("architecture,input,edgetpu\n{},32x32,2.5\n", ARCHITECTURES[0]);
    let run = import_csv(folder.path(), &stated).succeeded();
    assert!(!run.stderr.contains("taken to be"), "{}", run.stderr);
    fs::write(
        folder.path().join("f.csv"),
        format!("architecture,pixel3\n{},9\n", ["k3_e1"; 22].join("-")),
    )
    .unwrap();
    let run = edgefit(folder.path(), "data import csv {f.csv} --space fbnet --out {f}").succeeded();
    assert!(run.stderr.contains("taken to be at 224x224"), "{}", run.stderr);
    let again = format!("architecture,pixel3\n{0},2.5\n{0},3.5\n", ARCHITECTURES[0]);
    import_csv(folder.path(), &again).failed(1, &["table.csv", "1 latencies that contradict"]);
}

#[test]
fn a_misnamed_or_missing_table_is_not_sound() {
    let folder = tempdir().unwrap();
    let dataset = folder.path().join("mine");
    let content = format!("device,architecture,latency_ms\nboard,{},5\n", ARCHITECTURES[0]);
    import_csv(folder.path(), &content).succeeded();
    edgefit(folder.path(), "data validate {mine}").succeeded();
    fs::rename(dataset.join("measurements.csv"), dataset.join("measurement.csv")).unwrap();
    edgefit(folder.path(), "data validate {mine}").failed(1, &["did you mean `measurements.csv`?"]);
    fs::remove_file(dataset.join("measurement.csv")).unwrap();
    edgefit(folder.path(), "data validate {mine}").failed(1, &["measurements.csv", "found none"]);
    fs::create_dir(dataset.join("measurements.csv")).unwrap();
    edgefit(folder.path(), "data validate {mine}").failed(1, &["measurements.csv", "not a folder"]);
}

/// A phone's latencies in seconds: 0.005 "ms" for 40 million multiply-accumulates would be 16 TFLOP/s.
#[test]
fn latencies_in_seconds_are_noticed_and_not_learned_from() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("hand");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("dataset.toml"), "space = \"nasbench201\"\n").unwrap();
    fs::write(path.join("devices.csv"), "id,class\nphone,mobile-cpu\n").unwrap();
    let operations = ["nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3", "skip_connect"];
    let mut rows = String::from("device,architecture,latency_ms\n");
    for (position, (a, b, c)) in (0..64).map(|n| (n, (n % 4, n / 4 % 4, n / 16))) {
        let cell = format!(
            "|{}~0|+|{}~0|{}~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
            operations[a], operations[b], operations[c]
        );
        rows += &format!("phone,{cell},{}\n", 0.005 + 1e-5 * f64::from(position as u32));
    }
    fs::write(path.join("measurements.csv"), rows).unwrap();
    let run = edgefit(folder.path(), "data validate {hand}").succeeded();
    assert!(
        run.stderr.contains("warning: device phone") && run.stderr.contains("are they in seconds?"),
        "{}",
        run.stderr
    );
    let run = edgefit(folder.path(), "data import csv {hand} --space nasbench201 --out {copy}").succeeded();
    assert!(run.stderr.contains("warning: device phone"), "{}", run.stderr);
    let train = "train predictor --dataset {hand} --out {new}";
    edgefit(folder.path(), train).failed(1, &["device phone", "are they in seconds?"]);
}
