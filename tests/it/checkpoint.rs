//! A checkpoint is the same wherever it lies, and is refused when it is not whole.

use std::fs;
use std::path::Path;

use crate::driver::{Run, edgefit};
use crate::trained::{adapted, architectures, copy, trained, untrained};

const PREDICT: &str = "predict --device pixel3 --architectures {cells.txt} --format json --checkpoint";
const DESIGN: &str = "design --device pixel3 --max-latency-ms 40 --format json --checkpoint";

fn write_cells(folder: &Path) {
    let cells: Vec<String> = architectures().into_iter().step_by(97).collect();
    fs::write(folder.join("cells.txt"), cells.join("\n")).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_copy_answers_as_the_original() {
    let folder = trained();
    write_cells(folder.path());
    copy(&folder.path().join("nb"), &folder.path().join("copy"));
    for verb in [PREDICT, DESIGN] {
        let first = edgefit(folder.path(), &format!("{verb} {{nb}}")).succeeded().stdout;
        let again = edgefit(folder.path(), &format!("{verb} {{nb}}")).succeeded().stdout;
        let copied = edgefit(folder.path(), &format!("{verb} {{copy}}")).succeeded().stdout;
        assert_eq!(first, again);
        assert_eq!(first, copied);
    }
}

#[test]
fn both_processor_backends_predict_alike() {
    let folder = trained();
    write_cells(folder.path());
    let on = |backend: &str| {
        let line =
            format!("predict --device pixel3 --architectures {{cells.txt}} --checkpoint {{nb}} --backend {backend}");
        let run = edgefit(folder.path(), &line).succeeded();
        let cells = run
            .stdout
            .lines()
            .skip(1)
            .map(|line| line.split(',').nth(5).unwrap().to_string());
        cells.map(|cell| cell.parse::<f64>().unwrap()).collect::<Vec<f64>>()
    };
    for (flex, ndarray) in on("flex").into_iter().zip(on("ndarray")) {
        // Single precision sums in another order.
        assert!((flex / ndarray - 1.0).abs() < 1e-4, "{flex} {ndarray}");
    }
}

/// Designs use every file of a checkpoint.
fn damaged(folder: &Path) -> Run {
    edgefit(folder, &format!("{DESIGN} {{nb}}"))
}

#[test]
fn a_flipped_bit_in_any_file_is_noticed() {
    let folder = trained();
    let checkpoint = folder.path().join("nb");
    let mut files = names(&checkpoint);
    // The options of the training are for people; nothing is computed from them.
    files.retain(|name| name != "run.toml");
    assert!(files.len() >= 7, "{files:?}");
    for name in files {
        let path = checkpoint.join(&name);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let run = damaged(folder.path());
        assert_eq!(run.status, 1, "{name}: {run:?}");
        // A byte of the manifest may be one of another file's hash, whose file is then named.
        let named = if name == "checkpoint.json" {
            "nb/"
        } else {
            name.as_str()
        };
        assert!(run.stderr.contains(named), "{name}: {}", run.stderr);
        assert!(
            run.stderr.contains("Restore the checkpoint from a copy"),
            "{name}: {}",
            run.stderr
        );
        assert_eq!(run.stdout, "");
        fs::write(&path, whole).unwrap();
    }
    damaged(folder.path()).succeeded();
}

#[test]
fn a_missing_file_is_named() {
    let folder = trained();
    let checkpoint = folder.path().join("nb");
    for name in names(&checkpoint).into_iter().filter(|name| name != "run.toml") {
        let path = checkpoint.join(&name);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        damaged(folder.path()).failed(1, &[&name, "Restore the checkpoint from a copy"]);
        fs::write(&path, whole).unwrap();
    }
    fs::remove_dir_all(&checkpoint).unwrap();
    damaged(folder.path()).failed(1, &["nb", "nothing of this name"]);
}

fn edit_manifest(folder: &Path, from: &str, to: &str) {
    let path = folder.join("nb/checkpoint.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn another_format_or_space_or_id_is_refused() {
    let folder = trained();
    edit_manifest(folder.path(), "\"format\": 4", "\"format\": 999");
    damaged(folder.path()).failed(
        1,
        &["checkpoint.json", "format version 4", "version 999", "Train it again"],
    );

    let folder = trained();
    edit_manifest(folder.path(), "\"nasbench201\"", "\"nasbench901\"");
    damaged(folder.path()).failed(1, &["nb", "nasbench201", "`nasbench901`"]);

    let folder = trained();
    edit_manifest(folder.path(), "\"predictor\": \"", "\"predictor\": \"0");
    damaged(folder.path()).failed(1, &["checkpoint.json", "Restore the checkpoint from a copy"]);

    let folder = trained();
    fs::write(folder.path().join("nb/checkpoint.json"), "{\"format\": 4").unwrap();
    damaged(folder.path()).failed(1, &["checkpoint.json", "a manifest"]);
}

#[test]
fn names_in_a_manifest_do_not_lead_out_of_the_folder() {
    let folder = trained();
    edit_manifest(folder.path(), "\"policy.bpk\"", "\"../policy.bpk\"");
    damaged(folder.path()).failed(1, &["plain file names", "../policy.bpk"]);
}

#[test]
fn a_device_of_another_checkpoint_is_adapted_to_again() {
    let folder = trained();
    let path = folder.path();
    write_cells(path);
    adapted(path);
    let text = fs::read_to_string(path.join("phone.json")).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&text).unwrap();
    other["device"]["predictor"] = "0000000000000000".into();
    fs::write(path.join("other.json"), other.to_string()).unwrap();
    other["device"]["measured"] = serde_json::json!([]);
    fs::write(path.join("nothing.json"), other.to_string()).unwrap();
    fs::write(path.join("broken.json"), &text[..text.len() / 2]).unwrap();
    let predict = |device: &str| {
        let line = format!("predict --checkpoint {{nb}} --architectures {{cells.txt}} --device {{{device}.json}}");
        edgefit(path, &line)
    };
    // The same probes give the same device.
    assert_eq!(predict("phone").succeeded().stdout, predict("other").succeeded().stdout);
    let parts = [
        "nothing.json",
        "0000000000000000",
        "Adapt to the device with this checkpoint",
    ];
    predict("nothing").failed(2, &parts);
    predict("broken").failed(1, &["broken.json", "Adapt to the device again"]);
}

/// Where every architecture of the space can be looked at, the best designs need no optimizer.
#[test]
fn a_predictor_alone_designs_in_a_listed_space() {
    let folder = untrained();
    let path = folder.path();
    let options = "--devices pixel2,pixel3,raspi4 --config {tiny.toml} --out {nb}";
    edgefit(path, &format!("train predictor --dataset {{fleet}} {options}")).succeeded();
    assert!(!path.join("nb/.training").exists());
    for verb in ["design", "search random"] {
        let line = format!("{verb} --checkpoint {{nb}} --device pixel3 --max-latency-ms 1000");
        edgefit(path, &line).succeeded();
    }
    let score = "evaluate optimizer --checkpoint {nb} --dataset {fleet} --devices edgetpu --limits 1";
    edgefit(path, score).failed(1, &["optimizer", "edgefit train optimizer"]);
}
