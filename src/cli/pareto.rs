//! `edgefit pareto`: the design for each of many limits on latency.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::design::ConstraintArgs;
use super::device::resolve;
use super::predict::Format;
use super::table::{architecture, interval, new_table};
use super::{Global, NOTHING_FEASIBLE, print, print_json};
use crate::advisor::ParetoPoint;
use crate::error::Result;
use crate::files::FileKind;
use crate::predict::DeviceModel;
use crate::report::{DesignRow, Lines, kind_of, pareto_csv};
use crate::stats::{INTERVAL_SHARE, Interval};

#[derive(Debug, Args)]
pub(crate) struct ParetoArgs {
    /// Checkpoint, with an optimizer where its space is too large to list: a folder, or the name of a shipped one, such as
    /// nasbench201
    #[arg(long)]
    checkpoint: PathBuf,
    /// Device: an id, a datasheet (.toml), or a device adapted to (.json)
    #[arg(long)]
    device: String,
    /// Limits on latency in ms, separated by commas [default: --limits of them]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    limits_ms: Vec<f64>,
    /// Number of limits, evenly spaced in their logarithm over the device's latencies
    #[arg(long, default_value_t = 10)]
    limits: usize,
    #[command(flatten)]
    constraints: ConstraintArgs,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// File to write a figure to, as SVG; where architectures say bits, with the designs of eight bits everywhere beside them
    #[arg(long)]
    svg: Option<PathBuf>,
}

pub(crate) fn run(args: &ParetoArgs, global: &Global) -> Result<ExitCode> {
    let request = args.constraints.request(1)?;
    if let Some(path) = &args.svg {
        global.check_out(path, FileKind::Figure)?;
    }
    let advisor = global.advisor(&args.checkpoint)?;
    let (advisor, device) = resolve(&args.device, advisor, global)?;
    let limits_ms = if args.limits_ms.is_empty() {
        advisor.typical_limits(&device, args.limits)?
    } else {
        args.limits_ms.clone()
    };
    let context = global.context(&device);
    let rows_of = |device: &DeviceModel| -> Result<Vec<DesignRow>> {
        let points = advisor.pareto(device, &request, &limits_ms)?.into_iter();
        let row = |point: ParetoPoint| DesignRow::all(&point.proposals, &point.limits, advisor.space(), &context);
        Ok(points.flat_map(row).collect())
    };
    let rows = rows_of(&device)?;
    if let Some(path) = &args.svg {
        let mut lines = vec![(device.id.clone(), rows.clone())];
        if advisor.space().has_bits() {
            lines.push(("8 bits everywhere".into(), rows_of(&device.at_eight_bits())?));
        }
        let figure = figure(&limits_ms, &lines, &device.id).svg()?;
        global.write_out(path, figure.as_bytes(), &format!("wrote {}", path.display()))?;
    }
    match args.format {
        Format::Json => print_json(&rows)?,
        Format::Csv => print(&pareto_csv(&limits_ms, &rows)?)?,
        Format::Table => print(&table(&limits_ms, &rows, global.seed))?,
    }
    if rows.iter().any(|row| row.feasible) {
        Ok(ExitCode::SUCCESS)
    } else {
        global.say("no design meets any of the limits; the closest are shown");
        Ok(ExitCode::from(NOTHING_FEASIBLE))
    }
}

fn table(limits_ms: &[f64], rows: &[DesignRow], seed: u64) -> String {
    let kind = kind_of(rows.iter().map(|row| row.accuracy));
    let mut table = new_table([
        "limit ms",
        "architecture",
        kind.header(),
        "latency ms",
        "P(limits hold)",
    ]);
    for (limit_ms, row) in limits_ms.iter().zip(rows) {
        let missed = if row.feasible { "" } else { ", missed" };
        table.add_row([
            format!("{limit_ms:.2}{missed}").into(),
            architecture(&row.architecture),
            interval(row.accuracy.percent).into(),
            interval(row.latency_ms).into(),
            format!("{:.2}", row.feasible_probability).into(),
        ]);
    }
    format!(
        "{table}\nlatency is predicted; intervals in brackets hold {:.0} %; seed {seed}",
        100.0 * INTERVAL_SHARE
    )
}

/// Accuracy over the limit, where it is kept.
fn figure(limits_ms: &[f64], lines: &[(String, Vec<DesignRow>)], device: &str) -> Lines {
    let kind = kind_of(lines.iter().flat_map(|(_, rows)| rows).map(|row| row.accuracy));
    let point = |(&limit_ms, row): (&f64, &DesignRow)| {
        let accuracy = row.accuracy.percent;
        let interval = Interval {
            mean: accuracy.mean,
            low: accuracy.low,
            high: accuracy.high,
        };
        (limit_ms, interval)
    };
    let line = |(name, rows): &(String, Vec<DesignRow>)| {
        let kept = limits_ms.iter().zip(rows).filter(|(_, row)| row.feasible);
        (name.clone(), kept.map(point).collect())
    };
    Lines {
        title: format!(
            "The {} of the best design within each limit on the latency of {device}",
            kind.name()
        ),
        across: "limit on latency, ms".into(),
        up: kind.axis().into(),
        logarithmic: true,
        from_zero: false,
        lines: lines.iter().map(line).collect(),
    }
}
