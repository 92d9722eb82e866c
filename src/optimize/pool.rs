//! The designs that answers are looked for among while training: all of them in small spaces, in large ones the elites of all
//! regions, what was an answer lately, and samples of the policy (expert iteration).

use std::cmp::Reverse;
use std::collections::HashSet;

use rand::Rng;
use rand::rngs::StdRng;

use super::elites::Elites;
use super::judged::Judged;
use crate::predict::Predictor;
use crate::space::Architecture;

/// The designs of answers, the most accurate first.
pub(super) struct Pool {
    pub(super) judged: Judged,
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

/// Generations of children in a refresh, and before the first answer.
const GENERATIONS: usize = 4;
const FIRST_GENERATIONS: usize = 48;
/// Part of the pool that children of one generation, and samples of the policy, are at most.
const RENEWED: usize = 4;

impl Pool {
    /// All architectures of an enumerable space whose output depends on their input.
    pub(super) fn of_table(predictor: &Predictor) -> Option<Pool> {
        let table = predictor.table()?;
        let connected = |position: &usize| predictor.space.output_depends_on_input(&table.architectures[*position]);
        let kept: Vec<usize> = (0..table.architectures.len()).filter(connected).collect();
        let accuracies = table.accuracies.iter();
        let all = Judged {
            designs: table.architectures.clone(),
            bases: table.bases.map(|_, basis| basis.clone()),
            accuracy: accuracies.map(|accuracy| accuracy.percent.mean as f32).collect(),
        };
        let last_answer = vec![0; kept.len()];
        Some(Pool::of_judged(all.select(&kept), last_answer))
    }

    /// A pool of these designs.
    pub(super) fn of_designs(predictor: &Predictor, designs: Vec<Architecture>, last_answer: Vec<usize>) -> Pool {
        Pool::of_judged(Judged::of(predictor, designs), last_answer)
    }

    fn of_judged(judged: Judged, last_answer: Vec<usize>) -> Pool {
        let mut order: Vec<usize> = (0..judged.designs.len()).collect();
        order.sort_by(|&a, &b| judged.accuracy[b].total_cmp(&judged.accuracy[a]).then(a.cmp(&b)));
        Pool {
            judged: judged.select(&order),
            last_answer: order.iter().map(|&index| last_answer[index]).collect(),
        }
    }

    /// Up to `count` architectures drawn from the space and evolved in all regions.
    pub(super) fn evolved(predictor: &Predictor, elites: &mut Elites, count: usize, rng: &mut StdRng) -> Pool {
        let space = predictor.space;
        let drawn = (0..count).map(|_| predictor.searched_form(&space.sample(rng)));
        let mut seen = HashSet::new();
        let drawn = drawn.filter(|one| space.output_depends_on_input(one) && seen.insert(one.clone()));
        let drawn: Vec<Architecture> = drawn.collect();
        let last_answer = vec![0; drawn.len()];
        let pool = Pool::of_designs(predictor, drawn, last_answer);
        elites.offer(&pool.judged);
        pool.bred(predictor, elites, FIRST_GENERATIONS, count, seen, rng)
    }

    /// The pool with samples of the policy and with what evolution finds in a few generations. Elites and what was an answer
    /// last stay, as many as `count` designs.
    pub(super) fn refreshed(
        mut self,
        predictor: &Predictor,
        elites: &mut Elites,
        samples: Vec<Architecture>,
        round: usize,
        count: usize,
        rng: &mut StdRng,
    ) -> Pool {
        let space = predictor.space;
        let mut seen: HashSet<Architecture> = self.judged.designs.iter().cloned().collect();
        let samples = samples.into_iter().map(|one| predictor.searched_form(&one));
        let fresh = samples.filter(|one| space.output_depends_on_input(one) && seen.insert(one.clone()));
        let fresh = Judged::of(predictor, fresh.take(count / RENEWED).collect());
        elites.offer(&fresh);
        self.last_answer.extend(std::iter::repeat_n(round, fresh.designs.len()));
        self.judged.append(fresh);
        self.bred(predictor, elites, GENERATIONS, count, seen, rng)
    }

    fn bred(
        mut self,
        predictor: &Predictor,
        elites: &mut Elites,
        generations: usize,
        count: usize,
        mut seen: HashSet<Architecture>,
        rng: &mut StdRng,
    ) -> Pool {
        for _ in 0..generations {
            let children = elites.children(predictor, (count / RENEWED).max(1), &mut seen, rng);
            let children = Judged::of(predictor, children);
            elites.offer(&children);
            // What is no elite never comes to the pool.
            let kept = elites.designs();
            let positions = 0..children.designs.len();
            let positions: Vec<usize> = positions.filter(|&one| kept.contains(&children.designs[one])).collect();
            self.last_answer.extend(std::iter::repeat_n(0, positions.len()));
            self.judged.append(children.select(&positions));
        }
        let kept = elites.designs();
        let mut order: Vec<usize> = (0..self.judged.designs.len()).collect();
        order.sort_by_key(|&index| Reverse((kept.contains(&self.judged.designs[index]), self.last_answer[index])));
        order.truncate(count);
        let last_answer = order.iter().map(|&index| self.last_answer[index]).collect();
        Pool::of_judged(self.judged.select(&order), last_answer)
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
        for (index, &accuracy) in self.judged.accuracy.iter().enumerate() {
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
        (0..self.judged.designs.len())
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

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::*;
    use crate::predict::DeviceMetrics;
    use crate::seed::Seed;

    /// Three designs of 90, 89.9 and 80 %.
    fn pool() -> Pool {
        let designs = (0..3).map(|gene| Architecture(vec![gene])).collect();
        let bases = DeviceMetrics::new(DMatrix::zeros(1, 3));
        // Given in another order, to be sorted.
        let accuracy = vec![80.0, 90.0, 89.9];
        let pool = Pool::of_judged(
            Judged {
                designs,
                bases,
                accuracy,
            },
            vec![0; 3],
        );
        assert_eq!(pool.judged.designs[0].0, [1]);
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
