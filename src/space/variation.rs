//! How new architectures are made of others: genes redrawn, genes of two parents mixed.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;

use super::{Architecture, SearchSpace};

/// Every gene drawn uniformly.
pub(super) fn uniform<S: SearchSpace + ?Sized>(space: &S, rng: &mut StdRng) -> Architecture {
    let choices = space.choices().iter();
    Architecture(choices.map(|&choices| rng.random_range(0..choices)).collect())
}

/// A copy in which each gene is redrawn to another choice with probability `rate`, and at least one active gene is.
pub(super) fn redrawn<S: SearchSpace + ?Sized>(
    space: &S,
    architecture: &Architecture,
    rate: f64,
    rng: &mut StdRng,
) -> Architecture {
    let mut genes = architecture.0.clone();
    let active = space.active_genes(architecture);
    let forced = (0..genes.len()).filter(|&position| active[position]).choose(rng);
    for (position, gene) in genes.iter_mut().enumerate() {
        if forced == Some(position) || rng.random_bool(rate) {
            let choices = space.choices()[position];
            *gene = (*gene + rng.random_range(1..choices)) % choices;
        }
    }
    Architecture(genes)
}

/// Every gene from one of two parents, with equal chances.
pub(super) fn uniform_crossover(mother: &Architecture, father: &Architecture, rng: &mut StdRng) -> Architecture {
    let genes = mother.0.iter().zip(&father.0);
    Architecture(genes.map(|(&a, &b)| if rng.random() { a } else { b }).collect())
}

/// A copy with random choices for genes that do not matter, so that what begins to matter is not the same always.
pub(super) fn with_drawn_inactive_genes<S: SearchSpace + ?Sized>(
    space: &S,
    architecture: &Architecture,
    rng: &mut StdRng,
) -> Architecture {
    let mut drawn = architecture.clone();
    let inactive = (space.active_genes(architecture).into_iter().enumerate()).filter(|(_, active)| !active);
    for (position, _) in inactive {
        drawn.0[position] = rng.random_range(0..space.choices()[position]);
    }
    drawn
}

/// Every gene from one of two parents, with equal chances where it matters in both, else from the one in which it does.
pub(super) fn crossover_of_active_genes<S: SearchSpace + ?Sized>(
    space: &S,
    mother: &Architecture,
    father: &Architecture,
    rng: &mut StdRng,
) -> Architecture {
    let [in_mother, in_father] = [mother, father].map(|parent| space.active_genes(parent));
    let mixed = (0..space.choices().len()).map(|position| {
        let from_mother = match (in_mother[position], in_father[position]) {
            (true, false) => true,
            (false, true) => false,
            _ => rng.random(),
        };
        let parent = if from_mother { mother } else { father };
        parent.0[position]
    });
    Architecture(mixed.collect())
}
