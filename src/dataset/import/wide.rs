//! A table with a line for every architecture and a column for every device, as spreadsheets have it:
//! `architecture,pixel3,raspi4`, latencies in ms; `precision` and `input` may stand beside them.

use std::path::Path;

use crate::dataset::build::Builder;
use crate::dataset::read::{Defaults, architecture, input};
use crate::dataset::table::{Columns, Table};
use crate::dataset::{DeviceValues, Measurement};
use crate::device::Device;
use crate::error::Result;
use crate::metric::Metric;
use crate::progress::Progress;

/// The columns that are no devices. The first has to be there.
const SHARED: [&str; 3] = ["architecture", "precision", "input"];
/// Columns of the dataset's own form, which such a table has none of.
const OWN: [&str; 6] = [
    "device",
    "latency_ms",
    "energy_mj",
    "origin",
    "task",
    "accuracy_percent",
];
/// From this Jaro-Winkler similarity on a name is one of [`OWN`] misspelt, and no device.
const MISSPELT: f64 = 0.85;

/// The devices of a table with this header; none where it is of another form.
pub(super) fn devices(header: &[String]) -> Vec<&str> {
    let own = |name: &str| OWN.iter().any(|own| strsim::jaro_winkler(name, own) > MISSPELT);
    if !header.iter().any(|name| name == SHARED[0]) || header.iter().any(|name| own(name)) {
        return Vec::new();
    }
    let names = header.iter().map(String::as_str);
    names
        .filter(|name| !name.is_empty() && !SHARED.contains(name))
        .collect()
}

/// Adds the latencies of every device. A cell is empty where nothing was measured.
pub(super) fn read(
    path: &Path,
    devices: &[&str],
    defaults: &Defaults,
    builder: &mut Builder,
    progress: &dyn Progress,
) -> Result<()> {
    let known: Vec<&str> = SHARED.iter().chain(devices).copied().collect();
    let columns = Columns {
        known: &known,
        required: &SHARED[..1],
        strict: true,
    };
    let numbers: Vec<u32> = devices.iter().map(|id| builder.add_device(Device::named(id))).collect();
    Table::open(path, &columns, progress)?.visit(|row| {
        let architecture = architecture(row, 0, builder)?;
        let stated = row.precision(1)?;
        let input = input(row, 2, architecture, defaults, builder)?;
        for (place, &device) in numbers.iter().enumerate() {
            let Some(latency_ms) = row.positive(SHARED.len() + place)? else {
                continue;
            };
            let precision = stated.unwrap_or_else(|| builder.device_mut(device).runs_at());
            builder.measurement(Measurement {
                device,
                architecture,
                precision,
                input,
                values: DeviceValues::of(Metric::Latency, latency_ms),
                origin: defaults.origin,
            });
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(header: &str) -> Vec<String> {
        let names: Vec<String> = header.split(',').map(str::to_string).collect();
        devices(&names).into_iter().map(str::to_string).collect()
    }

    #[test]
    fn columns_that_are_no_others_are_devices() {
        assert_eq!(found("architecture,pixel3,raspi4"), ["pixel3", "raspi4"]);
        assert_eq!(found("edgetpu,input,architecture"), ["edgetpu"]);
        for other in [
            "device,architecture,latency_ms",
            "architecture,latency",
            "device,latency_ms",
            "devcie,architecture,pixel3",
            "task,architecture,accuracy_percent",
            "pixel3,raspi4",
            "architecture",
        ] {
            assert!(found(other).is_empty(), "{other}");
        }
    }
}
