//! Designs in a search space too large to list, from a simulated fleet to the scores.

use serde_json::Value;

use crate::driver::{edgefit, prepared};
use crate::json::{compare, schema};

const FLEET: &str = r#"
space = "fbnet"
devices = ["1080ti_1", "silver_4114", "pixel2", "jetson_nano", "edgetpu", "raspi4"]
architectures = 200
architectures-per-device = 120
inputs = ["32x32"]
classes = 100
latency-noise = 0.02
energy-noise = 0.03
seed = 7

[accuracy]
task = "simulated-cifar100"
architectures = 400
noise-percent = 0.3
"#;
const PREDICTOR: &str =
    "[towers]\nmembers = 1\nhidden = 32\nepochs = 15\n[accuracy]\nmembers = 1\nhidden = 32\nepochs = 30\n";
const OPTIMIZER: &str =
    "steps = 150\nstate = 32\nhidden = 48\ndevices-per-step = 4\nqueries-per-device = 16\npool = 1024\n";

#[test]
fn designs_are_compared_with_a_search_where_no_table_holds_them_all() {
    let folder = prepared(
        &[
            ("fleet.toml", FLEET),
            ("predictor.toml", PREDICTOR),
            ("optimizer.toml", OPTIMIZER),
        ],
        &[
            "data simulate --config {fleet.toml} --out {data}",
            "train predictor --dataset {data} --config {predictor.toml} --out {all}",
            "train predictor --dataset {data} --config {predictor.toml} \
             --devices 1080ti_1,silver_4114,pixel2,jetson_nano,edgetpu --out {some}",
            "train optimizer --predictor {some} --config {optimizer.toml} --out {some}",
        ],
    );
    let line = "evaluate optimizer --checkpoint {some} --dataset {data} --limits 3 --budget 1000 --batch 9";
    let run = edgefit(folder.path(), &format!("{line} --oracle {{all}} --json")).succeeded();
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    compare(&report, &schema("In search spaces too large to list"));
    let number = |value: &Value| value.as_f64().unwrap();
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert_eq!(row["device"], "raspi4");
        for design in [row, &row["policy"], &row["random_refined"], &row["nsga2"]] {
            assert_eq!(
                design["feasible"],
                number(&design["feasible_probability"]) >= 0.9,
                "{design}"
            );
        }
        // The same designs are refined: nothing is lost.
        if row["policy"]["feasible"] == true {
            assert!(number(&row["accuracy"]) >= number(&row["policy"]["accuracy"]));
        }
        // Printed architectures are canonical.
        let printed = row["architecture"].as_str().unwrap();
        assert!(!printed.is_empty());
    }
    assert_eq!(report["nsga2"]["mean_gap"], 0.0);
    assert_eq!(report["batch"]["designs"], 9);
    assert_ne!(report["oracle"], report["checkpoint"]);
    // A table for people says the same.
    let table = edgefit(folder.path(), line).succeeded().stdout;
    assert!(table.contains("NSGA-II") && table.contains("times as long"), "{table}");
    let stranger = format!("{line} --oracle {{some}}");
    edgefit(folder.path(), &stranger).failed(2, &["oracle: expected a predictor that was trained on raspi4"]);
}
