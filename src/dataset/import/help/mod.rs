//! Latencies published with HELP (Lee et al., *HELP: Hardware-Adaptive Efficient Latency Prediction for NAS via
//! Meta-Learning*, NeurIPS 2021, <https://github.com/HayeonLee/HELP>).

mod index;

use std::path::Path;

use super::latencies::DeviceLatencies;
use super::pickle::{Numbers, read_pt};
use super::{Imported, Importer, described_device, files_with_extension, locate, only_spaces};
use crate::dataset::build::Builder;
use crate::dataset::deduplicate::average;
use crate::dataset::{Manifest, Origin, Source};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::progress::{Progress, Unit};
use crate::space::{InputSize, SearchSpace};

const LATENCY_FOLDER: &str = "latency";
/// Units measured at several batch sizes, with the size at the end of the file name. Other names end in a number too
/// (`gold_6240`, and `essential_ph_1`, the Essential PH-1 phone), which is not a batch size.
const BATCHED_UNITS: [&str; 6] = ["1080ti", "2080ti", "titan_rtx", "titanx", "titanxp", "v100"];
/// A unit that one space has under another name than the others, and the name there.
const RENAMED_UNIT: (&str, &str) = ("titan_xp", "titanxp");

/// What is published of one search space.
struct Layout {
    space: &'static str,
    /// Where it may lie below the path given.
    places: [&'static str; 3],
    /// The file that says which architecture stands where in the lists of latencies.
    index_file: &'static str,
    read_index: fn(&Path, &mut Builder) -> Result<Vec<u32>>,
    description: &'static str,
    /// The images that networks were measured with, where they have no size of their own.
    input: InputSize,
    /// What to call them.
    images: &'static str,
    /// What is to be said besides how latencies were measured.
    remark: &'static str,
    /// Devices whose values are sums over a table of blocks.
    summed: &'static [&'static str],
}

const LAYOUTS: [Layout; 3] = [
    Layout {
        space: "nasbench201",
        places: ["data/nasbench201", "nasbench201", "."],
        index_file: "str_arch2idx.pt",
        read_index: index::read_positions,
        description: "NAS-Bench-201 latencies on desktop GPUs, server CPUs and phones.",
        // The networks are those for CIFAR-10.
        input: InputSize::square(32),
        images: "32x32 images",
        remark: " Essential PH-1, Samsung A50 and Samsung S7 in whole ms.",
        summed: &[],
    },
    Layout {
        space: "fbnet",
        places: ["data/fbnet", "fbnet", "."],
        index_file: "arch.pt",
        read_index: index::read_lists,
        description: "FBNet latencies on desktop GPUs, server CPUs and phones.",
        // The networks are those for CIFAR-100, as `metainfo.pt` says.
        input: InputSize::square(32),
        images: "32x32 images",
        remark: " Essential PH-1, Samsung A50 and Samsung S7 in whole ms. Pixel 3, Raspberry Pi 4, FPGA and Eyeriss are not measured end to end: they are HW-NAS-Bench's, who \
                 measured blocks and added them up; these rows are called predicted.",
        // The values of `pixel3` are the sums of HW-NAS-Bench's table to the last bit, those of `raspi4` are linear in the
        // blocks to the last digit, and of the others HW-NAS-Bench publishes nothing but tables.
        summed: &["pixel3", "raspi4", "fpga", "eyeriss"],
    },
    Layout {
        space: "mobilenet_v3_w1.2",
        places: ["data/ofa", "ofa", "."],
        index_file: "ofa_archs.pt",
        read_index: index::read_configurations,
        description: "Latencies of once-for-all's MobileNet-V3 networks on GPUs.",
        input: InputSize::square(224),
        images: "images of the network's own resolution",
        remark: " The width of the networks is not stated: that of the supernet that HELP's `validate_imagenet.py` takes \
                 their weights from, 1.2, is assumed.",
        summed: &[],
    },
];

/// Latencies: `data/<space>/latency/<device>.pt`, in the order of an index.
pub(super) struct Help;

impl Importer for Help {
    fn name(&self) -> &'static str {
        "help"
    }

    fn reads(&self) -> &'static str {
        "a clone of HayeonLee/HELP or its data folder: latencies of nasbench201, fbnet or mobilenet_v3_w1.2"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        only_spaces(self, &LAYOUTS.each_ref().map(|layout| layout.space), space)?;
        let layout = LAYOUTS.iter().find(|layout| layout.space == space.id());
        layout.unwrap_or(&LAYOUTS[0]).import(path, space, progress)
    }
}

impl Layout {
    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        let folder = locate(path, &self.places, LATENCY_FOLDER)?;
        let mut builder = Builder::new(space);
        let architectures = (self.read_index)(&folder.join(self.index_file), &mut builder)?;
        let files = files_with_extension(&folder.join(LATENCY_FOLDER), "pt", "device")?;
        progress.start("importing help", Unit::Count("devices"), Some(files.len() as u64));
        let mut notes = Vec::new();
        for file in &files {
            let device = device_of(file);
            if builder.device(&device.id).is_some() {
                return Err(read_twice(file, &device.id));
            }
            progress.message(&device.id);
            notes.extend(renamed(file, &device));
            notes.extend(self.read_device(file, device, &architectures, &mut builder)?);
            progress.advance(1);
        }
        progress.finish();
        let repeated = architectures.len() - builder.dataset().architectures.len();
        if repeated > 0 {
            average(builder.measurements_mut());
            notes.push(format!(
                "{}: {repeated} positions repeat the network of an earlier one, with other choices for blocks that do not \
                 run; latencies of one network are averaged",
                self.index_file
            ));
        }
        Ok(Imported {
            manifest: self.manifest(),
            dataset: builder.finish(),
            notes,
        })
    }

    /// Adds the latencies of one device and returns what was noticed.
    fn read_device(
        &self,
        file: &Path,
        device: Device,
        architectures: &[u32],
        builder: &mut Builder,
    ) -> Result<Vec<String>> {
        let Numbers(latencies_ms) = read_pt(file, "a list of latencies in ms")?;
        let summed = self.summed.contains(&device.id.as_str());
        let mut notes = Vec::new();
        if summed {
            notes.push(format!(
                "{}: sums of measured blocks, not end to end; called predicted",
                device.id
            ));
        }
        let column = DeviceLatencies {
            file,
            latencies_ms: &latencies_ms,
            architectures,
            index_file: self.index_file,
            precision: device.runs_at(),
            input: self.input,
            origin: if summed { Origin::Predicted } else { Origin::Measured },
        };
        notes.extend(column.add(device, builder)?);
        Ok(notes)
    }

    fn manifest(&self) -> Manifest {
        Manifest {
            space: self.space.into(),
            description: self.description.into(),
            sources: vec![Source {
                name: "HELP".into(),
                url: "https://github.com/HayeonLee/HELP".into(),
                licence: "MIT".into(),
                measured: format!(
                    "Latency of a whole batch of {}, fp32, by the authors of HELP; batch sizes of GPUs are in the device \
                     names.{}",
                    self.images, self.remark
                ),
            }],
            ..Manifest::default()
        }
    }
}

fn device_of(file: &Path) -> Device {
    let name = stem(file);
    let batched = name
        .rsplit_once('_')
        .map(|(unit, size)| (if unit == RENAMED_UNIT.0 { RENAMED_UNIT.1 } else { unit }, size))
        .filter(|(unit, _)| BATCHED_UNITS.contains(unit))
        .and_then(|(unit, size)| Some((unit, size.parse::<u32>().ok()?)));
    match batched {
        Some((unit, size)) => Device {
            batch_size: Some(size.into()),
            ..described_device(&format!("{unit}_{size}"), unit)
        },
        None => described_device(&name, &name),
    }
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Says which device is one that other spaces have under another name.
fn renamed(file: &Path, device: &Device) -> Option<String> {
    let name = stem(file);
    (name != device.id).then(|| format!("{name}: called {}, as it is for the other spaces", device.id))
}

fn read_twice(file: &Path, id: &str) -> Error {
    Error::Malformed {
        path: file.to_path_buf(),
        line: None,
        column: None,
        expected: "one file for every device".into(),
        found: format!("a second one for {id}"),
        hint: "Take one of them out of the folder.".into(),
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
        assert_eq!(
            read("titan_xp_64.pt"),
            ("titanxp_64".into(), "titanxp".into(), Some(64.0))
        );
        for name in ["essential_ph_1", "gold_6240", "pixel3", "silver_4210r"] {
            assert_eq!(read(&format!("{name}.pt")), (name.into(), name.into(), Some(1.0)));
        }
        assert_eq!(read("new_7.pt"), ("new_7".into(), "new_7".into(), None));
    }
}
