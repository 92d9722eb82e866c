//! `edgefit design`: the best designs for a device and limits, at once.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::device::SettingArgs;
use super::predict::Format;
use super::table::{architecture, interval, new_table};
use super::{Global, NOTHING_FEASIBLE, print, print_json};
use crate::error::Result;
use crate::metric::{Metric, Source};
use crate::optimize::{Proposal, Proposals, Request};
use crate::predict::{DeviceModel, Knowledge, Predictor, ScoreKind};
use crate::report::{DesignRow, designs_csv, drop_note, kind_of, precisions_note};
use crate::search::{Constraint, DEFAULT_CONFIDENCE, Limits, Miss, Objective};
use crate::space::SearchSpace;
use crate::stats::INTERVAL_SHARE;

/// Designs printed unless another number is given.
pub(crate) const DESIGNS: usize = 5;

#[derive(Debug, Args)]
pub(crate) struct DesignArgs {
    /// Checkpoint, with an optimizer where its space is too large to list: a folder, or the name of a shipped one, such as
    /// nasbench201
    #[arg(long)]
    checkpoint: PathBuf,
    #[command(flatten)]
    settings: SettingArgs,
    #[command(flatten)]
    constraints: ConstraintArgs,
    /// Number of designs, the best first
    #[arg(long, default_value_t = DESIGNS)]
    count: usize,
    /// In spaces too large to look at all of it: designs sampled from the optimizer and verified, beside its first choice
    #[arg(long, default_value_t = 16)]
    samples: usize,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Limits and weights that designs are chosen by.
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
    /// Maximum multiply-accumulate operations for one input, in millions
    #[arg(long, allow_negative_numbers = true)]
    max_macs_m: Option<f64>,
    /// Maximum trainable parameters, in millions
    #[arg(long, allow_negative_numbers = true)]
    max_parameters_m: Option<f64>,
    /// Maximum size of the weights at the design's precision, in MiB
    #[arg(long, allow_negative_numbers = true)]
    max_size_mib: Option<f64>,
    /// Maximum memory of the feature maps that are alive at once at the design's precision, in KiB
    #[arg(long, allow_negative_numbers = true)]
    max_memory_kib: Option<f64>,
    /// Instead of, or beside, limits: percentage points of accuracy that one ms is worth
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    latency_weight: f64,
    /// Percentage points of accuracy that one mJ is worth
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    energy_weight: f64,
    /// Also networks whose output does not depend on their input, which are as accurate as chance
    #[arg(long)]
    degenerate: bool,
    /// Probability with which all limits have to hold
    #[arg(long, default_value_t = DEFAULT_CONFIDENCE, allow_negative_numbers = true)]
    confidence: f64,
}

impl ConstraintArgs {
    /// Limits and objective in the library's terms.
    pub(crate) fn request(&self, count: usize) -> Result<Request> {
        let limits = [
            (Metric::Latency, self.max_latency_ms),
            (Metric::Energy, self.max_energy_mj),
            (Metric::Accuracy, self.min_accuracy),
            (Metric::Macs, self.max_macs_m),
            (Metric::Parameters, self.max_parameters_m),
            (Metric::ModelSize, self.max_size_mib),
            (Metric::PeakMemory, self.max_memory_kib),
        ];
        let constraints = limits
            .into_iter()
            .filter_map(|(metric, limit)| Some(Constraint::new(metric, limit?)))
            .collect::<Result<Vec<_>>>()?;
        Ok(Request {
            limits: Limits::new(constraints, self.confidence)?,
            objective: Objective::new([
                (Metric::Latency, self.latency_weight),
                (Metric::Energy, self.energy_weight),
            ])?,
            count,
            degenerate: self.degenerate,
            ..Request::default()
        })
    }
}

impl ConstraintArgs {
    /// The limit on latency, which the request then has no more.
    pub(crate) fn take_latency(&self, request: &mut Request) -> Result<Option<f64>> {
        let others = request.limits.constraints().iter().copied();
        let others = others
            .filter(|constraint| constraint.metric() != Metric::Latency)
            .collect();
        request.limits = Limits::new(others, request.limits.confidence())?;
        Ok(self.max_latency_ms)
    }
}

pub(crate) fn run(args: &DesignArgs, global: &Global) -> Result<ExitCode> {
    let request = Request {
        samples: args.samples,
        ..args.constraints.request(args.count)?
    };
    let advisor = global.advisor(&args.checkpoint)?;
    let (advisor, settings) = args.settings.resolve(advisor, global)?;
    let found = advisor.design_among(&settings, &request)?;
    let predictor = advisor.predictor();
    let found: Vec<(&DeviceModel, &Proposals)> = found
        .iter()
        .map(|one| (&settings[one.setting], &one.proposals))
        .collect();
    print_proposals(
        &found,
        &request,
        predictor.space,
        &scope(predictor),
        args.format,
        global,
    )
}

/// What is printed below a table of designs.
fn scope(predictor: &Predictor) -> String {
    match predictor.table() {
        Some(table) => format!(
            "the best of all {} architectures of the space",
            table.architectures.len()
        ),
        None => "the best that were found; the space is too large to look at all of it".into(),
    }
}

/// Prints designs, each with its device; of nothing feasible, the closest design, what it misses on stderr, and exit status 3. `scope`
/// says below a table what the designs are the best of.
pub(crate) fn print_proposals(
    found: &[(&DeviceModel, &Proposals)],
    request: &Request,
    space: &dyn SearchSpace,
    scope: &str,
    format: Format,
    global: &Global,
) -> Result<ExitCode> {
    let rows_of = |(device, proposals): &(&DeviceModel, &Proposals)| {
        let context = global.context(device);
        DesignRow::all(proposals, &request.limits, space, (&context, device.knowledge))
    };
    let rows: Vec<DesignRow> = found.iter().flat_map(rows_of).collect();
    let mut code = ExitCode::SUCCESS;
    for (_, proposals) in found {
        if let Proposals::Closest { proposal, misses } = proposals {
            global.say(closest(proposal, misses, &request.limits));
            code = ExitCode::from(NOTHING_FEASIBLE);
        }
    }
    match format {
        Format::Json => print_json(&rows)?,
        Format::Csv => print(&designs_csv(&rows)?)?,
        Format::Table => print(&format!(
            "{}\n{scope}; seed {}",
            table(&rows, &request.limits),
            global.seed
        ))?,
    }
    Ok(code)
}

fn closest(proposal: &Proposal, misses: &[Miss], limits: &Limits) -> String {
    let by: Vec<String> = misses.iter().map(Miss::to_string).collect();
    if by.is_empty() {
        let limited = limits.constraints().iter().map(Constraint::metric);
        let measured: Vec<&str> = limited
            .filter(|metric| metric.source() == Source::Device)
            .map(Metric::name)
            .collect();
        let measure = if measured.is_empty() {
            String::new()
        } else {
            format!(", or measure the {} of more probes", measured.join(" and the "))
        };
        format!(
            "no design meets the limits surely enough; the closest holds them with probability {:.2}. Lower \
             --confidence{measure}",
            proposal.feasible_probability
        )
    } else {
        format!("no design meets the limits; the closest misses {}", by.join(" and "))
    }
}

/// What has to be known of rows beside their numbers, a line each: what was predicted from specifications, and what was subtracted from
/// accuracies.
pub(crate) fn notes(rows: &[DesignRow]) -> String {
    let predicted = rows.iter().filter(|row| row.knowledge == Knowledge::Specifications);
    let precisions: BTreeSet<&str> = predicted.map(|row| row.quantization.as_str()).collect();
    let mut notes = String::new();
    if !precisions.is_empty() {
        let named: Vec<&str> = precisions.into_iter().collect();
        notes = format!(
            "latency and energy at {} are predicted from specifications and from what was measured in another precision\n",
            named.join(", ")
        );
    }
    let accuracies = || rows.iter().map(|row| row.accuracy);
    let of_several = rows
        .windows(2)
        .any(|two| two[0].context.device != two[1].context.device);
    let note = if of_several && kind_of(accuracies()) == ScoreKind::Proxy {
        Some(precisions_note(accuracies()))
    } else {
        drop_note(accuracies())
    };
    if let Some(line) = note {
        notes.push_str(&line);
        notes.push('\n');
    }
    notes
}

/// The designs, with those computed metrics that are limited. What all rows share stands below, to keep the table narrow.
fn table(rows: &[DesignRow], limits: &Limits) -> String {
    let limited = limits.constraints().iter().map(Constraint::metric);
    let computed: Vec<Metric> = limited.filter(|metric| metric.source() == Source::Computed).collect();
    let (first, last) = (rows.first(), rows.last());
    let quantization = first.filter(|first| rows.iter().all(|row| row.quantization == first.quantization));
    let origin = last.filter(|last| rows.iter().all(|row| row.accuracy.origin == last.accuracy.origin));
    let device = first.filter(|first| rows.iter().all(|row| row.context.device == first.context.device));
    let mut header = vec!["architecture".to_string()];
    header.extend(device.is_none().then(|| "device".into()));
    header.extend(quantization.is_none().then(|| "quantization".into()));
    let kind = kind_of(rows.iter().map(|row| row.accuracy));
    header.push(kind.header().into());
    header.extend(origin.is_none().then(|| format!("{} is", kind.name())));
    header.extend(Metric::OF_DEVICE.map(|metric| format!("{metric} {}", metric.unit())));
    header.push("P(limits hold)".into());
    header.extend(computed.iter().map(|metric| format!("{metric}, {}", metric.unit())));
    let mut table = new_table(header);
    for row in rows {
        let mut cells = vec![architecture(&row.architecture)];
        cells.extend(device.is_none().then(|| row.context.device.clone().into()));
        cells.extend(quantization.is_none().then(|| row.quantization.clone().into()));
        cells.push(interval(row.accuracy.percent).into());
        cells.extend(origin.is_none().then(|| row.accuracy.origin.name().into()));
        cells.push(interval(row.latency_ms).into());
        cells.push(row.energy_mj.map_or_else(|| "-".into(), interval).into());
        cells.push(format!("{:.2}", row.feasible_probability).into());
        let value = |metric: &Metric| row.computed(*metric).map(|value| format!("{value:.3}"));
        cells.extend(
            computed
                .iter()
                .map(|metric| value(metric).unwrap_or_else(|| "-".into()).into()),
        );
        table.add_row(cells);
    }
    let mut shared: Vec<String> = Vec::new();
    shared.extend(quantization.map(|row| format!("all in {}", row.quantization)));
    shared.extend(origin.map(|row| format!("{} are {}", kind.plural(), row.accuracy.origin.name())));
    let shared = if shared.is_empty() {
        String::new()
    } else {
        format!("{}\n", shared.join("; "))
    };
    format!(
        "{table}\n{shared}{}latency and energy are predicted; intervals in brackets hold {:.0} %",
        notes(rows),
        100.0 * INTERVAL_SHARE
    )
}
