//! MobileNet-V2 blocks in seven stages (Sandler et al., *MobileNetV2: Inverted Residuals and Linear Bottlenecks*, CVPR 2018),
//! as Accel-NASBench varies them (Ahmad et al., *Accel-NASBench: Sustainable Benchmarking for Accelerator-Aware NAS*, DAC 2024,
//! <https://arxiv.org/abs/2404.08005>), who call it the MnasNet space.
//!
//! A stage is one to three inverted bottlenecks, in the sixth stage one to four; all blocks of a stage have the same expansion
//! (1, 4 or 6), kernel (3 or 5) and squeeze-and-excitation (off or on). The 28 genes are those four, stage by stage. Every gene
//! matters, and no two architectures compute the same function.

mod lowering;
mod names;
mod parse;

use super::{Architecture, InputSize, LayerNames, Network, SearchSpace};
use crate::error::Result;

/// Number of stages.
const STAGES: usize = 7;
/// Genes of a stage.
const GENES: usize = 4;

/// Channels of the depthwise convolutions for each channel that a block is given.
const EXPANSIONS: [u32; 3] = [1, 4, 6];
/// Edges of the depthwise kernels.
const KERNELS: [u32; 2] = [3, 5];
/// Choices of the number of blocks, from one on, of every stage.
const LAYERS: [u8; STAGES] = [3, 3, 3, 3, 3, 4, 3];

/// Choices of every gene: expansion, kernel, layers, squeeze-and-excitation.
const CHOICES: [u8; STAGES * GENES] = {
    let mut choices = [0; STAGES * GENES];
    let mut stage = 0;
    while stage < STAGES {
        choices[GENES * stage] = EXPANSIONS.len() as u8;
        choices[GENES * stage + 1] = KERNELS.len() as u8;
        choices[GENES * stage + 2] = LAYERS[stage];
        choices[GENES * stage + 3] = 2;
        stage += 1;
    }
    choices
};

/// What is chosen for a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stage {
    /// Channels of the depthwise convolutions for each channel that a block is given.
    expansion: u32,
    /// Edge of the depthwise kernels.
    kernel: u32,
    /// Number of blocks.
    layers: u32,
    /// Whether the blocks squeeze and excite.
    squeezes: bool,
}

/// The MobileNet-V2 search space of Accel-NASBench: seven stages of inverted bottlenecks.
#[derive(Debug, Clone, Copy)]
pub struct MobileNetV2;

impl MobileNetV2 {
    /// The choices for every stage, first to last.
    fn stages(architecture: &Architecture) -> impl Iterator<Item = Stage> + '_ {
        architecture.0.chunks_exact(GENES).map(|genes| Stage {
            expansion: EXPANSIONS[usize::from(genes[0])],
            kernel: KERNELS[usize::from(genes[1])],
            layers: u32::from(genes[2]) + 1,
            squeezes: genes[3] == 1,
        })
    }
}

impl SearchSpace for MobileNetV2 {
    fn id(&self) -> &'static str {
        "mobilenet_v2"
    }

    fn choices(&self) -> &[u8] {
        &CHOICES
    }

    /// Reads the object that [`SearchSpace::print`] writes, as JSON or as Python writes a dictionary, or the four lists of
    /// Accel-NASBench's `manual_sample`: expansions, kernels, layers, squeeze-and-excitation.
    fn parse(&self, text: &str) -> Result<Architecture> {
        parse::architecture(text)
    }

    /// Writes the object of Accel-NASBench's files, `{"block0_e":1,"block0_k":3,"block0_l":2,"block0_se":false,...}`.
    fn print(&self, architecture: &Architecture) -> String {
        let stages = MobileNetV2::stages(architecture).enumerate().map(|(number, stage)| {
            let Stage {
                expansion,
                kernel,
                layers,
                squeezes,
            } = stage;
            format!(
                "\"block{number}_e\":{expansion},\"block{number}_k\":{kernel},\"block{number}_l\":{layers},\
                 \"block{number}_se\":{squeezes}"
            )
        });
        format!("{{{}}}", stages.collect::<Vec<String>>().join(","))
    }

    fn lower(&self, architecture: &Architecture, input: InputSize, classes: u32) -> Network {
        lowering::network(architecture, input, classes)
    }

    fn layer_names(&self, architecture: &Architecture) -> Vec<LayerNames> {
        names::of_layers(architecture)
    }

    /// Always: every block computes something of what it is given.
    fn output_depends_on_input(&self, _architecture: &Architecture) -> bool {
        true
    }

    /// That of ImageNet.
    fn default_input(&self) -> InputSize {
        InputSize::square(224)
    }
}
