//! What did a run cost? The counters of processor packages that Linux shows in `/sys/class/powercap` (Intel's and AMD's RAPL).

use super::log::RoundEntry;
use crate::device::machine::System;
use crate::error::Result;
use crate::runtime::{Round, Samples, Session};

const FOLDER: &str = "sys/class/powercap";

/// Counters of the energy of every processor package, in microjoules.
///
/// What is counted is all that the packages take: the model, whatever else runs, and what an idle machine takes. Idle power is
/// not subtracted.
#[derive(Debug, Clone)]
pub struct EnergyMeter {
    system: System,
    packages: Vec<Package>,
}

#[derive(Debug, Clone)]
struct Package {
    /// The file of the counter.
    counter: String,
    /// The largest value of the counter, after which it begins at 0 again.
    range_uj: f64,
}

/// The counters at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct EnergyReading(Vec<f64>);

impl EnergyMeter {
    /// The counters of this machine; `None` where it has none.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) for a counter that is there and cannot be read, as where only root may.
    pub fn open(system: &System) -> Result<Option<EnergyMeter>> {
        let mut packages = Vec::new();
        for name in system.names(FOLDER) {
            let zone = format!("{FOLDER}/{name}");
            if !is_package(system, &name) {
                continue;
            }
            let counter = format!("{zone}/energy_uj");
            system.read(&counter)?;
            if let Some(range_uj) = system.number(&format!("{zone}/max_energy_range_uj")) {
                packages.push(Package { counter, range_uj });
            }
        }
        let meter = EnergyMeter {
            system: system.clone(),
            packages,
        };
        Ok((!meter.packages.is_empty()).then_some(meter))
    }

    /// Reads every counter; `None` where one cannot be read any more.
    pub fn read(&self) -> Option<EnergyReading> {
        let counters = self.packages.iter().map(|package| self.system.number(&package.counter));
        counters.collect::<Option<Vec<f64>>>().map(EnergyReading)
    }

    /// Energy in mJ from one reading to a later one. A counter that is lower than before has begun anew, once: the smallest
    /// ranges last a minute at 1 kW, longer than one round.
    pub fn between_mj(&self, before: &EnergyReading, after: &EnergyReading) -> f64 {
        let counters = self.packages.iter().zip(before.0.iter().zip(&after.0));
        let microjoules = counters.map(|(package, (before, after))| {
            if after >= before {
                after - before
            } else {
                after + package.range_uj - before
            }
        });
        microjoules.sum::<f64>() / 1_000.0
    }
}

/// Whether this is a whole package: a zone such as `intel-rapl:0` that is called `package-0`. Zones below it, such as
/// `intel-rapl:0:0`, are parts of it; `intel-rapl-mmio:0` shows the same package once more; `psys` is the whole platform.
fn is_package(system: &System, name: &str) -> bool {
    let top = name
        .strip_prefix("intel-rapl:")
        .is_some_and(|number| number.parse::<u32>().is_ok());
    let called = system.text(&format!("{FOLDER}/{name}/name"));
    top && called.is_some_and(|called| called.starts_with("package"))
}

/// Warms up first, so that the counters are read around nothing but the runs that count.
pub(super) fn with_energy(meter: &EnergyMeter, session: &mut dyn Session, round: &Round) -> Result<Samples> {
    session.measure(&Round {
        runs: 1,
        seconds: 0.0,
        ..*round
    })?;
    let before = meter.read();
    let mut samples = session.measure(&Round {
        warmup_runs: 0,
        warmup_seconds: 0.0,
        ..*round
    })?;
    let after = meter.read();
    if samples.energy_mj.is_none() {
        let spent = before
            .zip(after)
            .map(|(before, after)| meter.between_mj(&before, &after));
        samples.energy_mj = spent
            .map(|spent| spent / samples.latency_ms.len() as f64)
            .filter(|each| *each > 0.0);
    }
    Ok(samples)
}

/// The mean over the runs of the rounds that have one.
pub(super) fn mean_energy(entries: &[&RoundEntry]) -> Option<f64> {
    let rounds = entries
        .iter()
        .filter_map(|entry| Some((entry.energy_mj?, entry.latency_ms.len() as f64)));
    let (sum, runs) = rounds.fold((0.0, 0.0), |(sum, all), (each, runs)| (sum + each * runs, all + runs));
    (runs > 0.0).then(|| sum / runs)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::device::machine::tests::tree;

    const TREE: &[(&str, &str)] = &[
        ("sys/class/powercap/intel-rapl/enabled", "1"),
        ("sys/class/powercap/intel-rapl:0/name", "package-0\n"),
        ("sys/class/powercap/intel-rapl:0/energy_uj", "1000000\n"),
        ("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n"),
        ("sys/class/powercap/intel-rapl:0:0/name", "core\n"),
        ("sys/class/powercap/intel-rapl:0:0/energy_uj", "900000\n"),
        (
            "sys/class/powercap/intel-rapl:0:0/max_energy_range_uj",
            "262143328850\n",
        ),
        ("sys/class/powercap/intel-rapl:1/name", "package-1\n"),
        ("sys/class/powercap/intel-rapl:1/energy_uj", "9000000\n"),
        ("sys/class/powercap/intel-rapl:1/max_energy_range_uj", "10000000\n"),
        ("sys/class/powercap/intel-rapl:2/name", "psys\n"),
        ("sys/class/powercap/intel-rapl:2/energy_uj", "5\n"),
        ("sys/class/powercap/intel-rapl-mmio:0/name", "package-0\n"),
        ("sys/class/powercap/intel-rapl-mmio:0/energy_uj", "1000000\n"),
    ];

    /// Package 0 rises by 0.5 J. Package 1 goes from 9 J over its range of 10 J to 0.25 J: 1.25 J. Together 1,750 mJ; parts, the
    /// platform and the second view of package 0 do not count.
    #[test]
    fn packages_are_added_up_and_counters_wrap_around() {
        let folder = tree(TREE);
        let meter = EnergyMeter::open(&System::at(folder.path())).unwrap().unwrap();
        let before = meter.read().unwrap();
        let counter = |package: usize| {
            folder
                .path()
                .join(format!("sys/class/powercap/intel-rapl:{package}/energy_uj"))
        };
        fs::write(counter(0), "1500000\n").unwrap();
        fs::write(counter(1), "250000\n").unwrap();
        let after = meter.read().unwrap();
        assert_eq!(meter.between_mj(&before, &after), 1_750.0);
        assert_eq!(meter.between_mj(&after, &after), 0.0);
        fs::remove_file(counter(1)).unwrap();
        assert_eq!(meter.read(), None);
    }

    #[test]
    fn a_machine_without_counters_measures_no_energy() {
        let folder = tree(&[("proc/stat", "cpu 1\n")]);
        assert!(EnergyMeter::open(&System::at(folder.path())).unwrap().is_none());
    }

    /// A folder in place of the counter cannot be read by anybody, unlike a file without permissions, which root can.
    #[test]
    fn a_counter_that_cannot_be_read_is_named() {
        let folder = tree(TREE);
        let counter = folder.path().join("sys/class/powercap/intel-rapl:0/energy_uj");
        fs::remove_file(&counter).unwrap();
        fs::create_dir(&counter).unwrap();
        let message = EnergyMeter::open(&System::at(folder.path())).unwrap_err().to_string();
        assert!(message.contains("intel-rapl:0/energy_uj"), "{message}");
    }
}
