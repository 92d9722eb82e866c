//! `edgefit quickstart`: the main job, start to end, with nothing but what the binary carries.

mod measured;
mod train;

use std::process::ExitCode;

use clap::Args;
use comfy_table::Cell;

use super::Global;
use super::table::{architecture, interval};
use crate::error::Result;
use crate::optimize::{Proposals, Request};
use crate::predict::Predictor;
use crate::search::{Constraint, DEFAULT_CONFIDENCE, Limits};

const PROBES: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct QuickstartArgs {
    /// Instead of measuring on this machine, train a predictor and an optimizer on the bundled simulated fleet
    #[arg(long)]
    train: bool,
}

pub(crate) fn run(args: &QuickstartArgs, global: &Global) -> Result<ExitCode> {
    if args.train {
        train::run(global)?;
    } else {
        measured::run(global)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn within(limit_ms: f64) -> Result<Request> {
    let constraint = Constraint::new(crate::metric::Metric::Latency, limit_ms)?;
    Ok(Request::within(Limits::new(vec![constraint], DEFAULT_CONFIDENCE)?))
}

/// Limit, architecture, accuracy, latency and probability.
fn cells(limit_ms: f64, proposals: &Proposals, predictor: &Predictor) -> Vec<Cell> {
    let best = proposals.best();
    vec![
        format!("{limit_ms:.2}").into(),
        architecture(&predictor.space.print(&best.design.architecture)),
        interval(best.accuracy.percent).into(),
        interval(*best.metrics.latency()).into(),
        format!("{:.2}", best.feasible_probability).into(),
    ]
}
