//! NAS-Bench-Macro (Su et al., *Prioritized Architecture Sampling with Monto-Carlo Tree Search*, CVPR 2021,
//! <https://github.com/xiusu/NAS-Bench-Macro>): MobileNet-V2 blocks for CIFAR-10, all of them trained.
//!
//! A network is a stem, eight blocks in three stages, a 1x1 convolution and a classifier. The eight genes are the blocks, first
//! to last, printed as digits: `0` is the identity, `1` an inverted bottleneck with a 3x3 kernel on three times as many channels,
//! `2` one with a 5x5 kernel on six times as many. The first block of a stage halves the map and doubles the channels; the
//! identity is a 1x1 convolution there.

mod lowering;
mod names;

use std::ops::Range;

use super::excerpt::quoted;
use super::{Architecture, Enumerable, InputSize, LayerNames, Network, SearchSpace};
use crate::error::{Error, Result};

/// Blocks of every stage.
const LAYERS: [usize; 3] = [2, 3, 3];
/// Number of blocks.
const BLOCKS: usize = 8;

/// What can stand at a block's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    /// The identity where the shape stays the same, elsewhere a 1x1 convolution.
    Identity,
    /// An inverted bottleneck.
    Bottleneck {
        /// Channels of the depthwise convolution for each input channel.
        expansion: u32,
        /// Edge of the depthwise kernel.
        kernel: u32,
    },
}

/// The candidates; a gene is a position in this list, and the digit in strings.
const CANDIDATES: [Block; 3] = [
    Block::Identity,
    Block::Bottleneck {
        expansion: 3,
        kernel: 3,
    },
    Block::Bottleneck {
        expansion: 6,
        kernel: 5,
    },
];
const IDENTITY: u8 = 0;

/// The NAS-Bench-Macro search space: eight blocks, three candidates each.
#[derive(Debug, Clone, Copy)]
pub struct NasBenchMacro;

impl NasBenchMacro {
    /// The block chosen at every place, first to last, with whether it is the first of its stage.
    fn blocks(architecture: &Architecture) -> impl Iterator<Item = (Block, bool)> + '_ {
        architecture.0.iter().enumerate().map(|(place, &gene)| {
            let first = stages().any(|stage| stage.start == place);
            (CANDIDATES[usize::from(gene)], first)
        })
    }
}

/// The places of every stage.
fn stages() -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    LAYERS.into_iter().map(move |layers| {
        let stage = start..start + layers;
        start = stage.end;
        stage
    })
}

impl SearchSpace for NasBenchMacro {
    fn id(&self) -> &'static str {
        "nasbench_macro"
    }

    fn choices(&self) -> &[u8] {
        const { &[CANDIDATES.len() as u8; BLOCKS] }
    }

    /// Reads eight digits, as in `02012100`.
    fn parse(&self, text: &str) -> Result<Architecture> {
        let gene = |digit: u8| {
            digit
                .checked_sub(b'0')
                .filter(|&gene| usize::from(gene) < CANDIDATES.len())
        };
        let genes: Option<Vec<u8>> = text.bytes().take(BLOCKS + 1).map(gene).collect();
        let genes = genes.filter(|genes| genes.len() == BLOCKS);
        genes.map(Architecture).ok_or_else(|| Error::Invalid {
            what: "NAS-Bench-Macro architecture".into(),
            expected: format!("{BLOCKS} digits, each 0, 1 or 2"),
            found: quoted(text),
            hint: "Write it as in 02012100: 0 identity, 1 expansion 3 and kernel 3, 2 expansion 6 and kernel 5.".into(),
        })
    }

    fn print(&self, architecture: &Architecture) -> String {
        architecture.0.iter().map(|&gene| char::from(b'0' + gene)).collect()
    }

    fn lower(&self, architecture: &Architecture, input: InputSize, classes: u32) -> Network {
        lowering::network(architecture, input, classes)
    }

    fn layer_names(&self, architecture: &Architecture) -> Vec<LayerNames> {
        names::of_layers(architecture)
    }

    /// Always: an identity passes on what it is given.
    fn output_depends_on_input(&self, _architecture: &Architecture) -> bool {
        true
    }

    /// That of CIFAR-10.
    fn default_input(&self) -> InputSize {
        InputSize::square(32)
    }

    /// The architecture with identities moved behind the other blocks of their stage, except for its first, which is none
    /// there. The benchmark trained only these and gives the others the same values (`get_real_arch` in its `utils.py`).
    fn canonical(&self, architecture: &Architecture) -> Architecture {
        let mut genes = architecture.0.clone();
        for stage in stages() {
            // The sort is stable: blocks that compute something stay in their order.
            genes[stage.start + 1..stage.end].sort_by_key(|&gene| gene == IDENTITY);
        }
        Architecture(genes)
    }

    fn enumerable(&self) -> Option<&dyn Enumerable> {
        Some(self)
    }
}

/// 3^8 = 6,561 networks.
impl Enumerable for NasBenchMacro {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn digits_are_genes() {
        let architecture = NasBenchMacro.parse("02012100").unwrap();
        assert_eq!(architecture.0, [0, 2, 0, 1, 2, 1, 0, 0]);
        assert_eq!(NasBenchMacro.print(&architecture), "02012100");
        for text in [
            "0201210",
            "020121000",
            "02012103",
            "0201 100",
            "０2012100",
            &"0".repeat(1 << 20),
        ] {
            let message = NasBenchMacro.parse(text).unwrap_err().to_string();
            assert!(
                message.contains("expected 8 digits, each 0, 1 or 2, found `"),
                "{message}"
            );
            assert!(message.len() < 300, "{} bytes", message.len());
        }
    }

    /// A stage of two blocks is its first and one more (3 x 3); one of three has 3 firsts and, of the nine pairs behind, 7 up to
    /// where an identity stands: none, one of two blocks, or four ordered pairs of them.
    #[test]
    fn identities_may_stand_anywhere_behind_the_first_block() {
        let canonical = |text: &str| NasBenchMacro.print(&NasBenchMacro.canonical(&NasBenchMacro.parse(text).unwrap()));
        assert_eq!(canonical("00101201"), "00110210");
        assert_eq!(canonical("01012021"), "01012021");
        let distinct: HashSet<String> = (NasBenchMacro.architectures().iter())
            .map(|architecture| NasBenchMacro.isomorphism_key(architecture))
            .collect();
        assert_eq!(distinct.len(), (3 * 3) * (3 * 7) * (3 * 7));
    }
}
