//! `edgefit pareto`: the design for each of many limits on latency.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::design::{ConstraintArgs, notes};
use super::device::SettingArgs;
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
    #[command(flatten)]
    settings: SettingArgs,
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
    let (advisor, settings) = args.settings.resolve(advisor, global)?;
    let limits_ms = if args.limits_ms.is_empty() {
        advisor.typical_limits_among(&settings, args.limits)?
    } else {
        args.limits_ms.clone()
    };
    let rows_of = |settings: &[DeviceModel]| -> Result<Vec<DesignRow>> {
        let points = advisor.pareto_among(settings, &request, &limits_ms)?.into_iter();
        let row = |point: ParetoPoint| {
            let setting = &settings[point.setting];
            let device = (&global.context(setting), setting.knowledge);
            DesignRow::all(&point.proposals, &point.limits, advisor.space(), device)
        };
        Ok(points.flat_map(row).collect())
    };
    let rows = rows_of(&settings)?;
    if let Some(path) = &args.svg {
        let name = match settings.as_slice() {
            [only] => &only.id,
            several => &several[0].datasheet.unit,
        };
        let mut lines = vec![(name.clone(), rows.clone())];
        if advisor.space().has_bits() {
            let rigid: Vec<DeviceModel> = settings.iter().map(DeviceModel::at_eight_bits).collect();
            lines.push(("8 bits everywhere".into(), rows_of(&rigid)?));
        }
        let figure = figure(&limits_ms, &lines, name).svg()?;
        global.write_out(path, figure.as_bytes(), &format!("wrote {}", path.display()))?;
    }
    match args.format {
        Format::Json => print_json(&rows)?,
        Format::Csv => print(&pareto_csv(&limits_ms, &rows)?)?,
        Format::Table => print(&table(&limits_ms, &rows, settings.len() > 1, global.seed))?,
    }
    if rows.iter().any(|row| row.feasible) {
        Ok(ExitCode::SUCCESS)
    } else {
        global.say("no design meets any of the limits; the closest are shown");
        Ok(ExitCode::from(NOTHING_FEASIBLE))
    }
}

/// With the device of every row where it is one of several.
fn table(limits_ms: &[f64], rows: &[DesignRow], several: bool, seed: u64) -> String {
    let kind = kind_of(rows.iter().map(|row| row.accuracy));
    let mut header = vec!["limit ms", "architecture"];
    header.extend(several.then_some(["device", "quantization"]).into_iter().flatten());
    header.extend([kind.header(), "latency ms", "P(limits hold)"]);
    let mut table = new_table(header);
    for (limit_ms, row) in limits_ms.iter().zip(rows) {
        let missed = if row.feasible { "" } else { ", missed" };
        let mut cells = vec![format!("{limit_ms:.2}{missed}").into(), architecture(&row.architecture)];
        if several {
            cells.extend([row.context.device.clone().into(), row.quantization.clone().into()]);
        }
        cells.extend([
            interval(row.accuracy.percent).into(),
            interval(row.latency_ms).into(),
            format!("{:.2}", row.feasible_probability).into(),
        ]);
        table.add_row(cells);
    }
    format!(
        "{table}\n{}latency is predicted; intervals in brackets hold {:.0} %; seed {seed}",
        notes(rows),
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
