//! `edgefit data import ofa-lut`: small tables of blocks in CompOFA's format, and broken ones.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use crate::driver::edgefit;

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

/// Blocks of the space at width 1.2 and one resolution, each worth 1 ms but for the stem, worth 10 ms.
fn note10_table(resolution: u32) -> String {
    let mut names = Vec::new();
    let mut edge = resolution / 2;
    names.push(format!(
        "Conv-input:{resolution}x{resolution}x3-output:{edge}x{edge}x24"
    ));
    let map = |edge: u32, channels: u32| format!("{edge}x{edge}x{channels}");
    let mut block = |edges: [u32; 2], channels: [u32; 2], expand: u32, kernel: u32, rest: &str| {
        let [input, output] = [0, 1].map(|side| map(edges[side], channels[side]));
        names.push(format!(
            "expanded_conv-input:{input}-output:{output}-expand:{expand}-kernel:{kernel}-{rest}"
        ));
    };
    block([edge; 2], [24; 2], 24, 3, "stride:1-idskip:1-se:0-hs:0");
    let mut input = 24;
    for (channels, stride, se, hs) in [
        (32, 2, 0, 0),
        (48, 2, 1, 0),
        (96, 2, 0, 1),
        (136, 1, 1, 1),
        (192, 2, 1, 1),
    ] {
        let output = (edge - 1) / stride + 1;
        for (kernel, expansion) in [3, 5, 7]
            .into_iter()
            .flat_map(|kernel| [3, 4, 6].map(|one| (kernel, one)))
        {
            let first = format!("stride:{stride}-idskip:0-se:{se}-hs:{hs}");
            block([edge, output], [input, channels], input * expansion, kernel, &first);
            let later = format!("stride:1-idskip:1-se:{se}-hs:{hs}");
            block([output; 2], [channels; 2], channels * expansion, kernel, &later);
        }
        (edge, input) = (output, channels);
    }
    names.push(format!("Conv_1-input:{}-output:{}", map(edge, 192), map(edge, 1152)));
    names.push(format!("AvgPool2D-input:{}-output:1x1x1152", map(edge, 1152)));
    names.push("Conv_2-input:1x1x1152-output:1x1x1536".into());
    names.push("Logits-input:1x1x1536-output:1000".into());
    let entries = names.iter().map(|name| {
        let mean = if name.starts_with("Conv-") { 10 } else { 1 };
        format!("{name}:\n  count: 100\n  mean: {mean}\n  std: 0.01\n")
    });
    entries.collect()
}

/// Writes `CompOFA/latency_table@note10` with tables of two resolutions.
pub(crate) fn write_note10(folder: &Path) {
    let tables = folder.join("CompOFA/latency_table@note10");
    fs::create_dir_all(&tables).unwrap();
    for resolution in [180, 224] {
        fs::write(
            tables.join(format!("{resolution}_lookup_table.yaml")),
            note10_table(resolution),
        )
        .unwrap();
    }
}

const IMPORT_TABLES: &str = "data import ofa-lut {CompOFA} --space mobilenet_v3_w1.2 --out {note10}";

#[test]
fn block_tables_are_added_up() {
    let folder = tempdir().unwrap();
    write_note10(folder.path());
    let run = edgefit(folder.path(), IMPORT_TABLES).succeeded();
    assert!(
        run.stderr.contains("sums of measured blocks, not end to end"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .contains("there is no table for their resolutions, 128, 132,"),
        "{}",
        run.stderr
    );
    let measurements = read(folder.path(), "note10/measurements.csv");
    let mut reader = csv::Reader::from_reader(measurements.as_bytes());
    let mut count = 0;
    for row in reader.records().map(Result::unwrap) {
        let network: Value = serde_json::from_str(&row[1]).unwrap();
        let blocks: f64 = network["d"]
            .as_array()
            .unwrap()
            .iter()
            .map(|depth| depth.as_f64().unwrap())
            .sum();
        let resolution = network["r"].as_u64().unwrap();
        assert!([180, 224].contains(&resolution));
        // The stem, the first block, the chosen ones and four layers behind them.
        assert_eq!(row[4].parse::<f64>().unwrap(), 10.0 + 1.0 + blocks + 4.0);
        assert_eq!([&row[0], &row[2], &row[6]], ["samsung_note10", "fp32", "predicted"]);
        assert_eq!(&row[3], format!("{resolution}x{resolution}"));
        count += 1;
    }
    // Two of 25 resolutions: 400 of 5,000 on average, with a standard deviation of 19.
    assert!((300..500).contains(&count), "{count}");
    edgefit(folder.path(), "data validate {note10}").succeeded();
    let again = "data import ofa-lut {CompOFA/latency_table@note10/224_lookup_table.yaml} --space mobilenet_v3_w1.2 --out {one}";
    edgefit(folder.path(), again).succeeded();
    let rows = read(folder.path(), "one/measurements.csv");
    let of_it: Vec<&str> = measurements.lines().filter(|line| line.contains(",224x224,")).collect();
    assert_eq!(rows.lines().skip(1).collect::<Vec<&str>>(), of_it);
}

#[test]
fn tables_that_lack_blocks_are_refused_or_told_of() {
    let edited = |edit: &dyn Fn(&str) -> String| {
        let folder = tempdir().unwrap();
        write_note10(folder.path());
        for resolution in [180, 224] {
            let table = folder
                .path()
                .join(format!("CompOFA/latency_table@note10/{resolution}_lookup_table.yaml"));
            fs::write(&table, edit(&fs::read_to_string(&table).unwrap())).unwrap();
        }
        let run = edgefit(folder.path(), IMPORT_TABLES);
        (folder, run)
    };
    // Only the deepest networks have three or four blocks of this kind with kernel 7 and expansion 6.
    let (folder, run) = edited(&|table| table.replace("x192-expand:1152-kernel:7", "x192-expand:1152-kernel:9"));
    let note = run.succeeded().stderr;
    assert!(
        note.contains("tables lack blocks of theirs") && note.contains("expand:1152-kernel:7-stride:1"),
        "{note}"
    );
    assert!(read(folder.path(), "note10/measurements.csv").lines().count() > 100);
    let (folder, run) = edited(&|table| table.replace("AvgPool2D", "AvgPool3D"));
    run.failed(1, &["_lookup_table.yaml", "block AvgPool2D-input:", "found none"]);
    assert!(!folder.path().join("note10").exists());
    for (from, to, found) in [
        ("mean: 10", "mean: -10", "`-10`"),
        ("mean: 10", "median: 10", "`mean` of block Conv-input:"),
        ("  count: 100\n  mean: 10", "- 100", "yaml:2"),
    ] {
        edited(&|table| table.replace(from, to))
            .1
            .failed(1, &["180_lookup_table.yaml", found]);
    }
    edited(&|table| table[..table.len() - 20].to_string())
        .1
        .failed(1, &["180_lookup_table.yaml", "Logits"]);
}

#[test]
fn places_without_tables_are_refused() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("CompOFA")).unwrap();
    edgefit(folder.path(), IMPORT_TABLES)
        .failed(1, &["CompOFA", "latency_table@note10", "i7-8700K_lut.yaml", "neither"]);
    write_note10(folder.path());
    let tables = folder.path().join("CompOFA/latency_table@note10");
    // No network has 226x226 images.
    fs::rename(
        tables.join("180_lookup_table.yaml"),
        tables.join("226_lookup_table.yaml"),
    )
    .unwrap();
    fs::remove_file(tables.join("224_lookup_table.yaml")).unwrap();
    edgefit(folder.path(), IMPORT_TABLES).failed(1, &["CompOFA", "neither"]);
    fs::create_dir(tables.join("224_lookup_table.yaml")).unwrap();
    edgefit(folder.path(), IMPORT_TABLES).failed(1, &["224_lookup_table.yaml", "Name a file, not a folder"]);
    write_note10(&folder.path().join("again"));
    let width = "data import ofa-lut {again/CompOFA} --space mobilenet_v3 --out {x}";
    edgefit(folder.path(), width).failed(2, &["expected mobilenet_v3_w1.2", "found `mobilenet_v3`"]);
    edgefit(folder.path(), "data import ofa-lut {again} --space fbnet --out {x}").failed(2, &["mobilenet_v3 or"]);
}
