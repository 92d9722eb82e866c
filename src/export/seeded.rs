//! Random weights that look trained to a runtime: activations keep their size from the first layer to the last.

use std::collections::BTreeMap;

use rand::Rng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::parameters::{Normalization, Parameters, by_node, has_bias, is_normalized, learns, weight_dims};
use crate::seed::Seed;
use crate::space::{Activation, EPSILON, Layer, Network, Node, Operation};

/// Standard deviation of biases, of what normalisation adds, and of means seen, in standard deviations of what they are
/// added to or taken from.
const SMALL: f64 = 0.1;

/// Parameters for every node: weights drawn as He et al. (*Delving Deep into Rectifiers*, ICCV 2015) initialise them, and
/// statistics of normalisation that fit what reaches it.
pub(super) fn parameters(network: &Network, seed: Seed) -> Vec<Parameters> {
    let mut signals: Vec<Signal> = Vec::new();
    let mut learned = Vec::new();
    for node in network.nodes() {
        let inputs: Vec<&Signal> = node.inputs.iter().map(|&input| &signals[input as usize]).collect();
        let arriving = inputs.first().map_or(1.0, |signal| signal.power());
        if learns(node.layer) {
            let mut rng = seed.child("layer", learned.len()).stream("weights");
            learned.push(draw(node.layer, arriving, &mut rng));
        }
        let signal = leaving(&node, &inputs, arriving);
        signals.push(signal);
    }
    by_node(network, learned)
}

/// The parameters of one layer that is reached by a signal of this power.
fn draw(layer: &Layer, arriving: f64, rng: &mut StdRng) -> Parameters {
    let outputs = layer.output.channels as usize;
    let dims = weight_dims(layer);
    let fan_in = dims.iter().skip(1).product::<usize>().max(1) as f64;
    let alone = matches!(layer.operation, Operation::Normalization(_));
    let gain = if alone { 1.0 } else { HE_GAIN };
    let damping = damping(layer, arriving);
    let power = gain * damping * arriving;
    let weights = if alone { 0 } else { dims.iter().product() };
    let weight = normal(weights, (damping * HE_GAIN / fan_in).sqrt(), rng);
    let bias = has_bias(layer).then(|| normal(outputs, SMALL * power.sqrt(), rng));
    let normalization = is_normalized(layer).then(|| Normalization {
        shift: normal(outputs, SMALL, rng),
        mean: normal(outputs, SMALL * power.sqrt(), rng),
        scale: around(outputs, 1.0, rng),
        variance: around(outputs, power, rng),
        epsilon: EPSILON,
    });
    Parameters {
        weight,
        bias,
        normalization,
    }
}

/// What the squares of a layer's weights are multiplied by. Sums of shortcuts grow from one to the next, and where no
/// normalisation ends that, as in the shortcuts between the stages of NAS-Bench-201, the next stage's would no longer fit in 16 bits.
fn damping(layer: &Layer, arriving: f64) -> f64 {
    if is_normalized(layer) {
        1.0
    } else {
        1.0 / arriving.max(1.0)
    }
}

/// How much larger the power behind a layer is than before it, with weights as He et al. draw them: rectification halves it.
const HE_GAIN: f64 = 2.0;

/// Numbers drawn from the normal distribution around 0.
fn normal(count: usize, deviation: f64, rng: &mut StdRng) -> Vec<f32> {
    let drawn = StandardNormal.sample_iter(rng).take(count);
    drawn.map(|value: f64| (deviation * value) as f32).collect()
}

/// Numbers drawn evenly within a fifth of `value`.
fn around(count: usize, value: f64, rng: &mut StdRng) -> Vec<f32> {
    let drawn = (0..count).map(|_| value * rng.random_range(0.8..1.2));
    drawn.map(|value| value as f32).collect()
}

/// What a node gives, as a sum of signals that have nothing to do with each other, by the node that each comes from: twice
/// the same map is four times its power, two maps are the sum of theirs.
#[derive(Debug, Clone, Default)]
struct Signal(BTreeMap<usize, f64>);

impl Signal {
    fn new(node: usize, power: f64) -> Signal {
        Signal(BTreeMap::from([(node, power.sqrt())]))
    }

    /// Mean square, at least a little: what follows zeros divides by it.
    fn power(&self) -> f64 {
        let power: f64 = self.0.values().map(|amplitude| amplitude * amplitude).sum();
        power.max(1e-12)
    }

    fn plus(&self, other: &Signal) -> Signal {
        let mut sum = self.clone();
        for (&node, amplitude) in &other.0 {
            *sum.0.entry(node).or_default() += amplitude;
        }
        sum
    }
}

/// The signal behind a node.
fn leaving(node: &Node<'_>, inputs: &[&Signal], arriving: f64) -> Signal {
    let new = |power: f64| Signal::new(node.id, power);
    let activated = |power: f64, activation: Option<Activation>| match activation {
        None => power,
        // Half of what is symmetric is left; a bound matters to what is far from 1 only.
        Some(Activation::Relu | Activation::Relu6 | Activation::HardSwish) => power / 2.0,
        Some(Activation::Sigmoid | Activation::HardSigmoid) => 0.25,
    };
    match node.layer.operation {
        Operation::Zero => Signal::default(),
        Operation::Convolution(convolution) => {
            let power = if convolution.normalized {
                1.0
            } else {
                HE_GAIN * damping(node.layer, arriving) * arriving
            };
            new(activated(power, convolution.activation))
        }
        Operation::Normalization(activation) => new(activated(1.0, activation)),
        Operation::Activation(activation) => new(activated(arriving, Some(activation))),
        Operation::Add => inputs[0].plus(inputs[1]),
        Operation::Multiply => new(arriving * inputs[1].power()),
        Operation::Concatenation => {
            let powers: f64 = inputs.iter().map(|signal| signal.power()).sum();
            new(powers / inputs.len() as f64)
        }
        Operation::Linear => new(HE_GAIN * damping(node.layer, arriving) * arriving),
        Operation::Input => new(1.0),
        Operation::Pooling(_) | Operation::GlobalPooling | Operation::Shuffle { .. } => inputs[0].clone(),
    }
}
