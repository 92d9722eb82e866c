//! Designs for unseen devices: adapt with a few of their measurements, choose a design for each of a grid of limits, and look
//! the designs up in the measured table.

mod answers;
pub mod large;
mod proxy;
mod results;
mod scoring;

use std::collections::BTreeMap;

use super::devices::{ScoredDevice, scored_devices};
use super::measured::Limit;
pub use super::truth::TrueFront;
use super::truth::Truth;
use crate::dataset::{Dataset, Origin, Task};
use crate::error::{Error, Result};
use crate::optimize::{Optimizer, PredictorEvaluator, Proposal, Proposals, Request, Start, exhaustive};
use crate::predict::fit::{FitOptions, accuracy_model};
use crate::predict::train::Run;
use crate::predict::{AdaptOptions, DeviceModel, Predictor, Probe};
use crate::progress::{Progress, Unit};
use crate::search::{Nsga2, Problem, RandomSearch, Searcher};
use crate::seed::Seed;
use answers::Answers;
use proxy::proxied;

pub use results::{AccuracyOrigins, Baselines, OptimizerReport, OptimizerRow, OptimizerSummary, Parts};
pub use scoring::OptimizerScoring;
use scoring::requests;

/// Everything that the methods share about one device and repeat.
struct Case<'a> {
    predictor: &'a Predictor,
    scoring: &'a OptimizerScoring,
    /// Position among the scored devices.
    device: usize,
    truth: &'a Truth,
    model: DeviceModel,
    limits: &'a [Limit],
    requests: &'a [Request],
    seed: Seed,
}

/// The answers of every method.
#[derive(Default)]
struct Methods {
    optimizer: Answers,
    predicted_accuracies: Answers,
    policy: Answers,
    random_refined: Answers,
    policy_refined: Answers,
    exhaustive: Answers,
    nsga2: Answers,
    random: Answers,
    one_proxy: Answers,
}

/// What is scored, on every device alike.
struct Scored<'a> {
    predictor: &'a Predictor,
    /// The same with accuracies learned from few labels.
    few_labels: Option<Predictor>,
    optimizer: &'a Optimizer,
    scoring: &'a OptimizerScoring,
}

/// Adapts to every device, chooses designs in every way, and looks them up.
///
/// # Errors
/// [`Error::Invalid`] for no limits or repeats, limits beside those on latency, a device without enough architectures
/// of both known latency and known accuracy, a space too large to list, and whatever adaptation, the optimizer and the
/// training of accuracies refuse.
pub fn score_optimizer(
    predictor: &Predictor,
    optimizer: &Optimizer,
    dataset: &Dataset,
    task: &Task,
    scoring: &OptimizerScoring,
    progress: &dyn Progress,
) -> Result<OptimizerReport> {
    scoring.check()?;
    scoring.check_latency_alone()?;
    let devices = scored_devices(dataset, &scoring.devices, task.input, scoring.with_predicted);
    let (labels, few_labels) = with_few_labels(predictor, dataset, task, scoring, progress)?;
    // Everything that is computed once and kept is computed before anything is timed.
    let table = predictor.table().ok_or_else(|| too_large(predictor))?;
    let _ = few_labels.as_ref().map(Predictor::table);
    let accuracies = AccuracyOrigins {
        chosen_by: counted(table.accuracies.iter().map(|one| one.origin)),
        scored_with: counted(
            (dataset.accuracies.iter())
                .filter(|row| row.task == task.index)
                .map(|row| row.origin),
        ),
        labels,
    };
    let scored = Scored {
        predictor,
        few_labels,
        optimizer,
        scoring,
    };
    let (mut rows, mut fronts, mut methods) = (Vec::new(), Vec::new(), Methods::default());
    progress.start("scoring", Unit::Count("devices"), Some(scoring.devices.len() as u64));
    for (position, &device) in scoring.devices.iter().enumerate() {
        progress.check()?;
        let truth = Truth::of(dataset, task, device)?;
        fronts.push(truth.front());
        rows.extend(scored.answers(position, &truth, &mut methods)?);
        progress.advance(1);
    }
    progress.finish();
    Ok(scored.report(rows, fronts, &methods, devices, accuracies))
}

impl Scored<'_> {
    /// Has every method answer on the device at `position` among those scored, once a repeat; gives the rows of the optimizer.
    fn answers(&self, position: usize, truth: &Truth, methods: &mut Methods) -> Result<Vec<OptimizerRow>> {
        let (predictor, scoring) = (self.predictor, self.scoring);
        let limits = truth.limits(scoring.limits);
        let requests = requests(&limits, scoring)?;
        let mut rows = Vec::new();
        for repeat in 0..scoring.repeats {
            let seed = scoring.seed.child(&format!("designs/{}", truth.device.id), repeat);
            let probed = truth.probes(predictor, scoring.choice, scoring.probes, seed);
            let probes: Vec<Probe> = probed.iter().map(|&index| truth.probe(index)).collect();
            let case = Case {
                predictor,
                scoring,
                device: position,
                truth,
                model: predictor.adapt_with(&truth.device, &probes, &AdaptOptions::measured_before(seed))?,
                limits: &limits,
                requests: &requests,
                seed,
            };
            rows.extend(case.optimizer(self.optimizer, &mut methods.optimizer, repeat)?);
            case.parts(self.optimizer, methods)?;
            case.baselines(&probed, methods)?;
            if let Some(few_labels) = &self.few_labels {
                case.exhaustive(few_labels, &mut methods.predicted_accuracies)?;
            }
        }
        Ok(rows)
    }

    fn report(
        &self,
        rows: Vec<OptimizerRow>,
        fronts: Vec<TrueFront>,
        methods: &Methods,
        devices: Vec<ScoredDevice>,
        accuracies: AccuracyOrigins,
    ) -> OptimizerReport {
        let scoring = self.scoring;
        let summary = |answers: &Answers| answers.summary(&devices, scoring);
        OptimizerReport {
            checkpoint: self.predictor.id.clone(),
            probes: scoring.probes,
            probe_choice: scoring.choice,
            confidence: scoring.confidence,
            seed: scoring.seed.0,
            accuracies,
            rows,
            summary: summary(&methods.optimizer),
            predicted_accuracies: (self.few_labels.is_some()).then(|| summary(&methods.predicted_accuracies)),
            parts: Parts {
                policy: summary(&methods.policy),
                random_refined: summary(&methods.random_refined),
                policy_refined: summary(&methods.policy_refined),
            },
            baselines: Baselines {
                exhaustive: summary(&methods.exhaustive),
                nsga2: summary(&methods.nsga2),
                random: summary(&methods.random),
                one_proxy: summary(&methods.one_proxy),
            },
            score: self.predictor.score_kind(),
            fronts,
            devices,
        }
    }
}

/// The same predictor with accuracies learned from few labels, and their number; nothing where there are too few.
fn with_few_labels(
    predictor: &Predictor,
    dataset: &Dataset,
    task: &Task,
    scoring: &OptimizerScoring,
    progress: &dyn Progress,
) -> Result<(usize, Option<Predictor>)> {
    // With more than half of them there would be little left to predict.
    let labels = scoring
        .accuracy_labels
        .min(dataset.accuracies_of(task, None)?.len() / 2);
    if labels < MIN_LABELS {
        return Ok((0, None));
    }
    let options = FitOptions {
        accuracy_samples: Some(labels),
        forget_accuracies: false,
        ..scoring.accuracy_training.clone()
    };
    let run = Run {
        device: &predictor.compute,
        seed: scoring.seed,
        state: None,
        resume: false,
        progress,
    };
    let model = accuracy_model(predictor, dataset, task, &options, &run)?;
    Ok((labels, Some(predictor.with_accuracy(Some(model)))))
}

/// Fewest labels that accuracies are learned from.
const MIN_LABELS: usize = 30;

fn counted(origins: impl Iterator<Item = Origin>) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::from(Origin::ALL.map(|origin| (origin.name(), 0)));
    origins.for_each(|origin| *counts.entry(origin.name()).or_default() += 1);
    counts
}

fn too_large(predictor: &Predictor) -> Error {
    Error::Invalid {
        what: format!("search space {}", predictor.space.id()),
        expected: "one whose architectures can all be listed".into(),
        found: "a larger one".into(),
        hint: "Its designs cannot be compared with an exhaustive search.".into(),
    }
}

impl Case<'_> {
    /// What `design` answers.
    fn optimizer(&self, optimizer: &Optimizer, answers: &mut Answers, repeat: usize) -> Result<Vec<OptimizerRow>> {
        let propose = |request| optimizer.propose(self.predictor, &self.model, request, self.seed);
        propose(&self.requests[0])?;
        let mut proposals = Vec::new();
        answers.add(self.device, self.truth, self.limits, || {
            proposals = self.requests.iter().map(propose).collect::<Result<_>>()?;
            self.positions(&proposals)
        })?;
        let rows = self.limits.iter().zip(&proposals);
        rows.map(|(limit, proposals)| self.row(repeat, limit, proposals.best()))
            .collect()
    }

    fn parts(&self, optimizer: &Optimizer, methods: &mut Methods) -> Result<()> {
        for (start, refined, answers) in [
            (Start::Policy, false, &mut methods.policy),
            (Start::Random, true, &mut methods.random_refined),
            (Start::Policy, true, &mut methods.policy_refined),
        ] {
            let propose = |request: &Request| {
                let request = Request {
                    refinement: if refined { request.refinement } else { 0 },
                    ..request.clone()
                };
                optimizer.propose_from(start, self.predictor, &self.model, &request, self.seed)
            };
            answers.add(self.device, self.truth, self.limits, || {
                let proposals = self.requests.iter().map(propose).collect::<Result<Vec<_>>>()?;
                self.positions(&proposals)
            })?;
        }
        Ok(())
    }

    fn baselines(&self, probed: &[usize], methods: &mut Methods) -> Result<()> {
        self.exhaustive(self.predictor, &mut methods.exhaustive)?;
        let evaluator = PredictorEvaluator::new(self.predictor, &self.model)?;
        for (answers, searcher) in [
            (&mut methods.nsga2, &Nsga2::usual(self.seed) as &dyn Searcher),
            (&mut methods.random, &RandomSearch { seed: self.seed }),
        ] {
            answers.add(self.device, self.truth, self.limits, || {
                self.searched(searcher, &evaluator)
            })?;
        }
        methods.one_proxy.add(self.device, self.truth, self.limits, || {
            proxied(self.predictor, self.truth, probed, self.limits)
        })
    }

    /// The best designs there are under a predictor that the device's model belongs to.
    fn exhaustive(&self, predictor: &Predictor, answers: &mut Answers) -> Result<()> {
        answers.add(self.device, self.truth, self.limits, || {
            let best = exhaustive(predictor, &self.model, self.requests)?;
            self.positions(&best.ok_or_else(|| too_large(predictor))?)
        })
    }

    /// The best designs that a searcher finds.
    fn searched(&self, searcher: &dyn Searcher, evaluator: &PredictorEvaluator) -> Result<Vec<usize>> {
        let best = |request: &Request| {
            let problem = Problem::most_accurate(request.limits.clone());
            let outcome = searcher.search(self.predictor.space, evaluator, &problem, self.scoring.budget)?;
            let candidate = outcome.answer.candidate().ok_or_else(|| too_large(self.predictor))?;
            self.truth.position(&candidate.architecture)
        };
        self.requests.iter().map(best).collect()
    }

    fn positions(&self, proposals: &[Proposals]) -> Result<Vec<usize>> {
        let position = |one: &Proposals| self.truth.position(&one.best().design.architecture);
        proposals.iter().map(position).collect()
    }

    fn row(&self, repeat: usize, limit: &Limit, answer: &Proposal) -> Result<OptimizerRow> {
        let pick = self.truth.position(&answer.design.architecture)?;
        let found = self.truth.found(limit, pick);
        Ok(OptimizerRow {
            device: self.truth.device.id.clone(),
            repeat,
            limit_ms: limit.ms,
            limit_quantile: limit.quantile,
            architecture: self.predictor.space.print(&answer.design.architecture),
            quantization: answer.design.quantization(self.predictor.space),
            feasible_probability: answer.feasible_probability,
            accuracy_origin: answer.accuracy.origin,
            true_latency_ms: self.truth.latencies[pick],
            true_accuracy: self.truth.accuracies[pick],
            oracle_accuracy: self.truth.oracle(limit.ms),
            regret: found.regret,
            violated: found.violated(),
            overshoot: found.overshoot,
            latency_ms: *answer.metrics.latency(),
            accuracy: answer.accuracy.percent,
        })
    }
}
