//! Every reader of files from outside, on sound files that were damaged at random: it never panics, says what is wrong in a
//! message of a reasonable length, takes seconds at most, and what it takes is sound.
//!
//! A test run tries a few hundred cases of each, the same every time. For longer, with other cases every time:
//!
//! ```text
//! EDGEFIT_FUZZ_SECONDS=600 cargo test --release --locked --test it -- device_files --nocapture
//! ```
//!
//! A failure is shrunk to the least damage that shows it, and printed with the seed to repeat it by (`EDGEFIT_FUZZ_SEED`).

mod checkpoints;
mod damage;
mod importers;
mod texts;

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use edgefit::error::Error;
use edgefit::predict::Prediction;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};

#[cfg(target_os = "linux")]
pub(crate) use checkpoints::seal;
use damage::{Damage, damages};

/// Longest message that is still of help, in characters: two paths, and an excerpt of what was found.
const MOST_MESSAGE: usize = 3000;
/// What a reader may take for a damaged file, in a build that is not optimised and on a machine that is busy.
const MOST_TIME: Duration = Duration::from_secs(10);

/// Cases tried between two looks at the clock.
const BATCH: u32 = 50;
/// Batches that fail before a long run is given up.
const MOST_FAILURES: usize = 40;

/// A file that a reader reads, as it should be.
struct Seed {
    path: PathBuf,
    sound: Vec<u8>,
    /// What is written of what was damaged: itself, or an archive with it.
    pack: fn(&[u8]) -> Vec<u8>,
}

impl Seed {
    /// A file that lies at `path`.
    fn at(path: PathBuf) -> Seed {
        Seed::packed(path.clone(), fs::read(path).unwrap(), <[u8]>::to_vec)
    }

    fn packed(path: PathBuf, sound: Vec<u8>, pack: fn(&[u8]) -> Vec<u8>) -> Seed {
        Seed { path, sound, pack }
    }

    /// The files of these names in a folder.
    fn all(folder: &Path, names: &[&str]) -> Vec<Seed> {
        names.iter().map(|name| Seed::at(folder.join(name))).collect()
    }
}

/// Writes the sound file again, however a case ended.
struct Restored<'a>(&'a Seed);

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        fs::write(&self.0.path, (self.0.pack)(&self.0.sound)).unwrap();
    }
}

/// Tries `read` on damaged `seeds`; `words` mean something in their format, and `cases` are tried in a usual test run.
fn fuzz(name: &str, cases: u32, seeds: &[Seed], words: &[&str], read: impl Fn(&Path) -> edgefit::error::Result<()>) {
    for seed in seeds {
        drop(Restored(seed));
        read(&seed.path).unwrap_or_else(|error| panic!("{name}: {} is sound, but: {error}", seed.path.display()));
    }
    let (tried, taken) = (Cell::new(0_u64), Cell::new(0_u64));
    let case = |(which, damages): (Index, Vec<Damage>)| {
        let seed = &seeds[which.index(seeds.len())];
        let mut bytes = seed.sound.clone();
        damages.iter().for_each(|damage| damage.apply(&mut bytes, words));
        let _restored = Restored(seed);
        fs::write(&seed.path, (seed.pack)(&bytes)).unwrap();
        tried.set(tried.get() + 1);
        let began = Instant::now();
        let answer = read(&seed.path);
        let took = began.elapsed();
        prop_assert!(took < MOST_TIME, "{took:?} for {}", seed.path.display());
        match answer {
            Ok(()) => taken.set(taken.get() + 1),
            Err(error) => is_helpful(&error)?,
        }
        Ok(())
    };
    let Some(seconds) = seconds() else {
        return run(0, cases, case).unwrap_or_else(|failure| panic!("{name}: {failure}"));
    };
    let started = Instant::now();
    let mut failures = Vec::new();
    let mut seed = first_seed();
    while started.elapsed() < seconds && failures.len() < MOST_FAILURES {
        if let Err(failure) = run(seed, BATCH, case) {
            println!("{name}, EDGEFIT_FUZZ_SEED={seed}: {failure}");
            failures.push(seed);
        }
        seed = seed.wrapping_add(1);
    }
    println!(
        "{name}: {} cases in {:.0} s, {} of them taken, {} failures; at most {} MiB",
        tried.get(),
        started.elapsed().as_secs_f64(),
        taken.get(),
        failures.len(),
        peak_mib()
    );
    assert!(failures.is_empty(), "{name} fails with the seeds {failures:?}");
}

/// Runs so many cases that follow from `seed`.
fn run(seed: u64, cases: u32, case: impl Fn((Index, Vec<Damage>)) -> TestCaseResult) -> Result<(), String> {
    let config = Config {
        cases,
        max_shrink_iters: 500,
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let tried = TestRunner::new_with_rng(config, rng).run(&(any::<Index>(), damages()), case);
    tried.map_err(|failure| failure.to_string())
}

fn is_helpful(error: &Error) -> TestCaseResult {
    let message = error.to_string();
    prop_assert!(!message.is_empty());
    prop_assert!(
        message.chars().count() <= MOST_MESSAGE,
        "a message of {} bytes: {:.300}",
        message.len(),
        message
    );
    prop_assert!([1, 2].contains(&error.exit_code()), "{message}");
    Ok(())
}

/// Fails the case unless every interval is one around its mean.
fn are_intervals(predictions: &[Prediction]) {
    for (metric, found) in predictions.iter().flat_map(|one| one.metrics.iter()) {
        let all = [found.low, found.mean, found.high];
        assert!(
            all.iter().all(|value| value.is_finite()) && all.is_sorted(),
            "{metric}: {found:?}"
        );
    }
}

fn seconds() -> Option<Duration> {
    let seconds = std::env::var("EDGEFIT_FUZZ_SECONDS").ok()?;
    Some(Duration::from_secs(seconds.parse().unwrap()))
}

fn first_seed() -> u64 {
    let given = std::env::var("EDGEFIT_FUZZ_SEED").map(|seed| seed.parse().unwrap());
    given.unwrap_or_else(|_| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() << 20)
}

/// The largest memory that this process has had, where the system tells.
fn peak_mib() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
        .map_or("an unknown number of".into(), |kib| (kib >> 10).to_string())
}
