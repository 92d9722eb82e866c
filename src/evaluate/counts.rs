//! Numbers of things to do, refused before anything is done where nothing would be or it would never end.

use crate::error::{Error, Result};

/// Most limits that designs are chosen for on one device.
pub(super) const LIMITS: usize = 1_000;
/// Most repeats.
pub(super) const REPEATS: usize = 10_000;
/// Most designs sampled from a policy for one limit.
pub(super) const SAMPLES: usize = 100_000;
/// Most evaluations of a search.
pub(super) const EVALUATIONS: usize = 10_000_000;
/// Most designs chosen at once.
pub(super) const BATCH: usize = 1_000_000;
/// Most probes that are chosen: every choice looks at all candidates anew.
pub(super) const CHOSEN_PROBES: usize = 1_000;

/// Refuses a count outside of `least..=most`.
pub(super) fn check(what: &str, count: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&count) {
        return Ok(());
    }
    Err(Error::Invalid {
        what: what.into(),
        expected: format!("{least} to {most}"),
        found: count.to_string(),
        hint: if count < least { "Raise it." } else { "Lower it." }.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_allowed_and_nothing_beyond() {
        assert!(check("number of limits", 1, 1, LIMITS).is_ok());
        assert!(check("number of limits", LIMITS, 1, LIMITS).is_ok());
        let message = check("number of limits", 0, 1, LIMITS).unwrap_err().to_string();
        assert_eq!(message, "number of limits: expected 1 to 1000, found 0. Raise it.");
        let message = check("number of limits", usize::MAX, 1, LIMITS)
            .unwrap_err()
            .to_string();
        assert!(message.ends_with("Lower it."), "{message}");
    }
}
