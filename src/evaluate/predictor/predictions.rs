//! Predictions beside what was measured, row by row.

use super::{Measured, PredictorScoring, Protocol, not_learned, probed, repeat_seed};
use crate::dataset::{Dataset, Task};
use crate::error::Result;
use crate::metric::PerMetric;
use crate::predict::{AdaptOptions, DeviceModel, Estimate, Explained, Predictor, Probe};
use crate::progress::{Progress, Unit};
use crate::seed::Seed;
use crate::stats::INTERVAL_SHARE;

/// One measurement that was not a probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictedRow {
    /// In ms or mJ.
    pub measured: f64,
    /// Prediction and 90 % interval.
    pub predicted: Estimate,
    /// Probability that the prediction gave to values at most as large as the one measured.
    pub probability: f64,
}

/// The predictions of one device.
#[derive(Debug, Clone, PartialEq)]
pub struct DevicePredictions {
    /// Device id.
    pub device: String,
    /// Number of probes.
    pub probes: usize,
    /// What was scored.
    pub rows: Vec<PredictedRow>,
    /// Where the time of a network goes on the device as it was adapted to.
    pub explained: Explained,
}

/// The rows behind the first repeat of [`super::score_predictor`], at one number of probes.
///
/// # Errors
/// As [`super::score_predictor`], except that any number of rows will do.
pub fn predict_devices(
    predictor: &Predictor,
    dataset: &Dataset,
    task: Option<&Task>,
    scoring: &PredictorScoring,
    probes: usize,
    progress: &dyn Progress,
) -> Result<Vec<DevicePredictions>> {
    progress.start("predicting", Unit::Count("devices"), Some(scoring.devices.len() as u64));
    let one = |&device: &usize| {
        progress.check()?;
        let measured = Measured::of(predictor, dataset, task, scoring, device)?;
        let seed = repeat_seed(&measured, scoring, probes, 0);
        let probed = probed(predictor, &measured, scoring, probes, seed);
        let (device, rows) = predictions(predictor, &measured, scoring, &probed, seed)?;
        progress.advance(1);
        Ok(DevicePredictions {
            device: measured.device.id,
            probes: probed.len(),
            rows,
            explained: predictor.explain(&device)?,
        })
    };
    let predicted = scoring.devices.iter().map(one).collect::<Result<Vec<_>>>()?;
    progress.finish();
    Ok(predicted)
}

/// Adapts to the probes and predicts what else is scored.
pub(super) fn predictions(
    predictor: &Predictor,
    measured: &Measured,
    scoring: &PredictorScoring,
    probed: &[usize],
    seed: Seed,
) -> Result<(DeviceModel, Vec<PredictedRow>)> {
    let probe = |&index: &usize| {
        let values = PerMetric::from_iter([(scoring.metric, measured.values[index])]);
        Probe::new(measured.architectures[index].clone(), &measured.device, values)
    };
    let probes: Vec<Probe> = probed.iter().map(probe).collect();
    let options = AdaptOptions::measured_before(seed);
    let elsewhere = measured.drawn_elsewhere(scoring, seed)?;
    let device = match measured.like(predictor, scoring, seed)? {
        Some(like) => predictor.adapt_like(&measured.device, &probes, &elsewhere, &like, &options)?,
        None => predictor.adapt_from(&measured.device, &probes, &elsewhere, &options)?,
    };
    let model = device
        .metrics
        .get(scoring.metric)
        .ok_or_else(|| not_learned(scoring.metric))?;
    let scored = scored(measured, scoring.protocol, probed);
    let predictions = model.predict(&measured.basis.select_columns(&scored));
    let rows = predictions
        .into_iter()
        .zip(&scored)
        .map(|(prediction, &index)| PredictedRow {
            measured: measured.values[index],
            predicted: model.estimate(prediction, INTERVAL_SHARE),
            probability: model.probability_below(prediction, measured.values[index]),
        })
        .collect();
    Ok((device, rows))
}

/// Positions of what is scored.
fn scored(measured: &Measured, protocol: Protocol, probed: &[usize]) -> Vec<usize> {
    let mut is_probe = vec![false; measured.values.len()];
    probed.iter().for_each(|&index| is_probe[index] = true);
    let mut scored: Vec<usize> = (0..measured.values.len()).filter(|&index| !is_probe[index]).collect();
    if protocol == Protocol::Trimmed {
        scored.sort_by(|&a, &b| measured.values[a].total_cmp(&measured.values[b]));
        let tail = scored.len() / 10;
        scored = scored[tail..scored.len() - tail].to_vec();
    }
    scored
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    use crate::device::Device;

    #[test]
    fn the_trimmed_protocol_scores_the_middle_of_what_is_no_probe() {
        // 24, 23, ..., 1 at positions 0 to 23; the probes are the four largest. Of 20 others, two are cut at either end.
        let measured = Measured {
            device: Device::default(),
            architectures: Vec::new(),
            values: (1..=24).rev().map(f64::from).collect(),
            basis: DMatrix::zeros(0, 24),
            elsewhere: Vec::new(),
            like: None,
        };
        let probed = [0, 1, 2, 3];
        assert_eq!(
            scored(&measured, Protocol::Full, &probed),
            (4..24).collect::<Vec<usize>>()
        );
        // The values 3 to 18, which rise from position 21 down to 6.
        assert_eq!(
            scored(&measured, Protocol::Trimmed, &probed),
            (6..=21).rev().collect::<Vec<usize>>()
        );
    }
}
