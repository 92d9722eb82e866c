//! What a checkpoint refuses although every hash fits: whoever writes other weights writes other hashes too.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use serde_json::{Value, json};

use super::*;
use crate::compute::{Backend, ComputeDevice};
use crate::encode::PathEncoder;
use crate::predict::tests::predictor as learned;
use crate::space::{Enumerable, NasBench201};
use crate::training::module_bytes;

fn compute() -> ComputeDevice {
    Backend::Flex.device().unwrap()
}

/// The checkpoint of a small predictor with other files, and a manifest that fits them.
fn tampered(change: impl FnOnce(&mut Files)) -> Checkpoint {
    let mut files = predictor::files(learned(), Path::new("tampered")).unwrap();
    change(&mut files);
    let manifest = Manifest::of("nasbench201", &files);
    Checkpoint::new(Path::new("tampered"), manifest, files).unwrap()
}

fn refusal(change: impl FnOnce(&mut Files)) -> String {
    let refused = tampered(change).predictor(&compute()).err().unwrap();
    assert!(matches!(refused, Error::Checkpoint { .. }), "{refused}");
    refused.to_string()
}

/// Changes a value of `predictor.json`, named by its place there.
fn edit(place: &'static str, change: impl FnOnce(&mut Value)) -> impl FnOnce(&mut Files) {
    move |files| {
        let bytes = files.get_mut("predictor.json").unwrap();
        let mut saved: Value = serde_json::from_slice(bytes).unwrap();
        change(saved.pointer_mut(place).unwrap());
        *bytes = serde_json::to_vec(&saved).unwrap();
    }
}

#[test]
fn a_saved_predictor_is_the_same_and_extra_files_stay() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("README.md"), "a card").unwrap();
    std::fs::write(folder.path().join("figures.json"), "{}").unwrap();
    let files = predictor::files(learned(), folder.path()).unwrap();
    let locked = LockedFolder::open(folder.path()).unwrap();
    write(
        &locked,
        &Manifest::of("nasbench201", &files),
        &files,
        &[("run.toml", b"seed = 0")],
    )
    .unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let read = checkpoint.predictor(&compute()).unwrap();
    assert!(!checkpoint.has_optimizer());
    assert_eq!(read.id, checkpoint.id());
    let architectures = [crate::space::Architecture(vec![3, 1, 0, 2, 4, 3])];
    let expected = learned().encode(&architectures).outputs;
    assert_eq!(read.encode(&architectures).outputs, expected);
    for name in ["README.md", "figures.json", "run.toml"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
    // The files were read when it was opened: what happens to them later changes nothing.
    std::fs::remove_file(folder.path().join("latency-0.bpk")).unwrap();
    let again = checkpoint.predictor(&compute()).unwrap();
    assert_eq!(again.encode(&architectures).outputs, expected);
}

#[test]
fn files_of_an_optimizer_that_no_longer_fits_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = predictor::files(learned(), folder.path()).unwrap();
    let alone = files.clone();
    files.insert("optimizer.json".into(), b"{}".to_vec());
    files.insert("policy.bpk".into(), b"weights".to_vec());
    let locked = LockedFolder::open(folder.path()).unwrap();
    write(&locked, &Manifest::of("nasbench201", &files), &files, &[]).unwrap();
    assert!(Checkpoint::open(folder.path()).unwrap().has_optimizer());
    write(&locked, &Manifest::of("nasbench201", &alone), &alone, &[]).unwrap();
    assert!(!Checkpoint::open(folder.path()).unwrap().has_optimizer());
    assert!(!folder.path().join("policy.bpk").exists());
}

struct Poison(f32);

impl ModuleMapper for Poison {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|weights| weights * self.0)
    }
}

#[test]
fn weights_that_are_no_numbers_are_refused() {
    for poison in [f32::NAN, f32::INFINITY] {
        let tower = learned().ensemble.members[0].clone().map(&mut Poison(poison));
        let bytes = module_bytes(&tower, Path::new("tower")).unwrap();
        let message = refusal(|files| {
            files.insert("latency-0.bpk".into(), bytes);
        });
        assert!(
            message.contains("latency-0.bpk") && message.contains("no finite number"),
            "{message}"
        );
    }
}

type Change = fn(&mut Value);

/// Where a description is changed, how, and what is told.
const MISFITS: [(&str, Change, &str); 10] = [
    (
        "/encoder/kept",
        |kept| kept[1] = kept[0].clone(),
        "positions of the encoder",
    ),
    (
        "/encoder/kept",
        |kept| kept[0] = json!(1_000_000),
        "positions of the encoder",
    ),
    ("/encoder/mean", |mean| *mean = json!([0.0]), "mean of the encoder"),
    (
        "/encoder/input",
        |input| *input = json!([4_000_000_000_u32, 32]),
        "input width of the encoder",
    ),
    (
        "/metrics/latency/prior/known/0/output",
        |output| *output = json!(1000),
        "output of device",
    ),
    (
        "/metrics/latency/prior/known_centres",
        |centres| *centres = json!([[1.0], 1, 1]),
        "known centres",
    ),
    (
        "/metrics/latency/prior/coordinates",
        |coordinates| *coordinates = json!([]),
        "coordinates",
    ),
    (
        "/metrics/latency/prior/map/1",
        |rows| *rows = json!(1),
        "a saved predictor",
    ),
    (
        "/metrics/latency/known_calibration/quantiles",
        |quantiles| *quantiles = json!([]),
        "calibration of the",
    ),
    (
        "/metrics/latency/calibrations",
        |all| all[1][0] = all[0][0].clone(),
        "rising numbers of probes",
    ),
];

#[test]
fn descriptions_that_do_not_fit_are_refused() {
    for (place, change, told) in MISFITS {
        let message = refusal(edit(place, change));
        assert!(message.contains("predictor.json"), "{place}: {message}");
        assert!(message.contains(told), "{place}: {message}");
    }
    let message = refusal(edit("/metrics/latency/prior/known", |known| {
        known[1]["id"] = known[0]["id"].clone()
    }));
    assert!(message.contains("every device once"), "{message}");
}

/// A few bytes that ask for terabytes are refused before room is made for them.
#[test]
fn sizes_are_bounded_by_the_files() {
    for (place, size) in [
        ("/ensemble/config/hidden", 1_u64 << 24),
        ("/ensemble/config/hidden", u64::MAX),
        ("/ensemble/config/features", 1 << 40),
        ("/ensemble/config/outputs", 1 << 40),
    ] {
        let message = refusal(edit(place, |value| *value = json!(size)));
        assert!(
            message.contains("latency-0.bpk") && message.contains("weights"),
            "{place}: {message}"
        );
    }
    let message = refusal(edit("/ensemble/members", |members| *members = json!(1_u64 << 60)));
    assert!(message.contains("1 to 64"), "{message}");
}

/// A predictor whose accuracy reads what a teacher says, which was measured of one cell at one of two tasks.
fn taught() -> crate::predict::Predictor {
    use crate::predict::net::{Ensemble, TowerConfig};
    use crate::predict::teacher::{Teacher, TeacherTask, TeacherTowers};
    use crate::seed::Seed;

    let predictor = learned();
    let ensemble = |inputs: usize, outputs: usize| {
        let config = TowerConfig::new(inputs, outputs, 8, 4);
        let members = vec![config.init(&mut Seed(inputs as u64).stream("tower"), &compute())];
        Ensemble { config, members }
    };
    let features = predictor.encoder.width();
    let task = |name: &str| TeacherTask {
        name: name.into(),
        mean: -2.5,
        deviation: 0.5,
    };
    let mut accuracy = predictor.accuracy.clone().unwrap();
    accuracy.paths = PathEncoder::fit(predictor.space, &NasBench201.architectures()[..2_000]);
    accuracy.ensemble = ensemble(features + accuracy.paths.width() + 2, 1);
    accuracy.teachers = vec![Teacher {
        space: predictor.space,
        tasks: vec![task("cifar10"), task("cifar100")],
        towers: Some(TeacherTowers {
            encoder: predictor.encoder.clone(),
            ensemble: ensemble(features, 2),
        }),
        measured: [(crate::space::Architecture(vec![3, 1, 0, 2, 4, 3]), vec![91.5, f32::NAN])].into(),
    }];
    predictor.with_accuracy(Some(accuracy))
}

#[test]
fn saved_paths_and_teachers_are_the_same() {
    let files = predictor::files(&taught(), Path::new("taught")).unwrap();
    assert_eq!(files["teacher-0.csv"], b"genes,accuracy_percent\n3 1 0 2 4 3,91.5 -\n");
    let manifest = Manifest::of("nasbench201", &files);
    let read = Checkpoint::new(Path::new("taught"), manifest, files).unwrap();
    let read = read.predictor(&compute()).unwrap();
    let architectures =
        [[3, 1, 0, 2, 4, 3], [2, 1, 0, 2, 4, 3]].map(|genes| crate::space::Architecture(genes.to_vec()));
    let accuracies = |predictor: &crate::predict::Predictor| {
        let encoded = predictor.encode(&architectures);
        predictor.accuracies(&architectures, &encoded)
    };
    assert_eq!(accuracies(&read), accuracies(&taught()));
    // The teacher is what makes the difference.
    let mut silent = taught();
    if let Some(accuracy) = &mut silent.accuracy {
        accuracy.teachers[0].measured.clear();
    }
    assert_ne!(accuracies(&silent)[0], accuracies(&read)[0]);
}

#[test]
fn paths_and_teachers_that_do_not_fit_are_refused() {
    let cases: [(&str, Change, &str); 7] = [
        (
            "/accuracy/paths/0/deviation",
            |deviation| *deviation = json!(0.0),
            "paths of the accuracy",
        ),
        (
            "/accuracy/paths",
            |paths| *paths = json!([]),
            "inputs of the accuracy towers",
        ),
        (
            "/accuracy/teachers/0/towers",
            |towers| *towers = Value::Null,
            "towers of a teacher",
        ),
        (
            "/accuracy/teachers/0/space",
            |space| *space = json!("fbnet"),
            "teacher-0.csv",
        ),
        (
            "/accuracy/teachers/0/tasks",
            |tasks| *tasks = json!([]),
            "teacher-0.csv",
        ),
        (
            "/accuracy/teachers/0/tasks/1/deviation",
            |deviation| *deviation = json!(0.0),
            "deviation of the accuracy of a teacher",
        ),
        (
            "/accuracy/teachers",
            |teachers| *teachers = json!([]),
            "inputs of the accuracy towers",
        ),
    ];
    for (place, change, told) in cases {
        let mut files = predictor::files(&taught(), Path::new("tampered")).unwrap();
        edit(place, change)(&mut files);
        let manifest = Manifest::of("nasbench201", &files);
        let refused = Checkpoint::new(Path::new("tampered"), manifest, files)
            .unwrap()
            .predictor(&compute());
        let message = refused.err().unwrap().to_string();
        assert!(message.contains(told), "{place}: {message}");
    }
}
