//! The smallest set cover.

/// Nodes of the search tree after which the best cover found so far is taken.
const MAX_NODES: usize = 200_000;

/// Sets that together cover everything that any set covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cover {
    /// Positions of the sets, rising.
    pub(super) chosen: Vec<usize>,
    /// Whether no smaller cover exists.
    pub(super) exact: bool,
    /// No cover has fewer sets.
    pub(super) at_least: usize,
}

/// The fewest of the sets whose union is that of all. `sets[s][e]` says whether set `s` holds element `e`.
///
/// Exact unless the search tree outgrows its bound; the greedy cover (Chvatal 1979, at most `1 + ln e` times as large as
/// the smallest, for `e` elements) is improved upon until then, and `at_least` bounds what was not found: elements of which
/// no two share a set need one each.
pub(super) fn smallest_cover(sets: &[Vec<bool>]) -> Cover {
    let elements = sets.first().map_or(0, Vec::len);
    let wanted: Vec<usize> = (0..elements)
        .filter(|&element| sets.iter().any(|set| set[element]))
        .collect();
    let mut search = Search {
        sets,
        best: greedy(sets, &wanted),
        nodes: 0,
    };
    let at_least = search.bound(&wanted);
    search.branch(&wanted, &mut Vec::new());
    let exact = search.nodes < MAX_NODES || search.best.len() == at_least;
    let mut chosen = search.best;
    chosen.sort_unstable();
    Cover {
        at_least: if exact { chosen.len() } else { at_least },
        chosen,
        exact,
    }
}

struct Search<'a> {
    sets: &'a [Vec<bool>],
    best: Vec<usize>,
    nodes: usize,
}

impl Search<'_> {
    fn branch(&mut self, open: &[usize], chosen: &mut Vec<usize>) {
        if open.is_empty() {
            if chosen.len() < self.best.len() {
                self.best.clone_from(chosen);
            }
            return;
        }
        self.nodes += 1;
        if self.nodes >= MAX_NODES || chosen.len() + self.bound(open) >= self.best.len() {
            return;
        }
        // One of the sets that hold the element held by fewest has to be chosen.
        let sets = self.sets;
        let holders = |element: usize| (0..sets.len()).filter(move |&set| sets[set][element]);
        let Some(&rarest) = open.iter().min_by_key(|&&element| holders(element).count()) else {
            return;
        };
        let mut options: Vec<usize> = holders(rarest).collect();
        let covered = |set: usize| open.iter().filter(|&&element| sets[set][element]).count();
        options.sort_by_key(|&set| std::cmp::Reverse(covered(set)));
        for set in options {
            let rest: Vec<usize> = open.iter().copied().filter(|&element| !sets[set][element]).collect();
            chosen.push(set);
            self.branch(&rest, chosen);
            chosen.pop();
        }
    }

    /// Elements picked one after another such that no set holds two of them: each needs a set of its own.
    fn bound(&self, open: &[usize]) -> usize {
        let mut used = vec![false; self.sets.len()];
        let mut count = 0;
        let mut rarest_first = open.to_vec();
        rarest_first.sort_by_key(|&element| self.sets.iter().filter(|set| set[element]).count());
        for element in rarest_first {
            let holders = || (0..self.sets.len()).filter(|&set| self.sets[set][element]);
            if holders().all(|set| !used[set]) {
                holders().for_each(|set| used[set] = true);
                count += 1;
            }
        }
        count
    }
}

fn greedy(sets: &[Vec<bool>], wanted: &[usize]) -> Vec<usize> {
    let mut open = wanted.to_vec();
    let mut chosen = Vec::new();
    while !open.is_empty() {
        let covered = |set: &usize| open.iter().filter(|&&element| sets[*set][element]).count();
        // The first of equally good ones.
        let Some(best) = (0..sets.len()).rev().max_by_key(covered) else {
            break;
        };
        open.retain(|&element| !sets[best][element]);
        chosen.push(best);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sets(elements: usize, members: &[&[usize]]) -> Vec<Vec<bool>> {
        let set = |members: &&[usize]| (0..elements).map(|element| members.contains(&element)).collect();
        members.iter().map(set).collect()
    }

    #[test]
    fn beats_the_greedy_choice() {
        // Greedy takes the middle four and then needs both others; the two halves do.
        let sets = sets(6, &[&[1, 2, 3, 4], &[0, 1, 2], &[3, 4, 5]]);
        assert_eq!(greedy(&sets, &[0, 1, 2, 3, 4, 5]).len(), 3);
        let found = smallest_cover(&sets);
        assert_eq!((found.chosen, found.exact, found.at_least), (vec![1, 2], true, 2));
    }

    #[test]
    fn what_no_set_holds_is_left_out() {
        assert_eq!(smallest_cover(&sets(3, &[&[0], &[0, 1]])).chosen, [1]);
        assert!(smallest_cover(&sets(3, &[&[], &[]])).chosen.is_empty());
        assert!(smallest_cover(&[]).chosen.is_empty());
    }

    proptest! {
        /// Against all subsets.
        #[test]
        fn no_subset_is_smaller(sets in proptest::collection::vec(proptest::collection::vec(any::<bool>(), 7), 1..9)) {
            let covers = |subset: usize| (0..7).all(|element| {
                let held = |set: usize| sets[set][element];
                (0..sets.len()).all(|set| !held(set)) || (0..sets.len()).any(|set| subset >> set & 1 == 1 && held(set))
            });
            let fewest = (0..1_usize << sets.len()).filter(|&subset| covers(subset)).map(usize::count_ones).min();
            let found = smallest_cover(&sets);
            prop_assert!(found.exact);
            prop_assert_eq!(Some(found.chosen.len() as u32), fewest);
            prop_assert!(covers(found.chosen.iter().map(|set| 1_usize << set).sum()));
        }
    }
}
