//! Numbers, names and places on the command line.

use std::path::Path;

use super::cases::Case;
use super::copy;

pub(super) fn all(sound: &Path) -> Vec<Case> {
    let mut cases = numbers();
    cases.extend(places(sound));
    cases.extend(names());
    cases
}

/// Values of numeric options: nothing, negative, no number, without end, and beyond integers.
const VALUES: [&str; 6] = ["0", "-1", "NaN", "inf", "9223372036854775808", "18446744073709551616"];

/// The status for each of [`VALUES`], an option, and the command that it is of. A point stands for what takes a training.
const OPTIONS: &str = "\
2 2 2 2 0 0  max-latency-ms     design --checkpoint {sound/nb} --device pixel3
2 2 2 2 0 0  max-energy-mj      design --checkpoint {sound/nb} --device pixel3
2 2 2 2 2 2  min-accuracy       design --checkpoint {sound/nb} --device pixel3
2 2 2 2 0 0  max-macs-m         design --checkpoint {sound/nb} --device pixel3
2 2 2 2 0 0  max-parameters-m   design --checkpoint {sound/nb} --device pixel3
2 2 2 2 0 0  max-size-mib       design --checkpoint {sound/nb} --device pixel3
2 2 2 2 0 0  max-memory-kib     design --checkpoint {sound/nb} --device pixel3
0 2 2 2 0 0  latency-weight     design --checkpoint {sound/nb} --device pixel3
0 2 2 2 0 0  energy-weight      design --checkpoint {sound/nb} --device pixel3
2 2 2 2 2 2  confidence         design --checkpoint {sound/nb} --device pixel3 --max-latency-ms 10
2 2 2 2 2 2  count              design --checkpoint {sound/nb} --device pixel3
0 2 2 2 2 2  samples            design --checkpoint {sound/nb} --device pixel3
0 2 2 2 0 2  seed               design --checkpoint {sound/nb} --device pixel3
2 2 2 2 0 2  budget             search random --checkpoint {sound/nb} --device pixel3
2 2 2 2 0 2  budget             search nsga2 --checkpoint {sound/nb} --device pixel3
2 2 2 2 0 2  budget             search exhaustive --checkpoint {sound/nb} --device pixel3
2 2 2 2 2 2  count              search random --budget 20 --checkpoint {sound/nb} --device pixel3
2 2 2 2 0 0  max-latency-ms     search random --budget 20 --checkpoint {sound/nb} --device pixel3
2 2 2 2 2 2  confidence         search random --budget 20 --checkpoint {sound/nb} --device pixel3
2 2 2 2 2 2  limits             pareto --checkpoint {sound/nb} --device pixel3
2 2 2 2 0 0  limits-ms          pareto --checkpoint {sound/nb} --device pixel3
2 2 2 2 2 2  count              probes --checkpoint {sound/nb}
0 2 2 2 0 2  seed               probes --checkpoint {sound/nb} --count 2
0 2 2 2 2 2  probes             evaluate predictor --checkpoint {sound/nb} --dataset {sound/fleet} --devices pixel2 --repeats 1
2 2 2 2 2 2  repeats            evaluate predictor --checkpoint {sound/nb} --dataset {sound/fleet} --devices pixel2 --probes 5
2 2 2 2 2 2  probes             evaluate optimizer --checkpoint {sound/nb} --dataset {sound/fleet} --devices pixel2 --accuracy-labels 0
2 2 2 2 2 2  limits             evaluate optimizer --checkpoint {sound/nb} --dataset {sound/fleet} --devices pixel2 --accuracy-labels 0
2 2 2 2 2 2  confidence         evaluate optimizer --checkpoint {sound/nb} --dataset {sound/fleet} --devices pixel2 --accuracy-labels 0
2 2 2 2 2 2  repeats            evaluate optimizer --checkpoint {sound/nb} --dataset {sound/fleet} --devices pixel2 --accuracy-labels 0
2 2 2 2 2 2  samples            evaluate optimizer --checkpoint {sound/nb} --dataset {sound/fleet} --devices pixel2 --accuracy-labels 0
2 2 2 2 2 2  budget             evaluate optimizer --checkpoint {sound/nb} --dataset {sound/fleet} --devices pixel2 --accuracy-labels 0
2 2 2 2 . 2  accuracy-labels    evaluate optimizer --checkpoint {sound/nb} --dataset {sound/fleet} --devices pixel2
2 2 2 2 2 2  repeats            benchmark {sound/benchmark.toml} --dataset {sound/fleet}
0 0 2 2 2 2  threshold          proxy matrix --dataset {sound/fleet}
0 2 2 2 0 2  least-common       proxy matrix --dataset {sound/fleet}
0 0 2 2 2 2  threshold          proxy select --dataset {sound/fleet}
0 2 2 2 0 2  further            proxy select --dataset {sound/fleet}
2 2 2 2 0 2  samples            proxy adapt --dataset {sound/fleet} --proxy pixel3 --targets raspi4
2 2 2 2 2 2  repeats            proxy adapt --dataset {sound/fleet} --proxy pixel3 --targets raspi4
2 2 2 2 0 2  layers             proxy adapt --dataset {sound/fleet} --proxy pixel3 --targets raspi4
2 2 2 2 . 2  samples-per-device train predictor --dataset {sound/fleet} --config {sound/tiny.toml} --out {out}";

fn numbers() -> Vec<Case> {
    let mut cases = Vec::new();
    for row in OPTIONS.lines() {
        let (statuses, rest) = row.split_at(2 * VALUES.len());
        let (option, command) = rest.trim().split_once(' ').unwrap();
        let expected = VALUES.iter().zip(statuses.split_whitespace());
        for (value, status) in expected.filter(|(_, status)| *status != ".") {
            cases.push(Case {
                name: format!("--{option} {value}"),
                line: format!("{command} --{option} {value}"),
                write: Box::new(|_| ()),
                statuses: vec![status.parse().unwrap()],
            });
        }
    }
    cases
}

/// Commands that write a file, and those that write a folder.
const WRITERS: [(&str, bool); 9] = [
    ("probes --checkpoint {sound/nb} --count 2 --out", false),
    ("adapt --checkpoint {sound/nb} --probes {sound/probes.csv} --out", false),
    ("report proxy --from {sound/comparison.json} --out", false),
    ("pareto --checkpoint {sound/nb} --device pixel3 --svg", false),
    ("proxy matrix --dataset {sound/fleet} --csv", false),
    ("proxy matrix --dataset {sound/fleet} --svg", false),
    (
        "train optimizer --predictor {sound/nb} --config {sound/optimizer.toml} --out",
        true,
    ),
    ("data simulate --config {sound/table.toml} --out", true),
    (
        "data import csv {sound/few/measurements.csv} --space nasbench201 --out",
        true,
    ),
];

/// Places to write to that are taken, are none, or are full.
fn places(sound: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for (command, is_folder) in WRITERS {
        let places: &[(&str, i32)] = if is_folder {
            &[("{probes.csv}", 1), ("{probes.csv/x}", 1)]
        } else {
            &[
                ("{probes.csv}", 2),
                ("{few}", 1),
                ("{absent/x}", 1),
                ("{probes.csv/x}", 1),
                ("/dev/full", 1),
            ]
        };
        for &(place, status) in places {
            let sound = sound.to_path_buf();
            cases.push(Case {
                name: "a place that is taken, or none".into(),
                line: format!("{command} {place}"),
                write: Box::new(move |folder| {
                    copy(&sound.join("probes.csv"), &folder.join("probes.csv"));
                    copy(&sound.join("few"), &folder.join("few"));
                }),
                statuses: vec![status],
            });
        }
    }
    cases
}

/// Names that nothing has, on options that take a name.
fn names() -> Vec<Case> {
    let commands = [
        "design --checkpoint {sound/nb} --device",
        "predict --checkpoint {sound/nb} --architectures {sound/cells.txt} --device",
        "probes --count 2 --checkpoint",
        "devices --class",
        "search --checkpoint {sound/nb} --device pixel3",
        "pareto --checkpoint {sound/nb} --device pixel3 --limits-ms",
        "evaluate predictor --checkpoint {sound/nb} --dataset {sound/fleet} --devices",
        "benchmark --dataset {sound/fleet} --",
        "train predictor --dataset {sound/few} --config {sound/tiny.toml} --out {out} --task",
        "train predictor --dataset {sound/few} --config {sound/tiny.toml} --out {out} --precision",
        "data import csv {sound/few/measurements.csv} --out {out} --space",
        "data import csv {sound/few/measurements.csv} --space nasbench201 --out {out} --input",
        "data import help",
        "completions",
        "proxy adapt --dataset {sound/fleet} --targets raspi4 --proxy",
    ];
    let names = [
        "../../etc/passwd",
        "\u{1b}[31mred",
        "\u{e9}\u{301}\u{202e}",
        "%s%n",
        "pixel3\u{1b}",
        ".",
    ];
    let mut cases = Vec::new();
    for command in commands {
        for name in names.map(str::to_string).into_iter().chain(["a".repeat(100_000)]) {
            cases.push(Case {
                name: "a name that nothing has".into(),
                line: format!("{command} {name}"),
                write: Box::new(|_| ()),
                statuses: vec![1, 2],
            });
        }
    }
    cases
}
