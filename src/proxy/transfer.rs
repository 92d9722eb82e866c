//! The flow from one proxy to many targets of a dataset, repeated with other samples.

use std::collections::HashMap;

use super::fleet::Fleet;
use super::flow::{FlowOptions, FlowReport, Pairing, linear_model};
use crate::dataset::{Dataset, Task};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::progress::{Progress, Unit};

/// Most repeats.
const MOST_REPEATS: usize = 10_000;

/// Which proxy is reused where.
#[derive(Debug, Clone, PartialEq)]
pub struct Transfer {
    /// Id of the proxy.
    pub proxy: String,
    /// The targets, as ids or hardware units; without any, all other devices.
    pub targets: Vec<String>,
    /// The flow. Every target and repeat has a seed of its own, derived from the one here.
    pub flow: FlowOptions,
    /// Repeats with other samples.
    pub repeats: usize,
}

/// The flow from the proxy to every target, repeat by repeat. With a task, Pareto sets are compared and latencies are taken at
/// its input size.
///
/// # Errors
/// [`Error::Unknown`] for devices that the dataset lacks; [`Error::Invalid`] for no repeats or layers, a proxy that is not one
/// device, a proxy that is its own target, or no target; and what [`Fleet::of`] and [`Pairing::run`] return.
pub fn transfer(
    dataset: &Dataset,
    task: Option<&Task>,
    transfer: &Transfer,
    progress: &dyn Progress,
) -> Result<Vec<FlowReport>> {
    for (what, count, most) in [
        ("repeats", transfer.repeats, MOST_REPEATS),
        ("layers", transfer.flow.layers, usize::MAX),
    ] {
        if !(1..=most).contains(&count) {
            return Err(refused(what, &format!("1 to {most}"), count.to_string(), "1 is usual."));
        }
    }
    let proxy = one_device(dataset, &transfer.proxy)?;
    let targets = targets(dataset, proxy, &transfer.targets)?;
    let devices: Vec<usize> = (0..dataset.devices.len()).collect();
    let fleet = Fleet::of(dataset, &devices, Metric::Latency, task.and_then(|task| task.input))?;
    let accuracies = task.map_or(Ok(Vec::new()), |task| accuracies(dataset, &fleet, task))?;
    let model = linear_model(&fleet, &fleet.columns[proxy])?;
    let count = (targets.len() * transfer.repeats) as u64;
    progress.start("adapting", Unit::Count("adaptations"), Some(count));
    let mut reports = Vec::new();
    for &target in &targets {
        let pairing = Pairing::new(&fleet, &fleet.columns[proxy], &model, &fleet.columns[target])?;
        for repeat in 0..transfer.repeats {
            progress.check()?;
            let options = FlowOptions {
                seed: transfer.flow.seed.child(&dataset.devices[target].id, repeat),
                ..transfer.flow
            };
            reports.push(pairing.run(&accuracies, &options)?);
            progress.advance(1);
        }
    }
    progress.finish();
    Ok(reports)
}

fn refused(what: &str, expected: &str, found: String, hint: &str) -> Error {
    Error::Invalid {
        what: what.into(),
        expected: expected.into(),
        found,
        hint: hint.into(),
    }
}

fn one_device(dataset: &Dataset, name: &str) -> Result<usize> {
    let found = dataset.resolve_devices(&[name.to_string()])?;
    match found[..] {
        [one] => Ok(one),
        _ => {
            let found = format!("`{name}`, a unit with {} settings", found.len());
            Err(refused("proxy", "one device", found, "Name one of its settings."))
        }
    }
}

fn targets(dataset: &Dataset, proxy: usize, names: &[String]) -> Result<Vec<usize>> {
    if names.is_empty() {
        let others: Vec<usize> = (0..dataset.devices.len()).filter(|&device| device != proxy).collect();
        return if others.is_empty() {
            let expected = "at least one device beside the proxy";
            Err(refused(
                "targets",
                expected,
                "none".into(),
                "Name a dataset with more devices.",
            ))
        } else {
            Ok(others)
        };
    }
    let targets = dataset.resolve_devices(names)?;
    if targets.contains(&proxy) {
        let found = dataset.devices[proxy].id.clone();
        let hint = "Name other targets: it ranks architectures as itself.";
        return Err(refused("targets", "devices other than the proxy", found, hint));
    }
    Ok(targets)
}

/// The accuracies of the fleet's architectures at a task, absent where not known.
fn accuracies(dataset: &Dataset, fleet: &Fleet, task: &Task) -> Result<Vec<Option<f64>>> {
    let known: HashMap<_, f64> = dataset
        .accuracies_of(task, None)?
        .into_iter()
        .map(|(position, accuracy)| (&dataset.architectures[position as usize], accuracy))
        .collect();
    Ok(fleet.architectures.iter().map(|one| known.get(one).copied()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{AccuracyRow, DeviceValues, Measurement, Origin};
    use crate::device::Device;
    use crate::progress::Silent;
    use crate::proxy::adaproxy::{Norm, Sampling};
    use crate::seed::Seed;
    use crate::space::{InputSize, NasBench201, Precision, SearchSpace};

    /// 60 cells on a proxy and on two settings of a board that is twice as slow; accuracies of all.
    fn dataset() -> Dataset {
        let mut rng = Seed(4).stream("cells");
        let mut dataset = Dataset::new(&NasBench201);
        dataset.devices = ["proxy", "board_1", "board_8"].map(Device::named).into();
        dataset.devices[1].unit = "board".into();
        dataset.devices[2].unit = "board".into();
        dataset.inputs = vec![InputSize { width: 32, height: 32 }];
        dataset.tasks = vec!["mine".into()];
        while dataset.architectures.len() < 60 {
            let cell = NasBench201.sample(&mut rng);
            if !dataset.architectures.contains(&cell) {
                dataset.architectures.push(cell);
            }
        }
        for architecture in 0..60 {
            for (device, factor) in [(0, 1.0), (1, 2.0), (2, 16.0)] {
                dataset.measurements.push(Measurement {
                    device,
                    architecture,
                    precision: Precision::Fp32.into(),
                    input: 0,
                    values: DeviceValues::of(Metric::Latency, factor * f64::from(architecture + 1)),
                    origin: Origin::Measured,
                });
            }
            dataset.accuracies.push(AccuracyRow {
                task: 0,
                architecture,
                precision: Precision::Fp32.into(),
                accuracy_percent: 50.0 + f64::from(architecture % 7),
                origin: Origin::Measured,
            });
        }
        dataset
    }

    fn request(proxy: &str, targets: &[&str]) -> Transfer {
        Transfer {
            proxy: proxy.into(),
            targets: targets.iter().map(|name| name.to_string()).collect(),
            flow: FlowOptions {
                norm: Norm::Two,
                sampling: Sampling::exactly(10),
                always_adapt: true,
                layers: 1,
                seed: Seed(0),
            },
            repeats: 2,
        }
    }

    #[test]
    fn every_target_is_adapted_to_in_every_repeat() {
        let dataset = dataset();
        let task = dataset.resolve_task(None).unwrap();
        let reports = transfer(&dataset, task.as_ref(), &request("proxy", &[]), &Silent).unwrap();
        let targets: Vec<&str> = reports.iter().map(|report| report.target.as_str()).collect();
        assert_eq!(targets, ["board_1", "board_1", "board_8", "board_8"]);
        for report in &reports {
            // The target is the proxy but for one factor.
            assert_eq!(report.spearman_before.map(|one| one > 0.999), Some(true));
            assert_eq!((report.samples, report.fronts.is_some()), (10, true));
        }
        let without = transfer(&dataset, None, &request("proxy", &["board_8"]), &Silent).unwrap();
        assert!(without.len() == 2 && without[0].fronts.is_none());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let dataset = dataset();
        let refused = |request: &Transfer| {
            let refused = transfer(&dataset, None, request, &Silent);
            refused.err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(refused(&request("proxy", &["proxy"])).contains("other than the proxy"));
        assert!(refused(&request("board", &[])).contains("2 settings"));
        assert!(refused(&request("nothing", &[])).contains("unknown device"));
        let mut none = request("proxy", &[]);
        none.repeats = 0;
        assert!(refused(&none).contains("repeats"));
        none.repeats = 1;
        none.flow.layers = 0;
        assert!(refused(&none).contains("layers"));
    }
}
