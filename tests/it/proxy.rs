//! Proxy devices on datasets written by hand and on the bundled fleet.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::driver::edgefit;
use crate::trained::{architectures, latency_ms, trained, untrained};

/// A dataset `{name}` with these rows of `measurements.csv`.
fn write_dataset(folder: &Path, name: &str, rows: &[(String, String, String)]) {
    let place = folder.join(name);
    fs::create_dir_all(&place).unwrap();
    fs::write(
        place.join("dataset.toml"),
        "space = \"nasbench201\"\norigin = \"measured\"\ninput = \"32x32\"\n",
    )
    .unwrap();
    let mut text = "device,architecture,latency_ms\n".to_string();
    for (device, architecture, latency) in rows {
        text += &format!("{device},{architecture},{latency}\n");
    }
    fs::write(place.join("measurements.csv"), text).unwrap();
}

/// Rows of one device: a latency for every `step`-th cell from `start` on.
fn rows(
    device: &str,
    (start, step, count): (usize, usize, usize),
    latency: impl Fn(usize) -> f64,
) -> Vec<(String, String, String)> {
    let cells = architectures();
    (0..count)
        .map(|index| {
            let cell = cells[start + index * step].clone();
            (device.to_string(), cell, latency(index).to_string())
        })
        .collect()
}

fn json(folder: &Path, arguments: &str) -> Value {
    serde_json::from_str(&edgefit(folder, arguments).succeeded().stdout).unwrap()
}

#[test]
fn the_matrix_of_the_bundled_fleet_is_whole_and_in_cluster_order() {
    let folder = untrained();
    let folder = folder.path();
    let matrix = json(folder, "proxy matrix --dataset {fleet} --csv {pairs.csv} --json");
    let rows = matrix["rows"].as_array().unwrap();
    let count = rows.len();
    assert_eq!(matrix["pairs"].as_array().unwrap().len(), count * (count - 1) / 2);
    assert_eq!(rows[count - 2]["id"], "macs");
    assert_eq!(rows[count - 1]["id"], "parameters");
    let members: Vec<u64> = matrix["clusters"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|cluster| cluster.as_array().unwrap())
        .map(|row| row.as_u64().unwrap())
        .collect();
    assert_eq!(members, (0..count as u64 - 2).collect::<Vec<u64>>());
    let csv = fs::read_to_string(folder.join("pairs.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + count * (count - 1) / 2);
    assert!(csv.starts_with("first,second,architectures,spearman,spearman_low,spearman_high,kendall,"));
    let table = edgefit(folder, "proxy matrix --dataset {fleet} --no-counts")
        .succeeded()
        .stdout;
    assert!(table.contains("clusters of") && !table.contains("macs"), "{table}");
}

#[test]
fn few_proxies_cover_the_bundled_fleet() {
    let folder = untrained();
    let folder = folder.path();
    let at = |threshold: f64| {
        json(
            folder,
            &format!("proxy select --dataset {{fleet}} --threshold {threshold} --json"),
        )
    };
    let size = |selection: &Value| selection["proxies"].as_array().unwrap().len();
    let (loose, strict) = (at(0.5), at(0.99));
    assert!(size(&loose) < size(&strict), "{loose:#} {strict:#}");
    for selection in [&loose, &strict] {
        assert_eq!(selection["exact"], true);
        let last = selection["proxies"].as_array().unwrap().last().unwrap();
        assert_eq!(last["covered"], selection["targets"]);
    }
    let text = edgefit(folder, "proxy select --dataset {fleet} --threshold 0.99")
        .succeeded()
        .stdout;
    assert!(text.contains("needed") && text.contains("cover at SRCC 0.99"), "{text}");
}

#[test]
fn a_threshold_that_nobody_reaches_is_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut all = rows("up", (0, 3, 40), |index| 1.0 + index as f64);
    all.extend(rows("down", (0, 3, 40), |index| 50.0 - index as f64));
    write_dataset(folder, "two", &all);
    let found = json(
        folder,
        "proxy select --dataset {two} --candidates up --devices down --json",
    );
    assert_eq!(found["proxies"].as_array().unwrap().len(), 0);
    assert_eq!(found["uncovered"][0]["nearest"]["spearman"], -1.0);
    let text = edgefit(folder, "proxy select --dataset {two} --candidates up --devices down")
        .succeeded()
        .stdout;
    assert!(text.contains("not covered: down, nearest up at -1.000"), "{text}");
}

#[test]
fn nothing_in_common_constants_and_a_fleet_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut all = rows("one", (0, 2, 30), |index| 1.0 + index as f64);
    all.extend(rows("other", (1, 2, 30), |index| 1.0 + index as f64));
    all.extend(rows("constant", (0, 1, 60), |_| 3.0));
    write_dataset(folder, "odd", &all);
    let run = edgefit(folder, "proxy matrix --dataset {odd} --no-counts --json").succeeded();
    assert!(
        run.stderr.contains("all values of constant are equal"),
        "{}",
        run.stderr
    );
    let matrix: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(
        matrix["pairs"]
            .as_array()
            .unwrap()
            .iter()
            .all(|pair| pair["spearman"].is_null()),
        "{matrix:#}"
    );
    assert_eq!(matrix["clusters"].as_array().unwrap().len(), 3);
    let selection = json(
        folder,
        "proxy select --dataset {odd} --candidates one --devices other --json",
    );
    assert!(selection["uncovered"][0]["nearest"].is_null(), "{selection:#}");

    write_dataset(folder, "single", &rows("only", (0, 1, 25), |index| 1.0 + index as f64));
    let matrix = json(folder, "proxy matrix --dataset {single} --no-counts --json");
    assert_eq!(
        (
            matrix["rows"].as_array().unwrap().len(),
            matrix["pairs"].as_array().unwrap().len()
        ),
        (1, 0)
    );
    let selection = json(folder, "proxy select --dataset {single} --json");
    assert_eq!(selection["proxies"][0]["id"], "only");
    edgefit(folder, "proxy adapt --dataset {single} --proxy only")
        .failed(2, &["targets", "at least one device beside"]);
}

#[test]
fn adapt_says_what_it_did_and_refuses_what_it_cannot_do() {
    let folder = untrained();
    let folder = folder.path();
    let line = "proxy adapt --dataset {fleet} --proxy pixel2 --targets raspi4,a100_64_fp16";
    let reports = json(folder, &format!("{line} --samples 30 --threshold 1 --json"));
    for report in reports.as_array().unwrap() {
        assert_eq!(report["decision"], "adapted");
        assert_eq!(report["samples"], 30);
        let ratio = report["fronts"]["hypervolume_ratio"].as_f64().unwrap();
        assert!((0.5..=1.0).contains(&ratio), "{report:#}");
        let kept = report["fronts"]["kept"].as_array().unwrap().len() as u64;
        assert_eq!(
            report["fronts"]["returned"].as_u64().unwrap(),
            kept + report["fronts"]["dropped"].as_u64().unwrap()
        );
    }
    let loose = json(folder, &format!("{line} --threshold -1 --json"));
    assert!(
        loose
            .as_array()
            .unwrap()
            .iter()
            .all(|report| report["decision"] == "reused"),
        "{loose:#}"
    );
    let text = edgefit(folder, line).succeeded().stdout;
    assert!(
        text.contains("mean SRCC on unseen architectures") && text.contains("seed 0"),
        "{text}"
    );

    edgefit(folder, &format!("{line} --budget 0")).failed(2, &["samples", "Measure some architectures"]);
    edgefit(folder, &format!("{line} --samples 0")).failed(2, &["samples", "Measure some architectures"]);
    edgefit(folder, &format!("{line} --threshold 1.5")).failed(2, &["threshold", "from -1 to 1"]);
    edgefit(folder, &format!("{line} --norm 3")).failed(2, &["1, 2, inf"]);
    edgefit(folder, "proxy adapt --dataset {fleet} --proxy pixel22").failed(2, &["did you mean `pixel2`?"]);
}

#[test]
fn a_target_without_measurements_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_dataset(
        folder,
        "some",
        &rows("measured", (0, 1, 25), |index| 1.0 + index as f64),
    );
    fs::write(folder.join("some/devices.csv"), "id\nmeasured\nempty\n").unwrap();
    let run = edgefit(folder, "proxy matrix --dataset {some}").succeeded();
    assert!(run.stderr.contains("nothing was measured on empty"), "{}", run.stderr);
    edgefit(folder, "proxy adapt --dataset {some} --proxy measured").failed(1, &["target empty", "found none"]);
    edgefit(folder, "proxy adapt --dataset {some} --proxy empty").failed(2, &["linear latency model"]);
}

#[test]
fn every_way_is_compared_at_equal_numbers_of_measurements() {
    let folder = trained();
    let folder = folder.path();
    let line = "proxy compare --checkpoint {nb} --dataset {fleet} --devices pixel2,raspi4 --limits 4";
    let report = json(
        folder,
        &format!("{line} --measurements 4,12 --proxies a100_64_fp16,pixel2 --json"),
    );
    let runs = report["runs"].as_array().unwrap();
    // The fleet knows too few cells to look the amortized optimizer's designs up.
    assert_eq!(runs.len(), 2 * 2 * 5);
    for run in runs {
        let designs = run["designs"].as_array().unwrap();
        assert_eq!(designs.len(), 4);
        for design in designs {
            let over = design["latency_ms"].as_f64().unwrap() > design["limit_ms"].as_f64().unwrap();
            assert_eq!(design["violated"], over, "{design:#}");
        }
    }
    // The target is never its own proxy.
    assert!(runs.iter().all(|run| run["proxy"] != run["target"]), "{report:#}");
    assert_eq!(report["means"].as_array().unwrap().len(), 10);
    assert_eq!(report["adaptation"]["samples"], 12);
    assert_eq!(report["adaptation"]["devices"].as_array().unwrap().len(), 3);
    for fronts in report["fronts"].as_array().unwrap() {
        for which in ["truth", "proxy_front", "adapted", "few_shot"] {
            let front = fronts[which].as_array().unwrap();
            let latencies: Vec<f64> = front
                .iter()
                .map(|point| point["latency_ms"].as_f64().unwrap())
                .collect();
            assert!(!front.is_empty() && latencies.is_sorted(), "{which}: {latencies:?}");
        }
    }
    let again = json(
        folder,
        &format!("{line} --measurements 4,12 --proxies a100_64_fp16,pixel2 --json"),
    );
    assert_eq!(again["adaptation"], report["adaptation"]);
    edgefit(folder, &format!("{line} --measurements 0,5")).failed(2, &["numbers of measurements", "above zero"]);
    edgefit(folder, &format!("{line} --proxies pixel2")).failed(2, &["proxies for pixel2", "another hardware unit"]);
}

#[test]
fn the_optimizer_is_compared_where_every_cell_was_measured() {
    let folder = trained();
    let folder = folder.path();
    let cells = architectures();
    let mut all = rows("whole", (0, 1, cells.len()), |index| latency_ms(&cells[index]));
    all.extend(rows("proxy", (0, 1, cells.len()), |index| {
        2.0 * latency_ms(&cells[index]) + 1.0
    }));
    write_dataset(folder, "whole", &all);
    let mut accuracy = "task,architecture,accuracy_percent\n".to_string();
    for cell in &cells {
        accuracy += &format!("simulated-cifar100,{cell},{}\n", 40.0 + latency_ms(cell));
    }
    fs::write(folder.join("whole/accuracy.csv"), accuracy).unwrap();
    let line = "proxy compare --checkpoint {nb} --dataset {whole} --devices whole --limits 3 --measurements 6";
    let report = json(folder, &format!("{line} --json"));
    let runs = report["runs"].as_array().unwrap();
    let methods: Vec<&str> = runs.iter().map(|run| run["method"].as_str().unwrap()).collect();
    assert_eq!(
        methods,
        [
            "per-device",
            "proxy-front",
            "ada-proxy",
            "few-shot",
            "verified",
            "amortized"
        ]
    );
    for run in runs {
        let designs = run["designs"].as_array().unwrap();
        // Accuracy is what it is by latency, so the best within a limit is the slowest that holds it.
        for design in designs.iter().filter(|design| design["violated"] == false) {
            let (latency, regret) = (
                design["latency_ms"].as_f64().unwrap(),
                design["regret"].as_f64().unwrap(),
            );
            let limit = design["limit_ms"].as_f64().unwrap();
            assert!((design["accuracy_percent"].as_f64().unwrap() - 40.0 - latency).abs() < 1e-9);
            assert!(regret >= 0.0 && regret <= limit - latency + 1e-9, "{design:#}");
        }
    }
    let text = edgefit(folder, line).succeeded().stdout;
    for method in [
        "per-device search",
        "proxy front",
        "AdaProxy",
        "few-shot predictor",
        "few-shot, verified",
        "amortized optimizer",
    ] {
        assert!(text.contains(method), "{text}");
    }
}
