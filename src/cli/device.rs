//! Finding the device that a command is about, and reading probes and architectures.

use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Global;
use crate::device::{self, Device, catalogue};
use crate::error::{Error, Result, did_you_mean};
use crate::files::read_bounded;
use crate::metric::{Metric, PerMetric};
use crate::predict::{DeviceModel, Predictor, Probe};
use crate::seed::Seed;
use crate::space::{Architecture, Design, Precision, SearchSpace};

/// Largest device, probe or architecture file that is read.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// One row of a probe file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProbeRow {
    /// In the notation of the search space.
    pub(crate) architecture: String,
    /// Latency of one batch, in ms; empty if not measured.
    #[serde(default)]
    pub(crate) latency_ms: Option<f64>,
    /// Energy of one batch, in mJ; empty if not measured.
    #[serde(default)]
    pub(crate) energy_mj: Option<f64>,
}

/// The device called `name`: a file made by `edgefit adapt`, one that the checkpoint knows, or one from a datasheet (a
/// TOML file or the catalogue), of which nothing was measured.
pub(crate) fn resolve(name: &str, predictor: &Predictor, global: &Global) -> Result<DeviceModel> {
    let path = Path::new(name);
    if name.ends_with(".json") {
        return read_device_json(path, predictor);
    }
    if let Some(known) = predictor.known(name) {
        return Ok(known);
    }
    let device = datasheet(name).map_err(|error| unknown(error, predictor))?;
    if let Some(known) = predictor.known(&device.id) {
        return Ok(known);
    }
    global.say(format!(
        "note: nothing was measured on {}, so its predictions follow from {}, with wide intervals; measure a few \
         architectures (`edgefit probes`) and run `edgefit adapt`",
        device.id,
        match &device.class {
            Some(_) => "its datasheet",
            None => "what the known devices have in common, since its datasheet names no class",
        }
    ));
    predictor.adapt(&device, &[], Seed(global.seed))
}

/// A device's datasheet: a TOML file, or an id of the catalogue.
pub(crate) fn datasheet(name: &str) -> Result<Device> {
    if name.ends_with(".toml") {
        device::read_toml(Path::new(name))
    } else {
        catalogue::find(name)
    }
}

/// Adds the checkpoint's devices to those that would have worked.
fn unknown(error: Error, predictor: &Predictor) -> Error {
    match error {
        Error::Unknown { kind, name, known } => {
            let mut all = predictor.known_devices();
            let others: Vec<String> = known.into_iter().filter(|id| !all.contains(id)).collect();
            all.extend(others);
            Error::Unknown { kind, name, known: all }
        }
        other => other,
    }
}

fn read_device_json(path: &Path, predictor: &Predictor) -> Result<DeviceModel> {
    let bytes = read_bounded(path, MAX_FILE_BYTES)?;
    let model: DeviceModel = serde_json::from_slice(&bytes).map_err(|error| Error::Malformed {
        path: path.to_path_buf(),
        line: Some(error.line() as u64),
        column: None,
        expected: "a device written by `edgefit adapt`".into(),
        found: error.to_string(),
        hint: "Run `edgefit adapt` again.".into(),
    })?;
    if model.predictor == predictor.id {
        Ok(model)
    } else {
        Err(Error::Invalid {
            what: format!("device {}", path.display()),
            expected: format!("one adapted with this checkpoint ({})", predictor.id),
            found: format!("one adapted with {}", model.predictor),
            hint: "Run `edgefit adapt` with this checkpoint.".into(),
        })
    }
}

/// Reads a probe file; `precision` is that of the rows that name none.
///
/// # Errors
/// [`Error::Malformed`] with the line; rows without any value, and architectures that stand twice, are among them.
pub(crate) fn read_probes(path: &Path, space: &dyn SearchSpace, precision: Precision) -> Result<Vec<Probe>> {
    let bytes = read_bounded(path, MAX_FILE_BYTES)?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(&bytes[..]);
    check_columns(path, &mut reader)?;
    let mut probes: Vec<(u64, Probe)> = Vec::new();
    let headers = reader.headers().cloned().unwrap_or_default();
    for record in reader.records() {
        let row = record.and_then(|record| {
            let line = record.position().map_or(0, csv::Position::line);
            record.deserialize::<ProbeRow>(Some(&headers)).map(|row| (line, row))
        });
        let (line, row) = row.map_err(|error| {
            let line = error.position().map(csv::Position::line);
            malformed(path, line, PROBE_COLUMNS_EXPECTED, &error.to_string())
        })?;
        let design = Design::parse(&row.architecture, space, precision.into()).map_err(|error| {
            malformed(
                path,
                Some(line),
                &format!("an architecture of {}", space.id()),
                &error.to_string(),
            )
        })?;
        let values: PerMetric<f64> = [(Metric::Latency, row.latency_ms), (Metric::Energy, row.energy_mj)]
            .into_iter()
            .filter_map(|(metric, value)| Some((metric, value?)))
            .collect();
        if values.is_empty() {
            return Err(malformed(path, Some(line), "a latency or an energy", "neither"));
        }
        if let Some((earlier, _)) = probes.iter().find(|(_, probe)| probe.design == design) {
            let found = format!("the architecture of line {earlier} again");
            return Err(malformed(path, Some(line), "every architecture once", &found));
        }
        probes.push((line, Probe { design, values }));
    }
    if probes.is_empty() {
        Err(malformed(path, None, "at least one probe", "none"))
    } else {
        Ok(probes.into_iter().map(|(_, probe)| probe).collect())
    }
}

const PROBE_COLUMNS: [&str; 3] = ["architecture", "latency_ms", "energy_mj"];
const PROBE_COLUMNS_EXPECTED: &str = "the columns architecture, latency_ms and, optionally, energy_mj";

/// Names the column that a probe file lacks or has too many.
fn check_columns(path: &Path, reader: &mut csv::Reader<&[u8]>) -> Result<()> {
    let headers = reader
        .headers()
        .map_err(|error| malformed(path, Some(1), PROBE_COLUMNS_EXPECTED, &error.to_string()))?;
    if let Some(other) = headers.iter().find(|name| !PROBE_COLUMNS.contains(name)) {
        let nearest = did_you_mean(other, &PROBE_COLUMNS.map(str::to_string));
        let found = format!("`{other}`{nearest}");
        return Err(malformed(path, Some(1), PROBE_COLUMNS_EXPECTED, &found));
    }
    if headers.iter().any(|name| name == PROBE_COLUMNS[0]) {
        Ok(())
    } else {
        Err(malformed(
            path,
            Some(1),
            PROBE_COLUMNS_EXPECTED,
            "no column architecture",
        ))
    }
}

fn malformed(path: &Path, line: Option<u64>, expected: &str, found: &str) -> Error {
    Error::Malformed {
        path: path.to_path_buf(),
        line,
        column: None,
        expected: expected.into(),
        found: found.into(),
        hint: "Correct the file; nothing was written.".into(),
    }
}

/// Reads architectures, one per line, from a file or, for `-`, from stdin. Empty lines are passed over; of a CSV file with
/// a column `architecture` that column is taken.
pub(crate) fn read_architectures(from: &str, space: &dyn SearchSpace) -> Result<Vec<Architecture>> {
    let path = Path::new(from);
    let bytes = match from {
        "-" => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .take(MAX_FILE_BYTES)
                .read_to_end(&mut bytes)
                .map_err(Error::io("read", "stdin"))?;
            bytes
        }
        _ => read_bounded(path, MAX_FILE_BYTES)?,
    };
    let text = String::from_utf8_lossy(&bytes);
    let header: Vec<&str> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .collect();
    let column = header.iter().position(|name| *name == "architecture");
    let mut architectures = Vec::new();
    for (number, line) in text.lines().enumerate().skip(usize::from(column.is_some())) {
        let cell = line.split(',').nth(column.unwrap_or(0)).unwrap_or_default().trim();
        if cell.is_empty() {
            continue;
        }
        architectures.push(space.parse(cell).map_err(|error| {
            let expected = format!("an architecture of {}", space.id());
            malformed(path, Some(number as u64 + 1), &expected, &error.to_string())
        })?);
    }
    Ok(architectures)
}
