//! What somebody measured or trained is not lost by a command that writes to the same place.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::driver::{Run, edgefit, program};
use crate::trained::{adapted, train_predictor, trained};

#[test]
fn measurements_are_not_replaced_unless_forced() {
    let folder = trained();
    let path = folder.path();
    adapted(path);
    let measured = fs::read_to_string(path.join("probes.csv")).unwrap();
    let told = ["probes.csv holds measurements", "would be lost", "--force"];
    let probes = "probes --checkpoint {nb} --count 3 --out {probes.csv}";
    edgefit(path, probes).failed(2, &told);
    // Onto its own input.
    edgefit(path, "adapt --checkpoint {nb} --probes {probes.csv} --out {probes.csv}").failed(2, &told);
    assert_eq!(fs::read_to_string(path.join("probes.csv")).unwrap(), measured);
    // A device is replaced by a device.
    edgefit(path, "adapt --checkpoint {nb} --probes {probes.csv} --out {phone.json}").succeeded();
    edgefit(path, "probes --checkpoint {nb} --count 3 --out {phone.json}").failed(2, &["holds a device"]);
    edgefit(path, &format!("{probes} --force")).succeeded();
    assert_eq!(fs::read_to_string(path.join("probes.csv")).unwrap().lines().count(), 4);
    // Without values there is nothing to lose.
    edgefit(path, probes).succeeded();
}

#[test]
fn a_checkpoint_with_an_optimizer_is_not_replaced_unless_forced() {
    let folder = trained();
    let path = folder.path();
    let before = fs::read(path.join("nb/checkpoint.json")).unwrap();
    let train = format!("{} --out {{nb}}", train_predictor());
    edgefit(path, &train).failed(2, &["nb holds a checkpoint with an optimizer", "--force"]);
    assert_eq!(fs::read(path.join("nb/checkpoint.json")).unwrap(), before);
    edgefit(path, &format!("{train} --force --seed 7")).succeeded();
    assert!(!path.join("nb/policy.bpk").exists());
    // An optimizer of another predictor does not take its place either.
    edgefit(path, &format!("{} --out {{other}}", train_predictor())).succeeded();
    edgefit(
        path,
        "train optimizer --predictor {other} --config {optimizer.toml} --out {nb}",
    )
    .failed(2, &["nb holds a checkpoint with another predictor"]);
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_same_seed_gives_the_same_files() {
    let folder = trained();
    let path = folder.path();
    edgefit(path, &format!("{} --out {{again}}", train_predictor())).succeeded();
    edgefit(
        path,
        "train optimizer --predictor {again} --config {optimizer.toml} --out {again}",
    )
    .succeeded();
    let (first, again) = (files(&path.join("nb")), files(&path.join("again")));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&first), names(&again));
    for ((name, one), (_, other)) in first.iter().zip(&again) {
        assert!(one == other, "{name} differs");
    }
}

#[test]
fn a_dash_is_stdout() {
    let folder = trained();
    let path = folder.path();
    adapted(path);
    let run = edgefit(path, "probes --checkpoint {nb} --count 3 --out -").succeeded();
    assert_eq!(run.stdout.lines().count(), 4);
    assert!(run.stdout.starts_with("architecture,latency_ms"), "{}", run.stdout);
    let run = edgefit(path, "adapt --checkpoint {nb} --probes {probes.csv} --out -").succeeded();
    let device: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (&device["format"], &device["device"]["id"]),
        (&2.into(), &"device".into())
    );
}

#[cfg(unix)]
#[test]
fn a_device_file_of_the_system_stays_what_it_is() {
    let folder = trained();
    let run = |out: &Path| {
        let mut command = Command::new(program());
        command
            .args(["probes", "--count", "3", "--checkpoint"])
            .arg(folder.path().join("nb"));
        Run::of(command.arg("--out").arg(out).output().unwrap()).succeeded()
    };
    let through = run(Path::new("/dev/stdout")).stdout;
    assert_eq!(through.lines().count(), 4, "{through}");
    // Root may replace the files in /dev, so this is tried on a link to one.
    let null = folder.path().join("null");
    std::os::unix::fs::symlink("/dev/null", &null).unwrap();
    run(&null);
    assert!(fs::symlink_metadata(&null).unwrap().is_symlink());
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

/// Another process that writes to the folder is waited for, ten seconds at most.
#[cfg(unix)]
#[test]
fn a_folder_in_use_is_told() {
    let folder = trained();
    let path = folder.path();
    let writer = fs::File::open(path.join("nb")).unwrap();
    writer.lock().unwrap();
    let line = "train optimizer --predictor {nb} --config {optimizer.toml} --out {nb}";
    edgefit(path, line).failed(1, &["nb is in use", "Try again"]);
    // To read it is no harm.
    edgefit(path, "probes --checkpoint {nb} --count 3").succeeded();
}
