//! What may be wrong with measurements, and what to do about it. Nothing is left out of a result for any of these reasons: who
//! reads it decides.

mod designs;
mod host;
mod rounds;
#[cfg(test)]
mod tests;

pub(super) use designs::of_designs;
pub(super) use host::of_host;
pub(super) use rounds::of_rounds;

/// Something that may have changed latencies.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MeasureWarning {
    /// Other programs left too few cores when measuring began.
    #[error(
        "the machine was busy before measuring began: load {load:.1} on {cores} cores, {threads} of which models run on. \
         Stop other programs and measure again."
    )]
    Loaded {
        /// Tasks that ran or waited to, in the mean over the last minute.
        load: f64,
        /// Cores of the machine.
        cores: usize,
        /// Cores that the models are run on.
        threads: usize,
    },
    /// Tasks had to wait for a core.
    #[error(
        "tasks waited for a core in up to {worst_percent:.0} % of the time (in {rounds} of {of} rounds of designs): other \
         programs ran. Stop them and measure again, or use fewer threads."
    )]
    Waiting {
        /// Most of the time that they did in one round of one design, in percent.
        worst_percent: f64,
        /// How many rounds of designs that is true of.
        rounds: usize,
        /// Of so many.
        of: usize,
    },
    /// A hypervisor gave time to others.
    #[error(
        "the hypervisor gave up to {worst_percent:.0} % of the time to other machines (in {rounds} of {of} rounds of \
         designs). Measure on a machine of your own, or at another time."
    )]
    Stolen {
        /// Most of the time in one round of one design, in percent.
        worst_percent: f64,
        /// How many rounds of designs that is true of.
        rounds: usize,
        /// Of so many.
        of: usize,
    },
    /// The limit of a container on the use of cores stopped it.
    #[error(
        "the container's limit on the use of cores stopped it for up to {worst_percent:.0} % of the time (in {rounds} of {of} \
         rounds of designs). Raise the limit, or use fewer threads."
    )]
    Throttled {
        /// Most of the time in one round of one design, in percent of the time of one core.
        worst_percent: f64,
        /// How many rounds of designs that is true of.
        rounds: usize,
        /// Of so many.
        of: usize,
    },
    /// Clocks follow the load.
    #[error(
        "clocks follow the load (governor {}): latencies depend on what ran before. Set them to `performance`, for example \
         by `cpupower frequency-set -g performance`.",
        governors.join(", ")
    )]
    Scaling {
        /// How they are chosen.
        governors: Vec<String>,
    },
    /// Clocks may exceed the nominal one, as long as heat and power allow.
    #[error(
        "clocks may exceed the nominal one as long as heat allows. For latencies that repeat, switch turbo off (in \
         /sys/devices/system/cpu/intel_pstate/no_turbo or cpufreq/boost); for those of a cool machine, leave it."
    )]
    Turbo,
    /// What cannot be known on this machine.
    #[error("unknown on this machine: {}. Measure twice to see how far latencies repeat.", what.join("; "))]
    Unknown {
        /// Each of it.
        what: Vec<&'static str>,
    },
    /// A round in which all designs together were slower or faster than in the others.
    #[error(
        "in round {round} all designs together took {} than in the mean of the rounds: the machine changed. Every round \
         has every design, so their order hardly suffers, but the level does. Let it cool down or warm up, and measure again.",
        by(*percent)
    )]
    Drift {
        /// Its number, from 1.
        round: usize,
        /// How much longer they took than in the mean of the rounds, in percent.
        percent: f64,
    },
    /// A median that is not well known.
    #[error(
        "{design}{}: the median is only known to {percent:.0} %. Measure in more rounds, or for longer.",
        and(*others)
    )]
    Unsteady {
        /// The design.
        design: String,
        /// Half the width of its interval, in percent.
        percent: f64,
        /// How many others there are like it, less so.
        others: usize,
    },
    /// Many runs that took far longer than the others.
    #[error(
        "{design}{}: {outliers} of {runs} runs took far longer than the others. Something else ran now and then; the median \
         hardly suffers, the 90th percentile does.",
        and(*others)
    )]
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
    #[error(
        "{design}{}: {median_ms:.2e} ms is hardly more than the {resolution_ns:.0} ns that the clock can tell. Measure larger \
         inputs.",
        and(*others)
    )]
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
    #[error(
        "{design}{}: {runs} runs of the {of} that were asked for. Look at how the command passes on their number.",
        and(*others)
    )]
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
    #[error("the runtime says{}: {text}", often(*rounds))]
    Runtime {
        /// Its words.
        text: String,
        /// In how many rounds of designs it said so.
        rounds: usize,
    },
    /// A datasheet that differs from that in the dataset, which stays.
    #[error(
        "the dataset has another {key} for {device}, which stays. If this is another machine, measure into a folder of its \
         own, or give its datasheet another unit."
    )]
    DatasheetKept {
        /// Id of the device.
        device: String,
        /// The first key in which they differ.
        key: &'static str,
    },
    /// Counters of energy that are there and cannot be read.
    #[error(
        "energy is not measured: {reason} The counters are there, but only the system may read them: run as root, or let \
         your user read energy_uj."
    )]
    EnergyUnreadable {
        /// Why.
        reason: String,
    },
}

/// How much longer or less, of a share in percent.
fn by(percent: f64) -> String {
    if percent > 0.0 {
        format!("{percent:.0} % longer")
    } else {
        format!("{:.0} % less", -percent)
    }
}

/// So many others.
fn and(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => " (and one more, less so)".into(),
        _ => format!(" (and {others} more, less so)"),
    }
}

/// In how many rounds it was said, where that is not once.
fn often(rounds: usize) -> String {
    match rounds {
        1 => String::new(),
        _ => format!(" (in {rounds} rounds of designs)"),
    }
}
