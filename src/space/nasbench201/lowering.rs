//! The network that a cell is put into: a stem, three stages of five cells with 16, 32 and 64 channels, a residual block
//! of stride 2 between stages, and a classifier (Dong & Yang 2020, figure 1).
//!
//! As in the authors' program, a convolution rectifies its input and normalises its output, and a disconnected cell gives its
//! input times zero. The layers around such a cell still run, as in upstream's counts, although the output no longer depends
//! on the input; a runtime that folds constants would skip them.

use super::super::network::{
    Activation, Convolution, FeatureMap, LayerBits, Network, NetworkBuilder, Pooling, PoolingKind,
};
use super::{AVG_POOL_3X3, EDGES, InputSize, NONE, NOR_CONV_1X1, NOR_CONV_3X3};

pub(super) const STAGE_CHANNELS: [u32; 3] = [16, 32, 64];
pub(super) const CELLS_PER_STAGE: usize = 5;
const IMAGE_CHANNELS: u32 = 3;

/// The operation `avg_pool_3x3`.
const SMOOTHING: Pooling = Pooling {
    kind: PoolingKind::Average,
    kernel: 3,
    stride: 1,
    padding: 1,
    ceil_mode: false,
};
/// What halves the map on the shortcut between stages. Upstream has no maps of odd size; rounded up, they fit the convolutions.
const HALVING: Pooling = Pooling {
    kind: PoolingKind::Average,
    kernel: 2,
    stride: 2,
    padding: 0,
    ceil_mode: true,
};

/// A cell as it is built: its operations, which of its edges are kept, and the bits of those that have their own.
#[derive(Debug, Clone, Copy)]
pub(in crate::space) struct Cell<'a> {
    /// Genes of the operations.
    pub(in crate::space) genes: &'a [u8],
    /// Edges that are built.
    pub(in crate::space) kept: [bool; 6],
    /// Bits of the convolutions on the edges.
    pub(in crate::space) bits: [Option<LayerBits>; 6],
}

impl<'a> Cell<'a> {
    /// A cell whose convolutions all have the design's precision.
    pub(super) fn at_one_precision(genes: &'a [u8], kept: [bool; 6]) -> Cell<'a> {
        Cell {
            genes,
            kept,
            bits: [None; 6],
        }
    }
}

/// The whole network, with the cell's edges that are kept.
pub(in crate::space) fn network(cell: Cell<'_>, input: InputSize, classes: u32) -> Network {
    let (mut network, image) = NetworkBuilder::new(IMAGE_CHANNELS, input);
    let mut map = network.convolve(image, Convolution::new(STAGE_CHANNELS[0], 3));
    for (stage, channels) in STAGE_CHANNELS.into_iter().enumerate() {
        if stage > 0 {
            map = reduce(&mut network, map, channels);
        }
        for _ in 0..CELLS_PER_STAGE {
            map = append_cell(&mut network, map, cell);
        }
    }
    let map = network.normalize(map, Some(Activation::Relu));
    let map = network.pool_globally(map);
    let logits = network.linear(map, classes);
    network.finish(logits)
}

/// The edges that matter: active ones that are not `none`.
pub(in crate::space) fn live_edges(genes: &[u8]) -> [bool; 6] {
    let active = active_edges(genes);
    std::array::from_fn(|edge| genes[edge] != NONE && active[edge])
}

/// The edges whose source is not zero and whose target reaches the output, whatever they carry themselves.
pub(in crate::space) fn active_edges(genes: &[u8]) -> [bool; 6] {
    let mut carries = [true, false, false, false];
    let mut reaches = [false, false, false, true];
    for (edge, (source, target)) in EDGES.into_iter().enumerate() {
        carries[target] |= genes[edge] != NONE && carries[source];
    }
    for (edge, (source, target)) in EDGES.into_iter().enumerate().rev() {
        reaches[source] |= genes[edge] != NONE && reaches[target];
    }
    EDGES.map(|(source, target)| carries[source] && reaches[target])
}

/// Appends one cell. A sum of k edges is k - 1 layers; `none` and `skip_connect` are no layers. A node that nothing leads to
/// is zero.
fn append_cell(network: &mut NetworkBuilder, input: FeatureMap, cell: Cell<'_>) -> FeatureMap {
    let Cell { genes, kept, bits } = cell;
    let mut nodes = [Some(input), None, None, None];
    for (edge, (source, target)) in EDGES.into_iter().enumerate() {
        if !kept[edge] {
            continue;
        }
        if genes[edge] == NONE {
            // An eager runtime makes the zeros that this edge carries.
            network.zero(input);
            continue;
        }
        let source = *nodes[source].get_or_insert_with(|| network.zero(input));
        let carried = match genes[edge] {
            NOR_CONV_1X1 => {
                rectify_and_convolve(network, source, Convolution::new(input.shape.channels, 1), bits[edge])
            }
            NOR_CONV_3X3 => {
                rectify_and_convolve(network, source, Convolution::new(input.shape.channels, 3), bits[edge])
            }
            AVG_POOL_3X3 => network.pool(source, SMOOTHING),
            _ => source,
        };
        nodes[target] = Some(match nodes[target] {
            None => carried,
            Some(sum) => network.add(sum, carried),
        });
    }
    nodes[3].unwrap_or_else(|| network.zero(input))
}

/// Appends the residual block that halves the map: two 3x3 convolutions, and a pooled 1x1 shortcut without
/// normalisation.
fn reduce(network: &mut NetworkBuilder, input: FeatureMap, channels: u32) -> FeatureMap {
    let halving = Convolution {
        stride: 2,
        ..Convolution::new(channels, 3)
    };
    let main = rectify_and_convolve(network, input, halving, None);
    let main = rectify_and_convolve(network, main, Convolution::new(channels, 3), None);
    let pooled = network.pool(input, HALVING);
    let shortcut = network.convolve(
        pooled,
        Convolution {
            normalized: false,
            ..Convolution::new(channels, 1)
        },
    );
    network.add(main, shortcut)
}

/// Appends a convolution after a ReLU, as upstream's `ReLUConvBN`.
fn rectify_and_convolve(
    network: &mut NetworkBuilder,
    input: FeatureMap,
    convolution: Convolution,
    bits: Option<LayerBits>,
) -> FeatureMap {
    let rectified = network.activate(input, Activation::Relu);
    network.convolve_at(rectified, convolution, bits)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Architecture, Layer, Operation};
    use super::super::{Enumerable, NasBench201, SearchSpace};
    use super::*;

    const CIFAR: InputSize = InputSize { width: 32, height: 32 };
    const IMAGENET_16: InputSize = InputSize { width: 16, height: 16 };

    /// Upstream's counts: MACs with the classifier's bias counted as one each, and parameters, both in millions.
    fn upstream_counts(text: &str, input: InputSize, classes: u32) -> (f64, f64) {
        let network = NasBench201.lower(&NasBench201.parse(text).unwrap(), input, classes);
        let macs = network.macs() + u64::from(classes);
        (macs as f64 / 1e6, network.parameters() as f64 / 1e6)
    }

    /// Figures printed by the NAS-Bench-201 and NATS-Bench programs, to the digits printed.
    #[test]
    fn published_macs_and_parameters() {
        // Sources: (a) https://github.com/D-X-Y/NATS-Bench/issues/24, index 0; (b) .../issues/18, index 1;
        // (c) .../issues/36, the 12-epoch record; (d) what the NAS-Bench-201 program prints for index 9930, "FLOP=184.73 M,
        // Params=1.289 MB", the cell best at CIFAR-10. "MB" there means millions of parameters.
        let a = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|";
        let b = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|";
        let c = "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|avg_pool_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|";
        let d = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|";
        let cases = [
            (a, CIFAR, 10, Some((15.647_37, 5e-6)), None),
            (a, CIFAR, 100, Some((15.653_22, 5e-6)), None),
            (a, IMAGENET_16, 120, Some((3.919_48, 5e-6)), None),
            (b, CIFAR, 10, Some((113.95, 0.005)), Some((0.802, 0.0005))),
            (b, CIFAR, 100, Some((113.96, 0.005)), Some((0.808, 0.0005))),
            (b, IMAGENET_16, 120, Some((28.50, 0.005)), Some((0.810, 0.0005))),
            (c, CIFAR, 10, Some((113.951_37, 5e-6)), Some((0.802_426, 5e-7))),
            (d, CIFAR, 10, Some((184.73, 0.005)), Some((1.289, 0.0005))),
            (d, CIFAR, 100, Some((184.74, 0.005)), Some((1.294, 0.0005))),
            (d, IMAGENET_16, 120, Some((46.19, 0.005)), Some((1.296, 0.0005))),
        ];
        for (text, input, classes, published_macs, published_parameters) in cases {
            let (macs, parameters) = upstream_counts(text, input, classes);
            for (found, published) in [(macs, published_macs), (parameters, published_parameters)] {
                if let Some((value, half_digit)) = published {
                    assert!(
                        (found - value).abs() <= half_digit,
                        "{text} {input}: {found}, published {value}"
                    );
                }
            }
        }
    }

    /// The skeleton alone, layer by layer.
    #[test]
    fn skeleton_by_hand() {
        let skips = NasBench201
            .parse("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
            .unwrap();
        let network = NasBench201.lower(&skips, CIFAR, 10);
        let macs: Vec<u64> = network.layers().map(Layer::macs).collect();
        let expected_macs = [
            9 * 3 * 16 * 1024, // stem at 32x32
            9 * 16 * 32 * 256, // first block at 16x16
            9 * 32 * 32 * 256,
            0,
            16 * 32 * 256,
            0,
            9 * 32 * 64 * 64, // second block at 8x8
            9 * 64 * 64 * 64,
            0,
            32 * 64 * 64,
            0,
            0, // normalisation, global pooling
            0,
            640, // classifier
        ];
        assert_eq!(macs, expected_macs);
        assert_eq!(network.macs(), 7_783_040);
        // Stem 432 + 32; blocks (4608 + 64) + (9216 + 64) + 512 and (18432 + 128) + (36864 + 128) + 2048; last
        // normalisation 128; classifier 640 + 10.
        assert_eq!(network.parameters(), 464 + 14_464 + 57_600 + 128 + 650);
        // Stem, two convolutions and a sum in each block, normalisation, pooling, classifier.
        assert_eq!(network.critical_path_layers(), 1 + 3 + 3 + 3);
        // 1 + 5 + 5 + 3 layers; in elements read and written: stem 3072 + 16384; first block 16384 + 8192, 8192 + 8192,
        // 16384 + 4096, 4096 + 8192, 3 x 8192; second block half of each; 2 x 4096; 4096 + 64; 64 + 10.
        assert_eq!(network.kernel_launches(), 14);
        let first_block = 24_576 + 16_384 + 20_480 + 12_288 + 24_576;
        assert_eq!(
            network.activation_elements(),
            19_456 + first_block + first_block / 2 + 8_192 + 4_160 + 74
        );
    }

    #[test]
    fn cell_layers_by_hand() {
        // Node 1: 3x3; node 2: pooling of the input + 1x1 of node 1; output: input + node 1 + node 2.
        let text = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|skip_connect~1|skip_connect~2|";
        let genes = NasBench201.parse(text).unwrap().0;
        let (mut network, input) = NetworkBuilder::new(16, CIFAR);
        let output = append_cell(&mut network, input, Cell::at_one_precision(&genes, live_edges(&genes)));
        assert_eq!(output.shape, input.shape);
        let network = network.finish(output);
        // 3x3, pooling, 1x1, three sums; the longest chain is 3x3, 1x1, sum, sum.
        assert_eq!((network.kernel_launches(), network.critical_path_layers()), (6, 4));
        assert_eq!(network.macs(), (9 + 1) * 256 * 1024);
        assert_eq!(network.parameters(), (9 + 1) * 256 + 2 * 32);
    }

    #[test]
    fn dead_edges_are_removed_unless_asked_for() {
        // Node 1 is read by nobody; node 2 is zero, as are the convolutions that read it.
        let text = "|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|";
        let architecture = NasBench201.parse(text).unwrap();
        assert_eq!(live_edges(&architecture.0), [false, false, false, true, false, false]);
        let live = NasBench201.lower(&architecture, CIFAR, 10);
        let written = NasBench201.lower_as_written(&architecture, CIFAR, 10);
        // Fifteen 1x1 convolutions of 16 x 16 x 1024 = 262144 MACs (the same in every stage) and twice as many 3x3.
        assert_eq!(live.macs(), 7_783_040 + 15 * 262_144);
        assert_eq!(written.macs(), 7_783_040 + 15 * 262_144 + 30 * 9 * 262_144);
        // The sum of the dead 3x3 with the live 1x1 is written, too.
        assert_eq!(written.kernel_launches(), live.kernel_launches() + 15 * 3);
    }

    #[test]
    fn disconnected_cell_leaves_the_skeleton() {
        let dead = NasBench201
            .parse("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|")
            .unwrap();
        let network = NasBench201.lower(&dead, CIFAR, 10);
        assert_eq!(network.macs(), 7_783_040);
        assert!(!network.output_depends_on_input());
    }

    /// Without nodes that do not reach the output, a network as written is the live one, except where something is computed
    /// from zeros and added: only who knows the values can leave that out.
    #[test]
    fn live_networks_are_those_as_written_without_dead_nodes() {
        let mut compared = 0;
        for architecture in NasBench201.architectures().iter().step_by(7) {
            let written = NasBench201.lower_as_written(architecture, IMAGENET_16, 10);
            let without = written.without_dead_nodes();
            if !without.nodes().any(|node| node.layer.operation == Operation::Zero) {
                compared += 1;
                let live = NasBench201.lower(architecture, IMAGENET_16, 10);
                assert_eq!(without, live, "{}", NasBench201.print(architecture));
            }
        }
        assert!(compared > 1_500, "{compared}");
    }

    /// Cells without a path from input to output. Let the edge 0->3 be `none`, each other one connect in four ways of five. With
    /// 1->3 `none` (of 0->1 and 1->2 any), not both 0->2 and 2->3 connect, nor all of 0->1, 1->2 and 2->3: if 2->3 is `none`,
    /// 5^3 are left; else 0->2 is `none` and not both others connect, 4 (25 - 16) = 36. With 1->3 connecting (4), 0->1 is
    /// `none`; with 2->3 `none` 5^2 are left, else 0->2 is `none` and 1->2 any, 4 x 5. Together 161 + 4 (25 + 20) = 341.
    #[test]
    fn disconnected_cells_are_counted() {
        let disconnected = |one: &&Architecture| !NasBench201.output_depends_on_input(one);
        assert_eq!(NasBench201.architectures().iter().filter(disconnected).count(), 341);
        for architecture in NasBench201.architectures().iter().step_by(11) {
            let by_graph = |network: Network| network.output_depends_on_input();
            let connected = NasBench201.output_depends_on_input(architecture);
            assert_eq!(by_graph(NasBench201.lower(architecture, IMAGENET_16, 10)), connected);
            assert_eq!(
                by_graph(NasBench201.lower_as_written(architecture, IMAGENET_16, 10)),
                connected
            );
        }
    }
}
