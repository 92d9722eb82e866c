//! The designs that answers are looked for among while training: all of them in small spaces, an elite in large ones.
//!
//! The elite starts as a random sample. Designs that were answers are mutated, and these children, with samples of the
//! policy itself, take the places of designs that were not answers for longest (expert iteration).

use std::collections::HashSet;

use nalgebra::DMatrix;
use rand::Rng;
use rand::rngs::StdRng;

use crate::predict::{DeviceMetrics, Predictor};
use crate::space::Architecture;

/// Designs with what queries need to know about them, the most accurate first.
pub(super) struct Pool {
    pub(super) designs: Vec<Architecture>,
    /// Per metric `[COUNTS + rank, designs]`.
    pub(super) bases: DeviceMetrics<DMatrix<f32>>,
    /// In percent.
    pub(super) accuracy: Vec<f32>,
    /// Number of the refresh in which a design was last an answer.
    pub(super) last_answer: Vec<usize>,
}

/// The limits and weights of a query for one device, per design of the pool.
#[derive(Default)]
pub(super) struct ConstraintQuery<'a> {
    /// Per limited metric: upper bounds of the logarithm, and the logarithm of the limit.
    pub(super) limits: Vec<(&'a [f32], f32)>,
    /// Per weighted metric: percentage points that a design's value of it costs.
    pub(super) costs: Vec<Vec<f32>>,
}

/// Most near-best designs that an answer is drawn from.
const MAX_NEAR: usize = 64;

impl Pool {
    /// All architectures of an enumerable space whose output depends on their input.
    pub(super) fn of_table(predictor: &Predictor) -> Option<Pool> {
        let table = predictor.table()?;
        let connected = |position: &usize| predictor.space.output_depends_on_input(&table.architectures[*position]);
        let kept: Vec<usize> = (0..table.architectures.len()).filter(connected).collect();
        let architecture = |&position: &usize| table.architectures[position].clone();
        let accuracy = |&position: &usize| table.accuracies[position].percent.mean as f32;
        Some(sorted(
            kept.iter().map(architecture).collect(),
            &table.bases.map(|_, basis| basis.select_columns(&kept)),
            kept.iter().map(accuracy).collect(),
            vec![0; kept.len()],
        ))
    }

    /// A pool of these designs.
    pub(super) fn of_designs(predictor: &Predictor, designs: Vec<Architecture>, last_answer: Vec<usize>) -> Pool {
        let encoded = predictor.encode(&designs);
        let accuracies = predictor.accuracies(&designs, &encoded);
        let accuracy = accuracies.iter().map(|accuracy| accuracy.percent.mean as f32).collect();
        sorted(designs, &predictor.bases(&encoded), accuracy, last_answer)
    }

    /// Up to `count` architectures drawn from the space, without those whose output does not depend on their input.
    pub(super) fn draw(predictor: &Predictor, count: usize, rng: &mut StdRng) -> Vec<Architecture> {
        let drawn = (0..count).map(|_| predictor.space.sample(rng));
        drawn
            .filter(|one| predictor.space.output_depends_on_input(one))
            .collect()
    }

    /// Replaces designs that were not answers lately by mutations of those that were and by `samples` of the policy.
    pub(super) fn refresh(
        self,
        predictor: &Predictor,
        samples: Vec<Architecture>,
        round: usize,
        renewed: usize,
        rng: &mut StdRng,
    ) -> Pool {
        let mut seen: HashSet<Architecture> = self.designs.iter().cloned().collect();
        let elite: Vec<&Architecture> = (0..self.designs.len())
            .filter(|&index| self.last_answer[index] == round)
            .map(|index| &self.designs[index])
            .collect();
        let mut is_new = |one: &Architecture| predictor.space.output_depends_on_input(one) && seen.insert(one.clone());
        let mut fresh: Vec<Architecture> = samples.into_iter().filter(&mut is_new).collect();
        fresh.truncate(renewed / 2);
        let rate = 1.0 / predictor.space.choices().len() as f64;
        // A small space can run out of mutations, so the attempts are counted.
        for _ in 0..4 * renewed {
            if fresh.len() >= renewed {
                break;
            }
            let child = if elite.is_empty() {
                predictor.space.sample(rng)
            } else {
                predictor
                    .space
                    .mutate(elite[rng.random_range(0..elite.len())], rate, rng)
            };
            if is_new(&child) {
                fresh.push(child);
            }
        }
        let mut order: Vec<usize> = (0..self.designs.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(self.last_answer[index]));
        order.truncate(self.designs.len().saturating_sub(fresh.len()));
        let mut last_answer: Vec<usize> = order.iter().map(|&index| self.last_answer[index]).collect();
        last_answer.extend(std::iter::repeat_n(round, fresh.len()));
        let mut designs: Vec<Architecture> = order.into_iter().map(|index| self.designs[index].clone()).collect();
        designs.extend(fresh);
        Pool::of_designs(predictor, designs, last_answer)
    }

    /// A design within `tolerance` percentage points of the best that meets the limits, better ones more likely; where
    /// none meets them, the one that misses them least.
    pub(super) fn answer(&self, query: &ConstraintQuery, tolerance: f32, rng: &mut StdRng) -> usize {
        let cheapest: f32 = query
            .costs
            .iter()
            .map(|costs| costs.iter().copied().fold(f32::INFINITY, f32::min))
            .sum();
        let mut best = f32::NEG_INFINITY;
        let mut near: Vec<(usize, f32)> = Vec::new();
        for (index, &accuracy) in self.accuracy.iter().enumerate() {
            // Accuracies fall, so no later design can come near the best.
            if accuracy - cheapest < best - tolerance {
                break;
            }
            if query.limits.iter().any(|(upper, limit)| upper[index] > *limit) {
                continue;
            }
            let score = accuracy - query.costs.iter().map(|costs| costs[index]).sum::<f32>();
            if score >= best - tolerance {
                best = best.max(score);
                near.push((index, score));
            }
        }
        near.retain(|(_, score)| *score >= best - tolerance);
        near.sort_by(|a, b| b.1.total_cmp(&a.1));
        near.truncate(MAX_NEAR);
        draw(&near, tolerance, rng).unwrap_or_else(|| self.closest(query))
    }

    fn closest(&self, query: &ConstraintQuery) -> usize {
        let miss = |index: usize| -> f32 {
            let misses = query
                .limits
                .iter()
                .map(|(upper, limit)| (upper[index] - limit).max(0.0));
            misses.sum()
        };
        (0..self.designs.len())
            .min_by(|&a, &b| miss(a).total_cmp(&miss(b)))
            .unwrap_or(0)
    }
}

/// Draws from designs sorted by score, the best with weight one, one that is `tolerance` worse with weight zero.
fn draw(near: &[(usize, f32)], tolerance: f32, rng: &mut StdRng) -> Option<usize> {
    let best = near.first()?.1;
    let weights: Vec<f32> = near
        .iter()
        .map(|(_, score)| {
            if tolerance > 0.0 {
                1.0 - (best - score) / tolerance
            } else {
                1.0
            }
        })
        .collect();
    let mut rest = rng.random::<f32>() * weights.iter().sum::<f32>();
    for ((index, _), weight) in near.iter().zip(weights) {
        rest -= weight;
        if rest <= 0.0 {
            return Some(*index);
        }
    }
    Some(near.first()?.0)
}

fn sorted(
    designs: Vec<Architecture>,
    bases: &DeviceMetrics<DMatrix<f32>>,
    accuracy: Vec<f32>,
    last_answer: Vec<usize>,
) -> Pool {
    let mut order: Vec<usize> = (0..designs.len()).collect();
    order.sort_by(|&a, &b| accuracy[b].total_cmp(&accuracy[a]).then(a.cmp(&b)));
    Pool {
        bases: bases.map(|_, basis| basis.select_columns(&order)),
        accuracy: order.iter().map(|&index| accuracy[index]).collect(),
        last_answer: order.iter().map(|&index| last_answer[index]).collect(),
        designs: order.into_iter().map(|index| designs[index].clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    /// Three designs of 90, 89.9 and 80 %.
    fn pool() -> Pool {
        let designs = (0..3).map(|gene| Architecture(vec![gene])).collect();
        let bases = DeviceMetrics::new(DMatrix::zeros(1, 3));
        // Given in another order, to be sorted.
        let pool = sorted(designs, &bases, vec![80.0, 90.0, 89.9], vec![0; 3]);
        assert_eq!(pool.designs[0].0, [1]);
        pool
    }

    fn answers(query: &ConstraintQuery, tolerance: f32) -> Vec<usize> {
        let mut rng = Seed(1).stream("answers");
        let mut answers: Vec<usize> = (0..50).map(|_| pool().answer(query, tolerance, &mut rng)).collect();
        answers.sort_unstable();
        answers.dedup();
        answers
    }

    #[test]
    fn answers_are_near_the_best_within_the_limit() {
        let upper = [3.0, 2.0, 1.0];
        let within = |limit: f32| ConstraintQuery {
            limits: vec![(&upper, limit)],
            costs: Vec::new(),
        };
        assert_eq!(answers(&within(3.0), 0.0), [0]);
        assert_eq!(answers(&within(3.0), 0.2), [0, 1]);
        assert_eq!(answers(&within(2.5), 0.2), [1]);
        assert_eq!(answers(&within(1.5), 0.2), [2]);
        // Nothing is below 0.5; the third misses it least.
        assert_eq!(answers(&within(0.5), 0.2), [2]);
    }

    #[test]
    fn a_cost_outweighs_accuracy() {
        // 90 - 15, 89.9 - 10, 80 - 0: the last, though it is the least accurate.
        let query = ConstraintQuery {
            limits: Vec::new(),
            costs: vec![vec![15.0, 10.0, 0.0]],
        };
        assert_eq!(answers(&query, 0.0), [2]);
        // 79.9 is within 0.2 of 80.
        assert_eq!(answers(&query, 0.2), [1, 2]);
    }
}
