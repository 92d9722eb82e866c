//! What a device looks like to a predictor: its datasheet as a vector of numbers.
//!
//! Every numeric entry is a base-10 logarithm relative to a reference device, so that 0 is "nothing special"; an unknown value
//! is 0 as well, and its companion `..._unknown` is 1. Classes come twice, as a family (what kind of machine executes) and by
//! themselves, so that a class with few devices leans on its family. The vector depends on the datasheet alone: never on
//! the device's name, and never on a measurement.

use std::sync::LazyLock;

use super::{CLASSES, Device};
use crate::space::{Precision, QuantPolicy};

/// A numeric entry: name, the value of the reference device, and where to read it.
type Numeric = (&'static str, f64, fn(&Device) -> Option<f64>);

const NUMERIC: &[Numeric] = &[
    ("peak_gflops", 1000.0, |device| device.peak_gflops),
    ("memory_bandwidth_gb_s", 50.0, |device| device.memory_bandwidth_gb_s),
    ("on_chip_memory_mib", 4.0, |device| device.on_chip_memory_mib),
    ("cores", 16.0, |device| device.cores),
    ("clock_ghz", 1.5, |device| device.clock_ghz),
    ("tdp_w", 15.0, |device| device.tdp_w),
];

/// Class families: name and members.
const FAMILIES: &[(&str, &[&str])] = &[
    ("graphics", &["gpu", "edge-gpu", "mobile-gpu"]),
    ("processor", &["server-cpu", "desktop-cpu", "mobile-cpu", "board-cpu"]),
    ("accelerator", &["dsp", "npu", "tpu", "vpu", "fpga", "asic"]),
    ("microcontroller", &["microcontroller"]),
];

/// Runtime families: how much stands between the network and the machine. Eager ones start every operation by itself and
/// run those that cannot affect the output; the others work on a graph, from which such operations are gone.
const RUNTIMES: &[(&str, &[&str])] = &[
    ("eager", &["pytorch", "pytorch-mobile"]),
    (
        "interpreter",
        &[
            "tensorflow",
            "tflite",
            "tflite-micro",
            "onnxruntime",
            "ncnn",
            "mnn",
            "rten",
        ],
    ),
    (
        "compiler",
        &["tensorrt", "openvino", "xla", "jax", "tvm", "coreml", "iree"],
    ),
    (
        "vendor",
        &["snpe", "edgetpu", "rknn", "nncase", "vitis-ai", "cmsis-nn", "qnn"],
    ),
    ("hardware", &["vivado-hls", "dataflow"]),
];

/// Names of the entries of [`features`], in order.
pub fn names() -> Vec<String> {
    let mut names = Vec::new();
    for (name, ..) in NUMERIC {
        names.push(format!("log_{name}"));
        names.push(format!("{name}_unknown"));
    }
    names.extend(
        [
            "years_since_2018",
            "year_unknown",
            "log2_batch_size",
            "log2_bits",
            "bits_unknown",
            "floating_point",
        ]
        .map(String::from),
    );
    names.extend(FAMILIES.iter().map(|(family, _)| format!("family_{family}")));
    names.extend(CLASSES.iter().map(|class| format!("class_{}", class.replace('-', "_"))));
    names.extend(RUNTIMES.iter().map(|(family, _)| format!("runtime_{family}")));
    names
}

/// The datasheet as numbers, in the order of [`names`]. An unstated batch size is taken as 1.
pub fn features(device: &Device) -> Vec<f64> {
    let mut features = Vec::new();
    for (_, reference, value) in NUMERIC {
        push(
            &mut features,
            value(device)
                .filter(|value| *value > 0.0)
                .map(|value| (value / reference).log10()),
        );
    }
    push(&mut features, device.year.map(|year| (year - 2018.0) / 5.0));
    features.push(device.batch_size.filter(|batch| *batch >= 1.0).unwrap_or(1.0).log2() / 4.0);
    let arithmetic = device.precision.map(QuantPolicy::arithmetic);
    let bits = arithmetic.map(|precision| f64::from(precision.bits()));
    push(&mut features, bits.map(|bits| (bits / 16.0).log2()));
    features.push(indicator(arithmetic.is_some_and(Precision::is_float)));
    let class = device.class.as_deref();
    features.extend(
        FAMILIES
            .iter()
            .map(|(_, members)| indicator(class.is_some_and(|class| members.contains(&class)))),
    );
    features.extend(CLASSES.iter().map(|name| indicator(class == Some(name))));
    let runtime = device.runtime.as_deref();
    features.extend(
        RUNTIMES
            .iter()
            .map(|(_, members)| indicator(runtime.is_some_and(|runtime| members.contains(&runtime)))),
    );
    features
}

/// How much the entries weigh in the distance between two datasheets, by the start of their names; the others do not count.
///
/// A class, a batch size sixteen times as large, and a runtime that removes dead layers each change which networks are slow.
/// Throughput and bandwidth set how slow all of them are, see [`crate::predict::datasheet`], and left out here more of either
/// never makes a network slower.
const WEIGHTS: &[(&str, f64)] = &[
    ("years_since", 2.0),
    ("log2_batch_size", 16.0),
    ("family_", 2.0),
    ("class_", 2.0),
    ("runtime_eager", 2.0),
    ("runtime_", 1.0),
];

/// The datasheet as a point: devices whose points are less than about one apart run networks alike. `None` without a class,
/// when too little is known to compare.
pub fn coordinates(device: &Device) -> Option<Vec<f64>> {
    device.class.as_ref()?;
    let weighted = features(device).into_iter().zip(&*ROOT_WEIGHTS);
    Some(weighted.map(|(value, weight)| weight * value).collect())
}

/// Square roots of the weights, one per feature.
static ROOT_WEIGHTS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let weight = |name: &String| {
        let listed = WEIGHTS.iter().find(|(start, _)| name.starts_with(start));
        listed.map_or(0.0, |(_, weight)| weight.sqrt())
    };
    names().iter().map(weight).collect()
});

/// The family of the device's runtime, such as `eager`; `None` where the runtime is not known.
pub fn runtime_family(device: &Device) -> Option<&'static str> {
    let runtime = device.runtime.as_deref()?;
    let family = RUNTIMES.iter().find(|(_, members)| members.contains(&runtime));
    family.map(|(name, _)| *name)
}

/// Whether the device's runtime starts every operation by itself, dead ones too; `None` where the runtime is not known.
pub fn is_eager(device: &Device) -> Option<bool> {
    runtime_family(device).map(|family| family == "eager")
}

/// The family that a class belongs to, such as `graphics`.
pub fn class_family(class: &str) -> Option<&'static str> {
    let family = FAMILIES.iter().find(|(_, members)| members.contains(&class));
    family.map(|(name, _)| *name)
}

fn push(features: &mut Vec<f64>, value: Option<f64>) {
    features.push(value.unwrap_or(0.0));
    features.push(indicator(value.is_none()));
}

fn indicator(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::catalogue;

    fn entry(device: &Device, name: &str) -> f64 {
        let position = names().iter().position(|entry| entry == name).unwrap();
        features(device)[position]
    }

    #[test]
    fn names_and_values_have_one_length_and_are_finite() {
        for device in catalogue::all().unwrap() {
            let features = features(&device);
            assert_eq!(features.len(), names().len());
            assert!(
                features.iter().all(|value| value.is_finite() && value.abs() < 6.0),
                "{}",
                device.id
            );
        }
    }

    /// 10,000 GFLOP/s is ten times the reference 1,000; batch 256 = 2^8, over 4; 8 bits are half of 16.
    #[test]
    fn values_worked_by_hand() {
        let device = Device {
            class: Some("gpu".into()),
            peak_gflops: Some(10_000.0),
            batch_size: Some(256.0),
            precision: Some(Precision::Int8.into()),
            runtime: Some("tensorrt".into()),
            ..Device::default()
        };
        assert_eq!(entry(&device, "log_peak_gflops"), 1.0);
        assert_eq!(entry(&device, "log2_batch_size"), 2.0);
        assert_eq!(entry(&device, "log2_bits"), -1.0);
        assert_eq!(entry(&device, "floating_point"), 0.0);
        assert_eq!(entry(&device, "tdp_w_unknown"), 1.0);
        assert_eq!(entry(&device, "family_graphics") + entry(&device, "class_gpu"), 2.0);
        assert_eq!(entry(&device, "class_edge_gpu"), 0.0);
        assert_eq!(entry(&device, "runtime_compiler"), 1.0);
    }

    #[test]
    fn every_runtime_and_class_of_the_catalogue_has_a_family() {
        for device in catalogue::all().unwrap() {
            let families = |prefix: &str| -> f64 {
                names()
                    .iter()
                    .filter(|name| name.starts_with(prefix))
                    .map(|name| entry(&device, name))
                    .sum()
            };
            assert_eq!(families("family_"), 1.0, "{}", device.id);
            assert_eq!(families("runtime_"), 1.0, "{} runs on {:?}", device.id, device.runtime);
        }
    }

    #[test]
    fn batch_sizes_are_further_apart_than_generations() {
        let distance = |a: &str, b: &str| -> f64 {
            let points = [a, b].map(|name| coordinates(&catalogue::find(name).unwrap()).unwrap());
            points[0].iter().zip(&points[1]).map(|(a, b)| (a - b).powi(2)).sum()
        };
        assert!(distance("1080ti_1", "2080ti_1") < 1.0);
        // 256 = 2^8 over 4, weighed 16: (2 x 4)^2.
        assert!((distance("1080ti_1", "1080ti_256") - 64.0).abs() < 1e-9);
        assert!(distance("1080ti_1", "gold_6240") > 4.0);
        assert_eq!(coordinates(&Device::named("nobody")), None);
        assert_eq!(is_eager(&catalogue::find("1080ti_1").unwrap()), Some(true));
        assert_eq!(is_eager(&catalogue::find("edgetpu").unwrap()), Some(false));
    }

    #[test]
    fn the_name_does_not_matter() {
        let mut device = catalogue::find("raspi4").unwrap();
        let before = features(&device);
        device.id = "other".into();
        device.unit = "other".into();
        assert_eq!(features(&device), before);
    }
}
