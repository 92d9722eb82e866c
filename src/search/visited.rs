//! Which architectures were evaluated already? No search asks twice about one.

use std::collections::HashSet;

use rand::Rng;
use rand::rngs::StdRng;

use crate::space::{Architecture, SearchSpace};

/// Spaces up to this size are ticked off in a list (16 MiB at most), larger ones remembered one by one.
const LISTED_SIZE: usize = 1 << 24;
/// Draws after which a space counts as nearly used up.
const DRAWS: usize = 64;

/// The architectures of a space that were taken.
pub(super) struct Visited<'a> {
    space: &'a dyn SearchSpace,
    listed: Vec<bool>,
    remembered: HashSet<Architecture>,
}

impl<'a> Visited<'a> {
    pub(super) fn new(space: &'a dyn SearchSpace) -> Self {
        let size = space.size().filter(|&size| size <= LISTED_SIZE).unwrap_or(0);
        Visited {
            space,
            listed: vec![false; size],
            remembered: HashSet::new(),
        }
    }

    /// The space that they belong to.
    pub(super) fn space(&self) -> &'a dyn SearchSpace {
        self.space
    }

    /// Takes an architecture; false if it was taken before.
    pub(super) fn take(&mut self, architecture: &Architecture) -> bool {
        if self.listed.is_empty() {
            return !self.remembered.contains(architecture) && self.remembered.insert(architecture.clone());
        }
        let index = self.space.index(architecture);
        !std::mem::replace(&mut self.listed[index], true)
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
        if self.listed.is_empty() {
            return None;
        }
        let (before, after) = self.listed.split_at(rng.random_range(0..self.listed.len()));
        let free = |part: &[bool]| part.iter().position(|taken| !taken);
        let index = free(after)
            .map(|offset| before.len() + offset)
            .or_else(|| free(before))?;
        self.listed[index] = true;
        Some(self.space.at(index))
    }
}
