//! The report of an optimizer in a search space too large to list: its designs beside those of a long search, and,
//! where genes say bits, what quantization policies buy.

use super::html::{Block, Page, Section, Table};
use super::{Lines, Provenance};
use crate::error::Result;
use crate::evaluate::devices::{plural, what_counts};
use crate::evaluate::optimizer::large::{LargeSpaceReport, LargeSpaceRow, LargeSpaceSummary, Method, PolicyGain};
use crate::stats::Interval;

/// Puts the report together.
///
/// # Errors
/// If a figure cannot be drawn.
pub fn large_space_page(report: &LargeSpaceReport, provenance: &Provenance) -> Result<Page> {
    let mut sections = vec![methods(report)?];
    if let Some(gain) = &report.policy_gain {
        sections.push(policies(report, gain)?);
    }
    sections.push(designs(report));
    let ahead = -report.summary.mean_gap;
    Ok(Page {
        title: format!("Designs for {}", plural(report.devices.len(), "device")),
        lead: format!(
            "With {} per device, predicted {} of designs is {} those of NSGA-II with {} evaluations, {:.0} times as fast for one \
             design and {:.0} times in a batch. {:.1} % of the limits that NSGA-II keeps are missed.",
            plural(report.probes, "probe"),
            report.score.name(),
            if ahead.is_nan() {
                "nowhere within the same limit as".into()
            } else if ahead < 0.0 {
                format!("{:.2} percentage points behind", -ahead)
            } else {
                format!("{ahead:.2} percentage points ahead of")
            },
            report.budget,
            report.times_faster,
            report.times_faster_in_batch,
            100.0 * report.summary.missed,
        ),
        sections,
        provenance: provenance.entries().to_vec(),
    })
}

fn methods(report: &LargeSpaceReport) -> Result<Section> {
    let quantiles = quantiles(report);
    let line = |(method, summary): (Method, &LargeSpaceSummary)| {
        let gaps = quantiles.iter().zip(&summary.gap_by_limit);
        let points = gaps.filter_map(|(quantile, gap)| Some((100.0 * quantile, exactly((*gap)?))));
        (method.label().to_string(), points.collect())
    };
    let lines = Lines {
        title: "Gap to NSGA-II by limit".into(),
        across: "limit, as the share of measured architectures that are as fast, %".into(),
        up: "mean gap, percentage points".into(),
        logarithmic: false,
        from_zero: true,
        lines: report.methods().into_iter().map(line).collect(),
    };
    Ok(Section {
        heading: "Against other ways to answer".into(),
        blocks: vec![
            Block::Figure {
                svg: lines.svg()?,
                caption: format!(
                    "Predicted {} behind NSGA-II with the same predictor, negative where a method is ahead, mean over hardware \
                     units; over the limits that both keep. Points at one limit stand side by side.",
                    report.score.name()
                ),
            },
            Block::Table(summaries(report)),
        ],
    })
}

/// Of the limits, from the strictest.
fn quantiles(report: &LargeSpaceReport) -> Vec<f64> {
    let mut quantiles: Vec<f64> = report.rows.iter().map(|row| row.limit_quantile).collect();
    quantiles.sort_by(f64::total_cmp);
    quantiles.dedup();
    quantiles
}

fn summaries(report: &LargeSpaceReport) -> Table {
    let header = [
        "method",
        "gap, points",
        "median gap, points",
        "limits missed, %",
        "limits found beside, %",
        "limits exceeded by the oracle, %",
        "µs per design",
    ];
    let row = |(method, one): (Method, &LargeSpaceSummary)| {
        let exceeded = one.oracle.as_ref().map(|oracle| 100.0 * oracle.violation_rate);
        vec![
            method.label().to_string(),
            with_interval([one.mean_gap, one.mean_gap_low, one.mean_gap_high]),
            number(Some(one.median_gap), 2),
            number(Some(100.0 * one.missed), 1),
            number(Some(100.0 * one.found_more), 1),
            number(exceeded, 1),
            number(Some(one.microseconds_per_design), 0),
        ]
    };
    Table {
        caption: format!(
            "{} No table holds all of the space: gaps are to what NSGA-II finds with {} evaluations.",
            what_counts(&report.devices),
            report.budget
        ),
        header: header.map(String::from).to_vec(),
        rows: report.methods().into_iter().map(row).collect(),
    }
}

fn policies(report: &LargeSpaceReport, gain: &PolicyGain) -> Result<Section> {
    let lines: Vec<(String, Lines)> = (report.devices.iter())
        .map(|device| (device.id.clone(), with_and_without(report, &device.id)))
        .collect();
    let title = format!("{} with and without quantization policies", report.score.name());
    Ok(Section {
        heading: "What quantization policies buy".into(),
        blocks: vec![
            Block::Text(format!(
                "{gain} Accuracies and whether limits hold are {}.",
                seen(report)
            )),
            Block::Panels {
                panels: Lines::panels(&title, &lines)?,
                caption: format!(
                    "Within each limit on latency{} the {} ({}) of the optimizer's designs, whose layers have bits of their \
                     own, and of designs of eight bits everywhere: the better of the optimizer's and of what NSGA-II finds with \
                     {} evaluations. Limits that are not kept have no point. Points at one limit stand side by side.",
                    besides(report),
                    report.score.plural(),
                    seen(report),
                    report.budget
                ),
            },
            Block::Table(by_limit(report)),
        ],
    })
}

/// Other limits that hold, behind "limit on latency".
fn besides(report: &LargeSpaceReport) -> String {
    report.besides.iter().map(|limit| format!(" and {limit}")).collect()
}

/// Whose word the numbers are.
fn seen(report: &LargeSpaceReport) -> &'static str {
    match report.oracle {
        Some(_) => "by the oracle",
        None => "predicted",
    }
}

/// Accuracy over the limit on one device, where it is kept.
fn with_and_without(report: &LargeSpaceReport, device: &str) -> Lines {
    let line = |name: &str, of: &dyn Fn(&LargeSpaceRow) -> Option<f64>| {
        let points = rows(report, device).filter_map(|row| Some((row.limit_ms, exactly(of(row)?))));
        (name.to_string(), points.collect())
    };
    Lines {
        title: format!("{} within limits on {device}", report.score.name()),
        across: "limit on latency, ms".into(),
        up: format!("{}, {}", report.score.axis(), seen(report)),
        logarithmic: true,
        from_zero: false,
        lines: vec![
            line("with quantization policies", &|row| row.design.attained()),
            line("8 bits everywhere", &LargeSpaceRow::attained_at_eight_bits),
        ],
    }
}

/// What policies buy on every device at every limit.
fn by_limit(report: &LargeSpaceReport) -> Table {
    let header = [
        "device",
        "limit, ms",
        "8 bits everywhere",
        "with policies",
        "bought, points",
        "bits, mean",
    ];
    let row = |row: &LargeSpaceRow| {
        vec![
            row.device.clone(),
            format!("{:.2}", row.limit_ms),
            number(row.attained_at_eight_bits(), 2),
            number(row.design.attained(), 2),
            number(row.bought_by_policies(), 2),
            row.design.quantization.clone(),
        ]
    };
    let devices = report.devices.iter();
    Table {
        caption: format!(
            "{}, {}, within each limit; - where it is not kept.",
            report.score.axis(),
            seen(report)
        ),
        header: header.map(String::from).to_vec(),
        rows: devices.flat_map(|device| rows(report, &device.id).map(row)).collect(),
    }
}

/// Rows of the first repeat.
fn rows<'a>(report: &'a LargeSpaceReport, device: &'a str) -> impl Iterator<Item = &'a LargeSpaceRow> {
    let first = report.rows.iter().filter(|row| row.repeat == 0);
    first.filter(move |row| row.device == device)
}

fn designs(report: &LargeSpaceReport) -> Section {
    let score = report.score.axis();
    let mut header = vec![
        "limit, ms".to_string(),
        "architecture, quantization".into(),
        format!("{score}, predicted"),
        "latency predicted, ms".into(),
        "P(limit holds)".into(),
    ];
    if report.oracle.is_some() {
        header.extend([format!("{score}, by the oracle"), "latency by the oracle, ms".into()]);
    }
    let row = |row: &LargeSpaceRow| {
        let design = &row.design;
        let mut cells = vec![
            format!("{:.2}", row.limit_ms),
            format!("{} {}", design.architecture, design.quantization),
            format!("{:.2}", design.accuracy),
            format!("{:.2}", design.latency_ms),
            format!("{:.2}", design.feasible_probability),
        ];
        cells.extend(design.oracle.iter().flat_map(|oracle| {
            let exceeded = if oracle.violated { " > limit" } else { "" };
            [
                format!("{:.2}", oracle.accuracy),
                format!("{:.2}{exceeded}", oracle.latency_ms),
            ]
        }));
        cells
    };
    let table = |device: &str| {
        Block::Table(Table {
            caption: format!("{device}: the optimizer's design for each limit."),
            header: header.clone(),
            rows: rows(report, device).map(row).collect(),
        })
    };
    Section {
        heading: "Designs".into(),
        blocks: report.devices.iter().map(|device| table(&device.id)).collect(),
    }
}

/// A value that no interval is known of.
fn exactly(value: f64) -> Interval {
    Interval {
        mean: value,
        low: value,
        high: value,
    }
}

fn with_interval([mean, low, high]: [f64; 3]) -> String {
    if mean.is_finite() {
        format!("{mean:.2} [{low:.2}, {high:.2}]")
    } else {
        "-".into()
    }
}

/// A number, or a dash where there is none.
fn number(value: Option<f64>, digits: usize) -> String {
    let finite = value.filter(|value| value.is_finite());
    finite.map_or("-".into(), |value| format!("{value:.digits$}"))
}
