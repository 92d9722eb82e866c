//! Simulated accuracies: a formula of an architecture's shape in place of training.
//!
//! It lets a complete pipeline run where no measured accuracies are at hand, and is no claim about any real network.
//!
//! ```text
//! accuracy = 46 + 27 (1 - exp(-1.9 log10(MACs / smallest MACs)))   more arithmetic helps, less and less
//!          + 2.5 share of convolutions larger than 1x1             a receptive field helps
//!          - 5 share of pooling among the cell's operations        pooling throws detail away
//!          + 1.5 if some edge is a skip connection                 gradients flow
//!          - 3 depth, where no edge is a skip connection           and do not, through a deep chain (0 to 1)
//!          + normal noise
//! ```
//!
//! Networks of `proxylessnas_mixed` have accuracies at ImageNet instead, at full precision:
//!
//! ```text
//! accuracy = 74.6 + 2.8 log2(MACs / 320 million)
//! ```
//!
//! The anchor is ProxylessNAS (mobile) with 74.6 % from 320 million (Cai, Zhu & Han, *ProxylessNAS*, ICLR 2019); the slope that of
//! MobileNet-V2 from 300 to 585 million, 72.0 to 74.7 % (Sandler et al., CVPR 2018). The one network of `mobilenet_v2_bits` has 71.81 %,
//! HAQ's at eight bits. Where layers have bits of their own, accuracy is less by what [`Network::accuracy_drop_of_bits`] says.
//!
//! Where the output does not depend on the input it is chance, 100 % over the number of classes.

use rand::rngs::StdRng;
use rand_distr::{Distribution, Normal};

use crate::space::{
    Architecture, InputSize, Layer, MobileNetV2Bits, Network, Operation, PROXYLESS_NAS_MIXED, SearchSpace,
};

/// Depth that counts as 1: three convolutions in each of 15 cells, and the layers around them.
const DEEPEST: f64 = 60.0;
/// MACs and accuracy of the published ProxylessNAS, and percentage points for twice the MACs.
const PROXYLESS_MACS: f64 = 320e6;
const PROXYLESS_PERCENT: f64 = 74.6;
const PERCENT_PER_DOUBLING: f64 = 2.8;
/// Accuracy of MobileNet-V2 (Wang et al., *HAQ*, CVPR 2019).
const MOBILENET_V2_PERCENT: f64 = 71.81;

/// The simulated task of a fleet.
pub(super) struct AccuracyModel {
    space: &'static dyn SearchSpace,
    input: InputSize,
    classes: u32,
    smallest_macs: f64,
    noise: Option<Normal<f64>>,
}

impl AccuracyModel {
    /// A model for architectures of this space, with noise of this standard deviation in percentage points.
    pub(super) fn new(space: &'static dyn SearchSpace, input: InputSize, classes: u32, noise_percent: f64) -> Self {
        AccuracyModel {
            space,
            input,
            classes,
            smallest_macs: smallest_macs(space, input, classes),
            noise: Normal::new(0.0, noise_percent).ok(),
        }
    }

    /// Accuracy in percent.
    pub(super) fn accuracy_percent(&self, architecture: &Architecture, rng: &mut StdRng) -> f64 {
        let noise = self.noise.map_or(0.0, |noise| noise.sample(rng));
        let chance = 100.0 / f64::from(self.classes);
        if !self.space.output_depends_on_input(architecture) {
            return chance;
        }
        (self.noiseless(architecture) + noise).clamp(chance, 99.0)
    }

    fn noiseless(&self, architecture: &Architecture) -> f64 {
        let network = self.space.lower(architecture, self.input, self.classes);
        let at_full_precision = if self.space.id() == PROXYLESS_NAS_MIXED.id() {
            PROXYLESS_PERCENT + PERCENT_PER_DOUBLING * (network.macs() as f64 / PROXYLESS_MACS).log2()
        } else if self.space.id() == MobileNetV2Bits.id() {
            MOBILENET_V2_PERCENT
        } else {
            self.by_shape(architecture, &network)
        };
        at_full_precision - network.accuracy_drop_of_bits()
    }

    fn by_shape(&self, architecture: &Architecture, network: &Network) -> f64 {
        let decades = (network.macs() as f64 / self.smallest_macs).max(1.0).log10();
        let skip = self.space.print(architecture).contains("skip");
        let convolutions = count(network, is_convolution);
        let large = count(network, |layer| is_convolution(layer) && layer.kernel() > 1);
        let poolings = count(network, |layer| {
            matches!(layer.operation, Operation::Pooling(_) | Operation::GlobalPooling)
        });
        let depth = (f64::from(network.critical_path_layers()) / DEEPEST).min(1.0);
        46.0 + 27.0 * (1.0 - (-1.9 * decades).exp()) + 2.5 * large / convolutions.max(1.0)
            - 5.0 * poolings / (convolutions + poolings).max(1.0)
            + if skip { 1.5 } else { -3.0 * depth }
    }
}

/// The fewest MACs of a network that takes the same choice everywhere, as the smallest network of a space does.
fn smallest_macs(space: &dyn SearchSpace, input: InputSize, classes: u32) -> f64 {
    let choices = space.choices();
    let uniform = |choice: u8| Architecture(choices.iter().map(|&choices| choice.min(choices - 1)).collect());
    let macs = |choice| space.lower(&uniform(choice), input, classes).macs() as f64;
    (0..choices.iter().copied().max().unwrap_or(1))
        .map(macs)
        .fold(f64::INFINITY, f64::min)
}

fn count(network: &Network, matches: impl Fn(&Layer) -> bool) -> f64 {
    network.layers().filter(|layer| matches(layer)).count() as f64
}

fn is_convolution(layer: &Layer) -> bool {
    matches!(layer.operation, Operation::Convolution(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::space::{FbNet, NasBench201};

    fn accuracy(text: &str) -> f64 {
        let input = InputSize { width: 32, height: 32 };
        let model = AccuracyModel::new(&NasBench201, input, 100, 0.0);
        model.accuracy_percent(&NasBench201.parse(text).unwrap(), &mut Seed(1).stream("noise"))
    }

    #[test]
    fn a_disconnected_cell_is_at_chance() {
        assert_eq!(accuracy("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"), 1.0);
        assert_eq!(accuracy("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"), 1.0);
    }

    /// A NAS-Bench-201 network of zeros is the skeleton; the smallest FBNet skips wherever it can.
    #[test]
    fn the_smallest_network_is_found() {
        assert_eq!(smallest_macs(&NasBench201, InputSize::square(32), 10), 7_783_040.0);
        let skips = FbNet.parse(&["skip"; 22].join("-")).unwrap();
        let macs = FbNet.lower(&skips, InputSize::square(224), 1000).macs();
        assert_eq!(smallest_macs(&FbNet, InputSize::square(224), 1000), macs as f64);
    }

    /// The order that the formula promises: residual 3x3 over residual 1x1 over pooling over a bare skip.
    #[test]
    fn capacity_raises_and_pooling_lowers() {
        let cell = |op: &str| {
            accuracy(&format!(
                "|{op}~0|+|skip_connect~0|{op}~1|+|skip_connect~0|none~1|{op}~2|"
            ))
        };
        let (large, small, pooled, skipped) = (
            cell("nor_conv_3x3"),
            cell("nor_conv_1x1"),
            cell("avg_pool_3x3"),
            cell("skip_connect"),
        );
        assert!(
            large > small && small > skipped && skipped > pooled,
            "{large} {small} {skipped} {pooled}"
        );
        assert!(large < 80.0 && pooled > 30.0, "{large} {pooled}");
    }

    /// The published network has full depth; its MACs are within the range of the space's.
    #[test]
    fn accuracies_of_proxylessnas_are_those_of_its_size_less_the_drop() {
        let space = &PROXYLESS_NAS_MIXED;
        let input = space.default_input();
        let model = AccuracyModel::new(space, input, 1000, 0.0);
        let mut rng = Seed(2).stream("designs");
        for _ in 0..20 {
            let design = space.sample(&mut rng);
            let accuracy = model.accuracy_percent(&design, &mut rng);
            let network = space.lower(&design, input, 1000);
            // From half of 320 million to twice as many: 71.8 to 77.4 %, less at most the drop of 4 bits everywhere.
            assert!((160e6..640e6).contains(&(network.macs() as f64)), "{}", network.macs());
            assert!((61.4..77.4).contains(&accuracy), "{accuracy}");
            assert!(
                accuracy < PROXYLESS_PERCENT + PERCENT_PER_DOUBLING * (network.macs() as f64 / PROXYLESS_MACS).log2()
            );
        }
    }

    /// Top-1 of MobileNet-V2 at uniform bits in HAQ.
    #[test]
    fn accuracies_of_mobilenet_v2_are_the_published_ones() {
        let space = &MobileNetV2Bits;
        let model = AccuracyModel::new(space, space.default_input(), 1000, 0.0);
        for (bits, published) in [(4, 61.39), (5, 68.84), (6, 71.25), (8, 71.81)] {
            let policy = Architecture(vec![bits - 2; 102]);
            let accuracy = model.accuracy_percent(&policy, &mut Seed(3).stream("noise"));
            assert!((accuracy - published).abs() < 0.5, "{bits} bits: {accuracy}");
        }
    }
}
