//! Which architectures to measure on a new device: those whose measurement is expected to leave the least uncertainty.
//!
//! Greedy A-optimal design (Chaloner & Verdinelli, *Bayesian Experimental Design*, 1995) under the prior of
//! [`super::prior`], at the mean of the known devices and of each kind of synthetic ones: each next probe is the one that lowers the
//! average predictive variance most, over the search space and over the accurate designs that limits choose among. Of probes that tell
//! nearly as much the faster is preferred. The variances do not depend on what is measured, so all probes can be chosen before
//! the first measurement.

use nalgebra::{DMatrix, DVector};
use rand::rngs::StdRng;

use super::Predictor;
use super::prior::{Coordinate, Prior};
use crate::profile::{
    COORDINATES, COUNTS, Coordinates, Covariance, Normal, Priced, RUNTIMES, Setting, level_direction, synthetic,
};
use crate::seed::Seed;
use crate::space::Architecture;

/// Prior standard deviations that probes are chosen under: of the level, and of the residual's weights.
const LEVEL_WIDTH: f64 = 2.0;
const KNOWN_WIDTH: f64 = 1.0;
const FEATURE_WIDTH: f64 = 0.03;
/// Share of the known devices among what is believed; the rest are synthetic ones.
const KNOWN_SHARE: f64 = 0.5;
/// Architectures drawn as candidates for probes and as targets of their information.
pub(crate) const CANDIDATES: usize = 20_000;
const TARGETS: usize = 2_000;
/// Half of the targets are the most accurate of so many.
const RIVALS: usize = 8;
/// Noise of one measurement in log units, chosen pessimistic so that no single probe is relied upon.
const NOISE: f64 = 0.05;
/// A probe that takes 16 times as long has to tell twice as much.
const COST_POWER: f64 = 0.25;

/// A Gaussian over devices that probes are chosen under.
struct Belief {
    share: f64,
    priced: Priced,
    /// From the coordinates of the profile to standardised ones.
    root: Covariance,
    widths: DVector<f64>,
}

/// What is believed of a new device, for one input at once, under a runtime that runs all work.
fn beliefs(prior: &Prior) -> Vec<Belief> {
    let synthetic = synthetic();
    let share = (1.0 - KNOWN_SHARE) / synthetic.len() as f64;
    let mut normals: Vec<(f64, Normal)> = synthetic.into_iter().map(|normal| (share, normal)).collect();
    normals.push((KNOWN_SHARE, prior.population()));
    let level = level_direction() * LEVEL_WIDTH;
    let width = |coordinate: &Coordinate| match coordinate {
        // The same as the level.
        Coordinate::Constant => 0.0,
        Coordinate::Known => KNOWN_WIDTH,
        Coordinate::Feature => FEATURE_WIDTH,
    };
    let belief = |(share, mut normal): (f64, Normal)| {
        normal.covariance += level * level.transpose();
        for (index, log) in (crate::profile::KINDS..COORDINATES).zip(RUNTIMES[0]) {
            normal.mean[index] = log;
        }
        Belief {
            share,
            priced: Priced::new(&normal.mean, &Setting { batch: 1.0 }),
            root: normal.root(),
            widths: DVector::from_iterator(prior.rank(), prior.coordinates.iter().map(width)),
        }
    };
    normals.into_iter().map(belief).collect()
}

impl Belief {
    /// Derivatives by the standardised coordinates, from the basis `[COUNTS + rank, architectures]`; and the logarithms there.
    fn slopes(&self, basis: &DMatrix<f32>) -> (DMatrix<f64>, Vec<f64>) {
        let mut slopes = DMatrix::zeros(COORDINATES + self.widths.len(), basis.ncols());
        let mut logs = Vec::with_capacity(basis.ncols());
        for (mut column, at) in slopes.column_iter_mut().zip(basis.column_iter()) {
            let counts: Vec<f64> = at.iter().take(COUNTS).copied().map(f64::from).collect();
            let (log, gradient) = self.priced.log_and_gradient(&counts);
            logs.push(log);
            column
                .rows_mut(0, COORDINATES)
                .copy_from(&self.root.tr_mul(&Coordinates::from(gradient)));
            for (index, width) in self.widths.iter().enumerate() {
                column[COORDINATES + index] = width * f64::from(at[COUNTS + index]);
            }
        }
        (slopes, logs)
    }
}

/// One belief while probes are chosen.
struct Choice {
    share: f64,
    /// `[coordinates, candidates]`.
    slopes: DMatrix<f64>,
    /// The covariance times the slopes, and the targets' average outer product times that.
    explained: DMatrix<f64>,
    wanted: DMatrix<f64>,
    spread: DMatrix<f64>,
    /// How long each candidate takes, relative to the median.
    costs: Vec<f64>,
}

impl Choice {
    fn new(belief: &Belief, candidates: &DMatrix<f32>, targets: &DMatrix<f32>) -> Choice {
        let (slopes, logs) = belief.slopes(candidates);
        let spread = spread(&belief.slopes(targets).0);
        let median = crate::stats::quantile(&logs, 0.5).unwrap_or_default();
        Choice {
            share: belief.share,
            explained: slopes.clone(),
            wanted: &spread * &slopes,
            slopes,
            spread,
            costs: logs.iter().map(|log| (COST_POWER * (log - median)).exp()).collect(),
        }
    }

    /// By how much a probe lowers the average variance, for what it costs.
    fn gain(&self, column: usize) -> f64 {
        let variance = self.explained.column(column).dot(&self.slopes.column(column)) + NOISE * NOISE;
        let lowered = self.explained.column(column).dot(&self.wanted.column(column)) / variance;
        self.share * lowered / self.costs[column]
    }

    fn take(&mut self, column: usize) {
        let direction = self.explained.column(column).into_owned();
        let variance = direction.dot(&self.slopes.column(column)) + NOISE * NOISE;
        let along = self.slopes.tr_mul(&direction) / variance;
        self.wanted.ger(-1.0, &(&self.spread * &direction), &along, 1.0);
        self.explained.ger(-1.0, &direction, &along, 1.0);
    }
}

/// Positions of `count` candidates to probe, best first, from their basis `[COUNTS + rank, candidates]` and the positions of those
/// that are `usable`. `targets` is the basis at the architectures to be predicted, `[COUNTS + rank, targets]`. Fewer than `count`
/// when there are fewer usable candidates.
pub fn choose(
    prior: &Prior,
    candidates: &DMatrix<f32>,
    mut usable: Vec<usize>,
    targets: &DMatrix<f32>,
    count: usize,
) -> Vec<usize> {
    let beliefs = beliefs(prior);
    let mut choices: Vec<Choice> = beliefs
        .iter()
        .map(|belief| Choice::new(belief, candidates, targets))
        .collect();
    let mut chosen = Vec::new();
    while chosen.len() < count && !usable.is_empty() {
        let gain = |column: usize| choices.iter().map(|choice| choice.gain(column)).sum::<f64>();
        let Some((position, _)) = usable
            .iter()
            .enumerate()
            .map(|(position, &column)| (position, gain(column)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
        else {
            break;
        };
        let column = usable.remove(position);
        for choice in &mut choices {
            choice.take(column);
        }
        chosen.push(column);
    }
    chosen
}

/// Standard deviation of the logarithm of predictions, averaged over `targets` in the square, before the first of these probes and
/// after each: what the prior expects, before any is measured. Without the noise of single measurements.
pub fn uncertainty(prior: &Prior, probes: &DMatrix<f32>, targets: &DMatrix<f32>) -> Vec<f64> {
    let mut variances = vec![0.0; probes.ncols() + 1];
    for belief in beliefs(prior) {
        let spread = spread(&belief.slopes(targets).0);
        let mut covariance = DMatrix::<f64>::identity(spread.nrows(), spread.nrows());
        variances[0] += belief.share * spread.dot(&covariance);
        for (index, probe) in belief.slopes(probes).0.column_iter().enumerate() {
            let direction = &covariance * probe;
            let variance = direction.dot(&probe) + NOISE * NOISE;
            covariance.ger(-1.0 / variance, &direction, &direction, 1.0);
            variances[index + 1] += belief.share * spread.dot(&covariance);
        }
    }
    variances.into_iter().map(|variance| variance.max(0.0).sqrt()).collect()
}

/// Average outer product over columns.
fn spread(slopes: &DMatrix<f64>) -> DMatrix<f64> {
    slopes * slopes.transpose() / slopes.ncols().max(1) as f64
}

impl Predictor {
    /// The architectures to measure on a new device, best first; see the module. Networks whose output does not depend on their
    /// input are never among them: on some devices they take no time at all.
    pub fn choose_probes(&self, count: usize, among: Option<&[Architecture]>, seed: Seed) -> Vec<Architecture> {
        let mut rng = seed.stream("probes");
        let targets = self.targets(&mut rng);
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
        let targets = self.targets(&mut seed.stream("probes"));
        let prior = &self.metrics.latency().prior;
        let basis = |architectures: &[Architecture]| self.metrics.latency().basis(&self.encode(architectures));
        let deviations = uncertainty(prior, &basis(probes), &basis(&targets));
        deviations.into_iter().map(f64::exp_m1).collect()
    }

    /// Architectures to be predicted: half of them drawn from the space, half the most accurate of a few, where accuracies are known.
    fn targets(&self, rng: &mut StdRng) -> Vec<Architecture> {
        let mut targets = self.samples(TARGETS / 2, rng);
        if self.accuracy.is_none() {
            targets.extend(self.samples(TARGETS / 2, rng));
            return targets;
        }
        let rivals = self.samples(TARGETS / 2 * RIVALS, rng);
        let accuracies = self.accuracies(&rivals, &self.encode(&rivals));
        for (rivals, accuracies) in rivals.chunks(RIVALS).zip(accuracies.chunks(RIVALS)) {
            let percent = |index: &usize| accuracies[*index].percent.mean;
            let best = (0..rivals.len()).max_by(|a, b| percent(a).total_cmp(&percent(b)));
            targets.extend(best.map(|index| rivals[index].clone()));
        }
        targets
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

    /// Average predictive variance over all architectures after probing some, from the textbook posterior `(I + S' S / n^2)^-1`
    /// with the standardised slopes `S` of the probes, without the greedy update.
    fn variance(world: &World, probed: &[usize]) -> f64 {
        let of_belief = |belief: &Belief| {
            let all = belief.slopes(&world.basis).0;
            let probes = all.select_columns(probed);
            let size = all.nrows();
            let precision = DMatrix::identity(size, size) + &probes * probes.transpose() / (NOISE * NOISE);
            let covariance = precision.try_inverse().unwrap();
            belief.share * (all.transpose() * covariance * &all).trace() / all.ncols() as f64
        };
        beliefs(&world.prior).iter().map(of_belief).sum()
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
            // Not of every random choice: those that tell more may also take longer.
            let random: Vec<f64> = (0..20)
                .map(|_| {
                    let mut random: Vec<usize> = (0..world.basis.ncols()).collect();
                    random.shuffle(&mut rng);
                    variance(&world, &random[..count])
                })
                .collect();
            let typical = crate::stats::quantile(&random, 0.25).unwrap();
            assert!(chosen < typical, "{count} probes: chosen {chosen}, random {random:?}");
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
    fn as_many_as_asked_for_each_once() {
        let world = World::new();
        let usable: Vec<usize> = every(&world).into_iter().step_by(3).collect();
        for count in [0, 1, 7, usable.len(), usable.len() + 100] {
            let mut chosen = choose(&world.prior, &world.basis, usable.clone(), &world.basis, count);
            assert_eq!(chosen.len(), count.min(usable.len()));
            assert!(chosen.iter().all(|one| usable.contains(one)));
            chosen.sort_unstable();
            chosen.dedup();
            assert_eq!(chosen.len(), count.min(usable.len()));
        }
    }

    /// Two networks that say the same: the one that takes less time is measured.
    #[test]
    fn of_equal_probes_the_faster_is_preferred() {
        let world = World::new();
        let mut twice = world.basis.select_columns(&[5, 5]);
        // The slower one does all of it four times.
        twice.column_mut(1).rows_mut(0, COUNTS).scale_mut(4.0);
        assert_eq!(choose(&world.prior, &twice, vec![0, 1], &world.basis, 1), [0]);
    }
}
