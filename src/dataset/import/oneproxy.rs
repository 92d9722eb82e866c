//! Latencies published with One Proxy (Lu et al., *One Proxy Device Is Enough for Hardware-Aware Neural Architecture
//! Search*, SIGMETRICS 2022, <https://github.com/Ren-Research/OneProxy>): measurements of nn-Meter (`true_*`), Eagle
//! (`eagle_*`) and HW-NAS-Bench (`rice_*`) on 1,999 NAS-Bench-201 architectures.

use std::path::Path;

use super::latencies::DeviceLatencies;
use super::pickle::{Numbers, Rows, read_pickle};
use super::{Imported, Importer, described_device, files_with_extension, locate, only_spaces};
use crate::dataset::build::Builder;
use crate::dataset::{Manifest, Origin, Source};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::progress::{Progress, Unit};
use crate::space::{Architecture, InputSize, SearchSpace};

const INDEX_FILE: &str = "encode.pickle";
const LATENCY_FOLDER: &str = "latency_data";
/// The networks are those for CIFAR-10: the `rice_*` columns are HW-NAS-Bench's of that task.
const INPUT: InputSize = InputSize { width: 32, height: 32 };

/// Named as a GPU and a CPU, but 99 % of their values are within 2.1 % of each other, half of them within 0.5 %; of no other
/// two devices are they within 58 %.
const REPEATED: [&str; 2] = ["eagle_gtx", "eagle_i7"];

/// `encode.pickle` and `latency_data/<device>.pickle`.
pub(super) struct OneProxy;

impl Importer for OneProxy {
    fn name(&self) -> &'static str {
        "oneproxy"
    }

    fn reads(&self) -> &'static str {
        "a clone of Ren-Research/OneProxy: latencies of nasbench201"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        only_spaces(self, &["nasbench201"], space)?;
        let folder = locate(path, &["."], INDEX_FILE)?;
        let mut builder = Builder::new(space);
        let architectures = read_index(&folder.join(INDEX_FILE), &mut builder)?;
        let files = files_with_extension(&folder.join(LATENCY_FOLDER), "pickle", "device")?;
        progress.start("importing oneproxy", Unit::Count("devices"), Some(files.len() as u64));
        let mut notes = Vec::new();
        for file in &files {
            let device = device_of(file);
            progress.message(&device.id);
            let Numbers(latencies_ms) = read_pickle(file, "a list of latencies in ms")?;
            let column = DeviceLatencies {
                file,
                latencies_ms: &latencies_ms,
                architectures: &architectures,
                index_file: INDEX_FILE,
                precision: device.runs_at(),
                input: INPUT,
                origin: Origin::Measured,
            };
            notes.extend(column.add(device, &mut builder)?);
            progress.advance(1);
        }
        progress.finish();
        if REPEATED.iter().all(|id| builder.device(id).is_some()) {
            let [first, second] = REPEATED;
            notes.push(format!(
                "{first} and {second}: two runs of the same measurements; count them as one device"
            ));
        }
        Ok(Imported {
            manifest: manifest(space),
            dataset: builder.finish(),
            notes,
        })
    }
}

fn device_of(file: &Path) -> Device {
    let id = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    described_device(&id, &id)
}

/// Numbers in the builder of the architectures: one-hot over the operations, edge by edge, and a constant one.
fn read_index(path: &Path, builder: &mut Builder) -> Result<Vec<u32>> {
    let Rows(rows) = read_pickle(path, "a list with a list of zeros and ones for every architecture")?;
    let complain = |position: usize, found: &str| Error::Malformed {
        path: path.to_path_buf(),
        line: None,
        column: Some(format!("position {position}")),
        expected: "a one among the operations of each edge and a last one, and every architecture once".into(),
        found: found.into(),
        hint: "Get the file again from a clone of OneProxy.".into(),
    };
    let choices = builder.dataset().space.choices();
    let mut architectures = Vec::with_capacity(rows.len());
    for (position, row) in rows.iter().enumerate() {
        let genes = decoded(row, choices).ok_or_else(|| complain(position, "other values"))?;
        let number = builder.parsed_architecture(Architecture(genes));
        if number as usize != position {
            return Err(complain(position, &format!("the architecture of position {number}")));
        }
        architectures.push(number);
    }
    Ok(architectures)
}

fn decoded(row: &[u8], choices: &[u8]) -> Option<Vec<u8>> {
    let mut rest = row;
    let mut genes = Vec::with_capacity(choices.len());
    for &count in choices {
        let (edge, after) = rest.split_at_checked(count.into())?;
        let gene = edge.iter().position(|&value| value == 1)?;
        if edge.iter().map(|&value| u32::from(value)).sum::<u32>() != 1 {
            return None;
        }
        genes.push(gene as u8);
        rest = after;
    }
    (rest == [1]).then_some(genes)
}

fn manifest(space: &dyn SearchSpace) -> Manifest {
    Manifest {
        space: space.id().into(),
        description: "NAS-Bench-201 latencies on phones, desktops, boards and accelerators.".into(),
        sources: vec![Source {
            name: "One Proxy".into(),
            url: "https://github.com/Ren-Research/OneProxy".into(),
            licence: "MIT".into(),
            measured:
                "Latency of 32x32 images, one at a time, collected by the authors of One Proxy: nn-Meter (true_*), \
                       Eagle (eagle_*), HW-NAS-Bench (rice_*). eagle_gtx and eagle_i7 are the same measurements twice."
                    .into(),
        }],
        ..Manifest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hot_rows_by_hand() {
        let choices = [2, 3];
        assert_eq!(decoded(&[0, 1, 1, 0, 0, 1], &choices), Some(vec![1, 0]));
        for row in [
            &[0, 1, 1, 0, 0][..],
            &[0, 1, 1, 0, 0, 0],
            &[0, 1, 1, 0, 0, 1, 1],
            &[1, 1, 1, 0, 0, 1],
            &[0, 0, 1, 0, 0, 1],
            &[0, 1, 1, 2, 0, 1],
            &[0, 1],
            &[],
        ] {
            assert_eq!(decoded(row, &choices), None, "{row:?}");
        }
    }
}
