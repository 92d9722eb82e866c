//! What do the tables call the blocks of a network?
//!
//! The names are those that the programs of the tables' projects look up: `latency_lookup_table.py` of once-for-all, which
//! CompOFA's `latency_table.py` follows, and `utils.py` of NSGANetV2.

use crate::space::once_for_all::{Block, OnceForAll, OuterChannels, Site};
use crate::space::{Activation, Architecture};

/// Channels of an image.
const IMAGE: u32 = 3;
/// Classes of ImageNet.
const CLASSES: u32 = 1000;

/// How a project names blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// As once-for-all: inverted bottlenecks by the channels of their depthwise convolution and by what follows it.
    OnceForAll,
    /// As NSGANetV2: inverted bottlenecks by their expansion. Global pooling has no block of its own.
    NsgaNetV2,
}

/// An inverted bottleneck: the edges of its maps, and what it is made of.
struct Bottleneck {
    edges: [u32; 2],
    channels: [u32; 2],
    expansion: u32,
    kernel: u32,
    stride: u32,
    shortcut: bool,
    squeeze_excite: bool,
    hard_swish: bool,
}

impl Naming {
    /// The names of a network's blocks, in the order in which they run.
    pub(super) fn blocks(self, space: &OnceForAll, architecture: &Architecture) -> Vec<String> {
        let resolution = space.resolution(architecture);
        let outer = space.outer_channels();
        let mut edge = resolution.div_ceil(2);
        let mut channels = outer.first;
        let mut names = vec![
            self.stem(resolution, edge, outer),
            self.bottleneck(&Bottleneck::first(edge, outer)),
        ];
        for (site, block) in space.active_blocks(architecture) {
            let bottleneck = Bottleneck::at(site, block, edge);
            names.push(self.bottleneck(&bottleneck));
            edge = bottleneck.edges[1];
            channels = site.output_channels;
        }
        names.extend(self.head(edge, channels, outer));
        names
    }

    /// The first convolution.
    fn stem(self, resolution: u32, edge: u32, outer: OuterChannels) -> String {
        let name = match self {
            Naming::OnceForAll => "Conv",
            Naming::NsgaNetV2 => "first_conv",
        };
        shaped(name, [resolution, edge], [IMAGE, outer.stem])
    }

    fn bottleneck(self, bottleneck: &Bottleneck) -> String {
        let Bottleneck {
            edges,
            channels,
            expansion,
            kernel,
            stride,
            ..
        } = *bottleneck;
        let [shortcut, squeeze_excite, hard_swish] =
            [bottleneck.shortcut, bottleneck.squeeze_excite, bottleneck.hard_swish].map(u8::from);
        match self {
            Naming::OnceForAll => format!(
                "{}-expand:{}-kernel:{kernel}-stride:{stride}-idskip:{shortcut}-se:{squeeze_excite}-hs:{hard_swish}",
                shaped("expanded_conv", edges, channels),
                channels[0] * expansion
            ),
            Naming::NsgaNetV2 => format!(
                "{}-expand:{expansion}-kernel:{kernel}-stride:{stride}-idskip:{shortcut}-se:{squeeze_excite}",
                shaped("MBConv", edges, channels)
            ),
        }
    }

    /// What comes behind the bottlenecks.
    fn head(self, edge: u32, channels: u32, outer: OuterChannels) -> Vec<String> {
        let OuterChannels { pooled, mixed, .. } = outer;
        match self {
            Naming::OnceForAll => vec![
                shaped("Conv_1", [edge; 2], [channels, pooled]),
                shaped("AvgPool2D", [edge, 1], [pooled; 2]),
                shaped("Conv_2", [1; 2], [pooled, mixed]),
                format!("Logits-input:1x1x{mixed}-output:{CLASSES}"),
            ],
            Naming::NsgaNetV2 => vec![
                shaped("final_expand_layer", [edge; 2], [channels, pooled]),
                shaped("feature_mix_layer", [1; 2], [pooled, mixed]),
                format!("classifier-input:{mixed}-output:{CLASSES}"),
            ],
        }
    }
}

impl Bottleneck {
    /// The one behind the stem, which does not expand.
    fn first(edge: u32, outer: OuterChannels) -> Bottleneck {
        Bottleneck {
            edges: [edge; 2],
            channels: [outer.stem, outer.first],
            expansion: 1,
            kernel: 3,
            stride: 1,
            shortcut: outer.stem == outer.first,
            squeeze_excite: false,
            hard_swish: false,
        }
    }

    /// A block at a place that maps with this edge come to.
    fn at(site: Site, block: Block, edge: u32) -> Bottleneck {
        Bottleneck {
            edges: [edge, edge.div_ceil(site.stride)],
            channels: [site.input_channels, site.output_channels],
            expansion: block.expansion,
            kernel: block.kernel,
            stride: site.stride,
            shortcut: site.keeps_shape(),
            squeeze_excite: site.squeeze_excite,
            hard_swish: site.activation == Activation::HardSwish,
        }
    }
}

/// A name with the shapes of maps before and after.
fn shaped(name: &str, edges: [u32; 2], channels: [u32; 2]) -> String {
    let [input, output] = [0, 1].map(|side| format!("{0}x{0}x{1}", edges[side], channels[side]));
    format!("{name}-input:{input}-output:{output}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::SearchSpace;
    use crate::space::once_for_all::{MOBILENET_V3, MOBILENET_V3_W12};

    /// Two blocks in every stage but three in the second, at 164x164: maps of 82, 41, 21, 11, 11 and 6 pixels.
    fn names(naming: Naming, space: &OnceForAll) -> Vec<String> {
        let text = r#"{"ks":[3,5,3,3, 7,3,5,3, 3,3,3,3, 3,3,3,3, 3,3,3,3],
                       "e":[3,4,3,3, 6,3,4,3, 3,3,3,3, 3,3,3,3, 3,6,3,3],"d":[2,3,2,2,2],"r":164}"#;
        naming.blocks(space, &space.parse(text).unwrap())
    }

    #[test]
    fn names_of_once_for_all_by_hand() {
        let names = names(Naming::OnceForAll, &MOBILENET_V3_W12);
        // A stem, the first block, 11 chosen ones and four layers behind them.
        assert_eq!(names.len(), 1 + 1 + 11 + 4);
        for (place, expected) in [
            (0, "Conv-input:164x164x3-output:82x82x24"),
            (
                1,
                "expanded_conv-input:82x82x24-output:82x82x24-expand:24-kernel:3-stride:1-idskip:1-se:0-hs:0",
            ),
            (
                2,
                "expanded_conv-input:82x82x24-output:41x41x32-expand:72-kernel:3-stride:2-idskip:0-se:0-hs:0",
            ),
            (
                3,
                "expanded_conv-input:41x41x32-output:41x41x32-expand:128-kernel:5-stride:1-idskip:1-se:0-hs:0",
            ),
            (
                4,
                "expanded_conv-input:41x41x32-output:21x21x48-expand:192-kernel:7-stride:2-idskip:0-se:1-hs:0",
            ),
            (
                6,
                "expanded_conv-input:21x21x48-output:21x21x48-expand:192-kernel:5-stride:1-idskip:1-se:1-hs:0",
            ),
            (
                7,
                "expanded_conv-input:21x21x48-output:11x11x96-expand:144-kernel:3-stride:2-idskip:0-se:0-hs:1",
            ),
            (
                9,
                "expanded_conv-input:11x11x96-output:11x11x136-expand:288-kernel:3-stride:1-idskip:0-se:1-hs:1",
            ),
            (
                12,
                "expanded_conv-input:6x6x192-output:6x6x192-expand:1152-kernel:3-stride:1-idskip:1-se:1-hs:1",
            ),
            (13, "Conv_1-input:6x6x192-output:6x6x1152"),
            (14, "AvgPool2D-input:6x6x1152-output:1x1x1152"),
            (15, "Conv_2-input:1x1x1152-output:1x1x1536"),
            (16, "Logits-input:1x1x1536-output:1000"),
        ] {
            assert_eq!(names[place], expected);
        }
    }

    #[test]
    fn names_of_nsganetv2_by_hand() {
        let names = names(Naming::NsgaNetV2, &MOBILENET_V3);
        assert_eq!(names.len(), 1 + 1 + 11 + 3);
        for (place, expected) in [
            (0, "first_conv-input:164x164x3-output:82x82x16"),
            (
                1,
                "MBConv-input:82x82x16-output:82x82x16-expand:1-kernel:3-stride:1-idskip:1-se:0",
            ),
            (
                4,
                "MBConv-input:41x41x24-output:21x21x40-expand:6-kernel:7-stride:2-idskip:0-se:1",
            ),
            (
                9,
                "MBConv-input:11x11x80-output:11x11x112-expand:3-kernel:3-stride:1-idskip:0-se:1",
            ),
            (13, "final_expand_layer-input:6x6x160-output:6x6x960"),
            (14, "feature_mix_layer-input:1x1x960-output:1x1x1280"),
            (15, "classifier-input:1280-output:1000"),
        ] {
            assert_eq!(names[place], expected);
        }
    }
}
