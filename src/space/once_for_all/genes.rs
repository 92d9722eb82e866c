//! Where an architecture keeps its depths, kernels, expansions and resolution, and which of them matter.

use super::super::Architecture;
use super::skeleton::ELASTIC_STAGES;
use super::{DEPTHS, EXPANSIONS, KERNELS, OnceForAll, OuterChannels, RESOLUTIONS, Site, resolution};

/// Kernel and expansion of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// Edge of the depthwise kernel.
    pub(crate) kernel: u32,
    /// Channels of the depthwise convolution for each input channel.
    pub(crate) expansion: u32,
}

/// Number of genes of a space with so many blocks.
pub(super) const fn count(blocks: usize) -> usize {
    block_gene(blocks) + 1
}

/// Position of the gene of a block's kernel; that of its expansion follows.
pub(super) const fn block_gene(place: usize) -> usize {
    ELASTIC_STAGES + 2 * place
}

impl OnceForAll {
    /// Blocks that a stage runs.
    pub(crate) fn depth(&self, architecture: &Architecture, stage: usize) -> usize {
        if stage < ELASTIC_STAGES {
            DEPTHS[usize::from(architecture.0[stage])] as usize
        } else {
            self.skeleton.stages[stage].blocks
        }
    }

    /// Edges of the images that networks choose from, the smallest first.
    pub(crate) fn resolutions() -> impl Iterator<Item = u32> {
        (0..RESOLUTIONS).map(resolution)
    }

    /// Channels around the blocks that are chosen.
    pub(crate) fn outer_channels(&self) -> OuterChannels {
        self.skeleton.outer_channels(self.width)
    }

    /// Edge of the images.
    pub(crate) fn resolution(&self, architecture: &Architecture) -> u32 {
        resolution(architecture.0[self.choices.len() - 1])
    }

    /// Every block behind the first one, with its place, and whether it runs.
    pub(crate) fn blocks<'a>(
        &'a self,
        architecture: &'a Architecture,
    ) -> impl Iterator<Item = (Site, Block, bool)> + 'a {
        self.skeleton.sites(self.width).map(|site| {
            let gene = |position: usize| usize::from(architecture.0[position]);
            let block = Block {
                kernel: KERNELS[gene(block_gene(site.place))],
                expansion: EXPANSIONS[gene(block_gene(site.place) + 1)],
            };
            (site, block, site.position < self.depth(architecture, site.stage))
        })
    }

    /// The blocks behind the first one that run, with their places.
    pub(crate) fn active_blocks<'a>(
        &'a self,
        architecture: &'a Architecture,
    ) -> impl Iterator<Item = (Site, Block)> + 'a {
        self.blocks(architecture)
            .filter_map(|(site, block, active)| active.then_some((site, block)))
    }

    /// The places of the blocks behind the first one that run.
    pub(super) fn active_sites<'a>(&'a self, architecture: &'a Architecture) -> impl Iterator<Item = Site> + 'a {
        self.active_blocks(architecture).map(|(site, _)| site)
    }

    /// For every gene, whether it is that of a block that does not run.
    pub(super) fn inactive_genes(&self, architecture: &Architecture) -> Vec<bool> {
        let mut inactive = vec![false; self.choices.len()];
        for (site, _, active) in self.blocks(architecture) {
            inactive[block_gene(site.place)..][..2].fill(!active);
        }
        inactive
    }

    /// Whether the gene behind these first genes is that of a block that does not run.
    pub(super) fn is_next_inactive(&self, before: &[u8]) -> bool {
        let Some(block_genes) = before.len().checked_sub(ELASTIC_STAGES) else {
            return false;
        };
        let mut position = block_genes / 2;
        for (stage, &depth) in self.skeleton.stages.iter().zip(&before[..ELASTIC_STAGES]) {
            if position < stage.blocks {
                return position >= DEPTHS[usize::from(depth)] as usize;
            }
            position -= stage.blocks;
        }
        false
    }
}
