//! Devices whose runtime behaves like none that is known, see [`crate::profile::unusual`]: this is said, and their intervals are
//! wider than those of devices like the ones that intervals were calibrated on.

use std::fmt;

use serde::Serialize;

use super::price_names::{PriceOrigin, price_unit, priced, work};
use super::{DeviceModel, Knowledge, Posterior, Predictor, Prior};
use crate::metric::Metric;
use crate::profile::{COUNTS, Unusual, synthetic, unusual};
use crate::stats::significant;

/// By how much wider, in standard deviations.
pub(super) const WIDER: f64 = 2.0;

/// A price, or a share of dead work that is run, like that of no known or synthetic device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnusualPrice {
    /// What is paid for.
    pub work: &'static str,
    /// The price.
    pub price: f64,
    /// The least that a device with its other prices pays.
    pub usual_low: f64,
    /// The most.
    pub usual_high: f64,
    /// What the price is in, such as `ns per MAC`.
    pub price_unit: String,
}

impl fmt::Display for UnusualPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnusualPrice { work, price_unit, .. } = self;
        let [price, low, high] = [self.price, self.usual_low, self.usual_high].map(significant);
        write!(
            f,
            "{price} {price_unit} for {work}, where devices with its other prices take {low} to {high}"
        )
    }
}

impl Predictor {
    /// Prices of a metric of a device that was adapted to that are like those of no known or synthetic device. Its intervals are
    /// wider for it.
    pub fn unusual_prices(&self, device: &DeviceModel, metric: Metric) -> Vec<UnusualPrice> {
        let adapted = device.knowledge == Knowledge::Probes && device.price_origin(metric) == PriceOrigin::Adapted;
        let (Some(learned), Some(model)) = (self.metrics.get(metric), device.metrics.get(metric)) else {
            return Vec::new();
        };
        let found = adapted.then(|| self.unusual(&learned.prior, &model.posterior));
        let one = |unusual: Unusual| UnusualPrice {
            work: work(unusual.coordinate),
            price: priced(unusual.coordinate, unusual.log),
            usual_low: priced(unusual.coordinate, unusual.usual.0),
            usual_high: priced(unusual.coordinate, unusual.usual.1),
            price_unit: price_unit(unusual.coordinate, metric),
        };
        found.unwrap_or_default().into_iter().map(one).collect()
    }

    pub(super) fn unusual(&self, prior: &Prior, posterior: &Posterior) -> Vec<Unusual> {
        let work = self.reference().rows(0, COUNTS).column_mean();
        let mut distributions = synthetic();
        distributions.push(prior.population());
        // What the posterior is around was found from a distribution of devices; what it was moved to since may be like none
        // where prices hardly matter.
        unusual(
            &posterior.around(),
            &posterior.setting(),
            work.as_slice(),
            &distributions,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rand::Rng;

    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::compute::Backend;
    use crate::device::Device;
    use crate::encode::Physics;
    use crate::metric::PerMetric;
    use crate::predict::adapt::{self, Beliefs};
    use crate::predict::measured::Probed;
    use crate::predict::{AdaptOptions, DeviceSimilarity, Probe, ProbeWarning};
    use crate::profile::{Coordinates, DEPTHWISE, KINDS, Priced, Setting};
    use crate::seed::Seed;
    use crate::space::Architecture;
    use crate::stats::INTERVAL_SHARE;

    const PROBES: usize = 15;

    /// The shipped predictor of FBNet.
    fn predictor() -> Predictor {
        let compute = Backend::Flex.device().unwrap();
        Checkpoint::resolve(Path::new("fbnet"))
            .unwrap()
            .predictor(&compute)
            .unwrap()
    }

    /// Networks with their latencies, with 2 % of noise, on a device whose prices are those of a synthetic one, that of depthwise
    /// convolutions `factor` times as high.
    fn measured(predictor: &Predictor, factor: f64) -> Vec<Probe> {
        let mut profile: Coordinates = synthetic()[2].mean;
        profile[DEPTHWISE] += factor.ln();
        let priced = Priced::new(&profile, &Setting { batch: 1.0 });
        let (space, encoder) = (predictor.space, &predictor.encoder);
        let mut rng = Seed(5).stream("networks");
        let networks: Vec<Architecture> = (0..PROBES + 200).map(|_| space.sample(&mut rng)).collect();
        let latency = |network: &Architecture, noise: f64| {
            let counts = Physics::of(space, network, encoder.input_size(), encoder.classes)
                .work
                .counts;
            (priced.log(&counts) + noise).exp()
        };
        let probe = |network: Architecture| {
            let values = PerMetric::from([(Metric::Latency, latency(&network, rng.random_range(-0.035..0.035)))]);
            Probe::new(network, &Device::named("new"), values)
        };
        networks.into_iter().map(probe).collect()
    }

    fn adapted(predictor: &Predictor, measured: &[Probe]) -> DeviceModel {
        let options = AdaptOptions::measured_before(Seed(0));
        predictor
            .adapt_with(&Device::named("new"), &measured[..PROBES], &options)
            .unwrap()
    }

    #[test]
    fn a_device_like_others_has_no_unusual_prices() {
        let predictor = predictor();
        for factor in [1.0, 3.0] {
            let device = adapted(&predictor, &measured(&predictor, factor));
            assert_eq!(predictor.unusual_prices(&device, Metric::Latency), [], "{factor}");
        }
        // Nor has one that is known, whatever its prices are, or one that was not measured.
        for id in predictor.known_devices() {
            let device = predictor.known(&id).unwrap();
            assert_eq!(predictor.unusual_prices(&device, Metric::Latency), [], "{id}");
        }
    }

    #[test]
    fn a_price_a_thousand_times_the_usual_is_named_and_widens_intervals() {
        let predictor = predictor();
        let measured = measured(&predictor, 1000.0);
        let device = adapted(&predictor, &measured);
        let prices = predictor.unusual_prices(&device, Metric::Latency);
        assert_eq!(prices[0].work, "depthwise convolutions", "{prices:?}");
        assert!(prices[0].price > prices[0].usual_high, "{prices:?}");
        let warnings = predictor.review(&device, &measured[..PROBES], Seed(0)).unwrap();
        let said: Vec<String> = warnings.iter().map(ProbeWarning::to_string).collect();
        let named = format!("{} ns per MAC for depthwise convolutions", significant(prices[0].price));
        assert!(said.iter().any(|said| said.contains(&named)), "{said:?}");
        assert_eq!(predictor.explain(&device).unwrap().metrics[0].unusual, prices);

        let model = device.metrics.latency();
        let rest = &measured[PROBES..];
        let networks: Vec<Architecture> = rest.iter().map(|one| one.design.architecture.clone()).collect();
        let predicted = predictor.predict(&device, &networks).unwrap();
        let held = predicted.iter().zip(rest).filter(|(predicted, probe)| {
            let interval = predicted.metrics.latency();
            (interval.low..=interval.high).contains(probe.values.get(Metric::Latency).unwrap())
        });
        let coverage = held.count() as f64 / rest.len() as f64;
        assert!(coverage > INTERVAL_SHARE - 0.1, "{coverage}");

        let prior = &predictor.metrics.latency().prior;
        let beliefs = Beliefs {
            prior,
            similarity: &DeviceSimilarity::of(&Device::named("new"), prior),
            like: None,
            setting: Setting { batch: 1.0 },
            reference: predictor.reference(),
        };
        let probed = Probed::of(&measured[..PROBES], predictor.space).unwrap();
        let basis = prior.basis(&predictor.encode(&probed.architectures));
        let posterior = adapt::adapt(&beliefs, &probed.measured(Metric::Latency, &basis), Seed(0));
        assert_eq!(model.posterior, posterior.widened(WIDER));
    }

    /// A share of dead work is 100 % where all of it is run.
    #[test]
    fn dead_work_is_run_once_at_most() {
        let mut profile: Coordinates = synthetic()[2].mean;
        let mut work = vec![0.0; COUNTS];
        // As much that zeros lead to as there is live work.
        for kind in [0, 1, 11] {
            work[kind] = (-profile[kind]).exp();
            work[2 * KINDS + kind] = (-profile[kind]).exp();
        }
        let found = |profile: &Coordinates| unusual(profile, &Setting { batch: 1.0 }, &work, &synthetic());
        assert_eq!(found(&profile), []);
        profile[KINDS + 1] = 8.0_f64.ln();
        let shares = found(&profile);
        assert_eq!((shares.len(), shares[0].coordinate), (1, KINDS + 1));
        assert_eq!(super::work(KINDS + 1), "layers that zeros lead to");
        assert!((priced(KINDS + 1, shares[0].log) - 800.0).abs() < 1e-9);
        assert_eq!(
            (
                priced(KINDS + 1, shares[0].usual.0),
                price_unit(KINDS + 1, Metric::Latency)
            ),
            (0.0, "% run".into())
        );
    }
}
