//! Names of the parameters as in `OFAMobileNetV3` and `OFAProxylessNASNets` of the reference implementation, and as its active
//! subnets would have them if their blocks kept the numbers that they have in the supernet.

use super::super::{Architecture, LayerNames};
use super::OnceForAll;

/// In the order in which the network is lowered.
pub(super) fn of_layers(space: &OnceForAll, architecture: &Architecture) -> Vec<LayerNames> {
    let normalized = |module: &str| LayerNames::new(format!("{module}.conv"), format!("{module}.bn"));
    let mut names = vec![normalized("first_conv")];
    let in_block = |number: usize, part: &str| normalized(&format!("blocks.{number}.conv.{part}"));
    names.extend(["depth_conv", "point_linear"].map(|part| in_block(0, part)));
    for (site, _) in space.active_blocks(architecture) {
        let number = site.place + 1;
        names.extend(["inverted_bottleneck", "depth_conv"].map(|part| in_block(number, part)));
        if site.squeeze_excite {
            let dense = |part| LayerNames::new(format!("blocks.{number}.conv.depth_conv.se.fc.{part}"), "");
            names.extend(["reduce", "expand"].map(dense));
        }
        names.push(in_block(number, "point_linear"));
    }
    if space.skeleton.expanded_channels.is_some() {
        names.push(normalized("final_expand_layer"));
        names.push(LayerNames::new("feature_mix_layer.conv", ""));
    } else {
        names.push(normalized("feature_mix_layer"));
    }
    names.push(LayerNames::new("classifier.linear", ""));
    names
}
