//! The spaces of Once-for-All (Cai et al., *Once-for-All: Train One Network and Specialize it for Efficient Deployment*,
//! ICLR 2020, <https://arxiv.org/abs/1908.09791>): the networks inside its MobileNet-V3 and ProxylessNAS supernets.
//!
//! A network is a stem, a first block, stages of inverted bottlenecks and a head. Every block behind the first one chooses its
//! depthwise kernel and its expansion, five stages choose how many of their four blocks run, and the network chooses the size
//! of its images. Reference implementation: <https://github.com/mit-han-lab/once-for-all>, package `ofa` of PyPI.
//!
//! The genes are the depths of the stages, then kernel and expansion of every block, first to last, then the resolution:
//! whoever chooses them in this order knows which blocks run when it comes to them. Genes of blocks that do not run are
//! inactive; architectures that are read, sampled, mutated or crossed have choice 0 there: they are canonical.

mod genes;
pub(super) mod lowering;
pub(super) mod names;
mod parse;
pub(super) mod skeleton;

use std::ops::RangeInclusive;

use rand::rngs::StdRng;

use super::{Architecture, InputSize, LayerNames, Network, SearchSpace, Supernet, variation};
use crate::error::Result;
use lowering::Bottleneck;
use names::Module;
use skeleton::{Skeleton, Width};

pub(crate) use genes::Block;
pub(crate) use skeleton::{OuterChannels, Site};

/// Edges of the depthwise kernels that a block chooses from.
const KERNELS: [u32; 3] = [3, 5, 7];
/// Channels of the depthwise convolution for each input channel that a block chooses from.
const EXPANSIONS: [u32; 3] = [3, 4, 6];
/// Numbers of blocks that a stage chooses from.
const DEPTHS: [u32; 3] = [2, 3, 4];
/// Image edges that a network chooses from: so many, from the smallest in steps of four pixels.
const RESOLUTIONS: u8 = 25;
const SMALLEST_RESOLUTION: u32 = 128;
const RESOLUTION_STEP: u32 = 4;

/// The image edge of a choice.
fn resolution(choice: u8) -> u32 {
    SMALLEST_RESOLUTION + RESOLUTION_STEP * u32::from(choice)
}

/// Choices of every gene of a space with so many genes.
const fn choices<const GENES: usize>() -> [u8; GENES] {
    let mut choices = [3; GENES];
    choices[GENES - 1] = RESOLUTIONS;
    choices
}

/// A search space of the networks inside one once-for-all supernet.
#[derive(Debug)]
pub struct OnceForAll {
    id: &'static str,
    skeleton: &'static Skeleton,
    width: Width,
    choices: &'static [u8],
    /// `eps` of the reference implementation's `bn_param`.
    normalization_epsilon: f32,
}

/// MobileNet-V3 at width 1: `ofa_mbv3_d234_e346_k357_w1.0`.
pub static MOBILENET_V3: OnceForAll = OnceForAll {
    id: "mobilenet_v3",
    skeleton: &skeleton::MOBILENET_V3,
    width: Width(100),
    choices: &choices::<{ genes::count(20) }>(),
    normalization_epsilon: 1e-5,
};

/// MobileNet-V3 at width 1.2: `ofa_mbv3_d234_e346_k357_w1.2`.
pub static MOBILENET_V3_W12: OnceForAll = OnceForAll {
    id: "mobilenet_v3_w1.2",
    skeleton: &skeleton::MOBILENET_V3,
    width: Width(120),
    choices: &choices::<{ genes::count(20) }>(),
    normalization_epsilon: 1e-5,
};

/// ProxylessNAS at width 1.3: `ofa_proxyless_d234_e346_k357_w1.3`. At full depth it has 21 blocks.
pub static PROXYLESS_NAS: OnceForAll = OnceForAll {
    id: "proxylessnas",
    skeleton: &skeleton::PROXYLESS_NAS,
    width: Width(130),
    choices: &choices::<{ genes::count(21) }>(),
    normalization_epsilon: 1e-3,
};

impl SearchSpace for OnceForAll {
    fn id(&self) -> &'static str {
        self.id
    }

    fn choices(&self) -> &[u8] {
        self.choices
    }

    /// Reads a configuration as the reference implementation and DyNAS-T write it, `{"ks": [...], "e": [...], "d": [...],
    /// "r": 224}`, in JSON or as Python prints it: kernels and expansions of all blocks, also of those that do not run, depths
    /// of the stages, and the resolution, a number or a list of one, 224 if it is missing. A `wid` of `null` or `None` is passed over.
    /// In canonical form, so that one network written in two ways is one architecture.
    fn parse(&self, text: &str) -> Result<Architecture> {
        Ok(self.canonical(&parse::architecture(self, text)?))
    }

    fn print(&self, architecture: &Architecture) -> String {
        let (mut kernels, mut expansions) = (Vec::new(), Vec::new());
        for (_, block, _) in self.blocks(architecture) {
            kernels.push(block.kernel.to_string());
            expansions.push(block.expansion.to_string());
        }
        let stages = 0..self.skeleton.stages.len();
        let depths: Vec<String> = stages
            .map(|stage| self.depth(architecture, stage).to_string())
            .collect();
        let [kernels, expansions, depths] = [kernels, expansions, depths].map(|list| list.join(","));
        let resolution = self.resolution(architecture);
        format!(r#"{{"ks":[{kernels}],"e":[{expansions}],"d":[{depths}],"r":{resolution}}}"#)
    }

    /// At the architecture's own resolution, whatever size is given.
    fn lower(&self, architecture: &Architecture, _input: InputSize, classes: u32) -> Network {
        let size = InputSize::square(self.resolution(architecture));
        let blocks = self.active_blocks(architecture).map(|(site, block)| {
            let bottleneck = Bottleneck {
                kernel: block.kernel,
                channels: site.input_channels * block.expansion,
                pointwise_bits: None,
                depthwise_bits: None,
            };
            (site, bottleneck)
        });
        lowering::network((self.skeleton, self.width), size, classes, blocks)
    }

    /// Those of the active subnet that the reference implementation takes out of the supernet.
    fn layer_names(&self, architecture: &Architecture) -> Vec<LayerNames> {
        names::of_layers(self.skeleton, self.active_sites(architecture), Module::Subnet)
    }

    fn normalization_epsilon(&self) -> f32 {
        self.normalization_epsilon
    }

    fn supernet(&self) -> Option<&dyn Supernet> {
        Some(self)
    }

    /// Always: every block computes something.
    fn output_depends_on_input(&self, _architecture: &Architecture) -> bool {
        true
    }

    /// The largest, which also stands for a resolution that is not given.
    fn default_input(&self) -> InputSize {
        InputSize::square(resolution(RESOLUTIONS - 1))
    }

    fn own_input(&self, architecture: &Architecture) -> Option<InputSize> {
        Some(InputSize::square(self.resolution(architecture)))
    }

    /// The architecture with choice 0 for blocks that do not run.
    fn canonical(&self, architecture: &Architecture) -> Architecture {
        let inactive = self.inactive_genes(architecture);
        let genes = architecture.0.iter().zip(inactive);
        Architecture(genes.map(|(&gene, inactive)| if inactive { 0 } else { gene }).collect())
    }

    /// Which blocks run is known from the depths, which come first.
    fn canonical_choices(&self, before: &[u8]) -> RangeInclusive<u8> {
        let choices = self.choices.get(before.len()).copied().unwrap_or(1);
        if self.is_next_inactive(before) {
            0..=0
        } else {
            0..=choices - 1
        }
    }

    fn active_genes(&self, architecture: &Architecture) -> Vec<bool> {
        self.inactive_genes(architecture)
            .iter()
            .map(|inactive| !inactive)
            .collect()
    }

    fn sample(&self, rng: &mut StdRng) -> Architecture {
        self.canonical(&variation::uniform(self, rng))
    }

    /// Blocks that begin to run are drawn uniformly.
    fn mutate(&self, architecture: &Architecture, rate: f64, rng: &mut StdRng) -> Architecture {
        let drawn = variation::with_drawn_inactive_genes(self, architecture, rng);
        self.canonical(&variation::redrawn(self, &drawn, rate, rng))
    }

    /// Blocks that run in one parent only are that parent's.
    fn crossover(&self, mother: &Architecture, father: &Architecture, rng: &mut StdRng) -> Architecture {
        self.canonical(&variation::crossover_of_active_genes(self, mother, father, rng))
    }
}

impl Supernet for OnceForAll {
    fn largest(&self) -> Architecture {
        Architecture(self.choices.iter().map(|choices| choices - 1).collect())
    }

    fn names_in_supernet(&self, architecture: &Architecture) -> Vec<LayerNames> {
        names::of_layers(self.skeleton, self.active_sites(architecture), Module::Supernet)
    }
}

#[cfg(test)]
mod tests;
