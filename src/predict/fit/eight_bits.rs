//! Devices that were measured at another precision, in search spaces whose layers say their bits: their prices at eight bits are
//! predicted from their specifications.
//!
//! Arithmetic is as many times cheaper as the peak throughput at int8 is higher than at the precision measured. Data are cheaper
//! by something between nothing and the ratio of their bytes: a machine that is bound by its memory gains all of it, one that
//! is not nothing. Whoever runs eight bits is no faster for fewer.

use crate::device::catalogue;
use crate::error::Result;
use crate::predict::prior::KnownDevice;
use crate::profile::{
    ACTIVATIONS, CHANNELS, DEPTHWISE, ELEMENTWISE, GROUPED, KINDS, OUTPUTS, POINTWISE, POOLED, SHARES, SPATIAL, WEIGHTS,
};
use crate::space::Precision;

const ARITHMETIC: [usize; 6] = [SPATIAL, POINTWISE, GROUPED, DEPTHWISE, CHANNELS, OUTPUTS];
const DATA: [usize; 4] = [ACTIVATIONS, WEIGHTS, POOLED, ELEMENTWISE];
/// Standard deviations of logarithms of prices beyond what specifications say: of arithmetic where the peaks are known and where not,
/// of data, of all else.
const PEAK_DEVIATION: f64 = 0.4;
const NO_PEAK_DEVIATION: f64 = 0.7;
const DATA_DEVIATION: f64 = 0.5;
const OTHER_DEVIATION: f64 = 0.2;
/// The share of work that nothing reads: what fewer bits save, all of which is run.
const SAVED: usize = KINDS + SHARES - 1;
const SAVED_DEVIATION: f64 = 0.05;

/// The device at int8.
///
/// # Errors
/// As [`catalogue::peak`].
pub(super) fn at_eight_bits(mut device: KnownDevice) -> Result<KnownDevice> {
    device.profile[SAVED] = 0.0;
    device.covariance.row_mut(SAVED).fill(0.0);
    device.covariance.column_mut(SAVED).fill(0.0);
    device.covariance[(SAVED, SAVED)] = SAVED_DEVIATION * SAVED_DEVIATION;
    let measured = device.precision;
    if measured == Precision::Int8 {
        return Ok(device);
    }
    let peaks = catalogue::peak(&device.unit, Precision::Int8)?.zip(catalogue::peak(&device.unit, measured)?);
    let (faster, arithmetic) = match peaks {
        Some((int8, before)) => ((int8 / before).ln(), PEAK_DEVIATION),
        None => (0.0, NO_PEAK_DEVIATION),
    };
    let smaller = (f64::from(measured.bits()) / f64::from(Precision::Int8.bits())).ln();
    for kind in 0..KINDS {
        let (cheaper, deviation) = match kind {
            kind if ARITHMETIC.contains(&kind) => (faster, arithmetic),
            kind if DATA.contains(&kind) => (0.5 * smaller, DATA_DEVIATION),
            _ => (0.0, OTHER_DEVIATION),
        };
        device.profile[kind] -= cheaper;
        device.covariance[(kind, kind)] += deviation * deviation;
    }
    device.precision = Precision::Int8;
    device.measured_at = Some(measured);
    Ok(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::example::known_device;
    use crate::profile::{FIXED, LAUNCH_DENSE};

    #[test]
    fn arithmetic_is_cheaper_by_the_ratio_of_the_peaks() {
        let before = known_device("titanxp", Precision::Fp32);
        let after = at_eight_bits(before.clone()).unwrap();
        assert_eq!(
            (after.precision, after.measured_at),
            (Precision::Int8, Some(Precision::Fp32))
        );
        let cheaper = |kind: usize| before.profile[kind] - after.profile[kind];
        // One instruction multiplies and adds four pairs of 8-bit integers.
        assert!((cheaper(SPATIAL) - 4f64.ln()).abs() < 1e-5, "{}", cheaper(SPATIAL));
        // Half of the logarithm of four.
        assert!((cheaper(WEIGHTS) - 2f64.ln()).abs() < 1e-12);
        assert_eq!((cheaper(FIXED), cheaper(LAUNCH_DENSE)), (0.0, 0.0));
        assert!((0..KINDS).all(|kind| after.covariance[(kind, kind)] > before.covariance[(kind, kind)]));
        assert_eq!(after.profile[SAVED], 0.0);
        // What was measured at int8 stays as it is.
        let int8 = at_eight_bits(known_device("edgetpu", Precision::Int8)).unwrap();
        assert_eq!(
            (int8.measured_at, int8.profile[SPATIAL]),
            (None, before.profile[SPATIAL])
        );
    }
}
