//! A device at another precision than it was measured at, from what was measured and its specifications.
//!
//! Arithmetic is as many times cheaper as the peak throughput is higher than at the precision measured. Data are cheaper by
//! something between nothing and the ratio of their bytes: a machine that is bound by its memory gains all of it, one that is
//! not nothing. All else is as before. How far each of these is off widens what is known.
//!
//! Runtimes reach a part of what peaks promise: under ONNX Runtime on a core with four times the peak at int8, networks of FBNet ran
//! 1.32 times as fast as at fp32 in the median. So a measured device is taken to gain half of what its peaks say, in
//! logarithms, and its level as a whole to be off besides.

use super::{DeviceMetrics, DeviceModel, Knowledge, MetricModel, Posterior, Predictor};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::profile::{
    ACTIVATIONS, CHANNELS, DEPTHWISE, ELEMENTWISE, GROUPED, KINDS, OUTPUTS, POINTWISE, POOLED, SPATIAL, WEIGHTS,
};
use crate::seed::Seed;
use crate::space::{Precision, QuantPolicy};

const ARITHMETIC: [usize; 6] = [SPATIAL, POINTWISE, GROUPED, DEPTHWISE, CHANNELS, OUTPUTS];
const DATA: [usize; 4] = [ACTIVATIONS, WEIGHTS, POOLED, ELEMENTWISE];
/// Standard deviations of logarithms of prices beyond what specifications say: of arithmetic where the peaks are known and where not,
/// of data, of all else.
const PEAK_DEVIATION: f64 = 0.4;
const NO_PEAK_DEVIATION: f64 = 0.7;
const DATA_DEVIATION: f64 = 0.5;
const OTHER_DEVIATION: f64 = 0.2;
/// Part of the gain in peak throughput that a measured device is taken to reach, in logarithms.
const REACHED: f64 = 0.5;
/// Standard deviation of the level of a measured device in another precision, beside those of its prices.
const LEVEL_DEVIATION: f64 = 0.5;

/// Specifications say nothing of some layers in another precision than the rest.
pub(crate) fn unmeasured(device: &DeviceModel, wanted: QuantPolicy) -> Error {
    Error::Invalid {
        what: format!("{wanted} on device `{}`", device.id),
        expected: "measurements: specifications say what one precision everywhere changes, from another one everywhere"
            .into(),
        found: format!("a device at {}", device.precision),
        hint: "Measure 5 to 20 architectures with this policy and adapt to the device.".into(),
    }
}

/// How a price changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PriceChange {
    /// Logarithm of how many times cheaper it becomes.
    pub(super) cheaper: f64,
    /// Standard deviation of that.
    pub(super) deviation: f64,
}

/// How the prices of all kinds of work change between two precisions, of which `peaks` are the peak throughputs where they are known;
/// `reached` is the part of the gain in them that counts, in logarithms.
pub(super) fn price_changes(
    measured: Precision,
    wanted: Precision,
    peaks: Option<(f64, f64)>,
    reached: f64,
) -> [PriceChange; KINDS] {
    let (faster, arithmetic) = match peaks {
        Some((before, after)) => (reached * (after / before).ln(), PEAK_DEVIATION),
        None => (0.0, NO_PEAK_DEVIATION),
    };
    let smaller = (f64::from(measured.bits()) / f64::from(wanted.bits())).ln();
    std::array::from_fn(|kind| {
        let (cheaper, deviation) = match kind {
            kind if ARITHMETIC.contains(&kind) => (faster, arithmetic),
            kind if DATA.contains(&kind) => (0.5 * smaller, DATA_DEVIATION),
            _ => (0.0, OTHER_DEVIATION),
        };
        PriceChange { cheaper, deviation }
    })
}

impl Posterior {
    /// The same function at changed prices, which are known less well, as is the level of all.
    fn repriced(&self, changes: &[PriceChange; KINDS]) -> Posterior {
        let mut changed = self.clone();
        for (index, price) in changed.prices.iter_mut().enumerate() {
            *price *= (-changes[index % KINDS].cheaper).exp() as f32;
        }
        let parts = self.root.nrows();
        changed.root = changed.root.insert_rows(parts, KINDS + 1, 0.0);
        for (kind, change) in changes.iter().enumerate() {
            changed.root[(parts + kind, kind)] = change.deviation as f32;
        }
        let mut level = changed.root.view_mut((parts + KINDS, 0), (1, KINDS));
        level.fill(LEVEL_DEVIATION as f32);
        changed
    }
}

impl Predictor {
    /// A device in another precision, which `datasheet` says, see [`Device::at_precision`]: what its datasheet says where nothing was
    /// measured on it, else predicted from what was measured and from the specifications.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a device of another predictor, and where the genes of the search space say bits, which is the only
    /// precision there; as [`Predictor::adapt`].
    pub fn at_precision(&self, device: &DeviceModel, datasheet: &Device, seed: Seed) -> Result<DeviceModel> {
        self.check_device(device)?;
        let wanted = datasheet.runs_at();
        if wanted == device.precision {
            return Ok(device.clone());
        }
        if self.space.has_bits() {
            return Err(Error::Invalid {
                what: "precision of designs whose genes say bits".into(),
                expected: device.precision.to_string(),
                found: wanted.to_string(),
                hint: format!(
                    "Leave the precisions out: those of {} are part of a design.",
                    self.space.id()
                ),
            });
        }
        if device.knowledge == Knowledge::Prior {
            return self.adapt(datasheet, &[], seed);
        }
        let (QuantPolicy::Uniform(measured), QuantPolicy::Uniform(wanted)) = (device.precision, wanted) else {
            return Err(unmeasured(device, wanted));
        };
        let peaks = device.datasheet.peak_gflops.zip(datasheet.peak_gflops);
        let changes = price_changes(measured, wanted, peaks, REACHED);
        let metrics: DeviceMetrics<MetricModel> = device.metrics.map(|_, model| MetricModel {
            posterior: model.posterior.repriced(&changes),
            calibration: model.calibration.clone(),
        });
        Ok(DeviceModel {
            id: datasheet.id.clone(),
            knowledge: Knowledge::Specifications,
            probes: 0,
            precision: wanted.into(),
            datasheet: datasheet.clone(),
            measured: Vec::new(),
            metrics,
            ..device.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{DMatrix, DVector};

    use super::*;
    use crate::profile::{COORDINATES, COUNTS, Coordinates, LAUNCH_DENSE, Setting};

    /// One unit of one kind of work.
    fn basis(kind: usize) -> DMatrix<f32> {
        let mut basis = DMatrix::zeros(COUNTS, 1);
        basis[(kind, 0)] = 1.0;
        basis
    }

    #[test]
    fn arithmetic_follows_half_the_peaks_and_data_half_the_bytes() {
        let before = Posterior::new(
            &Coordinates::zeros(),
            &Setting { batch: 1.0 },
            &DVector::zeros(COORDINATES),
            DMatrix::zeros(COORDINATES, COORDINATES),
            0.01,
        );
        let after = before.repriced(&price_changes(
            Precision::Fp32,
            Precision::Int8,
            Some((100.0, 300.0)),
            0.5,
        ));
        let change = |kind: usize| {
            let [before, after] = [&before, &after].map(|one| one.predict(&basis(kind))[0]);
            (f64::from(before.mean - after.mean), f64::from(after.deviation))
        };
        // Half of the logarithms of 3 and of 4; deviations of 0.4, 0.5 and 0.2, beside 0.1 of the noise and 0.5 of the level.
        for (kind, cheaper, deviation) in [
            (POINTWISE, 0.5 * 3f64.ln(), 0.42f64.sqrt()),
            (WEIGHTS, 2f64.ln(), 0.51f64.sqrt()),
            (LAUNCH_DENSE, 0.0, 0.30f64.sqrt()),
        ] {
            let (found, known) = change(kind);
            assert!(
                (found - cheaper).abs() < 1e-5 && (known - deviation).abs() < 1e-5,
                "{kind}: {found} {known}"
            );
        }
        let unknown = price_changes(Precision::Int8, Precision::Fp32, None, 1.0);
        assert_eq!((unknown[SPATIAL].cheaper, unknown[SPATIAL].deviation), (0.0, 0.7));
        assert!((unknown[WEIGHTS].cheaper + 2f64.ln()).abs() < 1e-12);
    }
}
