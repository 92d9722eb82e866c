//! Designs in spaces too large to list, where no table says what could have been found: every answer is compared with that of
//! a long NSGA-II under the same predictor, and with a second predictor that the methods never see, if there is one.

mod policy_gain;
mod results;
mod rows;
#[cfg(test)]
mod tests;

use std::time::Instant;

use super::OptimizerScoring;
use crate::dataset::{Dataset, Task};
use crate::error::{Error, Result};
use crate::evaluate::counts;
use crate::evaluate::devices::scored_devices;
use crate::evaluate::measured::{Limit, Measured};
use crate::metric::Metric;
use crate::optimize::{Optimizer, PredictorEvaluator, Proposals, Request, Start, nothing_proposed, searched};
use crate::predict::{AdaptOptions, DeviceModel, Predictor};
use crate::progress::{Progress, Unit};
use crate::search::{Constraint, Evaluator, Limits, Nsga2, Problem, Searcher};
use crate::seed::Seed;
use crate::space::{Architecture, Domain};

pub use policy_gain::PolicyGain;
pub use results::{Batch, LargeSpaceReport, LargeSpaceSummary};
pub use rows::{DesignScore, LargeSpaceRow, Method, OracleScore};

/// How much looser limits on latency are while the architecture is chosen before its bits.
const LOOSER: [f64; 4] = [1.0, 1.4, 2.0, 2.8];

/// What is scored, on every device alike.
struct Scored<'a> {
    predictor: &'a Predictor,
    optimizer: &'a Optimizer,
    oracle: Option<&'a Predictor>,
    scoring: &'a OptimizerScoring,
}

/// One device as it is known in one repeat.
struct Case<'a> {
    scored: &'a Scored<'a>,
    model: DeviceModel,
    /// The same device as the oracle knows it.
    oracle: Option<DeviceModel>,
    limits: &'a [Limit],
    requests: &'a [Request],
    seed: Seed,
}

/// Adapts to every device and has the optimizer, its parts and NSGA-II choose designs for the same limits.
///
/// An `oracle` is a predictor of the same space that knows the devices; its predictions stand for the truth. `batch` designs are
/// also chosen all at once, to see how long each takes then.
///
/// # Errors
/// [`Error::Invalid`] for no limits or repeats, for an oracle of another space or that was not trained on one of the devices, and
/// whatever adaptation, the optimizer and the search refuse.
pub fn score_large_space(
    predictor: &Predictor,
    optimizer: &Optimizer,
    oracle: Option<&Predictor>,
    (dataset, task): (&Dataset, Option<&Task>),
    batch: usize,
    scoring: &OptimizerScoring,
    progress: &dyn Progress,
) -> Result<LargeSpaceReport> {
    scoring.check()?;
    counts::check("designs at once", batch, 1, counts::BATCH)?;
    let input = task.and_then(|task| task.input);
    let devices = scored_devices(dataset, &scoring.devices, input, scoring.with_predicted);
    let scored = Scored {
        predictor,
        optimizer,
        oracle,
        scoring,
    };
    let (mut rows, mut seconds, mut models) = (Vec::new(), Method::ALL.map(|_| 0.0), Vec::new());
    progress.start("scoring", Unit::Count("devices"), Some(scoring.devices.len() as u64));
    for &device in &scoring.devices {
        progress.check()?;
        let measured = Measured::of(dataset, task, device)?;
        let limits = measured.limits(scoring.limits);
        let requests = super::requests(&limits, scoring)?;
        for repeat in 0..scoring.repeats {
            let case = scored.case(&measured, &limits, &requests, repeat)?;
            rows.extend(case.rows(repeat, &mut seconds)?);
            if repeat == 0 {
                models.push((case.model, measured.limits(batch.div_ceil(scoring.devices.len()))));
            }
        }
        progress.advance(1);
    }
    let batch = scored.batch(&models, batch)?;
    progress.finish();
    Ok(LargeSpaceReport::new(
        (&predictor.id, predictor.score_kind()),
        oracle,
        scoring,
        devices,
        rows,
        seconds,
        batch,
    ))
}

impl Scored<'_> {
    fn case<'a>(
        &'a self,
        measured: &Measured,
        limits: &'a [Limit],
        requests: &'a [Request],
        repeat: usize,
    ) -> Result<Case<'a>> {
        let (predictor, scoring) = (self.predictor, self.scoring);
        let seed = (scoring.seed).child(&format!("designs/{}", measured.device.id), repeat);
        let probes = measured.probes(predictor, scoring.choice, scoring.probes, seed);
        let oracle = self
            .oracle
            .map(|oracle| known_to(oracle, predictor, &measured.device.id));
        Ok(Case {
            scored: self,
            model: predictor.adapt_with(&measured.device, &probes, &AdaptOptions::measured_before(seed))?,
            oracle: oracle.transpose()?,
            limits,
            requests,
            seed,
        })
    }

    /// Designs for all devices, at evenly spaced limits, all at once.
    fn batch(&self, models: &[(DeviceModel, Vec<Limit>)], designs: usize) -> Result<Batch> {
        let mut asked = Vec::new();
        for (model, limits) in models {
            let requests = super::requests(limits, self.scoring)?;
            asked.extend(requests.into_iter().map(|request| (model, request)));
        }
        asked.truncate(designs);
        let queries: Vec<(&DeviceModel, &Request)> = asked.iter().map(|(model, request)| (*model, request)).collect();
        let started = Instant::now();
        let proposals = self
            .optimizer
            .propose_batch(self.predictor, &queries, self.scoring.seed)?;
        Ok(Batch {
            designs: proposals.len(),
            microseconds_per_design: 1e6 * started.elapsed().as_secs_f64() / proposals.len().max(1) as f64,
        })
    }
}

impl Case<'_> {
    /// Has every method answer every request, and adds up how long each takes.
    fn rows(&self, repeat: usize, seconds: &mut [f64; Method::ALL.len()]) -> Result<Vec<LargeSpaceRow>> {
        // What is computed once and kept is computed before anything is timed.
        self.answer(Method::Optimizer, &self.requests[0])?;
        let has_bits = self.scored.predictor.space.has_bits();
        let mut rows = Vec::new();
        for (limit, request) in self.limits.iter().zip(self.requests) {
            let mut timed = |method: Method| {
                let started = Instant::now();
                let proposals = self.answer(method, request)?;
                seconds[method as usize] += started.elapsed().as_secs_f64();
                self.score(limit, &proposals)
            };
            rows.push(LargeSpaceRow {
                device: self.model.id.clone(),
                repeat,
                limit_ms: limit.ms,
                limit_quantile: limit.quantile,
                design: timed(Method::Optimizer)?,
                policy: timed(Method::Policy)?,
                random_refined: timed(Method::RandomRefined)?,
                nsga2: timed(Method::Nsga2)?,
                eight_bits: has_bits.then(|| timed(Method::EightBits)).transpose()?,
                sequential: has_bits.then(|| timed(Method::Sequential)).transpose()?,
                optimizer_eight_bits: has_bits.then(|| timed(Method::OptimizerEightBits)).transpose()?,
            });
        }
        Ok(rows)
    }

    fn answer(&self, method: Method, request: &Request) -> Result<Proposals> {
        let Scored {
            predictor, optimizer, ..
        } = *self.scored;
        let unrefined = Request {
            refinement: 0,
            ..request.clone()
        };
        let from = |start, request: &Request| optimizer.propose_from(start, predictor, &self.model, request, self.seed);
        let eight_bits = Domain::at_eight_bits(predictor.space);
        match method {
            Method::Optimizer => optimizer.propose(predictor, &self.model, request, self.seed),
            Method::Policy => from(Start::Policy, &unrefined),
            Method::RandomRefined => from(Start::Random, request),
            Method::Nsga2 => self.searched(request, &Domain::whole(), self.scored.scoring.budget),
            Method::EightBits => self.searched(request, &eight_bits, self.scored.scoring.budget),
            Method::Sequential => self.one_after_the_other(request, &eight_bits),
            Method::OptimizerEightBits => optimizer.propose(predictor, &self.model.at_eight_bits(), request, self.seed),
        }
    }

    /// What NSGA-II finds within a part of the space.
    fn searched(&self, request: &Request, part: &Domain, budget: usize) -> Result<Proposals> {
        let predictor = self.scored.predictor;
        let evaluator = PredictorEvaluator::for_request(predictor, &self.model, request)?;
        let problem = Problem {
            domain: predictor.domain_on(&self.model).within(part),
            ..Problem::most_accurate(request.limits.clone())
        };
        let outcome = Nsga2::usual(self.seed).search(predictor.space, &evaluator, &problem, budget)?;
        searched(evaluator, predictor.space, &outcome, request).ok_or_else(nothing_proposed)
    }

    /// The best architecture at eight bits within a limit on latency that is looser than what is asked for, then its bits. How much
    /// looser it has to be nobody knows before, so that several are tried, each with as many evaluations as the joint search has.
    fn one_after_the_other(&self, request: &Request, eight_bits: &Domain) -> Result<Proposals> {
        let budget = self.scored.scoring.budget / 2;
        let mut found: Option<Proposals> = None;
        for looser in LOOSER {
            let at_eight_bits = self.searched(&loosened(request, looser)?, eight_bits, budget)?;
            let architecture = &at_eight_bits.best().design.architecture;
            let other_bits = Domain::of_other_bits(self.scored.predictor.space, architecture);
            let proposals = self.searched(request, &other_bits, budget)?;
            let rank = |one: &Proposals| (one.feasible(), one.best().accuracy.percent.mean);
            if found.as_ref().is_none_or(|before| rank(before) < rank(&proposals)) {
                found = Some(proposals);
            }
        }
        found.ok_or_else(nothing_proposed)
    }

    fn score(&self, limit: &Limit, proposals: &Proposals) -> Result<DesignScore> {
        let best = proposals.best();
        let architecture = &best.design.architecture;
        Ok(DesignScore {
            architecture: self.scored.predictor.space.print(architecture),
            quantization: best.design.quantization(self.scored.predictor.space),
            accuracy: best.accuracy.percent.mean,
            latency_ms: best.metrics.latency().mean,
            feasible_probability: best.feasible_probability,
            feasible: proposals.feasible(),
            oracle: self.oracle_score(limit, architecture)?,
        })
    }

    fn oracle_score(&self, limit: &Limit, architecture: &Architecture) -> Result<Option<OracleScore>> {
        let (Some(oracle), Some(model)) = (self.scored.oracle, &self.oracle) else {
            return Ok(None);
        };
        let evaluator = PredictorEvaluator::new(oracle, model)?;
        let evaluations = evaluator.evaluate(std::slice::from_ref(architecture), &Limits::none())?;
        let value = |metric| {
            evaluations
                .first()
                .and_then(|one| one.value(metric))
                .unwrap_or(f64::NAN)
        };
        Ok(Some(OracleScore::new(
            value(Metric::Accuracy),
            value(Metric::Latency),
            limit.ms,
        )))
    }
}

/// The request with so many times its limits on latency.
fn loosened(request: &Request, times: f64) -> Result<Request> {
    let constraints = request.limits.constraints().iter().map(|one| {
        let looser = if one.metric() == Metric::Latency { times } else { 1.0 };
        Constraint::new(one.metric(), looser * one.limit())
    });
    Ok(Request {
        limits: Limits::new(constraints.collect::<Result<Vec<_>>>()?, request.limits.confidence())?,
        ..request.clone()
    })
}

/// A device as the oracle knows it.
fn known_to(oracle: &Predictor, predictor: &Predictor, device: &str) -> Result<DeviceModel> {
    let invalid = |expected: String, found: String| Error::Invalid {
        what: "oracle".into(),
        expected,
        found,
        hint: "Train it on all data: all devices and all accuracies of this search space.".into(),
    };
    if oracle.space.id() != predictor.space.id() {
        let expected = format!("a predictor for {}", predictor.space.id());
        return Err(invalid(expected, format!("one for {}", oracle.space.id())));
    }
    oracle.known(device).ok_or_else(|| {
        let expected = format!("a predictor that was trained on {device}");
        invalid(expected, "one that was not".into())
    })
}
