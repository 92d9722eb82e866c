//! The layers around the blocks: shapes and strides (Wu et al. 2019, table 1), and the version for small images that
//! HW-NAS-Bench measured.
//!
//! Sources: `fbnet_models.py` and `fbnet_get_metrics` of <https://github.com/GATECH-EIC/HW-NAS-Bench>. Its 32x32 version
//! does not shrink the image in the stem or in the second stage, and ends in 1504 instead of 1984 channels.

use std::ops::Range;

use super::super::InputSize;
use super::BLOCKS;

/// Blocks of every stage.
const LAYERS: [usize; 7] = [1, 4, 4, 4, 4, 4, 1];
/// Channels that every stage gives.
const CHANNELS: [u32; 7] = [16, 24, 32, 64, 112, 184, 352];
pub(super) const STEM_CHANNELS: u32 = 16;

/// Images with edges up to this many pixels get the version for small images. Measured ones have 32 or 224 pixels.
const SMALL_EDGE: u32 = 64;

/// The layers around the blocks, and the strides of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Skeleton {
    /// Stride of the first convolution.
    pub(crate) stem_stride: u32,
    /// Stride of the first block of every stage.
    stage_strides: [u32; 7],
    /// Channels of the last 1x1 convolution.
    pub(crate) header_channels: u32,
}

const SMALL: Skeleton = Skeleton {
    stem_stride: 1,
    stage_strides: [1, 1, 2, 2, 1, 2, 1],
    header_channels: 1504,
};
const LARGE: Skeleton = Skeleton {
    stem_stride: 2,
    stage_strides: [1, 2, 2, 2, 1, 2, 1],
    header_channels: 1984,
};

/// The place of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Site {
    /// Channels in.
    pub(crate) input_channels: u32,
    /// Channels out.
    pub(crate) output_channels: u32,
    /// Stride of the block.
    pub(crate) stride: u32,
}

impl Site {
    /// Whether a block here gives the shape that it gets, so that it has a shortcut, or as `skip` is the identity.
    pub(crate) fn keeps_shape(&self) -> bool {
        self.stride == 1 && self.input_channels == self.output_channels
    }
}

impl Skeleton {
    /// The skeleton for images of this size.
    pub(crate) fn of(input: InputSize) -> Skeleton {
        if input.width.max(input.height) <= SMALL_EDGE {
            SMALL
        } else {
            LARGE
        }
    }

    /// The places of the blocks, first to last.
    pub(crate) fn sites(&self) -> impl Iterator<Item = Site> + use<> {
        let strides = self.stage_strides;
        let mut input_channels = STEM_CHANNELS;
        (0..LAYERS.len()).flat_map(move |stage| {
            let first = std::mem::replace(&mut input_channels, CHANNELS[stage]);
            (0..LAYERS[stage]).map(move |layer| Site {
                input_channels: if layer == 0 { first } else { CHANNELS[stage] },
                output_channels: CHANNELS[stage],
                stride: if layer == 0 { strides[stage] } else { 1 },
            })
        })
    }
}

/// The blocks of every stage that give the shape that they get, as ranges of positions. They are the same in both versions.
pub(super) fn runs_of_equal_shape() -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    LAYERS.into_iter().map(move |layers| {
        // The first block of a stage changes the shape, and the one of the first stage has none behind it.
        let run = start + 1..start + layers;
        start += layers;
        debug_assert!(start <= BLOCKS);
        run
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_by_hand() {
        let size = |edge| InputSize {
            width: edge,
            height: edge,
        };
        let sites: Vec<Site> = Skeleton::of(size(224)).sites().collect();
        assert_eq!(sites.len(), BLOCKS);
        let site = |place: usize| {
            (
                sites[place].input_channels,
                sites[place].output_channels,
                sites[place].stride,
            )
        };
        assert_eq!([site(0), site(1), site(2)], [(16, 16, 1), (16, 24, 2), (24, 24, 1)]);
        assert_eq!(
            [site(13), site(17), site(21)],
            [(64, 112, 1), (112, 184, 2), (184, 352, 1)]
        );
        // 224 / 2 / 2 / 2 / 2 / 2 = 7, 32 / 2 / 2 / 2 = 4.
        let shrinking = |edge| {
            let skeleton = Skeleton::of(size(edge));
            skeleton.stem_stride * skeleton.sites().map(|site| site.stride).product::<u32>()
        };
        assert_eq!(
            [shrinking(224), shrinking(65), shrinking(64), shrinking(32)],
            [32, 32, 8, 8]
        );
        for run in runs_of_equal_shape() {
            assert!(sites[run.clone()].iter().all(Site::keeps_shape));
            assert!(run.start == 1 || !sites[run.start - 1].keeps_shape());
        }
        assert_eq!(runs_of_equal_shape().map(|run| run.len()).sum::<usize>(), 15);
    }
}
