//! How long can a network take on a device, at least and at most? Bounds wide enough for every device and runtime, narrow
//! enough to tell milliseconds from seconds and microseconds where the device is known.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::OnceLock;

use super::{Device, catalogue};
use crate::space::Network;

/// How far a device's throughput may lie beyond its peak: Winograd's algorithm saves up to 2.25 of the multiplications of a
/// 3x3 convolution (Lavin and Gray, CVPR 2016), and boost clocks exceed those of datasheets.
const BEYOND_PEAK: f64 = 4.0;
/// The least share of its peak that a device reaches in the arithmetic itself.
const MIN_EFFICIENCY: f64 = 1e-3;
/// How far a device may lie beyond those of its class in the catalogue.
const BEYOND_CLASS: f64 = 4.0;
/// Time between two kernels: at least that of a fused pipeline, at most that of an interpreter on a slow core, in ms.
const BETWEEN_KERNELS_MS: (f64, f64) = (2e-4, 1.0);

/// Peaks of devices, in GFLOP/s: the lowest and the highest.
type Peaks = (f64, f64);

impl Device {
    /// The latencies that a network can have on this device, in ms: from its arithmetic at more than the device's peak to
    /// its arithmetic and launches at hardly any of it. The peak is the datasheet's, or that of the device's class in the
    /// catalogue, or of any device. `live` is the network without dead nodes, `written` the one that eager execution runs.
    pub fn possible_latencies_ms(&self, live: &Network, written: &Network) -> RangeInclusive<f64> {
        let (lowest, highest) = self.peaks();
        let batch = self.batch_size.unwrap_or(1.0).max(1.0);
        // Two operations are one multiply-accumulate; a GFLOP/s is 10^6 operations per ms.
        let arithmetic_ms = |network: &Network, gflops: f64| 2.0 * network.macs() as f64 * batch / (gflops * 1e6);
        let launches_ms = |network: &Network, each: f64| network.kernel_launches() as f64 * each;
        let (least, most) = BETWEEN_KERNELS_MS;
        let shortest = arithmetic_ms(live, highest * BEYOND_PEAK).max(launches_ms(live, least));
        let longest = arithmetic_ms(written, lowest * MIN_EFFICIENCY) + launches_ms(written, most);
        shortest..=longest
    }

    fn peaks(&self) -> Peaks {
        match (self.peak_gflops, &self.class) {
            (Some(peak), _) => (peak, peak),
            (None, Some(class)) if peaks_by_class().contains_key(class) => peaks_by_class()[class],
            _ => {
                let all = peaks_by_class().values();
                let widest = |(low, high): Peaks, &(lower, higher): &Peaks| (low.min(lower), high.max(higher));
                all.fold((f64::INFINITY, 0.0), widest)
            }
        }
    }
}

fn peaks_by_class() -> &'static HashMap<String, Peaks> {
    static PEAKS: OnceLock<HashMap<String, Peaks>> = OnceLock::new();
    PEAKS.get_or_init(|| {
        let mut peaks = HashMap::new();
        // The catalogue always parses: its tests see to that.
        for device in catalogue::all().unwrap_or_default() {
            if let (Some(class), Some(peak)) = (device.class, device.peak_gflops) {
                let (low, high): &mut Peaks = peaks.entry(class).or_insert((f64::INFINITY, 0.0));
                *low = low.min(peak / BEYOND_CLASS);
                *high = high.max(peak * BEYOND_CLASS);
            }
        }
        peaks
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{InputSize, NasBench201, SearchSpace};

    fn range(device: &Device) -> (f64, f64) {
        let cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|";
        let architecture = NasBench201.parse(cell).unwrap();
        let network = NasBench201.lower(&architecture, InputSize { width: 32, height: 32 }, 10);
        let range = device.possible_latencies_ms(&network, &network);
        (*range.start(), *range.end())
    }

    /// The largest cell has 220 million MACs (Dong and Yang, NAS-Bench-201, ICLR 2020), with the layers around it: 440 million
    /// operations are 4.4 ms at 100 GFLOP/s, 1.1 ms at four times that, and 4.4 s at a thousandth.
    #[test]
    fn arithmetic_bounds_a_known_device() {
        let device = Device {
            peak_gflops: Some(100.0),
            ..Device::named("board")
        };
        let (shortest, longest) = range(&device);
        assert!((1.0..1.2).contains(&shortest), "{shortest}");
        assert!((4_300.0..5_500.0).contains(&longest), "{longest}");
        let (batched, _) = range(&Device {
            batch_size: Some(8.0),
            ..device
        });
        assert!((batched / shortest - 8.0).abs() < 1e-9);
    }

    #[test]
    fn the_less_is_known_the_wider() {
        let class = |name: &str| Device {
            class: Some(name.into()),
            ..Device::named("board")
        };
        let (unknown, phone) = (range(&Device::named("board")), range(&class("mobile-cpu")));
        assert!(unknown.0 <= phone.0 && phone.1 <= unknown.1 && unknown.1 > 10.0 * phone.1);
        assert!(unknown.0 > 0.005, "{unknown:?}");
        assert_eq!(range(&class("nothing known")), unknown);
    }
}
