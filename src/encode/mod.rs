//! Architectures as feature vectors: their genes, and what their layers cost on paper.
//!
//! The physical features are taken twice, of the network as written (eager execution runs dead layers too) and of the
//! live network (compilers remove them), each raw and in log; see [`crate::space::PHYSICAL_FEATURES`]. Where genes say bits, networks
//! are written without dead layers, and the second time everything is counted by the bits.

mod paths;

use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::profile::{COUNTS, Work};
use crate::space::{Architecture, InputSize, PHYSICAL_FEATURES, SearchSpace};

pub use paths::PathEncoder;

/// Columns that vary less than this, relative to their size, over the training architectures carry nothing.
const CONSTANT: f64 = 1e-6;

/// Largest input and most classes of a saved encoder.
const MAX_CLASSES: u32 = 1 << 20;

/// The live quantities whose minimum over the space marks a network that computes next to nothing. The last two features
/// are one where they are at that minimum, else zero.
const DEGENERATE_QUANTITIES: [&str; 2] = ["kernel_launches", "convolution_layers"];

/// Physical features of one architecture, see [`PHYSICAL_FEATURES`].
#[derive(Debug, Clone, PartialEq)]
pub struct Physics {
    /// Of the network as the architecture names it.
    pub written: Vec<f64>,
    /// Of the network without layers that cannot affect the output, counted by their bits.
    pub live: Vec<f64>,
    /// Counts of each kind of work, see [`crate::profile`].
    pub work: Work,
}

impl Physics {
    /// Lowers the architecture and counts.
    pub fn of(space: &dyn SearchSpace, architecture: &Architecture, input: InputSize, classes: u32) -> Physics {
        let live = space.lower(architecture, input, classes);
        let features = live.physical_features();
        if space.has_bits() {
            return Physics {
                written: features,
                work: Work::of(&live),
                live: live.physical_features_at_bits(),
            };
        }
        if !space.names_dead_layers() {
            return Physics {
                written: features.clone(),
                work: Work::of(&live),
                live: features,
            };
        }
        // What zeros an eager runtime makes is only seen in the network as written.
        let written = space.lower_as_written(architecture, input, classes);
        Physics {
            written: if space.has_dead_layers(architecture) {
                written.physical_features()
            } else {
                features.clone()
            },
            work: Work::as_written(&written, &live),
            live: features,
        }
    }
}

/// Genes one-hot, one column per choice of every gene: `[architectures, choices]`.
pub fn one_hot(space: &dyn SearchSpace, architectures: &[Architecture]) -> DMatrix<f64> {
    let choices = space.choices();
    let width: usize = choices.iter().map(|&choices| usize::from(choices)).sum();
    let mut encoded = DMatrix::zeros(architectures.len(), width);
    for (row, one) in architectures.iter().enumerate() {
        for column in one_hot_columns(choices, one) {
            encoded[(row, column)] = 1.0;
        }
    }
    encoded
}

/// The one-hot columns that are one, in order of the genes.
fn one_hot_columns(choices: &[u8], architecture: &Architecture) -> impl Iterator<Item = usize> {
    let mut offset = 0;
    choices.iter().zip(&architecture.0).map(move |(&choices, &gene)| {
        let column = offset + usize::from(gene);
        offset += usize::from(choices);
        column
    })
}

/// Turns architectures into standardised feature vectors. Fitted on training architectures only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encoder {
    /// Input that the architectures are lowered for.
    pub input: (u32, u32),
    /// Classes that the architectures are lowered for.
    pub classes: u32,
    /// Smallest value over the training architectures of each of the degenerate quantities.
    fewest: [f64; 2],
    kept: Vec<usize>,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    /// Input that work is counted for, where that is another one; features stay those that were learned from.
    #[serde(skip)]
    counted: Option<InputSize>,
}

impl Encoder {
    /// Fits mean and standard deviation of every feature on `architectures` and drops those that do not vary.
    pub fn fit(space: &dyn SearchSpace, architectures: &[Architecture], input: InputSize, classes: u32) -> Encoder {
        let mut encoder = Encoder {
            input: (input.width, input.height),
            classes,
            fewest: [0.0; 2],
            kept: Vec::new(),
            mean: Vec::new(),
            deviation: Vec::new(),
            counted: None,
        };
        let live: Vec<[f64; 2]> = architectures
            .par_iter()
            .map(|one| degenerate_quantities(&Physics::of(space, one, input, classes)))
            .collect();
        encoder.fewest = [0, 1].map(|quantity| live.iter().map(|row| row[quantity]).fold(f64::INFINITY, f64::min));
        let rows: Vec<Vec<f64>> = architectures.par_iter().map(|one| encoder.raw(space, one).0).collect();
        let count = rows.len().max(1) as f64;
        for column in 0..rows.first().map_or(0, Vec::len) {
            let mean = rows.iter().map(|row| row[column]).sum::<f64>() / count;
            let variance = rows.iter().map(|row| (row[column] - mean).powi(2)).sum::<f64>() / count;
            if variance.sqrt() > CONSTANT * mean.abs().max(1.0) {
                encoder.kept.push(column);
                encoder.mean.push(mean);
                encoder.deviation.push(variance.sqrt());
            }
        }
        encoder
    }

    /// Whether what was read from a file can encode architectures of `space`: else what is wrong, what it has to be, and
    /// what it is.
    pub(crate) fn check(&self, space: &dyn SearchSpace) -> Result<(), (String, String, String)> {
        let wrong =
            |what: &str, expected: String, found: String| Err((format!("{what} of the encoder"), expected, found));
        let (width, height) = self.input;
        for (what, size, most) in [
            ("input width", width, InputSize::MAX_EDGE),
            ("input height", height, InputSize::MAX_EDGE),
            ("classes", self.classes, MAX_CLASSES),
        ] {
            if !(1..=most).contains(&size) {
                return wrong(what, format!("1 to {most}"), size.to_string());
            }
        }
        let genes: usize = space.choices().iter().map(|&choices| usize::from(choices)).sum();
        let raw = genes + 4 * PHYSICAL_FEATURES.len() + DEGENERATE_QUANTITIES.len();
        let rising = self.kept.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || self.kept.last().is_none_or(|&last| last >= raw) {
            return wrong(
                "positions",
                format!("rising ones among {raw} features"),
                "others".into(),
            );
        }
        for (what, values) in [("mean", &self.mean), ("deviation", &self.deviation)] {
            if values.len() != self.kept.len() {
                return wrong(what, format!("{} entries", self.kept.len()), values.len().to_string());
            }
        }
        let numbers = self.mean.iter().chain(&self.fewest).all(|value| value.is_finite());
        if numbers && self.deviation.iter().all(|value| value.is_finite() && *value > 0.0) {
            Ok(())
        } else {
            let expected = "finite numbers, the deviations positive";
            wrong("mean and deviation", expected.into(), "others".into())
        }
    }

    /// The same features of architectures that run at another input size, at which their work is counted.
    pub fn at_input(&self, input: InputSize) -> Encoder {
        Encoder {
            counted: (input != self.learned_input()).then_some(input),
            ..self.clone()
        }
    }

    /// Input size that the architectures run at.
    pub fn input_size(&self) -> InputSize {
        self.counted.unwrap_or(self.learned_input())
    }

    /// Input size that features are of.
    pub fn learned_input(&self) -> InputSize {
        InputSize {
            width: self.input.0,
            height: self.input.1,
        }
    }

    /// Number of features of an encoded architecture.
    pub fn width(&self) -> usize {
        self.kept.len()
    }

    /// Standardised features, one column per architecture: `[width, architectures]`.
    pub fn encode(&self, space: &dyn SearchSpace, architectures: &[Architecture]) -> DMatrix<f32> {
        self.encode_and_count(space, architectures).0
    }

    /// As [`Encoder::encode`], with the counts of each kind of work, `[COUNTS, architectures]`.
    pub fn encode_and_count(
        &self,
        space: &dyn SearchSpace,
        architectures: &[Architecture],
    ) -> (DMatrix<f32>, DMatrix<f32>) {
        let mut encoded = DMatrix::zeros(self.width(), architectures.len());
        let mut counts = DMatrix::zeros(COUNTS, architectures.len());
        let columns = encoded.as_mut_slice().par_chunks_mut(self.width().max(1));
        let counted = counts.as_mut_slice().par_chunks_mut(COUNTS);
        (columns.zip(counted).zip(architectures)).for_each(|((column, counts), one)| {
            let (raw, work) = self.raw(space, one);
            for (position, value) in column.iter_mut().enumerate() {
                *value = ((raw[self.kept[position]] - self.mean[position]) / self.deviation[position]) as f32;
            }
            for (to, from) in counts.iter_mut().zip(&work.counts) {
                *to = *from as f32;
            }
        });
        (encoded, counts)
    }

    /// Genes one-hot, then the physical features: written, their logs, live, their logs; last the degenerate features.
    fn raw(&self, space: &dyn SearchSpace, architecture: &Architecture) -> (Vec<f64>, Work) {
        let choices = space.choices();
        let genes: usize = choices.iter().map(|&choices| usize::from(choices)).sum();
        let mut raw = vec![0.0; genes];
        for column in one_hot_columns(choices, architecture) {
            raw[column] = 1.0;
        }
        let physics = Physics::of(space, architecture, self.learned_input(), self.classes);
        raw.reserve(4 * PHYSICAL_FEATURES.len());
        for features in [&physics.written, &physics.live] {
            raw.extend(features);
            raw.extend(features.iter().map(|value| value.ln_1p()));
        }
        let quantities = degenerate_quantities(&physics);
        raw.extend([0, 1].map(|quantity| f64::from(u8::from(quantities[quantity] <= self.fewest[quantity]))));
        let work = match self.counted {
            Some(input) => Physics::of(space, architecture, input, self.classes).work,
            None => physics.work,
        };
        (raw, work)
    }
}

fn degenerate_quantities(physics: &Physics) -> [f64; 2] {
    DEGENERATE_QUANTITIES.map(|name| {
        let position = PHYSICAL_FEATURES.iter().position(|feature| *feature == name);
        position.map_or(0.0, |position| physics.live[position])
    })
}
