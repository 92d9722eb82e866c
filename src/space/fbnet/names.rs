//! Names of the parameters as in `FBNet_Infer` of <https://github.com/GATECH-EIC/HW-NAS-Bench> (`fbnet_models.py`).

use super::super::{Architecture, InputSize, LayerNames};
use super::{FbNet, Skeleton};

/// In the order in which the network is lowered.
pub(super) fn of_layers(architecture: &Architecture) -> Vec<LayerNames> {
    // Which blocks keep the shape is the same for every input.
    let sites = Skeleton::of(InputSize::square(1)).sites();
    let mut names = vec![LayerNames::new("stem.conv", "stem.bn")];
    for (place, (block, site)) in FbNet::blocks(architecture).zip(sites).enumerate() {
        if !block.is_skip() {
            let part = |part| LayerNames::new(format!("cells.{place}.conv{part}"), format!("cells.{place}.bn{part}"));
            names.extend((1..=3).map(part));
        } else if !site.keeps_shape() {
            names.push(LayerNames::new(
                format!("cells.{place}.conv"),
                format!("cells.{place}.bn"),
            ));
        }
    }
    names.push(LayerNames::new("header.conv", "header.bn"));
    names.push(LayerNames::new("fc", ""));
    names
}
