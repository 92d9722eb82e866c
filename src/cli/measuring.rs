//! What every command takes that measures: the runtime, the device, the protocol.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};

use super::runtime::RuntimeArgs;
use super::unless_meant;
use crate::advisor::Advisor;
use crate::device::machine::{MachineSheet, System};
use crate::device::{Device, catalogue, read_toml_at};
use crate::error::{Error, Result};
use crate::measure::{Outcome, Protocol, setting};
use crate::metric::{Metric, PerMetric};
use crate::predict::{AdaptOptions, Probe};
use crate::seed::Seed;
use crate::space::{Design, QuantPolicy, SearchSpace};

/// What is measured, with what, and how.
#[derive(Debug, Args)]
pub(crate) struct MeasuringArgs {
    #[command(flatten)]
    pub(crate) runtime: RuntimeArgs,
    /// Device that is measured: a datasheet (.toml) or an id of the catalogue [default: this machine, unless the runtime is a
    /// command]
    #[arg(long)]
    device: Option<String>,
    /// Precision of designs that state none: fp32, fp16, int8, int4, or int8-except- with the groups of layers that stay in fp32,
    /// depthwise, first and last, such as int8-except-depthwise-last
    #[arg(long, default_value = "fp32")]
    pub(crate) precision: QuantPolicy,
    #[command(flatten)]
    pub(crate) protocol: ProtocolArgs,
    /// Unit of the latencies that a command prints
    #[arg(long, value_enum, default_value = "ms")]
    pub(crate) unit: TimeUnit,
    /// Take latencies that are hardly possible as they are
    #[arg(long)]
    pub(crate) yes: bool,
    /// Go on with what was stopped: what is there is not measured again
    #[arg(long)]
    pub(crate) resume: bool,
}

impl MeasuringArgs {
    /// The device that a runtime measures at a precision: what `name` says, else this machine.
    pub(crate) fn device(&self, precision: QuantPolicy, batch: u32) -> Result<Device> {
        let mut unit = match &self.device {
            Some(path) if path.ends_with(".toml") => read_toml_at(path.as_ref(), precision)?,
            Some(id) => catalogue::find(id)?,
            None if self.runtime.is_local() => {
                MachineSheet::of(&System::default(), Some(self.runtime.threads()))?.device(precision.arithmetic())
            }
            None => {
                return Err(Error::Invalid {
                what: "device that the command measures".into(),
                expected: "--device with a datasheet (.toml) or an id of the catalogue".into(),
                found: "none".into(),
                hint: "`edgefit device describe` writes a datasheet where it runs; one line, id = \"my-phone\", is enough."
                    .into(),
            });
            }
        };
        if let Some(name) = self.runtime.name() {
            unit.runtime = Some(name.into());
        }
        let name = unit.runtime.clone().unwrap_or_else(|| "command".into());
        Ok(setting(&unit, &name, precision, self.runtime.threads(), batch))
    }
}

/// How often and how long.
#[derive(Debug, Args)]
pub(crate) struct ProtocolArgs {
    /// Runs that count of each design, at least
    #[arg(long, default_value_t = Protocol::default().runs)]
    runs: usize,
    /// Seconds of runs that count of each design, at least
    #[arg(long, default_value_t = Protocol::default().seconds)]
    seconds: f64,
    /// Rounds, each of which has every design once, in another order
    #[arg(long, default_value_t = Protocol::default().rounds)]
    rounds: usize,
    /// Runs in every round before those that count, at least
    #[arg(long, default_value_t = Protocol::default().warmup_runs)]
    warmup_runs: usize,
    /// Seconds in every round before the runs that count, at least
    #[arg(long, default_value_t = Protocol::default().warmup_seconds)]
    warmup_seconds: f64,
}

impl ProtocolArgs {
    /// The protocol in the library's terms.
    pub(crate) fn protocol(&self) -> Protocol {
        Protocol {
            warmup_runs: self.warmup_runs,
            warmup_seconds: self.warmup_seconds,
            runs: self.runs,
            seconds: self.seconds,
            rounds: self.rounds,
        }
    }
}

/// Units of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimeUnit {
    /// Seconds
    S,
    /// Milliseconds
    Ms,
    /// Microseconds
    Us,
}

impl TimeUnit {
    pub(crate) fn in_ms(self) -> f64 {
        match self {
            TimeUnit::S => 1e3,
            TimeUnit::Ms => 1.0,
            TimeUnit::Us => 1e-3,
        }
    }
}

/// What the checkpoint says of the first latencies, all of one precision at a time.
pub(crate) fn judged(
    advisor: &Advisor,
    devices: &BTreeMap<QuantPolicy, Device>,
    measured: &[(Design, f64)],
    seed: Seed,
) -> Result<()> {
    let options = AdaptOptions {
        seed,
        accept_implausible: false,
    };
    for (precision, device) in devices {
        let probes: Vec<Probe> = measured
            .iter()
            .filter(|(design, _)| design.policy == *precision)
            .map(|(design, latency_ms)| Probe {
                design: design.clone(),
                values: PerMetric::from([(Metric::Latency, *latency_ms)]),
            })
            .collect();
        if probes.is_empty() {
            continue;
        }
        // Whatever else may be wrong with a few first values is no reason not to measure.
        let adapted = advisor.predictor().adapt_with(device, &probes, &options);
        if let Err(implausible @ Error::Implausible { .. }) = adapted {
            return Err(implausible);
        }
    }
    Ok(())
}

/// How the options of the command help.
pub(crate) fn with_options(error: Error) -> Error {
    unless_meant(error, "--unit, or with --yes")
}

/// What was kept out, and what may be wrong, for people.
pub(crate) fn warnings(outcome: &Outcome, space: &dyn SearchSpace) -> Vec<String> {
    let refused = outcome.refused.iter().map(|refused| {
        let design = refused.design.print(space);
        format!("warning: {design} was kept out: {}", refused.reason)
    });
    let warnings = outcome.warnings.iter().map(|warning| format!("warning: {warning}"));
    refused.chain(warnings).collect()
}
