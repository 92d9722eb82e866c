//! Probe files: CSV with one row for every architecture to measure, or measured, on a new device.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Probe;
use crate::error::{Error, Result, did_you_mean};
use crate::files::read_bounded;
use crate::metric::{Metric, PerMetric};
use crate::space::{Architecture, Design, Precision, QuantPolicy, SearchSpace, all};

/// Largest probe file that is read.
const MAX_FILE_BYTES: u64 = 256 << 20;
const COLUMNS: [&str; 3] = ["architecture", "latency_ms", "energy_mj"];
/// What JSON begins with. Of a list, a line that begins so is an architecture as a whole, commas and all.
const JSON: [char; 2] = ['[', '{'];
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
    let row = |architecture| [space.print(architecture), String::new(), String::new()];
    table(architectures.iter().map(row))
}

/// A probe file that holds these probes, each with its policy.
pub fn measured_table(probes: &[Probe], space: &dyn SearchSpace) -> String {
    let row = |probe: &Probe| {
        let cell = |metric| probe.values.get(metric).map_or(String::new(), ToString::to_string);
        [probe.design.print(space), cell(Metric::Latency), cell(Metric::Energy)]
    };
    table(probes.iter().map(row))
}

/// CSV with these rows, quoted where architectures hold commas.
fn table(rows: impl Iterator<Item = [String; COLUMNS.len()]>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written =
        writer.write_record(COLUMNS).is_ok() && rows.map(|row| writer.write_record(row)).all(|row| row.is_ok());
    // Memory takes whatever is written to it.
    debug_assert!(written);
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// Reads a probe file; `precision` is that of the rows that name none. Several rows of one architecture are independent
/// measurements of it; rows without a value were not measured, and are passed over.
///
/// # Errors
/// [`Error::Malformed`] with the line, and for a file without a single value.
pub fn read_probes(path: &Path, space: &dyn SearchSpace, precision: QuantPolicy) -> Result<Vec<Probe>> {
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
        let design = Design::parse(&row.architecture, space, precision).map_err(|error| {
            let expected = format!("an architecture of {}", space.id());
            let found = of_another_space(&row.architecture, space).unwrap_or_else(|| error.to_string());
            malformed(path, Some(line), &expected, &found)
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

/// What is said of an architecture of another search space; `None` of one that is of none.
fn of_another_space(architecture: &str, space: &dyn SearchSpace) -> Option<String> {
    let others = all().into_iter().filter(|other| other.id() != space.id());
    let mut of = others.filter(|other| Design::parse(architecture, *other, Precision::Fp32.into()).is_ok());
    let other = of.next()?.id();
    Some(format!(
        "one of {other}: adapt to those probes with a checkpoint of that space, and adapt the device file that this gives"
    ))
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
    let parse = |cell: &str| Design::parse(cell, space, default);
    // Some spaces write their architectures as JSON.
    let begins_with_design = || parse(text.trim_start().lines().next().unwrap_or_default().trim()).is_ok();
    if !text.trim_start().starts_with(JSON) || begins_with_design() {
        return listed(text, path, space, parse);
    }
    let designs = printed_designs(text, path)?;
    let designs: Result<Vec<Design>> = designs.iter().map(|one| parse(one)).collect();
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
    let header = cells(text.lines().next().unwrap_or_default());
    let column = header.iter().position(|name| name == COLUMNS[0]);
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate().skip(usize::from(column.is_some())) {
        let cell = if line.trim_start().starts_with(JSON) {
            line.trim().to_string()
        } else {
            cells(line).into_iter().nth(column.unwrap_or(0)).unwrap_or_default()
        };
        if cell.is_empty() {
            continue;
        }
        found.push(parse(&cell).map_err(|error| {
            let expected = format!("an architecture of {}", space.id());
            malformed(path, Some(number as u64 + 1), &expected, &error.to_string())
        })?);
    }
    Ok(found)
}

/// The cells of one line of CSV.
fn cells(line: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(line.as_bytes());
    let mut record = csv::StringRecord::new();
    // Text is never malformed CSV.
    let _ = reader.read_record(&mut record);
    record.iter().map(str::to_string).collect()
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
    use crate::space::{NasBench201, by_id};

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
        let probes = read_probes(&path, &NasBench201, Precision::Int8.into()).unwrap();
        let expected = [(Metric::Latency, 12.5), (Metric::Energy, 3.0)];
        for ((probe, cell), value) in probes.iter().zip(&cells).zip(expected) {
            assert_eq!(probe.design, Design::uniform(cell.clone(), Precision::Int8));
            assert_eq!(probe.values, PerMetric::from([value]));
        }
        assert_eq!(probes.len(), 2);
    }

    #[test]
    fn architectures_with_commas_are_listed_as_they_are_or_quoted() {
        let mut rng = Seed(6).stream("networks");
        let space = by_id("mobilenet_v3").unwrap();
        let networks: Vec<Architecture> = (0..2).map(|_| space.sample(&mut rng)).collect();
        let [one, two] = [0, 1].map(|position| space.print(&networks[position]));
        let path = Path::new("list");
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let lists = [
            format!("{one}\n\n {two}\n"),
            format!("{}\n{}\n", quoted(&one), quoted(&two)),
            format!("rank,architecture,note\n1,{},a\n2,{},b\n", quoted(&one), quoted(&two)),
            probe_table(&networks, space),
        ];
        for text in lists {
            assert_eq!(architecture_list(&text, path, space).unwrap(), networks, "{text}");
        }
        let designs = design_list(&format!("{one}@int8\n{two}\n"), path, space, Precision::Fp16.into()).unwrap();
        let policies = [Precision::Int8, Precision::Fp16];
        for ((design, network), policy) in designs.iter().zip(&networks).zip(policies) {
            assert_eq!(*design, Design::uniform(network.clone(), policy));
        }
        // The numbers of FBNet's blocks, as its tables have them.
        let blocks = [["7"; 22].join(", "), ["8"; 22].join(", ")]
            .map(|list| format!("[{list}]"))
            .join("\n");
        let read = architecture_list(&blocks, path, &crate::space::FbNet).unwrap();
        assert_eq!(read, [7, 8].map(|block| Architecture(vec![block; 22])));
    }

    #[test]
    fn a_probe_of_another_space_is_named_with_its_line() {
        let mut rng = Seed(8).stream("spaces");
        let mut write = |spaces: [&dyn SearchSpace; 2]| {
            let rows = spaces.map(|space| {
                format!(
                    "\"{}\",3.5\n",
                    space.print(&space.sample(&mut rng)).replace('"', "\"\"")
                )
            });
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("probes.csv");
            std::fs::write(&path, format!("architecture,latency_ms\n{}", rows.concat())).unwrap();
            read_probes(&path, &NasBench201, Precision::Fp32.into()).map_err(|error| error.to_string())
        };
        for other in ["fbnet", "mobilenet_v2"] {
            let message = write([&NasBench201, by_id(other).unwrap()]).unwrap_err();
            for part in [
                "probes.csv:3",
                "an architecture of nasbench201",
                &format!("one of {other}"),
            ] {
                assert!(message.contains(part), "{part}: {message}");
            }
        }
        assert_eq!(write([&NasBench201, &NasBench201]).unwrap().len(), 2);
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
        assert_eq!(
            read_probes(&path, &NasBench201, Precision::Fp32.into()).unwrap(),
            probes
        );
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
