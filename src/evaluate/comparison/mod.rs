//! Per-device search, a proxy's front, AdaProxy, and this crate's predictor and optimizer, at equal numbers of
//! measurements on the target.
//!
//! All methods choose by the same accuracies, those that the predictor knows; what they know of the latency differs.

mod adaptation;
mod case;
mod means;
mod results;
mod verified;

use std::collections::HashMap;

use rayon::prelude::*;

use super::counts;
use super::devices::scored_devices;
use super::predictor::ProbeChoice;
use super::truth::Truth;
use crate::dataset::{Dataset, Task};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::optimize::Optimizer;
use crate::predict::Predictor;
use crate::progress::{Progress, Unit};
use crate::proxy::Fleet;
use crate::proxy::adaproxy::Norm;
use crate::proxy::flow::linear_model;
use crate::proxy::linear::LinearModel;
use crate::proxy::monotonicity::{MIN_COMMON, monotonicity};
use crate::search::Limits;
use crate::seed::Seed;
use crate::space::Architecture;
use crate::stats;

use case::{Case, Searched};

pub use results::{
    AdaptationMatrix, ComparedDesign, ComparisonMean, ComparisonReport, ComparisonRun, Method, TargetFronts,
};

/// What to compare.
#[derive(Debug, Clone)]
pub struct ComparisonOptions {
    /// Positions of the targets in the dataset.
    pub targets: Vec<usize>,
    /// Positions of the devices that may be proxies. For each target that one is taken which agrees best with the others;
    /// devices of the target's own unit are left out.
    pub proxies: Vec<usize>,
    /// Numbers of measurements.
    pub measurements: Vec<usize>,
    /// How the few-shot predictor's probes are picked; the samples of other methods are random.
    pub choice: ProbeChoice,
    /// Number of limits, at evenly spaced quantiles of the target's latencies from 5 % to 95 %.
    pub limits: usize,
    /// Probability with which limits have to hold, for the methods that know one.
    pub confidence: f64,
    /// Repeats with other samples.
    pub repeats: usize,
    /// Designs sampled from the policy per limit.
    pub samples: usize,
    /// Norm of AdaProxy.
    pub norm: Norm,
    /// Whether targets whose latencies are predicted count in the means.
    pub with_predicted: bool,
    /// Where the random numbers come from.
    pub seed: Seed,
}

/// Runs every method on every target. Without an optimizer, and for targets whose
/// table is not that of the whole space, the amortized optimizer is left out: its designs could not be looked up.
///
/// # Errors
/// [`Error::Invalid`] for no number of measurements or one of zero, a target without latencies and accuracies, a fleet
/// without a proxy for it, and a predictor without accuracies.
pub fn compare(
    predictor: &Predictor,
    optimizer: Option<&Optimizer>,
    dataset: &Dataset,
    task: &Task,
    options: &ComparisonOptions,
    progress: &dyn Progress,
) -> Result<ComparisonReport> {
    check(predictor, options)?;
    let devices = involved(options);
    let fleet = Fleet::of(dataset, &devices, Metric::Latency, task.input)?;
    let targets = scored_devices(dataset, &options.targets, task.input, options.with_predicted);
    let models: Vec<LinearModel> = fleet
        .columns
        .par_iter()
        .map(|column| linear_model(&fleet, column))
        .collect::<Result<_>>()?;
    let agreement = monotonicity(&fleet, 1.0, MIN_COMMON)?;
    let row_of: HashMap<&str, usize> = agreement
        .rows
        .iter()
        .enumerate()
        .map(|(row, one)| (one.id.as_str(), row))
        .collect();
    let agree = |a: usize, b: usize| {
        let row = |column: usize| row_of[fleet.columns[column].id.as_str()];
        agreement.agreement(row(a), row(b))
    };
    let mut searched: Option<Searched> = None;
    let mut runs = Vec::new();
    let mut fronts = Vec::new();
    progress.start("comparing", Unit::Count("targets"), Some(options.targets.len() as u64));
    for &target in &options.targets {
        progress.check()?;
        let truth = Truth::of(dataset, task, target)?;
        let known = match searched.take() {
            Some(known) if known.architectures == truth.architectures => known,
            _ => Searched::new(predictor, &truth),
        };
        let proxy = best_proxy(dataset, &devices, options, target, agree)?;
        let at: HashMap<&Architecture, Option<f64>> = fleet
            .architectures
            .iter()
            .zip(fleet.columns[proxy].values.iter().copied())
            .collect();
        let case = Case {
            predictor,
            options,
            truth: &truth,
            searched: &known,
            proxy: truth
                .architectures
                .iter()
                .map(|one| at.get(one).copied().flatten())
                .collect(),
            model: &models[proxy],
            limits: truth.limits(options.limits),
        };
        case.run(optimizer, &fleet.columns[proxy], &mut runs, &mut fronts)?;
        searched = Some(known);
        progress.advance(1);
    }
    progress.finish();
    Ok(ComparisonReport {
        checkpoint: predictor.id.clone(),
        space: dataset.space.id().into(),
        task: task.name.clone(),
        confidence: options.confidence,
        norm: options.norm,
        seed: options.seed.0,
        measurements: options.measurements.clone(),
        means: means::means(&runs, &targets, options),
        targets,
        runs,
        fronts,
        adaptation: adaptation::matrix(&fleet, &models, options)?,
    })
}

fn check(predictor: &Predictor, options: &ComparisonOptions) -> Result<()> {
    if options.measurements.is_empty() || options.measurements.contains(&0) {
        return Err(Error::Invalid {
            what: "numbers of measurements of a target".into(),
            expected: "at least one, all above zero".into(),
            found: format!("{:?}", options.measurements),
            hint: "Methods without a single measurement know no latency of the target.".into(),
        });
    }
    counts::check("number of limits", options.limits, 1, counts::LIMITS)?;
    counts::check("number of repeats", options.repeats, 1, counts::REPEATS)?;
    counts::check("samples of the policy", options.samples, 0, counts::SAMPLES)?;
    Limits::new(Vec::new(), options.confidence)?;
    if options.choice == ProbeChoice::Chosen {
        let most = options.measurements.iter().copied().max().unwrap_or_default();
        counts::check("number of chosen probes", most, 0, counts::CHOSEN_PROBES)?;
    }
    if predictor.accuracy.is_none() {
        return Err(Error::Invalid {
            what: "predictor".into(),
            expected: "one that knows accuracies, which designs are chosen by".into(),
            found: "one that does not".into(),
            hint: "Train it on a dataset with accuracy.csv.".into(),
        });
    }
    Ok(())
}

/// Targets and proxies, each once, rising.
fn involved(options: &ComparisonOptions) -> Vec<usize> {
    let mut devices: Vec<usize> = options.targets.iter().chain(&options.proxies).copied().collect();
    devices.sort_unstable();
    devices.dedup();
    devices
}

/// The candidate that agrees best with the other candidates: chosen without a look at the target.
fn best_proxy(
    dataset: &Dataset,
    devices: &[usize],
    options: &ComparisonOptions,
    target: usize,
    agree: impl Fn(usize, usize) -> Option<f64>,
) -> Result<usize> {
    let candidates: Vec<usize> = (0..devices.len())
        .filter(|&column| options.proxies.contains(&devices[column]))
        .filter(|&column| dataset.devices[devices[column]].unit != dataset.devices[target].unit)
        .collect();
    let mean = |column: usize| {
        let others = candidates.iter().filter(|&&other| other != column);
        let values: Vec<f64> = others.filter_map(|&other| agree(column, other)).collect();
        stats::mean(&values).unwrap_or(-1.0)
    };
    candidates
        .iter()
        .copied()
        .max_by(|&a, &b| mean(a).total_cmp(&mean(b)).then(b.cmp(&a)))
        .ok_or_else(|| Error::Invalid {
            what: format!("proxies for {}", dataset.devices[target].id),
            expected: "at least one device of another hardware unit".into(),
            found: "none".into(),
            hint: "Name other proxies, or a dataset with more devices.".into(),
        })
}
