//! Designs for unseen devices: adapt with a few of their measurements, ask for the best design under a grid of limits, and
//! look the answers up in the measured table.

use std::time::Instant;

use serde::Serialize;

use super::predictor::ProbeChoice;
use super::truth::{Found, Truth};
use crate::dataset::{Dataset, Task};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::optimize::{Optimizer, PredictorEvaluator, Request, exhaustive};
use crate::predict::{DeviceModel, Estimate, Predictor, Probe};
use crate::progress::{Progress, Unit};
use crate::search::{Constraint, Limits, Nsga2, Problem, RandomSearch, Searcher};
use crate::seed::Seed;
use crate::stats::{self, Interval};

/// What to score.
#[derive(Debug, Clone)]
pub struct OptimizerScoring {
    /// Positions of the devices in the dataset.
    pub devices: Vec<usize>,
    /// Number of probes.
    pub probes: usize,
    /// How probes are picked.
    pub choice: ProbeChoice,
    /// Number of limits, at evenly spaced quantiles of the device's latencies from 5 % to 95 %.
    pub limits: usize,
    /// Probability with which limits have to hold.
    pub confidence: f64,
    /// Repeats with other probes.
    pub repeats: usize,
    /// Designs sampled from the policy per limit.
    pub samples: usize,
    /// Evaluations of the random and the NSGA-II baseline per limit.
    pub budget: usize,
    /// Where the random numbers come from.
    pub seed: Seed,
}

/// One design.
#[derive(Debug, Clone, Serialize)]
pub struct OptimizerRow {
    /// Device id.
    pub device: String,
    /// Which repeat.
    pub repeat: usize,
    /// The limit, in ms.
    pub limit_ms: f64,
    /// The quantile of the device's latencies that the limit is at.
    pub limit_quantile: f64,
    /// The design's architecture.
    pub architecture: String,
    /// The design's quantization.
    pub quantization: String,
    /// Probability that the limit holds, as predicted.
    pub feasible_probability: f64,
    /// Latency in the table, in ms.
    pub true_latency_ms: f64,
    /// Accuracy in the table, in percent.
    pub true_accuracy: f64,
    /// Best accuracy in the table within the limit.
    pub oracle_accuracy: f64,
    /// Oracle minus true accuracy, in percentage points.
    pub regret: f64,
    /// Whether the latency in the table is above the limit.
    pub violated: bool,
    /// Latency above the limit, as a share of the limit; 0 if it holds.
    pub overshoot: f64,
    /// Latency as predicted, in ms; for reports.
    #[serde(skip)]
    pub latency_ms: Estimate,
    /// Accuracy as the optimizer knew it, in percent; for reports.
    #[serde(skip)]
    pub accuracy: Estimate,
}

/// Figures of one method.
#[derive(Debug, Clone, Serialize)]
pub struct OptimizerSummary {
    /// Mean regret, in percentage points.
    pub mean_regret: f64,
    /// Lower end of its 90 % bootstrap interval over devices.
    pub mean_regret_low: f64,
    /// Upper end.
    pub mean_regret_high: f64,
    /// Share of designs above their limit.
    pub violation_rate: f64,
    /// Mean overshoot of those.
    pub mean_overshoot: f64,
    /// Hypervolume of the designs' true accuracy and latency over that of the points of the true front that the same limits
    /// ask for, which is what any method could reach with as many designs. The reference point is the slowest latency and the lowest accuracy of the table. Mean over devices and
    /// repeats.
    pub hypervolume_ratio: f64,
    /// The same over the whole true front; with few limits far below 1 even for perfect answers.
    pub hypervolume_ratio_of_whole_front: f64,
    /// Mean wall time of one design, one after another, in microseconds; adaptation not included.
    pub microseconds_per_design: f64,
    /// Mean regret at each limit, from the strictest, with its 90 % bootstrap interval over devices; for reports.
    #[serde(skip)]
    pub regret_by_limit: Vec<Interval>,
}

/// The same limits answered in other ways.
#[derive(Debug, Clone, Serialize)]
pub struct Baselines {
    /// The best of all architectures under the same predictor: what amortization gives away.
    pub exhaustive: OptimizerSummary,
    /// NSGA-II with the same predictor.
    pub nsga2: OptimizerSummary,
    /// Random search with the same predictor.
    pub random: OptimizerSummary,
    /// The front of the known device that ranks the probes best, its latencies scaled to the probes by least squares in log.
    pub one_proxy: OptimizerSummary,
}

/// All scores.
#[derive(Debug, Clone, Serialize)]
pub struct OptimizerReport {
    /// Number of probes.
    pub probes: usize,
    /// How probes were picked.
    pub probe_choice: ProbeChoice,
    /// Confidence asked for.
    pub confidence: f64,
    /// Seed of the run.
    pub seed: u64,
    /// One row per device, repeat and limit.
    pub rows: Vec<OptimizerRow>,
    /// Figures of the optimizer.
    pub summary: OptimizerSummary,
    /// Figures of other ways to answer.
    pub baselines: Baselines,
    /// What could have been found on each device; for reports.
    #[serde(skip)]
    pub fronts: Vec<TrueFront>,
}

/// The Pareto front of a device's table.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueFront {
    /// Device id.
    pub device: String,
    /// Latency in ms and accuracy in percent, fastest first.
    pub points: Vec<[f64; 2]>,
}

/// The answers of one method: for each device and repeat, one position in the truth per limit.
#[derive(Default)]
struct Answers {
    rows: Vec<Vec<Found>>,
    hypervolume_ratios: Vec<[f64; 2]>,
    seconds: f64,
    designs: usize,
}

/// Adapts, asks and looks up.
///
/// # Errors
/// [`Error::Invalid`] for a device without enough architectures of both known latency and known accuracy, for a space too
/// large to list, and whatever adaptation and the optimizer refuse.
pub fn score_optimizer(
    predictor: &Predictor,
    optimizer: &Optimizer,
    dataset: &Dataset,
    task: &Task,
    scoring: &OptimizerScoring,
    progress: &dyn Progress,
) -> Result<OptimizerReport> {
    let (mut rows, mut fronts) = (Vec::new(), Vec::new());
    let [mut policy, mut all, mut nsga2, mut random, mut proxy] = [(); 5].map(|()| Answers::default());
    // Everything that is computed once and kept is computed before anything is timed.
    let _ = predictor.table();
    progress.start("scoring", Unit::Count("devices"), Some(scoring.devices.len() as u64));
    for &device in &scoring.devices {
        progress.check()?;
        let truth = Truth::of(dataset, task, device)?;
        fronts.push(truth.front());
        for repeat in 0..scoring.repeats.max(1) {
            let seed = scoring.seed.child(&format!("designs/{}", truth.device.id), repeat);
            let probed = truth.probes(predictor, scoring.choice, scoring.probes, seed);
            let probes = (probed.iter())
                .map(|&index| truth.probe(index))
                .collect::<Result<Vec<Probe>>>()?;
            let model = predictor.adapt(&truth.device, &probes, seed)?;
            let limits = truth.limits(scoring.limits);
            let requests = requests(&limits, scoring)?;
            if repeat == 0 {
                optimizer.propose(predictor, &model, &requests[0], seed)?;
            }
            let started = Instant::now();
            let answers = requests
                .iter()
                .map(|request| Ok(optimizer.propose(predictor, &model, request, seed)?.best().clone()))
                .collect::<Result<Vec<_>>>()?;
            policy.time(started, limits.len());
            let picks: Vec<usize> = answers
                .iter()
                .map(|one| truth.position(&one.design.architecture))
                .collect::<Result<_>>()?;
            for ((limit, answer), &pick) in limits.iter().zip(&answers).zip(&picks) {
                rows.push(truth.row(repeat, *limit, answer, pick, predictor));
            }
            policy.add(&truth, &limits, &picks)?;

            let started = Instant::now();
            let answers = exhaustive(predictor, &model, &requests)?.ok_or_else(|| too_large(predictor))?;
            all.time(started, limits.len());
            let picks: Vec<usize> = answers
                .iter()
                .map(|one| truth.position(&one.best().design.architecture))
                .collect::<Result<_>>()?;
            all.add(&truth, &limits, &picks)?;
            let evaluator = PredictorEvaluator::new(predictor, &model)?;
            for (answers, searcher) in [
                (&mut nsga2, &Nsga2::usual(seed) as &dyn Searcher),
                (&mut random, &RandomSearch { seed }),
            ] {
                let started = Instant::now();
                let picks = searched(searcher, predictor, &evaluator, &requests, scoring.budget, &truth)?;
                answers.time(started, limits.len());
                answers.add(&truth, &limits, &picks)?;
            }
            let started = Instant::now();
            let picks = proxied(predictor, &truth, &probed, &limits)?;
            proxy.time(started, limits.len());
            proxy.add(&truth, &limits, &picks)?;
        }
        progress.advance(1);
    }
    progress.finish();
    Ok(OptimizerReport {
        probes: scoring.probes,
        probe_choice: scoring.choice,
        confidence: scoring.confidence,
        seed: scoring.seed.0,
        rows,
        summary: policy.summary(scoring),
        baselines: Baselines {
            exhaustive: all.summary(scoring),
            nsga2: nsga2.summary(scoring),
            random: random.summary(scoring),
            one_proxy: proxy.summary(scoring),
        },
        fronts,
    })
}

fn too_large(predictor: &Predictor) -> Error {
    Error::Invalid {
        what: format!("search space {}", predictor.space.id()),
        expected: "one whose architectures can all be listed".into(),
        found: "a larger one".into(),
        hint: "Its designs cannot be compared with an exhaustive search.".into(),
    }
}

fn requests(limits: &[(f64, f64)], scoring: &OptimizerScoring) -> Result<Vec<Request>> {
    limits
        .iter()
        .map(|&(_, limit)| {
            let limits = Limits::new(vec![Constraint::new(Metric::Latency, limit)?], scoring.confidence)?;
            Ok(Request {
                samples: scoring.samples,
                ..Request::within(limits)
            })
        })
        .collect()
}

/// The best designs that a searcher finds, as positions in the truth.
fn searched(
    searcher: &dyn Searcher,
    predictor: &Predictor,
    evaluator: &PredictorEvaluator,
    requests: &[Request],
    budget: usize,
    truth: &Truth,
) -> Result<Vec<usize>> {
    requests
        .iter()
        .map(|request| {
            let problem = Problem::most_accurate(request.limits.clone());
            let outcome = searcher.search(predictor.space, evaluator, &problem, budget)?;
            let candidate = outcome.answer.candidate().ok_or_else(|| Error::Invalid {
                what: "--budget".into(),
                expected: "at least one evaluation".into(),
                found: budget.to_string(),
                hint: "Raise it.".into(),
            })?;
            truth.position(&candidate.architecture)
        })
        .collect()
}

/// One proxy device: the known device whose own latencies rank the probes best stands for the target.
fn proxied(predictor: &Predictor, truth: &Truth, probed: &[usize], limits: &[(f64, f64)]) -> Result<Vec<usize>> {
    let table = predictor.table().ok_or_else(|| too_large(predictor))?;
    let known: Vec<DeviceModel> = predictor
        .known_devices()
        .iter()
        .filter_map(|id| predictor.known(id))
        .collect();
    let measured: Vec<f64> = probed.iter().map(|&index| truth.latencies[index].ln()).collect();
    let places: Vec<usize> = truth.architectures.iter().map(|one| table.position(one)).collect();
    let logs = |model: &DeviceModel| -> Vec<f64> {
        let predictions = model.metrics.latency().predict(table.bases.latency());
        places.iter().map(|&place| f64::from(predictions[place].mean)).collect()
    };
    let best = known
        .iter()
        .map(logs)
        .map(|logs| {
            let at_probes: Vec<f64> = probed.iter().map(|&index| logs[index]).collect();
            (stats::spearman(&at_probes, &measured).unwrap_or(0.0), at_probes, logs)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let Some((_, at_probes, logs)) = best else {
        return Err(too_large(predictor));
    };
    let (slope, offset) = line(&at_probes, &measured);
    let scaled: Vec<f64> = logs.iter().map(|log| offset + slope * log).collect();
    let accuracy = |index: usize| table.accuracies[places[index]].percent.mean;
    let pick = |limit: f64| {
        let fits = (0..scaled.len()).filter(|&index| scaled[index] <= limit.ln());
        fits.max_by(|&a, &b| accuracy(a).total_cmp(&accuracy(b)))
            .unwrap_or_else(|| {
                (0..scaled.len())
                    .min_by(|&a, &b| scaled[a].total_cmp(&scaled[b]))
                    .unwrap_or_default()
            })
    };
    Ok(limits.iter().map(|&(_, limit)| pick(limit)).collect())
}

/// Least-squares line through the points, with slope one where there is nothing to fit it to.
fn line(x: &[f64], y: &[f64]) -> (f64, f64) {
    let (Some(mean_x), Some(mean_y)) = (stats::mean(x), stats::mean(y)) else {
        return (1.0, 0.0);
    };
    let square: f64 = x.iter().map(|x| (x - mean_x).powi(2)).sum();
    let product: f64 = x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let slope = if square > 0.0 { product / square } else { 1.0 };
    (slope, mean_y - slope * mean_x)
}

impl Answers {
    fn time(&mut self, started: Instant, designs: usize) {
        self.seconds += started.elapsed().as_secs_f64();
        self.designs += designs;
    }

    fn add(&mut self, truth: &Truth, limits: &[(f64, f64)], picks: &[usize]) -> Result<()> {
        self.rows.push(
            limits
                .iter()
                .zip(picks)
                .map(|(limit, &pick)| truth.found(limit.1, pick))
                .collect(),
        );
        self.hypervolume_ratios.push(truth.hypervolume_ratios(limits, picks)?);
        Ok(())
    }

    fn summary(&self, scoring: &OptimizerScoring) -> OptimizerSummary {
        let repeats = scoring.repeats.max(1);
        // One group per device.
        let groups: Vec<Vec<f64>> = self
            .rows
            .chunks(repeats)
            .map(|rows| rows.iter().flatten().map(|found| found.regret).collect())
            .collect();
        let ratio = |which: usize| {
            let ratios: Vec<f64> = self.hypervolume_ratios.iter().map(|both| both[which]).collect();
            stats::mean(&ratios).unwrap_or(f64::NAN)
        };
        let regret = stats::bootstrap_mean(&groups, 0.9, scoring.seed);
        let all: Vec<&Found> = self.rows.iter().flatten().collect();
        let over: Vec<f64> = all
            .iter()
            .map(|found| found.overshoot)
            .filter(|overshoot| *overshoot > 0.0)
            .collect();
        OptimizerSummary {
            mean_regret: regret.map_or(f64::NAN, |interval| interval.mean),
            mean_regret_low: regret.map_or(f64::NAN, |interval| interval.low),
            mean_regret_high: regret.map_or(f64::NAN, |interval| interval.high),
            violation_rate: over.len() as f64 / all.len().max(1) as f64,
            mean_overshoot: stats::mean(&over).unwrap_or(0.0),
            hypervolume_ratio: ratio(0),
            hypervolume_ratio_of_whole_front: ratio(1),
            microseconds_per_design: 1e6 * self.seconds / self.designs.max(1) as f64,
            regret_by_limit: (0..scoring.limits)
                .filter_map(|limit| self.regret_at(limit, repeats, scoring.seed))
                .collect(),
        }
    }

    fn regret_at(&self, limit: usize, repeats: usize, seed: Seed) -> Option<Interval> {
        let groups: Vec<Vec<f64>> = self
            .rows
            .chunks(repeats)
            .map(|rows| rows.iter().filter_map(|row| Some(row.get(limit)?.regret)).collect())
            .collect();
        stats::bootstrap_mean(&groups, 0.9, seed)
    }
}
