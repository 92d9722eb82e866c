//! The weights of an architecture as parts of a once-for-all supernet's, as in its reference implementation
//! (<https://github.com/mit-han-lab/once-for-all>, `dynamic_op.py` and `dynamic_layers.py`).
//!
//! The supernet's channels are in the order of their importance since it was trained, and a layer takes the first ones. A
//! smaller depthwise kernel is the centre of the next larger one, times a matrix that was trained for this; in supernets without
//! such matrices it is the centre alone. Of batch normalisation the same channels are taken, with their statistics, which are
//! those of other architectures: the reference implementation recalibrates them on images, and so have its users to.

use std::collections::BTreeMap;

use super::stored::{Stored, Tensors};
use super::tensor_file::TensorFile;
use super::wanted::{Wanted, WantedLayer};
use crate::error::Result;
use crate::space::{Architecture, InputSize, LayerNames, Network, Supernet};

/// What to do about a file that does not fit.
const HINT: &str = "Give the supernet that the search space is named for, of the same width, kernel sizes, expansion ratios and \
                    depths, and the number of classes that it was trained for.";

/// How the names of elastic layers end, each within another module of the same name as in the architectures.
const MARKS: [&str; 2] = [".conv.conv.weight", ".bn.bn.running_mean"];
/// How the names of the matrices end that make kernels of larger ones.
const MATRIX: &str = "_matrix";

/// A block's convolutions, and what they were called in the checkpoints that the authors published.
const BLOCK_MODULES: [&str; 2] = [".conv.", ".mobile_inverted_conv."];

/// Whether a file holds a supernet, rather than one architecture.
pub(super) fn is_in(file: &TensorFile) -> bool {
    let ends = |name: &str| MARKS.iter().chain(&[MATRIX]).any(|mark| name.ends_with(mark));
    file.names().any(ends)
}

/// Gives the modules of blocks the names that they have in a file: earlier versions of the reference implementation had others.
pub(super) fn spell_as_in(file: &TensorFile, names: &mut [LayerNames]) {
    let [now, earlier] = BLOCK_MODULES;
    if !file.names().any(|name| name.contains(earlier)) {
        return;
    }
    for names in names {
        for module in [&mut names.weights, &mut names.normalization].into_iter().flatten() {
            if module.starts_with("blocks.") {
                *module = module.replacen(now, earlier, 1);
            }
        }
    }
}

/// Reads the parameters of an architecture's network from a supernet.
///
/// # Errors
/// [`crate::error::Error::Malformed`] naming the tensors that are missing, the first one that does not fit, or those of layers
/// that the space's supernet does not have.
pub(super) fn read(
    file: TensorFile,
    space: &dyn Supernet,
    architecture: &Architecture,
    network: &Network,
) -> Result<Stored> {
    let file = file.with_hint(HINT);
    let names = |architecture: &Architecture| {
        let mut names = space.names_in_supernet(architecture);
        spell_as_in(&file, &mut names);
        names
    };
    let largest = space.largest();
    let whole_names = names(&largest);
    let whole = WantedLayer::all(&like(network, space, &largest), &whole_names);
    let tensors = Tensors::new(&file, &whole)?;
    let matrices = matrices(&whole);
    let known =
        (whole_names.iter().flat_map(LayerNames::tensors)).chain(matrices.into_iter().map(|matrix| matrix.name));
    let unused = tensors.unused(known)?;
    let parts = Parts {
        whole: (whole.iter().flat_map(WantedLayer::tensors))
            .map(|wanted| (wanted.name.as_str(), wanted))
            .collect(),
        transforms: file.names().any(|name| name.ends_with(MATRIX)),
        tensors,
    };
    let wanted = WantedLayer::all(network, &names(architecture));
    let of_layer = |layer: &WantedLayer| layer.parameters(space.normalization_epsilon(), |wanted| parts.values(wanted));
    Ok(Stored {
        parameters: wanted.iter().map(of_layer).collect::<Result<_>>()?,
        unused,
        of_supernet: true,
    })
}

/// The network of the largest architecture for the input and the classes of another.
fn like(network: &Network, space: &dyn Supernet, largest: &Architecture) -> Network {
    let of_node = |id: usize| network.nodes().nth(id).map(|node| node.layer.output);
    let input = of_node(0).map_or(space.default_input(), |image| InputSize {
        width: image.width,
        height: image.height,
    });
    let classes = of_node(network.output()).map_or(1, |logits| logits.channels);
    space.lower(largest, input, classes).without_dead_nodes()
}

/// The matrices that the depthwise convolutions of a supernet may have.
fn matrices(whole: &[WantedLayer]) -> Vec<Wanted> {
    let weights = whole.iter().filter_map(|layer| layer.weight.as_ref());
    let of_layer = |weight: &Wanted| match weight.dims[..] {
        [_, 1, edge, _] => shrinking(edge, 3)
            .map(|(from, to)| matrix(&weight.name, from, to))
            .collect(),
        _ => Vec::new(),
    };
    weights.flat_map(of_layer).collect()
}

/// The steps from a kernel of one edge to a smaller one.
fn shrinking(from: usize, to: usize) -> impl Iterator<Item = (usize, usize)> {
    (to + 2..=from).rev().step_by(2).map(|edge| (edge, edge - 2))
}

/// The matrix of one step, `[to * to, to * to]`, of the convolution that has these weights.
fn matrix(weight: &str, from: usize, to: usize) -> Wanted {
    let module = weight.strip_suffix(".conv.weight").unwrap_or(weight);
    Wanted {
        name: format!("{module}.{from}to{to}{MATRIX}"),
        dims: vec![to * to; 2],
    }
}

/// A supernet's tensors, of which parts are taken.
struct Parts<'a> {
    tensors: Tensors<'a>,
    /// What the supernet has of each name.
    whole: BTreeMap<&'a str, &'a Wanted>,
    /// Whether smaller kernels are more than the centres of larger ones.
    transforms: bool,
}

impl Parts<'_> {
    /// The part of a tensor of the supernet that an architecture takes.
    fn values(&self, part: &Wanted) -> Result<Vec<f32>> {
        let whole = self.whole.get(part.name.as_str()).copied().unwrap_or(part);
        let values = self.tensors.values(whole)?;
        let (&[outputs, inputs, to, _], &[.., from, _]) = (&part.dims[..], &whole.dims[..]) else {
            return Ok(leading(&values, &whole.dims, &part.dims));
        };
        let mut kernels = leading(&values, &whole.dims, &[outputs, inputs, from, from]);
        for (from, to) in shrinking(from, to) {
            kernels = kernels
                .chunks(from * from)
                .flat_map(|kernel| centre(kernel, from, to))
                .collect();
            if self.transforms {
                let matrix = self.tensors.values(&matrix(&part.name, from, to))?;
                kernels = kernels
                    .chunks(to * to)
                    .flat_map(|kernel| product(&matrix, kernel))
                    .collect();
            }
        }
        Ok(kernels)
    }
}

/// The elements of a tensor whose every index is below the extents of `part`.
fn leading(values: &[f32], whole: &[usize], part: &[usize]) -> Vec<f32> {
    let (Some((&extent, whole)), Some((&kept, part))) = (whole.split_first(), part.split_first()) else {
        return values.to_vec();
    };
    let each = values.len() / extent.max(1);
    let kept = values.chunks(each.max(1)).take(kept);
    kept.flat_map(|values| leading(values, whole, part)).collect()
}

/// The square of edge `to` in the middle of one of edge `from`, both odd.
fn centre(square: &[f32], from: usize, to: usize) -> Vec<f32> {
    let border = (from - to) / 2;
    let rows = square.chunks(from).skip(border).take(to);
    rows.flat_map(|row| &row[border..border + to]).copied().collect()
}

/// A matrix, by rows, times a vector.
fn product(matrix: &[f32], vector: &[f32]) -> Vec<f32> {
    let rows = matrix.chunks(vector.len());
    rows.map(|row| row.iter().zip(vector).map(|(factor, value)| factor * value).sum())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_take_the_first_of_every_extent() {
        // [3, 2, 1, 2]: outputs, inputs and two pixels, numbered.
        let values: Vec<f32> = (0..12).map(|value| value as f32).collect();
        assert_eq!(leading(&values, &[3, 2, 1, 2], &[2, 1, 1, 2]), [0.0, 1.0, 4.0, 5.0]);
        assert_eq!(leading(&values, &[12], &[3]), [0.0, 1.0, 2.0]);
        assert_eq!(leading(&values, &[3, 4], &[3, 4]), values);
    }

    #[test]
    fn the_centre_of_a_kernel() {
        // 5x5 numbered by rows: the middle 3x3 begins at row 1, column 1.
        let square: Vec<f32> = (0..25).map(|value| value as f32).collect();
        assert_eq!(
            centre(&square, 5, 3),
            [6.0, 7.0, 8.0, 11.0, 12.0, 13.0, 16.0, 17.0, 18.0]
        );
        assert_eq!(centre(&square, 5, 1), [12.0]);
    }

    #[test]
    fn kernels_shrink_step_by_step() {
        assert_eq!(shrinking(7, 3).collect::<Vec<_>>(), [(7, 5), (5, 3)]);
        assert_eq!(shrinking(7, 5).collect::<Vec<_>>(), [(7, 5)]);
        assert_eq!(shrinking(3, 3).count() + shrinking(1, 1).count(), 0);
        let step = matrix("blocks.1.conv.depth_conv.conv.conv.weight", 7, 5);
        assert_eq!(step.name, "blocks.1.conv.depth_conv.conv.7to5_matrix");
        assert_eq!(step.dims, [25, 25]);
    }

    #[test]
    fn a_matrix_times_a_kernel_by_hand() {
        // Rows (1, 2) and (3, 4) times (10, 1): 10 + 2 and 30 + 4.
        assert_eq!(product(&[1.0, 2.0, 3.0, 4.0], &[10.0, 1.0]), [12.0, 34.0]);
    }
}
