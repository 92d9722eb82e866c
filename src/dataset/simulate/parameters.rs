//! The figures behind the simulator: `configs/simulator.toml`, which explains each of them, carried in the binary.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::space::Precision;

const FILE: &str = "configs/simulator.toml";
const TEXT: &str = include_str!("../../../configs/simulator.toml");

/// All figures.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Parameters {
    pub(super) energy_per_year: f64,
    pub(super) launch_per_year: f64,
    mac_picojoule: BTreeMap<Precision, f64>,
    class: BTreeMap<String, Class>,
    runtime: BTreeMap<String, Runtime>,
}

/// How a class of device works.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Class {
    pub(super) dense_utilisation: f64,
    pub(super) pointwise_factor: f64,
    pub(super) depthwise_utilisation: f64,
    pub(super) pooling_utilisation: f64,
    pub(super) half_channels: f64,
    pub(super) half_outputs_per_core: f64,
    pub(super) memory_efficiency: f64,
    pub(super) on_chip_speedup: f64,
    pub(super) overlap: f64,
    pub(super) launch_scale: f64,
    pub(super) launch_with_clock: bool,
    pub(super) asynchronous: bool,
    pub(super) instruction_overhead: f64,
    pub(super) main_memory_pj_per_byte: f64,
    pub(super) on_chip_pj_per_byte: f64,
    pub(super) static_power: f64,
}

/// What the software adds.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Runtime {
    pub(super) launch_us: LaunchTimes,
    pub(super) run_us: f64,
    pub(super) convolution_passes: f64,
    pub(super) as_written: bool,
}

/// Time to start one layer, by kind, in microseconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LaunchTimes {
    pub(super) convolution: f64,
    pub(super) pooling: f64,
    pub(super) add: f64,
    pub(super) linear: f64,
}

impl Parameters {
    /// Those of `configs/simulator.toml`.
    pub(super) fn bundled() -> Result<Parameters> {
        toml::from_str(TEXT).map_err(|error| Error::Malformed {
            path: Path::new(FILE).into(),
            line: None,
            column: None,
            expected: "the simulator's figures".into(),
            found: error.message().into(),
            hint: "Build from an unchanged file.".into(),
        })
    }

    /// The figures of a class.
    pub(super) fn class(&self, name: &str) -> Result<&Class> {
        entry(&self.class, "device class", &name.to_owned())
    }

    /// The figures of a runtime.
    pub(super) fn runtime(&self, name: &str) -> Result<&Runtime> {
        entry(&self.runtime, "runtime of the simulator", &name.to_owned())
    }

    /// Energy of a multiply-accumulate at 45 nm, in pJ.
    pub(super) fn mac_picojoule(&self, precision: Precision) -> Result<f64> {
        entry(&self.mac_picojoule, "precision of the simulator", &precision).copied()
    }
}

fn entry<'a, K: Ord + ToString, T>(table: &'a BTreeMap<K, T>, kind: &'static str, name: &K) -> Result<&'a T> {
    table.get(name).ok_or_else(|| Error::Unknown {
        kind,
        name: name.to_string(),
        known: table.keys().map(K::to_string).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::CLASSES;

    #[test]
    fn every_class_is_there_with_shares_between_0_and_1() {
        let parameters = Parameters::bundled().unwrap();
        for name in CLASSES {
            let class = parameters.class(name).unwrap();
            for share in [
                class.dense_utilisation,
                class.dense_utilisation * class.pointwise_factor,
                class.depthwise_utilisation,
                class.pooling_utilisation,
                class.memory_efficiency,
                class.overlap,
                class.static_power,
            ] {
                assert!((0.0..=1.0).contains(&share), "{name}: {share}");
            }
        }
        // All precisions are known, and none costs less than four bits or more than single precision.
        let energy = |precision| parameters.mac_picojoule(precision).unwrap();
        for precision in Precision::ALL {
            assert!(energy(Precision::Int4) <= energy(precision) && energy(precision) <= energy(Precision::Fp32));
        }
        let unknown = parameters.runtime("pytorhc").err().unwrap().to_string();
        assert!(unknown.contains("did you mean `pytorch`?"), "{unknown}");
    }
}
