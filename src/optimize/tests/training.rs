//! What the policy learns, and from what.

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Tensor, TensorData};

use std::collections::HashSet;

use super::elites::Elites;
use super::judged::Judged;
use super::pool::Pool;
use super::*;
use crate::search::{Problem, RandomSearch, Searcher};

#[test]
fn a_policy_learns_a_handful_of_answers_by_heart() {
    let device = device();
    let requests: Vec<Request> = [0.1, 0.3, 0.5, 0.7, 0.9]
        .map(|share| Request::within(limits(Some(share), None, 0.9)))
        .to_vec();
    let best = exhaustive(predictor(), &device, &requests).unwrap().unwrap();
    let answers: Vec<Architecture> = best.iter().map(|one| one.best().design.architecture.clone()).collect();
    let anchors = predictor().bases(&predictor().encode(&optimizer().anchors));
    let queries: Vec<f32> = requests
        .iter()
        .flat_map(|request| optimizer().query(&anchors, &device, request))
        .collect();
    let width = optimizer().shape.width();
    let space = predictor().space;
    let learning = compute().autodiff();
    let sizes = sizes(&optimizer().shape, &config(1), predictor().space);
    let mut policy = sizes.init(&mut Seed(1).stream("init"), &learning);
    let mut optimizer = AdamWConfig::new().init();
    let genes: Vec<&[u8]> = answers.iter().map(|answer| answer.0.as_slice()).collect();
    for _ in 0..200 {
        let inputs = Tensor::<2>::from_data(TensorData::new(queries.clone(), [requests.len(), width]), &learning);
        let loss = policy.loss(inputs, &genes, space, &learning);
        let gradients = GradientsParams::from_grads(loss.backward(), &policy);
        policy = optimizer.step(0.01, policy, gradients);
    }
    let rngs: Vec<_> = (0..requests.len())
        .map(|index| Seed(2).child("a", index).stream("b"))
        .collect();
    let found = decode::decode(&policy.valid(), space, &queries, width, 0, &rngs, &compute());
    let greedy: Vec<Architecture> = found.into_iter().map(|mut designs| designs.remove(0)).collect();
    assert_eq!(greedy, answers);
}

#[test]
fn a_resumed_training_ends_like_an_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(100);
    let straight = with_run(None, false, u64::MAX, |run| fit(predictor(), &config, run)).unwrap();
    let stopped = with_run(Some(folder.path()), false, 2, |run| fit(predictor(), &config, run));
    assert!(matches!(stopped.err().unwrap(), Error::Interrupted { .. }));
    let resumed = with_run(Some(folder.path()), true, u64::MAX, |run| {
        fit(predictor(), &config, run)
    })
    .unwrap();
    assert_eq!(straight.parts().unwrap().0, resumed.parts().unwrap().0);
    let request = Request {
        refinement: 0,
        ..Request::within(limits(Some(0.5), None, 0.9))
    };
    let device = device();
    let designs = |one: &Optimizer| one.decode(predictor(), &[(&device, &request)], Seed(1));
    assert_eq!(designs(&straight), designs(&resumed));
    // Bit for bit: the burnpack bytes name parameters by chance, so the reactions to a query are compared.
    let reaction = |one: &Optimizer| -> Vec<f32> {
        let query: Vec<f32> = (0..one.shape.width()).map(|index| (index as f32).sin()).collect();
        let shape = [1, one.shape.width()];
        let state = one
            .policy
            .read(Tensor::from_data(TensorData::new(query, shape), &compute()));
        let state = one.policy.step(state, net::integers(std::iter::once(0), 1, &compute()));
        let choices = predictor()
            .space
            .choices()
            .iter()
            .map(|&choices| usize::from(choices))
            .sum();
        one.policy
            .logits(state.hidden, 0..choices)
            .into_data()
            .iter::<f32>()
            .collect()
    };
    assert_eq!(reaction(&straight), reaction(&resumed));
}

#[test]
fn an_elite_pool_serves_where_the_space_cannot_be_listed() {
    let optimizer = with_run(None, false, u64::MAX, |run| {
        train::fit_among(predictor(), |_| None, &config(250), run)
    });
    let optimizer = optimizer.unwrap();
    let device = device();
    let evaluator = PredictorEvaluator::new(predictor(), &device).unwrap();
    let (mut found, mut drawn) = (0.0, 0.0);
    for share in [0.2, 0.4, 0.6, 0.8] {
        let request = Request::within(limits(Some(share), None, 0.9));
        let proposals = by_policy(&optimizer, &device, &request, Seed(1));
        assert!(proposals.feasible());
        found += proposals.best().accuracy.percent.mean / 4.0;
        // A random search with as many evaluations: the first choice, 16 samples, 64 for refinement.
        let problem = Problem::most_accurate(request.limits.clone());
        let searched = RandomSearch { seed: Seed(1) }
            .search(predictor().space, &evaluator, &problem, 81)
            .unwrap();
        drawn += searched
            .answer
            .feasible()
            .unwrap()
            .evaluation
            .value(Metric::Accuracy)
            .unwrap()
            / 4.0;
    }
    assert!(found > drawn, "{found} {drawn}");
}

#[test]
fn a_pool_keeps_its_answers_its_elites_and_its_size() {
    let space = predictor().space.enumerable().unwrap();
    let designs: Vec<Architecture> = (0..100).map(|index| space.at(index * 100)).collect();
    let mut pool = Pool::of_designs(predictor(), designs.clone(), vec![0; 100]);
    let mut elites = Elites::new(predictor(), &predictor().bases(&predictor().encode(&designs)), Seed(1));
    elites.offer(&pool.judged);
    // Far fewer than the regions could keep: every one keeps four of them.
    pool.last_answer[10..30].fill(1);
    let answers: Vec<Architecture> = pool.judged.designs[10..30].to_vec();
    // A skip from input to output, so that it is connected.
    let sample = space.at(32);
    let mut rng = Seed(1).stream("refresh");
    let pool = pool.refreshed(predictor(), &mut elites, vec![sample], 1, 1000, &mut rng);
    let kept: HashSet<&Architecture> = pool.judged.designs.iter().collect();
    assert_eq!(kept.len(), pool.judged.designs.len());
    assert!(answers.iter().all(|one| kept.contains(one)));
    assert!(elites.designs().is_subset(&kept));
    // Better ones than any of the hundred were found.
    assert!(pool.judged.accuracy.windows(2).all(|pair| pair[0] >= pair[1]));
    assert!(!designs.contains(&pool.judged.designs[0]));
    // Known of a design is what the predictor says, wherever it comes from.
    let again = Judged::of(predictor(), pool.judged.designs.clone());
    let close = |a: &f32, b: &f32| (a - b).abs() <= 1e-4 * a.abs().max(1.0);
    assert!(
        pool.judged
            .accuracy
            .iter()
            .zip(&again.accuracy)
            .all(|(a, b)| close(a, b))
    );
    let (before, after) = (pool.judged.bases.latency(), again.bases.latency());
    assert!(before.iter().zip(after.iter()).all(|(a, b)| close(a, b)));
    // Where there is less room, elites come first.
    let pool = pool.refreshed(predictor(), &mut elites, Vec::new(), 2, 20, &mut rng);
    assert_eq!(pool.judged.designs.len(), 20);
    let kept = elites.designs();
    assert!(pool.judged.designs.iter().all(|one| kept.contains(one)));
}
