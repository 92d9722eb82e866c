//! Datasheets of devices as rows of JSON and CSV.

use serde::Serialize;

use crate::device::Device;
use crate::error::{Error, Result};
use crate::space::{Precision, QuantPolicy};

/// What the datasheet of a device says; null where it says nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceRow {
    /// Id of the device in this setting.
    pub device: String,
    /// Hardware unit, shared by all settings.
    pub unit: String,
    /// Kind of hardware.
    pub class: Option<String>,
    /// Number format of the networks.
    pub precision: Option<QuantPolicy>,
    /// Number formats that it has arithmetic for, as far as its datasheet says, separated by blanks.
    pub precisions: Option<String>,
    /// Software that runs them.
    pub runtime: Option<String>,
    /// Inputs at once.
    pub batch_size: Option<f64>,
    /// Peak throughput at the precision.
    pub peak_gflops: Option<f64>,
    /// Bandwidth of the main memory.
    pub memory_bandwidth_gb_s: Option<f64>,
    /// Last-level on-chip memory.
    pub on_chip_memory_mib: Option<f64>,
    /// Cores, multiprocessors or processing elements.
    pub cores: Option<f64>,
    /// Clock.
    pub clock_ghz: Option<f64>,
    /// Thermal design power.
    pub tdp_w: Option<f64>,
    /// Year of first availability.
    pub year: Option<f64>,
}

impl From<&Device> for DeviceRow {
    fn from(device: &Device) -> Self {
        DeviceRow {
            device: device.id.clone(),
            unit: device.unit.clone(),
            class: device.class.clone(),
            precision: device.precision,
            precisions: listed(&device.precisions),
            runtime: device.runtime.clone(),
            batch_size: device.batch_size,
            peak_gflops: device.peak_gflops,
            memory_bandwidth_gb_s: device.memory_bandwidth_gb_s,
            on_chip_memory_mib: device.on_chip_memory_mib,
            cores: device.cores,
            clock_ghz: device.clock_ghz,
            tdp_w: device.tdp_w,
            year: device.year,
        }
    }
}

/// Number formats in one cell; nothing where none is known.
fn listed(precisions: &[Precision]) -> Option<String> {
    let names: Vec<String> = precisions.iter().map(Precision::to_string).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// Devices as comma-separated values, with a header; what is not known is empty.
///
/// # Errors
/// [`Error::Io`] when the text cannot be made.
pub fn devices_csv(rows: &[DeviceRow]) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer
            .serialize(row)
            .map_err(|error| Error::io("write", "devices")(error.into()))?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Error::io("write", "devices")(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
