//! Designs from the policy: its first choice gene by gene, and samples without replacement.
//!
//! The samples are a stochastic beam search (Kool, van Hoof & Welling, *Stochastic Beams and Where to Find Them*, ICML
//! 2019): the designs whose log-probabilities, each with Gumbel noise added, are largest, found from the first gene on by
//! keeping the best hypotheses. They are distributed as samples drawn one after another, none twice, and every one is a
//! canonical design, since only the canonical choices of the gene in turn are looked at.

use std::ops::RangeInclusive;

use burn::tensor::{Tensor, TensorData};
use rand::Rng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use super::net::{Policy, integers};
use crate::compute::ComputeDevice;
use crate::space::{Architecture, SearchSpace};

/// Beam hypotheses worked on in one pass, few enough to stay in the processor's cache.
const ROWS: usize = 1024;

/// The first genes of a design.
#[derive(Clone)]
struct BeamHypothesis {
    /// Row of the state that holds what the policy knows after these genes.
    row: usize,
    genes: Vec<u8>,
    log_probability: f64,
    /// The log-probability with its Gumbel noise.
    perturbed: f64,
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
    let mut state = policy.read(inputs);
    let mut searches: Vec<Search> = rngs
        .iter()
        .enumerate()
        .map(|(row, rng)| Search::start(row, rng.clone(), samples))
        .collect();
    let mut offset = 0;
    let choices = space.choices();
    for (position, &choice_count) in choices.iter().enumerate() {
        let rows: Vec<&BeamHypothesis> = searches.iter().flat_map(Search::rows).collect();
        let sources: Vec<usize> = rows.iter().map(|one| one.row).collect();
        let before: Vec<usize> = rows
            .iter()
            .map(|one| match one.genes.last() {
                Some(&gene) => 1 + offset - usize::from(choices[position - 1]) + usize::from(gene),
                None => 0,
            })
            .collect();
        let before = integers(before.into_iter(), sources.len(), device);
        state = policy.step(state.select(&sources, device), before);
        let logits = policy.logits(&state, offset..offset + usize::from(choice_count));
        let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
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
            log_probability: 0.0,
            perturbed: 0.0,
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
        // The choices that a hypothesis can go on with, and their log-probabilities.
        let options = |genes: &[u8], row: usize| {
            let range = allowed(genes);
            let logits = &logits[row * choices..(row + 1) * choices];
            let logits = &logits[usize::from(*range.start())..=usize::from(*range.end())];
            range.zip(log_probabilities(logits))
        };
        let likeliest = options(&self.greedy.genes, row).max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        self.greedy.genes.push(likeliest.map_or(0, |best| best.0));
        self.greedy.row = row;
        let mut candidates: Vec<(f64, f64, usize, u8)> = Vec::with_capacity(self.beams.len() * choices);
        for (beam, parent) in self.beams.iter().enumerate() {
            let children: Vec<(u8, f64, f64)> = options(&parent.genes, row + 1 + beam)
                .map(|(gene, value)| (gene, parent.log_probability + value))
                .map(|(gene, value)| (gene, value, value + gumbel(&mut self.rng)))
                .collect();
            let largest = children.iter().map(|child| child.2).fold(f64::NEG_INFINITY, f64::max);
            for (gene, log_probability, noisy) in children {
                candidates.push((truncated(noisy, largest, parent.perturbed), log_probability, beam, gene));
            }
        }
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
        candidates.truncate(samples);
        let after = row + 1 + self.beams.len();
        self.beams = candidates
            .into_iter()
            .map(|(perturbed, log_probability, beam, gene)| {
                let mut genes = self.beams[beam].genes.clone();
                genes.push(gene);
                BeamHypothesis {
                    row: row + 1 + beam,
                    genes,
                    log_probability,
                    perturbed,
                }
            })
            .collect();
        after
    }

    fn designs(self) -> Vec<Architecture> {
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

fn log_probabilities(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - largest).exp()).sum();
    logits
        .iter()
        .map(|&logit| f64::from(logit - largest) - sum.ln())
        .collect()
}

fn gumbel(rng: &mut StdRng) -> f64 {
    // In (0, 1]: the logarithm below must not see zero.
    let uniform = 1.0 - rng.random::<f64>();
    -(-uniform.ln()).max(f64::MIN_POSITIVE).ln()
}

/// Moves a noisy value so that the largest of its siblings becomes `top`: Gumbel noise given its maximum, in the stable
/// form of appendix B.3 of the paper.
fn truncated(noisy: f64, largest: f64, top: f64) -> f64 {
    let gap = noisy - largest;
    if gap >= 0.0 {
        return top;
    }
    let shifted = top - noisy + (-gap.exp()).ln_1p();
    top - shifted.max(0.0) - (-shifted.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    /// Gene 0 is 0 with 70 %; gene 1 is 0 with 20 %.
    fn draw(seed: usize, samples: usize) -> Vec<Vec<u8>> {
        let mut search = Search::start(0, Seed(9).child("draw", seed).stream("gumbel"), samples);
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
        let mut search = Search::start(0, Seed(2).stream("gumbel"), 4);
        for _ in 0..2 {
            // Behind a one only a one can follow.
            search.extend(&even, 0, 2, 4, |genes| genes.last().copied().unwrap_or(0)..=1);
        }
        for beam in search.beams {
            found.push((beam.genes, beam.log_probability.exp()));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let genes: Vec<&[u8]> = found.iter().map(|one| one.0.as_slice()).collect();
        assert_eq!(genes, [[0, 0], [0, 1], [1, 1]]);
        for (one, expected) in found.iter().zip([0.25, 0.25, 0.5]) {
            assert!((one.1 - expected).abs() < 1e-6, "{found:?}");
        }
    }
}
