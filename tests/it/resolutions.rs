//! Spaces whose resolution is a gene: every network at its own size, from simulated rows to designs, and in files.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use edgefit::dataset::Dataset;
use edgefit::metric::Metric;
use edgefit::space::{InputSize, by_id};
use tempfile::tempdir;

use crate::driver::{Run, edgefit, program, real_data};

const FLEET: &str = r#"
space = "mobilenet_v3"
devices = ["1080ti_1", "pixel3", "raspi4"]
architectures = 120
classes = 1000
seed = 0
"#;

fn architecture(resolution: u32) -> String {
    let list = |entry: &str| vec![entry; 20].join(",");
    let (kernels, expansions) = (list("3"), list("4"));
    format!(r#"{{"ks":[{kernels}],"e":[{expansions}],"d":[2,2,2,2,2],"r":{resolution}}}"#)
}

/// A folder with a dataset of one row for every pair of a resolution and what its column `input` says.
fn dataset(folder: &Path, rows: &[(u32, &str)]) {
    fs::create_dir(folder.join("own")).unwrap();
    fs::write(
        folder.join("own/dataset.toml"),
        "space = \"mobilenet_v3\"\norigin = \"measured\"\n",
    )
    .unwrap();
    let mut table = String::from("device,architecture,input,latency_ms\n");
    for (resolution, input) in rows {
        let quoted = architecture(*resolution).replace('"', "\"\"");
        table += &format!("phone,\"{quoted}\",{input},{resolution}\n");
    }
    fs::write(folder.join("own/measurements.csv"), table).unwrap();
}

#[test]
fn rows_have_the_resolution_of_their_architecture() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    dataset(folder, &[(128, "128x128"), (160, ""), (224, "224x224")]);
    let run = edgefit(folder, "data validate {own}").succeeded();
    assert!(!run.stderr.contains("no input size is stated"), "{}", run.stderr);
    let summary = edgefit(folder, "data summary {own} --json").succeeded().stdout;
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["inputs"], serde_json::json!(["128x128", "160x160", "224x224"]));
    let line = "data import csv {own} --space mobilenet_v3 --out {copy}";
    edgefit(folder, line).succeeded();
    let copied = fs::read_to_string(folder.join("copy/measurements.csv")).unwrap();
    for resolution in [128, 160, 224] {
        assert!(
            copied.contains(&format!(",{resolution}x{resolution},{resolution},")),
            "{copied}"
        );
    }
}

#[test]
fn a_row_at_another_size_is_refused() {
    let folder = tempdir().unwrap();
    dataset(folder.path(), &[(128, "128x128"), (160, "224x224")]);
    let parts = ["measurements.csv:3", "own resolution, 160x160", "`224x224`"];
    edgefit(folder.path(), "data validate {own}").failed(1, &parts);
}

#[test]
fn nobody_asks_for_another_size() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("nets.txt"), architecture(160)).unwrap();
    let parts = ["input size: expected none, since the networks of mobilenet_v3 have resolutions of their own"];
    let line = "measure --space mobilenet_v3 --architectures {nets.txt} --input 224x224 --out {x}";
    edgefit(folder, line).failed(2, &parts);
    fs::write(folder.join("fleet.toml"), format!("{FLEET}inputs = [\"224x224\"]\n")).unwrap();
    edgefit(folder, "data simulate --config {fleet.toml} --out {x}").failed(2, &["inputs", "of their own"]);
}

/// What is simulated at many sizes is learned from as a whole, and a design says its resolution.
#[test]
fn networks_of_all_resolutions_are_learned_from() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("fleet.toml"), FLEET).unwrap();
    edgefit(folder, "data simulate --config {fleet.toml} --out {fleet}").succeeded();
    let rows = fs::read_to_string(folder.join("fleet/measurements.csv")).unwrap();
    let sizes: BTreeSet<&str> = rows
        .lines()
        .filter_map(|row| row.split("fp32,").nth(1)?.split(',').next())
        .collect();
    assert!(sizes.len() > 15 && sizes.contains("128x128"), "{sizes:?}");
    let quick = "[towers]\nepochs = 3\nmembers = 1\n";
    fs::write(folder.join("quick.toml"), quick).unwrap();
    let line = "train predictor --dataset {fleet} --config {quick.toml} --out {trained}";
    let run = edgefit(folder, line).succeeded();
    assert!(run.stderr.contains("learned 3 devices"), "{}", run.stderr);
    let dataset = Dataset::read(&folder.join("fleet")).unwrap();
    let selection = dataset.selection(None).unwrap();
    let values = dataset.values(0, Metric::Latency, selection).unwrap();
    assert_eq!(values.len(), 120);
}

/// Every row of DyNAS-T's search logs: MACs of all convolutions and of the classifier, and parameters, as recorded.
#[test]
fn counts_of_dynas_t() {
    let Some(data) = real_data() else {
        return;
    };
    let (space, wider) = (by_id("mobilenet_v3").unwrap(), by_id("mobilenet_v3_w1.2").unwrap());
    let (mut rows, mut configurations) = (0, BTreeSet::new());
    for entry in fs::read_dir(data.join("DyNAS-T")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "csv") {
            continue;
        }
        for row in csv::Reader::from_path(&path).unwrap().into_records() {
            let row = row.unwrap();
            let recorded = |column: usize| -> u64 { row[column].parse().unwrap() };
            let architecture = space.parse(&row[0]).unwrap();
            let network = space.lower(&architecture, InputSize::square(224), 1000);
            assert_eq!(
                (network.macs(), network.parameters()),
                (recorded(4), recorded(2)),
                "{}",
                &row[0]
            );
            let network = wider.lower(&architecture, InputSize::square(224), 1000);
            assert!(network.macs() > recorded(4) && network.parameters() > recorded(2));
            configurations.insert(row[0].to_string());
            rows += 1;
        }
    }
    assert_eq!((rows, configurations.len()), (2_373, 2_223));
}

/// Widths of a supernet share a notation: what is taken is told.
#[test]
fn a_notation_of_two_spaces_is_told() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let export = |more: &[&str]| {
        let design = architecture(128);
        let out = folder.join("net.onnx");
        let options = ["export", "--force", "--design", &design, "--out", out.to_str().unwrap()];
        Run::of(Command::new(program()).args(options).args(more).output().unwrap())
    };
    let run = export(&[]).succeeded();
    assert!(
        run.stderr
            .contains("taken to be of mobilenet_v3; mobilenet_v3_w1.2 writes"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("input 128x128"), "{}", run.stderr);
    let run = export(&["--space", "mobilenet_v3_w1.2"]).succeeded();
    assert!(!run.stderr.contains("taken to be"), "{}", run.stderr);
    export(&["--input", "160x160"]).failed(2, &["128x128, the resolution of the architecture"]);
}
