//! One proxy device: the known device whose own latencies rank the probes best stands for the target.

use super::too_large;
use crate::error::Result;
use crate::evaluate::measured::Limit;
use crate::evaluate::truth::Truth;
use crate::predict::{DeviceModel, Predictor};
use crate::stats;

/// The most accurate design within each limit by the proxy's latencies, scaled to the probes by least squares in log; the
/// fastest where none is. Positions in the truth.
pub(super) fn proxied(predictor: &Predictor, truth: &Truth, probed: &[usize], limits: &[Limit]) -> Result<Vec<usize>> {
    let table = predictor.table().ok_or_else(|| too_large(predictor))?;
    let known: Vec<DeviceModel> = predictor
        .known_devices()
        .iter()
        .filter_map(|id| predictor.known(id))
        .collect();
    let measured: Vec<f64> = probed.iter().map(|&index| truth.latencies[index].ln()).collect();
    let places: Vec<usize> = truth.architectures.iter().map(|one| table.position(one)).collect();
    let logs = |model: &DeviceModel| -> Vec<f64> {
        let predictions = model.metrics.latency().predict(table.bases.latency());
        places.iter().map(|&place| f64::from(predictions[place].mean)).collect()
    };
    let best = known
        .iter()
        .map(logs)
        .map(|logs| {
            let at_probes: Vec<f64> = probed.iter().map(|&index| logs[index]).collect();
            (stats::spearman(&at_probes, &measured).unwrap_or(0.0), at_probes, logs)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let Some((_, at_probes, logs)) = best else {
        return Err(too_large(predictor));
    };
    let (slope, offset) = line(&at_probes, &measured);
    let scaled: Vec<f64> = logs.iter().map(|log| offset + slope * log).collect();
    let accuracy = |index: usize| table.accuracies[places[index]].percent.mean;
    let pick = |limit: f64| {
        let fits = (0..scaled.len()).filter(|&index| scaled[index] <= limit.ln());
        fits.max_by(|&a, &b| accuracy(a).total_cmp(&accuracy(b)))
            .unwrap_or_else(|| {
                (0..scaled.len())
                    .min_by(|&a, &b| scaled[a].total_cmp(&scaled[b]))
                    .unwrap_or_default()
            })
    };
    Ok(limits.iter().map(|limit| pick(limit.ms)).collect())
}

/// Least-squares line through the points, with slope one where there is nothing to fit it to.
fn line(x: &[f64], y: &[f64]) -> (f64, f64) {
    let (Some(mean_x), Some(mean_y)) = (stats::mean(x), stats::mean(y)) else {
        return (1.0, 0.0);
    };
    let square: f64 = x.iter().map(|x| (x - mean_x).powi(2)).sum();
    let product: f64 = x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let slope = if square > 0.0 { product / square } else { 1.0 };
    (slope, mean_y - slope * mean_x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_through_points_on_it_and_has_slope_one_through_a_single_point() {
        let (slope, offset) = line(&[0.0, 1.0, 2.0], &[3.0, 5.0, 7.0]);
        assert!((slope - 2.0).abs() < 1e-12 && (offset - 3.0).abs() < 1e-12);
        assert_eq!(line(&[1.0], &[4.0]), (1.0, 3.0));
        assert_eq!(line(&[], &[]), (1.0, 0.0));
    }
}
