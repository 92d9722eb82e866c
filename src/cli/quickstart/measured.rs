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
/// A network that was measured twice may take this much more or less the second time on a machine that stays as it is.
const STEADY: f64 = 0.1;

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
        device: setting(&this_machine, "rten", precision.into(), THREADS, 1),
        precision,
        runtime: runtime.as_ref(),
        folder: folder.path(),
        global,
    };
    let (device, again) = bench.adapted()?;
    bench.designs(&device, again.as_ref())
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
    /// Measures the most telling networks, and adapts to them. Gives one of them besides, that of the median latency.
    fn adapted(&self) -> Result<(DeviceModel, Option<Measured>)> {
        let chosen = self.advisor.choose_probes(PROBES)?.architectures;
        let designs: Vec<Design> = chosen
            .into_iter()
            .map(|one| Design::uniform(one, self.precision))
            .collect();
        let started = Instant::now();
        let mut measured = self.measured("probes", &designs)?;
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
        measured.sort_by(|a, b| a.latency.median_ms.total_cmp(&b.latency.median_ms));
        let median = measured.len() / 2;
        Ok((device, measured.into_iter().nth(median)))
    }

    /// The designs for three limits, predicted and then measured, and one of the probes with them, which tells whether the machine
    /// is still the same.
    fn designs(&self, device: &DeviceModel, before: Option<&Measured>) -> Result<()> {
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
        let again = before.map(|one| &one.design);
        let designs = proposals.iter().map(|one| &one.best().design).chain(again);
        let measured = self.measured("designs", &designs.cloned().collect::<Vec<Design>>())?;
        let latency_ms = |design: &Design| Some(measured.iter().find(|one| one.design == *design)?.latency.median_ms);
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
            let mut cells = cells(limit, proposals, self.advisor.predictor());
            cells.push(latency_ms(design).map_or_else(|| "-".into(), |ms| format!("{ms:.2}").into()));
            table.add_row(cells);
        }
        let predictor = self.advisor.predictor();
        let task = predictor
            .accuracy
            .as_ref()
            .map_or("", |model| model.scale.task.as_str());
        print(&format!(
            "4. Designs for three limits, in {milliseconds:.1} ms each (accuracies on {task}; intervals hold 90 %), and what \
             they take when they\n   are measured:\n{table}\n{}\nNext: edgefit tune --checkpoint {SHIPPED} --max-latency-ms {:.1} \
             --out tuned\n      edgefit export --weights writes a design with the weights of the once-for-all supernet",
            before.map_or_else(String::new, |one| measured_again(
                one.latency.median_ms,
                latency_ms(&one.design)
            )),
            limits[LIMITS / 2]
        ))
    }

    /// Measures designs, each group in a folder of its own: a design that is in two is measured twice.
    fn measured(&self, group: &str, designs: &[Design]) -> Result<Vec<Measured>> {
        let encoder = &self.advisor.predictor().encoder;
        let space = self.advisor.space();
        let export = |design: &Design| {
            let network = space.lower(&design.architecture, encoder.input_size(), encoder.classes);
            onnx(&network, design.policy, &Weights::seeded(self.global.seed))
        };
        let request = Request {
            folder: &self.folder.join(group),
            space,
            designs,
            input: encoder.input_size(),
            devices: &BTreeMap::from([(self.precision.into(), self.device.clone())]),
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

/// What a network that was measured before says of the machine since then.
fn measured_again(before_ms: f64, now_ms: Option<f64>) -> String {
    let Some(now_ms) = now_ms else { return String::new() };
    let change = now_ms / before_ms - 1.0;
    let consequence = if change.abs() <= STEADY {
        "the machine is as it was"
    } else {
        "the machine has changed since, and with it what these take"
    };
    format!(
        "A probe of {before_ms:.2} ms, measured again beside them, took {now_ms:.2} ms ({:+.0} %): {consequence}.",
        100.0 * change
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_changed_is_told_of() {
        assert_eq!(
            measured_again(20.0, Some(25.0)),
            "A probe of 20.00 ms, measured again beside them, took 25.00 ms (+25 %): the machine has changed since, and with it what \
             these take."
        );
        assert!(measured_again(20.0, Some(19.0)).ends_with("(-5 %): the machine is as it was."));
        assert_eq!(measured_again(20.0, None), "");
    }
}
