//! Few-shot prediction: adapt to a device with a few of its measurements, score on the others.

mod other_probes;
mod predictions;
mod results;
mod scores;

use std::collections::HashMap;

use nalgebra::DMatrix;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::counts;
use super::devices::scored_devices;
use crate::dataset::{Dataset, Task};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::predict::{AdaptOptions, DeviceModel, Elsewhere, MeasuredOnce, Predictor, Probe};
use crate::progress::{Progress, Unit};
use crate::seed::Seed;
use crate::space::Architecture;
use predictions::predictions;
use scores::Scores;

pub use other_probes::{ElsewhereProbes, LikeProbes};
pub use predictions::{DevicePredictions, PredictedRow, predict_devices};
pub use results::{PredictorMean, PredictorReport, PredictorRow};

/// Which of the measurements that are not probes are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// All of them.
    Full,
    /// The middle 80 % by measured value, as in HELP (Lee et al. 2021); figures are lower than with `full`.
    Trimmed,
}

impl Protocol {
    /// The name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Full => "full",
            Protocol::Trimmed => "trimmed",
        }
    }
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
    /// The metric of the values.
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
    /// Whether devices whose values are predicted count in the means.
    pub with_predicted: bool,
    /// Measurements of another search space that are probes as well.
    pub elsewhere: Option<ElsewhereProbes>,
    /// Measurements of the same hardware at another precision, from which its prices are known nearly.
    pub like: Option<LikeProbes>,
    /// Where the random numbers come from.
    pub seed: Seed,
}

/// Everything measured on one device, encoded once.
struct Measured {
    device: Device,
    architectures: Vec<Architecture>,
    values: Vec<f64>,
    basis: DMatrix<f32>,
    /// The same in another search space.
    elsewhere: Vec<MeasuredOnce>,
    /// The same hardware in another setting, and what was measured on it.
    like: Option<(Device, Vec<Probe>)>,
}

/// Adapts and scores.
///
/// # Errors
/// [`Error::Invalid`] for no repeats or numbers of probes, a device with fewer than two measurements beyond its probes, or
/// probes that cannot be adapted to.
pub fn score_predictor(
    predictor: &Predictor,
    dataset: &Dataset,
    task: Option<&Task>,
    scoring: &PredictorScoring,
    progress: &dyn Progress,
) -> Result<PredictorReport> {
    scoring.check()?;
    let selection = dataset.selection(task)?;
    let devices = scored_devices(dataset, &scoring.devices, selection.input, scoring.with_predicted);
    let mut rows = Vec::new();
    // By number of probes, then by device.
    let mut scores: Vec<Vec<Vec<Scores>>> = vec![Vec::new(); scoring.probes.len()];
    progress.start("scoring", Unit::Count("devices"), Some(scoring.devices.len() as u64));
    for &device in &scoring.devices {
        progress.check()?;
        let measured = Measured::of(predictor, dataset, task, scoring, device)?;
        for (&probes, scores) in scoring.probes.iter().zip(&mut scores) {
            let found = repeats(predictor, &measured, scoring, probes)?;
            rows.push(scores::row(&measured.device.id, probes, &found, scoring.seed));
            scores.push(found);
        }
        progress.advance(1);
    }
    progress.finish();
    let means = scoring.probes.iter().zip(&scores);
    Ok(PredictorReport {
        checkpoint: predictor.id.clone(),
        protocol: scoring.protocol,
        metric: scoring.metric,
        probe_choice: scoring.choice,
        seed: scoring.seed.0,
        mean: means
            .filter_map(|(&probes, scores)| scores::mean(probes, &devices, scores, scoring.seed))
            .collect(),
        devices,
        rows,
    })
}

impl PredictorScoring {
    /// Refuses numbers that nothing or no end would come of.
    pub(super) fn check(&self) -> Result<()> {
        counts::check("number of repeats", self.repeats, 1, counts::REPEATS)?;
        counts::check("how many numbers of probes", self.probes.len(), 1, counts::REPEATS)?;
        let most = self.probes.iter().copied().max().unwrap_or_default();
        if self.choice == ProbeChoice::Chosen {
            counts::check("number of chosen probes", most, 0, counts::CHOSEN_PROBES)?;
        }
        Ok(())
    }
}

impl Measured {
    fn of(
        predictor: &Predictor,
        dataset: &Dataset,
        task: Option<&Task>,
        scoring: &PredictorScoring,
        device: usize,
    ) -> Result<Measured> {
        let metric = scoring.metric;
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
            elsewhere: match &scoring.elsewhere {
                Some(elsewhere) => elsewhere.of(&dataset.devices[device])?,
                None => Vec::new(),
            },
            like: match &scoring.like {
                Some(like) => Some(like.of(&dataset.devices[device])?),
                None => None,
            },
        })
    }

    /// The same hardware in another setting, adapted to with some of what was measured on it, drawn at random.
    fn like(&self, predictor: &Predictor, scoring: &PredictorScoring, seed: Seed) -> Result<Option<DeviceModel>> {
        let (Some((device, probes)), Some(like)) = (&self.like, &scoring.like) else {
            return Ok(None);
        };
        let mut drawn: Vec<&Probe> = probes.iter().collect();
        drawn.shuffle(&mut seed.stream("like"));
        let drawn: Vec<Probe> = drawn.into_iter().take(like.count).cloned().collect();
        let adapted = predictor.adapt_with(device, &drawn, &AdaptOptions::measured_before(seed))?;
        Ok(Some(adapted))
    }

    /// Probes of the other search space, drawn at random.
    fn drawn_elsewhere(&self, scoring: &PredictorScoring, seed: Seed) -> Result<Elsewhere> {
        let count = scoring.elsewhere.as_ref().map_or(0, |elsewhere| elsewhere.count);
        let mut rows: Vec<usize> = (0..self.elsewhere.len()).collect();
        rows.shuffle(&mut seed.stream("elsewhere"));
        rows.truncate(count);
        let drawn: Vec<MeasuredOnce> = rows.iter().map(|&row| self.elsewhere[row].clone()).collect();
        Elsewhere::of(&drawn)
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
    // Adapting to so many probes takes long, and would be for nothing.
    let left = measured.values.len().saturating_sub(probes);
    if left < 2 {
        return Err(nothing_to_score(measured, probes, left));
    }
    // Without probes, and with chosen ones, every repeat is the same.
    let fixed =
        (probes == 0 || scoring.choice == ProbeChoice::Chosen) && scoring.elsewhere.is_none() && scoring.like.is_none();
    let repeats = if fixed { 1 } else { scoring.repeats };
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
    let place: HashMap<&Architecture, usize> = (measured.architectures.iter().enumerate())
        .map(|(position, one)| (one, position))
        .collect();
    chosen.iter().filter_map(|one| place.get(one).copied()).collect()
}

fn score(
    predictor: &Predictor,
    measured: &Measured,
    scoring: &PredictorScoring,
    probed: &[usize],
    seed: Seed,
) -> Result<Scores> {
    let (_, rows) = predictions(predictor, measured, scoring, probed, seed)?;
    Scores::of(&rows).ok_or_else(|| nothing_to_score(measured, probed.len(), rows.len()))
}

fn nothing_to_score(measured: &Measured, probes: usize, left: usize) -> Error {
    Error::Invalid {
        what: format!("measurements of {}", measured.device.id),
        expected: format!("at least two different values beyond the {probes} probes"),
        found: format!("{left} values"),
        hint: "Use fewer probes or leave the device out.".into(),
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
