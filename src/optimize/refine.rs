//! A short evolution around the designs to start from, for many queries in step: what they ask for in a round is encoded at
//! once, each design once, since what a predictor computes of a design alone serves every device.

use std::collections::HashMap;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rayon::prelude::*;

use super::Request;
use super::propose::Candidates;
use super::verify::{PredictorEvaluator, Proposals};
use crate::predict::Predictor;
use crate::space::{Architecture, SearchSpace};

/// Designs judged in a round for one query.
const ROUND: usize = 32;
/// The best designs that others are made of.
const PARENTS: usize = 8;
/// Share of the designs of a round that are neighbours of a parent; the others are children of two.
const NEIGHBOURS: f64 = 0.5;
/// Share of the children that are mutated besides.
const MUTATED: f64 = 0.5;
/// Attempts at a new child for each that is wanted.
const ATTEMPTS: usize = 4;
/// Designs drawn where there is nothing to start from.
const DRAWS: usize = 64;
/// How often as many designs may be judged again as long as none keeps the limits: near the strictest limit of a space few do.
const EXTENSIONS: usize = 3;
/// Queries answered in step, which bounds the memory that it takes.
const QUERIES: usize = 256;

/// One query with the designs that were judged for it.
pub(super) struct Refinement<'a> {
    candidates: Candidates<'a>,
    space: &'static dyn SearchSpace,
    /// Designs that may still be judged.
    budget: usize,
    /// The budget of each extension, and how many are left.
    refinement: usize,
    extensions: usize,
    repaired: bool,
    rng: StdRng,
    /// To be judged next.
    waiting: Vec<Architecture>,
}

impl<'a> Refinement<'a> {
    /// Starts from these designs, or if none of them may be proposed from some that are drawn at random.
    pub(super) fn new(
        evaluator: PredictorEvaluator<'a>,
        request: &'a Request,
        designs: Vec<Architecture>,
        mut rng: StdRng,
    ) -> Self {
        let space = evaluator.predictor().space;
        let mut candidates = Candidates::new(evaluator, space, request);
        let mut waiting = candidates.fresh(designs);
        if waiting.is_empty() {
            waiting = candidates.fresh((0..DRAWS).map(|_| space.sample(&mut rng)).collect());
        }
        Refinement {
            candidates,
            space,
            budget: request.refinement,
            refinement: request.refinement,
            extensions: EXTENSIONS,
            repaired: false,
            rng,
            waiting,
        }
    }

    /// Chooses what is judged next; nothing when it is done.
    fn advance(&mut self) {
        if self.budget == 0 && self.extensions > 0 && !self.candidates.any_holds() {
            self.extensions -= 1;
            self.budget = self.refinement;
        }
        if self.budget == 0 {
            return;
        }
        if !self.repaired {
            self.repaired = true;
            self.waiting = self.candidates.repairs();
        }
        if self.waiting.is_empty() {
            self.waiting = self.bred(ROUND.min(self.budget));
            self.budget -= self.waiting.len();
        }
    }

    /// New designs around the best ones: neighbours of them, and children of two of them.
    fn bred(&mut self, count: usize) -> Vec<Architecture> {
        let (space, rng) = (self.space, &mut self.rng);
        let parents = self.candidates.best(PARENTS);
        let rate = 1.0 / space.choices().len() as f64;
        let mut bred = Vec::new();
        for _ in 0..ATTEMPTS * count {
            let (Some(mother), Some(father)) = (parents.choose(rng), parents.choose(rng)) else {
                break;
            };
            let child = if rng.random_bool(NEIGHBOURS) {
                // One gene is always redrawn.
                space.mutate(mother, 0.0, rng)
            } else {
                let child = space.crossover(mother, father, rng);
                if rng.random_bool(MUTATED) {
                    space.mutate(&child, rate, rng)
                } else {
                    child
                }
            };
            bred.extend(self.candidates.fresh(vec![child]));
            if bred.len() >= count {
                break;
            }
        }
        bred
    }
}

/// Refines all of them as far as their requests allow.
pub(super) fn refined(predictor: &Predictor, mut queries: Vec<Refinement>) -> Vec<Option<Proposals>> {
    for part in queries.chunks_mut(QUERIES) {
        while part.iter().any(|query| !query.waiting.is_empty()) {
            judge(predictor, part);
            part.par_iter_mut().for_each(Refinement::advance);
        }
    }
    queries
        .into_par_iter()
        .map(|query| query.candidates.proposals())
        .collect()
}

/// Judges what the queries wait for.
fn judge(predictor: &Predictor, queries: &mut [Refinement]) {
    if predictor.table().is_some() {
        // Nothing is left to encode.
        queries.par_iter_mut().for_each(|query| {
            let waiting = std::mem::take(&mut query.waiting);
            query.candidates.judge(waiting);
        });
        return;
    }
    let mut places: HashMap<&Architecture, usize> = HashMap::new();
    let mut designs: Vec<Architecture> = Vec::new();
    let mut positions: Vec<Vec<usize>> = Vec::with_capacity(queries.len());
    for query in queries.iter() {
        let place = |design| {
            *places.entry(design).or_insert_with(|| {
                designs.push(design.clone());
                designs.len() - 1
            })
        };
        positions.push(query.waiting.iter().map(place).collect());
    }
    let encoded = predictor.encode(&designs);
    let (bases, accuracies) = (predictor.bases(&encoded), predictor.accuracies(&designs, &encoded));
    queries.par_iter_mut().zip(positions).for_each(|(query, positions)| {
        let waiting = std::mem::take(&mut query.waiting);
        query.candidates.judge_among(waiting, &positions, &bases, &accuracies);
    });
}
