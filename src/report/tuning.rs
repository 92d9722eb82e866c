//! The report of a tuning: the designs for every limit as measured, what was predicted of everything that was measured, and what
//! it cost.

use serde::Serialize;

use super::html::{Block, Page, Section, Table};
use super::score::{self, kind_of, precisions_note};
use super::{Context, FrontPanel, Fronts, Provenance, Scatter};
use crate::error::Result;
use crate::metric::Metric;
use crate::predict::{Accuracy, Estimate};
use crate::search::Tradeoff;
use crate::space::SearchSpace;
use crate::stats;
use crate::tune::{Stage, Trial, Tuned, Tuning, better};

/// Everything that came of a tuning. Its fields are the keys of the JSON that `edgefit tune` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TuningReport {
    /// The device, the checkpoint and the seed.
    #[serde(flatten)]
    pub context: Context,
    /// What ran the models.
    pub runtime: String,
    /// One row for every limit and precision.
    pub designs: Vec<TunedRow>,
    /// Everything that was measured but confirmations, in order.
    pub trials: Vec<TrialRow>,
    /// Designs that the runtime does not run, with its reason.
    pub refused: Vec<RefusedRow>,
    /// Measurements spent.
    pub spent: Spent,
    /// Answers of which the second measurement missed the limit, so that another one took their place.
    pub overturned: usize,
}

/// The answer for one limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TunedRow {
    /// The limit on latency, in ms.
    pub max_latency_ms: f64,
    /// Whether the design holds it as measured, both times.
    pub holds: bool,
    /// Whether it is the answer: of those of all precisions, the better one.
    pub chosen: bool,
    /// The architecture, in the notation of its space.
    pub architecture: String,
    /// The quantization policy.
    pub quantization: String,
    /// Accuracy in percent, or proxy score, with its interval and where it comes from.
    #[serde(flatten, serialize_with = "score::keys")]
    pub accuracy: Accuracy,
    /// What was predicted before the design was measured, in ms.
    pub predicted_latency_ms: Estimate,
    /// Median measured first, in ms, with its interval.
    pub measured_latency_ms: Estimate,
    /// Median measured again, in ms; null where measurements did not last.
    pub confirmed_latency_ms: Option<Estimate>,
    /// Energy measured first, in mJ; null where nothing tells it.
    pub measured_energy_mj: Option<f64>,
    /// The file that it was exported to.
    pub model: Option<String>,
}

/// A design that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialRow {
    /// `probe` or `design`.
    pub stage: Stage,
    /// The architecture.
    pub architecture: String,
    /// The quantization policy.
    pub quantization: String,
    /// Accuracy in percent, or proxy score.
    #[serde(flatten, serialize_with = "score::number")]
    pub accuracy: Accuracy,
    /// What was predicted before, in ms.
    pub predicted_latency_ms: Estimate,
    /// Median measured, in ms, with its interval.
    pub measured_latency_ms: Estimate,
    /// Energy measured, in mJ.
    pub measured_energy_mj: Option<f64>,
}

/// A design that does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedRow {
    /// The architecture.
    pub architecture: String,
    /// Why.
    pub reason: String,
}

/// Measurements by what they were for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// To learn of the device.
    pub probes: usize,
    /// Of designs.
    pub designs: usize,
    /// Of the answers, once more.
    pub confirmations: usize,
}

impl TuningReport {
    /// The rows of tunings with the same limits, one for each precision.
    pub fn new(tunings: &[Tuning], space: &dyn SearchSpace, runtime: &str, context: Context) -> TuningReport {
        let spent = |stage: Stage| tunings.iter().map(|tuning| tuning.spent(stage)).sum();
        let trials = tunings.iter().flat_map(|tuning| &tuning.trials);
        let refused = tunings.iter().flat_map(|tuning| &tuning.refused);
        TuningReport {
            context,
            runtime: runtime.into(),
            designs: answers(tunings, space),
            trials: trials.map(|trial| TrialRow::new(trial, space)).collect(),
            refused: refused
                .map(|refused| RefusedRow {
                    architecture: space.print(&refused.design.architecture),
                    reason: refused.reason.clone(),
                })
                .collect(),
            spent: Spent {
                probes: spent(Stage::Probe),
                designs: spent(Stage::Design),
                confirmations: spent(Stage::Confirmation),
            },
            overturned: tunings.iter().map(|tuning| tuning.overturned).sum(),
        }
    }

    /// The answers: of every limit the better design.
    pub fn chosen(&self) -> impl Iterator<Item = &TunedRow> {
        self.designs.iter().filter(|design| design.chosen)
    }

    /// What accuracies say where designs of several precisions were compared.
    pub fn precisions_note(&self) -> String {
        precisions_note(self.designs.iter().map(|design| design.accuracy))
    }

    /// Whether designs of several precisions were compared.
    pub fn has_precisions(&self) -> bool {
        self.designs.iter().any(|design| !design.chosen)
    }

    /// Median over the designs proposed, probes apart, of how far the prediction was off, in percent; `None` without any.
    pub fn median_error_percent(&self) -> Option<f64> {
        let designs = self.trials.iter().filter(|trial| trial.stage == Stage::Design);
        let errors: Vec<f64> = designs
            .map(|trial| 100.0 * (trial.predicted_latency_ms.mean / trial.measured_latency_ms.mean - 1.0).abs())
            .collect();
        stats::quantile(&errors, 0.5)
    }
}

/// The answers of every tuning, limit by limit.
fn answers(tunings: &[Tuning], space: &dyn SearchSpace) -> Vec<TunedRow> {
    let of_limit = |(limit, better): (usize, usize)| {
        let each = tunings.iter().enumerate();
        each.filter_map(move |(number, tuning)| {
            let tuned = &tuning.tuned[limit];
            let trial = tuning.trials.get(tuned.trial?)?;
            Some(TunedRow {
                chosen: number == better,
                ..TunedRow::new(tuned, trial, space)
            })
        })
    };
    better(tunings).into_iter().enumerate().flat_map(of_limit).collect()
}

fn measured(latency: &crate::measure::LatencySummary) -> Estimate {
    Estimate {
        mean: latency.median_ms,
        low: latency.low_ms,
        high: latency.high_ms,
    }
}

impl TunedRow {
    fn new(tuned: &Tuned, trial: &Trial, space: &dyn SearchSpace) -> TunedRow {
        TunedRow {
            max_latency_ms: tuned.limit_ms,
            holds: tuned.holds,
            chosen: true,
            architecture: space.print(&trial.measured.design.architecture),
            quantization: trial.measured.design.quantization(space),
            accuracy: trial.accuracy,
            predicted_latency_ms: trial.predicted,
            measured_latency_ms: measured(&trial.measured.latency),
            confirmed_latency_ms: tuned.confirmation.as_ref().map(|again| measured(&again.latency)),
            measured_energy_mj: trial.measured.energy_mj,
            model: None,
        }
    }
}

impl TrialRow {
    fn new(trial: &Trial, space: &dyn SearchSpace) -> TrialRow {
        TrialRow {
            stage: trial.stage,
            architecture: space.print(&trial.measured.design.architecture),
            quantization: trial.measured.design.quantization(space),
            accuracy: trial.accuracy,
            predicted_latency_ms: trial.predicted,
            measured_latency_ms: measured(&trial.measured.latency),
            measured_energy_mj: trial.measured.energy_mj,
        }
    }
}

/// Puts the report together.
///
/// # Errors
/// If a figure cannot be drawn.
pub fn tuning_page(report: &TuningReport, provenance: &Provenance) -> Result<Page> {
    Ok(Page {
        title: format!("Designs for {}, measured", report.context.device),
        lead: lead(report),
        sections: vec![
            designs(report),
            against_measured(report)?,
            front(report)?,
            trials(report),
        ],
        provenance: provenance.entries().to_vec(),
    })
}

fn lead(report: &TuningReport) -> String {
    let held = report.chosen().filter(|design| design.holds).count();
    let Spent {
        probes,
        designs,
        confirmations,
    } = report.spent;
    let error = report.median_error_percent().map_or(String::new(), |error| {
        format!(" Predictions of designs that had not been measured were off by {error:.1} % in the median.")
    });
    format!(
        "{held} of {} limits are held as measured with {}. {} measurements: {probes} probes, {designs} designs, {confirmations} \
         confirmations.{error}{}",
        report.chosen().count(),
        report.runtime,
        probes + designs + confirmations,
        if report.has_precisions() {
            format!(" Several precisions were compared: {}.", report.precisions_note())
        } else {
            String::new()
        }
    )
}

fn estimate(one: Estimate) -> String {
    format!("{:.3} [{:.3}, {:.3}]", one.mean, one.low, one.high)
}

fn designs(report: &TuningReport) -> Section {
    let kind = kind_of(report.designs.iter().map(|design| design.accuracy));
    let row = |design: &TunedRow| {
        vec![
            format!("{}", design.max_latency_ms),
            if design.holds { "yes" } else { "no" }.into(),
            if design.chosen { "yes" } else { "no" }.into(),
            design.quantization.clone(),
            format!("{:.2}", design.accuracy.percent.mean),
            design.accuracy.origin.name().into(),
            estimate(design.predicted_latency_ms),
            estimate(design.measured_latency_ms),
            design.confirmed_latency_ms.map_or_else(|| "–".into(), estimate),
            design.architecture.clone(),
            design.model.clone().unwrap_or_else(|| "–".into()),
        ]
    };
    let header = [
        "limit, ms",
        "held",
        "taken",
        "precision",
        kind.axis(),
        &format!("{} is", kind.name()),
        "predicted, ms",
        "measured, ms",
        "measured again, ms",
        "architecture",
        "model",
    ];
    Section {
        heading: "The design for every limit".into(),
        blocks: vec![Block::Table(Table {
            caption: "The most accurate design that was measured within each limit, with 90 % intervals. Predictions are those \
                      made before the design was measured; an interval of a measurement is where the median of another one is \
                      expected. Where no design holds the limit, the fastest one measured stands here."
                .into(),
            header: header.map(String::from).to_vec(),
            rows: report.designs.iter().map(row).collect(),
        })],
    }
}

fn against_measured(report: &TuningReport) -> Result<Section> {
    let points = |stage: Stage| -> Vec<[f64; 2]> {
        let trials = report.trials.iter().filter(|trial| trial.stage == stage);
        trials
            .map(|trial| [trial.measured_latency_ms.mean, trial.predicted_latency_ms.mean])
            .collect()
    };
    let mut panels = vec![("probes, predicted from the datasheet".to_string(), points(Stage::Probe))];
    let designs = points(Stage::Design);
    if !designs.is_empty() {
        panels.push(("designs, predicted after the probes".to_string(), designs));
    }
    let scatter = Scatter {
        title: "Predicted against measured latency".into(),
        quantity: "latency, ms".into(),
        panels,
    };
    Ok(Section {
        heading: "Predicted against measured".into(),
        blocks: vec![Block::Panels {
            panels: scatter.panels()?,
            caption:
                "Every prediction was made before its design was measured. On the line they agree; the thin lines are \
                      10 % off."
                    .into(),
        }],
    })
}

fn front(report: &TuningReport) -> Result<Section> {
    let points: Vec<[f64; 2]> = (report.trials.iter())
        .map(|trial| [trial.measured_latency_ms.mean, trial.accuracy.percent.mean])
        .collect();
    let latencies: Vec<f64> = points.iter().map(|point| point[0]).collect();
    let accuracies: Vec<f64> = points.iter().map(|point| point[1]).collect();
    let table = Tradeoff::new([(Metric::Accuracy, &accuracies[..]), (Metric::Latency, &latencies)]);
    let mut best: Vec<[f64; 2]> = table.front().into_iter().map(|one| points[one]).collect();
    best.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let fronts = Fronts {
        title: "Accuracy against measured latency".into(),
        reference: "front of all measured".into(),
        names: vec!["measured".into()],
        panels: vec![FrontPanel {
            name: report.context.device.clone(),
            truth: best,
            found: vec![points],
        }],
    };
    Ok(Section {
        heading: "What was measured".into(),
        blocks: vec![Block::Panels {
            panels: fronts.panels()?,
            caption: "Every design that was measured, and the front of them as a line.".into(),
        }],
    })
}

fn trials(report: &TuningReport) -> Section {
    let kind = kind_of(report.trials.iter().map(|trial| trial.accuracy));
    let row = |trial: &TrialRow| {
        vec![
            trial.stage.name().into(),
            trial.quantization.clone(),
            format!("{:.2}", trial.accuracy.percent.mean),
            estimate(trial.predicted_latency_ms),
            estimate(trial.measured_latency_ms),
            trial.architecture.clone(),
        ]
    };
    let mut blocks = vec![Block::Table(Table {
        caption: "In the order of measuring.".into(),
        header: [
            "for",
            "precision",
            kind.axis(),
            "predicted, ms",
            "measured, ms",
            "architecture",
        ]
        .map(String::from)
        .to_vec(),
        rows: report.trials.iter().map(row).collect(),
    })];
    if !report.refused.is_empty() {
        blocks.push(Block::Table(Table {
            caption: "Designs that the runtime does not run.".into(),
            header: ["architecture", "reason"].map(String::from).to_vec(),
            rows: (report.refused.iter())
                .map(|refused| vec![refused.architecture.clone(), refused.reason.clone()])
                .collect(),
        }));
    }
    Section {
        heading: "All measurements".into(),
        blocks,
    }
}
