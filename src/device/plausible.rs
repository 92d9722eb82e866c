//! Can a device be what it says? Ranges wide enough for every device on sale, narrow enough to catch a wrong unit.

use super::{CLASSES, Device};
use crate::error::{Error, Result};

/// What a quantity may be, and the units that it is taken for when it is a thousand times off.
struct Range {
    key: &'static str,
    low: f64,
    high: f64,
    unit: &'static str,
    /// The unit that a value a thousand times too large was probably written in.
    smaller: &'static str,
    /// The unit that a value a thousand times too small was probably written in.
    larger: &'static str,
}

const fn range(key: &'static str, low: f64, high: f64, units: [&'static str; 3]) -> Range {
    let [smaller, unit, larger] = units;
    Range {
        key,
        low,
        high,
        unit,
        smaller,
        larger,
    }
}

const PEAK: Range = range("peak-gflops", 0.001, 10_000_000.0, ["MFLOP/s", "GFLOP/s", "TFLOP/s"]);
const BANDWIDTH: Range = range("memory-bandwidth-gb-s", 0.01, 20_000.0, ["MB/s", "GB/s", "TB/s"]);
const ON_CHIP: Range = range("on-chip-memory-mib", 0.001, 2_048.0, ["KiB", "MiB", "GiB"]);
const CORES: Range = range("cores", 1.0, 1_000_000.0, ["", "cores", ""]);
const CLOCK: Range = range("clock-ghz", 0.01, 10.0, ["MHz", "GHz", "THz"]);
const TDP: Range = range("tdp-w", 0.001, 2_000.0, ["mW", "W", "kW"]);
const YEAR: Range = range("year", 1990.0, 2100.0, ["", "(a year)", ""]);
const BATCH: Range = range("batch-size", 1.0, 65_536.0, ["", "inputs", ""]);

/// Operations per byte of main-memory traffic at which a device turns from memory-bound to compute-bound (Williams et al.,
/// *Roofline*, CACM 52(4), 2009). The lowest in the catalogue is a microcontroller's (about 1), the highest a USB
/// accelerator's (8000).
const RIDGE: (f64, f64) = (0.05, 50_000.0);

impl Device {
    /// Whether every value given is one that a device can have.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the key, and the unit that was probably meant; [`Error::Unknown`] for a class that does not
    /// exist.
    pub fn check(&self) -> Result<()> {
        let values = [
            (&PEAK, self.peak_gflops),
            (&BANDWIDTH, self.memory_bandwidth_gb_s),
            (&ON_CHIP, self.on_chip_memory_mib),
            (&CORES, self.cores),
            (&CLOCK, self.clock_ghz),
            (&TDP, self.tdp_w),
            (&YEAR, self.year),
            (&BATCH, self.batch_size),
        ];
        values
            .into_iter()
            .try_for_each(|(range, value)| value.map_or(Ok(()), |value| range.check(&self.id, value)))?;
        self.check_ridge()?;
        match self.class.as_deref() {
            Some(class) if !CLASSES.contains(&class) => Err(Error::Unknown {
                kind: "device class",
                name: class.into(),
                known: CLASSES.iter().map(|class| class.to_string()).collect(),
            }),
            _ => Ok(()),
        }
    }

    fn check_ridge(&self) -> Result<()> {
        let (Some(peak), Some(bandwidth)) = (self.peak_gflops, self.memory_bandwidth_gb_s) else {
            return Ok(());
        };
        let ridge = peak / bandwidth;
        if (RIDGE.0..=RIDGE.1).contains(&ridge) {
            return Ok(());
        }
        let hint = if ridge < RIDGE.0 {
            "Is the bandwidth in MB/s, or the peak in TFLOP/s? They are GB/s and GFLOP/s."
        } else {
            "Is the bandwidth in TB/s, or the peak in MFLOP/s? They are GB/s and GFLOP/s."
        };
        Err(Error::Invalid {
            what: format!("device `{}`: peak-gflops / memory-bandwidth-gb-s", self.id),
            expected: format!("{} to {} operations per byte", RIDGE.0, RIDGE.1),
            found: format!("{ridge:.3e}"),
            hint: hint.into(),
        })
    }
}

impl Range {
    fn check(&self, device: &str, value: f64) -> Result<()> {
        if (self.low..=self.high).contains(&value) {
            return Ok(());
        }
        Err(Error::Invalid {
            what: format!("device `{device}`: {}", self.key),
            expected: format!("{} to {} {}", self.low, self.high, self.unit),
            found: format!("{value}"),
            hint: self.hint(value),
        })
    }

    fn hint(&self, value: f64) -> String {
        let within = |value: f64| (self.low..=self.high).contains(&value);
        match () {
            () if within(value / 1000.0) && !self.smaller.is_empty() => format!("{}, not {}?", self.unit, self.smaller),
            () if within(value * 1000.0) && !self.larger.is_empty() => format!("{}, not {}?", self.unit, self.larger),
            () => "Leave the key out when the value is not known.".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(change: impl FnOnce(&mut Device)) -> String {
        let mut device = Device {
            id: "b".into(),
            ..Device::default()
        };
        change(&mut device);
        device.check().unwrap_err().to_string()
    }

    #[test]
    fn wrong_units_are_guessed() {
        assert!(message(|device| device.clock_ghz = Some(1500.0)).contains("GHz, not MHz?"));
        assert!(message(|device| device.tdp_w = Some(5000.0)).contains("W, not mW?"));
        assert!(message(|device| device.on_chip_memory_mib = Some(6144.0)).contains("MiB, not KiB?"));
        assert!(message(|device| device.memory_bandwidth_gb_s = Some(0.001)).contains("GB/s, not TB/s?"));
        assert!(message(|device| device.year = Some(20.0)).contains("Leave the key out"));
        assert!(message(|device| device.cores = Some(f64::NAN)).contains("NaN"));
    }

    /// 48 GFLOP/s over 12,800 GB/s would be 0.004 operations per byte: the bandwidth was written in MB/s.
    #[test]
    fn an_impossible_ridge_is_called_out() {
        let text = message(|device| {
            device.peak_gflops = Some(48.0);
            device.memory_bandwidth_gb_s = Some(12_800.0);
        });
        assert!(text.contains("in MB/s"), "{text}");
    }

    #[test]
    fn an_unknown_class_is_named() {
        let text = message(|device| device.class = Some("mobile-gppu".into()));
        assert!(text.contains("did you mean `mobile-gpu`?"), "{text}");
    }

    #[test]
    fn nothing_known_is_plausible() {
        assert!(Device::default().check().is_ok());
    }
}
