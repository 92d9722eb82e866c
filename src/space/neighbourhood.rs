//! The architectures around one, collected in canonical form.

use std::collections::HashSet;

use super::{Architecture, SearchSpace};

/// What has been found around an architecture.
pub(super) struct Neighbourhood<'a, S: ?Sized> {
    space: &'a S,
    /// The canonical form of the architecture in the middle.
    pub(super) center: Architecture,
    seen: HashSet<Architecture>,
    /// Canonical forms other than the center, each once, in the order found.
    pub(super) found: Vec<Architecture>,
}

impl<'a, S: SearchSpace + ?Sized> Neighbourhood<'a, S> {
    /// The architectures that differ in one active gene.
    pub(super) fn of_active_genes(space: &'a S, architecture: &Architecture) -> Self {
        let center = space.canonical(architecture);
        let active = space.active_genes(&center);
        let mut around = Neighbourhood {
            space,
            seen: HashSet::from([center.clone()]),
            center,
            found: Vec::new(),
        };
        for (gene, _) in active.into_iter().enumerate().filter(|(_, active)| *active) {
            for choice in 0..space.choices()[gene] {
                around.add(&[(gene, choice)]);
            }
        }
        around
    }

    /// Adds the architecture with these choices, `(gene, choice)`, in place of the center's.
    pub(super) fn add(&mut self, changes: &[(usize, u8)]) {
        let mut changed = self.center.clone();
        for &(gene, choice) in changes {
            changed.0[gene] = choice;
        }
        let changed = self.space.canonical(&changed);
        if self.seen.insert(changed.clone()) {
            self.found.push(changed);
        }
    }
}
