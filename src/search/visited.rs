//! Which architectures were evaluated already? No search asks twice about one.

use std::collections::HashSet;

use rand::Rng;
use rand::rngs::StdRng;

use crate::space::{Architecture, Enumerable, SearchSpace};

/// Spaces up to this size are ticked off in a list (16 MiB at most), larger ones remembered one by one.
const LISTED_SIZE: usize = 1 << 24;
/// Draws after which a space counts as nearly used up.
const DRAWS: usize = 64;

/// The architectures of a space that were taken.
pub(super) struct Visited<'a> {
    space: &'a dyn SearchSpace,
    /// For every architecture of a space that is ticked off, whether it was taken.
    listed: Option<(&'a dyn Enumerable, Vec<bool>)>,
    remembered: HashSet<Architecture>,
}

impl<'a> Visited<'a> {
    pub(super) fn new(space: &'a dyn SearchSpace) -> Self {
        let listed = space.enumerable().filter(|listed| listed.size() <= LISTED_SIZE);
        Visited {
            space,
            listed: listed.map(|listed| (listed, vec![false; listed.size()])),
            remembered: HashSet::new(),
        }
    }

    /// The space that they belong to.
    pub(super) fn space(&self) -> &'a dyn SearchSpace {
        self.space
    }

    /// Takes an architecture; false if it was taken before.
    pub(super) fn take(&mut self, architecture: &Architecture) -> bool {
        match &mut self.listed {
            Some((space, taken)) => !std::mem::replace(&mut taken[space.index(architecture)], true),
            None => !self.remembered.contains(architecture) && self.remembered.insert(architecture.clone()),
        }
    }

    /// Takes an architecture at random that was not taken before.
    ///
    /// In a listed space there is one until all are taken: after enough vain draws the next free one after a random
    /// place serves. In other spaces, `None` means that draws found nothing new.
    pub(super) fn take_random(&mut self, rng: &mut StdRng) -> Option<Architecture> {
        for _ in 0..DRAWS {
            let drawn = self.space.sample(rng);
            if self.take(&drawn) {
                return Some(drawn);
            }
        }
        let (space, listed) = self.listed.as_mut()?;
        let (before, after) = listed.split_at(rng.random_range(0..listed.len()));
        let free = |part: &[bool]| part.iter().position(|taken| !taken);
        let index = free(after)
            .map(|offset| before.len() + offset)
            .or_else(|| free(before))?;
        listed[index] = true;
        Some(space.at(index))
    }
}
