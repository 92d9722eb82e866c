//! From candidates to proposals: judge them, then choose good ones that differ.

use std::collections::HashSet;

use nalgebra::DMatrix;

use super::Request;
use super::verify::{Judged, PredictorEvaluator, Proposals};
use crate::error::Result;
use crate::predict::{Accuracy, DeviceMetrics, DeviceModel, Predictor, Table};
use crate::search::{Evaluation, Limits, Outcome};
use crate::space::{Architecture, Domain, SearchSpace};

/// Genes that matter in which proposals differ from each other, as long as there are enough such designs.
pub(super) const GENES_APART: usize = 2;
/// Probability that the closest design may lack beyond the nearest one, if it is better for it.
pub(crate) const FEASIBILITY_TOLERANCE: f64 = 0.1;

/// Designs that were judged for one request.
pub(super) struct Candidates<'a> {
    evaluator: PredictorEvaluator<'a>,
    space: &'static dyn SearchSpace,
    request: &'a Request,
    /// Where designs for the device are looked for.
    domain: Domain,
    seen: HashSet<Architecture>,
    found: Vec<Candidate>,
}

struct Candidate {
    architecture: Architecture,
    judged: Judged,
    /// Violation of the limits, then cost; the smaller the better.
    merit: [f64; 2],
}

impl<'a> Candidates<'a> {
    pub(super) fn new(
        evaluator: PredictorEvaluator<'a>,
        space: &'static dyn SearchSpace,
        request: &'a Request,
    ) -> Self {
        Candidates {
            domain: evaluator.predictor().domain_on(evaluator.device()),
            evaluator,
            space,
            request,
            seen: HashSet::new(),
            found: Vec::new(),
        }
    }

    /// Those designs that may be proposed and were not asked for before, in the form that searches look at.
    pub(super) fn fresh(&mut self, designs: Vec<Architecture>) -> Vec<Architecture> {
        let searched_form = |design| self.space.searched_form(self.domain.nearest(&design));
        let mut designs: Vec<Architecture> = designs.into_iter().map(searched_form).collect();
        designs.retain(|design| self.request.admits(self.space, design) && self.seen.insert(design.clone()));
        designs
    }

    /// Judges fresh designs.
    pub(super) fn judge(&mut self, designs: Vec<Architecture>) {
        let judged = self.evaluator.judge(&designs, &self.request.limits);
        for (architecture, judged) in designs.into_iter().zip(judged) {
            self.push(architecture, judged);
        }
    }

    /// As [`Candidates::judge`], of designs that were encoded: at these positions of the bases and accuracies.
    pub(super) fn judge_among(
        &mut self,
        designs: Vec<Architecture>,
        positions: &[usize],
        bases: &DeviceMetrics<DMatrix<f32>>,
        accuracies: &[Accuracy],
    ) {
        let limits = &self.request.limits;
        let judged = self
            .evaluator
            .judge_among(&designs, positions, bases, accuracies, limits);
        for (architecture, judged) in designs.into_iter().zip(judged) {
            self.push(architecture, judged);
        }
    }

    /// Whether any design judged keeps the limits surely enough.
    pub(super) fn any_holds(&self) -> bool {
        self.found.iter().any(|one| one.merit[0] <= 0.0)
    }

    /// The best designs judged, the best first.
    pub(super) fn best(&self, count: usize) -> Vec<Architecture> {
        let mut order: Vec<&Candidate> = self.found.iter().collect();
        order.sort_by(|a, b| compare_merits(&a.merit, &b.merit));
        order.truncate(count);
        order.into_iter().map(|one| one.architecture.clone()).collect()
    }

    /// Goes from the design that misses the computed limits least, if none holds them, to the neighbour that misses them less
    /// again and again, as long as there is one; gives the designs on the way. The policy knows nothing of these limits, so its
    /// samples may be far from them.
    pub(super) fn repairs(&mut self) -> Vec<Architecture> {
        let evaluator = self.evaluator;
        let Some(limits) = self.request.limits.computed() else {
            return Vec::new();
        };
        let miss = |design: &Architecture| limits.violation(&Evaluation::certain(evaluator.computed(design), &limits));
        let nearer = |a: &(f64, Architecture), b: &(f64, Architecture)| a.0.total_cmp(&b.0);
        let found = self.found.iter().map(|one| one.architecture.clone());
        let Some(mut at) = found.map(|one| (miss(&one), one)).min_by(nearer) else {
            return Vec::new();
        };
        let mut steps = Vec::new();
        while at.0 > 0.0 {
            let neighbours = self.space.neighbours(&at.1).into_iter();
            let neighbours = neighbours.filter(|one| self.request.admits(self.space, one));
            match neighbours.map(|one| (miss(&one), one)).min_by(nearer) {
                Some(next) if next.0 < at.0 => at = next,
                Some(_) | None => break,
            }
            steps.push(at.1.clone());
        }
        self.fresh(steps)
    }

    /// Takes a design that was judged elsewhere; returns its index.
    pub(super) fn push(&mut self, architecture: Architecture, judged: Judged) -> usize {
        self.found.push(Candidate {
            architecture,
            merit: self.request.merit(&judged.evaluation),
            judged,
        });
        self.found.len() - 1
    }

    /// Whether there is no design at all.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Proposals for the selected designs; where too few were selected, with the best of the others. All designs here hold
    /// the limits and came in order of merit.
    pub(super) fn chosen(&self, mut selection: Selection) -> Proposals {
        for (index, one) in self.found.iter().enumerate() {
            selection.offer(index, &one.architecture, 1);
        }
        let chosen = selection.positions().into_iter().map(|index| &self.found[index]);
        Proposals::Feasible(
            chosen
                .map(|one| self.evaluator.proposal(one.architecture.clone(), &one.judged))
                .collect(),
        )
    }

    /// The best designs that differ; `None` if nothing was judged.
    pub(super) fn proposals(mut self) -> Option<Proposals> {
        self.found.sort_by(|a, b| {
            let merit = compare_merits(&a.merit, &b.merit);
            merit.then_with(|| a.architecture.cmp(&b.architecture))
        });
        let limits = &self.request.limits;
        let first = self.found.first()?;
        if !limits.hold(&first.judged.evaluation) {
            let closest = self.closest(first);
            return Some(Proposals::Closest {
                proposal: Box::new(self.evaluator.proposal(closest.architecture.clone(), &closest.judged)),
                misses: limits.misses(&closest.judged.evaluation),
            });
        }
        self.found
            .truncate(self.found.partition_point(|one| one.merit[0] <= 0.0));
        let mut selection = Selection::new(self.space, self.request.count);
        for (index, one) in self.found.iter().enumerate() {
            selection.offer(index, &one.architecture, GENES_APART);
        }
        Some(self.chosen(selection))
    }

    /// The design to show when none is feasible: the one that comes nearest, or, where limits hold in expectation and only
    /// lack probability, the best of those that lack hardly more. A network that computes next to nothing often comes
    /// nearest by a hair.
    fn closest<'b>(&'b self, nearest: &'b Candidate) -> &'b Candidate {
        let limits = &self.request.limits;
        let probability = |one: &Candidate| one.judged.evaluation.feasible_probability;
        let as_near = |one: &&Candidate| {
            limits.misses(&one.judged.evaluation).is_empty()
                && probability(one) >= probability(nearest) - FEASIBILITY_TOLERANCE
        };
        let found = self.found.iter().filter(as_near);
        found
            .min_by(|a, b| a.merit[1].total_cmp(&b.merit[1]))
            .unwrap_or(nearest)
    }
}

/// The best designs of an enumerable space by looking at every one, for several requests about one device at the price of
/// one prediction; `None` where the space is too large for that. The counts of the requests are kept, their samples and
/// refinement mean nothing here.
///
/// # Errors
/// As [`PredictorEvaluator::new`], and [`crate::error::Error::Invalid`] for a request about a metric that is not known.
pub fn exhaustive(predictor: &Predictor, device: &DeviceModel, requests: &[Request]) -> Result<Option<Vec<Proposals>>> {
    let evaluators = requests
        .iter()
        .map(|request| PredictorEvaluator::for_request(predictor, device, request))
        .collect::<Result<Vec<_>>>()?;
    let Some(table) = predictor.table() else {
        return Ok(None);
    };
    let computed = |(evaluator, request): (&PredictorEvaluator, &Request)| evaluator.needs_computed(&request.limits);
    let mut all = PredictorEvaluator::new(predictor, device)?;
    if evaluators.iter().zip(requests).any(computed) {
        all = all.with_computed();
    }
    let mut judged = all.judge_all(table, &Limits::none());
    let answers = evaluators.into_iter().zip(requests);
    Ok(answers
        .map(|(evaluator, request)| all_judged(evaluator, table, request, &mut judged))
        .collect())
}

/// The best of all architectures of the table, which were judged under some limits.
pub(super) fn all_judged(
    evaluator: PredictorEvaluator,
    table: &Table,
    request: &Request,
    judged: &mut [Judged],
) -> Option<Proposals> {
    let mut candidates = Candidates::new(evaluator, evaluator.predictor().space, request);
    let all = judged.iter_mut().zip(&table.architectures);
    for (judged, architecture) in all.filter(|(_, one)| request.admits(evaluator.predictor().space, one)) {
        evaluator.rejudge(judged, &request.limits);
        candidates.push(architecture.clone(), *judged);
    }
    candidates.proposals()
}

/// Designs to propose, offered in order of merit: no two isomorphic, and some genes apart as long as there are enough such.
pub(super) struct Selection {
    space: &'static dyn SearchSpace,
    count: usize,
    keys: HashSet<String>,
    chosen: Vec<(usize, Architecture)>,
}

impl Selection {
    pub(super) fn new(space: &'static dyn SearchSpace, count: usize) -> Self {
        Selection {
            space,
            count: count.max(1),
            keys: HashSet::new(),
            chosen: Vec::new(),
        }
    }

    /// Whether there are as many as wanted.
    pub(super) fn is_full(&self) -> bool {
        self.chosen.len() >= self.count
    }

    /// Takes a design if one is still wanted and all chosen before are at least `apart` genes away and not isomorphic to it.
    pub(super) fn offer(&mut self, position: usize, design: &Architecture, apart: usize) {
        let near = |(_, other): &(usize, Architecture)| distance(self.space, design, other) < apart;
        if self.is_full() || self.chosen.iter().any(near) {
            return;
        }
        if self.keys.insert(self.space.isomorphism_key(design)) {
            self.chosen.push((position, design.clone()));
        }
    }

    /// The positions under which the chosen designs were offered, rising.
    pub(super) fn positions(self) -> Vec<usize> {
        let mut positions: Vec<usize> = self.chosen.into_iter().map(|chosen| chosen.0).collect();
        positions.sort_unstable();
        positions
    }
}

/// What a per-device search found, as proposals; `None` if it evaluated nothing.
pub fn searched(
    evaluator: PredictorEvaluator,
    space: &'static dyn SearchSpace,
    outcome: &Outcome,
    request: &Request,
) -> Option<Proposals> {
    let mut candidates = Candidates::new(evaluator, space, request);
    let found = outcome.answer.candidate().into_iter().chain(&outcome.front);
    let found = candidates.fresh(found.map(|one| one.architecture.clone()).collect());
    candidates.judge(found);
    candidates.proposals()
}

/// Which of two is the better, see [`Request::merit`].
pub(crate) fn compare_merits(a: &[f64; 2], b: &[f64; 2]) -> std::cmp::Ordering {
    a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1]))
}

/// Genes that differ and matter in both.
fn distance(space: &dyn SearchSpace, a: &Architecture, b: &Architecture) -> usize {
    let active = space.active_genes(a).into_iter().zip(space.active_genes(b));
    let differ = a.0.iter().zip(&b.0).map(|(a, b)| a != b);
    differ
        .zip(active)
        .filter(|(differ, active)| *differ && active.0 && active.1)
        .count()
}
