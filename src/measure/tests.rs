//! The protocol with a runtime that takes as long as it is told to.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::work::JUDGED_AFTER;
use super::*;
use crate::dataset::{self, DEVICES_FILE, Dataset, MANIFEST_FILE};
use crate::device::machine::tests::tree;
use crate::error::RunFailure;
use crate::metric::Metric;
use crate::progress::Silent;
use crate::runtime::{Round, Samples, Session};
use crate::space::NasBench201;

/// What is done before each call, which is given its number from 0.
type Before = Box<dyn Fn(usize) -> Result<()> + Send + Sync>;

/// A runtime of models that hold their latency in ms, in which every run takes 1 % longer than the one before. A model that holds
/// anything else is refused.
struct Fake {
    calls: Mutex<Vec<(f64, Round)>>,
    before: Before,
    energy_mj: Option<f64>,
}

impl Fake {
    fn new() -> Fake {
        Fake::that(|_| Ok(()))
    }

    fn that(before: impl Fn(usize) -> Result<()> + Send + Sync + 'static) -> Fake {
        Fake {
            calls: Mutex::default(),
            before: Box::new(before),
            energy_mj: None,
        }
    }

    fn calls(&self) -> Vec<(f64, Round)> {
        self.calls.lock().unwrap().clone()
    }
}

impl Runtime for Fake {
    fn describe(&self) -> String {
        "fake 1.0".into()
    }

    fn load<'a>(&'a self, model: &Path, _threads: usize) -> Result<Box<dyn Session + 'a>> {
        let text = fs::read_to_string(model).unwrap();
        let base_ms = text.parse().map_err(|_| Error::Run {
            runtime: self.describe(),
            model: model.into(),
            failure: RunFailure::Refused(format!("operator {text}")),
            stderr: String::new(),
        })?;
        Ok(Box::new(Running { runtime: self, base_ms }))
    }
}

struct Running<'a> {
    runtime: &'a Fake,
    base_ms: f64,
}

impl Session for Running<'_> {
    fn measure(&mut self, round: &Round) -> Result<Samples> {
        let mut calls = self.runtime.calls.lock().unwrap();
        (self.runtime.before)(calls.len())?;
        calls.push((self.base_ms, *round));
        Ok(Samples {
            latency_ms: (0..round.runs)
                .map(|run| self.base_ms * (1.0 + 0.01 * run as f64))
                .collect(),
            energy_mj: self.runtime.energy_mj,
            ..Samples::default()
        })
    }
}

/// Stops when the work has been advanced so often.
struct StopsAfter(AtomicUsize);

impl Progress for StopsAfter {
    fn advance(&self, _by: u64) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

fn designs(count: usize) -> Vec<Design> {
    let mut rng = Seed(3).stream("designs");
    let usable =
        std::iter::repeat_with(|| NasBench201.sample(&mut rng)).filter(|one| NasBench201.output_depends_on_input(one));
    usable
        .take(count)
        .map(|one| Design::uniform(one, Precision::Fp32))
        .collect()
}

/// A place to measure into, on a board with 100 GFLOP/s.
struct Bench {
    folder: tempfile::TempDir,
    system: tempfile::TempDir,
    designs: Vec<Design>,
    devices: BTreeMap<Precision, Device>,
    protocol: Protocol,
    unfinished: Unfinished,
    unit_ms: f64,
    accept_implausible: bool,
    /// What the model of the design at a position holds.
    model: fn(usize) -> String,
}

/// 10 ms for the first design, one more for each that follows.
fn latency_of(position: usize) -> String {
    format!("{}", 10 + position)
}

impl Bench {
    fn new(count: usize) -> Bench {
        let board = Device {
            peak_gflops: Some(100.0),
            ..Device::named("board")
        };
        let precisions = [Precision::Fp32, Precision::Int8];
        Bench {
            folder: tempfile::tempdir().unwrap(),
            system: tree(&[
                ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance"),
                ("sys/devices/system/cpu/cpufreq/boost", "0"),
                ("proc/loadavg", "0.00 0.00 0.00 1/1 1"),
                ("proc/pressure/cpu", "some avg10=0.00 total=0"),
            ]),
            designs: designs(count),
            devices: precisions.map(|one| (one, setting(&board, "fake", one, 1, 1))).into(),
            protocol: Protocol::default(),
            unfinished: Unfinished::Refuse,
            unit_ms: 1.0,
            accept_implausible: false,
            model: latency_of,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("measured")
    }

    fn run(&self, runtime: &dyn Runtime, progress: &dyn Progress) -> Result<Outcome> {
        let export = |design: &Design| {
            let same = |one: &Design| one.architecture == design.architecture;
            let position = self.designs.iter().position(same).unwrap();
            Ok((self.model)(position).into_bytes())
        };
        let request = Request {
            folder: &self.path(),
            space: &NasBench201,
            designs: &self.designs,
            input: NasBench201.default_input(),
            devices: &self.devices,
            threads: 1,
            export: &export,
            protocol: self.protocol,
            seed: Seed(5),
            unfinished: self.unfinished,
            unit_ms: self.unit_ms,
            accept_implausible: self.accept_implausible,
            judge: None,
            is_local: true,
            system: &System::at(self.system.path()),
        };
        measure(&request, runtime, progress)
    }

    fn latencies(&self) -> Vec<f64> {
        let dataset = Dataset::read(&self.path()).unwrap();
        let rows = dataset.measurements.iter();
        rows.filter_map(|row| row.value(Metric::Latency)).collect()
    }
}

/// 50 runs in 5 rounds are 10 a round: 1.00 to 1.09 times the base, the same in every round. The median lies between the runs of
/// 1.04 and 1.05, at 1.045. Sorted, with five of each, the 90th percentile is in place 44.1, a tenth of the way from 1.08 to 1.09.
#[test]
fn medians_of_all_rounds_become_rows_of_a_dataset() {
    let (bench, fake) = (Bench::new(4), Fake::new());
    let outcome = bench.run(&fake, &Silent).unwrap();
    assert_eq!((outcome.measured.len(), outcome.added, outcome.known), (4, 4, 0));
    for (position, measured) in outcome.measured.iter().enumerate() {
        let base = 10.0 + position as f64;
        assert_eq!(
            (&measured.design, measured.device.as_str()),
            (&bench.designs[position], "board_fake_fp32_1t")
        );
        assert_eq!((measured.latency.runs, measured.latency.rounds_ms.len()), (50, 5));
        assert!((measured.latency.median_ms / base - 1.045).abs() < 1e-9, "{measured:?}");
        assert!((measured.latency.p90_ms / base - 1.081).abs() < 1e-9, "{measured:?}");
        assert_eq!(measured.energy_mj, None);
    }
    let dataset = Dataset::read(&bench.path()).unwrap();
    let rows: Vec<_> = dataset
        .measurements
        .iter()
        .map(|row| (row.precision, row.origin))
        .collect();
    assert_eq!(rows, [(Precision::Fp32, dataset::Origin::Measured); 4]);
    assert_eq!(bench.latencies()[2], outcome.measured[2].latency.median_ms);
    // Devices of which nothing was measured are not there.
    let device = &dataset.devices[0];
    assert_eq!(
        (dataset.devices.len(), device.unit.as_str(), device.peak_gflops),
        (1, "board", Some(100.0))
    );
    assert_eq!(
        (device.precision, device.batch_size),
        (Some(Precision::Fp32), Some(1.0))
    );
}

#[test]
fn every_round_has_every_design_once_after_a_warm_up() {
    let (mut bench, fake) = (Bench::new(6), Fake::new());
    bench.protocol = Protocol {
        runs: 9,
        seconds: 3.0,
        rounds: 3,
        ..Protocol::default()
    };
    bench.run(&fake, &Silent).unwrap();
    let calls = fake.calls();
    let orders: Vec<Vec<f64>> = calls
        .chunks(6)
        .map(|round| round.iter().map(|call| call.0).collect())
        .collect();
    assert_eq!(orders.len(), 3);
    for order in &orders {
        let mut sorted = order.clone();
        sorted.sort_by(f64::total_cmp);
        assert_eq!(sorted, [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]);
    }
    assert!(orders[0] != orders[1] && orders[1] != orders[2], "{orders:?}");
    let expected = Round {
        warmup_runs: 10,
        warmup_seconds: 0.5,
        runs: 3,
        seconds: 1.0,
    };
    assert!(calls.iter().all(|call| call.1 == expected), "{calls:?}");
}

#[test]
fn what_was_stopped_goes_on_where_it_was() {
    let mut bench = Bench::new(4);
    let stopped = bench.run(&Fake::new(), &StopsAfter(AtomicUsize::new(7))).unwrap_err();
    assert!(
        matches!(&stopped, Error::Interrupted { state: Some(path) } if path.ends_with("measured/samples.jsonl")),
        "{stopped}"
    );
    // No design is complete, and the dataset is not there yet.
    assert!(!bench.path().join(MANIFEST_FILE).exists());
    let refused = bench.run(&Fake::new(), &Silent).unwrap_err().to_string();
    assert!(
        refused.contains("samples of 4 designs from a run that was stopped"),
        "{refused}"
    );
    bench.unfinished = Unfinished::Resume;
    let fake = Fake::new();
    let outcome = bench.run(&fake, &Silent).unwrap();
    assert_eq!((fake.calls().len(), outcome.added), (5 * 4 - 7, 4));
    // The same as without the stop.
    let whole = Bench::new(4).run(&Fake::new(), &Silent).unwrap();
    assert_eq!(outcome.measured, whole.measured);
    // What is there is not measured again, and more is added to it.
    bench.unfinished = Unfinished::Refuse;
    bench.designs = designs(6);
    let fake = Fake::new();
    let outcome = bench.run(&fake, &Silent).unwrap();
    assert_eq!((fake.calls().len(), outcome.added, outcome.known), (5 * 2, 2, 4));
    assert_eq!((bench.latencies().len(), outcome.measured.len()), (6, 6));
}

#[test]
fn what_was_stopped_can_be_started_over() {
    let mut bench = Bench::new(3);
    assert!(bench.run(&Fake::new(), &StopsAfter(AtomicUsize::new(4))).is_err());
    bench.unfinished = Unfinished::Discard;
    let fake = Fake::new();
    assert_eq!(bench.run(&fake, &Silent).unwrap().added, 3);
    assert_eq!(fake.calls().len(), 15);
}

/// The disk is full from the eighth call on: what is written goes to a device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing_that_was_measured() {
    let mut bench = Bench::new(4);
    let (path, aside) = (bench.path().join(SAMPLES_FILE), bench.folder.path().join("aside"));
    let (from, to) = (path.clone(), aside.clone());
    let fills = Fake::that(move |call| {
        if call == 7 {
            fs::rename(&from, &to).unwrap();
            std::os::unix::fs::symlink("/dev/full", &from).unwrap();
        }
        Ok(())
    });
    let full = bench.run(&fills, &Silent).unwrap_err();
    let told = full.to_string();
    assert!(
        told.contains("cannot write") && told.contains("samples.jsonl"),
        "{told}"
    );
    fs::rename(&aside, &path).unwrap();
    bench.unfinished = Unfinished::Resume;
    let fake = Fake::new();
    assert_eq!(bench.run(&fake, &Silent).unwrap().added, 4);
    assert_eq!(fake.calls().len(), 5 * 4 - 7);
}

#[test]
fn a_design_that_is_refused_is_kept_out_by_name_and_the_rest_goes_on() {
    let mut bench = Bench::new(4);
    bench.model = |position| match position {
        1 => "Einsum".into(),
        _ => latency_of(position),
    };
    let fake = Fake::new();
    let outcome = bench.run(&fake, &Silent).unwrap();
    assert_eq!((outcome.added, outcome.refused.len(), fake.calls().len()), (3, 1, 15));
    assert_eq!(outcome.refused[0].design, bench.designs[1]);
    assert_eq!(outcome.refused[0].reason, "fake 1.0: operator Einsum");
}

#[test]
fn a_runtime_that_refuses_all_is_told_soon() {
    let mut bench = Bench::new(6);
    bench.model = |_| "Einsum".into();
    let error = bench.run(&Fake::new(), &Silent).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    let told = error.to_string();
    assert!(
        told.contains("none of the first 3") && told.contains("operator Einsum"),
        "{told}"
    );
    // A runtime that cannot be used at all is no fault of the designs.
    let unusable = Fake::that(|_| {
        Err(Error::Runtime {
            runtime: "fake".into(),
            expected: "a library".into(),
            found: "none".into(),
            hint: "Install it.".into(),
        })
    });
    assert!(matches!(
        Bench::new(6).run(&unusable, &Silent),
        Err(Error::Runtime { .. })
    ));
}

/// Cells at 100 GFLOP/s take between about a tenth of a millisecond and seconds: 0.01 ms and less are seconds.
#[test]
fn seconds_in_place_of_milliseconds_are_asked_about() {
    let mut bench = Bench::new(5);
    bench.model = |position| format!("{}", 0.010 + 0.001 * position as f64);
    let fake = Fake::new();
    let error = bench.run(&fake, &Silent).unwrap_err();
    assert_eq!((error.exit_code(), fake.calls().len()), (2, JUDGED_AFTER));
    let told = error.to_string();
    assert!(
        told.contains("board_fake_fp32_1t") && told.contains("They look like seconds. Nothing was kept."),
        "{told}"
    );
    // Nothing in the wrong unit was kept, so that the same command with the right one just works.
    bench.unit_ms = 1_000.0;
    assert_eq!(bench.run(&Fake::new(), &Silent).unwrap().added, 5);
    assert!((bench.latencies()[0] - 10.45).abs() < 1e-9);
    let mut taken = Bench::new(5);
    (taken.model, taken.accept_implausible) = (bench.model, true);
    assert_eq!(taken.run(&Fake::new(), &Silent).unwrap().added, 5);
}

#[test]
fn designs_at_several_precisions_are_on_devices_of_one_unit() {
    let mut bench = Bench::new(2);
    let quantized = Design::uniform(bench.designs[0].architecture.clone(), Precision::Int8);
    bench.designs.extend([quantized.clone(), quantized]);
    let outcome = bench.run(&Fake::new(), &Silent).unwrap();
    assert_eq!(outcome.added, 3);
    let dataset = Dataset::read(&bench.path()).unwrap();
    let mut found: Vec<_> = dataset
        .devices
        .iter()
        .map(|one| (one.id.as_str(), one.unit.as_str()))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [("board_fake_fp32_1t", "board"), ("board_fake_int8_1t", "board")]
    );
    let error = Bench {
        devices: BTreeMap::new(),
        ..Bench::new(1)
    };
    assert!(
        error
            .run(&Fake::new(), &Silent)
            .unwrap_err()
            .to_string()
            .contains("precision")
    );
}

/// The counters stand still but for one that each call raises by 2 J, warm-ups too: 10 runs of 200 mJ.
#[test]
fn energy_of_the_packages_is_taken_around_the_runs_that_count() {
    let bench = Bench::new(1);
    let zone = bench.system.path().join("sys/class/powercap/intel-rapl:0");
    fs::create_dir_all(&zone).unwrap();
    fs::write(zone.join("name"), "package-0").unwrap();
    fs::write(zone.join("max_energy_range_uj"), "1000000000").unwrap();
    fs::write(zone.join("energy_uj"), "0").unwrap();
    let counter = zone.join("energy_uj");
    let fake = Fake::that(move |call| {
        fs::write(&counter, format!("{}", 2_000_000 * (call + 1))).unwrap();
        Ok(())
    });
    let outcome = bench.run(&fake, &Silent).unwrap();
    let energy_mj = outcome.measured[0].energy_mj.unwrap();
    assert!((energy_mj - 200.0).abs() < 1e-9, "{energy_mj}");
    let calls = fake.calls();
    assert_eq!((calls.len(), calls[0].1.runs, calls[0].1.warmup_runs), (10, 1, 10));
    assert_eq!(
        (calls[1].1.runs, calls[1].1.warmup_runs, calls[1].1.warmup_seconds),
        (10, 0, 0.0)
    );
    let dataset = Dataset::read(&bench.path()).unwrap();
    assert_eq!(dataset.measurements[0].value(Metric::Energy), Some(energy_mj));
}

#[test]
fn energy_that_the_runtime_tells_is_kept() {
    let bench = Bench::new(1);
    let fake = Fake {
        energy_mj: Some(7.5),
        ..Fake::new()
    };
    assert_eq!(bench.run(&fake, &Silent).unwrap().measured[0].energy_mj, Some(7.5));
}

#[test]
fn a_datasheet_of_the_dataset_stays_and_other_spaces_are_refused() {
    let mut bench = Bench::new(2);
    bench.run(&Fake::new(), &Silent).unwrap();
    bench.designs = designs(3);
    for device in bench.devices.values_mut() {
        device.peak_gflops = Some(120.0);
    }
    let outcome = bench.run(&Fake::new(), &Silent).unwrap();
    assert_eq!(outcome.added, 1);
    let told = outcome
        .warnings
        .iter()
        .map(ToString::to_string)
        .find(|one| one.contains("peak-gflops"));
    assert!(told.is_some(), "{:?}", outcome.warnings);
    assert_eq!(
        Dataset::read(&bench.path()).unwrap().devices[0].peak_gflops,
        Some(100.0)
    );
    let other = fs::read_to_string(bench.path().join(MANIFEST_FILE))
        .unwrap()
        .replace("nasbench201", "fbnet");
    fs::write(bench.path().join(MANIFEST_FILE), other).unwrap();
    assert!(bench.run(&Fake::new(), &Silent).is_err());
    // Tables without a manifest are somebody's work.
    fs::remove_file(bench.path().join(MANIFEST_FILE)).unwrap();
    assert!(
        bench
            .run(&Fake::new(), &Silent)
            .unwrap_err()
            .to_string()
            .contains(DEVICES_FILE)
    );
}

#[test]
fn a_steady_runtime_on_a_quiet_machine_gives_no_warnings_of_the_machine() {
    let outcome = Bench::new(4).run(&Fake::new(), &Silent).unwrap();
    // The fake takes up to 9 % longer in each round, which is spread and no drift.
    assert_eq!(outcome.warnings, []);
}
