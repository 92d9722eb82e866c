//! The layers of an FBNet: every block is a 1x1 convolution, a depthwise one and a 1x1 one, each normalised and all but the
//! last followed by a ReLU, with a shortcut where the shape stays the same.

use super::super::Architecture;
use super::super::network::{Convolution, FeatureMap, Network, NetworkBuilder};
use super::skeleton::STEM_CHANNELS;
use super::{Block, FbNet, InputSize, Site, Skeleton};

const IMAGE_CHANNELS: u32 = 3;

/// The whole network, in the version for images of this size.
pub(super) fn network(architecture: &Architecture, input: InputSize, classes: u32) -> Network {
    let skeleton = Skeleton::of(input);
    let (mut network, image) = NetworkBuilder::new(IMAGE_CHANNELS, input);
    let stem = Convolution {
        stride: skeleton.stem_stride,
        ..Convolution::rectified(STEM_CHANNELS, 3)
    };
    let mut map = network.convolve(image, stem);
    for (block, site) in FbNet::blocks(architecture).zip(skeleton.sites()) {
        map = if block.is_skip() {
            append_skip(&mut network, map, site)
        } else {
            append_block(&mut network, map, block, site)
        };
    }
    let map = network.convolve(map, Convolution::rectified(skeleton.header_channels, 1));
    let map = network.pool_globally(map);
    let logits = network.linear(map, classes);
    network.finish(logits)
}

/// Appends a `skip`: no layer where the shape stays the same, else a 1x1 convolution.
fn append_skip(network: &mut NetworkBuilder, input: FeatureMap, site: Site) -> FeatureMap {
    if site.keeps_shape() {
        return input;
    }
    let convolution = Convolution {
        stride: site.stride,
        ..Convolution::rectified(site.output_channels, 1)
    };
    network.convolve(input, convolution)
}

fn append_block(network: &mut NetworkBuilder, input: FeatureMap, block: Block, site: Site) -> FeatureMap {
    let channels = input.shape.channels * block.expansion;
    let groups = block.groups;
    let expansion = Convolution {
        groups,
        ..Convolution::rectified(channels, 1)
    };
    let mut map = network.convolve(input, expansion);
    if groups > 1 {
        map = network.shuffle(map, groups);
    }
    let depthwise = Convolution {
        stride: site.stride,
        groups: channels,
        ..Convolution::rectified(channels, block.kernel)
    };
    let map = network.convolve(map, depthwise);
    let projection = Convolution {
        groups,
        ..Convolution::new(site.output_channels, 1)
    };
    let map = network.convolve(map, projection);
    if site.keeps_shape() {
        network.add(map, input)
    } else {
        map
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Layer, Operation, SearchSpace};
    use super::*;

    const CIFAR: InputSize = InputSize { width: 32, height: 32 };
    const IMAGENET: InputSize = InputSize {
        width: 224,
        height: 224,
    };

    fn lower(names: &str, input: InputSize, classes: u32) -> Network {
        let architecture = FbNet.parse(&names.split_whitespace().collect::<Vec<&str>>().join("-"));
        FbNet.lower(&architecture.unwrap(), input, classes)
    }

    /// FBNet-A and C as in `fbnet_modeldef_cls_fbnet.py` of facebookresearch/mobile-vision, B as in `fbnet_modeldef.py`
    /// of the reimplementations of the paper (devkicks/FBNet); mobile-vision's B has `k5_e6` as its second block of 64
    /// channels and 10M operations more.
    const A: &str = "skip k3_e3 k3_e1 skip skip k5_e6 k3_e3 k5_e1 k3_e3 k5_e6 k5_e3 k5_e1_g2 k5_e6 k3_e6 k5_e1_g2 k5_e3 \
                     k3_e1_g2 k5_e6 k5_e6 k5_e3 k5_e6 k5_e6";
    const B: &str = "k3_e1 k3_e6 k5_e1 k3_e1 k3_e1 k5_e6 k5_e3 k3_e6 k5_e6 k5_e6 k5_e1 skip k5_e3 k5_e6 k3_e1 k5_e1 k5_e3 \
                     k5_e6 k5_e1 k5_e6 k5_e6 k3_e6";
    const C: &str = "k3_e1 k3_e6 skip k3_e1 k3_e1 k5_e6 k5_e3 k5_e6 k3_e6 k5_e6 k5_e3 k5_e6 k5_e6 k5_e6 k5_e6 k5_e6 k5_e3 \
                     k5_e6 k5_e6 k5_e6 k5_e6 k3_e6";

    /// The paper counts 249M, 295M and 375M operations (one multiply-accumulate each) and ends FBNet-A in 1504 channels,
    /// the others in 1984. The blocks of C in the authors' code are not quite those of the paper, so 3 % is what can be
    /// asked; a wrong stride, group or expansion is off by more.
    #[test]
    fn published_networks() {
        let narrower_header = (1984 - 1504) * (352 * 7 * 7 + 1000);
        let a = lower(A, IMAGENET, 1000).macs() - narrower_header;
        assert!((249_000_000..250_000_000).contains(&a), "{a}");
        let b = lower(B, IMAGENET, 1000).macs() as f64;
        assert!((b / 295e6 - 1.0).abs() < 0.01, "{b}");
        let c = lower(C, IMAGENET, 1000);
        assert!((c.macs() as f64 / 375e6 - 1.0).abs() < 0.03, "{}", c.macs());
        // Two reimplementations of FBNet-C that publish their trained weights count exactly this many: `fbnet_cb` of
        // https://github.com/osmr/imgclsmob and `fbnetc_100` of timm (5.57M).
        assert_eq!(c.parameters(), 5_572_200);
    }

    /// All identities: what remains is the skeleton.
    #[test]
    fn skeleton_by_hand() {
        let skips = ["skip"; 22].join(" ");
        let network = lower(&skips, CIFAR, 100);
        let macs: Vec<u64> = network.layers().map(Layer::macs).collect();
        let expected = [
            27 * 16 * 1024,  // stem at 32x32
            16 * 24 * 1024,  // second stage, not shrunk
            24 * 32 * 256,   // 16x16
            32 * 64 * 64,    // 8x8
            64 * 112 * 64,   // fifth stage, not shrunk
            112 * 184 * 16,  // 4x4
            184 * 352 * 16,  // seventh stage
            352 * 1504 * 16, // last convolution
            0,               // pooling
            1504 * 100,      // classifier
        ];
        assert_eq!(macs, expected);
        // Kernels and two for every normalised channel, and the classifier's biases.
        let kernels = 432 + 384 + 768 + 2048 + 7168 + 20_608 + 64_768 + 529_408;
        let normalised = 2 * (16 + 24 + 32 + 64 + 112 + 184 + 352 + 1504);
        assert_eq!(network.parameters(), kernels + normalised + 150_400 + 100);
        // At 224x224 the same layers end in 7x7 pixels and 1984 channels.
        let large = lower(&skips, IMAGENET, 1000);
        let large: Vec<&Layer> = large.layers().collect();
        assert_eq!((large[7].output.channels, large[7].output.width), (1984, 7));
        assert_eq!(large[0].macs(), 27 * 16 * 112 * 112);
        assert_eq!(large[1].output.width, 56);
    }

    #[test]
    fn a_grouped_block_by_hand() {
        let (mut network, input) = NetworkBuilder::new(8, InputSize { width: 4, height: 4 });
        let site = Site {
            input_channels: 8,
            output_channels: 8,
            stride: 1,
        };
        let block = FbNet::blocks(&Architecture(vec![5])).next().unwrap();
        let output = append_block(&mut network, input, block, site);
        let network = network.finish(output);
        // 1x1 in two groups 4 x 8 x 16 = 512 each, depthwise 25 x 8 x 16 = 3200; shuffle and sum multiply nothing.
        let macs: Vec<u64> = network.layers().map(Layer::macs).collect();
        assert_eq!(macs, [512, 0, 3200, 512, 0]);
        let shuffle = network.layers().nth(1).unwrap();
        assert_eq!(shuffle.operation, Operation::Shuffle { groups: 2 });
        // The shuffle reads and writes 8 x 16 elements.
        assert_eq!(shuffle.activation_elements(), 256);
        assert_eq!((network.kernel_launches(), network.critical_path_layers()), (5, 5));
        assert_eq!(network.parameters(), 32 + 16 + 200 + 16 + 32 + 16);
    }

    #[test]
    fn blocks_by_hand() {
        // The first block of 24 channels, at 32x32: 16 channels widened to 96, filtered with 5x5, narrowed to 24. The same
        // at 224x224 works on 112x112 pixels and, past its stride, on 56x56.
        let names = format!("skip k5_e6 {}", ["skip"; 20].join(" "));
        let macs = |input| -> Vec<u64> {
            let network = lower(&names, input, 10);
            network.layers().skip(1).take(3).map(Layer::macs).collect()
        };
        let small = macs(CIFAR);
        assert_eq!(small, [16 * 96 * 1024, 25 * 96 * 1024, 96 * 24 * 1024]);
        let large = macs(IMAGENET);
        assert_eq!(large, [16 * 96 * 12_544, 25 * 96 * 3_136, 96 * 24 * 3_136]);
        // The second has a shortcut.
        let names = format!("skip skip k3_e3 {}", ["skip"; 19].join(" "));
        let network = lower(&names, CIFAR, 10);
        let sum = network.layers().nth(5).unwrap();
        assert_eq!((sum.operation, sum.output.elements()), (Operation::Add, 24 * 1024));
    }
}
