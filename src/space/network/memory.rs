//! How much memory do a network's feature maps need at their most?
//!
//! Nodes run one after another in their order. A feature map is held from when its node runs until the last node that reads
//! it has run; the output is held to the end. While a node runs, its inputs and its output are held. Activations and
//! normalisations on their own work in place where nothing reads their input later, as those fused into a layer always do.

use super::super::Precision;
use super::{Network, Node, Operation};

impl Network {
    /// Elements of the feature maps that are held at once, at their most, for a batch of one.
    pub fn peak_memory_elements(&self) -> u64 {
        self.peak_memory(|map| self.nodes[map].layer.output.elements())
    }

    /// Bits of the feature maps that are held at once, at their most, where every layer has its precision: a map has the bits of the
    /// widest layer that writes or reads it, since what reads integers as floating point unpacks them.
    pub(super) fn peak_memory_bits(&self, precisions: &[Precision]) -> u64 {
        let mut bits: Vec<u64> = precisions.iter().map(|precision| precision.bits().into()).collect();
        for node in self.nodes() {
            for &input in node.inputs {
                bits[input as usize] = bits[input as usize].max(precisions[node.id].bits().into());
            }
        }
        self.peak_memory(|map| bits[map] * self.nodes[map].layer.output.elements())
    }

    /// The most that is held at once of maps of these sizes.
    fn peak_memory(&self, size: impl Fn(usize) -> u64) -> u64 {
        let last_reader = self.last_readers();
        let (mut held, mut peak) = (0, 0);
        for node in self.nodes() {
            let output = size(node.id);
            let read = self.read_for_the_last_time(&node, &last_reader, &size);
            if works_in_place(&node, &last_reader) {
                held = held + output - read;
                peak = peak.max(held);
            } else {
                held += output;
                peak = peak.max(held);
                held -= read;
            }
            if last_reader[node.id] == node.id {
                held -= output;
            }
        }
        peak
    }

    /// For every node, the last that reads it: itself if none does, and one after all others for the output.
    fn last_readers(&self) -> Vec<usize> {
        let mut last_reader: Vec<usize> = (0..self.nodes.len()).collect();
        for node in self.nodes() {
            for &input in node.inputs {
                last_reader[input as usize] = node.id;
            }
        }
        last_reader[self.output] = self.nodes.len();
        last_reader
    }

    /// Size of the inputs that nothing reads after this node, each once.
    fn read_for_the_last_time(&self, node: &Node<'_>, last_reader: &[usize], size: impl Fn(usize) -> u64) -> u64 {
        let inputs = node.inputs.iter().enumerate();
        let distinct = inputs.filter(|(position, input)| !node.inputs[..*position].contains(input));
        distinct
            .map(|(_, &input)| input as usize)
            .filter(|&input| last_reader[input] == node.id)
            .map(size)
            .sum()
    }
}

/// Whether a node's output takes the place of its input.
fn works_in_place(node: &Node<'_>, last_reader: &[usize]) -> bool {
    matches!(
        node.layer.operation,
        Operation::Activation(_) | Operation::Normalization(_)
    ) && node.inputs.iter().all(|&input| last_reader[input as usize] == node.id)
}

#[cfg(test)]
mod tests {
    use super::super::super::InputSize;
    use super::super::{Activation, Convolution, FeatureMap, NetworkBuilder};

    /// A map of `channels` on 4x4 pixels: 16 elements for every channel.
    fn start(channels: u32) -> (NetworkBuilder, FeatureMap) {
        NetworkBuilder::new(channels, InputSize { width: 4, height: 4 })
    }

    #[test]
    fn a_chain_holds_two_neighbours() {
        let (mut network, input) = start(2);
        let map = network.convolve(input, Convolution::new(8, 3));
        let map = network.convolve(map, Convolution::new(4, 3));
        let map = network.convolve(map, Convolution::new(4, 3));
        // 2 + 8, 8 + 4, 4 + 4 channels.
        assert_eq!(network.finish(map).peak_memory_elements(), 12 * 16);
    }

    #[test]
    fn a_shortcut_is_held_across_the_block() {
        let (mut network, input) = start(2);
        let expanded = network.convolve(input, Convolution::new(6, 1));
        let filtered = network.convolve(
            expanded,
            Convolution {
                groups: 6,
                ..Convolution::new(6, 3)
            },
        );
        let narrowed = network.convolve(filtered, Convolution::new(2, 1));
        let sum = network.add(narrowed, input);
        // The input's 2 beside 6 + 6 in the depthwise convolution.
        assert_eq!(network.finish(sum).peak_memory_elements(), 14 * 16);
    }

    #[test]
    fn a_map_read_twice_is_held_once_and_until_the_last_reader() {
        let (mut network, input) = start(2);
        let doubled = network.add(input, input);
        let map = network.convolve(doubled, Convolution::new(3, 3));
        let late = network.concatenate(&[map, doubled]);
        let map = network.convolve(late, Convolution::new(1, 1));
        // 2 + 2; 2 + 3; 3 + 2 read and 5 written; 5 + 1.
        assert_eq!(network.finish(map).peak_memory_elements(), 10 * 16);
    }

    #[test]
    fn what_follows_a_layer_works_in_place_unless_its_input_is_needed() {
        let (mut network, input) = start(3);
        let map = network.activate(input, Activation::Relu);
        let map = network.normalize(map, Some(Activation::Relu));
        assert_eq!(network.finish(map).peak_memory_elements(), 3 * 16);
        let (mut network, input) = start(3);
        let map = network.activate(input, Activation::Relu);
        let sum = network.add(map, input);
        // The input is added later, so that three maps are held at the sum.
        assert_eq!(network.finish(sum).peak_memory_elements(), 9 * 16);
    }

    #[test]
    fn squeeze_excite_holds_the_map_that_it_scales() {
        let (mut network, input) = start(8);
        let map = network.squeeze_excite(input, 2);
        // The product reads 8 channels of 16 pixels and 8 factors, and writes 8 channels.
        assert_eq!(network.finish(map).peak_memory_elements(), 2 * 8 * 16 + 8);
    }

    #[test]
    fn a_result_that_nothing_reads_is_released() {
        let (mut network, input) = start(1);
        network.convolve(input, Convolution::new(9, 3));
        let map = network.convolve(input, Convolution::new(2, 3));
        let map = network.convolve(map, Convolution::new(7, 3));
        let network = network.finish(map);
        // 1 + 9; then 1 + 2 and 2 + 7. The input is released after its second reader.
        assert_eq!(network.peak_memory_elements(), 10 * 16);
        assert_eq!(network.without_dead_nodes().peak_memory_elements(), 9 * 16);
    }
}
