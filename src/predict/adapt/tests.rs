//! Adaptation on the small world of [`super::super::example`].

use std::ops::Range;

use super::super::example::World;
use super::evidence::{Evidence, OverProbes, OverWeights};
use super::*;
use crate::device::{Device, catalogue};
use crate::stats;

fn similarity(world: &World) -> DeviceSimilarity {
    DeviceSimilarity::of(&Device::named("new"), &world.prior)
}

/// What is measured of some architectures on a device.
fn measured(world: &World, device: usize, probes: Range<usize>) -> Measured {
    let basis: DMatrix<f64> = world.basis.columns_range(probes.clone()).into_owned().cast();
    let logs: Vec<f64> = world.logs.row(device).columns_range(probes).iter().copied().collect();
    Measured::once(basis, &logs)
}

/// Adapts to `device` with the first `probes` architectures.
fn adapted(world: &World, device: usize, probes: usize, seed: Seed) -> Posterior {
    let measured = measured(world, device, 0..probes);
    adapt(&world.prior, &similarity(world), None, measured, seed)
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
    assert!(widths[3] < 0.5 * widths[0], "{widths:?}");
}

/// Mean and standard deviation of the logarithm of the scale among kept settings, and their number.
fn scales(world: &World, probes: usize) -> (f64, f64, usize) {
    let similarity = similarity(world);
    let hyperprior = Hyperprior::new(&world.prior, &similarity, None);
    let mut rng = Seed(5).stream("test");
    let drawn = (0..SETTINGS).map(|_| hyperprior.draw(&mut rng)).collect();
    let measured = measured(world, 2, 0..probes);
    let evidence = evidence(&hyperprior, &measured);
    let kept = sample::posterior(&hyperprior, drawn, &*evidence, &mut rng);
    let sum =
        |value: &dyn Fn(f64) -> f64| -> f64 { kept.iter().map(|one| one.share * value(one.setting.scale.ln())).sum() };
    let mean = sum(&|log| log);
    (mean, sum(&|log| (log - mean).powi(2)).sqrt(), kept.len())
}

#[test]
fn one_probe_says_nothing_of_the_scale() {
    let world = World::new();
    let typical = similarity(&world).typical_scale(&world.prior).ln();
    let (mean, deviation, kept) = scales(&world, 1);
    // 150 of the 1,500 draws, none twice; the standard error of the mean is 0.4 / sqrt(150) = 0.033.
    assert_eq!(kept, 150);
    assert!((mean - typical).abs() < 0.1, "{mean} {typical}");
    assert!((deviation - hyperprior::SCALE_SPREAD).abs() < 0.08, "{deviation}");
    // Twenty probes do say something.
    assert!(scales(&world, 20).1 < 0.5 * hyperprior::SCALE_SPREAD);
}

#[test]
fn the_evidence_of_one_probe_is_that_of_every_setting() {
    let world = World::new();
    let similarity = similarity(&world);
    let hyperprior = Hyperprior::new(&world.prior, &similarity, None);
    let measured = measured(&world, 0, 7..8);
    let mut rng = Seed(3).stream("test");
    for form in [
        &OverProbes::new(&hyperprior, &measured) as &dyn Evidence,
        &OverWeights::new(&hyperprior, &measured),
    ] {
        for _ in 0..50 {
            let log = form.log_evidence(&hyperprior.draw(&mut rng));
            assert!(log.abs() < 1e-6, "{log}");
        }
    }
}

#[test]
fn both_forms_agree() {
    let world = World::new();
    let similarity = similarity(&world);
    let hyperprior = Hyperprior::new(&world.prior, &similarity, None);
    let mut rng = Seed(3).stream("test");
    for probes in [2, 10, 60, 150] {
        let mut measured = measured(&world, 1, 0..probes);
        measured.logs.add_scalar_mut(-measured.logs.mean());
        // The second architecture was measured four times.
        measured.noise[1] = 0.625;
        let over_probes = OverProbes::new(&hyperprior, &measured);
        let over_weights = OverWeights::new(&hyperprior, &measured);
        for _ in 0..20 {
            let setting = hyperprior.draw(&mut rng);
            let (one, other) = (over_probes.log_evidence(&setting), over_weights.log_evidence(&setting));
            assert!(
                (one - other).abs() < 1e-6 * one.abs().max(1.0),
                "{probes}: {one} {other}"
            );
            let one = over_probes.weights(&setting).unwrap();
            let other = over_weights.weights(&setting).unwrap();
            assert!((one.mean - other.mean).amax() < 1e-6, "{probes}");
            assert!((one.covariance - other.covariance).amax() < 1e-6, "{probes}");
        }
    }
}

/// Repeating a measurement makes its architecture surer, but by less than that of another architecture would.
#[test]
fn repeated_measurements_count() {
    let world = World::new();
    let posterior = |times: usize| {
        let mut measured = measured(&world, 0, 0..6);
        measured.noise.fill(0.5 + 0.5 / times as f64);
        adapt(&world.prior, &similarity(&world), None, measured, Seed(2))
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
fn without_probes_the_moments_are_those_of_the_draws() {
    let world = World::new();
    let similarity = similarity(&world);
    let hyperprior = Hyperprior::new(&world.prior, &similarity, None);
    let exact = hyperprior.moments().predict(&world.basis);
    let (level, deviation) = similarity.level();
    let mut rng = Seed(1).stream("test");
    let mut drawn = |_| {
        let setting = hyperprior.draw(&mut rng);
        let mut widths = setting.widths(&world.prior);
        widths[0] = deviation / setting.scale;
        let weights = Weights {
            mean: hyperprior.centre(setting.centre),
            covariance: DMatrix::from_diagonal(&widths.map(|width| width * width)),
        };
        scaled(&setting, level, 1.0 / 20_000.0, weights)
    };
    let parts: Vec<Part> = (0..20_000).map(&mut drawn).collect();
    for (exact, drawn) in exact.iter().zip(average(&world.prior, &parts).predict(&world.basis)) {
        assert!((exact.mean - drawn.mean).abs() < 0.03, "{exact:?} {drawn:?}");
        assert!(
            (exact.deviation / drawn.deviation - 1.0).abs() < 0.03,
            "{exact:?} {drawn:?}"
        );
    }
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
    for probes in [1, 10, 40, 200] {
        let once = adapted(&world, 1, probes, Seed(4));
        assert_eq!(once, adapted(&world, 1, probes, Seed(4)));
        assert_ne!(once, adapted(&world, 1, probes, Seed(5)));
    }
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
        let nothing = Measured::once(DMatrix::zeros(world.prior.rank(), 0), &[]);
        let posterior = adapt(&world.prior, &similarity, None, nothing, Seed(1));
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
        assert!(faster(batch, [1.0, 256.0]) < 0.05, "{name}");
    }
}
