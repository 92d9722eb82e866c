//! Adaptation on the small world of [`super::super::example`].

use super::super::example::World;
use super::*;
use crate::device::Device;
use crate::stats;

/// Adapts to `device` with the first `probes` architectures.
fn adapted(world: &World, device: usize, probes: usize, seed: Seed) -> Posterior {
    let basis: DMatrix<f64> = world.basis.columns(0, probes).into_owned().cast();
    let logs: Vec<f64> = world.logs.row(device).iter().take(probes).copied().collect();
    let similarity = DeviceSimilarity::of(&Device::named("new"), &world.prior);
    adapt(&world.prior, &similarity, None, &basis, &logs, seed)
}

fn mean_deviation(world: &World, posterior: &Posterior) -> f64 {
    let predictions = posterior.predict(&world.basis);
    let deviations: Vec<f64> = predictions.iter().map(|one| f64::from(one.deviation)).collect();
    stats::mean(&deviations).unwrap()
}

#[test]
fn many_probes_give_a_known_device_back() {
    let world = World::new();
    for device in 0..world.logs.nrows() {
        let posterior = adapted(&world, device, 200, Seed(1));
        let rest = world.basis.columns(200, 300).into_owned();
        let predictions: Vec<f64> = posterior.predict(&rest).iter().map(|one| f64::from(one.mean)).collect();
        let truth: Vec<f64> = world.logs.row(device).iter().skip(200).take(300).copied().collect();
        let agreement = stats::spearman(&predictions, &truth).unwrap();
        assert!(agreement > 0.99, "device {device}: {agreement}");
    }
}

#[test]
fn more_probes_do_not_make_less_sure() {
    let world = World::new();
    // One probe says nothing of the scale, so the second may surprise; an average over devices falls.
    let widths = [5, 10, 20, 50].map(|probes| {
        let devices = 0..world.logs.nrows();
        let widths = devices.map(|device| mean_deviation(&world, &adapted(&world, device, probes, Seed(1))));
        widths.sum::<f64>() / world.logs.nrows() as f64
    });
    assert!(widths.is_sorted_by(|less, more| *more < 1.2 * less), "{widths:?}");
    assert!(widths[3] < 0.5 * widths[0], "{widths:?}");
}

#[test]
fn without_probes_the_prior_speaks() {
    let world = World::new();
    let posterior = adapted(&world, 0, 0, Seed(1));
    let predictions = posterior.predict(&world.basis);
    assert!(
        predictions
            .iter()
            .all(|one| one.mean.is_finite() && one.deviation.is_finite())
    );
    // As wide as the devices' levels are apart, at least.
    let levels: Vec<f64> = world.prior.known.iter().map(|device| device.level).collect();
    let mean = stats::mean(&levels).unwrap();
    let squares: Vec<f64> = levels.iter().map(|level| (level - mean).powi(2)).collect();
    assert!(mean_deviation(&world, &posterior) > stats::mean(&squares).unwrap().sqrt());
}

#[test]
fn the_same_seed_gives_the_same_device() {
    let world = World::new();
    for probes in [0, 1, 10, 40] {
        let once = adapted(&world, 1, probes, Seed(4));
        assert_eq!(once, adapted(&world, 1, probes, Seed(4)));
        assert_ne!(once, adapted(&world, 1, probes, Seed(5)));
    }
}
