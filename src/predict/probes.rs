//! Which architectures to measure on a new device: those whose measurement is expected to leave the least uncertainty.
//!
//! Greedy A-optimal design (Chaloner & Verdinelli, *Bayesian Experimental Design*, 1995) under the prior of
//! [`super::prior`]: each next probe is the one that lowers the average predictive variance over the search space most.
//! The variances do not depend on what is measured, so all probes can be chosen before the first measurement.

use nalgebra::DMatrix;
use rand::rngs::StdRng;

use super::Predictor;
use super::prior::{Coordinate, Prior};
use super::similarity::DeviceSimilarity;
use crate::device::Device;
use crate::seed::Seed;
use crate::space::Architecture;

/// Prior standard deviations that probes are chosen under, in units of the scale. Directions of synthetic devices count less
/// than those of known ones; the means stand for the uncertain scale.
pub(crate) const LEVEL_WIDTH: f64 = 3.0;
const KNOWN_WIDTH: f64 = 1.0;
const SYNTHETIC_WIDTH: f64 = 0.25;
const FEATURE_WIDTH: f64 = 0.05;
const MEAN_WIDTH: f64 = 0.5;
/// Architectures drawn as candidates for probes and as targets of their information.
pub(crate) const CANDIDATES: usize = 20_000;
const TARGETS: usize = 2_000;
/// Noise of one measurement, chosen pessimistic so that no single probe is relied upon.
const NOISE: f64 = 0.2;

/// Positions of `count` candidates to probe, best first, from their basis `[rank, candidates]` and the positions of those that
/// are `usable`. `targets` is the basis at the architectures to be predicted, `[rank, targets]`. Fewer than `count` when there
/// are fewer usable candidates: networks that compute next to nothing are left out, since on some devices they are outliers.
pub fn choose(
    prior: &Prior,
    candidates: &DMatrix<f32>,
    mut usable: Vec<usize>,
    targets: &DMatrix<f32>,
    count: usize,
) -> Vec<usize> {
    let rank = prior.rank();
    let degenerate = degenerate_rows(prior);
    let is_degenerate = |column: usize| degenerate.iter().any(|&row| candidates[(row, column)] > 0.5);
    usable.retain(|&column| !is_degenerate(column));
    let (candidates, spread) = (scaled(prior, candidates), spread(prior, targets));
    let mut covariance = DMatrix::<f64>::identity(rank, rank);
    let mut chosen = Vec::new();
    while chosen.len() < count && !usable.is_empty() {
        let explained = &covariance * &candidates;
        let gains = &spread * &explained;
        let gain = |column: usize| {
            let variance = explained.column(column).dot(&candidates.column(column)) + NOISE * NOISE;
            explained.column(column).dot(&gains.column(column)) / variance
        };
        let Some((position, _)) = usable
            .iter()
            .enumerate()
            .map(|(position, &column)| (position, gain(column)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
        else {
            break;
        };
        let column = usable.remove(position);
        let direction = explained.column(column).into_owned();
        let variance = direction.dot(&candidates.column(column)) + NOISE * NOISE;
        covariance.ger(-1.0 / variance, &direction, &direction, 1.0);
        chosen.push(column);
    }
    chosen
}

/// Standard deviation of predictions, averaged over `targets` in the square, before the first of these probes and after each:
/// what the prior expects, before any is measured. In units of the scale; without the noise of single measurements.
pub fn uncertainty(prior: &Prior, probes: &DMatrix<f32>, targets: &DMatrix<f32>) -> Vec<f64> {
    let (probes, spread) = (scaled(prior, probes), spread(prior, targets));
    let mut covariance = DMatrix::<f64>::identity(prior.rank(), prior.rank());
    let deviation = |covariance: &DMatrix<f64>| spread.dot(covariance).max(0.0).sqrt();
    let mut deviations = vec![deviation(&covariance)];
    for probe in probes.column_iter() {
        let direction = &covariance * probe;
        let variance = direction.dot(&probe) + NOISE * NOISE;
        covariance.ger(-1.0 / variance, &direction, &direction, 1.0);
        deviations.push(deviation(&covariance));
    }
    deviations
}

/// The basis in units of the prior widths.
fn scaled(prior: &Prior, basis: &DMatrix<f32>) -> DMatrix<f64> {
    let mut basis = basis.map(f64::from);
    for (mut row, coordinate) in basis.row_iter_mut().zip(&prior.coordinates) {
        row *= width(coordinate);
    }
    basis
}

/// Average outer product of the scaled basis over the targets.
fn spread(prior: &Prior, targets: &DMatrix<f32>) -> DMatrix<f64> {
    let targets = scaled(prior, targets);
    &targets * targets.transpose() / targets.ncols().max(1) as f64
}

fn width(coordinate: &Coordinate) -> f64 {
    match coordinate {
        Coordinate::Constant => LEVEL_WIDTH,
        Coordinate::Mean => MEAN_WIDTH,
        Coordinate::Known => KNOWN_WIDTH,
        Coordinate::Synthetic => SYNTHETIC_WIDTH,
        Coordinate::Feature => FEATURE_WIDTH,
        Coordinate::Degenerate => 0.0,
    }
}

fn degenerate_rows(prior: &Prior) -> Vec<usize> {
    (0..prior.rank())
        .filter(|&row| prior.coordinates[row] == Coordinate::Degenerate)
        .collect()
}

impl Predictor {
    /// The architectures to measure on a new device, best first; see the module. Networks whose output does not depend on their
    /// input are never among them: on some devices they take no time at all.
    pub fn choose_probes(&self, count: usize, among: Option<&[Architecture]>, seed: Seed) -> Vec<Architecture> {
        let mut rng = seed.stream("probes");
        let targets = self.samples(TARGETS, &mut rng);
        let basis = |architectures: &[Architecture]| match self.table() {
            Some(table) => {
                let positions: Vec<usize> = architectures.iter().map(|one| table.position(one)).collect();
                table.bases.latency().select_columns(&positions)
            }
            None => self.metrics.latency().basis(&self.encode(architectures)),
        };
        let targets = basis(&targets);
        let best = |architectures: &[Architecture], candidates: &DMatrix<f32>| {
            let usable = (0..architectures.len())
                .filter(|&position| self.space.output_depends_on_input(&architectures[position]))
                .collect();
            let chosen = choose(&self.metrics.latency().prior, candidates, usable, &targets, count);
            chosen
                .into_iter()
                .map(|position| architectures[position].clone())
                .collect()
        };
        match (among, self.table()) {
            (Some(among), _) => best(among, &basis(among)),
            (None, Some(table)) if table.architectures.len() <= CANDIDATES => {
                best(&table.architectures, table.bases.latency())
            }
            (None, _) => {
                let sampled = self.samples(CANDIDATES, &mut rng);
                best(&sampled, &basis(&sampled))
            }
        }
    }

    /// How far predictions are expected to be off, as a factor less one (0.1 is about 10 %), before the first of these probes
    /// and after each; see [`uncertainty`].
    pub fn expected_error(&self, probes: &[Architecture], seed: Seed) -> Vec<f64> {
        let targets = self.samples(TARGETS, &mut seed.stream("probes"));
        let prior = &self.metrics.latency().prior;
        let basis = |architectures: &[Architecture]| self.metrics.latency().basis(&self.encode(architectures));
        let deviations = uncertainty(prior, &basis(probes), &basis(&targets));
        let scale = DeviceSimilarity::of(&Device::named(""), prior).typical_scale(prior);
        deviations
            .iter()
            .map(|deviation| (scale * deviation).exp_m1())
            .collect()
    }

    fn samples(&self, count: usize, rng: &mut StdRng) -> Vec<Architecture> {
        (0..count).map(|_| self.space.sample(rng)).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::seq::SliceRandom;

    use super::super::example::World;
    use super::*;
    use crate::seed::Seed;

    /// Average predictive variance over all architectures after probing some, from the textbook posterior
    /// `(W^-1 + P P' / n^2)^-1` with prior variances `W` and probes `P`, without the greedy update.
    fn variance(world: &World, probed: &[usize]) -> f64 {
        let widths: Vec<f64> = world.prior.coordinates.iter().map(width).collect();
        let varying: Vec<usize> = (0..widths.len()).filter(|&row| widths[row] > 0.0).collect();
        let basis: DMatrix<f64> = world.basis.select_rows(&varying).cast();
        let probes = basis.select_columns(probed);
        let mut precision = &probes * probes.transpose() / (NOISE * NOISE);
        for (index, &row) in varying.iter().enumerate() {
            precision[(index, index)] += 1.0 / (widths[row] * widths[row]);
        }
        let covariance = precision.try_inverse().unwrap();
        (basis.transpose() * covariance * &basis).trace() / basis.ncols() as f64
    }

    fn every(world: &World) -> Vec<usize> {
        (0..world.basis.ncols()).collect()
    }

    #[test]
    fn chosen_probes_leave_less_uncertainty_than_random_ones() {
        let world = World::new();
        let mut rng = Seed(8).stream("random");
        for count in [3, 10] {
            let chosen = choose(&world.prior, &world.basis, every(&world), &world.basis, count);
            let chosen = variance(&world, &chosen);
            for _ in 0..20 {
                let mut random: Vec<usize> = (0..world.basis.ncols()).collect();
                random.shuffle(&mut rng);
                let random = variance(&world, &random[..count]);
                assert!(chosen < random, "{count} probes: chosen {chosen}, random {random}");
            }
        }
    }

    #[test]
    fn the_uncertainty_is_that_of_the_textbook_posterior() {
        let world = World::new();
        let chosen = choose(&world.prior, &world.basis, every(&world), &world.basis, 6);
        let probes = world.basis.select_columns(&chosen);
        let deviations = uncertainty(&world.prior, &probes, &world.basis);
        assert_eq!(deviations.len(), 7);
        for (count, deviation) in deviations.iter().enumerate() {
            let expected = variance(&world, &chosen[..count]).sqrt();
            assert!(
                (deviation - expected).abs() < 1e-6 * expected,
                "{count}: {deviation} {expected}"
            );
        }
        assert!(
            deviations.is_sorted_by(|before, after| after < before),
            "{deviations:?}"
        );
    }

    #[test]
    fn as_many_as_asked_for_each_once_and_none_degenerate() {
        let world = World::new();
        assert!(world.degenerate[500] && world.degenerate.iter().any(|degenerate| !degenerate));
        let usable = world.degenerate.iter().filter(|degenerate| !**degenerate).count();
        for count in [0, 1, 7, usable, usable + 100] {
            let mut chosen = choose(&world.prior, &world.basis, every(&world), &world.basis, count);
            assert_eq!(chosen.len(), count.min(usable));
            assert!(chosen.iter().all(|&one| !world.degenerate[one]));
            chosen.sort_unstable();
            chosen.dedup();
            assert_eq!(chosen.len(), count.min(usable));
        }
    }
}
