//! A checkpoint extended by devices of one's own: they are known as if it had been trained on them, and all else stays.

use std::fs;
use std::path::Path;

use edgefit::checkpoint::Checkpoint;
use edgefit::compute::Backend;
use serde_json::Value;

use crate::driver::edgefit;
use crate::trained::{trained, untrained};

/// Architecture, latency in ms and energy in mJ of one device of the fleet, in the dataset's order.
fn rows(fleet: &Path, device: &str) -> Vec<(String, f64, f64)> {
    let text = fs::read_to_string(fleet.join("measurements.csv")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix(&format!("{device},")));
    rows.map(|row| {
        let cells: Vec<&str> = row.split(',').collect();
        (cells[0].into(), cells[3].parse().unwrap(), cells[4].parse().unwrap())
    })
    .collect()
}

/// A dataset with every other row of some devices of the fleet under new ids, the rest of which is `cells.txt` of each device.
fn write_own(folder: &Path, devices: &[(&str, &str)]) {
    let (fleet, own) = (folder.join("fleet"), folder.join("mine"));
    fs::create_dir_all(&own).unwrap();
    fs::write(
        own.join("dataset.toml"),
        "space = \"nasbench201\"\norigin = \"simulated\"\ninput = \"32x32\"\n",
    )
    .unwrap();
    let sheets = fs::read_to_string(fleet.join("devices.csv")).unwrap();
    let mut own_sheets = vec![sheets.lines().next().unwrap().to_string()];
    let mut measured = vec!["device,architecture,latency_ms,energy_mj".to_string()];
    for (device, id) in devices {
        let cells = sheets.lines().map(|line| line.splitn(3, ',').collect::<Vec<_>>());
        let sheet = cells.into_iter().find(|cells| cells[0] == *device).unwrap();
        own_sheets.push(format!("{id},{id},{}", sheet[2]));
        let rows = rows(&fleet, device);
        let fitted = rows.iter().step_by(2);
        measured.extend(fitted.map(|(cell, latency, energy)| format!("{id},{cell},{latency},{energy}")));
        let held_out: Vec<&str> = rows.iter().skip(1).step_by(2).map(|row| row.0.as_str()).collect();
        fs::write(folder.join(format!("{id}.txt")), held_out.join("\n")).unwrap();
    }
    fs::write(own.join("devices.csv"), own_sheets.join("\n")).unwrap();
    fs::write(own.join("measurements.csv"), measured.join("\n")).unwrap();
}

/// Mean distance of predictions from the simulated values, as logarithms of latency and energy, over the cells of `cells`.
fn errors(folder: &Path, checkpoint: &str, device: &str, cells: &str, truth: &str) -> (f64, f64) {
    let line = format!("predict --checkpoint {checkpoint} --device {device} --architectures {{{cells}}} --format json");
    let predicted: Vec<Value> = serde_json::from_str(&edgefit(folder, &line).succeeded().stdout).unwrap();
    let measured: Vec<(String, f64, f64)> = rows(&folder.join("fleet"), truth)
        .into_iter()
        .skip(1)
        .step_by(2)
        .collect();
    assert_eq!(predicted.len(), measured.len());
    let mean = |key: &str, value: fn(&(String, f64, f64)) -> f64| {
        let away = predicted.iter().zip(&measured).map(|(predicted, row)| {
            assert_eq!(predicted["architecture"], row.0.as_str());
            (predicted[key]["mean"].as_f64().unwrap() / value(row)).ln().abs()
        });
        away.sum::<f64>() / measured.len() as f64
    };
    (mean("latency_ms", |row| row.1), mean("energy_mj", |row| row.2))
}

const OWN: [(&str, &str); 2] = [("pixel2", "board1"), ("raspi4", "board2")];
const EXTEND: &str = "train predictor --from {nb} --dataset {mine} --out {more}";

/// Devices of the fleet that are known, few so that training is short.
const KNOWN: &str = "1080ti_1,jetson_nano,silver_4114,pixel3,edgetpu";

#[test]
fn added_devices_are_known_as_those_that_were_trained_on() {
    let folder = trained();
    let folder = folder.path();
    write_own(folder, &OWN);
    let said = edgefit(folder, EXTEND).succeeded().stderr;
    assert!(said.contains("added board1, board2 to the 25 devices"), "{said}");
    assert!(said.contains("the optimizer are as they were"), "{said}");
    // The same rows in a training.
    let full = format!("train predictor --dataset {{fleet}} {{mine}} --devices {KNOWN},board1,board2");
    edgefit(folder, &format!("{full} --config {{tiny.toml}} --out {{full}}")).succeeded();
    for ((truth, id), class) in OWN.into_iter().zip(["mobile-cpu", "board-cpu"]) {
        let (cells, sheet) = (format!("{id}.txt"), format!("{{{id}.toml}}"));
        fs::write(
            folder.join(format!("{id}.toml")),
            format!("id = \"x\"\nclass = \"{class}\"\n"),
        )
        .unwrap();
        let prior = errors(folder, "{nb}", &sheet, &cells, truth);
        let extended = errors(folder, "{more}", id, &cells, truth);
        let trained = errors(folder, "{full}", id, &cells, truth);
        assert!(
            extended.0 < 0.25 * prior.0 && extended.1 < 0.25 * prior.1,
            "{id}: {extended:?} {prior:?}"
        );
        assert!(extended.0 < 1.2 * trained.0 + 0.01, "{id}: {extended:?} {trained:?}");
        assert!(extended.1 < 1.2 * trained.1 + 0.01, "{id}: {extended:?} {trained:?}");
        // A device of its class is no longer like none: its level is nearer.
        let now = errors(folder, "{more}", &sheet, &cells, truth);
        assert!(now.0 < prior.0, "{id}: {now:?} {prior:?}");
    }
}

#[test]
fn the_other_devices_stay_and_the_optimizer_goes_on() {
    let folder = trained();
    let folder = folder.path();
    write_own(folder, &OWN);
    edgefit(folder, EXTEND).succeeded();
    let predict = |checkpoint: &str| {
        let line = format!("predict --checkpoint {checkpoint} --device pixel3 --architectures {{board1.txt}}");
        edgefit(folder, &line).succeeded().stdout
    };
    assert_eq!(predict("{nb}"), predict("{more}"));
    let listed = edgefit(folder, "devices --checkpoint {more} --format csv")
        .succeeded()
        .stdout;
    assert!(
        listed.contains("\nboard1,board1,") && listed.contains("\npixel3,"),
        "{listed}"
    );
    let design = edgefit(
        folder,
        "design --checkpoint {more} --device board2 --format json --count 1",
    )
    .succeeded();
    assert!(!design.stderr.contains("nothing was measured"), "{}", design.stderr);
    assert!(design.stdout.contains("\"device\": \"board2\""), "{}", design.stdout);
    let more = Checkpoint::open(&folder.join("more")).unwrap();
    let compute = Backend::Flex.device().unwrap();
    assert_eq!(more.optimizer(&compute).unwrap().predictor, more.id());
    // In place, and once more.
    fs::remove_dir_all(folder.join("mine")).unwrap();
    write_own(folder, &[("a100_64_fp16", "card")]);
    edgefit(folder, "train predictor --from {more} --dataset {mine} --out {more}").succeeded();
    edgefit(
        folder,
        "predict --checkpoint {more} --device card --architectures {card.txt}",
    )
    .succeeded();
}

#[test]
fn what_does_not_fit_the_checkpoint_is_refused() {
    let folder = trained();
    let folder = folder.path();
    write_own(folder, &OWN);
    let own = folder.join("mine");
    let extend = |options: &str| edgefit(folder, &format!("{EXTEND} {options}"));
    extend("--task cifar100").failed(2, &["--from", "--task"]);
    extend("--devices board9").failed(2, &["unknown device `board9`", "board1"]);
    edgefit(folder, &EXTEND.replace("{mine}", "{fleet}")).failed(2, &["1080ti_1", "knows already", "ids of their own"]);
    edgefit(folder, &EXTEND.replace("{nb}", "fbnet")).failed(2, &["expected fbnet", "found nasbench201"]);
    let other = EXTEND.replace("{nb}", "nasbench201").replace("{more}", "{nb}");
    edgefit(folder, &other).failed(2, &["nb holds a checkpoint with another predictor"]);

    let benchmark = "name = \"seconds\"\nspace = \"nasbench201\"\nknown = [\"pixel3\"]\nunseen = [\"board1\"]\n\
                     samples-per-device = 100\nprobes = [0]\nrepeats = 1\n";
    fs::write(folder.join("seconds.toml"), benchmark).unwrap();
    let measured = fs::read_to_string(own.join("measurements.csv")).unwrap();
    let seconds: Vec<String> = (measured.lines().enumerate())
        .map(|(number, line)| {
            let mut cells: Vec<String> = line.split(',').map(str::to_string).collect();
            if number > 0 {
                cells[2] = format!("{:e}", cells[2].parse::<f64>().unwrap() / 1000.0);
            }
            cells.join(",")
        })
        .collect();
    fs::write(own.join("measurements.csv"), seconds.join("\n")).unwrap();
    extend("").failed(1, &["expected milliseconds", "seconds"]);
    for scores in [
        "evaluate predictor --checkpoint {nb} --dataset {mine} --devices board1 --probes 0 --repeats 1",
        "evaluate optimizer --checkpoint {nb} --dataset {mine} {fleet} --devices board1 --probes 0 --limits 1",
        "benchmark {seconds.toml} --dataset {fleet} {mine}",
    ] {
        edgefit(folder, scores).failed(1, &["expected milliseconds", "seconds"]);
    }
    let trusted =
        "evaluate predictor --checkpoint {nb} --dataset {mine} --devices board1 --probes 0 --repeats 1 --trust-units";
    edgefit(folder, trusted).succeeded();
    let few: Vec<&str> = measured.lines().take(20).collect();
    fs::write(own.join("measurements.csv"), few.join("\n")).unwrap();
    extend("").failed(2, &["device `board1` at 32x32", "at least 30", "found 19"]);
    fs::write(own.join("measurements.csv"), measured).unwrap();
    let manifest = fs::read_to_string(own.join("dataset.toml")).unwrap();
    fs::write(own.join("dataset.toml"), manifest.replace("32x32", "224x224")).unwrap();
    extend("").failed(2, &["device `board1` at 32x32", "found 0"]);
    assert!(!folder.join("more").join("checkpoint.json").exists());
}

#[test]
fn a_shipped_checkpoint_is_extended_by_its_name() {
    let folder = untrained();
    let folder = folder.path();
    write_own(folder, &[("jetson_nano", "board1")]);
    let line = "train predictor --from nasbench201 --dataset {mine} --out {more}";
    let said = edgefit(folder, line).succeeded().stderr;
    assert!(said.contains("added board1 to the 35 devices of nasbench201"), "{said}");
    let (latency, energy) = errors(folder, "{more}", "board1", "board1.txt", "jetson_nano");
    // Noise of 2 and 3 %, and a simulator that is none of the known devices.
    assert!(latency < 0.08 && energy < 0.1, "{latency} {energy}");
    let design = "design --device board1 --max-latency-ms 20 --checkpoint {more}";
    let table = edgefit(folder, design).succeeded().stdout;
    assert!(table.contains("the best of all 15625 architectures"), "{table}");
}

#[test]
fn training_says_what_is_missing_for_what_comes_later() {
    let folder = untrained();
    let folder = folder.path();
    write_own(folder, &OWN);
    fs::remove_file(folder.join("mine/devices.csv")).unwrap();
    let said = edgefit(
        folder,
        "train predictor --dataset {mine} --config {tiny.toml} --out {two}",
    )
    .succeeded()
    .stderr;
    for part in [
        "chooses no designs",
        "without datasheets of board1, board2",
        "2 hardware units are too few",
    ] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
    // What was shipped lacks nothing of that.
    let predictor = Checkpoint::resolve("nasbench201").unwrap();
    let predictor = predictor.predictor(&Backend::Flex.device().unwrap()).unwrap();
    assert_eq!(predictor.shortcomings(), []);
}
