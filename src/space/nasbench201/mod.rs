//! NAS-Bench-201 cells (Dong & Yang, *NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search*,
//! ICLR 2020, <https://openreview.net/forum?id=HJxyZkBKDr>).
//!
//! A cell has four nodes; node 0 is its input, node 3 its output, and every node is the sum of its incoming edges. The
//! six genes are the operations on the edges, in the order of the string
//! `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`: into node 1, into node 2, into node 3.

mod isomorphism;
pub(super) mod lowering;
mod names;
pub(super) mod paths;
mod published_order;

use std::ops::RangeInclusive;

use super::excerpt::{SHOWN_CHARACTERS, quoted};
use super::neighbourhood::Neighbourhood;
use super::{Architecture, Enumerable, InputSize, LayerNames, Network, PathOperation, SearchSpace};
use crate::error::{Error, Result};
use lowering::Cell;

/// Names of the operations; a gene is a position in this list.
const OPERATIONS: [&str; 5] = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];
const NONE: u8 = 0;
const SKIP_CONNECT: u8 = 1;
pub(super) const NOR_CONV_1X1: u8 = 2;
pub(super) const NOR_CONV_3X3: u8 = 3;
const AVG_POOL_3X3: u8 = 4;
/// All but `none`.
pub(super) const CONNECTING: [u8; 4] = [SKIP_CONNECT, NOR_CONV_1X1, NOR_CONV_3X3, AVG_POOL_3X3];

/// Source and target node of every edge, in gene order.
pub(super) const EDGES: [(usize, usize); 6] = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)];

/// The form of the string, for messages.
const FORM: &str = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|";

/// The NAS-Bench-201 search space: six edges, five operations each.
#[derive(Debug, Clone, Copy)]
pub struct NasBench201;

impl NasBench201 {
    /// Every architecture, by the index that publications about the space refer to.
    pub fn published_order(&self) -> Vec<Architecture> {
        published_order::published_order()
    }
}

impl SearchSpace for NasBench201 {
    fn id(&self) -> &'static str {
        "nasbench201"
    }

    fn choices(&self) -> &[u8] {
        &[5; EDGES.len()]
    }

    fn parse(&self, text: &str) -> Result<Architecture> {
        let mut genes = Vec::with_capacity(EDGES.len());
        let mut nodes = text.splitn(4, '+');
        for node in 1..=3 {
            let edges = nodes
                .next()
                .ok_or_else(|| malformed(&format!("node {node}"), "its edges after a `+`", "the end"))?;
            parse_node(node, edges, &mut genes)?;
        }
        match nodes.next() {
            None => Ok(Architecture(genes)),
            Some(rest) => Err(malformed("text after node 3", "the end", &format!("+{rest}"))),
        }
    }

    fn print(&self, architecture: &Architecture) -> String {
        let mut text = String::new();
        for (&gene, (source, target)) in architecture.0.iter().zip(EDGES) {
            if source == 0 {
                text += if target == 1 { "|" } else { "+|" };
            }
            text += OPERATIONS[usize::from(gene)];
            text += &format!("~{source}|");
        }
        text
    }

    /// A formula of the cell's output, the same for cells that compute the same function for the same weights up to
    /// their names. Zeros vanish, skips are the identity, sums are flat and sorted, and average pooling is linear;
    /// `2*x` is not `x`, and a convolution used twice (`#0=...`) is not two convolutions.
    fn isomorphism_key(&self, architecture: &Architecture) -> String {
        isomorphism::key(&architecture.0)
    }

    fn lower(&self, architecture: &Architecture, input: InputSize, classes: u32) -> Network {
        lowering::network(
            Cell::at_one_precision(&architecture.0, lowering::live_edges(&architecture.0)),
            input,
            classes,
        )
    }

    fn lower_as_written(&self, architecture: &Architecture, input: InputSize, classes: u32) -> Network {
        lowering::network(Cell::at_one_precision(&architecture.0, [true; 6]), input, classes)
    }

    fn layer_names(&self, architecture: &Architecture) -> Vec<LayerNames> {
        names::of_layers(&architecture.0)
    }

    fn names_dead_layers(&self) -> bool {
        true
    }

    fn has_dead_layers(&self, architecture: &Architecture) -> bool {
        let live = lowering::live_edges(&architecture.0);
        (architecture.0.iter().zip(live)).any(|(&gene, live)| !live && gene != NONE)
    }

    /// Whether operations other than `none` lead from the cell's input to its output.
    fn output_depends_on_input(&self, architecture: &Architecture) -> bool {
        lowering::live_edges(&architecture.0).contains(&true)
    }

    fn paths(&self, architecture: &Architecture) -> Vec<Vec<PathOperation>> {
        paths::of_cell(&architecture.0, [0; EDGES.len()])
    }

    /// That of CIFAR-10 and CIFAR-100.
    fn default_input(&self) -> InputSize {
        InputSize::square(32)
    }

    /// Edges whose operation cannot affect the output are `none`.
    fn canonical(&self, architecture: &Architecture) -> Architecture {
        let live = lowering::live_edges(&architecture.0);
        let choice = |(&gene, live)| if live { gene } else { NONE };
        Architecture(architecture.0.iter().zip(live).map(choice).collect())
    }

    /// Edges from a node that is not zero to a node that reaches the output.
    fn active_genes(&self, architecture: &Architecture) -> Vec<bool> {
        lowering::active_edges(&architecture.0).to_vec()
    }

    /// A node that takes no part joins in one step, with one edge into it and one out of it: neither edge matters alone.
    fn neighbours(&self, architecture: &Architecture) -> Vec<Architecture> {
        let mut around = Neighbourhood::of_active_genes(self, architecture);
        for (into, out) in paths_through_unused_nodes(&around.center.0) {
            for (first, second) in CONNECTING
                .into_iter()
                .flat_map(|first| CONNECTING.map(|second| (first, second)))
            {
                around.add(&[(into, first), (out, second)]);
            }
        }
        around.found
    }

    fn enumerable(&self) -> Option<&dyn Enumerable> {
        Some(self)
    }
}

/// 5^6 = 15,625 cells.
impl Enumerable for NasBench201 {}

/// Pairs of edges, one into a node that takes no part and one out of it.
pub(super) fn paths_through_unused_nodes(genes: &[u8]) -> Vec<(usize, usize)> {
    let active = lowering::active_edges(genes);
    let through = |(into, out): &(usize, usize)| EDGES[*into].1 == EDGES[*out].0 && !active[*into] && !active[*out];
    let edges = 0..EDGES.len();
    let paths = edges.clone().flat_map(|into| edges.clone().map(move |out| (into, out)));
    paths.filter(through).collect()
}

/// The choices that the operation behind these first ones can have in a cell without edges that do nothing: an edge leads from a
/// node that something leads to, and from every such node one leads on.
pub(super) fn canonical_operations(before: &[u8]) -> RangeInclusive<u8> {
    const ANY: RangeInclusive<u8> = NONE..=OPERATIONS.len() as u8 - 1;
    const CONNECTING_ONLY: RangeInclusive<u8> = NONE + 1..=OPERATIONS.len() as u8 - 1;
    let connects = |edge: usize| before[edge] != NONE;
    match before.len() {
        2 if !connects(0) => NONE..=NONE,
        4 if !connects(0) => NONE..=NONE,
        4 if !connects(2) => CONNECTING_ONLY,
        5 if connects(1) || connects(2) => CONNECTING_ONLY,
        5 => NONE..=NONE,
        _ => ANY,
    }
}

/// Reads `|op~0|op~1|` with one edge from each node before `node`.
fn parse_node(node: usize, text: &str, genes: &mut Vec<u8>) -> Result<()> {
    let inner = text
        .strip_prefix('|')
        .and_then(|rest| rest.strip_suffix('|'))
        .ok_or_else(|| malformed(&format!("node {node}"), "edges between `|` and `|`", text))?;
    let mut edges = inner.splitn(node + 1, '|');
    for source in 0..node {
        let place = format!("edge {source}->{node}");
        let edge = edges
            .next()
            .ok_or_else(|| malformed(&place, "an operation", "the end of the node"))?;
        genes.push(parse_edge(&place, source, edge)?);
    }
    match edges.next() {
        None => Ok(()),
        Some(rest) => Err(malformed(
            &format!("text after edge {}->{node}", node - 1),
            "`+` or the end",
            rest,
        )),
    }
}

/// Reads `op~source`.
fn parse_edge(place: &str, source: usize, text: &str) -> Result<u8> {
    let (operation, index) = text
        .split_once('~')
        .ok_or_else(|| malformed(place, &format!("an operation and `~{source}`"), text))?;
    if index != source.to_string() {
        return Err(malformed(
            place,
            &format!("`~{source}` after the operation"),
            &format!("~{index}"),
        ));
    }
    OPERATIONS
        .iter()
        .position(|known| *known == operation)
        .map(|position| position as u8)
        .ok_or_else(|| Error::Invalid {
            what: format!("NAS-Bench-201 architecture, {place}"),
            expected: format!("one of {}", OPERATIONS.join(", ")),
            found: quoted(operation),
            hint: nearest_operation(operation),
        })
}

fn malformed(place: &str, expected: &str, found: &str) -> Error {
    Error::Invalid {
        what: format!("NAS-Bench-201 architecture, {place}"),
        expected: expected.into(),
        found: quoted(found),
        hint: format!("The form is {FORM} without spaces."),
    }
}

fn nearest_operation(operation: &str) -> String {
    let shown: String = operation.chars().take(SHOWN_CHARACTERS).collect();
    OPERATIONS
        .iter()
        .map(|known| (strsim::jaro_winkler(&shown.to_lowercase(), known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity > 0.75)
        .map_or_else(
            || format!("The form is {FORM}."),
            |(_, known)| format!("Did you mean `{known}`?"),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genes_follow_the_order_of_the_string() {
        let text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|";
        let architecture = NasBench201.parse(text).unwrap();
        assert_eq!(architecture.0, [3, 0, 1, 4, 2, 0]);
        assert_eq!(NasBench201.print(&architecture), text);
    }

    #[test]
    fn all_architectures_round_trip() {
        for index in 0..NasBench201.size() {
            let architecture = NasBench201.at(index);
            let text = NasBench201.print(&architecture);
            assert_eq!(NasBench201.parse(&text).unwrap(), architecture, "{text}");
            assert_eq!(NasBench201.index(&architecture), index);
        }
    }

    #[test]
    fn faults_are_named_with_their_place() {
        let huge = "|".repeat(1 << 20);
        let cases = [
            ("", "node 1: expected edges between `|` and `|`, found nothing"),
            ("|", "node 1: expected edges between `|` and `|`, found `|`"),
            ("||", "edge 0->1: expected an operation and `~0`, found nothing"),
            ("none", "node 1: expected edges between `|` and `|`, found `none`"),
            ("|none~0|", "node 2: expected its edges after a `+`, found `the end`"),
            (
                "|none~0|+|none~0|+|none~0|none~1|none~2|",
                "edge 1->2: expected an operation, found",
            ),
            (
                "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|\n",
                "node 3: expected edges between",
            ),
            (
                "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|+",
                "text after node 3: expected the end, found `+`",
            ),
            (
                "|none~0|+|none~0|none~1|none~2|+|none~0|none~1|none~2|",
                "text after edge 1->2",
            ),
            (
                "|none~0|+|none~0|none~0|+|none~0|none~1|none~2|",
                "edge 1->2: expected `~1` after the operation, found `~0`",
            ),
            (
                "|none~00|+|none~0|none~1|+|none~0|none~1|none~2|",
                "edge 0->1: expected `~0`",
            ),
            (
                "|none~0|+|none~0|none~1|+|none~0|nor_conv3x3~1|none~2|",
                "edge 1->3: expected one of none, ",
            ),
            (
                "|none~0|+|none~0|none~1|+|none~0|nor_conv3x3~1|none~2|",
                "Did you mean `nor_conv_3x3`?",
            ),
            (
                "|Skip_Connect~0|+|none~0|none~1|+|none~0|none~1|none~2|",
                "Did you mean `skip_connect`?",
            ),
            (
                "|no\u{308}ne\u{1F600}~0|+|none~0|none~1|+|none~0|none~1|none~2|",
                "edge 0->1: expected one of",
            ),
            (&huge, "edge 0->1: expected an operation and `~0`"),
        ];
        for (text, message) in cases {
            let found = NasBench201.parse(text).unwrap_err().to_string();
            assert!(found.contains(message), "{found}\ndoes not say: {message}");
            assert!(found.len() < 400, "{} bytes", found.len());
        }
    }

    #[test]
    fn canonical_cells_and_their_neighbours_by_hand() {
        let cell = |text: &str| NasBench201.parse(text).unwrap();
        // Node 1 is read by nobody, node 2 is zero: both convolutions do nothing.
        let written = cell("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|");
        let canonical = cell("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|");
        assert_eq!(NasBench201.canonical(&written), canonical);
        assert_eq!(
            NasBench201.active_genes(&canonical),
            [false, false, false, true, false, false]
        );
        // Four other operations on the live edge; four by four through node 1, and as many through node 2.
        assert_eq!(NasBench201.neighbours(&written).len(), 4 + 16 + 16);
        // Node 2 takes no part: four by four from node 0, and as many from node 1. Of four other operations on each of three
        // live edges, `none` cuts off node 1 from either side.
        let half = cell("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|");
        assert_eq!(NasBench201.active_genes(&half), [true, false, false, true, true, false]);
        assert_eq!(NasBench201.neighbours(&half).len(), 3 * 4 - 1 + 2 * 16);
        let full =
            cell("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|");
        assert_eq!(NasBench201.neighbours(&full).len(), 6 * 4);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in "\\PC{0,80}") {
            if let Ok(architecture) = NasBench201.parse(&text) {
                proptest::prop_assert_eq!(NasBench201.print(&architecture), text);
            }
        }

        #[test]
        fn one_changed_character_is_never_read_as_another_architecture(
            index in 0usize..15_625, position in 0usize..100, character in proptest::char::any(),
        ) {
            let mut text: Vec<char> = NasBench201.print(&NasBench201.at(index)).chars().collect();
            let position = position % text.len();
            text[position] = character;
            let text: String = text.into_iter().collect();
            if let Ok(architecture) = NasBench201.parse(&text) {
                proptest::prop_assert_eq!(NasBench201.print(&architecture), text);
            }
        }
    }
}
