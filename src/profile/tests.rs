//! Sums worked by hand, and profiles that are found again.

use nalgebra::DMatrix;
use rand::Rng;

use super::*;
use crate::seed::Seed;
use crate::space::{Convolution, InputSize, NasBench201, NetworkBuilder, SearchSpace, all};

const ONE_INPUT: Setting = Setting { batch: 1.0 };

/// A dense 3x3 convolution from 8 to 16 channels on 4x4 pixels, a depthwise one, a 1x1 convolution to 8 channels in two groups.
#[test]
fn work_by_hand() {
    let (mut network, input) = NetworkBuilder::new(8, InputSize { width: 4, height: 4 });
    let grouped = |channels, kernel, groups| Convolution {
        groups,
        ..Convolution::new(channels, kernel)
    };
    let dense = network.convolve(input, Convolution::new(16, 3));
    let filtered = network.convolve(dense, grouped(16, 3, 16));
    let projected = network.convolve(filtered, grouped(8, 1, 2));
    let sum = network.add(projected, input);
    let work = Work::of(&network.finish(sum));
    let count = |kind: usize| work.counts[kind];
    // 9 x 8 x 16 x 16 pixels; 9 x 16 x 16; 8 x 8 x 16.
    assert_eq!(
        [SPATIAL, DEPTHWISE, GROUPED, POINTWISE].map(count),
        [18_432.0, 2_304.0, 1_024.0, 0.0]
    );
    // The dense one's MACs over 8 channels and over 16; every one's MACs over its outputs: 72, 9 and 8.
    assert_eq!([CHANNELS, OUTPUTS].map(count), [18_432.0 / 8.0 + 18_432.0 / 16.0, 89.0]);
    // In maps of 16 pixels 8 + 16, 16 + 16 and 16 + 8 channels; the sum 8 + 8 + 8.
    assert_eq!([ACTIVATIONS, ELEMENTWISE].map(count), [80.0 * 16.0, 24.0 * 16.0]);
    // Kernels 1152 + 144 + 64 and a bias for 16 + 16 + 8 channels.
    assert_eq!(count(WEIGHTS), 1_400.0);
    assert_eq!(
        [FIXED, LAUNCH_DENSE, LAUNCH_DEPTHWISE, LAUNCH_OTHER, STEP].map(count),
        [1.0, 1.0, 2.0, 1.0, 4.0]
    );
    assert!(work.counts[KINDS..].iter().all(|&count| count == 0.0));
}

/// Squeeze-and-excitation of 8 channels to 2 and back, on 4x4 pixels.
#[test]
fn work_of_squeeze_and_excitation_by_hand() {
    let (mut network, input) = NetworkBuilder::new(8, InputSize { width: 4, height: 4 });
    let scaled = network.squeeze_excite(input, 2);
    let work = Work::of(&network.finish(scaled));
    let count = |kind: usize| work.counts[kind];
    // Means of 8 maps of 16 pixels; 8 x 2 and 2 x 8 on one pixel; the product reads 128 elements and 8 factors and writes 128.
    assert_eq!([POOLED, POINTWISE, ELEMENTWISE].map(count), [136.0, 32.0, 264.0]);
    // Both kernels, and a bias for 2 + 8 channels.
    assert_eq!(count(WEIGHTS), 42.0);
    assert_eq!(
        [LAUNCH_POOLING, LAUNCH_DENSE, LAUNCH_OTHER, LAUNCH_DEPTHWISE, STEP].map(count),
        [1.0, 2.0, 1.0, 0.0, 4.0]
    );
}

fn cell(genes: [u8; 6]) -> Work {
    let input = InputSize { width: 32, height: 32 };
    let cell = crate::space::Architecture(genes.to_vec());
    Work::as_written(
        &NasBench201.lower_as_written(&cell, input, 10),
        &NasBench201.lower(&cell, input, 10),
    )
}

fn part(work: &Work, part: usize, kind: usize) -> f64 {
    work.counts[part * KINDS + kind]
}

/// Genes in the order of the edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3: 0 is none, 1 skip, 2 a 1x1, 3 a 3x3 convolution, 4 pooling.
#[test]
fn dead_work_is_told_apart() {
    // Only edge 0-3 is live; node 1 is read by nobody, and node 2 is zero, which edge 2-3 convolves.
    let work = cell([3, 0, 0, 1, 0, 2]);
    // 15 cells; 3x3 convolutions of 15 x 16^2 x 9 x 1024 MACs, whose product is the same in every stage.
    let convolutions = 15.0 * 9.0 * 256.0 * 1024.0;
    assert_eq!(part(&work, 3, SPATIAL), convolutions);
    assert_eq!(part(&work, 2, POINTWISE), convolutions / 9.0);
    assert_eq!((part(&work, 2, SPATIAL), part(&work, 3, POINTWISE)), (0.0, 0.0));
    // Edges 0-2, 1-2 and 1-3 carry zeros.
    assert_eq!(part(&work, 3, ZEROS), 45.0);
    // What is live is what the network without dead layers does.
    let live = cell([0, 0, 0, 1, 0, 0]);
    assert_eq!(work.counts[..KINDS], live.counts[..KINDS]);
}

/// Where a space has no dead layers, one network says all.
#[test]
fn work_without_dead_layers_is_that_of_the_live_network() {
    let mut rng = Seed(3).stream("architectures");
    for space in all().into_iter().filter(|space| !space.names_dead_layers()) {
        let (architecture, input) = (space.sample(&mut rng), space.default_input());
        let live = space.lower(&architecture, input, 10);
        let written = space.lower_as_written(&architecture, input, 10);
        assert_eq!(Work::of(&live), Work::as_written(&written, &live), "{}", space.id());
    }
}

#[test]
fn a_network_whose_output_is_constant_has_no_live_work() {
    let work = cell([3, 0, 0, 0, 0, 0]);
    assert!(work.counts[1..KINDS].iter().all(|&count| count == 0.0));
    // The stem and the blocks between stages are kept, the convolutions of the cells are dead.
    assert!(part(&work, 1, SPATIAL) > 0.0);
    assert_eq!(part(&work, 4, SPATIAL), 15.0 * 9.0 * 256.0 * 1024.0);
}

/// Next to nothing costs anything else; dead work is run.
fn profile(prices: &[(usize, f64)]) -> Coordinates {
    let mut profile = Coordinates::repeat(-60.0);
    profile.rows_mut(KINDS, SHARES).fill(0.0);
    for &(kind, price) in prices {
        profile[kind] = price.ln();
    }
    profile
}

#[test]
fn latencies_by_hand() {
    // 2 ms, 3 ms per launch of a convolution; half of what nobody reads is run.
    let mut device = profile(&[(FIXED, 2.0), (LAUNCH_DENSE, 3.0)]);
    device[KINDS + 2] = 0.5_f64.ln();
    let mut counts = vec![0.0; COUNTS];
    counts[FIXED] = 1.0;
    counts[LAUNCH_DENSE] = 4.0;
    counts[3 * KINDS + LAUNCH_DENSE] = 10.0;
    let priced = Priced::new(&device, &ONE_INPUT);
    // 2 + 12 + 15.
    assert!((priced.log(&counts) - 29.0_f64.ln()).abs() < 1e-12);
    let (_, gradient) = priced.log_and_gradient(&counts);
    for (kind, expected) in [
        (FIXED, 2.0 / 29.0),
        (LAUNCH_DENSE, 27.0 / 29.0),
        (KINDS + 2, 15.0 / 29.0),
    ] {
        assert!((gradient[kind] - expected).abs() < 1e-12);
    }
}

#[test]
fn batches_multiply_work_and_not_launches() {
    let device = profile(&[(SPATIAL, 1e-3), (LAUNCH_DENSE, 1.0)]);
    let mut counts = vec![0.0; COUNTS];
    counts[SPATIAL] = 1000.0;
    counts[LAUNCH_DENSE] = 5.0;
    for (batch, expected) in [(1.0, 6.0_f64), (8.0, 13.0)] {
        let priced = Priced::new(&device, &Setting { batch });
        assert!((priced.log(&counts) - expected.ln()).abs() < 1e-12);
    }
}

/// Cells with work of every kind that NAS-Bench-201 has.
fn cells(count: usize) -> DMatrix<f64> {
    let mut rng = Seed(1).stream("cells");
    let columns: Vec<Vec<f64>> = (0..count)
        .map(|_| cell([(); 6].map(|()| rng.random_range(0..5))).counts)
        .collect();
    DMatrix::from_fn(COUNTS, count, |row, column| columns[column][row])
}

fn observed(device: &Coordinates, counts: DMatrix<f64>) -> Observed {
    let priced = Priced::new(device, &ONE_INPUT);
    Observed {
        logs: counts
            .column_iter()
            .map(|counts| priced.log(counts.as_slice()))
            .collect(),
        counts,
        setting: ONE_INPUT,
    }
}

#[test]
fn a_profile_is_found_again() {
    let device = profile(&[(FIXED, 0.4), (SPATIAL, 3e-8), (POINTWISE, 6e-8), (POOLED, 2e-7)]);
    let prior = Normal {
        mean: synthetic()[1].mean,
        covariance: Covariance::identity() * 9.0,
    };
    let found = estimate(&[observed(&device, cells(200))], &prior, None);
    let elsewhere = cells(300).columns(200, 100).into_owned();
    let (truth, predicted) = (
        observed(&device, elsewhere.clone()),
        observed(&found.profile, elsewhere),
    );
    for (truth, predicted) in truth.logs.iter().zip(&predicted.logs) {
        assert!((truth - predicted).abs() < 0.02, "{truth} {predicted}");
    }
}

/// An outlier that is a hundred times too large moves nothing.
#[test]
fn profiles_do_not_bend_to_outliers() {
    let device = profile(&[(FIXED, 0.4), (SPATIAL, 3e-8), (POINTWISE, 6e-8), (POOLED, 2e-7)]);
    let prior = synthetic().swap_remove(1);
    let mut values = observed(&device, cells(100));
    for index in [3, 40, 77] {
        values.logs[index] += 100.0_f64.ln();
    }
    let found = estimate(&[values], &prior, None);
    let rest = observed(&found.profile, cells(100));
    let truth = observed(&device, cells(100));
    for (truth, predicted) in truth.logs.iter().zip(&rest.logs) {
        assert!((truth - predicted).abs() < 0.03, "{truth} {predicted}");
    }
}

/// Two certain devices: their mean, and the squares of their distance with what counts as twenty devices.
#[test]
fn moments_by_hand() {
    let (mut one, mut other) = (Coordinates::zeros(), Coordinates::zeros());
    one[SPATIAL] = 1.0;
    other[SPATIAL] = 3.0;
    let certain = Covariance::zeros();
    let normal = moments(vec![(1.0, &one, &certain), (1.0, &other, &certain)]);
    assert_eq!(normal.mean[SPATIAL], 2.0);
    // (20 x (0.4^2 + 0.6^2) + 1 + 1) / 22.
    assert!((normal.covariance[(SPATIAL, SPATIAL)] - (20.0 * 0.52 + 2.0) / 22.0).abs() < 1e-12);
}

#[test]
fn prices_that_no_device_was_seen_to_pay_stay_open() {
    let device = profile(&[(SPATIAL, 4e-6), (LAUNCH_DENSE, 0.1)]);
    let members: Vec<Member> = (0..12)
        .map(|_| Member {
            observed: vec![observed(&device, cells(60))],
            weight: 1.0,
        })
        .collect();
    let population = Population::fit(&members);
    // Cells have no depthwise convolutions: a device may pay for them whatever any device may, a factor of e^0.9 more or less.
    let deviation = |kind: usize| population.members[0].covariance[(kind, kind)].sqrt();
    assert!(deviation(DEPTHWISE) > 0.9, "{}", deviation(DEPTHWISE));
    assert!(deviation(SPATIAL) < 0.3, "{}", deviation(SPATIAL));
}
