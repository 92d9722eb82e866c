//! From a datasheet and probes to a device: every metric by itself, or from another one.

use super::adapt::{self, Beliefs, Like};
use super::measured::{self, Probed};
use super::power::energy_from_latency;
use super::prior::setting;
use super::unusual::WIDER;
use super::{
    AdaptOptions, DeviceMetrics, DeviceModel, DeviceSimilarity, Elsewhere, Encoded, Knowledge, MeasuredOnce,
    MetricModel, MetricPrior, Predictor, Prior, Probe, plausible,
};
use crate::device::Device;
use crate::error::Result;
use crate::metric::Metric;
use crate::seed::Seed;
use crate::space::{Design, QuantPolicy};

impl Predictor {
    /// What a device's latency says of another metric where nothing of that was measured.
    pub(super) fn following_latency(
        &self,
        prior: &Prior,
        latency: &MetricModel,
        device: &Device,
        similarity: &DeviceSimilarity,
    ) -> Option<MetricModel> {
        match prior.metric {
            Metric::Energy => energy_from_latency(latency, &self.powers, prior, device, similarity),
            Metric::Latency
            | Metric::Accuracy
            | Metric::Macs
            | Metric::Parameters
            | Metric::ModelSize
            | Metric::PeakMemory => None,
        }
    }

    /// Adapts to a device from its datasheet and what was measured on it. Either may say nothing: without both the result is
    /// what the known devices have in common. Energies that were not measured follow from latencies, see [`super::power`]; where a
    /// few were, the function that they are fitted with starts from that of the latencies.
    ///
    /// The device has the precision of its probes, else that of its datasheet, else fp32.
    ///
    /// # Errors
    /// [`Error::Invalid`] for values that are not positive numbers, for several architectures that all have the same value, for
    /// values of one architecture that contradict each other, and for probes at several precisions; [`Error::Implausible`] for
    /// values that no such device is likely to have, with the unit that was probably meant.
    ///
    /// [`Error::Invalid`]: crate::error::Error::Invalid
    /// [`Error::Implausible`]: crate::error::Error::Implausible
    pub fn adapt(&self, device: &Device, probes: &[Probe], seed: Seed) -> Result<DeviceModel> {
        let options = AdaptOptions {
            seed,
            accept_implausible: false,
        };
        self.adapt_with(device, probes, &options)
    }

    /// As [`Predictor::adapt`], with options.
    ///
    /// # Errors
    /// As [`Predictor::adapt`]; implausible values are no error where they are accepted.
    pub fn adapt_with(&self, device: &Device, probes: &[Probe], options: &AdaptOptions) -> Result<DeviceModel> {
        self.adapt_from(device, probes, &Elsewhere::default(), options)
    }

    /// As [`Predictor::adapt_with`], with what was measured on the device in other search spaces.
    ///
    /// # Errors
    /// As [`Predictor::adapt_with`].
    pub fn adapt_from(
        &self,
        device: &Device,
        probes: &[Probe],
        elsewhere: &Elsewhere,
        options: &AdaptOptions,
    ) -> Result<DeviceModel> {
        self.adapted_from(device, probes, elsewhere, None, options)
    }

    /// As [`Predictor::adapt_from`], for a device whose prices are like those of another one: the same hardware at another precision,
    /// batch size or number of threads, which was adapted to before. Each of them may still differ.
    ///
    /// # Errors
    /// As [`Predictor::adapt_from`], and [`Error::Invalid`] if `like` is a device of another predictor.
    ///
    /// [`Error::Invalid`]: crate::error::Error::Invalid
    pub fn adapt_like(
        &self,
        device: &Device,
        probes: &[Probe],
        elsewhere: &Elsewhere,
        like: &DeviceModel,
        options: &AdaptOptions,
    ) -> Result<DeviceModel> {
        self.check_device(like)?;
        self.adapted_from(device, probes, elsewhere, Some(like), options)
    }

    fn adapted_from(
        &self,
        device: &Device,
        probes: &[Probe],
        elsewhere: &Elsewhere,
        like: Option<&DeviceModel>,
        options: &AdaptOptions,
    ) -> Result<DeviceModel> {
        let precision = measured::precision(device, probes)?;
        let probed = Probed::of(probes, self.space)?;
        let known = NewDevice {
            predictor: self,
            device,
            encoded: self.encode(&probed.architectures),
            probed,
            elsewhere,
            like,
            precision,
            options,
        };
        Ok(DeviceModel {
            id: device.id.clone(),
            knowledge: if probes.is_empty() && elsewhere.is_empty() {
                Knowledge::Prior
            } else {
                Knowledge::Probes
            },
            probes: probes.len(),
            predictor: self.id.clone(),
            input: Some(self.input()),
            precision,
            datasheet: self.with_arithmetic(device)?,
            measured: probes.iter().map(|probe| self.measured_once(probe)).collect(),
            metrics: known.metrics()?,
        })
    }

    /// The datasheet, with what the hardware has arithmetic for where layers say bits.
    fn with_arithmetic(&self, device: &Device) -> Result<Device> {
        let datasheet = device.clone();
        if self.space.has_bits() {
            datasheet.with_precisions()
        } else {
            Ok(datasheet)
        }
    }

    /// A probe as a file keeps it.
    fn measured_once(&self, probe: &Probe) -> MeasuredOnce {
        MeasuredOnce::new(probe, self.space, self.encoder.input_size(), self.encoder.classes)
    }

    /// Whether something was measured in this predictor's space at its input size.
    pub(super) fn is_own(&self, measured: &MeasuredOnce) -> bool {
        measured.space == self.space.id() && measured.input == self.input()
    }

    /// Adapts to a device that another predictor was adapted to, from what was measured on it: what was measured in this
    /// predictor's space at its input size are probes, the rest tells of the profile. `probes` are further ones, and `like` as in
    /// [`Predictor::adapt_like`].
    ///
    /// # Errors
    /// As [`Predictor::adapt_with`], and whatever is wrong with the architectures that were measured.
    pub fn adapt_again(
        &self,
        other: &DeviceModel,
        probes: &[Probe],
        like: Option<&DeviceModel>,
        options: &AdaptOptions,
    ) -> Result<DeviceModel> {
        let own = other.measured.iter().filter(|one| self.is_own(one)).map(|one| {
            Ok(Probe {
                design: Design::new(self.space.parse(&one.architecture)?, one.precision),
                values: one.values,
            })
        });
        let mut all = own.collect::<Result<Vec<Probe>>>()?;
        all.extend_from_slice(probes);
        let rest: Vec<MeasuredOnce> = other.measured.iter().filter(|one| !self.is_own(one)).cloned().collect();
        let elsewhere = Elsewhere::of(&rest)?;
        let mut device = match like {
            Some(like) => self.adapt_like(&other.datasheet, &all, &elsewhere, like, options),
            None => self.adapt_from(&other.datasheet, &all, &elsewhere, options),
        }?;
        device.probes += rest.len();
        device.measured.extend(rest);
        Ok(device)
    }
}

/// A device with all that is known of it.
struct NewDevice<'a> {
    predictor: &'a Predictor,
    device: &'a Device,
    probed: Probed,
    /// The architectures that were probed.
    encoded: Encoded,
    elsewhere: &'a Elsewhere,
    /// A device that it is like.
    like: Option<&'a DeviceModel>,
    /// What it is measured at.
    precision: QuantPolicy,
    options: &'a AdaptOptions,
}

impl NewDevice<'_> {
    /// Latency first; what was not measured of another metric follows from it where it can.
    fn metrics(&self) -> Result<DeviceMetrics<MetricModel>> {
        let predictor = self.predictor;
        let like = |metric| {
            let (like, posterior) = (self.like?, &self.like?.metrics.get(metric)?.posterior);
            Some(if like.precision == self.precision {
                Like::OtherSetting(posterior)
            } else {
                Like::OtherPrecision(posterior)
            })
        };
        let latency = self.adapted(Metric::Latency, predictor.metrics.latency(), like(Metric::Latency))?;
        let mut metrics = DeviceMetrics::new(latency);
        let is_timed = self.is_measured(Metric::Latency);
        for (metric, prior) in predictor
            .metrics
            .iter()
            .filter(|(metric, _)| *metric != Metric::Latency)
        {
            let similarity = DeviceSimilarity::of(self.device, &prior.prior);
            let from_latency = (!self.is_measured(metric))
                .then(|| predictor.following_latency(&prior.prior, metrics.latency(), self.device, &similarity))
                .flatten();
            let model = match from_latency {
                Some(model) => model,
                None => {
                    let latency = is_timed.then(|| Like::OtherMetric(&metrics.latency().posterior));
                    self.adapted(metric, prior, like(metric).or(latency))?
                }
            };
            metrics.insert(metric, model);
        }
        Ok(metrics)
    }

    fn is_measured(&self, metric: Metric) -> bool {
        self.probed.has(metric) || !self.elsewhere.logs(metric).is_empty()
    }

    /// One metric, which may be like another one.
    fn adapted(&self, metric: Metric, prior: &MetricPrior, like: Option<Like<'_>>) -> Result<MetricModel> {
        if !self.options.accept_implausible {
            plausible::check(self.predictor, self.device, &self.probed, &self.encoded, metric)?;
        }
        let own = self.probed.measured(metric, &prior.basis(&self.encoded));
        // Probes elsewhere make surer, but none was left out to see by how much.
        let calibration = prior.calibration(own.len());
        let measured = own.with_elsewhere(&self.elsewhere.logs(metric));
        let beliefs = Beliefs {
            prior: &prior.prior,
            similarity: &DeviceSimilarity::of(self.device, &prior.prior),
            like,
            setting: setting(self.device),
            reference: self.predictor.reference(),
        };
        let posterior = adapt::adapt(&beliefs, &measured, self.options.seed);
        let strange = !measured.is_empty() && !self.predictor.unusual(&prior.prior, &posterior).is_empty();
        Ok(MetricModel {
            calibration,
            posterior: if strange { posterior.widened(WIDER) } else { posterior },
        })
    }
}
