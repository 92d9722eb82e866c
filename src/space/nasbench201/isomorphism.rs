//! When do two cells compute the same function?
//!
//! Here: for every setting of the weights of one there is a renaming of them that gives the other the same output. What
//! follows from it:
//! - `none` contributes zero, every operation on zero is zero, and what does not reach the output does not matter;
//! - `skip_connect` is the identity, so sums through it flatten: (a + b) + c is a + b + c in any order;
//! - equal terms add up: x + x is 2x, not x;
//! - average pooling is linear: the pooled sum is the sum of the pooled;
//! - a convolution is not linear (it rectifies and normalises) and its weights are its own: using one result twice
//!   differs from two convolutions of the same input.
//!
//! A value is therefore a sum of terms, each a coefficient and a number of poolings on the cell's input or on the result
//! of one convolution. As upstream (the program of Dong & Yang) does, a convolution of zero counts as zero, although the
//! shift of its normalisation could make it another constant.
//!
//! Upstream's own `UniqueString` is close to this but not the same. It does not flatten sums, keeps zeros in them, leaves
//! pooling alone, and writes a convolution out wherever it is used, so that shared and separate ones look alike.

use super::{AVG_POOL_3X3, EDGES, NONE, NOR_CONV_1X1, NOR_CONV_3X3, OPERATIONS, SKIP_CONNECT};

/// What terms are made of: the cell's input, then the convolution on each edge.
const ATOMS: usize = 1 + EDGES.len();
const INPUT: usize = 0;
/// A path has at most three edges, so a term has at most three poolings.
const POOLINGS: usize = 4;

/// Coefficients by atom and number of poolings.
type Value = [[u8; POOLINGS]; ATOMS];
const ZERO: Value = [[0; POOLINGS]; ATOMS];

/// A text shared by the cells that compute the same function.
pub(super) fn key(genes: &[u8]) -> String {
    let values = node_values(genes);
    let references = references(genes, &values);
    // Only a convolution that is referred to more than once needs a name. Those into node 3 never are, which leaves
    // three at most, and the least text over the orders of their names depends on no order of edges.
    let named: Vec<usize> = (0..EDGES.len()).filter(|&edge| references[edge] > 1).collect();
    orders(&named)
        .iter()
        .map(|order| program(genes, &values, order))
        .min()
        .unwrap_or_default()
}

/// The value of every node.
fn node_values(genes: &[u8]) -> [Value; 4] {
    let mut values = [ZERO; 4];
    values[0][INPUT][0] = 1;
    for (edge, (source, target)) in EDGES.into_iter().enumerate() {
        let carried = carried(genes[edge], edge, &values[source]);
        for (sum, term) in values[target].iter_mut().flatten().zip(carried.iter().flatten()) {
            *sum += term;
        }
    }
    values
}

/// The value at the end of an edge whose source has this value.
fn carried(operation: u8, edge: usize, source: &Value) -> Value {
    match operation {
        SKIP_CONNECT => *source,
        // The longest path has three edges, so the last place is free before every pooling.
        AVG_POOL_3X3 => source.map(|[direct, once, twice, _]| [0, direct, once, twice]),
        NOR_CONV_1X1 | NOR_CONV_3X3 if *source != ZERO => {
            let mut value = ZERO;
            value[1 + edge][0] = 1;
            value
        }
        _ => ZERO,
    }
}

/// For every edge, how many terms refer to its convolution, in the output and in what live convolutions read.
fn references(genes: &[u8], values: &[Value; 4]) -> [usize; EDGES.len()] {
    let mut references = [0; EDGES.len()];
    let count = |value: &Value, references: &mut [usize; EDGES.len()]| {
        for (edge, coefficients) in value[1..].iter().enumerate() {
            references[edge] += coefficients.iter().filter(|&&coefficient| coefficient > 0).count();
        }
    };
    count(&values[3], &mut references);
    // Edges are in the order of their targets, so that all that read a convolution come after it.
    for edge in (0..EDGES.len()).rev() {
        if references[edge] > 0 && genes[edge] != NONE {
            count(&values[EDGES[edge].0], &mut references);
        }
    }
    references
}

/// The definitions of the named convolutions, then the output.
fn program(genes: &[u8], values: &[Value; 4], named: &[usize]) -> String {
    let mut text = String::new();
    for (name, &edge) in named.iter().enumerate() {
        text += &format!("#{name}={};", convolution(genes, values, named, edge));
    }
    text + &sum(genes, values, named, &values[3])
}

fn convolution(genes: &[u8], values: &[Value; 4], named: &[usize], edge: usize) -> String {
    let operation = OPERATIONS[usize::from(genes[edge])];
    let source = sum(genes, values, named, &values[EDGES[edge].0]);
    format!("{operation}({source})")
}

fn sum(genes: &[u8], values: &[Value; 4], named: &[usize], value: &Value) -> String {
    let mut terms = Vec::new();
    for (atom, coefficients) in value.iter().enumerate() {
        if *coefficients == [0; POOLINGS] {
            continue;
        }
        let text = match atom.checked_sub(1) {
            None => "x".to_owned(),
            Some(edge) => match named.iter().position(|&other| other == edge) {
                Some(name) => format!("#{name}"),
                None => convolution(genes, values, named, edge),
            },
        };
        for (poolings, &coefficient) in coefficients.iter().enumerate().filter(|(_, c)| **c > 0) {
            let factor = if coefficient > 1 {
                format!("{coefficient}*")
            } else {
                String::new()
            };
            let (open, close) = (
                format!("{}(", OPERATIONS[usize::from(AVG_POOL_3X3)]).repeat(poolings),
                ")".repeat(poolings),
            );
            terms.push(format!("{factor}{open}{text}{close}"));
        }
    }
    if terms.is_empty() {
        return "0".into();
    }
    terms.sort_unstable();
    terms.join("+")
}

/// All orders of the edges; there are at most three.
fn orders(edges: &[usize]) -> Vec<Vec<usize>> {
    if edges.is_empty() {
        return vec![Vec::new()];
    }
    let with_first = |&first: &usize| {
        let rest: Vec<usize> = edges.iter().copied().filter(|&edge| edge != first).collect();
        orders(&rest).into_iter().map(move |mut order| {
            order.insert(0, first);
            order
        })
    };
    edges.iter().flat_map(with_first).collect()
}

#[cfg(test)]
mod tests {
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
                    (scrambled(drawn) * square % PRIME + scrambled(drawn + 1) * (square * value % PRIME) % PRIME)
                        % PRIME
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
}
