//! `edgefit evaluate datasheets`: predict known devices from their datasheets alone, without what is known of them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::table::new_table;
use super::{Global, print, print_json};
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::evaluate::datasheets::{DatasheetReport, LeaveOut, Method, score_datasheets};
use crate::seed::Seed;

#[derive(Debug, Args)]
pub(crate) struct DatasheetsArgs {
    /// Checkpoint: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    checkpoint: PathBuf,
    /// Which devices are left out together
    #[arg(long, value_enum, default_value = "unit")]
    leave_out: LeaveOut,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &DatasheetsArgs, global: &Global) -> Result<ExitCode> {
    let predictor = Checkpoint::resolve(&args.checkpoint)?.predictor(&global.backend.device()?)?;
    let report = score_datasheets(&predictor, args.leave_out, Seed(global.seed))?;
    if args.json {
        print_json(&report)?
    } else {
        print(&table(&report))?
    }
    Ok(ExitCode::SUCCESS)
}

fn table(report: &DatasheetReport) -> String {
    let mut table = new_table(["predicted by", "SRCC", "median error", "log density"]);
    for row in &report.rows {
        let method = match row.method {
            Method::Population => "all other devices as one population",
            Method::Network => "a network from datasheets to profiles",
            Method::Kernel => "the predictor: a kernel over datasheets",
        };
        table.add_row([
            method.to_string(),
            format!("{:.3}", row.spearman),
            format!("{:.0} %", row.median_error_percent),
            format!("{:.2}", row.log_density),
        ]);
    }
    format!(
        "{table}\nMeans over {} hardware units, the error of the median one, in {} parts left out in turn. Densities are of logarithms; \
         larger is better. Seed {}.",
        report.units, report.groups, report.seed
    )
}
