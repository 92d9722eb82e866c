//! `edgefit probes` and `edgefit adapt`: from a few measurements to a device.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::device::{ProbeRow, datasheet, read_probes};
use super::{Global, print};
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::files::write_bytes;
use crate::predict::stated_precision;
use crate::seed::Seed;

#[derive(Debug, Args)]
pub(crate) struct ProbesArgs {
    /// Checkpoint: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    checkpoint: PathBuf,
    /// How many architectures to measure
    #[arg(long, default_value_t = 10)]
    count: usize,
    /// File to write, with empty cells for what is to be measured [default: stdout]
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AdaptArgs {
    /// Checkpoint: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    checkpoint: PathBuf,
    /// What was measured: CSV with the columns architecture, latency_ms and, optionally, energy_mj
    #[arg(long)]
    probes: PathBuf,
    /// The device's datasheet, from which fewer probes are needed: a TOML file or an id of the catalogue
    #[arg(long)]
    device: Option<String>,
    /// File to write
    #[arg(long)]
    out: PathBuf,
}

pub(crate) fn probes(args: &ProbesArgs, global: &Global) -> Result<ExitCode> {
    let predictor = Checkpoint::resolve(&args.checkpoint)?.predictor(&global.backend.device()?)?;
    let usable = predictor.space.enumerable().map_or(usize::MAX, |listed| listed.size());
    if args.count == 0 || args.count > usable {
        return Err(Error::Invalid {
            what: "--count".into(),
            expected: format!("1 to {usable}, the architectures of {}", predictor.space.id()),
            found: args.count.to_string(),
            hint: "5 to 20 are enough for most devices.".into(),
        });
    }
    // One more, to tell what it would bring.
    let mut chosen = predictor.choose_probes(args.count + 1, None, Seed(global.seed));
    let errors = predictor.expected_error(&chosen, Seed(global.seed));
    chosen.truncate(args.count);
    if chosen.len() < args.count {
        global.say(format!("note: only {} architectures are worth measuring", chosen.len()));
    }
    if let (Some(before), Some(after)) = (errors.first(), errors.get(chosen.len())) {
        let next = match errors.get(chosen.len() + 1) {
            Some(next) => format!(", {:.1} % with one more", 100.0 * next),
            None => String::new(),
        };
        global.say(format!(
            "expected error of predictions, beside noise: {:.0} % without probes, {:.1} % with these{next}",
            100.0 * before,
            100.0 * after
        ));
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    for architecture in &chosen {
        let row = ProbeRow {
            architecture: predictor.space.print(architecture),
            latency_ms: None,
            energy_mj: None,
        };
        writer
            .serialize(row)
            .map_err(|error| Error::io("write", "probes")(error.into()))?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Error::io("write", "probes")(error.into_error()))?;
    match &args.out {
        Some(path) => {
            write_bytes(path, &bytes)?;
            global.say(format!(
                "wrote {} architectures to {}; fill in latency_ms",
                chosen.len(),
                path.display()
            ));
        }
        None => print(&String::from_utf8_lossy(&bytes))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn adapt(args: &AdaptArgs, global: &Global) -> Result<ExitCode> {
    let predictor = Checkpoint::resolve(&args.checkpoint)?.predictor(&global.backend.device()?)?;
    let device = match &args.device {
        Some(name) => datasheet(name)?,
        None => Device::named(
            &args
                .out
                .file_stem()
                .map_or("device".into(), |stem| stem.to_string_lossy()),
        ),
    };
    let probes = read_probes(&args.probes, predictor.space, stated_precision(&device)?)?;
    let model = predictor.adapt(&device, &probes, Seed(global.seed))?;
    let text = serde_json::to_vec(&model).map_err(|error| Error::Invalid {
        what: format!("device {}", device.id),
        expected: "finite numbers".into(),
        found: error.to_string(),
        hint: "Check the probes.".into(),
    })?;
    write_bytes(&args.out, &text)?;
    global.say(format!(
        "adapted to {} with {} probes; wrote {}",
        device.id,
        probes.len(),
        args.out.display()
    ));
    Ok(ExitCode::SUCCESS)
}
