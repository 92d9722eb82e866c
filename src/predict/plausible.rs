//! Can a device be as fast, or as frugal, as its probes say? Asked of physics, of the known devices at the same architectures, and
//! of the datasheet. The commonest mistake is a unit a thousand times too large or too small, and is named as such.

use nalgebra::DMatrix;

use super::measured::Probed;
use super::prior::Prior;
use super::{DeviceSimilarity, Encoded, Predictor};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::space::Architecture;
use crate::stats;

/// Probes this many times faster than the fastest known device, or slower than the slowest, are taken for a wrong unit where
/// another unit puts them among the known devices; and where none does.
const SUSPICIOUS: f64 = 5.0;
const IMPLAUSIBLE: f64 = 200.0;
/// Standard deviations of what a datasheet says, and the factor beyond them, that values may be away from it.
const DATASHEET_DEVIATIONS: f64 = 3.0;
const DATASHEET_FACTOR: f64 = 5.0;
/// Units that values are in by mistake, as factors of the right one: of time in ms and of energy in mJ.
const UNITS: [(f64, &str, &str); 4] = [
    (1e3, "seconds", "joules"),
    (1e-3, "microseconds", "microjoules"),
    (1e-6, "nanoseconds", "nanojoules"),
    (6e4, "minutes", "watt-minutes"),
];

/// Throughput in GFLOP/s of the fastest accelerator and of the slowest microcontroller that can be imagined; a peak given in a
/// datasheet may be beaten by this factor (smarter algorithms than counted, clocks above the stated one), and this share of it
/// is reached by the worst software.
const FASTEST_GFLOPS: f64 = 1e7;
const SLOWEST_GFLOPS: f64 = 1e-4;
const BEYOND_PEAK: f64 = 4.0;
const WORST_USE: f64 = 1e-3;
/// Least time of any network, and most that one launch takes, in ms.
const MIN_MS: f64 = 1e-4;
const MAX_PER_LAUNCH_MS: f64 = 10.0;
/// Least and most power in W; the most relative to a thermal design power.
const MIN_W: f64 = 1e-4;
const MAX_W: f64 = 1e4;
const MAX_OF_DESIGN_POWER: f64 = 10.0;

/// Refuses what was measured of a metric where it is hardly possible.
///
/// # Errors
/// [`Error::Implausible`], with the unit that was probably meant.
pub(super) fn check(
    predictor: &Predictor,
    device: &Device,
    probed: &Probed,
    encoded: &Encoded,
    metric: Metric,
) -> Result<()> {
    let Some(prior) = predictor.metrics.get(metric).map(|learned| &learned.prior) else {
        return Ok(());
    };
    let rows: Vec<(usize, f64, usize)> = probed.logs(metric).collect();
    let logs: Vec<f64> = rows.iter().map(|row| row.1).collect();
    let Some(median) = stats::quantile(&logs, 0.5) else {
        return Ok(());
    };
    let positions: Vec<usize> = rows.iter().map(|row| row.0).collect();
    let basis = prior.basis(encoded).select_columns(&positions);
    compare(device, prior, median, &beyond_known(prior, &basis, &logs))?;
    let bounds = |position: usize| bounds(predictor, device, &probed.architectures[position], metric);
    let (unit, name) = (metric.unit(), metric.name());
    for (position, log, _) in [least(&rows), most(&rows)].into_iter().flatten() {
        let (low, high) = bounds(position);
        if !(low..=high).contains(&log.exp()) {
            return Err(Error::Implausible {
                what: format!("{name} of {}", predictor.space.print(&probed.architectures[position])),
                expected: format!("{low:.2e} to {high:.2e} {unit}, going by its operations"),
                found: format!("{:.2e} {unit}", log.exp()),
                hint: "Check what was measured, and its unit.".into(),
            });
        }
    }
    Ok(())
}

fn least(rows: &[(usize, f64, usize)]) -> Option<(usize, f64, usize)> {
    rows.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))
}

fn most(rows: &[(usize, f64, usize)]) -> Option<(usize, f64, usize)> {
    rows.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))
}

/// By how much the probes are larger than on each known device, in log units: the median over the architectures.
fn beyond_known(prior: &Prior, basis: &DMatrix<f32>, logs: &[f64]) -> Vec<f64> {
    let functions = prior.known_functions(&basis.map(f64::from));
    let away = |row: usize| -> Vec<f64> {
        logs.iter()
            .zip(functions.row(row).iter())
            .map(|(log, at)| log - at)
            .collect()
    };
    (0..functions.nrows())
        .filter_map(|row| stats::quantile(&away(row), 0.5))
        .collect()
}

/// Compares probes, whose logarithms have this median, with the known devices and with the datasheet.
fn compare(device: &Device, prior: &Prior, median: f64, beyond: &[f64]) -> Result<()> {
    let fastest = beyond.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let slowest = beyond.iter().copied().fold(f64::INFINITY, f64::min);
    // Zero between the fastest and the slowest known device.
    let outside = |shift: f64| (slowest + shift).max(0.0) + (-fastest - shift).max(0.0);
    let (level, deviation) = DeviceSimilarity::of(device, prior).level();
    let allowed = DATASHEET_DEVIATIONS * deviation + DATASHEET_FACTOR.ln();
    let says_nothing = device.is_unknown();
    let as_said = |shift: f64| says_nothing || (median + shift - level).abs() <= allowed;
    if !says_nothing && as_said(0.0) || says_nothing && outside(0.0) <= SUSPICIOUS.ln() {
        return Ok(());
    }
    let meant = UNITS
        .iter()
        .find(|(factor, ..)| outside(factor.ln()) <= 2.0_f64.ln() && as_said(factor.ln()));
    let expected = || {
        let (low, high) = ((median - fastest).exp(), (median - slowest).exp());
        let unit = prior.metric.unit();
        format!("about {low:.3} to {high:.3} {unit}, as on the known devices at the same architectures")
    };
    let implausible = |hint: String| {
        Err(Error::Implausible {
            what: format!("{} of the probes", prior.metric.name()),
            expected: expected(),
            found: format!("a median of {:.4e} {}", median.exp(), prior.metric.unit()),
            hint,
        })
    };
    match meant {
        Some((factor, time, energy)) => {
            let name = if prior.metric == Metric::Energy { energy } else { time };
            let unit = prior.metric.unit();
            implausible(format!(
                "These look like {name}: multiply them by {factor} to have {unit}."
            ))
        }
        None if outside(0.0) > IMPLAUSIBLE.ln() => implausible(format!(
            "Give values in {}, of whole batches, or a datasheet that explains them.",
            prior.metric.unit()
        )),
        None => Ok(()),
    }
}

/// Least and most that the metric of a network can be on a device, in its unit.
fn bounds(predictor: &Predictor, device: &Device, architecture: &Architecture, metric: Metric) -> (f64, f64) {
    let encoder = &predictor.encoder;
    let live = predictor
        .space
        .lower(architecture, encoder.input_size(), encoder.classes);
    let written = predictor
        .space
        .lower_as_written(architecture, encoder.input_size(), encoder.classes);
    let batch = device.batch_size.unwrap_or(1.0);
    let (fastest, slowest) = device.peak_gflops.map_or((FASTEST_GFLOPS, SLOWEST_GFLOPS), |peak| {
        (peak * BEYOND_PEAK, peak * WORST_USE)
    });
    let ms = |macs: u64, gflops: f64| batch * 2.0 * macs as f64 / (gflops * 1e6);
    let low = ms(live.macs(), fastest).max(MIN_MS);
    let high = ms(written.macs(), slowest) + written.kernel_launches() as f64 * MAX_PER_LAUNCH_MS;
    if metric == Metric::Energy {
        let most = device.tdp_w.map_or(MAX_W, |power| power * MAX_OF_DESIGN_POWER);
        (low * MIN_W, high * most)
    } else {
        (low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::World;
    use super::*;
    use crate::device::catalogue;

    /// What is said of probes that are `factor` times those of the world's first device.
    fn said(device: &Device, factor: f64) -> String {
        let mut world = World::new();
        for known in &mut world.prior.known {
            known.datasheet = catalogue::find("pixel3").unwrap();
        }
        let logs: Vec<f64> = (0..10).map(|column| world.logs[(0, column)] + factor.ln()).collect();
        let median = stats::quantile(&logs, 0.5).unwrap();
        let beyond = beyond_known(&world.prior, &world.basis.columns(0, 10).into_owned(), &logs);
        match compare(device, &world.prior, median, &beyond) {
            Ok(()) => "plausible".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn wrong_units_are_named_on_either_side() {
        let unknown = Device::named("new");
        assert_eq!(said(&unknown, 1.0), "plausible");
        for (factor, unit) in [
            (1e-3, "These look like seconds: multiply them by 1000"),
            (1e3, "These look like microseconds: multiply them by 0.001"),
            (1e6, "nanoseconds"),
            (1e300, "Give values in ms"),
            (1e-300, "Give values in ms"),
        ] {
            let said = said(&unknown, factor);
            assert!(
                said.contains(unit) && said.contains("latency of the probes"),
                "{factor}: {said}"
            );
        }
    }

    #[test]
    fn a_datasheet_explains_what_known_devices_do_not() {
        let chip = catalogue::find("stm32h743").unwrap();
        assert!(said(&Device::named("new"), 300.0).contains("microseconds"));
        assert_eq!(said(&chip, 300.0), "plausible");
        // Faster than any phone, it is no microcontroller.
        assert!(said(&chip, 0.01).contains("seconds"), "{}", said(&chip, 0.01));
    }

    #[test]
    fn devices_a_little_beyond_the_known_ones_are_not_refused() {
        assert_eq!(said(&Device::named("new"), 4.0), "plausible");
    }
}
