//! A device file made in one search space serves in another: its profile holds in both.

use std::fmt::Write as _;
use std::path::Path;

use crate::driver::edgefit;

/// Two FBNet architectures: few and cheap blocks, and the most expensive ones.
fn blocks() -> [String; 2] {
    [["skip"; 22].join("-"), ["k5_e6"; 22].join("-")]
}

/// Probes of the bundled fleet's Jetson Nano, `factor` times as slow, as a file.
fn write_probes(folder: &Path, name: &str, factor: f64) {
    let fleet = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/nasbench201-fleet/measurements.csv");
    let table = std::fs::read_to_string(fleet).unwrap();
    let mut probes = String::from("architecture,latency_ms\n");
    let rows = table.lines().filter(|line| line.starts_with("jetson_nano,"));
    for row in rows.step_by(7).take(10) {
        let cells: Vec<&str> = row.split(',').collect();
        let latency: f64 = cells[4].parse().unwrap();
        writeln!(probes, "{},{}", cells[1], latency * factor).unwrap();
    }
    std::fs::write(folder.join(name), probes).unwrap();
}

/// Latency in ms and the width of its interval as a factor, of each FBNet architecture on a device.
fn predicted(folder: &Path, device: &str) -> Vec<(f64, f64)> {
    std::fs::write(folder.join("blocks.txt"), blocks().join("\n")).unwrap();
    let command = format!("predict --checkpoint fbnet --device {device} --architectures {{blocks.txt}}");
    let run = edgefit(folder, &command).succeeded();
    let mut lines = run.stdout.lines().map(|line| line.split(',').collect::<Vec<&str>>());
    let header = lines.next().unwrap();
    let place = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let columns = ["latency_ms", "latency_ms_low", "latency_ms_high"].map(place);
    lines
        .map(|cells| {
            let [mean, low, high] = columns.map(|column| cells[column].parse::<f64>().unwrap());
            (mean, high / low)
        })
        .collect()
}

#[test]
fn a_device_file_serves_in_every_space() {
    let folder = tempfile::tempdir().unwrap();
    for (name, factor) in [("nano", 1.0), ("slow", 3.0)] {
        write_probes(folder.path(), &format!("{name}.csv"), factor);
        let adapt = format!(
            "adapt --checkpoint nasbench201 --device jetson_nano --probes {{{name}.csv}} --out {{{name}.json}}"
        );
        edgefit(folder.path(), &adapt).succeeded();
    }
    let [described, nano, slow] =
        ["jetson_nano", "{nano.json}", "{slow.json}"].map(|device| predicted(folder.path(), device));
    // Probes elsewhere say more than the datasheet alone.
    assert!(nano[1].1 < described[1].1, "{nano:?} {described:?}");
    // More work takes longer, and a device that is three times as slow there is so here.
    assert!(nano[1].0 > 1.5 * nano[0].0, "{nano:?}");
    let factor = slow[1].0 / nano[1].0;
    assert!((2.0..4.5).contains(&factor), "{factor}");
}

#[test]
fn probes_of_both_spaces_count() {
    let folder = tempfile::tempdir().unwrap();
    write_probes(folder.path(), "nano.csv", 1.0);
    edgefit(
        folder.path(),
        "adapt --checkpoint nasbench201 --device jetson_nano --probes {nano.csv} --out {nano.json}",
    )
    .succeeded();
    let before = predicted(folder.path(), "{nano.json}");
    // Here it is twice as slow as the profile says.
    let [small, large] = blocks();
    let probes = format!(
        "architecture,latency_ms\n{small},{}\n{large},{}\n",
        2.0 * before[0].0,
        2.0 * before[1].0
    );
    std::fs::write(folder.path().join("blocks.csv"), probes).unwrap();
    let run = edgefit(
        folder.path(),
        "adapt --checkpoint fbnet --device {nano.json} --probes {blocks.csv} --out {both.json}",
    )
    .succeeded();
    assert!(run.stderr.contains("with 12 probes"), "{}", run.stderr);
    let after = predicted(folder.path(), "{both.json}");
    let factor = after[1].0 / before[1].0;
    assert!((1.6..2.4).contains(&factor), "{factor}");
    assert!(after[1].1 < before[1].1, "{after:?} {before:?}");
}

/// An FBNet dataset without a single measurement.
fn write_empty_dataset(folder: &Path) {
    let dataset = folder.join("blocks");
    std::fs::create_dir(&dataset).unwrap();
    let manifest = "space = \"fbnet\"\ndescription = \"Nothing was measured yet.\"\n";
    let tables = [
        ("dataset.toml", manifest),
        ("devices.csv", "id\n"),
        (
            "measurements.csv",
            "device,architecture,precision,input,latency_ms,energy_mj,origin\n",
        ),
        ("accuracy.csv", "task,architecture,precision,accuracy_percent,origin\n"),
    ];
    for (name, text) in tables {
        std::fs::write(dataset.join(name), text).unwrap();
    }
}

#[test]
fn a_space_without_measurements_has_latencies_from_profiles() {
    let folder = tempfile::tempdir().unwrap();
    write_empty_dataset(folder.path());
    let fleet = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/nasbench201-fleet");
    let train = |more: &str| {
        let command = format!("train predictor --dataset {{blocks}} {more} --out {{profiles}}");
        edgefit(folder.path(), &command)
    };
    train("").failed(2, &["datasets of other search spaces"]);
    train(&format!("--profiles-from {fleet} --devices jetson_nanno")).failed(2, &["`jetson_nano`"]);
    train(&format!("--profiles-from {fleet}")).succeeded();

    // Few blocks take less time than many, on every device and by its own measure.
    std::fs::write(folder.path().join("blocks.txt"), blocks().join("\n")).unwrap();
    let latencies = |device: &str| -> [f64; 2] {
        let command = format!("predict --checkpoint {{profiles}} --device {device} --architectures {{blocks.txt}}");
        let run = edgefit(folder.path(), &command).succeeded();
        let mut lines = run.stdout.lines().map(|line| line.split(',').collect::<Vec<&str>>());
        let header = lines.next().unwrap();
        let place = header.iter().position(|column| *column == "latency_ms").unwrap();
        [(); 2].map(|()| lines.next().unwrap()[place].parse().unwrap())
    };
    let (board, server) = (latencies("esp32"), latencies("a100_64_fp16"));
    assert!(
        board[1] > 1.5 * board[0] && server[1] > 1.5 * server[0],
        "{board:?} {server:?}"
    );
    // A microcontroller against a server GPU, which runs 64 images in one batch.
    assert!(board[1] > 20.0 * server[1], "{board:?} {server:?}");
}

#[test]
fn datasets_of_several_spaces_make_one_predictor() {
    let folder = tempfile::tempdir().unwrap();
    write_empty_dataset(folder.path());
    let fleet = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/nasbench201-fleet");
    let train = |more: &str| {
        let command = format!("train predictor --dataset {{blocks}} {fleet} {more}");
        edgefit(folder.path(), &command)
    };
    train("--out {none}").failed(2, &["fbnet, nasbench201", "none chosen"]);
    train("--space fbnett --out {none}").failed(2, &["`fbnet`"]);
    train("--space mobilenet_v2 --out {none}").failed(1, &["mobilenet_v2"]);
    train("--space fbnet --without residual --out {both}").succeeded();
    edgefit(
        folder.path(),
        &format!("train predictor --dataset {{blocks}} --profiles-from {fleet} --without residual --out {{apart}}"),
    )
    .succeeded();
    // Given in either way, the same is learned.
    let predictor = |name: &str| std::fs::read(folder.path().join(name).join("predictor.json")).unwrap();
    assert_eq!(predictor("both"), predictor("apart"));
    let options = std::fs::read_to_string(folder.path().join("both/run.toml")).unwrap();
    assert!(options.contains("without = [\"residual\"]"), "{options}");
}
