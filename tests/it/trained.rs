//! One small checkpoint with a predictor and an optimizer, trained once on the bundled fleet and copied by every test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::driver::edgefit;

/// Devices of the fleet that the checkpoint does not know; `pixel2` and `raspi4` are in the device catalogue.
pub(crate) const UNSEEN: [&str; 3] = ["pixel2", "raspi4", "a100_64_fp16"];

/// Options under which training takes a few seconds.
pub(crate) const TINY: &str = "[towers]\nepochs = 4\nmembers = 1\nhidden = 32\n\
                               [accuracy]\nepochs = 4\nmembers = 1\nhidden = 32\n";

/// The arguments that train the predictor of the checkpoint in `folder`, less `--out`.
pub(crate) fn train_predictor() -> String {
    format!(
        "train predictor --dataset {{fleet}} --devices {} --config {{tiny.toml}}",
        known().join(",")
    )
}

/// Ids of the devices that are trained on.
pub(crate) fn known() -> Vec<String> {
    let text = fs::read_to_string(bundled().join("devices.csv")).unwrap();
    let ids = text.lines().skip(1).map(|line| line.split(',').next().unwrap());
    ids.filter(|id| !UNSEEN.contains(id)).map(str::to_string).collect()
}

/// A folder of the test's own with `fleet` (the dataset), `tiny.toml` and `nb` (the checkpoint).
pub(crate) fn trained() -> TempDir {
    static TRAINED: OnceLock<PathBuf> = OnceLock::new();
    let trained = TRAINED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trained");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        prepare(&folder);
        edgefit(&folder, &format!("{} --out {{nb}}", train_predictor())).succeeded();
        let optimizer = "train optimizer --predictor {nb} --config {optimizer.toml} --out {nb}";
        edgefit(&folder, optimizer).succeeded();
        folder
    });
    let folder = untrained();
    copy(&trained.join("nb"), &folder.path().join("nb"));
    folder
}

/// As [`trained`], without the checkpoint.
pub(crate) fn untrained() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    folder
}

fn prepare(folder: &Path) {
    copy(&bundled(), &folder.join("fleet"));
    fs::write(folder.join("tiny.toml"), TINY).unwrap();
    fs::write(folder.join("optimizer.toml"), "steps = 60\n").unwrap();
}

fn bundled() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/nasbench201-fleet")
}

/// Writes a dataset of a few dozen rows a table, the first of the bundled fleet.
pub(crate) fn write_few_rows(dataset: &Path) {
    fs::create_dir(dataset).unwrap();
    for name in ["dataset.toml", "devices.csv", "measurements.csv", "accuracy.csv"] {
        let text = fs::read_to_string(bundled().join(name)).unwrap();
        let lines: Vec<&str> = text.lines().take(60).collect();
        fs::write(dataset.join(name), lines.join("\n") + "\n").unwrap();
    }
}

/// Copies a folder of plain files.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// All 15,625 architectures of NAS-Bench-201.
pub(crate) fn architectures() -> Vec<String> {
    let operations = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];
    let one = |index: usize| {
        let operation = |edge: u32| operations[index / 5_usize.pow(edge) % 5];
        format!(
            "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|",
            operation(0),
            operation(1),
            operation(2),
            operation(3),
            operation(4),
            operation(5)
        )
    };
    (0..15_625).map(one).collect()
}

/// The latency in ms on a made-up device whose layers run one after another: 4 ms per 3x3 convolution, 1.5 per 1x1, 0.5 per
/// pooling, and 2 for the rest of the network.
pub(crate) fn latency_ms(architecture: &str) -> f64 {
    let count = |operation: &str| architecture.matches(operation).count() as f64;
    2.0 + 4.0 * count("nor_conv_3x3") + 1.5 * count("nor_conv_1x1") + 0.5 * count("avg_pool_3x3")
}

/// Fills in [`latency_ms`] for the architectures of a probe file.
pub(crate) fn measure(probes: &Path) {
    let text = fs::read_to_string(probes).unwrap();
    let mut lines = vec!["architecture,latency_ms".to_string()];
    for line in text.lines().skip(1) {
        let architecture = line.split(',').next().unwrap();
        lines.push(format!("{architecture},{}", latency_ms(architecture)));
    }
    fs::write(probes, lines.join("\n")).unwrap();
}

/// Chooses and measures probes of the made-up device and adapts to it: `probes.csv` and `phone.json`.
pub(crate) fn adapted(folder: &Path) {
    edgefit(folder, "probes --checkpoint {nb} --count 10 --out {probes.csv}").succeeded();
    measure(&folder.join("probes.csv"));
    edgefit(
        folder,
        "adapt --checkpoint {nb} --probes {probes.csv} --out {phone.json}",
    )
    .succeeded();
}
