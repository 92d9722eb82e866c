//! Architecture and quantization policy on BitFusion's published latencies and energies of layers.

use std::fs;
use std::path::Path;

use edgefit::stats;
use serde_json::Value;
use tempfile::TempDir;

use crate::driver::{edgefit, real_data};

/// A folder with `bitfusion`, 5,000 random designs with the sums of their layers; `None` without real data.
fn bitfusion() -> Option<TempDir> {
    let table = real_data()?.join("apq");
    let folder = tempfile::tempdir().unwrap();
    let line = format!(
        "data import bitfusion-lut {} --space proxylessnas_mixed --out {{bitfusion}}",
        table.display()
    );
    edgefit(folder.path(), &line).succeeded();
    Some(folder)
}

/// Columns of a table, each as the strings of its rows.
fn columns<const N: usize>(path: &Path, names: [&str; N]) -> [Vec<String>; N] {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let places = names.map(|name| header.iter().position(|one| one == name).unwrap());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    places.map(|place| rows.iter().map(|row| row[place].to_string()).collect())
}

/// Mean relative error and rank correlation of columns of numbers.
fn agreement(predicted: &[String], measured: &[String]) -> (f64, f64) {
    let numbers = |texts: &[String]| -> Vec<f64> { texts.iter().map(|text| text.parse().unwrap()).collect() };
    let (predicted, measured) = (numbers(predicted), numbers(measured));
    let errors = predicted.iter().zip(&measured);
    let errors: Vec<f64> = errors
        .map(|(predicted, measured)| (predicted / measured - 1.0).abs())
        .collect();
    (
        stats::mean(&errors).unwrap(),
        stats::spearman(&predicted, &measured).unwrap(),
    )
}

/// From two thousand designs, scored on all five thousand: three in five were never seen.
#[test]
fn sums_over_layers_with_bits_are_found_from_two_thousand_designs() {
    let Some(folder) = bitfusion() else { return };
    let folder = folder.path();
    fs::write(folder.join("quick.toml"), "[towers]\nmembers = 1\nepochs = 5\n").unwrap();
    let names = ["architecture", "latency_ms", "energy_mj"];
    let [designs, latency, energy] = columns(&folder.join("bitfusion/measurements.csv"), names);
    let mut list = csv::Writer::from_path(folder.join("designs.csv")).unwrap();
    list.write_record(["architecture"]).unwrap();
    designs.iter().for_each(|design| list.write_record([design]).unwrap());
    drop(list);
    for line in [
        "train predictor --dataset {bitfusion} --samples-per-device 2000 --config {quick.toml} --out {checkpoint}",
        "predict --checkpoint {checkpoint} --device bitfusion --architectures {designs.csv} --format csv",
    ] {
        let run = edgefit(folder, line).succeeded();
        fs::write(folder.join("predicted.csv"), run.stdout).unwrap();
    }
    let [predicted_latency, predicted_energy] = columns(&folder.join("predicted.csv"), ["latency_ms", "energy_mj"]);
    for (predicted, measured) in [(predicted_latency, latency), (predicted_energy, energy)] {
        assert_eq!(predicted.len(), measured.len());
        let (error, agreement) = agreement(&predicted, &measured);
        assert!(error <= 0.01 && agreement >= 0.999, "{error} {agreement}");
    }
}

/// At every one of ten limits the shipped optimizer's designs beat the best at eight bits, those of the best architecture at eight
/// bits with bits chosen afterwards, and NSGA-II's in the same space, here with a tenth of its usual evaluations.
#[test]
fn joint_designs_are_ahead_of_eight_bits_and_of_one_after_the_other() {
    let Some(folder) = bitfusion() else { return };
    let line = "evaluate optimizer --checkpoint proxylessnas_mixed --dataset {bitfusion} --devices bitfusion --limits 10 \
                --budget 2000 --json";
    let report: Value = serde_json::from_str(&edgefit(folder.path(), line).succeeded().stdout).unwrap();
    let points = |of: &Value, name: &str| -> Vec<f64> {
        let values = of[name].as_array().unwrap().iter();
        values.map(|value| value.as_f64().unwrap()).collect()
    };
    let gains = points(&report["policy_gain"], "points_by_limit");
    assert_eq!(gains.len(), 10);
    assert!(gains.iter().all(|&gain| gain > 0.1), "{gains:?}");
    // Gaps are behind NSGA-II, which itself has none.
    let joint = points(&report["summary"], "gap_by_limit");
    for other in ["eight_bits", "sequential", "nsga2"] {
        let behind = points(&report[other], "gap_by_limit");
        let ahead = joint.iter().zip(&behind).all(|(joint, other)| joint < other);
        assert!(ahead, "{other}: {behind:?} and {joint:?}");
    }
    assert_eq!(report["summary"]["missed"], 0.0);
}
