//! The shipped checkpoints load and still say what was recorded when they were made.

use std::path::{Path, PathBuf};
use std::process::Command;

use edgefit::checkpoint::Checkpoint;
use edgefit::compute::Backend;
use edgefit::metric::Metric;
use edgefit::optimize::{PredictorEvaluator, Proposals, Request};
use edgefit::search::{Constraint, ExhaustiveSearch, Limits, Problem, Searcher};
use edgefit::seed::Seed;
use edgefit::space::Architecture;
use edgefit::stats::quantile;

use crate::driver::{Run, edgefit, program, real_data};

fn shipped(space: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("checkpoints").join(space)
}

fn numbers(csv: &str) -> Vec<Vec<Option<f64>>> {
    csv.lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().ok()).collect())
        .collect()
}

/// A relative difference that other processors' rounding explains, and no other weights do.
const TOLERANCE: f64 = 1e-3;

#[test]
fn predictions_of_nasbench201_are_the_recorded_ones() {
    predictions_are_the_recorded_ones("nasbench201", "pixel3");
}

#[test]
fn predictions_of_fbnet_are_the_recorded_ones() {
    predictions_are_the_recorded_ones("fbnet", "pixel2");
}

#[test]
fn predictions_of_mobilenet_v2_are_the_recorded_ones() {
    predictions_are_the_recorded_ones("mobilenet_v2", "zcu102");
}

#[test]
fn predictions_of_mobilenet_v3_are_the_recorded_ones() {
    predictions_are_the_recorded_ones("mobilenet_v3", "v100_1");
}

#[test]
fn predictions_of_nasbench201_mixed_are_the_recorded_ones() {
    predictions_are_the_recorded_ones("nasbench201_mixed", "bitfusion");
}

#[test]
fn predictions_of_proxylessnas_mixed_are_the_recorded_ones() {
    predictions_are_the_recorded_ones("proxylessnas_mixed", "bitfusion");
}

fn predictions_are_the_recorded_ones(space: &str, device: &str) {
    let folder = tempfile::tempdir().unwrap();
    let recorded = std::fs::read_to_string(shipped(space).join("predictions.csv")).unwrap();
    std::fs::write(folder.path().join("recorded.csv"), &recorded).unwrap();
    let command = format!(
        "predict --checkpoint {} --device {device} --architectures {{recorded.csv}}",
        shipped(space).display()
    );
    let run = edgefit(folder.path(), &command).succeeded();
    let (expected, found) = (numbers(&recorded), numbers(&run.stdout));
    assert_eq!(expected.len(), found.len());
    assert!(expected.len() >= 4);
    for (expected, found) in expected.iter().flatten().zip(found.iter().flatten()) {
        match (expected, found) {
            (Some(expected), Some(found)) => {
                assert!(
                    (expected - found).abs() <= TOLERANCE * expected.abs(),
                    "{expected} became {found}"
                );
            }
            (expected, found) => assert_eq!(expected, found),
        }
    }
}

#[test]
fn they_are_small() {
    for space in [
        "nasbench201",
        "nasbench201_mixed",
        "fbnet",
        "mobilenet_v2",
        "mobilenet_v3",
        "proxylessnas_mixed",
    ] {
        let files = std::fs::read_dir(shipped(space)).unwrap();
        let bytes: u64 = files.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(bytes < 5 << 20, "{space}: {bytes} bytes");
    }
}

#[test]
fn a_limit_on_energy_is_met_too() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!(
        "design --checkpoint {} --device pi5_litert --max-latency-ms 20 --max-energy-mj 10 --format json",
        shipped("nasbench201").display()
    );
    let run = edgefit(folder.path(), &command).succeeded();
    let designs: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    for design in designs.as_array().unwrap() {
        assert!(design["feasible_probability"].as_f64().unwrap() >= 0.9, "{design}");
        assert!(design["energy_mj"]["mean"].as_f64().unwrap() < 10.0, "{design}");
    }
}

#[test]
fn a_design_within_the_limit_comes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!(
        "design --checkpoint {} --device silver_4210r --max-latency-ms 12 --count 3 --format json",
        shipped("nasbench201").display()
    );
    let run = edgefit(folder.path(), &command).succeeded();
    let designs: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let designs = designs.as_array().unwrap();
    assert_eq!(designs.len(), 3);
    for design in designs {
        assert!(design["feasible_probability"].as_f64().unwrap() >= 0.9, "{design}");
        assert!(design["latency_ms"]["mean"].as_f64().unwrap() < 12.0, "{design}");
    }
}

/// Accuracies of MobileNet-V3 were learned at 224 pixels alone, so every design is of that resolution.
#[test]
fn designs_of_mobilenet_v3_hold_their_limit_where_accuracies_were_learned() {
    let folder = tempfile::tempdir().unwrap();
    let design = |limit_ms: f64| -> serde_json::Value {
        let checkpoint = shipped("mobilenet_v3");
        let command = format!(
            "design --checkpoint {} --device 2080ti_64 --max-latency-ms {limit_ms} --count 3 --format json",
            checkpoint.display()
        );
        serde_json::from_str(&edgefit(folder.path(), &command).succeeded().stdout).unwrap()
    };
    let best = |designs: &serde_json::Value| designs[0]["accuracy"]["mean"].as_f64().unwrap();
    let (tight, loose) = (design(25.0), design(40.0));
    for (designs, limit_ms) in [(&tight, 25.0), (&loose, 40.0)] {
        for design in designs.as_array().unwrap() {
            assert!(design["feasible_probability"].as_f64().unwrap() >= 0.9, "{design}");
            assert!(design["latency_ms"]["mean"].as_f64().unwrap() < limit_ms, "{design}");
            assert!(
                design["architecture"].as_str().unwrap().ends_with("\"r\":224}"),
                "{design}"
            );
        }
    }
    // More time buys accuracy; the supernet's subnets reach 77 %.
    assert!(
        best(&loose) > best(&tight) && best(&loose) > 75.0,
        "{} {}",
        best(&loose),
        best(&tight)
    );
}

/// Accuracies of Accel-NASBench are those of short training, 43 to 67 %.
#[test]
fn designs_of_mobilenet_v2_hold_their_limit() {
    let folder = tempfile::tempdir().unwrap();
    let best = |limit_ms: f64| -> f64 {
        let command = format!(
            "design --checkpoint {} --device zcu102 --max-latency-ms {limit_ms} --count 3 --format json",
            shipped("mobilenet_v2").display()
        );
        let designs: serde_json::Value =
            serde_json::from_str(&edgefit(folder.path(), &command).succeeded().stdout).unwrap();
        for design in designs.as_array().unwrap() {
            assert!(design["feasible_probability"].as_f64().unwrap() >= 0.9, "{design}");
            assert!(design["latency_ms"]["mean"].as_f64().unwrap() < limit_ms, "{design}");
        }
        designs[0]["accuracy"]["mean"].as_f64().unwrap()
    };
    // The fastest of the 5,125 networks that were measured takes 1.7 ms, the median one 5.7 ms and has 60.7 %.
    let (tight, loose) = (best(4.0), best(8.0));
    assert!(60.7 < tight && tight < loose && loose < 70.0, "{tight} {loose}");
}

/// No accuracy of an FBNet network is public: its designs are ranked by a training-free score that nothing calls an accuracy.
#[test]
fn designs_of_fbnet_are_ranked_by_a_proxy_score() {
    let folder = tempfile::tempdir().unwrap();
    let design = |options: &str| {
        let checkpoint = shipped("fbnet");
        edgefit(
            folder.path(),
            &format!("design --checkpoint {} --device pixel2 {options}", checkpoint.display()),
        )
    };
    let best = |limit_ms: f64| -> f64 {
        let run = design(&format!("--max-latency-ms {limit_ms} --format json")).succeeded();
        assert!(!run.stdout.contains("accuracy"), "{}", run.stdout);
        let designs: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let design = &designs[0];
        assert!(design["feasible_probability"].as_f64().unwrap() >= 0.9, "{design}");
        assert!(design["latency_ms"]["mean"].as_f64().unwrap() < limit_ms, "{design}");
        design["proxy_score"]["mean"].as_f64().unwrap()
    };
    let (tight, loose) = (best(25.0), best(40.0));
    assert!(tight < loose && loose <= 100.0, "{tight} {loose}");
    let table = design("--max-latency-ms 30").succeeded().stdout;
    assert!(table.contains("proxy score") && !table.contains("accurac"), "{table}");
    design("--max-latency-ms 30 --min-accuracy 50").failed(2, &["proxy score"]);
}

/// Networks without a path from input to output take next to no time, so under tight limits they are all that is left unless
/// they are kept out.
/// Designs for an accelerator that gains from fewer bits have some, and at the same limit more accuracy than those with eight bits
/// everywhere, which are all that an accelerator for eight bits is given.
#[test]
fn designs_have_fewer_bits_where_these_buy_accuracy() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = |precisions: &str| {
        format!(
            "id = \"accelerator\"\nclass = \"asic\"\nprecision = \"int8\"\nruntime = \"dataflow\"\n[peak-gflops]\n{precisions}\n"
        )
    };
    std::fs::write(folder.path().join("rigid.toml"), sheet("int8 = 512")).unwrap();
    for (space, limit_ms) in [("proxylessnas_mixed", 8.0), ("nasbench201_mixed", 1.0)] {
        let design = |device: &str, limit_ms: f64| -> serde_json::Value {
            let checkpoint = shipped(space);
            let command = format!(
                "design --checkpoint {} --device {device} --max-latency-ms {limit_ms} --format json",
                checkpoint.display()
            );
            let run = edgefit(folder.path(), &command).succeeded();
            serde_json::from_str::<serde_json::Value>(&run.stdout).unwrap()[0].clone()
        };
        let flexible = design("bitfusion", limit_ms);
        assert!(flexible["feasible_probability"].as_f64().unwrap() >= 0.9, "{flexible}");
        assert_ne!(flexible["quantization"], "W8.0A8.0", "{flexible}");
        let rigid = design("{rigid.toml}", 1e3);
        assert_eq!(rigid["quantization"], "W8.0A8.0", "{rigid}");
    }
}

#[test]
fn under_tight_limits_designs_are_connected_and_the_best_there_are() {
    let compute = Backend::Flex.device().unwrap();
    let checkpoint = Checkpoint::open(&shipped("nasbench201")).unwrap();
    let (predictor, optimizer) = (
        checkpoint.predictor(&compute).unwrap(),
        checkpoint.optimizer(&compute).unwrap(),
    );
    let table = predictor.table().unwrap();
    let connected = |one: &Architecture| predictor.space.output_depends_on_input(one);
    let mut queries = 0;
    for id in predictor.known_devices() {
        let device = predictor.known(&id).unwrap();
        let predictions = device.metrics.latency().predict(table.bases.latency());
        let logs: Vec<f64> = predictions.iter().map(|one| f64::from(one.mean)).collect();
        let evaluator = PredictorEvaluator::new(&predictor, &device).unwrap();
        for share in [0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3] {
            let limit = Constraint::new(Metric::Latency, quantile(&logs, share).unwrap().exp()).unwrap();
            let request = Request {
                count: 2,
                ..Request::within(Limits::new(vec![limit], 0.9).unwrap())
            };
            let found = optimizer.propose(&predictor, &device, &request, Seed(0)).unwrap();
            let problem = Problem::most_accurate(request.limits.clone());
            let all = ExhaustiveSearch
                .search(predictor.space, &evaluator, &problem, usize::MAX)
                .unwrap();
            let best = all.answer.candidate().unwrap();
            queries += 1;
            assert!(connected(&best.architecture), "{id} at {share}");
            assert_eq!(found.feasible(), all.answer.feasible().is_some(), "{id} at {share}");
            match found {
                Proposals::Feasible(proposals) => {
                    assert!(
                        proposals.iter().all(|one| connected(&one.design.architecture)),
                        "{id} at {share}"
                    );
                    let gap = best.evaluation.value(Metric::Accuracy).unwrap() - proposals[0].accuracy.percent.mean;
                    assert_eq!(gap, 0.0, "{id} at {share}");
                }
                Proposals::Closest { proposal, .. } => assert!(connected(&proposal.design.architecture)),
            }
        }
    }
    assert!(queries >= 132, "{queries}");
}

/// `figures.json` is the output of this very command on the data that the model card names.
#[test]
fn figures_of_nasbench201_on_real_data_are_the_recorded_ones() {
    figures_on_real_data_are_the_recorded_ones("nasbench201", ("help", "HELP"), "1080ti_1,pixel3,silver_4210r");
}

#[test]
fn figures_of_fbnet_on_real_data_are_the_recorded_ones() {
    figures_on_real_data_are_the_recorded_ones("fbnet", ("help", "HELP"), "1080ti_1,pixel2,silver_4210r");
}

#[test]
fn figures_of_mobilenet_v2_on_real_data_are_the_recorded_ones() {
    let source = ("accel-nasbench", "Accel-NASBench");
    figures_on_real_data_are_the_recorded_ones("mobilenet_v2", source, "a100_throughput,tpuv2_64,zcu102");
}

fn figures_on_real_data_are_the_recorded_ones(space: &str, (source, data_folder): (&str, &str), devices: &str) {
    let Some(data) = real_data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let import = format!(
        "data import {source} {} --space {space} --out {{data}}",
        data.join(data_folder).display()
    );
    edgefit(folder.path(), &import).succeeded();
    let command = format!(
        "evaluate predictor --checkpoint {} --dataset {{data}} --devices {devices} --probes 10 --repeats 3 --json",
        shipped(space).display()
    );
    let run = edgefit(folder.path(), &command).succeeded();
    let found: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let recorded = std::fs::read_to_string(shipped(space).join("figures.json")).unwrap();
    let recorded: serde_json::Value = serde_json::from_str(&recorded).unwrap();
    let rows = |report: &serde_json::Value| -> Vec<(String, f64)> {
        let row = |row: &serde_json::Value| {
            (
                row["device"].as_str().unwrap().to_string(),
                row["spearman"]["mean"].as_f64().unwrap(),
            )
        };
        report["rows"].as_array().unwrap().iter().map(row).collect()
    };
    assert_eq!(rows(&recorded).len(), 3);
    for (expected, found) in rows(&recorded).iter().zip(rows(&found)) {
        assert_eq!(expected.0, found.0);
        assert!((expected.1 - found.1).abs() < 0.005, "{expected:?} became {found:?}");
    }
}

#[test]
fn they_are_found_by_name_from_any_folder() {
    let folder = tempfile::tempdir().unwrap();
    let design = |checkpoint: &str| {
        let arguments = [
            "design",
            "--device",
            "pixel3",
            "--max-latency-ms",
            "10",
            "--format",
            "json",
        ];
        let mut command = Command::new(program());
        command.args(arguments).args(["--checkpoint", checkpoint]);
        Run::of(command.current_dir(folder.path()).output().unwrap())
    };
    let by_name = design("nasbench201").succeeded().stdout;
    let by_path = design(shipped("nasbench201").to_str().unwrap()).succeeded().stdout;
    assert_eq!(by_name, by_path);
    // A folder of this name comes first.
    std::fs::create_dir(folder.path().join("nasbench201")).unwrap();
    design("nasbench201").succeeded();
    std::fs::write(folder.path().join("nasbench201/checkpoint.json"), "{}").unwrap();
    design("nasbench201").failed(1, &["nasbench201/checkpoint.json"]);
    design("nasbench102").failed(1, &["nasbench102", "nasbench201", "fbnet"]);
}

/// The datasheet of a device of a class that is known says what kind of profile it has; where the class is not known, the predictor
/// falls back on synthetic devices, and a network on what it knows of others.
#[test]
fn datasheets_say_more_than_that_devices_differ() {
    let scores = |leave_out: &str| -> [(f64, f64); 3] {
        let asked = format!("evaluate datasheets --checkpoint fbnet --leave-out {leave_out} --json");
        let run = edgefit(Path::new("."), &asked).succeeded();
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["units"], 16);
        ["population", "network", "kernel"].map(|method| {
            let rows = report["rows"].as_array().unwrap();
            let row = rows.iter().find(|row| row["method"] == method).unwrap();
            (row["spearman"].as_f64().unwrap(), row["log_density"].as_f64().unwrap())
        })
    };
    let [population, network, kernel] = scores("unit");
    for datasheet in [network, kernel] {
        assert!(
            datasheet.0 > population.0 + 0.1 && datasheet.1 > population.1 + 1.0,
            "{datasheet:?} {population:?}"
        );
    }
    let [_, unlike_network, unlike_kernel] = scores("class");
    assert!(unlike_kernel.0 < kernel.0 && unlike_network.0 < network.0);
    assert!(
        unlike_kernel.0 > unlike_network.0 + 0.1,
        "{unlike_kernel:?} {unlike_network:?}"
    );
}
