//! `edgefit device`: the datasheet of this machine, and where the time of networks goes on any device.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::explain::{self, ExplainArgs};
use super::{Global, print};
use crate::device::machine::{MachineSheet, System, measured_bandwidth_gb_s, measured_peak_gflops};
use crate::error::Result;
use crate::files::FileKind;
use crate::measure::{HostState, host_warnings};
use crate::progress::{Progress, Unit};
use crate::space::Precision;

/// Seconds of each benchmark.
const BENCHMARK_SECONDS: f64 = 2.0;

#[derive(Debug, Subcommand)]
pub(crate) enum DeviceVerb {
    /// Write down what this machine is, as a datasheet with where each value comes from
    #[command(after_help = "\
Examples:
  edgefit device describe
  edgefit device describe --measure --out this.toml

What cannot be known here is a comment: fill it in from the datasheet. Values marked derived or guessed deserve a look.")]
    Describe(DescribeArgs),
    /// Say where the time of a network goes on a device, by kind of work, and what each kind costs there
    #[command(after_help = "\
Examples:
  edgefit device explain --checkpoint nasbench201 --device pixel3
  edgefit device explain --checkpoint nasbench201 --device phone.json --json

Latency is a sum of prices times counts of work. Every share and every price has the interval that holds 90 %.")]
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// Threads that models are run with [default: all cores]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Precision of the networks
    #[arg(long, default_value_t = Precision::Fp32)]
    precision: Precision,
    /// Measure peak and bandwidth, some seconds each, in place of a derived peak and an unknown bandwidth
    #[arg(long)]
    measure: bool,
    /// File to write [default: stdout]
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(crate) fn run(verb: &DeviceVerb, global: &Global) -> Result<ExitCode> {
    match verb {
        DeviceVerb::Describe(args) => describe(args, global),
        DeviceVerb::Explain(args) => explain::run(args, global),
    }
}

fn describe(args: &DescribeArgs, global: &Global) -> Result<ExitCode> {
    if let Some(out) = &args.out {
        global.check_out(out, FileKind::Datasheet)?;
    }
    let threads = args.threads.map(usize::from);
    let mut sheet = MachineSheet::of(&System::default(), threads)?;
    if args.measure {
        measure(&mut sheet, threads, global)?;
    }
    let text = sheet.to_toml(args.precision);
    match &args.out {
        Some(path) => {
            let written = format!(
                "wrote {}; look at what is guessed, and fill in what is unknown",
                path.display()
            );
            global.write_out(path, text.as_bytes(), &written)?;
        }
        None => print(&text)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(sheet: &mut MachineSheet, threads: Option<usize>, global: &Global) -> Result<()> {
    let threads = threads.unwrap_or_else(|| sheet.cores.as_ref().map_or(1, |cores| cores.value as usize));
    for warning in host_warnings(&HostState::of(&System::default()), threads) {
        global.say(format!("warning: {warning}"));
    }
    let progress = global.progress();
    progress.start("measuring", Unit::Count("benchmarks"), Some(2));
    sheet.set_measured_peak(measured_peak_gflops(threads, BENCHMARK_SECONDS)?);
    progress.advance(1);
    let cache_mib = sheet.on_chip_memory_mib.as_ref().map(|cache| cache.value);
    sheet.set_measured_bandwidth(measured_bandwidth_gb_s(threads, cache_mib, BENCHMARK_SECONDS)?);
    progress.finish();
    Ok(())
}
