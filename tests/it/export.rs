//! `edgefit export`: files that a runtime runs and independent tools agree with.

use std::fs;
use std::path::Path;
use std::process::Command;

use burn::tensor::{Device, Tensor, TensorData};
use edgefit::export::{Weights, forward, onnx_for_batch};
use edgefit::seed::Seed;
use edgefit::space::{
    Activation, Convolution, InputSize, Network, NetworkBuilder, Pooling, PoolingKind, Precision, all, by_id,
};
use rand_distr::{Distribution, StandardNormal};
use tempfile::tempdir;

use crate::driver::{Run, edgefit, program};

const CELL: &str = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|";
/// A cell in which nothing leads from the input to the output.
const DISCONNECTED: &str = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|";
/// Blocks of every kind, with identities and without.
const BLOCKS: &str = "skip-k3_e1_g2-k5_e6-skip-k5_e1_g2-skip-k3_e3-k5_e3-skip-k3_e6-k3_e1-k5_e1-k3_e1_g2-k3_e3-skip-k5_e6-\
                      k3_e6-k5_e3-skip-k3_e1-k5_e1_g2-k3_e6";

/// Runs the script beside this file; `None`, after saying so, where Python lacks a package.
fn python(packages: &str, arguments: &[&str]) -> Option<Run> {
    let installed = Command::new("python3")
        .args(["-c", &format!("import {packages}")])
        .output();
    if !installed.is_ok_and(|output| output.status.success()) {
        eprintln!("passed over: python3 without {packages}");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/export_reference.py");
    let output = Command::new("python3").arg(script).args(arguments).output().unwrap();
    Some(Run::of(output).succeeded())
}

/// The networks that files are checked for: random ones of every space, a disconnected one, one as written with dead layers.
fn networks() -> Vec<(String, Network)> {
    let mut rng = Seed(11).stream("designs");
    let mut networks = Vec::new();
    for space in all() {
        for number in 0..3 {
            let network = space.lower(&space.sample(&mut rng), InputSize::square(32), 10);
            networks.push((format!("{}-{number}", space.id()), network));
        }
    }
    let space = by_id("nasbench201").unwrap();
    let disconnected = space.parse(DISCONNECTED).unwrap();
    networks.push((
        "disconnected".into(),
        space.lower(&disconnected, InputSize::square(32), 10),
    ));
    networks.push((
        "written".into(),
        space.lower_as_written(&disconnected, InputSize::square(32), 10),
    ));
    networks.push(("everything".into(), everything()));
    // Maps of odd size are halved with rounding up.
    let odd = space.lower(&space.parse(CELL).unwrap(), InputSize { width: 27, height: 13 }, 10);
    networks.push(("odd".into(), odd));
    networks
}

/// A network with what the spaces do not have: other activations, joins and pooling.
fn everything() -> Network {
    let (mut network, image) = NetworkBuilder::new(3, InputSize { width: 18, height: 15 });
    let activated = |channels, activation| Convolution {
        activation: Some(activation),
        ..Convolution::new(channels, 3)
    };
    let left = network.convolve(image, activated(8, Activation::HardSwish));
    let left = network.squeeze_excite(left, 4);
    let right = network.convolve(image, activated(4, Activation::Relu6));
    let joined = network.concatenate(&[left, right]);
    let pooling = Pooling {
        kind: PoolingKind::Maximum,
        kernel: 3,
        stride: 2,
        padding: 0,
        ceil_mode: true,
    };
    let pooled = network.pool(joined, pooling);
    let shuffled = network.shuffle(pooled, 3);
    let factors = network.activate(pooled, Activation::Sigmoid);
    let product = network.multiply(shuffled, factors);
    let normalized = network.normalize(product, Some(Activation::HardSigmoid));
    // A fully connected layer on a map of several pixels, and one behind it.
    let hidden = network.linear(normalized, 24);
    let hidden = network.activate(hidden, Activation::Relu);
    let logits = network.linear(hidden, 10);
    network.finish(logits)
}

fn input(network: &Network, batch: usize) -> ([usize; 4], Vec<f32>) {
    let shape = network.nodes().next().unwrap().layer.output;
    let dims = [
        batch,
        shape.channels as usize,
        shape.height as usize,
        shape.width as usize,
    ];
    let drawn = StandardNormal
        .sample_iter(Seed(12).stream("images"))
        .take(dims.iter().product());
    (dims, drawn.collect())
}

/// What the embedded runtime computes with a file.
fn run(file: Vec<u8>, dims: [usize; 4], image: Vec<f32>) -> Vec<f32> {
    let model = rten::Model::load(file).unwrap();
    let image = rten::Value::from_shape(dims, image).unwrap();
    let logits = model.run_one(image.into(), None).unwrap();
    logits.into_shape_vec::<f32, 2>().unwrap().1
}

/// Largest difference, relative to the largest value expected.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let differences = found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (found - expected).abs());
    // A value that is no number is as far off as can be.
    differences.fold(
        0.0_f32,
        |most, one| if one.is_nan() { f32::INFINITY } else { most.max(one) },
    ) / largest
}

#[test]
fn files_compute_what_the_networks_compute() {
    for (name, network) in networks() {
        let weights = Weights::seeded(13);
        let (dims, image) = input(&network, 2);
        let tensor = Tensor::<4>::from_data(TensorData::new(image.clone(), dims), &Device::flex());
        let expected: Vec<f32> = forward(&network, &weights, tensor)
            .unwrap()
            .into_data()
            .iter()
            .collect();
        let export = |precision: Precision| onnx_for_batch(&network, precision.into(), &weights, 2).unwrap();
        let off = difference(&run(export(Precision::Fp32), dims, image.clone()), &expected);
        assert!(off < 1e-4, "{name}: {off}");
        let found = run(export(Precision::Int8), dims, image);
        if network.layers().any(|layer| layer.bits.is_some()) {
            // Weights of two bits are others; what they are is compared elsewhere.
            assert!(found.iter().all(|value| value.is_finite()), "{name} in int8");
            continue;
        }
        // Bytes are coarse, and random weights do not forgive that as trained ones do; a wrong scale is off by more.
        let off = difference(&found, &expected);
        assert!(off < 0.35, "{name} in int8: {off}");
    }
}

/// The checker infers shapes, so that a file whose stated shapes contradict its operators is refused.
#[test]
fn files_pass_the_checker_of_onnx() {
    let folder = tempdir().unwrap();
    let mut files = Vec::new();
    for (name, network) in networks() {
        for precision in [Precision::Fp32, Precision::Fp16, Precision::Int8, Precision::Int4] {
            let path = folder.path().join(format!("{name}-{precision}.onnx"));
            fs::write(
                &path,
                onnx_for_batch(&network, precision.into(), &Weights::seeded(0), 1).unwrap(),
            )
            .unwrap();
            files.push(path.to_str().unwrap().to_string());
        }
    }
    let arguments: Vec<&str> = ["check"].into_iter().chain(files.iter().map(String::as_str)).collect();
    python("onnx", &arguments);
}

/// A network built and saved in PyTorch, exported with its weights and run by ONNX Runtime, gives what PyTorch gives.
#[test]
fn weights_of_pytorch_compute_what_pytorch_computes() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    for (space, design) in [("nasbench201", CELL), ("fbnet", BLOCKS)] {
        let (weights, model) = (path("weights.pt"), path("model.onnx"));
        if python("torch, onnxruntime", &["write", space, design, &weights]).is_none() {
            return;
        }
        let options = [
            "export",
            "--design",
            design,
            "--input",
            "32x32",
            "--weights",
            &weights,
            "--out",
            &model,
        ];
        let exported = Command::new(program()).args(options).output().unwrap();
        let said = Run::of(exported).succeeded().stderr;
        assert!(!said.contains("warning") && !said.contains("random"), "{said}");
        let compared = python("torch, onnxruntime", &["compare", space, design, &weights, &model]).unwrap();
        let off: f64 = compared.stdout.trim().parse().unwrap();
        assert!(off < 1e-4, "{space}: {off}");
    }
}

#[test]
fn a_design_is_taken_from_json_and_its_precision_kept() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let designs = format!(
        r#"[{{"architecture": "{CELL}", "quantization": "int8"}}, {{"architecture": "?", "quantization": "fp32"}}]"#
    );
    fs::write(folder.join("designs.json"), designs).unwrap();
    let run = edgefit(folder, "export --from {designs.json} --out {model.onnx}").succeeded();
    assert!(
        run.stderr.contains("int8") && run.stderr.contains("random"),
        "{}",
        run.stderr
    );
    // Another precision, over the first file, which is a network too.
    let run = edgefit(
        folder,
        "export --from {designs.json} --precision int4 --out {model.onnx}",
    )
    .succeeded();
    assert!(
        run.stderr.contains("int4") && run.stderr.contains("opset 21"),
        "{}",
        run.stderr
    );
    fs::write(folder.join("notes.txt"), "thoughts").unwrap();
    edgefit(folder, "export --from {designs.json} --out {notes.txt}").failed(2, &["notes.txt", "--force"]);
    fs::write(folder.join("empty.json"), "[]").unwrap();
    edgefit(folder, "export --from {empty.json} --out {x.onnx}").failed(1, &["empty.json", "empty list"]);
    fs::write(folder.join("wrong.json"), "{").unwrap();
    edgefit(folder, "export --from {wrong.json} --out {x.onnx}").failed(1, &["wrong.json", "design --format json"]);
}

#[test]
fn what_cannot_be_exported_is_told() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    edgefit(folder, &format!("export --design {CELL}@int16 --out {{x.onnx}}")).failed(2, &["int16", "int8"]);
    edgefit(folder, "export --design nonsense --out {x.onnx}").failed(2, &["nasbench201", "fbnet"]);
    edgefit(folder, "export --design nonsense --space fbnet --out {x.onnx}").failed(2, &["nonsense"]);
    edgefit(folder, "export --out {x.onnx}").failed(2, &["--design", "--from"]);
    edgefit(
        folder,
        &format!("export --design {CELL} --weights {{none.pt}} --out {{x.onnx}}"),
    )
    .failed(1, &["none.pt"]);
    assert!(!folder.join("x.onnx").exists());
    let run = edgefit(folder, &format!("export --design {DISCONNECTED} --out {{x.onnx}}")).succeeded();
    assert!(run.stderr.contains("does not depend"), "{}", run.stderr);
}

#[test]
fn a_file_goes_to_stdout() {
    let options = [
        "export", "--design", CELL, "--input", "16x16", "--batch", "3", "--out", "-",
    ];
    let output = Command::new(program()).args(options).output().unwrap();
    assert!(output.status.success());
    let cell = by_id("nasbench201").unwrap();
    let network = cell.lower(&cell.parse(CELL).unwrap(), InputSize::square(16), 10);
    let expected = onnx_for_batch(&network, Precision::Fp32.into(), &Weights::seeded(0), 3).unwrap();
    assert!(output.stdout == expected);
}

#[test]
fn bits_of_layers_and_layers_in_floating_point() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let export = |rest: &str| {
        edgefit(
            folder,
            &format!("export --out {{x.onnx}} --force --design {CELL}{rest}"),
        )
    };
    // The space follows from the bits behind the cell.
    let run = export("@8-0-2-0-0-4").succeeded();
    assert!(
        run.stderr.contains(", W") && run.stderr.contains("A8.0, opset 17"),
        "{}",
        run.stderr
    );
    let run = export("@int8 --keep-float first,last").succeeded();
    // A stem, 15 cells of three convolutions, two reductions of three, and a classifier.
    assert!(
        run.stderr.contains("2 of 53 layers with weights stay in fp32"),
        "{}",
        run.stderr
    );
    export("@int8 --keep-float 54").failed(2, &["1 to 53", "54"]);
    export("@int8 --keep-float widest").failed(2, &["widest", "--keep-float"]);
    export("@fp16 --keep-float first").failed(2, &["int8", "fp16"]);
    export("@8,0,2,0,0,5").failed(2, &["8,0,2,0,0,5"]);
}
