//! From a device of which nothing is known to measured designs within limits, at the price of a few dozen measurements.
//!
//! The most telling architectures are measured and the predictor is adapted to them. Then those designs are measured that are
//! expected to improve most on what was measured within the limits ([`crate::search::most_improving`]), and each measurement
//! teaches the predictor in turn, misses above all. What comes out at last has been measured twice, the second time in a run of
//! its own: a design that was lucky once is found out.

mod candidates;
mod confirm;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use crate::advisor::Advisor;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::measure::{Measured, Outcome, Refused};
use crate::metric::{Metric, PerMetric};
use crate::optimize::Request;
use crate::predict::{Accuracy, AdaptOptions, DeviceModel, Estimate, Probe};
use crate::search::{Constraint, Limits, most_improving};
use crate::seed::Seed;
use crate::space::{Architecture, Design};

use candidates::Candidates;

/// Largest numbers of limits and of measurements.
const MAX_LIMITS: usize = 100;
const MAX_BUDGET: usize = 10_000;
/// A design that holds a limit at least so surely counts as if it had, when the next one of a batch is chosen.
const LIKELY: f64 = 0.5;

/// What is wanted, and at which price.
#[derive(Debug, Clone, PartialEq)]
pub struct TuneOptions {
    /// Limits on latency in ms; one design is wanted within each.
    pub limits_ms: Vec<f64>,
    /// Limits besides, and whether degenerate networks may be designs.
    pub request: Request,
    /// Architectures measured first.
    pub probes: usize,
    /// Measurements of designs at most: probes, designs, and their confirmation.
    pub budget: usize,
    /// Designs measured together before the predictor learns of them.
    pub batch: usize,
    /// Mean expected improvement over the limits, in percentage points, below which measuring on is not worth its price.
    pub worth: f64,
    /// Take latencies that are hardly possible as they are.
    pub accept_implausible: bool,
    /// Where the random numbers come from.
    pub seed: Seed,
}

/// Why a design was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// To learn of the device.
    Probe,
    /// As it may be the answer.
    Design,
    /// As it is the answer so far, once more.
    Confirmation,
}

impl Stage {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Probe => "probe",
            Stage::Design => "design",
            Stage::Confirmation => "confirmation",
        }
    }
}

/// Measures designs for a stage.
pub type Measure<'a> = dyn FnMut(Stage, &[Design]) -> Result<Outcome> + 'a;

/// A design that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Why.
    pub stage: Stage,
    /// The design, and what came of it.
    pub measured: Measured,
    /// Its accuracy.
    pub accuracy: Accuracy,
    /// What was predicted of its latency before it was measured, in ms.
    pub predicted: Estimate,
    /// What follows from its network.
    pub computed: PerMetric<f64>,
}

/// The answer for one limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuned {
    /// The limit on latency, in ms.
    pub limit_ms: f64,
    /// Position of the answer in [`Tuning::trials`]: the most accurate design that holds the limit as measured, or where none
    /// does, the fastest one measured.
    pub trial: Option<usize>,
    /// Whether it holds the limit, in both measurements where it was confirmed.
    pub holds: bool,
    /// The second measurement.
    pub confirmation: Option<Measured>,
}

/// What was measured, learned and found.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// The device, adapted to everything that was measured.
    pub device: DeviceModel,
    /// Everything measured but confirmations, in order.
    pub trials: Vec<Trial>,
    /// The answers, in the order of the limits.
    pub tuned: Vec<Tuned>,
    /// Designs that the runtime does not run.
    pub refused: Vec<Refused>,
    /// Confirmations measured.
    pub confirmations: usize,
    /// Answers of which the confirmation missed the limit, so that another one took their place.
    pub overturned: usize,
}

impl Tuning {
    /// Measurements spent at a stage.
    pub fn spent(&self, stage: Stage) -> usize {
        match stage {
            Stage::Confirmation => self.confirmations,
            stage => self.trials.iter().filter(|trial| trial.stage == stage).count(),
        }
    }
}

/// For every limit, which of several tunings with the same limits, one for each precision, has the better answer: the most
/// accurate that holds, or where none does, the fastest measured. Of equally accurate ones, the first.
pub fn better(tunings: &[Tuning]) -> Vec<usize> {
    let limits = tunings.first().map_or(0, |tuning| tuning.tuned.len());
    let of_limit = |limit: usize| {
        let worth = |tuning: usize| {
            let answer = &tunings[tuning].tuned[limit];
            let trial = answer.trial.map(|trial| &tunings[tuning].trials[trial]);
            trial.map_or((false, f64::NEG_INFINITY), |trial| {
                if answer.holds {
                    (true, trial.accuracy.percent.mean)
                } else {
                    (false, -trial.measured.latency.median_ms)
                }
            })
        };
        // Of equals the last is taken: backwards.
        let best = (0..tunings.len()).rev().max_by(|&a, &b| {
            let (a, b) = (worth(a), worth(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        best.unwrap_or_default()
    };
    (0..limits).map(of_limit).collect()
}

impl TuneOptions {
    /// Whether they can be followed.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming what cannot.
    pub fn check(&self) -> Result<()> {
        self.queries()?;
        let invalid = |what: &str, expected: String, found: String, hint: &str| {
            Err(Error::Invalid {
                what: what.into(),
                expected,
                found,
                hint: hint.into(),
            })
        };
        let limits = self.limits_ms.len();
        if !(1..=MAX_LIMITS).contains(&limits) {
            let hint = "One design is sought within each.";
            return invalid(
                "number of limits",
                format!("1 to {MAX_LIMITS}"),
                limits.to_string(),
                hint,
            );
        }
        if self.probes == 0 || self.batch == 0 {
            let hint = "10 probes and batches of 4 are usual.";
            return invalid("probes and designs of a batch", "at least 1".into(), "0".into(), hint);
        }
        if !(self.worth >= 0.0 && self.worth.is_finite()) {
            let hint = "0.05 is usual; 0 measures until the budget is spent.";
            return invalid(
                "worth of measuring on",
                "0 points or more".into(),
                self.worth.to_string(),
                hint,
            );
        }
        let least = self.probes + 2 * limits;
        if !(least..=MAX_BUDGET).contains(&self.budget) {
            let expected = format!("{least} to {MAX_BUDGET}: the probes, and two measurements for every limit");
            let hint = "Allow more measurements, or ask for fewer probes or limits.";
            return invalid("measurements allowed", expected, self.budget.to_string(), hint);
        }
        Ok(())
    }

    /// The limits as queries.
    fn queries(&self) -> Result<Vec<Limits>> {
        let limits = self.limits_ms.iter().map(|&limit_ms| {
            let mut constraints = self.request.limits.constraints().to_vec();
            constraints.push(Constraint::new(Metric::Latency, limit_ms)?);
            Limits::new(constraints, self.request.limits.confidence())
        });
        limits.collect()
    }
}

/// Measures, adapts and designs until nothing is expected to be gained or the budget is spent. `device` is what is known of
/// the device beforehand, and names it.
///
/// # Errors
/// [`Error::Invalid`] for options that allow nothing; what adapting and measuring give; [`Error::Insufficient`] if nothing could
/// be measured.
pub fn tune(advisor: &Advisor, device: &Device, options: &TuneOptions, measure: &mut Measure) -> Result<Tuning> {
    options.check()?;
    let queries = options.queries()?;
    let mut work = Work {
        advisor,
        datasheet: device,
        options,
        model: advisor.predictor().adapt(device, &[], options.seed)?,
        trials: Vec::new(),
        refused: Vec::new(),
        seen: HashSet::new(),
    };
    let probes = advisor.predictor().choose_probes(options.probes, None, options.seed);
    work.measure(Stage::Probe, probes, measure)?;
    work.check_energy()?;
    work.adapt()?;
    // The last measurements are kept for confirmations.
    let designs = options.budget - queries.len();
    while work.trials.len() < designs {
        let room = options.batch.min(designs - work.trials.len());
        let next = work.most_improving(&queries, room)?;
        if next.is_empty() {
            break;
        }
        work.measure(Stage::Design, next, measure)?;
        work.adapt()?;
    }
    let allowed = options.budget - work.trials.len();
    let confirmed = confirm::confirm(&work.trials, &options.limits_ms, &queries, allowed, measure)?;
    Ok(Tuning {
        device: work.model,
        trials: work.trials,
        tuned: confirmed.tuned,
        refused: work.refused,
        confirmations: confirmed.measured,
        overturned: confirmed.overturned,
    })
}

struct Work<'a> {
    advisor: &'a Advisor,
    datasheet: &'a Device,
    options: &'a TuneOptions,
    model: DeviceModel,
    trials: Vec<Trial>,
    refused: Vec<Refused>,
    /// Measured or refused.
    seen: HashSet<Architecture>,
}

impl Work<'_> {
    fn measure(&mut self, stage: Stage, architectures: Vec<Architecture>, measure: &mut Measure) -> Result<()> {
        let predicted: HashMap<Design, (Accuracy, Estimate)> = self.predicted(&architectures)?;
        let designs: Vec<Design> = architectures.iter().map(|one| self.model.design(one.clone())).collect();
        self.seen.extend(architectures);
        let outcome = measure(stage, &designs)?;
        for measured in outcome.measured {
            if let Some(&(accuracy, latency)) = predicted.get(&measured.design) {
                self.trials.push(Trial {
                    stage,
                    accuracy,
                    predicted: latency,
                    computed: self.advisor.predictor().computed(&measured.design),
                    measured,
                });
            }
        }
        self.refused.extend(outcome.refused);
        Ok(())
    }

    /// A limit on what nobody measures can never be told to hold.
    fn check_energy(&self) -> Result<()> {
        let constraints = self.options.request.limits.constraints();
        let is_limited = constraints.iter().any(|one| one.metric() == Metric::Energy);
        if !is_limited || self.trials.iter().any(|trial| trial.measured.energy_mj.is_some()) {
            return Ok(());
        }
        Err(Error::Insufficient {
            what: "measurements of energy, which is limited".into(),
            expected: "at least one".into(),
            found: "none".into(),
            hint: "Leave the limit on energy out, or measure with a program that tells it.".into(),
        })
    }

    fn predicted(&self, architectures: &[Architecture]) -> Result<HashMap<Design, (Accuracy, Estimate)>> {
        let predictions = self.advisor.predict(&self.model, architectures)?;
        let rows = architectures.iter().zip(predictions).map(|(architecture, prediction)| {
            let accuracy = prediction.accuracy.ok_or_else(no_accuracies)?;
            let design = self.model.design(architecture.clone());
            Ok((design, (accuracy, *prediction.metrics.latency())))
        });
        rows.collect()
    }

    /// Learns from everything measured so far.
    fn adapt(&mut self) -> Result<()> {
        let probes: Vec<Probe> = self.trials.iter().map(|trial| probe(trial, self.datasheet)).collect();
        let options = AdaptOptions {
            seed: self.options.seed,
            accept_implausible: self.options.accept_implausible,
        };
        self.model = self.advisor.predictor().adapt_with(self.datasheet, &probes, &options)?;
        Ok(())
    }

    /// The designs to measure next, at most `count`; none if too little is to be gained.
    fn most_improving(&self, queries: &[Limits], count: usize) -> Result<Vec<Architecture>> {
        let mut candidates = Candidates::of(self.advisor, &self.model, self.options, queries, &self.seen)?;
        let mut incumbents = self.incumbents(queries);
        let mut chosen = Vec::new();
        while chosen.len() < count {
            let next = most_improving(&candidates.accuracies, &incumbents, |candidate, query| {
                candidates.probabilities[query][candidate]
            });
            let Some((next, improvement)) = next else { break };
            if improvement < self.options.worth * queries.len() as f64 {
                break;
            }
            for (query, incumbent) in incumbents.iter_mut().enumerate() {
                if candidates.probabilities[query][next] >= LIKELY {
                    *incumbent = incumbent.max(candidates.accuracies[next]);
                }
            }
            chosen.push(candidates.take(next));
        }
        Ok(chosen)
    }

    /// The best accuracy measured within each limit; 0 % where there is none.
    fn incumbents(&self, queries: &[Limits]) -> Vec<f64> {
        let best = |limits: &Limits| {
            let holding = self.trials.iter().filter(|trial| confirm::holds(trial, limits));
            holding.map(|trial| trial.accuracy.percent.mean).fold(0.0, f64::max)
        };
        queries.iter().map(best).collect()
    }
}

fn probe(trial: &Trial, device: &Device) -> Probe {
    let latency = (Metric::Latency, Some(trial.measured.latency.median_ms));
    let values = [latency, (Metric::Energy, trial.measured.energy_mj)];
    let values = values.into_iter().filter_map(|(metric, value)| Some((metric, value?)));
    Probe::new(trial.measured.design.architecture.clone(), device, values.collect())
}

fn no_accuracies() -> Error {
    Error::Invalid {
        what: "checkpoint".into(),
        expected: "one that knows accuracies, which designs are chosen by".into(),
        found: "one that does not".into(),
        hint: "Train it on a dataset with accuracy.csv.".into(),
    }
}
