//! Architecture and quantization policy together: from measurements of designs with bits to designs with bits.

use std::fs;
use std::path::Path;

use edgefit::metric::Metric;
use edgefit::space::{Architecture, Domain, InputSize, PROXYLESS_NAS_MIXED, Precision, QuantPolicy, SearchSpace};
use serde_json::Value;
use tempfile::TempDir;

use crate::driver::{edgefit, prepared};
use crate::json::{compare, schema};

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

/// A folder with `data` and `few`, a checkpoint of it.
fn trained_with_bits() -> TempDir {
    prepared(
        &[
            ("fleet.toml", FLEET),
            ("predictor.toml", PREDICTOR),
            ("optimizer.toml", OPTIMIZER),
        ],
        &[
            "data simulate --config {fleet.toml} --out {data}",
            "train predictor --dataset {data} --config {predictor.toml} --out {few}",
            "train optimizer --predictor {few} --config {optimizer.toml} --out {few}",
        ],
    )
}

#[test]
fn designs_have_bits_where_the_device_gains_from_them() {
    let folder = trained_with_bits();
    designs_by_device(folder.path());
    report_of_what_policies_buy(folder.path());
    scores_within_other_limits(folder.path());
    both_lines_of_a_front_obey_all_limits(folder.path());
}

fn designs_by_device(folder: &Path) {
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

/// A limit on size that no design of eight bits keeps: 95 % of the smallest of them.
fn below_eight_bits() -> String {
    let space = &PROXYLESS_NAS_MIXED;
    let smallest = Domain::at_eight_bits(space).nearest(&Architecture(vec![0; space.choices().len()]));
    let network = space.lower(&smallest, InputSize::square(224), 1000);
    let computed = network.computed(QuantPolicy::Uniform(Precision::Int8));
    format!("--max-size-mib {:.3}", 0.95 * computed.get(Metric::ModelSize).unwrap())
}

/// Cells of the rows of a report's first table after `heading`.
fn cells(html: &str, heading: &str) -> Vec<Vec<String>> {
    let section = html.split(heading).last().unwrap();
    let body = section
        .split("<tbody>")
        .nth(1)
        .unwrap()
        .split("</tbody>")
        .next()
        .unwrap();
    let of_row = |row: &str| {
        let cells = row.split("<td").skip(1).map(|cell| cell.split('>').nth(1).unwrap());
        cells.map(|cell| cell.trim_end_matches("</td").to_string()).collect()
    };
    body.split("<tr>").skip(1).map(of_row).collect()
}

fn report_of_what_policies_buy(folder: &Path) {
    let scored =
        "--checkpoint {few} --dataset {data} --devices bitfusion,edgetpu --probes 20 --limits 3 --budget 400 --batch 3";
    let run = edgefit(folder, &format!("evaluate optimizer {scored} --json")).succeeded();
    let scores: Value = serde_json::from_str(&run.stdout).unwrap();
    compare(&scores, &schema("In search spaces too large to list"));
    assert!(
        scores["policy_gain"]["mean_points"].as_f64().unwrap() > 0.0,
        "{}",
        scores["policy_gain"]
    );
    edgefit(folder, &format!("report optimizer {scored} --out {{report.html}}")).succeeded();
    let html = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(!html.contains("NaN"));
    // Gaps to NSGA-II, a legend and a panel for each of two devices.
    assert_eq!(html.matches("<svg ").count(), 1 + 1 + 2);
    let section = html.split("What quantization policies buy").last().unwrap();
    for text in [
        "with quantization policies",
        "8 bits everywhere",
        "accuracy, %, predicted",
        "percentage points [",
    ] {
        assert!(section.contains(text), "no `{text}`");
    }
    // One row for each limit, which says what `evaluate` says.
    let table = cells(&html, "What quantization policies buy");
    assert_eq!(table.len(), 6);
    for (cells, row) in table.iter().zip(scores["rows"].as_array().unwrap()) {
        let attained = |design: &Value| (design["feasible"] == true).then(|| design["accuracy"].as_f64().unwrap());
        let at_eight_bits = [&row["eight_bits"], &row["optimizer_eight_bits"]].map(attained);
        let at_eight_bits = at_eight_bits.into_iter().flatten().max_by(f64::total_cmp);
        let bought = attained(row).zip(at_eight_bits).map(|(with, without)| with - without);
        let shown = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2}"));
        assert_eq!(cells[0], row["device"].as_str().unwrap());
        assert_eq!(cells[2..5], [at_eight_bits, attained(row), bought].map(shown));
    }
    // Where there is no arithmetic for fewer bits, none are chosen.
    assert!(
        table
            .iter()
            .filter(|cells| cells[0] == "edgetpu")
            .all(|cells| cells[5] == "W8.0A8.0")
    );
}

/// Other limits hold for both: below the size of the smallest design of eight bits, only fewer bits keep any limit.
fn scores_within_other_limits(folder: &Path) {
    let line = "evaluate optimizer --checkpoint {few} --dataset {data} --devices bitfusion --probes 20 --limits 2 --budget 400 \
                --batch 2 --max-energy-mj 1000 --json";
    let run = edgefit(folder, &format!("{line} {}", below_eight_bits())).succeeded();
    let scores: Value = serde_json::from_str(&run.stdout).unwrap();
    let besides: Vec<&str> = scores["besides"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect();
    assert_eq!(besides[0], "energy of at most 1000 mJ");
    assert!(besides[1].starts_with("model size of at most "), "{besides:?}");
    let rows = scores["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["eight_bits"]["feasible"] == false));
    assert!(rows.iter().all(|row| row["optimizer_eight_bits"]["feasible"] == false));
    assert!(rows.iter().any(|row| row["feasible"] == true), "{rows:?}");
    assert_eq!(scores["policy_gain"]["only_at_eight_bits"], 0.0);
}

/// With a limit below the size of the smallest design of eight bits, those are in no figure, and fewer bits are.
fn both_lines_of_a_front_obey_all_limits(folder: &Path) {
    // Squares mark the second line; one stands in the legend.
    let squares = |limit: &str| {
        let line = format!(
            "pareto --checkpoint {{few}} --device bitfusion --limits 3 {limit} --svg {{front.svg}} --format json"
        );
        let rows: Value = serde_json::from_str(&edgefit(folder, &line).succeeded().stdout).unwrap();
        let kept = rows
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["feasible"] == true)
            .count();
        let svg = fs::read_to_string(folder.join("front.svg")).unwrap();
        assert!(svg.contains("8 bits everywhere"));
        (kept, svg.matches("<polygon").count() - 1)
    };
    let (kept, at_eight_bits) = squares("");
    assert!(kept > 0 && at_eight_bits > 0, "{kept} {at_eight_bits}");
    let (kept, at_eight_bits) = squares(&below_eight_bits());
    assert!(kept > 0, "fewer bits are smaller");
    assert_eq!(at_eight_bits, 0);
    // A limit on energy that nothing keeps empties both.
    let line = "pareto --checkpoint {few} --device bitfusion --limits 3 --max-energy-mj 0.0001 --svg {none.svg}";
    edgefit(folder, line).failed(3, &["no design meets"]);
    let svg = fs::read_to_string(folder.join("none.svg")).unwrap();
    assert_eq!(svg.matches("<polygon").count() + svg.matches("<circle").count(), 2);
}

/// A few percent are left of designs that were not measured, and order is nearly exact.
#[test]
fn few_measurements_of_designs_with_bits_tell_of_others() {
    let folder = prepared(
        &[("fleet.toml", FLEET), ("predictor.toml", PREDICTOR)],
        &[
            "data simulate --config {fleet.toml} --out {data}",
            "train predictor --dataset {data} --config {predictor.toml} --devices edgetpu,k210 --out {some}",
        ],
    );
    let line =
        "evaluate predictor --checkpoint {some} --dataset {data} --devices bitfusion --probes 20 --repeats 3 --json";
    let report: Value = serde_json::from_str(&edgefit(folder.path(), line).succeeded().stdout).unwrap();
    let score = |key: &str| report["rows"][0][key]["mean"].as_f64().unwrap();
    assert!(score("spearman") > 0.9, "{}", report["rows"][0]);
    assert!(score("mape_percent") < 10.0, "{}", report["rows"][0]);
}
