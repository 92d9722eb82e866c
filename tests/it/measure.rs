//! Measuring: with a tool that takes the longer the larger a model is, from probes to predictions.

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use crate::driver::{Run, edgefit, program};

/// Prints for a model (`$1`) and a number of runs (`$2`) 5 ms and one for every 200,000 bytes, one percent more in each run of five,
/// times `$3`; and two mJ for every ms.
pub(crate) const TOOL: &str = r#"
bytes=$(wc -c < "$1")
awk -v b="$bytes" -v n="$2" -v f="${3:-1}" 'BEGIN {
    printf "{\"latency_ms\": ["
    for (i = 0; i < n; i++) printf "%s%.6f", (i ? ", " : ""), f * (5 + b / 200000) * (1 + 0.01 * (i % 5))
    printf "], \"energy_mj\": %.6f, \"runtime\": \"tool 2\", \"warnings\": []}\n", 2 * (5 + b / 200000)
}'
"#;
const CELLS: [&str; 3] = [
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_1x1~0|+|skip_connect~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_1x1~2|",
    "|skip_connect~0|+|none~0|avg_pool_3x3~1|+|nor_conv_1x1~0|none~1|skip_connect~2|",
];

/// A folder with the tool, three cells and the datasheet of a phone.
pub(crate) fn bench(tool: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tool.sh"), tool).unwrap();
    fs::write(folder.path().join("cells.txt"), CELLS.join("\n")).unwrap();
    fs::write(
        folder.path().join("phone.toml"),
        "id = \"my-phone\"\nclass = \"mobile-cpu\"\n",
    )
    .unwrap();
    folder
}

/// The command with the tool, in little rounds.
fn command(folder: &Path, tool: &str, options: &str) -> Command {
    let mut command = Command::new(program());
    command
        .current_dir(folder)
        .args(["measure", "--runtime", "command", "--command", tool]);
    command.args("--device phone.toml --runs 10 --rounds 2 --out mine".split(' '));
    command.args(options.split(' '));
    command
}

fn measure(folder: &Path, tool: &str, options: &str) -> Run {
    Run::of(command(folder, tool, options).output().unwrap())
}

pub(crate) const CALL: &str = "sh tool.sh {model} {runs}";

/// The cells of a column of comma-separated values whose cells hold no commas.
fn column(csv: &str, name: &str) -> Vec<String> {
    let mut lines = csv.lines();
    let place = lines.next().unwrap().split(',').position(|one| one == name).unwrap();
    lines
        .map(|line| line.split(',').nth(place).unwrap().to_string())
        .collect()
}

#[test]
fn from_probes_to_predictions() {
    let folder = bench(TOOL);
    let options = "--checkpoint nasbench201 --probes 6 --probes-out probes.csv --format csv";
    let run = measure(folder.path(), CALL, options).succeeded();
    assert_eq!(column(&run.stdout, "device"), ["my-phone_command_fp32_1t"; 6]);
    assert_eq!(column(&run.stdout, "runs"), ["10"; 6]);
    // Runs of 1.00 to 1.04 times the same: the median is 1.02, the 90th percentile of ten runs 1.04, the energy 2.
    let numbers = |name: &str| {
        column(&run.stdout, name)
            .into_iter()
            .map(|text| text.parse::<f64>().unwrap())
    };
    for ((median, p90), energy) in numbers("latency_ms")
        .zip(numbers("latency_ms_p90"))
        .zip(numbers("energy_mj"))
    {
        assert!((p90 / median - 1.04 / 1.02).abs() < 1e-5, "{median} {p90}");
        assert!((energy / median - 2.0 / 1.02).abs() < 1e-5, "{median} {energy}");
    }
    let written = fs::read_to_string(folder.path().join("probes.csv")).unwrap();
    assert_eq!(column(&written, "latency_ms"), column(&run.stdout, "latency_ms"));
    let table = fs::read_to_string(folder.path().join("mine/measurements.csv")).unwrap();
    assert_eq!(column(&table, "latency_ms"), column(&run.stdout, "latency_ms"));
    assert_eq!(column(&table, "origin"), ["measured"; 6]);
    assert!(
        fs::read_to_string(folder.path().join("mine/samples.jsonl"))
            .unwrap()
            .contains("tool 2")
    );
    edgefit(folder.path(), "data validate {mine}").succeeded();
    // The dataset as it is, and the probes alone.
    let adapt = |from: &str| {
        format!("adapt --checkpoint nasbench201 --probes {{{from}}} --device {{phone.toml}} --out {{{from}.json}}")
    };
    edgefit(
        folder.path(),
        "adapt --checkpoint nasbench201 --probes {mine} --out {phone.json}",
    )
    .succeeded();
    edgefit(folder.path(), &adapt("probes.csv")).succeeded();
    let predict = |device: &str| {
        let line = format!("predict --checkpoint nasbench201 --device {{{device}}} --architectures {{cells.txt}}");
        column(&edgefit(folder.path(), &line).succeeded().stdout, "latency_ms")
    };
    // With a second device, which one is meant has to be said.
    measure(
        folder.path(),
        CALL,
        "--checkpoint nasbench201 --probes 2 --precision fp16",
    )
    .succeeded();
    edgefit(
        folder.path(),
        "adapt --checkpoint nasbench201 --probes {mine} --out {other.json}",
    )
    .failed(2, &["my-phone_command_fp32_1t, my-phone_command_fp16_1t", "none named"]);
    edgefit(
        folder.path(),
        "adapt --checkpoint nasbench201 --probes {mine} --device my-phone_command_fp16_1t --out {other.json}",
    )
    .succeeded();
    let latencies = predict("phone.json");
    assert!(
        latencies[0].parse::<f64>().unwrap() > latencies[2].parse::<f64>().unwrap(),
        "{latencies:?}"
    );
    assert_eq!(predict("probes.csv.json").len(), 3);
}

#[test]
fn microseconds_are_asked_about_and_converted() {
    let folder = bench(TOOL);
    let call = "sh tool.sh {model} {runs} 1000";
    let options = "--checkpoint nasbench201 --architectures cells.txt";
    measure(folder.path(), call, options).failed(2, &["microseconds", "--unit", "--yes"]);
    assert!(!folder.path().join("mine/measurements.csv").exists());
    measure(folder.path(), call, &format!("{options} --unit us")).succeeded();
    let table = fs::read_to_string(folder.path().join("mine/measurements.csv")).unwrap();
    let latencies = column(&table, "latency_ms");
    assert!(
        latencies
            .iter()
            .all(|one| (5.0..40.0).contains(&one.parse::<f64>().unwrap())),
        "{latencies:?}"
    );
}

#[test]
fn a_design_that_the_tool_refuses_is_named() {
    let fails = |condition: &str| format!("if {condition}; then echo too large >&2; exit 3; fi\n{TOOL}");
    let folder = bench(&fails("[ $(wc -c < \"$1\") -gt 1000000 ]"));
    let run = measure(folder.path(), CALL, "--space nasbench201 --architectures cells.txt").succeeded();
    assert!(
        run.stderr.contains(CELLS[0]) && run.stderr.contains("kept out"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("too large"), "{}", run.stderr);
    let folder = bench(&fails("true"));
    measure(folder.path(), CALL, "--space nasbench201 --architectures cells.txt")
        .failed(1, &["too large", CELLS[0].split('+').next().unwrap()]);
}

#[test]
fn interrupted_work_is_resumed() {
    let folder = bench(&format!("sleep 0.3\n{TOOL}"));
    let options = "--space nasbench201 --architectures cells.txt";
    let mut child = command(folder.path(), CALL, options)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let samples = folder.path().join("mine/samples.jsonl");
    // One line says how it is measured; the first designs are kept together, once they were looked at.
    while fs::read_to_string(&samples).map_or(0, |text| text.lines().count()) < 4 {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        sleep(Duration::from_millis(10));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    Run::of(output).failed(1, &["interrupted", "samples.jsonl", "--resume"]);
    // Of two rounds of three designs, four or five are there: one design at least lacks its second.
    let rows =
        fs::read_to_string(folder.path().join("mine/measurements.csv")).map_or(0, |text| text.lines().count() - 1);
    assert!(rows < 3, "{rows}");
    measure(folder.path(), CALL, options).failed(2, &["was stopped and can be resumed", "--force"]);
    measure(folder.path(), CALL, &format!("{options} --resume")).succeeded();
    let rounds = fs::read_to_string(&samples).unwrap();
    // Three designs in two rounds, none of them twice.
    assert_eq!(rounds.lines().filter(|line| line.starts_with("{\"round\"")).count(), 6);
    let table = fs::read_to_string(folder.path().join("mine/measurements.csv")).unwrap();
    assert_eq!(column(&table, "latency_ms").len(), 3);
    // What is there is there.
    let again = measure(folder.path(), CALL, options).succeeded();
    assert!(
        again.stderr.contains("there already: 3 of the designs"),
        "{}",
        again.stderr
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    let folder = bench(TOOL);
    let fails = |options: &str, parts: &[&str]| {
        let run = Command::new(program())
            .current_dir(folder.path())
            .args(options.split(' '))
            .output()
            .unwrap();
        Run::of(run).failed(2, parts);
    };
    let cells = "measure --space nasbench201 --architectures cells.txt --out mine";
    fails(
        &format!("{cells} --runtime command"),
        &["--command", "docs/MEASURING.md"],
    );
    fails(&format!("{cells} --runtime command --command tool"), &["--device"]);
    fails(
        &format!("{cells} --library python"),
        &["--library", "--runtime onnxruntime"],
    );
    fails(&format!("{cells} --rounds 60"), &["rounds: expected 1 to 50"]);
    fails(&format!("{cells} --probes 3"), &["--probes"]);
    assert!(!folder.path().join("mine").exists());
}

#[test]
fn this_machine_is_described() {
    let folder = tempfile::tempdir().unwrap();
    edgefit(folder.path(), "device describe --out {this.toml}").succeeded();
    let text = fs::read_to_string(folder.path().join("this.toml")).unwrap();
    assert!(
        text.starts_with("unit = ") && text.contains("memory-bandwidth-gb-s"),
        "{text}"
    );
    fs::write(folder.path().join("cells.txt"), CELLS[1]).unwrap();
    edgefit(
        folder.path(),
        "predict --checkpoint nasbench201 --device {this.toml} --architectures {cells.txt}",
    )
    .succeeded();
    // Replacing a datasheet is fine, replacing notes is not.
    edgefit(
        folder.path(),
        "device describe --threads 1 --precision int8 --out {this.toml}",
    )
    .succeeded();
    fs::write(folder.path().join("notes.txt"), "dear diary").unwrap();
    edgefit(folder.path(), "device describe --out {notes.txt}").failed(2, &["notes.txt"]);
}
