//! A program that is given only so long.

use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Of a program that prints more, so much of the end is kept.
const KEPT_BYTES: usize = 16 << 20;
/// How often a program that has closed its output is looked at. It prints its results last, so nothing is timed any
/// more.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A limit that no measurement reaches, for those that are longer: clocks end somewhere.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How long the output of a program that was stopped is waited for.
const AFTER_STOP: Duration = Duration::from_secs(1);

/// How a program ended.
#[derive(Debug, PartialEq)]
pub(super) enum Ended {
    /// With success.
    Well,
    /// With a failure, as the system words it: an exit status or a signal.
    Badly(String),
    /// Not in time; it was stopped.
    TooLate,
}

/// Sees whether there is such a program, without starting it.
///
/// # Errors
/// [`Error::Runtime`].
pub(super) fn find(program: &str) -> Result<()> {
    let here = Path::new(program);
    let found = if here.components().count() > 1 {
        here.is_file()
    } else {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).any(|folder| folder.join(program).is_file() || cfg!(windows))
    };
    if found {
        Ok(())
    } else {
        Err(unusable(program, "no such file".into()))
    }
}

/// Runs a program without input and returns how it ended, its standard output and its standard error. Nothing wakes
/// up while it runs: it may share the machine with what it measures.
///
/// # Errors
/// [`Error::Runtime`] if it cannot be started.
pub(super) fn run(words: &[OsString], time_limit: Duration) -> Result<(Ended, String, String)> {
    let deadline = Instant::now() + time_limit.min(LONGEST);
    let mut child = start(words)?;
    let stdout = read(child.stdout.take());
    let stderr = read(child.stderr.take());
    let in_time = [&stdout, &stderr].map(|output| output.recv_timeout(left(deadline)).ok());
    let status = if in_time.iter().all(Option::is_some) {
        wait(&mut child, deadline)
    } else {
        None
    };
    if status.is_none() {
        stop(&mut child);
    }
    let [stdout, stderr] = [(stdout, &in_time[0]), (stderr, &in_time[1])].map(|(receiver, text)| match text {
        Some(text) => text.clone(),
        None => receiver.recv_timeout(AFTER_STOP).unwrap_or_default(),
    });
    let ended = match status {
        None => Ended::TooLate,
        Some(status) if status.success() => Ended::Well,
        Some(status) => Ended::Badly(status.to_string()),
    };
    Ok((ended, stdout, stderr))
}

/// Starts the program in a process group of its own, so that all it starts can be stopped with it.
fn start(words: &[OsString]) -> Result<Child> {
    let (program, arguments) = words.split_first().ok_or_else(|| unusable("", "no program".into()))?;
    let mut command = Command::new(program);
    command.args(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().map_err(|error| {
        let found = match error.kind() {
            ErrorKind::NotFound => "no such file, or none of the interpreter in its first line".into(),
            _ => error.to_string(),
        };
        unusable(&program.to_string_lossy(), found)
    })
}

fn unusable(program: &str, found: String) -> Error {
    Error::Runtime {
        runtime: format!("`{program}`"),
        expected: "a program that can be started, by its path or on PATH".into(),
        found,
        hint: "Check its name, that it is installed, and that it may be executed.".into(),
    }
}

/// Reads to the end, in a thread of its own so that neither output blocks the other.
fn read(output: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut piece = [0; 1 << 16];
        let mut output = output;
        while let Some(Ok(read @ 1..)) = output.as_mut().map(|output| output.read(&mut piece)) {
            kept.extend_from_slice(&piece[..read]);
            if kept.len() > 2 * KEPT_BYTES {
                kept.drain(..kept.len() - KEPT_BYTES);
            }
        }
        // Nobody listens any more after the time limit.
        let _ = sender.send(String::from_utf8_lossy(&kept).into_owned());
    });
    receiver
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// The status of a program that has closed its output, `None` if it goes on until the deadline.
fn wait(child: &mut Child, deadline: Instant) -> Option<std::process::ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(None) if left(deadline).is_zero() => return None,
            Ok(None) => thread::sleep(LOOK_EVERY.min(left(deadline))),
            Ok(Some(status)) => return Some(status),
            Err(_) => return None,
        }
    }
}

/// Ends the program and all that it started; what has ended already is no failure.
fn stop(child: &mut Child) {
    #[cfg(unix)]
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGKILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn shell(script: &str, limit: Duration) -> (Ended, String, String) {
        let words = ["sh", "-c", script].map(OsString::from);
        run(&words, limit).unwrap()
    }

    #[test]
    fn outputs_and_status_are_told() {
        assert_eq!(
            shell("echo a; echo b >&2", LIMIT),
            (Ended::Well, "a\n".into(), "b\n".into())
        );
        assert_eq!(
            shell("echo b >&2; exit 3", LIMIT),
            (Ended::Badly("exit status: 3".into()), String::new(), "b\n".into())
        );
        let (ended, ..) = shell("kill -KILL $$", Duration::MAX);
        assert_eq!(ended, Ended::Badly("signal: 9 (SIGKILL)".into()));
    }

    #[test]
    fn more_than_a_pipe_holds_does_not_block() {
        // A pipe holds 64 KiB; twenty times as much goes to either output.
        let script =
            "i=0; while [ $i -lt 20 ]; do head -c 65536 /dev/zero; head -c 65536 /dev/zero >&2; i=$((i+1)); done";
        let (ended, stdout, stderr) = shell(script, LIMIT);
        assert_eq!((ended, stdout.len(), stderr.len()), (Ended::Well, 20 << 16, 20 << 16));
    }

    #[test]
    fn what_hangs_is_stopped_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("pid");
        let script = format!("echo warming >&2; sleep 600 & echo $! > '{}'; wait", ready.display());
        let start = Instant::now();
        let (ended, _, stderr) = shell(&script, Duration::from_secs(2));
        assert_eq!((ended, stderr.as_str()), (Ended::TooLate, "warming\n"));
        assert!(start.elapsed() < LIMIT);
        let child: i32 = std::fs::read_to_string(ready).unwrap().trim().parse().unwrap();
        // It was sent the signal, and is gone, or has ended and waits for somebody to notice, as soon as it gets the processor.
        let state = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let ended = |state: &str| state.is_empty() || state.contains(") Z ") || state.contains(") X ");
        while !ended(&state()) && start.elapsed() < LIMIT {
            thread::sleep(LOOK_EVERY);
        }
        assert!(ended(&state()), "{}", state());
    }

    #[test]
    fn closing_its_output_is_no_end() {
        let (ended, ..) = shell("exec >&- 2>&-; sleep 600", Duration::from_secs(1));
        assert_eq!(ended, Ended::TooLate);
    }

    #[test]
    fn what_cannot_be_started_is_told() {
        for program in ["no-such-program-anywhere", "/no/such/program"] {
            assert!(find(program).unwrap_err().to_string().contains(program));
            let error = run(&[program.into(), "x".into()], LIMIT).unwrap_err();
            assert!(matches!(error, Error::Runtime { .. }), "{error}");
        }
        find("sh").unwrap();
        // A folder is there, but no program.
        assert!(find("/").is_err());
        assert!(run(&["/".into()], LIMIT).is_err());
    }
}
