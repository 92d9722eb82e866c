//! What profiles devices have: the known ones as one population, and synthetic ones.
//!
//! The population's mean and covariance are those that make the known devices most probable (a hierarchical model fitted by
//! expectation maximisation; Gelman et al., *Bayesian Data Analysis*, chapter 15), with a structured covariance that
//! counts as a number of devices, since known devices are few. The synthetic devices are the same structure with wide spreads: they are
//! what is believed where no known device shows the way.

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::{
    ACTIVATIONS, CHANNELS, COORDINATES, Coordinates, Covariance, DEPTHWISE, ELEMENTWISE, Estimated, FIXED, GROUPED,
    KINDS, LAUNCH_DENSE, LAUNCH_DEPTHWISE, LAUNCH_OTHER, LAUNCH_POOLING, Normal, OUTPUTS, Observed, PARTS, POINTWISE,
    POOLED, SHARES, SPATIAL, STEP, WEIGHTS, ZEROS, estimate,
};

/// Rounds of expectation maximisation.
const ROUNDS: usize = 4;
/// Devices that the structured covariance counts as.
const BETWEEN_WORTH: f64 = 20.0;
/// Standard deviations of log prices between like devices: of each by itself, and of a whole group together; and of log shares.
const ALONE: f64 = 0.4;
const TOGETHER: f64 = 0.6;
const SHARE: f64 = 0.7;

/// Kinds of work whose prices rise and fall together: arithmetic, data moved, and what is paid per launch.
const ARITHMETIC: [usize; 6] = [SPATIAL, POINTWISE, GROUPED, DEPTHWISE, CHANNELS, OUTPUTS];
const DATA: [usize; 4] = [ACTIVATIONS, WEIGHTS, POOLED, ELEMENTWISE];
const STARTING: [usize; 7] = [
    FIXED,
    LAUNCH_DENSE,
    LAUNCH_DEPTHWISE,
    LAUNCH_POOLING,
    LAUNCH_OTHER,
    STEP,
    ZEROS,
];

/// Before anything is known of a device: logarithm of its price over that of a MAC of a 3x3 convolution, the standard deviation, by
/// kind. Of some 60 devices (GPUs at batches of 1 to 256, server and phone CPUs, boards, DSPs, NPUs) under eager, interpreted and
/// compiled runtimes, fitted one by one with next to no prior, rounded.
const TYPICAL: [(f64, f64); KINDS] = [
    (17.5, 1.2),
    (0.0, 0.5),
    (0.5, 0.7),
    (1.0, 0.7),
    (1.5, 0.9),
    (2.0, 1.2),
    (9.0, 2.0),
    (2.0, 0.7),
    (2.0, 0.7),
    (1.5, 0.7),
    (2.0, 0.7),
    (14.5, 0.5),
    (14.5, 0.5),
    (14.5, 0.5),
    (13.5, 0.5),
    (12.5, 1.2),
    (13.5, 1.0),
];
/// Standard deviation of the data prices together; of the launch prices together within one kind of machine, and the
/// logarithms by which these are apart: from machines that hardly pay for launches to those that pay for little else.
const DATA_TOGETHER: f64 = 0.8;
const STARTING_TOGETHER: f64 = 1.3;
const STARTING_LEVELS: [f64; 4] = [-5.0, -2.5, 0.0, 2.5];
/// Log price of a MAC of a 3x3 convolution, in ms: 0.04 ns, from which any level is near enough to search.
const USUAL_MAC: f64 = -17.0;

/// A device of the population: what was observed of it, and its share of the whole.
pub struct Member {
    /// In each search space.
    pub observed: Vec<Observed>,
    /// Every hardware unit counts as one, however many settings of it were measured.
    pub weight: f64,
}

/// The known devices as one population.
pub struct Population {
    /// The distribution that they come from.
    pub normal: Normal,
    /// Their profiles, in order.
    pub members: Vec<Estimated>,
}

impl Population {
    /// Fits distribution and profiles together. `members` gives what was observed of each device and its weight.
    pub fn fit(members: &[Member]) -> Population {
        let mut normal = start();
        let mut estimated: Vec<Estimated> = Vec::new();
        for _ in 0..ROUNDS {
            estimated = estimate_all(members, &normal, &estimated);
            let weighted = estimated
                .iter()
                .zip(members)
                .map(|(device, member)| (member.weight, &device.profile, &device.covariance));
            normal = moments(weighted.collect());
        }
        let unseen = unseen_kinds(members);
        if !unseen.is_empty() {
            // That no device was seen to pay a price does not make it the same for all of them.
            let any = synthetic().remove(2).covariance;
            for kind in unseen {
                normal.covariance[(kind, kind)] += any[(kind, kind)];
            }
            estimated = estimate_all(members, &normal, &estimated);
        }
        Population {
            normal,
            members: estimated,
        }
    }
}

/// Profiles of all members, searched for from those of `before`.
fn estimate_all(members: &[Member], normal: &Normal, before: &[Estimated]) -> Vec<Estimated> {
    let members = members.par_iter().enumerate();
    members
        .map(|(index, member)| {
            estimate(
                &member.observed,
                normal,
                before.get(index).map(|device| &device.profile),
            )
        })
        .collect()
}

/// Kinds of work that none of the networks does.
fn unseen_kinds(members: &[Member]) -> Vec<usize> {
    let observed = || members.iter().flat_map(|member| &member.observed);
    let does = |counts: &DMatrix<f64>, kind: usize| {
        let rows = (0..PARTS).map(|part| counts.row(part * KINDS + kind));
        rows.flat_map(|row| row.iter().copied().collect::<Vec<f64>>())
            .any(|count| count > 0.0)
    };
    (0..KINDS)
        .filter(|&kind| !observed().any(|one| does(&one.counts, kind)))
        .collect()
}

/// The distribution that devices of these profiles, each known up to its covariance, come from.
pub fn moments(devices: Vec<(f64, &Coordinates, &Covariance)>) -> Normal {
    let total: f64 = devices
        .iter()
        .map(|device| device.0)
        .sum::<f64>()
        .max(f64::MIN_POSITIVE);
    let mut mean = Coordinates::zeros();
    for (weight, profile, _) in &devices {
        mean += *profile * (weight / total);
    }
    let mut covariance = between() * BETWEEN_WORTH;
    for (weight, profile, uncertain) in &devices {
        let away = *profile - mean;
        covariance += (*uncertain + away * away.transpose()) * *weight;
    }
    covariance /= total + BETWEEN_WORTH;
    Normal { mean, covariance }
}

/// Where the fit begins: anything is possible.
fn start() -> Normal {
    let mut normal = synthetic().remove(2);
    for share in KINDS..COORDINATES {
        normal.mean[share] = 0.5_f64.ln();
    }
    normal.covariance += Covariance::from_diagonal(&Coordinates::repeat(2.0));
    add_group(&mut normal.covariance, 0..KINDS, 3.0);
    normal
}

/// Covariance between like devices.
fn between() -> Covariance {
    let deviations = Coordinates::from_fn(|index, _| if index < KINDS { ALONE } else { SHARE });
    let mut covariance = Covariance::from_diagonal(&deviations.component_mul(&deviations));
    add_group(&mut covariance, ARITHMETIC, TOGETHER);
    add_group(&mut covariance, DATA, TOGETHER);
    add_group(&mut covariance, STARTING, TOGETHER);
    covariance
}

/// What is believed of devices unlike all known ones, as equally likely distributions. Shares are left to the runtime, and their
/// means are zero.
pub fn synthetic() -> Vec<Normal> {
    let with_launches = |level: f64| {
        let mut mean = Coordinates::zeros();
        let mut covariance = Covariance::zeros();
        for (kind, (price, deviation)) in TYPICAL.into_iter().enumerate() {
            mean[kind] = USUAL_MAC + price;
            covariance[(kind, kind)] = deviation * deviation;
        }
        for kind in STARTING {
            mean[kind] += level;
        }
        add_group(&mut covariance, DATA, DATA_TOGETHER);
        add_group(&mut covariance, STARTING, STARTING_TOGETHER);
        for share in 0..SHARES {
            covariance[(KINDS + share, KINDS + share)] = SHARE * SHARE;
        }
        Normal { mean, covariance }
    };
    STARTING_LEVELS.map(with_launches).to_vec()
}

/// Lets the prices of a group vary together.
fn add_group(covariance: &mut Covariance, group: impl IntoIterator<Item = usize>, deviation: f64) {
    let mut together = Coordinates::zeros();
    for kind in group {
        together[kind] = deviation;
    }
    *covariance += together * together.transpose();
}

/// Logarithms of the price of a launch over that of a MAC of a 3x3 convolution, at the means of [`synthetic`].
pub fn synthetic_launches() -> [f64; 4] {
    STARTING_LEVELS.map(|level| level + TYPICAL[LAUNCH_DENSE].0 - TYPICAL[SPATIAL].0)
}
