//! Adaptation on the small world of [`super::super::example`].

use std::ops::Range;

use super::super::Ablation;
use super::super::example::World;
use super::*;
use crate::device::{Device, catalogue};
use crate::stats;

/// What is measured of some architectures on a device.
fn measured(world: &World, device: usize, probes: Range<usize>) -> Measured {
    let basis: DMatrix<f64> = world.basis.columns_range(probes.clone()).into_owned().cast();
    let logs: Vec<f64> = world.logs.row(device).columns_range(probes).iter().copied().collect();
    Measured::once(basis, &logs)
}

/// Adapts to `device` with the first `probes` architectures.
fn adapted(world: &World, device: usize, probes: usize, seed: Seed) -> Posterior {
    world.adapt(&measured(world, device, 0..probes), seed)
}

fn mean_deviation(world: &World, posterior: &Posterior) -> f64 {
    let predictions = posterior.predict(&world.basis);
    let deviations: Vec<f64> = predictions.iter().map(|one| f64::from(one.deviation)).collect();
    stats::mean(&deviations).unwrap()
}

/// Root mean square of the errors at the architectures from `from` on.
fn error(world: &World, device: usize, posterior: &Posterior, from: usize) -> f64 {
    let rest = from..world.basis.ncols();
    let predictions = posterior.predict(&world.basis.columns_range(rest.clone()).into_owned());
    let logs = world.logs.row(device);
    let squares: Vec<f64> = (predictions.iter().zip(rest))
        .map(|(one, column)| (f64::from(one.mean) - logs[column]).powi(2))
        .collect();
    stats::mean(&squares).unwrap().sqrt()
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

/// Of a device that is not among the known ones, so that there is always something left to learn.
#[test]
fn errors_do_not_rise_with_more_probes() {
    let mut world = World::sized(1500);
    world.logs = world.strangers.clone();
    let errors = [20, 50, 200, 1000].map(|probes| {
        let devices = 0..world.logs.nrows();
        let errors: Vec<f64> = devices
            .map(|device| error(&world, device, &adapted(&world, device, probes, Seed(1)), 1000))
            .collect();
        stats::mean(&errors).unwrap()
    });
    assert!(errors.is_sorted_by(|fewer, more| *more < 1.02 * fewer), "{errors:?}");
    assert!(errors[3] < 0.7 * errors[0], "{errors:?}");
}

#[test]
fn more_probes_do_not_make_less_sure() {
    let world = World::new();
    // One probe says nothing of the scale, so the second may surprise; an average over devices falls.
    let widths = [5, 10, 20, 50, 200].map(|probes| {
        let devices = 0..world.logs.nrows();
        let widths = devices.map(|device| mean_deviation(&world, &adapted(&world, device, probes, Seed(1))));
        widths.sum::<f64>() / world.logs.nrows() as f64
    });
    assert!(widths.is_sorted_by(|less, more| *more < 1.2 * less), "{widths:?}");
    assert!(widths[4] < 0.5 * widths[0], "{widths:?}");
}

/// A device that runs one layer after another is what the profile is exact for.
#[test]
fn a_dozen_probes_of_a_stranger_say_its_milliseconds() {
    let mut world = World::new();
    world.logs = world.strangers.clone();
    for device in 0..world.logs.nrows() {
        let missed = error(&world, device, &adapted(&world, device, 12, Seed(1)), 20);
        assert!(missed < 0.15, "device {device}: {missed}");
    }
}

#[test]
fn one_probe_sets_the_level() {
    let world = World::new();
    let medians = [1.0, 1000.0].map(|factor: f64| {
        let mut measured = measured(&world, 2, 3..4);
        measured.logs.add_scalar_mut(factor.ln());
        let predicted = world.adapt(&measured, Seed(1)).predict(&world.basis);
        let means: Vec<f64> = predicted.iter().map(|one| f64::from(one.mean)).collect();
        stats::quantile(&means, 0.5).unwrap()
    });
    assert!((medians[1] - medians[0] - 1000.0_f64.ln()).abs() < 0.7, "{medians:?}");
}

/// Values in whole milliseconds are not known better than that.
#[test]
fn rounded_values_are_known_to_their_resolution() {
    let rounded = [3.0_f64, 4.0, 8.0].map(f64::ln);
    let variances = resolution_variances(&rounded);
    for (variance, value) in variances.iter().zip([3.0_f64, 4.0, 8.0]) {
        assert!((variance - 1.0 / (12.0 * value * value)).abs() < 1e-12);
    }
    let tenths = resolution_variances(&[3.0_f64, 4.2, 8.0].map(f64::ln))[0];
    assert!((tenths - 0.01 / (12.0 * 9.0)).abs() < 1e-12);
    assert_eq!(resolution_variances(&[3.0_f64, 4.2345, 8.0].map(f64::ln)).amax(), 0.0);
    // Two values may be whole by chance.
    assert_eq!(resolution_variances(&rounded[..2]).amax(), 0.0);
}

/// At another precision some kinds of work gain and others lose, by factors of four or five either way: one in three differs by more
/// than that of one standard deviation, ln 4.5. Other settings change prices less.
#[test]
fn another_precision_may_change_each_price() {
    let world = World::new();
    let known = adapted(&world, 0, 100, Seed(1));
    let similarity = DeviceSimilarity::of(&Device::named("new"), &world.prior);
    let mixture = mixture(&world.beliefs(&similarity), &measured(&world, 1, 0..2));
    let least_deviation = |components: &[Component]| {
        let covariances = components.iter().map(|one| one.root * one.root.transpose());
        let variances = covariances.flat_map(|one| one.diagonal().iter().copied().collect::<Vec<f64>>());
        variances.fold(f64::INFINITY, f64::min).sqrt()
    };
    let (setting, precision) = (Like::OtherSetting(&known), Like::OtherPrecision(&known));
    assert!(least_deviation(&mixture.around(setting)) < 0.75 * 4.5_f64.ln());
    let around = mixture.around(precision);
    assert!(least_deviation(&around) >= 4.45_f64.ln());
    // The device is known almost without noise, and may have more at this precision.
    assert!(around.iter().any(|one| one.noise < 0.02) && around.iter().any(|one| one.noise > 0.05));
    let shares: f64 = around.iter().map(|one| one.log_weight.exp()).sum();
    let share: f64 = mixture.around(setting).iter().map(|one| one.log_weight.exp()).sum();
    assert!((shares - share).abs() < 1e-12);
}

/// One value that is ten times too large bends the others' predictions little.
#[test]
fn an_outlier_is_no_evidence() {
    let world = World::new();
    let mut measured = measured(&world, 4, 0..15);
    let clean = error(&world, 4, &world.adapt(&measured, Seed(1)), 100);
    measured.logs[5] += 10.0_f64.ln();
    let bent = error(&world, 4, &world.adapt(&measured, Seed(1)), 100);
    assert!(bent < clean + 0.05, "{clean} {bent}");
}

/// The search ends where the density is highest: no small move from the mode raises it.
#[test]
fn the_mode_is_a_mode() {
    let world = World::new();
    let measured = measured(&world, 1, 0..12);
    let similarity = DeviceSimilarity::of(&Device::named("new"), &world.prior);
    let mixture = mixture(&world.beliefs(&similarity), &measured);
    for component in mixture.components() {
        let problem = problem(&mixture, &component, &measured);
        let start = component.start(&measured, &mixture.setting);
        let mode = problem.mode(start, 200, false).unwrap();
        let moved = problem.mode(mode.standard.clone(), 20, true).unwrap();
        assert!(
            (moved.log_weight - mode.log_weight).abs() < 0.05,
            "{} {}",
            moved.log_weight,
            mode.log_weight
        );
    }
}

/// Repeating a measurement makes its architecture surer, but by less than that of another architecture would.
#[test]
fn repeated_measurements_count() {
    let world = World::new();
    let posterior = |times: usize| {
        let mut measured = measured(&world, 0, 0..6);
        measured.noise.fill(0.5 + 0.5 / times as f64);
        world.adapt(&measured, Seed(2))
    };
    let (once, often) = (posterior(1), posterior(1000));
    assert!(mean_deviation(&world, &often) < mean_deviation(&world, &once));
    assert_eq!(
        Measured::repeated(DMatrix::zeros(1, 3), &[0.0; 3], &[1, 2, 4])
            .noise
            .as_slice(),
        [1.0, 0.75, 0.625]
    );
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
    assert_eq!(adapted(&world, 1, 0, Seed(4)), adapted(&world, 1, 0, Seed(5)));
    for probes in [1, 10, 40] {
        assert_eq!(adapted(&world, 1, probes, Seed(4)), adapted(&world, 1, probes, Seed(5)));
    }
    // Of many, chance says which are looked at first.
    assert_eq!(adapted(&world, 1, 200, Seed(4)), adapted(&world, 1, 200, Seed(4)));
}

/// The world's devices with datasheets of two GPUs, two server CPUs and three phones, and levels that follow from them.
fn described() -> World {
    let mut world = World::new();
    let names = [
        "1080ti_1",
        "1080ti_256",
        "gold_6240",
        "silver_4114",
        "samsung_a50",
        "samsung_s7",
        "essential_ph_1",
    ];
    for (known, name) in world.prior.known.iter_mut().zip(names) {
        known.datasheet = catalogue::find(name).unwrap();
    }
    world
}

#[test]
fn without_probes_every_architecture_is_monotone_where_physics_is() {
    let world = described();
    let means = |device: &Device| -> Vec<f32> {
        let similarity = DeviceSimilarity::of(device, &world.prior);
        let nothing = Measured::once(DMatrix::zeros(COUNTS + world.prior.rank(), 0), &[]);
        let mut beliefs = world.beliefs(&similarity);
        beliefs.setting = crate::predict::prior::setting(device);
        let posterior = adapt(&beliefs, &nothing, Seed(1));
        posterior.predict(&world.basis).iter().map(|one| one.mean).collect()
    };
    for name in ["pixel2", "titan_rtx_1", "esp32", "raspi4", "gold_6226"] {
        let device = catalogue::find(name).unwrap();
        let faster = |change: fn(&mut Device, f64), factors: [f64; 2]| {
            let [before, after] = factors.map(|factor| {
                let mut device = device.clone();
                change(&mut device, factor);
                means(&device)
            });
            let faster = before.iter().zip(&after).filter(|(before, after)| after < before);
            faster.count() as f64 / before.len() as f64
        };
        let peak = |device: &mut Device, factor: f64| device.peak_gflops = device.peak_gflops.map(|peak| peak * factor);
        let rate = |device: &mut Device, factor: f64| {
            device.memory_bandwidth_gb_s = device.memory_bandwidth_gb_s.map(|rate| rate * factor);
        };
        let batch = |device: &mut Device, factor: f64| device.batch_size = Some(factor);
        for factors in [[0.1, 1.0], [1.0, 10.0], [10.0, 100.0]] {
            assert_eq!(
                (faster(peak, factors), faster(rate, factors)),
                (1.0, 1.0),
                "{name} {factors:?}"
            );
        }
        // Which networks are slow depends on the batch too, so where it hardly costs anything a few may seem faster.
        let share = faster(batch, [1.0, 256.0]);
        assert!(share < 0.15, "{name}: {share}");
    }
}

#[test]
fn components_share_what_a_part_that_is_left_out_had() {
    let mut world = World::new();
    let nothing = Measured::once(DMatrix::zeros(COUNTS + world.prior.rank(), 0), &[]);
    // Three runtimes with three noises each for the population and for each of four kinds of synthetic devices, and the three
    // runtimes for each of seven known devices.
    let mut count = |ablations: &[Ablation]| {
        world.prior.ablations = ablations.iter().copied().collect();
        let similarity = DeviceSimilarity::of(&Device::named("new"), &world.prior);
        let components = mixture(&world.beliefs(&similarity), &nothing).components();
        let total: f64 = components.iter().map(|one| one.log_weight.exp()).sum();
        assert!((total - 1.0).abs() < 1e-9, "{ablations:?}: {total}");
        components.len()
    };
    assert_eq!(count(&[]), 7 * 3 + 5 * 9);
    assert_eq!(count(&[Ablation::Known]), 5 * 9);
    assert_eq!(count(&[Ablation::Synthetic]), 7 * 3 + 9);
    assert_eq!(count(&[Ablation::Known, Ablation::Synthetic]), 9);
}
