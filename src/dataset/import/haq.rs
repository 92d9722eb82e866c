//! Latencies of MobileNet-V2 with bits for every layer on the larger accelerator of HAQ (Wang et al., *HAQ: Hardware-Aware Automated
//! Quantization with Mixed Precision*, CVPR 2019, <https://github.com/mit-han-lab/haq>), added up from the table that its search looks
//! up: BISMO (Umuroglu et al., *BISMO: A Scalable Bit-Serial Matrix Multiplication Overlay for Reconfigurable Computing*, FPL 2018) on
//! an FPGA, for a batch of 16 images.
//!
//! The table, of shape `[layer, weight bits - 1, activation bits - 1]` as `linear_quantize_env.py` indexes it, is in cycles of a
//! simulator. A millisecond has 200,000: at this clock its sums without the first layer and the last, at 4, 5, 6 and 8 bits, are the
//! 74.46, 99.43, 127.07 and 189.82 ms that the paper gives for MobileNet-V2 on that accelerator. Sums here are of all 53 layers.

use std::path::{Path, PathBuf};

use super::{Imported, Importer, described_device, locate, npy, only_spaces};
use crate::dataset::build::Builder;
use crate::dataset::{DeviceValues, Manifest, Origin, Source};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::progress::{Progress, Unit};
use crate::seed::Seed;
use crate::space::{Architecture, LayerBits, SearchSpace};

const FILE: &str = "qmobilenetv2_imagenet100_batch16_latency_table.npy";
const DEVICE: &str = "bismo_vu9p";
/// Policies drawn at random.
const POLICIES: usize = 5_000;
const SEED: Seed = Seed(0);
/// Outputs of HAQ's network, whatever the number of classes.
const CLASSES: u32 = 1000;
/// Layers, and bits of weights and of activations.
const LAYERS: usize = 53;
const MOST_BITS: usize = 8;
/// Of layers without bits of their own.
const OTHER_BITS: LayerBits = LayerBits {
    weights: 8,
    activations: 8,
};
const CYCLES_PER_MS: f64 = 200_000.0;
/// Most cycles of a layer: sums stay exact.
const MOST_CYCLES: f64 = 1e12;

/// `lib/simulator/lookup_tables/qmobilenetv2_imagenet100_batch16_latency_table.npy`.
pub(super) struct Haq;

/// Cycles of every layer at all bits.
struct CycleTable {
    /// `[layer, weight bits - 1, activation bits - 1]`, last index fastest.
    cycles: Vec<f64>,
}

impl Importer for Haq {
    fn name(&self) -> &'static str {
        "haq"
    }

    fn reads(&self) -> &'static str {
        "a clone of mit-han-lab/haq or its table of latencies: mobilenet_v2_bits on BISMO, simulated"
    }

    fn import(&self, path: &Path, space: &'static dyn SearchSpace, progress: &dyn Progress) -> Result<Imported> {
        only_spaces(self, &["mobilenet_v2_bits"], space)?;
        let table = CycleTable::read(&file_in(path)?)?;
        let mut builder = Builder::new(space);
        let device = builder.add_device(described_device(DEVICE, DEVICE));
        let mut rng = SEED.stream("haq");
        progress.start("importing haq", Unit::Count("policies"), Some(POLICIES as u64));
        for _ in 0..POLICIES {
            let policy = space.sample(&mut rng);
            let latency_ms = table.latency_ms(space, &policy);
            let values = DeviceValues::of(Metric::Latency, latency_ms);
            builder.values_of(policy, device, values, Origin::Simulated)?;
            progress.advance(1);
        }
        progress.finish();
        let note = format!(
            "{DEVICE}: sums of simulated layers, cycles at 0.2 GHz, for {POLICIES} random policies (seed {})",
            SEED.0
        );
        Ok(Imported {
            manifest: manifest(space),
            dataset: builder.finish(),
            notes: vec![note],
        })
    }
}

/// The table that `path` names, or that is in the clone there.
fn file_in(path: &Path) -> Result<PathBuf> {
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    Ok(locate(path, &["lib/simulator/lookup_tables", "."], FILE)?.join(FILE))
}

impl CycleTable {
    fn read(path: &Path) -> Result<CycleTable> {
        let cycles = npy::read(path, &[LAYERS, MOST_BITS, MOST_BITS])?;
        let possible = |cycles: f64| cycles > 0.0 && cycles <= MOST_CYCLES;
        let Some(wrong) = cycles.iter().position(|&cycles| !possible(cycles)) else {
            return Ok(CycleTable { cycles });
        };
        let (layer, bits) = (wrong / (MOST_BITS * MOST_BITS), wrong % (MOST_BITS * MOST_BITS));
        let (weights, activations) = (bits / MOST_BITS + 1, bits % MOST_BITS + 1);
        Err(Error::Malformed {
            path: path.to_path_buf(),
            line: None,
            column: Some(format!(
                "layer {layer} with {weights} bits of weights and {activations} of activations"
            )),
            expected: format!("a number of cycles above 0 and up to {MOST_CYCLES}"),
            found: cycles[wrong].to_string(),
            hint: "Get the file again from a clone of HAQ.".into(),
        })
    }

    /// What a policy costs: the layers with multiplications, in the order in which they run, are those of the table.
    fn latency_ms(&self, space: &dyn SearchSpace, policy: &Architecture) -> f64 {
        let network = space.lower(policy, space.default_input(), CLASSES);
        let layers = network.layers().filter(|layer| layer.macs() > 0);
        let of_layers = self.cycles.chunks_exact(MOST_BITS * MOST_BITS).zip(layers);
        let cycles = of_layers.map(|(at_bits, layer)| {
            let bits = layer.bits.unwrap_or(OTHER_BITS);
            at_bits[(usize::from(bits.weights) - 1) * MOST_BITS + usize::from(bits.activations) - 1]
        });
        cycles.sum::<f64>() / CYCLES_PER_MS
    }
}

fn manifest(space: &dyn SearchSpace) -> Manifest {
    Manifest {
        space: space.id().into(),
        description: "Latency of MobileNet-V2 with bits for every layer on BISMO, for a batch of 16, from sums of simulated layers.".into(),
        sources: vec![Source {
            name: "HAQ".into(),
            url: "https://github.com/mit-han-lab/haq".into(),
            licence: "MIT".into(),
            measured: "Cycles of single layers at their bits for a batch of 16 images of 224x224 pixels, by the authors of HAQ with a \
                       simulator of BISMO on a VU9P; latencies are sums of them at 200 MHz, the clock at which they are the paper's."
                .into(),
        }],
        ..Manifest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::MobileNetV2Bits;

    fn uniform(bits: u8) -> Architecture {
        Architecture(vec![bits - 2; 102])
    }

    /// A thousand cycles for the first layer, as many more for every next, ten for a bit of weights and one for a bit of activations.
    fn table() -> CycleTable {
        let mut cycles = Vec::new();
        for layer in 0..LAYERS {
            for (weights, activations) in (1..=8).flat_map(|weights| (1..=8).map(move |other| (weights, other))) {
                cycles.push((1_000 * (layer + 1) + 10 * weights + activations) as f64);
            }
        }
        CycleTable { cycles }
    }

    /// Of 53 layers, the second has 2 bits for weights and 5 for activations, the last but one 7 and 3, all others 8.
    #[test]
    fn sums_by_hand() {
        let mut policy = uniform(8);
        policy.0[..2].copy_from_slice(&[0, 3]);
        policy.0[100..].copy_from_slice(&[5, 1]);
        let cycles = 1_000 * (53 * 54 / 2) + 51 * 88 + 25 + 73;
        let space = &MobileNetV2Bits;
        assert_eq!(table().latency_ms(space, &policy), f64::from(cycles) / 200_000.0);
    }

    fn published() -> Option<CycleTable> {
        let Some(data) = std::env::var_os("EDGEFIT_DATA_DIR").map(PathBuf::from) else {
            eprintln!("passed over: EDGEFIT_DATA_DIR is not set");
            return None;
        };
        Some(CycleTable::read(&file_in(&data.join("haq")).unwrap()).unwrap())
    }

    /// Latencies of MobileNet-V2 on the accelerator for the cloud in the paper's table, in ms: they leave out the first layer and the
    /// classifier.
    #[test]
    fn sums_are_those_of_the_paper() {
        let Some(table) = published() else { return };
        let ends = (table.cycles[63] + table.cycles[52 * 64 + 63]) / CYCLES_PER_MS;
        for (bits, latency_ms) in [(4, 74.46), (5, 99.43), (6, 127.07), (8, 189.82)] {
            let within = table.latency_ms(&MobileNetV2Bits, &uniform(bits)) - ends;
            assert!((within - latency_ms).abs() < 0.005, "{bits} bits: {within}");
        }
    }

    /// The policy of HAQ's README at 0.6 of the latency of eight bits: its cycles by a program of its own (NumPy), and the share of them.
    #[test]
    fn a_published_policy_takes_what_it_is_published_for() {
        const PUBLISHED: &str = "W7A7-W5A6-W4A6-W5A6-W5A7-W5A6-W7A4-W4A6-W4A6-W7A7-W5A6-W4A6-W7A3-W5A7-W4A7-W7A3-W5A7-W4A7-W7A7-\
            W4A7-W4A7-W6A4-W6A7-W4A7-W7A4-W6A7-W5A7-W7A4-W6A7-W5A7-W7A4-W6A7-W6A7-W6A4-W5A7-W6A7-W6A4-W5A7-W6A7-W7A7-W4A7-W7A7-\
            W7A7-W4A7-W7A7-W7A7-W4A7-W7A7-W7A7-W4A7-W7A7";
        let Some(table) = published() else { return };
        let space = &MobileNetV2Bits;
        let latency_ms = table.latency_ms(space, &space.parse(PUBLISHED).unwrap());
        assert_eq!(latency_ms, 23_634_821.0 / CYCLES_PER_MS);
        let share = latency_ms / table.latency_ms(space, &uniform(8));
        assert!((share - 0.6).abs() < 0.005, "{share}");
    }

    /// Bits of weights come first: the 1x1 convolution to 1280 channels waits for its 409,600 weights, so that four times the bits of
    /// weights take four times as long, and of activations hardly longer; the depthwise one on 112x112 pixels waits for activations.
    #[test]
    fn axes_are_those_of_the_traffic() {
        let Some(table) = published() else { return };
        let cycles = |layer: usize, weights: usize, activations: usize| {
            table.cycles[(layer * 8 + weights - 1) * 8 + activations - 1]
        };
        let ratios = |layer| {
            [(4, 1), (1, 4)].map(|(weights, activations)| cycles(layer, weights, activations) / cycles(layer, 1, 1))
        };
        let [by_weights, by_activations] = ratios(51);
        assert!(
            by_weights > 3.9 && by_activations < 1.2,
            "{by_weights} {by_activations}"
        );
        let [by_weights, by_activations] = ratios(1);
        assert!(
            by_weights < 1.1 && by_activations > 3.9,
            "{by_weights} {by_activations}"
        );
    }
}
