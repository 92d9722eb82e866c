//! The mixture that a device's profile and residual come from: around every known device, from the known devices as a population,
//! and from synthetic devices, each with what of the dead work a runtime may run.

mod like;

use nalgebra::{Cholesky, DMatrix, DVector};

use super::Measured;
use crate::predict::Ablation;
use crate::predict::prior::{Coordinate, Prior};
use crate::predict::similarity::DeviceSimilarity;
use crate::profile::{
    COORDINATES, COUNTS, Coordinates, Covariance, KINDS, Normal, Priced, SHARES, Setting, level_direction, synthetic,
};
use crate::stats;
use like::AROUND_LIKE;

pub use like::Like;

/// Part of the covariance of the population by which a device differs from the known one that it is like.
const LIKE: f64 = 0.3;
/// How much more or less it may differ than that: in the first look, and in the second.
const DISTANCE: f64 = 0.5;
const DISTANCES: [f64; 2] = [0.3, 0.8];
/// Noise relative to that of the known device, in the second look.
const NOISES: [f64; 2] = [0.6, 1.6];
/// Noise of devices that are like no known one, in log units.
const FREE_NOISES: [f64; 3] = [0.01, 0.03, 0.08];
const LEAST_NOISE: f64 = 0.003;
/// Share of the population among what is not around a known device; the rest are synthetic devices.
const POPULATION: f64 = 0.1;
/// Probability that a device runs of the dead work what the known device does that it is like.
const SAME_RUNTIME: f64 = 0.9;
/// Standard deviation of the logarithm of a share where all of it is run, and where next to nothing is.
const ALL_DEVIATION: f64 = 0.05;
const NOTHING_DEVIATION: f64 = 1.0;
/// Standard deviation by which a search space as a whole is slower, in log units.
const OFFSET: f64 = 0.1;
/// The same where the profile was seen in another search space, which did not show all of its prices.
pub const OFFSET_ELSEWHERE: f64 = 0.3;
/// Widths of the directions of known residuals, and of those in which architectures differ: none, or as known devices vary; none, or
/// a few percent where probes are many enough to tell.
const KNOWN_WIDTHS: [f64; 2] = [0.0, 1.0];
const FEATURE_WIDTHS: [f64; 2] = [0.0, 0.05];
const PROBES_FOR_FEATURES: usize = 20;
/// Least standard deviation of the level where something was measured: a datasheet is no measurement.
const LEVEL_DEVIATION: f64 = 1.0;

/// A Gaussian over profiles and residuals, with a weight.
#[derive(Clone)]
pub(super) struct Component {
    pub(super) log_weight: f64,
    mean: Coordinates,
    /// `R` with `R R'` the covariance of the profile.
    pub(super) root: Covariance,
    centre: DVector<f64>,
    /// Standard deviations of the residual's weights.
    pub(super) widths: DVector<f64>,
    pub(super) noise: f64,
    /// Covariance without the level's, which variants scale.
    source: Source,
}

/// The covariance of what is known of a device, and that by which devices differ.
#[derive(Clone)]
struct Differences {
    own: Covariance,
    between: Covariance,
}

/// What a component was made from, so that it can be varied.
#[derive(Clone)]
enum Source {
    /// A known device.
    Known(Box<Differences>),
    /// A distribution as it is.
    Normal,
}

impl Component {
    /// The profile at standardised coordinates.
    pub(super) fn profile(&self, standard: &DVector<f64>) -> Coordinates {
        self.mean + self.root * Coordinates::from_fn(|row, _| standard[row])
    }

    /// Weights of the residual there.
    pub(super) fn residual(&self, standard: &DVector<f64>) -> DVector<f64> {
        let rank = self.widths.len();
        &self.centre + standard.rows(COORDINATES, rank).component_mul(&self.widths)
    }

    /// The standardised coordinates of a profile and a residual, as near as this component has them.
    pub(super) fn standard(&self, profile: &Coordinates, residual: &DVector<f64>) -> DVector<f64> {
        let mut standard = DVector::zeros(COORDINATES + self.widths.len());
        if let Some(solved) = self.root.solve_lower_triangular(&(profile - self.mean)) {
            standard.rows_mut(0, COORDINATES).copy_from(&solved);
        }
        for (index, width) in self.widths.iter().enumerate().filter(|(_, width)| **width > 0.0) {
            standard[COORDINATES + index] = (residual[index] - self.centre[index]) / width;
        }
        standard
    }

    /// From standardised coordinates to those of profile and residual, a matrix.
    pub(super) fn scales(&self) -> DMatrix<f64> {
        let size = COORDINATES + self.widths.len();
        let mut scales = DMatrix::zeros(size, size);
        scales
            .view_mut((0, 0), (COORDINATES, COORDINATES))
            .copy_from(&self.root);
        for (index, width) in self.widths.iter().enumerate() {
            scales[(COORDINATES + index, COORDINATES + index)] = *width;
        }
        scales
    }

    /// Where the search begins: the component's mean at the level of the probes.
    pub(super) fn start(&self, measured: &Measured, setting: &Setting) -> DVector<f64> {
        let priced = Priced::new(&self.mean, setting);
        let rank = self.widths.len();
        let errors: Vec<f64> = (measured.basis.column_iter().zip(measured.logs.iter()))
            .map(|(basis, log)| {
                let residual = basis.rows(COUNTS, rank).dot(&self.centre);
                log - priced.log(&basis.as_slice()[..COUNTS]) - residual
            })
            .collect();
        let level = stats::quantile(&errors, 0.5).unwrap_or_default();
        self.standard(&(self.mean + level_direction() * level), &self.centre)
    }
}

/// What components are made from.
pub(super) struct Mixture<'a> {
    pub(super) prior: &'a Prior,
    pub(super) similarity: &'a DeviceSimilarity,
    pub(super) like: Option<Like<'a>>,
    pub(super) setting: Setting,
    /// The basis at architectures of the space, `[COUNTS + rank, reference]`.
    pub(super) reference: &'a DMatrix<f64>,
    pub(super) probes: usize,
    /// Whether some of them were taken in another search space.
    pub(super) elsewhere: bool,
    /// Whether what dead work a device runs makes a difference.
    pub(super) dead_work: bool,
    pub(super) population: Normal,
}

impl Mixture<'_> {
    /// The components of the first look.
    pub(super) fn components(&self) -> Vec<Component> {
        let mut components = Vec::new();
        let mut apart = 1.0;
        if !self.prior.lacks(Ablation::Known) {
            apart = self.similarity.apart();
            components = self.around_known(1.0 - apart);
        }
        let mut population = apart;
        if !self.prior.lacks(Ablation::Synthetic) {
            population = apart * POPULATION;
            for (normal, share) in synthetic().iter().zip(self.similarity.synthetic()) {
                components.extend(self.free(normal, apart * (1.0 - POPULATION) * share));
            }
        }
        components.extend(self.free(&self.population, population));
        if let Some(like) = self.like {
            for component in &mut components {
                component.log_weight += (1.0 - AROUND_LIKE).ln();
            }
            components.extend(self.around(like));
        }
        components
    }

    /// The same component with other settings, for a second look.
    pub(super) fn variants(&self, component: &Component) -> Vec<Component> {
        let roots: Vec<Covariance> = match &component.source {
            Source::Known(from) => DISTANCES
                .iter()
                .map(|distance| self.root(from.own + from.between * (LIKE * distance * distance)))
                .collect(),
            Source::Normal => vec![component.root],
        };
        let noises: &[f64] = match component.source {
            Source::Known(_) => &NOISES,
            Source::Normal => &[1.0],
        };
        let features = if self.probes >= PROBES_FOR_FEATURES {
            &FEATURE_WIDTHS[..]
        } else {
            &FEATURE_WIDTHS[..1]
        };
        let count = roots.len() * noises.len() * KNOWN_WIDTHS.len() * features.len();
        let mut variants = Vec::with_capacity(count);
        for root in &roots {
            for noise in noises {
                for known in KNOWN_WIDTHS {
                    for &feature in features {
                        variants.push(Component {
                            log_weight: component.log_weight - (count as f64).ln(),
                            root: *root,
                            widths: self.widths(known, feature, component.widths[0]),
                            noise: (component.noise * noise).max(LEAST_NOISE),
                            ..component.clone()
                        });
                    }
                }
            }
        }
        variants
    }

    fn around_known(&self, share: f64) -> Vec<Component> {
        let mut components = Vec::new();
        for (index, device) in self.prior.known.iter().enumerate() {
            let weight = share * self.similarity.of_known(index);
            let own_runtime = nearest_runtime(&device.profile, &self.similarity.runtimes().map(|one| one.1));
            for (position, (probability, shares)) in self.similarity.runtimes().into_iter().enumerate() {
                let is_own = f64::from(u8::from(position == own_runtime));
                let weight = if self.dead_work {
                    weight * (SAME_RUNTIME * is_own + (1.0 - SAME_RUNTIME) * probability)
                } else {
                    weight * is_own
                };
                if weight <= 0.0 {
                    continue;
                }
                let own = with_shares(&device.covariance, &shares);
                let between = without_shares(self.population.covariance);
                let component = Component {
                    log_weight: weight.ln(),
                    mean: with_runtime(&device.profile, &shares),
                    root: self.root(own + between * (LIKE * DISTANCE * DISTANCE)),
                    centre: self.prior.known_centres.column(index).into_owned(),
                    widths: self.widths(1.0, 0.0, self.offset(device.elsewhere)),
                    noise: device.noise.max(LEAST_NOISE),
                    source: Source::Known(Box::new(Differences { own, between })),
                };
                components.push(self.levelled(component));
            }
        }
        components
    }

    fn free(&self, normal: &Normal, weight: f64) -> Vec<Component> {
        let mut components = Vec::new();
        for (position, (probability, shares)) in self.similarity.runtimes().into_iter().enumerate() {
            let probability = if self.dead_work {
                probability
            } else {
                f64::from(u8::from(position == 0))
            };
            if probability <= 0.0 {
                continue;
            }
            for noise in FREE_NOISES {
                let component = Component {
                    log_weight: (weight * probability / FREE_NOISES.len() as f64).ln(),
                    mean: with_runtime(&normal.mean, &shares),
                    root: self.root(with_shares(&normal.covariance, &shares)),
                    centre: DVector::zeros(self.prior.rank()),
                    widths: self.widths(1.0, 0.0, self.offset(false)),
                    noise,
                    source: Source::Normal,
                };
                components.push(self.levelled(component));
            }
        }
        components
    }

    /// Moves a component to the level that the datasheet says, which is of the input size that was learned from.
    fn levelled(&self, mut component: Component) -> Component {
        let priced = Priced::new(&component.mean, &self.setting);
        let rank = self.prior.rank();
        let reference = self.prior.learned_reference.as_ref().unwrap_or(self.reference);
        let logs: Vec<f64> = (reference.column_iter())
            .map(|basis| priced.log(&basis.as_slice()[..COUNTS]) + basis.rows(COUNTS, rank).dot(&component.centre))
            .collect();
        let level = stats::quantile(&logs, 0.5).unwrap_or_default();
        component.mean += level_direction() * (self.similarity.level().0 - level);
        component
    }

    /// Root of a covariance with that of the level.
    fn root(&self, covariance: Covariance) -> Covariance {
        let mut level = self.similarity.level().1;
        if self.prior.learned_reference.is_some() {
            // How much slower larger images are depends on prices that a datasheet does not say.
            level = level.hypot(LEVEL_DEVIATION);
        }
        if self.probes > 0 {
            level = level.max(LEVEL_DEVIATION);
        }
        root_with_level(covariance, level)
    }

    /// Standard deviation of the constant; `elsewhere` says that a known device was seen in other search spaces alone.
    fn offset(&self, elsewhere: bool) -> f64 {
        if elsewhere || self.elsewhere {
            OFFSET_ELSEWHERE
        } else {
            OFFSET
        }
    }

    /// The constant is the first coordinate.
    fn widths(&self, known: f64, feature: f64, constant: f64) -> DVector<f64> {
        let width = |coordinate: &Coordinate| match coordinate {
            Coordinate::Constant => constant,
            Coordinate::Known => known,
            Coordinate::Feature => feature,
        };
        DVector::from_iterator(self.prior.rank(), self.prior.coordinates.iter().map(width))
    }
}

/// Root of a covariance with that of a level of this standard deviation.
fn root_with_level(covariance: Covariance, level: f64) -> Covariance {
    let direction = level_direction() * level;
    let padded = covariance + direction * direction.transpose() + Covariance::identity() * 1e-8;
    Cholesky::new(padded).map_or_else(Covariance::identity, |factor| factor.l())
}

/// Which of the runtimes runs of the dead work what a profile says.
fn nearest_runtime(profile: &Coordinates, runtimes: &[[f64; SHARES]; 3]) -> usize {
    let away = |shares: &[f64; SHARES]| -> f64 {
        let differences = shares.iter().enumerate();
        differences
            .map(|(share, log)| (profile[KINDS + share].clamp(-3.5, 0.0) - log).powi(2))
            .sum()
    };
    (0..runtimes.len())
        .min_by(|&a, &b| away(&runtimes[a]).total_cmp(&away(&runtimes[b])))
        .unwrap_or(0)
}

fn with_runtime(profile: &Coordinates, shares: &[f64; SHARES]) -> Coordinates {
    let mut profile = *profile;
    for (share, log) in shares.iter().enumerate() {
        profile[KINDS + share] = *log;
    }
    profile
}

/// The covariance with shares that vary by themselves, little where all is run.
fn with_shares(covariance: &Covariance, shares: &[f64; SHARES]) -> Covariance {
    let mut covariance = without_shares(*covariance);
    for (share, log) in shares.iter().enumerate() {
        let deviation = if *log == 0.0 { ALL_DEVIATION } else { NOTHING_DEVIATION };
        covariance[(KINDS + share, KINDS + share)] = deviation * deviation;
    }
    covariance
}

fn without_shares(mut covariance: Covariance) -> Covariance {
    for share in KINDS..COORDINATES {
        covariance.row_mut(share).fill(0.0);
        covariance.column_mut(share).fill(0.0);
    }
    covariance
}
