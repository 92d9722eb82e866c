//! Networks of MobileNet blocks as published: what was counted, trained and measured of each, against our own counts and rows.

use std::fs::{self, File};
use std::path::Path;

use edgefit::space::{Convolution, InputSize, Layer, Network, Operation, by_id};
use serde_json::Value;
use tempfile::tempdir;

use crate::driver::{edgefit, real_data};

const ACCEL_NASBENCH: &str = "Accel-NASBench/anb_dataset/anb_dataset_jsons.tar.gz";
const NAS_BENCH_MACRO: &str = "NAS-Bench-Macro/data/nas-bench-macro_cifar10.json";
const FBNET_PROXIES: &str = "nasflat_latency/fbnet_zcp/zc_fbnet.json";

fn json(path: &Path) -> Value {
    serde_json::from_reader(std::io::BufReader::new(File::open(path).unwrap())).unwrap()
}

/// What `thop` counts besides multiplications of convolutions and fully connected layers: four operations for each element that is
/// normalised; for the mean of a channel an addition for each pixel and a division.
fn operations_that_are_no_macs(network: &Network) -> u64 {
    let count = |layer: &Layer, input: u64| match layer.operation {
        Operation::Convolution(Convolution { normalized: true, .. }) => 4 * layer.output.elements(),
        Operation::GlobalPooling => input + layer.output.elements(),
        _ => 0,
    };
    let nodes: Vec<_> = network.nodes().collect();
    let input = |node: usize| {
        let read = nodes[node].inputs.first();
        read.map_or(0, |&input| nodes[input as usize].layer.output.elements())
    };
    nodes.iter().map(|node| count(node.layer, input(node.id))).sum()
}

/// Parameters agree with all 5,138 files, and so do MACs with what else their counter counts.
#[test]
fn counts_of_accel_nasbench() {
    let Some(data) = real_data() else {
        return;
    };
    let space = by_id("mobilenet_v2").unwrap();
    let unpacked = flate2::read::GzDecoder::new(File::open(data.join(ACCEL_NASBENCH)).unwrap());
    let mut archive = tar::Archive::new(unpacked);
    let mut files = 0;
    for entry in archive.entries().unwrap() {
        let record: Value = serde_json::from_reader(entry.unwrap()).unwrap();
        let architecture = space.parse(&record["architecture"].to_string()).unwrap();
        let network = space.lower(&architecture, InputSize::square(224), 1000);
        let recorded = |name: &str| (record["model_info"][name].as_f64().unwrap() * 1e6).round() as u64;
        assert_eq!(network.parameters(), recorded("params"), "{record}");
        let operations = network.macs() + operations_that_are_no_macs(&network);
        assert_eq!(operations, recorded("macs"), "{record}");
        files += 1;
    }
    assert_eq!(files, 5_138);
}

/// Parameters and MACs agree with all 6,561 networks, and those that compute the same function have the same accuracies.
#[test]
fn counts_of_nas_bench_macro() {
    let Some(data) = real_data() else {
        return;
    };
    let space = by_id("nasbench_macro").unwrap();
    let published = json(&data.join(NAS_BENCH_MACRO));
    let published = published.as_object().unwrap();
    assert_eq!(published.len(), space.enumerable().unwrap().size());
    for (text, recorded) in published {
        let architecture = space.parse(text).unwrap();
        let network = space.lower(&architecture, InputSize::square(32), 10);
        assert_eq!(Some(network.parameters()), recorded["params"].as_u64(), "{text}");
        assert_eq!(Some(network.macs()), recorded["flops"].as_u64(), "{text}");
        let canonical = space.print(&space.canonical(&architecture));
        assert_eq!(recorded["test_acc"], published[&canonical]["test_acc"], "{text}");
    }
}

/// The indices by which the proxies name networks are ours: the parameters agree, for CIFAR-100.
#[test]
fn counts_of_fbnet_proxies() {
    let Some(data) = real_data() else {
        return;
    };
    let space = by_id("fbnet").unwrap();
    let published = json(&data.join(FBNET_PROXIES));
    let published = published.as_object().unwrap();
    assert_eq!(published.len(), 5_000);
    for (indices, recorded) in published {
        let architecture = space.parse(&format!("[{}]", indices.replace('_', ","))).unwrap();
        let network = space.lower(&architecture, InputSize::square(32), 100);
        assert_eq!(
            Some(network.parameters() as f64),
            recorded["params"].as_f64(),
            "{indices}"
        );
    }
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_string).collect()
}

/// Two of the 5,138 networks were not measured on the ZCU102, 37 not on the TPU; 13 come twice. Latencies were read and computed
/// in Python: 1000 / throughput for the A100, 64,000 / throughput for the TPU.
#[test]
fn import_of_accel_nasbench() {
    let Some(data) = real_data() else {
        return;
    };
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let line = format!(
        "data import accel-nasbench {} --space mobilenet_v2 --out {{made}}",
        data.join("Accel-NASBench").display()
    );
    let run = edgefit(folder, &line).succeeded();
    for note in [
        "13 architectures were trained and measured more than once, with accuracies that differ by up to 2.2 %",
        "a100_throughput: images per second at a batch size that is not documented",
        "tpuv2_64: images per second at batch 64, turned into the latency of a batch; 37 networks not measured",
        "zcu102: latency in ms of a batch of 1; 2 networks not measured",
    ] {
        assert!(run.stderr.contains(note), "no `{note}` in {}", run.stderr);
    }
    edgefit(folder, "data validate {made}").succeeded();
    let accuracies = lines(&folder.join("made/accuracy.csv"));
    assert_eq!(accuracies.len(), 1 + 5_125);
    let measurements = lines(&folder.join("made/measurements.csv"));
    let of = |id: &str| {
        measurements
            .iter()
            .filter(|line| line.starts_with(&format!("{id},")))
            .count()
    };
    let count = |id: &str| (id.to_string(), of(id));
    assert_eq!(
        measurements.len() - 1,
        of("a100_throughput") + of("tpuv2_64") + of("zcu102")
    );
    assert_eq!(count("a100_throughput").1, 5_125);
    // `result_945.json`: 57.784 %; 15,328.97 and 1,094.72 images per second, 2.6137 ms.
    let architecture =
        r#"{"block0_e":1,"block0_k":3,"block0_l":3,"block0_se":false,"block1_e":4,"block1_k":3,"block1_l":1,"#
            .to_string()
            + r#""block1_se":false,"block2_e":4,"block2_k":5,"block2_l":1,"block2_se":false,"block3_e":6,"block3_k":3,"block3_l":3,"#
            + r#""block3_se":false,"block4_e":6,"block4_k":3,"block4_l":1,"block4_se":false,"block5_e":1,"block5_k":3,"#
            + r#""block5_l":1,"block5_se":false,"block6_e":4,"block6_k":3,"block6_l":2,"block6_se":false}"#;
    let quoted = format!("\"{}\"", architecture.replace('"', "\"\""));
    assert!(accuracies.contains(&format!("imagenet,{quoted},fp32,57.784,measured")));
    for (device, latency_ms) in [
        ("a100_throughput", 1000.0 / 15_328.971_437_813_736),
        ("tpuv2_64", 64_000.0 / 1_094.723_316_523_442_5),
        ("zcu102", 2.613_652_836_192_738_2),
    ] {
        let start = format!("{device},{quoted},");
        let line = measurements.iter().find_map(|line| line.strip_prefix(&start)).unwrap();
        let found: f64 = line.split(',').nth(2).unwrap().parse().unwrap();
        assert!((found / latency_ms - 1.0).abs() < 1e-12, "{device}: {line}");
    }
}

/// `02012100`: 89.47, 88.95 and 89.17 %.
#[test]
fn import_of_nas_bench_macro() {
    let Some(data) = real_data() else {
        return;
    };
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let line = format!(
        "data import nas-bench-macro {} --space nasbench_macro --out {{made}}",
        data.join("NAS-Bench-Macro").display()
    );
    let run = edgefit(folder, &line).succeeded();
    assert!(run.stderr.contains("2592 architectures are others"), "{}", run.stderr);
    edgefit(folder, "data validate {made}").succeeded();
    let accuracies = lines(&folder.join("made/accuracy.csv"));
    assert_eq!(accuracies.len(), 1 + 6_561);
    let start = "cifar10,02012100,fp32,";
    let line = accuracies.iter().find_map(|line| line.strip_prefix(start)).unwrap();
    let found: f64 = line.split(',').next().unwrap().parse().unwrap();
    assert!((found - (89.47 + 88.95 + 89.17) / 3.0).abs() < 1e-5, "{line}");
}
