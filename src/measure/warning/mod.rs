//! What may be wrong with measurements, and what to do about it. Nothing is left out of a result for any of these reasons: who
//! reads it decides.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use super::host::HostState;
use super::log::RoundEntry;
use super::summary::LatencySummary;

/// Share of the time that tasks may wait for a core, and that a hypervisor may take, in percent.
const MAX_WAITING_PERCENT: f64 = 5.0;
const MAX_STOLEN_PERCENT: f64 = 1.0;
const MAX_THROTTLED_PERCENT: f64 = 1.0;
/// How far a round may lie from the others in the mean over the designs, in percent.
const MAX_DRIFT_PERCENT: f64 = 3.0;
/// Fewest designs that show that the machine changed.
const DESIGNS_THAT_DRIFT: usize = 3;
/// Half-width of the interval of a median from which on a design counts as unsteady, in percent.
const MAX_UNCERTAINTY_PERCENT: f64 = 5.0;
/// Share of the runs of a design that may be outliers, in percent.
const MAX_OUTLIERS_PERCENT: f64 = 5.0;
/// A latency has to be so many steps of the clock long to be known to one percent.
const STEPS_OF_THE_CLOCK: f64 = 100.0;

/// Something that may have changed latencies.
#[derive(Debug, Clone, PartialEq)]
pub enum MeasureWarning {
    /// Other programs left too few cores when measuring began.
    Loaded {
        /// Tasks that ran or waited to, in the mean over the last minute.
        load: f64,
        /// Cores of the machine.
        cores: usize,
        /// Cores that the models are run on.
        threads: usize,
    },
    /// Tasks had to wait for a core.
    Waiting {
        /// Most of the time that they did in one round of one design, in percent.
        worst_percent: f64,
        /// How many rounds of designs that is true of.
        rounds: usize,
        /// Of so many.
        of: usize,
    },
    /// A hypervisor gave time to others.
    Stolen {
        /// Most of the time in one round of one design, in percent.
        worst_percent: f64,
        /// How many rounds of designs that is true of.
        rounds: usize,
        /// Of so many.
        of: usize,
    },
    /// The limit of a container on the use of cores stopped it.
    Throttled {
        /// Most of the time in one round of one design, in percent of the time of one core.
        worst_percent: f64,
        /// How many rounds of designs that is true of.
        rounds: usize,
        /// Of so many.
        of: usize,
    },
    /// Clocks follow the load.
    Scaling {
        /// How they are chosen.
        governors: Vec<String>,
    },
    /// Clocks may exceed the nominal one, as long as heat and power allow.
    Turbo,
    /// What cannot be known on this machine.
    Unknown {
        /// Each of it.
        what: Vec<&'static str>,
    },
    /// A round in which all designs together were slower or faster than in the others.
    Drift {
        /// Its number, from 1.
        round: usize,
        /// How much longer they took than in the mean of the rounds, in percent.
        percent: f64,
    },
    /// A median that is not well known.
    Unsteady {
        /// The design.
        design: String,
        /// Half the width of its interval, in percent.
        percent: f64,
        /// How many others there are like it, less so.
        others: usize,
    },
    /// Many runs that took far longer than the others.
    Outliers {
        /// The design.
        design: String,
        /// How many.
        outliers: usize,
        /// Of so many.
        runs: usize,
        /// How many others there are like it, less so.
        others: usize,
    },
    /// A latency of hardly more than the clock can tell.
    CoarseClock {
        /// The design.
        design: String,
        /// Its median, in ms.
        median_ms: f64,
        /// The smallest step of the clock, in ns.
        resolution_ns: f64,
        /// How many others there are like it, less so.
        others: usize,
    },
    /// Fewer runs than were asked for.
    FewRuns {
        /// The design.
        design: String,
        /// How many.
        runs: usize,
        /// Of so many.
        of: usize,
        /// How many others there are like it, less so.
        others: usize,
    },
    /// What the runtime had to say.
    Runtime {
        /// Its words.
        text: String,
        /// In how many rounds of designs it said so.
        rounds: usize,
    },
    /// A datasheet that differs from that in the dataset, which stays.
    DatasheetKept {
        /// Id of the device.
        device: String,
        /// The first key in which they differ.
        key: &'static str,
    },
    /// Counters of energy that are there and cannot be read.
    EnergyUnreadable {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for MeasureWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MeasureWarning::Loaded { load, cores, threads } => write!(
                f,
                "the machine was busy before measuring began: load {load:.1} on {cores} cores, {threads} of which models run on. \
                 Stop other programs and measure again."
            ),
            MeasureWarning::Waiting {
                worst_percent,
                rounds,
                of,
            } => write!(
                f,
                "tasks waited for a core in up to {worst_percent:.0} % of the time (in {rounds} of {of} rounds of designs): other \
                 programs ran. Stop them and measure again, or use fewer threads."
            ),
            MeasureWarning::Stolen {
                worst_percent,
                rounds,
                of,
            } => write!(
                f,
                "the hypervisor gave up to {worst_percent:.0} % of the time to other machines (in {rounds} of {of} rounds of \
                 designs). Measure on a machine of your own, or at another time."
            ),
            MeasureWarning::Throttled {
                worst_percent,
                rounds,
                of,
            } => write!(
                f,
                "the container's limit on the use of cores stopped it for up to {worst_percent:.0} % of the time (in {rounds} of {of} \
                 rounds of designs). Raise the limit, or use fewer threads."
            ),
            MeasureWarning::Scaling { governors } => write!(
                f,
                "clocks follow the load (governor {}): latencies depend on what ran before. Set them to `performance`, for example \
                 by `cpupower frequency-set -g performance`.",
                governors.join(", ")
            ),
            MeasureWarning::Turbo => write!(
                f,
                "clocks may exceed the nominal one as long as heat allows. For latencies that repeat, switch turbo off (in \
                 /sys/devices/system/cpu/intel_pstate/no_turbo or cpufreq/boost); for those of a cool machine, leave it."
            ),
            MeasureWarning::Unknown { what } => write!(
                f,
                "unknown on this machine: {}. Measure twice to see how far latencies repeat.",
                what.join("; ")
            ),
            MeasureWarning::Drift { round, percent } => write!(
                f,
                "in round {round} all designs together took {} than in the mean of the rounds: the machine changed. Every round \
                 has every design, so their order hardly suffers, but the level does. Let it cool down or warm up, and measure again.",
                if *percent > 0.0 {
                    format!("{percent:.0} % longer")
                } else {
                    format!("{:.0} % less", -percent)
                }
            ),
            MeasureWarning::Unsteady {
                design,
                percent,
                others,
            } => write!(
                f,
                "{design}{}: the median is only known to {percent:.0} %. Measure in more rounds, or for longer.",
                and(*others)
            ),
            MeasureWarning::Outliers {
                design,
                outliers,
                runs,
                others,
            } => write!(
                f,
                "{design}{}: {outliers} of {runs} runs took far longer than the others. Something else ran now and then; the median \
                 hardly suffers, the 90th percentile does.",
                and(*others)
            ),
            MeasureWarning::CoarseClock {
                design,
                median_ms,
                resolution_ns,
                others,
            } => write!(
                f,
                "{design}{}: {median_ms:.2e} ms is hardly more than the {resolution_ns:.0} ns that the clock can tell. Measure larger \
                 inputs.",
                and(*others)
            ),
            MeasureWarning::FewRuns {
                design,
                runs,
                of,
                others,
            } => write!(
                f,
                "{design}{}: {runs} runs of the {of} that were asked for. Look at how the command passes on their number.",
                and(*others)
            ),
            MeasureWarning::Runtime { text, rounds } => match rounds {
                1 => write!(f, "the runtime says: {text}"),
                _ => write!(f, "the runtime says (in {rounds} rounds of designs): {text}"),
            },
            MeasureWarning::DatasheetKept { device, key } => write!(
                f,
                "the dataset has another {key} for {device}, which stays. If this is another machine, measure into a folder of its \
                 own, or give its datasheet another unit."
            ),
            MeasureWarning::EnergyUnreadable { reason } => write!(
                f,
                "energy is not measured: {reason} The counters are there, but only the system may read them: run as root, or let \
                 your user read energy_uj."
            ),
        }
    }
}

/// What the state of the machine says about what is measured on it with so many threads.
pub(super) fn of_host(host: &HostState, threads: usize) -> Vec<MeasureWarning> {
    let mut warnings = Vec::new();
    if let (Some(load), Some(cores)) = (host.load, host.cores)
        && load + threads as f64 > cores as f64 + 0.5
    {
        warnings.push(MeasureWarning::Loaded { load, cores, threads });
    }
    match &host.governors {
        Some(governors) if governors.iter().any(|one| one != "performance") => {
            warnings.push(MeasureWarning::Scaling {
                governors: governors.clone(),
            });
        }
        _ => {}
    }
    if host.turbo == Some(true) {
        warnings.push(MeasureWarning::Turbo);
    }
    let unknown = host.unknown();
    if !unknown.is_empty() {
        warnings.push(MeasureWarning::Unknown { what: unknown });
    }
    warnings
}

/// What rounds of designs say about the machine: each is its number, the design's latency in it relative to its own in all, and
/// what was noted.
pub(super) fn of_rounds(entries: &[&RoundEntry], relative: &[(usize, f64)]) -> Vec<MeasureWarning> {
    let mut warnings = Vec::new();
    let beyond = |share: fn(&RoundEntry) -> Option<f64>, most: f64| -> Option<(f64, usize)> {
        let found: Vec<f64> = entries
            .iter()
            .filter_map(|entry| share(entry))
            .filter(|&share| share > most)
            .collect();
        let worst = found.iter().copied().fold(0.0, f64::max);
        (!found.is_empty()).then_some((worst, found.len()))
    };
    let of = entries.len();
    if let Some((worst_percent, rounds)) = beyond(|entry| entry.busy.waiting_percent, MAX_WAITING_PERCENT) {
        warnings.push(MeasureWarning::Waiting {
            worst_percent,
            rounds,
            of,
        });
    }
    if let Some((worst_percent, rounds)) = beyond(|entry| entry.busy.stolen_percent, MAX_STOLEN_PERCENT) {
        warnings.push(MeasureWarning::Stolen {
            worst_percent,
            rounds,
            of,
        });
    }
    if let Some((worst_percent, rounds)) = beyond(|entry| entry.busy.throttled_percent, MAX_THROTTLED_PERCENT) {
        warnings.push(MeasureWarning::Throttled {
            worst_percent,
            rounds,
            of,
        });
    }
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    for text in entries.iter().flat_map(|entry| &entry.warnings) {
        *said.entry(text).or_default() += 1;
    }
    warnings.extend(said.into_iter().map(|(text, rounds)| MeasureWarning::Runtime {
        text: text.into(),
        rounds,
    }));
    warnings.extend(drift(relative));
    warnings
}

/// Rounds whose geometric mean over the designs differs from that of all rounds. Of a few designs it would say what each of them
/// did by itself.
fn drift(relative: &[(usize, f64)]) -> Vec<MeasureWarning> {
    let mut logs: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (round, value) in relative {
        logs.entry(*round).or_default().push(value.ln());
    }
    logs.retain(|_, logs| logs.len() >= DESIGNS_THAT_DRIFT);
    let mean = |logs: &[f64]| logs.iter().sum::<f64>() / logs.len().max(1) as f64;
    let rounds: Vec<(usize, f64)> = logs.iter().map(|(round, logs)| (*round, mean(logs))).collect();
    let all = mean(&rounds.iter().map(|(_, log)| *log).collect::<Vec<f64>>());
    let percent = |log: f64| 100.0 * (log - all).exp_m1();
    rounds
        .iter()
        .map(|&(round, log)| (round, percent(log)))
        .filter(|(_, percent)| percent.abs() > MAX_DRIFT_PERCENT)
        .map(|(round, percent)| MeasureWarning::Drift {
            round: round + 1,
            percent,
        })
        .collect()
}

/// So many others.
fn and(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => " (and one more, less so)".into(),
        _ => format!(" (and {others} more, less so)"),
    }
}

/// What the samples of each design say about it: of several that have the same fault, the worst is named. `runs` were asked for;
/// `resolution_ns` is that of the clock they were timed by.
pub(super) fn of_designs(
    designs: &[(&str, &LatencySummary)],
    runs: usize,
    resolution_ns: Option<f64>,
) -> Vec<MeasureWarning> {
    let worst = |badness: &dyn Fn(&LatencySummary) -> f64, limit: f64| {
        let faulty: Vec<(f64, &(&str, &LatencySummary))> = designs
            .iter()
            .map(|design| (badness(design.1), design))
            .filter(|(badness, _)| *badness > limit)
            .collect();
        let worst = faulty.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some((worst.1.0.to_string(), worst.1.1, faulty.len() - 1))
    };
    let mut warnings = Vec::new();
    if let Some((design, summary, others)) = worst(&LatencySummary::uncertainty_percent, MAX_UNCERTAINTY_PERCENT) {
        let percent = summary.uncertainty_percent();
        warnings.push(MeasureWarning::Unsteady {
            design,
            percent,
            others,
        });
    }
    let outliers_percent = |summary: &LatencySummary| 100.0 * summary.outliers as f64 / summary.runs as f64;
    if let Some((design, summary, others)) = worst(&outliers_percent, MAX_OUTLIERS_PERCENT) {
        warnings.push(MeasureWarning::Outliers {
            design,
            outliers: summary.outliers,
            runs: summary.runs,
            others,
        });
    }
    let steps = |summary: &LatencySummary| {
        let steps = resolution_ns.map(|ns| STEPS_OF_THE_CLOCK * ns / (summary.median_ms * 1e6));
        steps.unwrap_or(0.0)
    };
    if let (Some((design, summary, others)), Some(resolution_ns)) = (worst(&steps, 1.0), resolution_ns) {
        warnings.push(MeasureWarning::CoarseClock {
            design,
            median_ms: summary.median_ms,
            resolution_ns,
            others,
        });
    }
    let too_few = |summary: &LatencySummary| runs as f64 / summary.runs as f64;
    if let Some((design, summary, others)) = worst(&too_few, 1.0) {
        warnings.push(MeasureWarning::FewRuns {
            design,
            runs: summary.runs,
            of: runs,
            others,
        });
    }
    warnings
}
