//! Names of the parameters as in `OFAMobileNetV3` and `OFAProxylessNASNets` of the reference implementation, and as in the active
//! subnets that it takes out of them.

use super::super::LayerNames;
use super::Site;
use super::skeleton::Skeleton;

/// The module that the layers are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::space) enum Module {
    /// The architecture as a network of its own, whose blocks are counted as they run.
    Subnet,
    /// The supernet: blocks are counted at full depth, and elastic layers hold what they are parts of.
    Supernet,
}

/// Of a network with blocks at these places behind the first one, in the order in which it is lowered.
pub(in crate::space) fn of_layers(
    skeleton: &Skeleton,
    sites: impl Iterator<Item = Site>,
    module: Module,
) -> Vec<LayerNames> {
    let normalized = |module: &str| LayerNames::new(format!("{module}.conv"), format!("{module}.bn"));
    let mut names = vec![normalized("first_conv")];
    names.extend(["depth_conv", "point_linear"].map(|part| normalized(&format!("blocks.0.conv.{part}"))));
    for (running, site) in sites.enumerate() {
        let (number, elastic) = match module {
            Module::Subnet => (running + 1, ["conv", "bn"]),
            Module::Supernet => (site.place + 1, ["conv.conv", "bn.bn"]),
        };
        let block = |part: &str| {
            let [weights, normalization] = elastic.map(|layer| format!("blocks.{number}.conv.{part}.{layer}"));
            LayerNames::new(weights, normalization)
        };
        names.extend(["inverted_bottleneck", "depth_conv"].map(block));
        if site.squeeze_excite {
            let dense = |part| LayerNames::new(format!("blocks.{number}.conv.depth_conv.se.fc.{part}"), "");
            names.extend(["reduce", "expand"].map(dense));
        }
        names.push(block("point_linear"));
    }
    if skeleton.expanded_channels.is_some() {
        names.push(normalized("final_expand_layer"));
        names.push(LayerNames::new("feature_mix_layer.conv", ""));
    } else {
        names.push(normalized("feature_mix_layer"));
    }
    names.push(LayerNames::new("classifier.linear", ""));
    names
}

#[cfg(test)]
mod tests {
    use super::super::super::SearchSpace;
    use super::super::MOBILENET_V3;
    use super::*;

    /// Two blocks in the first stage, then three: the second stage begins with block 3 of the subnet, which is block 5 of the
    /// supernet, as the state_dict of both in the reference implementation say.
    #[test]
    fn blocks_are_counted_as_they_run_or_at_full_depth() {
        let kernels = vec!["3"; 20].join(",");
        let text = format!(r#"{{"ks":[{kernels}],"e":[{kernels}],"d":[2,3,2,4,2],"r":224}}"#);
        let architecture = MOBILENET_V3.parse(&text).unwrap();
        // The stem, two layers of the first block, three of each block of the first stage; the next is the second stage's first.
        let sites = || MOBILENET_V3.active_sites(&architecture);
        let at = |module| of_layers(MOBILENET_V3.skeleton, sites(), module)[1 + 2 + 2 * 3..].to_vec();
        let subnet = at(Module::Subnet);
        assert_eq!(
            subnet[0],
            LayerNames::new(
                "blocks.3.conv.inverted_bottleneck.conv",
                "blocks.3.conv.inverted_bottleneck.bn"
            )
        );
        assert_eq!(subnet[2], LayerNames::new("blocks.3.conv.depth_conv.se.fc.reduce", ""));
        let supernet = at(Module::Supernet);
        assert_eq!(
            supernet[1],
            LayerNames::new("blocks.5.conv.depth_conv.conv.conv", "blocks.5.conv.depth_conv.bn.bn")
        );
        assert_eq!(
            supernet[3],
            LayerNames::new("blocks.5.conv.depth_conv.se.fc.expand", "")
        );
        assert_eq!(subnet.last(), supernet.last());
    }
}
