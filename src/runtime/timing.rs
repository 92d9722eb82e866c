//! The loop that times what runs in this process.

use std::time::{Duration, Instant};

use super::{Round, Samples};
use crate::error::Result;

/// Times `run` again and again by a monotonic clock, after the warm-up that the round asks for.
///
/// The clock is read once before and once after each run, and nothing else lies between: a sample includes one
/// reading of the clock, some tens of nanoseconds.
///
/// # Errors
/// What `run` returns. What was timed before it is given up.
pub fn time(round: &Round, mut run: impl FnMut() -> Result<()>) -> Result<Samples> {
    repeat(round.warmup_runs, round.warmup_seconds, &mut run, |_| {})?;
    let mut latency_ms = Vec::with_capacity(round.runs.max(1));
    repeat(round.runs.max(1), round.seconds, &mut run, |took| {
        latency_ms.push(took.as_secs_f64() * 1_000.0);
    })?;
    Ok(Samples {
        latency_ms,
        ..Samples::default()
    })
}

/// Runs at least so often and at least so long, and tells how long each run took.
fn repeat(
    runs: usize,
    seconds: f64,
    run: &mut impl FnMut() -> Result<()>,
    mut keep: impl FnMut(Duration),
) -> Result<()> {
    let start = Instant::now();
    let mut done = 0;
    while done < runs || start.elapsed().as_secs_f64() < seconds {
        let before = Instant::now();
        run()?;
        keep(before.elapsed());
        done += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;
    use crate::error::Error;

    fn counted(round: &Round, each: Duration) -> (usize, Samples, Duration) {
        let (mut runs, start) = (0, Instant::now());
        let samples = time(round, || {
            runs += 1;
            sleep(each);
            Ok(())
        });
        (runs, samples.unwrap(), start.elapsed())
    }

    #[test]
    fn slow_models_run_as_often_as_asked_for() {
        let round = Round {
            warmup_runs: 2,
            warmup_seconds: 0.001,
            runs: 4,
            seconds: 0.001,
        };
        let (runs, samples, _) = counted(&round, Duration::from_millis(3));
        assert_eq!((runs, samples.latency_ms.len()), (2 + 4, 4));
    }

    #[test]
    fn fast_models_run_as_long_as_asked_for() {
        let round = Round {
            warmup_runs: 1,
            warmup_seconds: 0.02,
            runs: 1,
            seconds: 0.05,
        };
        let (runs, samples, took) = counted(&round, Duration::from_millis(1));
        assert!(took >= Duration::from_millis(70), "{took:?}");
        // Each sleep takes at least its millisecond, so that the part that counts has at most 50 runs.
        assert!((2..=50).contains(&samples.latency_ms.len()), "{samples:?}");
        assert!(runs > samples.latency_ms.len());
    }

    #[test]
    fn one_run_is_timed_where_none_is_asked_for() {
        let round = Round {
            warmup_runs: 0,
            warmup_seconds: 0.0,
            runs: 0,
            seconds: 0.0,
        };
        let (runs, samples, _) = counted(&round, Duration::ZERO);
        assert_eq!((runs, samples.latency_ms.len()), (1, 1));
    }

    #[test]
    fn a_run_that_fails_ends_the_round() {
        let mut runs = 0;
        let round = Round {
            warmup_runs: 1,
            warmup_seconds: 0.0,
            runs: 5,
            seconds: 0.0,
        };
        let failed = time(&round, || {
            runs += 1;
            if runs == 3 {
                Err(Error::Interrupted { state: None })
            } else {
                Ok(())
            }
        });
        assert!(failed.is_err());
        assert_eq!(runs, 3);
    }
}
