//! Probe files: CSV with one row for every architecture to measure, or measured, on a new device.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Probe;
use crate::error::{Error, Result, did_you_mean};
use crate::files::read_bounded;
use crate::metric::{Metric, PerMetric};
use crate::space::{Architecture, Design, Precision, QuantPolicy, SearchSpace};

/// Largest probe file that is read.
const MAX_FILE_BYTES: u64 = 256 << 20;
const COLUMNS: [&str; 3] = ["architecture", "latency_ms", "energy_mj"];
const EXPECTED_COLUMNS: &str = "the columns architecture, latency_ms and, optionally, energy_mj";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    architecture: String,
    #[serde(default)]
    latency_ms: Option<f64>,
    #[serde(default)]
    energy_mj: Option<f64>,
}

/// A probe file for these architectures, with empty cells for what is to be measured.
pub fn probe_table(architectures: &[Architecture], space: &dyn SearchSpace) -> String {
    let mut text = format!("{}\n", COLUMNS.join(","));
    for architecture in architectures {
        text += &format!("{},,\n", space.print(architecture));
    }
    text
}

/// A probe file that holds these probes, each with its policy.
pub fn measured_table(probes: &[Probe], space: &dyn SearchSpace) -> String {
    let mut text = format!("{}\n", COLUMNS.join(","));
    for probe in probes {
        let cell = |metric| probe.values.get(metric).map_or(String::new(), ToString::to_string);
        let (latency, energy) = (cell(Metric::Latency), cell(Metric::Energy));
        text += &format!("{},{latency},{energy}\n", probe.design.print(space));
    }
    text
}

/// Reads a probe file; `precision` is that of the rows that name none. Several rows of one architecture are independent
/// measurements of it; rows without a value were not measured, and are passed over.
///
/// # Errors
/// [`Error::Malformed`] with the line, and for a file without a single value.
pub fn read_probes(path: &Path, space: &dyn SearchSpace, precision: Precision) -> Result<Vec<Probe>> {
    let bytes = read_bounded(path, MAX_FILE_BYTES)?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(&bytes[..]);
    check_columns(path, &mut reader)?;
    let mut probes = Vec::new();
    let headers = reader.headers().cloned().unwrap_or_default();
    for record in reader.records() {
        let row = record.and_then(|record| {
            let line = record.position().map_or(0, csv::Position::line);
            record.deserialize::<Row>(Some(&headers)).map(|row| (line, row))
        });
        let (line, row) = row.map_err(|error| {
            let line = error.position().map(csv::Position::line);
            malformed(path, line, EXPECTED_COLUMNS, &error.to_string())
        })?;
        let design = Design::parse(&row.architecture, space, precision.into()).map_err(|error| {
            let expected = format!("an architecture of {}", space.id());
            malformed(path, Some(line), &expected, &error.to_string())
        })?;
        let values: PerMetric<f64> = [(Metric::Latency, row.latency_ms), (Metric::Energy, row.energy_mj)]
            .into_iter()
            .filter_map(|(metric, value)| Some((metric, value?)))
            .collect();
        if let Some((metric, value)) = values.iter().find(|(_, value)| !(value.is_finite() && **value > 0.0)) {
            let expected = format!(
                "a positive number of {} as the {metric}, or an empty cell",
                metric.unit()
            );
            return Err(malformed(path, Some(line), &expected, &value.to_string()));
        }
        // An architecture of the list that was not measured.
        if !values.is_empty() {
            probes.push(Probe { design, values });
        }
    }
    if probes.is_empty() {
        Err(malformed(path, None, "at least one latency or energy", "none"))
    } else {
        Ok(probes)
    }
}

/// Names the column that a probe file lacks or has too many.
fn check_columns(path: &Path, reader: &mut csv::Reader<&[u8]>) -> Result<()> {
    let headers = reader
        .headers()
        .map_err(|error| malformed(path, Some(1), EXPECTED_COLUMNS, &error.to_string()))?;
    if let Some(other) = headers.iter().find(|name| !COLUMNS.contains(name)) {
        let nearest = did_you_mean(other, &COLUMNS.map(str::to_string));
        let found = format!("`{other}`{nearest}");
        return Err(malformed(path, Some(1), EXPECTED_COLUMNS, &found));
    }
    if headers.iter().any(|name| name == COLUMNS[0]) {
        Ok(())
    } else {
        Err(malformed(path, Some(1), EXPECTED_COLUMNS, "no column architecture"))
    }
}

/// Architectures, one per line, from the text of the file at `path`. Empty lines are passed over; of a CSV file with a column
/// `architecture` that column is taken.
///
/// # Errors
/// [`Error::Malformed`] with the line of what is no architecture of the space.
pub fn architecture_list(text: &str, path: &Path, space: &dyn SearchSpace) -> Result<Vec<Architecture>> {
    listed(text, path, space, |cell| space.parse(cell))
}

/// As [`architecture_list`], of designs: architectures alone, which then have the policy `default`, or `architecture@policy`. JSON
/// is taken for designs as they are printed: objects, or one alone, with `architecture` and `quantization`.
///
/// # Errors
/// [`Error::Malformed`] with the line of what is no design of the space.
pub fn design_list(text: &str, path: &Path, space: &dyn SearchSpace, default: QuantPolicy) -> Result<Vec<Design>> {
    if !text.trim_start().starts_with(['[', '{']) {
        return listed(text, path, space, |cell| Design::parse(cell, space, default));
    }
    let designs = printed_designs(text, path)?;
    let designs: Result<Vec<Design>> = designs.iter().map(|one| Design::parse(one, space, default)).collect();
    designs.map_err(|error| malformed(path, None, &format!("designs of {}", space.id()), &error.to_string()))
}

/// The designs, each as `architecture@policy`, of JSON as designs are printed: a list of objects, or one alone, with
/// `architecture` and `quantization`.
///
/// # Errors
/// [`Error::Malformed`] for any other text.
pub fn printed_designs(text: &str, path: &Path) -> Result<Vec<String>> {
    let printed = match serde_json::from_str(text) {
        Ok(PrintedDesigns::List(designs)) => designs,
        Ok(PrintedDesigns::One(design)) => vec![design],
        Err(error) => {
            let expected =
                "designs with `architecture` and `quantization`, as `edgefit design --format json` prints them";
            return Err(malformed(path, None, expected, &error.to_string()));
        }
    };
    let print = |one: Printed| format!("{}@{}", one.architecture, one.quantization);
    Ok(printed.into_iter().map(print).collect())
}

/// A design as it is printed; other keys say what is expected of it.
#[derive(Debug, Deserialize)]
struct Printed {
    architecture: String,
    quantization: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum PrintedDesigns {
    List(Vec<Printed>),
    One(Printed),
}

fn listed<T>(text: &str, path: &Path, space: &dyn SearchSpace, parse: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    let header: Vec<&str> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .collect();
    let column = header.iter().position(|name| *name == "architecture");
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate().skip(usize::from(column.is_some())) {
        let cell = line.split(',').nth(column.unwrap_or(0)).unwrap_or_default().trim();
        if cell.is_empty() {
            continue;
        }
        found.push(parse(cell).map_err(|error| {
            let expected = format!("an architecture of {}", space.id());
            malformed(path, Some(number as u64 + 1), &expected, &error.to_string())
        })?);
    }
    Ok(found)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::space::NasBench201;

    #[test]
    fn a_table_that_was_filled_in_is_read() {
        let mut rng = Seed(2).stream("cells");
        let cells: Vec<Architecture> = (0..2).map(|_| NasBench201.sample(&mut rng)).collect();
        let filled: Vec<String> = probe_table(&cells, &NasBench201)
            .lines()
            .zip(["", "12.5,", ",3"])
            .map(|(line, values)| match line.strip_suffix(",,") {
                Some(cell) => format!("{cell},{values}"),
                None => line.to_string(),
            })
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("probes.csv");
        std::fs::write(&path, filled.join("\n")).unwrap();
        let probes = read_probes(&path, &NasBench201, Precision::Int8).unwrap();
        let expected = [(Metric::Latency, 12.5), (Metric::Energy, 3.0)];
        for ((probe, cell), value) in probes.iter().zip(&cells).zip(expected) {
            assert_eq!(probe.design, Design::uniform(cell.clone(), Precision::Int8));
            assert_eq!(probe.values, PerMetric::from([value]));
        }
        assert_eq!(probes.len(), 2);
    }
    #[test]
    fn probes_that_were_measured_read_back() {
        let mut rng = Seed(4).stream("cells");
        let probe = |precision, values: &[(Metric, f64)], rng: &mut rand::rngs::StdRng| Probe {
            design: Design::uniform(NasBench201.sample(rng), precision),
            values: values.iter().copied().collect(),
        };
        let probes = [
            probe(Precision::Int8, &[(Metric::Latency, 1.25)], &mut rng),
            probe(
                Precision::Int8,
                &[(Metric::Latency, 2.5), (Metric::Energy, 30.0)],
                &mut rng,
            ),
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("probes.csv");
        std::fs::write(&path, measured_table(&probes, &NasBench201)).unwrap();
        assert_eq!(read_probes(&path, &NasBench201, Precision::Fp32).unwrap(), probes);
    }

    #[test]
    fn designs_are_listed_as_lines_or_as_they_are_printed() {
        let mut rng = Seed(5).stream("cells");
        let cells: Vec<Architecture> = (0..2).map(|_| NasBench201.sample(&mut rng)).collect();
        let [one, two] = [0, 1].map(|position| NasBench201.print(&cells[position]));
        let read = |text: &str| design_list(text, Path::new("list"), &NasBench201, Precision::Fp16.into());
        let expected = vec![
            Design::uniform(cells[0].clone(), Precision::Fp16),
            Design::uniform(cells[1].clone(), Precision::Int8),
        ];
        assert_eq!(read(&format!("{one}\n\n{two}@int8\n")).unwrap(), expected);
        assert_eq!(
            read(&format!("rank,architecture\n1,{one}\n2,{two}@int8\n")).unwrap(),
            expected
        );
        let object = |cell: &str, policy: &str| {
            format!("{{\"architecture\": \"{cell}\", \"quantization\": \"{policy}\", \"latency_ms\": {{}}}}")
        };
        let list = format!("[{}, {}]", object(&one, "fp16"), object(&two, "int8"));
        assert_eq!(read(&list).unwrap(), expected);
        assert_eq!(read(&object(&one, "fp16")).unwrap(), expected[..1]);
        let message = read(&format!("{one}\n{two}@int9\n")).unwrap_err().to_string();
        assert!(message.contains("list:2") && message.contains("int9"), "{message}");
        assert!(read("[{\"architecture\": 1}]").is_err());
    }
}
