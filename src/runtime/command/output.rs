//! What tools print of their runs.
//!
//! | Printed | By | Read as |
//! |---|---|---|
//! | `{"latency_ms": [...], "energy_mj": null, "runtime": "...", "warnings": []}`, the last line | tools made for it | every run |
//! | `Inference timings in us: Init: .., First inference: .., Warmup (avg): .., Inference (avg): ..` | TensorFlow Lite's `benchmark_model` | one value: the median of the runs where the line `count=.. median=..` before it has it, their mean otherwise |
//! | `Average inference time cost total: .. ms`, `P50 Latency: .. s` | ONNX Runtime's `onnxruntime_perf_test` | one value: the median where it is printed (option `-s`), the mean otherwise |
//!
//! The last two are found anywhere in standard output or, where releases of `benchmark_model` print them, in standard
//! error. One value for many runs says nothing of their spread, which a warning tells.

use serde::Deserialize;

use crate::error::RunFailure;
use crate::runtime::Samples;

/// What can be read, for messages.
const EXPECTED: &str = "a last line `{\"latency_ms\": [..], \"energy_mj\": null, \"runtime\": \"..\", \"warnings\": []}`, or \
                        the summary of benchmark_model or onnxruntime_perf_test";
/// Characters of what a program printed that a message shows.
const SHOWN_CHARACTERS: usize = 120;

type Parsed = Result<Samples, RunFailure>;

/// The line that tools made for this print last.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    latency_ms: Vec<f64>,
    #[serde(default)]
    energy_mj: Option<f64>,
    #[serde(default)]
    runtime: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

/// What a tool that ended well has measured.
pub(super) fn parse(stdout: &str, stderr: &str) -> Parsed {
    let last = stdout.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let parsed = match last {
        Some(line) if line.starts_with('{') => report(line),
        _ => [stdout, stderr]
            .into_iter()
            .find_map(summary)
            .unwrap_or_else(|| match last {
                Some(line) => Err(unreadable(EXPECTED.into(), line)),
                None => Err(RunFailure::NothingPrinted),
            }),
    };
    parsed.and_then(checked)
}

fn report(line: &str) -> Parsed {
    let report: Report =
        serde_json::from_str(line).map_err(|error| unreadable(format!("{EXPECTED} ({error})"), line))?;
    Ok(Samples {
        latency_ms: report.latency_ms,
        energy_mj: report.energy_mj,
        warnings: report.warnings,
        runtime: report.runtime,
    })
}

/// The summary of one of the known tools, `None` where there is none.
fn summary(text: &str) -> Option<Parsed> {
    benchmark_model(text).or_else(|| perf_test(text))
}

fn benchmark_model(text: &str) -> Option<Parsed> {
    let summary = text
        .lines()
        .rev()
        .find(|line| line.contains("Inference timings in us:"))?;
    // The last of these lines is that of the runs that count; the one before it is that of the warm-up.
    let counts = text.lines().rev().find(|line| field(line, "count=").is_some());
    let median = counts.and_then(|line| field(line, "median="));
    let mean = field(summary, "Inference (avg):");
    Some(one_value("benchmark_model", median, mean, 1e-3, summary))
}

fn perf_test(text: &str) -> Option<Parsed> {
    let line_of = |label: &str| text.lines().rev().find(|line| line.trim_start().starts_with(label));
    let summary = line_of("Average inference time cost")?;
    let mean = field(summary, "total:").or_else(|| field(summary, "cost:"));
    // Percentiles are told in seconds, the mean in milliseconds.
    let median = line_of("P50 Latency:").and_then(|line| field(line, "P50 Latency:"));
    let mean = mean.map(|text| text.trim_end_matches("ms").to_string());
    let in_ms = median
        .and_then(|text| text.parse::<f64>().ok())
        .map(|seconds| (seconds * 1e3).to_string());
    Some(one_value(
        "onnxruntime_perf_test",
        in_ms.as_deref(),
        mean.as_deref(),
        1.0,
        summary,
    ))
}

/// The word behind a label.
fn field<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(label)?;
    rest.split([' ', ',', '\t', '\r']).find(|word| !word.is_empty())
}

/// One number for all runs of a tool that tells no more.
fn one_value(tool: &str, median: Option<&str>, mean: Option<&str>, to_ms: f64, line: &str) -> Parsed {
    let (name, text) = match (median, mean) {
        (Some(median), _) => ("median", Some(median)),
        (None, mean) => ("mean", mean),
    };
    let value: Option<f64> = text.and_then(|text| text.parse().ok());
    let value = value.ok_or_else(|| unreadable(format!("a number as the {name} of {tool}"), line))?;
    Ok(Samples {
        latency_ms: vec![value * to_ms],
        warnings: vec![format!(
            "{tool} tells only the {name} of its runs: their spread and their outliers are unknown"
        )],
        runtime: Some(tool.into()),
        ..Samples::default()
    })
}

/// Refuses what nothing can have taken.
fn checked(samples: Samples) -> Parsed {
    let sound = |value: &f64| value.is_finite() && *value > 0.0;
    if samples.latency_ms.is_empty() {
        let found = "no value".to_string();
        return Err(RunFailure::NoMeasurement {
            what: "latency_ms",
            found,
        });
    }
    let latency = samples
        .latency_ms
        .iter()
        .find(|value| !sound(value))
        .map(|value| ("latency_ms", value));
    let energy = samples
        .energy_mj
        .as_ref()
        .filter(|value| !sound(value))
        .map(|value| ("energy_mj", value));
    match latency.or(energy) {
        Some((what, value)) => Err(RunFailure::NoMeasurement {
            what,
            found: value.to_string(),
        }),
        None => Ok(samples),
    }
}

fn unreadable(expected: String, line: &str) -> RunFailure {
    let mut shown: String = line
        .chars()
        .take(SHOWN_CHARACTERS)
        .flat_map(char::escape_debug)
        .collect();
    if line.chars().nth(SHOWN_CHARACTERS).is_some() {
        shown.push_str("...");
    }
    RunFailure::Unreadable { expected, found: shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency_ms(stdout: &str, stderr: &str) -> f64 {
        let samples = parse(stdout, stderr).unwrap();
        let [value] = samples.latency_ms[..] else {
            panic!("{samples:?}")
        };
        assert_eq!(samples.warnings.len(), 1, "{samples:?}");
        value
    }

    #[test]
    fn the_last_line_is_the_report() {
        let printed = "loading\n{\"latency_ms\": [9]}\n\
                       {\"latency_ms\": [1.5, 2], \"energy_mj\": 3.25, \"runtime\": \"bench 2\", \"warnings\": [\"hot\"]}\r\n\n";
        let expected = Samples {
            latency_ms: vec![1.5, 2.0],
            energy_mj: Some(3.25),
            warnings: vec!["hot".into()],
            runtime: Some("bench 2".into()),
        };
        assert_eq!(parse(printed, ""), Ok(expected));
        let short = parse("{\"latency_ms\": [1.5], \"energy_mj\": null}", "").unwrap();
        assert_eq!((short.latency_ms, short.energy_mj), (vec![1.5], None));
    }

    #[test]
    fn the_summary_of_benchmark_model_is_read_from_either_output() {
        let counts = "INFO: count=9 first=87112 curr=51629 min=51629 max=87112 avg=58147.4 std=11478\n\
                      INFO: count=1000 first=52162 curr=49785 min=49088 max=686105 avg=63743.2 std=60716";
        let summary = "\nINFO: Inference timings in us: Init: 119515, First inference: 87112, Warmup (avg): 58147.4, \
                       Inference (avg): 63743.2\nINFO: Memory footprint delta from the start of the tool (MB): init=55.4961";
        // 63743.2 us is 63.7432 ms; the median, where it is told, 51891 us.
        let without = format!("{counts}{summary}");
        let with = format!("{counts} p5=49620 median=51891 p95=68628{summary}");
        for (printed, expected) in [(without, 63.7432), (with, 51.891)] {
            assert!((latency_ms(&printed, "") - expected).abs() < 1e-9);
            assert!((latency_ms("", &printed) - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn the_summary_of_onnxruntime_perf_test_is_read() {
        let mean = "Session creation time cost: 0.169475 s\nFirst inference time cost: 109 ms\n\
                    Total inference time cost: 0.0727021 s\nAverage inference time cost total: 7.270205 ms\n\
                    Avg CPU usage: 62 %";
        assert!((latency_ms(mean, "") - 7.270205).abs() < 1e-9);
        let median = format!("{mean}\nMin Latency: 0.00720383 s\nP50 Latency: 0.00727787 s\nP90 Latency: 0.00730163 s");
        assert!((latency_ms(&median, "") - 7.27787).abs() < 1e-9);
        assert!((latency_ms("Average inference time cost: 5.5 ms", "") - 5.5).abs() < 1e-9);
    }

    #[test]
    fn nothing_and_garbage_are_told_apart() {
        assert_eq!(parse("", "a word"), Err(RunFailure::NothingPrinted));
        assert_eq!(parse(" \n\r\n", ""), Err(RunFailure::NothingPrinted));
        for garbage in [
            "Segmentation fault",
            "{",
            "{}",
            "[1, 2]",
            "{\"latency_ms\": 3}",
            "{\"latency_ms\": [NaN]}",
            "{\"latency_ms\": [1e999]}",
            "{\"latency_ms\": [\"1\"]}",
            "{\"latency_us\": [1]}",
            "{\"latency_ms\": [1], \"energy_mJ\": 2}",
            "Inference timings in us: Init: 1, Inference (avg): fast",
            "Inference timings in us: Init: 1",
            "Average inference time cost total: ms",
            &"x".repeat(10_000),
        ] {
            let failure = parse(garbage, "").unwrap_err();
            assert!(matches!(failure, RunFailure::Unreadable { .. }), "{garbage}: {failure}");
            assert!(failure.to_string().len() < 600, "{failure}");
        }
    }

    #[test]
    fn values_that_nothing_can_have_taken_are_refused() {
        for impossible in [
            "{\"latency_ms\": []}",
            "{\"latency_ms\": [1, 0]}",
            "{\"latency_ms\": [1, -2]}",
            "{\"latency_ms\": [1], \"energy_mj\": 0}",
            "Inference timings in us: Init: 1, Inference (avg): nan",
            "Inference timings in us: Init: 1, Inference (avg): 0",
            "Average inference time cost total: inf ms",
        ] {
            let failure = parse(impossible, "").unwrap_err();
            assert!(
                matches!(failure, RunFailure::NoMeasurement { .. }),
                "{impossible}: {failure}"
            );
        }
    }
}
