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
