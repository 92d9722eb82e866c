//! Datasets, and what importers read.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use edgefit::dataset::import::by_name;
use edgefit::dataset::{Dataset, load, summarise, validate};
use edgefit::error::Result;
use edgefit::progress::Silent;
use edgefit::space::by_id;
use tempfile::{TempDir, tempdir};
use zip::ZipArchive;

use super::{Seed, fuzz};
use crate::help_fixture::{pt, write_help, write_help_fbnet, write_help_ofa, write_nats_bench};
use crate::sources::{block_tables, write_blocks, write_cells, write_oneproxy};
use crate::sources_360;
use crate::sources_blocks::write_note10;
use crate::sources_haq::{self, haq_table, write_haq};
use crate::sources_mobile::{self, accel_nasbench, gzip, write_archive, write_json_files};
use crate::sources_ofa::{logged, write_log};
use crate::sources_policies::{TABLE, bitfusion_table, write_bitfusion, write_esp32_sound, write_mp};
use crate::trained::write_few_rows;

fn dataset() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let dataset = folder.path().join("fleet");
    write_few_rows(&dataset);
    (folder, dataset)
}

/// Fails the case unless what was read keeps what a dataset promises.
fn is_sound(dataset: &Dataset) {
    assert!(dataset.architectures.iter().all(|one| dataset.space.contains(one)));
    for row in &dataset.measurements {
        assert!((row.device as usize) < dataset.devices.len() && usize::from(row.input) < dataset.inputs.len());
        assert!((row.architecture as usize) < dataset.architectures.len() && !row.values.is_empty());
        assert!(
            row.values.iter().all(|(_, value)| value.is_finite() && value > 0.0),
            "{row:?}"
        );
    }
    for row in &dataset.accuracies {
        assert!(usize::from(row.task) < dataset.tasks.len() && (0.0..=100.0).contains(&row.accuracy_percent));
        assert!((row.architecture as usize) < dataset.architectures.len());
    }
    for device in &dataset.devices {
        let values = [device.peak_gflops, device.cores, device.tdp_w, device.batch_size];
        assert!(values.into_iter().flatten().all(f64::is_finite), "{device:?}");
    }
    summarise(dataset);
}

#[test]
fn datasets() {
    let (_folder, dataset) = dataset();
    let names = ["dataset.toml", "devices.csv", "measurements.csv", "accuracy.csv"];
    let words = [
        "int8",
        "int9",
        "32x32",
        "0x0",
        "99999x99999",
        "fbnet",
        "simulated",
        "pixel3",
        "unit",
        "cifar100",
    ];
    fuzz("datasets", 400, &Seed::all(&dataset, &names), &words, |_| {
        is_sound(&load(&dataset, &Silent)?.dataset);
        validate(&dataset, &Silent).map(drop)
    });
}

fn import(source: &str, path: &Path, space: &str) -> Result<()> {
    is_sound(&by_name(source)?.import(path, by_id(space)?, &Silent)?.dataset);
    Ok(())
}

#[test]
fn own_tables() {
    let (folder, dataset) = dataset();
    let wide = folder.path().join("wide.csv");
    let cells = fs::read_to_string(dataset.join("measurements.csv")).unwrap();
    let mut table = "architecture,pixel3,my-phone,precision,input\n".to_string();
    for line in cells.lines().skip(1) {
        table += &format!("{},1.5,,fp32,32x32\n", line.split(',').nth(1).unwrap());
    }
    fs::write(&wide, table).unwrap();
    let mut seeds = Seed::all(&dataset, &["measurements.csv", "accuracy.csv"]);
    seeds.push(Seed::at(wide));
    let words = [
        "int8",
        "32x32",
        "0x0",
        "device",
        "latency_ms",
        "my-phone",
        "architecture",
    ];
    fuzz("own_tables", 400, &seeds, &words, |path| {
        import("csv", path, "nasbench201")
    });
}

#[test]
fn pickles() {
    let folder = tempdir().unwrap();
    write_oneproxy(folder.path());
    let root = folder.path().join("OneProxy");
    let names = [
        "encode.pickle",
        "latency_data/eagle_gtx.pickle",
        "latency_data/eagle_dsp_855.pickle",
    ];
    // Opcodes that build, call, repeat or remember.
    let words = [
        "]",
        "a",
        "e.",
        "(",
        "2222",
        "h\0",
        "j\0\0\0\x10",
        "cos\nsystem\n",
        "R",
        "b",
        "0",
        "G",
        "\u{0}t",
        "I1\n",
        "L9\n",
    ];
    fuzz("pickles", 600, &Seed::all(&root, &names), &words, |_| {
        import("oneproxy", &root, "nasbench201")
    });
}

/// The pickle in a sound `.pt` file.
fn unpacked(path: &Path) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(fs::read(path).unwrap())).unwrap();
    let mut pickle = Vec::new();
    std::io::copy(&mut archive.by_index(0).unwrap(), &mut pickle).unwrap();
    pickle
}

#[test]
fn archives() {
    let folder = tempdir().unwrap();
    write_help(folder.path());
    write_help_fbnet(folder.path());
    let root = folder.path().join("HELP");
    let files = [
        "data/nasbench201/str_arch2idx.pt",
        "data/nasbench201/latency/1080ti_32.pt",
        "data/fbnet/arch.pt",
        "data/fbnet/latency/pixel3.pt",
    ];
    // Damaged as archives, and the pickles in sound archives.
    let mut seeds = Seed::all(&root, &files);
    for file in files {
        let path = root.join(file);
        seeds.push(Seed::packed(path.clone(), unpacked(&path), pt));
    }
    let words = [
        "PK\x03\x04",
        "PK\x01\x02",
        "PK\x05\x06",
        "archive/data.pkl",
        "../data.pkl",
        "/data.pkl",
        "]",
        "(",
        "2",
        "R",
    ];
    fuzz("archives", 600, &seeds, &words, |path| {
        let space = if path.starts_with(root.join("data/fbnet")) {
            "fbnet"
        } else {
            "nasbench201"
        };
        import("help", &root, space)
    });
}

#[test]
fn parquet() {
    let folder = tempdir().unwrap();
    sources_360::write(folder.path(), &sources_360::columns());
    let root = folder.path().join("360");
    let seeds = Seed::all(&root, &["results/dataset.parquet"]);
    fuzz("parquet", 600, &seeds, &["PAR1", "ok", "pi5", "arch_idx"], |_| {
        import("hw-nas-bench-360", &root, "nasbench201")
    });
}

/// Sizes and offsets of the format are everywhere in such a file.
#[test]
fn parquet_byte_by_byte() {
    let folder = tempdir().unwrap();
    sources_360::write(folder.path(), &sources_360::columns());
    let file = folder.path().join("360/results/dataset.parquet");
    let sound = fs::read(&file).unwrap();
    let mut refused = 0;
    for place in 0..sound.len() {
        for bits in [0x01, 0x02, 0x80, 0xff] {
            let mut bytes = sound.clone();
            bytes[place] ^= bits;
            fs::write(&file, bytes).unwrap();
            refused += usize::from(import("hw-nas-bench-360", &folder.path().join("360"), "nasbench201").is_err());
        }
    }
    assert!(refused > sound.len(), "{refused} of {} bytes", sound.len());
}

#[test]
fn published_tables() {
    let folder = tempdir().unwrap();
    write_nats_bench(folder.path());
    write_cells(folder.path());
    write_blocks(folder.path(), &serde_json::Value::from(block_tables()).to_string());
    let names = ["nats_bench.csv", "HW/hw_cifar10.csv", "HW/fbnet_cached_metrics.json"];
    let words = [
        "(2, 1, 1, 1, 1, 0)",
        "(9, 9, 9, 9, 9, 9)",
        "edgegpu_latency",
        "pixel3_latency",
        "Skip_H1_W1",
    ];
    fuzz(
        "published_tables",
        200,
        &Seed::all(folder.path(), &names),
        &words,
        |path| match path.file_name().and_then(|name| name.to_str()) {
            Some("nats_bench.csv") => import("nats-bench", path, "nasbench201"),
            Some("hw_cifar10.csv") => import("hw-nas-bench", path, "nasbench201"),
            _ => import("hw-nas-bench", path, "fbnet"),
        },
    );
}

#[test]
fn once_for_all() {
    let folder = tempdir().unwrap();
    let root = folder.path();
    write_help_ofa(root);
    write_log(root, "a.csv", &[logged(3, "1,0,2", "70.5"), logged(7, ",,", "72")]);
    write_note10(root);
    let architectures = "HELP/data/ofa/ofa_archs.pt";
    let names = [
        architectures,
        "logs/a.csv",
        "CompOFA/latency_table@note10/224_lookup_table.yaml",
    ];
    let mut seeds = Seed::all(root, &names);
    let path = root.join(architectures);
    seeds.push(Seed::packed(path.clone(), unpacked(&path), pt));
    let words = [
        "'ks'",
        "r",
        "[224]",
        "&a",
        "*a",
        "? ",
        "- ",
        "{",
        "|\n",
        "!!",
        "mean:",
        "c_codecs\nencode\n",
        "cnumpy\ndtype\n",
        "latin1",
    ];
    fuzz("once_for_all", 200, &seeds, &words, |path| {
        if path.starts_with(root.join("HELP")) {
            import("help", &root.join("HELP"), "mobilenet_v3_w1.2")
        } else if path.starts_with(root.join("logs")) {
            import("dynast", path, "mobilenet_v3")
        } else {
            import("ofa-lut", &root.join("CompOFA"), "mobilenet_v3_w1.2")
        }
    });
}

#[test]
fn mobile_blocks() {
    let folder = tempdir().unwrap();
    let root = folder.path();
    write_archive(root, &accel_nasbench());
    write_json_files(root);
    let archive = root.join(sources_mobile::ARCHIVE);
    let mut seeds = Seed::all(root, &[sources_mobile::MACRO, sources_mobile::PROXIES]);
    seeds.push(Seed::at(archive.clone()));
    seeds.push(Seed::packed(archive, accel_nasbench(), gzip));
    let words = [
        "../", "block0_e", "true", "null", "latency_", "ustar", "L", "-1", "1e999", "_9",
    ];
    fuzz("mobile_blocks", 200, &seeds, &words, |path| {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => import("accel-nasbench", path, "mobilenet_v2"),
            _ if path.ends_with(sources_mobile::MACRO) => import("nas-bench-macro", path, "nasbench_macro"),
            _ => import("zero-cost-proxies", path, "fbnet"),
        }
    });
}

#[test]
fn policies() {
    let folder = tempdir().unwrap();
    write_esp32_sound(folder.path());
    write_mp(folder.path());
    write_bitfusion(folder.path(), &bitfusion_table().to_string());
    write_haq(folder.path(), &haq_table());
    let names = [
        "esp32/result.csv",
        "mp/50ep_cell_uniform.csv",
        "mp/150ep_full_graph.csv",
        TABLE,
        sources_haq::TABLE,
    ];
    let seeds = Seed::all(folder.path(), &names);
    let words = [
        "cifar10", "15625", "0.5", "1e999", "-1", "777", "\"", "nan", "8 8", "-W4A6", "latency", "head", "<f8", "(53,",
    ];
    fuzz("policies", 200, &seeds, &words, |path| {
        if path.ends_with(TABLE) {
            import("bitfusion-lut", path, "proxylessnas_mixed")
        } else if path.ends_with(sources_haq::TABLE) {
            import("haq", path, "mobilenet_v2_bits")
        } else if path.starts_with(folder.path().join("mp")) {
            import("mp-nas-bench", path, "nasbench201_mixed")
        } else {
            import("esp32-int8", path, "nasbench201")
        }
    });
}
