//! The whole way on the machine that it runs on: measure, adapt, design, measure the designs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use super::super::table::new_table;
use super::super::{Global, print};
use super::{PROBES, cells, within};
use crate::advisor::Advisor;
use crate::device::Device;
use crate::device::machine::{MachineSheet, System};
use crate::error::{Error, Result};
use crate::export::{Weights, onnx};
use crate::measure::{Measured, Outcome, Protocol, Request, Unfinished, measure, setting};
use crate::metric::{Metric, PerMetric};
use crate::optimize::Proposals;
use crate::predict::{AdaptOptions, DeviceModel, Probe};
use crate::runtime::{self, Runtime, RuntimeOptions};
use crate::seed::Seed;
use crate::space::{Design, Precision};

/// The checkpoint that is shown.
const SHIPPED: &str = "mobilenet_v3";
const THREADS: usize = 1;
const LIMITS: usize = 3;

pub(super) fn run(global: &Global) -> Result<()> {
    let started = Instant::now();
    let advisor = global.advisor(Path::new(SHIPPED))?;
    let predictor = advisor.predictor();
    print(&format!(
        "1. The shipped checkpoint: MobileNet-V3, learned from real measurements of {} devices, loaded in {:.0} ms. This machine \
         is\n   none of them.",
        predictor.known_devices().len(),
        1e3 * started.elapsed().as_secs_f64()
    ))?;
    let runtime = runtime::open(&RuntimeOptions::Embedded)?;
    let precision = Precision::Fp32;
    let this_machine = MachineSheet::of(&System::default(), Some(THREADS))?.device(precision);
    let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
    let bench = Bench {
        advisor: &advisor,
        device: setting(&this_machine, "rten", precision, THREADS, 1),
        precision,
        runtime: runtime.as_ref(),
        folder: folder.path(),
        global,
    };
    let device = bench.adapted()?;
    bench.designs(&device)
}

/// This machine, and what measures on it.
struct Bench<'a> {
    advisor: &'a Advisor,
    device: Device,
    precision: Precision,
    runtime: &'a dyn Runtime,
    folder: &'a Path,
    global: &'a Global,
}

impl Bench<'_> {
    /// Measures the most telling networks, and adapts to them.
    fn adapted(&self) -> Result<DeviceModel> {
        let chosen = self.advisor.choose_probes(PROBES)?.architectures;
        let designs: Vec<Design> = chosen
            .into_iter()
            .map(|one| Design::uniform(one, self.precision))
            .collect();
        let started = Instant::now();
        let measured = self.measured(&designs)?;
        let seconds = started.elapsed().as_secs_f64();
        let probes: Vec<Probe> = measured
            .iter()
            .map(|one| Probe {
                design: one.design.clone(),
                values: PerMetric::from([(Metric::Latency, one.latency.median_ms)]),
            })
            .collect();
        let started = Instant::now();
        // Nobody typed these values: whatever they are, they are milliseconds.
        let options = AdaptOptions {
            accept_implausible: true,
            ..AdaptOptions::measured_before(Seed(self.global.seed))
        };
        let device = self.advisor.predictor().adapt_with(&self.device, &probes, &options)?;
        let milliseconds = 1e3 * started.elapsed().as_secs_f64();
        let latencies = measured.iter().map(|one| one.latency.median_ms);
        print(&format!(
            "2. The {} networks that tell most were exported to ONNX and measured here with {}, one thread, in {seconds:.0} s: \
             {:.2} to {:.2} ms.\n3. The predictor adapted to them in {milliseconds:.0} ms.",
            measured.len(),
            self.runtime.describe(),
            latencies.clone().fold(f64::INFINITY, f64::min),
            latencies.fold(0.0, f64::max),
        ))?;
        Ok(device)
    }

    /// The designs for three limits, predicted and then measured.
    fn designs(&self, device: &DeviceModel) -> Result<()> {
        let limits = self.advisor.typical_limits(device, LIMITS + 2)?;
        let limits = &limits[1..=LIMITS];
        // The first query also fills caches; it is not timed.
        self.advisor.design(device, &within(limits[0])?)?;
        let started = Instant::now();
        let proposals = limits
            .iter()
            .map(|&limit| self.advisor.design(device, &within(limit)?))
            .collect::<Result<Vec<Proposals>>>()?;
        let milliseconds = 1e3 * started.elapsed().as_secs_f64() / LIMITS as f64;
        let designs: Vec<Design> = proposals.iter().map(|one| one.best().design.clone()).collect();
        let measured = self.measured(&designs)?;
        let mut table = new_table([
            "limit ms",
            "architecture",
            "accuracy %",
            "predicted ms",
            "P(holds)",
            "measured ms",
        ]);
        for (&limit, proposals) in limits.iter().zip(&proposals) {
            let design = &proposals.best().design;
            let found = measured.iter().find(|one| one.design == *design);
            let mut cells = cells(limit, proposals, self.advisor.predictor());
            cells.push(found.map_or_else(|| "-".into(), |one| format!("{:.2}", one.latency.median_ms).into()));
            table.add_row(cells);
        }
        let predictor = self.advisor.predictor();
        let task = predictor
            .accuracy
            .as_ref()
            .map_or("", |model| model.scale.task.as_str());
        print(&format!(
            "4. Designs for three limits, in {milliseconds:.1} ms each (accuracies on {task}; intervals hold 90 %), and what \
             they take when they\n   are measured:\n{table}\nNext: edgefit tune --checkpoint {SHIPPED} --max-latency-ms {:.1} \
             --out tuned\n      edgefit export --weights writes a design with the weights of the once-for-all supernet",
            limits[LIMITS / 2]
        ))
    }

    fn measured(&self, designs: &[Design]) -> Result<Vec<Measured>> {
        let encoder = &self.advisor.predictor().encoder;
        let space = self.advisor.space();
        let export = |design: &Design| {
            let network = space.lower(&design.architecture, encoder.input_size(), encoder.classes);
            onnx(&network, design.policy, &Weights::seeded(self.global.seed))
        };
        let request = Request {
            folder: self.folder,
            space,
            designs,
            input: encoder.input_size(),
            devices: &BTreeMap::from([(self.precision, self.device.clone())]),
            threads: THREADS,
            export: &export,
            protocol: Protocol::default(),
            seed: Seed(self.global.seed),
            unfinished: Unfinished::Resume,
            unit_ms: 1.0,
            accept_implausible: true,
            judge: None,
            is_local: true,
            system: &System::default(),
        };
        let Outcome { measured, warnings, .. } = measure(&request, self.runtime, &self.global.progress())?;
        for warning in warnings {
            self.global.say(format!("warning: {warning}"));
        }
        Ok(measured)
    }
}
