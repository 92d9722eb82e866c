//! `edgefit search`: the per-device search that amortization replaces, under the same predictor.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use super::Global;
use super::design::{ConstraintArgs, DESIGNS, print_proposals};
use super::device::resolve;
use super::predict::Format;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::optimize::{PredictorEvaluator, Request, searched};
use crate::search::{Problem, StopReason, by_id};
use crate::seed::Seed;
use crate::space::Domain;

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// exhaustive, random or nsga2
    searcher: String,
    /// Checkpoint with a predictor: a folder, or the name of a shipped one, such as nasbench201
    #[arg(long)]
    checkpoint: PathBuf,
    /// Device: an id, a datasheet (.toml), or a device adapted to (.json)
    #[arg(long)]
    device: String,
    #[command(flatten)]
    constraints: ConstraintArgs,
    /// Maximum architectures evaluated [default: 2000, and all for exhaustive]
    #[arg(long)]
    budget: Option<usize>,
    /// Most designs printed: the best that was found, then others of the Pareto front of accuracy and latency
    #[arg(long, default_value_t = DESIGNS)]
    count: usize,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(crate) fn run(args: &SearchArgs, global: &Global) -> Result<ExitCode> {
    let request = args.constraints.request(args.count)?;
    let searcher = by_id(&args.searcher, Seed(global.seed))?;
    let advisor = global.advisor(&args.checkpoint)?;
    let (advisor, device) = resolve(&args.device, advisor, global)?;
    let predictor = advisor.predictor();
    predictor.check_limits(&request.limits)?;
    let evaluator = PredictorEvaluator::for_request(predictor, &device, &request)?;
    let whole = predictor.space.enumerable().map_or(usize::MAX, |listed| listed.size());
    let budget = args
        .budget
        .unwrap_or(if args.searcher == "exhaustive" { whole } else { 2000 });
    let problem = problem(&request, predictor.domain_on(&device));
    let started = Instant::now();
    let outcome = searcher.search(predictor.space, &evaluator, &problem, budget)?;
    global.say(format!(
        "{} evaluations in {:.1} ms",
        outcome.evaluations,
        1e3 * started.elapsed().as_secs_f64()
    ));
    let proposals = searched(evaluator, predictor.space, &outcome, &request).ok_or_else(|| Error::Invalid {
        what: "--budget".into(),
        expected: "at least one evaluation".into(),
        found: budget.to_string(),
        hint: "Raise it.".into(),
    })?;
    let all = match outcome.stopped {
        StopReason::SpaceExhausted => "all ",
        StopReason::BudgetSpent | StopReason::NothingNew => "",
    };
    let scope = format!(
        "the best of {all}{} architectures evaluated, then others of their front of {} and latency",
        outcome.evaluations,
        predictor.score_kind().name()
    );
    let found = [(&device, &proposals)];
    print_proposals(&found, &request, predictor.space, &scope, args.format, global)
}

fn problem(request: &Request, domain: Domain) -> Problem {
    Problem {
        objective: request.objective,
        limits: request.limits.clone(),
        front: vec![Metric::Accuracy, Metric::Latency],
        degenerate: request.degenerate,
        domain,
    }
}
