//! The report of a predictor: how good predictions on unseen devices are, and whether their intervals hold.

use super::explained::{explained_sentence, explained_svg};
use super::html::{Block, Page, Section, Table};
use super::{CalibrationCurve, Dots, Lines, Provenance, Scatter};
use crate::error::Result;
use crate::evaluate::devices::{plural, what_counts};
use crate::evaluate::predictor::{DevicePredictions, PredictorMean, PredictorReport, PredictorRow};
use crate::metric::Metric;
use crate::predict::{Explained, ExplainedMetric};
use crate::stats::Interval;

/// Devices that where the time goes is drawn of.
const EXPLAINED: usize = 6;

/// Puts the report together. `predictions` are those of one number of probes, which the figures are about.
///
/// # Errors
/// If a figure cannot be drawn.
pub fn predictor_page(
    report: &PredictorReport,
    predictions: &[DevicePredictions],
    probes: usize,
    provenance: &Provenance,
) -> Result<Page> {
    let mut sections = vec![
        against_measured(report, predictions, probes)?,
        intervals(report, predictions, probes)?,
        by_device(report, probes)?,
        where_the_time_goes(report, predictions)?,
    ];
    if report.mean.len() > 1 {
        sections.push(by_probes(report)?);
    }
    sections.push(Section {
        heading: "All scores".into(),
        blocks: vec![Block::Table(scores(report))],
    });
    Ok(Page {
        title: match predictions {
            [only] => format!("Predicted {} on {}", report.metric, only.device),
            several => format!("Predicted {} on {} devices", report.metric, several.len()),
        },
        lead: lead(report, probes),
        sections,
        provenance: provenance.entries().to_vec(),
    })
}

fn lead(report: &PredictorReport, probes: usize) -> String {
    let Some(mean) = mean_at(report, probes) else {
        return format!("No device counts. {}", what_counts(&report.devices));
    };
    format!(
        "With {} per device: rank correlation {:.3}, mean absolute percentage error of the median hardware unit {:.1} %, \
         {:.0} % of predictions within 10 %; intervals that promise 90 % hold {:.0} %. {}",
        plural(probes, "probe"),
        mean.spearman,
        mean.median_mape_percent,
        100.0 * mean.within_10_percent,
        100.0 * mean.coverage_90,
        what_counts(&report.devices)
    )
}

fn mean_at(report: &PredictorReport, probes: usize) -> Option<&PredictorMean> {
    report.mean.iter().find(|mean| mean.probes == probes)
}

fn against_measured(report: &PredictorReport, predictions: &[DevicePredictions], probes: usize) -> Result<Section> {
    let points = |device: &DevicePredictions| {
        let rows = device.rows.iter();
        rows.map(|row| [row.measured, row.predicted.mean]).collect()
    };
    let scatter = Scatter {
        title: format!("Predicted against measured {} by device", report.metric),
        quantity: format!("{}, {}", report.metric, report.metric.unit()),
        panels: predictions
            .iter()
            .map(|device| (panel_name(report, device, probes), points(device)))
            .collect(),
    };
    Ok(Section {
        heading: "Predicted against measured".into(),
        blocks: vec![Block::Panels {
            panels: scatter.panels()?,
            caption: format!(
                "{} per device, the first of the repeats; every architecture that is scored. The more a spot stands \
                 out, the more architectures it stands for. Orange: prediction and measurement agree; grey: 10 % off.",
                plural(probes, "probe")
            ),
        }],
    })
}

fn panel_name(report: &PredictorReport, device: &DevicePredictions, probes: usize) -> String {
    let row = report
        .rows
        .iter()
        .find(|row| row.device == device.device && row.probes == probes);
    match row {
        Some(row) => format!("{}: SRCC {:.3}", report.label(&device.device), row.spearman.mean),
        None => report.label(&device.device),
    }
}

fn intervals(report: &PredictorReport, predictions: &[DevicePredictions], probes: usize) -> Result<Section> {
    let counts = |device: &&DevicePredictions| {
        let scored = report.devices.iter().find(|one| one.id == device.device);
        scored.is_some_and(|scored| scored.counted)
    };
    let probabilities: Vec<Vec<f64>> = predictions
        .iter()
        .filter(counts)
        .map(|device| device.rows.iter().map(|row| row.probability).collect())
        .collect();
    let curve = CalibrationCurve::of("Share of measurements inside of their interval", &probabilities);
    let held = mean_at(report, probes).map_or_else(String::new, |mean| {
        format!(
            " Over all repeats, intervals that promise 90 % hold {:.0} %.",
            100.0 * mean.coverage_90
        )
    });
    Ok(Section {
        heading: "Do the intervals hold?".into(),
        blocks: vec![Block::Figure {
            svg: curve.svg()?,
            caption: format!(
                "Share of measurements inside of central intervals, in the first of the repeats. Blue: mean over the devices \
                 that count; grey: single devices; diagonal: promises kept, above it intervals are wider than needed.{held}"
            ),
        }],
    })
}

fn by_device(report: &PredictorReport, probes: usize) -> Result<Section> {
    let dots = |quantity: &str,
                decimals: usize,
                logarithmic: bool,
                of: fn(&PredictorRow) -> Interval|
     -> Result<Block> {
        let rows = report.rows.iter().filter(|row| row.probes == probes);
        let mut rows: Vec<(String, Interval)> = rows.map(|row| (report.label(&row.device), of(row))).collect();
        rows.sort_by(|a, b| a.1.mean.total_cmp(&b.1.mean));
        let dots = Dots {
            title: format!("{quantity} by device"),
            quantity: quantity.into(),
            decimals,
            logarithmic,
            rows,
        };
        let repeats = report.rows.iter().map(|row| row.repeats).max().unwrap_or_default();
        Ok(Block::Figure {
            svg: dots.svg()?,
            caption: format!(
                "{quantity}, {} per device. Lines: 90 % bootstrap intervals over {} with other probes; a dot without a line \
                 has one repeat.",
                plural(probes, "probe"),
                plural(repeats, "repeat")
            ),
        })
    };
    Ok(Section {
        heading: "Error by device".into(),
        blocks: vec![
            dots("mean absolute percentage error, %", 1, true, |row| row.mape_percent)?,
            dots("median absolute percentage error, %", 1, true, |row| {
                row.median_error_percent
            })?,
            dots("rank correlation (SRCC)", 3, false, |row| row.spearman)?,
        ],
    })
}

/// A figure for each of the first devices.
fn where_the_time_goes(report: &PredictorReport, predictions: &[DevicePredictions]) -> Result<Section> {
    let explained = predictions.iter().filter_map(|device| {
        let explained = &device.explained;
        Some((
            report.label(&device.device),
            explained,
            explained.metric(report.metric)?,
        ))
    });
    let figure = |(device, explained, metric): (String, &Explained, &ExplainedMetric)| {
        Ok(Block::Figure {
            svg: explained_svg(&device, metric)?,
            caption: format!(
                "{} Prices are {}, in the first of the repeats. Lines: intervals that hold 90 %.",
                explained_sentence(&device, metric),
                explained.origin(metric.prices)
            ),
        })
    };
    Ok(Section {
        heading: format!("Where the {} goes", spent(report.metric)),
        blocks: explained.take(EXPLAINED).map(figure).collect::<Result<_>>()?,
    })
}

/// What networks spend.
fn spent(metric: Metric) -> &'static str {
    if metric == Metric::Latency {
        "time"
    } else {
        metric.name()
    }
}

fn by_probes(report: &PredictorReport) -> Result<Section> {
    let point = |mean: &PredictorMean| {
        let interval = Interval {
            mean: mean.spearman,
            low: mean.spearman_low,
            high: mean.spearman_high,
        };
        (mean.probes as f64, interval)
    };
    let lines = Lines {
        title: "Rank correlation by number of probes".into(),
        across: "probes".into(),
        up: "rank correlation (SRCC)".into(),
        logarithmic: false,
        from_zero: false,
        lines: vec![(
            "mean over hardware units".into(),
            report.mean.iter().map(point).collect(),
        )],
    };
    Ok(Section {
        heading: "What measurements are worth".into(),
        blocks: vec![Block::Figure {
            svg: lines.svg()?,
            caption:
                "Mean rank correlation over the hardware units, with its 90 % bootstrap interval over units and repeats."
                    .into(),
        }],
    })
}

fn scores(report: &PredictorReport) -> Table {
    let header = [
        "device",
        "probes",
        "SRCC",
        "Kendall",
        "MAPE, %",
        "median error, %",
        "within 10 %",
        "coverage of 90 %",
    ];
    let rows = report.rows.iter().map(|row| scores_of(report, row));
    let means = report.mean.iter().map(mean_scores);
    Table {
        caption: format!(
            "Shares lie between 0 and 1. In brackets: 90 % bootstrap intervals over repeats, for the means over hardware units \
             and repeats. {} Their MAPE is that of the median unit.",
            what_counts(&report.devices)
        ),
        header: header.map(String::from).to_vec(),
        rows: rows.chain(means).collect(),
    }
}

fn scores_of(report: &PredictorReport, row: &PredictorRow) -> Vec<String> {
    let interval = |one: &Interval, digits: usize| {
        if one.low < one.high {
            format!("{:.digits$} [{:.digits$}, {:.digits$}]", one.mean, one.low, one.high)
        } else {
            format!("{:.digits$}", one.mean)
        }
    };
    vec![
        report.label(&row.device),
        row.probes.to_string(),
        interval(&row.spearman, 3),
        interval(&row.kendall, 3),
        interval(&row.mape_percent, 1),
        interval(&row.median_error_percent, 1),
        format!("{:.2}", row.within_10_percent.mean),
        format!("{:.2}", row.coverage_90.mean),
    ]
}

fn mean_scores(mean: &PredictorMean) -> Vec<String> {
    vec![
        "mean".into(),
        mean.probes.to_string(),
        format!(
            "{:.3} [{:.3}, {:.3}]",
            mean.spearman, mean.spearman_low, mean.spearman_high
        ),
        format!("{:.3}", mean.kendall),
        format!("{:.1} (median)", mean.median_mape_percent),
        format!("{:.1}", mean.median_error_percent),
        format!("{:.2}", mean.within_10_percent),
        format!("{:.2}", mean.coverage_90),
    ]
}
