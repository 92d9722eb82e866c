//! How often and how long is every model run, and in which order?

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::runtime::Round;
use crate::seed::Seed;

/// Longest that one model may be asked to run for, in seconds.
const MAX_SECONDS: f64 = 3_600.0;
/// Most runs that may be asked for.
const MAX_RUNS: usize = 1_000_000;

/// How much is measured of each design. Every design is measured once in every round, so that what changes about the machine
/// in the meantime (heat, clocks, other programs) reaches all designs alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Protocol {
    /// Runs in every round before those that count, at least.
    pub warmup_runs: usize,
    /// Seconds of running in every round before the runs that count, at least.
    pub warmup_seconds: f64,
    /// Runs that count, over all rounds, at least.
    pub runs: usize,
    /// Seconds of runs that count, over all rounds, at least.
    pub seconds: f64,
    /// Rounds.
    pub rounds: usize,
}

impl Default for Protocol {
    fn default() -> Protocol {
        Protocol {
            warmup_runs: 10,
            warmup_seconds: 0.5,
            runs: 50,
            seconds: 1.0,
            rounds: 5,
        }
    }
}

impl Protocol {
    /// Whether it can be followed.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the quantity.
    pub fn check(&self) -> Result<()> {
        let counts = [
            ("runs before those that count", self.warmup_runs, 0, MAX_RUNS),
            ("runs", self.runs, 1, MAX_RUNS),
            ("rounds", self.rounds, 1, self.runs.clamp(1, MAX_RUNS)),
        ];
        for (what, found, least, most) in counts {
            if !(least..=most).contains(&found) {
                let hint = "No more rounds than runs: each has one at least.";
                return Err(invalid(what, format!("{least} to {most}"), found.to_string(), hint));
            }
        }
        let lengths = [("seconds of warm-up", self.warmup_seconds), ("seconds", self.seconds)];
        for (what, found) in lengths {
            if !(0.0..=MAX_SECONDS).contains(&found) {
                let expected = format!("0 to {MAX_SECONDS}");
                return Err(invalid(
                    what,
                    expected,
                    found.to_string(),
                    "One second is enough for most models.",
                ));
            }
        }
        Ok(())
    }

    /// What one design is asked for in one round.
    pub fn round(&self) -> Round {
        Round {
            warmup_runs: self.warmup_runs,
            warmup_seconds: self.warmup_seconds,
            runs: self.runs.div_ceil(self.rounds),
            seconds: self.seconds / self.rounds as f64,
        }
    }

    /// The order of `count` designs in a round: another one in each, so that none always follows the same neighbour.
    pub fn order(&self, count: usize, round: usize, seed: Seed) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut seed.child("round", round).stream("order"));
        order
    }
}

fn invalid(what: &str, expected: String, found: String, hint: &str) -> Error {
    Error::Invalid {
        what: format!("measuring: {what}"),
        expected,
        found,
        hint: hint.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 50 runs and 1 s in 3 rounds: 17 and a third of a second each, which together are no less than asked for.
    #[test]
    fn rounds_share_runs_and_seconds_and_each_warms_up() {
        let protocol = Protocol {
            rounds: 3,
            ..Protocol::default()
        };
        let round = protocol.round();
        assert_eq!((round.warmup_runs, round.warmup_seconds), (10, 0.5));
        assert_eq!((round.runs, round.seconds), (17, 1.0 / 3.0));
    }

    #[test]
    fn every_round_has_every_design_once_in_an_order_of_its_own() {
        let protocol = Protocol::default();
        let order = |round, seed| protocol.order(20, round, Seed(seed));
        for round in 0..5 {
            let mut sorted = order(round, 1);
            sorted.sort_unstable();
            assert_eq!(sorted, (0..20).collect::<Vec<_>>());
        }
        assert_eq!(order(2, 1), order(2, 1));
        assert_ne!(order(2, 1), order(3, 1));
        assert_ne!(order(2, 1), order(2, 2));
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        let refused = |change: fn(&mut Protocol)| {
            let mut protocol = Protocol::default();
            change(&mut protocol);
            protocol.check().unwrap_err().to_string()
        };
        assert!(Protocol::default().check().is_ok());
        assert!(refused(|one| one.runs = 0).contains("runs: expected 1 to"));
        assert!(refused(|one| one.rounds = 51).contains("rounds: expected 1 to 50, found 51"));
        assert!(refused(|one| one.rounds = 0).contains("rounds"));
        assert!(refused(|one| one.seconds = f64::NAN).contains("seconds: expected 0 to 3600, found NaN"));
        assert!(refused(|one| one.warmup_seconds = -1.0).contains("warm-up"));
    }
}
