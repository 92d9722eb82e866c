//! What the library's choices are called on the command line.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::compute::Backend;
use crate::evaluate::datasheets::LeaveOut;
use crate::evaluate::predictor::{ProbeChoice, Protocol};
use crate::predict::Ablation;
use crate::proxy::adaproxy::Norm;

/// Lists the values of a choice with their names and what their help says.
macro_rules! named {
    ($choice:ident { $($value:ident: $name:literal, $help:literal;)+ }) => {
        impl ValueEnum for $choice {
            fn value_variants<'a>() -> &'a [Self] {
                &[$($choice::$value),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(match self {
                    $($choice::$value => PossibleValue::new($name).help($help),)+
                })
            }
        }
    };
}

named!(Backend {
    Flex: "flex", "Burn's CPU backend with SIMD kernels";
    Ndarray: "ndarray", "Burn's older CPU backend";
    Wgpu: "wgpu", "GPU, or software Vulkan; needs a build with `--features wgpu`";
});

named!(Protocol {
    Full: "full", "All measurements that are not probes";
    Trimmed: "trimmed", "The middle 80 % by measured value, as in HELP; figures are lower than with `full`";
});

named!(ProbeChoice {
    Random: "random", "At random among what was measured on the device";
    Chosen: "chosen", "As `edgefit probes` chooses, among what was measured on the device";
});

named!(LeaveOut {
    Unit: "unit", "All settings of a hardware unit, so that others of its class are known";
    Class: "class", "All devices of a class, so that none is like those predicted";
});

named!(Ablation {
    Residual: "residual", "What is learned beyond the sum of work at prices, which leaves physics";
    Synthetic: "synthetic", "Synthetic devices";
    Known: "known", "Components around each known device";
    Datasheet: "datasheet", "What a datasheet says of which devices it is like, and of the level";
});

named!(Norm {
    One: "1", "Sum of magnitudes: few weights differ from zero";
    Two: "2", "Euclidean length";
    Infinity: "inf", "Largest magnitude: all weights may differ from zero, none by much";
});
