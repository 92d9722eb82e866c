//! Distils search under the predictor into the policy: draw devices and queries, look the answers up, and raise their
//! likelihood (cross-entropy, AdamW, a cosine learning rate).

use std::collections::BTreeSet;
use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::constraint_queries::{DrawnQuery, MetricOfDevice};
use super::decode::decode;
use super::devices::Recipe;
use super::elites::Elites;
use super::judged::Points;
use super::net::{Policy, PolicySizes};
use super::pool::{ConstraintQuery, Pool};
use super::query::QueryShape;
use super::{Optimizer, OptimizerConfig};
use crate::error::{Error, Result};
use crate::metric::{Metric, PerMetric};
use crate::predict::Predictor;
use crate::progress::Unit;
use crate::seed::Seed;
use crate::space::Architecture;
use crate::training::{Descent, Run, StateFolder};

/// Steps between two reports, and between two refreshes of the pool.
const EPOCH: usize = 25;
/// Share of the anchors that are answers to queries: the designs that have to be told apart. The rest are drawn from the
/// space. Queries that these answers are drawn from.
const ANSWERS_AMONG_ANCHORS: f64 = 0.5;
const ANCHOR_STEPS: usize = 8;
/// Architectures drawn from the space that limits are taken from.
const REFERENCE: usize = 1000;
/// Where more than latency is known: shares of queries about one other metric alone, and about all of them.
const OTHER_ONLY: f64 = 0.15;
const ALL_METRICS: f64 = 0.3;

fn points(predictor: &Predictor, architectures: &[Architecture]) -> Points {
    predictor.bases(&predictor.encode(architectures))
}

fn drawn(predictor: &Predictor, count: usize, rng: &mut StdRng) -> Vec<Architecture> {
    let sampled = (0..count).map(|_| predictor.space.sample(rng));
    sampled.map(|one| predictor.searched_form(&one)).collect()
}

/// Queries and their answers, row by row.
#[derive(Default)]
struct Batch {
    queries: Vec<f32>,
    answers: Vec<usize>,
}

#[derive(Serialize, Deserialize, Default)]
struct Progress {
    epoch: usize,
    loss: f32,
    /// Genes of the pool's designs and when they were last answers; empty where the whole space is the pool.
    pool: Vec<(Vec<u8>, usize)>,
    /// Genes of the anchors.
    anchors: Vec<Vec<u8>>,
}

/// Trains a policy for a predictor.
///
/// # Errors
/// [`Error::Invalid`] for a predictor without accuracies; [`Error::Diverged`] for a loss that is no longer a number; [`Error::Interrupted`] after
/// a stop was requested, with the state kept; [`Error::Io`] when the state cannot be written.
pub fn fit(predictor: &Predictor, config: &OptimizerConfig, run: &Run) -> Result<Optimizer> {
    fit_among(predictor, Pool::of_table, config, run)
}

pub(super) fn fit_among(
    predictor: &Predictor,
    whole_space: impl Fn(&Predictor) -> Option<Pool>,
    config: &OptimizerConfig,
    run: &Run,
) -> Result<Optimizer> {
    super::needs_accuracy(predictor)?;
    config.check()?;
    let mut training = Training::start(predictor, whole_space, config, run)?;
    let epochs = config.steps.div_ceil(EPOCH);
    let steps = Unit::Count("steps");
    run.progress
        .start("training the optimizer", steps, Some((epochs * EPOCH) as u64));
    run.progress.advance((training.progress.epoch * EPOCH) as u64);
    while training.progress.epoch < epochs {
        training.epoch(run)?;
        let progress = &training.progress;
        run.progress.advance(EPOCH as u64);
        run.progress.message(&format!("loss {:.4} per gene", progress.loss));
        let unfinished = progress.epoch < epochs;
        if run.stopped() || !unfinished || training.state.is_due() {
            training.save()?;
        }
        if unfinished {
            run.interrupt()?;
        }
    }
    run.progress.finish();
    Ok(Optimizer::new(
        predictor,
        config.clone(),
        training.anchors,
        training.policy.valid(),
        run.device.clone(),
    ))
}

struct Training<'a> {
    predictor: &'a Predictor,
    config: &'a OptimizerConfig,
    seed: Seed,
    shape: QueryShape,
    anchors: Vec<Architecture>,
    anchor_points: Points,
    reference: Points,
    pool: Option<Pool>,
    /// Where the pool is not all of the space.
    elites: Option<Elites>,
    state: StateFolder,
    policy: Policy,
    descent: Descent,
    progress: Progress,
}

impl<'a> Training<'a> {
    fn start(
        predictor: &'a Predictor,
        whole_space: impl Fn(&Predictor) -> Option<Pool>,
        config: &'a OptimizerConfig,
        run: &Run,
    ) -> Result<Self> {
        let seed = run.seed.child("optimizer", 0);
        let draw = |name: &str, count: usize| drawn(predictor, count, &mut seed.stream(name));
        let anchors = draw("anchors", config.anchors);
        let shape = QueryShape {
            anchors: config.anchors,
            metrics: predictor.metrics.metrics().collect(),
        };
        let sizes = super::sizes(&shape, config, predictor.space);
        let whole = whole_space(predictor);
        let reference = points(predictor, &draw("reference", REFERENCE));
        let training = Training {
            predictor,
            config,
            seed,
            shape,
            anchor_points: points(predictor, &anchors),
            anchors,
            elites: (whole.is_none()).then(|| Elites::new(predictor, &reference, seed.child("regions", 0))),
            reference,
            pool: whole,
            state: StateFolder::new(run, "optimizer"),
            policy: PolicySizes::init(&sizes, &mut seed.stream("init"), &run.device.clone().autodiff()),
            descent: Descent::new(
                config.learning_rate,
                config.weight_decay,
                config.gradient_norm,
                config.steps,
            ),
            progress: Progress::default(),
        };
        let mut training = training.restored()?;
        training.fill_pool();
        if training.progress.anchors.is_empty() {
            training.choose_anchors();
        }
        let anchors = training.progress.anchors.iter().cloned();
        training.anchors = anchors.map(Architecture).collect();
        training.anchor_points = points(predictor, &training.anchors);
        Ok(training)
    }

    /// With what an earlier run saved, if there is any.
    fn restored(mut self) -> Result<Self> {
        if let Some(progress) = self.state.progress()? {
            self.progress = progress;
            self.policy = self.state.module("policy.bpk", self.policy)?;
            self.descent = self.state.descent(self.descent)?;
        }
        Ok(self)
    }

    /// Where the pool is not all of the space: that of an earlier run, or a new one.
    fn fill_pool(&mut self) {
        let Some(elites) = &mut self.elites else { return };
        let saved = std::mem::take(&mut self.progress.pool);
        let pool = if saved.is_empty() {
            Pool::evolved(self.predictor, elites, self.config.pool, &mut self.seed.stream("pool"))
        } else {
            let saved = saved.into_iter();
            let (designs, last) = saved.map(|(genes, last)| (Architecture(genes), last)).unzip();
            let pool = Pool::of_designs(self.predictor, designs, last);
            elites.offer(&pool.judged);
            pool
        };
        self.pool = Some(pool);
    }

    /// Puts answers to queries in the place of some of the anchors drawn from the space.
    fn choose_anchors(&mut self) {
        let mut answers: Vec<Architecture> = Vec::new();
        if let Some(pool) = &self.pool {
            let batches = (0..ANCHOR_STEPS).map(|step| self.batch(pool, self.seed.child("anchors", step)));
            let positions: BTreeSet<usize> = batches.flat_map(|batch| batch.answers).collect();
            answers.extend(
                positions
                    .into_iter()
                    .map(|position| pool.judged.designs[position].clone()),
            );
        }
        answers.shuffle(&mut self.seed.stream("anchor-answers"));
        answers.truncate((self.config.anchors as f64 * ANSWERS_AMONG_ANCHORS) as usize);
        for (anchor, answer) in self.anchors.iter_mut().zip(answers) {
            *anchor = answer;
        }
        self.progress.anchors = self.anchors.iter().map(|anchor| anchor.0.clone()).collect();
    }

    fn epoch(&mut self, run: &Run) -> Result<()> {
        let Some(mut pool) = self.pool.take() else {
            return Ok(());
        };
        let device = run.device.clone().autodiff();
        let space = self.predictor.space;
        let seed = self.seed.child("epoch", self.progress.epoch);
        let mut losses = 0.0;
        let mut last_queries = Vec::new();
        for step in 0..EPOCH {
            let batch = self.batch(&pool, seed.child("step", step));
            for &answer in &batch.answers {
                pool.last_answer[answer] = self.progress.epoch + 1;
            }
            let genes: Vec<&[u8]> = (batch.answers.iter())
                .map(|&answer| pool.judged.designs[answer].0.as_slice())
                .collect();
            let width = self.shape.width();
            let loss = |policy: &Policy, rows: Range<usize>| {
                let queries = batch.queries[rows.start * width..rows.end * width].to_vec();
                let queries = Tensor::<2>::from_data(TensorData::new(queries, [rows.len(), width]), &device);
                let share = rows.len() as f32 / genes.len() as f32;
                policy.loss(queries, &genes[rows], space, &device) * share
            };
            let step = self.progress.epoch * EPOCH + step;
            let (policy, loss) = self.descent.step(step, self.policy.clone(), genes.len(), &device, loss);
            self.policy = policy;
            losses += loss.into_scalar::<f32>();
            last_queries = batch.queries;
        }
        self.progress.epoch += 1;
        self.progress.loss = losses / (EPOCH * space.choices().len()) as f32;
        if !self.progress.loss.is_finite() {
            return Err(Error::Diverged {
                what: format!("the optimizer in step {}", self.progress.epoch * EPOCH),
                loss: self.progress.loss,
            });
        }
        if let Some(mut elites) = self.elites.take() {
            pool = self.refresh(pool, &mut elites, &last_queries, seed, run);
            self.elites = Some(elites);
        }
        self.pool = Some(pool);
        Ok(())
    }

    fn refresh(&self, pool: Pool, elites: &mut Elites, queries: &[f32], seed: Seed, run: &Run) -> Pool {
        let width = self.shape.width();
        let rngs: Vec<StdRng> = (0..queries.len() / width)
            .map(|index| seed.child("sample", index).stream("decode"))
            .collect();
        let policy = self.policy.valid();
        let samples = decode(&policy, self.predictor.space, queries, width, 4, &rngs, run.device);
        let samples = samples.into_iter().flatten().collect();
        let mut rng = seed.stream("refresh");
        pool.refreshed(
            self.predictor,
            elites,
            samples,
            self.progress.epoch,
            self.config.pool,
            &mut rng,
        )
    }

    /// Devices, each with several queries and their answers.
    fn batch(&self, pool: &Pool, seed: Seed) -> Batch {
        let parts: Vec<Batch> = (0..self.config.devices_per_step)
            .into_par_iter()
            .map(|index| self.device_batch(pool, &mut seed.child("device", index).stream("draw")))
            .collect();
        let mut batch = Batch::default();
        for part in parts {
            batch.queries.extend(part.queries);
            batch.answers.extend(part.answers);
        }
        batch
    }

    fn device_batch(&self, pool: &Pool, rng: &mut StdRng) -> Batch {
        let recipe = Recipe::draw(&self.predictor.metrics.latency().prior, rng);
        let mut drawn: PerMetric<MetricOfDevice> = PerMetric::new();
        for (metric, learned) in self.predictor.metrics.iter() {
            let points = (self.anchor_points.get(metric), self.reference.get(metric));
            if let ((Some(anchors), Some(reference)), Some(designs)) = (points, pool.judged.bases.get(metric)) {
                let of_metric = recipe.metric(&learned.prior, reference, rng);
                let bounds = |points| of_metric.bounds(points);
                drawn.insert(
                    metric,
                    MetricOfDevice::new(bounds(anchors), bounds(reference), bounds(designs)),
                );
            }
        }
        let mut batch = Batch::default();
        for _ in 0..self.config.queries_per_device {
            let about = metrics_of_query(&self.shape.metrics, rng);
            let queries: PerMetric<DrawnQuery> = about
                .into_iter()
                .filter_map(|metric| Some((metric, drawn.get(metric)?.draw(rng))))
                .collect();
            let mut constraints = ConstraintQuery::default();
            for (_, query) in queries.iter() {
                query.add_to(&mut constraints);
            }
            self.shape
                .push(&mut batch.queries, &queries.map(|_, query| query.of_metric));
            batch
                .answers
                .push(pool.answer(&constraints, self.config.tolerance as f32, rng));
        }
        batch
    }

    fn save(&mut self) -> Result<()> {
        if let (Some(_), Some(pool)) = (&self.elites, &self.pool) {
            let genes = pool.judged.designs.iter().map(|design| design.0.clone());
            self.progress.pool = genes.zip(pool.last_answer.iter().copied()).collect();
        }
        let modules = [("policy.bpk", &self.policy)];
        let saved = self.state.save(&modules, &self.descent, &self.progress);
        self.progress.pool.clear();
        saved
    }
}

/// The metrics that a query is about: mostly the first, which is latency, sometimes another or all of them.
fn metrics_of_query(metrics: &[Metric], rng: &mut StdRng) -> Vec<Metric> {
    let Some((&first, others)) = metrics.split_first() else {
        return Vec::new();
    };
    let kind: f64 = rng.random();
    match others.choose(rng) {
        Some(&other) if kind < OTHER_ONLY => vec![other],
        Some(_) if kind < OTHER_ONLY + ALL_METRICS => metrics.to_vec(),
        Some(_) | None => vec![first],
    }
}
