//! Weights as parts of a supernet's.

use tempfile::TempDir;

use super::trained::{Tensors, named_as, write};
use super::*;
use crate::error::Result;
use crate::export::parameters::{Parameters, learns};
use crate::space::{Architecture, MOBILENET_V3, MOBILENET_V3_W12, OnceForAll, SearchSpace, Supernet};

/// The tensors of a space's supernet, random but for the matrices: twice the centre for 5x5 and three times that for 3x3.
fn supernet(space: &OnceForAll) -> Tensors {
    let largest = space.largest();
    let network = space.lower(&largest, space.default_input(), 10);
    let mut tensors = named_as(&network, space.names_in_supernet(&largest), "");
    for block in 1..=20 {
        for (name, edge, factor) in [("7to5", 5, 2.0), ("5to3", 3, 3.0)] {
            let size: usize = edge * edge;
            let diagonal = |index: usize| if index.is_multiple_of(size + 1) { factor } else { 0.0 };
            let matrix = (0..size * size).map(diagonal).collect();
            let name = format!("blocks.{block}.conv.depth_conv.conv.{name}_matrix");
            tensors.insert(name, (vec![size, size], matrix));
        }
    }
    tensors
}

/// Two blocks in every stage, but three in the second; the first block of the second stage, block 5, has kernel 3 and
/// expansion 4.
fn architecture() -> Architecture {
    let mut kernels = [7; 20];
    let mut expansions = [6; 20];
    (kernels[4], expansions[4]) = (3, 4);
    let text = format!(r#"{{"ks":{kernels:?},"e":{expansions:?},"d":[2,3,2,2,2],"r":128}}"#);
    MOBILENET_V3.parse(&text).unwrap()
}

fn read(folder: &TempDir, tensors: &Tensors) -> Result<Vec<Parameters>> {
    let path = folder.path().join("supernet.safetensors");
    write(&path, tensors);
    let network = MOBILENET_V3.lower(&architecture(), MOBILENET_V3.default_input(), 10);
    let weights = Weights::read(&path, &MOBILENET_V3, &architecture(), &network)?;
    assert!(weights.are_of_supernet() && weights.unused().is_empty());
    let parameters = weights.of(&network)?;
    let learned = network.nodes().zip(parameters).filter(|(node, _)| learns(node.layer));
    Ok(learned.map(|(_, parameters)| parameters).collect())
}

/// Behind the stem, two layers of the first block and three of each of two blocks comes block 5 with 24 channels in: 96 of its
/// 144, squeezed to 24 of 40 (a quarter of 96; of 144 it is 36, rounded to a multiple of eight).
#[test]
fn a_part_of_a_block_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = supernet(&MOBILENET_V3);
    let of = |tensors: &Tensors, part: &str| tensors[&format!("blocks.5.conv.{part}")].1.clone();
    let whole = |part: &str| of(&tensors, part);
    let found = read(&folder, &tensors).unwrap();
    let [expanding, depthwise, reducing, restoring, projecting] = &found[9..14] else {
        panic!("{} layers", found.len());
    };
    // [144, 24, 1, 1]: the first 96 rows.
    let weights = whole("inverted_bottleneck.conv.conv.weight");
    assert_eq!(expanding.weight, weights[..96 * 24]);
    let normalization = expanding.normalization.as_ref().unwrap();
    assert_eq!(
        normalization.variance,
        whole("inverted_bottleneck.bn.bn.running_var")[..96]
    );
    assert_eq!(normalization.shift, whole("inverted_bottleneck.bn.bn.bias")[..96]);
    // [144, 1, 7, 7]: the middle of channel 95 begins at row 2, column 2; twice and then three times.
    let weights = whole("depth_conv.conv.conv.weight");
    assert_eq!(depthwise.weight.len(), 96 * 9);
    assert_eq!(depthwise.weight[95 * 9], weights[95 * 49 + 2 * 7 + 2] * 2.0 * 3.0);
    assert_eq!(depthwise.weight[95 * 9 + 8], weights[95 * 49 + 4 * 7 + 4] * 2.0 * 3.0);
    // [40, 144, 1, 1]: of 24 rows the first 96.
    let weights = whole("depth_conv.se.fc.reduce.weight");
    assert_eq!(reducing.weight.len(), 24 * 96);
    assert_eq!(reducing.weight[96..2 * 96], weights[144..144 + 96]);
    assert_eq!(
        reducing.bias.as_ref().unwrap(),
        &whole("depth_conv.se.fc.reduce.bias")[..24]
    );
    // [144, 40, 1, 1]: of 96 rows the first 24.
    let weights = whole("depth_conv.se.fc.expand.weight");
    assert_eq!(restoring.weight[24..48], weights[40..64]);
    // [40, 144, 1, 1]: of all rows the first 96.
    let weights = whole("point_linear.conv.conv.weight");
    assert_eq!(projecting.weight.len(), 40 * 96);
    assert_eq!(projecting.weight[39 * 96..], weights[39 * 144..39 * 144 + 96]);
    // Blocks 3 and 4 do not run, and the classifier is the supernet's.
    assert_eq!(found.last().unwrap().weight, tensors["classifier.linear.weight"].1);

    // Without matrices a smaller kernel is the centre, and blocks may have the names that they had.
    tensors.retain(|name, _| !name.ends_with("_matrix"));
    let weights = of(&tensors, "depth_conv.conv.conv.weight");
    let earlier = |(name, tensor): (String, _)| match name.strip_prefix("blocks.") {
        Some(rest) => (
            format!(
                "state_dict.blocks.{}",
                rest.replacen(".conv.", ".mobile_inverted_conv.", 1)
            ),
            tensor,
        ),
        None => (format!("state_dict.{name}"), tensor),
    };
    let found = read(&folder, &tensors.into_iter().map(earlier).collect()).unwrap();
    assert_eq!(found[10].weight[95 * 9], weights[95 * 49 + 2 * 7 + 2]);
}

#[test]
fn supernets_that_do_not_fit_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |tensors: &Tensors, words: &[&str]| {
        let error = read(&folder, tensors).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
        assert!(error.contains("width") && error.contains("classes"), "{error}");
    };
    // 16 x 1.2 channels become 24.
    refused(
        &supernet(&MOBILENET_V3_W12),
        &["first_conv.conv.weight", "[16, 3, 3, 3]", "[24, 3, 3, 3]"],
    );
    let whole = supernet(&MOBILENET_V3);
    let without = |name: &str| {
        let mut tensors = whole.clone();
        tensors.remove(name).unwrap();
        refused(&tensors, &[name]);
    };
    // Of a block that runs, of one that does not, and of a matrix that is needed.
    without("blocks.5.conv.point_linear.bn.bn.running_mean");
    without("blocks.20.conv.depth_conv.conv.conv.weight");
    without("blocks.5.conv.depth_conv.conv.5to3_matrix");
    let with = |name: &str, dims: Vec<usize>| {
        let mut tensors = whole.clone();
        let elements = dims.iter().product();
        tensors.insert(name.into(), (dims.clone(), vec![0.5; elements]));
        refused(&tensors, &[name]);
    };
    with("blocks.5.conv.depth_conv.conv.7to5_matrix", vec![9, 9]);
    with("blocks.21.conv.depth_conv.conv.conv.weight", vec![8]);
    with("classifier.linear.weight", vec![1000, 1280]);
}
