//! What a Linux kernel tells of the processor.

use std::collections::BTreeSet;

use super::System;

/// What is known of the processor. `None` is unknown.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Facts {
    /// What it, or the board, is called.
    pub(super) name: Option<String>,
    /// Cores, each once however many threads it runs.
    pub(super) cores: Option<usize>,
    pub(super) clock: Option<Clock>,
    /// All caches of the last level together, in MiB, and the level.
    pub(super) last_cache: Option<(f64, u32)>,
    pub(super) memory_gib: Option<f64>,
    /// Sustained power of all packages in W.
    pub(super) power_limit_w: Option<f64>,
    pub(super) vectors: Option<Vectors>,
    pub(super) is_x86: bool,
    pub(super) is_android: bool,
    /// Whether a tree of devices names a board, as on single-board computers and phones.
    pub(super) is_board: bool,
}

/// A clock in GHz.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Clock {
    /// That is kept with all cores at work.
    Base(f64),
    /// The highest that a core reaches.
    Highest(f64),
    /// That the name of the processor states.
    Named(f64),
    /// That it had when it was looked at.
    Now(f64),
}

/// Instructions that work on several numbers at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vectors {
    /// Bits of a register.
    pub(super) bits: u32,
    /// Whether a multiplication and an addition are one instruction.
    pub(super) fused: bool,
    /// Whether there are dot products of 8-bit integers.
    pub(super) int8: bool,
    /// Whether there is arithmetic in half precision.
    pub(super) fp16: bool,
}

impl Facts {
    pub(super) fn of(system: &System) -> Facts {
        let board = system.text("sys/firmware/devicetree/base/model");
        let board = board.map(|text| text.trim_end_matches('\0').to_string());
        Facts {
            name: name(system, board.clone()),
            cores: cores(system),
            clock: clock(system),
            last_cache: last_cache(system),
            memory_gib: memory_gib(system),
            power_limit_w: power_limit_w(system),
            vectors: vectors(system),
            is_x86: system.cpuinfo("vendor_id").is_some(),
            is_android: system.text("proc/version").is_some_and(|text| text.contains("Android")),
            is_board: board.is_some(),
        }
    }
}

/// On x86 the processor is named, elsewhere at most the board.
fn name(system: &System, board: Option<String>) -> Option<String> {
    let processor = || system.cpuinfo("model name");
    processor()
        .or(board)
        .or_else(|| system.cpuinfo("Model"))
        .or_else(|| system.cpuinfo("Hardware"))
}

fn cores(system: &System) -> Option<usize> {
    let folders = system.cores();
    let topology = |folder: &String, file: &str| system.text(&format!("{folder}/topology/{file}"));
    let distinct: Option<BTreeSet<(String, String)>> = folders
        .iter()
        .map(|folder| Some((topology(folder, "physical_package_id")?, topology(folder, "core_id")?)))
        .collect();
    match distinct {
        Some(distinct) if !distinct.is_empty() => Some(distinct.len()),
        _ => (!folders.is_empty()).then_some(folders.len()),
    }
}

fn clock(system: &System) -> Option<Clock> {
    let highest = |file: &str| {
        let kilohertz = system
            .cores()
            .into_iter()
            .filter_map(|core| system.number(&format!("{core}/cpufreq/{file}")));
        let highest = kilohertz.fold(0.0, f64::max);
        (highest > 0.0).then_some(highest / 1e6)
    };
    highest("base_frequency")
        .map(Clock::Base)
        .or_else(|| highest("cpuinfo_max_freq").map(Clock::Highest))
        .or_else(|| {
            let name = system.cpuinfo("model name")?;
            let gigahertz = name
                .rsplit_once('@')?
                .1
                .trim()
                .strip_suffix("GHz")?
                .trim()
                .parse()
                .ok()?;
            Some(Clock::Named(gigahertz))
        })
        .or_else(|| {
            let megahertz: f64 = system.cpuinfo("cpu MHz")?.parse().ok()?;
            // It wavers by a few MHz from one reading to the next.
            Some(Clock::Now((megahertz / 100.0).round() / 10.0))
        })
}

/// Each cache once, though every core that shares it shows it.
fn last_cache(system: &System) -> Option<(f64, u32)> {
    let mut caches: BTreeSet<(u32, String)> = BTreeSet::new();
    let mut total = 0.0;
    let mut last = 0;
    for core in system.cores() {
        for index in system
            .names(&format!("{core}/cache"))
            .iter()
            .filter(|name| name.starts_with("index"))
        {
            let text = |file: &str| system.text(&format!("{core}/cache/{index}/{file}"));
            let is_for_data = text("type").is_some_and(|kind| kind != "Instruction");
            let (Some(level), Some(size), true) = (
                text("level").and_then(|level| level.parse::<u32>().ok()),
                text("size").and_then(|size| kibibytes(&size)),
                is_for_data,
            ) else {
                continue;
            };
            if level > last {
                (last, total) = (level, 0.0);
            }
            let shared_by = text("shared_cpu_list").unwrap_or_else(|| core.clone());
            if level == last && caches.insert((level, shared_by)) {
                total += size / 1024.0;
            }
        }
    }
    (total > 0.0).then_some((total, last))
}

/// A size such as `32768K` or `32M`.
fn kibibytes(text: &str) -> Option<f64> {
    let (number, factor) = match text.strip_suffix('K') {
        Some(number) => (number, 1.0),
        None => (text.strip_suffix('M')?, 1024.0),
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

fn memory_gib(system: &System) -> Option<f64> {
    let text = system.text("proc/meminfo")?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: f64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / f64::from(1 << 20))
}

fn power_limit_w(system: &System) -> Option<f64> {
    const FOLDER: &str = "sys/class/powercap";
    let zones = system.names(FOLDER).into_iter().filter(|name| {
        let number = name.strip_prefix("intel-rapl:");
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    });
    let limits = zones.filter_map(|zone| {
        let is_long_term = system.text(&format!("{FOLDER}/{zone}/constraint_0_name")).as_deref() == Some("long_term");
        let is_package = system.text(&format!("{FOLDER}/{zone}/name"))?.starts_with("package");
        let limit = system.number(&format!("{FOLDER}/{zone}/constraint_0_power_limit_uw"))?;
        (is_long_term && is_package).then_some(limit / 1e6)
    });
    let total: f64 = limits.sum();
    (total > 0.0).then_some(total)
}

fn vectors(system: &System) -> Option<Vectors> {
    let flags = system.cpuinfo("flags").or_else(|| system.cpuinfo("Features"))?;
    let has = |wanted: &str| flags.split_whitespace().any(|flag| flag == wanted);
    let widths = [
        ("avx512f", 512),
        ("avx2", 256),
        ("avx", 256),
        ("sse2", 128),
        ("asimd", 128),
        ("neon", 128),
    ];
    let (_, bits) = widths.into_iter().find(|(flag, _)| has(flag))?;
    Some(Vectors {
        bits,
        fused: ["fma", "asimd", "vfpv4"].into_iter().any(has),
        int8: ["avx512_vnni", "avx_vnni", "asimddp"].into_iter().any(has),
        fp16: ["avx512_fp16", "asimdhp"].into_iter().any(has),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::machine::tests::tree;

    const CPU: &str = "sys/devices/system/cpu";

    /// Two packages of two cores with two threads each; a last-level cache of 16 MiB in each package.
    #[test]
    fn threads_of_a_core_and_shared_caches_count_once() {
        let mut files = vec![
            (
                "proc/cpuinfo".to_string(),
                "vendor_id : GenuineIntel\nmodel name : Some CPU @ 2.20GHz\nflags : sse2 avx2 fma\n",
            ),
            ("proc/meminfo".into(), "MemTotal:       8388608 kB\nMemFree: 1 kB\n"),
            ("sys/class/powercap/intel-rapl:0/name".into(), "package-0"),
            ("sys/class/powercap/intel-rapl:0/constraint_0_name".into(), "long_term"),
            (
                "sys/class/powercap/intel-rapl:0/constraint_0_power_limit_uw".into(),
                "85000000",
            ),
        ];
        for cpu in 0..8 {
            let folder = format!("{CPU}/cpu{cpu}");
            let (package, list) = if cpu < 4 { ("0", "0-3") } else { ("1", "4-7") };
            let core = ["0", "0", "1", "1"][cpu % 4];
            files.extend([
                (format!("{folder}/topology/physical_package_id"), package),
                (format!("{folder}/topology/core_id"), core),
                (format!("{folder}/cpufreq/cpuinfo_max_freq"), "3000000"),
                (format!("{folder}/cpufreq/base_frequency"), "2200000"),
                (format!("{folder}/cache/index0/level"), "1"),
                (format!("{folder}/cache/index0/type"), "Data"),
                (format!("{folder}/cache/index0/size"), "32K"),
                (format!("{folder}/cache/index3/level"), "3"),
                (format!("{folder}/cache/index3/type"), "Unified"),
                (format!("{folder}/cache/index3/size"), "16384K"),
                (format!("{folder}/cache/index3/shared_cpu_list"), list),
            ]);
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        let facts = Facts::of(&System::at(tree(&files).path()));
        assert_eq!(
            (facts.cores, facts.last_cache, facts.memory_gib),
            (Some(4), Some((32.0, 3)), Some(8.0))
        );
        assert_eq!((facts.clock, facts.power_limit_w), (Some(Clock::Base(2.2)), Some(85.0)));
        let expected = Vectors {
            bits: 256,
            fused: true,
            int8: false,
            fp16: false,
        };
        assert_eq!((facts.vectors, facts.is_x86), (Some(expected), true));
    }

    #[test]
    fn a_single_board_computer() {
        let facts = Facts::of(&System::at(
            tree(&[
                (
                    "proc/cpuinfo",
                    "processor : 0\nFeatures : fp asimd asimddp\nModel : Raspberry Pi 5 Model B Rev 1.0\n",
                ),
                ("sys/firmware/devicetree/base/model", "Raspberry Pi 5 Model B Rev 1.0\0"),
                (&format!("{CPU}/cpu0/cpufreq/cpuinfo_max_freq"), "2400000"),
                (&format!("{CPU}/cpu1/cpufreq/cpuinfo_max_freq"), "2400000"),
            ])
            .path(),
        ));
        assert_eq!(facts.name.as_deref(), Some("Raspberry Pi 5 Model B Rev 1.0"));
        assert_eq!((facts.cores, facts.clock), (Some(2), Some(Clock::Highest(2.4))));
        assert!(facts.is_board && !facts.is_x86 && facts.vectors.is_some_and(|one| one.int8 && one.bits == 128));
    }

    #[test]
    fn a_machine_that_tells_nothing() {
        assert_eq!(Facts::of(&System::at(tree(&[]).path())), Facts::default());
    }

    #[test]
    fn clocks_from_names_and_of_the_moment() {
        let clock = |cpuinfo: &str| Facts::of(&System::at(tree(&[("proc/cpuinfo", cpuinfo)]).path())).clock;
        assert_eq!(
            clock("model name : Intel(R) CPU @ 2.60GHz\ncpu MHz : 3000.1\n"),
            Some(Clock::Named(2.6))
        );
        assert_eq!(
            clock("model name : AMD EPYC\ncpu MHz : 2596.120\n"),
            Some(Clock::Now(2.6))
        );
    }
}
