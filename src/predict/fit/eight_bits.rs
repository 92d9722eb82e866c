//! Devices that were measured at another precision, in search spaces whose layers say their bits: their prices at eight bits are
//! predicted from their specifications, see [`crate::predict::other_precision`].
//!
//! Whoever runs eight bits is no faster for fewer.

use crate::device::catalogue;
use crate::error::Result;
use crate::predict::other_precision::price_changes;
use crate::predict::prior::KnownDevice;
use crate::profile::{KINDS, SHARES};
use crate::space::Precision;

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
    if measured == Precision::Int8.into() {
        return Ok(device);
    }
    let measured_at = measured;
    let measured = measured.arithmetic();
    let peaks = catalogue::peak(&device.unit, measured)?.zip(catalogue::peak(&device.unit, Precision::Int8)?);
    let changes = price_changes(measured, Precision::Int8, peaks, 1.0);
    for (kind, change) in changes.iter().enumerate() {
        device.profile[kind] -= change.cheaper;
        device.covariance[(kind, kind)] += change.deviation * change.deviation;
    }
    device.precision = Precision::Int8.into();
    device.measured_at = Some(measured_at);
    Ok(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::example::known_device;
    use crate::profile::{FIXED, LAUNCH_DENSE, SPATIAL, WEIGHTS};

    #[test]
    fn arithmetic_is_cheaper_by_the_ratio_of_the_peaks() {
        let before = known_device("titanxp", Precision::Fp32.into());
        let after = at_eight_bits(before.clone()).unwrap();
        assert_eq!(
            (after.precision, after.measured_at),
            (Precision::Int8.into(), Some(Precision::Fp32.into()))
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
        let int8 = at_eight_bits(known_device("edgetpu", Precision::Int8.into())).unwrap();
        assert_eq!(
            (int8.measured_at, int8.profile[SPATIAL]),
            (None, before.profile[SPATIAL])
        );
    }
}
