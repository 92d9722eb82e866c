//! What is believed of a device's setting before any probe: around which device it is, its scale, how far it may be from there
//! along each kind of direction, and how noisy its measurements are.

use nalgebra::{DMatrix, DVector, DVectorView};
use rand::Rng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::super::device_model::Posterior;
use super::super::prior::{Coordinate, Prior};
use super::super::similarity::DeviceSimilarity;

/// Share of the mixture around the mean of the known devices; the rest is around known and synthetic ones.
const AROUND_MEAN: f64 = 0.1;
/// Share around the function that another one is like, where there is one.
const AROUND_LIKE: f64 = 0.5;
/// Median and log-spread of the prior widths along known and along synthetic directions.
const KNOWN_WIDTH: (f64, f64) = (0.2, 0.7);
const SYNTHETIC_WIDTH: (f64, f64) = (0.4, 0.8);
/// The same along the features, where the prior expects little and many probes may find something.
const FEATURE_WIDTH: (f64, f64) = (0.05, 1.0);
/// Prior standard deviations of degenerate networks on devices that run them like others, and on those that optimise them away;
/// and the share of the former.
const DEGENERATE_WIDTHS: (f64, f64) = (0.15, 2.0);
const DEGENERATE_ORDINARY: f64 = 0.8;
/// Log-spread of the scale around the known devices' typical scale, and of the noise around that of the known device in
/// the centre.
pub(super) const SCALE_SPREAD: f64 = 0.4;
const LIKE_NOISE_SPREAD: f64 = 0.5;
/// Median and log-spread of the noise where no known device is in the centre: the known devices may all be quieter.
const NOISE: (f64, f64) = (0.25, 0.8);

/// Numbers of a setting that are log-normal: scale, widths along known, synthetic and feature directions, noise.
pub(super) const CONTINUOUS: usize = 5;

/// The device that a new one is around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Centre {
    Mean,
    Known(usize),
    Synthetic(usize),
    Like,
}

/// One draw from the hyperprior.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Setting {
    pub(super) centre: Centre,
    pub(super) scale: f64,
    pub(super) known: f64,
    pub(super) synthetic: f64,
    pub(super) feature: f64,
    pub(super) degenerate: f64,
    pub(super) noise: f64,
    /// The log-normal numbers as deviations from their medians, in units of their spreads: standard normal.
    pub(super) deviations: [f64; CONTINUOUS],
}

impl Setting {
    /// Prior standard deviation of each coordinate; zero for the level, which has no prior of its own.
    pub(super) fn widths(&self, prior: &Prior) -> DVector<f64> {
        DVector::from_iterator(
            prior.rank(),
            prior.coordinates.iter().map(|coordinate| match coordinate {
                Coordinate::Constant | Coordinate::Mean => 0.0,
                Coordinate::Degenerate => self.degenerate,
                Coordinate::Known => self.known,
                Coordinate::Synthetic => self.synthetic,
                Coordinate::Feature => self.feature,
            }),
        )
    }
}

/// The hyperprior, with what devices may be around as weights in standardised units.
pub(super) struct Hyperprior<'a> {
    pub(super) prior: &'a Prior,
    similarity: &'a DeviceSimilarity,
    typical_scale: f64,
    pub(super) mean: DVector<f64>,
    /// The function that this one may be a multiple of.
    pub(super) like: Option<DVector<f64>>,
}

impl<'a> Hyperprior<'a> {
    pub(super) fn new(prior: &'a Prior, similarity: &'a DeviceSimilarity, like: Option<&Posterior>) -> Self {
        let typical_scale = similarity.typical_scale(prior);
        let standardised = |like: &Posterior| {
            let mut weights = like.mean.map(f64::from) / typical_scale;
            // The level is the probes' own.
            weights[0] = 0.0;
            weights
        };
        Hyperprior {
            prior,
            similarity,
            typical_scale,
            mean: similarity.mean_centre(prior),
            like: like.map(standardised),
        }
    }

    pub(super) fn draw(&self, rng: &mut StdRng) -> Setting {
        let (centre, degenerate) = (self.draw_centre(rng), draw_degenerate(rng));
        let deviations = [(); CONTINUOUS].map(|()| StandardNormal.sample(rng));
        self.setting(centre, degenerate, deviations)
    }

    /// The same setting around another centre, and with other degenerate networks.
    pub(super) fn recentred(&self, setting: &Setting, rng: &mut StdRng) -> Setting {
        self.setting(self.draw_centre(rng), draw_degenerate(rng), setting.deviations)
    }

    /// The same setting with other log-normal numbers.
    pub(super) fn moved(&self, setting: &Setting, deviations: [f64; CONTINUOUS]) -> Setting {
        self.setting(setting.centre, setting.degenerate, deviations)
    }

    fn draw_centre(&self, rng: &mut StdRng) -> Centre {
        let which: f64 = rng.random();
        match which {
            _ if self.like.is_some() && rng.random_bool(AROUND_LIKE) => Centre::Like,
            which if which < AROUND_MEAN => Centre::Mean,
            which if which < AROUND_MEAN + self.similarity.around_synthetic() => {
                Centre::Synthetic(self.similarity.draw_synthetic(rng))
            }
            _ => Centre::Known(self.similarity.draw_known(rng)),
        }
    }

    fn setting(&self, centre: Centre, degenerate: f64, deviations: [f64; CONTINUOUS]) -> Setting {
        let log_normal = |(median, spread): (f64, f64), deviation: f64| median * (spread * deviation).exp();
        let [scale, known, synthetic, feature, noise] = deviations;
        let usual_noise = match centre {
            Centre::Known(index) => (self.prior.known[index].noise, LIKE_NOISE_SPREAD),
            Centre::Mean | Centre::Synthetic(_) | Centre::Like => NOISE,
        };
        Setting {
            centre,
            scale: log_normal((self.typical_scale, SCALE_SPREAD), scale),
            known: log_normal(KNOWN_WIDTH, known),
            synthetic: log_normal(SYNTHETIC_WIDTH, synthetic),
            feature: log_normal(FEATURE_WIDTH, feature),
            degenerate,
            noise: log_normal(usual_noise, noise),
            deviations,
        }
    }

    /// Mean of the weights under a setting.
    pub(super) fn centre(&self, centre: Centre) -> DVector<f64> {
        match centre {
            Centre::Mean => self.mean.clone(),
            Centre::Like => self.like.clone().unwrap_or_else(|| self.mean.clone()),
            Centre::Known(index) => self.prior.known_centres.column(index).into_owned(),
            Centre::Synthetic(index) => self.prior.synthetic_centres.column(index).into_owned(),
        }
    }
}

impl Hyperprior<'_> {
    /// Mean and covariance of the weights in log units, and of the noise, over all settings, at the level that the datasheet
    /// says: what is known before anything is measured. Exact, without draws.
    pub(super) fn moments(&self) -> Posterior {
        let prior = self.prior;
        let rank = prior.rank();
        let share_known = 1.0 - AROUND_MEAN - self.similarity.around_synthetic();
        let (known, synthetic) = self.similarity.shares();
        let mut mean = DVector::zeros(rank);
        let mut squares = DMatrix::zeros(rank, rank);
        let mut noise = (1.0 - share_known) * log_normal_moment(NOISE, 2.0);
        let mut add = |share: f64, centre: DVectorView<f64>| {
            mean.axpy(share, &centre, 1.0);
            squares.ger(share, &centre, &centre, 1.0);
        };
        add(AROUND_MEAN, self.mean.as_view());
        for (share, centre) in synthetic.iter().zip(prior.synthetic_centres.column_iter()) {
            add(self.similarity.around_synthetic() * share, centre);
        }
        for ((share, centre), device) in known.iter().zip(prior.known_centres.column_iter()).zip(&prior.known) {
            add(share_known * share, centre);
            noise += share_known * share * log_normal_moment((device.noise, LIKE_NOISE_SPREAD), 2.0);
        }
        for (index, coordinate) in prior.coordinates.iter().enumerate() {
            squares[(index, index)] += match coordinate {
                Coordinate::Constant | Coordinate::Mean => 0.0,
                Coordinate::Known => log_normal_moment(KNOWN_WIDTH, 2.0),
                Coordinate::Synthetic => log_normal_moment(SYNTHETIC_WIDTH, 2.0),
                Coordinate::Feature => log_normal_moment(FEATURE_WIDTH, 2.0),
                Coordinate::Degenerate => {
                    DEGENERATE_ORDINARY * DEGENERATE_WIDTHS.0.powi(2)
                        + (1.0 - DEGENERATE_ORDINARY) * DEGENERATE_WIDTHS.1.powi(2)
                }
            };
        }
        let scale = |power| log_normal_moment((self.typical_scale, SCALE_SPREAD), power);
        mean *= scale(1.0);
        let mut covariance = squares * scale(2.0) - &mean * mean.transpose();
        let (level, deviation) = self.similarity.level();
        mean[0] += level;
        covariance[(0, 0)] += deviation * deviation;
        Posterior::new(mean, covariance, noise * scale(2.0))
    }
}

/// Mean of a power of a log-normal number.
fn log_normal_moment((median, spread): (f64, f64), power: f64) -> f64 {
    median.powf(power) * (0.5 * (power * spread).powi(2)).exp()
}

fn draw_degenerate(rng: &mut StdRng) -> f64 {
    if rng.random_bool(DEGENERATE_ORDINARY) {
        DEGENERATE_WIDTHS.0
    } else {
        DEGENERATE_WIDTHS.1
    }
}
