//! AdaProxy: a few measurements on a target repair a proxy's linear latency model.
//!
//! Lu et al. (SIGMETRICS 2022), section 4: with the proxy's model `y = X w` on one-hot architectures, the target's is
//! `X (w * (a + b)) + c` (`*` by element), where the scale `a`, the deviations `b` and the offset `c` minimise
//! `1/n sum_i (x_i . (w * (a + b)) + c - y_i)^2 + lambda ||b||_p`. The norm is not squared, and lambda is chosen by how well
//! predictions of samples that were held out rank them.

#[cfg(test)]
mod tests;

use nalgebra::{DMatrix, DVector};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::linear::LinearModel;
use super::penalized::LeastSquares;
use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::space::{Architecture, SearchSpace};
use crate::stats;

pub use super::penalized::Norm;

/// Lambdas tried, at even distances in logarithm.
const LAMBDAS: usize = 13;
/// With `n` samples they are `n^-0.25` to `n^-0.75` of the smallest one that leaves the proxy as it is. What ranks few
/// samples best beyond that does so by luck.
const REACH: [f64; 2] = [0.25, 0.75];
/// Lambdas whose validation SRCC differs by much less than this are as good as each other: few samples tell no more.
const INDIFFERENCE: f64 = 0.05;
/// Parts of the samples that are held out in turn, each sample once.
const FOLDS: usize = 10;
/// With fewer samples nothing is held out, and the proxy is only scaled.
const MIN_TO_VALIDATE: usize = 4;

/// What an adaptation came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adaptation {
    /// The norm.
    pub norm: Norm,
    /// Samples measured on the target.
    pub samples: usize,
    /// Weight of the norm, chosen by validation.
    pub lambda: f64,
    /// SRCC of predicted and measured samples that were held out; absent where it is not defined.
    pub validation_spearman: Option<f64>,
    /// Common scale of the proxy's weights.
    pub scale: f64,
    /// Norm of what is added to it.
    pub deviation: f64,
}

/// A proxy's model adapted to a target.
#[derive(Debug, Clone, PartialEq)]
pub struct AdaptedProxy {
    /// The target's latency.
    pub model: LinearModel,
    /// How it came about.
    pub adaptation: Adaptation,
}

/// How many samples to take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Samples taken first.
    pub first: usize,
    /// Samples added as long as the validation is not good enough.
    pub step: usize,
    /// Most samples.
    pub budget: usize,
    /// Validation SRCC that is good enough.
    pub threshold: f64,
}

impl Sampling {
    /// Exactly so many samples.
    pub fn exactly(samples: usize) -> Sampling {
        Sampling {
            first: samples,
            step: 0,
            budget: samples,
            threshold: 1.0,
        }
    }
}

/// Adapts a proxy to samples of a target, latencies in ms. The same samples and seed give the same result.
///
/// With fewer than four samples there is nothing to validate with and `b` stays zero; where the samples do not tell the
/// scale (one sample, or a proxy for which all are equally fast) it stays one.
///
/// # Errors
/// [`Error::Invalid`] without a single sample.
pub fn adapt(
    proxy: &LinearModel,
    space: &dyn SearchSpace,
    architectures: &[Architecture],
    values: &[f64],
    norm: Norm,
    seed: Seed,
) -> Result<AdaptedProxy> {
    if values.is_empty() || values.len() != architectures.len() {
        return Err(Error::Invalid {
            what: "samples".into(),
            expected: "one latency for each of one or more architectures".into(),
            found: format!("{} for {}", values.len(), architectures.len()),
            hint: "Measure some architectures on the target.".into(),
        });
    }
    let samples = Samples {
        contributions: proxy.contributions(space, architectures),
        values: DVector::from_column_slice(values),
    };
    let shares: Vec<f64> = (0..LAMBDAS)
        .map(|step| REACH[0] + (REACH[1] - REACH[0]) * step as f64 / (LAMBDAS - 1) as f64)
        .map(|exponent| (values.len() as f64).powf(-exponent))
        .collect();
    let (path, validation_spearman) = if values.len() < MIN_TO_VALIDATE {
        (samples.path(norm, &[1.0]), None)
    } else {
        let (best, spearman) = samples.validate(norm, &shares, seed);
        (samples.path(norm, &shares[..=best]), spearman)
    };
    let Some(fit) = path.into_iter().next_back() else {
        return Err(not_solved());
    };
    Ok(AdaptedProxy {
        adaptation: Adaptation {
            norm,
            samples: values.len(),
            lambda: fit.lambda,
            validation_spearman,
            scale: fit.scale,
            deviation: norm.of(&fit.deviations),
        },
        model: LinearModel {
            weights: proxy.weights.component_mul(&fit.deviations.add_scalar(fit.scale)),
            intercept: fit.offset,
        },
    })
}

/// Adapts with more and more of the samples, in their order, until they validate well enough or the budget is spent.
///
/// # Errors
/// As [`adapt`]; [`Error::Invalid`] for a budget of zero.
pub fn adapt_until(
    proxy: &LinearModel,
    space: &dyn SearchSpace,
    architectures: &[Architecture],
    values: &[f64],
    (norm, sampling): (Norm, Sampling),
    seed: Seed,
) -> Result<AdaptedProxy> {
    let budget = sampling.budget.min(values.len());
    let mut count = sampling.first.clamp(1, budget.max(1));
    loop {
        let taken = count.min(budget);
        let adapted = adapt(proxy, space, &architectures[..taken], &values[..taken], norm, seed)?;
        let good = adapted
            .adaptation
            .validation_spearman
            .is_some_and(|found| found >= sampling.threshold);
        if good || taken == budget || sampling.step == 0 {
            return Ok(adapted);
        }
        count += sampling.step;
    }
}

fn not_solved() -> Error {
    Error::Invalid {
        what: "lambda".into(),
        expected: "at least one to try".into(),
        found: "none".into(),
        hint: "Report this as a mistake of edgefit.".into(),
    }
}

/// The mean of the places, weighed by how good they are; the first where nothing is known.
fn mean_place(spearman: &[Option<f64>]) -> usize {
    let best = spearman.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    let weight = |one: &Option<f64>| one.map_or(0.0, |one| ((one - best) / INDIFFERENCE).exp());
    let total: f64 = spearman.iter().map(weight).sum();
    let places = spearman
        .iter()
        .enumerate()
        .map(|(place, one)| place as f64 * weight(one));
    let sum: f64 = places.sum();
    if total > 0.0 { (sum / total).round() as usize } else { 0 }
}

/// What is measured: `[samples, choices]` of what the proxy's choices cost, and latencies.
struct Samples {
    contributions: DMatrix<f64>,
    values: DVector<f64>,
}

/// Scale `a`, deviations `b` and offset `c` for one lambda.
struct Fit {
    lambda: f64,
    scale: f64,
    deviations: DVector<f64>,
    offset: f64,
}

impl Samples {
    /// Which of the lambdas, shares of the largest one in falling order, ranks samples best that were held out, and how
    /// well: the mean place of all of them, the good ones weighing most, since the very best is often so by luck.
    fn validate(&self, norm: Norm, shares: &[f64], seed: Seed) -> (usize, Option<f64>) {
        let count = self.values.len();
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut seed.stream("adaproxy"));
        let folds = FOLDS.min(count);
        let mut predicted = DMatrix::zeros(count, shares.len());
        for fold in 0..folds {
            let held_out = |place: &usize| place % folds == fold;
            let rows = |wanted: bool| -> Vec<usize> {
                (0..count)
                    .filter(|place| held_out(place) == wanted)
                    .map(|place| order[place])
                    .collect()
            };
            let fits = self.rows(&rows(false)).path(norm, shares);
            for row in rows(true) {
                for (column, fit) in fits.iter().enumerate() {
                    predicted[(row, column)] = fit.predict(&self.contributions.row(row).transpose());
                }
            }
        }
        let found: Vec<Option<f64>> = predicted
            .column_iter()
            .map(|column| stats::spearman(column.as_slice(), self.values.as_slice()))
            .collect();
        let chosen = mean_place(&found);
        (chosen, found[chosen])
    }

    fn rows(&self, rows: &[usize]) -> Samples {
        Samples {
            contributions: self.contributions.select_rows(rows),
            values: self.values.select_rows(rows),
        }
    }

    /// The fits for falling lambdas, each the start of the next.
    fn path(&self, norm: Norm, shares: &[f64]) -> Vec<Fit> {
        let line = Line::through(&self.contributions.column_sum(), &self.values);
        // Scale and offset are not penalised: what they explain is taken out of the samples and of every column.
        let mut design = self.contributions.clone();
        for mut column in design.column_iter_mut() {
            let left = line.residual(&column.clone_owned());
            column.copy_from(&left);
        }
        let problem = LeastSquares::new(&design, &line.residual(&self.values));
        let largest = problem.max_lambda(norm);
        let mut deviations = DVector::zeros(design.ncols());
        shares
            .iter()
            .map(|share| {
                let lambda = share * largest;
                deviations = problem.solve(norm, lambda, &deviations).weights;
                let (scale, offset) = line.fit(&(&self.values - &self.contributions * &deviations));
                Fit {
                    lambda,
                    scale,
                    deviations: deviations.clone(),
                    offset,
                }
            })
            .collect()
    }
}

impl Fit {
    fn predict(&self, contributions: &DVector<f64>) -> f64 {
        self.offset + contributions.dot(&self.deviations) + self.scale * contributions.sum()
    }
}

/// Least-squares lines through the proxy's predictions, whatever the values.
struct Line {
    centred: DVector<f64>,
    mean: f64,
    square: f64,
}

impl Line {
    fn through(predictions: &DVector<f64>, values: &DVector<f64>) -> Line {
        let mean = predictions.mean();
        let centred = predictions.add_scalar(-mean);
        let square = centred.norm_squared();
        let told = values.len() > 1 && square > 1e-20 * predictions.norm_squared();
        Line {
            centred,
            mean,
            square: if told { square } else { 0.0 },
        }
    }

    /// Scale and offset.
    fn fit(&self, values: &DVector<f64>) -> (f64, f64) {
        let scale = if self.square > 0.0 {
            self.centred.dot(values) / self.square
        } else {
            1.0
        };
        (scale, values.mean() - scale * self.mean)
    }

    /// What the line leaves of the values.
    fn residual(&self, values: &DVector<f64>) -> DVector<f64> {
        let slope = if self.square > 0.0 {
            self.centred.dot(values) / self.square
        } else {
            0.0
        };
        values.add_scalar(-values.mean()) - &self.centred * slope
    }
}
