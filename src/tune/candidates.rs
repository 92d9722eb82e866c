//! Which designs may be measured next, and how likely are they to hold each limit?

use std::collections::HashSet;

use super::TuneOptions;
use crate::advisor::Advisor;
use crate::error::Result;
use crate::metric::Metric;
use crate::optimize::{PredictorEvaluator, Proposals, Request};
use crate::predict::DeviceModel;
use crate::search::{Evaluator, Limits};
use crate::space::Architecture;

/// In a space too large to list: designs proposed for every limit.
const PROPOSED: usize = 64;

/// Designs that were neither measured nor refused.
pub(super) struct Candidates {
    architectures: Vec<Architecture>,
    /// Accuracies in percent.
    pub(super) accuracies: Vec<f64>,
    /// `[query][candidate]`: probability that all limits of the query hold.
    pub(super) probabilities: Vec<Vec<f64>>,
}

impl Candidates {
    /// The whole space where it can be listed, else what the optimizer proposes for every query.
    pub(super) fn of(
        advisor: &Advisor,
        device: &DeviceModel,
        options: &TuneOptions,
        queries: &[Limits],
        seen: &HashSet<Architecture>,
    ) -> Result<Candidates> {
        let mut architectures = match advisor.predictor().table() {
            Some(table) => table.architectures.clone(),
            None => proposed(advisor, device, options, queries)?,
        };
        let (space, degenerate) = (advisor.space(), options.request.degenerate);
        architectures.retain(|one| !seen.contains(one) && (degenerate || space.output_depends_on_input(one)));
        let evaluator = PredictorEvaluator::new(advisor.predictor(), device)?;
        let mut accuracies = Vec::new();
        let mut probabilities = Vec::new();
        for limits in queries {
            let evaluations = evaluator.evaluate(&architectures, limits)?;
            accuracies = (evaluations.iter())
                .map(|one| one.value(Metric::Accuracy).unwrap_or_default())
                .collect();
            probabilities.push(evaluations.iter().map(|one| one.feasible_probability).collect());
        }
        Ok(Candidates {
            architectures,
            accuracies,
            probabilities,
        })
    }

    /// The architecture of a candidate, which is none any more.
    pub(super) fn take(&mut self, candidate: usize) -> Architecture {
        for query in &mut self.probabilities {
            query[candidate] = 0.0;
        }
        self.architectures[candidate].clone()
    }
}

fn proposed(
    advisor: &Advisor,
    device: &DeviceModel,
    options: &TuneOptions,
    queries: &[Limits],
) -> Result<Vec<Architecture>> {
    let mut found = HashSet::new();
    let mut architectures = Vec::new();
    for limits in queries {
        let request = Request {
            limits: limits.clone(),
            count: PROPOSED,
            ..options.request.clone()
        };
        let proposals = match advisor.design(device, &request)? {
            Proposals::Feasible(proposals) => proposals,
            Proposals::Closest { proposal, .. } => vec![*proposal],
        };
        let new = proposals.into_iter().map(|one| one.design.architecture);
        architectures.extend(new.filter(|one| found.insert(one.clone())));
    }
    Ok(architectures)
}
