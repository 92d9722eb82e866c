//! `edgefit export` from once-for-all supernets, beside their reference implementation.

use std::path::Path;
use std::process::{Command, Output};

use crate::driver::{Run, program};

/// Runs the script beside this file.
fn script(arguments: &[&str]) -> std::io::Result<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/supernet_reference.py");
    let mut python = Command::new("python3");
    // PyTorch's threads wait for each other by spinning, which takes minutes on a busy machine.
    python.env("OMP_NUM_THREADS", "1");
    python.arg(script).args(arguments).output()
}

/// Outputs for supernets with random weights, as PyTorch files of two ages and as safetensors, with matrices for smaller kernels
/// and without; for a subnet's own file; and with statistics of normalisation taken from images. The package `ofa` may be
/// unpacked where `PYTHONPATH` says.
#[test]
fn parts_of_supernets_compute_what_the_reference_implementation_computes() {
    if !script(&["--help"]).is_ok_and(|output| output.status.success()) {
        eprintln!("passed over: python3 without torch, onnxruntime or ofa");
        return;
    }
    let program = program();
    let compared = Run::of(script(&[&program.to_string_lossy(), "--count", "1"]).unwrap()).succeeded();
    // Three spaces, each with three forms of two supernets and two files more.
    assert_eq!(compared.stdout.lines().count(), 3 * (3 * 2 + 2), "{}", compared.stdout);
}
