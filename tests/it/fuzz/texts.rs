//! What people write by hand: configurations, datasheets, architectures and probes.

use std::fs;
use std::path::Path;

use edgefit::dataset::simulate::FleetConfig;
use edgefit::error::Result;
use edgefit::evaluate::benchmark::Benchmark;
use edgefit::files::read_configuration;
use edgefit::optimize::OptimizerConfig;
use edgefit::predict::fit::FitOptions;
use edgefit::predict::{architecture_list, read_probes};
use edgefit::space::{self, Precision};
use edgefit::{Advisor, device};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::tempdir;

use super::{Seed, are_intervals, fuzz};
use crate::trained::trained;

fn repository(file: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn configurations() {
    let folder = tempdir().unwrap();
    let files = [
        "configs/fleet.toml",
        "configs/predictor.toml",
        "configs/optimizer.toml",
        "examples/benchmark.toml",
        "configs/benchmarks/nd.toml",
        "examples/table.toml",
    ];
    let seeds = files.map(|file| {
        let path = folder.path().join(file.replace('/', "-"));
        Seed::packed(path, repository(file), <[u8]>::to_vec)
    });
    let words = [
        "[towers]",
        "[[setting]]",
        "a = 1",
        "seed",
        "''",
        "nan",
        "0x7fffffffffffffff",
        "1979-05-27",
        "'''",
        "a.b.c",
    ];
    fuzz("configurations", 600, &seeds, &words, |path| {
        let name = path.to_string_lossy();
        if name.contains("predictor") {
            read_configuration::<FitOptions>(path)?.check()
        } else if name.contains("optimizer") {
            read_configuration::<OptimizerConfig>(path).map(drop)
        } else if name.contains("benchmark") {
            Benchmark::find(&name)?.check()
        } else {
            FleetConfig::read(path).map(drop)
        }
    });
}

#[test]
fn datasheets() {
    let folder = trained();
    let advisor = Advisor::open(folder.path().join("nb")).unwrap();
    let files = [
        "examples/phone.toml",
        "configs/devices/raspi5.toml",
        "configs/devices/esp32.toml",
    ];
    let seeds = files.map(|file| {
        let path = folder.path().join(file.replace('/', "-"));
        let text = String::from_utf8(repository(file)).unwrap();
        // The first setting of a unit, under another name than that of a device that is known.
        let one: Vec<&str> = text.splitn(3, "[[setting]]").take(2).collect();
        Seed::packed(path, one.join("[[setting]]").into_bytes(), <[u8]>::to_vec)
    });
    let words = [
        "[[setting]]",
        "gpu",
        "mobile-cpu",
        "int8",
        "int4",
        "nan",
        "inf",
        "{fp32 = 1, int8 = 2}",
        "class = 'mcu'",
    ];
    let asked = [advisor.space().sample(&mut StdRng::seed_from_u64(0))];
    fuzz("datasheets", 300, &seeds, &words, |path| {
        let device = advisor.describe(&device::read_toml(path)?)?;
        are_intervals(&advisor.predict(&device, &asked)?);
        Ok(())
    });
}

#[test]
fn architectures() {
    let folder = tempdir().unwrap();
    let mut rng = StdRng::seed_from_u64(0);
    let seeds: Vec<Seed> = (space::all().iter())
        .map(|space| {
            let lines: Vec<String> = (0..20).map(|_| space.print(&space.sample(&mut rng))).collect();
            Seed::packed(
                folder.path().join(space.id()),
                lines.join("\n").into_bytes(),
                <[u8]>::to_vec,
            )
        })
        .collect();
    let words = [
        "|none~0|",
        "~",
        "|",
        "+",
        "-",
        "nor_conv_3x3~3",
        "skip",
        "k3_e1_g2",
        "architecture",
        "none~18446744073709551615",
        "'ks'",
        "[224]",
        "None",
        "1e999",
    ];
    fuzz("architectures", 600, &seeds, &words, |path| {
        let space = space::by_id(&path.file_name().unwrap().to_string_lossy())?;
        let text = fs::read(path).unwrap();
        for one in architecture_list(&String::from_utf8_lossy(&text), path, space)? {
            assert!(space.contains(&one));
            assert_eq!(space.parse(&space.print(&one))?, one);
        }
        Ok(())
    });
}

#[test]
fn probe_files() -> Result<()> {
    let folder = trained();
    let advisor = Advisor::open(folder.path().join("nb"))?;
    let chosen = advisor.choose_probes(10)?.architectures;
    let mut text = "architecture,latency_ms,energy_mj\n".to_string();
    for (row, one) in chosen.iter().enumerate() {
        text += &format!("{},{}.5,3{row}\n", advisor.space().print(one), row + 9);
    }
    let path = folder.path().join("probes.csv");
    let seeds = [Seed::packed(path, text.into_bytes(), <[u8]>::to_vec)];
    let words = [
        "latency_ms",
        "energy_mj",
        "precision",
        "int8",
        "architecture",
        "1e-300",
        "1e300",
        "3.5e38",
    ];
    fuzz("probe_files", 200, &seeds, &words, |path| {
        let probes = read_probes(path, advisor.space(), Precision::Fp32.into())?;
        for probe in &probes {
            let values = [
                probe.values.get(edgefit::Metric::Latency),
                probe.values.get(edgefit::Metric::Energy),
            ];
            assert!(
                values
                    .into_iter()
                    .flatten()
                    .all(|value| value.is_finite() && *value > 0.0),
                "{probe:?}"
            );
        }
        let phone = device::Device::named("phone");
        let adapted = advisor.adapt(&phone, &probes)?;
        are_intervals(&advisor.predict(&adapted, &chosen)?);
        Ok(())
    });
    Ok(())
}
