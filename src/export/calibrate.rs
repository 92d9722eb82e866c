//! The ranges of feature maps, from running the network once.

use std::collections::HashMap;

use burn::tensor::{Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};

use super::parameters::Parameters;
use super::plan::Plan;
use super::reference::{Stage, run};
use crate::compute::Backend;
use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::space::Network;

/// Inputs that ranges are taken from.
const INPUTS: usize = 4;

/// Least and most of every step's output, over random inputs of mean 0 and variance 1, as images have once they are
/// normalised.
///
/// # Errors
/// [`Error::Invalid`] where a value is no finite number.
pub(super) fn ranges(network: &Network, parameters: &[Parameters], plan: &Plan) -> Result<Vec<(f32, f32)>> {
    let mut found: HashMap<(usize, Stage), (f32, f32)> = HashMap::new();
    let input = random_input(network, INPUTS)?;
    run(network, parameters, input, |node, stage, value| {
        found.insert((node, stage), extremes(value));
    });
    let of_step = |value: Option<(usize, Stage)>| {
        let range = value.map_or(Some((0.0, 0.0)), |value| found.get(&value).copied());
        range
            .filter(|(least, most)| least.is_finite() && most.is_finite())
            .ok_or_else(not_finite)
    };
    plan.steps.iter().map(|step| of_step(step.value)).collect()
}

/// Refuses feature maps that 16-bit floating point would make infinite.
///
/// # Errors
/// [`Error::Invalid`].
pub(super) fn check_half(ranges: &[(f32, f32)]) -> Result<()> {
    let largest = ranges
        .iter()
        .fold(0.0_f32, |largest, (least, most)| largest.max(-least).max(*most));
    if largest <= half::f16::MAX.to_f32() {
        return Ok(());
    }
    Err(Error::Invalid {
        what: "feature maps of the network".into(),
        expected: "at most 65504, the largest number of fp16, for random inputs of mean 0 and variance 1".into(),
        found: format!("{largest:.0}"),
        hint: "Export it in another precision.".into(),
    })
}

/// So many inputs of a network, always the same.
fn random_input(network: &Network, count: usize) -> Result<Tensor<4>> {
    let shape = network.nodes().next().map(|node| node.layer.output);
    let dims = shape.map_or([count, 1, 1, 1], |shape| {
        let [channels, height, width] = [shape.channels, shape.height, shape.width].map(|extent| extent as usize);
        [count, channels, height, width]
    });
    let drawn = StandardNormal.sample_iter(Seed(0).stream("calibration inputs"));
    let values: Vec<f32> = drawn.take(dims.iter().product()).collect();
    Ok(Tensor::from_data(
        TensorData::new(values, dims),
        &Backend::Flex.device()?,
    ))
}

/// The least and the greatest element; neither is a number where one element is none.
fn extremes(value: &Tensor<4>) -> (f32, f32) {
    let elements = value.to_data();
    elements
        .iter::<f32>()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), element| {
            if element.is_nan() || least.is_nan() {
                (f32::NAN, f32::NAN)
            } else {
                (least.min(element), most.max(element))
            }
        })
}

fn not_finite() -> Error {
    Error::Invalid {
        what: "feature maps of the network".into(),
        expected: "finite numbers for random inputs of mean 0 and variance 1".into(),
        found: "values that are none".into(),
        hint: "Check the weights; without any, random ones are used.".into(),
    }
}
