//! One part of the optimizer alone: what its policy writes and what refinement adds, each without the other and without a
//! look at the whole space, so that it can be said what each of them is worth.

use super::refine::{Refinement, refined};
use super::{Optimizer, PredictorEvaluator, Proposals, Request, nothing_proposed};
use crate::error::Result;
use crate::predict::{DeviceModel, Predictor};
use crate::seed::Seed;
use crate::space::Architecture;

/// Where the designs come from that are verified and refined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The policy: its first choice and its samples.
    Policy,
    /// Uniform draws from the space, as many.
    Random,
}

impl Optimizer {
    /// The best of the designs that `start` gives, after as much refinement as the request allows (none at a refinement of
    /// 0). Unlike [`Optimizer::propose`] it never looks at the whole space.
    ///
    /// # Errors
    /// As [`Optimizer::propose`].
    pub fn propose_from(
        &self,
        start: Start,
        predictor: &Predictor,
        device: &DeviceModel,
        request: &Request,
        seed: Seed,
    ) -> Result<Proposals> {
        self.check(predictor)?;
        let evaluator = PredictorEvaluator::for_request(predictor, device, request)?;
        let designs: Vec<Architecture> = match start {
            Start::Policy => self.decode(predictor, &[(device, request)], seed).concat(),
            Start::Random => {
                let mut rng = seed.stream("random-start");
                (0..=request.samples).map(|_| self.space.sample(&mut rng)).collect()
            }
        };
        let rng = seed.child("refine", 0).stream("neighbours");
        let refinement = Refinement::new(evaluator, request, designs, rng);
        let mut proposals = refined(predictor, vec![refinement]);
        proposals.pop().flatten().ok_or_else(nothing_proposed)
    }
}
