//! Probes that do not fit together, or fit no device seen before: worth a second look, but no error.

use std::fmt;

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::adapt::{self, Beliefs, Measured};
use super::measured::Probed;
use super::prior::{Prior, setting};
use super::{DeviceModel, DeviceSimilarity, Predictor, Probe, UnusualPrice};
use crate::error::Result;
use crate::metric::Metric;
use crate::seed::Seed;
use crate::space::Architecture;
use crate::stats;

/// Fewest architectures that can be told to contradict known devices, or each other.
const MIN_PROBES: usize = 5;
/// Most architectures that are each predicted from the others; of more, those are that the fit misses most.
const MAX_LEFT_OUT: usize = 24;
/// The same where adapting takes long.
const MANY: usize = 1000;
const FEW_LEFT_OUT: usize = 5;
/// Probes agree with at least one known device by more than this rank correlation: published devices do so by 0.7 with one of
/// other hardware, and reversed values by up to 0.2, as some known devices are like no other.
const MIN_CORRELATION: f64 = 0.3;
/// A probe is an outlier this many predicted standard deviations from what the others say, and by this factor.
const OUTLIER_DEVIATIONS: f64 = 4.0;
const OUTLIER_FACTOR: f64 = 3.0;

/// What is odd about some probes.
#[derive(Debug, Clone, PartialEq)]
pub enum ProbeWarning {
    /// One of them is far from what the others say of its architecture.
    Outlier {
        /// What was measured.
        metric: Metric,
        /// The architecture, in the notation of its space.
        architecture: String,
        /// The value.
        measured: f64,
        /// What the other probes say.
        expected: f64,
    },
    /// Their order is like that on no known device, as when it is reversed.
    Reversed {
        /// What was measured.
        metric: Metric,
        /// The largest rank correlation with a known device.
        correlation: f64,
    },
    /// None of them has an output that depends on its input, so that they say nothing of layers.
    Degenerate {
        /// How many there are.
        probes: usize,
    },
    /// The device takes for some work what no known or synthetic device takes.
    UnusualPrice {
        /// What was measured.
        metric: Metric,
        /// The price.
        price: UnusualPrice,
    },
}

impl fmt::Display for ProbeWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProbeWarning::Outlier {
                metric,
                architecture,
                measured,
                expected,
            } => write!(
                f,
                "{metric} of {architecture}: {measured} {unit} measured where the other probes say about {expected:.3} {unit}. \
                 Measure it again.",
                unit = metric.unit()
            ),
            ProbeWarning::Reversed { metric, correlation } => write!(
                f,
                "{metric} of the probes: their order is like that on no known device (rank correlations of at most \
                 {correlation:.2}). Check that each value stands beside its own architecture."
            ),
            ProbeWarning::Degenerate { probes } => write!(
                f,
                "none of the {probes} probes has a way from input to output: they tell what a network takes that computes nothing, \
                 and little of those that do. Measure architectures that are chosen as probes."
            ),
            ProbeWarning::UnusualPrice { metric, price } => write!(
                f,
                "{metric}: {price}. The runtime behaves like none that is known, and intervals are wider for it. Check the probes \
                 that have much of such work, and measure more of them."
            ),
        }
    }
}

impl Predictor {
    /// What is odd about probes that [`Predictor::adapt`] takes, and about the device that it makes of them. Takes as long as
    /// several adaptations.
    ///
    /// # Errors
    /// As [`Predictor::adapt`] for values that are no measurements.
    pub fn review(&self, adapted: &DeviceModel, probes: &[Probe], seed: Seed) -> Result<Vec<ProbeWarning>> {
        let probed = Probed::of(probes, self.space)?;
        let mut warnings = Vec::new();
        let computes = |one: &Architecture| self.space.output_depends_on_input(one);
        if !probes.is_empty() && !probed.architectures.iter().any(computes) {
            warnings.push(ProbeWarning::Degenerate { probes: probes.len() });
        }
        for (metric, _) in adapted.metrics.iter() {
            let prices = self.unusual_prices(adapted, metric).into_iter();
            warnings.extend(prices.map(|price| ProbeWarning::UnusualPrice { metric, price }));
        }
        let encoded = self.encode(&probed.architectures);
        for (metric, learned) in self.metrics.iter() {
            let rows: Vec<(usize, f64, usize)> = probed.logs(metric).collect();
            if rows.len() < MIN_PROBES {
                continue;
            }
            let basis = learned.basis(&encoded);
            warnings.extend(reversed(&learned.prior, &basis, &rows));
            let beliefs = Beliefs {
                prior: &learned.prior,
                similarity: &DeviceSimilarity::of(&adapted.datasheet, &learned.prior),
                like: None,
                setting: setting(&adapted.datasheet),
                reference: self.reference(),
            };
            let measured = probed.measured(metric, &basis);
            let odd = outliers(&measured, |measured| adapt::adapt(&beliefs, measured, seed)).into_iter();
            warnings.extend(odd.map(|(index, expected)| ProbeWarning::Outlier {
                metric,
                architecture: self.space.print(&probed.architectures[rows[index].0]),
                measured: rows[index].1.exp(),
                expected: expected.exp(),
            }));
        }
        Ok(warnings)
    }
}

/// Whether the order of values is like that on no known device; `rows` are position, logarithm and times of each architecture,
/// `basis` is `[COUNTS + rank, architectures]`.
fn reversed(prior: &Prior, basis: &DMatrix<f32>, rows: &[(usize, f64, usize)]) -> Option<ProbeWarning> {
    let positions: Vec<usize> = rows.iter().map(|row| row.0).collect();
    let logs: Vec<f64> = rows.iter().map(|row| row.1).collect();
    let correlation = prior
        .known_functions(&basis.select_columns(&positions).map(f64::from))
        .row_iter()
        .filter_map(|row| stats::spearman(&row.iter().copied().collect::<Vec<f64>>(), &logs))
        .fold(f64::NEG_INFINITY, f64::max);
    let metric = prior.metric;
    (correlation.is_finite() && correlation < MIN_CORRELATION).then_some(ProbeWarning::Reversed { metric, correlation })
}

/// Positions of the architectures that are far from what the others say, and the logarithm of that.
fn outliers(measured: &Measured, adapt: impl Fn(&Measured) -> super::Posterior + Sync) -> Vec<(usize, f64)> {
    let mut suspects: Vec<usize> = (0..measured.len()).collect();
    if suspects.len() > MAX_LEFT_OUT {
        let fitted = adapt(measured).predict(&measured.basis());
        let missed = |index: usize| (measured.log(index) - f64::from(fitted[index].mean)).abs();
        // Among many probes one that is off hardly bends the fit.
        suspects.retain(|&index| missed(index) > 0.5 * OUTLIER_FACTOR.ln());
        suspects.sort_by(|&a, &b| missed(b).total_cmp(&missed(a)));
        suspects.truncate(if measured.len() > MANY {
            FEW_LEFT_OUT
        } else {
            MAX_LEFT_OUT
        });
        suspects.sort_unstable();
    }
    let odd = |&index: &usize| {
        let predicted = adapt(&measured.without(index)).predict(&measured.basis().columns(index, 1).into_owned())[0];
        let away = (measured.log(index) - f64::from(predicted.mean)).abs();
        let most = (OUTLIER_DEVIATIONS * f64::from(predicted.deviation)).max(OUTLIER_FACTOR.ln());
        (away > most).then_some((index, f64::from(predicted.mean)))
    };
    suspects.par_iter().filter_map(odd).collect()
}

#[cfg(test)]
mod tests {
    use super::super::example::World;
    use super::*;

    /// Positions of outliers among `count` probes of the world's third device, one of them off by `factor`.
    fn found(count: usize, off: usize, factor: f64) -> Vec<usize> {
        let world = World::new();
        let mut logs: Vec<f64> = (0..count).map(|column| world.logs[(2, column)]).collect();
        logs[off] += factor.ln();
        let basis = world.basis.columns(0, count).into_owned();
        let measured = Measured::once(basis.map(f64::from), &logs);
        let odd = outliers(&measured, |measured| world.adapt(measured, Seed(1)));
        odd.into_iter().map(|one| one.0).collect()
    }

    #[test]
    fn one_probe_ten_times_off_is_found() {
        assert_eq!(found(10, 3, 10.0), [3]);
        assert_eq!(found(10, 7, 0.1), [7]);
        assert_eq!(found(60, 40, 10.0), [40]);
    }

    #[test]
    fn probes_that_fit_together_have_no_outlier() {
        for count in [5, 10, 60] {
            assert_eq!(found(count, 0, 1.0), Vec::<usize>::new());
        }
        assert_eq!(found(10, 3, 1.2), Vec::<usize>::new());
    }
}
