//! NAS-Bench-201 cells whose convolutions each have 2, 4 or 8 bits per weight and 8 per activation, as MP-NAS-Bench-201 trained
//! them (<https://github.com/Leannnnnnn/MP-NAS-Bench201>): the edge of a cell has the same bits in all cells.
//!
//! Genes are the six operations, then the bits of the six edges. Bits of edges without a convolution, and edges that cannot affect
//! the output, have choice 0 in canonical form, in which architectures are read, sampled and varied.

use std::ops::RangeInclusive;

use rand::Rng;
use rand::rngs::StdRng;

use super::super::excerpt::quoted;
use super::super::nasbench201::lowering::{self, Cell};
use super::super::nasbench201::{
    CONNECTING, EDGES, NOR_CONV_1X1, NOR_CONV_3X3, canonical_operations, paths, paths_through_unused_nodes,
};
use super::super::neighbourhood::Neighbourhood;
use super::super::network::LayerBits;
use super::super::{
    Architecture, BitsOfChoice, InputSize, LayerNames, NasBench201, Network, PathOperation, SearchSpace, variation,
};
use crate::error::{Error, Result};

/// Bits of a weight; a gene is a position in this list.
const WEIGHT_BITS: [u8; 3] = [2, 4, 8];
/// Bits of an element that a convolution reads.
const ACTIVATION_BITS: u8 = 8;
/// Edges of a cell.
const COUNT: usize = EDGES.len();
/// Between the cell and its bits.
const SEPARATOR: char = '@';
/// Between bits; a comma is read too, but would end the cell of a table.
const BETWEEN_BITS: &str = "-";

/// NAS-Bench-201 with bits for every edge: 12 genes.
#[derive(Debug, Clone, Copy)]
pub struct NasBench201Mixed;

/// Whether an edge has weights.
fn is_convolution(operation: u8) -> bool {
    matches!(operation, NOR_CONV_1X1 | NOR_CONV_3X3)
}

fn operations(architecture: &Architecture) -> &[u8] {
    &architecture.0[..COUNT]
}

/// Edges with a convolution that the output needs: those whose bits matter.
fn live_convolutions(architecture: &Architecture) -> [bool; COUNT] {
    let live = lowering::live_edges(operations(architecture));
    std::array::from_fn(|edge| live[edge] && is_convolution(architecture.0[edge]))
}

impl NasBench201Mixed {
    /// The design of a cell and of the bits of its edges, 0 where there are no weights: what MP-NAS-Bench-201 lists.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming an edge whose bits are none of the space's, or are given where there are no weights.
    pub fn design(&self, cell: &Architecture, bits: [u8; 6]) -> Result<Architecture> {
        let mut genes = cell.0.clone();
        for (edge, bits) in bits.into_iter().enumerate() {
            genes.push(bits_gene(edge, cell.0[edge], bits)?);
        }
        Ok(self.canonical(&Architecture(genes)))
    }

    /// Bits of the edges, 0 where there are no weights.
    fn edge_bits(&self, architecture: &Architecture) -> [u8; COUNT] {
        let convolutions = live_convolutions(architecture);
        std::array::from_fn(|edge| {
            if convolutions[edge] {
                WEIGHT_BITS[usize::from(architecture.0[COUNT + edge])]
            } else {
                0
            }
        })
    }
}

impl SearchSpace for NasBench201Mixed {
    fn id(&self) -> &'static str {
        "nasbench201_mixed"
    }

    fn choices(&self) -> &[u8] {
        &[5, 5, 5, 5, 5, 5, 3, 3, 3, 3, 3, 3]
    }

    /// Reads `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|@8-0-4-2-0-8`: the cell, then the bits of its edges in the same order, 0 for
    /// edges without a convolution. In canonical form.
    fn parse(&self, text: &str) -> Result<Architecture> {
        let (cell, bits) = text
            .rsplit_once(SEPARATOR)
            .ok_or_else(|| malformed("bits", "the cell, `@` and the bits of its six edges", text))?;
        let cell = NasBench201.parse(cell)?;
        let given: Vec<&str> = bits.splitn(COUNT + 1, ['-', ',']).collect();
        let mut parsed = [0; COUNT];
        if given.len() != COUNT {
            return Err(malformed("bits", "six numbers, one for every edge", bits));
        }
        for (edge, (bits, text)) in parsed.iter_mut().zip(given).enumerate() {
            let number = text.trim().parse();
            *bits = number.map_err(|_| malformed(&place(edge), "0, 2, 4 or 8", text))?;
        }
        self.design(&cell, parsed)
    }

    fn print(&self, architecture: &Architecture) -> String {
        let bits = self
            .edge_bits(architecture)
            .map(|bits| bits.to_string())
            .join(BETWEEN_BITS);
        let cell = NasBench201.print(&self.without_bits(architecture));
        format!("{cell}{SEPARATOR}{bits}")
    }

    fn bits_of_choice(&self, gene: usize, choice: u8) -> Option<BitsOfChoice> {
        (gene >= COUNT).then(|| BitsOfChoice {
            bits: WEIGHT_BITS[usize::from(choice)],
            besides: 0,
        })
    }

    fn base(&self) -> Option<&'static dyn SearchSpace> {
        Some(&NasBench201)
    }

    /// The cell, in canonical form.
    fn without_bits(&self, architecture: &Architecture) -> Architecture {
        NasBench201.canonical(&Architecture(operations(architecture).to_vec()))
    }

    fn lower(&self, architecture: &Architecture, input: InputSize, classes: u32) -> Network {
        let bits = self.edge_bits(architecture).map(|bits| {
            (bits > 0).then_some(LayerBits {
                weights: bits,
                activations: ACTIVATION_BITS,
            })
        });
        let genes = operations(architecture);
        let kept = lowering::live_edges(genes);
        lowering::network(Cell { genes, kept, bits }, input, classes)
    }

    fn layer_names(&self, architecture: &Architecture) -> Vec<LayerNames> {
        NasBench201.layer_names(&self.without_bits(architecture))
    }

    fn paths(&self, architecture: &Architecture) -> Vec<Vec<PathOperation>> {
        paths::of_cell(operations(architecture), self.edge_bits(architecture))
    }

    fn output_depends_on_input(&self, architecture: &Architecture) -> bool {
        NasBench201.output_depends_on_input(&self.without_bits(architecture))
    }

    fn default_input(&self) -> InputSize {
        NasBench201.default_input()
    }

    fn canonical(&self, architecture: &Architecture) -> Architecture {
        let mut genes = self.without_bits(architecture).0;
        let bits = live_convolutions(architecture)
            .into_iter()
            .zip(&architecture.0[COUNT..]);
        genes.extend(bits.map(|(convolution, &gene)| if convolution { gene } else { 0 }));
        Architecture(genes)
    }

    /// Of operations, those that keep the cell without edges that do nothing; then bits where there are weights.
    fn canonical_choices(&self, before: &[u8]) -> RangeInclusive<u8> {
        match before.len().checked_sub(COUNT) {
            None => canonical_operations(before),
            Some(edge) if edge < COUNT && is_convolution(before[edge]) => 0..=WEIGHT_BITS.len() as u8 - 1,
            Some(_) => 0..=0,
        }
    }

    fn active_genes(&self, architecture: &Architecture) -> Vec<bool> {
        let mut active = lowering::active_edges(operations(architecture)).to_vec();
        active.extend(live_convolutions(architecture));
        active
    }

    /// As in NAS-Bench-201, a convolution that is new with each of the bits.
    fn neighbours(&self, architecture: &Architecture) -> Vec<Architecture> {
        let mut around = Neighbourhood::of_active_genes(self, architecture);
        let active = lowering::active_edges(operations(&around.center));
        for edge in (0..COUNT).filter(|&edge| active[edge]) {
            for changes in connections(edge) {
                around.add(&changes);
            }
        }
        for (into, out) in paths_through_unused_nodes(operations(&around.center)) {
            let seconds = connections(out);
            for first in connections(into) {
                for second in &seconds {
                    around.add(&[first.as_slice(), second].concat());
                }
            }
        }
        around.found
    }

    fn sample(&self, rng: &mut StdRng) -> Architecture {
        self.canonical(&variation::uniform(self, rng))
    }

    /// A convolution that is new has random bits.
    fn mutate(&self, architecture: &Architecture, rate: f64, rng: &mut StdRng) -> Architecture {
        let mut drawn = self.canonical(architecture);
        let convolutions = live_convolutions(&drawn);
        for edge in (0..COUNT).filter(|&edge| !convolutions[edge]) {
            drawn.0[COUNT + edge] = rng.random_range(0..WEIGHT_BITS.len() as u8);
        }
        self.canonical(&variation::redrawn(self, &drawn, rate, rng))
    }

    /// An edge has operation and bits of the same parent.
    fn crossover(&self, mother: &Architecture, father: &Architecture, rng: &mut StdRng) -> Architecture {
        let parents = [mother, father].map(|parent| self.canonical(parent));
        let mut child = parents[0].clone();
        for edge in 0..COUNT {
            let parent = &parents[usize::from(rng.random::<bool>())];
            child.0[edge] = parent.0[edge];
            child.0[COUNT + edge] = parent.0[COUNT + edge];
        }
        self.canonical(&child)
    }
}

/// The changes that connect an edge, a convolution with each of the bits.
fn connections(edge: usize) -> Vec<Vec<(usize, u8)>> {
    let with_bits = |operation: u8| {
        let choices = if is_convolution(operation) {
            WEIGHT_BITS.len()
        } else {
            1
        };
        (0..choices).map(move |bits| vec![(edge, operation), (COUNT + edge, bits as u8)])
    };
    CONNECTING.into_iter().flat_map(with_bits).collect()
}

fn bits_gene(edge: usize, operation: u8, bits: u8) -> Result<u8> {
    if !is_convolution(operation) {
        return match bits {
            0 => Ok(0),
            _ => Err(malformed(
                &place(edge),
                "0, as there is no convolution",
                &bits.to_string(),
            )),
        };
    }
    let choice = WEIGHT_BITS.iter().position(|&known| known == bits);
    choice
        .map(|choice| choice as u8)
        .ok_or_else(|| malformed(&place(edge), "2, 4 or 8", &bits.to_string()))
}

fn place(edge: usize) -> String {
    let (source, target) = EDGES[edge];
    format!("bits of edge {source}->{target}")
}

fn malformed(place: &str, expected: &str, found: &str) -> Error {
    Error::Invalid {
        what: format!("NAS-Bench-201 design, {place}"),
        expected: expected.into(),
        found: quoted(found),
        hint: "The form is |op~0|+|op~0|op~1|+|op~0|op~1|op~2|@8-0-4-2-0-8, bits in the order of the edges.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Layer, Precision};
    use super::*;
    use crate::metric::Metric;

    const CELL: &str = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_1x1~2|";

    fn read(text: &str) -> Architecture {
        NasBench201Mixed.parse(text).unwrap()
    }

    #[test]
    fn bits_follow_the_order_of_the_edges() {
        let text = format!("{CELL}@8-0-0-0-2-4");
        let design = read(&text);
        assert_eq!(design.0, [3, 0, 1, 4, 2, 2, 2, 0, 0, 0, 0, 1]);
        assert_eq!(NasBench201Mixed.print(&design), text);
        assert_eq!(read(&text.replace('-', ",")), design);
        let layers = |network: &Network| -> Vec<(u32, u8)> {
            let with_bits = |layer: &Layer| layer.bits.map(|bits| (layer.kernel(), bits.weights));
            network.layers().filter_map(with_bits).collect()
        };
        let network = NasBench201Mixed.lower(&design, InputSize::square(32), 10);
        // Node by node: fifteen cells of a 3x3 with 8 bits, and 1x1 with 2 and with 4.
        assert_eq!(layers(&network), [(3, 8), (1, 2), (1, 4)].repeat(15));
    }

    /// Five cells of C channels hold 9 C^2 weights of 8 bits, C^2 of 2 and C^2 of 4: beside the same cells at 8 bits they save 10 bits
    /// for each of 5 (16^2 + 32^2 + 64^2) places.
    #[test]
    fn bits_are_saved_where_they_are_said() {
        let size = |text: &str| {
            let network = NasBench201Mixed.lower(&read(text), InputSize::square(32), 10);
            *network.computed(Precision::Int8.into()).get(Metric::ModelSize).unwrap() * 1_048_576.0
        };
        let saved = size(&format!("{CELL}@8,0,0,0,8,8")) - size(&format!("{CELL}@8,0,0,0,2,4"));
        assert_eq!(saved, 5.0 * (256.0 + 1_024.0 + 4_096.0) * 10.0 / 8.0);
    }

    #[test]
    fn what_does_nothing_has_no_bits() {
        // Node 1 is read by nobody.
        let design = read("|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|@8,0,0,4,0,0");
        let shown = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|@0-0-0-4-0-0";
        assert_eq!(NasBench201Mixed.print(&design), shown);
        let active: Vec<usize> = (0..12)
            .filter(|&gene| NasBench201Mixed.active_genes(&design)[gene])
            .collect();
        assert_eq!(active, [3, 9]);
    }

    #[test]
    fn faults_are_named_with_their_edge() {
        let cases = [
            (CELL.to_string(), "the cell, `@` and the bits"),
            (format!("{CELL}@8,0,0,0,2"), "six numbers"),
            (format!("{CELL}@8,0,0,0,2,4,8"), "six numbers"),
            (
                format!("{CELL}@8,2,0,0,2,4"),
                "bits of edge 0->2: expected 0, as there is no convolution",
            ),
            (format!("{CELL}@0,0,0,0,2,4"), "bits of edge 0->1: expected 2, 4 or 8"),
            (format!("{CELL}@8,0,0,0,6,4"), "bits of edge 1->3: expected 2, 4 or 8"),
            (
                format!("{CELL}@8,0,0,0,2,x"),
                "bits of edge 2->3: expected 0, 2, 4 or 8",
            ),
        ];
        for (text, message) in cases {
            let found = NasBench201Mixed.parse(&text).unwrap_err().to_string();
            assert!(found.contains(message), "{found}\ndoes not say: {message}");
        }
    }

    /// Around one 3x3 of 4 bits: three other operations, the 1x1 with three bits, two other bits; and two paths of eight by eight
    /// connections through nodes that take no part.
    #[test]
    fn neighbours_by_hand() {
        let design = read("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|@0,0,0,4,0,0");
        assert_eq!(NasBench201Mixed.neighbours(&design).len(), 3 + 3 + 2 + 2 * 64);
    }
}
