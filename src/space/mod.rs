//! What can be built: search spaces, their architectures, and the layers that these lower to.
//!
//! A search space is a list of genes, each with a number of choices. To add one, write one folder here and name it in
//! [`all`]; the conformance tests run over that list.

mod configuration;
#[cfg(test)]
mod conformance;
mod design;
mod domain;
mod excerpt;
pub(crate) mod fbnet;
mod layer_names;
mod mixed_precision;
mod mobilenet_v2;
mod nasbench201;
mod nasbench_macro;
mod neighbourhood;
mod network;
pub(crate) mod once_for_all;
mod physical;
mod precision;
mod quant_policy;
mod supernet;
mod variation;

use std::fmt;
use std::ops::RangeInclusive;

use rand::rngs::StdRng;

use crate::error::{Error, Result};
use neighbourhood::Neighbourhood;

pub use design::Design;
pub use domain::Domain;
pub use fbnet::FbNet;
pub(crate) use layer_names::EPSILON;
pub use layer_names::LayerNames;
pub use mixed_precision::{MobileNetV2Bits, NasBench201Mixed, PROXYLESS_NAS_MIXED, ProxylessNasMixed};
pub use mobilenet_v2::MobileNetV2;
pub use nasbench_macro::NasBenchMacro;
pub use nasbench201::NasBench201;
pub use network::{
    Activation, Convolution, FeatureMap, InvertedResidual, Layer, LayerBits, Network, NetworkBuilder, Node, Operation,
    Pooling, PoolingKind, Shape,
};
pub use once_for_all::{MOBILENET_V3, MOBILENET_V3_W12, OnceForAll, PROXYLESS_NAS};
pub use physical::PHYSICAL_FEATURES;
pub use precision::Precision;
pub use quant_policy::{FloatGroup, FloatGroups, QuantPolicy};
pub use supernet::Supernet;

/// One architecture of a search space: the choice made for every gene.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Architecture(pub Vec<u8>);

/// Size of the input an architecture is run on, `width` x `height` pixels, as in `32x32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InputSize {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl InputSize {
    /// Longest edge in pixels that anything is computed for.
    pub const MAX_EDGE: u32 = 1 << 14;

    /// A square.
    pub const fn square(edge: u32) -> InputSize {
        InputSize {
            width: edge,
            height: edge,
        }
    }
}

impl fmt::Display for InputSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl std::str::FromStr for InputSize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.split_once('x')
            .and_then(|(width, height)| {
                let (width, height) = (width.parse().ok()?, height.parse().ok()?);
                let edges = 1..=InputSize::MAX_EDGE;
                (edges.contains(&width) && edges.contains(&height)).then_some(InputSize { width, height })
            })
            .ok_or_else(|| Error::Invalid {
                what: "input size".into(),
                expected: format!("WIDTHxHEIGHT, each 1 to {} pixels", InputSize::MAX_EDGE),
                found: format!("`{text}`"),
                hint: "Write it as in 32x32.".into(),
            })
    }
}

/// What a choice says of bits, and what it says besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitsOfChoice {
    /// The bits.
    pub bits: u8,
    /// What choices have in common that differ in bits alone.
    pub besides: u8,
}

/// An operation on a path through a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathOperation {
    /// Choice of the gene that says what it is.
    pub kind: u8,
    /// Bits of its weights; 0 where genes say none.
    pub bits: u8,
}

/// A family of architectures that share their genes.
pub trait SearchSpace: Send + Sync {
    /// The name used on the command line and in datasets, such as `nasbench201`.
    fn id(&self) -> &'static str;

    /// Number of choices of every gene, in order. Its length is the number of genes.
    fn choices(&self) -> &[u8];

    /// Reads the string form that the space's community uses.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the offending part.
    fn parse(&self, text: &str) -> Result<Architecture>;

    /// Writes the string form; [`SearchSpace::parse`] reads it back to the same architecture.
    fn print(&self, architecture: &Architecture) -> String;

    /// A key shared by the architectures that compute the same function: the canonical form, printed, where that tells them apart.
    fn isomorphism_key(&self, architecture: &Architecture) -> String {
        self.print(&self.canonical(architecture))
    }

    /// The layers that really run, dead ones removed, for a batch of one and `classes` outputs, on images of the size
    /// that [`SearchSpace::input`] gives.
    fn lower(&self, architecture: &Architecture, input: InputSize, classes: u32) -> Network;

    /// As [`SearchSpace::lower`], with the layers that the architecture names but that cannot affect the output. It is
    /// what published counts include and what eager execution runs: latencies measured that way follow this network, those
    /// of compiled graphs the other. The same network where a space has no such layers.
    fn lower_as_written(&self, architecture: &Architecture, input: InputSize, classes: u32) -> Network {
        self.lower(architecture, input, classes)
    }

    /// Whether architectures of the space can name layers that cannot affect the output. Where they cannot,
    /// [`SearchSpace::lower_as_written`] gives nothing that [`SearchSpace::lower`] does not.
    fn names_dead_layers(&self) -> bool {
        false
    }

    /// Whether the architecture names layers that cannot affect the output, so that [`SearchSpace::lower_as_written`] gives more
    /// than [`SearchSpace::lower`].
    fn has_dead_layers(&self, _architecture: &Architecture) -> bool {
        false
    }

    /// What the space's reference implementation calls the parameters of the layers that have any, in the order of
    /// [`SearchSpace::lower_as_written`]; without those that are dead, in the order of [`SearchSpace::lower`]. Empty where a
    /// space has no reference implementation.
    fn layer_names(&self, _architecture: &Architecture) -> Vec<LayerNames> {
        Vec::new()
    }

    /// What batch normalisation adds to a variance before it takes the root, in the space's reference implementation.
    fn normalization_epsilon(&self) -> f32 {
        EPSILON
    }

    /// What a choice of a gene says of bits; `None` for genes that say nothing of them.
    fn bits_of_choice(&self, _gene: usize, _choice: u8) -> Option<BitsOfChoice> {
        None
    }

    /// Whether genes say bits too, so that an architecture of the space is one together with its quantization policy. Layers without
    /// bits of their own then have [`Precision::Int8`].
    fn has_bits(&self) -> bool {
        (0..self.choices().len()).any(|gene| self.bits_of_choice(gene, 0).is_some())
    }

    /// The space of the same architectures without their quantization policies, where genes say bits and there is one.
    fn base(&self) -> Option<&'static dyn SearchSpace> {
        None
    }

    /// The architecture in the space that [`SearchSpace::base`] gives; the architecture itself where there is none.
    fn without_bits(&self, architecture: &Architecture) -> Architecture {
        architecture.clone()
    }

    /// The space as one whose architectures take their weights from a supernet; `None` where each is trained on its own.
    fn supernet(&self) -> Option<&dyn Supernet> {
        None
    }

    /// Whether the network's output depends on its input. Where it does not, its accuracy is that of guessing.
    fn output_depends_on_input(&self, architecture: &Architecture) -> bool {
        self.lower(architecture, self.default_input(), 2)
            .output_depends_on_input()
    }

    /// The input that the space's networks were published for.
    fn default_input(&self) -> InputSize;

    /// The input that an architecture runs on where `given` is asked for: its own resolution where that is a gene, else `given`.
    fn input(&self, architecture: &Architecture, given: InputSize) -> InputSize {
        self.own_input(architecture).unwrap_or(given)
    }

    /// The resolution of an architecture where that is a gene.
    fn own_input(&self, _architecture: &Architecture) -> Option<InputSize> {
        None
    }

    /// Whether the resolution is a gene, so that every architecture has its own.
    fn resolution_is_a_gene(&self) -> bool {
        self.own_input(&Architecture(vec![0; self.choices().len()])).is_some()
    }

    /// The operations on every path from a cell's input to its output, in order, without identities. None where there is but one
    /// path, of which genes say everything.
    fn paths(&self, _: &Architecture) -> Vec<Vec<PathOperation>> {
        Vec::new()
    }

    /// The representative of the architectures that differ only in choices that do not matter: those of inactive genes, and
    /// where identities stand. It computes the same function, has the same [`SearchSpace::isomorphism_key`], and is its own
    /// representative. Architectures with different ones may still compute the same function.
    fn canonical(&self, architecture: &Architecture) -> Architecture {
        architecture.clone()
    }

    /// The choices that the gene behind these first genes can have in a canonical form: all of its own, where the space does not
    /// know better. Whoever writes genes one after another within them spends no chance on what does not matter.
    fn canonical_choices(&self, before: &[u8]) -> RangeInclusive<u8> {
        let choices = self.choices().get(before.len()).copied().unwrap_or(1);
        0..=choices.saturating_sub(1)
    }

    /// For every gene, whether another choice for it alone would change the network that is left without dead layers. All of them
    /// where a space has no genes that depend on others.
    fn active_genes(&self, architecture: &Architecture) -> Vec<bool> {
        vec![true; architecture.0.len()]
    }

    /// The architectures one step away: those with another choice for one active gene, in canonical form, each once and
    /// never the architecture itself. Where genes matter only together, a step may change several. All of a space can be
    /// reached in such steps.
    fn neighbours(&self, architecture: &Architecture) -> Vec<Architecture> {
        Neighbourhood::of_active_genes(self, architecture).found
    }

    /// Whether this is an architecture of the space: one choice for every gene, among those that there are.
    fn contains(&self, architecture: &Architecture) -> bool {
        let choices = self.choices();
        architecture.0.len() == choices.len()
            && architecture.0.iter().zip(choices).all(|(gene, choices)| gene < choices)
    }

    /// The form in which searches look at an architecture: the canonical one, so that none is judged twice. In spaces that can
    /// be listed every architecture stands for itself, as it does in tables of them.
    fn searched_form(&self, architecture: Architecture) -> Architecture {
        if self.enumerable().is_some() {
            architecture
        } else {
            self.canonical(&architecture)
        }
    }

    /// The space as one whose architectures can be listed; `None` where there are too many.
    fn enumerable(&self) -> Option<&dyn Enumerable> {
        None
    }

    /// An architecture drawn uniformly over the genes; in canonical form where depths are genes.
    fn sample(&self, rng: &mut StdRng) -> Architecture {
        variation::uniform(self, rng)
    }

    /// A copy in which each gene is redrawn to another choice with probability `rate`, and at least one active gene is; in
    /// canonical form where depths are genes.
    fn mutate(&self, architecture: &Architecture, rate: f64, rng: &mut StdRng) -> Architecture {
        variation::redrawn(self, architecture, rate, rng)
    }

    /// An architecture with every gene from one of two parents, with equal chances; in canonical form where depths are genes.
    fn crossover(&self, mother: &Architecture, father: &Architecture, rng: &mut StdRng) -> Architecture {
        variation::uniform_crossover(mother, father, rng)
    }
}

/// A search space small enough to list, in the order in which genes count up, last gene fastest.
pub trait Enumerable: SearchSpace {
    /// Number of architectures.
    fn size(&self) -> usize {
        self.choices().iter().map(|&choices| usize::from(choices)).product()
    }

    /// The architecture at a position in `0..size`.
    fn at(&self, index: usize) -> Architecture {
        let mut rest = index;
        let mut genes: Vec<u8> = self
            .choices()
            .iter()
            .rev()
            .map(|&choices| {
                let gene = rest % usize::from(choices);
                rest /= usize::from(choices);
                gene as u8
            })
            .collect();
        genes.reverse();
        Architecture(genes)
    }

    /// Every architecture, in order.
    fn architectures(&self) -> Vec<Architecture> {
        (0..self.size()).map(|index| self.at(index)).collect()
    }

    /// The position of an architecture of the space, the inverse of [`Enumerable::at`].
    fn index(&self, architecture: &Architecture) -> usize {
        self.choices()
            .iter()
            .zip(&architecture.0)
            .fold(0, |index, (&choices, &gene)| {
                index * usize::from(choices) + usize::from(gene)
            })
    }
}

/// Every search space that edgefit knows.
pub fn all() -> [&'static dyn SearchSpace; 10] {
    [
        &NasBench201,
        &FbNet,
        &MobileNetV2,
        &MOBILENET_V3,
        &MOBILENET_V3_W12,
        &NasBenchMacro,
        &PROXYLESS_NAS,
        &NasBench201Mixed,
        &PROXYLESS_NAS_MIXED,
        &MobileNetV2Bits,
    ]
}

/// The search space with this id.
///
/// # Errors
/// [`Error::Unknown`] with the nearest known id.
pub fn by_id(id: &str) -> Result<&'static dyn SearchSpace> {
    all()
        .into_iter()
        .find(|space| space.id() == id)
        .ok_or_else(|| Error::Unknown {
            kind: "search space",
            name: id.into(),
            known: all().iter().map(|space| space.id().into()).collect(),
        })
}
