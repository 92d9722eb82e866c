use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::{Enumerable, NasBench201, SearchSpace};
use super::*;

fn key_of(text: &str) -> String {
    NasBench201.isomorphism_key(&NasBench201.parse(text).unwrap())
}

/// Whether the keys agree with each pair of cells being the same function or not.
#[test]
fn cells_worked_by_hand() {
    let same = [
        // Node 1 reaches nothing.
        (
            "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
            "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
        ),
        // Node 1 is zero, and so is what is computed from it.
        (
            "|none~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|",
            "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|",
        ),
        // Node 2 is zero because both of its inputs are; the zero string of upstream does not see it.
        (
            "|none~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
            "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
        ),
        // (1x1(x) + pool(x)) + 3x3(x), summed in other orders.
        (
            "|none~0|+|nor_conv_1x1~0|none~1|+|nor_conv_3x3~0|none~1|skip_connect~2|",
            "|none~0|+|nor_conv_3x3~0|none~1|+|nor_conv_1x1~0|none~1|skip_connect~2|",
        ),
        (
            "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_3x3~0|none~1|skip_connect~2|",
            "|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|avg_pool_3x3~0|skip_connect~1|skip_connect~2|",
        ),
        // pool(3x3(x) + x) = pool(3x3(x)) + pool(x).
        (
            "|nor_conv_3x3~0|+|skip_connect~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|",
            "|nor_conv_3x3~0|+|none~0|none~1|+|avg_pool_3x3~0|avg_pool_3x3~1|none~2|",
        ),
        // No output: whatever else the cell does.
        (
            "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|none~2|",
            "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        ),
    ];
    for (left, right) in same {
        assert_eq!(key_of(left), key_of(right), "{left} {right}");
    }
    let different = [
        // x + x is not x.
        (
            "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|",
            "|skip_connect~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|",
        ),
        // One convolution used twice; two convolutions. Upstream writes (0)@nor_conv_3x3+(0)@nor_conv_3x3 for both.
        (
            "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|skip_connect~1|skip_connect~2|",
            "|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_3x3~0|skip_connect~1|none~2|",
        ),
        // 3x3(1x1(x)) is not 1x1(3x3(x)).
        (
            "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|",
            "|nor_conv_1x1~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|",
        ),
        // A convolution of a sum is not the sum of convolutions.
        (
            "|avg_pool_3x3~0|+|skip_connect~0|skip_connect~1|+|none~0|none~1|nor_conv_3x3~2|",
            "|avg_pool_3x3~0|+|none~0|none~1|+|nor_conv_3x3~0|nor_conv_3x3~1|none~2|",
        ),
    ];
    for (left, right) in different {
        assert_ne!(key_of(left), key_of(right), "{left} {right}");
    }
}

#[test]
fn keys_read_as_formulas() {
    let cases = [
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", "0"),
        (
            "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|",
            "2*x",
        ),
        (
            "|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_3x3~0|skip_connect~1|none~2|",
            "nor_conv_3x3(x)+nor_conv_3x3(x)",
        ),
        (
            "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|skip_connect~1|skip_connect~2|",
            "#0=nor_conv_3x3(x);#0+nor_conv_1x1(#0)",
        ),
    ];
    for (text, formula) in cases {
        assert_eq!(key_of(text), formula);
    }
}

/// The finite field that cells are evaluated in, modulo the Mersenne prime 2^61 - 1.
const PRIME: u128 = (1 << 61) - 1;

fn scrambled(number: u128) -> u128 {
    // The mixing step of SplitMix64.
    let mut mixed = (number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u128::from(mixed ^ (mixed >> 31)) % PRIME
}

/// The cell's output when pooling multiplies by a constant (it is linear), and the convolution on edge `e` of kind
/// `k` maps v to a v^2 + b v^3 (not linear, zero to zero) with coefficients drawn for the weights `weights[e]` of k.
fn output(genes: &[u8], weights: &[usize; 6]) -> u128 {
    let mut nodes = [scrambled(1), 0, 0, 0];
    for (edge, (source, target)) in EDGES.into_iter().enumerate() {
        let value = nodes[source];
        let square = value * value % PRIME;
        let carried = match genes[edge] {
            NONE => 0,
            SKIP_CONNECT => value,
            AVG_POOL_3X3 => scrambled(2) * value % PRIME,
            kind => {
                let drawn = 100 + 20 * u128::from(kind) + 2 * weights[edge] as u128;
                (scrambled(drawn) * square % PRIME + scrambled(drawn + 1) * (square * value % PRIME) % PRIME) % PRIME
            }
        };
        nodes[target] = (nodes[target] + carried) % PRIME;
    }
    nodes[3]
}

/// A number that two cells share exactly (but for hash collisions, of odds about 15625^2 / 2^61) if the sets of
/// outputs over all ways to give out the weights among their convolutions are equal.
fn fingerprint(genes: &[u8]) -> (usize, u128) {
    // An edge matters if changing its weights changes the output.
    let base = [0, 1, 2, 3, 4, 5];
    let is_live = |edge: usize| {
        let mut changed = base;
        changed[edge] = 9;
        output(genes, &changed) != output(genes, &base)
    };
    let convolutions = |kind| {
        (0..6)
            .filter(|&edge| genes[edge] == kind && is_live(edge))
            .collect::<Vec<_>>()
    };
    let (pointwise, spatial) = (convolutions(NOR_CONV_1X1), convolutions(NOR_CONV_3X3));
    let mut outputs = BTreeSet::new();
    for pointwise_order in all_orders(&pointwise) {
        for spatial_order in all_orders(&spatial) {
            let mut weights = [0; 6];
            for order in [&pointwise_order, &spatial_order] {
                for (weight, &edge) in order.iter().enumerate() {
                    weights[edge] = weight;
                }
            }
            outputs.insert(output(genes, &weights));
        }
    }
    let hash = outputs.iter().fold(7, |hash, value| scrambled(hash ^ value));
    (pointwise.len() + spatial.len(), hash)
}

fn all_orders(edges: &[usize]) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for &edge in edges {
        orders = orders
            .iter()
            .flat_map(|order: &Vec<usize>| {
                (0..=order.len()).map(|place| {
                    let mut longer = order.clone();
                    longer.insert(place, edge);
                    longer
                })
            })
            .collect();
    }
    orders
}

/// Cells share a key exactly if their outputs agree, over all 15,625 cells.
#[test]
fn keys_agree_with_evaluated_cells() {
    let mut key_by_fingerprint = HashMap::new();
    let mut fingerprint_by_key = HashMap::new();
    for index in 0..15_625 {
        let genes = NasBench201.at(index).0;
        let (key, fingerprint) = (key(&genes), fingerprint(&genes));
        let known = key_by_fingerprint.entry(fingerprint).or_insert_with(|| key.clone());
        assert_eq!(*known, key, "{genes:?}: same function, other key");
        let known = *fingerprint_by_key.entry(key.clone()).or_insert(fingerprint);
        assert_eq!(known, fingerprint, "{genes:?}: other function, same key {key}");
    }
    // Counted by a program in another language that compares the cells as graphs.
    assert_eq!(fingerprint_by_key.len(), 5_044);
}

/// The upstream string, to compare with: `#` for zero, nested sums sorted as texts and not flattened.
fn upstream(genes: &[u8], zero_is_known: bool) -> String {
    let mut nodes = ["0".to_owned(), String::new(), String::new(), String::new()];
    for target in 1..4 {
        let incoming = (0..6).filter(|&edge| EDGES[edge].1 == target);
        let mut terms: Vec<String> = incoming
            .map(|edge| {
                let source = &nodes[EDGES[edge].0];
                match genes[edge] {
                    _ if zero_is_known && (genes[edge] == NONE || source == "#") => "#".into(),
                    SKIP_CONNECT => source.clone(),
                    operation => format!("({source})@{}", OPERATIONS[usize::from(operation)]),
                }
            })
            .collect();
        terms.sort();
        nodes[target] = terms.join("+");
    }
    nodes[3].clone()
}

/// Dong & Yang (2020), section 2, give 6,466 cells unique under `none` and `skip_connect`, 12,751 under
/// `skip_connect` alone. Both come from upstream's rule, which this reproduces to show what ours differs from.
#[test]
fn published_counts_are_those_of_the_upstream_rule() {
    let count = |zero_is_known| {
        let strings = (0..15_625).map(|index| upstream(&NasBench201.at(index).0, zero_is_known));
        strings.collect::<BTreeSet<_>>().len()
    };
    assert_eq!(count(true), 6_466);
    assert_eq!(count(false), 12_751);
}

/// The output with every use of a convolution written out, as if none were shared.
fn written_out(genes: &[u8], values: &[Value; 4], value: &Value) -> String {
    let mut terms = Vec::new();
    for (atom, coefficients) in value.iter().enumerate() {
        for (poolings, &coefficient) in coefficients.iter().enumerate() {
            for _ in 0..coefficient {
                let text = match atom.checked_sub(1) {
                    None => "x".into(),
                    Some(edge) => format!(
                        "{}({})",
                        genes[edge],
                        written_out(genes, values, &values[EDGES[edge].0])
                    ),
                };
                terms.push(format!("{poolings}:{text}"));
            }
        }
    }
    terms.sort();
    terms.join("+")
}

/// Cells with one `UniqueString` in the published table are one class here, too, but for what upstream overlooks:
/// whether a convolution is shared. That splits some of its classes; zeros, nested sums and pooling merge others.
#[test]
fn published_unique_strings_agree_but_for_shared_convolutions() {
    let Some(folder) = std::env::var_os("EDGEFIT_DATA_DIR") else {
        eprintln!("passed over: EDGEFIT_DATA_DIR is not set");
        return;
    };
    let path = std::path::Path::new(&folder).join("nats-bench/nats_bench.csv");
    let mut classes: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for row in csv::Reader::from_path(path).unwrap().records() {
        let row = row.unwrap();
        let genes = NasBench201.parse(&row[3]).unwrap().0;
        assert_eq!(upstream(&genes, true), row[4], "{}", &row[3]);
        classes.entry(row[4].to_owned()).or_default().push(genes);
    }
    assert_eq!(classes.len(), 6_466);
    let mut split = 0;
    for (unique_string, class) in classes {
        let sharing_ignored: BTreeSet<String> = class
            .iter()
            .map(|genes| {
                let values = node_values(genes);
                written_out(genes, &values, &values[3])
            })
            .collect();
        assert_eq!(sharing_ignored.len(), 1, "{unique_string}: {sharing_ignored:?}");
        let keys: BTreeSet<String> = class.iter().map(|genes| key(genes)).collect();
        split += usize::from(keys.len() > 1);
    }
    // Counted by a program in another language that compares the cells as graphs.
    assert_eq!(split, 430);
}
