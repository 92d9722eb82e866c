//! How finely does the clock of this machine tell times apart?

use std::time::{Duration, Instant};

/// Readings of the clock that are compared.
const READINGS: usize = 2_000;
/// Most readings until the clock moves.
const PATIENCE: usize = 1_000_000;

/// The smallest step of the clock that was seen, in ns: its resolution, or the time that reading it takes where that is longer.
/// `None` for a clock that does not move.
pub fn timer_resolution_ns() -> Option<f64> {
    let origin = Instant::now();
    resolution_ns(|| origin.elapsed())
}

fn resolution_ns(mut read: impl FnMut() -> Duration) -> Option<f64> {
    let mut smallest: Option<Duration> = None;
    let mut before = read();
    for _ in 0..READINGS {
        let after = (0..PATIENCE).map(|_| read()).find(|after| *after > before)?;
        let step = after - before;
        smallest = Some(smallest.map_or(step, |smallest| smallest.min(step)));
        before = after;
    }
    smallest.map(|step| step.as_secs_f64() * 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that moves by 100 ns at every third reading.
    #[test]
    fn the_step_of_a_coarse_clock_is_found() {
        let mut readings = 0;
        let found = resolution_ns(|| {
            readings += 1;
            Duration::from_nanos(readings / 3 * 100)
        });
        assert!((found.unwrap() - 100.0).abs() < 1e-6, "{found:?}");
        assert_eq!(resolution_ns(|| Duration::ZERO), None);
    }

    #[test]
    fn this_machine_has_a_clock_finer_than_a_tenth_of_a_millisecond() {
        assert!(timer_resolution_ns().unwrap() < 1e5);
    }
}
