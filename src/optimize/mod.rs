//! Which design is best for a device and its limits, in milliseconds instead of a search?
//!
//! The amortized optimizer of Lu, Yang & Ren, *Scaling Up Deep Neural Network Optimization for Edge Inference* (2020): a
//! network that maps a device and a request straight to a design. Here it writes the genes one after another
//! ([`net`]), learned from search under the predictor for synthetic devices ([`train`]), and nothing that it says is taken on
//! trust: [`decode`] draws several designs, the predictor judges each ([`verify`]), and the best are refined and proposed.

mod config;
mod constraint_queries;
pub mod decode;
mod devices;
mod elites;
mod judged;
pub mod net;
mod pool;
mod propose;
pub mod query;
mod refine;
mod request;
mod start;
#[cfg(test)]
mod tests;
pub mod train;
mod unroll;
pub mod verify;
mod whole_space;

use std::path::Path;
use std::sync::OnceLock;

use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::compute::ComputeDevice;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::predict::{AccuracyModel, DeviceMetrics, DeviceModel, MetricModel, Predictor};
use crate::seed::Seed;
use crate::space::{self, Architecture, SearchSpace};
use crate::training::{fits, load_module, module_bytes};
use net::{Policy, PolicySizes};
use query::{MetricQuery, QueryShape};
use refine::{Refinement, refined};

pub use config::OptimizerConfig;
pub(crate) use propose::{FEASIBILITY_TOLERANCE, compare_merits};
pub use propose::{exhaustive, searched};
pub use request::Request;
pub use start::Start;
pub use train::fit;
pub use verify::{PredictorEvaluator, Proposal, Proposals};

use whole_space::best_of_all;

/// A trained policy with what it needs to answer queries.
pub struct Optimizer {
    /// How it was trained.
    pub config: OptimizerConfig,
    /// The predictor that it was trained under.
    pub predictor: String,
    /// The search space.
    pub space: &'static dyn SearchSpace,
    shape: QueryShape,
    anchors: Vec<Architecture>,
    policy: Policy,
    compute: ComputeDevice,
    /// The bases at the anchors, `[rank, anchors]`, of the first predictor that it was used with.
    at_anchors: OnceLock<DeviceMetrics<DMatrix<f32>>>,
}

/// What is saved of an optimizer beside its weights.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Description {
    space: String,
    predictor: String,
    config: OptimizerConfig,
    shape: QueryShape,
    anchors: Vec<Vec<u8>>,
}

impl Optimizer {
    fn new(
        predictor: &Predictor,
        config: OptimizerConfig,
        anchors: Vec<Architecture>,
        policy: Policy,
        compute: ComputeDevice,
    ) -> Optimizer {
        Optimizer {
            predictor: predictor.id.clone(),
            space: predictor.space,
            shape: QueryShape {
                anchors: anchors.len(),
                metrics: predictor.metrics.metrics().collect(),
            },
            config,
            anchors,
            policy,
            compute,
            at_anchors: OnceLock::new(),
        }
    }

    /// The designs for one device and request. The same seed gives the same designs.
    ///
    /// Where the space is small enough to list, all of it is looked at, and the designs are the best there are under the
    /// predictor. In larger ones they are the best of what the policy writes, refined. [`Optimizer::propose_from`] does that
    /// in any space.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a predictor or device that does not belong to this optimizer, a predictor without
    /// accuracies, and a request about a metric that is not known.
    pub fn propose(
        &self,
        predictor: &Predictor,
        device: &DeviceModel,
        request: &Request,
        seed: Seed,
    ) -> Result<Proposals> {
        let mut proposals = self.propose_batch(predictor, &[(device, request)], seed)?;
        proposals.pop().ok_or_else(nothing_proposed)
    }

    /// The designs for many queries at once, which takes far less time than one by one. The first of them gets what
    /// [`Optimizer::propose`] gives it, if none has more samples.
    ///
    /// # Errors
    /// As [`Optimizer::propose`].
    pub fn propose_batch(
        &self,
        predictor: &Predictor,
        queries: &[(&DeviceModel, &Request)],
        seed: Seed,
    ) -> Result<Vec<Proposals>> {
        self.check(predictor)?;
        match best_of_listed(predictor, queries)? {
            Some(proposals) => Ok(proposals),
            None => Ok(self.propose_by_policy(predictor, queries, evaluators(predictor, queries)?, seed)),
        }
    }

    /// The best of what the policy writes, refined.
    fn propose_by_policy(
        &self,
        predictor: &Predictor,
        queries: &[(&DeviceModel, &Request)],
        evaluators: Vec<PredictorEvaluator>,
        seed: Seed,
    ) -> Vec<Proposals> {
        let designs = self.decode(predictor, queries, seed);
        let queries = designs.into_iter().zip(evaluators).zip(queries).enumerate();
        let refinements = queries.map(|(index, ((designs, evaluator), (_, request)))| {
            let rng = seed.child("refine", index).stream("neighbours");
            Refinement::new(evaluator, request, designs, rng)
        });
        refined(predictor, refinements.collect())
            .into_iter()
            .flatten()
            .collect()
    }

    /// Designs from the policy alone, not verified: for each query its first choice, then samples.
    fn decode(
        &self,
        predictor: &Predictor,
        queries: &[(&DeviceModel, &Request)],
        seed: Seed,
    ) -> Vec<Vec<Architecture>> {
        let samples = queries.iter().map(|(_, request)| request.samples).max().unwrap_or(0);
        let anchors = self
            .at_anchors
            .get_or_init(|| predictor.bases(&predictor.encode(&self.anchors)));
        let width = self.shape.width();
        let vectors: Vec<Vec<f32>> = queries
            .par_iter()
            .map(|(device, request)| self.query(anchors, device, request))
            .collect();
        let rngs: Vec<_> = (0..queries.len())
            .map(|index| seed.child("samples", index).stream("decode"))
            .collect();
        let vectors = vectors.concat();
        let mut designs = decode::decode(&self.policy, self.space, &vectors, width, samples, &rngs, &self.compute);
        for (designs, (_, request)) in designs.iter_mut().zip(queries) {
            designs.truncate(1 + request.samples);
        }
        designs
    }

    fn query(&self, anchors: &DeviceMetrics<DMatrix<f32>>, device: &DeviceModel, request: &Request) -> Vec<f32> {
        let models = device.metrics.zip(anchors);
        let limited = models.metrics().filter(|&metric| request.limit(metric).is_some());
        // The probability of all limits is a product, so each gets its root.
        let confidence = request.limits.confidence().powf(1.0 / limited.count().max(1) as f64);
        let at_anchors: Vec<(Metric, AtAnchors)> = models
            .iter()
            .filter(|(metric, _)| request.concerns(*metric))
            .map(|(metric, (model, basis))| (metric, AtAnchors::new(metric, model, basis, request, confidence)))
            .collect();
        let queries = at_anchors.iter().map(|(metric, one)| (*metric, one.query()));
        let mut query = Vec::with_capacity(self.shape.width());
        self.shape.push(&mut query, &queries.collect());
        query
    }

    fn check(&self, predictor: &Predictor) -> Result<()> {
        needs_accuracy(predictor)?;
        if self.predictor == predictor.id && self.space.id() == predictor.space.id() {
            return Ok(());
        }
        Err(Error::Invalid {
            what: "optimizer".into(),
            expected: format!("one trained under the predictor `{}`", predictor.id),
            found: format!("one trained under `{}`", self.predictor),
            hint: "Train the optimizer again with this predictor.".into(),
        })
    }

    /// Description (JSON) and weights (burnpack), which [`Optimizer::from_parts`] turns back into this optimizer.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when Burn cannot write the weights.
    pub fn parts(&self) -> Result<(String, Vec<u8>)> {
        let place = Path::new("optimizer");
        let description = Description {
            space: self.space.id().into(),
            predictor: self.predictor.clone(),
            config: self.config.clone(),
            shape: self.shape.clone(),
            anchors: self.anchors.iter().map(|anchor| anchor.0.clone()).collect(),
        };
        let text = serde_json::to_string_pretty(&description).map_err(|error| unusable(place, &error.to_string()))?;
        Ok((text, module_bytes(&self.policy, place)?))
    }

    /// Reads what [`Optimizer::parts`] gave. `place` is where it lies, for messages.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for anything else, [`Error::Unknown`] for a search space that this version lacks.
    pub fn from_parts(description: &str, weights: &[u8], place: &Path, compute: &ComputeDevice) -> Result<Optimizer> {
        let description: Description =
            serde_json::from_str(description).map_err(|error| unusable(place, &error.to_string()))?;
        let space = space::by_id(&description.space)?;
        description
            .config
            .check()
            .map_err(|error| unusable(place, &error.to_string()))?;
        let anchors: Vec<Architecture> = description.anchors.into_iter().map(Architecture).collect();
        if !description.shape.is_sound() {
            return Err(unusable(place, "queries about other metrics than those of devices"));
        }
        if anchors.len() != description.shape.anchors || !anchors.iter().all(|anchor| space.contains(anchor)) {
            return Err(unusable(place, "anchors that are not architectures of the space"));
        }
        let sizes = sizes(&description.shape, &description.config, space);
        // Before room is made for them.
        fits(sizes.parameters(), weights.len(), place)?;
        let policy = load_module(sizes.init(&mut Seed(0).stream("init"), compute), weights, place)?;
        Ok(Optimizer {
            config: description.config,
            predictor: description.predictor,
            space,
            shape: description.shape,
            anchors,
            policy,
            compute: compute.clone(),
            at_anchors: OnceLock::new(),
        })
    }
}

/// The best designs of a space that is small enough to list, for many queries at once: where all of it can be looked at, no
/// optimizer is needed. `None` where the space is too large for that.
///
/// # Errors
/// As [`Optimizer::propose`], but for those about the optimizer.
pub fn best_of_listed(predictor: &Predictor, queries: &[(&DeviceModel, &Request)]) -> Result<Option<Vec<Proposals>>> {
    let evaluators = evaluators(predictor, queries)?;
    let Some(table) = predictor.table() else {
        return Ok(None);
    };
    let answers = evaluators.into_par_iter().zip(queries);
    let answers: Vec<Option<Proposals>> = answers
        .map(|(evaluator, (_, request))| best_of_all(evaluator, table, request))
        .collect();
    Ok(Some(answers.into_iter().flatten().collect()))
}

fn evaluators<'a>(
    predictor: &'a Predictor,
    queries: &[(&'a DeviceModel, &Request)],
) -> Result<Vec<PredictorEvaluator<'a>>> {
    let queries = queries.iter();
    queries
        .map(|(device, request)| PredictorEvaluator::for_request(predictor, device, request))
        .collect()
}

/// One metric of a device at the anchors.
struct AtAnchors {
    log_upper: Vec<f64>,
    log_typical: f64,
    log_limit: Option<f64>,
    weight: f64,
}

impl AtAnchors {
    fn new(metric: Metric, model: &MetricModel, basis: &DMatrix<f32>, request: &Request, confidence: f64) -> Self {
        let predictions = model.predict(basis);
        let means: Vec<f64> = predictions.iter().map(|one| f64::from(one.mean)).collect();
        let limit = request.limit(metric);
        AtAnchors {
            log_typical: means.iter().sum::<f64>() / means.len().max(1) as f64,
            log_upper: match limit {
                Some(_) => predictions
                    .iter()
                    .map(|&one| model.log_upper(one, confidence))
                    .collect(),
                None => means,
            },
            log_limit: limit.map(f64::ln),
            weight: request.weight(metric),
        }
    }

    fn query(&self) -> MetricQuery<'_> {
        MetricQuery {
            log_upper: &self.log_upper,
            log_typical: self.log_typical,
            log_limit: self.log_limit,
            weight: self.weight,
        }
    }
}

fn sizes(shape: &QueryShape, config: &OptimizerConfig, space: &dyn SearchSpace) -> PolicySizes {
    PolicySizes {
        inputs: shape.width(),
        hidden: config.hidden,
        state: config.state,
        choices: space.choices().iter().map(|&choices| usize::from(choices)).sum(),
    }
}

pub(crate) fn nothing_proposed() -> Error {
    Error::Invalid {
        what: "optimizer".into(),
        expected: "a design".into(),
        found: "none".into(),
        hint: "The search space has no genes.".into(),
    }
}

fn needs_accuracy(predictor: &Predictor) -> Result<&AccuracyModel> {
    predictor.accuracy.as_ref().ok_or_else(|| Error::Invalid {
        what: "predictor".into(),
        expected: "one that knows accuracies, which designs are chosen by".into(),
        found: "one that does not".into(),
        hint: "Train it on a dataset with accuracy.csv.".into(),
    })
}

fn unusable(place: &Path, found: &str) -> Error {
    Error::Checkpoint {
        path: place.to_path_buf(),
        expected: "an optimizer written by this version of edgefit".into(),
        found: found.into(),
        hint: "Train it again, or restore it from a copy.".into(),
    }
}
