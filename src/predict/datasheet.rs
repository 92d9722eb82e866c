//! What does a datasheet say of values before anything is measured? The time of a typical network on a roofline (Williams et al.,
//! *Roofline*, CACM 2009) with the launches of its kernels, and the power drawn meanwhile.
//!
//! Both err by a factor that devices of one class have in common, so it is taken from the known devices: see
//! [`super::similarity`]. What is left is monotone where physics is: more throughput or bandwidth is never slower, a larger batch
//! never faster.

use serde::{Deserialize, Serialize};

use crate::device::{Device, features};
use crate::metric::Metric;
use crate::space::Network;
use crate::stats;

/// Shares of the peak throughput and of the bandwidth that small networks reach.
const USED_THROUGHPUT: f64 = 0.25;
const USED_BANDWIDTH: f64 = 0.5;
/// Time of a launch in us by the runtime's family, see [`features::runtime_family`], and where it is not known.
const LAUNCH_US: [(&str, f64); 5] = [
    ("eager", 50.0),
    ("interpreter", 15.0),
    ("compiler", 8.0),
    ("vendor", 8.0),
    ("hardware", 1.0),
];
const USUAL_LAUNCH_US: f64 = 20.0;
/// Share of the thermal design power that a small network draws.
const USED_POWER: f64 = 0.2;
/// What a device of each class has where its datasheet does not say: GFLOP/s, GB/s, and W.
const TYPICAL: [(&str, [f64; 3]); 14] = [
    ("gpu", [10_000.0, 500.0, 250.0]),
    ("edge-gpu", [1000.0, 50.0, 15.0]),
    ("mobile-gpu", [1000.0, 30.0, 5.0]),
    ("server-cpu", [1500.0, 120.0, 120.0]),
    ("desktop-cpu", [700.0, 40.0, 90.0]),
    ("mobile-cpu", [80.0, 25.0, 5.0]),
    ("board-cpu", [50.0, 13.0, 7.0]),
    ("dsp", [3000.0, 30.0, 2.0]),
    ("npu", [5000.0, 30.0, 4.0]),
    ("tpu", [5000.0, 10.0, 4.0]),
    ("vpu", [1000.0, 13.0, 2.0]),
    ("fpga", [500.0, 15.0, 15.0]),
    ("asic", [100.0, 2.0, 0.5]),
    ("microcontroller", [0.5, 0.2, 0.3]),
];
const USUAL: [f64; 3] = [500.0, 30.0, 10.0];
/// Standard deviation of the logarithm of such a value where the class is known, and where it is not.
const UNSAID: (f64, f64) = (1.0, 2.0);
/// How much less the bandwidth says than the throughput does.
const BANDWIDTH_PART: f64 = 0.5;

/// What the median network of a search space takes, for one input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TypicalNetwork {
    /// Multiply-accumulate operations.
    pub macs: f64,
    /// Elements of feature maps read and written.
    pub activation_elements: f64,
    /// Kernels launched.
    pub launches: f64,
}

impl TypicalNetwork {
    /// The medians over some networks.
    pub fn of<'a>(networks: impl Iterator<Item = &'a Network> + Clone) -> TypicalNetwork {
        let median = |value: &dyn Fn(&Network) -> f64| {
            let values: Vec<f64> = networks.clone().map(value).collect();
            stats::quantile(&values, 0.5).unwrap_or(1.0).max(1.0)
        };
        TypicalNetwork {
            macs: median(&|network| network.macs() as f64),
            activation_elements: median(&|network| network.activation_elements() as f64),
            launches: median(&|network| network.kernel_launches() as f64),
        }
    }
}

/// The natural logarithm of a value, and its standard deviation for want of what the datasheet does not say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Expected {
    pub(super) log: f64,
    pub(super) deviation: f64,
}

/// One entry of a datasheet, or what is usual.
struct Entry {
    value: f64,
    deviation: f64,
}

fn entry(device: &Device, given: Option<f64>, position: usize) -> Entry {
    let of_class = TYPICAL.iter().find(|(class, _)| device.class.as_deref() == Some(class));
    match (given, of_class) {
        (Some(value), _) => Entry { value, deviation: 0.0 },
        (None, Some((_, typical))) => Entry {
            value: typical[position],
            deviation: UNSAID.0,
        },
        (None, None) => Entry {
            value: USUAL[position],
            deviation: UNSAID.1,
        },
    }
}

/// Latency of one batch of a typical network, in ms.
pub(super) fn latency(device: &Device, typical: &TypicalNetwork) -> Expected {
    let batch = device.batch_size.unwrap_or(1.0);
    let peak = entry(device, device.peak_gflops, 0);
    let bandwidth = entry(device, device.memory_bandwidth_gb_s, 1);
    let launches = typical.launches * launch_ms(device);
    let arithmetic = batch * 2.0 * typical.macs / (peak.value * USED_THROUGHPUT * 1e6);
    let bytes = batch * typical.activation_elements * f64::from(device.runs_at().arithmetic().bits()) / 8.0;
    let traffic = bytes / (bandwidth.value * USED_BANDWIDTH * 1e6);
    let total = launches + arithmetic + traffic;
    Expected {
        log: total.ln(),
        deviation: peak.deviation.hypot(BANDWIDTH_PART * bandwidth.deviation),
    }
}

/// Logarithm of the time of a launch over that of a multiply-accumulate on a device of this class and runtime; `None` without a
/// class. The device's own throughput does not count, so that more of it never makes a network slower.
pub(super) fn launch_over_mac(device: &Device) -> Option<f64> {
    let (_, [gflops, ..]) = TYPICAL
        .iter()
        .find(|(class, _)| device.class.as_deref() == Some(class))?;
    let mac_ms = 2.0 / (gflops * USED_THROUGHPUT * 1e6);
    Some((launch_ms(device) / mac_ms).ln())
}

/// Time of a launch, in ms.
fn launch_ms(device: &Device) -> f64 {
    let family = features::runtime_family(device);
    let launch_us = LAUNCH_US.iter().find(|(name, _)| family == Some(name));
    launch_us.map_or(USUAL_LAUNCH_US, |(_, time)| *time) * 1e-3
}

/// Power that a network draws, in W.
pub(super) fn power(device: &Device) -> Expected {
    let power = entry(device, device.tdp_w, 2);
    Expected {
        log: (power.value * USED_POWER).ln(),
        deviation: power.deviation,
    }
}

/// A metric of one batch of a typical network, in its unit.
pub(super) fn expected(metric: Metric, device: &Device, typical: &TypicalNetwork) -> Expected {
    let latency = latency(device, typical);
    match metric {
        Metric::Energy => {
            let power = power(device);
            Expected {
                log: latency.log + power.log,
                deviation: latency.deviation.hypot(power.deviation),
            }
        }
        Metric::Latency
        | Metric::Accuracy
        | Metric::Macs
        | Metric::Parameters
        | Metric::ModelSize
        | Metric::PeakMemory => latency,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Precision;

    /// 50 million multiply-accumulates, 2 million elements, 100 launches.
    const NETWORK: TypicalNetwork = TypicalNetwork {
        macs: 5e7,
        activation_elements: 2e6,
        launches: 100.0,
    };

    fn device(class: &str) -> Device {
        Device {
            class: Some(class.into()),
            ..Device::named("new")
        }
    }

    #[test]
    fn times_worked_by_hand() {
        let phone = Device {
            peak_gflops: Some(100.0),
            memory_bandwidth_gb_s: Some(16.0),
            precision: Some(Precision::Fp16.into()),
            runtime: Some("tflite".into()),
            ..device("mobile-cpu")
        };
        // 100 launches of 15 us are 1.5 ms; 100 MFLOP at 25 of 100 GFLOP/s take 4 ms; 4 MB at 8 of 16 GB/s take 0.5 ms.
        let one = latency(&phone, &NETWORK);
        assert!((one.log - 6.0_f64.ln()).abs() < 1e-12 && one.deviation == 0.0);
        let four = Device {
            batch_size: Some(4.0),
            ..phone
        };
        assert!((latency(&four, &NETWORK).log - 19.5_f64.ln()).abs() < 1e-12);
        // 20 % of 5 W.
        assert!(power(&four).log.abs() < 1e-12 && power(&four).deviation == UNSAID.0);
    }

    #[test]
    fn what_is_not_said_makes_less_sure() {
        let said = |peak_gflops, class: Option<&str>| {
            let device = Device {
                peak_gflops,
                class: class.map(String::from),
                memory_bandwidth_gb_s: Some(1000.0),
                ..Device::named("new")
            };
            latency(&device, &NETWORK).deviation
        };
        assert!(said(Some(1.0), Some("microcontroller")) < said(None, Some("microcontroller")));
        assert!(said(None, Some("board-cpu")) < said(None, None));
        // A microcontroller of which nothing else is said is slow.
        assert!(latency(&device("microcontroller"), &NETWORK).log > latency(&device("mobile-cpu"), &NETWORK).log + 3.0);
    }

    #[test]
    fn every_class_has_typical_values() {
        let named: Vec<&str> = TYPICAL.iter().map(|(class, _)| *class).collect();
        assert_eq!(named, crate::device::CLASSES);
    }
}
