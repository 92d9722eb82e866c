//! Latency and energy published with HW-NAS-Bench (Li et al., *HW-NAS-Bench: Hardware-Aware Neural Architecture Search
//! Benchmark*, ICLR 2021, <https://github.com/GATECH-EIC/HW-NAS-Bench>): whole networks of NAS-Bench-201 as CSV tables,
//! blocks of FBNet as JSON tables.

mod blocks;
mod cells;

use std::path::Path;

use super::{Imported, Importer, described_device, only_spaces};
use crate::dataset::build::Builder;
use crate::dataset::{Manifest, Origin, Source};
use crate::error::Result;
use crate::metric::Metric;
use crate::progress::Progress;
use crate::space::SearchSpace;

/// The quantities that the tables hold: device, metric, and the name of the column or table.
const QUANTITIES: [(&str, Metric, &str); 9] = [
    ("edgegpu", Metric::Latency, "edgegpu_latency"),
    ("edgegpu", Metric::Energy, "edgegpu_energy"),
    ("edgetpu", Metric::Latency, "edgetpu_latency"),
    ("pixel3", Metric::Latency, "pixel3_latency"),
    ("raspi4", Metric::Latency, "raspi4_latency"),
    ("eyeriss", Metric::Latency, "eyeriss_latency"),
    ("eyeriss", Metric::Energy, "eyeriss_energy"),
    ("fpga", Metric::Latency, "fpga_latency"),
    ("fpga", Metric::Energy, "fpga_energy"),
];

/// Tables of HW-NAS-Bench.
pub(super) struct HwNasBench;

impl Importer for HwNasBench {
    fn name(&self) -> &'static str {
        "hw-nas-bench"
    }

    fn reads(&self) -> &'static str {
        "a folder with hw_<task>.csv or fbnet_cached_metrics.json, or one of them: nasbench201, fbnet"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        only_spaces(self, &["nasbench201", "fbnet"], space)?;
        match space.id() {
            "fbnet" => blocks::import(path, space, progress),
            _ => cells::import(path, space, progress),
        }
    }
}

/// The device of a quantity, added on first use.
fn device(id: &str, builder: &mut Builder) -> u32 {
    builder
        .device(id)
        .unwrap_or_else(|| builder.add_device(described_device(id, id)))
}

/// Eyeriss was never built for these measurements: its values come from a model of the chip.
fn origin(device: &str) -> Origin {
    match device {
        "eyeriss" => Origin::Simulated,
        _ => Origin::Measured,
    }
}

fn manifest(space: &dyn SearchSpace, description: &str, measured: &str) -> Manifest {
    Manifest {
        space: space.id().into(),
        description: description.into(),
        sources: vec![Source {
            name: "HW-NAS-Bench".into(),
            url: "https://github.com/GATECH-EIC/HW-NAS-Bench".into(),
            licence: "MIT".into(),
            measured: measured.into(),
        }],
        ..Manifest::default()
    }
}
