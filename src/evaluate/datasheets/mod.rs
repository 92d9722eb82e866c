//! What do datasheets say of devices on which nothing was measured? Known devices are left out in turn, and predicted from their
//! datasheets and from what is known of the others: by the predictor's own mixture, in which a kernel over datasheets weighs the known
//! devices, by a network, and by the others alone.
//!
//! What is predicted is what the predictor knows of the device left out: its values at architectures drawn from the space.

mod network;

use std::collections::BTreeSet;

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;
use serde::Serialize;

use crate::device::Device;
use crate::error::{Error, Result};
use crate::predict::adapt::{self, Beliefs, Measured};
use crate::predict::{DeviceSimilarity, KnownDevice, LogPrediction, Posterior, Predictor, Prior};
use crate::profile::{COORDINATES, COUNTS, Normal, Priced, Setting, level_direction};
use crate::seed::Seed;
use crate::stats;
use network::DatasheetNetwork;

/// Fewest groups of devices that can be left out in turn.
const MIN_GROUPS: usize = 3;
/// Standard deviation of a measurement around a profile alone, in log units.
const NOISE: f64 = 0.03;

/// Which devices are left out together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaveOut {
    /// All settings of a hardware unit: others of its class are known.
    Unit,
    /// All devices of a class.
    Class,
}

impl LeaveOut {
    fn group(self, device: &Device) -> &str {
        match self {
            LeaveOut::Unit => &device.unit,
            LeaveOut::Class => device.class.as_deref().unwrap_or_default(),
        }
    }
}

/// Who predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The other devices as one population.
    Population,
    /// A network from datasheets to the mean and covariance of log prices.
    Network,
    /// The predictor itself.
    Kernel,
}

/// The methods in order.
const METHODS: [Method; 3] = [Method::Population, Method::Network, Method::Kernel];

/// Scores of one method, means over hardware units.
#[derive(Debug, Clone, Serialize)]
pub struct DatasheetRow {
    /// Who predicts.
    pub method: Method,
    /// Rank correlation.
    pub spearman: f64,
    /// Median absolute error of the median unit, in percent.
    pub median_error_percent: f64,
    /// Mean log density of the logarithms of the values, each by itself.
    pub log_density: f64,
}

/// Scores of all methods.
#[derive(Debug, Clone, Serialize)]
pub struct DatasheetReport {
    /// Which devices were left out together.
    pub leave_out: LeaveOut,
    /// Number of times that devices were left out.
    pub groups: usize,
    /// Number of hardware units predicted.
    pub units: usize,
    /// By method.
    pub rows: Vec<DatasheetRow>,
    /// Seed of the run.
    pub seed: u64,
}

/// Predicts latencies of every known device from its datasheet without what is known of its group.
///
/// # Errors
/// [`Error::Invalid`] for a predictor that knows devices of too few groups.
pub fn score_datasheets(predictor: &Predictor, leave_out: LeaveOut, seed: Seed) -> Result<DatasheetReport> {
    let prior = &predictor.metrics.latency().prior;
    let groups: BTreeSet<&str> = (prior.known.iter())
        .map(|device| leave_out.group(&device.datasheet))
        .collect();
    if groups.len() < MIN_GROUPS {
        return Err(Error::Invalid {
            what: "known devices that can be left out in turn".into(),
            expected: format!("at least {MIN_GROUPS} hardware units or classes"),
            found: groups.len().to_string(),
            hint: "Train on measurements of more devices.".into(),
        });
    }
    let truth = prior.known_functions(predictor.reference());
    let of_group = |group: &&str| -> Vec<(&str, [Score; METHODS.len()])> {
        let is_left_out = |device: &KnownDevice| leave_out.group(&device.datasheet) == *group;
        let others = Others::of(predictor, |device| !is_left_out(device), seed);
        let left_out = prior.known.iter().enumerate().filter(|(_, device)| is_left_out(device));
        let scored = left_out.map(|(index, device)| {
            let truth: Vec<f64> = truth.row(index).iter().copied().collect();
            let score = |method| Score::of(&others.predicted(method, device), &truth);
            (device.unit.as_str(), METHODS.map(score))
        });
        scored.collect()
    };
    let scores: Vec<_> = groups.par_iter().flat_map_iter(of_group).collect();
    let units: BTreeSet<&str> = scores.iter().map(|one| one.0).collect();
    let rows = METHODS.iter().enumerate().map(|(index, &method)| {
        let of_unit = |unit: &&str| {
            let settings = scores.iter().filter(|one| one.0 == *unit);
            Score::mean(settings.map(|one| &one.1[index]))
        };
        DatasheetRow::of(method, &units.iter().map(of_unit).collect::<Vec<Score>>())
    });
    Ok(DatasheetReport {
        leave_out,
        groups: groups.len(),
        rows: rows.collect(),
        units: units.len(),
        seed: seed.0,
    })
}

impl DatasheetRow {
    fn of(method: Method, units: &[Score]) -> DatasheetRow {
        let errors: Vec<f64> = units.iter().map(|unit| unit.median_error_percent).collect();
        let mean = Score::mean(units.iter());
        DatasheetRow {
            method,
            spearman: mean.spearman,
            median_error_percent: stats::quantile(&errors, 0.5).unwrap_or(f64::NAN),
            log_density: mean.log_density,
        }
    }
}

/// Scores of one device.
struct Score {
    spearman: f64,
    median_error_percent: f64,
    log_density: f64,
}

impl Score {
    /// `truth` are logarithms, one for every prediction.
    fn of(predicted: &[LogPrediction], truth: &[f64]) -> Score {
        let means: Vec<f64> = predicted.iter().map(|one| f64::from(one.mean)).collect();
        let pairs = || predicted.iter().zip(truth);
        let errors: Vec<f64> = pairs()
            .map(|(one, log)| 100.0 * ((f64::from(one.mean) - log).exp() - 1.0).abs())
            .collect();
        let density = |(one, log): (&LogPrediction, &f64)| {
            let deviation = f64::from(one.deviation);
            let standard = (log - f64::from(one.mean)) / deviation;
            -0.5 * (standard * standard + std::f64::consts::TAU.ln()) - deviation.ln()
        };
        Score {
            spearman: stats::spearman(&means, truth).unwrap_or(f64::NAN),
            median_error_percent: stats::quantile(&errors, 0.5).unwrap_or(f64::NAN),
            log_density: stats::mean(&pairs().map(density).collect::<Vec<f64>>()).unwrap_or(f64::NAN),
        }
    }

    fn mean<'a>(scores: impl Iterator<Item = &'a Score> + Clone) -> Score {
        let mean = |value: fn(&Score) -> f64| {
            let values: Vec<f64> = scores.clone().map(value).collect();
            stats::mean(&values).unwrap_or(f64::NAN)
        };
        Score {
            spearman: mean(|score| score.spearman),
            median_error_percent: mean(|score| score.median_error_percent),
            log_density: mean(|score| score.log_density),
        }
    }
}

/// What is known without the devices left out.
struct Others<'a> {
    prior: Prior,
    network: DatasheetNetwork,
    /// The basis at architectures drawn from the space, `[COUNTS + rank, reference]`.
    reference: &'a DMatrix<f64>,
    seed: Seed,
}

impl Others<'_> {
    fn of(predictor: &Predictor, is_kept: impl Fn(&KnownDevice) -> bool, seed: Seed) -> Others<'_> {
        let prior = predictor.metrics.latency().prior.of_known(is_kept);
        Others {
            network: DatasheetNetwork::fit(&prior, seed, &predictor.compute),
            prior,
            reference: predictor.reference(),
            seed,
        }
    }

    /// Values of a device at the reference, of which only the datasheet is known.
    fn predicted(&self, method: Method, device: &KnownDevice) -> Vec<LogPrediction> {
        let similarity = DeviceSimilarity::of(&device.datasheet, &self.prior);
        let setting = device.setting();
        let posterior = match method {
            Method::Population => self.around(self.prior.population(), &setting),
            Method::Network => {
                let profile = self.network.profile(&device.datasheet);
                self.around(self.at_level(profile, &similarity, &setting), &setting)
            }
            Method::Kernel => {
                let beliefs = Beliefs {
                    prior: &self.prior,
                    similarity: &similarity,
                    like: None,
                    setting,
                    reference: self.reference,
                };
                let nothing = Measured::once(DMatrix::zeros(self.reference.nrows(), 0), &[]);
                adapt::adapt(&beliefs, &nothing, self.seed)
            }
        };
        posterior.predict(&self.reference.map(|value| value as f32))
    }

    /// A profile alone, without a residual.
    fn around(&self, profile: Normal, setting: &Setting) -> Posterior {
        let size = COORDINATES + self.prior.rank();
        let mut covariance = DMatrix::zeros(size, size);
        covariance
            .view_mut((0, 0), (COORDINATES, COORDINATES))
            .copy_from(&profile.covariance);
        Posterior::new(&profile.mean, setting, &DVector::zeros(size), covariance, NOISE * NOISE)
    }

    /// At the level that the predictor, too, takes from the datasheet.
    fn at_level(&self, mut profile: Normal, similarity: &DeviceSimilarity, setting: &Setting) -> Normal {
        let (level, deviation) = similarity.level();
        let priced = Priced::new(&profile.mean, setting);
        let basis = self.reference.column_iter();
        let logs: Vec<f64> = basis.map(|basis| priced.log(&basis.as_slice()[..COUNTS])).collect();
        let own = stats::quantile(&logs, 0.5).unwrap_or_default();
        profile.mean += level_direction() * (level - own);
        let direction = level_direction() * deviation;
        profile.covariance += direction * direction.transpose();
        profile
    }
}
