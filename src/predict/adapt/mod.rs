//! From a few probes to a device: the prior's mixture of profiles given the probes, component by component, see `components` and
//! `solve`. A first look tells which components explain the probes; the best are looked at again under several settings. What is
//! left is a mixture over their modes, brought into one tangent space: that of the best mode, in which every other one is the least
//! squares fit over architectures of the space. It needs no gradient descent, takes milliseconds for 20 probes, and seconds for ten thousands.

mod components;
mod solve;
#[cfg(test)]
mod tests;

use nalgebra::{Cholesky, DMatrix, DVector};
use rand::seq::index;
use rayon::prelude::*;

use super::device_model::Posterior;
use super::prior::Prior;
use super::similarity::DeviceSimilarity;
use crate::profile::{COORDINATES, COUNTS, KINDS, Priced, Setting};
use crate::seed::Seed;
use components::{Component, Mixture};

pub use components::{Like, OFFSET_ELSEWHERE};
use solve::{Mode, Problem};

/// Steps of the search at most: from every component, from the best ones further, and under each setting in the second look.
const STEPS: usize = 6;
const FURTHER_STEPS: usize = 8;
const MORE_STEPS: usize = 5;
/// Components that are searched from further.
const SEARCHED_FURTHER: usize = 32;
/// Components that are looked at again, and their least weight relative to the best.
const LOOKED_AT_AGAIN: usize = 10;
const LEAST_LOG_WEIGHT: f64 = -12.0;
/// Where probes are many, the first look takes so many of them, and only so many components are looked at again.
const MANY_PROBES: usize = 120;
const LOOKED_AT_WITH_MANY: usize = 2;
/// Standard deviation of a logarithm around the profile in another search space.
pub const ELSEWHERE: f64 = 0.05;
/// Architectures of the space that the modes are brought into one tangent space over.
pub const REFERENCE: usize = 256;
/// Modes with less weight than this are left out.
const LEAST_SHARE: f64 = 0.003;
/// What is added to the squares of the tangent space, which no data needs: directions that no architecture shows stay unmoved.
const RIDGE: f64 = 1e-6;

/// What was measured, one entry per architecture.
#[derive(Debug, Clone)]
pub struct Measured {
    /// `[COUNTS + rank, architectures]`.
    basis: DMatrix<f64>,
    /// Natural logarithms of the values.
    logs: DVector<f64>,
    /// Variance of each logarithm around the device's function, relative to that of one measurement.
    noise: DVector<f64>,
    /// Variance of each logarithm that the timer's resolution alone makes.
    resolution: DVector<f64>,
    /// Whether some were measured in another search space.
    elsewhere: bool,
}

impl Measured {
    /// Every architecture measured once: `basis` is `[COUNTS + rank, architectures]`, `logs` are natural logarithms.
    pub fn once(basis: DMatrix<f64>, logs: &[f64]) -> Measured {
        Measured::repeated(basis, logs, &vec![1; logs.len()])
    }

    /// As [`Measured::once`], with `logs` means over `times` independent measurements each. Half of the variance of a measurement
    /// is taken to be the architecture's own, which no repetition takes away: what the basis does not explain of it.
    pub fn repeated(basis: DMatrix<f64>, logs: &[f64], times: &[usize]) -> Measured {
        Measured {
            basis,
            resolution: resolution_variances(logs),
            elsewhere: false,
            logs: DVector::from_column_slice(logs),
            noise: DVector::from_iterator(times.len(), times.iter().map(|&times| 0.5 + 0.5 / times.max(1) as f64)),
        }
    }

    /// With what was measured in other search spaces: counts of work and logarithms. The residual there is not known, so that
    /// such a value says less of the profile than one in the space itself.
    pub fn with_elsewhere(mut self, rows: &[(&[f64], f64)]) -> Measured {
        if rows.is_empty() {
            return self;
        }
        let logs: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let (own, all) = (self.len(), self.len() + rows.len());
        let append = |vector: DVector<f64>, more: DVector<f64>| {
            DVector::from_fn(
                all,
                |index, _| if index < own { vector[index] } else { more[index - own] },
            )
        };
        let resolution = resolution_variances(&logs).add_scalar(ELSEWHERE * ELSEWHERE);
        self.basis = self.basis.resize_horizontally(all, 0.0);
        for (mut column, (counts, _)) in self.basis.columns_mut(own, rows.len()).column_iter_mut().zip(rows) {
            column.rows_mut(0, COUNTS).copy_from_slice(counts);
        }
        self.logs = append(self.logs, DVector::from_vec(logs));
        self.noise = append(self.noise, DVector::repeat(rows.len(), 1.0));
        self.resolution = append(self.resolution, resolution);
        self.elsewhere = true;
        self
    }

    /// Number of architectures.
    pub fn len(&self) -> usize {
        self.logs.len()
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// The basis at the architectures: `[COUNTS + rank, architectures]`.
    pub(super) fn basis(&self) -> DMatrix<f32> {
        self.basis.map(|value| value as f32)
    }

    /// Natural logarithm of one value.
    pub(super) fn log(&self, index: usize) -> f64 {
        self.logs[index]
    }

    /// What was measured of all architectures but one.
    pub(super) fn without(&self, index: usize) -> Measured {
        let rest: Vec<usize> = (0..self.len()).filter(|&other| other != index).collect();
        self.of(&rest)
    }

    /// What was measured of some architectures.
    fn of(&self, positions: &[usize]) -> Measured {
        Measured {
            basis: self.basis.select_columns(positions),
            logs: self.logs.select_rows(positions),
            noise: self.noise.select_rows(positions),
            resolution: self.resolution.select_rows(positions),
            elsewhere: self.elsewhere,
        }
    }

    /// Whether any of the networks has work that need not be done.
    fn has_dead_work(&self) -> bool {
        let dead = self.basis.rows(KINDS, COUNTS - KINDS);
        dead.iter().any(|&count| count > 0.0)
    }
}

/// Values that are all multiples of one of these were rounded to it: a timer that counts whole milliseconds, say.
const RESOLUTIONS: [f64; 3] = [1.0, 0.5, 0.1];
/// Values from which a resolution can be told.
const VALUES_FOR_RESOLUTION: usize = 3;

/// Variance of each logarithm by rounding: a twelfth of the square of the resolution, relative to the value.
fn resolution_variances(logs: &[f64]) -> DVector<f64> {
    let is_multiple = |log: &f64, resolution: f64| {
        let multiples = log.exp() / resolution;
        (multiples - multiples.round()).abs() < 1e-6 * multiples.max(1.0) && multiples.round() >= 1.0
    };
    let resolution = RESOLUTIONS
        .into_iter()
        .find(|&resolution| logs.len() >= VALUES_FOR_RESOLUTION && logs.iter().all(|log| is_multiple(log, resolution)));
    DVector::from_iterator(
        logs.len(),
        logs.iter()
            .map(|log| resolution.map_or(0.0, |resolution| (resolution / log.exp()).powi(2) / 12.0)),
    )
}

/// What a device is adapted from, besides what was measured on it.
pub struct Beliefs<'a> {
    /// The mixture and the basis of the residual.
    pub prior: &'a Prior,
    /// Which known devices it is like.
    pub similarity: &'a DeviceSimilarity,
    /// A function on the same basis that this one is like.
    pub like: Option<Like<'a>>,
    /// What is measured with.
    pub setting: Setting,
    /// The basis at architectures drawn from the space: `[COUNTS + rank, reference]`.
    pub reference: &'a DMatrix<f64>,
}

/// A component at its mode, with its share of the mixture.
struct Part {
    component: Component,
    mode: Mode,
    share: f64,
}

/// Adapts to what was measured.
///
/// Where nothing was measured the result is the mixture itself, at the level that the datasheet says. The same measurements and
/// seed give the same result.
pub fn adapt(beliefs: &Beliefs, measured: &Measured, seed: Seed) -> Posterior {
    let mixture = mixture(beliefs, measured);
    let parts = if measured.is_empty() {
        unmeasured(mixture.components())
    } else {
        explained(&mixture, measured, seed)
    };
    tangent(&mixture, measured, &parts)
}

fn mixture<'a>(beliefs: &Beliefs<'a>, measured: &Measured) -> Mixture<'a> {
    Mixture {
        prior: beliefs.prior,
        similarity: beliefs.similarity,
        like: beliefs.like,
        setting: beliefs.setting,
        reference: beliefs.reference,
        probes: measured.len(),
        elsewhere: measured.elsewhere,
        dead_work: measured.is_empty() || measured.has_dead_work(),
        population: beliefs.prior.population(),
    }
}

/// The mixture itself, at its components' means.
fn unmeasured(components: Vec<Component>) -> Vec<Part> {
    let size = |component: &Component| COORDINATES + component.widths.len();
    let modes = components
        .into_iter()
        .map(|component| {
            let mode = Mode {
                standard: DVector::zeros(size(&component)),
                log_weight: component.log_weight,
            };
            (component, mode)
        })
        .collect();
    shares(modes)
}

/// The components that explain what was measured, at their modes.
fn explained(mixture: &Mixture, measured: &Measured, seed: Seed) -> Vec<Part> {
    let some = (measured.len() > MANY_PROBES).then(|| {
        let mut rng = seed.stream("first-look");
        measured.of(&index::sample(&mut rng, measured.len(), MANY_PROBES).into_vec())
    });
    let first = some.as_ref().unwrap_or(measured);
    let starts = mixture.components().into_iter().map(|component| {
        let start = component.start(first, &mixture.setting);
        (component, start)
    });
    let all = self::modes(mixture, first, starts.collect(), STEPS, false);
    let best = all.into_iter().take(SEARCHED_FURTHER);
    let starts = best.map(|(component, mode)| (component, mode.standard)).collect();
    let mut modes = self::modes(mixture, first, starts, FURTHER_STEPS, true);
    let best = modes.first().map_or(0.0, |one| one.1.log_weight);
    modes.retain(|one| one.1.log_weight > best + LEAST_LOG_WEIGHT);
    modes.truncate(if some.is_some() {
        LOOKED_AT_WITH_MANY
    } else {
        LOOKED_AT_AGAIN
    });
    let varied: Vec<(Component, DVector<f64>)> = (modes.iter())
        .flat_map(|(component, mode)| {
            let (profile, residual) = (component.profile(&mode.standard), component.residual(&mode.standard));
            let variants = mixture.variants(component).into_iter();
            variants.map(move |variant| {
                let start = variant.standard(&profile, &residual);
                (variant, start)
            })
        })
        .collect();
    let again = self::modes(mixture, measured, varied, MORE_STEPS, true);
    shares(if again.is_empty() { modes } else { again })
}

/// Components at the modes that are found from these starts, the one that explains best first; see [`Problem::mode`].
fn modes(
    mixture: &Mixture,
    measured: &Measured,
    starts: Vec<(Component, DVector<f64>)>,
    steps: usize,
    settled: bool,
) -> Vec<(Component, Mode)> {
    let searched = starts.into_par_iter().filter_map(|(component, start)| {
        let mode = problem(mixture, &component, measured).mode(start, steps, settled)?;
        Some((component, mode))
    });
    let mut modes: Vec<(Component, Mode)> = searched.collect();
    modes.sort_by(|a, b| b.1.log_weight.total_cmp(&a.1.log_weight));
    modes
}

fn problem<'a>(mixture: &'a Mixture, component: &'a Component, measured: &'a Measured) -> Problem<'a> {
    Problem {
        component,
        measured,
        setting: &mixture.setting,
    }
}

/// Shares in the mixture, the largest first.
fn shares(mut modes: Vec<(Component, Mode)>) -> Vec<Part> {
    modes.sort_by(|a, b| b.1.log_weight.total_cmp(&a.1.log_weight));
    let best = modes.first().map_or(0.0, |one| one.1.log_weight);
    let weights: Vec<f64> = modes.iter().map(|one| (one.1.log_weight - best).exp()).collect();
    let total: f64 = weights.iter().sum();
    let parts = modes.into_iter().zip(weights).map(|((component, mode), weight)| Part {
        component,
        mode,
        share: weight / total,
    });
    let mut parts: Vec<Part> = parts.filter(|part| part.share >= LEAST_SHARE).collect();
    let kept: f64 = parts.iter().map(|part| part.share).sum();
    for part in &mut parts {
        part.share /= kept;
    }
    parts
}

/// The mixture in the tangent space of its best mode.
fn tangent(mixture: &Mixture, measured: &Measured, parts: &[Part]) -> Posterior {
    let rank = mixture.prior.rank();
    let size = COORDINATES + rank;
    let Some(best) = parts.first() else {
        // No component could be evaluated: nothing is known but the level.
        let profile = mixture.population.mean;
        return Posterior::new(
            &profile,
            &mixture.setting,
            &DVector::zeros(size),
            DMatrix::identity(size, size),
            1.0,
        );
    };
    let profile = best.component.profile(&best.mode.standard);
    let space = TangentSpace::new(mixture, &profile);
    let mut mean = DVector::zeros(size);
    let mut noise_variance = 0.0;
    let mut found = Vec::new();
    for part in parts {
        let moved = space.moved(mixture, part);
        mean += &moved * part.share;
        noise_variance += part.share * part.component.noise.powi(2);
        found.push(moved);
    }
    let mut covariance = DMatrix::zeros(size, size);
    for (part, moved) in parts.iter().zip(found) {
        if let Some(own) = problem(mixture, &part.component, measured).covariance(&part.mode) {
            covariance += own * part.share;
        }
        let away = moved - &mean;
        covariance.ger(part.share, &away, &away, 1.0);
    }
    Posterior::new(&profile, &mixture.setting, &mean, covariance, noise_variance)
}

/// What a change of profile and residual does to the logarithms at the reference architectures.
struct TangentSpace {
    /// Logarithms of the sums of work there.
    logs: Vec<f64>,
    /// `[COORDINATES + rank, reference]`: changes of logarithms to coordinates, by least squares.
    fit: DMatrix<f64>,
}

impl TangentSpace {
    fn new(mixture: &Mixture, profile: &crate::profile::Coordinates) -> TangentSpace {
        let size = COORDINATES + mixture.prior.rank();
        let priced = Priced::new(profile, &mixture.setting);
        let mut tangent = DMatrix::zeros(size, mixture.reference.ncols());
        let mut logs = Vec::with_capacity(mixture.reference.ncols());
        for (mut column, basis) in tangent.column_iter_mut().zip(mixture.reference.column_iter()) {
            let (counts, functions) = basis.as_slice().split_at(COUNTS);
            let (log, gradient) = priced.log_and_gradient(counts);
            logs.push(log);
            let values = gradient.iter().chain(functions);
            for (to, from) in column.iter_mut().zip(values) {
                *to = *from;
            }
        }
        let mut squares = &tangent * tangent.transpose();
        let ridge = RIDGE * squares.trace() / size as f64;
        for index in 0..size {
            squares[(index, index)] += ridge;
        }
        let fit =
            Cholesky::new(squares).map_or_else(|| DMatrix::zeros(size, logs.len()), |factor| factor.solve(&tangent));
        TangentSpace { logs, fit }
    }

    /// A component's mode as coordinates of this space.
    fn moved(&self, mixture: &Mixture, part: &Part) -> DVector<f64> {
        let priced = Priced::new(&part.component.profile(&part.mode.standard), &mixture.setting);
        let residual = part.component.residual(&part.mode.standard);
        let rank = residual.len();
        let away = DVector::from_iterator(
            self.logs.len(),
            (mixture.reference.column_iter().zip(&self.logs)).map(|(basis, log)| {
                priced.log(&basis.as_slice()[..COUNTS]) - log + basis.rows(COUNTS, rank).dot(&residual)
            }),
        );
        &self.fit * away
    }
}
