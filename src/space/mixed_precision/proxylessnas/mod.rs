//! ProxylessNAS with pruned channels and bits per block, as APQ searches it (Wang et al., *APQ: Joint Search for Network
//! Architecture, Pruning and Quantization Policy*, CVPR 2020, <https://github.com/mit-han-lab/apq>).
//!
//! The skeleton is that of ProxylessNAS at width 1: five stages of two to four blocks and a last block. Every block chooses its
//! depthwise kernel, the channels of its depthwise convolution (four to six for each channel in, in steps of eight channels), and the bits
//! of weights and of activations, for its two 1x1 convolutions and for the depthwise one. Convolutions of 7x7 pixels do not read 4-bit
//! activations there, so kernel and those bits are one gene of eight choices.
//!
//! The genes are the depths of the stages, then those of every block, first to last. Genes of blocks that do not run have
//! choice 0 in canonical form, in which architectures are read, sampled and varied.

mod parse;

use std::ops::RangeInclusive;

use rand::rngs::StdRng;

use super::super::network::LayerBits;
use super::super::once_for_all::Site;
use super::super::once_for_all::lowering::{self, Bottleneck};
use super::super::once_for_all::names::{self, Module};
use super::super::once_for_all::skeleton::{self, ELASTIC_STAGES, Width};
use super::super::{Architecture, BitsOfChoice, InputSize, LayerNames, Network, SearchSpace, variation};
use crate::error::Result;

/// Blocks behind the first one, if every stage has as many as it can.
const BLOCKS: usize = 21;
/// Most blocks of a stage.
const STAGE_BLOCKS: usize = 4;
/// Numbers of blocks that a stage chooses from.
const DEPTHS: [u32; 3] = [2, 3, 4];
/// Bits of a weight or an activation.
const BITS: [u8; 3] = [4, 6, 8];
/// Edge of the depthwise kernel and bits of the activations that it reads.
const FILTERS: [(u32, u8); 8] = [(3, 4), (3, 6), (3, 8), (5, 4), (5, 6), (5, 8), (7, 6), (7, 8)];
/// Steps in which the channels of the depthwise convolution are chosen.
const CHANNEL_STEP: u32 = 8;
/// Fewest and most channels of the depthwise convolution for each channel in.
const EXPANSION: RangeInclusive<u32> = 4..=6;
/// Channels in of every block.
const INPUT_CHANNELS: [u32; BLOCKS] = [
    16, 24, 24, 24, 24, 40, 40, 40, 40, 80, 80, 80, 80, 96, 96, 96, 96, 192, 192, 192, 192,
];
/// Genes of a block: filter, channels, bits of weights and activations of the 1x1 convolutions, bits of the depthwise weights.
const BLOCK_GENES: usize = 5;
const GENES: usize = ELASTIC_STAGES + BLOCKS * BLOCK_GENES;
const CHOICES: [u8; GENES] = choices();
const WIDTH: Width = Width(100);

const fn choices() -> [u8; GENES] {
    let mut choices = [BITS.len() as u8; GENES];
    let mut place = 0;
    while place < BLOCKS {
        let gene = ELASTIC_STAGES + place * BLOCK_GENES;
        choices[gene] = FILTERS.len() as u8;
        choices[gene + 1] = channel_choices(INPUT_CHANNELS[place]);
        place += 1;
    }
    choices
}

/// Numbers of channels that the depthwise convolution of a block chooses from.
const fn channel_choices(input_channels: u32) -> u8 {
    ((*EXPANSION.end() - *EXPANSION.start()) * input_channels / CHANNEL_STEP + 1) as u8
}

/// The search space `proxylessnas_mixed`.
#[derive(Debug, Clone, Copy)]
pub struct ProxylessNasMixed;

/// ProxylessNAS with bits per block.
pub static PROXYLESS_NAS_MIXED: ProxylessNasMixed = ProxylessNasMixed;

impl ProxylessNasMixed {
    /// Blocks that a stage runs.
    fn depth(&self, architecture: &Architecture, stage: usize) -> usize {
        architecture.0[..ELASTIC_STAGES]
            .get(stage)
            .map_or(1, |&choice| DEPTHS[usize::from(choice)] as usize)
    }

    /// Every block behind the first one, with its place, and whether it runs.
    fn blocks<'a>(&'a self, architecture: &'a Architecture) -> impl Iterator<Item = (Site, Bottleneck, bool)> + 'a {
        skeleton::PROXYLESS_NAS.sites(WIDTH).map(|site| {
            let genes = &architecture.0[ELASTIC_STAGES + site.place * BLOCK_GENES..][..BLOCK_GENES];
            let bits = |gene: usize| BITS[usize::from(genes[gene])];
            let (kernel, depthwise_activations) = FILTERS[usize::from(genes[0])];
            let block = Bottleneck {
                kernel,
                channels: EXPANSION.start() * site.input_channels + CHANNEL_STEP * u32::from(genes[1]),
                pointwise_bits: Some(LayerBits {
                    weights: bits(2),
                    activations: bits(3),
                }),
                depthwise_bits: Some(LayerBits {
                    weights: bits(4),
                    activations: depthwise_activations,
                }),
            };
            (site, block, site.position < self.depth(architecture, site.stage))
        })
    }

    fn running_blocks<'a>(&'a self, architecture: &'a Architecture) -> impl Iterator<Item = (Site, Bottleneck)> + 'a {
        self.blocks(architecture)
            .filter_map(|(site, block, runs)| runs.then_some((site, block)))
    }
}

impl SearchSpace for ProxylessNasMixed {
    fn id(&self) -> &'static str {
        "proxylessnas_mixed"
    }

    fn choices(&self) -> &[u8] {
        &CHOICES
    }

    /// Reads a configuration as APQ writes it, in JSON or as Python prints it: the keys `ks`, `e`, `d`, `pw_w_bits_setting`,
    /// `pw_a_bits_setting`, `dw_w_bits_setting` and `dw_a_bits_setting`, lists of all 21 blocks, also of those that do not run, but for
    /// the depths `d`. A `wid` of nothing is passed over. In canonical form.
    fn parse(&self, text: &str) -> Result<Architecture> {
        Ok(self.canonical(&parse::architecture(text)?))
    }

    fn print(&self, architecture: &Architecture) -> String {
        parse::print(self, architecture)
    }

    fn bits_of_choice(&self, gene: usize, choice: u8) -> Option<BitsOfChoice> {
        let choice = usize::from(choice);
        match gene.checked_sub(ELASTIC_STAGES)? % BLOCK_GENES {
            0 => Some(BitsOfChoice {
                bits: FILTERS[choice].1,
                besides: FILTERS[choice].0 as u8,
            }),
            1 => None,
            _ => Some(BitsOfChoice {
                bits: BITS[choice],
                besides: 0,
            }),
        }
    }

    fn lower(&self, architecture: &Architecture, input: InputSize, classes: u32) -> Network {
        let shape = (&skeleton::PROXYLESS_NAS, WIDTH);
        lowering::network(shape, input, classes, self.running_blocks(architecture))
    }

    /// Those of the reference implementation of once-for-all, whose ProxylessNAS has the same layers.
    fn layer_names(&self, architecture: &Architecture) -> Vec<LayerNames> {
        let sites = self.running_blocks(architecture).map(|(site, _)| site);
        names::of_layers(&skeleton::PROXYLESS_NAS, sites, Module::Subnet)
    }

    /// Always: every block computes something.
    fn output_depends_on_input(&self, _architecture: &Architecture) -> bool {
        true
    }

    fn default_input(&self) -> InputSize {
        InputSize::square(224)
    }

    fn canonical(&self, architecture: &Architecture) -> Architecture {
        let active = self.active_genes(architecture);
        let genes = architecture.0.iter().zip(active);
        Architecture(genes.map(|(&gene, active)| if active { gene } else { 0 }).collect())
    }

    /// Which blocks run is known from the depths, which come first.
    fn canonical_choices(&self, before: &[u8]) -> RangeInclusive<u8> {
        let choices = CHOICES.get(before.len()).copied().unwrap_or(1);
        let place = before.len().checked_sub(ELASTIC_STAGES).map(|gene| gene / BLOCK_GENES);
        let runs = place.is_none_or(|place| {
            let depth = before[..ELASTIC_STAGES].get(place / STAGE_BLOCKS);
            depth.is_none_or(|&depth| place % STAGE_BLOCKS < DEPTHS[usize::from(depth)] as usize)
        });
        if runs { 0..=choices - 1 } else { 0..=0 }
    }

    fn active_genes(&self, architecture: &Architecture) -> Vec<bool> {
        let mut active = vec![true; ELASTIC_STAGES];
        for (_, _, runs) in self.blocks(architecture) {
            active.extend([runs; BLOCK_GENES]);
        }
        active
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

#[cfg(test)]
mod tests {
    use super::super::super::Layer;
    use super::*;

    fn list(entry: &str) -> String {
        [entry; BLOCKS].join(", ")
    }

    fn text(depths: &str, dw_a: &str) -> String {
        format!(
            "{{'wid': None, 'ks': [{}], 'e': [{}], 'd': [{depths}], 'pw_w_bits_setting': [{}], 'pw_a_bits_setting': [{}], \
             'dw_w_bits_setting': [{}], 'dw_a_bits_setting': [{dw_a}]}}",
            list("7"),
            list("5.0"),
            list("4"),
            list("8"),
            list("6"),
        )
    }

    fn read(text: &str) -> Result<Architecture> {
        PROXYLESS_NAS_MIXED.parse(text)
    }

    #[test]
    fn channels_in_are_those_of_the_skeleton() {
        let sites = skeleton::PROXYLESS_NAS.sites(WIDTH);
        let channels: Vec<u32> = sites.map(|site| site.input_channels).collect();
        assert_eq!(channels, INPUT_CHANNELS);
        // 64 to 96, 96 to 144, 768 to 1152 channels in steps of 8.
        assert_eq!(
            [0, 1, 20].map(|place| channel_choices(INPUT_CHANNELS[place])),
            [5, 7, 49]
        );
    }

    #[test]
    fn layers_have_the_bits_and_channels_of_their_block() {
        let design = read(&text("2, 2, 2, 2, 2, 1", &list("6"))).unwrap();
        let network = PROXYLESS_NAS_MIXED.lower(&design, InputSize::square(224), 1000);
        let with_bits: Vec<&Layer> = network.layers().filter(|layer| layer.bits.is_some()).collect();
        assert_eq!(with_bits.len(), 11 * 3);
        let shape = |layer: &Layer| {
            let bits = layer.bits.unwrap();
            (
                layer.input.channels,
                layer.output.channels,
                layer.kernel(),
                bits.weights,
                bits.activations,
            )
        };
        // The second block: 24 channels, five times as many between.
        let block: Vec<_> = with_bits[3..6].iter().map(|layer| shape(layer)).collect();
        assert_eq!(block, [(24, 120, 1, 4, 8), (120, 120, 7, 6, 6), (120, 24, 1, 4, 8)]);
        // The stem, the first block of two, the head and the classifier say none; sums have no numbers of their own.
        let without = network
            .layers()
            .filter(|layer| layer.macs() > 0 && layer.bits.is_none());
        assert_eq!(without.count(), 5);
    }

    #[test]
    fn configurations_read_back_as_they_were_printed() {
        let design = read(&text("2, 3, 4, 4, 4, 1", &list("8"))).unwrap();
        let printed = PROXYLESS_NAS_MIXED.print(&design);
        assert!(printed.starts_with(r#"{"ks":[7,7,3,3,7,7,7,3,7,"#), "{printed}");
        assert_eq!(read(&printed).unwrap(), design);
        // Sixteen channels in, 88 between: 5.5; 24 and 112: 4.666...
        let mut other = design.clone();
        other.0[ELASTIC_STAGES + 1] = 3;
        other.0[ELASTIC_STAGES + BLOCK_GENES + 1] = 2;
        let printed = PROXYLESS_NAS_MIXED.print(&other);
        assert!(printed.contains(r#""e":[5.5,4.666666666666667,"#), "{printed}");
        assert_eq!(read(&printed).unwrap(), other);
    }

    #[test]
    fn faults_are_named_with_their_key_and_place() {
        let valid = text("2, 3, 4, 4, 4, 1", &list("8"));
        let cases = [
            (text("2, 3, 4, 4, 4, 1", &list("4")), "block 1: expected 6 or 8 bits"),
            (
                text("2, 3, 4, 4, 4, 1", "8, 8"),
                "`dw_a_bits_setting`: expected 21 entries",
            ),
            (
                text("2, 3, 4, 4, 5, 1", &list("8")),
                "`d`, entry 5: expected one of 2, 3, 4",
            ),
            (text("2, 3", &list("8")), "`d`: expected 6 entries"),
            (
                valid.replacen("[5.0", "[5.2", 1),
                "`e`, entry 1: expected a whole number of eights",
            ),
            (valid.replacen("[5.0", "[1e300", 1), "`e`, entry 1"),
            (valid.replacen("[7", "[9", 1), "`ks`, entry 1: expected one of 3, 5, 7"),
            (valid.replace("'ks'", "'kernels'"), "an object with the keys"),
        ];
        for (text, message) in cases {
            let found = read(&text).unwrap_err().to_string();
            assert!(found.contains(message), "{found}\ndoes not say: {message}");
        }
    }
}
