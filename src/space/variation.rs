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
