//! From a proxy to the Pareto set of a target: reuse the proxy's set where it is good enough, else adapt, search once,
//! measure what was returned, and drop what is not optimal.
//!
//! Lu et al. (SIGMETRICS 2022), sections 3 and 4. The target's measurements are looked up in a table, so the search is over
//! the architectures in it, all of them.

#[cfg(test)]
mod tests;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::adaproxy::{Adaptation, AdaptedProxy, Norm, Sampling, adapt_until};
use super::fleet::{Column, Fleet};
use super::linear::LinearModel;
use super::monotonicity::check_threshold;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::search::Tradeoff;
use crate::seed::Seed;
use crate::space::Architecture;
use crate::stats;

/// A rank correlation over fewer samples says nothing about a proxy, however high it is.
const MIN_TO_REUSE: usize = 5;

/// How the Pareto set of a target came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The proxy ranks the samples as the target does: its own Pareto set was taken over.
    Reused,
    /// The proxy's latency model was adapted and searched.
    Adapted,
}

/// An architecture of a front as it turned out on the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrontPoint {
    /// The architecture, as its space prints it.
    pub architecture: String,
    /// Latency measured on the target, in ms.
    pub latency_ms: f64,
    /// Accuracy, in percent.
    pub accuracy_percent: f64,
}

/// The flow for one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowReport {
    /// Id of the proxy.
    pub proxy: String,
    /// Id of the target.
    pub target: String,
    /// SRCC that is good enough.
    pub threshold: f64,
    /// What was done.
    pub decision: Decision,
    /// SRCC of proxy and target over the first samples; absent where it is not defined.
    pub sampled_spearman: Option<f64>,
    /// Architectures measured on the target before the search.
    pub samples: usize,
    /// The adaptation, where there was one.
    pub adaptation: Option<Adaptation>,
    /// SRCC of the proxy's latencies with the target's over architectures that are not samples.
    pub spearman_before: Option<f64>,
    /// The same of the model that was searched: the adapted one, or the proxy's latencies.
    pub spearman_after: Option<f64>,
    /// The Pareto sets, where accuracies are known.
    pub fronts: Option<FlowFronts>,
}

/// What the search returned, and what of it is optimal on the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowFronts {
    /// Members of the returned set, all of which are measured on the target.
    pub returned: usize,
    /// Members that another one beats on the target.
    pub dropped: usize,
    /// The others, fastest first.
    pub kept: Vec<FrontPoint>,
    /// Members of the target's true front, fastest first.
    pub truth: Vec<FrontPoint>,
    /// Hypervolume of the kept ones over that of the true front, from the slowest latency and the lowest accuracy.
    pub hypervolume_ratio: Option<f64>,
}

/// What the flow is to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlowOptions {
    /// The norm of AdaProxy.
    pub norm: Norm,
    /// How many samples to measure, and the SRCC that is good enough, of the proxy itself and of the adaptation.
    pub sampling: Sampling,
    /// Whether to adapt even a proxy that is good enough.
    pub always_adapt: bool,
    /// What a search returns: one for the Pareto set, as published; two for that and the Pareto set of the rest, and so on.
    /// Measurements scatter, and what is optimal on the target may have been narrowly dominated on the proxy.
    pub layers: usize,
    /// Which samples.
    pub seed: Seed,
}

/// A proxy and a target over the architectures that the target was measured on.
pub struct Pairing<'a> {
    fleet: &'a Fleet,
    proxy: &'a Column,
    target: &'a Column,
    model: &'a LinearModel,
    /// Rows of the fleet where the target has a value.
    rows: Vec<usize>,
}

/// Samples taken from a target and what they made of a proxy.
struct Sampled {
    /// Rows of the fleet.
    samples: Vec<usize>,
    adapted: AdaptedProxy,
}

/// The linear model of a column of a fleet.
///
/// # Errors
/// [`Error::Invalid`] where nothing was measured.
pub fn linear_model(fleet: &Fleet, column: &Column) -> Result<LinearModel> {
    let rows: Vec<usize> = (0..fleet.architectures.len())
        .filter(|&row| column.values[row].is_some())
        .collect();
    let values: Vec<f64> = column.values.iter().copied().flatten().collect();
    LinearModel::fit(fleet.space, &architectures(fleet, &rows), &values)
}

impl<'a> Pairing<'a> {
    /// Pairs a proxy with its [`linear_model`] and a target.
    ///
    /// # Errors
    /// [`Error::Insufficient`] for a target that was not measured at all.
    pub fn new(fleet: &'a Fleet, proxy: &'a Column, model: &'a LinearModel, target: &'a Column) -> Result<Pairing<'a>> {
        let rows: Vec<usize> = (0..fleet.architectures.len())
            .filter(|&row| target.values[row].is_some())
            .collect();
        if rows.is_empty() {
            Err(Error::Insufficient {
                what: format!("target {}", target.id),
                expected: "measured architectures".into(),
                found: "none".into(),
                hint: "Measure some, or choose another target.".into(),
            })
        } else {
            Ok(Pairing {
                fleet,
                proxy,
                target,
                model,
                rows,
            })
        }
    }

    /// The whole flow. `accuracies` are those of the fleet's architectures, absent where not known; with none of them no
    /// Pareto set is returned.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a budget of zero.
    pub fn run(&self, accuracies: &[Option<f64>], options: &FlowOptions) -> Result<FlowReport> {
        let threshold = options.sampling.threshold;
        check_threshold(threshold)?;
        let order = self.order(options.seed);
        let first = &order[..options.sampling.first.clamp(1, order.len())];
        let sampled_spearman = self.spearman_over(first, |row| self.proxy.values[row]);
        let common = first.iter().filter(|&&row| self.proxy.values[row].is_some()).count();
        let enough = common >= MIN_TO_REUSE && options.sampling.budget > 0;
        let reuse = enough && !options.always_adapt && sampled_spearman.is_some_and(|found| found >= threshold);
        let (decision, samples, adapted) = if reuse {
            (Decision::Reused, first.to_vec(), None)
        } else {
            let Sampled { samples, adapted } = self.sampled(options)?;
            (Decision::Adapted, samples, Some(adapted))
        };
        let searched: Vec<Option<f64>> = match &adapted {
            None => self.proxy.values.clone(),
            Some(adapted) => self.predictions(&adapted.model),
        };
        let unseen = self.unseen(&samples);
        Ok(FlowReport {
            proxy: self.proxy.id.clone(),
            target: self.target.id.clone(),
            threshold,
            decision,
            sampled_spearman,
            samples: samples.len(),
            adaptation: adapted.map(|adapted| adapted.adaptation),
            spearman_before: self.spearman_over(&unseen, |row| self.proxy.values[row]),
            spearman_after: self.spearman_over(&unseen, |row| searched[row]),
            fronts: self.fronts(&searched, accuracies, options.layers)?,
        })
    }

    /// SRCC with the target before and after an adaptation, over architectures that are not samples.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a budget of zero.
    pub fn before_and_after(&self, options: &FlowOptions) -> Result<[Option<f64>; 2]> {
        let Sampled { samples, adapted } = self.sampled(options)?;
        let predicted = self.predictions(&adapted.model);
        let unseen = self.unseen(&samples);
        Ok([
            self.spearman_over(&unseen, |row| self.proxy.values[row]),
            self.spearman_over(&unseen, |row| predicted[row]),
        ])
    }

    /// The rows with a value on the target in the order in which they are sampled: at random, those first that the proxy
    /// was measured on too, since only they say how well it ranks.
    fn order(&self, seed: Seed) -> Vec<usize> {
        let mut order = self.rows.clone();
        order.shuffle(&mut seed.stream("samples"));
        order.sort_by_key(|&row| self.proxy.values[row].is_none());
        order
    }

    fn sampled(&self, options: &FlowOptions) -> Result<Sampled> {
        let mut order = self.order(options.seed);
        order.truncate(options.sampling.budget);
        let values: Vec<f64> = order.iter().filter_map(|&row| self.target.values[row]).collect();
        let adapted = adapt_until(
            self.model,
            self.fleet.space,
            &architectures(self.fleet, &order),
            &values,
            (options.norm, options.sampling),
            options.seed,
        )?;
        order.truncate(adapted.adaptation.samples);
        Ok(Sampled {
            samples: order,
            adapted,
        })
    }

    fn unseen(&self, samples: &[usize]) -> Vec<usize> {
        let mut seen = vec![false; self.fleet.architectures.len()];
        samples.iter().for_each(|&row| seen[row] = true);
        self.rows.iter().copied().filter(|&row| !seen[row]).collect()
    }

    fn predictions(&self, model: &LinearModel) -> Vec<Option<f64>> {
        let predicted = model.predict(self.fleet.space, &self.fleet.architectures);
        predicted.into_iter().map(Some).collect()
    }

    /// SRCC of something with the target's latencies over those of the rows where it is known.
    fn spearman_over(&self, rows: &[usize], value: impl Fn(usize) -> Option<f64>) -> Option<f64> {
        let known = rows
            .iter()
            .filter_map(|&row| Some((value(row)?, self.target.values[row]?)));
        let (values, latencies): (Vec<f64>, Vec<f64>) = known.unzip();
        stats::spearman(&values, &latencies)
    }

    /// The Pareto set under `searched` latencies as it turns out on the target, beside the target's true front.
    fn fronts(
        &self,
        searched: &[Option<f64>],
        accuracies: &[Option<f64>],
        layers: usize,
    ) -> Result<Option<FlowFronts>> {
        let known: Vec<(usize, f64, f64, f64)> = self
            .rows
            .iter()
            .filter_map(|&row| {
                Some((
                    row,
                    searched[row]?,
                    self.target.values[row]?,
                    *accuracies.get(row)?.as_ref()?,
                ))
            })
            .collect();
        if known.is_empty() {
            return Ok(None);
        }
        let expected: Vec<f64> = known.iter().map(|one| one.1).collect();
        let latencies: Vec<f64> = known.iter().map(|one| one.2).collect();
        let accuracies: Vec<f64> = known.iter().map(|one| one.3).collect();
        let returned =
            Tradeoff::new([(Metric::Accuracy, &accuracies[..]), (Metric::Latency, &expected)]).layers(layers.max(1));
        let measured = Tradeoff::new([(Metric::Accuracy, &accuracies[..]), (Metric::Latency, &latencies)]);
        let kept = measured.front_among(&returned);
        let truth = measured.front();
        let points = |positions: &[usize]| -> Vec<FrontPoint> {
            let fastest_first = positions.iter().rev();
            fastest_first
                .map(|&position| FrontPoint {
                    architecture: self.fleet.space.print(&self.fleet.architectures[known[position].0]),
                    latency_ms: latencies[position],
                    accuracy_percent: accuracies[position],
                })
                .collect()
        };
        Ok(Some(FlowFronts {
            returned: returned.len(),
            dropped: returned.len() - kept.len(),
            hypervolume_ratio: measured.ratio(&kept, &truth)?,
            kept: points(&kept),
            truth: points(&truth),
        }))
    }
}

fn architectures(fleet: &Fleet, rows: &[usize]) -> Vec<Architecture> {
    rows.iter().map(|&row| fleet.architectures[row].clone()).collect()
}
