use super::*;
use crate::dataset::Origin;
use crate::files::LockedFolder;
use crate::metric::Metric;
use crate::predict::Knowledge;
use crate::search::Constraint;
use crate::space::{Design, Precision};

#[test]
fn an_advisor_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Advisor>();
    shared::<DeviceModel>();
    shared::<Proposals>();
}

fn advisor() -> Advisor {
    Advisor::open("nasbench201").unwrap()
}

#[test]
fn a_datasheet_with_a_known_id_has_to_be_the_known_one() {
    let advisor = advisor();
    let known = catalogue::find("pixel3").unwrap();
    assert_eq!(advisor.describe(&known).unwrap(), advisor.device("pixel3").unwrap());
    // An id alone contradicts nothing.
    let named = advisor.describe(&Device::named("pixel3")).unwrap();
    assert_eq!(named, advisor.device("pixel3").unwrap());
    let faster = Device {
        peak_gflops: known.peak_gflops.map(|peak| 10.0 * peak),
        ..known
    };
    let message = advisor.describe(&faster).unwrap_err().to_string();
    assert!(message.contains("datasheet of device `pixel3`"), "{message}");
    assert!(message.contains("another id"), "{message}");
    let renamed = Device {
        id: "my-pixel".into(),
        ..faster
    };
    assert_eq!(advisor.describe(&renamed).unwrap().id, "my-pixel");
}

#[test]
fn designs_of_a_space_that_is_listed_need_no_optimizer() {
    let shipped = advisor();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alone");
    let alone = shipped.predictor.with_accuracy(shipped.predictor.accuracy.clone());
    Checkpoint::save_predictor(&LockedFolder::open(&path).unwrap(), alone, &[]).unwrap();
    let alone = Advisor::open(&path).unwrap();
    assert!(alone.optimizer().is_err());
    let request = Request::at_most(Metric::Latency, 10.0).unwrap();
    let best = |advisor: &Advisor| {
        let device = advisor.device("pixel3").unwrap();
        advisor.design(&device, &request).unwrap().best().design.clone()
    };
    assert_eq!(best(&alone), best(&shipped));
    let device = alone.device("pixel3").unwrap();
    assert_eq!(
        alone.pareto(&device, &Request::default(), &[5.0, 10.0]).unwrap().len(),
        2
    );
}

#[test]
fn looser_limits_never_cost_accuracy() {
    let advisor = advisor();
    let device = advisor.device("pixel3").unwrap();
    let limits = advisor.typical_limits(&device, 5).unwrap();
    assert!(limits.len() == 5 && limits.is_sorted(), "{limits:?}");
    for count in [0, usize::MAX] {
        let message = advisor.typical_limits(&device, count).unwrap_err().to_string();
        assert!(message.contains("number of limits: expected 1 to 1000"), "{message}");
    }
    let points = advisor.pareto(&device, &Request::default(), &limits).unwrap();
    let accuracies: Vec<f64> = (points.iter().filter(|point| point.proposals.feasible()))
        .map(|point| point.proposals.best().accuracy.percent.mean)
        .collect();
    assert!(accuracies.len() >= 4 && accuracies.is_sorted(), "{accuracies:?}");
    assert!(advisor.pareto(&device, &Request::default(), &[10.0, -1.0]).is_err());
}

#[test]
fn probes_are_between_one_and_the_whole_space() {
    let advisor = advisor();
    for count in [0, 15_626, usize::MAX] {
        let message = advisor.choose_probes(count).unwrap_err().to_string();
        assert!(message.contains("number of probes: expected 1 to 15625"), "{message}");
    }
    let chosen = advisor.choose_probes(3).unwrap();
    assert_eq!((chosen.architectures.len(), chosen.expected_errors.len()), (3, 5));
}

/// MobileNet-V3 on a machine that takes 1 ms and 0.1 ms for every million MACs in fp32, with sixteen times the peak at int8.
fn two_settings() -> &'static (Advisor, [DeviceModel; 2]) {
    static BOTH: OnceLock<(Advisor, [DeviceModel; 2])> = OnceLock::new();
    BOTH.get_or_init(|| {
        let advisor = Advisor::open("mobilenet_v3").unwrap();
        let machine = Device {
            class: Some("mobile-cpu".into()),
            peak_gflops: Some(25.0),
            precision: Some(Precision::Fp32.into()),
            precisions: vec![Precision::Fp32, Precision::Int8],
            ..Device::named("machine")
        };
        let mut rng = Seed(4).stream("probes");
        let probe = |_| {
            let one = advisor.space().sample(&mut rng);
            let macs = advisor
                .predictor()
                .computed(&Design::uniform(one.clone(), Precision::Fp32));
            let latency_ms = 1.0 + 0.1 * macs.get(Metric::Macs).unwrap();
            Probe::new(one, &machine, [(Metric::Latency, latency_ms)].into_iter().collect())
        };
        let probes: Vec<Probe> = (0..5).map(probe).collect();
        let fp32 = advisor.adapt(&machine, &probes).unwrap();
        let int8 = advisor
            .at_precision(&fp32, Precision::Int8.into(), Some(400.0))
            .unwrap();
        (advisor, [fp32, int8])
    })
}

/// What all networks of MobileNet-V3 lose at int8, see the formula of the prior.
const DROP: f64 = 10.42 / 256.0 + 0.70;

#[test]
fn of_several_settings_the_more_accurate_one_within_the_limit_wins() {
    let (advisor, settings) = two_settings();
    let specified = (settings[1].knowledge, settings[1].id.as_str());
    assert_eq!(specified, (Knowledge::Specifications, "machine_int8"));
    let within = |limit_ms: f64| Request {
        limits: Limits::new(vec![Constraint::new(Metric::Latency, limit_ms).unwrap()], 0.5).unwrap(),
        ..Request::default()
    };
    let best = |request: &Request| advisor.design_among(settings, request).unwrap().remove(0);
    let loose = best(&Request::default());
    assert_eq!((loose.setting, loose.proposals.best().accuracy.drop), (0, 0.0));
    let alone = advisor.design(&settings[1], &Request::default()).unwrap();
    let quantized = alone.best();
    assert!(
        (quantized.accuracy.drop - DROP).abs() < 1e-9,
        "{}",
        quantized.accuracy.drop
    );
    assert_eq!(quantized.accuracy.origin, Origin::Simulated);
    assert_eq!(quantized.design.policy, Precision::Int8.into());
    // What the best network takes at int8 is no limit for it there, and one for every network as good in fp32.
    let tight = within(1.05 * quantized.metrics.latency().mean);
    let found = best(&tight);
    assert!(found.setting == 1 && found.proposals.feasible());
    let fp32 = advisor.design(&settings[0], &tight).unwrap();
    assert!(!fp32.feasible() || fp32.best().accuracy.percent.mean < found.proposals.best().accuracy.percent.mean);
    // A front takes each where it is better, and every answer says which.
    let limits = [1.05 * quantized.metrics.latency().mean, 1e4];
    let points = advisor.pareto_among(settings, &within(1e6), &limits).unwrap();
    let taken: Vec<(f64, usize)> = points.iter().map(|point| (point.limit_ms, point.setting)).collect();
    assert_eq!(taken, [(limits[0], 1), (limits[1], 0)]);
}

#[test]
fn a_least_accuracy_is_that_after_the_drop() {
    let (advisor, [fp32, int8]) = two_settings();
    let best = advisor
        .design(fp32, &Request::default())
        .unwrap()
        .best()
        .accuracy
        .percent
        .mean;
    let least = Request {
        limits: Limits::new(vec![Constraint::new(Metric::Accuracy, best - 0.5).unwrap()], 0.5).unwrap(),
        ..Request::default()
    };
    assert!(advisor.design(fp32, &least).unwrap().feasible());
    assert!(!advisor.design(int8, &least).unwrap().feasible());
    // The other way round the closest of all is told, with its setting.
    let unreachable = Request {
        limits: Limits::new(vec![Constraint::new(Metric::Accuracy, 99.0).unwrap()], 0.5).unwrap(),
        ..Request::default()
    };
    let closest = advisor
        .design_among(&[int8.clone(), fp32.clone()], &unreachable)
        .unwrap();
    assert_eq!(closest.len(), 1);
    assert!(closest[0].setting == 1 && !closest[0].proposals.feasible());
}

#[test]
fn settings_are_of_one_machine_and_in_precisions_that_it_has() {
    let advisor = advisor();
    let [pixel, raspi] = ["pixel3", "raspi4"].map(|name| advisor.device(name).unwrap());
    let message = advisor
        .design_among(&[pixel.clone(), raspi], &Request::default())
        .unwrap_err()
        .to_string();
    for part in [
        "pixel3 of the hardware unit pixel3",
        "raspi4 of the hardware unit raspi4",
        "one machine at a time",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(advisor.design_among(&[], &Request::default()).is_err());
    let message = advisor
        .at_precision(&pixel, Precision::Int4.into(), None)
        .unwrap_err()
        .to_string();
    for part in ["pixel3", "fp32, fp16, int8", "found int4", "[peak-gflops]"] {
        assert!(message.contains(part), "{message}");
    }
    let own = Device {
        precision: None,
        ..Device::named("board")
    };
    let board = advisor.describe(&own).unwrap();
    let message = advisor
        .at_precision(&board, Precision::Int8.into(), None)
        .unwrap_err()
        .to_string();
    assert!(message.contains("fp32: its datasheet names no other"), "{message}");
    // Nothing was measured: another precision is described by the datasheet too.
    let two = Device {
        precisions: vec![Precision::Fp32, Precision::Int8],
        ..own
    };
    let board = advisor.describe(&two).unwrap();
    let int8 = advisor.at_precision(&board, Precision::Int8.into(), None).unwrap();
    assert_eq!(
        (int8.knowledge, int8.precision),
        (Knowledge::Prior, Precision::Int8.into())
    );
    // In a space that says bits there is nothing to choose.
    let mixed = Advisor::open("nasbench201_mixed").unwrap();
    let device = mixed.device("bitfusion").unwrap();
    assert!(mixed.at_precision(&device, Precision::Int4.into(), None).is_err());
}
