//! What the samples of each design say about it.

use super::MeasureWarning;
use crate::measure::summary::LatencySummary;

/// Half-width of the interval of a median from which on a design counts as unsteady, in percent.
const MAX_UNCERTAINTY_PERCENT: f64 = 5.0;
/// Share of the runs of a design that may be outliers, in percent.
const MAX_OUTLIERS_PERCENT: f64 = 5.0;
/// A latency has to be so many steps of the clock long to be known to one percent.
const STEPS_OF_THE_CLOCK: f64 = 100.0;

/// A design by its name.
type Named<'a> = (&'a str, &'a LatencySummary);

/// What the samples of each design say about it: of several that have the same fault, the worst is named. `runs` were asked for;
/// `resolution_ns` is that of the clock they were timed by.
pub(in crate::measure) fn of_designs(
    designs: &[Named<'_>],
    runs: usize,
    resolution_ns: Option<f64>,
) -> Vec<MeasureWarning> {
    let clock = resolution_ns.and_then(|resolution_ns| coarse_clock(designs, resolution_ns));
    let found = [unsteady(designs), outliers(designs), clock, few_runs(designs, runs)];
    found.into_iter().flatten().collect()
}

fn unsteady(designs: &[Named<'_>]) -> Option<MeasureWarning> {
    let (design, summary, others) = worst(designs, LatencySummary::uncertainty_percent, MAX_UNCERTAINTY_PERCENT)?;
    Some(MeasureWarning::Unsteady {
        design,
        percent: summary.uncertainty_percent(),
        others,
    })
}

fn outliers(designs: &[Named<'_>]) -> Option<MeasureWarning> {
    let percent = |summary: &LatencySummary| 100.0 * summary.outliers as f64 / summary.runs as f64;
    let (design, summary, others) = worst(designs, percent, MAX_OUTLIERS_PERCENT)?;
    Some(MeasureWarning::Outliers {
        design,
        outliers: summary.outliers,
        runs: summary.runs,
        others,
    })
}

fn coarse_clock(designs: &[Named<'_>], resolution_ns: f64) -> Option<MeasureWarning> {
    let steps = |summary: &LatencySummary| STEPS_OF_THE_CLOCK * resolution_ns / (summary.median_ms * 1e6);
    let (design, summary, others) = worst(designs, steps, 1.0)?;
    Some(MeasureWarning::CoarseClock {
        design,
        median_ms: summary.median_ms,
        resolution_ns,
        others,
    })
}

fn few_runs(designs: &[Named<'_>], runs: usize) -> Option<MeasureWarning> {
    let too_few = |summary: &LatencySummary| runs as f64 / summary.runs as f64;
    let (design, summary, others) = worst(designs, too_few, 1.0)?;
    Some(MeasureWarning::FewRuns {
        design,
        runs: summary.runs,
        of: runs,
        others,
    })
}

/// The worst of the designs whose badness exceeds the limit, and how many others do.
fn worst<'a>(
    designs: &[Named<'a>],
    badness: impl Fn(&LatencySummary) -> f64,
    limit: f64,
) -> Option<(String, &'a LatencySummary, usize)> {
    let faulty: Vec<(f64, &Named<'a>)> = (designs.iter())
        .map(|design| (badness(design.1), design))
        .filter(|(badness, _)| *badness > limit)
        .collect();
    let (_, (name, summary)) = faulty.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some((name.to_string(), summary, faulty.len() - 1))
}
