use super::*;
use crate::space::{Architecture, NasBench201};

fn fleet(columns: Vec<(&str, Vec<Option<f64>>)>) -> Fleet {
    Fleet {
        space: &NasBench201,
        architectures: (0..columns[0].1.len() as u8)
            .map(|gene| Architecture(vec![gene % 5; 6]))
            .collect(),
        columns: columns
            .into_iter()
            .map(|(id, values)| Column {
                id: id.into(),
                unit: id.into(),
                kind: ColumnKind::Device,
                values,
            })
            .collect(),
    }
}

fn all(values: impl Iterator<Item = f64>) -> Vec<Option<f64>> {
    values.map(Some).collect()
}

/// The row with this id.
fn at(found: &Monotonicity, id: &str) -> usize {
    found.rows.iter().position(|row| row.id == id).unwrap()
}

fn between<'a>(found: &'a Monotonicity, one: &str, other: &str) -> &'a Pair {
    found.pair(at(found, one), at(found, other)).unwrap()
}

/// Rising; rising but for 24 and 25 exchanged; falling; and a rising one that is not a multiple.
fn four() -> Fleet {
    let up = || (1..=25).map(f64::from);
    let swapped = up().map(|value| match value {
        24.0 => 25.0,
        25.0 => 24.0,
        other => other,
    });
    fleet(vec![
        ("up", all(up())),
        ("down", all(up().map(|value| 30.0 - value))),
        ("swapped", all(swapped)),
        ("squares", all(up().map(|value| value * value))),
    ])
}

#[test]
fn correlations_worked_by_hand() {
    let found = monotonicity(&four(), 0.9, 20).unwrap();
    // One exchange: 1 - 6 * 2 / (25 * 624), and 1 - 4 / (25 * 24).
    let pair = between(&found, "up", "swapped");
    assert_eq!(pair.architectures, 25);
    assert!((pair.spearman.unwrap().mean - (1.0 - 12.0 / 15_600.0)).abs() < 1e-12);
    assert!((pair.kendall.unwrap().mean - (1.0 - 4.0 / 600.0)).abs() < 1e-12);
    assert_eq!(between(&found, "up", "down").spearman.unwrap().mean, -1.0);
    assert_eq!(found.pairs.len(), 6);
    for (index, pair) in found.pairs.iter().enumerate() {
        assert_eq!(found.pair(pair.second, pair.first), Some(&found.pairs[index]));
    }
}

#[test]
fn devices_that_agree_stand_together() {
    let found = monotonicity(&four(), 0.9, 20).unwrap();
    assert_eq!(found.clusters, [vec![0, 1, 2], vec![3]]);
    assert_eq!(found.rows[3].id, "down");
    // Nothing reaches a threshold of one but the two whose order is the same.
    let found = monotonicity(&four(), 1.0, 20).unwrap();
    assert_eq!(found.clusters.len(), 3);
    assert_eq!(
        found.rows[at(&found, "up")].cluster,
        found.rows[at(&found, "squares")].cluster
    );
    // All would agree, but 25 architectures are too few.
    assert_eq!(monotonicity(&four(), -1.0, 26).unwrap().clusters.len(), 4);
}

#[test]
fn one_device_twice_is_flagged() {
    // Within half a percent of 1.5 times as slow, and far from it.
    let up = || (1..=25).map(f64::from);
    let near = up().map(|value| 1.5 * value * if (value as u32).is_multiple_of(2) { 1.005 } else { 0.995 });
    let found = monotonicity(
        &fleet(vec![
            ("up", all(up())),
            ("again", all(near)),
            ("squares", all(up().map(|value| value * value))),
        ]),
        0.9,
        20,
    )
    .unwrap();
    let flagged: Vec<(&str, &str)> = found
        .duplicates
        .iter()
        .map(|pair| (pair.first.as_str(), pair.second.as_str()))
        .collect();
    assert_eq!(flagged, [("up", "again")]);
    assert!((found.duplicates[0].spread - 0.005).abs() < 1e-4);
}

#[test]
fn nothing_in_common_constants_and_ties() {
    let half = |wanted: bool| {
        (0..30)
            .map(|row| ((row < 15) == wanted).then_some(f64::from(row) + 1.0))
            .collect()
    };
    let found = monotonicity(
        &fleet(vec![
            ("first", half(true)),
            ("second", half(false)),
            ("whole", all((0..30).map(|row| f64::from(row) + 1.0))),
            ("constant", all((0..30).map(|_| 4.0))),
            ("same", all((0..30).map(|_| 4.0))),
            ("ties", all((0..30).map(|row| f64::from(1 + row / 15)))),
            ("nothing", vec![None; 30]),
        ]),
        0.5,
        2,
    )
    .unwrap();
    let pair = between(&found, "first", "second");
    assert_eq!((pair.architectures, pair.spearman, pair.kendall), (0, None, None));
    let pair = between(&found, "first", "whole");
    assert_eq!((pair.architectures, pair.spearman.unwrap().mean), (15, 1.0));
    for other in ["whole", "same", "nothing"] {
        assert_eq!(between(&found, "constant", other).spearman, None, "{other}");
    }
    // Two groups of 15 against 1..=30: covariance 15 * 7.5 * 7.5 * 2 = 1687.5, variances 30 * 56.25 = 1687.5 and
    // (30^3 - 30) / 12 = 2247.5, so the square root of 1687.5 / 2247.5.
    let ties = between(&found, "whole", "ties").spearman.unwrap().mean;
    assert!((ties - (1687.5_f64 / 2247.5).sqrt()).abs() < 1e-12, "{ties}");
    assert!(found.rows[at(&found, "constant")].constant && !found.rows[at(&found, "nothing")].constant);
    // Two constant columns are not one device, as far as can be said.
    assert!(found.duplicates.is_empty(), "{:?}", found.duplicates);
}

#[test]
fn a_fleet_of_one_and_thresholds_that_are_none() {
    let found = monotonicity(&fleet(vec![("only", vec![Some(1.0), None])]), 0.9, 20).unwrap();
    assert_eq!(
        (found.rows.len(), found.pairs.len(), found.clusters),
        (1, 0, vec![vec![0]])
    );
    for threshold in [1.1, -2.0, f64::NAN] {
        assert!(monotonicity(&four(), threshold, 20).is_err());
    }
}
