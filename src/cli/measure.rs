//! `edgefit measure`: how long architectures really take, as a dataset.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};

use super::device::{own_resolutions, read_designs};
use super::measuring::{MeasuringArgs, judged, warnings, with_options};
use super::predict::Format;
use super::table::{architecture, new_table};
use super::{Global, interrupt, print, print_json};
use crate::advisor::Advisor;
use crate::device::Device;
use crate::device::machine::System;
use crate::error::{Error, Result};
use crate::export::{Weights, onnx_for_batch};
use crate::files::FileKind;
use crate::measure::{Measured, Outcome, Request, Unfinished, measure};
use crate::metric::PerMetric;
use crate::predict::{Probe, measured_table};
use crate::report::{MeasuredRow, measured_csv};
use crate::runtime;
use crate::seed::Seed;
use crate::space::{Design, InputSize, Precision, QuantPolicy, SearchSpace, by_id};
use crate::stats::INTERVAL_SHARE;

/// Classes of the networks unless a checkpoint says otherwise.
const CLASSES: u32 = 10;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["architectures", "designs", "probes"]))]
pub(crate) struct MeasureArgs {
    /// Checkpoint: a folder, or the name of a shipped one, such as nasbench201; chooses probes, and tells latencies that are
    /// hardly possible
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// Search space, such as nasbench201 or mobilenet_v3 [default: that of the checkpoint]
    #[arg(long, required_unless_present = "checkpoint")]
    space: Option<String>,
    /// File with one architecture or architecture@precision per line, CSV with a column architecture, or what `edgefit design
    /// --format json` printed; - for stdin
    #[arg(long)]
    architectures: Option<String>,
    /// A design: an architecture, or architecture@precision
    #[arg(long = "design")]
    designs: Vec<String>,
    /// So many architectures, chosen as `edgefit probes` does
    #[arg(long, requires = "checkpoint")]
    probes: Option<usize>,
    #[command(flatten)]
    measuring: MeasuringArgs,
    /// Size of the input, such as 32x32 [default: that of the checkpoint or of the space, or of the architecture where it has
    /// a resolution]
    #[arg(long)]
    input: Option<InputSize>,
    /// Inputs that are computed at once; latencies are of the whole batch
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,
    /// Dataset folder to write to, or to add to
    #[arg(long)]
    out: PathBuf,
    /// File to write what was measured to, for `edgefit adapt`
    #[arg(long)]
    probes_out: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(crate) fn run(args: &MeasureArgs, global: &Global) -> Result<ExitCode> {
    let protocol = args.measuring.protocol.protocol();
    protocol.check()?;
    if let Some(path) = &args.probes_out {
        global.check_out(path, FileKind::Probes)?;
    }
    let advisor = args.checkpoint.as_ref().map(|path| global.advisor(path)).transpose()?;
    let space = args.space(advisor.as_ref())?;
    let designs = args.designs(advisor.as_ref(), space, global)?;
    let options = args.measuring.runtime.options()?;
    let devices = args.devices(&designs)?;
    let runtime = runtime::open(&options)?;
    let (input, classes) = args.lowered_for(advisor.as_ref(), space)?;
    let export = |design: &Design| {
        let network = space.lower(&design.architecture, input, classes);
        onnx_for_batch(&network, design.policy, &Weights::seeded(global.seed), args.batch)
    };
    let judge = |measured: &[(Design, f64)]| match &advisor {
        Some(advisor) => judged(advisor, &devices, measured, Seed(global.seed)),
        None => Ok(()),
    };
    interrupt::state_is_kept();
    let request = Request {
        folder: &args.out,
        space,
        designs: &designs,
        input,
        devices: &devices,
        threads: args.measuring.runtime.threads(),
        export: &export,
        protocol,
        seed: Seed(global.seed),
        unfinished: args.unfinished(global),
        unit_ms: args.measuring.unit.in_ms(),
        accept_implausible: args.measuring.yes,
        judge: Some(&judge),
        is_local: args.measuring.runtime.is_local(),
        system: &System::default(),
    };
    let outcome = measure(&request, runtime.as_ref(), &global.progress()).map_err(with_options)?;
    args.conclude(&outcome, &runtime.describe(), space, global)?;
    Ok(ExitCode::SUCCESS)
}

impl MeasureArgs {
    /// Says what came of it, and writes and prints what was measured.
    fn conclude(&self, outcome: &Outcome, runtime: &str, space: &dyn SearchSpace, global: &Global) -> Result<()> {
        tell(outcome, space, global);
        global.say(format!(
            "measured with {runtime}; rows added to {}: {}",
            self.out.display(),
            outcome.added
        ));
        if let Some(path) = &self.probes_out {
            let table = measured_table(&probes(&outcome.measured), space);
            let written = format!("wrote {} probes to {}", outcome.measured.len(), path.display());
            global.write_out(path, table.as_bytes(), &written)?;
        }
        show(&outcome.measured, space, self.format)
    }

    fn unfinished(&self, global: &Global) -> Unfinished {
        match (self.measuring.resume, global.force) {
            (true, _) => Unfinished::Resume,
            (false, true) => Unfinished::Discard,
            (false, false) => Unfinished::Refuse,
        }
    }

    fn space(&self, advisor: Option<&Advisor>) -> Result<&'static dyn SearchSpace> {
        let named = self.space.as_deref().map(by_id).transpose()?;
        match (advisor.map(Advisor::space), named) {
            (Some(learned), Some(named)) if learned.id() != named.id() => Err(Error::Invalid {
                what: "search space".into(),
                expected: format!("{}, that of the checkpoint", learned.id()),
                found: named.id().into(),
                hint: "Leave it out, or name another checkpoint.".into(),
            }),
            (Some(space), _) | (None, Some(space)) => Ok(space),
            // The parser asks for one of them.
            (None, None) => by_id(""),
        }
    }

    fn designs(
        &self,
        advisor: Option<&Advisor>,
        space: &'static dyn SearchSpace,
        global: &Global,
    ) -> Result<Vec<Design>> {
        let default = self.measuring.precision;
        if let Some(from) = &self.architectures {
            return read_designs(from, space, default);
        }
        if let (Some(count), Some(advisor)) = (self.probes, advisor) {
            let chosen = advisor.choose_probes(count)?.architectures;
            if chosen.len() < count {
                global.say(format!("note: only {} architectures are worth measuring", chosen.len()));
            }
            // Where genes say bits, all else is int8.
            let policy = if space.has_bits() {
                Precision::Int8.into()
            } else {
                default
            };
            return Ok(chosen.into_iter().map(|one| Design::new(one, policy)).collect());
        }
        self.designs
            .iter()
            .map(|text| Design::parse(text, space, default))
            .collect()
    }

    fn lowered_for(&self, advisor: Option<&Advisor>, space: &dyn SearchSpace) -> Result<(InputSize, u32)> {
        let encoder = advisor.map(|advisor| &advisor.predictor().encoder);
        let usual = encoder.map_or_else(|| space.default_input(), |encoder| encoder.input_size());
        let input = match self.input {
            Some(given) if space.resolution_is_a_gene() => return Err(own_resolutions(space, given)),
            given => given.unwrap_or(usual),
        };
        Ok((input, encoder.map_or(CLASSES, |encoder| encoder.classes)))
    }

    /// What is measured on, for each precision among the designs.
    fn devices(&self, designs: &[Design]) -> Result<BTreeMap<QuantPolicy, Device>> {
        let precisions: BTreeSet<QuantPolicy> = designs.iter().map(|design| design.policy).collect();
        precisions
            .into_iter()
            .map(|precision| Ok((precision, self.measuring.device(precision, self.batch)?)))
            .collect()
    }
}

fn tell(outcome: &Outcome, space: &dyn SearchSpace, global: &Global) {
    for warning in warnings(outcome, space) {
        global.say(warning);
    }
    if outcome.known > 0 {
        global.say(format!(
            "note: not measured again, since they were there already: {} of the designs",
            outcome.known
        ));
    }
}

fn probes(measured: &[Measured]) -> Vec<Probe> {
    let values = |one: &Measured| -> PerMetric<f64> { one.values().iter().collect() };
    measured
        .iter()
        .map(|one| Probe {
            design: one.design.clone(),
            values: values(one),
        })
        .collect()
}

fn show(measured: &[Measured], space: &dyn SearchSpace, format: Format) -> Result<()> {
    let rows: Vec<MeasuredRow> = measured.iter().map(|one| MeasuredRow::of(one, space)).collect();
    match format {
        Format::Json => print_json(&rows),
        Format::Csv => print(&measured_csv(&rows)?),
        Format::Table => print(&table(&rows)),
    }
}

fn table(rows: &[MeasuredRow]) -> String {
    let mut table = new_table([
        "architecture",
        "precision",
        "latency ms",
        "p90 ms",
        "spread %",
        "runs",
        "energy mJ",
    ]);
    for row in rows {
        table.add_row([
            architecture(&row.architecture),
            row.quantization.clone().into(),
            format!(
                "{:.3} [{:.3}, {:.3}]",
                row.latency_ms, row.latency_ms_low, row.latency_ms_high
            )
            .into(),
            format!("{:.3}", row.latency_ms_p90).into(),
            format!("{:.1}", row.spread_percent).into(),
            row.runs.into(),
            row.energy_mj.map_or("-".into(), |energy| format!("{energy:.2}")).into(),
        ]);
    }
    let devices: BTreeSet<&str> = rows.iter().map(|row| row.device.as_str()).collect();
    format!(
        "{table}\nmedians on {}; intervals in brackets hold {:.0} % of such medians",
        devices.into_iter().collect::<Vec<&str>>().join(", "),
        100.0 * INTERVAL_SHARE
    )
}
