//! What every registered search space has to keep to.

use std::collections::HashMap;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{Architecture, InputSize, PHYSICAL_FEATURES, SearchSpace, all, by_id};

const INPUT: InputSize = InputSize { width: 32, height: 32 };

fn is_valid(space: &dyn SearchSpace, architecture: &Architecture) -> bool {
    let choices = space.choices();
    architecture.0.len() == choices.len() && architecture.0.iter().zip(choices).all(|(gene, choices)| gene < choices)
}

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
        if let Some(size) = space.size() {
            assert_eq!(Some(size), product, "{}", space.id());
        }
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
        let architectures: Vec<Architecture> = match space.size() {
            Some(size) if size <= 20_000 => (0..size).map(|index| space.at(index)).collect(),
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
            prop_assert!(is_valid(space, &architecture));
            prop_assert_eq!(&space.parse(&space.print(&architecture)).unwrap(), &architecture);
            if let Some(size) = space.size() {
                let index = space.index(&architecture);
                prop_assert!(index < size);
                prop_assert_eq!(&space.at(index), &architecture);
            }
        }
    }

    #[test]
    fn mutants_are_valid_and_differ(seed: u64, rate in 0.0..=1.0) {
        for space in all() {
            let mut rng = StdRng::seed_from_u64(seed);
            let architecture = space.sample(&mut rng);
            let mutant = space.mutate(&architecture, rate, &mut rng);
            prop_assert!(is_valid(space, &mutant));
            prop_assert_ne!(&mutant, &architecture);
            let redrawn = space.mutate(&architecture, 1.0, &mut rng);
            prop_assert!(redrawn.0.iter().zip(&architecture.0).all(|(new, old)| new != old));
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
            prop_assert!((1..=network.kernel_launches()).contains(&(network.critical_path_layers as usize)));
            prop_assert_eq!(network.layers.last().unwrap().output_channels, classes);
            let features = network.physical_features();
            prop_assert_eq!(features.len(), PHYSICAL_FEATURES.len());
            prop_assert!(features.iter().all(|value| value.is_finite() && *value >= 0.0));
            let written = space.lower_as_written(&architecture, input, classes);
            prop_assert!(written.macs() >= network.macs() && written.kernel_launches() >= network.kernel_launches());
        }
    }
}
