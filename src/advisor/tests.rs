use super::*;
use crate::files::LockedFolder;

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
