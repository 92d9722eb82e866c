//! Runs the program on one case and says what it did that no case may make it do.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::driver::program;

/// What a command may take to see that it was given nonsense: memory at its peak, time of the processor, and time on the
/// clock, of which there is more because other work may keep the machine busy.
const MOST_KIB: u64 = 1 << 20;
const MOST_CPU: Duration = Duration::from_secs(10);
const MOST_TIME: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(2);
/// Ticks of the clock that Linux counts the time of processes in.
const TICKS_PER_SECOND: u64 = 100;

/// The content of every file below a folder by its path; links and pipes are there by what they are.
pub(super) fn contents(folder: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        let mut hash = DefaultHasher::new();
        if kind.is_dir() {
            let below = contents(&path).into_iter();
            found.extend(below.map(|(below, hash)| (format!("{name}/{below}"), hash)));
        } else if kind.is_file() {
            fs::read(&path).unwrap().hash(&mut hash);
        } else {
            format!("{kind:?}").hash(&mut hash);
        }
        found.insert(name, hash.finish());
    }
    found
}

/// What the program did.
pub(super) struct Watched {
    pub(super) status: ExitStatus,
    pub(super) stderr: String,
    /// Time of the processor, as far as it was seen.
    pub(super) cpu: Duration,
    /// What it did that it may not, each in a sentence.
    pub(super) faults: Vec<String>,
}

/// Runs the program in `folder`, whose files it may add to by names that begin with `out`, and only if it succeeds.
pub(super) fn watch(folder: &Path, arguments: &[String]) -> Watched {
    let before = contents(folder);
    let said = tempfile::tempdir().unwrap();
    let stream = |name: &str| File::create(said.path().join(name)).unwrap();
    let mut child = Command::new(program())
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(stream("stdout"))
        .stderr(stream("stderr"))
        .spawn()
        .unwrap();
    let mut faults = Vec::new();
    let (status, cpu) = until_it_ends(&mut child, &mut faults);
    let stderr = String::from_utf8_lossy(&fs::read(said.path().join("stderr")).unwrap()).into_owned();
    if stderr.contains("panicked") || status.code().is_none_or(|code| code > 3) {
        faults.push(format!("it panicked or was killed: {status}"));
    }
    let mut after = contents(folder);
    for (name, hash) in before {
        if after.remove(&name) != Some(hash) {
            faults.push(format!("{name} was changed"));
        }
    }
    let allowed = |name: &str| status.success() && name.starts_with("out") && !name.contains("unfinished");
    faults.extend(
        after
            .keys()
            .filter(|name| !allowed(name))
            .map(|name| format!("{name} was left behind")),
    );
    Watched {
        status,
        stderr,
        cpu,
        faults,
    }
}

fn until_it_ends(child: &mut Child, faults: &mut Vec<String>) -> (ExitStatus, Duration) {
    let began = Instant::now();
    let (mut most_kib, mut cpu) = (0, Duration::ZERO);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        most_kib = most_kib.max(peak_kib(child.id()));
        cpu = cpu.max(cpu_time(child.id()));
        if most_kib > MOST_KIB || cpu > MOST_CPU || began.elapsed() > MOST_TIME {
            child.kill().unwrap();
            break child.wait().unwrap();
        }
        sleep(POLL);
    };
    if most_kib > MOST_KIB {
        faults.push(format!("{} MiB of memory", most_kib >> 10));
    }
    if cpu > MOST_CPU || began.elapsed() > MOST_TIME {
        faults.push(format!(
            "{:.0?} of the processor, {:.0?} on the clock",
            cpu,
            began.elapsed()
        ));
    }
    (status, cpu)
}

/// The most memory that a process has had so far.
fn peak_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or_default()
}

/// What a process has computed so far, on all processors together.
fn cpu_time(process: u32) -> Duration {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // After the name in brackets: the state, then ten other fields, then the ticks in user and in system mode.
    let fields = status.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(1000 * ticks / TICKS_PER_SECOND)
}
