//! Where the time of a network goes on a device: as a row of JSON, in a sentence, and as a figure.

use serde::Serialize;

use super::{Context, Dots};
use crate::error::Result;
use crate::predict::{Estimate, Explained, ExplainedKind, ExplainedMetric};
use crate::stats::{Interval, significant};

/// Kinds of work that the sentence names.
const NAMED: usize = 3;
/// Least share of a kind that it names beside the largest, in percent.
const LEAST_NAMED: f64 = 5.0;

/// A device as it was explained, for JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedRow {
    /// The device, the checkpoint and the seed.
    #[serde(flatten)]
    pub context: Context,
    /// Prices and shares.
    #[serde(flatten)]
    pub explained: Explained,
}

/// What a typical network takes on `device`, and the kinds of work that most of it goes to, in a sentence.
pub fn explained_sentence(device: &str, explained: &ExplainedMetric) -> String {
    let typical = explained.typical;
    let total = format!(
        "Of a typical network's {} {} ({} to {}) on {device}",
        significant(typical.mean),
        explained.unit,
        significant(typical.low),
        significant(typical.high)
    );
    let named = explained.kinds.iter().take(NAMED).enumerate();
    let parts: Vec<String> = named
        .filter(|(place, kind)| *place == 0 || kind.share_percent.mean >= LEAST_NAMED)
        .map(|(place, kind)| part(kind, if place == 0 { "go to " } else { "to " }))
        .collect();
    match parts.as_slice() {
        [] => format!("{total}, nothing is known."),
        [only] => format!("{total}, {only}."),
        [first @ .., last] => format!("{total}, {} and {last}.", first.join(", ")),
    }
}

fn part(kind: &ExplainedKind, verb: &str) -> String {
    let share = kind.share_percent;
    format!(
        "{:.0} % ({:.0} to {:.0}) {verb}{}",
        share.mean, share.low, share.high, kind.work
    )
}

/// Shares by kind of work, the largest first.
///
/// # Errors
/// If the figure cannot be drawn.
pub(super) fn explained_svg(device: &str, explained: &ExplainedMetric) -> Result<String> {
    let row = |kind: &ExplainedKind| {
        let Estimate { mean, low, high } = kind.share_percent;
        (kind.work.to_string(), Interval { mean, low, high })
    };
    let dots = Dots {
        title: format!("Where the {} of a network goes on {device}", explained.metric),
        quantity: format!("share of a typical network's {}, %", explained.metric),
        decimals: 1,
        logarithmic: false,
        rows: explained.kinds.iter().map(row).collect(),
    };
    dots.svg()
}

#[cfg(test)]
mod tests {
    use super::super::svg_check::{texts, well_formed_and_inside};
    use super::*;
    use crate::metric::Metric;
    use crate::predict::PriceOrigin;

    fn estimate(low: f64, mean: f64, high: f64) -> Estimate {
        Estimate { mean, low, high }
    }

    fn explained(shares: &[(&'static str, Estimate)]) -> ExplainedMetric {
        let kind = |&(work, share_percent): &(&'static str, Estimate)| ExplainedKind {
            kind: "spatial",
            work,
            share_percent,
            price: estimate(1.0, 1.0, 1.0),
            price_unit: "ns per MAC".into(),
        };
        ExplainedMetric {
            metric: Metric::Latency,
            unit: "ms",
            prices: PriceOrigin::Fitted,
            typical: estimate(9.84, 12.345, 14.96),
            kinds: shares.iter().map(kind).collect(),
            dead_percent: None,
            dead: Vec::new(),
            unusual: Vec::new(),
        }
    }

    #[test]
    fn the_sentence_names_the_largest_kinds() {
        let all = [
            ("convolutions larger than 1x1", estimate(55.0, 61.2, 66.0)),
            ("launches of dense layers", estimate(10.4, 20.0, 31.0)),
            ("pooling", estimate(6.0, 14.0, 18.0)),
            ("weights read", estimate(1.0, 4.8, 9.0)),
        ];
        assert_eq!(
            explained_sentence("phone", &explained(&all)),
            "Of a typical network's 12.3 ms (9.84 to 15.0) on phone, 61 % (55 to 66) go to convolutions larger than \
             1x1, 20 % (10 to 31) to launches of dense layers and 14 % (6 to 18) to pooling."
        );
        // Small ones are not named.
        let few = explained_sentence("phone", &explained(&[all[0], all[3]]));
        assert!(
            few.ends_with("61 % (55 to 66) go to convolutions larger than 1x1."),
            "{few}"
        );
    }

    #[test]
    fn every_kind_has_a_row_in_the_figure() {
        let shares = [
            ("convolutions larger than 1x1", estimate(55.0, 61.2, 66.0)),
            ("feature maps of convolutions", estimate(34.0, 38.8, 45.0)),
        ];
        let svg = explained_svg("phone", &explained(&shares)).unwrap();
        well_formed_and_inside(&svg);
        let found = texts(&svg);
        for text in [
            "convolutions larger than 1x1",
            "feature maps of convolutions",
            "61.2 [55.0, 66.0]",
            "share of a typical network's latency, %",
        ] {
            assert!(found.contains(&text.to_string()), "{text}: {found:?}");
        }
    }
}
