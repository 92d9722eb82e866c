//! Latencies and energies of ProxylessNAS with bits per block on the accelerator BitFusion (Sharma et al., *Bit Fusion: Bit-Level
//! Dynamically Composable Architecture for Accelerating Deep Neural Network*, ISCA 2018), added up from the table of layers that
//! APQ looks up (Wang et al., *APQ: Joint Search for Network Architecture, Pruning and Quantization Policy*, CVPR 2020,
//! <https://github.com/mit-han-lab/apq>).
//!
//! A network costs what `head`, its layers at their bits, and `tail` cost, as in APQ's `latency_predictor.py`. The values are those
//! of a simulator, in ms and mJ: APQ states the sums of its networks in these units.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::{Imported, Importer, described_device, locate, only_spaces, read_json};
use crate::dataset::build::Builder;
use crate::dataset::{DeviceValues, Manifest, Origin, Source};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::progress::{Progress, Unit};
use crate::seed::Seed;
use crate::space::{Architecture, Convolution, Layer, LayerBits, Operation, SearchSpace};

const FILE: &str = "BitFusion_new.b1.dict";
const DEVICE: &str = "bitfusion";
/// Designs drawn at random.
const DESIGNS: usize = 5_000;
const SEED: Seed = Seed(0);
/// Classes of ImageNet.
const CLASSES: u32 = 1000;
/// Stem and first block, last convolution and classifier.
const ENDS: [&str; 2] = ["head", "tail"];
/// Largest value of a layer, in ms or mJ: sums stay finite.
const LARGEST: f64 = 1e9;

/// `lut/BitFusion_new.b1.dict`.
pub(super) struct BitFusionLut;

/// What a layer costs.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Cost {
    #[serde(rename = "latency")]
    latency_ms: f64,
    #[serde(rename = "energy")]
    energy_mj: f64,
}

/// Costs by `(channels in, channels out, edge of the map, kernel, stride, padding, groups)-W<bits>A<bits>`.
struct LayerTable<'a> {
    path: &'a Path,
    costs: HashMap<String, Cost>,
}

impl Importer for BitFusionLut {
    fn name(&self) -> &'static str {
        "bitfusion-lut"
    }

    fn reads(&self) -> &'static str {
        "a clone of mit-han-lab/apq or its lut/BitFusion_new.b1.dict: latencies and energies of proxylessnas_mixed, simulated"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        only_spaces(self, &["proxylessnas_mixed"], space)?;
        let file = if path.is_file() {
            path.to_path_buf()
        } else {
            locate(path, &["lut", "."], FILE)?.join(FILE)
        };
        let table = LayerTable::read(&file)?;
        let mut builder = Builder::new(space);
        let device = builder.add_device(described_device(DEVICE, DEVICE));
        let mut rng = SEED.stream("bitfusion-lut");
        progress.start("importing bitfusion-lut", Unit::Count("designs"), Some(DESIGNS as u64));
        for _ in 0..DESIGNS {
            let design = space.sample(&mut rng);
            let cost = table.sum(space, &design)?;
            let values = [(Metric::Latency, cost.latency_ms), (Metric::Energy, cost.energy_mj)];
            builder.values_of(design, device, DeviceValues::from_iter(values), Origin::Simulated)?;
            progress.advance(1);
        }
        progress.finish();
        let note = format!(
            "{DEVICE}: sums of simulated layers, in ms and mJ, for {DESIGNS} random designs (seed {})",
            SEED.0
        );
        Ok(Imported {
            manifest: manifest(space),
            dataset: builder.finish(),
            notes: vec![note],
        })
    }
}

impl LayerTable<'_> {
    fn read(path: &Path) -> Result<LayerTable<'_>> {
        let expected = "an object from layers to objects with latency and energy";
        let costs: HashMap<String, Cost> = read_json(path, expected)?;
        let table = LayerTable { path, costs };
        let possible = |value: f64| value > 0.0 && value <= LARGEST;
        let entries = table.costs.iter();
        let wrong = entries.filter(|(_, cost)| !possible(cost.latency_ms) || !possible(cost.energy_mj));
        // The same one every time.
        match wrong.min_by_key(|(key, _)| key.as_str()) {
            None => Ok(table),
            Some((key, cost)) => Err(table.malformed(
                &format!("latency and energy of `{key:.80}` above 0 ms and mJ"),
                &format!("{} and {}", cost.latency_ms, cost.energy_mj),
            )),
        }
    }

    /// What a design costs.
    fn sum(&self, space: &dyn SearchSpace, design: &Architecture) -> Result<Cost> {
        let network = space.lower(design, space.default_input(), CLASSES);
        let layers = network.layers().filter_map(|layer| Some((layer, layer.bits?)));
        let keys = ENDS.map(str::to_string).into_iter();
        let mut sum = Cost {
            latency_ms: 0.0,
            energy_mj: 0.0,
        };
        for key in keys.chain(layers.filter_map(|(layer, bits)| key(layer, bits))) {
            let cost = self
                .costs
                .get(&key)
                .ok_or_else(|| self.malformed(&format!("an entry `{key}`"), "none"))?;
            sum.latency_ms += cost.latency_ms;
            sum.energy_mj += cost.energy_mj;
        }
        Ok(sum)
    }

    fn malformed(&self, expected: &str, found: &str) -> Error {
        Error::Malformed {
            path: self.path.to_path_buf(),
            line: None,
            column: None,
            expected: expected.into(),
            found: found.into(),
            hint: "Get the file again from a clone of APQ.".into(),
        }
    }
}

/// What the table calls a convolution with these bits; nothing else has bits.
fn key(layer: &Layer, bits: LayerBits) -> Option<String> {
    let Operation::Convolution(convolution) = layer.operation else {
        return None;
    };
    let Convolution {
        kernel,
        stride,
        padding,
        groups,
        ..
    } = convolution;
    Some(format!(
        "({}, {}, {}, {kernel}, {stride}, {padding}, {groups})-W{}A{}",
        layer.input.channels, layer.output.channels, layer.input.width, bits.weights, bits.activations
    ))
}

fn manifest(space: &dyn SearchSpace) -> Manifest {
    Manifest {
        space: space.id().into(),
        description: "Latency and energy of ProxylessNAS with bits per block on BitFusion, from sums of layers.".into(),
        sources: vec![Source {
            name: "APQ".into(),
            url: "https://github.com/mit-han-lab/apq".into(),
            licence: "BSD-2-Clause".into(),
            measured: "Latency and energy of single layers at batch 1, by the authors of APQ with the simulator of BitFusion; those \
                       of networks are sums of them."
                .into(),
        }],
        ..Manifest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::PROXYLESS_NAS_MIXED;

    /// A design with one choice in all blocks, as many as there can be.
    fn design(kernel: u32, expansion: u32, bits: [u8; 4]) -> Architecture {
        let list = |number: u32| vec![number.to_string(); 21].join(",");
        let [pw_w, pw_a, dw_w, dw_a] = bits.map(|bits| list(bits.into()));
        let text = format!(
            r#"{{"ks":[{}],"e":[{}],"d":[4,4,4,4,4,1],"pw_w_bits_setting":[{pw_w}],"pw_a_bits_setting":[{pw_a}],
                "dw_w_bits_setting":[{dw_w}],"dw_a_bits_setting":[{dw_a}]}}"#,
            list(kernel),
            list(expansion)
        );
        PROXYLESS_NAS_MIXED.parse(&text).unwrap()
    }

    #[test]
    fn layers_are_named_by_hand() {
        let network = PROXYLESS_NAS_MIXED.lower(
            &design(5, 6, [4, 6, 8, 4]),
            PROXYLESS_NAS_MIXED.default_input(),
            CLASSES,
        );
        let layers = network.layers().filter_map(|layer| key(layer, layer.bits?));
        let keys: Vec<String> = layers.collect();
        assert_eq!(keys.len(), 21 * 3);
        // The first block halves 112 pixels; its last convolution reads what the depthwise one gave.
        assert_eq!(
            keys[..3],
            [
                "(16, 96, 112, 1, 1, 0, 1)-W4A6",
                "(96, 96, 112, 5, 2, 2, 96)-W8A4",
                "(96, 24, 56, 1, 1, 0, 1)-W4A6"
            ]
        );
        assert_eq!(keys[62], "(1152, 320, 7, 1, 1, 0, 1)-W4A6");
    }

    /// Sums from the table as a program of its own, written after APQ's `latency_predictor.py`, gives them.
    #[test]
    fn sums_are_those_of_the_reference() {
        let Some(data) = std::env::var_os("EDGEFIT_DATA_DIR").map(std::path::PathBuf::from) else {
            eprintln!("passed over: EDGEFIT_DATA_DIR is not set");
            return;
        };
        let path = data.join("apq/lut").join(FILE);
        let table = LayerTable::read(&path).unwrap();
        for (design, latency_ms, energy_mj) in [
            (design(3, 4, [4, 4, 4, 4]), 5.068_861_999_999_999, 8.802_853_586_172_473),
            (
                design(7, 6, [8, 8, 8, 8]),
                46.792_338_000_000_015,
                40.684_557_267_639_406,
            ),
            (
                design(7, 6, [4, 6, 4, 6]),
                25.637_712_000_000_015,
                27.753_132_872_498_842,
            ),
            (design(5, 5, [8, 8, 8, 8]), 22.165_051_999_999_98, 24.856_540_788_745_12),
        ] {
            let cost = table.sum(&PROXYLESS_NAS_MIXED, &design).unwrap();
            assert!((cost.latency_ms / latency_ms - 1.0).abs() < 1e-12, "{cost:?}");
            assert!((cost.energy_mj / energy_mj - 1.0).abs() < 1e-12, "{cost:?}");
        }
    }
}
