//! From a dataset to designs through the program: what is printed, in which fields, and that it keeps what it promises.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::driver::{Run, edgefit, program};
use crate::trained::{
    TINY, UNSEEN, adapted, architectures, copy, latency_ms, measure, train_predictor, trained, untrained,
};

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap()
}

/// Fails unless `value` has exactly these keys, separated by blanks.
#[track_caller]
fn has_keys(value: &Value, keys: &str) {
    let found: BTreeSet<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(found, keys.split(' ').collect());
}

/// Fails unless `value` is an interval around its mean.
#[track_caller]
fn is_interval(value: &Value) {
    has_keys(value, "mean low high");
    let at = |key: &str| value[key].as_f64().unwrap();
    assert!(at("low") <= at("mean") && at("mean") <= at("high"), "{value}");
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

const DESIGN: &str = "design --checkpoint {nb} --device {phone.json} --format json";
const DESIGN_FIELDS: &str = "checkpoint device seed knowledge limits feasible architecture quantization accuracy accuracy_origin \
                             latency_ms energy_mj macs_m parameters_m size_mib memory_kib feasible_probability";

#[test]
fn probes_are_a_table_to_fill_in() {
    let folder = trained();
    let printed = edgefit(folder.path(), "probes --checkpoint {nb} --count 7").succeeded();
    edgefit(folder.path(), "probes --checkpoint {nb} --count 7 --out {p.csv}").succeeded();
    assert_eq!(fs::read_to_string(folder.path().join("p.csv")).unwrap(), printed.stdout);
    let lines: Vec<&str> = printed.stdout.lines().collect();
    assert_eq!(lines[0], "architecture,latency_ms,energy_mj");
    let known: BTreeSet<String> = architectures().into_iter().collect();
    let chosen: BTreeSet<&str> = lines[1..].iter().map(|line| line.strip_suffix(",,").unwrap()).collect();
    assert_eq!(chosen.len(), 7);
    assert!(chosen.iter().all(|one| known.contains(*one)));
}

#[test]
fn designs_hold_their_limits_by_their_own_prediction() {
    let folder = trained();
    adapted(folder.path());
    let run = edgefit(folder.path(), &format!("{DESIGN} --max-latency-ms 12 --count 3")).succeeded();
    let designs = json(&run);
    let designs = designs.as_array().unwrap();
    assert_eq!(designs.len(), 3);
    for design in designs {
        has_keys(design, DESIGN_FIELDS);
        for field in ["accuracy", "latency_ms", "energy_mj"] {
            is_interval(&design[field]);
        }
        assert!(number(&design["latency_ms"]["mean"]) <= 12.0, "{design}");
        assert!(number(&design["feasible_probability"]) >= 0.9, "{design}");
        assert!(design["accuracy_origin"].as_str().is_some_and(|one| !one.is_empty()));
    }
    let accuracies: Vec<f64> = designs.iter().map(|one| number(&one["accuracy"]["mean"])).collect();
    assert!(accuracies.is_sorted_by(|a, b| a >= b), "{accuracies:?}");

    // What is predicted for the designs' architectures is what the designs say.
    let listed: Vec<&str> = designs
        .iter()
        .map(|one| one["architecture"].as_str().unwrap())
        .collect();
    fs::write(folder.path().join("cells.txt"), listed.join("\n")).unwrap();
    let predict = "predict --checkpoint {nb} --device {phone.json} --architectures {cells.txt} --format json";
    let rows = json(&edgefit(folder.path(), predict).succeeded());
    for (row, design) in rows.as_array().unwrap().iter().zip(designs) {
        has_keys(
            row,
            "architecture quantization accuracy accuracy_origin latency_ms energy_mj checkpoint device seed",
        );
        assert_eq!(row["architecture"], design["architecture"]);
        let (one, other) = (
            number(&row["latency_ms"]["mean"]),
            number(&design["latency_ms"]["mean"]),
        );
        assert!((one / other - 1.0).abs() < 1e-4, "{one} {other}");
    }

    // A search over the whole space under the same predictor finds nothing better.
    let search =
        "search exhaustive --checkpoint {nb} --device {phone.json} --max-latency-ms 12 --count 1 --format json";
    let best = json(&edgefit(folder.path(), search).succeeded());
    has_keys(&best[0], DESIGN_FIELDS);
    assert_eq!(best[0]["architecture"], designs[0]["architecture"]);
    for searcher in ["nsga2", "random"] {
        let search = search.replace("exhaustive", searcher);
        let found = json(&edgefit(folder.path(), &search).succeeded());
        assert!(number(&found[0]["latency_ms"]["mean"]) <= 12.0);
        assert!(number(&found[0]["accuracy"]["mean"]) <= number(&best[0]["accuracy"]["mean"]) + 1e-6);
    }
}

#[test]
fn limits_on_what_is_computed_hold_without_a_doubt() {
    let folder = trained();
    adapted(folder.path());
    let free = json(&edgefit(folder.path(), &format!("{DESIGN} --count 1")).succeeded());
    for (flag, key) in [
        ("max-macs-m", "macs_m"),
        ("max-parameters-m", "parameters_m"),
        ("max-size-mib", "size_mib"),
        ("max-memory-kib", "memory_kib"),
    ] {
        // What the best design without limits has is just allowed, and a little less is not.
        let value = number(&free[0][key]);
        let within =
            |limit: f64| json(&edgefit(folder.path(), &format!("{DESIGN} --count 3 --{flag} {limit}")).succeeded());
        assert_eq!(within(value)[0]["architecture"], free[0]["architecture"], "{flag}");
        for design in within(0.99 * value).as_array().unwrap() {
            assert!(number(&design[key]) <= 0.99 * value, "{flag}: {design}");
            assert_eq!(number(&design["feasible_probability"]), 1.0, "{flag}: {design}");
        }
        let command = "search nsga2 --checkpoint {nb} --device {phone.json} --budget 300 --format json";
        let found = json(&edgefit(folder.path(), &format!("{command} --{flag} {}", 0.99 * value)).succeeded());
        for design in found.as_array().unwrap() {
            assert!(number(&design[key]) <= 0.99 * value, "{flag}: {design}");
        }
        edgefit(folder.path(), &format!("{DESIGN} --{flag} 1e-12")).failed(3, &["closest misses"]);
    }
}

#[test]
fn a_search_says_that_it_prints_a_front_and_a_design_what_it_is_the_best_of() {
    let folder = trained();
    adapted(folder.path());
    let table = |command: &str| edgefit(folder.path(), command).succeeded().stdout;
    let search = "search random --checkpoint {nb} --device {phone.json} --budget 50";
    assert!(table(search).contains("50 architectures evaluated, then others of their front"));
    let design = "design --checkpoint {nb} --device {phone.json}";
    assert!(table(design).contains("the best of all 15625 architectures"));
}

#[test]
fn every_format_holds_the_same_designs() {
    let folder = trained();
    adapted(folder.path());
    let design = "design --checkpoint {nb} --device {phone.json} --max-latency-ms 12 --count 2 --format";
    let designs = json(&edgefit(folder.path(), &format!("{design} json")).succeeded());
    let csv = edgefit(folder.path(), &format!("{design} csv")).succeeded().stdout;
    let table = edgefit(folder.path(), &format!("{design} table")).succeeded().stdout;
    assert_eq!(csv.lines().count(), 3);
    for design in designs.as_array().unwrap() {
        let architecture = design["architecture"].as_str().unwrap();
        assert!(
            csv.contains(architecture) && table.contains(architecture),
            "{csv}\n{table}"
        );
    }
}

#[test]
fn an_unreachable_limit_prints_the_closest_design_and_what_it_misses() {
    let folder = trained();
    adapted(folder.path());
    let run = edgefit(folder.path(), &format!("{DESIGN} --max-latency-ms 0.001"));
    let run = run.failed(3, &["no design meets the limits", "closest misses", "latency", "ms"]);
    let designs = json(&run);
    assert_eq!(designs.as_array().unwrap().len(), 1);
    has_keys(&designs[0], DESIGN_FIELDS);
    assert!(number(&designs[0]["latency_ms"]["mean"]) > 0.001);
    assert!(number(&designs[0]["feasible_probability"]) < 0.9);
    let search = "search exhaustive --checkpoint {nb} --device {phone.json} --max-latency-ms 0.001";
    edgefit(folder.path(), search).failed(3, &["no design meets the limits", "closest misses"]);
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    let folder = trained();
    adapted(folder.path());
    for limits in [
        "--max-latency-ms 0",
        "--max-latency-ms=-3",
        "--max-latency-ms -3",
        "--max-energy-mj -3",
        "--min-accuracy -1",
        "--min-accuracy 170",
        "--max-macs-m 0",
        "--max-parameters-m -1",
        "--max-size-mib NaN",
        "--max-memory-kib=-1",
        "--count 0",
        "--count 18446744073709551615",
        "--samples 18446744073709551615",
        "--max-latency-ms NaN",
        "--max-latency-ms 5 --confidence 1.5",
        "--latency-weight=-1",
    ] {
        let run = edgefit(folder.path(), &format!("{DESIGN} {limits}"));
        assert_eq!(run.status, 2, "{limits}: {run:?}");
        assert!(run.stderr.contains("expected"), "{limits}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn a_device_is_known_or_described_or_unknown() {
    let folder = trained();
    fs::write(folder.path().join("cells.txt"), architectures()[7000..7003].join("\n")).unwrap();
    fs::write(
        folder.path().join("board.toml"),
        "id = \"my-board\"\nclass = \"board-cpu\"\npeak-gflops = 48\n",
    )
    .unwrap();
    let predict = |device: &str| {
        let line = format!("predict --checkpoint {{nb}} --device {device} --architectures {{cells.txt}}");
        edgefit(folder.path(), &line)
    };
    let width = |run: &Run| {
        let cells: Vec<String> = run
            .stdout
            .lines()
            .nth(1)
            .unwrap()
            .split(',')
            .map(str::to_string)
            .collect();
        let at = |index: usize| cells[index].parse::<f64>().unwrap();
        // The upper and the lower end of the latency.
        at(8) / at(7)
    };
    let known = predict("pixel3").succeeded();
    assert!(!known.stderr.contains("nothing was measured"), "{}", known.stderr);
    fs::write(folder.path().join("box.toml"), "id = \"my-box\"\n").unwrap();
    for (device, id, from) in [
        ("raspi4", "raspi4", "its datasheet"),
        ("{board.toml}", "my-board", "its datasheet"),
        ("{box.toml}", "my-box", "what the known devices have in common"),
    ] {
        let run = predict(device).succeeded();
        let said = format!("note: nothing was measured on {id}, so its predictions follow from {from}");
        assert!(
            run.stderr.contains(&said) && run.stderr.contains("edgefit probes"),
            "{}",
            run.stderr
        );
        assert!(width(&run) > width(&known), "nothing measured, yet as sure");
    }
    assert_eq!(predict("raspi4").stdout.lines().count(), 4);
    predict("pixle3").failed(2, &["unknown device `pixle3`", "did you mean `pixel3`?"]);
    fs::write(folder.path().join("typo.toml"), "id = \"b\"\nclas = \"gpu\"\n").unwrap();
    predict("{typo.toml}").failed(2, &["typo.toml:2", "did you mean `class`?"]);
    predict("{absent.toml}").failed(1, &["cannot read", "absent.toml"]);
    predict("{absent.json}").failed(1, &["cannot read", "absent.json"]);
}

#[test]
fn predictions_read_from_stdin_and_name_a_bad_line() {
    let folder = trained();
    let cells = format!("{}\n\n|nor_conv_9x9~0|\n", architectures()[9]);
    fs::write(folder.path().join("cells.txt"), &cells).unwrap();
    let line = "predict --checkpoint {nb} --device pixel3 --architectures";
    edgefit(folder.path(), &format!("{line} {{cells.txt}}")).failed(1, &["cells.txt:3", "nasbench201"]);
    let mut child = Command::new(program())
        .args(["predict", "--device", "pixel3", "--architectures", "-", "--checkpoint"])
        .arg(folder.path().join("nb"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), architectures()[9].as_bytes()).unwrap();
    let run = Run::of(child.wait_with_output().unwrap()).succeeded();
    assert_eq!(run.stdout.lines().count(), 2);
}

#[test]
fn predictor_scores_have_the_fields_of_the_contract() {
    let folder = trained();
    let line = "evaluate predictor --checkpoint {nb} --dataset {fleet} --probes 0,10 --repeats 3 --json";
    let report = json(&edgefit(folder.path(), line).succeeded());
    has_keys(
        &report,
        "checkpoint protocol metric probe_choice seed devices rows mean",
    );
    assert_eq!(
        (&report["protocol"], &report["metric"]),
        (&"full".into(), &"latency".into())
    );
    let rows = report["rows"].as_array().unwrap();
    // Unless devices are named: all that the checkpoint does not know, at each number of probes.
    assert_eq!(rows.len(), 2 * UNSEEN.len());
    for row in rows {
        has_keys(
            row,
            "device probes repeats spearman kendall mape_percent median_error_percent within_10_percent coverage_90",
        );
        assert!(UNSEEN.contains(&row["device"].as_str().unwrap()));
        for figure in [
            "spearman",
            "kendall",
            "mape_percent",
            "within_10_percent",
            "coverage_90",
        ] {
            is_interval(&row[figure]);
        }
    }
    for (mean, probes) in report["mean"].as_array().unwrap().iter().zip([0, 10]) {
        assert_eq!(mean["probes"], probes);
        for figure in [
            "spearman",
            "kendall",
            "mape_percent",
            "within_10_percent",
            "coverage_90",
        ] {
            let of_rows = rows.iter().filter(|row| row["probes"] == probes);
            let sum: f64 = of_rows.map(|row| number(&row[figure]["mean"])).sum();
            assert!(
                (number(&mean[figure]) - sum / UNSEEN.len() as f64).abs() < 1e-9,
                "{mean}"
            );
        }
    }
}

#[test]
fn scoring_a_known_device_or_with_too_many_probes_is_said() {
    let folder = trained();
    let line = "evaluate predictor --checkpoint {nb} --dataset {fleet} --json";
    // 280 rows are measured of each device.
    let run = edgefit(folder.path(), &format!("{line} --devices raspi4 --probes 280"));
    run.failed(2, &["raspi4", "280", "Use fewer probes"]);
    let run = edgefit(folder.path(), &format!("{line} --devices raspi4 --probes 5000"));
    run.failed(2, &["raspi4", "Use fewer probes"]);
    let run = edgefit(
        folder.path(),
        &format!("{line} --devices pixel3 --probes 5 --repeats 1"),
    )
    .succeeded();
    assert!(run.stderr.contains("warning: the checkpoint was trained on pixel3"));
    edgefit(folder.path(), &format!("{line} --devices raspi_4")).failed(2, &["did you mean `raspi4`?"]);
}

/// The accuracy of the made-up truth, in percent, all different.
fn accuracy(index: usize, architecture: &str) -> f64 {
    let count = |operation: &str| architecture.matches(operation).count() as f64;
    20.0 + 8.0 * count("nor_conv_3x3") + 6.0 * count("nor_conv_1x1") + 2.0 * count("skip_connect") + index as f64 * 1e-4
}

/// A dataset with one device, all architectures, [`latency_ms`] and [`accuracy`].
pub(crate) fn write_truth(folder: &Path) {
    fs::create_dir(folder).unwrap();
    let manifest = "space = \"nasbench201\"\norigin = \"simulated\"\ninput = \"32x32\"\n\
                    [tasks]\nsimulated-cifar100 = \"a formula\"\n";
    fs::write(folder.join("dataset.toml"), manifest).unwrap();
    fs::write(folder.join("devices.csv"), "id,unit\nmade-up,made-up\n").unwrap();
    let mut latencies = "device,architecture,precision,input,latency_ms,energy_mj,origin\n".to_string();
    let mut accuracies = "task,architecture,precision,accuracy_percent,origin\n".to_string();
    for (index, one) in architectures().iter().enumerate() {
        writeln!(latencies, "made-up,{one},fp32,32x32,{},,simulated", latency_ms(one)).unwrap();
        writeln!(
            accuracies,
            "simulated-cifar100,{one},fp32,{},simulated",
            accuracy(index, one)
        )
        .unwrap();
    }
    fs::write(folder.join("measurements.csv"), latencies).unwrap();
    fs::write(folder.join("accuracy.csv"), accuracies).unwrap();
}

#[test]
fn design_scores_are_looked_up_in_the_table() {
    let folder = trained();
    write_truth(&folder.path().join("truth"));
    let line = "evaluate optimizer --checkpoint {nb} --dataset {truth} --devices made-up --probes 10 --limits 4 \
                --budget 100 --accuracy-labels 200 --json";
    let report = json(&edgefit(folder.path(), line).succeeded());
    has_keys(
        &report,
        "checkpoint probes probe_choice confidence seed devices accuracies rows summary predicted_accuracies parts baselines",
    );
    has_keys(&report["devices"][0], "device unit origin duplicate_of counted");
    assert_eq!(report["accuracies"]["scored_with"]["simulated"], 15625);
    assert_eq!(report["accuracies"]["labels"], 200);
    let chosen_by = report["accuracies"]["chosen_by"].as_object().unwrap();
    assert_eq!(chosen_by.values().map(number).sum::<f64>(), 15625.0);
    has_keys(&report["baselines"], "exhaustive nsga2 random one_proxy");
    has_keys(&report["parts"], "policy random_refined policy_refined");
    let figures = "mean_regret mean_regret_low mean_regret_high mean_regret_within_limits violation_rate mean_overshoot \
                   hypervolume_ratio hypervolume_ratio_of_whole_front microseconds_per_design";
    let methods = ["exhaustive", "nsga2", "random", "one_proxy"].map(|name| &report["baselines"][name]);
    let parts = ["policy", "random_refined", "policy_refined"].map(|name| &report["parts"][name]);
    let all = [&report["summary"], &report["predicted_accuracies"]];
    for summary in all.into_iter().chain(methods).chain(parts) {
        has_keys(summary, figures);
        assert!(number(&summary["mean_regret"]) >= 0.0, "{summary}");
        for ratio in ["hypervolume_ratio", "hypervolume_ratio_of_whole_front"] {
            assert!((0.0..=1.0).contains(&number(&summary[ratio])), "{summary}");
        }
    }
    let truth: Vec<(String, f64, f64)> = architectures()
        .into_iter()
        .enumerate()
        .map(|(index, one)| (one.clone(), latency_ms(&one), accuracy(index, &one)))
        .collect();
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    let mut violations = 0.0;
    for row in rows {
        has_keys(
            row,
            "device repeat limit_ms limit_quantile architecture quantization feasible_probability accuracy_origin \
             true_latency_ms true_accuracy oracle_accuracy regret violated overshoot",
        );
        let limit = number(&row["limit_ms"]);
        let own = truth.iter().find(|one| row["architecture"] == one.0.as_str()).unwrap();
        assert_eq!(number(&row["true_latency_ms"]), own.1);
        assert!((number(&row["true_accuracy"]) - own.2).abs() < 1e-9);
        let oracle = truth
            .iter()
            .filter(|one| one.1 <= limit)
            .map(|one| one.2)
            .fold(0.0, f64::max);
        assert!((number(&row["oracle_accuracy"]) - oracle).abs() < 1e-9);
        assert!((number(&row["regret"]) - (oracle - own.2).max(0.0)).abs() < 1e-9);
        assert_eq!(row["violated"], own.1 > limit);
        assert!((number(&row["overshoot"]) - (own.1 / limit - 1.0).max(0.0)).abs() < 1e-9);
        violations += f64::from(own.1 > limit);
    }
    assert_eq!(number(&report["summary"]["violation_rate"]), violations / 4.0);
}

#[test]
fn mistakes_in_what_to_train_on_name_the_nearest() {
    let folder = untrained();
    let path = folder.path();
    let line = "train predictor --dataset {fleet} --out {new}";
    edgefit(path, &format!("{line} --devices pixel_3")).failed(2, &["unknown device", "did you mean `pixel3`?"]);
    edgefit(path, &format!("{line} --task simulated-cifar10"))
        .failed(2, &["unknown task", "did you mean `simulated-cifar100`?"]);
    fs::write(path.join("typo.toml"), "[towers]\nepoch = 4\n").unwrap();
    let parts = ["typo.toml:2", "unknown key `epoch`", "did you mean `epochs`?"];
    edgefit(path, &format!("{line} --config {{typo.toml}}")).failed(2, &parts);
    fs::write(path.join("words.toml"), "[towers]\nepochs = \"many\"\n").unwrap();
    edgefit(path, &format!("{line} --config {{words.toml}}")).failed(2, &["words.toml:2", "many"]);
    fs::write(path.join("zero.toml"), "[towers]\nmembers = 0\n").unwrap();
    edgefit(path, &format!("{line} --config {{zero.toml}}")).failed(2, &["towers.members", "1 to 64", "found 0"]);
    edgefit(path, &format!("{line} --samples-per-device 3")).failed(2, &["samples-per-device", "at least 30"]);
    let absent = "train predictor --dataset {absent} --out {new}";
    edgefit(path, absent).failed(1, &["absent"]);
    assert!(!path.join("new/checkpoint.json").exists(), "nothing was learned");
}

/// Starts training and stops it as Ctrl-C does, once it has begun.
#[cfg(unix)]
fn interrupted(folder: &Path, more: &[&str]) -> Run {
    let state = folder.join("long/.training/latency-0/progress.json");
    let child = Command::new(program())
        .args(["train", "predictor", "--dataset"])
        .arg(folder.join("fleet"))
        .arg("--config")
        .arg(folder.join("long.toml"))
        .arg("--out")
        .arg(folder.join("long"))
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let written = || fs::metadata(&state).and_then(|one| one.modified()).ok();
    let earlier = written();
    // The state is written every few seconds; a run that starts over first removes the one it finds.
    while written().is_none() || written() == earlier {
        assert!(began.elapsed() < Duration::from_secs(60), "no state is written");
        std::thread::sleep(Duration::from_millis(50));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    Run::of(child.wait_with_output().unwrap())
}

#[cfg(unix)]
#[test]
fn interrupted_training_is_continued_with_the_same_options_only() {
    let folder = untrained();
    let path = folder.path();
    let long = TINY.replace("epochs = 4", "epochs = 1000000\npatience = 1000000");
    fs::write(path.join("long.toml"), &long).unwrap();
    interrupted(path, &[]).failed(1, &["interrupted", "--resume"]);
    assert!(!path.join("long/checkpoint.json").exists());
    let line = "train predictor --dataset {fleet} --config {long.toml} --out {long} --resume";
    edgefit(path, &format!("{line} --seed 5")).failed(2, &["to be resumed", "run.toml", "start over"]);
    edgefit(path, &format!("{line} --devices pixel3,raspi4,edgetpu")).failed(2, &["to be resumed"]);
    interrupted(path, &["--resume"]).failed(1, &["interrupted"]);
    // One latency more is another dataset.
    let table = path.join("fleet/measurements.csv");
    let whole = fs::read_to_string(&table).unwrap();
    let shorter = whole.trim_end().rsplit_once('\n').unwrap().0;
    fs::write(&table, format!("{shorter}\n")).unwrap();
    edgefit(path, line).failed(2, &["to be resumed: expected `data = ", "found `data = ", "run.toml"]);
    fs::write(&table, whole).unwrap();

    // A run that starts over must not find what another one left of later members.
    copy(
        &path.join("long/.training/latency-0"),
        &path.join("long/.training/latency-1"),
    );
    let fresh = "train predictor --dataset {fleet} --config {long.toml} --out {long} --seed 5";
    edgefit(path, fresh).failed(2, &["long/.training holds a training that was stopped", "--force"]);
    interrupted(path, &["--seed", "5", "--force"]).failed(1, &["interrupted"]);
    assert!(!path.join("long/.training/latency-1").exists());
}

#[test]
fn rows_of_devices_left_out_of_training_change_nothing() {
    let folder = trained();
    let path = folder.path();
    let table = path.join("fleet/measurements.csv");
    let text = fs::read_to_string(&table).unwrap();
    let changed: Vec<String> = text
        .lines()
        .map(|line| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if UNSEEN.contains(&cells[0]) {
                (cells[4], cells[5]) = ("0.125", "7.5");
            }
            cells.join(",")
        })
        .collect();
    assert_ne!(changed.join("\n"), text.trim_end());
    fs::write(&table, changed.join("\n")).unwrap();
    edgefit(path, &format!("{} --out {{other}}", train_predictor())).succeeded();
    // Scales, noises, basis, centres and calibrations, all of which the towers set; their own files carry random names.
    let learned = |checkpoint: &str| fs::read(path.join(checkpoint).join("predictor.json")).unwrap();
    assert!(learned("nb") == learned("other"));
    fs::write(path.join("cells.txt"), architectures()[5000..5050].join("\n")).unwrap();
    let predict = "predict --device pixel3 --architectures {cells.txt} --checkpoint";
    let predicted = |checkpoint: &str| edgefit(path, &format!("{predict} {{{checkpoint}}}")).succeeded().stdout;
    assert_eq!(predicted("nb"), predicted("other"));
}

#[test]
fn the_same_probes_give_the_same_device() {
    let folder = trained();
    let path = folder.path();
    adapted(path);
    let adapt = "adapt --checkpoint {nb} --probes {probes.csv} --out {again.json} --device {phone.toml}";
    fs::write(path.join("phone.toml"), "id = \"phone\"\n").unwrap();
    edgefit(path, adapt).succeeded();
    assert_eq!(
        fs::read(path.join("phone.json")).unwrap(),
        fs::read(path.join("again.json")).unwrap()
    );
    edgefit(
        path,
        "probes --checkpoint {nb} --count 9 --out {probes.csv} --seed 9 --force",
    )
    .succeeded();
    measure(&path.join("probes.csv"));
    edgefit(path, &format!("{adapt} --seed 9")).succeeded();
    assert_ne!(
        fs::read(path.join("phone.json")).unwrap(),
        fs::read(path.join("again.json")).unwrap()
    );
}
