//! Runtimes: what they compute, what they say of models and libraries that they cannot use, and the documented recipes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use burn::tensor::{Device, Tensor, TensorData};
use edgefit::error::{Error, RunFailure};
use edgefit::export::{Weights, forward, onnx};
use edgefit::runtime::{Embedded, OnnxLibrary, OnnxRuntime, Round, Runtime, RuntimeOptions, open};
use edgefit::seed::Seed;
use edgefit::space::{InputSize, Network, Precision, all, by_id};

const ROUND: Round = Round {
    warmup_runs: 2,
    warmup_seconds: 0.0,
    runs: 3,
    seconds: 0.0,
};
const CELL: &str = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|";

/// The ONNX Runtime of this machine, or `None` after saying that the test is passed over.
fn onnxruntime() -> Option<OnnxRuntime> {
    let places = [OnnxLibrary::Environment, OnnxLibrary::PythonPackage];
    let opened = places.iter().find_map(|place| OnnxRuntime::open(place).ok());
    if opened.is_none() {
        eprintln!("passed over: no library of ONNX Runtime in ORT_DYLIB_PATH or python3");
    }
    opened
}

/// Random designs of every space, lowered for a small input where that is not theirs to choose.
fn networks() -> Vec<(String, Network)> {
    let mut random = Seed(7).stream("runtimes");
    let mut networks = Vec::new();
    for space in all() {
        for _ in 0..3 {
            let architecture = space.sample(&mut random);
            let network = space.lower(&architecture, InputSize::square(32), 10);
            networks.push((space.print(&architecture), network));
        }
    }
    networks
}

/// What Burn computes with the weights of [`written`].
fn computed(network: &Network) -> Vec<f32> {
    let shape = network.nodes().next().unwrap().layer.output;
    let dims = [1, shape.channels, shape.height, shape.width].map(|extent| extent as usize);
    let image = Tensor::<4>::from_data(TensorData::new(image(network), dims), &Device::flex());
    let output = forward(network, &Weights::seeded(3), image).unwrap();
    output.into_data().iter().collect()
}

fn written(folder: &Path, network: &Network, precision: Precision) -> PathBuf {
    let path = folder.join(format!("{precision}.onnx"));
    fs::write(&path, onnx(network, precision.into(), &Weights::seeded(3)).unwrap()).unwrap();
    path
}

fn cell() -> Network {
    let space = by_id("nasbench201").unwrap();
    space.lower(&space.parse(CELL).unwrap(), space.default_input(), 10)
}

/// An image that a network takes.
fn image(network: &Network) -> Vec<f32> {
    let elements = network.nodes().next().unwrap().layer.output.elements();
    (0..elements).map(|index| (index as f32 * 0.37).sin()).collect()
}

/// The largest difference, in parts of the largest value.
fn difference(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    assert!(left.iter().chain(right).all(|value| value.is_finite()));
    let largest = right
        .iter()
        .fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
    left.iter()
        .zip(right)
        .fold(0.0, |most: f32, (left, right)| most.max((left - right).abs()))
        / largest
}

#[test]
fn both_runtimes_in_this_process_compute_what_burn_computes() {
    let onnxruntime = onnxruntime();
    let folder = tempfile::tempdir().unwrap();
    for (name, network) in networks() {
        let expected = computed(&network);
        // Halves have 11 bits: sums of many of them differ in the third digit.
        for (precision, tolerance) in [(Precision::Fp32, 1e-4), (Precision::Fp16, 2e-2)] {
            let path = written(folder.path(), &network, precision);
            let embedded = Embedded.run_once(&path, image(&network)).unwrap();
            let off = difference(&embedded, &expected);
            assert!(off < tolerance, "{name} in {precision}, embedded: {off}");
            let Some(onnxruntime) = &onnxruntime else { continue };
            let off = difference(&onnxruntime.run_once(&path, image(&network)).unwrap(), &expected);
            assert!(off < tolerance, "{name} in {precision}, ONNX Runtime: {off}");
        }
    }
}

#[test]
fn int8_is_close_in_onnxruntime() {
    let Some(onnxruntime) = onnxruntime() else { return };
    let folder = tempfile::tempdir().unwrap();
    // Two bits, which layers may say themselves, are far from what floating point computes.
    let at_one_precision = |(_, network): &(String, Network)| network.layers().all(|layer| layer.bits.is_none());
    for (name, network) in networks().into_iter().filter(at_one_precision) {
        let path = written(folder.path(), &network, Precision::Int8);
        let off = difference(
            &onnxruntime.run_once(&path, image(&network)).unwrap(),
            &computed(&network),
        );
        // Few bits, and weights that no training made forgiving; a wrong scale is off by more.
        assert!(off < 0.2, "{name}: {off}");
    }
}

/// The embedded runtime knows no weights of four bits, and says so before anything is measured.
#[test]
fn four_bits_run_in_onnxruntime_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), &cell(), Precision::Int4);
    let error = Embedded.load(&path, 1).err().unwrap();
    assert!(matches!(&error, Error::Run { model, .. } if *model == path), "{error}");
    assert!(error.to_string().contains("INT4"), "{error}");
    let Some(onnxruntime) = onnxruntime() else { return };
    let output = onnxruntime.run_once(&path, image(&cell())).unwrap();
    assert_eq!(output.iter().filter(|value| value.is_finite()).count(), 10);
}

#[test]
fn onnxruntime_measures_and_refuses_by_name() {
    let Some(onnxruntime) = onnxruntime() else { return };
    assert!(
        onnxruntime.describe().starts_with("onnxruntime "),
        "{}",
        onnxruntime.describe()
    );
    let folder = tempfile::tempdir().unwrap();
    let model = written(folder.path(), &cell(), Precision::Fp32);
    for threads in [1, 2] {
        let samples = onnxruntime.load(&model, threads).unwrap().measure(&ROUND).unwrap();
        assert_eq!(samples.latency_ms.len(), 3);
        assert!(
            samples.latency_ms.iter().all(|&latency_ms| latency_ms > 0.0),
            "{samples:?}"
        );
    }
    let broken = folder.path().join("broken.onnx");
    fs::write(&broken, &fs::read(&model).unwrap()[..1_000]).unwrap();
    for path in [broken, folder.path().join("missing.onnx")] {
        let error = onnxruntime.load(&path, 1).err().unwrap();
        assert!(matches!(&error, Error::Run { model, .. } if *model == path), "{error}");
    }
    assert!(
        onnxruntime
            .run_once(&model, vec![0.0; 7])
            .unwrap_err()
            .to_string()
            .contains("3072 values")
    );
}

#[test]
fn a_second_library_is_refused() {
    let Some(_first) = onnxruntime() else { return };
    // The test's own program is no library of ONNX Runtime, but it is for this processor.
    let other = OnnxLibrary::File(std::env::current_exe().unwrap());
    let error = open(&RuntimeOptions::OnnxRuntime { library: other }).err().unwrap();
    assert!(error.to_string().contains("start another"), "{error}");
}

#[cfg(target_os = "linux")]
mod libraries {
    use std::process::Command;

    use super::*;
    use crate::driver::{Run, program};

    /// A library that says to be ONNX Runtime 1.3.0.
    const OLD: &str = r#"
static const char *version(void) { return "1.3.0"; }
static const void *api(unsigned asked) { return 0; }
static const struct { const void *(*get)(unsigned); const char *(*version)(void); } base = {api, version};
const void *OrtGetApiBase(void) { return &base; }
"#;

    /// Measures with a library, in a process of its own.
    fn with_library(folder: &Path, library: Option<&Path>) -> Run {
        let mut command = Command::new(program());
        command.current_dir(folder).env_remove("ORT_DYLIB_PATH");
        command.args([
            "measure",
            "--space",
            "nasbench201",
            "--design",
            CELL,
            "--runtime",
            "onnxruntime",
            "--out",
            "out",
        ]);
        if let Some(library) = library {
            command.arg("--library").arg(library);
        }
        Run::of(command.output().unwrap())
    }

    /// Compiles a library, or says that the test is passed over.
    fn compiled(folder: &Path, source: &str) -> Option<PathBuf> {
        let (text, library) = (folder.join("library.c"), folder.join("libonnxruntime.so"));
        fs::write(&text, source).unwrap();
        let compiler = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(&text)
            .status();
        let done = compiler.is_ok_and(|status| status.success());
        if !done {
            eprintln!("passed over: no compiler for C");
        }
        done.then_some(library)
    }

    #[test]
    fn a_library_that_is_missing_is_told_with_where_to_get_one() {
        let folder = tempfile::tempdir().unwrap();
        with_library(folder.path(), None).failed(1, &["ORT_DYLIB_PATH", "pip install onnxruntime"]);
        let nowhere = Path::new("/nowhere/libonnxruntime.so");
        with_library(folder.path(), Some(nowhere)).failed(1, &["/nowhere/libonnxruntime.so", "pip install"]);
    }

    #[test]
    fn a_library_that_is_old_or_another_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let Some(old) = compiled(folder.path(), OLD) else {
            return;
        };
        with_library(folder.path(), Some(&old))
            .failed(1, &["release 1.17 or later", "release 1.3.0", "libonnxruntime.so"]);
        let other = compiled(folder.path(), "int answer(void) { return 42; }").unwrap();
        with_library(folder.path(), Some(&other)).failed(1, &["a library of something else"]);
    }

    #[test]
    fn a_library_that_lacks_another_is_told_in_the_words_of_the_loader() {
        let folder = tempfile::tempdir().unwrap();
        let Some(library) = compiled(
            folder.path(),
            "extern int missing; int answer(void) { return missing; }",
        ) else {
            return;
        };
        with_library(folder.path(), Some(&library)).failed(1, &["libonnxruntime.so", "missing"]);
    }
}

#[cfg(unix)]
mod commands {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);
    /// Prints the model's name, how it was called, and one latency for every run.
    const BENCH: &str = r#"
echo "called with $*" >&2
awk -v n="$4" 'BEGIN { printf "{\"latency_ms\": ["; for (i = 1; i <= n; i++) printf "%s%d.5", (i > 1 ? ", " : ""), i; print "], \"energy_mj\": null, \"runtime\": \"bench 1\", \"warnings\": []}" }'
"#;

    fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn command(template: &str, time_limit: Duration) -> Box<dyn Runtime> {
        let template = template.into();
        open(&RuntimeOptions::Command { template, time_limit }).unwrap()
    }

    /// What a tool with this text makes of a model that is not looked at.
    fn failure(text: &str, limit: Duration) -> (RunFailure, String) {
        let folder = tempfile::tempdir().unwrap();
        let tool = script(folder.path(), "tool", text);
        let runtime = command(&format!("{} {{model}}", tool.display()), limit);
        let error = runtime
            .load(Path::new("net.onnx"), 1)
            .unwrap()
            .measure(&ROUND)
            .unwrap_err();
        let message = error.to_string();
        assert!(message.contains("net.onnx") && message.contains("tool"), "{message}");
        match error {
            Error::Run { failure, stderr, .. } => (failure, stderr),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_way_to_fail_has_its_name_and_the_last_lines_of_standard_error() {
        let (exit, stderr) = failure("for i in 1 2 3 4 5 6 7; do echo line $i >&2; done; exit 3", LIMIT);
        assert_eq!(exit, RunFailure::Exit("exit status: 3".into()));
        assert_eq!(stderr, "line 3\nline 4\nline 5\nline 6\nline 7");
        let (nothing, stderr) = failure("echo so quiet >&2", LIMIT);
        assert_eq!((nothing, stderr.as_str()), (RunFailure::NothingPrinted, "so quiet"));
        assert!(matches!(failure("echo hello", LIMIT).0, RunFailure::Unreadable { found, .. } if found == "hello"));
        let (negative, _) = failure("echo '{\"latency_ms\": [1, -1]}'", LIMIT);
        assert!(matches!(negative, RunFailure::NoMeasurement { what: "latency_ms", .. }));
        let (hanging, stderr) = failure("echo loading >&2; sleep 600", Duration::from_secs(1));
        assert_eq!(
            (hanging, stderr.as_str()),
            (RunFailure::TimeLimit { seconds: 1.0 }, "loading")
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_told_before_anything_is_measured() {
        let template = "no-such-tool-anywhere {model}".to_string();
        let error = open(&RuntimeOptions::Command {
            template,
            time_limit: LIMIT,
        })
        .err()
        .unwrap();
        assert!(matches!(error, Error::Runtime { .. }), "{error}");
    }

    /// The code block of docs/MEASURING.md that a file's name stands before.
    fn recipe(name: &str) -> String {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/MEASURING.md")).unwrap();
        let (_, rest) = text.split_once(&format!("`{name}`")).unwrap();
        let (_, block) = rest.split_once("\n```").unwrap();
        let (_, block) = block.split_once('\n').unwrap();
        block.split_once("```").unwrap().0.to_string()
    }

    /// The command of docs/MEASURING.md that begins so.
    fn documented_command(start: &str) -> String {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/MEASURING.md")).unwrap();
        let start = format!("--command '{start}");
        let at = text.find(&start).unwrap() + "--command '".len();
        text[at..].split_once('\'').unwrap().0.to_string()
    }

    /// Measures as documented, in a folder with the documented script, with these programs before all others. Returns
    /// the latencies, and what the programs noted in `$NOTES`.
    fn follow(recipe_name: Option<&str>, start: &str, programs: &[(&str, &str)]) -> (Vec<f64>, String) {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        if let Some(name) = recipe_name {
            fs::write(folder.join(name), recipe(name)).unwrap();
        }
        for (name, text) in programs {
            script(folder, name, text);
        }
        let path = std::env::var("PATH").unwrap();
        let notes = folder.join("notes");
        let here = folder.display();
        let template = documented_command(start).replace("sh on-", &format!("sh {here}/on-"));
        let template = format!("env 'PATH={here}:{path}' 'NOTES={}' {template}", notes.display());
        let model = written(folder, &cell(), Precision::Fp32);
        let samples = command(&template, LIMIT)
            .load(&model, 2)
            .unwrap()
            .measure(&ROUND)
            .unwrap();
        (samples.latency_ms, fs::read_to_string(notes).unwrap())
    }

    #[test]
    fn the_recipe_for_ssh_copies_the_model_and_runs_it_there() {
        let ssh = format!("echo \"ssh $*\" >> \"$NOTES\"\nset -- $4\nshift 2\n{BENCH}");
        let scp = "[ -s \"$4\" ] && echo \"scp $5\" >> \"$NOTES\"";
        let (latency_ms, notes) = follow(Some("on-board.sh"), "sh on-board.sh", &[("ssh", &ssh), ("scp", scp)]);
        assert_eq!(
            notes,
            "scp board:/tmp/model.onnx\nssh -o BatchMode=yes board python3 bench.py /tmp/model.onnx 2 2 3\n"
        );
        assert_eq!(latency_ms.len(), 3);
    }

    #[test]
    fn the_recipe_for_phones_copies_the_model_and_reads_the_median() {
        let adb = r#"
if [ "$1" = push ]; then [ -s "$2" ] && echo "push $3" >> "$NOTES"; echo "1 file pushed"; exit; fi
echo "$*" >> "$NOTES"
echo "Average inference time cost total: 7.270205 ms"
echo "P50 Latency: 0.0075 s"
"#;
        let (latency_ms, notes) = follow(Some("on-phone.sh"), "sh on-phone.sh", &[("adb", adb)]);
        assert_eq!(
            notes,
            "push /data/local/tmp/model.onnx\nshell cd /data/local/tmp && LD_LIBRARY_PATH=. ./onnxruntime_perf_test -e cpu -m times \
             -r 3 -x 2 -I -s model.onnx\n"
        );
        assert_eq!(latency_ms, [7.5]);
    }

    #[test]
    fn the_recipe_for_onnxruntime_perf_test_needs_no_script() {
        let tool =
            "shift 9; [ -s \"$2\" ] && echo \"$1\" > \"$NOTES\"; echo 'Average inference time cost total: 7.25 ms'";
        let (latency_ms, notes) = follow(None, "onnxruntime_perf_test", &[("onnxruntime_perf_test", tool)]);
        assert_eq!((latency_ms.as_slice(), notes.as_str()), ([7.25].as_slice(), "-s\n"));
    }

    #[test]
    fn the_recipe_for_tensorflow_lite_converts_first() {
        let converter = "cp \"$2\" \"$4/model_float32.tflite\"; echo converted";
        let tool = r#"
graph=${1#--graph=}
[ -s "$graph" ] && echo "$2 $3 $4" > "$NOTES"
echo "INFO: Inference timings in us: Init: 119515, First inference: 87112, Warmup (avg): 58147.4, Inference (avg): 63743.2" >&2
"#;
        let programs = [("onnx2tf", converter), ("benchmark_model", tool)];
        let (latency_ms, notes) = follow(Some("on-tflite.sh"), "sh on-tflite.sh", &programs);
        assert_eq!(notes, "--num_threads=2 --warmup_runs=2 --num_runs=3\n");
        assert!(
            matches!(latency_ms[..], [value] if (value - 63.7432).abs() < 1e-9),
            "{latency_ms:?}"
        );
    }

    #[test]
    fn the_documented_program_runs_models() {
        let imports = ["-c", "import numpy, onnxruntime"];
        if !std::process::Command::new("python3")
            .args(imports)
            .status()
            .is_ok_and(|status| status.success())
        {
            eprintln!("passed over: python3 has no numpy or no onnxruntime");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bench.py");
        fs::write(&program, recipe("bench.py")).unwrap();
        let template = format!(
            "python3 '{}' {{model}} {{threads}} {{warmup}} {{runs}}",
            program.display()
        );
        let samples = command(&template, LIMIT)
            .load(&written(folder.path(), &cell(), Precision::Fp32), 1)
            .unwrap()
            .measure(&ROUND)
            .unwrap();
        assert_eq!(samples.latency_ms.len(), 3);
        assert!(samples.runtime.unwrap().starts_with("onnxruntime "));
    }
}
