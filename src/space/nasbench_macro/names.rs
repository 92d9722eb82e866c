//! Names of the parameters as in `Network` of <https://github.com/xiusu/NAS-Bench-Macro> (`train/model.py`).

use super::super::{Architecture, LayerNames};
use super::{Block, NasBenchMacro};

/// In the order in which the network is lowered.
pub(super) fn of_layers(architecture: &Architecture) -> Vec<LayerNames> {
    let mut names = vec![LayerNames::new("stem.0", "stem.1")];
    for (place, (block, first)) in NasBenchMacro::blocks(architecture).enumerate() {
        let module = |sequence: &str, convolution: usize| {
            let prefix = format!("features.{place}.{sequence}");
            LayerNames::new(
                format!("{prefix}.{convolution}"),
                format!("{prefix}.{}", convolution + 1),
            )
        };
        match block {
            // Convolution, normalisation, ReLU; twice, and once more without ReLU.
            Block::Bottleneck { .. } => names.extend([0, 3, 6].map(|convolution| module("conv", convolution))),
            Block::Identity if first => names.push(module("downsample", 0)),
            Block::Identity => {}
        }
    }
    names.push(LayerNames::new("out.0", "out.1"));
    names.push(LayerNames::new("classifier", ""));
    names
}
