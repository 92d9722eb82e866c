//! `fbnet_cached_metrics.json`: latency and energy of every block of FBNet on its own. A network's values are the sums over
//! its blocks, as HW-NAS-Bench's own program adds them up; nobody measured the networks end to end.

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::path::Path;

use super::super::{Imported, file_at};
use super::{QUANTITIES, device, manifest};
use crate::dataset::build::Builder;
use crate::dataset::{DeviceValues, Measurement, Origin};
use crate::error::{Error, Result};
use crate::files::open_regular;
use crate::progress::{Progress, Unit};
use crate::seed::Seed;
use crate::space::fbnet::{Block, FbNet, Site, Skeleton};
use crate::space::{Architecture, InputSize, SearchSpace};

const FILE: &str = "fbnet_cached_metrics.json";
/// Most bytes of the file.
const LIMIT_BYTES: u64 = 64 << 20;
/// Networks added up: as many as HELP measured, drawn at random.
const NETWORKS: usize = 5_000;
const SEED: Seed = Seed(0);

/// Edge of the images and classes of the two versions of the network that the tables cover.
const VERSIONS: [(u32, u32); 2] = [(32, 100), (224, 1000)];

/// Values of one quantity by block.
type Blocks = HashMap<String, f64>;

/// The tables of a file.
struct Tables<'a> {
    path: &'a Path,
    by_name: HashMap<String, Blocks>,
}

pub(super) fn import(path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
    let file = file_at(path, FILE)?;
    let tables = Tables::read(&file)?;
    let mut builder = Builder::new(space);
    let mut rng = SEED.stream("hw-nas-bench/fbnet");
    progress.start("importing hw-nas-bench", Unit::Count("networks"), Some(NETWORKS as u64));
    for _ in 0..NETWORKS {
        let architecture = space.sample(&mut rng);
        for (edge, classes) in VERSIONS {
            let input = InputSize {
                width: edge,
                height: edge,
            };
            tables.add(&architecture, input, classes, &mut builder)?;
        }
        progress.advance(1);
    }
    progress.finish();
    let measured = "Latency and energy of single blocks, one image at a time, by the authors of HW-NAS-Bench. The values of \
                    networks are sums over their blocks and not measured end to end; their rows are called predicted. \
                    32x32: CIFAR-100; 224x224: ImageNet.";
    let note = format!(
        "values are sums of measured blocks, not end to end, for {NETWORKS} random networks (seed {}) at 32x32 and \
         224x224; called predicted",
        SEED.0
    );
    Ok(Imported {
        manifest: manifest(
            space,
            "FBNet latencies and energies on edge devices, added up from blocks.",
            measured,
        ),
        dataset: builder.finish(),
        notes: vec![note],
    })
}

impl<'a> Tables<'a> {
    fn read(path: &'a Path) -> Result<Tables<'a>> {
        let malformed = |found: String| Error::Malformed {
            path: path.to_path_buf(),
            line: None,
            column: None,
            expected: "an object of tables, each an object from blocks to numbers".into(),
            found: found.trim_end_matches('.').into(),
            hint: "Get the file again.".into(),
        };
        let file = open_regular(path).map_err(Error::io("read", path))?;
        let by_name: HashMap<String, Blocks> = serde_json::from_reader(BufReader::new(file.take(LIMIT_BYTES)))
            .map_err(|error| malformed(error.to_string()))?;
        let names = QUANTITIES.map(|(_, _, name)| name);
        if let Some(unknown) = by_name.keys().filter(|name| !names.contains(&name.as_str())).min() {
            return Err(malformed(format!(
                "a table `{unknown}`, which is none of {}",
                names.join(", ")
            )));
        }
        if by_name.is_empty() {
            return Err(malformed("no table".into()));
        }
        Ok(Tables { path, by_name })
    }

    /// Adds the rows of a network, one for each device.
    fn add(&self, architecture: &Architecture, input: InputSize, classes: u32, builder: &mut Builder) -> Result<()> {
        let blocks = blocks(architecture, input, classes);
        let number = builder.parsed_architecture(architecture.clone());
        let size = builder.input(input)?;
        let mut rows: Vec<Measurement> = Vec::new();
        for (id, metric, name) in QUANTITIES {
            let Some(table) = self.by_name.get(name) else {
                continue;
            };
            let sum = self.sum(name, table, &blocks)?;
            let device = device(id, builder);
            if rows.last().is_none_or(|row| row.device != device) {
                rows.push(Measurement {
                    device,
                    architecture: number,
                    precision: builder.device_mut(device).runs_at(),
                    input: size,
                    values: DeviceValues::default(),
                    origin: Origin::Predicted,
                });
            }
            if let Some(row) = rows.last_mut() {
                row.values.insert(metric, sum);
            }
        }
        rows.into_iter().for_each(|row| builder.measurement(row));
        Ok(())
    }

    /// The sum over blocks, in the order in which they run.
    fn sum(&self, name: &str, table: &Blocks, blocks: &[String]) -> Result<f64> {
        let malformed = |expected: String, found: String| Error::Malformed {
            path: self.path.to_path_buf(),
            line: None,
            column: Some(name.into()),
            expected,
            found,
            hint: "Networks are sums over all their blocks: get the whole file.".into(),
        };
        let mut sum = 0.0;
        for block in blocks {
            let value = *table
                .get(block)
                .ok_or_else(|| malformed(format!("block {block}"), "none".into()))?;
            // Blocks that are the identity take nothing.
            if !(value.is_finite() && value >= 0.0) {
                return Err(malformed(
                    format!("a value of at least 0 for block {block}"),
                    value.to_string(),
                ));
            }
            sum += value;
        }
        if sum > 0.0 && sum.is_finite() {
            Ok(sum)
        } else {
            Err(malformed("values whose sum is above 0".into(), sum.to_string()))
        }
    }
}

/// The names of a network's blocks, in the order in which they run.
fn blocks(architecture: &Architecture, input: InputSize, classes: u32) -> Vec<String> {
    let skeleton = Skeleton::of(input);
    let (mut edge, stem_stride) = (input.width, skeleton.stem_stride);
    let stem = skeleton.sites().next().map_or(0, |site| site.input_channels);
    let mut blocks = vec![format!(
        "ConvNorm_H{edge}_W{edge}_Cin3_Cout{stem}_kernel3_stride{stem_stride}_group1"
    )];
    edge /= stem_stride;
    let mut channels = stem;
    for (block, site) in FbNet::blocks(architecture).zip(skeleton.sites()) {
        blocks.push(block_name(block, site, edge));
        edge /= site.stride;
        channels = site.output_channels;
    }
    let header = skeleton.header_channels;
    blocks.push(format!(
        "ConvNorm_H{edge}_W{edge}_Cin{channels}_Cout{header}_kernel1_stride1_group1"
    ));
    blocks.push(format!(
        "AvgP_H{edge}_W{edge}_Cin{header}_Cout{header}_kernel{edge}_stride1"
    ));
    blocks.push(format!("FC_Cin{header}_Cout{classes}"));
    blocks
}

fn block_name(block: Block, site: Site, edge: u32) -> String {
    let Site {
        input_channels,
        output_channels,
        stride,
    } = site;
    let shape = format!("H{edge}_W{edge}_Cin{input_channels}_Cout{output_channels}");
    if block.is_skip() {
        format!("Skip_{shape}_stride{stride}")
    } else {
        format!(
            "ConvBlock_{shape}_exp{}_kernel{}_stride{stride}_group{}",
            block.expansion, block.kernel, block.groups
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_blocks_by_hand() {
        let mut genes = vec![8; 22];
        (genes[1], genes[6], genes[21]) = (3, 5, 6);
        let names = |edge, classes| {
            let input = InputSize {
                width: edge,
                height: edge,
            };
            blocks(&Architecture(genes.clone()), input, classes)
        };
        let small = names(32, 100);
        assert_eq!(small.len(), 22 + 4);
        assert_eq!(small[0], "ConvNorm_H32_W32_Cin3_Cout16_kernel3_stride1_group1");
        assert_eq!(small[1], "Skip_H32_W32_Cin16_Cout16_stride1");
        assert_eq!(small[2], "ConvBlock_H32_W32_Cin16_Cout24_exp6_kernel3_stride1_group1");
        assert_eq!(small[7], "ConvBlock_H16_W16_Cin32_Cout32_exp1_kernel5_stride1_group2");
        assert_eq!(small[22], "ConvBlock_H4_W4_Cin184_Cout352_exp3_kernel5_stride1_group1");
        assert_eq!(small[23], "ConvNorm_H4_W4_Cin352_Cout1504_kernel1_stride1_group1");
        assert_eq!(small[24], "AvgP_H4_W4_Cin1504_Cout1504_kernel4_stride1");
        assert_eq!(small[25], "FC_Cin1504_Cout100");
        let large = names(224, 1000);
        assert_eq!(large[2], "ConvBlock_H112_W112_Cin16_Cout24_exp6_kernel3_stride2_group1");
        assert_eq!(large[18], "Skip_H14_W14_Cin112_Cout184_stride2");
        assert_eq!(large[24], "AvgP_H7_W7_Cin1984_Cout1984_kernel7_stride1");
    }

    /// The sums over the published table are the values that HELP publishes for the same phone: that is how these were made.
    /// Needs both files. The JSON reader rounds some numbers to a neighbouring one, hence not to the last bit.
    #[test]
    fn sums_are_those_that_help_took_over() {
        use super::super::super::pickle::{Numbers, Rows, read_pt};
        let Some(data) = std::env::var_os("EDGEFIT_DATA_DIR").map(std::path::PathBuf::from) else {
            eprintln!("passed over: EDGEFIT_DATA_DIR is not set");
            return;
        };
        let path = data.join("HW-NAS-Bench").join(FILE);
        let tables = Tables::read(&path).unwrap();
        let help = data.join("HELP/data/fbnet");
        let Rows(architectures) = read_pt(&help.join("arch.pt"), "lists").unwrap();
        let Numbers(published) = read_pt(&help.join("latency/pixel3.pt"), "numbers").unwrap();
        let input = InputSize { width: 32, height: 32 };
        for (genes, published) in architectures.into_iter().zip(published) {
            let blocks = blocks(&Architecture(genes), input, 100);
            let sum = tables.sum("pixel3_latency", &tables.by_name["pixel3_latency"], &blocks);
            assert!((sum.unwrap() / published - 1.0).abs() < 1e-14);
        }
    }
}
