//! Networks from outside the search spaces, whose parameters others have counted.

use super::super::InputSize;
use super::{Activation, Convolution, FeatureMap, Network, NetworkBuilder, Pooling, PoolingKind};

const IMAGENET: InputSize = InputSize::square(224);

/// Of every block: kernel, hidden channels, output channels, squeeze-and-excitation, hard swish instead of ReLU, stride.
const MOBILENET_V3_LARGE: [(u32, u32, u32, bool, bool, u32); 15] = [
    (3, 16, 16, false, false, 1),
    (3, 64, 24, false, false, 2),
    (3, 72, 24, false, false, 1),
    (5, 72, 40, true, false, 2),
    (5, 120, 40, true, false, 1),
    (5, 120, 40, true, false, 1),
    (3, 240, 80, false, true, 2),
    (3, 200, 80, false, true, 1),
    (3, 184, 80, false, true, 1),
    (3, 184, 80, false, true, 1),
    (3, 480, 112, true, true, 1),
    (3, 672, 112, true, true, 1),
    (5, 672, 160, true, true, 2),
    (5, 960, 160, true, true, 1),
    (5, 960, 160, true, true, 1),
];

fn activated(output_channels: u32, kernel: u32, activation: Activation) -> Convolution {
    Convolution {
        activation: Some(activation),
        ..Convolution::new(output_channels, kernel)
    }
}

/// Howard et al., *Searching for MobileNetV3*, ICCV 2019, table 1. A fourth of the hidden channels is squeezed to, rounded to a
/// multiple of eight and not below nine tenths of it.
fn mobilenet_v3_large() -> Network {
    let (mut network, image) = NetworkBuilder::new(3, IMAGENET);
    let stem = Convolution {
        stride: 2,
        ..activated(16, 3, Activation::HardSwish)
    };
    let mut map = network.convolve(image, stem);
    for (kernel, hidden, output_channels, squeezes, hard_swish, stride) in MOBILENET_V3_LARGE {
        let activation = if hard_swish {
            Activation::HardSwish
        } else {
            Activation::Relu
        };
        let input = map;
        if hidden != input.shape.channels {
            map = network.convolve(map, activated(hidden, 1, activation));
        }
        let depthwise = Convolution {
            stride,
            groups: hidden,
            ..activated(hidden, kernel, activation)
        };
        map = network.convolve(map, depthwise);
        if squeezes {
            let nearest = (hidden / 4 + 4) / 8 * 8;
            let short = 10 * nearest < 9 * (hidden / 4);
            map = network.squeeze_excite(map, nearest + if short { 8 } else { 0 });
        }
        map = network.convolve(map, Convolution::new(output_channels, 1));
        if map.shape == input.shape {
            map = network.add(map, input);
        }
    }
    let map = network.convolve(map, activated(960, 1, Activation::HardSwish));
    let map = network.pool_globally(map);
    let map = network.linear(map, 1280);
    let map = network.activate(map, Activation::HardSwish);
    let logits = network.linear(map, 1000);
    network.finish(logits)
}

/// torchvision's documentation of `mobilenet_v3_large`: 5,483,032 parameters; table 3 of the paper: 219M multiply-adds.
#[test]
fn mobilenet_v3_large_as_published() {
    let network = mobilenet_v3_large();
    assert_eq!(network.parameters(), 5_483_032);
    let macs = network.macs() as f64;
    assert!((macs / 219e6 - 1.0).abs() < 0.02, "{macs}");
    assert!(network.output_depends_on_input());
    assert_eq!(network.without_dead_nodes(), network);
    // The second block widens 16 channels to 64 on 112x112 pixels and halves the map, without a shortcut: 16 + 64 channels are
    // held, then 64 and a fourth of that, which is as much. The first block's sum holds three maps of 16.
    assert_eq!(network.peak_memory_elements(), 64 * (112 * 112 + 56 * 56));
}

fn biased(output_channels: u32, kernel: u32) -> Convolution {
    Convolution {
        bias: true,
        normalized: false,
        ..activated(output_channels, kernel, Activation::Relu)
    }
}

/// 1x1 convolutions to few channels, and 1x1 and 3x3 ones beside each other on these.
fn fire(network: &mut NetworkBuilder, input: FeatureMap, squeezed: u32, expanded: u32) -> FeatureMap {
    let map = network.convolve(input, biased(squeezed, 1));
    let pointwise = network.convolve(map, biased(expanded, 1));
    let spatial = network.convolve(map, biased(expanded, 3));
    network.concatenate(&[pointwise, spatial])
}

/// SqueezeNet 1.1 (<https://github.com/forresti/SqueezeNet>), `squeezenet1_1` of torchvision.
fn squeezenet() -> Network {
    let (mut network, image) = NetworkBuilder::new(3, IMAGENET);
    let halving = Pooling {
        kind: PoolingKind::Maximum,
        kernel: 3,
        stride: 2,
        padding: 0,
        ceil_mode: true,
    };
    let stem = Convolution {
        stride: 2,
        padding: 0,
        ..biased(64, 3)
    };
    let mut map = network.convolve(image, stem);
    for stage in [
        [(16, 64), (16, 64)].as_slice(),
        &[(32, 128), (32, 128)],
        &[(48, 192), (48, 192), (64, 256), (64, 256)],
    ] {
        map = network.pool(map, halving);
        for &(squeezed, expanded) in stage {
            map = fire(&mut network, map, squeezed, expanded);
        }
    }
    let map = network.convolve(map, biased(1000, 1));
    assert_eq!((map.shape.width, map.shape.height), (13, 13));
    let logits = network.pool_globally(map);
    network.finish(logits)
}

/// torchvision's documentation: 1,235,496 parameters, 0.35 GFLOPS (of one multiply-accumulate each).
#[test]
fn squeezenet_as_published() {
    let network = squeezenet();
    assert_eq!(network.parameters(), 1_235_496);
    assert_eq!((network.macs() as f64 / 1e9 * 100.0).round(), 35.0);
    // The stem gives 64 channels of 111x111, of which pooling makes 55x55.
    assert_eq!(network.peak_memory_elements(), 64 * (111 * 111 + 55 * 55));
    // One stem, three poolings, eight modules of four layers, the last convolution and the mean.
    assert_eq!(network.kernel_launches(), 1 + 3 + 8 * 4 + 2);
    assert_eq!(network.critical_path_layers(), 1 + 3 + 8 * 3 + 2);
}
