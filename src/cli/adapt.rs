//! `edgefit probes` and `edgefit adapt`: from a few measurements to a device.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::device::{at_chosen_input, at_input_of};
use super::{Global, STDOUT, print, unless_meant};
use crate::advisor::Advisor;
use crate::dataset::Dataset;
use crate::device::Device;
use crate::error::Result;
use crate::files::FileKind;
use crate::predict::{AdaptOptions, Elsewhere, probe_table, read_probes};
use crate::seed::Seed;
use crate::space::InputSize;

/// Probes that take longer to choose than anybody expects.
const MANY_PROBES: usize = 1000;

#[derive(Debug, Args)]
pub(crate) struct ProbesArgs {
    /// Checkpoint: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    checkpoint: PathBuf,
    /// How many architectures to measure
    #[arg(long, default_value_t = 10)]
    count: usize,
    /// Input size that networks will run at, such as 224x224 [default: the checkpoint's]
    #[arg(long)]
    input: Option<InputSize>,
    /// File to write, with empty cells for what is to be measured [default: stdout]
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AdaptArgs {
    /// Checkpoint: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    checkpoint: PathBuf,
    /// What was measured: CSV with the columns architecture, latency_ms and, optionally, energy_mj; or a dataset folder, such as
    /// `edgefit measure` writes
    #[arg(long)]
    probes: PathBuf,
    /// The device's datasheet, from which fewer probes are needed: a TOML file or an id of the catalogue; a device that was adapted to
    /// with whatever checkpoint (.json), whose probes count as well; or which device of the dataset [default: its only one]
    #[arg(long)]
    device: Option<String>,
    /// The same hardware at another precision, batch size or number of threads, adapted to before (.json): its prices are nearly those
    /// of this device, so two or three probes are enough
    #[arg(long)]
    like: Option<PathBuf>,
    /// Input size that the probes were measured at, such as 224x224 [default: that of the dataset or of the device, else the
    /// checkpoint's]
    #[arg(long)]
    input: Option<InputSize>,
    /// Take values that are hardly possible as they are
    #[arg(long)]
    yes: bool,
    /// File to write
    #[arg(long)]
    out: PathBuf,
}

pub(crate) fn probes(args: &ProbesArgs, global: &Global) -> Result<ExitCode> {
    if let Some(out) = &args.out {
        global.check_out(out, FileKind::Probes)?;
    }
    let advisor = at_chosen_input(global.advisor(&args.checkpoint)?, args.input)?;
    if args.count > MANY_PROBES {
        global.say("note: choosing so many probes takes minutes; 5 to 20 are enough for most devices");
    }
    let chosen = advisor.choose_probes(args.count)?;
    let count = chosen.architectures.len();
    if count < args.count {
        global.say(format!("note: only {count} architectures are worth measuring"));
    }
    let error = |probes: usize| chosen.expected_errors.get(probes).map(|error| 100.0 * error);
    if let (Some(before), Some(after)) = (error(0), error(count)) {
        let next = error(count + 1).map_or(String::new(), |next| format!(", {next:.1} % with one more"));
        global.say(format!(
            "expected error of predictions, beside noise: {before:.0} % without probes, {after:.1} % with these{next}"
        ));
    }
    let table = probe_table(&chosen.architectures, advisor.space());
    match &args.out {
        Some(path) => {
            let written = format!("wrote {count} architectures to {}; fill in latency_ms", path.display());
            global.write_out(path, table.as_bytes(), &written)?;
        }
        None => print(&table)?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn adapt(args: &AdaptArgs, global: &Global) -> Result<ExitCode> {
    global.check_out(&args.out, FileKind::Device)?;
    let advisor = args.at_input(global.advisor(&args.checkpoint)?)?;
    let earlier = match &args.device {
        Some(path) if path.ends_with(".json") => Some(advisor.device(path)?),
        _ => None,
    };
    let (device, probes) = if let Some(earlier) = &earlier {
        let probes = read_probes(&args.probes, advisor.space(), earlier.precision)?;
        (earlier.datasheet.clone(), probes)
    } else if args.probes.is_dir() {
        advisor.measured(&args.probes, args.device.as_deref())?
    } else {
        let device = args.datasheet(&advisor)?;
        let probes = read_probes(&args.probes, advisor.space(), device.runs_at())?;
        (device, probes)
    };
    let seed = Seed(global.seed);
    let options = AdaptOptions {
        seed,
        accept_implausible: args.yes,
    };
    let predictor = advisor.predictor();
    let like = match &args.like {
        Some(path) => Some(advisor.device(&path.to_string_lossy())?),
        None => None,
    };
    let adapted = match (&earlier, &like) {
        (Some(earlier), like) => predictor.adapt_again(earlier, &probes, like.as_ref(), &options),
        (None, Some(like)) => predictor.adapt_like(&device, &probes, &Elsewhere::default(), like, &options),
        (None, None) => predictor.adapt_with(&device, &probes, &options),
    };
    let model = adapted.map_err(|error| unless_meant(error, "--yes"))?;
    for warning in predictor.review(&model, &probes, seed)? {
        global.say(format!("warning: {warning}"));
    }
    let written = format!(
        "adapted to {} with {} probes; wrote {}",
        device.id,
        model.probes,
        args.out.display()
    );
    global.write_out(&args.out, &model.to_json()?, &written)?;
    Ok(ExitCode::SUCCESS)
}

impl AdaptArgs {
    /// The advisor at the input size that the probes were measured at.
    fn at_input(&self, advisor: Advisor) -> Result<Advisor> {
        if self.input.is_some() {
            return at_chosen_input(advisor, self.input);
        }
        if self.probes.is_dir() {
            let inputs = Dataset::read(&self.probes)?.inputs;
            return Ok(match inputs.as_slice() {
                &[only] => advisor.at_input(only),
                _ => advisor,
            });
        }
        Ok(match &self.device {
            Some(name) => at_input_of(name, advisor),
            None => advisor,
        })
    }

    /// The datasheet named, or a device named as the file that is written.
    fn datasheet(&self, advisor: &Advisor) -> Result<Device> {
        match &self.device {
            Some(name) => advisor.datasheet(name),
            None => {
                let stem = self.out.file_stem().filter(|stem| *stem != STDOUT);
                Ok(Device::named(
                    &stem.map_or("device".into(), |stem| stem.to_string_lossy()),
                ))
            }
        }
    }
}
