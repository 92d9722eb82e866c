//! Can a device be as fast, or as frugal, as its probes say?

use super::prior::Prior;
use crate::error::{Error, Result};
use crate::metric::Metric;

/// Probes this many times slower than the slowest known device, or faster than the fastest, are taken for a wrong unit.
const IMPLAUSIBLE_FACTOR: f64 = 200.0;

/// Refuses a median that is far outside of the range of the known devices.
pub(super) fn check(prior: &Prior, median: f64, metric: Metric) -> Result<()> {
    let levels = || prior.known.iter().map(|device| device.level.exp());
    let (fastest, slowest) = (levels().fold(f64::INFINITY, f64::min), levels().fold(0.0, f64::max));
    if median > slowest * IMPLAUSIBLE_FACTOR || median < fastest / IMPLAUSIBLE_FACTOR {
        let unit = metric.unit();
        return Err(Error::Invalid {
            what: format!("{} of the probes", metric.name()),
            expected: format!("a median near the known devices' {fastest:.3} to {slowest:.3} {unit}"),
            found: format!("{median} {unit}"),
            hint: format!("Give values in {unit}, of whole batches."),
        });
    }
    Ok(())
}
