//! `edgefit tune`: from nothing to measured, exported designs within limits.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::design::ConstraintArgs;
use super::measuring::{MeasuringArgs, judged, warnings, with_options};
use super::table::{architecture, new_table};
use super::{Global, NOTHING_FEASIBLE, interrupt, print, print_json};
use crate::advisor::Advisor;
use crate::device::Device;
use crate::device::machine::System;
use crate::error::{Error, Result};
use crate::export::{Weights, onnx};
use crate::files::write_bytes;
use crate::measure::{Outcome, Request as MeasureRequest, Unfinished, measure};
use crate::predict::Estimate;
use crate::report::{Context, Provenance, TunedRow, TuningReport, kind_of, tuning_page};
use crate::runtime::{self, Runtime};
use crate::seed::Seed;
use crate::space::{Design, Precision, QuantPolicy, SearchSpace};
use crate::tune::{Stage, TuneOptions, Tuning, better, tune};

/// Inputs that the designs compute at once.
const BATCH: u32 = 1;
/// Folders of measurements in the folder of a tuning: of everything, and of the answers once more.
const MEASUREMENTS: &str = "measurements";
const CONFIRMATION: &str = "confirmation";

#[derive(Debug, Args)]
pub(crate) struct TuneArgs {
    /// Checkpoint that knows accuracies: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    checkpoint: PathBuf,
    /// Limits on latency in ms, separated by commas: one design is sought within each [default: --max-latency-ms]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    limits_ms: Vec<f64>,
    #[command(flatten)]
    constraints: ConstraintArgs,
    /// Architectures measured first, to learn of the device
    #[arg(long, default_value_t = 10)]
    probes: usize,
    /// Measurements at most: probes, designs, and the answers once more
    #[arg(long, default_value_t = 40)]
    budget: usize,
    /// Designs measured together before the next are chosen
    #[arg(long, default_value_t = 4)]
    batch: usize,
    /// Stop measuring when less accuracy than this is expected to be gained, in percentage points, mean over the limits
    #[arg(long, default_value_t = 0.05)]
    worth: f64,
    /// Precisions to seek designs at, such as fp32,int8,int8-except-depthwise: each gets an equal share of the measurements, and for every
    /// limit the most accurate answer is taken [default: --precision]
    #[arg(long, value_delimiter = ',')]
    precisions: Vec<QuantPolicy>,
    #[command(flatten)]
    measuring: MeasuringArgs,
    /// Folder for the models, the report, the adapted device and all measurements
    #[arg(long)]
    out: PathBuf,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &TuneArgs, global: &Global) -> Result<ExitCode> {
    let options = args.options(global)?;
    args.measuring.protocol.protocol().check()?;
    let advisor = global.advisor(&args.checkpoint)?;
    let precisions = args.precisions_in(advisor.space())?;
    let mut devices = BTreeMap::new();
    for &precision in &precisions {
        devices.insert(precision, args.measuring.device(precision, BATCH)?);
    }
    let runtime = runtime::open(&args.measuring.runtime.options()?)?;
    args.check_out()?;
    interrupt::state_is_kept();
    let bench = Bench {
        args,
        advisor: &advisor,
        devices,
        runtime: runtime.as_ref(),
        global,
    };
    let tunings = bench.tunings(&precisions, &options)?;
    let ids: Vec<&str> = tunings.iter().map(|tuning| tuning.device.id.as_str()).collect();
    let context = Context {
        device: ids.join(", "),
        ..global.context(&tunings[0].device)
    };
    let mut report = TuningReport::new(&tunings, advisor.space(), &runtime.describe(), context);
    bench.export(&tunings, &mut report)?;
    bench.write(&tunings, &report)?;
    if args.json {
        print_json(&report)?;
    } else {
        print(&table(&report))?;
    }
    if report.has_precisions() {
        global.say(format!("note: {}", report.precisions_note()));
    }
    let held = report.designs.iter().filter(|design| design.holds).count();
    if held == 0 {
        global.say("no design that was measured holds any of the limits; the fastest one measured is shown");
        return Ok(ExitCode::from(NOTHING_FEASIBLE));
    }
    Ok(ExitCode::SUCCESS)
}

impl TuneArgs {
    fn options(&self, global: &Global) -> Result<TuneOptions> {
        let mut request = self.constraints.request(1)?;
        if !request.objective.weights().is_empty() {
            return Err(Error::Invalid {
                what: "weights of latency and energy".into(),
                expected: "none: the most accurate design within each limit is sought".into(),
                found: "a weight".into(),
                hint: "Leave the weights out, and give several limits to choose between.".into(),
            });
        }
        let limits_ms = match (self.limits_ms.is_empty(), self.constraints.take_latency(&mut request)?) {
            (false, None) => self.limits_ms.clone(),
            (true, Some(limit_ms)) => vec![limit_ms],
            (has_none, _) => {
                return Err(Error::Invalid {
                    what: "limits on latency".into(),
                    expected: "--limits-ms with one or more, or --max-latency-ms".into(),
                    found: if has_none { "neither" } else { "both" }.into(),
                    hint: "--limits-ms 5,10,20 seeks three designs.".into(),
                });
            }
        };
        let options = TuneOptions {
            limits_ms,
            request,
            probes: self.probes,
            budget: self.budget / self.precisions().len(),
            batch: self.batch,
            worth: self.worth,
            accept_implausible: self.measuring.yes,
            seed: Seed(global.seed),
        };
        options.check()?;
        Ok(options)
    }

    /// The precisions to seek designs at, each once.
    fn precisions(&self) -> Vec<QuantPolicy> {
        let mut precisions: Vec<QuantPolicy> = Vec::new();
        for &precision in &self.precisions {
            if !precisions.contains(&precision) {
                precisions.push(precision);
            }
        }
        if precisions.is_empty() {
            precisions.push(self.measuring.precision);
        }
        precisions
    }

    /// The precisions that designs of a space can be sought at: where genes say bits, all else is int8.
    fn precisions_in(&self, space: &dyn SearchSpace) -> Result<Vec<QuantPolicy>> {
        let precisions = self.precisions();
        if !space.has_bits() {
            return Ok(precisions);
        }
        let int8: QuantPolicy = Precision::Int8.into();
        match self.precisions.iter().find(|&&precision| precision != int8) {
            None => Ok(vec![int8]),
            Some(other) => Err(Error::Invalid {
                what: "precision of designs whose genes say bits".into(),
                expected: Precision::Int8.name().into(),
                found: other.to_string(),
                hint: format!(
                    "Leave the precisions out: those of {} are part of a design.",
                    space.id()
                ),
            }),
        }
    }

    /// What an earlier tuning measured is neither mixed with this one unnoticed nor lost.
    fn check_out(&self) -> Result<()> {
        let measurements = self.out.join(MEASUREMENTS);
        if self.measuring.resume || !measurements.exists() {
            return fs::create_dir_all(&self.out).map_err(Error::io("create", &self.out));
        }
        Err(Error::Invalid {
            what: format!("folder {}", self.out.display()),
            expected: "one without a tuning".into(),
            found: format!("measurements of an earlier one in {MEASUREMENTS}"),
            hint: "Repeat the command with --resume to go on from them, or write to another folder.".into(),
        })
    }
}

/// Everything that measuring takes.
struct Bench<'a> {
    args: &'a TuneArgs,
    advisor: &'a Advisor,
    devices: BTreeMap<QuantPolicy, Device>,
    runtime: &'a dyn Runtime,
    global: &'a Global,
}

impl Bench<'_> {
    /// A tuning for each precision.
    fn tunings(&self, precisions: &[QuantPolicy], options: &TuneOptions) -> Result<Vec<Tuning>> {
        let mut said = HashSet::new();
        let mut measure = |stage: Stage, designs: &[Design]| self.measure(stage, designs, &mut said);
        let mut tunings = Vec::new();
        for precision in precisions {
            if precisions.len() > 1 {
                self.global.say(format!("tuning for {precision}"));
            }
            let device = &self.devices[precision];
            tunings.push(tune(self.advisor, device, options, &mut measure).map_err(with_options)?);
        }
        Ok(tunings)
    }

    /// Measures; what may be wrong is said once.
    fn measure(&self, stage: Stage, designs: &[Design], said: &mut HashSet<String>) -> Result<Outcome> {
        let (folder, doing) = match stage {
            Stage::Probe => (MEASUREMENTS, "architectures to learn of the device"),
            Stage::Design => (MEASUREMENTS, "designs"),
            Stage::Confirmation => (CONFIRMATION, "answers once more"),
        };
        self.global.say(format!("measuring {doing}: {}", designs.len()));
        let judge = |measured: &[(Design, f64)]| judged(self.advisor, &self.devices, measured, Seed(self.global.seed));
        let request = MeasureRequest {
            folder: &self.args.out.join(folder),
            space: self.advisor.space(),
            designs,
            input: self.advisor.predictor().encoder.input_size(),
            devices: &self.devices,
            threads: self.args.measuring.runtime.threads(),
            export: &|design| self.model(design),
            protocol: self.args.measuring.protocol.protocol(),
            seed: Seed(self.global.seed),
            unfinished: Unfinished::Resume,
            unit_ms: self.args.measuring.unit.in_ms(),
            accept_implausible: self.args.measuring.yes,
            judge: Some(&judge),
            is_local: self.args.measuring.runtime.is_local(),
            system: &System::default(),
        };
        let outcome = measure(&request, self.runtime, &self.global.progress())?;
        for message in warnings(&outcome, self.advisor.space()) {
            if said.insert(message.clone()) {
                self.global.say(message);
            }
        }
        Ok(outcome)
    }

    fn model(&self, design: &Design) -> Result<Vec<u8>> {
        let encoder = &self.advisor.predictor().encoder;
        let space = self.advisor.space();
        let network = space.lower(&design.architecture, encoder.input_size(), encoder.classes);
        onnx(&network, design.policy, &Weights::seeded(self.global.seed))
    }

    /// Writes the model of every answer that holds its limit.
    fn export(&self, tunings: &[Tuning], report: &mut TuningReport) -> Result<()> {
        for (limit, better) in better(tunings).into_iter().enumerate() {
            let tuned = &tunings[better].tuned[limit];
            let Some(trial) = tuned.trial.filter(|_| tuned.holds) else {
                continue;
            };
            let name = format!("within-{}-ms.onnx", tuned.limit_ms);
            let bytes = self.model(&tunings[better].trials[trial].measured.design)?;
            write_bytes(&self.args.out.join(&name), &bytes)?;
            let mut rows = report.designs.iter_mut();
            if let Some(row) = rows.find(|row| row.chosen && row.max_latency_ms == tuned.limit_ms) {
                row.model = Some(name);
            }
        }
        Ok(())
    }

    fn write(&self, tunings: &[Tuning], report: &TuningReport) -> Result<()> {
        let out = |name: &str| self.args.out.join(name);
        for tuning in tunings {
            let name = match tunings.len() {
                1 => "device.json".into(),
                _ => format!("device-{}.json", tuning.device.precision),
            };
            tuning.device.write(&out(&name))?;
        }
        let json =
            serde_json::to_vec_pretty(report).map_err(|error| Error::io("write", out("tuning.json"))(error.into()))?;
        write_bytes(&out("tuning.json"), &json)?;
        let provenance = Provenance::of(self.advisor.predictor(), Path::new(&self.args.checkpoint), &[])?
            .with("Runtime", &report.runtime)
            .with("Threads", self.args.measuring.runtime.threads())
            .with("Seed", self.global.seed)
            .with(
                "Weights of the models",
                format!("random, from seed {}", self.global.seed),
            )
            .with(
                "Accuracies",
                "of trained networks: measured, predicted or, at precisions below that learned at, simulated, as stated; the exported models \
                 are not trained",
            )
            .with_program();
        let page = tuning_page(report, &provenance)?;
        write_bytes(&out("report.html"), page.html().as_bytes())?;
        self.global.say(format!(
            "wrote models, report.html, tuning.json, {} and all measurements to {}",
            if tunings.len() == 1 {
                "device.json"
            } else {
                "a device file for each precision"
            },
            self.args.out.display()
        ));
        Ok(())
    }
}

fn estimate(one: Estimate) -> String {
    format!("{:.3} [{:.3}, {:.3}]", one.mean, one.low, one.high)
}

fn table(report: &TuningReport) -> String {
    let kind = kind_of(report.designs.iter().map(|design| design.accuracy));
    let mut table = new_table([
        "limit ms",
        "precision",
        "architecture",
        kind.header(),
        "predicted ms",
        "measured ms",
        "again ms",
        "model",
    ]);
    for row in &report.designs {
        table.add_row([
            limit(row).into(),
            row.quantization.clone().into(),
            architecture(&row.architecture),
            format!("{:.2}", row.accuracy.percent.mean).into(),
            estimate(row.predicted_latency_ms).into(),
            estimate(row.measured_latency_ms).into(),
            row.confirmed_latency_ms.map_or_else(|| "-".into(), estimate).into(),
            row.model.clone().unwrap_or_else(|| "-".into()).into(),
        ]);
    }
    let spent = report.spent;
    let error = report.median_error_percent().map_or(String::new(), |error| {
        format!("; predictions of designs not measured before were off by {error:.1} % in the median")
    });
    format!(
        "{table}\nmeasured on {} with {}; intervals in brackets hold 90 %\n{} measurements: {} probes, {} designs, {} \
         confirmations{error}; seed {}",
        report.context.device,
        report.runtime,
        spent.probes + spent.designs + spent.confirmations,
        spent.probes,
        spent.designs,
        spent.confirmations,
        report.context.seed
    )
}

fn limit(row: &TunedRow) -> String {
    let missed = if row.holds { "" } else { ", missed" };
    let other = if row.chosen { "" } else { ", not taken" };
    format!("{}{missed}{other}", row.max_latency_ms)
}
