//! The paths from a cell's input to its output.

use super::super::PathOperation;
use super::{EDGES, NONE, SKIP_CONNECT};

/// The edges of every path there can be.
const PATHS: [&[usize]; 4] = [&[3], &[0, 4], &[1, 5], &[0, 2, 5]];

/// The operations on every path without `none`, but for `skip_connect`, with the bits of its edges.
pub(in crate::space) fn of_cell(operations: &[u8], bits: [u8; EDGES.len()]) -> Vec<Vec<PathOperation>> {
    let operation = |&edge: &usize| PathOperation {
        kind: operations[edge],
        bits: bits[edge],
    };
    let connected = PATHS
        .iter()
        .filter(|path| path.iter().all(|&edge| operations[edge] != NONE));
    connected
        .map(|path| {
            let path = path.iter().map(operation);
            path.filter(|operation| operation.kind != SKIP_CONNECT).collect()
        })
        .collect()
}
