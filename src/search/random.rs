//! Architectures drawn at random: what every other search has to beat.

use super::archive::Archive;
use super::visited::Visited;
use super::{Evaluator, Outcome, Problem, Searcher};
use crate::error::Result;
use crate::seed::Seed;
use crate::space::{Architecture, SearchSpace};

/// Architectures evaluated at once.
const BATCH: usize = 4_096;

/// Evaluates architectures drawn uniformly, each at most once.
#[derive(Debug, Clone, Copy)]
pub struct RandomSearch {
    /// Where the draws come from.
    pub seed: Seed,
}

impl Searcher for RandomSearch {
    fn id(&self) -> &'static str {
        "random"
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
        while archive.evaluations() < budget {
            let wanted = BATCH.min(budget - archive.evaluations());
            let batch: Vec<Architecture> = (0..wanted).map_while(|_| visited.take_random(&mut rng)).collect();
            if batch.is_empty() {
                break;
            }
            archive.evaluate(&batch)?;
        }
        Ok(archive.outcome(visited.is_exhausted(), budget))
    }
}
