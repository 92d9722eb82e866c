//! Latencies of once-for-all's MobileNet-V3 networks, added up from tables of blocks: those that CompOFA (Sahni et al.,
//! *CompOFA: Compound Once-For-All Networks for Faster Multi-Platform Deployment*, ICLR 2021,
//! <https://github.com/gatech-sysml/CompOFA>) looks up for a phone, and that of NSGANetV2 (Lu et al., *NSGANetV2:
//! Evolutionary Multi-Objective Surrogate-Assisted Neural Architecture Search*, ECCV 2020,
//! <https://github.com/mikelzc1990/nsganetv2>) for a desktop CPU.
//!
//! Nobody measured the networks end to end: their rows are called predicted.

mod names;
mod source;
mod table;

use std::collections::BTreeSet;
use std::path::Path;

use super::{Imported, Importer, described_device, only_spaces};
use crate::dataset::build::Builder;
use crate::dataset::{DeviceValues, Origin};
use crate::error::Result;
use crate::metric::Metric;
use crate::progress::{Progress, Unit};
use crate::seed::Seed;
use crate::space::SearchSpace;
use crate::space::once_for_all::{MOBILENET_V3, MOBILENET_V3_W12, OnceForAll};
use source::{Lacking, Source, Tables};

/// Networks drawn at random.
const NETWORKS: usize = 5_000;
const SEED: Seed = Seed(0);

/// Tables of blocks: of CompOFA for every resolution, of NSGANetV2 for all.
pub(super) struct OfaLut;

impl Importer for OfaLut {
    fn name(&self) -> &'static str {
        "ofa-lut"
    }

    fn reads(&self) -> &'static str {
        "CompOFA's folder latency_table@note10 or NSGANetV2's i7-8700K_lut.yaml: sums of blocks of mobilenet_v3 or \
         mobilenet_v3_w1.2"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        let supernets = [&MOBILENET_V3, &MOBILENET_V3_W12];
        only_spaces(self, &supernets.map(SearchSpace::id), space)?;
        let (source, files) = Source::find(path)?;
        only_spaces(self, source.spaces, space)?;
        let supernet = supernets.into_iter().find(|supernet| supernet.id() == space.id());
        let supernet = supernet.unwrap_or(&MOBILENET_V3);
        let tables = source.read(&files)?;
        add_up(path, source, &tables, supernet, progress)
    }
}

fn add_up(
    path: &Path,
    source: &Source,
    tables: &Tables,
    space: &'static OnceForAll,
    progress: &dyn Progress,
) -> Result<Imported> {
    let mut builder = Builder::new(space);
    let device = builder.add_device(described_device(source.device, source.device));
    let mut rng = SEED.stream("ofa-lut");
    let mut left_out = Vec::new();
    progress.start("importing ofa-lut", Unit::Count("networks"), Some(NETWORKS as u64));
    for _ in 0..NETWORKS {
        let architecture = space.sample(&mut rng);
        match tables.latency_ms(space, &architecture) {
            Ok(latency_ms) => {
                let values = DeviceValues::of(Metric::Latency, latency_ms);
                builder.values_of(architecture, device, values, Origin::Predicted)?;
            }
            Err(lacking) => left_out.push(lacking),
        }
        progress.advance(1);
    }
    progress.finish();
    // Tables of some resolutions are whole: where there are some, it is a block that all networks lack.
    let lacking = left_out.iter().find(|lacking| lacking.block().is_some());
    if let Some(lacking) = lacking.or(left_out.first())
        && left_out.len() == NETWORKS
    {
        return Err(lacking.refused(path));
    }
    Ok(Imported {
        manifest: source.manifest(space),
        dataset: builder.finish(),
        notes: notes(source, &left_out),
    })
}

/// What is to be said of the networks added and left out.
fn notes(source: &Source, left_out: &[Lacking]) -> Vec<String> {
    let mut notes = vec![format!(
        "{}: sums of measured blocks, not end to end, for {} of {NETWORKS} random networks (seed {}); called predicted",
        source.device,
        NETWORKS - left_out.len(),
        SEED.0
    )];
    let resolutions: BTreeSet<u32> = left_out.iter().filter_map(Lacking::resolution).collect();
    if !resolutions.is_empty() {
        let count = left_out.iter().filter_map(Lacking::resolution).count();
        let edges: Vec<String> = resolutions.iter().map(u32::to_string).collect();
        notes.push(format!(
            "{count} networks left out: there is no table for their resolutions, {}",
            edges.join(", ")
        ));
    }
    let blocks = || left_out.iter().filter_map(Lacking::block);
    if let Some((name, path)) = blocks().next() {
        notes.push(format!(
            "{} networks left out: tables lack blocks of theirs, {} the first of them {name}",
            blocks().count(),
            path.display()
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums as the reference implementation's `MBv3LatencyTable` gives them for its own subnets, and in NSGANetV2's program for
    /// those subnets.
    #[test]
    fn sums_are_those_of_the_reference() {
        let Some(data) = std::env::var_os("EDGEFIT_DATA_DIR").map(std::path::PathBuf::from) else {
            eprintln!("passed over: EDGEFIT_DATA_DIR is not set");
            return;
        };
        let configuration = |kernel: u32, expansion: u32, depth: u32, edge: u32| {
            let [kernels, expansions] = [kernel, expansion].map(|choice| [choice; 20]);
            format!(
                r#"{{"ks":{kernels:?},"e":{expansions:?},"d":{:?},"r":{edge}}}"#,
                [depth; 5]
            )
        };
        let mixed = r#"{"ks":[7,5,3,3,7,7,3,3,5,7,3,3,5,3,3,3,5,3,5,3],"e":[6,4,3,3,6,3,3,3,3,6,3,3,3,6,3,3,6,4,3,3],
                       "d":[2,2,2,2,3],"r":204}"#;
        let networks = [configuration(3, 3, 2, 160), mixed.into(), configuration(7, 6, 4, 224)];
        for (folder, space, expected) in [
            (
                "CompOFA",
                &MOBILENET_V3_W12,
                [9.890346512078672, 31.57218988622376, 92.39803799478005],
            ),
            (
                "NSGANetV2",
                &MOBILENET_V3_W12,
                [6.0510150009457675, 15.457115452192397, 45.92804939950554],
            ),
            (
                "NSGANetV2",
                &MOBILENET_V3,
                [5.2365202183427755, 11.87588230043582, 36.21567766625549],
            ),
        ] {
            let (source, files) = Source::find(&data.join(folder)).unwrap();
            let tables = source.read(&files).unwrap();
            for (network, expected) in networks.iter().zip(expected) {
                let sum: f64 = tables.latency_ms(space, &space.parse(network).unwrap()).unwrap();
                assert!(
                    (sum / expected - 1.0).abs() < 1e-12,
                    "{folder}: {sum} ms, not {expected} ms"
                );
            }
        }
    }
}
