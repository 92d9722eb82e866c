//! What can be built: search spaces, their architectures, and the layers that these lower to.
//!
//! A search space is a list of genes, each with a number of choices. To add one, write one file here and name it in
//! [`all`]; the conformance tests run over that list.

#[cfg(test)]
mod conformance;
mod design;
pub(crate) mod fbnet;
mod nasbench201;
mod network;
mod physical;

use std::fmt;

use rand::Rng;
use rand::rngs::StdRng;

use crate::error::{Error, Result};

pub use design::{Design, Precision, QuantPolicy};
pub use fbnet::FbNet;
pub use nasbench201::NasBench201;
pub use network::{Convolution, FeatureMap, Layer, LayerKind, Network};
pub use physical::PHYSICAL_FEATURES;

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
                (width > 0 && height > 0).then_some(InputSize { width, height })
            })
            .ok_or_else(|| Error::Invalid {
                what: "input size".into(),
                expected: "WIDTHxHEIGHT in pixels".into(),
                found: format!("`{text}`"),
                hint: "Write it as in 32x32.".into(),
            })
    }
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

    /// A key shared by the architectures that compute the same function.
    fn isomorphism_key(&self, architecture: &Architecture) -> String;

    /// The layers that really run, dead ones removed, for a batch of one and `classes` outputs.
    fn lower(&self, architecture: &Architecture, input: InputSize, classes: u32) -> Network;

    /// As [`SearchSpace::lower`], with the layers that the architecture names but that cannot affect the output. It is
    /// what published counts include and what eager execution runs: latencies measured that way follow this network, those
    /// of compiled graphs the other. The same network where a space has no such layers.
    fn lower_as_written(&self, architecture: &Architecture, input: InputSize, classes: u32) -> Network {
        self.lower(architecture, input, classes)
    }

    /// Number of architectures, where they can be listed; `None` for spaces too large for that.
    fn size(&self) -> Option<usize>;

    /// The architecture at a position in `0..size`, in the order in which genes count up, last gene fastest.
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

    /// The position of an architecture, the inverse of [`SearchSpace::at`].
    fn index(&self, architecture: &Architecture) -> usize {
        self.choices()
            .iter()
            .zip(&architecture.0)
            .fold(0, |index, (&choices, &gene)| {
                index * usize::from(choices) + usize::from(gene)
            })
    }

    /// An architecture drawn uniformly over the genes.
    fn sample(&self, rng: &mut StdRng) -> Architecture {
        Architecture(
            self.choices()
                .iter()
                .map(|&choices| rng.random_range(0..choices))
                .collect(),
        )
    }

    /// A copy in which each gene is redrawn to another choice with probability `rate`, and at least one gene is.
    fn mutate(&self, architecture: &Architecture, rate: f64, rng: &mut StdRng) -> Architecture {
        let mut genes = architecture.0.clone();
        let forced = rng.random_range(0..genes.len());
        for (position, gene) in genes.iter_mut().enumerate() {
            if position == forced || rng.random_bool(rate) {
                let choices = self.choices()[position];
                *gene = (*gene + rng.random_range(1..choices)) % choices;
            }
        }
        Architecture(genes)
    }
}

/// Every search space that edgefit knows.
pub fn all() -> [&'static dyn SearchSpace; 2] {
    [&NasBench201, &FbNet]
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
