//! Every architecture of a space that can be listed: slow where evaluations are, and never wrong about what is best.

use super::archive::Archive;
use super::{Evaluator, Outcome, Problem, Searcher};
use crate::error::{Error, Result};
use crate::space::{Architecture, SearchSpace};

/// Architectures evaluated at once.
const BATCH: usize = 4_096;

/// Evaluates all candidates in order, or the first of them if the budget is smaller than the space.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExhaustiveSearch;

impl Searcher for ExhaustiveSearch {
    fn id(&self) -> &'static str {
        "exhaustive"
    }

    fn search(
        &self,
        space: &dyn SearchSpace,
        evaluator: &dyn Evaluator,
        problem: &Problem,
        budget: usize,
    ) -> Result<Outcome> {
        let listed = space.enumerable().ok_or_else(|| Error::Invalid {
            what: "exhaustive search".into(),
            expected: "a search space small enough to list".into(),
            found: format!("`{}`, which is not", space.id()),
            hint: "Use nsga2 or random instead.".into(),
        })?;
        let mut archive = Archive::new(evaluator, problem)?;
        let architectures = (0..listed.size()).map(|index| listed.at(index));
        let mut candidates = architectures.filter(|one| problem.admits(space, one));
        loop {
            let wanted = BATCH.min(budget - archive.evaluations());
            let batch: Vec<Architecture> = candidates.by_ref().take(wanted).collect();
            if batch.is_empty() {
                break;
            }
            archive.evaluate(&batch)?;
        }
        Ok(archive.outcome(candidates.next().is_none(), budget))
    }
}
