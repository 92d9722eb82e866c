use super::*;
use crate::proxy::ColumnKind;
use crate::proxy::monotonicity::{MatrixRow, Pair};
use crate::stats::Interval;

fn found() -> Monotonicity {
    let row = |id: &str, constant: bool, cluster: usize| MatrixRow {
        id: id.into(),
        kind: ColumnKind::Device,
        measured: 30,
        constant,
        cluster: Some(cluster),
    };
    let pair = |first: usize, second: usize, value: Option<f64>| Pair {
        first,
        second,
        architectures: 30,
        spearman: value.map(|value| Interval {
            mean: value,
            low: value,
            high: value,
        }),
        kendall: None,
    };
    Monotonicity {
        threshold: 0.9,
        level: 0.9,
        least_common: 20,
        rows: vec![row("a", false, 0), row("b", false, 0), row("stuck", true, 1)],
        pairs: vec![pair(0, 1, Some(0.95)), pair(0, 2, None), pair(1, 2, None)],
        clusters: vec![vec![0, 1], vec![2]],
        duplicates: Vec::new(),
    }
}

#[test]
fn a_constant_device_agrees_with_nothing_not_even_itself() {
    let map = matrix_heatmap(&found());
    let (one, high) = (Some(1.0), Some(0.95));
    assert_eq!(map.values, [[one, high, None], [high, one, None], [None, None, None]]);
    assert_eq!(map.groups, [2, 1]);
    assert!(map.svg().unwrap().contains("stuck"));
}

#[test]
fn matrices_of_adaptation_have_similar_devices_next_to_each_other() {
    // a and c agree, b with neither; only one direction of a and b is known.
    let (high, low) = (Some(0.97), Some(0.3));
    let matrix = AdaptationMatrix {
        devices: ["a", "b", "c"].map(String::from).to_vec(),
        samples: 10,
        before: vec![vec![None, low, high], vec![None, None, low], vec![high, low, None]],
        after: Vec::new(),
    };
    assert_eq!(clusters(&matrix), [vec![0, 2], vec![1]]);
}
