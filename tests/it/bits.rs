//! Architecture and quantization policy together: from measurements of designs with bits to designs with bits.

use std::fs;

use serde_json::Value;

use crate::driver::edgefit;

const FLEET: &str = r#"
space = "proxylessnas_mixed"
devices = ["bitfusion", "edgetpu", "k210"]
architectures = 400
architectures-per-device = 300
inputs = ["224x224"]
classes = 1000
latency-noise = 0.01
energy-noise = 0.01
seed = 11

[accuracy]
task = "simulated-imagenet"
architectures = 400
noise-percent = 0.1
"#;
const PREDICTOR: &str =
    "[towers]\nmembers = 1\nhidden = 32\nepochs = 15\n[accuracy]\nmembers = 2\nhidden = 48\nepochs = 60\n";
const OPTIMIZER: &str =
    "steps = 60\nstate = 24\nhidden = 32\ndevices-per-step = 3\nqueries-per-device = 8\npool = 512\n";

/// Bits of all blocks that a printed design lists.
fn bits(architecture: &str) -> Vec<u64> {
    let design: Value = serde_json::from_str(architecture).unwrap();
    let keys = [
        "pw_w_bits_setting",
        "pw_a_bits_setting",
        "dw_w_bits_setting",
        "dw_a_bits_setting",
    ];
    let running = |block: &usize| (*block % 4) < design["d"][block / 4].as_u64().unwrap() as usize;
    let of_key = |key: &str| -> Vec<u64> {
        (0..21)
            .filter(running)
            .map(|block| design[key][block].as_u64().unwrap())
            .collect()
    };
    keys.iter().flat_map(|key| of_key(key)).collect()
}

#[test]
fn designs_have_bits_where_the_device_gains_from_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, text) in [
        ("fleet.toml", FLEET),
        ("predictor.toml", PREDICTOR),
        ("optimizer.toml", OPTIMIZER),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    for line in [
        "data simulate --config {fleet.toml} --out {data}",
        "train predictor --dataset {data} --config {predictor.toml} --out {few}",
        "train optimizer --predictor {few} --config {optimizer.toml} --out {few}",
    ] {
        edgefit(folder, line).succeeded();
    }
    // Half of what a random design takes.
    let typical = |device: &str| {
        let rows = fs::read_to_string(folder.join("data/measurements.csv")).unwrap();
        let mut reader = csv::Reader::from_reader(rows.as_bytes());
        let mut values: Vec<f64> = (reader.records().flatten())
            .filter(|row| &row[0] == device)
            .map(|row| row[4].parse().unwrap())
            .collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 4]
    };
    let design = |device: &str| -> Value {
        let limit_ms = typical(device);
        let line = format!("design --checkpoint {{few}} --device {device} --max-latency-ms {limit_ms} --format json");
        let found: Value = serde_json::from_str(&edgefit(folder, &line).succeeded().stdout).unwrap();
        found[0].clone()
    };
    let flexible = design("bitfusion");
    let architecture = flexible["architecture"].as_str().unwrap();
    assert!(bits(architecture).iter().any(|&bits| bits < 8), "{architecture}");
    assert!(
        flexible["quantization"].as_str().unwrap().starts_with('W'),
        "{flexible}"
    );
    // The same network with eight bits everywhere is larger, by as much as its mean bits say.
    assert!(flexible["size_mib"].as_f64().unwrap() > 0.0);
    // An accelerator for eight bits alone is never given fewer.
    let rigid = design("edgetpu");
    let architecture = rigid["architecture"].as_str().unwrap();
    assert!(bits(architecture).iter().all(|&bits| bits == 8), "{architecture}");
    assert_eq!(rigid["quantization"], "W8.0A8.0");
    // What was designed reads back, and is predicted as it was designed.
    fs::write(folder.join("designs.txt"), flexible["architecture"].as_str().unwrap()).unwrap();
    let line = "predict --checkpoint {few} --device bitfusion --architectures {designs.txt} --format json";
    let predicted: Value = serde_json::from_str(&edgefit(folder, line).succeeded().stdout).unwrap();
    assert_eq!(predicted[0]["architecture"], flexible["architecture"]);
    assert_eq!(predicted[0]["latency_ms"]["mean"], flexible["latency_ms"]["mean"]);
}

/// A few percent are left of designs that were not measured, and order is nearly exact.
#[test]
fn few_measurements_of_designs_with_bits_tell_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("fleet.toml"), FLEET).unwrap();
    fs::write(folder.join("predictor.toml"), PREDICTOR).unwrap();
    for line in [
        "data simulate --config {fleet.toml} --out {data}",
        "train predictor --dataset {data} --config {predictor.toml} --devices edgetpu,k210 --out {some}",
    ] {
        edgefit(folder, line).succeeded();
    }
    let line =
        "evaluate predictor --checkpoint {some} --dataset {data} --devices bitfusion --probes 20 --repeats 3 --json";
    let report: Value = serde_json::from_str(&edgefit(folder, line).succeeded().stdout).unwrap();
    let score = |key: &str| report["rows"][0][key]["mean"].as_f64().unwrap();
    assert!(score("spearman") > 0.9, "{}", report["rows"][0]);
    assert!(score("mape_percent") < 10.0, "{}", report["rows"][0]);
}
