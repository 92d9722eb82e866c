//! The exit status tells what kind of failure it was, the same for every command.

use std::fs;

use crate::driver::edgefit;

/// A file that is missing: status 1, and its path. What the user asked for or wrote in a configuration cannot be: status 2.
#[test]
fn missing_files_fail_and_wrong_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("empty")).unwrap();
    fs::write(path.join("broken.toml"), "known = = 3\n").unwrap();
    fs::write(path.join("broken.csv"), "architecture,latency\n").unwrap();
    let cases = [
        ("benchmark {absent.toml} --dataset {empty}", 1, "absent.toml"),
        ("benchmark {broken.toml} --dataset {empty}", 2, "broken.toml:1"),
        ("benchmark nn --dataset {empty}", 2, "`nn`"),
        (
            "train predictor --config {absent.toml} --dataset {empty} --out {x}",
            1,
            "absent.toml",
        ),
        (
            "train predictor --config {broken.toml} --dataset {empty} --out {x}",
            2,
            "broken.toml:1",
        ),
        ("train predictor --dataset {absent} --out {x}", 1, "absent"),
        ("train predictor --dataset {empty} --out {x}", 1, "empty"),
        ("train optimizer --predictor {absent} --out {x}", 1, "absent"),
        (
            "train optimizer --predictor {empty} --config {absent.toml} --out {x}",
            1,
            "absent.toml",
        ),
        (
            "train optimizer --predictor {empty} --config {broken.toml} --out {x}",
            2,
            "broken.toml:1",
        ),
        ("data simulate --config {absent.toml} --out {x}", 1, "absent.toml"),
        ("data simulate --config {broken.toml} --out {x}", 2, "broken.toml:1"),
        ("data summary {absent}", 1, "absent"),
        ("data validate {empty}", 1, "empty"),
        (
            "data import csv {absent.csv} --space nasbench201 --out {x}",
            1,
            "absent.csv",
        ),
        (
            "data import csv {broken.csv} --space nasbench --out {x}",
            2,
            "`nasbench`",
        ),
        ("probes --checkpoint {absent}", 1, "absent"),
        ("probes --checkpoint {empty}", 1, "empty"),
        ("design --checkpoint {absent} --device pixel3", 1, "absent"),
        (
            "design --checkpoint {absent} --device pixel3 --max-latency-ms -1",
            2,
            "-1",
        ),
        (
            "predict --checkpoint {empty} --device pixel3 --architectures {absent}",
            1,
            "empty",
        ),
        ("search nsga2 --checkpoint {empty} --device pixel3", 1, "empty"),
    ];
    for (line, status, told) in cases {
        let run = edgefit(path, line);
        assert_eq!(run.status, status, "{line}: {run:?}");
        assert!(run.stderr.contains(told), "{line}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{line}");
        assert!(!path.join("x").exists(), "{line} left something behind");
    }
}
