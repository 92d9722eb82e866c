//! What is printed as JSON is what `docs/JSON.md` says, no more and no less.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::driver::edgefit;
use crate::trained::{adapted, architectures, trained};

/// Path of a value, such as `rows[].device`, to its type.
pub(crate) type Schema = BTreeMap<String, String>;

/// The table in the section whose heading holds `name`.
pub(crate) fn schema(name: &str) -> Schema {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/JSON.md");
    let text = std::fs::read_to_string(path).unwrap();
    let sections = text.split("\n#").skip(1);
    let section = sections
        .into_iter()
        .find(|section| section.lines().next().unwrap().contains(name));
    let section = section.unwrap_or_else(|| panic!("docs/JSON.md has no section about {name}"));
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    cells
        .map(|cells| (cells[0].trim_matches('`').to_string(), cells[1].to_string()))
        .collect()
}

/// Whether a value has one of the types of `docs/JSON.md`.
fn is_of(value: &Value, kind: &str) -> bool {
    let numbers = |keys: &[&str]| {
        let object = value.as_object();
        object.is_some_and(|object| object.len() == keys.len() && keys.iter().all(|key| value[key].is_number()))
    };
    match kind.strip_suffix(" or null") {
        Some(kind) => value.is_null() || is_of(value, kind),
        None => match kind {
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64(),
            "number" => value.is_number(),
            "object" => value.is_object(),
            "estimate" => numbers(&["mean", "low", "high"]),
            "counts" => value
                .as_object()
                .is_some_and(|counts| counts.values().all(Value::is_u64)),
            "numbers" => value
                .as_object()
                .is_some_and(|values| values.values().all(Value::is_number)),
            "summary" => {
                compare(value, &schema("A summary"));
                true
            }
            "figures" => {
                compare(value, &schema("Figures in a large space"));
                true
            }
            "gain" => {
                compare(value, &schema("What quantization policies buy"));
                true
            }
            "seen" => {
                compare(value, &schema("Seen by the oracle"));
                true
            }
            _ => panic!("docs/JSON.md has a type `{kind}` that this test does not know"),
        },
    }
}

fn visit(value: &Value, path: String, schema: &Schema, seen: &mut BTreeSet<String>) {
    if let Some(kind) = schema.get(&path) {
        assert!(is_of(value, kind), "{path} is to be {kind}, and is {value}");
        seen.insert(path);
        return;
    }
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let separator = if path.is_empty() { "" } else { "." };
                visit(value, format!("{path}{separator}{key}"), schema, seen);
            }
        }
        Value::Array(items) => {
            let items_path = format!("{path}[]");
            if items.is_empty() {
                seen.extend(schema.keys().filter(|key| key.starts_with(&items_path)).cloned());
            }
            for item in items {
                visit(item, items_path.clone(), schema, seen);
            }
        }
        _ => panic!("{path} is not documented"),
    }
}

/// Every value is documented, and everything documented is there.
#[track_caller]
pub(crate) fn compare(value: &Value, schema: &Schema) {
    let mut seen = BTreeSet::new();
    visit(value, String::new(), schema, &mut seen);
    let absent: Vec<&String> = schema.keys().filter(|key| !seen.contains(*key)).collect();
    assert!(absent.is_empty(), "documented and absent: {absent:?}");
}

/// Runs the command and compares what it prints with the section named.
#[track_caller]
fn documented(folder: &TempDir, name: &str, command: &str) -> Value {
    let run = edgefit(folder.path(), command).succeeded();
    let value = serde_json::from_str(&run.stdout).unwrap();
    compare(&value, &schema(name));
    value
}

#[test]
fn designs_and_predictions() {
    let folder = trained();
    adapted(folder.path());
    std::fs::write(folder.path().join("cells.txt"), architectures()[7000..7003].join("\n")).unwrap();
    let about = "--checkpoint {nb} --device {phone.json} --format json --seed 3";
    let limits = "--max-latency-ms 12 --min-accuracy 1 --count 2";
    let designs = documented(&folder, "edgefit design", &format!("design {about} {limits}"));
    for (key, expected) in [
        ("device", Value::from("phone")),
        ("seed", 3.into()),
        ("feasible", true.into()),
        (
            "limits",
            serde_json::json!({"max_latency_ms": 12.0, "min_accuracy_percent": 1.0, "confidence": 0.9}),
        ),
    ] {
        assert_eq!(designs[0][key], expected, "{key}");
    }
    let short = "--seconds 0.01 --warmup-seconds 0.01 --rounds 2 --out {mine} --format json";
    let measure = format!("measure --checkpoint {{nb}} --architectures {{cells.txt}} {short}");
    documented(&folder, "edgefit measure", &measure);
    let tune = "tune --checkpoint {nb} --limits-ms 1000 --probes 3 --budget 5 --yes --json";
    let tune = format!("{tune} --seconds 0.01 --warmup-seconds 0.01 --rounds 2 --out {{tuned}}");
    documented(&folder, "edgefit tune", &tune);
    documented(&folder, "edgefit search", &format!("search random {about} {limits}"));
    documented(&folder, "edgefit pareto", &format!("pareto {about} --limits 3"));
    documented(&folder, "edgefit devices", "devices pixel --format json");
    let explain = "device explain --checkpoint {nb} --device {phone.json} --seed 3 --json";
    let explained = documented(&folder, "edgefit device explain", explain);
    assert_eq!(explained["checkpoint"], designs[0]["checkpoint"]);
    let predictions = format!("predict {about} --architectures {{cells.txt}}");
    let predictions = documented(&folder, "edgefit predict", &predictions);
    assert_eq!(predictions[0]["checkpoint"], designs[0]["checkpoint"]);
}

#[test]
fn evaluations() {
    let folder = trained();
    let predictor =
        "evaluate predictor --checkpoint {nb} --dataset {fleet} --devices raspi4 --probes 0,5 --repeats 2 --json";
    documented(&folder, "edgefit evaluate predictor", predictor);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let benchmark = examples.join("benchmark.toml");
    let benchmark = format!(
        "benchmark {} --dataset {{fleet}} --probes 5 --repeats 2 --json",
        benchmark.display()
    );
    let benchmarks = documented(&folder, "edgefit benchmark", &benchmark);
    compare(&benchmarks[0]["reports"][0], &schema("edgefit evaluate predictor"));
    let config = examples.join("table.toml");
    edgefit(
        folder.path(),
        &format!("data simulate --config {} --out {{table}}", config.display()),
    )
    .succeeded();
    let asked = "--checkpoint {nb} --dataset {table} --devices raspi4 --limits 2 --json";
    documented(
        &folder,
        "edgefit evaluate optimizer",
        &format!("evaluate optimizer {asked} --budget 50"),
    );
    let comparison = format!("proxy compare {asked} --measurements 5,10");
    documented(&folder, "edgefit proxy compare", &comparison);
}

/// Accuracies of cells at two precisions, those at int8 a point lower for every 1x1 convolution.
#[test]
fn accuracies() {
    let folder = TempDir::new().unwrap();
    let quantized = folder.path().join("quantized");
    std::fs::create_dir(&quantized).unwrap();
    std::fs::write(
        quantized.join("dataset.toml"),
        "space = \"nasbench201\"\ndescription = \"A test.\"\norigin = \"measured\"\n",
    )
    .unwrap();
    let mut rows = "task,architecture,precision,accuracy_percent\n".to_string();
    for (position, cell) in architectures()[7000..7120].iter().enumerate() {
        let at_full_precision = 60.0 + (position * 37 % 120) as f64 / 10.0;
        let at_eight_bits = at_full_precision - cell.matches("1x1").count() as f64;
        rows += &format!("cifar10,{cell},fp32,{at_full_precision}\ncifar10,{cell},int8,{at_eight_bits}\n");
    }
    std::fs::write(quantized.join("accuracy.csv"), rows).unwrap();
    let short = "[accuracy]\nmembers = 1\nhidden = 16\nepochs = 3\n";
    std::fs::write(folder.path().join("short.toml"), short).unwrap();
    let asked = "evaluate accuracy --dataset {quantized} --config {short.toml} --precision int8 --json";
    let scores = documented(
        &folder,
        "edgefit evaluate accuracy",
        &format!("{asked} --teacher {{quantized}}"),
    );
    assert_eq!(
        (&scores["precision"], &scores["drop"]["from"]),
        (&"int8".into(), &"cifar10".into())
    );
    let alone = documented(&folder, "edgefit evaluate accuracy", asked);
    assert_eq!(alone["drop"], Value::Null);
    let datasheets = "evaluate datasheets --checkpoint nasbench201 --json";
    documented(&folder, "edgefit evaluate datasheets", datasheets);
}

#[test]
fn datasets_and_proxies() {
    let folder = trained();
    documented(&folder, "edgefit data summary", "data summary {fleet} --json");
    documented(&folder, "edgefit proxy matrix", "proxy matrix --dataset {fleet} --json");
    documented(&folder, "edgefit proxy select", "proxy select --dataset {fleet} --json");
    let adapt = "proxy adapt --dataset {fleet} --proxy pixel3 --targets raspi4,fpga --samples 20 --json";
    documented(&folder, "edgefit proxy adapt", adapt);
}
