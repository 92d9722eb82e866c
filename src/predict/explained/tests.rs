//! Shares and prices worked by hand.

use nalgebra::DVector;

use super::shares::{Believed, held};
use super::*;
use crate::profile::{Coordinates, KINDS, LAUNCH_DENSE, SPATIAL, Setting, level_direction};

/// 4 ns per MAC of a dense convolution, 100 us per launch, and half of what zeros lead to is run. The logarithm of
/// the price of a MAC has this standard deviation.
fn believed(deviation: f64, batch: f64) -> Believed {
    let mut profile = Coordinates::zeros();
    profile[SPATIAL] = 4e-6_f64.ln();
    profile[LAUNCH_DENSE] = 0.1_f64.ln();
    profile[KINDS + 1] = 0.5_f64.ln();
    let mut covariance = Covariance::zeros();
    covariance[(SPATIAL, SPATIAL)] = deviation * deviation;
    let profile = Normal {
        mean: profile,
        covariance,
    };
    Believed::new(&profile, Setting { batch })
}

/// A million MACs and ten launches, and as many MACs again that zeros lead to.
fn work() -> DVector<f64> {
    let mut work = DVector::zeros(COUNTS);
    work[SPATIAL] = 1e6;
    work[LAUNCH_DENSE] = 10.0;
    work[2 * KINDS + SPATIAL] = 1e6;
    work
}

#[track_caller]
fn is_about(one: Estimate, mean: f64, low: f64, high: f64, tolerance: f64) {
    for (found, expected) in [(one.mean, mean), (one.low, low), (one.high, high)] {
        assert!((found / expected - 1.0).abs() < tolerance, "{one:?}: {expected}");
    }
}

#[test]
fn certain_prices_have_the_shares_of_their_sum() {
    // MACs take 4 ms where they matter and 2 ms where they do not, launches 1 ms: 6/7, 1/7, and 2/7 for nothing.
    let believed = believed(0.0, 1.0);
    let (kinds, dead) = believed.shares(Metric::Latency, &work());
    let names: Vec<&str> = kinds.iter().map(|one| one.kind).collect();
    assert_eq!(names, ["spatial", "launch_dense"]);
    for (one, share) in kinds.iter().zip([600.0 / 7.0, 100.0 / 7.0]) {
        is_about(one.share_percent, share, share, share, 1e-6);
    }
    is_about(dead.unwrap(), 200.0 / 7.0, 200.0 / 7.0, 200.0 / 7.0, 1e-6);
    is_about(kinds[0].price, 4.0, 4.0, 4.0, 1e-6);
    is_about(kinds[1].price, 100.0, 100.0, 100.0, 1e-6);
    assert_eq!(
        (&*kinds[0].price_unit, &*kinds[1].price_unit),
        ("ns per MAC", "us per launch")
    );
    let dead = believed.dead(&work());
    assert_eq!((dead.len(), dead[0].work), (1, "layers that zeros lead to"));
    is_about(dead[0].run_percent, 50.0, 50.0, 50.0, 1e-6);
    let (energy, _) = believed.shares(Metric::Energy, &work());
    assert_eq!(energy[1].price_unit, "uJ per launch");
}

#[test]
fn a_batch_multiplies_work_and_not_launches() {
    // 32 times 6 ms beside 1 ms. The price of a MAC is that of one.
    let (kinds, _) = believed(0.0, 32.0).shares(Metric::Latency, &work());
    is_about(
        kinds[0].share_percent,
        19_200.0 / 193.0,
        19_200.0 / 193.0,
        19_200.0 / 193.0,
        1e-6,
    );
    is_about(kinds[0].price, 4.0, 4.0, 4.0, 1e-6);
}

#[test]
fn what_is_not_known_widens_the_intervals() {
    // The price of a MAC lies within a factor of exp(1.645 * 0.3) = 1.638, so that all MACs take 6 / 1.638 = 3.663
    // to 9.828 ms beside 1 ms: 78.55 to 90.76 %. The draws are 200, whose quantiles are a little off.
    let (kinds, dead) = believed(0.3, 1.0).shares(Metric::Latency, &work());
    is_about(kinds[0].price, 4.0, 4.0 / 1.638, 4.0 * 1.638, 1e-3);
    let share = kinds[0].share_percent;
    assert!(
        (share.low - 78.55).abs() < 3.0 && (share.high - 90.76).abs() < 1.5,
        "{share:?}"
    );
    // A third of it in every draw.
    is_about(dead.unwrap(), share.mean / 3.0, share.low / 3.0, share.high / 3.0, 1e-6);
    is_about(kinds[1].price, 100.0, 100.0, 100.0, 1e-6);
    // The shares add up all the same.
    assert!((share.mean + kinds[1].share_percent.mean - 100.0).abs() < 1e-9);
    let width = |deviation| {
        let (kinds, _) = believed(deviation, 1.0).shares(Metric::Latency, &work());
        kinds[0].share_percent.high - kinds[0].share_percent.low
    };
    assert!(width(0.1) < width(0.3) && width(0.3) < width(0.9));
}

#[test]
fn what_no_architecture_shows_stays_near_the_profile_around() {
    let at = |mean: f64, variance: f64| {
        let mut normal = Normal {
            mean: Coordinates::zeros(),
            covariance: Covariance::zeros(),
        };
        normal.mean[KINDS] = mean;
        normal.covariance[(KINDS, KINDS)] = variance;
        let held = held(normal, &Coordinates::zeros());
        (held.mean[KINDS], held.covariance[(KINDS, KINDS)])
    };
    // A share, which has no part in the level, is held with a variance of 4. Known to a variance of 0.01 it is kept
    // but for a 401st; known to one of 36 it goes nine tenths of the way, and of the variance a tenth is left.
    let (mean, variance) = at(3.0, 0.01);
    assert!((mean - 3.0 * 400.0 / 401.0).abs() < 1e-9 && (variance - 0.01 * 400.0 / 401.0).abs() < 1e-9);
    let (mean, variance) = at(3.0, 36.0);
    assert!((mean - 0.3).abs() < 1e-9 && (variance - 3.6).abs() < 1e-9);
    // What is certain stays.
    assert_eq!(at(3.0, 0.0), (3.0, 0.0));
}

#[test]
fn the_level_is_not_held() {
    let level = level_direction();
    let normal = Normal {
        mean: level * 2.0,
        covariance: level * level.transpose(),
    };
    let held = held(normal, &Coordinates::zeros());
    assert!((held.mean - level * 2.0).amax() < 0.03, "{}", held.mean);
    assert!((held.covariance - level * level.transpose()).amax() < 0.03);
}

#[test]
fn probes_are_counted_where_prices_come_from_them() {
    let origin = |probes, probes_elsewhere| {
        let explained = Explained {
            knowledge: Knowledge::Probes,
            probes,
            probes_elsewhere,
            batch_size: 1.0,
            metrics: Vec::new(),
        };
        explained.origin(PriceOrigin::Adapted)
    };
    assert_eq!(origin(1, 0), "adapted from 1 probe");
    assert_eq!(origin(10, 0), "adapted from 10 probes");
    assert_eq!(origin(0, 5), "adapted from 5 probes of other search spaces");
    assert_eq!(origin(3, 5), "adapted from 3 probes and 5 of other search spaces");
}

#[test]
fn no_more_than_all_of_the_dead_work_is_run() {
    let mut believed = believed(0.0, 1.0);
    believed.mean[KINDS + 1] = 0.2;
    is_about(believed.dead(&work())[0].run_percent, 100.0, 100.0, 100.0, 1e-9);
}
