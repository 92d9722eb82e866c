//! What the policy writes.

use std::collections::HashSet;

use super::*;

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
    let different: HashSet<&Architecture> = designs.iter().collect();
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
fn a_device_known_in_int8_gets_smaller_designs_in_int8() {
    let request = Request::within(Limits::none());
    let mut quantized = device();
    quantized.precision = space::Precision::Int8.into();
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
