//! Designs from the policy: its first choice gene by gene, and samples without replacement.
//!
//! The samples are a stochastic beam search (Kool, van Hoof & Welling, *Stochastic Beams and Where to Find Them*, ICML
//! 2019): the designs whose log-probabilities, each with Gumbel noise added, are largest, found from the first gene on by
//! keeping the best hypotheses. They are distributed as samples drawn one after another, none twice, and every one is a
//! canonical design, since only the canonical choices of the gene in turn are looked at.
//!
//! Instead of a log-probability with its noise `G` a hypothesis has the time `exp(-G)`, at which the first of all designs that begin
//! so arrives, each after an exponential time at the rate of its probability. One choice of the next gene holds that design, by its
//! share of the probability; what is left of the time until the others' is exponential again, since that has no memory. Times
//! here count from the first arrival of all.

use std::ops::RangeInclusive;

use burn::tensor::{Tensor, TensorData};
use rand::Rng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use super::net::Policy;
use super::unroll::{Step, Unrolled};
use crate::compute::ComputeDevice;
use crate::space::{Architecture, SearchSpace};

/// Beam hypotheses worked on in one pass, few enough to stay in the processor's cache.
const ROWS: usize = 256;

/// The first genes of a design.
#[derive(Clone)]
struct BeamHypothesis {
    /// Row of the state that holds what the policy knows after these genes.
    row: usize,
    genes: Vec<u8>,
    probability: f64,
    /// When the first of the designs that begin so arrives; see the module.
    arrival: f64,
}

/// A hypothesis with one more gene.
struct Candidate {
    /// Position of the hypothesis.
    beam: usize,
    gene: u8,
    probability: f64,
    arrival: f64,
}

/// One query in decoding.
struct Search {
    rng: StdRng,
    greedy: BeamHypothesis,
    beams: Vec<BeamHypothesis>,
}

/// For each query, its greedy design and then up to `samples` others drawn from the policy, none twice.
///
/// `queries` holds rows of `width` numbers, `rngs` one generator per query; a query's designs do not depend on the others.
pub fn decode(
    policy: &Policy,
    space: &dyn SearchSpace,
    queries: &[f32],
    width: usize,
    samples: usize,
    rngs: &[StdRng],
    device: &ComputeDevice,
) -> Vec<Vec<Architecture>> {
    let queries_per_part = (ROWS / (samples + 1)).max(1);
    queries
        .par_chunks(width * queries_per_part)
        .zip(rngs.par_chunks(queries_per_part))
        .flat_map(|(queries, rngs)| decode_part(policy, space, queries, width, samples, rngs, device))
        .collect()
}

fn decode_part(
    policy: &Policy,
    space: &dyn SearchSpace,
    queries: &[f32],
    width: usize,
    samples: usize,
    rngs: &[StdRng],
    device: &ComputeDevice,
) -> Vec<Vec<Architecture>> {
    let count = queries.len() / width;
    let inputs = Tensor::<2>::from_data(TensorData::new(queries.to_vec(), [count, width]), device);
    let mut policy = Unrolled::read(policy, inputs, device);
    let mut searches: Vec<Search> = rngs
        .iter()
        .enumerate()
        .map(|(row, rng)| Search::start(row, rng.clone(), samples))
        .collect();
    let mut offset = 0;
    let choices = space.choices();
    for (position, &choice_count) in choices.iter().enumerate() {
        let steps: Vec<Step> = searches
            .iter()
            .enumerate()
            .flat_map(|(query, search)| search.rows().map(move |one| (query, one)))
            .map(|(query, one)| Step {
                row: one.row,
                query,
                before: match one.genes.last() {
                    Some(&gene) => 1 + offset - usize::from(choices[position - 1]) + usize::from(gene),
                    None => 0,
                },
            })
            .collect();
        policy.step(&steps);
        let logits = policy.logits(offset..offset + usize::from(choice_count));
        let mut row = 0;
        for search in &mut searches {
            row = search.extend(&logits, row, usize::from(choice_count), samples, |genes| {
                space.canonical_choices(genes)
            });
        }
        offset += usize::from(choice_count);
    }
    searches.into_iter().map(Search::designs).collect()
}

impl Search {
    fn start(row: usize, rng: StdRng, samples: usize) -> Search {
        let root = BeamHypothesis {
            row,
            genes: Vec::new(),
            probability: 1.0,
            arrival: 0.0,
        };
        Search {
            rng,
            beams: vec![root.clone(); samples.min(1)],
            greedy: root,
        }
    }

    fn rows(&self) -> impl Iterator<Item = &BeamHypothesis> {
        std::iter::once(&self.greedy).chain(&self.beams)
    }

    /// Adds one gene, of the choices that are allowed behind the genes before. This search's logits start at `row`; returns the
    /// row after them.
    fn extend(
        &mut self,
        logits: &[f32],
        row: usize,
        choices: usize,
        samples: usize,
        allowed: impl Fn(&[u8]) -> RangeInclusive<u8>,
    ) -> usize {
        // The choices that a hypothesis can go on with, and their logits.
        let options = |genes: &[u8], row: usize| {
            let range = allowed(genes);
            let logits = &logits[row * choices..(row + 1) * choices];
            let logits = &logits[usize::from(*range.start())..=usize::from(*range.end())];
            (range, logits)
        };
        let (range, of_range) = options(&self.greedy.genes, row);
        let likeliest = range
            .zip(of_range)
            .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
        self.greedy.genes.push(likeliest.map_or(0, |best| best.0));
        self.greedy.row = row;
        let mut candidates = candidates(&self.beams, |beam, genes| options(genes, row + 1 + beam), &mut self.rng);
        if candidates.len() > samples {
            candidates.select_nth_unstable_by(samples, |a, b| a.arrival.total_cmp(&b.arrival));
            candidates.truncate(samples);
        }
        let after = row + 1 + self.beams.len();
        let extended = candidates.into_iter().map(|candidate| {
            let mut genes = self.beams[candidate.beam].genes.clone();
            genes.push(candidate.gene);
            BeamHypothesis {
                row: row + 1 + candidate.beam,
                genes,
                probability: candidate.probability,
                arrival: candidate.arrival,
            }
        });
        self.beams = extended.collect();
        after
    }

    /// The greedy design, then the samples, so that fewer are the first of more.
    fn designs(mut self) -> Vec<Architecture> {
        self.beams.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
        let greedy = self.greedy.genes;
        let others: Vec<Vec<u8>> = self
            .beams
            .into_iter()
            .map(|beam| beam.genes)
            .filter(|genes| *genes != greedy)
            .collect();
        std::iter::once(greedy).chain(others).map(Architecture).collect()
    }
}

/// All hypotheses with every choice of one more gene. `options` gives the choices that a hypothesis can go on with, and their logits.
fn candidates<'a>(
    beams: &[BeamHypothesis],
    options: impl Fn(usize, &[u8]) -> (RangeInclusive<u8>, &'a [f32]),
    rng: &mut StdRng,
) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (beam, parent) in beams.iter().enumerate() {
        let (range, logits) = options(beam, &parent.genes);
        let shares = shares(logits);
        let first = drawn(&shares, rng);
        for (choice, (gene, share)) in range.zip(shares).enumerate() {
            let probability = parent.probability * share;
            let wait = if choice == first {
                0.0
            } else {
                exponential(rng) / probability
            };
            candidates.push(Candidate {
                beam,
                gene,
                probability,
                arrival: parent.arrival + wait,
            });
        }
    }
    candidates
}

/// Probabilities of choices.
fn shares(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut shares: Vec<f64> = logits.iter().map(|&logit| f64::from(logit - largest).exp()).collect();
    let sum: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= sum);
    shares
}

/// A position, drawn by its share.
fn drawn(shares: &[f64], rng: &mut StdRng) -> usize {
    let mut left = rng.random::<f64>();
    let passed = shares.iter().position(|share| {
        left -= share;
        left < 0.0
    });
    // Rounding may leave next to nothing behind the last.
    passed.unwrap_or(shares.len().saturating_sub(1))
}

/// An exponential time at rate 1.
fn exponential(rng: &mut StdRng) -> f64 {
    // In (0, 1]: the logarithm must not see zero.
    -(1.0 - rng.random::<f64>()).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    /// Gene 0 is 0 with 70 %; gene 1 is 0 with 20 %.
    fn draw(seed: usize, samples: usize) -> Vec<Vec<u8>> {
        let mut search = Search::start(0, Seed(9).child("draw", seed).stream("arrivals"), samples);
        for odds in [[0.7_f32, 0.3], [0.2, 0.8]] {
            // The same for every hypothesis.
            let logits: Vec<f32> = odds
                .iter()
                .map(|odds| odds.ln())
                .cycle()
                .take(2 * (1 + samples))
                .collect();
            search.extend(&logits, 0, 2, samples, |_| 0..=1);
        }
        search.beams.into_iter().map(|beam| beam.genes).collect()
    }

    #[test]
    fn one_sample_has_the_probabilities_of_the_policy() {
        let draws: Vec<Vec<u8>> = (0..4000).flat_map(|seed| draw(seed, 1)).collect();
        for (genes, probability) in [([0, 0], 0.14), ([0, 1], 0.56), ([1, 0], 0.06), ([1, 1], 0.24)] {
            let share = draws.iter().filter(|one| **one == genes).count() as f64 / 4000.0;
            // Four standard errors of a share of 4,000 draws.
            let error = 4.0 * (probability * (1.0 - probability) / 4000.0_f64).sqrt();
            assert!((share - probability).abs() < error, "{genes:?}: {share}");
        }
    }

    #[test]
    fn two_samples_differ_and_are_drawn_without_replacement() {
        let mut rare = 0;
        for seed in 0..4000 {
            let found = draw(seed, 2);
            assert!(found.len() == 2 && found[0] != found[1]);
            rare += usize::from(found.contains(&vec![1, 0]));
        }
        // P = 0.06 + sum over the other first draws p of p * 0.06 / (1 - p)
        //   = 0.06 * (1 + 0.14 / 0.86 + 0.56 / 0.44 + 0.24 / 0.76) = 0.1651
        let share = f64::from(rare as u32) / 4000.0;
        let error = 4.0 * (0.1651 * 0.8349 / 4000.0_f64).sqrt();
        assert!((share - 0.1651).abs() < error, "{share}");
    }

    #[test]
    fn all_samples_are_the_whole_space() {
        let mut found = draw(1, 8);
        found.sort();
        assert_eq!(found, [[0, 0], [0, 1], [1, 0], [1, 1]]);
    }

    #[test]
    fn a_gene_without_a_choice_takes_nothing_from_the_probability() {
        let (even, mut found) = ([0.5_f32.ln(); 10], Vec::new());
        let mut search = Search::start(0, Seed(2).stream("arrivals"), 4);
        for _ in 0..2 {
            // Behind a one only a one can follow.
            search.extend(&even, 0, 2, 4, |genes| genes.last().copied().unwrap_or(0)..=1);
        }
        for beam in search.beams {
            found.push((beam.genes, beam.probability));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let genes: Vec<&[u8]> = found.iter().map(|one| one.0.as_slice()).collect();
        assert_eq!(genes, [[0, 0], [0, 1], [1, 1]]);
        for (one, expected) in found.iter().zip([0.25, 0.25, 0.5]) {
            assert!((one.1 - expected).abs() < 1e-6, "{found:?}");
        }
    }
}
