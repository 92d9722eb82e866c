//! The best designs of a space that can be listed. All of it is looked at, though little of it has to be judged.
//!
//! Architectures are taken in order of the objective, and what one dot product tells of each is enough to pass over most of
//! those that miss a limit; the others are judged in full. As soon as as many as wanted hold the limits, nothing that comes
//! later can be better. Where none holds them, every architecture is judged to find the closest.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::Request;
use super::propose::{Candidates, GENES_APART, Selection, all_judged};
use super::verify::{PredictorEvaluator, Proposals};
use crate::metric::{Metric, PerMetric, Source};
use crate::predict::{Accuracy, LogPrediction, MetricModel, Posterior, Table};
use crate::space::SearchSpace;
use crate::stats::INTERVAL_SHARE;

/// Architectures judged at once: first so many, then twice as many each time up to the most.
const FIRST_BLOCK: usize = 8;
const LARGEST_BLOCK: usize = 256;
/// Slack for sums of rounded products in another order, in units of the logarithm.
const ROUNDING: f32 = 1e-4;

/// The best of all architectures of the table; `None` if the space is empty.
pub(super) fn best_of_all(evaluator: PredictorEvaluator, table: &Table, request: &Request) -> Option<Proposals> {
    let limits = &request.limits;
    let lowered = evaluator.accuracies_of_table(table);
    let screen = Screen::new(&evaluator, table, &lowered.accuracies, request);
    let mut candidates = Candidates::new(evaluator, evaluator.predictor().space, request);
    let mut selection = Selection::new(evaluator.predictor().space, request.count);
    let ordered =
        (!request.objective.weights().is_empty()).then(|| by_cost(&evaluator, table, &lowered.accuracies, request));
    let ordered = ordered.as_ref().unwrap_or(&lowered.by_accuracy);
    let mut possible = ordered.iter().copied().filter(|&position| screen.may_hold(position));
    let mut block = FIRST_BLOCK;
    while !selection.is_full() {
        let positions: Vec<usize> = possible.by_ref().take(block).collect();
        if positions.is_empty() {
            break;
        }
        let judged = evaluator.judge_positions(table, &positions, limits);
        for (&position, judged) in positions.iter().zip(judged) {
            if limits.hold(&judged.evaluation) {
                let architecture = &table.architectures[position];
                let index = candidates.push(architecture.clone(), judged);
                selection.offer(index, architecture, GENES_APART);
            }
        }
        block = (2 * block).min(LARGEST_BLOCK);
    }
    if candidates.is_empty() {
        return all_judged(evaluator, table, request, &mut evaluator.judge_all(table, limits));
    }
    Some(candidates.chosen(selection))
}

/// Positions of all architectures by rising cost, of equal ones in order.
fn by_cost(evaluator: &PredictorEvaluator, table: &Table, accuracies: &[Accuracy], request: &Request) -> Vec<usize> {
    let accuracies = accuracies.iter().map(|accuracy| accuracy.percent.mean);
    let mut costs: Vec<f64> = accuracies.map(|percent| Metric::Accuracy.cost(percent)).collect();
    let mut add = |metric: Metric, weight: f64, value: &dyn Fn(usize) -> Option<f64>| {
        for (position, cost) in costs.iter_mut().enumerate() {
            *cost += value(position).map_or(f64::INFINITY, |value| weight * metric.cost(value));
        }
    };
    for (metric, &weight) in request.objective.weights().iter() {
        match metric.source() {
            Source::Task => (),
            Source::Device => {
                let logs = evaluator.log_means(table, metric);
                add(metric, weight, &|position| {
                    Some(f64::from(logs.as_ref()?[position]).exp())
                });
            }
            Source::Computed => {
                let computed = evaluator.computed_table(table);
                add(metric, weight, &|position| computed[position].get(metric).copied());
            }
        }
    }
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by(|&a, &b| costs[a].total_cmp(&costs[b]));
    order
}

/// What tells without a full prediction that an architecture misses a limit.
struct Screen<'a> {
    space: &'static dyn SearchSpace,
    table: &'a Table,
    /// At the device's precision.
    accuracies: &'a [Accuracy],
    request: &'a Request,
    device: Vec<MeanBound<'a>>,
    computed: Option<Arc<[PerMetric<f64>]>>,
}

/// The highest mean with which a limit on a metric of the device can hold.
struct MeanBound<'a> {
    posterior: &'a Posterior,
    basis: &'a DMatrix<f32>,
    highest: f32,
}

impl<'a> Screen<'a> {
    fn new(
        evaluator: &PredictorEvaluator<'a>,
        table: &'a Table,
        accuracies: &'a [Accuracy],
        request: &'a Request,
    ) -> Self {
        let limits = &request.limits;
        let bound = |metric: Metric, limit: f64| {
            let (model, basis) = (evaluator.model(metric)?, table.bases.get(metric)?);
            Some(MeanBound {
                posterior: &model.posterior,
                basis,
                highest: highest_mean(model, limit, limits.confidence()) + ROUNDING,
            })
        };
        let constraints = limits.constraints().iter();
        Screen {
            space: evaluator.predictor().space,
            table,
            accuracies,
            request,
            device: constraints
                .filter_map(|constraint| bound(constraint.metric(), constraint.limit()))
                .collect(),
            computed: evaluator
                .needs_computed(limits)
                .then(|| evaluator.computed_table(table)),
        }
    }

    /// Whether the architecture at a position may be a design and hold all limits; wrong only in that it may say so of one that does not.
    fn may_hold(&self, position: usize) -> bool {
        let limits = &self.request.limits;
        let architecture = &self.table.architectures[position];
        let holds_exactly = limits
            .constraints()
            .iter()
            .all(|constraint| match constraint.metric().source() {
                Source::Task => {
                    let accuracy = &self.accuracies[position].percent;
                    // Above the interval lies half of what it does not hold.
                    accuracy.high >= constraint.limit() || limits.confidence() <= 0.5 - INTERVAL_SHARE / 2.0
                }
                Source::Device => true,
                Source::Computed => {
                    let values = self.computed.as_ref().map(|computed| &computed[position]);
                    let value = values.and_then(|values| values.get(constraint.metric()));
                    value.is_some_and(|&value| constraint.metric().holds(value, constraint.limit()))
                }
            });
        holds_exactly
            && self
                .device
                .iter()
                .all(|bound| bound.posterior.log_mean(bound.basis.column(position).as_slice()) <= bound.highest)
            && self.request.admits(self.space, architecture)
    }
}

/// The highest mean of the logarithm with which `limit` may hold with `confidence`: the deviation is that of the noise at
/// least. Infinite where less than an even chance is wanted, since then the deviation helps.
fn highest_mean(model: &MetricModel, limit: f64, confidence: f64) -> f32 {
    let surest = LogPrediction {
        mean: 0.0,
        deviation: model.posterior.noise_variance.sqrt(),
    };
    let margin = model.log_upper(surest, confidence);
    if margin >= 0.0 {
        (limit.ln() - margin) as f32
    } else {
        f32::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DVector;

    use super::*;
    use crate::predict::Calibration;
    use crate::profile::{COORDINATES, Coordinates, Setting};

    #[test]
    fn the_highest_mean_leaves_room_for_the_noise() {
        // Noise of 0.1 and a confidence of 90 %: the mean is 1.28155 * 0.1 below ln 5 = 1.60944.
        let model = MetricModel {
            posterior: Posterior::new(
                &Coordinates::zeros(),
                &Setting { batch: 1.0 },
                &DVector::zeros(COORDINATES),
                DMatrix::zeros(COORDINATES, COORDINATES),
                0.01,
            ),
            calibration: Calibration::default(),
        };
        assert!((highest_mean(&model, 5.0, 0.9) - 1.48128).abs() < 1e-4);
        assert_eq!(highest_mean(&model, 5.0, 0.4), f32::INFINITY);
    }
}
