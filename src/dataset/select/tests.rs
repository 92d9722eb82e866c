use super::*;
use crate::dataset::{AccuracyRow, DeviceValues};
use crate::device::Device;
use crate::space::Precision;
use crate::space::{Architecture, NasBench201};

fn size(edge: u32) -> InputSize {
    InputSize {
        width: edge,
        height: edge,
    }
}

fn device(id: &str, unit: &str) -> Device {
    Device {
        id: id.into(),
        unit: unit.into(),
        ..Device::default()
    }
}

/// Two batch sizes of a GPU and a phone; architecture n takes n + 1 ms at 32x32 and half of that at 16x16.
fn dataset() -> Dataset {
    let mut dataset = Dataset::new(&NasBench201);
    dataset.devices = vec![
        device("gpu_1", "gpu"),
        device("gpu_32", "gpu"),
        device("phone", "phone"),
    ];
    dataset.architectures = (0..3).map(|gene| Architecture(vec![gene; 6])).collect();
    dataset.inputs = vec![size(32), size(16)];
    dataset.tasks = vec!["cifar10".into(), "imagenet16-120".into()];
    for (input, scale) in [(0, 1.0), (1, 0.5)] {
        dataset.measurements.extend((0..3).map(|architecture| Measurement {
            device: 1,
            architecture,
            precision: Precision::Fp32.into(),
            input,
            values: if architecture == 1 {
                DeviceValues::of(Metric::Energy, 7.0)
            } else {
                DeviceValues::of(Metric::Latency, scale * f64::from(architecture + 1))
            },
            origin: Origin::Measured,
        }));
    }
    dataset.accuracies = vec![AccuracyRow {
        task: 1,
        architecture: 2,
        precision: Precision::Fp32.into(),
        accuracy_percent: 40.0,
        origin: Origin::Measured,
    }];
    dataset
}

#[test]
fn values_are_those_of_the_device_and_input() {
    let dataset = dataset();
    let latencies = |device, edge| {
        dataset
            .values(device, Metric::Latency, Selection::at(size(edge)))
            .unwrap()
    };
    assert_eq!(latencies(1, 32), [(0, 1.0), (2, 3.0)]);
    assert_eq!(latencies(1, 16), [(0, 0.5), (2, 1.5)]);
    assert!(latencies(0, 32).is_empty());
    let energies = dataset.values(1, Metric::Energy, Selection::at(size(32))).unwrap();
    assert_eq!(energies, [(1, 7.0)]);
    let message = dataset
        .values(1, Metric::Latency, Selection::default())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("gpu_32") && message.contains("32x32, 16x16"),
        "{message}"
    );
}

#[test]
fn precisions_are_never_mixed() {
    let mut dataset = dataset();
    let at = Selection::at(size(32));
    assert_eq!(dataset.resolve_precision(1, at).unwrap(), Some(Precision::Fp32.into()));
    assert_eq!(dataset.resolve_precision(0, at).unwrap(), None);
    let faster = Measurement {
        precision: Precision::Int8.into(),
        values: DeviceValues::of(Metric::Latency, 0.25),
        ..dataset.measurements[0]
    };
    dataset.measurements.push(faster);
    dataset.accuracies.push(AccuracyRow {
        precision: Precision::Int8.into(),
        ..dataset.accuracies[0]
    });
    dataset.accuracies.push(AccuracyRow {
        task: 0,
        ..dataset.accuracies[0]
    });
    let task = dataset.resolve_task(Some("imagenet16-120")).unwrap().unwrap();
    for error in [
        dataset.values(1, Metric::Latency, at).unwrap_err(),
        dataset.resolve_precision(1, at).unwrap_err(),
        dataset.accuracies_of(&task, None).unwrap_err(),
    ] {
        assert!(error.to_string().contains("fp32, int8"), "{error}");
    }
    let int8 = Selection {
        precision: Some(Precision::Int8.into()),
        ..at
    };
    assert_eq!(dataset.values(1, Metric::Latency, int8).unwrap(), [(0, 0.25)]);
    assert_eq!(
        dataset.accuracies_of(&task, Some(Precision::Int8.into())).unwrap(),
        [(2, 40.0)]
    );
    assert!(dataset.accuracies_of(&task, Some(Precision::Int4.into())).is_err());
    // Narrowed to one precision, the dataset needs no choice; the other task is known in fp32 alone.
    let narrowed = dataset.at_precision(Precision::Int8.into()).unwrap();
    assert_eq!(narrowed.values(1, Metric::Latency, at).unwrap(), [(0, 0.25)]);
    assert_eq!(narrowed.accuracies_of(&task, None).unwrap(), [(2, 40.0)]);
    let other = narrowed.resolve_task(Some("cifar10")).unwrap().unwrap();
    assert_eq!(narrowed.accuracies_of(&other, None).unwrap(), [(2, 40.0)]);
    let message = narrowed.at_precision(Precision::Int4.into()).err().unwrap().to_string();
    assert!(message.contains("int4") && message.contains("int8"), "{message}");
}

#[test]
fn a_device_is_called_measured_only_if_all_of_it_is() {
    let mut dataset = dataset();
    assert_eq!(dataset.origin_of(1, None), Some(Origin::Measured));
    assert_eq!(dataset.origin_of(0, None), None);
    dataset.measurements[2].origin = Origin::Predicted;
    dataset.measurements[3].origin = Origin::Simulated;
    assert_eq!(dataset.origin_of(1, None), Some(Origin::Predicted));
    // The first three rows are those at 32x32.
    assert_eq!(dataset.origin_of(1, Some(size(16))), Some(Origin::Simulated));
}

#[test]
fn a_task_is_named_or_the_only_one() {
    let mut dataset = dataset();
    let task = dataset.resolve_task(Some("imagenet16-120")).unwrap().unwrap();
    assert_eq!((task.index, task.input), (1, Some(size(16))));
    assert_eq!(dataset.accuracies_of(&task, None).unwrap(), [(2, 40.0)]);
    let message = dataset.resolve_task(None).unwrap_err().to_string();
    assert!(message.contains("cifar10, imagenet16-120"), "{message}");
    assert!(matches!(
        dataset.resolve_task(Some("cifar")),
        Err(Error::Unknown { .. })
    ));
    dataset.tasks.truncate(1);
    assert_eq!(dataset.resolve_task(None).unwrap().unwrap().name, "cifar10");
    dataset.tasks.clear();
    assert_eq!(dataset.resolve_task(None).unwrap(), None);
}

#[test]
fn an_unfamiliar_task_has_the_only_input_size() {
    let mut dataset = dataset();
    assert_eq!(dataset.input_of_task("mine"), None);
    dataset.inputs.truncate(1);
    assert_eq!(dataset.input_of_task("mine"), Some(size(32)));
}

#[test]
fn without_a_task_there_has_to_be_one_input_size() {
    let dataset = dataset();
    let task = dataset.resolve_task(Some("cifar10")).unwrap().unwrap();
    assert_eq!(dataset.selection(Some(&task)).unwrap(), Selection::at(size(32)));
    let unfamiliar = Task { input: None, ..task };
    for task in [None, Some(&unfamiliar)] {
        let message = dataset.selection(task).unwrap_err().to_string();
        assert!(message.contains("32x32, 16x16"), "{message}");
    }
    let dataset = dataset.only_input(size(16)).unwrap();
    assert_eq!(dataset.selection(None).unwrap(), Selection::default());
    for selection in [Selection::at(size(16)), Selection::default()] {
        let latencies = dataset.values(1, Metric::Latency, selection).unwrap();
        assert_eq!(latencies, [(0, 0.5), (2, 1.5)]);
    }
    assert_eq!(dataset.accuracies.len(), 1);
    // A dataset narrowed to a size needs no further choice.
    let narrowed = self::dataset().latencies_only(Some(size(16)));
    assert_eq!(narrowed.selection(None).unwrap(), Selection::default());
    let message = dataset.only_input(size(32)).err().unwrap().to_string();
    assert!(message.contains("source: 16x16, found 32x32"), "{message}");
}

#[test]
fn a_unit_stands_for_all_its_devices() {
    let dataset = dataset();
    let resolve = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        dataset.resolve_devices(&names)
    };
    assert_eq!(resolve(&["phone", "gpu"]).unwrap(), [2, 0, 1]);
    assert_eq!(resolve(&["gpu_32", "gpu"]).unwrap(), [1, 0]);
    let message = resolve(&["gpu_23"]).unwrap_err().to_string();
    assert!(message.contains("did you mean `gpu_32`"), "{message}");
}
