//! Which architectures were evaluated already? No search evaluates one twice.

use std::collections::HashSet;

use rand::Rng;
use rand::rngs::StdRng;

use super::Problem;
use crate::space::{Architecture, Enumerable, SearchSpace};

/// Spaces up to this size are ticked off in a list (16 MiB at most), larger ones remembered one by one.
const LISTED_SIZE: usize = 1 << 24;
/// Draws after which a space counts as nearly used up.
const DRAWS: usize = 64;

/// The candidates of a space that were taken.
pub(super) struct Visited<'a> {
    space: &'a dyn SearchSpace,
    problem: &'a Problem,
    /// Of a space that is listed, what cannot be taken any more.
    listed: Option<(&'a dyn Enumerable, Vec<bool>)>,
    remembered: HashSet<Architecture>,
}

impl<'a> Visited<'a> {
    pub(super) fn new(space: &'a dyn SearchSpace, problem: &'a Problem) -> Self {
        let listed = space.enumerable().filter(|listed| listed.size() <= LISTED_SIZE);
        Visited {
            space,
            problem,
            listed: listed.map(|listed| (listed, vec![false; listed.size()])),
            remembered: HashSet::new(),
        }
    }

    /// The space that they belong to.
    pub(super) fn space(&self) -> &'a dyn SearchSpace {
        self.space
    }

    /// The form in which an architecture is looked at.
    pub(super) fn searched_form(&self, architecture: &Architecture) -> Architecture {
        self.problem.searched_form(self.space, architecture)
    }

    /// Takes an architecture; false if it was taken before or is no candidate.
    pub(super) fn take(&mut self, architecture: &Architecture) -> bool {
        let fresh = match &mut self.listed {
            Some((space, taken)) => !std::mem::replace(&mut taken[space.index(architecture)], true),
            None => !self.remembered.contains(architecture) && self.remembered.insert(architecture.clone()),
        };
        fresh && self.problem.admits(self.space, architecture)
    }

    /// Takes a candidate at random that was not taken before.
    ///
    /// In a listed space there is one until all are taken: after enough vain draws the next free one after a random
    /// place serves. In other spaces, `None` means that draws found nothing new.
    pub(super) fn take_random(&mut self, rng: &mut StdRng) -> Option<Architecture> {
        for _ in 0..DRAWS {
            let drawn = self.searched_form(&self.space.sample(rng));
            if self.take(&drawn) {
                return Some(drawn);
            }
        }
        let size = self.listed.as_ref()?.1.len();
        let start = rng.random_range(0..size);
        (start..size).chain(0..start).find_map(|index| {
            let free = self.free(index)?;
            self.take(&free).then_some(free)
        })
    }

    /// Whether no candidate is left; never known in spaces that are not listed.
    pub(super) fn is_exhausted(&self) -> bool {
        let Some((_, taken)) = &self.listed else { return false };
        let mut left = (0..taken.len()).filter_map(|index| self.free(index));
        !left.any(|one| self.problem.admits(self.space, &one))
    }

    /// The architecture at a position of a listed space, if it was not taken.
    fn free(&self, index: usize) -> Option<Architecture> {
        let (space, taken) = self.listed.as_ref()?;
        (!taken[index]).then(|| space.at(index))
    }
}
