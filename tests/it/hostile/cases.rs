//! The cases, from a few sound files.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::damage::DAMAGES;
use super::{content, copy, options};
use crate::help_fixture::{write_help, write_help_ofa, write_nats_bench};
use crate::report::comparison;
use crate::sources::{block_tables, write_blocks, write_cells, write_oneproxy};
use crate::sources_360;
use crate::sources_blocks::write_note10;
use crate::sources_ofa::{logged, write_log};
use crate::trained::{adapted, architectures, trained, write_few_rows};

/// One call of the program.
pub(super) struct Case {
    pub(super) name: String,
    /// Arguments, separated by blanks; `{name}` stands for a file of the case's folder, and `{sound/name}` for one of the sound
    /// files.
    pub(super) line: String,
    /// Writes the case's own files.
    pub(super) write: Box<dyn Fn(&Path) + Send + Sync>,
    /// The exit statuses that tell what is wrong, if anything is.
    pub(super) statuses: Vec<i32>,
}

/// Writes the sound files that cases begin with.
pub(super) fn prepare(folder: &Path) {
    copy(trained().path(), folder);
    adapted(folder);
    write_few_rows(&folder.join("few"));
    write_help(folder);
    write_oneproxy(folder);
    write_cells(folder);
    write_nats_bench(folder);
    sources_360::write(folder, &sources_360::columns());
    fs::create_dir(folder.join("blocks")).unwrap();
    write_blocks(&folder.join("blocks"), &Value::from(block_tables()).to_string());
    write_help_ofa(&folder.join("ofa"));
    write_note10(&folder.join("ofa"));
    write_log(folder, "a.csv", &[logged(3, "1,0,2", "70.5"), logged(7, ",,", "72")]);
    fs::write(folder.join("comparison.json"), comparison("fpga").to_string()).unwrap();
    copy(&folder.join("few/measurements.csv"), &folder.join("own.csv"));
    fs::write(folder.join("cells.txt"), architectures()[7000..7010].join("\n")).unwrap();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["phone.toml", "table.toml", "benchmark.toml"] {
        copy(&repository.join("examples").join(file), &folder.join(file));
    }
}

/// The status for a broken file, the file, and a command that reads it. A file of data that is broken is a failure, a file that
/// says what to do is a wrong request.
const TARGETS: &str = "\
1 few/dataset.toml data validate {few}
1 few/devices.csv data validate {few}
1 few/measurements.csv data summary {few}
1 few/accuracy.csv data validate {few}
1 own.csv data import csv {own.csv} --space nasbench201 --out {out}
1 probes.csv adapt --checkpoint {sound/nb} --probes {probes.csv} --out {out.json}
1 cells.txt predict --checkpoint {sound/nb} --device pixel3 --architectures {cells.txt}
1 phone.json design --checkpoint {sound/nb} --device {phone.json}
2 phone.toml design --checkpoint {sound/nb} --device {phone.toml}
2 tiny.toml train predictor --dataset {sound/nb} --config {tiny.toml} --out {out}
2 optimizer.toml train optimizer --predictor {sound/few} --config {optimizer.toml} --out {out}
2 table.toml data simulate --config {table.toml} --out {out}
2 benchmark.toml benchmark {benchmark.toml} --dataset {sound/few}
1 comparison.json report proxy --from {comparison.json} --out {out.html}
1 nb/checkpoint.json probes --checkpoint {nb} --count 2
1 nb/predictor.json probes --checkpoint {nb} --count 2
1 nb/latency-0.bpk probes --checkpoint {nb} --count 2
1 nb/accuracy-0.bpk pareto --checkpoint {nb} --device pixel3
1 nb/accuracies.csv pareto --checkpoint {nb} --device pixel3
1 nb/optimizer.json evaluate optimizer --checkpoint {nb} --dataset {sound/few} --devices nobody
1 nb/policy.bpk evaluate optimizer --checkpoint {nb} --dataset {sound/few} --devices nobody
1 HELP/data/nasbench201/str_arch2idx.pt data import help {HELP} --space nasbench201 --out {out}
1 HELP/data/nasbench201/latency/1080ti_32.pt data import help {HELP} --space nasbench201 --out {out}
1 OneProxy/encode.pickle data import oneproxy {OneProxy} --space nasbench201 --out {out}
1 OneProxy/latency_data/eagle_gtx.pickle data import oneproxy {OneProxy} --space nasbench201 --out {out}
1 360/results/dataset.parquet data import hw-nas-bench-360 {360} --space nasbench201 --out {out}
1 HW/hw_cifar10.csv data import hw-nas-bench {HW/hw_cifar10.csv} --space nasbench201 --out {out}
1 blocks/HW/fbnet_cached_metrics.json data import hw-nas-bench {blocks/HW} --space fbnet --out {out}
1 nats_bench.csv data import nats-bench {nats_bench.csv} --space nasbench201 --out {out}
1 ofa/HELP/data/ofa/ofa_archs.pt data import help {ofa/HELP} --space mobilenet_v3_w1.2 --out {out}
1 logs/a.csv data import dynast {logs} --space mobilenet_v3 --out {out}
1 ofa/CompOFA/latency_table@note10/224_lookup_table.yaml data import ofa-lut {ofa/CompOFA} --space mobilenet_v3_w1.2 --out {out}";

/// Files, by how their paths begin, and damage that they are still sound with: tables that may be absent, what stands behind the end
/// of a pickle, line ends, a bit of a weight, numbers that TOML has, values that nothing forbids.
const STILL_SOUND: [(&str, &str); 26] = [
    ("few/devices.csv", "absent"),
    ("few/accuracy.csv", "absent"),
    ("few/measurements.csv", "absent"),
    ("few/measurements.csv", "fp32,32x32,1e"),
    ("few/accuracy.csv", "fp32,0"),
    ("few/accuracy.csv", "fp32,-0"),
    ("few/accuracy.csv", "fp32,1e-320"),
    ("HELP/", "a line without end after it"),
    ("HELP/data/nasbench201/latency", "absent"),
    ("ofa/HELP/", "a line without end after it"),
    ("ofa/CompOFA/", "absent"),
    // In a date, which is not read.
    ("logs/", "no UTF-8"),
    ("OneProxy/", "a line without end after it"),
    ("OneProxy/latency_data", "absent"),
    ("OneProxy/latency_data", "1e308"),
    ("nats_bench.csv", "its last byte flipped"),
    ("comparison.json", "/runs/0/designs = []"),
    ("phone.json", "/device/probes = 18446744073709551615"),
    ("phone.toml", "peak-gflops = 0x10"),
    ("phone.toml", "peak-gflops = 1_000"),
    ("table.toml", "architectures = 0x10"),
    ("table.toml", "architectures = 1_000"),
    ("nb/", "with CRLF, with its hash"),
    ("nb/", "a line without end after it, with its hash"),
    ("nb/", "no UTF-8, with its hash"),
    ("nb/", "its last byte flipped, with its hash"),
];

/// A sound file and a command that reads it.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) file: &'static str,
    line: &'static str,
    /// The status for a file that is broken.
    pub(super) broken: i32,
}

impl Target {
    pub(super) fn all() -> impl Iterator<Item = Target> {
        TARGETS.lines().map(|line| {
            let mut parts = line.splitn(3, ' ');
            let mut part = || parts.next().unwrap();
            Target {
                broken: part().parse().unwrap(),
                file: part(),
                line: part(),
            }
        })
    }

    pub(super) fn of(file: &str) -> Target {
        Target::all().find(|target| target.file == file).unwrap()
    }

    /// A case in which `change` gets the path of a copy of the file; what lies in the same folder is copied too.
    pub(super) fn case(
        self,
        name: &str,
        sound: &Path,
        statuses: &[i32],
        change: impl Fn(&Path) + Send + Sync + 'static,
    ) -> Case {
        let mut statuses = statuses.to_vec();
        let is_sound = |&(file, case): &(&str, &str)| self.file.starts_with(file) && name.starts_with(case);
        if STILL_SOUND.iter().any(is_sound) {
            // A device that nobody has is only asked for where the optimizer was opened first.
            statuses.push(if self.line.contains("nobody") { 2 } else { 0 });
        }
        // Whether such values are meant is asked, which is no fault of the file.
        if self.file == "probes.csv" && name.starts_with("|,1e") && !name.starts_with("|,1e400") {
            statuses = vec![2];
        }
        let root = self.file.split('/').next().unwrap_or_default();
        let from = sound.join(root);
        Case {
            name: format!("{}: {name}", self.file),
            line: self.line.into(),
            write: Box::new(move |folder| {
                copy(&from, &folder.join(root));
                change(&folder.join(self.file));
            }),
            statuses,
        }
    }
}

/// Every case.
pub(super) fn all(sound: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for target in Target::all() {
        for (name, damage) in DAMAGES {
            let statuses = statuses(target, name);
            cases.push(target.case(name, sound, &statuses, move |path| {
                fs::write(path, damage(&fs::read(path).unwrap())).unwrap();
            }));
        }
        for (name, replace) in REPLACEMENTS {
            cases.push(target.case(name, sound, &[1], replace));
        }
    }
    cases.extend(content::all(sound));
    cases.extend(options::all(sound));
    cases
}

/// What is to be expected of a target with a kind of damage: not all damage breaks a file. What the commands of the trainings'
/// configurations go on with is no dataset and no checkpoint, since nothing is to be trained here.
fn statuses(target: Target, damage: &str) -> Vec<i32> {
    let is_training = ["tiny.toml", "optimizer.toml"].contains(&target.file);
    match damage {
        "with CRLF" | "with a byte-order mark" => vec![0, 1, target.broken],
        "empty" | "a line break" if is_training => vec![1],
        "empty" | "a line break" if target.file == "cells.txt" => vec![0],
        // A number that is cut off is another number.
        "half" if target.file == "probes.csv" => vec![0, target.broken],
        _ => vec![target.broken],
    }
}

/// What may stand in the place of a file.
type Replacement = (&'static str, fn(&Path));

const REPLACEMENTS: [Replacement; 4] = [
    ("absent", |path| fs::remove_file(path).unwrap()),
    ("a folder", |path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
    // Nobody writes to it: to open it would wait for ever.
    ("a pipe", |path| {
        fs::remove_file(path).unwrap();
        assert!(
            std::process::Command::new("mkfifo")
                .arg(path)
                .status()
                .unwrap()
                .success()
        );
    }),
    ("a device without end", |path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    }),
];
