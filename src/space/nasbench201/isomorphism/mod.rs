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

#[cfg(test)]
mod tests;

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
