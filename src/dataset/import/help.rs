//! Latencies published with HELP (Lee et al., *HELP: Hardware-Adaptive Efficient Latency Prediction for NAS via
//! Meta-Learning*, NeurIPS 2021, <https://github.com/HayeonLee/HELP>).

use std::fs;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

use super::pickle::{Numbers, Positions, read_pt};
use super::{Imported, Importer, described_device, locate, only_nasbench201};
use crate::dataset::build::Builder;
use crate::dataset::{Manifest, Measurement, Origin, Source};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::space::{InputSize, SearchSpace};

const INDEX_FILE: &str = "str_arch2idx.pt";
const LATENCY_FOLDER: &str = "latency";
/// The networks are those for CIFAR-10.
const INPUT: InputSize = InputSize { width: 32, height: 32 };
/// Units measured at several batch sizes, with the size at the end of the file name. Other names end in a number too
/// (`gold_6240`, and `essential_ph_1`, the Essential PH-1 phone), which is not a batch size.
const BATCHED_UNITS: [&str; 5] = ["1080ti", "2080ti", "titan_rtx", "titanx", "titanxp"];

/// NAS-Bench-201 latencies: `data/nasbench201/latency/<device>.pt`, in the order of `str_arch2idx.pt`.
pub(super) struct Help;

impl Importer for Help {
    fn name(&self) -> &'static str {
        "help"
    }

    fn reads(&self) -> &'static str {
        "a clone of HayeonLee/HELP or its data folder: latencies of nasbench201"
    }

    fn progress_unit(&self) -> &'static str {
        "devices"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &ProgressBar) -> Result<Imported> {
        only_nasbench201(self, space)?;
        let folder = locate(path, &["data/nasbench201", "nasbench201", "."], LATENCY_FOLDER)?;
        let mut builder = Builder::new(space);
        let architectures = read_index(&folder.join(INDEX_FILE), &mut builder)?;
        let files = latency_files(&folder.join(LATENCY_FOLDER))?;
        progress.set_length(files.len() as u64);
        let mut notes = Vec::new();
        for file in &files {
            progress.set_message(device_of(file).id);
            notes.extend(read_device(file, &architectures, &mut builder)?);
            progress.inc(1);
        }
        Ok(Imported {
            manifest: manifest(space),
            dataset: builder.finish(),
            notes,
        })
    }
}

fn manifest(space: &dyn SearchSpace) -> Manifest {
    Manifest {
        space: space.id().into(),
        description: "NAS-Bench-201 latencies on desktop GPUs, server CPUs and phones.".into(),
        sources: vec![Source {
            name: "HELP".into(),
            url: "https://github.com/HayeonLee/HELP".into(),
            licence: "MIT".into(),
            measured:
                "Latency of a whole batch of 32x32 images, fp32, by the authors of HELP; batch sizes of GPUs are \
                       in the device names. Essential PH-1, Samsung A50 and Samsung S7 in whole ms."
                    .into(),
        }],
        ..Manifest::default()
    }
}

/// Numbers in the builder of the architectures, by their position in the latency lists.
fn read_index(path: &Path, builder: &mut Builder) -> Result<Vec<u32>> {
    let complain = |found: String| Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: None,
        expected: "every architecture once, at the positions 0, 1, 2, ...".into(),
        found,
        hint: "Get the file again from a clone of HELP.".into(),
    };
    if !path.is_file() {
        return Err(complain("no such file".into()));
    }
    let Positions(entries) = read_pt(path, "a dictionary from architectures to positions")?;
    let mut architectures = vec![None; entries.len()];
    for (text, position) in &entries {
        let architecture = builder
            .architecture(text)
            .map_err(|error| complain(error.to_string()))?;
        match usize::try_from(*position)
            .ok()
            .and_then(|position| architectures.get_mut(position))
        {
            Some(free @ None) => *free = Some(architecture),
            Some(_) => return Err(complain(format!("two architectures at position {position}"))),
            None => {
                return Err(complain(format!(
                    "position {position} among {} architectures",
                    entries.len()
                )));
            }
        }
    }
    if builder.dataset().architectures.len() < entries.len() {
        return Err(complain("an architecture at two positions".into()));
    }
    Ok(architectures.into_iter().flatten().collect())
}

/// The `.pt` files, sorted by name so that devices come in the same order everywhere.
fn latency_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "pt") {
            files.push(path);
        }
    }
    files.sort();
    match files.is_empty() {
        false => Ok(files),
        true => Err(Error::Malformed {
            path: folder.to_path_buf(),
            line: None,
            column: None,
            expected: "a file <device>.pt for every device".into(),
            found: "none".into(),
            hint: "Check the path.".into(),
        }),
    }
}

fn device_of(file: &Path) -> Device {
    let id = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let batched = id
        .rsplit_once('_')
        .filter(|(unit, _)| BATCHED_UNITS.contains(unit))
        .and_then(|(unit, size)| Some((unit, size.parse::<u32>().ok()?)));
    match batched {
        Some((unit, size)) => Device {
            batch_size: Some(size.into()),
            ..described_device(&id, unit)
        },
        None => described_device(&id, &id),
    }
}

/// Adds the latencies of one device and returns what was noticed.
fn read_device(file: &Path, architectures: &[u32], builder: &mut Builder) -> Result<Vec<String>> {
    let Numbers(latencies) = read_pt(file, "a list of latencies in ms")?;
    if latencies.len() != architectures.len() {
        return Err(Error::Malformed {
            path: file.to_path_buf(),
            line: None,
            column: None,
            expected: format!(
                "{} latencies, one for each architecture of {INDEX_FILE}",
                architectures.len()
            ),
            found: latencies.len().to_string(),
            hint: "The two files do not belong together: get both from the same clone.".into(),
        });
    }
    let described = device_of(file);
    let id = described.id.clone();
    let device = builder.add_device(described);
    let (precision, input) = (builder.precision("fp32")?, builder.input(INPUT)?);
    let mut absent = 0;
    for (position, (&latency_ms, &architecture)) in latencies.iter().zip(architectures).enumerate() {
        match latency_ms {
            -1.0 => absent += 1,
            _ if latency_ms.is_finite() && latency_ms > 0.0 => builder.measurement(Measurement {
                device,
                architecture,
                precision,
                input,
                latency_ms: Some(latency_ms),
                energy_mj: None,
                origin: Origin::Measured,
            }),
            _ => return Err(impossible(file, position, latency_ms)),
        }
    }
    let mut notes = Vec::new();
    if absent > 0 {
        notes.push(format!("{id}: {absent} latencies of -1 left out as not measured"));
    }
    let idle = idle(&latencies);
    if idle > 0 {
        notes.push(format!(
            "{id}: {idle} latencies below 1 % of the median, as of networks of which nothing is computed; kept"
        ));
    }
    if latencies.iter().all(|latency_ms| latency_ms.fract() == 0.0) {
        notes.push(format!("{id}: whole ms only, so differences below 1 ms are not seen"));
    }
    Ok(notes)
}

/// Number of latencies too short for any network of the space. Some runtimes fold a network whose output does not depend
/// on its input into a constant (`pixel3`).
fn idle(latencies: &[f64]) -> usize {
    let mut sorted: Vec<f64> = latencies
        .iter()
        .copied()
        .filter(|&latency_ms| latency_ms > 0.0)
        .collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    sorted.partition_point(|&latency_ms| latency_ms < 0.01 * median)
}

fn impossible(file: &Path, position: usize, latency_ms: f64) -> Error {
    Error::Malformed {
        path: file.to_path_buf(),
        line: None,
        column: Some(format!("position {position}")),
        expected: "a latency above 0 ms, or -1 for not measured".into(),
        found: latency_ms.to_string(),
        hint: "Get the file again, or take it out of the folder.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gpus_have_their_batch_size_in_the_name() {
        let read = |name: &str| {
            let device = device_of(Path::new(name));
            (device.id, device.unit, device.batch_size)
        };
        assert_eq!(
            read("a/1080ti_256.pt"),
            ("1080ti_256".into(), "1080ti".into(), Some(256.0))
        );
        assert_eq!(
            read("titan_rtx_8.pt"),
            ("titan_rtx_8".into(), "titan_rtx".into(), Some(8.0))
        );
        for name in ["essential_ph_1", "gold_6240", "pixel3", "silver_4210r"] {
            assert_eq!(read(&format!("{name}.pt")), (name.into(), name.into(), Some(1.0)));
        }
        assert_eq!(read("new_7.pt"), ("new_7".into(), "new_7".into(), None));
    }

    #[test]
    fn networks_that_compute_nothing_are_counted() {
        assert_eq!(idle(&[10.0, 12.0, 0.003, 11.0, -1.0, 0.2]), 1);
        assert_eq!(idle(&[]), 0);
    }
}
