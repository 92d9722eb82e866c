//! `edgefit design`: the best designs for a device and limits, at once.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use comfy_table::{Table, presets};
use serde::Serialize;

use super::device::resolve;
use super::predict::Format;
use super::{Global, print, print_json};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::optimize::{Proposal, Proposals, Request};
use crate::predict::{Estimate, Knowledge, Predictor};
use crate::search::{Constraint, Limits, Miss, Objective};
use crate::seed::Seed;

/// Exit status when no design meets the limits.
const NOTHING_FEASIBLE: u8 = 3;

#[derive(Debug, Args)]
pub(crate) struct DesignArgs {
    /// Checkpoint with a predictor and an optimizer: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    checkpoint: PathBuf,
    /// Device: an id, a datasheet (.toml), or a device adapted to (.json)
    #[arg(long)]
    device: String,
    #[command(flatten)]
    asked: ConstraintArgs,
    /// Designs sampled from the optimizer and verified, beside its first choice
    #[arg(long, default_value_t = 16)]
    samples: usize,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What is asked of designs.
#[derive(Debug, Args)]
pub(crate) struct ConstraintArgs {
    /// Maximum latency of one batch, in ms
    #[arg(long, allow_negative_numbers = true)]
    max_latency_ms: Option<f64>,
    /// Maximum energy of one batch, in mJ
    #[arg(long, allow_negative_numbers = true)]
    max_energy_mj: Option<f64>,
    /// Least accuracy, in percent
    #[arg(long, allow_negative_numbers = true)]
    min_accuracy: Option<f64>,
    /// Instead of, or beside, limits: percentage points of accuracy that one ms is worth
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    latency_weight: f64,
    /// Percentage points of accuracy that one mJ is worth
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    energy_weight: f64,
    /// Probability with which all limits have to hold
    #[arg(long, default_value_t = 0.9, allow_negative_numbers = true)]
    confidence: f64,
    /// Number of designs
    #[arg(long, default_value_t = 5)]
    count: usize,
}

impl ConstraintArgs {
    /// Limits and objective in the library's terms.
    pub(crate) fn request(&self, samples: usize) -> Result<Request> {
        let limits = [
            (Metric::Latency, self.max_latency_ms),
            (Metric::Energy, self.max_energy_mj),
            (Metric::Accuracy, self.min_accuracy),
        ];
        let constraints = limits
            .into_iter()
            .filter_map(|(metric, limit)| Some(Constraint::new(metric, limit?)))
            .collect::<Result<Vec<_>>>()?;
        if self.count == 0 {
            return Err(Error::Invalid {
                what: "--count".into(),
                expected: "1 or more".into(),
                found: "0".into(),
                hint: "Leave it out for 5 designs.".into(),
            });
        }
        Ok(Request {
            limits: Limits::new(constraints, self.confidence)?,
            objective: Objective::new([
                (Metric::Latency, self.latency_weight),
                (Metric::Energy, self.energy_weight),
            ])?,
            count: self.count,
            samples,
            ..Request::default()
        })
    }
}

pub(crate) fn run(args: &DesignArgs, global: &Global) -> Result<ExitCode> {
    let request = args.asked.request(args.samples)?;
    let compute = global.backend.device()?;
    let checkpoint = Checkpoint::resolve(&args.checkpoint)?;
    let predictor = checkpoint.predictor(&compute)?;
    let optimizer = checkpoint.optimizer(&compute)?;
    let device = resolve(&args.device, &predictor, global)?;
    let proposals = optimizer.propose(&predictor, &device, &request, Seed(global.seed))?;
    if device.knowledge == Knowledge::Prior {
        global.say("note: designs are chosen without any measurement on this device");
    }
    print_proposals(&proposals, &predictor, args.format, global)
}

/// One design as the JSON contract has it.
#[derive(Debug, Serialize)]
struct Row {
    architecture: String,
    quantization: String,
    accuracy: Estimate,
    accuracy_origin: &'static str,
    latency_ms: Estimate,
    energy_mj: Option<Estimate>,
    feasible_probability: f64,
}

impl Row {
    fn of(proposal: &Proposal, predictor: &Predictor) -> Row {
        Row {
            architecture: predictor.space.print(&proposal.design.architecture),
            quantization: proposal.design.quantization.clone(),
            accuracy: proposal.accuracy.percent,
            accuracy_origin: proposal.accuracy.origin.name(),
            latency_ms: proposal.latency,
            energy_mj: proposal.energy,
            feasible_probability: proposal.feasible_probability,
        }
    }
}

/// Prints designs; of nothing feasible, the closest design, what it misses on stderr, and exit status 3.
pub(crate) fn print_proposals(
    proposals: &Proposals,
    predictor: &Predictor,
    format: Format,
    global: &Global,
) -> Result<ExitCode> {
    let (rows, code) = match proposals {
        Proposals::Feasible(proposals) => (
            proposals
                .iter()
                .map(|one| Row::of(one, predictor))
                .collect::<Vec<Row>>(),
            ExitCode::SUCCESS,
        ),
        Proposals::Closest { proposal, misses } => {
            global.say(closest(proposal, misses));
            (vec![Row::of(proposal, predictor)], ExitCode::from(NOTHING_FEASIBLE))
        }
    };
    match format {
        Format::Json => print_json(&rows)?,
        Format::Csv => print(&csv(&rows)?)?,
        Format::Table => print(&table(&rows))?,
    }
    Ok(code)
}

fn closest(proposal: &Proposal, misses: &[Miss]) -> String {
    let by: Vec<String> = misses.iter().map(Miss::to_string).collect();
    if by.is_empty() {
        format!(
            "no design meets the limits surely enough; the closest holds them with probability {:.2}. Lower --confidence \
             or measure more probes",
            proposal.feasible_probability
        )
    } else {
        format!("no design meets the limits; the closest misses {}", by.join(" and "))
    }
}

const HEADER: [&str; 7] = [
    "architecture",
    "quantization",
    "accuracy %",
    "accuracy is",
    "latency ms",
    "energy mJ",
    "P(limits hold)",
];

fn table(rows: &[Row]) -> String {
    let interval = |one: Estimate| {
        if one.low == one.high {
            format!("{:.2}", one.mean)
        } else {
            format!("{:.2} [{:.2}, {:.2}]", one.mean, one.low, one.high)
        }
    };
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    table.set_header(HEADER);
    for row in rows {
        table.add_row([
            row.architecture.clone(),
            row.quantization.clone(),
            interval(row.accuracy),
            row.accuracy_origin.to_string(),
            interval(row.latency_ms),
            row.energy_mj.map_or_else(|| "-".into(), interval),
            format!("{:.2}", row.feasible_probability),
        ]);
    }
    format!("{table}\nlatency and energy are predicted; intervals in brackets hold 90 %")
}

fn csv(rows: &[Row]) -> Result<String> {
    let failed = |error: csv::Error| Error::io("write", "designs")(error.into());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let metrics = ["accuracy_percent", "latency_ms", "energy_mj"];
    let mut header = vec![
        "architecture".to_string(),
        "quantization".into(),
        "accuracy_origin".into(),
    ];
    header.extend(
        metrics
            .iter()
            .flat_map(|name| [name.to_string(), format!("{name}_low"), format!("{name}_high")]),
    );
    header.push("feasible_probability".into());
    writer.write_record(&header).map_err(failed)?;
    for row in rows {
        let mut cells = vec![
            row.architecture.clone(),
            row.quantization.clone(),
            row.accuracy_origin.to_string(),
        ];
        for estimate in [Some(row.accuracy), Some(row.latency_ms), row.energy_mj] {
            let numbers = estimate.map(|one| [one.mean, one.low, one.high]);
            cells.extend(
                (0..3).map(|index| numbers.map_or_else(String::new, |numbers| format!("{:.6}", numbers[index]))),
            );
        }
        cells.push(format!("{:.4}", row.feasible_probability));
        writer.write_record(&cells).map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Error::io("write", "designs")(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
