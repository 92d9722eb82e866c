//! The report of a comparison: per-device search, proxies, and this crate's predictor and optimizer, at equal numbers of
//! measurements.

#[cfg(test)]
mod tests;

use super::html::{Block, Page, Section, Table};
use super::{FrontPanel, Fronts, Heatmap, Lines, Provenance};
use crate::error::Result;
use crate::evaluate::comparison::{AdaptationMatrix, ComparisonMean, ComparisonReport, ComparisonRun, Method};
use crate::evaluate::devices::{plural, what_counts};
use crate::proxy::adaproxy::Norm;
use crate::proxy::cluster::complete_linkage;
use crate::proxy::flow::FrontPoint;
use crate::proxy::monotonicity::Monotonicity;
use crate::stats::{self, Interval};

/// What stands for a figure that is not defined.
const NOTHING: &str = "–";
/// SRCC from which on devices agree, as in the paper.
const AGREEMENT: f64 = 0.9;

/// Rank correlations of devices, cluster by cluster, as a heatmap.
pub fn matrix_heatmap(found: &Monotonicity) -> Heatmap {
    let names: Vec<String> = found.rows.iter().map(|row| row.id.clone()).collect();
    let mut values = vec![vec![None; names.len()]; names.len()];
    for (index, row) in found.rows.iter().enumerate() {
        values[index][index] = (row.measured > 1 && !row.constant).then_some(1.0);
    }
    for pair in &found.pairs {
        let value = pair.spearman.map(|one| one.mean);
        values[pair.first][pair.second] = value;
        values[pair.second][pair.first] = value;
    }
    let mut map = Heatmap::square("Rank correlations between devices", &names, values);
    map.groups = found.clusters.iter().map(Vec::len).collect();
    map
}

/// Puts the report of a comparison together.
///
/// # Errors
/// If a figure cannot be drawn.
pub fn proxy_page(report: &ComparisonReport, provenance: &Provenance) -> Result<Page> {
    Ok(Page {
        title: format!(
            "One proxy, or one search per device? {} on {}",
            report.space, report.task
        ),
        lead: lead(report),
        sections: vec![regret(report)?, adaptation(report)?, fronts(report)?, by_target(report)],
        provenance: provenance.entries().to_vec(),
    })
}

fn targets(report: &ComparisonReport) -> Vec<&str> {
    let mut targets: Vec<&str> = report.runs.iter().map(|run| run.target.as_str()).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// The largest number of measurements compared.
fn most(report: &ComparisonReport) -> usize {
    report.measurements.iter().copied().max().unwrap_or_default()
}

fn lead(report: &ComparisonReport) -> String {
    let most = most(report);
    let mut means: Vec<&ComparisonMean> = report.means.iter().filter(|mean| mean.measurements == most).collect();
    means.sort_by(|a, b| a.regret.total_cmp(&b.regret));
    let words: Vec<String> = means
        .iter()
        .map(|mean| {
            let over = 100.0 * mean.violation_rate;
            format!(
                "{} {:.2} ({over:.0} % of limits exceeded)",
                mean.method.name(),
                mean.regret
            )
        })
        .collect();
    format!(
        "Mean regret in percentage points over {}, {} on each: {}. {}",
        plural(targets(report).len(), "target device"),
        plural(most, "measurement"),
        words.join(", "),
        what_counts(&report.targets)
    )
}

/// One line per method of a figure of the means.
fn lines(report: &ComparisonReport, of: impl Fn(&ComparisonMean) -> Interval) -> Vec<(String, Vec<(f64, Interval)>)> {
    let line = |method: Method| {
        let means = report.means.iter().filter(|mean| mean.method == method);
        let mut points: Vec<(f64, Interval)> = means.map(|mean| (mean.measurements as f64, of(mean))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        (method.name().to_string(), points)
    };
    let all = Method::ALL.into_iter().map(line);
    all.filter(|(_, points)| !points.is_empty()).collect()
}

fn regret(report: &ComparisonReport) -> Result<Section> {
    let regrets = Lines {
        title: "Mean regret by number of measurements".into(),
        up: "mean regret, percentage points".into(),
        lines: lines(report, |mean| Interval {
            mean: mean.regret,
            low: mean.regret_low,
            high: mean.regret_high,
        }),
        ..by_measurements(report)
    };
    let exceeded = Lines {
        title: "Share of limits exceeded by number of measurements".into(),
        up: "limits exceeded, %".into(),
        lines: lines(report, |mean| Interval {
            mean: 100.0 * mean.violation_rate,
            low: 100.0 * mean.violation_rate,
            high: 100.0 * mean.violation_rate,
        }),
        ..by_measurements(report)
    };
    Ok(Section {
        heading: "Regret against number of measurements".into(),
        blocks: vec![
            Block::Figure {
                svg: regrets.svg()?,
                caption: "Accuracy lost against the best architecture in the table within the same limit, mean over hardware \
                          units, limits and repeats, with 90 % bootstrap intervals over units. Points at one number stand side by \
                          side. A design that exceeds its limit loses nothing by being more accurate, and gains nothing: \
                          read it with the share of limits exceeded."
                    .into(),
            },
            Block::Figure {
                svg: exceeded.svg()?,
                caption: format!(
                    "Share of designs slower than their limit. Methods that know how sure they are have to hold limits with \
                     probability {:.2}.",
                    report.confidence
                ),
            },
            Block::Table(means(report)),
        ],
    })
}

/// A figure over the number of measurements, still without lines.
fn by_measurements(report: &ComparisonReport) -> Lines {
    Lines {
        title: String::new(),
        across: "architectures measured on the target".into(),
        up: String::new(),
        // No measurement at all has no place on a logarithmic axis.
        logarithmic: report.measurements.iter().all(|&count| count > 0),
        from_zero: true,
        lines: Vec::new(),
    }
}

fn means(report: &ComparisonReport) -> Table {
    let header = [
        "method",
        "measurements",
        "regret, points",
        "limits exceeded, %",
        "by, % of the limit",
        "hypervolume ratio",
        "seconds per device",
    ];
    let row = |mean: &ComparisonMean| {
        vec![
            mean.method.name().to_string(),
            mean.measurements.to_string(),
            format!("{:.2} [{:.2}, {:.2}]", mean.regret, mean.regret_low, mean.regret_high),
            format!("{:.1}", 100.0 * mean.violation_rate),
            format!("{:.1}", 100.0 * mean.overshoot),
            format!("{:.4}", mean.hypervolume_ratio),
            format!("{:.3}", mean.seconds),
        ]
    };
    Table {
        caption:
            "Means over hardware units and repeats; in brackets 90 % bootstrap intervals over units. The hypervolume ratio \
                  is 1 for the best designs within the same limits. Seconds are wall time without measuring."
                .into(),
        header: header.map(String::from).to_vec(),
        rows: report.means.iter().map(row).collect(),
    }
}

fn adaptation(report: &ComparisonReport) -> Result<Section> {
    let matrix = &report.adaptation;
    let heading = "Rank correlation before and after adaptation".to_string();
    if matrix.devices.is_empty() {
        let blocks = vec![Block::Text("No pair of devices was compared.".into())];
        return Ok(Section { heading, blocks });
    }
    let [before, after] = adaptation_heatmaps(matrix);
    let mean = |values: &[Vec<Option<f64>>]| {
        let values: Vec<f64> = values.iter().flatten().flatten().copied().collect();
        stats::mean(&values).map_or_else(|| NOTHING.into(), |mean| format!("{mean:.3}"))
    };
    Ok(Section {
        heading,
        blocks: vec![
            Block::Figure {
                svg: before.svg()?,
                caption: format!(
                    "Before: latencies of the proxy (row) against those of the target (column), over architectures that are \
                     not samples. Lines divide clusters of devices that agree at {AGREEMENT} or more. Mean {}.",
                    mean(&matrix.before)
                ),
            },
            Block::Figure {
                svg: after.svg()?,
                caption: format!(
                    "After: predictions of the proxy's linear latency model, adapted by AdaProxy (norm {}) with {} \
                     of the target. Mean {}.",
                    norm(report.norm),
                    plural(matrix.samples, "sample"),
                    mean(&matrix.after)
                ),
            },
        ],
    })
}

/// Before and after adaptation, in the same order and on one scale, so that colours can be compared.
fn adaptation_heatmaps(matrix: &AdaptationMatrix) -> [Heatmap; 2] {
    let all = matrix.before.iter().chain(&matrix.after).flatten().flatten();
    let least = all.copied().fold(1.0, f64::min);
    let clusters = clusters(matrix);
    let order = clusters.concat();
    let names: Vec<String> = order.iter().map(|&index| matrix.devices[index].clone()).collect();
    let heatmap = |title: &str, values: &[Vec<Option<f64>>]| {
        let at = |row: usize, column: usize| values.get(row)?.get(column).copied().flatten();
        let ordered = |&row: &usize| order.iter().map(|&column| at(row, column)).collect();
        Heatmap {
            least: Some(least),
            groups: clusters.iter().map(Vec::len).collect(),
            ..Heatmap::square(title, &names, order.iter().map(ordered).collect())
        }
    };
    [
        heatmap("Rank correlation of proxies with targets", &matrix.before),
        heatmap("Rank correlation of adapted proxies with targets", &matrix.after),
    ]
}

/// Devices that agree before adaptation, similar ones next to each other.
fn clusters(matrix: &AdaptationMatrix) -> Vec<Vec<usize>> {
    let at = |row: usize, column: usize| matrix.before.get(row)?.get(column).copied().flatten();
    // The two directions leave out other samples.
    let agreement = |a: usize, b: usize| match (at(a, b), at(b, a)) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    complete_linkage(matrix.devices.len(), agreement, AGREEMENT)
}

fn norm(norm: Norm) -> &'static str {
    match norm {
        Norm::One => "1",
        Norm::Two => "2",
        Norm::Infinity => "inf",
    }
}

fn fronts(report: &ComparisonReport) -> Result<Section> {
    let points = |front: &[FrontPoint]| -> Vec<[f64; 2]> {
        let points = front.iter();
        points.map(|point| [point.latency_ms, point.accuracy_percent]).collect()
    };
    let figure = Fronts {
        title: "Fronts of every target".into(),
        reference: "true front".into(),
        names: ["proxy front", "AdaProxy", "few-shot predictor"]
            .map(String::from)
            .to_vec(),
        panels: report
            .fronts
            .iter()
            .map(|one| FrontPanel {
                name: format!("{} (proxy {})", one.target, one.proxy),
                truth: points(&one.truth),
                found: vec![points(&one.proxy_front), points(&one.adapted), points(&one.few_shot)],
            })
            .collect(),
    };
    let measurements = report
        .fronts
        .iter()
        .map(|one| one.measurements)
        .max()
        .unwrap_or_default();
    Ok(Section {
        heading: "Pareto fronts".into(),
        blocks: vec![Block::Panels {
            panels: figure.panels()?,
            caption: format!(
                "What each method returned, where it really lies on the target, and the true front of the table; \
                 {}, first repeat. Designs far less accurate than the better half of the true front \
                 stand at the lower edge.",
                plural(measurements, "measurement")
            ),
        }],
    })
}

fn by_target(report: &ComparisonReport) -> Section {
    let most = most(report);
    let mut rows = Vec::new();
    for target in targets(report) {
        for method in Method::ALL {
            let runs = report
                .runs
                .iter()
                .filter(|run| run.target == target && run.method == method);
            let runs: Vec<&ComparisonRun> = runs.filter(|run| run.measurements == most).collect();
            if !runs.is_empty() {
                rows.push(target_row(target, method, &runs));
            }
        }
    }
    let header = [
        "target",
        "method",
        "proxy",
        "regret, points",
        "limits exceeded, %",
        "hypervolume ratio",
        "seconds",
    ];
    Section {
        heading: "Every target".into(),
        blocks: vec![Block::Table(Table {
            caption: format!(
                "Means over limits and repeats, {} on each target.",
                plural(most, "measurement")
            ),
            header: header.map(String::from).to_vec(),
            rows,
        })],
    }
}

fn target_row(target: &str, method: Method, runs: &[&ComparisonRun]) -> Vec<String> {
    let designs = || runs.iter().flat_map(|run| &run.designs);
    let mean = |values: Vec<f64>, digits: usize| {
        stats::mean(&values).map_or_else(|| NOTHING.to_string(), |mean| format!("{mean:.digits$}"))
    };
    let violated = |violated: bool| if violated { 100.0 } else { 0.0 };
    let mut proxies: Vec<&str> = runs.iter().filter_map(|run| run.proxy.as_deref()).collect();
    proxies.sort_unstable();
    proxies.dedup();
    vec![
        target.to_string(),
        method.name().to_string(),
        if proxies.is_empty() {
            NOTHING.into()
        } else {
            proxies.join(", ")
        },
        mean(designs().map(|design| design.regret).collect(), 2),
        mean(designs().map(|design| violated(design.violated)).collect(), 1),
        mean(runs.iter().filter_map(|run| run.hypervolume_ratio).collect(), 4),
        mean(runs.iter().map(|run| run.seconds).collect(), 3),
    ]
}
