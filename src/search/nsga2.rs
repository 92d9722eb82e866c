//! NSGA-II: a population that evolves towards the whole front at once
//! (Deb, Pratap, Agarwal & Meyarivan, *A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II*, IEEE TEC 6, 2002).
//!
//! Variation is that of a discrete space: the space's own crossover and mutation. No architecture is evaluated twice;
//! children that were seen before are bred again. Where the space is too large to list, its members are canonical forms, so
//! that genes that do not matter tell nothing apart.

use rand::Rng;
use rand::rngs::StdRng;

use super::archive::{Archive, MAX_AXES};
use super::nsga2_selection::{Fitness, fittest};
use super::visited::Visited;
use super::{Evaluator, Outcome, Problem, Searcher};
use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::space::{Architecture, SearchSpace};

/// Attempts at a child that was not seen before, after which one is drawn at random.
const ATTEMPTS: usize = 16;

/// Settings of [`Nsga2`], checked by [`Nsga2::new`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nsga2Parameters {
    /// Members of a generation, at least 2. Default: 100.
    pub population: usize,
    /// Probability that a child has two parents, in 0..=1. Default: 0.9.
    pub crossover_rate: f64,
    /// Probability that a gene is redrawn, in 0..=1; at least one always is. Default: one gene of all.
    pub mutation_rate: Option<f64>,
}

impl Default for Nsga2Parameters {
    fn default() -> Self {
        Nsga2Parameters {
            population: 100,
            crossover_rate: 0.9,
            mutation_rate: None,
        }
    }
}

/// The evolutionary search NSGA-II.
#[derive(Debug, Clone, Copy)]
pub struct Nsga2 {
    parameters: Nsga2Parameters,
    seed: Seed,
}

impl Nsga2 {
    /// A search with these settings.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a population of fewer than two or a rate outside of 0..=1.
    pub fn new(parameters: Nsga2Parameters, seed: Seed) -> Result<Self> {
        if parameters.population < 2 {
            return Err(Error::Invalid {
                what: "population".into(),
                expected: "at least 2 members".into(),
                found: parameters.population.to_string(),
                hint: "100 is usual.".into(),
            });
        }
        check_rate("crossover rate", parameters.crossover_rate)?;
        check_rate("mutation rate", parameters.mutation_rate.unwrap_or(0.0))?;
        Ok(Nsga2 { parameters, seed })
    }

    /// A search with the usual settings.
    pub fn usual(seed: Seed) -> Self {
        let parameters = Nsga2Parameters::default();
        Nsga2 { parameters, seed }
    }

    fn breed(&self, parents: &[Member], visited: &mut Visited<'_>, rng: &mut StdRng) -> Option<Architecture> {
        let space = visited.space();
        let mutation_rate = self
            .parameters
            .mutation_rate
            .unwrap_or(1.0 / space.choices().len() as f64);
        for _ in 0..ATTEMPTS {
            let (mother, father) = (tournament(parents, rng), tournament(parents, rng));
            let child = if rng.random_bool(self.parameters.crossover_rate) {
                space.mutate(&space.crossover(mother, father, rng), mutation_rate, rng)
            } else {
                space.mutate(mother, mutation_rate, rng)
            };
            let child = visited.searched_form(&child);
            if visited.take(&child) {
                return Some(child);
            }
        }
        visited.take_random(rng)
    }
}

impl Searcher for Nsga2 {
    fn id(&self) -> &'static str {
        "nsga2"
    }

    fn search(
        &self,
        space: &dyn SearchSpace,
        evaluator: &dyn Evaluator,
        problem: &Problem,
        budget: usize,
    ) -> Result<Outcome> {
        let mut rng = self.seed.stream("search");
        let mut visited = Visited::new(space, problem);
        let mut archive = Archive::new(evaluator, problem)?;
        let mut population: Vec<Member> = Vec::new();
        while archive.evaluations() < budget {
            let wanted = self.parameters.population.min(budget - archive.evaluations());
            let children: Vec<Architecture> = (0..wanted)
                .map_while(|_| {
                    if population.is_empty() {
                        visited.take_random(&mut rng)
                    } else {
                        self.breed(&population, &mut visited, &mut rng)
                    }
                })
                .collect();
            if children.is_empty() {
                break;
            }
            let evaluations = archive.evaluate(&children)?;
            population.extend(
                children
                    .into_iter()
                    .zip(evaluations)
                    .map(|(architecture, evaluation)| Member {
                        architecture,
                        costs: problem.costs(&evaluation),
                        violation: problem.limits.violation(&evaluation),
                        fitness: Fitness::UNKNOWN,
                    }),
            );
            population = survivors(population, problem.front.len(), self.parameters.population);
        }
        Ok(archive.outcome(visited.is_exhausted(), budget))
    }
}

/// An architecture in the population.
struct Member {
    architecture: Architecture,
    costs: [f64; MAX_AXES],
    violation: f64,
    fitness: Fitness,
}

fn check_rate(what: &str, rate: f64) -> Result<()> {
    if (0.0..=1.0).contains(&rate) {
        return Ok(());
    }
    Err(Error::Invalid {
        what: what.into(),
        expected: "a probability in 0..=1".into(),
        found: rate.to_string(),
        hint: "Leave it out for the usual one.".into(),
    })
}

fn survivors(population: Vec<Member>, axes: usize, count: usize) -> Vec<Member> {
    let costs: Vec<&[f64]> = population.iter().map(|member| &member.costs[..axes]).collect();
    let violations: Vec<f64> = population.iter().map(|member| member.violation).collect();
    let chosen = fittest(&costs, &violations, count);
    let mut pool: Vec<Option<Member>> = population.into_iter().map(Some).collect();
    chosen
        .into_iter()
        .filter_map(|(position, fitness)| {
            let member = pool[position].take()?;
            Some(Member { fitness, ..member })
        })
        .collect()
}

fn tournament<'a>(population: &'a [Member], rng: &mut StdRng) -> &'a Architecture {
    let first = &population[rng.random_range(0..population.len())];
    let second = &population[rng.random_range(0..population.len())];
    // Between equals the first drawn wins, which is as good as a coin.
    let winner = if second.fitness.beats(&first.fitness) {
        second
    } else {
        first
    };
    &winner.architecture
}
