//! Tuning: with a tool that takes the longer the larger a model is, so that what every limit allows is known.

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::driver::{Run, edgefit, program};
use crate::measure::{CALL, TOOL, bench};

fn tune(folder: &Path, options: &str) -> Run {
    let mut command = Command::new(program());
    command
        .current_dir(folder)
        .args([
            "tune",
            "--checkpoint",
            "nasbench201",
            "--runtime",
            "command",
            "--command",
            CALL,
        ])
        .args("--device phone.toml --runs 10 --rounds 2".split(' '))
        .args(options.split(' '));
    Run::of(command.output().unwrap())
}

/// What the tool says a model takes in the median: 5 ms and one for every 200,000 bytes, two percent more in the third of five runs.
fn tool_ms(model: &Path) -> f64 {
    1.02 * (5.0 + fs::metadata(model).unwrap().len() as f64 / 200_000.0)
}

fn rows(folder: &Path, table: &str) -> usize {
    fs::read_to_string(folder.join(table).join("measurements.csv"))
        .unwrap()
        .lines()
        .count()
        - 1
}

#[test]
fn every_limit_gets_a_model_that_holds_it_when_run() {
    let folder = bench(TOOL);
    let folder = folder.path();
    let options = "--limits-ms 8,12 --probes 5 --budget 16 --out tuned";
    let report: Value = serde_json::from_str(&tune(folder, &format!("{options} --json")).succeeded().stdout).unwrap();
    let spent = |key: &str| report["spent"][key].as_u64().unwrap() as usize;
    assert_eq!(spent("probes"), 5);
    assert!(spent("probes") + spent("designs") + spent("confirmations") <= 16);
    assert_eq!(rows(folder, "tuned/measurements"), spent("probes") + spent("designs"));
    assert_eq!(rows(folder, "tuned/confirmation"), spent("confirmations"));
    let mut accuracies = Vec::new();
    for (design, limit) in report["designs"].as_array().unwrap().iter().zip([8.0, 12.0]) {
        assert_eq!(
            (&design["max_latency_ms"], &design["holds"]),
            (&limit.into(), &true.into())
        );
        let model = folder.join("tuned").join(design["model"].as_str().unwrap());
        let (told, really) = (
            design["confirmed_latency_ms"]["mean"].as_f64().unwrap(),
            tool_ms(&model),
        );
        assert!((told / really - 1.0).abs() < 1e-3 && really <= limit, "{told} {really}");
        accuracies.push(design["accuracy"]["mean"].as_f64().unwrap());
    }
    assert!(accuracies.is_sorted(), "{accuracies:?}");
    let page = fs::read_to_string(folder.join("tuned/report.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("2 of 2 limits are held as measured"));
    assert!(page.contains("front of all measured") && !page.contains("true front"));
    // The device can be designed for at once.
    let design =
        "design --checkpoint nasbench201 --device {tuned/device.json} --max-latency-ms 9 --count 1 --format json";
    edgefit(folder, design).succeeded();

    // Everything is there: nothing is measured again, and the answers are the same.
    fs::remove_file(folder.join("tool.sh")).unwrap();
    tune(folder, options).failed(2, &["tuned", "an earlier one", "--resume"]);
    let again: Value =
        serde_json::from_str(&tune(folder, &format!("{options} --json --resume")).succeeded().stdout).unwrap();
    assert_eq!(again["designs"], report["designs"]);
}

/// The tool takes less time for a smaller model, as which the same network comes in bytes.
#[test]
fn of_two_precisions_the_more_accurate_answer_is_taken() {
    let folder = bench(TOOL);
    let folder = folder.path();
    let options = "--limits-ms 6.4,9 --precisions fp32,int8,fp32 --probes 4 --budget 48 --out tuned --json";
    let run = tune(folder, options).succeeded();
    assert!(
        run.stderr.contains(
            "accuracies of quantized networks are simulated: what the checkpoint knows less up to 0.04 points"
        ),
        "{}",
        run.stderr
    );
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let designs = report["designs"].as_array().unwrap();
    assert_eq!(designs.len(), 4);
    for (pair, limit) in designs.chunks(2).zip([6.4, 9.0]) {
        let (float, bytes) = (&pair[0], &pair[1]);
        assert_eq!(
            (&float["quantization"], &bytes["quantization"]),
            (&"fp32".into(), &"int8".into())
        );
        assert!(pair.iter().all(|design| design["max_latency_ms"] == limit));
        let accuracy = |design: &Value| design["accuracy"]["mean"].as_f64().unwrap();
        // The smallest network is more than the first limit allows where weights have four bytes.
        assert_eq!(
            (&float["holds"], &bytes["holds"]),
            (&(limit > 6.5).into(), &true.into())
        );
        assert_eq!(bytes["chosen"], limit < 6.5 || accuracy(bytes) > accuracy(float));
        assert_ne!(float["chosen"], bytes["chosen"]);
        let mut both = [bytes, float];
        both.sort_by_key(|design| design["chosen"] != true);
        let [taken, other] = both;
        assert!(tool_ms(&folder.join("tuned").join(taken["model"].as_str().unwrap())) <= limit);
        assert!(other["model"].is_null());
    }
    // 1 ms beyond the program's own is 200,000 bytes: of weights of 4 bytes for 50,000, of one byte for nearly four times that.
    assert_eq!(designs[1]["chosen"], true);
    let measurements = fs::read_to_string(folder.join("tuned/measurements/measurements.csv")).unwrap();
    let at = |precision: &str| measurements.lines().filter(|line| line.contains(precision)).count();
    assert!(at(",fp32,") >= 4 && at(",int8,") >= 4 && at(",fp32,") + at(",int8,") <= 48);
    let page = fs::read_to_string(folder.join("tuned/report.html")).unwrap();
    assert!(page.contains("Several precisions were compared") && page.contains("2 of 2 limits"));
    for precision in ["fp32", "int8"] {
        let design = "design --checkpoint nasbench201 --max-latency-ms 9 --count 1 --format json --device";
        let run = edgefit(folder, &format!("{design} {{tuned/device-{precision}.json}}")).succeeded();
        let designs: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(designs[0]["quantization"], precision);
    }
}

/// With the limit out of the way the most accurate design is taken: the one that loses least to its policy.
#[test]
fn layers_in_floating_point_are_tuned_for_as_a_precision_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = "tune --checkpoint nasbench201 --precisions int8,int8-except-last --max-latency-ms 10000 --probes 2 --budget 10 --batch 1 \
                --rounds 1 --runs 2 --seconds 0 --warmup-runs 1 --warmup-seconds 0 --yes --json --out {tuned}";
    let run = edgefit(folder, line).succeeded();
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let [bytes, except] = report["designs"].as_array().unwrap().as_slice() else {
        panic!("{report}")
    };
    assert_eq!(
        (&bytes["quantization"], &except["quantization"]),
        (&"int8".into(), &"int8-except-last".into())
    );
    assert_eq!(bytes["architecture"], except["architecture"]);
    let accuracy = |design: &Value| design["accuracy"]["mean"].as_f64().unwrap();
    let gained = accuracy(except) - accuracy(bytes);
    // All of 10.42 / 256 points but the share of what stays in 8 bits.
    assert!(gained > 0.0 && gained < 10.42 / 256.0, "{gained}");
    assert!(except["chosen"] == true && except["accuracy_origin"] == "simulated");
    let measurements = fs::read_to_string(folder.join("tuned/measurements/measurements.csv")).unwrap();
    assert!(measurements.contains(",int8-except-last,"), "{measurements}");
    let model = fs::read(folder.join("tuned").join(except["model"].as_str().unwrap())).unwrap();
    let design = format!(
        "--design {}@int8-except-last --out {{model.onnx}}",
        except["architecture"].as_str().unwrap()
    );
    let exported = edgefit(folder, &format!("export {design} --classes 100")).succeeded();
    assert!(exported.stderr.contains("1 of "), "{}", exported.stderr);
    assert_eq!(fs::read(folder.join("model.onnx")).unwrap(), model);
    // Both devices together are settings of one machine.
    let devices = "--device {tuned/device-int8.json} --device {tuned/device-int8-except-last.json}";
    let run = edgefit(
        folder,
        &format!("design --checkpoint nasbench201 {devices} --count 1 --format json"),
    )
    .succeeded();
    let designs: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(designs[0]["quantization"], "int8-except-last");
}

#[test]
fn what_no_design_holds_is_said() {
    let folder = bench(TOOL);
    let folder = folder.path();
    let run = tune(folder, "--max-latency-ms 2 --probes 4 --budget 8 --out tuned");
    run.failed(3, &["no design that was measured holds any of the limits"]);
    assert!(!folder.join("tuned/within-2-ms.onnx").exists());
    assert!(folder.join("tuned/report.html").exists());
}

#[test]
fn what_cannot_be_tuned_for_is_refused() {
    let folder = bench(TOOL);
    let folder = folder.path();
    let refused = |options: &str, parts: &[&str]| {
        tune(folder, &format!("--out tuned {options}")).failed(2, parts);
        assert!(!folder.join("tuned").exists(), "{options}");
    };
    refused("--probes 4", &["limits on latency", "neither"]);
    refused("--limits-ms 8 --max-latency-ms 8", &["limits on latency", "both"]);
    refused("--limits-ms 8 --latency-weight 0.5", &["weights"]);
    refused("--limits-ms -1", &["latency limit", "-1"]);
    refused("--limits-ms 8 --budget 11", &["measurements allowed", "12 to"]);
    refused("--limits-ms 8 --worth nan", &["worth"]);
}

/// The README's first command, on this machine as it is. Nothing is asserted of how long networks take here.
#[test]
fn quickstart_measures_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let run = edgefit(folder.path(), "quickstart").succeeded();
    for part in [
        "1. The shipped checkpoint",
        "2. The 10 networks",
        "3. The predictor adapted",
        "measured ms",
        "edgefit tune",
    ] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    let measured = run.stdout.lines().filter(|line| line.contains("\"ks\""));
    let last = |line: &str| line.split_whitespace().rev().nth(1).unwrap().parse::<f64>().unwrap();
    let latencies: Vec<f64> = measured.map(last).collect();
    assert_eq!(latencies.len(), 3, "{}", run.stdout);
    assert!(latencies.iter().all(|&latency| latency > 0.0), "{latencies:?}");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}
