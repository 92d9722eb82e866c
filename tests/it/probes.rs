//! What is measured on a new device is read with suspicion.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::driver::{Run, edgefit};
use crate::trained::{adapted, architectures, latency_ms, trained};

/// A checkpoint and rows of ten measured architectures.
fn measured() -> (TempDir, Vec<(String, f64)>) {
    let folder = trained();
    let all = architectures().into_iter().skip(400).step_by(1400);
    let rows: Vec<(String, f64)> = all.map(|one| (one.clone(), latency_ms(&one))).collect();
    assert!(rows.len() >= 10);
    (folder, rows)
}

/// Adapts to a probe file with this content; fails if a device is written for probes that are refused.
#[track_caller]
fn adapt(folder: &Path, content: &str) -> Run {
    fs::write(folder.join("probes.csv"), content).unwrap();
    let run = edgefit(folder, "adapt --checkpoint {nb} --probes {probes.csv} --out {new.json}");
    assert_eq!(folder.join("new.json").exists(), run.status == 0, "{run:?}");
    run
}

fn table(rows: impl IntoIterator<Item = (String, String)>) -> String {
    let lines = rows
        .into_iter()
        .map(|(architecture, value)| format!("{architecture},{value}\n"));
    format!("architecture,latency_ms\n{}", lines.collect::<String>())
}

#[test]
fn latencies_in_nanoseconds_are_taken_for_a_wrong_unit() {
    let (folder, rows) = measured();
    let rows = rows.into_iter().map(|(one, value)| (one, (value * 1e6).to_string()));
    adapt(folder.path(), &table(rows)).failed(2, &["latency of the probes", "known devices", "ms"]);
}

#[test]
fn seconds_are_named_and_taken_only_when_confirmed() {
    let (folder, rows) = measured();
    for (factor, named) in [(1e-3, "seconds"), (1e3, "microseconds")] {
        let rows = rows
            .iter()
            .map(|(one, value)| (one.clone(), (value * factor).to_string()));
        let content = table(rows);
        adapt(folder.path(), &content).failed(2, &["latency of the probes", named, "--yes"]);
        let line = "adapt --checkpoint {nb} --probes {probes.csv} --out {new.json} --yes";
        edgefit(folder.path(), line).succeeded();
        fs::remove_file(folder.path().join("new.json")).unwrap();
    }
    for absurd in [1e300, 1e-310] {
        let rows = rows
            .iter()
            .map(|(one, value)| (one.clone(), (value * absurd).to_string()));
        adapt(folder.path(), &table(rows)).failed(2, &["latency of the probes"]);
    }
}

#[test]
fn one_probe_ten_times_off_is_named() {
    let (folder, rows) = measured();
    let odd = &rows[4].0;
    let rows = rows.iter().enumerate().map(|(index, (one, value))| {
        let factor = if index == 4 { 10.0 } else { 1.0 };
        (one.clone(), (factor * value).to_string())
    });
    let run = adapt(folder.path(), &table(rows)).succeeded();
    assert!(
        run.stderr.contains("warning: latency of") && run.stderr.contains(odd),
        "{run:?}"
    );
}

#[test]
fn equal_latencies_tell_nothing() {
    let (folder, rows) = measured();
    let rows = rows.into_iter().map(|(one, _)| (one, "3.5".to_string()));
    adapt(folder.path(), &table(rows)).failed(2, &["values that differ", "3.5", "finer timer"]);
}

#[test]
fn one_probe_is_enough_to_adapt() {
    let (folder, rows) = measured();
    let rows = rows.into_iter().take(1).map(|(one, value)| (one, value.to_string()));
    adapt(folder.path(), &table(rows)).succeeded();
}

#[test]
fn what_was_not_measured_is_no_number() {
    let (folder, rows) = measured();
    for (bad, said) in [
        ("-1", "-1"),
        ("-3.25", "-3.25"),
        ("NaN", "NaN"),
        ("0", "0"),
        ("inf", "inf"),
    ] {
        let rows = rows.iter().enumerate().map(|(index, (one, value))| {
            let value = if index == 4 { bad.to_string() } else { value.to_string() };
            (one.clone(), value)
        });
        adapt(folder.path(), &table(rows)).failed(1, &["probes.csv:6", "positive number of ms", said]);
    }
    let rows = rows.iter().map(|(one, _)| (one.clone(), "fast".to_string()));
    adapt(folder.path(), &table(rows)).failed(1, &["probes.csv:2"]);
}

#[test]
fn a_line_that_cannot_be_used_is_named() {
    let (folder, rows) = measured();
    let good = table(rows.iter().map(|(one, value)| (one.clone(), value.to_string())));
    let lines: Vec<&str> = good.lines().collect();
    let with = |line: &str| {
        let mut lines = lines.clone();
        lines.insert(3, line);
        // Blank lines are passed over, and counted.
        lines.insert(2, "");
        lines.join("\n")
    };
    let unknown = with("|nor_conv_9x9~0|+|none~0|none~1|+|none~0|none~1|none~2|,3");
    adapt(folder.path(), &unknown).failed(1, &["probes.csv:5", "nasbench201", "nor_conv_9x9"]);
    let empty = format!("{},", architectures()[3]);
    let said = adapt(folder.path(), &with(&empty)).succeeded().stderr;
    assert!(said.contains(&format!("with {} probes", rows.len())), "{said}");
    fs::remove_file(folder.path().join("new.json")).unwrap();
    adapt(folder.path(), &format!("architecture,latency_ms\n{empty}\n")).failed(1, &["at least one latency"]);
}

#[test]
fn an_architecture_may_be_measured_twice_but_not_contradict_itself() {
    let (folder, mut rows) = measured();
    rows.push((rows[0].0.clone(), 1.1 * rows[0].1));
    let content = |rows: &[(String, f64)]| table(rows.iter().map(|(one, value)| (one.clone(), value.to_string())));
    adapt(folder.path(), &content(&rows)).succeeded();
    fs::remove_file(folder.path().join("new.json")).unwrap();
    rows.push((rows[0].0.clone(), 3.0 * rows[0].1));
    let cell = rows[0].0.clone();
    adapt(folder.path(), &content(&rows)).failed(2, &[&cell, "within a factor of 1.5", "Measure it again"]);
}

#[test]
fn a_table_without_rows_or_columns_is_refused() {
    let (folder, rows) = measured();
    adapt(folder.path(), "").failed(1, &["probes.csv"]);
    adapt(folder.path(), "architecture,latency_ms\n").failed(1, &["probes.csv", "at least one latency or energy"]);
    let rows = rows.into_iter().map(|(one, value)| (one, value.to_string()));
    let good = table(rows);
    let parts = ["probes.csv:1", "`latency`", "did you mean `latency_ms`?"];
    adapt(folder.path(), &good.replace("latency_ms", "latency")).failed(1, &parts);
    let parts = ["probes.csv:1", "did you mean `architecture`?"];
    adapt(folder.path(), &good.replace("architecture", "arch")).failed(1, &parts);
    adapt(folder.path(), "latency_ms\n3\n").failed(1, &["probes.csv:1", "architecture"]);
}

#[test]
fn as_many_probes_as_there_are_architectures_at_most() {
    let folder = trained();
    let line = "probes --checkpoint {nb} --count";
    edgefit(folder.path(), &format!("{line} 20000")).failed(2, &["number of probes", "1 to 15625", "20000"]);
    edgefit(folder.path(), &format!("{line} 0")).failed(2, &["number of probes", "1 to 15625"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = trained();
    adapted(folder.path());
    // A file where a folder has to be: refused for every user, root too.
    fs::write(folder.path().join("file"), "").unwrap();
    let line = "probes --checkpoint {nb} --out {file/probes.csv}";
    edgefit(folder.path(), line).failed(1, &["cannot write", "file/probes.csv"]);
    let line = "adapt --checkpoint {nb} --probes {probes.csv} --out {file/phone.json}";
    edgefit(folder.path(), line).failed(1, &["cannot write", "file/phone.json"]);
    let line = "train optimizer --predictor {nb} --config {optimizer.toml} --out {file/nb}";
    edgefit(folder.path(), line).failed(1, &["cannot create", "file/nb"]);
}

#[test]
fn an_order_like_that_on_no_known_device_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    edgefit(folder, "probes --checkpoint nasbench201 --count 10 --out {p.csv}").succeeded();
    let text = fs::read_to_string(folder.join("p.csv")).unwrap();
    let cells: Vec<&str> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap())
        .collect();
    let mut values: Vec<f64> = cells.iter().map(|cell| latency_ms(cell)).collect();
    let warnings = |values: &[f64]| {
        let values = values.iter().map(f64::to_string);
        fs::write(
            folder.join("p.csv"),
            table(cells.iter().map(|cell| cell.to_string()).zip(values)),
        )
        .unwrap();
        let line = "adapt --checkpoint nasbench201 --probes {p.csv} --out {new.json} --force";
        edgefit(folder, line).succeeded().stderr
    };
    assert!(!warnings(&values).contains("warning"));
    // The fastest cell takes as long as the slowest, and so on.
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let sorted: Vec<f64> = order.iter().map(|&index| values[index]).collect();
    for (&index, value) in order.iter().zip(sorted.into_iter().rev()) {
        values[index] = value;
    }
    let said = warnings(&values);
    assert!(
        said.contains("warning: latency of the probes: their order is like that on no known device"),
        "{said}"
    );
}

/// A device that was measured with larger images: its file says so, and whatever is asked of it is of such images.
#[test]
fn probes_at_another_input_size() {
    let (folder, rows) = measured();
    let folder = folder.path();
    // Sixteen times as much to do, and as many launches.
    let slower = rows
        .iter()
        .map(|(one, value)| (one.clone(), (value * 12.0).to_string()));
    fs::write(folder.join("large.csv"), table(slower)).unwrap();
    let adapt = |more: &str| {
        let line = format!("adapt --checkpoint {{nb}} --probes {{large.csv}} --yes {more}");
        edgefit(folder, &line)
    };
    adapt("--input 128x128 --out {large.json}").succeeded();
    adapt("--out {same.json}").succeeded();
    let explained = |device: &str| -> serde_json::Value {
        let line = format!("device explain --checkpoint {{nb}} --device {{{device}}} --json");
        serde_json::from_str(&edgefit(folder, &line).succeeded().stdout).unwrap()
    };
    // The same times for sixteen times as much work.
    let mac = |explained: &serde_json::Value| -> f64 {
        let kinds = explained["metrics"][0]["kinds"].as_array().unwrap();
        let spatial = kinds.iter().find(|kind| kind["kind"] == "spatial").unwrap();
        spatial["price"]["mean"].as_f64().unwrap()
    };
    let (large, same) = (explained("large.json"), explained("same.json"));
    assert!(mac(&large) < 0.25 * mac(&same), "{large} {same}");
    let file: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.join("large.json")).unwrap()).unwrap();
    assert_eq!(file["device"]["input"], serde_json::json!([128, 128]));
    let parts = ["input size: expected none, since the networks of mobilenet_v3 have resolutions of their own"];
    let line = "probes --checkpoint mobilenet_v3 --input 128x128";
    edgefit(folder, line).failed(2, &parts);
}
