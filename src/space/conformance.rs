//! What every registered search space has to keep to.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Architecture, InputSize, Network, PHYSICAL_FEATURES, all, by_id};

const INPUT: InputSize = InputSize { width: 32, height: 32 };

#[test]
fn ids_are_distinct_and_found() {
    for space in all() {
        assert_eq!(by_id(space.id()).unwrap().id(), space.id());
        assert_eq!(all().iter().filter(|other| other.id() == space.id()).count(), 1);
    }
    let message = by_id("nasbench-201").err().unwrap().to_string();
    assert!(message.contains("did you mean `nasbench201`?"), "{message}");
}

#[test]
fn size_is_the_product_of_the_choices() {
    for space in all() {
        let product = space
            .choices()
            .iter()
            .try_fold(1usize, |size, &choices| size.checked_mul(choices.into()));
        if let Some(listed) = space.enumerable() {
            assert_eq!(Some(listed.size()), product, "{}", space.id());
        }
    }
}

#[test]
fn networks_run_on_the_input_that_the_space_names() {
    for space in all() {
        let given = space.default_input();
        assert!(given.width.max(given.height) <= InputSize::MAX_EDGE);
        for seed in 0..10 {
            let architecture = space.sample(&mut StdRng::seed_from_u64(seed));
            let network = space.lower(&architecture, given, 10);
            let input = space.input(&architecture, given);
            let image = network.nodes().next().unwrap().layer.output;
            assert_eq!((image.width, image.height), (input.width, input.height));
            assert_eq!(space.input(&architecture, input), input);
            let other = space.input(&architecture, InputSize::square(17));
            let expected = if space.resolution_is_a_gene() {
                input
            } else {
                InputSize::square(17)
            };
            assert_eq!(other, expected, "{}", space.id());
        }
    }
}

#[test]
fn membership_is_length_and_range() {
    for space in all() {
        let genes: Vec<u8> = space.choices().iter().map(|&choices| choices - 1).collect();
        let architecture = |genes: &[u8]| Architecture(genes.to_vec());
        assert!(space.contains(&architecture(&genes)) && space.contains(&Architecture(vec![0; genes.len()])));
        for position in 0..genes.len() {
            let mut beyond = genes.clone();
            beyond[position] += 1;
            assert!(!space.contains(&Architecture(beyond)), "{} {position}", space.id());
        }
        assert!(!space.contains(&architecture(&genes[1..])) && !space.contains(&architecture(&[])));
        assert!(!space.contains(&Architecture([genes.clone(), vec![0]].concat())));
    }
}

/// Names of parameters are those of the layers that learn, in their order, each once.
#[test]
fn layers_with_parameters_have_names() {
    let mut rng = StdRng::seed_from_u64(6);
    for space in all() {
        for _ in 0..50 {
            let architecture = space.sample(&mut rng);
            let names = space.layer_names(&architecture);
            let learned = |network: Network| -> Vec<bool> {
                let learned = network.nodes().filter(|node| node.layer.parameters() > 0);
                learned.map(|node| node.layer.macs() > 0).collect()
            };
            let with_weights = |dead: bool| -> Vec<bool> {
                let kept = names.iter().filter(|names| dead || !names.dead);
                kept.map(|names| names.weights.is_some()).collect()
            };
            assert_eq!(learned(space.lower(&architecture, INPUT, 10)), with_weights(false));
            assert_eq!(
                learned(space.lower_as_written(&architecture, INPUT, 10)),
                with_weights(true)
            );
            let tensors: Vec<String> = names.iter().flat_map(|names| names.tensors()).collect();
            assert_eq!(
                tensors.iter().collect::<HashSet<_>>().len(),
                tensors.len(),
                "{}",
                space.id()
            );
        }
    }
}

/// From a random canonical form every other one is reached, where there are few enough to look.
#[test]
fn neighbours_reach_the_whole_space() {
    for space in all() {
        let Some(listed) = space.enumerable().filter(|listed| listed.size() <= 20_000) else {
            continue;
        };
        let canonical: HashSet<Architecture> = listed.architectures().iter().map(|one| space.canonical(one)).collect();
        let start = space.canonical(&space.sample(&mut StdRng::seed_from_u64(4)));
        let (mut reached, mut waiting) = (HashSet::from([start.clone()]), vec![start]);
        while let Some(architecture) = waiting.pop() {
            for neighbour in space.neighbours(&architecture) {
                if reached.insert(neighbour.clone()) {
                    waiting.push(neighbour);
                }
            }
        }
        assert_eq!(reached, canonical, "{}", space.id());
    }
}

#[test]
fn garbage_is_refused() {
    let long = "x".repeat(1 << 20);
    for space in all() {
        for text in ["", " ", "\0", "|", "+", "none", "\u{1F600}", "-1", "NaN", &long] {
            let message = space.parse(text).err().unwrap().to_string();
            assert!(message.len() < 1_000, "{}: {} bytes", space.id(), message.len());
        }
    }
}

#[test]
fn isomorphic_architectures_lower_to_equal_macs_and_parameters() {
    for space in all() {
        let mut rng = StdRng::seed_from_u64(3);
        let mut known = HashMap::new();
        let architectures: Vec<Architecture> = match space.enumerable() {
            Some(listed) if listed.size() <= 20_000 => listed.architectures(),
            _ => (0..5_000).map(|_| space.sample(&mut rng)).collect(),
        };
        for architecture in architectures {
            let network = space.lower(&architecture, INPUT, 10);
            let costs = (network.macs(), network.parameters());
            let first = *known.entry(space.isomorphism_key(&architecture)).or_insert(costs);
            assert_eq!(first, costs, "{}", space.print(&architecture));
        }
    }
}

proptest! {
    #[test]
    fn samples_are_valid_and_round_trip(seed: u64) {
        for space in all() {
            let architecture = space.sample(&mut StdRng::seed_from_u64(seed));
            prop_assert!(space.contains(&architecture));
            prop_assert_eq!(&space.parse(&space.print(&architecture)).unwrap(), &architecture);
            if let Some(listed) = space.enumerable() {
                let index = listed.index(&architecture);
                prop_assert!(index < listed.size());
                prop_assert_eq!(&listed.at(index), &architecture);
            }
        }
    }

    #[test]
    fn canonical_forms_keep_the_function(seed: u64) {
        for space in all() {
            let architecture = space.sample(&mut StdRng::seed_from_u64(seed));
            let canonical = space.canonical(&architecture);
            prop_assert!(space.contains(&canonical));
            prop_assert_eq!(&space.canonical(&canonical), &canonical);
            prop_assert_eq!(space.isomorphism_key(&canonical), space.isomorphism_key(&architecture));
            // Nothing is written that has no part in the output.
            prop_assert_eq!(
                space.lower_as_written(&canonical, INPUT, 10).physical_features(),
                space.lower(&architecture, INPUT, 10).physical_features()
            );
        }
    }

    /// Canonical forms can be written gene by gene.
    #[test]
    fn canonical_choices_hold_all_canonical_forms(seed: u64) {
        for space in all() {
            let genes = space.canonical(&space.sample(&mut StdRng::seed_from_u64(seed))).0;
            for (position, gene) in genes.iter().enumerate() {
                let choices = space.canonical_choices(&genes[..position]);
                prop_assert!(*choices.end() < space.choices()[position]);
                prop_assert!(choices.contains(gene), "{} {position}", space.print(&Architecture(genes.clone())));
            }
        }
    }

    /// What is written within the canonical choices is canonical, in spaces too large to list.
    #[test]
    fn canonical_choices_hold_nothing_else(seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        for space in all().into_iter().filter(|space| space.enumerable().is_none()) {
            let mut genes: Vec<u8> = Vec::new();
            while genes.len() < space.choices().len() {
                let choices = space.canonical_choices(&genes);
                genes.push(rng.random_range(choices));
            }
            let written = Architecture(genes);
            prop_assert_eq!(space.canonical(&written), written);
        }
    }

    /// A gene is active exactly if another choice for it gives another canonical form.
    #[test]
    fn active_genes_are_those_that_matter(seed: u64) {
        for space in all() {
            let architecture = space.sample(&mut StdRng::seed_from_u64(seed));
            let canonical = space.canonical(&architecture);
            let active = space.active_genes(&architecture);
            prop_assert_eq!(active.len(), space.choices().len());
            for (position, &choices) in space.choices().iter().enumerate() {
                for choice in (0..choices).filter(|&choice| choice != architecture.0[position]) {
                    let mut changed = architecture.clone();
                    changed.0[position] = choice;
                    prop_assert_eq!(space.canonical(&changed) != canonical, active[position]);
                }
            }
        }
    }

    #[test]
    fn neighbours_are_canonical_and_distinct(seed: u64) {
        for space in all() {
            let architecture = space.sample(&mut StdRng::seed_from_u64(seed));
            let canonical = space.canonical(&architecture);
            let neighbours = space.neighbours(&architecture);
            prop_assert_eq!(&space.neighbours(&canonical), &neighbours);
            let distinct: HashSet<&Architecture> = neighbours.iter().collect();
            prop_assert_eq!(distinct.len(), neighbours.len());
            prop_assert!(!distinct.contains(&canonical));
            for neighbour in &neighbours {
                prop_assert!(space.contains(neighbour));
                prop_assert_eq!(&space.canonical(neighbour), neighbour);
            }
            // Every other choice of an active gene is among them.
            let active = space.active_genes(&canonical);
            for position in (0..active.len()).filter(|&position| active[position]) {
                let mut changed = canonical.clone();
                changed.0[position] = (changed.0[position] + 1) % space.choices()[position];
                prop_assert!(distinct.contains(&space.canonical(&changed)));
            }
        }
    }

    #[test]
    fn mutants_are_valid_and_differ(seed: u64, rate in 0.0..=1.0) {
        for space in all() {
            let mut rng = StdRng::seed_from_u64(seed);
            let architecture = space.sample(&mut rng);
            let mutant = space.mutate(&architecture, rate, &mut rng);
            prop_assert!(space.contains(&mutant));
            prop_assert_ne!(&mutant, &architecture);
            let redrawn = space.mutate(&architecture, 1.0, &mut rng);
            let active = [&redrawn, &architecture].map(|one| space.active_genes(one));
            for position in (0..redrawn.0.len()).filter(|&position| active.iter().all(|active| active[position])) {
                prop_assert_ne!(redrawn.0[position], architecture.0[position]);
            }
        }
    }

    #[test]
    fn children_have_the_genes_of_their_parents(seed: u64) {
        for space in all() {
            let mut rng = StdRng::seed_from_u64(seed);
            let parents = [(); 2].map(|()| space.sample(&mut rng));
            let child = space.crossover(&parents[0], &parents[1], &mut rng);
            prop_assert!(space.contains(&child));
            let active = space.active_genes(&child);
            for position in (0..active.len()).filter(|&position| active[position]) {
                prop_assert!(parents.iter().any(|parent| parent.0[position] == child.0[position]));
            }
        }
    }

    /// A space whose samples are canonical never gives anything else, so that no architecture is judged twice.
    #[test]
    fn spaces_that_draw_canonical_forms_vary_them_to_canonical_forms(seed: u64) {
        for space in all() {
            let mut rng = StdRng::seed_from_u64(seed);
            let drawn: Vec<Architecture> = (0..100).map(|_| space.sample(&mut rng)).collect();
            if drawn.iter().any(|one| space.canonical(one) != *one) {
                continue;
            }
            for pair in drawn.windows(2) {
                let mutant = space.mutate(&pair[0], 0.2, &mut rng);
                let child = space.crossover(&pair[0], &pair[1], &mut rng);
                prop_assert!([mutant, child].iter().all(|one| space.canonical(one) == *one), "{}", space.id());
            }
        }
    }

    #[test]
    fn lowered_networks_are_consistent(seed: u64, edge in 1u32..5, classes in 1u32..1001) {
        let input = InputSize { width: 16 * edge, height: 16 * edge };
        for space in all() {
            let architecture = space.sample(&mut StdRng::seed_from_u64(seed));
            let network = space.lower(&architecture, input, classes);
            prop_assert!(network.macs() > 0 && network.parameters() > 0);
            prop_assert!(network.depthwise_macs() <= network.macs());
            prop_assert!((1..=network.kernel_launches()).contains(&(network.critical_path_layers() as usize)));
            let output = network.nodes().nth(network.output()).unwrap();
            prop_assert_eq!(output.layer.output.elements(), u64::from(classes));
            prop_assert!(network.nodes().all(|node| node.inputs.iter().all(|&input| (input as usize) < node.id)));
            prop_assert_eq!(&network.without_dead_nodes(), &network);
            prop_assert_eq!(network.output_depends_on_input(), space.output_depends_on_input(&architecture));
            let largest = network.layers().map(|layer| layer.activation_elements()).max().unwrap();
            prop_assert!((largest / 2..=network.activation_elements()).contains(&network.peak_memory_elements()));
            let features = network.physical_features();
            prop_assert_eq!(features.len(), PHYSICAL_FEATURES.len());
            prop_assert!(features.iter().all(|value| value.is_finite() && *value >= 0.0));
            let written = space.lower_as_written(&architecture, input, classes);
            prop_assert!(written.macs() >= network.macs() && written.kernel_launches() >= network.kernel_launches());
            if !space.names_dead_layers() {
                prop_assert_eq!(&written, &network);
                prop_assert!(!space.has_dead_layers(&architecture));
            }
            if !space.has_dead_layers(&architecture) {
                // Zeros that nothing reads are no layers.
                prop_assert_eq!(&written.without_dead_nodes(), &network);
            }
        }
    }
}
