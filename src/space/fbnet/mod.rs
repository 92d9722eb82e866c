//! FBNet (Wu et al., *FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural Architecture Search*, CVPR
//! 2019, <https://arxiv.org/abs/1812.03443>), as HW-NAS-Bench (Li et al., ICLR 2021,
//! <https://arxiv.org/abs/2103.10584>) and HELP measured it.
//!
//! A network is a stem, 22 blocks in seven stages, a 1x1 convolution and a classifier. The 22 genes are the blocks, first
//! to last. `k5_e6` is an inverted bottleneck with a 5x5 depthwise convolution on six times as many channels; `_g2`
//! says that its 1x1 convolutions have two groups, with the channels shuffled between them; `skip` is the identity where
//! the block keeps the shape of its input, elsewhere a 1x1 convolution.

mod lowering;
mod names;
mod parse;
mod skeleton;

use std::ops::RangeInclusive;

use super::{Architecture, InputSize, LayerNames, Network, SearchSpace};
use crate::error::Result;

pub(crate) use skeleton::{Site, Skeleton};

/// Number of blocks.
const BLOCKS: usize = 22;

/// What can stand at a block's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// Its name in architecture strings.
    pub(crate) name: &'static str,
    /// Edge of the depthwise kernel.
    pub(crate) kernel: u32,
    /// Channels of the depthwise convolution for each input channel; 0 for `skip`.
    pub(crate) expansion: u32,
    /// Groups of both 1x1 convolutions.
    pub(crate) groups: u32,
}

/// The candidates; a gene is a position in this list, which is that of HW-NAS-Bench's `op_idx_list`.
const CANDIDATES: [Block; 9] = [
    block("k3_e1", 3, 1, 1),
    block("k3_e1_g2", 3, 1, 2),
    block("k3_e3", 3, 3, 1),
    block("k3_e6", 3, 6, 1),
    block("k5_e1", 5, 1, 1),
    block("k5_e1_g2", 5, 1, 2),
    block("k5_e3", 5, 3, 1),
    block("k5_e6", 5, 6, 1),
    block("skip", 1, 0, 1),
];
const SKIP: u8 = 8;

const fn block(name: &'static str, kernel: u32, expansion: u32, groups: u32) -> Block {
    Block {
        name,
        kernel,
        expansion,
        groups,
    }
}

impl Block {
    /// Whether this is `skip`.
    pub(crate) fn is_skip(&self) -> bool {
        self.expansion == 0
    }
}

/// The FBNet search space: 22 blocks, nine candidates each.
#[derive(Debug, Clone, Copy)]
pub struct FbNet;

impl FbNet {
    /// The block chosen at every place, first to last.
    pub(crate) fn blocks(architecture: &Architecture) -> impl Iterator<Item = Block> + '_ {
        architecture.0.iter().map(|&gene| CANDIDATES[usize::from(gene)])
    }
}

impl SearchSpace for FbNet {
    fn id(&self) -> &'static str {
        "fbnet"
    }

    fn choices(&self) -> &[u8] {
        const { &[CANDIDATES.len() as u8; BLOCKS] }
    }

    /// Reads the names joined by `-`, as [`SearchSpace::print`] writes them, or a list of names or of indices as in
    /// `[7, 8, 1, ...]`.
    fn parse(&self, text: &str) -> Result<Architecture> {
        parse::architecture(text)
    }

    fn print(&self, architecture: &Architecture) -> String {
        let names: Vec<&str> = FbNet::blocks(architecture).map(|block| block.name).collect();
        names.join("-")
    }

    fn lower(&self, architecture: &Architecture, input: InputSize, classes: u32) -> Network {
        lowering::network(architecture, input, classes)
    }

    fn layer_names(&self, architecture: &Architecture) -> Vec<LayerNames> {
        names::of_layers(architecture)
    }

    /// Always: a skipped block passes on what it is given.
    fn output_depends_on_input(&self, _architecture: &Architecture) -> bool {
        true
    }

    /// That of ImageNet, as in the paper.
    fn default_input(&self) -> InputSize {
        InputSize::square(224)
    }

    /// The architecture with identities moved behind the other blocks of their stage: where they stand changes nothing.
    fn canonical(&self, architecture: &Architecture) -> Architecture {
        let mut genes = architecture.0.clone();
        for identities in skeleton::runs_of_equal_shape() {
            // The sort is stable: blocks that compute something stay in their order.
            genes[identities].sort_by_key(|&gene| gene == SKIP);
        }
        Architecture(genes)
    }

    /// Behind an identity only identities follow, as long as the shape stays the same.
    fn canonical_choices(&self, before: &[u8]) -> RangeInclusive<u8> {
        let place = before.len();
        let behind_identity = before.last() == Some(&SKIP)
            && skeleton::runs_of_equal_shape().any(|run| run.contains(&(place - 1)) && run.contains(&place));
        if behind_identity { SKIP..=SKIP } else { 0..=SKIP }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(changes: &[(usize, &str)]) -> Architecture {
        let mut names = ["k3_e1"; BLOCKS];
        for &(place, name) in changes {
            names[place] = name;
        }
        FbNet.parse(&names.join("-")).unwrap()
    }

    #[test]
    fn names_follow_the_order_of_the_indices() {
        let indices = "[7, 8, 1, 8, 4, 8, 8, 8, 7, 4, 1, 4, 7, 3, 2, 7, 3, 2, 4, 2, 4, 5]";
        let names = "k5_e6-skip-k3_e1_g2-skip-k5_e1-skip-skip-skip-k5_e6-k5_e1-k3_e1_g2-k5_e1-k5_e6-k3_e6-k3_e3-k5_e6-\
                     k3_e6-k3_e3-k5_e1-k3_e3-k5_e1-k5_e1_g2";
        let architecture = FbNet.parse(indices).unwrap();
        assert_eq!(FbNet.print(&architecture), names);
        assert_eq!(FbNet.parse(names).unwrap(), architecture);
        assert!(!names.contains([',', '"', ' ']));
    }

    #[test]
    fn an_identity_may_stand_anywhere_in_its_stage() {
        // Places 2, 3 and 4 keep 24 channels; place 1 makes them of 16, with a convolution where it skips.
        let key = |changes: &[(usize, &str)]| FbNet.isomorphism_key(&with(changes));
        let reference = key(&[(2, "skip"), (3, "k5_e6"), (4, "k3_e3")]);
        assert_eq!(key(&[(2, "k5_e6"), (3, "skip"), (4, "k3_e3")]), reference);
        assert_eq!(key(&[(2, "k5_e6"), (3, "k3_e3"), (4, "skip")]), reference);
        assert_ne!(key(&[(2, "k3_e3"), (3, "k5_e6"), (4, "skip")]), reference);
        assert_ne!(key(&[(1, "skip"), (3, "k5_e6"), (4, "k3_e3")]), reference);
        assert_ne!(key(&[(1, "k5_e6"), (2, "k3_e3"), (3, "skip")]), reference);
        // The next stage begins at place 5.
        assert_ne!(key(&[(4, "skip"), (6, "k5_e6")]), key(&[(4, "k5_e6"), (6, "skip")]));
        // The first block keeps its shape too, alone in its stage.
        assert_ne!(key(&[(0, "skip")]), key(&[(2, "skip")]));
    }

    #[test]
    fn neighbours_by_hand() {
        // Eight other choices for 22 blocks; of the three places for an identity in each of five stages, one is canonical.
        assert_eq!(FbNet.neighbours(&with(&[])).len(), 22 * 8 - 5 * 2);
    }
}
