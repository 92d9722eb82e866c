//! The report of an optimizer in a search space that a table holds all of: what it chose for a grid of limits on unseen
//! devices, and what that was worth.

use super::html::{Block, Page, Section, Table};
use super::{FrontPanel, Fronts, Lines, Provenance};
use crate::error::Result;
use crate::evaluate::devices::{plural, what_counts};
use crate::evaluate::optimizer::{OptimizerReport, OptimizerRow, OptimizerSummary};
use crate::predict::Estimate;

/// Puts the report together.
///
/// # Errors
/// If a figure cannot be drawn.
pub fn optimizer_page(report: &OptimizerReport, provenance: &Provenance) -> Result<Page> {
    let devices = report.fronts.len();
    let summary = &report.summary;
    Ok(Page {
        title: format!("Designs for {}", plural(devices, "device")),
        lead: format!(
            "With {} per device, designs lose {:.2} percentage points of {} [{:.2}, {:.2}] against the best ones \
             there are within the same limits. {:.1} % of the limits are exceeded, where {:.0} % were allowed. A design takes \
             {:.0} microseconds.",
            plural(report.probes, "probe"),
            summary.mean_regret,
            report.score.name(),
            summary.mean_regret_low,
            summary.mean_regret_high,
            100.0 * summary.violation_rate,
            100.0 * (1.0 - report.confidence),
            summary.microseconds_per_design
        ),
        sections: vec![methods(report)?, chosen(report)?, designs(report)],
        provenance: provenance.entries().to_vec(),
    })
}

/// The ways to answer that are drawn.
fn compared(report: &OptimizerReport) -> [(&'static str, &OptimizerSummary); 5] {
    let others = &report.baselines;
    [
        ("optimizer", &report.summary),
        ("exhaustive search", &others.exhaustive),
        ("NSGA-II", &others.nsga2),
        ("random search", &others.random),
        ("one proxy", &others.one_proxy),
    ]
}

fn methods(report: &OptimizerReport) -> Result<Section> {
    let mut quantiles: Vec<f64> = report.rows.iter().map(|row| row.limit_quantile).collect();
    quantiles.sort_by(f64::total_cmp);
    quantiles.dedup();
    let line = |(name, summary): (&str, &OptimizerSummary)| {
        let points = quantiles.iter().zip(&summary.regret_by_limit);
        let points = points.map(|(quantile, regret)| (100.0 * quantile, *regret));
        (name.to_string(), points.collect())
    };
    let lines = Lines {
        title: "Regret by limit".into(),
        across: "limit, as the share of architectures that are as fast, %".into(),
        up: "mean regret, percentage points".into(),
        logarithmic: false,
        from_zero: true,
        lines: compared(report).map(line).to_vec(),
    };
    Ok(Section {
        heading: "Against other ways to answer".into(),
        blocks: vec![
            Block::Figure {
                svg: lines.svg()?,
                caption: "Accuracy lost against the best architecture in the table within the limit, mean over hardware units, \
                          with 90 % bootstrap intervals over them. A design that exceeds its limit loses nothing by being more \
                          accurate, and gains nothing. Points at one limit stand side by side. All but \"one proxy\" use the \
                          same predictor."
                    .into(),
            },
            Block::Table(summaries(report)),
        ],
    })
}

fn summaries(report: &OptimizerReport) -> Table {
    let header = [
        "method",
        "regret, points",
        "limits exceeded, %",
        "by, % of the limit",
        "hypervolume ratio",
        "µs per design",
    ];
    let row = |(name, one): (&str, &OptimizerSummary)| {
        vec![
            name.to_string(),
            format!(
                "{:.2} [{:.2}, {:.2}]",
                one.mean_regret, one.mean_regret_low, one.mean_regret_high
            ),
            format!("{:.1}", 100.0 * one.violation_rate),
            format!("{:.1}", 100.0 * one.mean_overshoot),
            format!("{:.4}", one.hypervolume_ratio),
            format!("{:.0}", one.microseconds_per_design),
        ]
    };
    Table {
        caption: format!(
            "{} The hypervolume ratio is 1 for the best designs within the same limits. {} Policy and refinement by themselves \
             do not look at the whole space.",
            what_counts(&report.devices),
            report.accuracies
        ),
        header: header.map(String::from).to_vec(),
        rows: report.methods().into_iter().map(row).collect(),
    }
}

/// Rows of the first repeat.
fn rows<'a>(report: &'a OptimizerReport, device: &'a str) -> impl Iterator<Item = &'a OptimizerRow> {
    let first = report.rows.iter().filter(|row| row.repeat == 0);
    first.filter(move |row| row.device == device)
}

fn chosen(report: &OptimizerReport) -> Result<Section> {
    let points = |device: &str, violated: bool| -> Vec<[f64; 2]> {
        let rows = rows(report, device).filter(|row| row.violated == violated);
        rows.map(|row| [row.true_latency_ms, row.true_accuracy]).collect()
    };
    let fronts = Fronts {
        title: "Designs chosen and the true front, by device".into(),
        reference: "true front".into(),
        names: vec!["chosen, limit holds".into(), "chosen, limit exceeded".into()],
        panels: report
            .fronts
            .iter()
            .map(|front| FrontPanel {
                name: front.device.clone(),
                truth: front.points.clone(),
                found: vec![points(&front.device, false), points(&front.device, true)],
            })
            .collect(),
    };
    Ok(Section {
        heading: "Chosen designs and the best there are".into(),
        blocks: vec![Block::Panels {
            panels: fronts.panels()?,
            caption:
                "Where the designs chosen really lie, and the true front of the table. Designs far less accurate than \
                      the better half of the front stand at the lower edge."
                    .into(),
        }],
    })
}

fn designs(report: &OptimizerReport) -> Section {
    let header = [
        "limit, ms",
        "architecture, quantization",
        &format!("{} known, %", report.score.name()),
        "latency predicted, ms",
        "P(limit holds)",
        "true latency, ms",
        &format!("true {}, %", report.score.name()),
        "regret, points",
    ];
    let table = |device: &str| {
        let row = |row: &OptimizerRow| {
            let exceeded = if row.violated { " > limit" } else { "" };
            vec![
                format!("{:.2}", row.limit_ms),
                format!("{} {}", row.architecture, row.quantization),
                interval(row.accuracy),
                interval(row.latency_ms),
                format!("{:.2}", row.feasible_probability),
                format!("{:.2}{exceeded}", row.true_latency_ms),
                format!("{:.2}", row.true_accuracy),
                format!("{:.2}", row.regret),
            ]
        };
        Block::Table(Table {
            caption: format!(
                "{device}: one design per limit. In brackets 90 % intervals; {} without one are the table's own.",
                report.score.plural()
            ),
            header: header.map(String::from).to_vec(),
            rows: rows(report, device).map(row).collect(),
        })
    };
    Section {
        heading: "Designs".into(),
        blocks: report.fronts.iter().map(|front| table(&front.device)).collect(),
    }
}

fn interval(one: Estimate) -> String {
    if one.low < one.high {
        format!("{:.2} [{:.2}, {:.2}]", one.mean, one.low, one.high)
    } else {
        format!("{:.2}", one.mean)
    }
}
