//! In which state is the machine that measures, and how busy was it meanwhile?

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::device::machine::System;

const CPU: &str = "sys/devices/system/cpu";

/// What is known of the machine before anything is measured. `None` is unknown, which is not the same as well.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostState {
    /// Cores that the system sees.
    pub cores: Option<usize>,
    /// Average number of tasks that ran or waited to, over the last minute.
    pub load: Option<f64>,
    /// How the cores choose their clock, each way once: `performance`, `powersave` and so on.
    pub governors: Option<Vec<String>>,
    /// Whether clocks may exceed the nominal one.
    pub turbo: Option<bool>,
    /// Whether this is a virtual machine.
    pub is_virtual: Option<bool>,
    /// Whether the kernel tells how long tasks wait for a core.
    pub has_pressure: bool,
    /// Smallest step of the clock in ns.
    pub timer_resolution_ns: Option<f64>,
}

impl HostState {
    /// Looks at the machine now.
    pub fn of(system: &System) -> HostState {
        let cores = system.cores();
        let mut governors: Vec<String> = cores
            .iter()
            .filter_map(|core| system.text(&format!("{core}/cpufreq/scaling_governor")))
            .collect();
        governors.sort();
        governors.dedup();
        HostState {
            cores: (!cores.is_empty()).then_some(cores.len()),
            load: system
                .text("proc/loadavg")
                .and_then(|text| text.split_whitespace().next()?.parse().ok()),
            governors: (!governors.is_empty()).then_some(governors),
            turbo: turbo(system),
            is_virtual: system
                .cpuinfo("flags")
                .map(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor")),
            has_pressure: waiting_us(system).is_some(),
            timer_resolution_ns: super::timer::timer_resolution_ns(),
        }
    }

    /// What cannot be known here and may change latencies.
    pub fn unknown(&self) -> Vec<&'static str> {
        let unknown = [
            (self.governors.is_none(), "how clocks are scaled"),
            (self.turbo.is_none(), "whether clocks may exceed the nominal one"),
            (self.load.is_none(), "the load"),
            (!self.has_pressure, "how long tasks wait for a core"),
            (
                self.is_virtual == Some(true),
                "what the host of this virtual machine does, beside the time that it takes",
            ),
        ];
        unknown
            .into_iter()
            .filter_map(|(is, what)| is.then_some(what))
            .collect()
    }
}

/// Intel's driver says it in one file, the others in another.
fn turbo(system: &System) -> Option<bool> {
    let off = system
        .number(&format!("{CPU}/intel_pstate/no_turbo"))
        .map(|off| off == 0.0);
    off.or_else(|| system.number(&format!("{CPU}/cpufreq/boost")).map(|on| on != 0.0))
}

/// Counters of the machine at one time.
#[derive(Debug, Clone)]
pub struct Activity {
    at: Instant,
    ticks: Option<Ticks>,
    waiting_us: Option<f64>,
    throttled_us: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Ticks {
    all: f64,
    stolen: f64,
}

/// How busy the machine was in some time; `None` where it does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Busy {
    /// Share of the time in which some task waited for a core, in percent (Linux' pressure stall information).
    pub waiting_percent: Option<f64>,
    /// Share of the time of all cores that a hypervisor gave to others, in percent.
    pub stolen_percent: Option<f64>,
    /// Time for which a container's limit on the use of cores stopped it, in percent of the time of one core.
    pub throttled_percent: Option<f64>,
}

impl Activity {
    /// Reads the counters.
    pub fn of(system: &System) -> Activity {
        Activity {
            at: Instant::now(),
            ticks: ticks(system),
            waiting_us: waiting_us(system),
            throttled_us: throttled_us(system),
        }
    }

    /// How busy the machine was from this reading to a later one.
    pub fn until(&self, later: &Activity) -> Busy {
        let microseconds = (later.at - self.at).as_secs_f64() * 1e6;
        self.over(later, microseconds)
    }

    fn over(&self, later: &Activity, microseconds: f64) -> Busy {
        let percent = |part: f64, of: f64| (of > 0.0).then(|| (100.0 * part / of).clamp(0.0, 100.0));
        let waiting = later.waiting_us.zip(self.waiting_us);
        let throttled = later.throttled_us.zip(self.throttled_us);
        let ticks = later.ticks.zip(self.ticks);
        Busy {
            waiting_percent: waiting.and_then(|(after, before)| percent(after - before, microseconds)),
            stolen_percent: ticks
                .and_then(|(after, before)| percent(after.stolen - before.stolen, after.all - before.all)),
            throttled_percent: throttled.and_then(|(after, before)| percent(after - before, microseconds)),
        }
    }
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal; those of guests are within user.
fn ticks(system: &System) -> Option<Ticks> {
    const STEAL: usize = 7;
    let text = system.text("proc/stat")?;
    let fields: Vec<f64> = text
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    Some(Ticks {
        stolen: *fields.get(STEAL)?,
        all: fields[..=STEAL].iter().sum(),
    })
}

/// Microseconds since the system was started in which some task waited for a core, from `/proc/pressure/cpu`.
fn waiting_us(system: &System) -> Option<f64> {
    let text = system.text("proc/pressure/cpu")?;
    let some = text.lines().find(|line| line.starts_with("some "))?;
    some.split_whitespace()
        .find_map(|field| field.strip_prefix("total="))?
        .parse()
        .ok()
}

/// Microseconds for which the control group that is seen as the root, a container's, was stopped.
fn throttled_us(system: &System) -> Option<f64> {
    let text = system.text("sys/fs/cgroup/cpu.stat")?;
    text.lines()
        .find_map(|line| line.strip_prefix("throttled_usec "))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::machine::tests::tree;

    #[test]
    fn a_machine_that_tells_everything() {
        let folder = tree(&[
            ("proc/loadavg", "1.25 0.80 0.50 2/300 4711\n"),
            ("proc/cpuinfo", "flags : fpu avx2\n"),
            ("proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/cpu/intel_pstate/no_turbo", "0\n"),
        ]);
        let state = HostState::of(&System::at(folder.path()));
        assert_eq!((state.cores, state.load), (Some(2), Some(1.25)));
        assert_eq!(state.governors, Some(vec!["powersave".into()]));
        assert_eq!((state.turbo, state.is_virtual), (Some(true), Some(false)));
        let guest = HostState {
            is_virtual: Some(true),
            ..state.clone()
        };
        assert!(guest.unknown()[0].contains("virtual machine"), "{guest:?}");
        assert!(state.unknown().is_empty(), "{state:?}");
    }

    #[test]
    fn a_machine_that_tells_nothing_is_unknown_in_all() {
        let folder = tree(&[("sys/devices/system/cpu/cpufreq/boost", "0\n")]);
        let system = System::at(folder.path());
        let state = HostState::of(&system);
        assert_eq!(state.turbo, Some(false));
        assert_eq!(state.unknown().len(), 3, "{state:?}");
        let busy = Activity::of(&system).until(&Activity::of(&system));
        assert_eq!(busy, Busy::default());
    }

    /// From 1,000 to 1,400 ticks with 20 more stolen: 5 %. 30 ms of waiting in 120 ms are 25 %, 12 ms of being stopped 10 %.
    #[test]
    fn time_waited_stolen_and_throttled() {
        let read = |stat: &str, pressure: &str, throttled: &str| {
            let folder = tree(&[
                ("proc/stat", stat),
                ("proc/pressure/cpu", pressure),
                (
                    "sys/fs/cgroup/cpu.stat",
                    &format!("usage_usec 5\nnr_throttled 1\nthrottled_usec {throttled}\n"),
                ),
            ]);
            Activity::of(&System::at(folder.path()))
        };
        let before = read(
            "cpu  400 0 100 400 50 0 40 10 7 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n",
            "some avg10=1.00 avg60=0.50 avg300=0.10 total=1000\nfull avg10=0 avg60=0 avg300=0 total=9\n",
            "500",
        );
        let after = read(
            "cpu  700 0 150 430 50 0 40 30 9 0\n",
            "some avg10=9.00 avg60=0.50 avg300=0.10 total=31000\n",
            "12500",
        );
        let busy = before.over(&after, 120_000.0);
        assert_eq!(busy.stolen_percent, Some(5.0));
        assert_eq!(busy.waiting_percent, Some(25.0));
        assert_eq!(busy.throttled_percent, Some(10.0));
    }
}
