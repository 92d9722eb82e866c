use super::*;
use crate::predict::example::known_device;
use crate::seed::Seed;
use crate::space::{Precision, by_id};

/// Any function of what a layer's group is, and of its MACs: no price of a kind of work explains it.
fn by_group(layer: &Layer) -> f64 {
    let group = Group::of(layer, Channels::Alike);
    let odd = f64::from((group.read.0 * 7 + u32::from(group.bits.0) * 13 + group.kernel * 5) % 11);
    0.01 * (1.0 + odd) + 1e-9 * layer.macs() as f64 * (1.0 + f64::from(group.bits.1))
}

/// Any function of a layer.
fn by_layer(layer: &Layer) -> f64 {
    let odd = (layer.input.channels * 7 + layer.output.channels * 13 + layer.input.width * 5) % 11;
    by_group(layer) + 0.05 * f64::from(odd)
}

fn known() -> KnownDevice {
    known_device("simulator", Precision::Int8)
}

/// A thousand networks to learn from and two hundred that decide, with the logarithms of their sums.
struct Example {
    space: &'static dyn SearchSpace,
    encoder: Encoder,
    architectures: Vec<Architecture>,
    counts: DMatrix<f32>,
    logs: DMatrix<f64>,
    split: Split,
}

impl Example {
    fn new(space: &str, takes: fn(&Layer) -> f64) -> Example {
        let space = by_id(space).unwrap();
        let mut rng = Seed(0).stream("sums");
        let architectures: Vec<Architecture> = (0..1_200).map(|_| space.sample(&mut rng)).collect();
        let encoder = Encoder::fit(space, &architectures[..50], space.default_input(), 1000);
        let (_, counts) = encoder.encode_and_count(space, &architectures);
        let logs = DMatrix::from_fn(1, architectures.len(), |_, place| {
            let network = space.lower(&architectures[place], encoder.input_size(), encoder.classes);
            network.layers().map(takes).sum::<f64>().ln()
        });
        let split = Split {
            training: (0..1_000).collect(),
            validation: (1_000..1_200).collect(),
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
    let example = Example::new("proxylessnas_mixed", by_group);
    let (sums, worst) = example.learned();
    assert!(sums.is_sound(1) && !sums.is_sound(0));
    assert!(Channels::of(&sums.groups) == Channels::Alike && worst < 0.01, "{worst}");
    // Towers that predict all of it need no sums.
    let exact = DMatrix::from_fn(1, example.architectures.len(), |_, place| {
        ((example.logs[(0, place)] - example.priced(place)) / known().scale) as f32
    });
    assert!(example.fitted(&exact).devices.is_empty());
}

/// Where a thousand networks have fewer different layers than that, layers may take whatever they do.
#[test]
fn few_layers_have_a_price_each() {
    let (sums, worst) = Example::new("fbnet", by_layer).learned();
    assert!(Channels::of(&sums.groups) == Channels::Apart && worst < 0.01, "{worst}");
    assert!(sums.is_sound(1));
    let mut unsound = sums.clone();
    unsound.groups[0].channels = None;
    assert!(!unsound.is_sound(1));
    // Without the channels they are not told apart.
    let mut without = sums.clone();
    without.groups.iter_mut().for_each(|group| group.channels = None);
    assert!(!without.is_sound(1));
}
