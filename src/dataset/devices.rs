//! `devices.csv`: one line per device, columns named as the fields of [`Device`] in snake_case.

use std::io;
use std::path::Path;

use serde_json::{Map, Value};

use super::build::Builder;
use super::table::{Columns, Row, Table};
use crate::device::{CLASSES, Device};
use crate::error::{Error, Result};
use crate::progress::Silent;

/// Name of the file in a dataset folder.
pub const DEVICES_FILE: &str = "devices.csv";

/// The columns in the order written: those with text, then those with numbers.
const NAMES: &[&str] = &[
    "id",
    "unit",
    "class",
    "precision",
    "runtime",
    "batch_size",
    "peak_gflops",
    "memory_bandwidth_gb_s",
    "on_chip_memory_mib",
    "cores",
    "clock_ghz",
    "tdp_w",
    "year",
];
const ID: usize = 0;
const CLASS: usize = 2;
const PRECISION: usize = 3;
const TEXTS: usize = 5;
const COLUMNS: Columns = Columns {
    known: NAMES,
    required: &["id"],
    strict: true,
};

/// Adds every device of the file.
pub(crate) fn read_devices(path: &Path, builder: &mut Builder) -> Result<()> {
    Table::open(path, &COLUMNS, &Silent)?.visit(|row| {
        let device = read_device(row)?;
        if builder.device(&device.id).is_some() {
            return Err(row.malformed(ID, "each device once", &device.id, "Remove one of the two lines."));
        }
        builder.add_device(device);
        Ok(())
    })
}

fn read_device(row: &Row<'_>) -> Result<Device> {
    let id = row.required(ID)?.to_string();
    let mut fields = Map::from_iter([("unit".to_string(), Value::from(id))]);
    for (column, name) in NAMES.iter().enumerate() {
        let value = if column < TEXTS {
            row.text(column)?.map(Value::from)
        } else {
            row.positive(column)?.map(Value::from)
        };
        fields.extend(value.map(|value| (key_of(name), value)));
    }
    if let Some(class) = row.text(CLASS)?
        && !CLASSES.contains(&class)
    {
        let unknown = Error::Unknown {
            kind: "class",
            name: class.into(),
            known: CLASSES.iter().map(|name| name.to_string()).collect(),
        };
        return Err(row.malformed(CLASS, "a class of devices", unknown, "Correct it or leave it empty."));
    }
    row.precision(PRECISION)?;
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| row.malformed(ID, "a device", error, "Correct this line."))
}

/// The name under which [`Device`] is serialised.
fn key_of(column: &str) -> String {
    column.replace('_', "-")
}

fn fields_of(device: &Device) -> Map<String, Value> {
    match serde_json::to_value(device) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// Writes the table.
pub(crate) fn write_devices(devices: &[Device], out: &mut dyn io::Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(NAMES)?;
    for device in devices {
        let fields = fields_of(device);
        writer.write_record(NAMES.iter().map(|name| match fields.get(&key_of(name)) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.as_f64().map(|value| value.to_string()).unwrap_or_default(),
            _ => String::new(),
        }))?;
    }
    writer.flush()
}

/// Completes `device` with what `other`, a description of the same device, adds.
///
/// # Errors
/// The first value on which they contradict each other, as "column: one against other".
pub(crate) fn complete(device: &mut Device, other: &Device) -> std::result::Result<(), String> {
    let mut fields = fields_of(device);
    for (key, value) in fields_of(other) {
        match fields.get(&key) {
            Some(known) if !known.is_null() && !value.is_null() && *known != value => {
                return Err(format!("{}: {known} against {value}", key.replace('-', "_")));
            }
            Some(known) if !known.is_null() => {}
            _ => {
                fields.insert(key, value);
            }
        }
    }
    *device = serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
    Ok(())
}

/// The error for a name that is no device of the dataset.
pub(crate) fn unknown_device(name: &str, known: Vec<String>) -> Error {
    Error::Unknown {
        kind: "device",
        name: name.into(),
        known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_device_is_a_column() {
        let mut columns: Vec<String> = NAMES.iter().map(|name| key_of(name)).collect();
        let mut fields: Vec<String> = fields_of(&Device::default()).keys().cloned().collect();
        columns.sort();
        fields.sort();
        assert_eq!(columns, fields);
    }

    #[test]
    fn devices_complete_each_other_or_contradict() {
        let bare = Device {
            id: "a".into(),
            unit: "a".into(),
            ..Device::default()
        };
        let mut device = Device {
            cores: Some(4.0),
            ..bare.clone()
        };
        complete(
            &mut device,
            &Device {
                year: Some(2018.0),
                ..bare.clone()
            },
        )
        .unwrap();
        assert_eq!(
            device,
            Device {
                cores: Some(4.0),
                year: Some(2018.0),
                ..bare.clone()
            }
        );
        let conflict = complete(
            &mut device,
            &Device {
                cores: Some(8.0),
                ..bare
            },
        )
        .unwrap_err();
        assert_eq!(conflict, "cores: 4.0 against 8.0");
    }
}
