//! What does a network cost on a device? A roofline with overheads, layer by layer.
//!
//! A layer takes as long as the slower of its arithmetic and its data (Williams, Waterman & Patterson, *Roofline*, CACM
//! 52(4), 2009), plus the part of the faster one that does not hide behind it, plus the time to start it:
//!
//! ```text
//! arithmetic  = 2 MACs / (peak x utilisation)
//! data        = bytes / (bandwidth x efficiency), from on-chip memory where the layer fits
//! utilisation = the class's share x channels / (channels + half-channels) x outputs / (outputs + half-outputs x cores)
//! ```
//!
//! The two saturating factors say that arrays are left idle by few channels, and wide machines by little parallel work.
//! Where layers have bits of their own, a device with arithmetic for fewer than eight bits does as much less of it and moves as much
//! less, see [`Layer::macs_at_bits`]; every other device runs them as it runs eight bits.
//!
//! Energy is arithmetic, data and leakage: MACs x energy per MAC (Horowitz, *Computing's Energy Problem*, ISSCC 2014), bytes
//! x energy per byte by where they come from, and static power x latency.

use super::parameters::{Class, Parameters, Runtime};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::space::{Architecture, InputSize, Layer, Network, Operation, SearchSpace};

/// Year of the technology that the energies of arithmetic are given for.
const ENERGY_YEAR: f64 = 2010.0;
/// Year at which launch times stand as given.
const LAUNCH_YEAR: f64 = 2018.0;
/// Clock at which launches done by the device itself take the time given, in GHz.
const LAUNCH_CLOCK_GHZ: f64 = 2.5;

/// Cost of one run of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Latency of one batch, in ms.
    pub latency_ms: f64,
    /// Energy of one batch, in mJ; absent where the device's power is not known.
    pub energy_mj: Option<f64>,
}

/// One device, simulated.
#[derive(Debug, Clone)]
pub struct Simulator {
    class: Class,
    runtime: Runtime,
    batch: f64,
    bytes_per_element: f64,
    /// Whether it has arithmetic for fewer than eight bits.
    gains_from_fewer_bits: bool,
    peak_per_s: f64,
    bandwidth_per_s: f64,
    on_chip_bytes: f64,
    cores: f64,
    launch_scale: f64,
    mac_j: f64,
    static_w: Option<f64>,
}

/// Time and dynamic energy of one layer, for the whole batch.
struct LayerCost {
    busy_s: f64,
    launch_s: f64,
    energy_j: f64,
}

impl Simulator {
    /// A simulator of this device. Batch size 1 is assumed where none is given, and no on-chip memory where none is known.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming what the datasheet has to say but does not: class, runtime, precision, peak, bandwidth;
    /// [`Error::Unknown`] for a class, runtime or precision that the simulator has no figures for.
    pub fn new(device: &Device) -> Result<Simulator> {
        device.check()?;
        let parameters = Parameters::bundled()?;
        let class = parameters
            .class(required(device, "class", device.class.as_deref())?)?
            .clone();
        let runtime = parameters
            .runtime(required(device, "runtime", device.runtime.as_deref())?)?
            .clone();
        let precision = required(device, "precision", device.precision)?.arithmetic();
        let year = device.year.unwrap_or(LAUNCH_YEAR);
        let clock = match device.clock_ghz {
            Some(clock) if class.launch_with_clock => LAUNCH_CLOCK_GHZ / clock,
            _ => 1.0,
        };
        Ok(Simulator {
            batch: device.batch_size.unwrap_or(1.0),
            bytes_per_element: f64::from(precision.bits()) / 8.0,
            gains_from_fewer_bits: !device.precisions.is_empty() && device.computes_below_eight_bits(),
            peak_per_s: 1e9 * required(device, "peak-gflops", device.peak_gflops)?,
            bandwidth_per_s: 1e9
                * class.memory_efficiency
                * required(device, "memory-bandwidth-gb-s", device.memory_bandwidth_gb_s)?,
            on_chip_bytes: device.on_chip_memory_mib.unwrap_or(0.0) * 1_048_576.0,
            cores: device.cores.unwrap_or(1.0),
            launch_scale: 1e-6 * class.launch_scale * clock * parameters.launch_per_year.powf(year - LAUNCH_YEAR),
            mac_j: 1e-12
                * parameters.mac_picojoule(precision)?
                * (1.0 + class.instruction_overhead)
                * parameters.energy_per_year.powf(year - ENERGY_YEAR),
            static_w: device.tdp_w.map(|tdp| tdp * class.static_power),
            class,
            runtime,
        })
    }

    /// The network that the device's runtime runs for an architecture: eager ones run dead layers too.
    pub fn lower(
        &self,
        space: &dyn SearchSpace,
        architecture: &Architecture,
        input: InputSize,
        classes: u32,
    ) -> Network {
        if self.runtime.as_written {
            space.lower_as_written(architecture, input, classes)
        } else {
            space.lower(architecture, input, classes)
        }
    }

    /// Cost of one run of a batch through the network.
    pub fn cost(&self, network: &Network) -> Cost {
        let mut latency_s = self.runtime.run_us * self.launch_scale;
        let mut energy_j = 0.0;
        for layer in network.layers() {
            let LayerCost {
                busy_s,
                launch_s,
                energy_j: dynamic_j,
            } = self.layer(layer);
            latency_s += if self.class.asynchronous {
                busy_s.max(launch_s)
            } else {
                busy_s + launch_s
            };
            energy_j += dynamic_j;
        }
        Cost {
            latency_ms: latency_s * 1e3,
            energy_mj: self.static_w.map(|static_w| (energy_j + static_w * latency_s) * 1e3),
        }
    }

    fn layer(&self, layer: &Layer) -> LayerCost {
        let operations = self.operations(layer);
        let arithmetic_s = operations / (self.peak_per_s * self.utilisation(layer));
        let bytes = self.bytes(layer);
        let fits = self.working_set(layer) <= self.on_chip_bytes;
        let speedup = if fits { self.class.on_chip_speedup } else { 1.0 };
        let data_s = bytes / (self.bandwidth_per_s * speedup);
        let per_byte = if fits {
            self.class.on_chip_pj_per_byte
        } else {
            self.class.main_memory_pj_per_byte
        };
        LayerCost {
            busy_s: arithmetic_s.max(data_s) + (1.0 - self.class.overlap) * arithmetic_s.min(data_s),
            launch_s: self.launch_us(layer) * self.launch_scale,
            energy_j: operations / 2.0 * self.mac_j + bytes * per_byte * 1e-12,
        }
    }

    /// Arithmetic operations: two for each multiply-accumulate, one for each value pooled, and one for each value that any other
    /// layer gives.
    fn operations(&self, layer: &Layer) -> f64 {
        let per_input = match layer.operation {
            Operation::Convolution(_) | Operation::Linear if self.gains_from_fewer_bits => 2.0 * layer.macs_at_bits(),
            Operation::Convolution(_) | Operation::Linear => 2.0 * layer.macs() as f64,
            Operation::Pooling(_) | Operation::GlobalPooling => {
                layer.output.elements() as f64 * f64::from(layer.kernel()).powi(2)
            }
            _ => layer.output.elements() as f64,
        };
        per_input * self.batch
    }

    fn utilisation(&self, layer: &Layer) -> f64 {
        let class = &self.class;
        let outputs = layer.output.elements() as f64 * self.batch;
        let filled = outputs / (outputs + class.half_outputs_per_core * self.cores);
        let channels = f64::from((layer.input.channels / layer.groups()).min(layer.output.channels));
        let arrays = channels / (channels + class.half_channels);
        filled
            * match layer.operation {
                Operation::Convolution(_) if layer.is_depthwise() => class.depthwise_utilisation,
                Operation::Convolution(_) if layer.kernel() == 1 => {
                    class.dense_utilisation * class.pointwise_factor * arrays
                }
                Operation::Convolution(_) => class.dense_utilisation * arrays,
                Operation::Linear => class.dense_utilisation * class.pointwise_factor,
                _ => class.pooling_utilisation,
            }
    }

    /// Bytes of weights, inputs and outputs.
    fn working_set(&self, layer: &Layer) -> f64 {
        let (weights, activations) = if self.gains_from_fewer_bits {
            (layer.weight_elements_at_bits(), layer.activation_elements_at_bits())
        } else {
            (layer.weight_elements() as f64, layer.activation_elements() as f64)
        };
        (weights + activations * self.batch) * self.bytes_per_element
    }

    /// Bytes moved: the working set, and the output read and written again for every further pass.
    fn bytes(&self, layer: &Layer) -> f64 {
        let passes = match layer.operation {
            Operation::Convolution(_) => self.runtime.convolution_passes,
            _ => 1.0,
        };
        let again = 2.0 * (passes - 1.0) * layer.output.elements() as f64 * self.batch;
        self.working_set(layer) + again * self.bytes_per_element
    }

    fn launch_us(&self, layer: &Layer) -> f64 {
        let launch = &self.runtime.launch_us;
        match layer.operation {
            Operation::Convolution(_) => launch.convolution,
            Operation::Pooling(_) | Operation::GlobalPooling | Operation::Normalization(_) => launch.pooling,
            Operation::Linear => launch.linear,
            _ => launch.add,
        }
    }
}

fn required<T>(device: &Device, key: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::Invalid {
        what: format!("simulating device `{}`", device.id),
        expected: format!("a value of {key}"),
        found: "none".into(),
        hint: format!("Add `{key}` to the device's description."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{Convolution, LayerBits, NetworkBuilder, Precision};

    const SIZE: InputSize = InputSize { width: 32, height: 32 };

    /// 3x3 convolutions, one after another.
    fn convolutions(channels: u32, count: usize) -> Network {
        let (mut network, mut map) = NetworkBuilder::new(channels, SIZE);
        for _ in 0..count {
            map = network.convolve(map, Convolution::new(channels, 3));
        }
        network.finish(map)
    }

    /// A microcontroller whose figures are all easy: no overlap, launches of 10 us, batch 1, int8.
    fn microcontroller() -> Device {
        Device {
            id: "mcu".into(),
            class: Some("microcontroller".into()),
            peak_gflops: Some(2.0),
            memory_bandwidth_gb_s: Some(1.0),
            on_chip_memory_mib: Some(1.0),
            cores: Some(1.0),
            tdp_w: Some(0.5),
            year: Some(2018.0),
            precision: Some(Precision::Int8.into()),
            runtime: Some("cmsis-nn".into()),
            ..Device::default()
        }
    }

    /// 3x3, 8 -> 8 channels at 32 x 32. MACs: 9 x 8 x 8 x 1024 = 589,824, so 1,179,648 operations.
    /// Utilisation: 0.3 x 8/(8 + 2) x 8192/(8192 + 1) = 0.239971; arithmetic: 1,179,648 / (2e9 x 0.239971) = 2.45790 ms.
    /// Bytes: 576 + 8 weights, 8192 in, 8192 out = 16,968, on chip: 16,968 / (1e9 x 0.6 x 5) = 0.00566 ms. No overlap.
    /// Launch 10 us, run 100 us. Together 2.45790 + 0.00566 + 0.01 + 0.1 = 2.57355 ms.
    /// Energy: 589,824 x 0.3 pJ x 26 x 0.87^8 (0.328212) = 1.50997e-3 mJ; bytes 16,968 x 5 pJ = 0.08484e-3 mJ;
    /// static 0.5 W x 0.2 x 2.57355 ms = 0.257355 mJ. Together 0.258950 mJ.
    #[test]
    fn a_layer_worked_by_hand() {
        let cost = Simulator::new(&microcontroller()).unwrap().cost(&convolutions(8, 1));
        assert!((cost.latency_ms - 2.57355).abs() < 2e-5, "{cost:?}");
        assert!((cost.energy_mj.unwrap() - 0.258950).abs() < 5e-6, "{cost:?}");
    }

    /// With a bandwidth of 1 MB/s through flash and nothing on chip, 16,968 bytes at 60 % take 28.28 ms: the memory roof.
    #[test]
    fn below_the_ridge_memory_decides() {
        let mut device = microcontroller();
        device.memory_bandwidth_gb_s = Some(0.01);
        device.on_chip_memory_mib = None;
        let slow = Simulator::new(&device).unwrap().cost(&convolutions(8, 1)).latency_ms;
        // 16,968 / (1e7 x 0.6) = 2.828 ms in place of 0.00566 ms.
        assert!((slow - (2.57355 - 0.00566 + 2.828)).abs() < 1e-4, "{slow}");
    }

    /// The layer worked by hand at 4 bits each: a quarter of 2.45790 ms of arithmetic; 288 bytes of weights and 4,096 in beside 8
    /// biases and 8,192 out, 12,584 / 3e9 = 0.00419 ms.
    #[test]
    fn fewer_bits_are_gained_from_where_there_is_arithmetic_for_them() {
        let network = |bits: u8| {
            let (mut network, map) = NetworkBuilder::new(8, SIZE);
            let bits = LayerBits {
                weights: bits,
                activations: bits,
            };
            let map = network.convolve_at(map, Convolution::new(8, 3), Some(bits));
            network.finish(map)
        };
        let latency = |precisions: &[Precision], bits: u8| {
            let device = Device {
                precisions: precisions.to_vec(),
                ..microcontroller()
            };
            Simulator::new(&device).unwrap().cost(&network(bits)).latency_ms
        };
        let flexible = [Precision::Int8, Precision::Int4];
        assert!((latency(&flexible, 4) - (2.45790 / 4.0 + 0.00419 + 0.11)).abs() < 2e-5);
        assert!((latency(&flexible, 8) - 2.57355).abs() < 2e-5);
        assert_eq!(latency(&[Precision::Int8], 4), latency(&[Precision::Int8], 8));
        assert_eq!(latency(&[], 4), latency(&[], 8));
    }

    #[test]
    fn faster_parts_never_make_it_slower() {
        for device in crate::device::catalogue::all().unwrap() {
            let latency = |device: &Device| Simulator::new(device).unwrap().cost(&convolutions(64, 1)).latency_ms;
            let base = latency(&device);
            for change in [
                (|device| device.peak_gflops = device.peak_gflops.map(|peak| peak * 1.5)) as fn(&mut Device),
                |device| device.memory_bandwidth_gb_s = device.memory_bandwidth_gb_s.map(|bandwidth| bandwidth * 1.5),
                |device| device.on_chip_memory_mib = Some(2000.0),
            ] {
                let mut faster = device.clone();
                change(&mut faster);
                assert!(latency(&faster) <= base * (1.0 + 1e-12), "{}", device.id);
            }
        }
    }

    /// A batch twice as large takes longer and more energy, but no longer than two.
    #[test]
    fn larger_batches_take_longer_and_not_twice_as_long() {
        for device in crate::device::catalogue::all().unwrap() {
            let cost = |batch: f64| {
                let mut device = device.clone();
                device.batch_size = Some(batch);
                // Where layers fit on the chip at one batch and not at another, doubling costs more than twice.
                device.on_chip_memory_mib = None;
                Simulator::new(&device).unwrap().cost(&convolutions(64, 3))
            };
            for batch in [1.0, 2.0, 16.0, 256.0] {
                let (small, large) = (cost(batch), cost(2.0 * batch));
                let ratio = large.latency_ms / small.latency_ms;
                assert!((1.0..=2.0).contains(&ratio), "{} {batch}: {ratio}", device.id);
                assert!(large.energy_mj >= small.energy_mj, "{} {batch}", device.id);
            }
        }
    }

    /// Average power stays under the thermal design power, and above what flows when nothing happens.
    #[test]
    fn power_is_within_the_design_power() {
        for device in crate::device::catalogue::all().unwrap() {
            let simulator = Simulator::new(&device).unwrap();
            let cost = simulator.cost(&convolutions(64, 50));
            if let (Some(tdp), Some(energy)) = (device.tdp_w, cost.energy_mj) {
                let power = energy / cost.latency_ms;
                assert!(power < tdp && power > 0.05 * tdp, "{}: {power} W of {tdp} W", device.id);
            }
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut device = microcontroller();
        device.peak_gflops = None;
        let message = Simulator::new(&device).unwrap_err().to_string();
        assert!(message.contains("peak-gflops"), "{message}");
        device = microcontroller();
        device.runtime = Some("tflight".into());
        let message = Simulator::new(&device).unwrap_err().to_string();
        assert!(message.contains("did you mean `tflite`?"), "{message}");
    }
}
