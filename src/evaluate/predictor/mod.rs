//! Few-shot prediction: adapt to a device with a few of its measurements, score on the others.

mod predictions;

use nalgebra::DMatrix;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Task};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::predict::Predictor;
use crate::progress::{Progress, Unit};
use crate::seed::Seed;
use crate::space::Architecture;
use crate::stats::{self, Interval};
use predictions::predictions;

pub use predictions::{DevicePredictions, PredictedRow, predict_devices};

/// Which of the measurements that are not probes are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// All of them.
    Full,
    /// The middle 80 % by measured value, as in HELP (Lee et al. 2021); figures are lower than with `full`.
    Trimmed,
}

/// How probes are picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeChoice {
    /// At random among what was measured on the device.
    Random,
    /// As `edgefit probes` chooses, among what was measured on the device.
    Chosen,
}

/// What to score.
#[derive(Debug, Clone)]
pub struct PredictorScoring {
    /// Latency or energy.
    pub metric: Metric,
    /// Positions of the devices in the dataset.
    pub devices: Vec<usize>,
    /// Numbers of probes.
    pub probes: Vec<usize>,
    /// Repeats with other probes.
    pub repeats: usize,
    /// What is scored.
    pub protocol: Protocol,
    /// How probes are picked.
    pub choice: ProbeChoice,
    /// Where the random numbers come from.
    pub seed: Seed,
}

/// Scores of one device at one number of probes; every figure with its 90 % bootstrap interval over the repeats.
#[derive(Debug, Clone, Serialize)]
pub struct PredictorRow {
    /// Device id.
    pub device: String,
    /// Probes.
    pub probes: usize,
    /// Repeats.
    pub repeats: usize,
    /// Rank correlation of predicted and measured values.
    pub spearman: Interval,
    /// Kendall's tau-b.
    pub kendall: Interval,
    /// Mean absolute percentage error.
    pub mape_percent: Interval,
    /// Share of predictions within 10 % of the measurement, 0 to 1.
    pub within_10_percent: Interval,
    /// Share of measurements inside of their 90 % interval, 0 to 1.
    pub coverage_90: Interval,
}

/// Means over devices, with the ends of the 90 % bootstrap interval of the rank correlation over devices and repeats.
#[derive(Debug, Clone, Serialize)]
pub struct PredictorMean {
    /// Probes.
    pub probes: usize,
    /// Rank correlation.
    pub spearman: f64,
    /// Lower end.
    pub spearman_low: f64,
    /// Upper end.
    pub spearman_high: f64,
    /// Kendall's tau-b.
    pub kendall: f64,
    /// Mean absolute percentage error.
    pub mape_percent: f64,
    /// Median over the devices of the mean absolute percentage error, which one odd device cannot carry away.
    pub median_mape_percent: f64,
    /// Share of predictions within 10 % of the measurement, 0 to 1.
    pub within_10_percent: f64,
    /// Share of measurements inside of their 90 % interval, 0 to 1.
    pub coverage_90: f64,
}

/// All scores.
#[derive(Debug, Clone, Serialize)]
pub struct PredictorReport {
    /// What was scored.
    pub protocol: Protocol,
    /// Latency or energy.
    pub metric: Metric,
    /// How probes were picked.
    pub probe_choice: ProbeChoice,
    /// Seed of the run.
    pub seed: u64,
    /// One row per device and number of probes.
    pub rows: Vec<PredictorRow>,
    /// Means over the devices.
    pub mean: Vec<PredictorMean>,
}

/// Scores of one repeat.
#[derive(Debug, Clone, Copy)]
struct Scores {
    spearman: f64,
    kendall: f64,
    mape_percent: f64,
    within_10_percent: f64,
    coverage_90: f64,
}

/// Everything measured on one device, encoded once.
struct Measured {
    device: Device,
    architectures: Vec<Architecture>,
    values: Vec<f64>,
    basis: DMatrix<f32>,
}

/// Adapts and scores.
///
/// # Errors
/// [`Error::Invalid`] for a device with fewer than two measurements beyond its probes, or probes that cannot be adapted to.
pub fn score_predictor(
    predictor: &Predictor,
    dataset: &Dataset,
    task: Option<&Task>,
    scoring: &PredictorScoring,
    progress: &dyn Progress,
) -> Result<PredictorReport> {
    let mut rows = Vec::new();
    let mut groups: Vec<Vec<Vec<Scores>>> = vec![Vec::new(); scoring.probes.len()];
    progress.start("scoring", Unit::Count("devices"), Some(scoring.devices.len() as u64));
    for &device in &scoring.devices {
        progress.check()?;
        let measured = Measured::of(predictor, dataset, task, scoring.metric, device)?;
        for (index, &probes) in scoring.probes.iter().enumerate() {
            let scores = repeats(predictor, &measured, scoring, probes)?;
            rows.push(row(&measured.device.id, probes, &scores, scoring.seed));
            groups[index].push(scores);
        }
        progress.advance(1);
    }
    progress.finish();
    let mean = scoring
        .probes
        .iter()
        .zip(&groups)
        .map(|(&probes, groups)| mean(probes, groups, scoring.seed))
        .collect();
    Ok(PredictorReport {
        protocol: scoring.protocol,
        metric: scoring.metric,
        probe_choice: scoring.choice,
        seed: scoring.seed.0,
        rows,
        mean,
    })
}

impl Measured {
    fn of(
        predictor: &Predictor,
        dataset: &Dataset,
        task: Option<&Task>,
        metric: Metric,
        device: usize,
    ) -> Result<Measured> {
        let rows = dataset.values(device, metric, dataset.selection(task)?)?;
        let architectures: Vec<Architecture> = rows
            .iter()
            .map(|row| dataset.architectures[row.0 as usize].clone())
            .collect();
        let encoded = predictor.encode(&architectures);
        let prior = predictor.metrics.get(metric).ok_or_else(|| not_learned(metric))?;
        Ok(Measured {
            device: dataset.devices[device].clone(),
            architectures,
            values: rows.iter().map(|row| row.1).collect(),
            basis: prior.basis(&encoded),
        })
    }
}

/// A metric that the predictor did not learn.
fn not_learned(metric: Metric) -> Error {
    Error::Invalid {
        what: "metric".into(),
        expected: "one that the predictor learned".into(),
        found: metric.name().into(),
        hint: format!("Train the predictor on a dataset with {}.", metric.key()),
    }
}

fn repeats(
    predictor: &Predictor,
    measured: &Measured,
    scoring: &PredictorScoring,
    probes: usize,
) -> Result<Vec<Scores>> {
    // Without probes, and with chosen ones, every repeat is the same.
    let fixed = probes == 0 || scoring.choice == ProbeChoice::Chosen;
    let repeats = if fixed { 1 } else { scoring.repeats.max(1) };
    (0..repeats)
        .into_par_iter()
        .map(|repeat| {
            let seed = repeat_seed(measured, scoring, probes, repeat);
            let probed = probed(predictor, measured, scoring, probes, seed);
            score(predictor, measured, scoring, &probed, seed)
        })
        .collect()
}

fn repeat_seed(measured: &Measured, scoring: &PredictorScoring, probes: usize, repeat: usize) -> Seed {
    scoring
        .seed
        .child(&format!("evaluate/{}/{probes}", measured.device.id), repeat)
}

/// Positions of the probes among what was measured.
fn probed(
    predictor: &Predictor,
    measured: &Measured,
    scoring: &PredictorScoring,
    probes: usize,
    seed: Seed,
) -> Vec<usize> {
    if scoring.choice == ProbeChoice::Chosen && probes > 0 {
        return chosen_probes(predictor, measured, probes, scoring.seed);
    }
    random_probes(&measured.values, probes, seed)
}

/// Positions of probes drawn at random. Probes that all came out equal, as whole ms can, are refused by adaptation; then
/// others are measured, as a user would.
fn random_probes(values: &[f64], probes: usize, seed: Seed) -> Vec<usize> {
    const MAX_DRAWS: usize = 100;
    let mut rng = seed.stream("probes");
    let mut order: Vec<usize> = (0..values.len()).collect();
    for _ in 0..MAX_DRAWS {
        order.shuffle(&mut rng);
        let drawn = &order[..probes.min(order.len())];
        if drawn.len() < 2 || drawn.iter().any(|&index| values[index] != values[drawn[0]]) {
            break;
        }
    }
    order.truncate(probes);
    order
}

/// Positions among what was measured.
fn chosen_probes(predictor: &Predictor, measured: &Measured, probes: usize, seed: Seed) -> Vec<usize> {
    let chosen = predictor.choose_probes(probes, Some(&measured.architectures), seed);
    let position = |one: &Architecture| measured.architectures.iter().position(|other| other == one);
    chosen.iter().filter_map(position).collect()
}

fn score(
    predictor: &Predictor,
    measured: &Measured,
    scoring: &PredictorScoring,
    probed: &[usize],
    seed: Seed,
) -> Result<Scores> {
    let rows = predictions(predictor, measured, scoring, probed, seed)?;
    let values: Vec<f64> = rows.iter().map(|row| row.measured).collect();
    let means: Vec<f64> = rows.iter().map(|row| row.predicted.mean).collect();
    let covered = rows
        .iter()
        .filter(|row| row.predicted.low <= row.measured && row.measured <= row.predicted.high)
        .count();
    let scores = || {
        Some(Scores {
            spearman: stats::spearman(&means, &values)?,
            kendall: stats::kendall(&means, &values)?,
            mape_percent: stats::mape_percent(&means, &values)?,
            within_10_percent: stats::within_percent(&means, &values, 10.0)? / 100.0,
            coverage_90: covered as f64 / values.len() as f64,
        })
    };
    scores().ok_or_else(|| Error::Invalid {
        what: format!("measurements of {}", measured.device.id),
        expected: format!("at least two different values beyond the {} probes", probed.len()),
        found: format!("{} values", values.len()),
        hint: "Use fewer probes or leave the device out.".into(),
    })
}

const FIGURES: [fn(&Scores) -> f64; 5] = [
    |scores| scores.spearman,
    |scores| scores.kendall,
    |scores| scores.mape_percent,
    |scores| scores.within_10_percent,
    |scores| scores.coverage_90,
];

fn row(device: &str, probes: usize, scores: &[Scores], seed: Seed) -> PredictorRow {
    let point = |value: f64| Interval {
        mean: value,
        low: value,
        high: value,
    };
    let [spearman, kendall, mape_percent, within_10_percent, coverage_90] = FIGURES.map(|figure| {
        let values: Vec<f64> = scores.iter().map(figure).collect();
        stats::bootstrap_mean(&[&values[..]], 0.9, seed).unwrap_or(point(f64::NAN))
    });
    PredictorRow {
        device: device.into(),
        probes,
        repeats: scores.len(),
        spearman,
        kendall,
        mape_percent,
        within_10_percent,
        coverage_90,
    }
}

fn mean(probes: usize, groups: &[Vec<Scores>], seed: Seed) -> PredictorMean {
    let figures = |figure: fn(&Scores) -> f64| -> Vec<Vec<f64>> {
        groups
            .iter()
            .map(|scores| scores.iter().map(figure).collect())
            .collect()
    };
    let device_means = |figure| -> Vec<f64> {
        figures(figure)
            .iter()
            .filter_map(|values| stats::mean(values))
            .collect()
    };
    let average = |figure| stats::mean(&device_means(figure)).unwrap_or(f64::NAN);
    let spearman = stats::bootstrap_mean(&figures(FIGURES[0]), 0.9, seed);
    PredictorMean {
        probes,
        spearman: average(FIGURES[0]),
        spearman_low: spearman.map_or(f64::NAN, |interval| interval.low),
        spearman_high: spearman.map_or(f64::NAN, |interval| interval.high),
        kendall: average(FIGURES[1]),
        mape_percent: average(FIGURES[2]),
        median_mape_percent: stats::quantile(&device_means(FIGURES[2]), 0.5).unwrap_or(f64::NAN),
        within_10_percent: average(FIGURES[3]),
        coverage_90: average(FIGURES[4]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_probes_differ_where_they_can() {
        // One value of twenty differs from the rest: a pair holds it once in ten draws.
        let mut values = vec![3.0; 20];
        values[7] = 4.0;
        for seed in 0..20 {
            let probes = random_probes(&values, 2, Seed(seed));
            assert_eq!(probes.len(), 2);
            assert!(probes.contains(&7), "{probes:?}");
        }
        // Where nothing differs, the drawing ends all the same.
        assert_eq!(random_probes(&[1.0; 5], 3, Seed(0)).len(), 3);
        assert_eq!(random_probes(&values, 1, Seed(0)).len(), 1);
    }
}
