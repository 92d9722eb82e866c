//! Adds the devices of a dataset to a trained predictor, which is not trained again: each is fitted on the basis that is there
//! as a device is that was adapted to, with all of its values as probes, and becomes a known device. The basis, the towers, the
//! calibrations, the accuracies and the other known devices stay as they are.

use nalgebra::DMatrix;

use super::{FitOptions, MIN_VALUES, REFERENCE, known_power, spread};
use crate::dataset::split::{Share, by_isomorphism};
use crate::dataset::{Dataset, Selection};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::predict::power::KnownPower;
use crate::predict::prior::KnownDevice;
use crate::predict::{AdaptOptions, DeviceModel, Encoded, MetricModel, MetricPrior, Predictor, Probe};
use crate::seed::Seed;
use crate::space::{Architecture, QuantPolicy};
use crate::stats;

/// Share of a device's values that it is fitted to where the others tell how far off that is.
const FITTED: f64 = 0.8;

/// The predictor with the devices of a dataset known too. Of the options, the devices, the precision and whether units are to
/// be trusted are looked at.
///
/// # Errors
/// [`Error::Invalid`] for a dataset of another search space, for devices that the predictor knows already or that have too few
/// latencies at its input size, and as [`Predictor::adapt`]; [`Error::Unknown`] for devices that the dataset lacks;
/// [`Error::Insufficient`] and [`Error::Implausible`] for values in another unit.
pub fn extend(predictor: &Predictor, dataset: &Dataset, options: &FitOptions, seed: Seed) -> Result<Predictor> {
    let devices = devices_to_add(predictor, dataset, options)?;
    let own = devices
        .iter()
        .map(|&device| OwnDevice::new(dataset, device, predictor, options, seed));
    let own = own.collect::<Result<Vec<OwnDevice>>>()?;
    if !options.trust_units {
        dataset.check_units(&devices)?;
    }
    let reference = predictor.encode(&reference(predictor, seed));
    let mut extended = predictor.with_accuracy(predictor.accuracy.clone());
    // Another predictor, which has an id once it is saved.
    extended.id.clear();
    for own in own {
        let model = own.adapted(&own.probes, &own.options)?;
        let held_out = own.held_out()?;
        let energies = extended
            .metrics
            .get(Metric::Energy)
            .map(|energy| energy.prior.known.len());
        extended
            .powers
            .extend(energies.and_then(|position| own.power(position)));
        let mut metrics = extended.metrics.clone();
        for (metric, learned) in extended.metrics.iter() {
            if let Some(model) = model.metrics.get(metric).filter(|_| own.has(metric)) {
                let known = own.known(metric, learned, model, &learned.basis(&reference), &held_out);
                metrics.insert(metric, known);
            }
        }
        extended.metrics = metrics;
    }
    Ok(extended)
}

/// Positions of the devices in the dataset, which the predictor can learn and does not know.
fn devices_to_add(predictor: &Predictor, dataset: &Dataset, options: &FitOptions) -> Result<Vec<usize>> {
    if dataset.space.id() != predictor.space.id() {
        return Err(Error::Invalid {
            what: "search space of the dataset".into(),
            expected: format!("{}, as the predictor has", predictor.space.id()),
            found: dataset.space.id().into(),
            hint: "Extend a predictor of that space.".into(),
        });
    }
    let devices = match options.devices.as_slice() {
        [] => (0..dataset.devices.len()).collect(),
        names => dataset.resolve_devices(names)?,
    };
    if devices.is_empty() {
        return Err(too_few(
            "the dataset".into(),
            "no device".into(),
            "Import measurements of a device.",
        ));
    }
    let known = predictor.known_devices();
    let ids = devices.iter().map(|&device| dataset.devices[device].id.as_str());
    let twice: Vec<&str> = ids.filter(|id| known.iter().any(|known| known == id)).collect();
    if !twice.is_empty() {
        return Err(Error::Invalid {
            what: "devices to add".into(),
            expected: "ids that the predictor does not know".into(),
            found: format!("{}, which it knows already", twice.join(", ")),
            hint: "Give them ids of their own in the dataset, or leave them out by naming the others.".into(),
        });
    }
    Ok(devices)
}

/// What levels and scales are told by.
fn reference(predictor: &Predictor, seed: Seed) -> Vec<Architecture> {
    let mut rng = seed.stream("reference");
    (0..REFERENCE).map(|_| predictor.space.sample(&mut rng)).collect()
}

fn too_few(what: String, found: String, hint: &str) -> Error {
    Error::Invalid {
        what: format!("latencies of {what}"),
        expected: format!("at least {MIN_VALUES} at the predictor's input size"),
        found,
        hint: hint.into(),
    }
}

/// A device of the dataset with what was measured on it.
struct OwnDevice<'a> {
    dataset: &'a Dataset,
    device: usize,
    predictor: &'a Predictor,
    precision: QuantPolicy,
    probes: Vec<Probe>,
    options: AdaptOptions,
}

impl<'a> OwnDevice<'a> {
    fn new(
        dataset: &'a Dataset,
        device: usize,
        predictor: &'a Predictor,
        options: &FitOptions,
        seed: Seed,
    ) -> Result<Self> {
        let id = &dataset.devices[device].id;
        let input = predictor.encoder.input_size();
        let selection = Selection {
            precision: options.precision,
            ..Selection::at(input)
        };
        let precision = dataset.resolve_precision(device, selection)?;
        let precision = precision.unwrap_or(dataset.devices[device].runs_at());
        let rows = dataset.measurements.iter().filter(|row| {
            row.device as usize == device
                && row.precision == precision
                && dataset.inputs[usize::from(row.input)] == input
        });
        let probes: Vec<Probe> = rows
            .map(|row| Probe {
                design: dataset.design(row.architecture, row.precision),
                values: row.values.iter().collect(),
            })
            .collect();
        let latencies = probes
            .iter()
            .filter(|probe| probe.values.get(Metric::Latency).is_some());
        let latencies = latencies.count();
        if latencies < MIN_VALUES {
            let hint = "Measure more at that size, leave the device out, or adapt to it with what there is as probes.";
            let sizes: Vec<String> = dataset.inputs.iter().map(ToString::to_string).collect();
            let found = format!("{latencies}, in a dataset with rows at {}", sizes.join(", "));
            return Err(too_few(format!("device `{id}` at {input}"), found, hint));
        }
        Ok(OwnDevice {
            dataset,
            device,
            predictor,
            precision,
            probes,
            options: AdaptOptions {
                seed,
                accept_implausible: options.trust_units,
            },
        })
    }

    fn adapted(&self, probes: &[Probe], options: &AdaptOptions) -> Result<DeviceModel> {
        self.predictor.adapt_with(self.datasheet(), probes, options)
    }

    fn has(&self, metric: Metric) -> bool {
        self.probes.iter().any(|probe| probe.values.get(metric).is_some())
    }

    /// What is known of a metric with this device known too. `basis` is `[rank, reference]`.
    fn known(
        &self,
        metric: Metric,
        learned: &MetricPrior,
        model: &MetricModel,
        basis: &DMatrix<f32>,
        held_out: &HeldOut,
    ) -> MetricPrior {
        let posterior = &model.posterior;
        // Of all architectures, as that of the other known devices, not of those that happened to be measured.
        let predicted = posterior.predict(basis);
        let logs: Vec<f64> = predicted.iter().map(|one| f64::from(one.mean)).collect();
        let (profile, _) = posterior.profile();
        let centre = posterior.residual();
        let noise = f64::from(posterior.noise_variance).sqrt();
        let datasheet = self.datasheet().clone();
        let device = KnownDevice {
            id: datasheet.id.clone(),
            unit: datasheet.unit.clone(),
            precision: self.precision,
            output: None,
            level: stats::quantile(&logs, 0.5).unwrap_or_default(),
            profile,
            covariance: posterior.covariance(),
            offset: 0.0,
            scale: noise.max(1e-4),
            residual_share: 0.0,
            noise: held_out.error(metric, learned).map_or(noise, |error| error.max(noise)),
            elsewhere: false,
            measured_at: None,
            datasheet,
        };
        let mut learned = learned.clone();
        learned.prior.add_known(device, &centre);
        learned
    }

    /// Fits the device to a part of its probes, none of which is isomorphic to one that is left out.
    fn held_out(&self) -> Result<HeldOut> {
        let architectures: Vec<Architecture> = self
            .probes
            .iter()
            .map(|probe| probe.design.architecture.clone())
            .collect();
        let positions: Vec<u32> = (0..self.probes.len() as u32).collect();
        let mut rng = self.options.seed.stream("split");
        let share = Share::Fraction(FITTED);
        let split = by_isomorphism(self.predictor.space, &architectures, &positions, share, &mut rng);
        let part = |positions: &[u32]| -> Vec<Probe> {
            positions
                .iter()
                .map(|&position| self.probes[position as usize].clone())
                .collect()
        };
        let probes = part(&split.held_out);
        let architectures: Vec<Architecture> = probes.iter().map(|probe| probe.design.architecture.clone()).collect();
        Ok(HeldOut {
            model: self.adapted(&part(&split.train), &AdaptOptions::measured_before(self.options.seed))?,
            encoded: self.predictor.encode(&architectures),
            probes,
        })
    }

    fn datasheet(&self) -> &Device {
        &self.dataset.devices[self.device]
    }

    /// Its power, if latency and energy of the same architectures were measured; `position` is its place among the devices
    /// whose energy is known.
    fn power(&self, position: usize) -> Option<KnownPower> {
        let log = |probe: &Probe| {
            let (latency, energy) = (probe.values.get(Metric::Latency)?, probe.values.get(Metric::Energy)?);
            Some(energy.ln() - latency.ln())
        };
        let logs: Vec<f64> = self.probes.iter().filter_map(log).collect();
        known_power(position, &logs)
    }
}

/// Probes that a device was not fitted to.
struct HeldOut {
    model: DeviceModel,
    probes: Vec<Probe>,
    encoded: Encoded,
}

impl HeldOut {
    /// Standard deviation of the logarithm of a metric around what is predicted; `None` where none was measured.
    fn error(&self, metric: Metric, learned: &MetricPrior) -> Option<f64> {
        let predicted = self.model.metrics.get(metric)?.predict(&learned.basis(&self.encoded));
        let errors: Vec<f64> = (self.probes.iter().zip(predicted))
            .filter_map(|(probe, predicted)| Some(probe.values.get(metric)?.ln() - f64::from(predicted.mean)))
            .collect();
        (!errors.is_empty()).then(|| spread(&errors))
    }
}
