//! Names of the parameters as in the authors' program: `TinyNetwork` and `InferCell` of
//! <https://github.com/D-X-Y/AutoDL-Projects> (`xautodl/models`), which NATS-Bench's published weights are those of.

use super::super::LayerNames;
use super::lowering::{CELLS_PER_STAGE, STAGE_CHANNELS, live_edges};
use super::{NOR_CONV_1X1, NOR_CONV_3X3};

/// Of the network as written, in the order in which it is lowered.
pub(super) fn of_layers(genes: &[u8]) -> Vec<LayerNames> {
    let live = live_edges(genes);
    let mut names = vec![LayerNames::new("stem.0", "stem.1")];
    let mut cell = 0;
    for stage in 0..STAGE_CHANNELS.len() {
        if stage > 0 {
            names.push(rectified(&format!("cells.{cell}.conv_a")));
            names.push(rectified(&format!("cells.{cell}.conv_b")));
            names.push(LayerNames::new(format!("cells.{cell}.downsample.1"), ""));
            cell += 1;
        }
        for _ in 0..CELLS_PER_STAGE {
            // The layers of a cell are its edges, whatever they carry.
            for (edge, gene) in genes.iter().enumerate() {
                if matches!(*gene, NOR_CONV_1X1 | NOR_CONV_3X3) {
                    names.push(LayerNames {
                        dead: !live[edge],
                        ..rectified(&format!("cells.{cell}.layers.{edge}"))
                    });
                }
            }
            cell += 1;
        }
    }
    names.push(LayerNames {
        weights: None,
        normalization: Some("lastact.0".into()),
        dead: false,
    });
    names.push(LayerNames::new("classifier", ""));
    names
}

/// Those of a `ReLUConvBN`: a sequence of three.
fn rectified(module: &str) -> LayerNames {
    LayerNames::new(format!("{module}.op.1"), format!("{module}.op.2"))
}
