//! Scores of repeats, and the figures of devices and hardware units that follow from them.

use super::{PredictedRow, PredictorMean, PredictorRow};
use crate::evaluate::devices::{ScoredDevice, by_unit};
use crate::seed::Seed;
use crate::stats::{self, INTERVAL_SHARE, Interval};

/// Scores of one repeat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scores {
    spearman: f64,
    kendall: f64,
    mape_percent: f64,
    median_error_percent: f64,
    within_10_percent: f64,
    coverage_90: f64,
}

impl Scores {
    /// `None` unless there are at least two different measurements.
    pub(super) fn of(rows: &[PredictedRow]) -> Option<Scores> {
        let measured: Vec<f64> = rows.iter().map(|row| row.measured).collect();
        let predicted: Vec<f64> = rows.iter().map(|row| row.predicted.mean).collect();
        let errors: Vec<f64> = (rows.iter())
            .map(|row| 100.0 * (row.predicted.mean / row.measured - 1.0).abs())
            .collect();
        let covered = rows
            .iter()
            .filter(|row| row.predicted.low <= row.measured && row.measured <= row.predicted.high);
        Some(Scores {
            spearman: stats::spearman(&predicted, &measured)?,
            kendall: stats::kendall(&predicted, &measured)?,
            mape_percent: stats::mape_percent(&predicted, &measured)?,
            median_error_percent: stats::quantile(&errors, 0.5)?,
            within_10_percent: stats::within_percent(&predicted, &measured, 10.0)? / 100.0,
            coverage_90: covered.count() as f64 / rows.len() as f64,
        })
    }
}

/// Figures of one device.
pub(super) fn row(device: &str, probes: usize, scores: &[Scores], seed: Seed) -> PredictorRow {
    let interval = |figure: fn(&Scores) -> f64| {
        let values: Vec<f64> = scores.iter().map(figure).collect();
        stats::bootstrap_mean(&[values], INTERVAL_SHARE, seed).unwrap_or(Interval::NONE)
    };
    PredictorRow {
        device: device.into(),
        probes,
        repeats: scores.len(),
        spearman: interval(|one| one.spearman),
        kendall: interval(|one| one.kendall),
        mape_percent: interval(|one| one.mape_percent),
        median_error_percent: interval(|one| one.median_error_percent),
        within_10_percent: interval(|one| one.within_10_percent),
        coverage_90: interval(|one| one.coverage_90),
    }
}

/// Figures of the hardware units that count, from the scores of every device; `None` where none does.
pub(super) fn mean(
    probes: usize,
    devices: &[ScoredDevice],
    scores: &[Vec<Scores>],
    seed: Seed,
) -> Option<PredictorMean> {
    let units =
        |figure: fn(&Scores) -> f64| by_unit(devices, scores.iter().map(|one| one.iter().map(figure).collect()));
    let means = |figure| -> Vec<f64> { units(figure).iter().filter_map(|unit| stats::mean(unit)).collect() };
    let average = |figure| stats::mean(&means(figure)).unwrap_or(f64::NAN);
    let spearman = stats::bootstrap_mean(&units(|one| one.spearman), INTERVAL_SHARE, seed)?;
    let counted = devices.iter().zip(scores).filter(|(device, _)| device.counted);
    let over_devices: Vec<f64> = counted
        .filter_map(|(_, scores)| stats::mean(&scores.iter().map(|one| one.spearman).collect::<Vec<f64>>()))
        .collect();
    Some(PredictorMean {
        probes,
        units: units(|one| one.spearman).len(),
        spearman: spearman.mean,
        spearman_low: spearman.low,
        spearman_high: spearman.high,
        spearman_over_devices: stats::mean(&over_devices).unwrap_or(f64::NAN),
        kendall: average(|one| one.kendall),
        mape_percent: average(|one| one.mape_percent),
        median_mape_percent: stats::quantile(&means(|one| one.mape_percent), 0.5).unwrap_or(f64::NAN),
        median_error_percent: average(|one| one.median_error_percent),
        within_10_percent: average(|one| one.within_10_percent),
        coverage_90: average(|one| one.coverage_90),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Origin;
    use crate::predict::Estimate;

    fn device(id: &str, unit: &str, counted: bool) -> ScoredDevice {
        ScoredDevice {
            id: id.into(),
            unit: unit.into(),
            origin: Origin::Measured,
            duplicate_of: None,
            counted,
        }
    }

    fn scores(spearman: f64, mape_percent: f64) -> Scores {
        Scores {
            spearman,
            kendall: 0.0,
            mape_percent,
            median_error_percent: 0.0,
            within_10_percent: 0.0,
            coverage_90: 0.0,
        }
    }

    #[test]
    fn one_value_near_zero_carries_the_mean_error_away_and_not_the_median() {
        let row = |measured: f64, predicted: f64| PredictedRow {
            measured,
            predicted: Estimate {
                mean: predicted,
                low: 0.5 * predicted,
                high: 2.0 * predicted,
            },
            probability: 0.5,
        };
        // Errors of 10 %, 10 % and 1,900 %; the last is outside of its interval.
        let scores = Scores::of(&[row(10.0, 11.0), row(20.0, 18.0), row(0.001, 0.02)]).unwrap();
        assert!((scores.mape_percent - 640.0).abs() < 1e-9);
        assert!((scores.median_error_percent - 10.0).abs() < 1e-9);
        assert!((scores.coverage_90 - 2.0 / 3.0).abs() < 1e-12);
        assert!(Scores::of(&[row(1.0, 1.0)]).is_none());
    }

    #[test]
    fn settings_of_one_unit_weigh_as_much_as_one_device() {
        // A GPU at two batch sizes, a phone, and a copy that does not count: (0.7 + 0.9) / 2 = 0.8 and 0.4.
        let devices = [
            device("gpu_1", "gpu", true),
            device("gpu_32", "gpu", true),
            device("phone", "phone", true),
            device("phone-again", "phone-again", false),
        ];
        let scored = [
            vec![scores(0.7, 2.0)],
            vec![scores(0.9, 4.0)],
            vec![scores(0.4, 100.0)],
            vec![scores(-1.0, 0.0)],
        ];
        let mean = mean(5, &devices, &scored, Seed(0)).unwrap();
        assert_eq!(mean.units, 2);
        assert!((mean.spearman - 0.6).abs() < 1e-12);
        // Both ends come from two units, so the interval is at most from one to the other.
        assert!(mean.spearman_low >= 0.4 && mean.spearman_high <= 0.9);
        assert!((mean.spearman_over_devices - 2.0 / 3.0).abs() < 1e-12);
        // The median of 3 and 100.
        assert!((mean.median_mape_percent - 51.5).abs() < 1e-12);
        assert!(super::mean(5, &devices[3..], &scored[3..], Seed(0)).is_none());
    }
}
