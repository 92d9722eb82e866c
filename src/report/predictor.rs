//! The report of a predictor: how good predictions on unseen devices are, and whether their intervals hold.

use super::html::{Block, Page, Section, Table};
use super::{CalibrationCurve, Dots, Lines, Scatter};
use crate::error::Result;
use crate::evaluate::predictor::{DevicePredictions, PredictorMean, PredictorReport, PredictorRow};
use crate::stats::Interval;

/// Puts the report together. `predictions` are those of one number of probes, which the figures are about.
///
/// # Errors
/// If a figure cannot be drawn.
pub fn predictor_page(
    report: &PredictorReport,
    predictions: &[DevicePredictions],
    probes: usize,
    provenance: Vec<(String, String)>,
) -> Result<Page> {
    let mut sections = vec![
        against_measured(report, predictions, probes)?,
        intervals(predictions)?,
        by_device(report, probes)?,
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
        provenance,
    })
}

fn lead(report: &PredictorReport, probes: usize) -> String {
    let Some(mean) = mean_at(report, probes) else {
        return "Nothing was scored.".into();
    };
    format!(
        "With {probes} probes per device, mean over the devices: rank correlation {:.3}, mean absolute percentage error \
         {:.1} % (median device {:.1} %), {:.0} % of predictions within 10 %; intervals that promise 90 % hold {:.0} %.",
        mean.spearman,
        mean.mape_percent,
        mean.median_mape_percent,
        100.0 * mean.within_10_percent,
        100.0 * mean.coverage_90
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
        blocks: vec![Block::Figure {
            svg: scatter.svg()?,
            caption: format!(
                "{probes} probes per device, the first of the repeats; every architecture that is scored. The darker a spot, the \
                 more architectures it stands for. Orange: prediction and measurement agree; grey: 10 % off."
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
        Some(row) => format!("{}: SRCC {:.3}", device.device, row.spearman.mean),
        None => device.device.clone(),
    }
}

fn intervals(predictions: &[DevicePredictions]) -> Result<Section> {
    let probabilities: Vec<Vec<f64>> = predictions
        .iter()
        .map(|device| device.rows.iter().map(|row| row.probability).collect())
        .collect();
    let curve = CalibrationCurve::of("Share of measurements inside of their interval", &probabilities);
    let observed = |share: f64| match curve.observed_at(share) {
        Some(observed) => format!("{:.0} % hold {:.0} %", 100.0 * share, 100.0 * observed),
        None => "nothing was scored".into(),
    };
    Ok(Section {
        heading: "Do the intervals hold?".into(),
        blocks: vec![Block::Figure {
            svg: curve.svg()?,
            caption: format!(
                "Share of measurements inside of central intervals, in the first of the repeats. Blue: mean over devices; light grey: single devices; \
                 diagonal: promises kept, above it intervals are wider than needed. Intervals that promise {}, {}.",
                observed(0.5),
                observed(0.9)
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
        let mut rows: Vec<(String, Interval)> = rows.map(|row| (row.device.clone(), of(row))).collect();
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
                "{quantity}, {probes} probes per device. Lines: 90 % bootstrap intervals over at most {repeats} repeats with \
                 other probes; a dot without a line has one repeat."
            ),
        })
    };
    Ok(Section {
        heading: "Error by device".into(),
        blocks: vec![
            dots("mean absolute percentage error, %", 1, true, |row| row.mape_percent)?,
            dots("rank correlation (SRCC)", 3, false, |row| row.spearman)?,
        ],
    })
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
        lines: vec![("mean over devices".into(), report.mean.iter().map(point).collect())],
    };
    Ok(Section {
        heading: "What measurements are worth".into(),
        blocks: vec![Block::Figure {
            svg: lines.svg()?,
            caption:
                "Mean rank correlation over the devices, with its 90 % bootstrap interval over devices and repeats."
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
        "within 10 %",
        "coverage of 90 %",
    ];
    let interval = |one: &Interval, digits: usize| {
        if one.low < one.high {
            format!("{:.digits$} [{:.digits$}, {:.digits$}]", one.mean, one.low, one.high)
        } else {
            format!("{:.digits$}", one.mean)
        }
    };
    let rows = report.rows.iter().map(|row| {
        vec![
            row.device.clone(),
            row.probes.to_string(),
            interval(&row.spearman, 3),
            interval(&row.kendall, 3),
            interval(&row.mape_percent, 1),
            format!("{:.2}", row.within_10_percent.mean),
            format!("{:.2}", row.coverage_90.mean),
        ]
    });
    let means = report.mean.iter().map(|mean| {
        vec![
            "mean".into(),
            mean.probes.to_string(),
            format!(
                "{:.3} [{:.3}, {:.3}]",
                mean.spearman, mean.spearman_low, mean.spearman_high
            ),
            format!("{:.3}", mean.kendall),
            format!("{:.1}", mean.mape_percent),
            format!("{:.2}", mean.within_10_percent),
            format!("{:.2}", mean.coverage_90),
        ]
    });
    Table {
        caption: "Shares lie between 0 and 1. In brackets: 90 % bootstrap intervals over repeats, for the means over devices \
                  and repeats."
            .into(),
        header: header.map(String::from).to_vec(),
        rows: rows.chain(means).collect(),
    }
}
