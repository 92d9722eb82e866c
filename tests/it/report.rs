//! Reports through the program: one HTML file each, with its figures in it and nothing fetched.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::driver::edgefit;
use crate::pipeline::write_truth;
use crate::trained::{UNSEEN, trained};

/// The report in `folder`, after checking what every report has.
#[track_caller]
fn report(folder: &Path) -> String {
    let html = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    assert_eq!(html.matches("<svg ").count(), html.matches("</svg>").count());
    assert!(html.matches("<figure>").count() <= html.matches("<svg ").count());
    assert!(html.contains("prefers-color-scheme:dark"));
    assert!(!html.contains("<script") && !html.contains("src=") && !html.contains("NaN"));
    html
}

/// Fails unless the report holds all of this.
#[track_caller]
fn holds(html: &str, parts: &[&str]) {
    for part in parts {
        assert!(html.contains(part), "no `{part}`");
    }
}

#[test]
fn a_predictor_report_shows_every_device_and_says_where_it_comes_from() {
    let folder = trained();
    let line =
        "report predictor --checkpoint {nb} --dataset {fleet} --probes 0,10 --repeats 2 --seed 7 --out {report.html}";
    let run = edgefit(folder.path(), line).succeeded();
    assert_eq!(run.stdout, "");
    let html = report(folder.path());
    holds(&html, &UNSEEN);
    holds(
        &html,
        &[
            "measured latency, ms",
            "share promised",
            "mean absolute percentage error, %",
            "<dt>Seed</dt><dd>7</dd>",
            " simulated",
            "protocol full",
            "--probes 0,10",
            "Where the time goes",
            "Prices are adapted from 10 probes",
            "share of a typical network",
        ],
    );
    // Scatter of three devices, calibration, three errors by device, where the time goes on each, and the worth of probes.
    assert_eq!(html.matches("<svg ").count(), 3 + 5 + 3);
    assert_eq!(html.matches("<figure>").count(), 6 + 3);
    // The same seed gives the same report.
    let again = edgefit(folder.path(), &line.replace("report.html", "again.html")).succeeded();
    assert_eq!(again.status, 0);
    let again = fs::read_to_string(folder.path().join("again.html")).unwrap();
    assert_eq!(again.replace("again.html", "report.html"), html);
}

#[test]
fn an_optimizer_report_lists_its_designs() {
    let folder = trained();
    write_truth(&folder.path().join("truth"));
    let line = "report optimizer --checkpoint {nb} --dataset {truth} --devices made-up --limits 3 --budget 50 \
                --accuracy-labels 100 --out {report.html}";
    let limited = edgefit(folder.path(), &format!("{line} --max-size-mib 1"));
    limited.failed(2, &["limits beside latency", "found model size of at most 1 MiB"]);
    edgefit(folder.path(), line).succeeded();
    let html = report(folder.path());
    holds(
        &html,
        &[
            "made-up: one design per limit",
            "P(limit holds)",
            "exhaustive search",
            "true front",
            "15625 simulated",
            "<dt>Task</dt><dd>simulated-cifar100</dd>",
        ],
    );
    // Regret by limit, and the front with its legend.
    assert_eq!(html.matches("<svg ").count(), 3);
    let designs = html.split("one design per limit").nth(1).unwrap();
    assert_eq!(designs.matches(" fp32</td>").count(), 3);
}

/// A comparison of two methods on one target, written by hand.
pub(crate) fn comparison(target: &str) -> serde_json::Value {
    let front = json!([
        {"architecture": "a", "latency_ms": 2.0, "accuracy_percent": 50.0},
        {"architecture": "b", "latency_ms": 4.0, "accuracy_percent": 70.0},
    ]);
    let run = |method: &str, proxy: Option<&str>, regret: f64| {
        json!({
            "target": target, "proxy": proxy, "method": method, "measurements": 10, "repeat": 0, "seconds": 0.25,
            "hypervolume_ratio": 0.9, "designs": [
                {"limit_ms": 3.0, "limit_quantile": 0.5, "architecture": "a", "latency_ms": 2.0, "accuracy_percent": 50.0,
                 "regret": regret, "violated": false, "overshoot": 0.0},
                {"limit_ms": 4.0, "limit_quantile": 0.9, "architecture": "b", "latency_ms": 5.0, "accuracy_percent": 70.0,
                 "regret": 0.0, "violated": true, "overshoot": 0.25},
            ],
        })
    };
    let mean = |method: &str, regret: f64| {
        json!({
            "method": method, "measurements": 10, "regret": regret, "regret_low": regret - 0.1, "regret_high": regret + 0.1,
            "violation_rate": 0.5, "overshoot": 0.25, "hypervolume_ratio": 0.9, "seconds": 0.25,
        })
    };
    json!({
        "space": "nasbench201", "task": "cifar100", "confidence": 0.9, "norm": "2", "seed": 3, "measurements": [10],
        "runs": [run("ada-proxy", Some("pixel3"), 3.0), run("few-shot", None, 1.0)],
        "means": [mean("ada-proxy", 1.5), mean("few-shot", 0.5)],
        "fronts": [{"target": target, "proxy": "pixel3", "measurements": 10, "truth": front, "proxy_front": front,
                    "adapted": front, "few_shot": front}],
        "adaptation": {"devices": ["pixel3", target], "samples": 10,
                       "before": [[null, 0.412], [0.386, null]], "after": [[null, 0.913], [0.885, null]]},
    })
}

#[test]
fn a_comparison_becomes_a_report_and_names_stay_text() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = "<script>alert('fpga')</script>";
    fs::write(folder.path().join("c.json"), comparison(hostile).to_string()).unwrap();
    edgefit(folder.path(), "report proxy --from {c.json} --out {report.html}").succeeded();
    let html = report(folder.path());
    holds(
        &html,
        &[
            "&lt;script&gt;",
            "pixel3",
            ".41",
            ".91",
            // Mean of two limits: (3 + 0) / 2.
            "<td class=\"number\">1.50</td><td class=\"number\">50.0</td>",
            // Means of the matrices: (0.412 + 0.386) / 2 and (0.913 + 0.885) / 2.
            "Mean 0.399",
            "Mean 0.899",
            "<dt>Seed of the comparison</dt><dd>3</dd>",
        ],
    );
    // Regret, limits exceeded, two matrices, fronts with their legend.
    assert_eq!(html.matches("<svg ").count(), 6);
}

#[test]
fn an_empty_comparison_is_still_a_report_and_another_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut empty = comparison("fpga");
    for key in ["measurements", "runs", "means", "fronts"] {
        empty[key] = json!([]);
    }
    empty["adaptation"] = json!({"devices": [], "samples": 0, "before": [], "after": []});
    fs::write(folder.path().join("c.json"), empty.to_string()).unwrap();
    edgefit(folder.path(), "report proxy --from {c.json} --out {report.html}").succeeded();
    report(folder.path());
    fs::remove_file(folder.path().join("report.html")).unwrap();
    fs::write(folder.path().join("c.json"), "{\"space\": 3}").unwrap();
    let run = edgefit(folder.path(), "report proxy --from {c.json} --out {report.html}");
    run.failed(1, &["c.json", "edgefit proxy compare --json"]);
    assert!(!folder.path().join("report.html").exists());
}

/// Neighbours of the largest and the smallest numbers are no numbers, and axes that reach for them never end.
#[test]
fn numbers_that_no_axis_can_reach_make_a_report_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut extreme = comparison("fpga");
    for (place, value) in [(0, 1e308), (1, 1e-320)] {
        extreme["fronts"][0]["truth"][place]["latency_ms"] = json!(value);
        extreme["fronts"][0]["adapted"][place]["accuracy_percent"] = json!(-value);
        extreme["means"][place]["regret"] = json!(value);
        extreme["means"][place]["regret_high"] = json!(value);
    }
    extreme["means"][0]["measurements"] = json!(u64::MAX);
    fs::write(folder.path().join("c.json"), extreme.to_string()).unwrap();
    edgefit(folder.path(), "report proxy --from {c.json} --out {report.html}").succeeded();
    report(folder.path());
    let devices: Vec<String> = (0..401).map(|index| format!("device-{index}")).collect();
    extreme["adaptation"]["devices"] = json!(devices);
    fs::write(folder.path().join("c.json"), extreme.to_string()).unwrap();
    let run = edgefit(folder.path(), "report proxy --from {c.json} --out {report.html}");
    run.failed(1, &["c.json", "401 targets"]);
}
