//! What holds for a trained optimizer as a whole, on a small predictor of the bundled fleet.

use std::sync::atomic::{AtomicU64, Ordering};

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Tensor, TensorData};

use super::*;
use crate::compute::Backend;
use crate::dataset::Dataset;
use crate::metric::PerMetric;
use crate::predict::DeviceMetrics;
use crate::predict::fit::FitOptions;
use crate::predict::train::{Run, TrainingConfig};
use crate::progress::Progress;
use crate::search::{Constraint, ExhaustiveSearch, Limits, Objective, Problem, RandomSearch, Searcher};

fn compute() -> ComputeDevice {
    Backend::Flex.device().unwrap()
}

/// Stops a training after so many of its messages, one of which comes with every epoch.
struct StopAt {
    message: u64,
    messages: AtomicU64,
}

impl Progress for StopAt {
    fn message(&self, _text: &str) {
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.messages.load(Ordering::Relaxed) == self.message
    }
}

fn with_run<T>(state: Option<&Path>, resume: bool, stop_at: u64, work: impl FnOnce(&Run) -> T) -> T {
    work(&Run {
        device: &compute(),
        seed: Seed(4),
        state,
        resume,
        progress: &StopAt {
            message: stop_at,
            messages: AtomicU64::new(0),
        },
    })
}

fn predictor() -> &'static Predictor {
    static PREDICTOR: OnceLock<Predictor> = OnceLock::new();
    PREDICTOR.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/nasbench201-fleet");
        let training = TrainingConfig {
            members: 1,
            hidden: 32,
            epochs: 3,
            ..TrainingConfig::default()
        };
        let options = FitOptions {
            towers: training.clone(),
            // Accuracies that were given stand out from predicted ones unless these are good.
            accuracy: TrainingConfig { epochs: 40, ..training },
            ..FitOptions::default()
        };
        let dataset = Dataset::read(&folder).unwrap();
        with_run(None, false, u64::MAX, |run| {
            crate::predict::fit::fit(&dataset, &options, run)
        })
        .unwrap()
    })
}

fn config(steps: usize) -> OptimizerConfig {
    OptimizerConfig {
        steps,
        state: 32,
        hidden: 48,
        devices_per_step: 8,
        queries_per_device: 16,
        pool: 400,
        ..OptimizerConfig::default()
    }
}

fn optimizer() -> &'static Optimizer {
    static OPTIMIZER: OnceLock<Optimizer> = OnceLock::new();
    OPTIMIZER.get_or_init(|| with_run(None, false, u64::MAX, |run| fit(predictor(), &config(500), run)).unwrap())
}

fn device() -> DeviceModel {
    predictor().known(&predictor().known_devices()[3]).unwrap()
}

/// Share of the latencies and of the energies of the space, from 0 to 1, to limits on them.
fn limits(latency: Option<f64>, energy: Option<f64>, confidence: f64) -> Limits {
    let (table, device) = (predictor().table().unwrap(), device());
    let limit = |metric, model: &MetricModel, basis: &DMatrix<f32>, share| {
        let logs: Vec<f64> = model.predict(basis).iter().map(|one| f64::from(one.mean)).collect();
        Constraint::new(metric, crate::stats::quantile(&logs, share).unwrap().exp()).unwrap()
    };
    let mut constraints = Vec::new();
    constraints
        .extend(latency.map(|share| limit(Metric::Latency, device.metrics.latency(), table.bases.latency(), share)));
    if let (Some(model), Some(basis)) = (device.metrics.get(Metric::Energy), table.bases.get(Metric::Energy)) {
        constraints.extend(energy.map(|share| limit(Metric::Energy, model, basis, share)));
    }
    Limits::new(constraints, confidence).unwrap()
}

/// What the policy writes, refined, without a look at the whole space.
fn propose(request: &Request, seed: u64) -> Proposals {
    by_policy(optimizer(), &device(), request, Seed(seed))
}

fn by_policy(optimizer: &Optimizer, device: &DeviceModel, request: &Request, seed: Seed) -> Proposals {
    optimizer
        .propose_from(Start::Policy, predictor(), device, request, seed)
        .unwrap()
}

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
    let choices = predictor().space.choices();
    let learning = compute().autodiff();
    let sizes = sizes(&optimizer().shape, &config(1), predictor().space);
    let mut policy = sizes.init(&mut Seed(1).stream("init"), &learning);
    let mut optimizer = AdamWConfig::new().init();
    let genes: Vec<u8> = answers.iter().flat_map(|answer| answer.0.clone()).collect();
    for _ in 0..200 {
        let inputs = Tensor::<2>::from_data(TensorData::new(queries.clone(), [requests.len(), width]), &learning);
        let loss = policy.loss(inputs, &genes, choices, &learning);
        let gradients = GradientsParams::from_grads(loss.backward(), &policy);
        policy = optimizer.step(0.01, policy, gradients);
    }
    let rngs: Vec<_> = (0..requests.len())
        .map(|index| Seed(2).child("a", index).stream("b"))
        .collect();
    let found = decode::decode(&policy.valid(), choices, &queries, width, 0, &rngs, &compute());
    let greedy: Vec<Architecture> = found.into_iter().map(|mut designs| designs.remove(0)).collect();
    assert_eq!(greedy, answers);
}

#[test]
fn proposals_hold_the_limits_with_the_required_confidence() {
    for (latency, energy, confidence) in [
        (Some(0.5), None, 0.9),
        (None, Some(0.6), 0.8),
        (Some(0.6), Some(0.6), 0.95),
    ] {
        let limits = limits(latency, energy, confidence);
        let Proposals::Feasible(proposals) = propose(
            &Request {
                count: 5,
                ..Request::within(limits.clone())
            },
            1,
        ) else {
            panic!("{limits:?} can be met");
        };
        assert_eq!(proposals.len(), 5);
        let mut keys = std::collections::HashSet::new();
        for proposal in &proposals {
            // From the predictor itself, by way of an encoding and not of the table.
            let design = [proposal.design.architecture.clone()];
            let encoded = predictor().encode(&design);
            let bases = predictor().bases(&encoded);
            let mut probability = 1.0;
            for constraint in limits.constraints() {
                let device = device();
                let model = device.metrics.get(constraint.metric()).unwrap();
                let basis = bases.get(constraint.metric()).unwrap();
                probability *= model.probability_below(model.predict(basis)[0], constraint.limit());
            }
            assert!((probability - proposal.feasible_probability).abs() < 1e-3);
            assert!(proposal.feasible_probability >= confidence);
            let latency = proposal.metrics.latency();
            assert!(latency.low < latency.mean && latency.mean < latency.high);
            assert_eq!(proposal.design, device().design(design[0].clone()));
            assert!(keys.insert(predictor().space.isomorphism_key(&design[0])));
        }
        let falling = |pair: &[Proposal]| pair[0].accuracy.percent.mean >= pair[1].accuracy.percent.mean;
        assert!(proposals.windows(2).all(falling));
    }
}

#[test]
fn the_policy_comes_close_to_the_best_of_all() {
    let requests: Vec<Request> = (1..10)
        .map(|tenth| Request::within(limits(Some(f64::from(tenth) / 10.0), None, 0.9)))
        .collect();
    let best = exhaustive(predictor(), &device(), &requests).unwrap().unwrap();
    let regrets: Vec<f64> = requests
        .iter()
        .zip(best)
        .map(|(request, best)| best.best().accuracy.percent.mean - propose(request, 1).best().accuracy.percent.mean)
        .collect();
    assert!(regrets.iter().all(|regret| *regret >= 0.0), "{regrets:?}");
    // The whole space is 1 % to about 75 %; a tenth of the usual training, of a small policy, leaves at most a point.
    let mean = regrets.iter().sum::<f64>() / regrets.len() as f64;
    assert!(mean < 1.0, "{regrets:?}");
}

#[test]
fn an_unreachable_limit_gets_the_closest_design() {
    let least = limits(Some(0.0), None, 0.9).constraints()[0].limit();
    let limit = Constraint::new(Metric::Latency, least / 4.0).unwrap();
    let request = Request::within(Limits::new(vec![limit], 0.9).unwrap());
    let Proposals::Closest { proposal, misses } = propose(&request, 1) else {
        panic!("nothing is four times as fast as the fastest");
    };
    assert_eq!(misses.len(), 1);
    let relative = proposal.metrics.latency().mean / (least / 4.0) - 1.0;
    assert!((misses[0].relative - relative).abs() < 1e-9 && relative >= 3.0 - 1e-6);
    let exact = exhaustive(predictor(), &device(), &[request])
        .unwrap()
        .unwrap()
        .remove(0);
    // Within a quarter of the fastest design there is.
    assert!(proposal.metrics.latency().mean <= exact.best().metrics.latency().mean * 1.25);
}

#[test]
fn an_accuracy_out_of_reach_is_a_miss_too() {
    let accuracy = Constraint::new(Metric::Accuracy, 99.9).unwrap();
    let request = Request::within(Limits::new(vec![accuracy], 0.9).unwrap());
    match propose(&request, 1) {
        Proposals::Closest { misses, .. } => assert_eq!(misses[0].constraint.metric(), Metric::Accuracy),
        Proposals::Feasible(proposals) => panic!("{proposals:?}"),
    }
}

#[test]
fn the_policy_writes_valid_designs_none_twice() {
    let (device, request) = (
        device(),
        Request {
            samples: 40,
            ..Request::within(limits(Some(0.5), None, 0.9))
        },
    );
    let designs = optimizer()
        .decode(predictor(), &[(&device, &request)], Seed(3))
        .remove(0);
    assert!((40..=41).contains(&designs.len()));
    let different: std::collections::HashSet<&Architecture> = designs.iter().collect();
    assert_eq!(different.len(), designs.len());
    assert!(designs.iter().all(|design| predictor().space.contains(design)));
}

#[test]
fn the_same_seed_proposes_the_same_alone_and_in_a_batch() {
    let request = Request {
        count: 3,
        ..Request::within(limits(Some(0.4), None, 0.9))
    };
    let other = Request {
        samples: 3,
        ..Request::within(limits(Some(0.8), None, 0.5))
    };
    let device = device();
    let alone = propose(&request, 7);
    assert_eq!(alone, propose(&request, 7));
    let queries = [(&device, &request), (&device, &other)];
    let evaluators =
        queries.map(|(device, request)| PredictorEvaluator::for_request(predictor(), device, request).unwrap());
    let batch = optimizer().propose_by_policy(predictor(), &queries, evaluators.to_vec(), Seed(7));
    assert_eq!(batch[0], alone);
    assert_eq!(batch.len(), 2);
}

#[test]
fn parts_restore_the_same_optimizer() {
    let (text, weights) = optimizer().parts().unwrap();
    let place = Path::new("somewhere");
    let restored = Optimizer::from_parts(&text, &weights, place, &compute()).unwrap();
    let request = Request {
        count: 4,
        ..Request::within(limits(Some(0.4), Some(0.7), 0.9))
    };
    let again = by_policy(&restored, &device(), &request, Seed(1));
    assert_eq!(again, propose(&request, 1));
    for (text, weights) in [
        ("{}", &weights[..]),
        (&text, &weights[..weights.len() / 2]),
        (&text, &[]),
    ] {
        let failure = Optimizer::from_parts(text, weights, place, &compute()).err().unwrap();
        assert!(matches!(failure, Error::Checkpoint { .. }), "{failure}");
    }
}

#[test]
fn a_heavier_weight_buys_latency_with_accuracy() {
    let typical = limits(Some(0.5), None, 0.9).constraints()[0].limit();
    let weighted = |points_per_typical: f64| Request {
        objective: Objective::new([(Metric::Latency, points_per_typical / typical)]).unwrap(),
        ..Request::default()
    };
    let requests = [0.0, 0.3, 3.0, 300.0].map(weighted);
    let exact = exhaustive(predictor(), &device(), &requests).unwrap().unwrap();
    // The optimum's latency and accuracy fall together as the weight grows, whatever the space.
    for pair in exact.windows(2) {
        assert!(pair[1].best().metrics.latency().mean <= pair[0].best().metrics.latency().mean);
        assert!(pair[1].best().accuracy.percent.mean <= pair[0].best().accuracy.percent.mean);
    }
    for (request, exact) in requests.iter().zip(&exact).take(3) {
        let found = propose(request, 1);
        let score = |one: &Proposal| {
            one.accuracy.percent.mean - request.objective.weight(Metric::Latency) * one.metrics.latency().mean
        };
        let regret = score(exact.best()) - score(found.best());
        assert!((-1e-9..2.0).contains(&regret), "{request:?}: {regret}");
    }
    let (free, dear) = (propose(&requests[0], 1), propose(&requests[3], 1));
    assert!(dear.best().metrics.latency().mean < 0.8 * free.best().metrics.latency().mean);
}

#[test]
fn a_metric_that_is_not_known_cannot_be_limited() {
    let mut device = device();
    device.metrics = DeviceMetrics::new(device.metrics.latency().clone());
    let request = Request::within(limits(None, Some(0.5), 0.9));
    let failure = optimizer()
        .propose(predictor(), &device, &request, Seed(1))
        .unwrap_err();
    assert!(failure.to_string().starts_with("energy: expected"), "{failure}");
    let mut stranger = device.clone();
    stranger.predictor = "another".into();
    let failure = optimizer()
        .propose(predictor(), &stranger, &Request::default(), Seed(1))
        .unwrap_err();
    assert!(failure.to_string().contains("Adapt the device again"), "{failure}");
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
        let (_, logits) = one.policy.step(state, net::integers(std::iter::once(0), 1, &compute()));
        logits.into_data().iter::<f32>().collect()
    };
    assert_eq!(reaction(&straight), reaction(&resumed));
}

#[test]
fn searchers_and_the_pass_over_the_table_agree() {
    let (device, limits) = (device(), limits(Some(0.3), None, 0.9));
    let evaluator = PredictorEvaluator::new(predictor(), &device).unwrap();
    let problem = Problem::most_accurate(limits.clone());
    let outcome = ExhaustiveSearch
        .search(predictor().space, &evaluator, &problem, usize::MAX)
        .unwrap();
    let best = exhaustive(predictor(), &device, &[Request::within(limits)])
        .unwrap()
        .unwrap();
    let searched = outcome.answer.feasible().unwrap().evaluation;
    assert_eq!(
        searched.value(Metric::Accuracy),
        Some(best[0].best().accuracy.percent.mean)
    );
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
        // A random search with as many evaluations: the first choice, 16 samples, 200 for refinement.
        let problem = Problem::most_accurate(request.limits.clone());
        let searched = RandomSearch { seed: Seed(1) }
            .search(predictor().space, &evaluator, &problem, 217)
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
fn a_pool_keeps_its_answers_and_its_size() {
    let space = predictor().space.enumerable().unwrap();
    let designs: Vec<Architecture> = (0..100).map(|index| space.at(index * 100)).collect();
    let mut pool = pool::Pool::of_designs(predictor(), designs, vec![0; 100]);
    pool.last_answer[10..30].fill(1);
    let answers: Vec<Architecture> = pool.designs[10..30].to_vec();
    // A skip from input to output, so that it is connected.
    let sample = space.at(32);
    let pool = pool.refresh(predictor(), vec![sample.clone()], 1, 50, &mut Seed(1).stream("refresh"));
    assert_eq!(pool.designs.len(), 100);
    assert!(answers.iter().chain([&sample]).all(|one| pool.designs.contains(one)));
    // Fifty of a hundred were replaced.
    assert_eq!(
        pool.designs.iter().filter(|one| space.index(one) % 100 == 0).count(),
        50
    );
    assert!(pool.accuracy.windows(2).all(|pair| pair[0] >= pair[1]));
}

/// A device that is known from a few probes, so that predictions differ in how sure they are.
fn adapted() -> DeviceModel {
    let space = predictor().space.enumerable().unwrap();
    let like = predictor().known(&predictor().known_devices()[12]).unwrap();
    let probes: Vec<Architecture> = [700, 3_000, 7_812, 11_000, 15_000]
        .map(|index| space.at(index))
        .to_vec();
    let measured = predictor().predict(&like, &probes).unwrap();
    let datasheet = crate::device::Device::named("new");
    let probes: Vec<crate::predict::Probe> = measured
        .into_iter()
        .map(|one| crate::predict::Probe {
            design: one.design,
            values: one.metrics.map(|_, estimate| 1.3 * estimate.mean).into(),
        })
        .collect();
    predictor().adapt(&datasheet, &probes, Seed(1)).unwrap()
}

fn size(computed: &PerMetric<f64>) -> f64 {
    *computed.get(Metric::ModelSize).unwrap()
}

/// A maximum that this share of the connected architectures keeps.
fn size_limit(share: f64) -> Constraint {
    let table = predictor().table().unwrap();
    let computed = predictor().computed_of_table(table, device().precision.into());
    let all = computed.iter().zip(&table.architectures);
    let connected = all.filter(|(_, one)| predictor().space.output_depends_on_input(one));
    let sizes: Vec<f64> = connected.map(|(computed, _)| size(computed)).collect();
    Constraint::new(Metric::ModelSize, crate::stats::quantile(&sizes, share).unwrap()).unwrap()
}

fn designs(proposals: &Proposals) -> Vec<space::Design> {
    match proposals {
        Proposals::Feasible(proposals) => proposals.iter().map(|one| one.design.clone()).collect(),
        Proposals::Closest { proposal, .. } => vec![proposal.design.clone()],
    }
}

#[test]
fn where_a_space_can_be_listed_designs_are_those_of_an_exhaustive_search() {
    let accuracy = |percent| Constraint::new(Metric::Accuracy, percent).unwrap();
    let latency = |share| limits(Some(share), None, 0.9).constraints()[0];
    let energy = |share| limits(None, Some(share), 0.9).constraints()[0];
    let within = |constraints: Vec<Constraint>, confidence| Limits::new(constraints, confidence).unwrap();
    let mut limits: Vec<Limits> = [0.0, 0.003, 0.02, 0.1, 0.4, 0.7, 0.99]
        .map(|share| within(vec![latency(share)], 0.9))
        .to_vec();
    limits.extend([0.01, 0.2, 0.5, 0.99, 1.0].map(|confidence| within(vec![latency(0.3)], confidence)));
    limits.extend([
        Limits::none(),
        within(vec![energy(0.1)], 0.9),
        within(vec![latency(0.3), energy(0.2)], 0.95),
        within(vec![latency(0.1), size_limit(0.05)], 0.9),
        within(vec![size_limit(0.001)], 0.9),
        within(vec![latency(0.5), accuracy(60.0)], 0.9),
        within(vec![accuracy(99.9)], 0.9),
        within(
            vec![latency(0.5), Constraint::new(Metric::ModelSize, 1e-9).unwrap()],
            0.9,
        ),
    ]);
    let weights = [
        Objective::default(),
        Objective::new([(Metric::Latency, 0.3)]).unwrap(),
        Objective::new([(Metric::Energy, 0.05), (Metric::ModelSize, 2.0)]).unwrap(),
    ];
    for device in [device(), adapted()] {
        for (count, objective) in [1, 5, 40].into_iter().zip(weights) {
            let requests: Vec<Request> = limits
                .iter()
                .map(|limits| Request {
                    objective,
                    count,
                    ..Request::within(limits.clone())
                })
                .collect();
            let queries: Vec<(&DeviceModel, &Request)> = requests.iter().map(|request| (&device, request)).collect();
            let found = optimizer().propose_batch(predictor(), &queries, Seed(1)).unwrap();
            let exact = exhaustive(predictor(), &device, &requests).unwrap().unwrap();
            for ((request, found), exact) in requests.iter().zip(&found).zip(&exact) {
                assert_eq!(found.feasible(), exact.feasible(), "{request:?}");
                assert_eq!(designs(found), designs(exact), "{request:?}");
            }
        }
    }
}

#[test]
fn tight_limits_on_the_size_are_met_from_any_start() {
    for share in [0.3, 0.02, 0.002] {
        let limit = size_limit(share);
        let request = Request {
            count: 3,
            ..Request::within(Limits::new(vec![limit], 0.9).unwrap())
        };
        let whole = optimizer().propose(predictor(), &device(), &request, Seed(1)).unwrap();
        let starts = [Start::Policy, Start::Random].map(|start| {
            optimizer()
                .propose_from(start, predictor(), &device(), &request, Seed(1))
                .unwrap()
        });
        for found in starts.iter().chain([&whole]) {
            let Proposals::Feasible(proposals) = found else {
                panic!("{share} of the space is smaller than {limit:?}");
            };
            for proposal in proposals {
                assert!(size(&proposal.computed) <= limit.limit());
                // It holds or it does not; there is no probability in between.
                assert_eq!(proposal.feasible_probability, 1.0);
            }
        }
        assert!(starts[0].best().accuracy.percent.mean <= whole.best().accuracy.percent.mean);
    }
}

#[test]
fn every_searcher_keeps_a_limit_on_what_is_computed() {
    let (device, limit) = (device(), size_limit(0.1));
    let evaluator = PredictorEvaluator::new(predictor(), &device).unwrap().with_computed();
    let problem = Problem {
        front: vec![Metric::Accuracy, Metric::Latency, Metric::ModelSize, Metric::Macs],
        ..Problem::most_accurate(Limits::new(vec![limit], 0.9).unwrap())
    };
    for searcher in crate::search::all(Seed(1)) {
        let outcome = searcher.search(predictor().space, &evaluator, &problem, 1_000).unwrap();
        assert!(!outcome.front.is_empty(), "{}", searcher.id());
        for candidate in &outcome.front {
            let size = size(&predictor().computed(&device.design(candidate.architecture.clone())));
            assert!(size <= limit.limit(), "{}", searcher.id());
            assert_eq!(candidate.evaluation.value(Metric::ModelSize), Some(size));
        }
    }
}

#[test]
fn a_device_known_in_int8_gets_smaller_designs_in_int8() {
    let request = Request::within(Limits::none());
    let mut quantized = device();
    quantized.precision = space::Precision::Int8;
    let of = |device| {
        let found = optimizer().propose(predictor(), device, &request, Seed(1)).unwrap();
        found.best().clone()
    };
    let (full, quantized) = (of(&device()), of(&quantized));
    assert_eq!(full.design.policy, space::Precision::Fp32.into());
    assert_eq!(quantized.design.policy, space::Precision::Int8.into());
    // A quarter, but for the biases, which stay in 32 bits.
    let ratio = size(&quantized.computed) / size(&full.computed);
    assert!((0.25..0.3).contains(&ratio), "{ratio}");
    assert_eq!(full.computed.get(Metric::Macs), quantized.computed.get(Metric::Macs));
}
