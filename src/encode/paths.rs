//! What lies on the ways from a cell's input to its output, see [`SearchSpace::paths`]? Path encoding (White, Neiswanger & Savani,
//! *BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture Search*, AAAI 2021), with numbers of paths in
//! the place of whether there is one.
//!
//! Whichever nodes a path goes through, it does the same: unlike genes, paths do not depend on how nodes are numbered. Where
//! operations have bits a path counts three times, as its operations with their bits, as its operations and as its bits, so that
//! paths that are rare with their bits share what they have in common.

use std::collections::{BTreeMap, BTreeSet};

use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::space::{Architecture, PathOperation, SearchSpace};

/// Paths of fewer training architectures say more of these than of the path.
const FEWEST: usize = 20;
/// What is written for a path of identities.
const IDENTITY: &str = "=";

/// Turns architectures into standardised numbers of paths. Fitted on training architectures only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PathEncoder {
    /// In order of their names.
    paths: Vec<KnownPath>,
}

/// A path, or what several have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KnownPath {
    name: String,
    /// Mean number of such paths in a training architecture.
    mean: f64,
    /// Standard deviation of that number.
    deviation: f64,
}

impl KnownPath {
    fn standardised(&self, number: f64) -> f32 {
        ((number - self.mean) / self.deviation) as f32
    }
}

impl PathEncoder {
    /// The paths of at least twenty of the architectures, but for those that all of them have equally often. None in spaces
    /// without paths.
    pub fn fit(space: &dyn SearchSpace, architectures: &[Architecture]) -> PathEncoder {
        let mut sums: BTreeMap<String, (usize, f64, f64)> = BTreeMap::new();
        for architecture in architectures {
            for (name, number) in numbers(space, architecture) {
                let sum = sums.entry(name).or_default();
                *sum = (sum.0 + 1, sum.1 + number, sum.2 + number * number);
            }
        }
        let count = architectures.len() as f64;
        let known = |(name, (having, sum, squares)): (String, (usize, f64, f64))| {
            let mean = sum / count;
            let deviation = (squares / count - mean * mean).max(0.0).sqrt();
            (having >= FEWEST && deviation > super::CONSTANT).then_some(KnownPath { name, mean, deviation })
        };
        PathEncoder {
            paths: sums.into_iter().filter_map(known).collect(),
        }
    }

    /// Number of paths that are told apart.
    pub fn width(&self) -> usize {
        self.paths.len()
    }

    /// Standardised numbers of paths, one column per architecture: `[width, architectures]`.
    pub fn encode(&self, space: &dyn SearchSpace, architectures: &[Architecture]) -> DMatrix<f32> {
        let mut encoded = DMatrix::zeros(self.width(), architectures.len());
        let columns = encoded.as_mut_slice().par_chunks_mut(self.width().max(1));
        columns.zip(architectures).for_each(|(column, one)| {
            for (value, path) in column.iter_mut().zip(&self.paths) {
                *value = path.standardised(0.0);
            }
            for (name, number) in numbers(space, one) {
                if let Ok(position) = self.paths.binary_search_by(|path| path.name.cmp(&name)) {
                    column[position] = self.paths[position].standardised(number);
                }
            }
        });
        encoded
    }

    /// Whether what was read from a file can encode: else what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let rising = self.paths.windows(2).all(|pair| pair[0].name < pair[1].name);
        let sound = |path: &KnownPath| path.mean.is_finite() && path.deviation.is_finite() && path.deviation > 0.0;
        match (rising, self.paths.iter().all(sound)) {
            (true, true) => Ok(()),
            (false, _) => Err("paths that are not in order"),
            (true, false) => Err("a mean or deviation that is none"),
        }
    }
}

/// How many paths of an architecture have a name.
fn numbers(space: &dyn SearchSpace, architecture: &Architecture) -> BTreeMap<String, f64> {
    let mut numbers = BTreeMap::new();
    for path in space.paths(architecture) {
        for name in names(&path) {
            *numbers.entry(name).or_default() += 1.0;
        }
    }
    numbers
}

/// A path as its operations with bits, as its operations, and as its bits: once, where these are the same.
fn names(path: &[PathOperation]) -> BTreeSet<String> {
    let kind = |one: &PathOperation| format!("{}", one.kind);
    let with_bits = |one: &PathOperation| match one.bits {
        0 => kind(one),
        bits => format!("{}@{bits}", one.kind),
    };
    let bits = |one: &PathOperation| match one.bits {
        0 => kind(one),
        bits => format!("@{bits}"),
    };
    let name = |operation: &dyn Fn(&PathOperation) -> String| match path {
        [] => IDENTITY.into(),
        path => path.iter().map(operation).collect::<Vec<String>>().join(" "),
    };
    [name(&with_bits), name(&kind), name(&bits)].into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::space::{MOBILENET_V3, NasBench201, NasBench201Mixed};

    /// A 3x3 on the direct way to the output, a 1x1 and a pooling one after the other through the first node, identities through
    /// the second.
    const CELL: &str = "|nor_conv_1x1~0|+|skip_connect~0|none~1|+|nor_conv_3x3~0|avg_pool_3x3~1|skip_connect~2|";

    fn named(space: &dyn SearchSpace, text: &str) -> Vec<(String, f64)> {
        numbers(space, &space.parse(text).unwrap()).into_iter().collect()
    }

    #[test]
    fn paths_count_with_their_bits_and_without() {
        let expected =
            |names: &[&str]| -> Vec<(String, f64)> { names.iter().map(|&name| (name.into(), 1.0)).collect() };
        // Genes: 2 is the 1x1, 3 the 3x3, 4 the pooling.
        assert_eq!(named(&NasBench201, CELL), expected(&["2 4", "3", "="]));
        let found = named(&NasBench201Mixed, &format!("{CELL}@2-0-0-8-0-0"));
        assert_eq!(found, expected(&["2 4", "2@2 4", "3", "3@8", "=", "@2 4", "@8"]));
        // Twice the same path, through either node.
        let twice = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|skip_connect~1|skip_connect~2|";
        assert_eq!(named(&NasBench201, twice), [("3".to_string(), 2.0)]);
    }

    #[test]
    fn cells_whose_nodes_change_places_are_the_same() {
        let other = "|skip_connect~0|+|nor_conv_1x1~0|none~1|+|nor_conv_3x3~0|skip_connect~1|avg_pool_3x3~2|";
        assert_eq!(named(&NasBench201, CELL), named(&NasBench201, other));
    }

    #[test]
    fn numbers_are_standardised_and_rare_paths_left_out() {
        let read = |text: &str| NasBench201.parse(text).unwrap();
        let direct = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|";
        // Twenty cells with one path, twenty with two more; that of the last is rare.
        let mut cells = vec![read(direct); 20];
        cells.extend(vec![read(CELL); 20]);
        cells.push(read("|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|"));
        let encoder = PathEncoder::fit(&NasBench201, &cells);
        let names: Vec<&str> = encoder.paths.iter().map(|path| path.name.as_str()).collect();
        assert_eq!(names, ["2 4", "3", "="]);
        // 20 of 41 have the first: mean m = 0.4878049, deviation sqrt(m (1 - m)) = 0.4998513; of the second 40 of 41 do.
        let encoded = encoder.encode(&NasBench201, &cells);
        let expected = [
            (0, 0, -0.9759001),
            (0, 20, 1.0246951),
            (1, 0, 0.1581139),
            (1, 40, -6.3245553),
        ];
        for (row, column, value) in expected {
            assert!(
                (encoded[(row, column)] - value).abs() < 1e-5,
                "{row} {column}: {}",
                encoded[(row, column)]
            );
        }
    }

    #[test]
    fn a_chain_has_no_paths() {
        let mut rng = Seed(1).stream("networks");
        let networks: Vec<Architecture> = (0..30).map(|_| MOBILENET_V3.sample(&mut rng)).collect();
        let encoder = PathEncoder::fit(&MOBILENET_V3, &networks);
        assert_eq!(
            (encoder.width(), encoder.encode(&MOBILENET_V3, &networks).shape()),
            (0, (0, 30))
        );
    }
}
