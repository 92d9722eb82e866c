//! Checkpoints, devices adapted to with them, and comparisons: what edgefit wrote and others may have changed.

use std::fs;
use std::path::Path;

use edgefit::error::Result;
use edgefit::evaluate::comparison::ComparisonReport;
use edgefit::predict::DeviceModel;
use edgefit::report::{Provenance, proxy_page};
use edgefit::space::Architecture;
use edgefit::{Advisor, Metric, Request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::tempdir;

use super::{Seed, are_intervals, fuzz};
use crate::report::comparison;
use crate::trained::{adapted, architectures, trained};

/// Fails the case unless everything said about the device is a number.
fn answers(advisor: &Advisor, device: &DeviceModel) -> Result<()> {
    let space = advisor.space();
    let asked: Vec<Architecture> = (architectures().iter().step_by(4000))
        .map(|one| space.parse(one))
        .collect::<Result<_>>()?;
    are_intervals(&advisor.predict(device, &asked)?);
    advisor.design(device, &Request::at_most(Metric::Latency, 10.0)?)?;
    Ok(())
}

#[test]
fn device_files() {
    let folder = trained();
    adapted(folder.path());
    let advisor = Advisor::open(folder.path().join("nb")).unwrap();
    let seeds = Seed::all(folder.path(), &["phone.json"]);
    let words = [
        "\"latency\"",
        "\"posterior\"",
        "\"root\"",
        "\"mean\"",
        "\"quantiles\"",
        "\"energy\"",
        "3e38",
        "1e-45",
    ];
    fuzz("device_files", 60, &seeds, &words, |path| {
        answers(&advisor, &DeviceModel::read(path, advisor.predictor())?)
    });
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the hashes of a checkpoint fit what its files hold now, as whoever changed them on purpose would do.
pub(crate) fn seal(folder: &Path) {
    let path = folder.join("checkpoint.json");
    let Ok(mut manifest) = serde_json::from_slice::<Value>(&fs::read(&path).unwrap()) else {
        return;
    };
    let Some(files) = manifest.get_mut("files").and_then(Value::as_object_mut) else {
        return;
    };
    let mut predictor = Sha256::new();
    for (name, hash) in files {
        let Ok(bytes) = fs::read(folder.join(name)) else { return };
        *hash = json!(digest(&bytes));
        if !["optimizer.json", "policy.bpk"].contains(&name.as_str()) {
            predictor.update((bytes.len() as u64).to_le_bytes());
            predictor.update(bytes);
        }
    }
    let id: String = predictor
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let optimizer = folder.join("optimizer.json");
    let text = fs::read_to_string(&optimizer).unwrap_or_default();
    let belongs_to = serde_json::from_str::<Value>(&text).ok();
    if let Some(before) = belongs_to.as_ref().and_then(|one| one["predictor"].as_str()) {
        let text = text.replace(before, &id);
        manifest["files"]["optimizer.json"] = json!(digest(text.as_bytes()));
        fs::write(optimizer, text).unwrap();
    }
    manifest["predictor"] = json!(id);
    fs::write(path, manifest.to_string()).unwrap();
}

#[test]
fn checkpoints() {
    let folder = trained();
    let checkpoint = folder.path().join("nb");
    let names = [
        "checkpoint.json",
        "predictor.json",
        "accuracies.csv",
        "optimizer.json",
        "latency-0.bpk",
        "accuracy-0.bpk",
        "policy.bpk",
    ];
    let seeds = Seed::all(&checkpoint, &names);
    let words = [
        "\"members\":65",
        "\"hidden\"",
        "3e38",
        "-3e38",
        "1e-45",
        "fbnet",
        "\"tdp\"",
        "\"rank\"",
        "65536",
        "[0,0]",
    ];
    fuzz("checkpoints", 30, &seeds, &words, |_| {
        seal(&checkpoint);
        let advisor = Advisor::open(&checkpoint)?;
        answers(&advisor, &advisor.device("pixel3")?)
    });
}

#[test]
fn comparisons() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("comparison.json");
    fs::write(&path, comparison("fpga").to_string()).unwrap();
    let words = [
        "\"ada-proxy\"",
        "\"few-shot\"",
        "null",
        "\"before\"",
        "[[null]]",
        "\"truth\"",
    ];
    fuzz("comparisons", 300, &[Seed::at(path)], &words, |path| {
        let report = ComparisonReport::read(path)?;
        let html = proxy_page(&report, &Provenance::of_comparison(&report, path))?.html();
        // A device may be called so.
        let is_named = fs::read_to_string(path).is_ok_and(|text| text.contains("NaN"));
        assert!(
            (is_named || !html.contains("NaN")) && html.len() < 64 << 20,
            "a page of {} bytes",
            html.len()
        );
        Ok(())
    });
}
