//! Divides architectures into those learned from and those held out, so that no architecture is held out that is isomorphic
//! to one learned from: it computes the same function under another name.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::space::{Architecture, SearchSpace};

/// How much goes into the training part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Share {
    /// This share of all, from 0 to 1.
    Fraction(f64),
    /// This many.
    Count(usize),
}

/// The two parts, as positions of architectures in their dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Learned from.
    pub train: Vec<u32>,
    /// Held out.
    pub held_out: Vec<u32>,
}

/// Splits `among`, positions in `architectures`, at random. Architectures that share an isomorphism key stay together, where genes
/// say bits whatever these are;
/// the training part is the largest that can be reached by going through them once without exceeding `train`.
pub fn by_isomorphism(
    space: &dyn SearchSpace,
    architectures: &[Architecture],
    among: &[u32],
    train: Share,
    rng: &mut StdRng,
) -> Split {
    let wanted = match train {
        Share::Fraction(fraction) => (fraction.clamp(0.0, 1.0) * among.len() as f64).round() as usize,
        Share::Count(count) => count,
    };
    let mut split = Split {
        train: Vec::new(),
        held_out: Vec::new(),
    };
    let mut groups = isomorphic_groups(space, architectures, among);
    groups.shuffle(rng);
    for group in groups {
        let part = if split.train.len() + group.len() <= wanted {
            &mut split.train
        } else {
            &mut split.held_out
        };
        part.extend(group);
    }
    split.train.shuffle(rng);
    split.held_out.shuffle(rng);
    split
}

/// What architectures share that compute the same function, at whatever bits.
pub fn function_key(space: &dyn SearchSpace, architecture: &Architecture) -> String {
    match space.base() {
        Some(base) => base.isomorphism_key(&space.without_bits(architecture)),
        None => space.isomorphism_key(architecture),
    }
}

/// Groups of architectures with the same isomorphism key, in order of first appearance.
fn isomorphic_groups(space: &dyn SearchSpace, architectures: &[Architecture], among: &[u32]) -> Vec<Vec<u32>> {
    let mut groups: Vec<Vec<u32>> = Vec::new();
    let mut group_of: HashMap<String, usize> = HashMap::new();
    for &position in among {
        let key = function_key(space, &architectures[position as usize]);
        let group = *group_of.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(position);
    }
    groups
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::seed::Seed;
    use crate::space::{Enumerable, NasBench201, NasBench201Mixed};

    fn split(train: Share, seed: u64) -> (Vec<Architecture>, Split) {
        let architectures = NasBench201.architectures();
        let among: Vec<u32> = (0..15_625).step_by(5).collect();
        let split = by_isomorphism(
            &NasBench201,
            &architectures,
            &among,
            train,
            &mut Seed(seed).stream("split"),
        );
        (architectures, split)
    }

    #[test]
    fn parts_are_complete_and_share_no_isomorphism_key() {
        let (architectures, split) = split(Share::Fraction(0.6), 1);
        let keys = |part: &[u32]| -> HashSet<String> {
            part.iter()
                .map(|&position| NasBench201.isomorphism_key(&architectures[position as usize]))
                .collect()
        };
        assert!(keys(&split.train).is_disjoint(&keys(&split.held_out)));
        // The test only says something if some are isomorphic: 3,125 architectures, fewer keys.
        assert!(keys(&split.train).len() < split.train.len());
        let mut all = [split.train, split.held_out].concat();
        all.sort_unstable();
        assert_eq!(all, (0..15_625).step_by(5).collect::<Vec<u32>>());
    }

    #[test]
    fn the_training_part_has_the_requested_size() {
        // 3,125 architectures; 60 % are 1,875. Single architectures fill what larger groups leave.
        assert_eq!(split(Share::Fraction(0.6), 2).1.train.len(), 1_875);
        assert_eq!(split(Share::Count(900), 3).1.train.len(), 900);
        assert_eq!(split(Share::Count(10_000), 3).1.held_out.len(), 0);
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(split(Share::Count(900), 4), split(Share::Count(900), 4));
        assert_ne!(split(Share::Count(900), 4).1.train, split(Share::Count(900), 5).1.train);
    }

    #[test]
    fn cells_stay_together_at_all_their_bits() {
        let mut rng = Seed(4).stream("designs");
        let designs: Vec<Architecture> = (0..60).map(|_| NasBench201Mixed.sample(&mut rng)).collect();
        // Every cell with the bits drawn and with all at 8.
        let widest = |one: &Architecture| {
            let genes = one.0.iter().enumerate();
            NasBench201Mixed.canonical(&Architecture(
                genes.map(|(place, &gene)| if place < 6 { gene } else { 2 }).collect(),
            ))
        };
        let both: Vec<Architecture> = designs.iter().flat_map(|one| [one.clone(), widest(one)]).collect();
        let among: Vec<u32> = (0..both.len() as u32).collect();
        let split = by_isomorphism(&NasBench201Mixed, &both, &among, Share::Fraction(0.5), &mut rng);
        let held_out: HashSet<u32> = split.held_out.iter().copied().collect();
        assert!(held_out.len() > 20 && held_out.len() < 100);
        assert!((0..60).all(|cell| held_out.contains(&(2 * cell)) == held_out.contains(&(2 * cell + 1))));
    }
}
