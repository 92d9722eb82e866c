//! The part of a search space that something was learned from.

use serde::{Deserialize, Serialize};

use super::{Architecture, SearchSpace};

/// The choices of every gene that occur among some architectures. What was learned from these says nothing of other choices: accuracies
/// at one resolution, say, tell of no other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Domain {
    /// Of every gene, rising; empty for the whole space.
    choices: Vec<Vec<u8>>,
}

impl Domain {
    /// All choices of every gene.
    pub const fn whole() -> Domain {
        Domain { choices: Vec::new() }
    }

    /// The choices that occur among the active genes of these architectures. A gene that is active in none of them is free.
    pub fn of<'a>(space: &dyn SearchSpace, architectures: impl IntoIterator<Item = &'a Architecture>) -> Domain {
        let mut seen: Vec<Vec<bool>> = space.choices().iter().map(|&count| vec![false; count.into()]).collect();
        for architecture in architectures {
            let genes = architecture.0.iter().zip(space.active_genes(architecture));
            for ((&gene, is_active), seen) in genes.zip(&mut seen) {
                seen[usize::from(gene)] |= is_active;
            }
        }
        if seen.iter().flatten().all(|&seen| seen) {
            return Domain::default();
        }
        let choices = seen.iter().map(|seen| {
            let free = !seen.contains(&true);
            let occurs = seen.iter().zip(0..).filter(|(seen, _)| free || **seen);
            occurs.map(|(_, choice)| choice).collect()
        });
        Domain {
            choices: choices.collect(),
        }
    }

    /// The designs of a space whose genes say bits that have eight bits everywhere.
    pub fn at_eight_bits(space: &dyn SearchSpace) -> Domain {
        Domain::admitting(space, |gene, choice| {
            space.bits_of_choice(gene, choice).is_none_or(|said| said.bits == 8)
        })
    }

    /// The designs of a space whose genes say bits that differ from this one in bits alone.
    pub fn of_other_bits(space: &dyn SearchSpace, design: &Architecture) -> Domain {
        Domain::admitting(space, |gene, choice| {
            let chosen = design.0[gene];
            let besides = |choice| space.bits_of_choice(gene, choice).map(|said| said.besides);
            match besides(choice) {
                Some(besides_bits) => besides(chosen) == Some(besides_bits),
                None => choice == chosen,
            }
        })
    }

    /// The choices of every gene that are admitted.
    fn admitting(space: &dyn SearchSpace, admits: impl Fn(usize, u8) -> bool) -> Domain {
        let of_gene = |(gene, &count): (usize, &u8)| (0..count).filter(|&choice| admits(gene, choice)).collect();
        Domain {
            choices: space.choices().iter().enumerate().map(of_gene).collect(),
        }
    }

    /// The choices that are in both. A gene of which no choice is in both keeps its own.
    pub fn within(&self, other: &Domain) -> Domain {
        if self.choices.is_empty() || other.choices.is_empty() {
            return if self.choices.is_empty() { other } else { self }.clone();
        }
        let both = |(own, other): (&Vec<u8>, &Vec<u8>)| {
            let both: Vec<u8> = own.iter().copied().filter(|choice| other.contains(choice)).collect();
            if both.is_empty() { own.clone() } else { both }
        };
        Domain {
            choices: self.choices.iter().zip(&other.choices).map(both).collect(),
        }
    }

    /// Whether all active genes of an architecture are choices that occur.
    pub fn holds(&self, space: &dyn SearchSpace, architecture: &Architecture) -> bool {
        if self.choices.is_empty() {
            return true;
        }
        let active = space.active_genes(architecture);
        let mut genes = architecture.0.iter().zip(&self.choices).zip(active);
        genes.all(|((gene, choices), is_active)| !is_active || choices.contains(gene))
    }

    /// The architecture with the nearest choice that occurs for every one that does not.
    pub fn nearest(&self, architecture: &Architecture) -> Architecture {
        let mut nearest = architecture.clone();
        for (gene, choices) in nearest.0.iter_mut().zip(&self.choices) {
            *gene = choices
                .iter()
                .copied()
                .min_by_key(|choice| choice.abs_diff(*gene))
                .unwrap_or(*gene);
        }
        nearest
    }

    /// Whether this can be the domain of something in `space`.
    pub(crate) fn fits(&self, space: &dyn SearchSpace) -> bool {
        let fit = |(choices, &count): (&Vec<u8>, &u8)| {
            choices.windows(2).all(|pair| pair[0] < pair[1]) && choices.last().is_some_and(|&last| last < count)
        };
        self.choices.is_empty()
            || self.choices.len() == space.choices().len() && self.choices.iter().zip(space.choices()).all(fit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::by_id;

    fn network(blocks: &str, resolution: u32) -> Architecture {
        let (kernels, expansions) = (["3"; 20].join(","), ["4"; 20].join(","));
        let text = format!(r#"{{"ks":[{kernels}],"e":[{expansions}],"d":[{blocks}],"r":{resolution}}}"#);
        by_id("mobilenet_v3").unwrap().parse(&text).unwrap()
    }

    #[test]
    fn bits_and_architectures_are_held_apart() {
        let space = by_id("proxylessnas_mixed").unwrap();
        let mut rng = crate::seed::Seed(0).stream("designs");
        let (one, other) = (space.sample(&mut rng), space.sample(&mut rng));
        let kernels = |design: &Architecture| -> Vec<(u32, u32)> {
            let network = space.lower(design, space.default_input(), 10);
            network
                .layers()
                .map(|layer| (layer.kernel(), layer.output.channels))
                .collect()
        };
        let bits = |design: &Architecture| -> Vec<u8> {
            let network = space.lower(design, space.default_input(), 10);
            let said = network.layers().filter_map(|layer| layer.bits);
            said.flat_map(|bits| [bits.weights, bits.activations]).collect()
        };
        let eight = Domain::at_eight_bits(space).nearest(&one);
        assert!(bits(&eight).iter().all(|&bits| bits == 8) && bits(&one).contains(&4));
        let requantized = Domain::of_other_bits(space, &one).nearest(&other);
        assert_eq!(kernels(&requantized), kernels(&one));
        assert_ne!(bits(&requantized), bits(&one));
        // Both together leave one design: these kernels and channels at eight bits.
        let both = Domain::at_eight_bits(space).within(&Domain::of_other_bits(space, &one));
        assert_eq!(both.nearest(&other), both.nearest(&one));
        assert_eq!(kernels(&both.nearest(&other)), kernels(&one));
        assert!(bits(&both.nearest(&other)).iter().all(|&bits| bits == 8));
        assert_eq!(Domain::whole().within(&both), both);
    }

    #[test]
    fn choices_that_do_not_occur_become_the_nearest_that_do() {
        let space = by_id("mobilenet_v3").unwrap();
        let seen = [network("2,2,2,2,2", 160), network("4,2,2,2,2", 224)];
        let domain = Domain::of(space, &seen);
        assert!(seen.iter().all(|one| domain.holds(space, one)));
        // 132 pixels are nearer to 160, three blocks as near to two as to four: the first is taken.
        let other = network("3,2,2,2,2", 132);
        assert!(!domain.holds(space, &other));
        let nearest = space.canonical(&domain.nearest(&other));
        assert_eq!(nearest, network("2,2,2,2,2", 160));
        assert!(domain.fits(space) && Domain::default().fits(space));
        assert!(!Domain { choices: vec![vec![0]] }.fits(space));
    }

    #[test]
    fn the_whole_space_holds_everything() {
        let space = by_id("nasbench201").unwrap();
        let cells: Vec<Architecture> = (0..5).map(|choice| Architecture(vec![choice; 6])).collect();
        let all = Domain::default();
        assert!(
            cells
                .iter()
                .all(|cell| all.holds(space, cell) && all.nearest(cell) == *cell)
        );
    }
}
