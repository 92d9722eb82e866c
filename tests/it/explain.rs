//! `edgefit device explain`.

use std::path::Path;

use serde_json::Value;

use crate::driver::edgefit;
use crate::trained::{adapted, trained};

/// What is said of the device as JSON.
fn explained(folder: &Path, device: &str) -> Value {
    let line = format!("device explain --checkpoint {{nb}} --device {device} --json");
    serde_json::from_str(&edgefit(folder, &line).succeeded().stdout).unwrap()
}

fn kinds(metric: &Value) -> &Vec<Value> {
    metric["kinds"].as_array().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[test]
fn shares_add_up_to_what_a_typical_network_takes() {
    let folder = trained();
    adapted(folder.path());
    let explained = explained(folder.path(), "{phone.json}");
    assert_eq!(
        (explained["device"].as_str(), explained["probes"].as_u64()),
        (Some("phone"), Some(10))
    );
    let [latency, energy] = explained["metrics"].as_array().unwrap().as_slice() else {
        panic!("{explained}")
    };
    assert_eq!(
        (latency["prices"].as_str(), latency["unit"].as_str()),
        (Some("adapted"), Some("ms"))
    );
    // No energy was measured.
    assert_eq!(
        (energy["prices"].as_str(), energy["unit"].as_str()),
        (Some("latency"), Some("mJ"))
    );
    // Each of six edges is one of five operations: 2 + 6 / 5 * (4 + 1.5 + 0.5) = 9.2 ms.
    let typical = number(&latency["typical"]["mean"]);
    assert!((typical / 9.2 - 1.0).abs() < 0.15, "{typical}");
    for metric in [latency, energy] {
        let shares: Vec<f64> = kinds(metric)
            .iter()
            .map(|kind| number(&kind["share_percent"]["mean"]))
            .collect();
        assert!((shares.iter().sum::<f64>() - 100.0).abs() < 1e-6, "{shares:?}");
        assert!(shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
        for kind in kinds(metric) {
            for estimate in [&kind["share_percent"], &kind["price"]] {
                let [low, mean, high] = ["low", "mean", "high"].map(|end| number(&estimate[end]));
                assert!(0.0 <= low && low <= mean && mean <= high, "{kind}");
            }
            // Cells of NAS-Bench-201 have no such layers.
            let name = kind["kind"].as_str().unwrap();
            assert!(!["grouped", "depthwise", "launch_depthwise"].contains(&name), "{name}");
        }
    }
}

#[test]
fn what_was_measured_is_known_better_than_what_a_datasheet_says() {
    let folder = trained();
    let width = |device: &str, prices: &str| {
        let explained = explained(folder.path(), device);
        let latency = &explained["metrics"][0];
        assert_eq!(latency["prices"], prices, "{device}");
        let widths = kinds(latency).iter().map(|kind| &kind["share_percent"]);
        widths
            .map(|share| number(&share["high"]) - number(&share["low"]))
            .sum::<f64>()
    };
    let (fitted, datasheet) = (width("pixel3", "fitted"), width("raspi4", "datasheet"));
    assert!(fitted < 0.5 * datasheet, "{fitted} {datasheet}");
}

#[test]
fn people_read_a_sentence_and_a_table() {
    let folder = trained();
    let line = "device explain --checkpoint {nb} --device pixel3";
    let text = edgefit(folder.path(), line).succeeded().stdout;
    let sentence = text.lines().next().unwrap();
    assert!(
        sentence.starts_with("Of a typical network's ") && sentence.contains(" on pixel3, "),
        "{text}"
    );
    for part in [
        "convolutions larger than 1x1",
        "ns per MAC",
        "us per launch",
        "nJ per MAC",
        "Prices are fitted to its measurements.",
        "What cannot affect the output takes ",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    let other = format!("{line} --device nobody").replace(" --device pixel3", "");
    edgefit(folder.path(), &other).failed(2, &["nobody"]);
}
