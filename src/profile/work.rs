//! What a network does, in counts of each kind of work.
//!
//! Counts come in [`PARTS`]: what the output needs (live); of a network whose output does not depend on its input, what is left
//! when dead layers are removed; layers that the output reads but that zeros lead to; layers that nothing reads; and the last two
//! of a network whose output is constant.

use super::{
    ACTIVATIONS, CHANNELS, COUNTS, DEPTHWISE, ELEMENTWISE, FIXED, GROUPED, KINDS, LAUNCH_DENSE, LAUNCH_DEPTHWISE,
    LAUNCH_OTHER, LAUNCH_POOLING, OUTPUTS, POINTWISE, POOLED, SPATIAL, STEP, WEIGHTS, ZEROS,
};
use crate::space::{Layer, Network, Operation};

/// The parts in order.
const LIVE: usize = 0;
const KEPT: usize = 1;
const CONSTANT: usize = 2;
const UNREAD: usize = 3;
const DEAD: usize = 4;

/// Counts of one network for one input: [`KINDS`] of each part, one part after another.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// `[COUNTS]`.
    pub counts: Vec<f64>,
}

impl Work {
    /// Of a network without dead layers whose output depends on its input.
    pub fn of(network: &Network) -> Work {
        let mut work = Work::none();
        if network.output_depends_on_input() {
            work.add_all(LIVE, network);
        } else {
            work.add_all(KEPT, network);
        }
        work
    }

    /// Of a network as it is written, `live` being the same without dead layers.
    pub fn as_written(written: &Network, live: &Network) -> Work {
        let mut work = Work::of(live);
        if work.part(LIVE)[STEP] == 0.0 {
            // Constant: whatever is not kept is dead.
            let mut all = Work::none();
            all.add_all(DEAD, written);
            all.add_zeros(DEAD, written);
            for kind in 1..KINDS {
                let kept = work.part(KEPT)[kind];
                work.part_mut(DEAD)[kind] = (all.part(DEAD)[kind] - kept).max(0.0);
            }
            return work;
        }
        let (depends, read) = (written.nodes_that_depend_on_input(), written.nodes_that_output_reads());
        for node in written.nodes() {
            match (read[node.id], depends[node.id]) {
                (true, true) => {}
                (true, false) => work.add(CONSTANT, node.layer),
                (false, _) => work.add(UNREAD, node.layer),
            }
        }
        work.add_zeros(UNREAD, written);
        let steps = |network: &Network| f64::from(network.critical_path_layers());
        let read_steps = steps(&written.without_dead_nodes());
        work.part_mut(CONSTANT)[STEP] = (read_steps - steps(live)).max(0.0);
        work.part_mut(UNREAD)[STEP] = (steps(written) - read_steps.max(steps(live))).max(0.0);
        work
    }

    fn none() -> Work {
        let mut counts = vec![0.0; COUNTS];
        counts[FIXED] = 1.0;
        Work { counts }
    }

    fn part(&self, part: usize) -> &[f64] {
        &self.counts[part * KINDS..(part + 1) * KINDS]
    }

    fn part_mut(&mut self, part: usize) -> &mut [f64] {
        &mut self.counts[part * KINDS..(part + 1) * KINDS]
    }

    fn add_all(&mut self, part: usize, network: &Network) {
        for layer in network.layers() {
            self.add(part, layer);
        }
        self.part_mut(part)[STEP] += f64::from(network.critical_path_layers());
    }

    /// Zeros that no node reads: those that are read are counted with what reads them.
    fn add_zeros(&mut self, part: usize, network: &Network) {
        let mut is_read = vec![false; network.nodes().len()];
        for node in network.nodes() {
            for &input in node.inputs {
                is_read[input as usize] = true;
            }
        }
        let zeros = network
            .nodes()
            .filter(|node| node.layer.operation == Operation::Zero && !is_read[node.id]);
        self.part_mut(part)[ZEROS] += zeros.count() as f64;
    }

    /// What fewer than eight bits save is counted as work that nothing reads: not every device is faster for them.
    fn add(&mut self, part: usize, layer: &Layer) {
        if !layer.starts_kernel() {
            return;
        }
        let done = Amounts {
            launches: 1.0,
            macs: layer.macs_at_bits(),
            elements: layer.activation_elements_at_bits(),
            weights: layer.weight_elements_at_bits(),
        };
        done.add_to(self.part_mut(part), layer);
        if layer.bits.is_some() {
            let saved = Amounts {
                launches: 0.0,
                macs: layer.macs() as f64 - done.macs,
                elements: layer.activation_elements() as f64 - done.elements,
                weights: layer.weight_elements() as f64 - done.weights,
            };
            saved.add_to(self.part_mut(UNREAD), layer);
        }
    }
}

/// What a layer does.
struct Amounts {
    launches: f64,
    macs: f64,
    elements: f64,
    weights: f64,
}

impl Amounts {
    /// Adds the amounts to the counts of the kinds that the layer is of.
    fn add_to(&self, counts: &mut [f64], layer: &Layer) {
        let outputs = layer.output.elements() as f64;
        counts[WEIGHTS] += self.weights;
        match layer.operation {
            Operation::Convolution(_) => {
                counts[ACTIVATIONS] += self.elements;
                counts[OUTPUTS] += self.macs / outputs;
                if layer.is_depthwise() {
                    counts[DEPTHWISE] += self.macs;
                    counts[LAUNCH_DEPTHWISE] += self.launches;
                } else {
                    self.add_dense(counts, layer);
                }
            }
            Operation::Linear => {
                counts[POINTWISE] += self.macs;
                counts[LAUNCH_DENSE] += self.launches;
            }
            Operation::Pooling(pooling) => {
                counts[POOLED] += outputs * f64::from(pooling.kernel * pooling.kernel);
                counts[LAUNCH_POOLING] += self.launches;
            }
            Operation::GlobalPooling => {
                counts[POOLED] += self.elements;
                counts[LAUNCH_POOLING] += self.launches;
            }
            _ => {
                counts[ELEMENTWISE] += self.elements;
                counts[LAUNCH_OTHER] += self.launches;
            }
        }
    }

    fn add_dense(&self, counts: &mut [f64], layer: &Layer) {
        if layer.groups() > 1 {
            counts[GROUPED] += self.macs;
            counts[LAUNCH_DEPTHWISE] += self.launches;
            return;
        }
        counts[if layer.kernel() == 1 { POINTWISE } else { SPATIAL }] += self.macs;
        let (inputs, outputs) = (layer.input.channels, layer.output.channels);
        counts[CHANNELS] += self.macs * (1.0 / f64::from(inputs) + 1.0 / f64::from(outputs));
        counts[LAUNCH_DENSE] += self.launches;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{Convolution, InputSize, LayerBits, NetworkBuilder};

    /// A 1x1 convolution of 8 to 8 channels on 16 pixels, 1,024 MACs, at 4 bits each: a quarter is done by whoever is faster for fewer
    /// bits, the rest by whoever is not.
    #[test]
    fn what_fewer_bits_save_is_work_that_need_not_be_done() {
        let (mut network, input) = NetworkBuilder::new(8, InputSize::square(4));
        let bits = LayerBits {
            weights: 4,
            activations: 4,
        };
        let map = network.convolve_at(input, Convolution::new(8, 1), Some(bits));
        let work = Work::of(&network.finish(map));
        let at = |part: usize, kind: usize| work.counts[part * KINDS + kind];
        assert_eq!((at(LIVE, POINTWISE), at(UNREAD, POINTWISE)), (256.0, 768.0));
        // 64 weights of half a byte beside 8 biases; of 128 elements read half a byte each, 128 written.
        assert_eq!((at(LIVE, WEIGHTS), at(UNREAD, WEIGHTS)), (40.0, 32.0));
        assert_eq!((at(LIVE, ACTIVATIONS), at(UNREAD, ACTIVATIONS)), (192.0, 64.0));
        assert_eq!((at(LIVE, LAUNCH_DENSE), at(UNREAD, LAUNCH_DENSE)), (1.0, 0.0));
    }
}
