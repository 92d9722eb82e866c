//! A network as a file that others run: ONNX (<https://onnx.ai>), from the same graph that costs are computed from.
//!
//! Dead nodes are gone, zeros are carried on to where they end, and batch normalisation is folded into the convolution before
//! it; on its own it is a depthwise 1x1 convolution, which every runtime has a kernel for. The input is called `input`,
//! `[batch, channels, height, width]`, the output `output`, `[batch, classes]`; both are 32-bit floating point, whatever is
//! computed with between them.
//!
//! Weights are random or trained: those of the architecture, or its part of a once-for-all supernet, whose statistics of
//! normalisation are then taken anew from images before they are folded ([`Weights::read`], [`Weights::recalibrated`]).
//!
//! | Precision | In the file | Operators |
//! |---|---|---|
//! | fp32 | as it is | opset 17 |
//! | fp16 | weights and feature maps are halves, with a `Cast` behind the input and before the output | opset 17 |
//! | int8 | weights and feature maps are bytes, between `QuantizeLinear` and `DequantizeLinear`; ranges of feature maps are those for random inputs; layers that say their bits have as many levels, and chosen ones stay in fp32 | opset 17 |
//! | int4 | weights alone have four bits, before `DequantizeLinear`; computed with is fp32 | opset 21 |
//!
//! What is gained depends on runtime and network. ONNX Runtime 1.31 with one thread of a processor with AVX-512 VNNI runs FBNets
//! and the NAS-Bench-201 cells of 3x3 convolutions 1.2 to 2.1 times as fast in int8 as in fp32, and cells that mostly pool two to
//! three times as slowly: they are conversions more than computation. On processors fp16 and int4 save memory only.

mod calibrate;
mod float_layers;
mod graph;
mod int4;
mod int8;
mod lower;
mod message;
mod parameters;
mod plan;
mod recalibrate;
mod reference;
mod scheme;
mod seeded;
mod stored;
mod supernet;
mod tensor_file;
#[cfg(test)]
mod tests;
mod wanted;
mod weights;

use self::int4::Int4;
use self::int8::{Int8, Numbers};
use self::plan::Plan;
use self::scheme::{Half, Scheme, Single};
use crate::error::{Error, Result};
use crate::space::{Network, Precision, QuantPolicy};

pub use float_layers::FloatLayers;
pub use parameters::{Normalization, Parameters};
pub use recalibrate::Images;
pub use reference::forward;
#[cfg(feature = "cli")]
pub(crate) use stored::name_list;
pub use weights::Weights;

/// The ONNX file of a network for a batch of one.
///
/// ```
/// use edgefit::export::{Weights, onnx};
/// use edgefit::space::{NasBench201, Precision, SearchSpace};
///
/// let cell = NasBench201.parse("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|")?;
/// let network = NasBench201.lower(&cell, NasBench201.default_input(), 10);
/// let file = onnx(&network, Precision::Fp32.into(), &Weights::seeded(0))?;
/// assert!(file.len() as u64 > 4 * network.weight_elements());
/// # Ok::<(), edgefit::error::Error>(())
/// ```
///
/// # Errors
/// [`Error::Invalid`] for a policy that files cannot be written in, for weights of another network, and for trained weights with
/// which feature maps hold what the precision cannot.
pub fn onnx(network: &Network, policy: QuantPolicy, weights: &Weights) -> Result<Vec<u8>> {
    onnx_for_batch(network, policy, weights, 1)
}

/// The ONNX file of a network for batches of this size, which is fixed and at least 1.
///
/// # Errors
/// As [`onnx`].
pub fn onnx_for_batch(network: &Network, policy: QuantPolicy, weights: &Weights, batch: u32) -> Result<Vec<u8>> {
    onnx_keeping_float(network, policy, weights, batch, &FloatLayers::default())
}

/// As [`onnx_for_batch`], with layers that stay in floating point where the network is int8.
///
/// # Errors
/// As [`onnx`]; [`Error::Invalid`] for layers to keep in another precision, and for the number of one that the network does not
/// have.
pub fn onnx_keeping_float(
    network: &Network,
    policy: QuantPolicy,
    weights: &Weights,
    batch: u32,
    float_layers: &FloatLayers,
) -> Result<Vec<u8>> {
    let float_layers = match policy {
        QuantPolicy::Int8Except(groups) => float_layers.with(groups),
        QuantPolicy::Uniform(Precision::Int8) => float_layers.clone(),
        QuantPolicy::Uniform(_) if float_layers.is_empty() => FloatLayers::default(),
        QuantPolicy::Uniform(_) => return Err(nothing_to_keep(policy)),
    };
    let network = network.without_dead_nodes();
    let parameters = weights.of(&network)?;
    let plan = Plan::new(&network, &parameters);
    let scheme: Box<dyn Scheme> = match policy {
        QuantPolicy::Uniform(Precision::Fp32) => Box::new(Single),
        QuantPolicy::Uniform(Precision::Fp16) => {
            // Of random weights nothing is expected but speed.
            if !weights.are_random() {
                calibrate::check_half(&calibrate::ranges(&network, &parameters, &plan)?)?;
            }
            Box::new(Half)
        }
        QuantPolicy::Uniform(Precision::Int8) | QuantPolicy::Int8Except(_) => {
            let ranges = calibrate::ranges(&network, &parameters, &plan)?;
            Box::new(Int8::new(&plan, &ranges, &Numbers::of(&network, &float_layers)?))
        }
        QuantPolicy::Uniform(Precision::Int4) => Box::new(Int4),
        QuantPolicy::Uniform(Precision::Bf16 | Precision::Int16) => return Err(unsupported(policy)),
    };
    Ok(lower::file(&plan, scheme.as_ref(), batch))
}

/// The set of ONNX operators that files in this precision use.
pub fn opset(policy: QuantPolicy) -> i64 {
    let opset = match policy {
        QuantPolicy::Uniform(Precision::Int4) => Int4.opset(),
        QuantPolicy::Uniform(_) | QuantPolicy::Int8Except(_) => Single.opset(),
    };
    opset.0
}

/// The precisions that files can be written in.
pub const PRECISIONS: [Precision; 4] = [Precision::Fp32, Precision::Fp16, Precision::Int8, Precision::Int4];

fn nothing_to_keep(policy: QuantPolicy) -> Error {
    Error::Invalid {
        what: "precision of a network with layers to keep in floating point".into(),
        expected: Precision::Int8.name().into(),
        found: policy.to_string(),
        hint: "Export it as int8, or keep no layers.".into(),
    }
}

fn unsupported(policy: QuantPolicy) -> Error {
    Error::Invalid {
        what: "precision of an exported network".into(),
        expected: PRECISIONS.map(Precision::name).join(", "),
        found: policy.to_string(),
        hint: "Choose one of these, for the design or for the export.".into(),
    }
}
