//! What is printed: safe for the terminal, as wide as it, and in letters that it has.

use std::fs;
use std::process::Command;

use crate::driver::{Run, edgefit, program};

/// A dataset whose device and task have names that would clear a terminal and hide what follows.
fn hostile() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("dataset.toml"), "space = \"nasbench201\"\n").unwrap();
    let cell = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|";
    fs::write(
        path.join("measurements.csv"),
        format!("device,architecture,latency_ms\nphone\u{1b}[2J,{cell},1\n"),
    )
    .unwrap();
    folder
}

#[test]
fn control_characters_of_ids_are_escaped() {
    let folder = hostile();
    let table = edgefit(folder.path(), "data summary {odd}").succeeded().stdout;
    assert!(
        table.contains("phone\\u{1b}[2J") && !table.contains('\u{1b}'),
        "{table}"
    );
    let run = edgefit(
        folder.path(),
        "predict --checkpoint nasbench201 --architectures - --device \u{1b}[2J",
    );
    let run = run.failed(2, &["unknown device `\\u{1b}[2J`"]);
    assert!(!run.stderr.contains('\u{1b}'), "{}", run.stderr);
}

/// Designs as a table where the terminal is so wide and the locale is this one.
fn designs(columns: &str, locale: &str) -> String {
    let line = "design --checkpoint nasbench201 --device pixel3 --max-latency-ms 10 --count 2";
    let output = Command::new(program())
        .args(line.split(' '))
        .env("COLUMNS", columns)
        .env("LC_ALL", locale)
        .output()
        .unwrap();
    Run::of(output).succeeded().stdout
}

#[test]
fn tables_are_as_wide_as_the_terminal() {
    for columns in [80, 120] {
        let table = designs(&columns.to_string(), "C.UTF-8");
        let widest = table.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns, "{table}");
        assert!(table.lines().any(|line| line.contains("nor_conv_3x3~")), "{table}");
    }
    // Without a terminal, as in a file, nothing is broken.
    let table = edgefit(
        std::path::Path::new("."),
        "design --checkpoint nasbench201 --device pixel3 --max-latency-ms 10 --count 1",
    );
    let table = table.succeeded().stdout;
    assert!(table.lines().any(|line| line.matches('|').count() >= 9), "{table}");
}

#[test]
fn tables_are_plain_ascii_where_the_locale_is_c() {
    assert!(designs("100", "C").is_ascii());
    assert!(!designs("100", "en_US.UTF-8").is_ascii());
}
