//! Names of the parameters as in `AccelNASBenchNet` of <https://github.com/afzalxo/ANB-DatasetCollection>
//! (`models/accelbenchnet.py`), which are those of torchvision's EfficientNet.

use super::super::{Architecture, LayerNames};
use super::{MobileNetV2, STAGES};

/// In the order in which the network is lowered.
pub(super) fn of_layers(architecture: &Architecture) -> Vec<LayerNames> {
    let mut names = vec![normalised("features.0")];
    for (number, stage) in MobileNetV2::stages(architecture).enumerate() {
        for layer in 0..stage.layers {
            let mut parts = (0..).map(|part| format!("features.{}.{layer}.block.{part}", number + 1));
            let mut next = || parts.next().unwrap_or_default();
            if stage.expansion > 1 {
                names.push(normalised(&next()));
            }
            names.push(normalised(&next()));
            if stage.squeezes {
                let module = next();
                names.extend(["fc1", "fc2"].map(|layer| LayerNames::new(format!("{module}.{layer}"), "")));
            }
            names.push(normalised(&next()));
        }
    }
    names.push(normalised(&format!("features.{}", STAGES + 1)));
    names.push(LayerNames::new("classifier.1", ""));
    names
}

/// Those of a convolution and its normalisation.
fn normalised(module: &str) -> LayerNames {
    LayerNames::new(format!("{module}.0"), format!("{module}.1"))
}
