use super::*;
use crate::predict::example::known_device;
use crate::seed::Seed;
use crate::space::{InputSize, Precision, by_id};

/// Any function of what a layer's group is, and of its MACs: no price of a kind of work explains it.
fn by_group(layer: &Layer) -> f64 {
    let group = Group::of(layer, Detail::Groups);
    let odd = f64::from((group.read.0 * 7 + u32::from(group.bits.0) * 13 + group.kernel * 5) % 11);
    0.01 * (1.0 + odd) + 1e-9 * layer.macs() as f64 * (1.0 + f64::from(group.bits.1))
}

/// Any function of what a layer is at whatever bits, as a price and in proportion to its bits.
fn by_bits(layer: &Layer) -> f64 {
    let odd = f64::from((layer.input.channels * 7 + layer.output.channels * 13 + layer.kernel() * 5) % 11);
    let [_, weights, activations, both] = Detail::Bits.amount(layer);
    0.01 * (1.0 + odd) + 1e-3 * (weights * odd + activations * (11.0 - odd) + both)
}

/// Any function of a layer at its bits.
fn by_layer(layer: &Layer) -> f64 {
    let bits = Group::of(layer, Detail::Layers).bits;
    by_bits(layer) + 0.01 * f64::from(bits.0.min(4).max(bits.1 / 2))
}

fn known() -> KnownDevice {
    known_device("simulator", Precision::Int8.into())
}

/// Networks to learn from and two hundred that decide, with the logarithms of their sums.
struct Example {
    space: &'static dyn SearchSpace,
    encoder: Encoder,
    architectures: Vec<Architecture>,
    counts: DMatrix<f32>,
    logs: DMatrix<f64>,
    split: Split,
}

impl Example {
    fn new(space: &str, training: usize, takes: fn(&Layer) -> f64) -> Example {
        let space = by_id(space).unwrap();
        let mut rng = Seed(0).stream("sums");
        let architectures: Vec<Architecture> = (0..training + 200).map(|_| space.sample(&mut rng)).collect();
        let encoder = Encoder::fit(space, &architectures[..50], space.default_input(), 1000);
        let (_, counts) = encoder.encode_and_count(space, &architectures);
        let logs = DMatrix::from_fn(1, architectures.len(), |_, place| {
            let network = space.lower(&architectures[place], encoder.input_size(), encoder.classes);
            network.layers().map(takes).sum::<f64>().ln()
        });
        let split = Split {
            training: (0..training).collect(),
            validation: (training..training + 200).collect(),
        };
        Example {
            space,
            encoder,
            architectures,
            counts,
            logs,
            split,
        }
    }

    fn fitted(&self, towers: &DMatrix<f32>) -> LayerSums {
        let summed = Summed {
            lowered_by: (self.space, &self.encoder),
            architectures: &self.architectures,
            counts: &self.counts,
            logs: &self.logs,
            towers,
            split: &self.split,
        };
        LayerSums::fit(&summed, std::iter::once(&known()))
    }

    /// Logarithms that the profile gives.
    fn priced(&self, place: usize) -> f64 {
        let counts: Vec<f64> = self.counts.column(place).iter().map(|&count| count.into()).collect();
        Priced::new(&known().profile, &known().setting()).log(&counts)
    }

    /// Sums in place of towers that say nothing, and the largest error of the logarithm that they leave in networks that decided.
    fn learned(&self) -> (LayerSums, f64) {
        let mut outputs = DMatrix::zeros(1, self.architectures.len());
        let sums = self.fitted(&outputs);
        sums.replace(
            (self.space, &self.encoder),
            &self.architectures,
            &self.counts,
            &mut outputs,
        );
        let errors = self.split.validation.iter().map(|&place| {
            let predicted = self.priced(place) + known().scale * f64::from(outputs[(0, place)]);
            (predicted - self.logs[(0, place)]).abs()
        });
        (sums, errors.fold(0.0, f64::max))
    }
}

/// Sums over layers are learned from a thousand networks as exactly as they are sums; where the towers are as good they stay.
#[test]
fn sums_over_layers_are_learned_exactly() {
    let example = Example::new("proxylessnas_mixed", 1_000, by_group);
    let (sums, worst) = example.learned();
    assert!(sums.is_sound(1) && !sums.is_sound(0));
    assert!(sums.detail == Detail::Groups && worst < 0.01, "{worst}");
    // Towers that predict all of it need no sums.
    let exact = DMatrix::from_fn(1, example.architectures.len(), |_, place| {
        ((example.logs[(0, place)] - example.priced(place)) / known().scale) as f32
    });
    assert!(example.fitted(&exact).devices.is_empty());
}

/// One network has 29 different convolutions, a few dozen layers with all else, and fifteen hundred at their bits.
#[test]
fn few_layers_have_prices_of_their_own() {
    let learned = |training, takes| Example::new("mobilenet_v2_bits", training, takes).learned();
    let (sums, worst) = learned(1_500, by_layer);
    assert!(sums.detail == Detail::Layers && worst < 0.01, "{worst}");
    assert!(sums.is_sound(1));
    let (sums, worst) = learned(200, by_bits);
    assert!(sums.detail == Detail::Bits && worst < 0.01, "{worst}");
    assert!(sums.is_sound(1));
    // Read with another meaning there are too few prices, or too many.
    for detail in [Detail::Layers, Detail::Groups] {
        let other = LayerSums { detail, ..sums.clone() };
        assert!(!other.is_sound(1));
    }
}

/// The residual is that of the input size learned from, not the work of larger images held against sums of smaller ones.
#[test]
fn sums_are_the_same_at_another_input_size() {
    let example = Example::new("mobilenet_v2_bits", 200, by_bits);
    let (sums, _) = example.learned();
    let replaced = |encoder: &Encoder| {
        let (_, counts) = encoder.encode_and_count(example.space, &example.architectures);
        let mut outputs = DMatrix::zeros(1, example.architectures.len());
        sums.replace((example.space, encoder), &example.architectures, &counts, &mut outputs);
        (counts, outputs)
    };
    let (small, large) = (
        replaced(&example.encoder),
        replaced(&example.encoder.at_input(InputSize::square(448))),
    );
    assert_ne!(small.0, large.0);
    assert!(small.1.iter().any(|residual| *residual != 0.0));
    assert_eq!(small.1, large.1);
}
