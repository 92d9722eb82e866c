//! The layers around the blocks and the places of the blocks, as `ofa_mbv3.py` and `ofa_proxyless.py` of the reference
//! implementation have them.

use super::super::Activation;

/// Depths are chosen by as many stages, the first ones.
pub(in crate::space) const ELASTIC_STAGES: usize = 5;

/// What the blocks of one stage share.
#[derive(Debug, Clone, Copy)]
pub(in crate::space) struct Stage {
    /// Channels of its blocks' outputs, at width 1.
    channels: u32,
    /// Stride of its first block; the others have 1.
    stride: u32,
    /// Blocks that it has at most.
    pub(in crate::space) blocks: usize,
    /// What follows its convolutions, but for the last one of a block.
    activation: Activation,
    /// Whether the depthwise convolution's channels are scaled by squeeze-and-excitation.
    squeeze_excite: bool,
}

/// What all networks of a supernet share.
#[derive(Debug)]
pub(in crate::space) struct Skeleton {
    /// What messages call the architectures.
    pub(super) name: &'static str,
    /// Channels of the first convolution, at width 1.
    pub(super) stem_channels: u32,
    /// Channels of the first block, at width 1.
    pub(super) first_channels: u32,
    /// What follows the first convolution and those of the head.
    pub(super) outer_activation: Activation,
    /// What follows the first block's depthwise convolution.
    pub(super) first_activation: Activation,
    /// The stages behind the first block.
    pub(in crate::space) stages: &'static [Stage],
    /// Channels of a 1x1 convolution before the global pooling, at width 1. Where there is one, the channels are mixed behind
    /// the pooling and not normalised, elsewhere before it.
    pub(super) expanded_channels: Option<u32>,
    /// Channels that the classifier sees, at width 1.
    pub(super) mixed_channels: u32,
}

/// The place of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Site {
    /// Number of the block among all that the supernet has behind its first one, from 0.
    pub(crate) place: usize,
    /// Its stage, from 0.
    pub(crate) stage: usize,
    /// How many blocks of its stage stand before it.
    pub(crate) position: usize,
    /// Channels in.
    pub(crate) input_channels: u32,
    /// Channels out.
    pub(crate) output_channels: u32,
    /// Stride of the depthwise convolution.
    pub(crate) stride: u32,
    /// What follows its convolutions, but for the last one.
    pub(crate) activation: Activation,
    /// Whether the depthwise convolution's channels are scaled by squeeze-and-excitation.
    pub(crate) squeeze_excite: bool,
}

impl Site {
    /// Whether a block here gives the shape that it gets, so that it has a shortcut.
    pub(crate) fn keeps_shape(&self) -> bool {
        self.stride == 1 && self.input_channels == self.output_channels
    }
}

/// Channels around the blocks that a network chooses, at its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OuterChannels {
    /// Of the first convolution.
    pub(crate) stem: u32,
    /// Of the first block.
    pub(crate) first: u32,
    /// That the global pooling sees.
    pub(crate) pooled: u32,
    /// That the classifier sees.
    pub(crate) mixed: u32,
}

impl Skeleton {
    /// Channels around the blocks, at a width.
    pub(super) fn outer_channels(&self, width: Width) -> OuterChannels {
        let mixed = width.of(self.mixed_channels);
        OuterChannels {
            stem: width.of(self.stem_channels),
            first: width.of(self.first_channels),
            pooled: self.expanded_channels.map_or(mixed, |channels| width.of(channels)),
            mixed,
        }
    }

    /// Blocks behind the first one if every stage has as many as it can.
    pub(in crate::space) fn blocks(&self) -> usize {
        self.stages.iter().map(|stage| stage.blocks).sum()
    }

    /// The places of all blocks behind the first one, at a width.
    pub(in crate::space) fn sites(&'static self, width: Width) -> impl Iterator<Item = Site> {
        let mut input_channels = width.of(self.first_channels);
        let stages = self.stages.iter().enumerate();
        let sites = stages.flat_map(move |(number, stage)| {
            let output_channels = width.of(stage.channels);
            let first = std::mem::replace(&mut input_channels, output_channels);
            (0..stage.blocks).map(move |position| Site {
                place: 0,
                stage: number,
                position,
                input_channels: if position == 0 { first } else { output_channels },
                output_channels,
                stride: if position == 0 { stage.stride } else { 1 },
                activation: stage.activation,
                squeeze_excite: stage.squeeze_excite,
            })
        });
        sites.enumerate().map(|(place, site)| Site { place, ..site })
    }
}

/// What the channels of a supernet are multiplied with, in percent.
#[derive(Debug, Clone, Copy)]
pub(in crate::space) struct Width(pub(in crate::space) u32);

impl Width {
    /// So many channels at this width, as a multiple of eight.
    pub(super) fn of(self, channels: u32) -> u32 {
        let percent = channels * self.0;
        multiple_of_eight(percent, 100)
    }
}

/// `numerator / denominator` rounded to the nearest multiple of eight, at least eight and at least nine tenths of it:
/// `make_divisible` of MobileNet's implementations.
pub(super) fn multiple_of_eight(numerator: u32, denominator: u32) -> u32 {
    let rounded = ((numerator + 4 * denominator) / (8 * denominator) * 8).max(8);
    if 10 * denominator * rounded < 9 * numerator {
        rounded + 8
    } else {
        rounded
    }
}

const fn stage(channels: u32, stride: u32, blocks: usize, activation: Activation, squeeze_excite: bool) -> Stage {
    Stage {
        channels,
        stride,
        blocks,
        activation,
        squeeze_excite,
    }
}

/// `OFAMobileNetV3`.
pub(super) static MOBILENET_V3: Skeleton = Skeleton {
    name: "MobileNet-V3",
    stem_channels: 16,
    first_channels: 16,
    outer_activation: Activation::HardSwish,
    first_activation: Activation::Relu,
    stages: &[
        stage(24, 2, 4, Activation::Relu, false),
        stage(40, 2, 4, Activation::Relu, true),
        stage(80, 2, 4, Activation::HardSwish, false),
        stage(112, 1, 4, Activation::HardSwish, true),
        stage(160, 2, 4, Activation::HardSwish, true),
    ],
    expanded_channels: Some(960),
    mixed_channels: 1280,
};

/// `OFAProxylessNASNets`.
pub(in crate::space) static PROXYLESS_NAS: Skeleton = Skeleton {
    name: "ProxylessNAS",
    stem_channels: 32,
    first_channels: 16,
    outer_activation: Activation::Relu6,
    first_activation: Activation::Relu6,
    stages: &[
        stage(24, 2, 4, Activation::Relu6, false),
        stage(40, 2, 4, Activation::Relu6, false),
        stage(80, 2, 4, Activation::Relu6, false),
        stage(96, 1, 4, Activation::Relu6, false),
        stage(192, 2, 4, Activation::Relu6, false),
        stage(320, 1, 1, Activation::Relu6, false),
    ],
    expanded_channels: None,
    mixed_channels: 1280,
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Widths as the reference implementation prints them for its supernets.
    #[test]
    fn channels_at_the_widths_of_the_supernets() {
        let channels = |skeleton: &'static Skeleton, percent| -> Vec<u32> {
            let width = Width(percent);
            let first_of_stage = skeleton.sites(width).filter(|site| site.position == 0);
            first_of_stage.map(|site| site.output_channels).collect()
        };
        assert_eq!(channels(&MOBILENET_V3, 100), [24, 40, 80, 112, 160]);
        // 24 * 1.2 = 28.8 -> 32, 48, 96, 134.4 -> 136, 192.
        assert_eq!(channels(&MOBILENET_V3, 120), [32, 48, 96, 136, 192]);
        // 31.2 -> 32, 52 -> 56 (halves go up), 104, 124.8 -> 128, 249.6 -> 248, 416.
        assert_eq!(channels(&PROXYLESS_NAS, 130), [32, 56, 104, 128, 248, 416]);
        // 16 * 1.2 = 19.2 would become 16, less than nine tenths of it.
        assert_eq!(Width(120).of(16), 24);
        // Squeezed channels: 18 -> 24 since 16 < 16.2, 30 -> 32, 4 -> 8.
        assert_eq!([18, 30, 4].map(|channels| multiple_of_eight(channels, 1)), [24, 32, 8]);
    }

    #[test]
    fn sites_by_hand() {
        let sites: Vec<Site> = MOBILENET_V3.sites(Width(100)).collect();
        assert_eq!(sites.len(), 20);
        let shapes = |site: &Site| (site.input_channels, site.output_channels, site.stride);
        assert_eq!(
            [0, 1, 4, 12].map(|place| shapes(&sites[place])),
            [(16, 24, 2), (24, 24, 1), (24, 40, 2), (80, 112, 1)]
        );
        assert_eq!(sites.iter().filter(|site| site.keeps_shape()).count(), 15);
        assert!((0..20).all(|place| sites[place].place == place && sites[place].position == place % 4));
        assert_eq!(PROXYLESS_NAS.sites(Width(130)).map(|site| site.stage).max(), Some(5));
    }
}
