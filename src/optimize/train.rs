//! Distils search under the predictor into the policy: draw devices and questions, look the answers up, and raise their
//! likelihood (cross-entropy, AdamW, a cosine learning rate).

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Bytes, Tensor, TensorData};
use nalgebra::DMatrix;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::decode::decode;
use super::devices::{Bounds, Recipe};
use super::net::{Policy, PolicySizes};
use super::pool::{Pool, Question};
use super::query::{Ask, QueryShape, mean_and_spread};
use super::{Optimizer, OptimizerConfig};
use crate::error::{Error, Result};
use crate::files::write_bytes;
use crate::predict::Predictor;
use crate::predict::train::{Run, load_module, module_bytes};
use crate::seed::Seed;
use crate::space::Architecture;
use crate::stats;

/// Steps between two reports, and between two refreshes of the pool.
const EPOCH: usize = 25;
/// How often the state is written at most.
const STATE_INTERVAL: Duration = Duration::from_secs(3);
/// Share of the anchors that are answers to queries: the designs that have to be told apart. The rest are drawn from the
/// space. Queries that these answers are drawn from.
const ANSWERS_AMONG_ANCHORS: f64 = 0.5;
const ANCHOR_STEPS: usize = 8;
/// Architectures drawn from the space that limits are taken from.
const REFERENCE: usize = 1000;
/// Share of limits drawn evenly over the range of costs and not over their quantiles, and how far below the least cost
/// that range reaches, in standard deviations: the nearly and the just unreachable.
const EVEN_LIMITS: f64 = 0.25;
const BELOW_LEAST: f64 = 0.1;
/// Range of weights, in percentage points per standard deviation of the logarithm, even in the logarithm.
const WEIGHTS: (f64, f64) = (0.02, 50.0);
/// Shares of asked metrics that have only a weight, and that have a weight beside their limit.
const ONLY_WEIGHT: f64 = 0.15;
const BOTH: f64 = 0.05;
/// Where energy is known: shares of queries about energy only, and about both.
const ENERGY_ONLY: f64 = 0.15;
const WITH_ENERGY: f64 = 0.3;

/// Designs and the basis there, fixed over the training.
struct Points {
    latency: DMatrix<f32>,
    energy: Option<DMatrix<f32>>,
}

impl Points {
    fn of(predictor: &Predictor, architectures: &[Architecture]) -> Points {
        let encoded = predictor.encode(architectures);
        Points {
            latency: predictor.latency_basis(&encoded).transpose(),
            energy: predictor.energy_basis(&encoded).map(|basis| basis.transpose()),
        }
    }
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
/// [`Error::Invalid`] for a predictor without accuracies or a loss that is no longer a number; [`Error::Interrupted`] after
/// a stop was asked for, with the state kept; [`Error::Io`] when the state cannot be written.
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
    let mut saved = Instant::now();
    while training.progress.epoch < epochs {
        training.epoch(run)?;
        let progress = &training.progress;
        let words = format!("loss {:.4} per gene", progress.loss);
        (run.progress)(progress.epoch as u64, epochs as u64, &words);
        let stop = run.stop.load(Ordering::Relaxed);
        let unfinished = progress.epoch < epochs;
        if stop || !unfinished || saved.elapsed() > STATE_INTERVAL {
            training.save()?;
            saved = Instant::now();
        }
        if let (true, Some(state)) = (stop && unfinished, run.state) {
            return Err(Error::Interrupted {
                state: state.to_path_buf(),
            });
        }
    }
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
    /// Whether the pool is an elite that changes.
    elite: bool,
    files: Option<PathBuf>,
    policy: Policy,
    optimizer: ModuleOptimizer,
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
        let draw = |name: &str, count: usize| -> Vec<Architecture> {
            let mut rng = seed.stream(name);
            (0..count).map(|_| predictor.space.sample(&mut rng)).collect()
        };
        let anchors = draw("anchors", config.anchors);
        let shape = QueryShape {
            anchors: config.anchors,
            energy: predictor.energy.is_some(),
        };
        let sizes = super::sizes(shape, config, predictor.space);
        let whole = whole_space(predictor);
        let mut training = Training {
            predictor,
            config,
            seed,
            shape,
            anchor_points: Points::of(predictor, &anchors),
            anchors,
            reference: Points::of(predictor, &draw("reference", REFERENCE)),
            elite: whole.is_none(),
            pool: whole,
            files: run.state.map(|folder| folder.join("optimizer")),
            policy: PolicySizes::init(&sizes, &mut seed.stream("init"), &run.device.clone().autodiff()),
            optimizer: AdamWConfig::new()
                .with_weight_decay(config.weight_decay as f32)
                .with_grad_clipping(Some(GradientClippingConfig::Norm(config.gradient_norm as f32)))
                .init(),
            progress: Progress::default(),
        };
        if run.resume {
            training.restore()?;
        }
        if training.pool.is_none() {
            let (designs, last) = match training.progress.pool.is_empty() {
                true => (draw("pool", config.pool), vec![0; config.pool]),
                false => std::mem::take(&mut training.progress.pool)
                    .into_iter()
                    .map(|(genes, last)| (Architecture(genes), last))
                    .unzip(),
            };
            training.pool = Some(Pool::of_designs(predictor, designs, last));
        }
        if training.progress.anchors.is_empty() {
            training.choose_anchors();
        }
        let anchors = training.progress.anchors.iter().cloned();
        training.anchors = anchors.map(Architecture).collect();
        training.anchor_points = Points::of(predictor, &training.anchors);
        Ok(training)
    }

    /// Puts answers to queries in the place of some of the anchors drawn from the space.
    fn choose_anchors(&mut self) {
        let mut answers: Vec<Architecture> = Vec::new();
        if let Some(pool) = &self.pool {
            let batches = (0..ANCHOR_STEPS).map(|step| self.batch(pool, self.seed.child("anchors", step)));
            let positions: BTreeSet<usize> = batches.flat_map(|batch| batch.answers).collect();
            answers.extend(positions.into_iter().map(|position| pool.designs[position].clone()));
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
        let choices = self.predictor.space.choices();
        let seed = self.seed.child("epoch", self.progress.epoch);
        let mut losses = 0.0;
        let mut last_queries = Vec::new();
        for step in 0..EPOCH {
            let batch = self.batch(&pool, seed.child("step", step));
            for &answer in &batch.answers {
                pool.last_answer[answer] = self.progress.epoch + 1;
            }
            let genes: Vec<u8> = batch
                .answers
                .iter()
                .flat_map(|&answer| pool.designs[answer].0.iter().copied())
                .collect();
            let shape = [batch.answers.len(), self.shape.width()];
            let queries = Tensor::<2>::from_data(TensorData::new(batch.queries.clone(), shape), &device);
            let loss = self.policy.loss(queries, &genes, choices, &device);
            losses += loss.clone().into_scalar::<f32>();
            let gradients = GradientsParams::from_grads(loss.backward(), &self.policy);
            let done = (self.progress.epoch * EPOCH + step) as f64 / self.config.steps as f64;
            let rate = self.config.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos());
            self.policy = self.optimizer.step(rate, self.policy.clone(), gradients);
            last_queries = batch.queries;
        }
        self.progress.epoch += 1;
        self.progress.loss = losses / (EPOCH * choices.len()) as f32;
        if !self.progress.loss.is_finite() {
            return Err(Error::Invalid {
                what: format!("training loss of the optimizer in step {}", self.progress.epoch * EPOCH),
                expected: "a finite number".into(),
                found: self.progress.loss.to_string(),
                hint: "Lower the learning rate.".into(),
            });
        }
        if self.elite {
            pool = self.refresh(pool, &last_queries, seed, run);
        }
        self.pool = Some(pool);
        Ok(())
    }

    fn refresh(&self, pool: Pool, queries: &[f32], seed: Seed, run: &Run) -> Pool {
        let width = self.shape.width();
        let rngs: Vec<StdRng> = (0..queries.len() / width)
            .map(|index| seed.child("sample", index).stream("decode"))
            .collect();
        let choices = self.predictor.space.choices();
        let policy = self.policy.valid();
        let samples = decode(&policy, choices, queries, width, 4, &rngs, run.device);
        let samples = samples.into_iter().flatten().collect();
        let renewed = self.config.pool / 8;
        pool.refresh(
            self.predictor,
            samples,
            self.progress.epoch,
            renewed,
            &mut seed.stream("refresh"),
        )
    }

    /// Devices, each with several questions and their answers.
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
        let latency = &self.predictor.latency.prior;
        let recipe = Recipe::draw(latency, rng);
        let bounds = |anchors: &DMatrix<f32>, reference: &DMatrix<f32>, designs: &DMatrix<f32>, prior, rng: &mut _| {
            let metric = recipe.metric(prior, reference, rng);
            MetricOfDevice::new(metric.bounds(anchors), metric.bounds(reference), metric.bounds(designs))
        };
        let points = (&self.anchor_points, &self.reference);
        let latency = bounds(&points.0.latency, &points.1.latency, &pool.latency, latency, rng);
        let energy = match (&self.predictor.energy, &points.0.energy, &points.1.energy, &pool.energy) {
            (Some(energy), Some(anchors), Some(reference), Some(designs)) => {
                Some(bounds(anchors, reference, designs, &energy.prior, rng))
            }
            _ => None,
        };
        let mut batch = Batch::default();
        for _ in 0..self.config.queries_per_device {
            let asked: f64 = rng.random();
            let about_energy = energy.as_ref().filter(|_| asked < ENERGY_ONLY + WITH_ENERGY);
            let about_latency = about_energy.is_none() || asked >= ENERGY_ONLY;
            let latency = about_latency.then(|| latency.ask(rng));
            let energy = about_energy.map(|energy| energy.ask(rng));
            let mut question = Question {
                limits: Vec::new(),
                costs: Vec::new(),
            };
            for asked in latency.iter().chain(&energy) {
                asked.put(&mut question);
            }
            let (latency, energy) = (latency.map(|asked| asked.ask), energy.map(|asked| asked.ask));
            self.shape.push(&mut batch.queries, latency, energy);
            batch
                .answers
                .push(pool.answer(&question, self.config.tolerance as f32, rng));
        }
        batch
    }

    fn save(&mut self) -> Result<()> {
        let Some(folder) = &self.files else { return Ok(()) };
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        write_bytes(&folder.join("policy.bpk"), &module_bytes(&self.policy, folder)?)?;
        let optimizer = self
            .optimizer
            .into_bytes()
            .map_err(|error| unusable(folder, &error.to_string()))?;
        write_bytes(&folder.join("optimizer.bpk"), &optimizer)?;
        if let (true, Some(pool)) = (self.elite, &self.pool) {
            let genes = pool.designs.iter().map(|design| design.0.clone());
            self.progress.pool = genes.zip(pool.last_answer.iter().copied()).collect();
        }
        let progress = serde_json::to_vec(&self.progress).map_err(|error| unusable(folder, &error.to_string()))?;
        self.progress.pool.clear();
        write_bytes(&folder.join("progress.json"), &progress)
    }

    fn restore(&mut self) -> Result<()> {
        let Some(folder) = self.files.clone() else {
            return Ok(());
        };
        let path = folder.join("progress.json");
        if !path.exists() {
            return Ok(());
        }
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        self.progress = serde_json::from_slice(&bytes).map_err(|error| unusable(&path, &error.to_string()))?;
        self.policy = load_module(self.policy.clone(), &folder.join("policy.bpk"))?;
        let path = folder.join("optimizer.bpk");
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let optimizer = std::mem::replace(&mut self.optimizer, AdamWConfig::new().init());
        self.optimizer = optimizer
            .from_bytes(Bytes::from_bytes_vec(bytes))
            .map_err(|error| unusable(&path, &error.to_string()))?;
        Ok(())
    }
}

fn unusable(path: &std::path::Path, found: &str) -> Error {
    Error::Checkpoint {
        path: path.to_path_buf(),
        expected: "training state written by this version of edgefit".into(),
        found: found.into(),
        hint: "Train again without --resume.".into(),
    }
}

/// One metric of a drawn device, at the anchors, at the reference architectures and at the pool's designs.
struct MetricOfDevice {
    anchors_mean: Vec<f64>,
    anchors_upper: Vec<f64>,
    /// Upper bounds at the reference architectures, rising.
    reference: Vec<f64>,
    designs: Bounds,
    log_typical: f64,
}

/// What is asked of one metric.
struct Asked<'a> {
    ask: Ask<'a>,
    designs: &'a Bounds,
}

impl MetricOfDevice {
    fn new(anchors: Bounds, reference: Bounds, designs: Bounds) -> Self {
        let wide = |values: Vec<f32>| -> Vec<f64> { values.into_iter().map(f64::from).collect() };
        let mut reference = wide(reference.upper);
        reference.sort_unstable_by(f64::total_cmp);
        let anchors_mean = wide(anchors.mean);
        MetricOfDevice {
            log_typical: stats::mean(&anchors_mean).unwrap_or_default(),
            anchors_mean,
            anchors_upper: wide(anchors.upper),
            reference,
            designs,
        }
    }

    fn ask(&self, rng: &mut StdRng) -> Asked<'_> {
        let kind: f64 = rng.random();
        let limited = kind >= ONLY_WEIGHT;
        // Without a limit there is no confidence, and the expected values count.
        let log_upper = if limited {
            &self.anchors_upper
        } else {
            &self.anchors_mean
        };
        let (_, spread) = mean_and_spread(log_upper);
        let log_limit = limited.then(|| self.limit(spread, rng));
        let weight = match kind < ONLY_WEIGHT + BOTH {
            true => {
                let per_spread = (WEIGHTS.0.ln() + rng.random::<f64>() * (WEIGHTS.1 / WEIGHTS.0).ln()).exp();
                per_spread / (self.log_typical.exp() * spread)
            }
            false => 0.0,
        };
        Asked {
            ask: Ask {
                log_upper,
                log_typical: self.log_typical,
                log_limit,
                weight,
            },
            designs: &self.designs,
        }
    }

    fn limit(&self, spread: f64, rng: &mut StdRng) -> f64 {
        let at = |share| stats::quantile_of_sorted(&self.reference, share).unwrap_or_default();
        if rng.random_bool(EVEN_LIMITS) {
            let least = at(0.0) - BELOW_LEAST * spread;
            return least + rng.random::<f64>() * (at(0.99) - least);
        }
        at(0.01 + 0.98 * rng.random::<f64>())
    }
}

impl<'a> Asked<'a> {
    fn put(&self, question: &mut Question<'a>) {
        if let Some(limit) = self.ask.log_limit {
            question.limits.push((&self.designs.upper, limit as f32));
        }
        if self.ask.weight > 0.0 {
            let weight = self.ask.weight as f32;
            question
                .costs
                .push(self.designs.mean.iter().map(|mean| weight * mean.exp()).collect());
        }
    }
}
