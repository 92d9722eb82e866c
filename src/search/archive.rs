//! What a search has seen, kept small: the best design, the front, and how many there were.

use super::pareto::non_dominated;
use super::{Answer, Candidate, Evaluation, Evaluator, Outcome, Problem, StopReason};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::space::Architecture;

/// Axes that a front can have at most, one per metric.
pub(super) const MAX_AXES: usize = Metric::ALL.len();

/// Puts every evaluation to the evaluator, counts it and files it, so that no generation is ever lost.
pub(super) struct Archive<'a> {
    evaluator: &'a dyn Evaluator,
    problem: &'a Problem,
    evaluations: usize,
    best: Option<(Merit, Candidate)>,
    front: Vec<Candidate>,
    front_costs: Vec<[f64; MAX_AXES]>,
}

/// Violation, then cost: feasible designs come before all others, and of those the closest comes first.
type Merit = [f64; 2];

impl<'a> Archive<'a> {
    /// # Errors
    /// [`Error::Invalid`] for a front that names a metric twice.
    pub(super) fn new(evaluator: &'a dyn Evaluator, problem: &'a Problem) -> Result<Self> {
        problem.check_front()?;
        Ok(Archive {
            evaluator,
            problem,
            evaluations: 0,
            best: None,
            front: Vec::new(),
            front_costs: Vec::new(),
        })
    }

    /// Architectures evaluated so far.
    pub(super) fn evaluations(&self) -> usize {
        self.evaluations
    }

    /// Evaluates a batch of architectures that were not evaluated before.
    pub(super) fn evaluate(&mut self, architectures: &[Architecture]) -> Result<Vec<Evaluation>> {
        let evaluations = self.evaluator.evaluate(architectures, &self.problem.limits)?;
        if evaluations.len() != architectures.len() {
            return Err(Error::Invalid {
                what: "evaluator".into(),
                expected: format!("{} evaluations", architectures.len()),
                found: evaluations.len().to_string(),
                hint: "An evaluator answers once for every architecture.".into(),
            });
        }
        evaluations
            .iter()
            .try_for_each(|evaluation| self.problem.check(evaluation))?;
        self.evaluations += architectures.len();
        self.file_best(architectures, &evaluations);
        self.file_front(architectures, &evaluations);
        Ok(evaluations)
    }

    /// What was found, after a search with this budget ended; `exhausted` if no candidate of the space is left.
    pub(super) fn outcome(self, exhausted: bool, budget: usize) -> Outcome {
        let stopped = if exhausted {
            StopReason::SpaceExhausted
        } else if self.evaluations >= budget {
            StopReason::BudgetSpent
        } else {
            StopReason::NothingNew
        };
        let limits = &self.problem.limits;
        let answer = match self.best {
            None => Answer::Nothing,
            Some((_, candidate)) if limits.hold(&candidate.evaluation) => Answer::Feasible(candidate),
            Some((_, candidate)) => Answer::Closest {
                misses: limits.misses(&candidate.evaluation),
                candidate,
            },
        };
        Outcome {
            answer,
            front: self.front,
            evaluations: self.evaluations,
            stopped,
        }
    }

    fn file_best(&mut self, architectures: &[Architecture], evaluations: &[Evaluation]) {
        let mut best_merit = self.best.as_ref().map(|best| best.0);
        let mut best_position = None;
        for (position, evaluation) in evaluations.iter().enumerate() {
            let merit = [
                self.problem.limits.violation(evaluation),
                self.problem.objective.cost(evaluation),
            ];
            if best_merit.is_none_or(|best| merit < best) {
                (best_merit, best_position) = (Some(merit), Some(position));
            }
        }
        if let (Some(merit), Some(position)) = (best_merit, best_position) {
            self.best = Some((merit, candidate(architectures, evaluations, position)));
        }
    }

    fn file_front(&mut self, architectures: &[Architecture], evaluations: &[Evaluation]) {
        let axes = self.problem.front.len();
        if axes == 0 {
            return;
        }
        let known = self.front.len();
        let mut costs = std::mem::take(&mut self.front_costs);
        let mut positions = Vec::new();
        for (position, evaluation) in evaluations.iter().enumerate() {
            if self.problem.limits.hold(evaluation) {
                costs.push(self.problem.costs(evaluation));
                positions.push(position);
            }
        }
        let rows: Vec<&[f64]> = costs.iter().map(|cost| &cost[..axes]).collect();
        let mut kept = non_dominated(&rows);
        // Equal points stand next to each other, the first found first.
        kept.dedup_by(|later, first| costs[*later] == costs[*first]);
        let mut old: Vec<Option<Candidate>> = std::mem::take(&mut self.front).into_iter().map(Some).collect();
        for row in kept {
            let member = match row.checked_sub(known) {
                None => old[row].take(),
                Some(new) => Some(candidate(architectures, evaluations, positions[new])),
            };
            self.front.extend(member);
            self.front_costs.push(costs[row]);
        }
    }
}

fn candidate(architectures: &[Architecture], evaluations: &[Evaluation], position: usize) -> Candidate {
    Candidate {
        architecture: architectures[position].clone(),
        evaluation: evaluations[position],
    }
}

impl Problem {
    /// The costs on the axes of the front; axes that it does not have are zero, which no comparison notices.
    pub(super) fn costs(&self, evaluation: &Evaluation) -> [f64; MAX_AXES] {
        let mut costs = [0.0; MAX_AXES];
        for (cost, &metric) in costs.iter_mut().zip(&self.front) {
            *cost = evaluation
                .value(metric)
                .map_or(f64::INFINITY, |value| metric.cost(value));
        }
        costs
    }
}
