//! The network that an architecture lowers to, as a graph, and what follows from it without any measurement: MACs,
//! parameters, elements moved, kernel launches, the critical path, peak memory, nodes that do nothing.
//!
//! A node is a [`Layer`] and the nodes whose outputs it reads. Amounts of data are in elements, not bytes: the precision of a
//! design says how large an element is. A search space lowers an architecture with a [`NetworkBuilder`].

mod builder;
mod computed;
mod inverted_residual;
mod layer;
mod memory;
mod precisions;
#[cfg(test)]
mod published;
mod sensitivity;

use super::InputSize;

pub use builder::{FeatureMap, NetworkBuilder};
pub use inverted_residual::InvertedResidual;
pub use layer::{Activation, Convolution, Layer, LayerBits, Operation, Pooling, PoolingKind, Shape};

/// A feed-forward network with one input and one output, its nodes in an order in which they can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    nodes: Vec<Stored>,
    /// The nodes that every node reads, one node's after the other's. All come before it.
    edges: Vec<u32>,
    /// The node that gives the output.
    output: usize,
}

/// A node as a network keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stored {
    layer: Layer,
    /// End of its part of the edges.
    edges_end: u32,
    /// Layers on the longest chain that ends in it.
    depth: u32,
}

/// A node of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node<'a> {
    /// Its number, the position in the order in which nodes run.
    pub id: usize,
    /// What it computes.
    pub layer: &'a Layer,
    /// Numbers of the nodes whose outputs it reads, in order.
    pub inputs: &'a [u32],
}

impl Network {
    /// Every node in the order in which they run. The first is the input.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = Node<'_>> + ExactSizeIterator {
        (0..self.nodes.len()).map(|id| self.node(id))
    }

    /// Number of the node that gives the output.
    pub fn output(&self) -> usize {
        self.output
    }

    /// The layers that a runtime starts a kernel for, in order. Costs are theirs.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.nodes
            .iter()
            .map(|node| &node.layer)
            .filter(|layer| layer.starts_kernel())
    }

    /// Multiply-accumulate operations.
    pub fn macs(&self) -> u64 {
        self.layers().map(Layer::macs).sum()
    }

    /// Multiply-accumulate operations of depthwise convolutions, which reuse their operands least.
    pub fn depthwise_macs(&self) -> u64 {
        self.layers()
            .filter(|layer| layer.is_depthwise())
            .map(Layer::macs)
            .sum()
    }

    /// Trainable parameters.
    pub fn parameters(&self) -> u64 {
        self.layers().map(Layer::parameters).sum()
    }

    /// Elements of the weights read.
    pub fn weight_elements(&self) -> u64 {
        self.layers().map(Layer::weight_elements).sum()
    }

    /// Elements of feature maps read and written.
    pub fn activation_elements(&self) -> u64 {
        self.layers().map(Layer::activation_elements).sum()
    }

    /// Kernels that a runtime starts, one for each layer.
    pub fn kernel_launches(&self) -> usize {
        self.layers().count()
    }

    /// Layers on the longest chain in which each needs the one before. What exceeds it could run in parallel.
    pub fn critical_path_layers(&self) -> u32 {
        self.nodes.iter().map(|node| node.depth).max().unwrap_or(0)
    }

    /// Whether the output depends on the input. What zeros lead to is counted as constant: a convolution of zeros, a product
    /// with them.
    pub fn output_depends_on_input(&self) -> bool {
        self.nodes_that_depend_on_input()[self.output]
    }

    /// Which nodes depend on the input, by number; see [`Network::output_depends_on_input`].
    pub fn nodes_that_depend_on_input(&self) -> Vec<bool> {
        let mut depends: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for node in self.nodes() {
            let mut inputs = node.inputs.iter().map(|&input| depends[input as usize]);
            let depends_itself = match node.layer.operation {
                Operation::Input => true,
                Operation::Zero => false,
                Operation::Multiply => inputs.all(|depends| depends),
                _ => inputs.any(|depends| depends),
            };
            depends.push(depends_itself);
        }
        depends
    }

    /// Which nodes the output is computed from, by number; the output among them.
    pub fn nodes_that_output_reads(&self) -> Vec<bool> {
        let mut read = vec![false; self.nodes.len()];
        read[self.output] = true;
        for node in self.nodes().rev() {
            if read[node.id] {
                for &input in node.inputs {
                    read[input as usize] = true;
                }
            }
        }
        read
    }

    /// The network without the nodes that the output does not depend on. Its input stays.
    pub fn without_dead_nodes(&self) -> Network {
        let mut live = self.nodes_that_output_reads();
        live[0] = true;
        let mut network = Network::empty();
        let mut numbers = vec![0; self.nodes.len()];
        for node in self.nodes().filter(|node| live[node.id]) {
            numbers[node.id] = network.push(*node.layer, node.inputs.iter().map(|&input| numbers[input as usize]));
        }
        network.output = numbers[self.output];
        network
    }

    /// A network to be filled, which is none yet.
    fn empty() -> Network {
        Network {
            nodes: Vec::with_capacity(USUAL_NODES),
            edges: Vec::with_capacity(2 * USUAL_NODES),
            output: 0,
        }
    }

    /// Appends a node and gives its number.
    fn push(&mut self, layer: Layer, inputs: impl Iterator<Item = usize>) -> usize {
        let mut before = 0;
        for input in inputs {
            before = before.max(self.nodes[input].depth);
            self.edges.push(input as u32);
        }
        self.nodes.push(Stored {
            layer,
            edges_end: self.edges.len() as u32,
            depth: before + u32::from(layer.starts_kernel()),
        });
        self.nodes.len() - 1
    }

    fn node(&self, id: usize) -> Node<'_> {
        let start = id.checked_sub(1).map_or(0, |before| self.nodes[before].edges_end);
        let Stored { layer, edges_end, .. } = &self.nodes[id];
        Node {
            id,
            layer,
            inputs: &self.edges[start as usize..*edges_end as usize],
        }
    }
}

/// Nodes that space is reserved for, so that few networks have to move while they grow.
const USUAL_NODES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn start(channels: u32, width: u32, height: u32) -> (NetworkBuilder, FeatureMap) {
        NetworkBuilder::new(channels, InputSize { width, height })
    }

    #[test]
    fn dense_convolution_by_hand() {
        let (mut network, input) = start(3, 7, 5);
        // 7x5 at stride 2 with padding 1: floor((7 + 2 - 3) / 2) + 1 = 4 and floor((5 + 2 - 3) / 2) + 1 = 3.
        let halving = Convolution {
            stride: 2,
            ..Convolution::new(16, 3)
        };
        let output = network.convolve(input, halving);
        let shape = Shape {
            channels: 16,
            width: 4,
            height: 3,
        };
        assert_eq!(output.shape, shape);
        let network = network.finish(output);
        // Kernel 3 x 3 x 3 x 16 = 432 at 12 positions; 2 x 16 normalisation parameters, 16 biases once fused.
        let layer = network.layers().next().unwrap();
        assert_eq!(layer.macs(), 5_184);
        assert_eq!((layer.parameters(), layer.weight_elements()), (464, 448));
        assert_eq!((layer.input_elements, layer.output.elements()), (105, 192));
    }

    #[test]
    fn biases_and_padding_by_hand() {
        let (mut network, input) = start(2, 6, 6);
        // Without padding 6 - 3 + 1 = 4 pixels are left on each side.
        let bare = Convolution {
            padding: 0,
            normalized: false,
            ..Convolution::new(5, 3)
        };
        let map = network.convolve(input, bare);
        let biased = Convolution { bias: true, ..bare };
        let map = network.convolve(map, biased);
        let network = network.finish(map);
        let layers: Vec<&Layer> = network.layers().collect();
        assert_eq!((layers[0].output.width, layers[1].output.width), (4, 2));
        // 9 x 2 x 5 = 90 and 9 x 5 x 5 = 225 weights, and 5 biases for the second.
        assert_eq!((layers[0].parameters(), layers[0].weight_elements()), (90, 90));
        assert_eq!((layers[1].parameters(), layers[1].weight_elements()), (230, 230));
    }

    #[test]
    fn grouped_and_depthwise_convolutions_by_hand() {
        let (mut network, input) = start(8, 4, 4);
        let grouped = |channels, kernel, groups| Convolution {
            groups,
            ..Convolution::new(channels, kernel)
        };
        let hidden = network.convolve(input, grouped(8, 5, 8));
        let output = network.convolve(hidden, grouped(12, 1, 2));
        let network = network.finish(output);
        // Depthwise: 5 x 5 x 1 x 8 x 16 = 3200. Grouped: 4 inputs per group x 12 x 16 = 768.
        assert_eq!(network.depthwise_macs(), 3_200);
        assert_eq!(network.macs(), 3_968);
        let last = network.layers().last().unwrap();
        assert!(!last.is_depthwise());
        assert_eq!(last.parameters(), 4 * 12 + 24);
    }

    #[test]
    fn pooled_sizes_by_hand() {
        let (mut network, input) = start(1, 7, 8);
        let mut sizes = |kernel, stride, padding, ceil_mode| {
            let pooling = Pooling {
                kind: PoolingKind::Maximum,
                kernel,
                stride,
                padding,
                ceil_mode,
            };
            let output = network.pool(input, pooling).shape;
            (output.width, output.height)
        };
        assert_eq!(sizes(3, 1, 1, false), (7, 8));
        // Windows from 0, 2 and 4; the one from 6 has one pixel of seven and two of eight.
        assert_eq!(sizes(2, 2, 0, false), (3, 4));
        assert_eq!(sizes(2, 2, 0, true), (4, 4));
        // Of 7 pixels from -1, 1, 3, 5; of 8 as well, and the window from 7 has only one pixel of the map.
        assert_eq!(sizes(3, 2, 1, false), (4, 4));
        assert_eq!(sizes(3, 2, 1, true), (4, 5));
    }

    /// A convolution, and pooling beside it, of which the sum is classified.
    fn branched() -> Network {
        let (mut network, input) = start(4, 8, 8);
        let long = network.convolve(input, Convolution::new(4, 3));
        let long = network.activate(long, Activation::HardSwish);
        let long = network.convolve(long, Convolution::new(4, 3));
        let short = network.pool_globally(input);
        let sum = network.multiply(long, short);
        let pooled = network.pool_globally(sum);
        let logits = network.linear(pooled, 10);
        assert_eq!(logits.shape.elements(), 10);
        network.finish(logits)
    }

    #[test]
    fn parallel_branches_share_the_critical_path() {
        let network = branched();
        // Convolution, convolution, product, pooling, linear; the short branch's pooling runs beside them, and the activation is
        // no kernel.
        assert_eq!((network.critical_path_layers(), network.kernel_launches()), (5, 6));
        let layers: Vec<&Layer> = network.layers().collect();
        // The product reads a map of 4 x 8 x 8 and 4 factors, and writes a map; the classifier has 4 x 10 weights, 10 biases.
        assert_eq!(layers[3].activation_elements(), 2 * 256 + 4);
        assert_eq!((layers[5].macs(), layers[5].parameters()), (40, 50));
    }

    #[test]
    fn nodes_know_what_they_read() {
        let network = branched();
        let inputs: Vec<&[u32]> = network.nodes().map(|node| node.inputs).collect();
        let expected: [&[u32]; 8] = [&[], &[0], &[1], &[2], &[0], &[3, 4], &[5], &[6]];
        assert_eq!(inputs, expected);
        assert_eq!(network.output(), 7);
    }

    #[test]
    fn dead_nodes_are_those_that_nothing_leads_from_to_the_output() {
        let (mut network, input) = start(2, 4, 4);
        let dead = network.convolve(input, Convolution::new(2, 3));
        network.activate(dead, Activation::Sigmoid);
        let live = network.convolve(input, Convolution::new(6, 1));
        let joined = network.concatenate(&[live, input]);
        network.add(joined, joined);
        let network = network.finish(joined).without_dead_nodes();
        let inputs: Vec<&[u32]> = network.nodes().map(|node| node.inputs).collect();
        let expected: [&[u32]; 3] = [&[], &[0], &[1, 0]];
        assert_eq!(inputs, expected);
        assert_eq!((network.output(), network.macs()), (2, 2 * 6 * 16));
    }

    #[test]
    fn zeros_cut_the_output_off_from_the_input() {
        let (mut network, input) = start(2, 4, 4);
        let zero = network.zero(input);
        let constant = network.convolve(zero, Convolution::new(2, 3));
        let sum = network.add(constant, input);
        let product = network.multiply(constant, input);
        let depends = |output| network.clone().finish(output).output_depends_on_input();
        assert!(depends(input) && depends(sum));
        assert!(!depends(zero) && !depends(constant) && !depends(product));
        // Zeros are no kernel: the convolution, the sum, the product.
        assert_eq!(network.clone().finish(sum).kernel_launches(), 3);
    }
}
