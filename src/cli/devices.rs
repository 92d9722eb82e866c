//! `edgefit devices`: which devices are known by name, and what their datasheets say.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::predict::Format;
use super::table::new_table;
use super::{Global, print, print_json};
use crate::device::{Device, catalogue};
use crate::error::Result;
use crate::report::{DeviceRow, devices_csv};

#[derive(Debug, Args)]
pub(crate) struct DevicesArgs {
    /// Id of a device, for its whole datasheet, or a part of an id, unit, class or runtime [default: all devices]
    text: Option<String>,
    /// Devices of this class only, such as mobile-cpu
    #[arg(long)]
    class: Option<String>,
    /// Devices that this checkpoint was trained on, or that were added to it, instead of the catalogue's
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(crate) fn run(args: &DevicesArgs, global: &Global) -> Result<ExitCode> {
    let text = args.text.as_deref().unwrap_or_default();
    let devices = match &args.checkpoint {
        Some(checkpoint) => global.advisor(checkpoint)?.predictor().known_datasheets(),
        None => catalogue::all()?,
    };
    let found = catalogue::search(devices, text, args.class.as_deref())?;
    // A name that nothing holds may still be an alias; if not, the nearest names are told.
    let exact = match found.iter().find(|device| device.id == text) {
        Some(device) => Some(device.clone()),
        None if found.is_empty() && args.class.is_none() && args.checkpoint.is_none() => Some(catalogue::find(text)?),
        None => None,
    };
    let rows: Vec<DeviceRow> = match &exact {
        Some(device) => vec![device.into()],
        None => found.iter().map(DeviceRow::from).collect(),
    };
    if rows.is_empty() {
        global.say("no device is like that; without a text and a class all are listed");
    }
    match (args.format, &exact) {
        (Format::Json, _) => print_json(&rows)?,
        (Format::Csv, _) => print(&devices_csv(&rows)?)?,
        (Format::Table, Some(device)) => print(&sheet(device)?)?,
        (Format::Table, None) => print(&table(rows))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn table(rows: Vec<DeviceRow>) -> String {
    let mut table = new_table([
        "device",
        "class",
        "precision",
        "runtime",
        "batch",
        "GFLOP/s",
        "GB/s",
        "TDP W",
        "year",
    ]);
    let count = rows.len();
    for row in rows {
        table.add_row([
            row.device,
            text(row.class),
            text(row.precision),
            text(row.runtime),
            text(row.batch_size),
            text(row.peak_gflops),
            text(row.memory_bandwidth_gb_s),
            text(row.tdp_w),
            text(row.year),
        ]);
    }
    format!(
        "{table}\n{} devices; `edgefit devices <id>` shows all that is known of one",
        count
    )
}

/// Everything that is known of a device, and where from.
fn sheet(device: &Device) -> Result<String> {
    let row = DeviceRow::from(device);
    let lines = [
        ("device", row.device),
        ("hardware unit", row.unit),
        ("class", text(row.class)),
        ("precision", text(row.precision)),
        ("runtime", text(row.runtime)),
        ("batch size", text(row.batch_size)),
        ("peak throughput, GFLOP/s", text(row.peak_gflops)),
        ("at its precisions", text(peaks(device)?)),
        ("memory bandwidth, GB/s", text(row.memory_bandwidth_gb_s)),
        ("on-chip memory, MiB", text(row.on_chip_memory_mib)),
        ("cores", text(row.cores)),
        ("clock, GHz", text(row.clock_ghz)),
        ("thermal design power, W", text(row.tdp_w)),
        ("year", text(row.year)),
    ];
    let mut sheet = String::new();
    for (name, value) in lines {
        sheet += &format!("{name:<26}{value}\n");
    }
    for source in catalogue::sources(&device.unit)? {
        sheet += &format!("source                    {source}\n");
    }
    Ok(sheet)
}

/// The peak at each precision that the catalogue gives one for.
fn peaks(device: &Device) -> Result<Option<String>> {
    let mut peaks = Vec::new();
    for precision in catalogue::precisions(&device.unit)? {
        if let Some(peak) = catalogue::peak(&device.unit, precision)? {
            peaks.push(format!("{precision} {peak}"));
        }
    }
    Ok((!peaks.is_empty()).then(|| peaks.join(", ")))
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}
