//! Per-device search, a proxy's front, AdaProxy, and this crate's predictor and optimizer, at equal numbers of
//! measurements on the target.
//!
//! All methods choose by the same accuracies, those that the predictor knows; what they know of the latency differs.

mod adaptation;
mod case;
mod devices;
mod means;
mod results;
mod verified;

use super::counts;
use super::devices::scored_devices;
use super::predictor::ProbeChoice;
use super::truth::Truth;
use crate::dataset::{Dataset, Task};
use crate::error::{Error, Result};
use crate::optimize::Optimizer;
use crate::predict::Predictor;
use crate::progress::{Progress, Unit};
use crate::proxy::adaproxy::Norm;
use crate::search::Limits;
use crate::seed::Seed;

use case::{Case, Searched};
use devices::Devices;

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
    let devices = Devices::of(dataset, task, options)?;
    let targets = scored_devices(dataset, &options.targets, task.input, options.with_predicted);
    let mut searched: Option<Searched> = None;
    let mut runs = Vec::new();
    let mut fronts = Vec::new();
    progress.start("comparing", Unit::Count("targets"), Some(options.targets.len() as u64));
    for &target in &options.targets {
        progress.check()?;
        let truth = Truth::of(dataset, task, target)?;
        let known = Searched::of(predictor, &truth, searched.take());
        let proxy = devices.best_proxy(dataset, options, target)?;
        let case = Case {
            predictor,
            options,
            truth: &truth,
            searched: &known,
            proxy: devices.values(proxy, &truth.architectures),
            model: &devices.models[proxy],
            limits: truth.limits(options.limits),
        };
        case.run(optimizer, &devices.fleet.columns[proxy], &mut runs, &mut fronts)?;
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
        adaptation: adaptation::matrix(&devices.fleet, &devices.models, options)?,
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
