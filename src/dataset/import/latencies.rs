//! One device's latencies, as a list in the order of an index of architectures.

use std::path::Path;

use crate::dataset::build::Builder;
use crate::dataset::{DeviceValues, Measurement, Origin};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::space::{InputSize, QuantPolicy};

/// What a file says of one device.
pub(super) struct DeviceLatencies<'a> {
    /// The file, for messages.
    pub(super) file: &'a Path,
    /// Latencies in ms; -1 where nothing was measured.
    pub(super) latencies_ms: &'a [f64],
    /// Numbers in the builder of the architectures, in the same order.
    pub(super) architectures: &'a [u32],
    /// The file that the architectures come from, for messages.
    pub(super) index_file: &'a str,
    pub(super) precision: QuantPolicy,
    /// Size of the images, where networks do not have a size of their own.
    pub(super) input: InputSize,
    pub(super) origin: Origin,
}

impl DeviceLatencies<'_> {
    /// Adds the device and its latencies, and returns what was noticed.
    ///
    /// # Errors
    /// [`Error::Malformed`] for another number of latencies than of architectures, and for impossible ones.
    pub(super) fn add(&self, device: Device, builder: &mut Builder) -> Result<Vec<String>> {
        if self.latencies_ms.len() != self.architectures.len() {
            return Err(self.miscounted());
        }
        let id = device.id.clone();
        let device = builder.add_device(device);
        let mut absent = 0;
        for (position, (&latency_ms, &architecture)) in self.latencies_ms.iter().zip(self.architectures).enumerate() {
            let input = builder.input(self.input)?;
            match latency_ms {
                -1.0 => absent += 1,
                _ if latency_ms.is_finite() && latency_ms > 0.0 => builder.measurement(Measurement {
                    device,
                    architecture,
                    precision: self.precision,
                    input,
                    values: DeviceValues::of(Metric::Latency, latency_ms),
                    origin: self.origin,
                }),
                _ => return Err(self.impossible(position, latency_ms)),
            }
        }
        Ok(self.noticed(&id, absent))
    }

    fn noticed(&self, id: &str, absent: usize) -> Vec<String> {
        let mut notes = Vec::new();
        if absent > 0 {
            notes.push(format!("{id}: {absent} latencies of -1 left out as not measured"));
        }
        notes.extend(degenerate_note(id, self.latencies_ms));
        if self.latencies_ms.iter().all(|latency_ms| latency_ms.fract() == 0.0) {
            notes.push(format!("{id}: whole ms only, so differences below 1 ms are not seen"));
        }
        notes
    }

    fn miscounted(&self) -> Error {
        Error::Malformed {
            path: self.file.to_path_buf(),
            line: None,
            column: None,
            expected: format!(
                "{} latencies, one for each architecture of {}",
                self.architectures.len(),
                self.index_file
            ),
            found: self.latencies_ms.len().to_string(),
            hint: "The two files do not belong together: get both from the same clone.".into(),
        }
    }

    fn impossible(&self, position: usize, latency_ms: f64) -> Error {
        Error::Malformed {
            path: self.file.to_path_buf(),
            line: None,
            column: Some(format!("position {position}")),
            expected: "a latency above 0 ms, or -1 for not measured".into(),
            found: latency_ms.to_string(),
            hint: "Get the file again, or take it out of the folder.".into(),
        }
    }
}

/// Says how many latencies are too short for any network of the space. Some runtimes replace a network whose output does not
/// depend on its input by a constant (`pixel3`).
pub(super) fn degenerate_note(id: &str, latencies_ms: &[f64]) -> Option<String> {
    let degenerate = degenerate(latencies_ms);
    (degenerate > 0).then(|| {
        format!(
            "{id}: {degenerate} latencies below 1 % of the median, as of networks of which nothing is computed; kept"
        )
    })
}

fn degenerate(latencies_ms: &[f64]) -> usize {
    let mut sorted: Vec<f64> = latencies_ms
        .iter()
        .copied()
        .filter(|&latency_ms| latency_ms > 0.0)
        .collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    sorted.partition_point(|&latency_ms| latency_ms < 0.01 * median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_that_compute_nothing_are_counted() {
        assert_eq!(degenerate(&[10.0, 12.0, 0.003, 11.0, -1.0, 0.2]), 1);
        assert_eq!(degenerate(&[]), 0);
    }
}
