//! `edgefit device explain`: where the time of a network goes on a device.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::device::resolve;
use super::table::new_table;
use super::{Global, print, print_json};
use crate::error::Result;
use crate::predict::{Estimate, Explained, ExplainedMetric};
use crate::report::{ExplainedRow, explained_sentence};
use crate::stats::{INTERVAL_SHARE, significant};

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Checkpoint: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    checkpoint: PathBuf,
    /// Device: an id, a datasheet (.toml), or a device adapted to (.json)
    #[arg(long)]
    device: String,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &ExplainArgs, global: &Global) -> Result<ExitCode> {
    let advisor = global.advisor(&args.checkpoint)?;
    let (advisor, device) = resolve(&args.device, advisor, global)?;
    let explained = advisor.predictor().explain(&device)?;
    if args.json {
        print_json(&ExplainedRow {
            context: global.context(&device),
            explained,
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let metrics = explained.metrics.iter();
    let texts: Vec<String> = metrics.map(|metric| text(&device.id, &explained, metric)).collect();
    print(&format!(
        "{}\n\nIn brackets: intervals that hold {:.0} %. A typical network is the mean over architectures drawn from \
         the search space.",
        texts.join("\n\n"),
        100.0 * INTERVAL_SHARE
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// A sentence, the kinds of work, and how their prices came to be known.
fn text(device: &str, explained: &Explained, metric: &ExplainedMetric) -> String {
    let mut table = new_table(["work".into(), format!("share of {} %", metric.metric), "price".into()]);
    for kind in &metric.kinds {
        table.add_row([
            kind.work.to_string(),
            percent(kind.share_percent),
            format!("{} {}", bracketed(kind.price, significant), kind.price_unit),
        ]);
    }
    let mut lines = vec![
        explained_sentence(device, metric),
        table.to_string(),
        format!(
            "Prices are {}{}.",
            explained.origin(metric.prices),
            batch(explained.batch_size)
        ),
    ];
    for unusual in &metric.unusual {
        lines.push(format!(
            "Like on no known device: {unusual}. Intervals are wider for it."
        ));
    }
    if let Some(dead) = metric.dead_percent {
        let run = metric.dead.iter();
        let run: Vec<String> = run
            .map(|one| format!("{} % of {}", percent(one.run_percent), one.work))
            .collect();
        lines.push(format!(
            "What cannot affect the output takes {} %. The runtime runs {}.",
            percent(dead),
            run.join(", ")
        ));
    }
    lines.join("\n")
}

/// What a batch is paid for as one input is.
fn batch(size: f64) -> String {
    if size > 1.0 {
        format!(
            "; a batch of {size} has {size} times the MACs and feature maps of one input, and the same weights, \
             launches, steps and runs"
        )
    } else {
        String::new()
    }
}

fn percent(one: Estimate) -> String {
    bracketed(one, |value| format!("{value:.1}"))
}

fn bracketed(one: Estimate, text: impl Fn(f64) -> String) -> String {
    let [mean, low, high] = [one.mean, one.low, one.high].map(text);
    if low == high {
        mean
    } else {
        format!("{mean} [{low}, {high}]")
    }
}
